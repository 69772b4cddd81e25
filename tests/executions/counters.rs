//! What the counters of a process say of runs: each is counted once, however many reports tell of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::group::{PATIENT, stuck};
use super::scrape::{page, series};
use super::versions::{published_at, second};
use super::{Reporter, count, from_now, with};
use crate::story::{RECORD, place, published};
use crate::support::{World, both};

const FAMILIES: [&str; 5] = [
    "sop_executions_total",
    "sop_execution_duration_seconds",
    "sop_execution_step_errors_total",
    "sop_compliance_violations_total",
    "sop_execution_satisfaction_score",
];

/// What was counted of runs, without what is zero and without buckets.
async fn counted(world: &World) -> BTreeMap<String, f64> {
    let mut all = series(&page(world, "/metrics", None).await);
    let of_runs = |name: &str| FAMILIES.iter().any(|family| name.starts_with(family)) && !name.contains("_bucket");
    all.retain(|name, value| of_runs(name) && *value > 0.0);
    all
}

fn counts(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// The sum of the series of a family.
fn sum(counted: &BTreeMap<String, f64>, family: &str) -> f64 {
    counted.iter().filter(|(name, _)| name.starts_with(family)).map(|(_, count)| count).sum()
}

fn item(event: &str, run: &str, revision: i64, more: &Value) -> Value {
    let base = json!({"eventId": event, "runId": run, "revision": revision, "process": "password-reset"});
    with(base, more.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone())))
}

/// Start and finish of a run of ninety seconds, as two reports.
fn halves(run: &str) -> [Value; 2] {
    let start = json!({"startedAt": from_now(-3600), "adherence": "FOLLOWED"});
    // Of one moment, so that it takes ninety seconds though the clock goes on.
    let began = chrono::DateTime::parse_from_rfc3339(start["startedAt"].as_str().unwrap()).unwrap();
    let finish = json!({"finishedAt": (began + chrono::Duration::seconds(90)).to_rfc3339(), "outcome": "SUCCEEDED"});
    [item(&format!("{run} starts"), run, 1, &start), item(&format!("{run} ends"), run, 2, &finish)]
}

fn status(answer: &Value) -> &str {
    answer["status"].as_str().unwrap()
}

