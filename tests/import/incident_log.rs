//! The real incident log, with the figures of every process worked out a second time by another program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{audited, data, import};
use crate::executions::{everyone, figures::micros};
use crate::support::{Backend, Client, World, run};

/// How many incidents the log has.
pub const INCIDENTS: i64 = 24_918;

/// The log, packed as it came.
pub fn packed() -> Option<PathBuf> {
    data("executions/incident_event_log.csv.zst")
}

/// Unpacks the log into a folder.
pub fn unpacked(log: &Path, folder: &Path) -> PathBuf {
    let csv = folder.join("log.csv");
    let unpacked = Command::new("zstd").args(["-d", "-q", "-o"]).arg(&csv).arg(log).status();
    assert!(unpacked.expect("zstd is needed").success());
    csv
}

/// What `tests/recompute_incidents.py` says of the log.
fn recomputed(csv: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recompute_incidents.py");
    let output = Command::new("python3").arg(script).arg(csv).output().expect("python3 is needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the service says, by process, in the words of the other program.
async fn told(who: &Client) -> BTreeMap<String, Value> {
    let query =
        "{ figures(groupBy: [PROCESS]) { process { key } runs withoutStart adoption { followed deviated notFollowed unknown }
        completionTime { open completedOnly { p50 { value } p90 { value } p95 { value } } } violations { events runs }
        violationsBySeverity { minor { events } major { events } critical { events } } rework { numerator denominator }
        errorRate { numerator denominator } firstTimeRight { numerator denominator }
        abandonment { numerator denominator } } }";
    let seen = who.ok(query, json!({})).await;
    let seconds = |at: &Value| at["value"].as_str().map(|text| micros(text) / 1_000_000);
    let ratio = |ratio: &Value| json!([ratio["numerator"], ratio["denominator"]]);
    let row = |row: &Value| {
        let (adoption, time) = (&row["adoption"], &row["completionTime"]);
        let (completed, severities) = (&time["completedOnly"], &row["violationsBySeverity"]);
        assert_eq!(adoption["deviated"], 0);
        let breaches: i64 =
            ["minor", "major", "critical"].map(|name| severities[name]["events"].as_i64().unwrap()).iter().sum();
        assert_eq!(row["violations"], json!({"events": breaches, "runs": row["runs"]}));
        let figures = json!({
            "n": row["runs"],
            "followed": adoption["followed"],
            "not_followed": adoption["notFollowed"],
            "unknown": adoption["unknown"],
            "finished": row["runs"].as_i64().unwrap() - time["open"].as_i64().unwrap(),
            "without_start": row["withoutStart"],
            "violations": {"minor": severities["minor"]["events"], "major": severities["major"]["events"],
                "critical": severities["critical"]["events"]},
            "rework": ratio(&row["rework"]),
            "error_rate": ratio(&row["errorRate"]),
            "first_time_right": ratio(&row["firstTimeRight"]),
            "abandonment": ratio(&row["abandonment"]),
            "p50_seconds": seconds(&completed["p50"]),
            "p90_seconds": seconds(&completed["p90"]),
            "p95_seconds": seconds(&completed["p95"]),
        });
        (row["process"]["key"].as_str().unwrap().to_owned(), figures)
    };
    seen["figures"].as_array().unwrap().iter().map(row).collect()
}

/// The figures of every process are those that the other program has: counts to the last run, percentiles as close as
/// a histogram has them.
pub async fn assert_figures_agree(world: &World, csv: &Path) {
    let mut expected = recomputed(csv);
    assert_eq!(expected["executions"], INCIDENTS);
    let figures = told(&everyone(world)).await;
    let processes = expected["processes"].as_object_mut().unwrap();
    assert_eq!((processes.len(), figures.len()), (338, 338));
    for (process, wanted) in processes.iter_mut() {
        let mut found = figures.get(process).cloned().unwrap_or_default();
        for percentile in ["p50_seconds", "p90_seconds", "p95_seconds"] {
            let exact = wanted[percentile].take().as_i64();
            let near = match (found[percentile].take().as_i64(), exact) {
                // Told in whole seconds here.
                (Some(found), Some(exact)) => (found - exact).abs() <= exact / 100 + 1,
                (found, exact) => found == exact,
            };
            assert!(near, "{process}: {percentile} is not {exact:?}");
        }
        assert_eq!(&found, &*wanted, "{process}");
    }
    let sum = |at: &str| figures.values().map(|row| row.pointer(at).and_then(Value::as_i64).unwrap()).sum::<i64>();
    // As the README of the data says.
    assert_eq!((sum("/n"), sum("/followed"), sum("/violations/major")), (INCIDENTS, 3_551, 9_115));
    for share in ["/rework", "/first_time_right", "/abandonment"] {
        let (part, all) = (sum(&format!("{share}/0")), sum(&format!("{share}/1")));
        assert!(0 < part && part < all, "{share} tells of something: {part} of {all}");
    }
}

/// On one database: `incident_stream` sends the same log to both, and what is imported takes the same way from there on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_all_processes_agree_with_another_program() {
    run(Backend::Sqlite, |world| async move {
        let Some(log) = packed() else { return };
        let folder = tempfile::tempdir().unwrap();
        let report = import(&world, "incidents", &log, &[]).await;
        assert_eq!((&report["rows"], &report["incidents"]), (&json!(141_712), &json!(INCIDENTS)));
        assert_eq!((&report["created"], &report["processesCreated"]), (&json!(INCIDENTS), &json!(338)));
        assert_eq!((&report["rejectedRows"], &report["refused"]), (&json!([]), &json!([])));
        assert_figures_agree(&world, &unpacked(&log, folder.path())).await;

        let entries = audited(&world).await;
        let again = import(&world, "incidents", &log, &[]).await;
        assert_eq!(
            (&again["duplicate"], &again["created"], &again["updated"]),
            (&json!(INCIDENTS), &json!(0), &json!(0))
        );
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, INCIDENTS);
        assert_eq!(audited(&world).await, entries, "a second import changes nothing");
    })
    .await;
}
