//! A small incident log of our own, with rows that make no sense.

use std::fs;

use serde_json::{Value, json};

use super::{audited, import};
use crate::executions::{Reporter, everyone};
use crate::support::{World, both};

const HEADER: &str = "number,incident_state,sys_mod_count,sys_updated_at,opened_at,resolved_at,closed_at,reassignment_count,\
    reopen_count,made_sla,knowledge,category,subcategory,assignment_group,assigned_to,resolved_by,priority,impact,urgency,\
    contact_type,closed_code,location";

/// A row of the log.
fn row(number: &str, count: &str, opened: &str, resolved: &str, sla: &str, knowledge: &str) -> String {
    format!(
        "{number},Closed,{count},1/3/2016 12:00,{opened},{resolved},5/3/2016 12:00,1,1,{sla},{knowledge},Network,VPN access,\
        Desk 1,Ann,Rob,3 - Moderate,2 - Medium,2 - Medium,Phone,code 6,?"
    )
}

/// Three incidents, one of two rows, and between them what makes no sense.
fn log() -> String {
    let rows = [
        row("INC1", "0", "1/3/2016 09:00", "1/3/2016 10:00", "true", "false"),
        row("INC1", "1", "1/3/2016 09:00", "1/3/2016 11:00", "false", "true"),
        row("INC2", "0", "31/2/2016 09:00", "1/3/2016 10:00", "true", "true"),
        row("INC3", "0", "1/3/2016 09:00", "1/3/2016 09:30", "true", "false"),
        row("INC4", "-1", "1/3/2016 09:00", "1/3/2016 10:00", "true", "true"),
        "INC5,New".to_owned(),
        row("?", "0", "1/3/2016 09:00", "1/3/2016 10:00", "true", "true"),
        row("INC6", "0", "1/3/2016 09:00", "?", "perhaps", "true"),
        row("INC7", "0", "2/3/2016 09:00", "1/3/2016 10:00", "true", "true"),
        row("INC8", "0", "29/2/2016 23:00", "?", "true", "?"),
    ];
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

both! {
    async fn rows_that_make_no_sense_are_named_and_stop_nothing(world: World) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log.csv");
        fs::write(&file, log()).unwrap();
        let report = import(&world, "incidents", &file, &["--source", "tickets"]).await;
        let rejected: Vec<Value> = report["rejectedRows"].as_array().unwrap().iter().map(|row| json!([row["line"], row["number"]])).collect();
        let expected = json!([[4, "INC2"], [6, "INC4"], [7, "INC5"], [8, null], [9, "INC6"], [10, "INC7"]]);
        assert_eq!(json!(rejected), expected, "{report}");
        for (row, word) in report["rejectedRows"].as_array().unwrap().iter().zip(["opened_at", "sys_mod_count", "fields", "number", "made_sla", "resolved_at"]) {
            assert!(row["reason"].as_str().unwrap().contains(word), "{row}");
        }
        assert_eq!((&report["rows"], &report["incidents"], &report["created"]), (&json!(10), &json!(3), &json!(3)), "{report}");
        assert_eq!((&report["processesCreated"], &report["teamsCreated"]), (&json!(1), &json!(1)));

        let reporter = Reporter::new(&world, "tickets");
        let reader = everyone(&world);
        let run = reporter.run(&reader, "INC1").await;
        assert_eq!((&run["process"]["key"], &run["team"]["key"], &run["mode"]), (&json!("network-vpn-access"), &json!("desk-1"), &json!("BACKFILL")));
        assert_eq!((&run["startedAt"], &run["finishedAt"]), (&json!("2016-03-01T09:00:00Z"), &json!("2016-03-01T11:00:00Z")));
        assert_eq!(json!([run["adherence"], run["rework"], run["outcome"], run["actor"]["name"]]), json!(["FOLLOWED", 2, "SUCCEEDED", "Rob"]));
        assert_eq!((&run["violations"][0]["kind"], &run["violations"][0]["detectedByService"]), (&json!("SLA"), &json!(false)));
        let open = reporter.run(&reader, "INC8").await;
        assert_eq!((&open["adherence"], &open["finishedAt"]), (&json!("UNKNOWN"), &json!("2016-03-05T12:00:00Z")));
        let query = "{ figures(groupBy: [PROCESS]) { process { key name } runs adoption { known { numerator denominator } } violations { events } } }";
        let figures = reader.ok(query, json!({})).await;
        assert_eq!(figures["figures"], json!([{"process": {"key": "network-vpn-access", "name": "Network / VPN access"}, "runs": 3,
            "adoption": {"known": {"numerator": 1, "denominator": 2}}, "violations": {"events": 1}}]));

        // A second time nothing is new; under another source it is another log.
        let entries = audited(&world).await;
        let again = import(&world, "incidents", &file, &["--source", "tickets"]).await;
        assert_eq!((&again["created"], &again["duplicate"]), (&json!(0), &json!(3)), "{again}");
        assert_eq!(reader.ok(query, json!({})).await, figures);
        assert_eq!(audited(&world).await, entries, "nothing changed, nothing is told");
        let other = import(&world, "incidents", &file, &[]).await;
        assert_eq!((&other["created"], &other["processesCreated"]), (&json!(3), &json!(0)));
    }

    async fn a_file_that_is_no_log_is_refused(world: World) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content, word) in [("log.txt", "", "log.txt"), ("log.csv", "number,opened_at\n", "columns"), ("log.csv.zst", "no frame", "log.csv.zst")] {
            let file = folder.path().join(name);
            fs::write(&file, content).unwrap();
            let output = world.command(&["import", "incidents", file.to_str().unwrap()]).await;
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(output.stderr.contains(word), "{output:?}");
        }
        let output = world.command(&["import", "incidents", "nowhere.csv"]).await;
        assert!(!output.status.success() && output.stderr.contains("nowhere.csv"), "{output:?}");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 0);
        assert_eq!(audited(&world).await, 0);
    }
}