both! {
    async fn a_run_told_of_in_two_reports_is_counted_when_it_ends(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let [start, finish] = halves("r");
        reporter.create("LIVE", &[start]).await;
        assert_eq!(counted(&world).await, counts(&[]), "it runs");
        assert_eq!(status(&reporter.one(finish.clone()).await), "UPDATED");
        let once = counts(&[
            (r#"sop_executions_total{adherence="FOLLOWED",outcome="SUCCEEDED"}"#, 1.0),
            (r#"sop_execution_duration_seconds_count{outcome="SUCCEEDED"}"#, 1.0),
            (r#"sop_execution_duration_seconds_sum{outcome="SUCCEEDED"}"#, 90.0),
        ]);
        assert_eq!(counted(&world).await, once);
        let series = series(&page(&world, "/metrics", None).await);
        for (seconds, runs) in [(60, "0"), (300, "1")] {
            let name = format!(r#"sop_execution_duration_seconds_bucket{{outcome="SUCCEEDED",le="{seconds}"}}"#);
            assert_eq!(series[&name].to_string(), runs, "{name}");
        }

        // Sent again, told otherwise under the same name, told before, refused, and put right.
        let failed = json!({"outcome": "FAILED"});
        let corrected = json!({"outcome": "FAILED", "adherence": "DEVIATED", "finishedAt": from_now(-60)});
        let more = [
            (finish, "DUPLICATE"),
            (item("r ends", "r", 2, &failed), "CONFLICT"),
            (item("before", "r", 0, &failed), "STALE"),
            (item("refused", "r", 4, &json!({"outcome": "FAILED", "team": "nobody"})), "REJECTED"),
            (item("corrected", "r", 3, &corrected), "UPDATED"),
        ];
        for (item, answer) in more {
            assert_eq!(status(&reporter.one(item).await), answer);
            assert_eq!(counted(&world).await, once, "{answer}");
        }
        reporter.create("PRACTICE", &halves("training")[1..]).await;
        assert_eq!(counted(&world).await, once, "training is kept apart");
        reporter.create("BACKFILL", &halves("past")[1..]).await;
        let ended = sum(&counted(&world).await, "sop_executions_total");
        assert!((ended - 2.0).abs() < 1e-6, "what is past counts when it comes in");
    }

    async fn a_run_whose_end_comes_first_is_counted_by_what_is_known_then(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let [start, finish] = halves("r");
        reporter.create("LIVE", &[finish]).await;
        let ended = (r#"sop_executions_total{adherence="UNKNOWN",outcome="SUCCEEDED"}"#, 1.0);
        assert_eq!(counted(&world).await, counts(&[ended]));
        assert_eq!(status(&reporter.one(start).await), "UPDATED");
        let both = counts(&[
            ended,
            (r#"sop_execution_duration_seconds_count{outcome="SUCCEEDED"}"#, 1.0),
            (r#"sop_execution_duration_seconds_sum{outcome="SUCCEEDED"}"#, 90.0),
        ]);
        assert_eq!(counted(&world).await, both, "how long it took is known now");
    }

    async fn what_a_run_has_is_counted_when_it_is_added(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let (sla, access) = (json!({"kind": "SLA", "severity": "MAJOR"}), json!({"kind": "ACCESS", "severity": "CRITICAL"}));
        let step = |attempt: i64, status: &str| json!({"key": "ask", "attempt": attempt, "status": status});
        let score = |score: i64, by: &str| json!({"score": score, "by": by});
        let first = json!({"violations": [sla], "steps": [step(1, "FAILED")], "satisfaction": score(4, "CUSTOMER")});
        reporter.create("LIVE", &[item("a", "r", 1, &first)]).await;
        let (violations, steps) = ("sop_compliance_violations_total", "sop_execution_step_errors_total");
        let major = (r#"sop_compliance_violations_total{severity="MAJOR"}"#, 1.0);
        let scores = [("sop_execution_satisfaction_score_count", 1.0), ("sop_execution_satisfaction_score_sum", 4.0)];
        assert_eq!(counted(&world).await, counts(&[&scores[..], &[major, (steps, 1.0)]].concat()));

        let all = json!({"violations": [access, sla], "steps": [step(1, "FAILED"), step(2, "FAILED"), step(3, "DONE")],
            "satisfaction": score(2, "PERFORMER")});
        assert_eq!(status(&reporter.one(item("b", "r", 2, &all)).await), "UPDATED");
        let critical = (r#"sop_compliance_violations_total{severity="CRITICAL"}"#, 1.0);
        let then = counts(&[&scores[..], &[major, critical, (steps, 2.0)]].concat());
        assert_eq!(counted(&world).await, then);

        let none = json!({"violations": [], "steps": [step(1, "DONE")]});
        assert_eq!(status(&reporter.one(item("c", "r", 3, &none)).await), "UPDATED");
        let after = counted(&world).await;
        assert_eq!(after, then, "nothing is taken back");
        assert!((sum(&after, violations) - 2.0).abs() < 1e-6);
    }

    async fn what_the_service_finds_is_counted_once(world: World) {
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let second = second(&place, &first.sop).await;
        let at = published_at(&place.author, &second.version).await.to_rfc3339();
        let reporter = Reporter::new(&world, "tickets");
        let started = |label: &str| json!({"sop": first.code, "version": label, "startedAt": at});
        reporter.create("LIVE", &[item("a", "r", 1, &started("1.0")), item("b", "s", 1, &started("2.0"))]).await;
        let minor = r#"sop_compliance_violations_total{severity="MINOR"}"#;
        assert_eq!(counted(&world).await, counts(&[(minor, 1.0)]), "an outdated version");
        let told = json!({"violations": [{"kind": "SLA", "severity": "MINOR"}]});
        assert_eq!(status(&reporter.one(item("c", "r", 2, &told)).await), "UPDATED");
        assert_eq!(counted(&world).await, counts(&[(minor, 2.0)]), "what was found before is not new");
        for (event, revision, label) in [("d", 3, "2.0"), ("e", 4, "2.0")] {
            assert_eq!(status(&reporter.one(item(event, "r", revision, &started(label))).await), "UPDATED");
            assert_eq!(counted(&world).await, counts(&[(minor, 2.0)]), "{label}");
        }
        assert_eq!(status(&reporter.one(item("f", "s", 2, &started("1.0"))).await), "UPDATED");
        assert_eq!(counted(&world).await, counts(&[(minor, 3.0)]), "found later");
    }

    async fn reports_that_are_stored_together_count_as_the_run_that_they_make(mut world: World) {
        world.restart_with(&[PATIENT]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let [start, finish] = halves("r");
        let sla = json!({"violations": [{"kind": "SLA", "severity": "MAJOR"}], "outcome": "FAILED"});
        let again = [item("more", "r", 3, &sla), item("again", "r", 4, &sla)];
        let answers = reporter.send("LIVE", &[finish, start, again[0].clone(), again[1].clone()]).await;
        assert_eq!((count(&answers, "CREATED"), count(&answers, "UPDATED")), (1, 3), "{answers:?}");
        let once = counts(&[
            (r#"sop_executions_total{adherence="FOLLOWED",outcome="FAILED"}"#, 1.0),
            (r#"sop_execution_duration_seconds_count{outcome="FAILED"}"#, 1.0),
            (r#"sop_execution_duration_seconds_sum{outcome="FAILED"}"#, 90.0),
            (r#"sop_compliance_violations_total{severity="MAJOR"}"#, 1.0),
        ]);
        assert_eq!(counted(&world).await, once);

        // The same by requests of their own, which wait for the one before.
        let [start, finish] = halves("s");
        let restated = item("s again", "s", 3, &json!({"violations": [{"kind": "SLA", "severity": "MAJOR"}]}));
        let also = item("s once more", "s", 4, &json!({"violations": [{"kind": "SLA", "severity": "MAJOR"}]}));
        let first = item("first", "first", 1, &json!({}));
        let answers = stuck(&world, &reporter, &[first, start, finish, restated, also]).await;
        // They come in any order: the newest may have said all that another says.
        let taken = ["CREATED", "UPDATED", "STALE"].map(|status| count(&answers, status));
        assert_eq!((taken[0], taken.iter().sum::<i64>()), (2, 5), "{answers:?}");
        let now = counted(&world).await;
        for family in ["sop_executions_total", "sop_execution_duration_seconds_count", "sop_compliance_violations_total"] {
            assert!((sum(&now, family) - 2.0).abs() < 1e-6, "{family}: {now:?}");
        }
    }

    async fn what_is_not_stored_counts_nothing_and_what_is_tried_again_counts_once(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let all = json!({"startedAt": from_now(-90), "finishedAt": from_now(-30), "outcome": "FAILED",
            "violations": [{"kind": "SLA", "severity": "MAJOR"}], "steps": [{"key": "ask", "status": "FAILED"}]});
        let one = [item("e", "r", 1, &all)];
        // By what fails at the end of the transaction.
        world.execute("ALTER TABLE execution_violation RENAME TO violation_away").await;
        assert_eq!(reporter.client.error_code(RECORD, reporter.batch("LIVE", &one)).await, "INTERNAL");
        assert_eq!(counted(&world).await, counts(&[]));
        world.execute("ALTER TABLE violation_away RENAME TO execution_violation").await;
        reporter.create("LIVE", &one).await;

        // Batches that bring the same runs at the same time, too large to be stored together.
        let mut sending = JoinSet::new();
        for batch in 0..4 {
            let items = (0..60).map(|n| item(&format!("e{n} of {batch}"), &format!("r{n}"), batch, &all));
            let (reporter, items) = (reporter.clone(), items.collect::<Vec<_>>());
            sending.spawn(async move { reporter.send("LIVE", &items).await });
        }
        let answers = sending.join_all().await.concat();
        assert_eq!(count(&answers, "CREATED"), 60);
        let now = counted(&world).await;
        let families = ["sop_executions_total", "sop_execution_duration_seconds_count", "sop_compliance_violations_total"];
        for family in families.into_iter().chain(["sop_execution_step_errors_total"]) {
            assert!((sum(&now, family) - 61.0).abs() < 1e-6, "{family}: {now:?}");
        }
    }
}
