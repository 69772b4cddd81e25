//! Executions that lie further back than they are kept: they go, what figures took from them stays, and none comes back.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::bulk::{LINES, body, lines, post};
use super::forms::{begin, somebody_waits};
use super::{Reporter, everyone, months_ago};
use crate::story::{Place, RECORD, place, process, published};
use crate::support::{Backend, World, both, literal};

/// The months before this one of which executions are kept.
const MONTHS: u32 = 3;
const KEPT: [(&str, &str); 1] = [("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "3")];

/// A run that took some minutes.
fn run(name: &str, start: DateTime<Utc>, minutes: i64) -> Value {
    json!({"eventId": name, "runId": name, "process": "password-reset", "startedAt": start.to_rfc3339(),
        "finishedAt": (start + TimeDelta::minutes(minutes)).to_rfc3339(), "outcome": "SUCCEEDED"})
}

/// The name of a run: its month, and its number in that.
fn name(month: u32, n: i64) -> String {
    format!("m{month}-{n}")
}

/// Runs of every kind in this month and the eight before, a few in each, from its first instant on.
fn months() -> Vec<Value> {
    let mut all = Vec::new();
    // The current month may have only just begun.
    for month in 1..=8 {
        for n in 0..6_i64 {
            let start = months_ago(month) + TimeDelta::microseconds(n * 97 * 3_600_000_000 + n * 1_234_567_891);
            let mut item = run(&name(month, n), start, 5 + n);
            match n {
                1 => item["team"] = json!("ops"),
                2 => {
                    item["process"] = json!("restore");
                    item["outcome"] = json!("ABANDONED");
                    item["adherence"] = json!("NOT_FOLLOWED");
                }
                3 => {
                    item["errors"] = json!(2);
                    item["violations"] = json!([{"kind": "SLA", "severity": "CRITICAL"}]);
                    item["satisfaction"] = json!({"score": 4, "by": "CUSTOMER"});
                    item["adherence"] = json!("FOLLOWED");
                }
                4 => {
                    item["steps"] =
                        json!([{"key": "identify", "status": "DONE"}, {"key": "reset", "status": "FAILED"}]);
                    item["startedAt"] = Value::Null;
                }
                _ => item["attributes"] = json!([{"name": "by", "value": "phone"}]),
            }
            all.push(item);
        }
    }
    all
}

/// Every figure, by everything that it can be grouped by; and of a time that begins and ends within an hour.
async fn figures(world: &World) -> Vec<Value> {
    let who = everyone(world);
    let fields = "process { key } sop { code } version { label } team { key } bucketStart runs currentVersion { numerator }
        coverage { numerator } adoption { followed deviated notFollowed } errorRate { numerator denominator }
        firstTimeRight { numerator } abandonment { numerator } violations { events } violationsBySeverity { critical { events } }
        conformance { known { numerator } deviations checks }
        completionTime { n open mean p50 { value } completedOnly { p95 { value } } }
        satisfaction(of: CUSTOMER) { mean responses { numerator } }";
    let quarter = TimeDelta::minutes(15);
    let cut = json!({"from": (months_ago(7) + quarter).to_rfc3339(), "to": (months_ago(4) + TimeDelta::hours(97) + quarter * 2).to_rfc3339()});
    let mut all = Vec::new();
    for (by, bucket, filter) in [
        ("[]", "null", json!({})),
        ("[PROCESS, SOP, VERSION, TEAM]", "MONTH", json!({})),
        ("[PROCESS]", "DAY", json!({})),
        ("[TEAM]", "WEEK", json!({})),
        ("[VERSION]", "null", json!({})),
        ("[PROCESS, TEAM]", "null", cut.clone()),
        ("[PROCESS]", "DAY", cut),
    ] {
        let query = format!(
            "query($filter: FiguresFilter) {{ figures(groupBy: {by}, bucket: {bucket}, filter: $filter) {{ {fields} }} }}"
        );
        all.push(who.ok(&query, json!({"filter": filter})).await["figures"].take());
    }
    all
}

/// The totals that no time zone changes.
async fn totals(world: &World) -> Value {
    let query = "{ figures(groupBy: [PROCESS, TEAM, VERSION]) { process { key } team { key } version { label } runs
        errorRate { numerator denominator } completionTime { n mean p50 { value } } } }";
    everyone(world).ok(query, json!({})).await
}

/// A procedure that has been in force for a year.
async fn in_force(world: &World, place: &Place) {
    let draft = published(place, "Reset a password").await;
    let since = months_ago(12).timestamp_micros();
    let id = literal(world, &draft.version);
    world.execute(&format!("UPDATE version SET published_at = {since} WHERE id = {id}")).await;
    process(&place.author, &json!(place.team), "restore").await;
}

/// Starts the server anew, so that it looks at once for what is to be deleted, and waits until so many were.
async fn delete(world: &mut World, settings: &[(&str, &str)], count: i64) {
    world.restart_with(settings).await;
    world.server.log_entry(|line| line["job"] == "expire_executions" && line["done"] == count).await;
}

async fn drift(world: &World, settings: &[(&str, &str)], executions: i64) {
    let output = world.command_with(&["rollup", "verify", "--json"], settings).await;
    assert_eq!(
        output.stdout.trim(),
        json!({"executions": executions, "drift": 0, "rows": 0}).to_string(),
        "{output:?}"
    );
}

fn is_expired(answer: &Value) {
    assert_eq!(
        (&answer["status"], &answer["rejection"]["code"], &answer["rejection"]["path"]),
        (&json!("REJECTED"), &json!("EXPIRED"), &json!(["runId"])),
        "{answer}"
    );
}

both! {
    async fn executions_go_and_what_figures_took_from_them_stays(world: World) {
        let mut world = world;
        let place = place(&world).await;
        in_force(&world, &place).await;
        let reporter = Reporter::new(&world, "tickets");
        let items = months();
        reporter.create("BACKFILL", &items).await;
        // Not ended yet, and training.
        let mut open = run("open", months_ago(6), 1);
        (open["finishedAt"], open["outcome"]) = (Value::Null, Value::Null);
        let mut oldest = open.clone();
        (oldest["eventId"], oldest["runId"], oldest["startedAt"]) = (json!("oldest"), json!("oldest"), json!("1999-12-31T23:59:59Z"));
        reporter.create("BACKFILL", &[open.clone(), oldest]).await;
        reporter.create("PRACTICE", &[run("practice-old", months_ago(5), 1), run("practice", months_ago(1), 1)]).await;
        let before = figures(&world).await;
        let totals_before = totals(&world).await;
        assert_eq!(before[0][0]["runs"], 50, "{before:?}");
        let kept_from = "{ executionsKeptFrom }";
        assert_eq!(everyone(&world).ok(kept_from, json!({})).await, json!({"executionsKeptFrom": null}));

        // Five months of six runs, and one of training.
        delete(&mut world, &KEPT, 31).await;
        let left = everyone(&world).ok("{ executions(first: 100) { nodes { runId } } }", json!({})).await;
        let left: BTreeSet<&str> = left["executions"]["nodes"].as_array().unwrap().iter().map(|n| n["runId"].as_str().unwrap()).collect();
        let names: Vec<String> = (1..=MONTHS).flat_map(|month| (0..6).map(move |n| name(month, n))).collect();
        let expected: BTreeSet<&str> = names.iter().map(String::as_str).chain(["open", "oldest", "practice"]).collect();
        assert_eq!(left, expected);
        let orphans = "SELECT (SELECT COUNT(*) FROM execution_step WHERE execution_id NOT IN (SELECT id FROM execution))
            + (SELECT COUNT(*) FROM execution_violation WHERE execution_id NOT IN (SELECT id FROM execution))";
        assert_eq!(world.query_i64(orphans).await, 0);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_step").await, 6);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_expired").await, 31);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_event").await, 52, "what was taken is remembered");
        assert_eq!(figures(&world).await, before, "figures stay as they are");
        let told = everyone(&world).ok(kept_from, json!({})).await["executionsKeptFrom"].as_str().unwrap().parse::<DateTime<Utc>>();
        assert_eq!(told, Ok(months_ago(MONTHS)));
        drift(&world, &[], 20).await;
        // What is kept is compared too.
        while world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.execute("DELETE FROM rollup WHERE grain = 'HOUR'").await;
        let output = world.command(&["rollup", "verify", "--json"]).await;
        assert!(output.stdout.contains("\"drift\":50,"), "{output:?}");

        let rebuilt = world.command(&["rollup", "rebuild"]).await;
        assert!(rebuilt.stdout.contains(" executions and what is kept of deleted ones, in the time zone "), "{rebuilt:?}");
        assert_eq!(figures(&world).await, before, "computed anew they are the same");
        drift(&world, &[], 20).await;
        world.server.stop_gracefully().await;
        for zone in ["Asia/Kolkata", "America/St_Johns", "UTC"] {
            let zone = [("SOPWITH_TIME_ZONE", zone)];
            let rebuilt = world.command_with(&["rollup", "rebuild"], &zone).await;
            assert!(rebuilt.status.success(), "{rebuilt:?}");
            drift(&world, &zone, 20).await;
            world.restart_with(&zone).await;
            assert_eq!(totals(&world).await, totals_before, "{zone:?}");
            world.server.stop_gracefully().await;
        }
        world.restart().await;
        assert_eq!(figures(&world).await, before, "back in its zone they are the same");

        // It is told once, by nobody.
        let query = "{ audit(filter: {action: \"executions.expired\"}) { nodes { actor { id } action object oldValue newValue } } }";
        let told = world.client(&["admin"], "root").ok(query, json!({})).await["audit"]["nodes"].take();
        assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
        let at = months_ago(MONTHS).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
        assert_eq!(told[0], json!({"actor": null, "action": "executions.expired", "object": "executions",
            "oldValue": {"keptFrom": null}, "newValue": {"keptFrom": at, "months": MONTHS}}));
        let verified = world.command(&["audit", "verify"]).await;
        assert!(verified.status.success(), "{verified:?}");
    }

    async fn what_was_deleted_does_not_come_back(world: World) {
        let mut world = world;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let old = run("old", months_ago(6), 5);
        let new = run("new", months_ago(1), 5);
        let mut open = run("open", months_ago(6), 5);
        (open["finishedAt"], open["outcome"]) = (Value::Null, Value::Null);
        reporter.create("BACKFILL", &[old.clone(), new, open]).await;
        reporter.create("PRACTICE", &[run("practice", months_ago(6), 5)]).await;
        delete(&mut world, &KEPT, 2).await;

        // Sent again it is what it was; whatever else is said of it is rejected, also where it names another time.
        let correction = |event: &str, run: &str| json!({"eventId": event, "runId": run, "revision": 7,
            "process": "password-reset", "startedAt": months_ago(1).to_rfc3339(), "errors": 3});
        let mut other = old.clone();
        other["errors"] = json!(1);
        let sent = [correction("e1", "old"), old.clone(), correction("e2", "new"), other, correction("e3", "old"),
            correction("e4", "else"), json!({"eventId": "e5", "runId": "old"})];
        for mode in ["BACKFILL", "LIVE"] {
            let answers = reporter.send(mode, &sent).await;
            let first = mode == "BACKFILL";
            let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
            let (updated, created) = if first { ("UPDATED", "CREATED") } else { ("DUPLICATE", "DUPLICATE") };
            assert_eq!(statuses, ["REJECTED", "DUPLICATE", updated, "CONFLICT", "REJECTED", created, "REJECTED"], "{answers:?}");
            is_expired(&answers[0]);
            is_expired(&answers[4]);
            assert_eq!(answers[6]["rejection"]["code"], "INVALID", "it names no process");
        }
        is_expired(&reporter.send("PRACTICE", &[correction("e6", "practice")]).await[0]);
        let posted = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, body(&[correction("e7", "old"), old])).await);
        is_expired(&posted[0]);
        assert_eq!(posted[1]["status"], "DUPLICATE");
        // To another source the name is free.
        let other = Reporter::new(&world, "phones");
        assert_eq!(other.send("BACKFILL", &[run("old", months_ago(6), 5)]).await[0]["status"], "CREATED");
        let runs = async |world: &World| everyone(world).ok("{ figures { runs errorRate { numerator } } }", json!({})).await["figures"][0].take();
        assert_eq!(runs(&world).await, json!({"runs": 5, "errorRate": {"numerator": 1}}));

        // A time long gone is told all the same, counts, and goes: what is open only once it has ended.
        assert_eq!(reporter.send("BACKFILL", &[run("late", months_ago(8), 5)]).await[0]["status"], "CREATED");
        let end = json!({"eventId": "e8", "runId": "open", "revision": 2, "process": "password-reset",
            "finishedAt": months_ago(5).to_rfc3339(), "outcome": "FAILED"});
        assert_eq!(reporter.send("BACKFILL", &[end]).await[0]["status"], "UPDATED");
        assert_eq!(runs(&world).await, json!({"runs": 6, "errorRate": {"numerator": 2}}));
        delete(&mut world, &KEPT, 3).await;
        assert_eq!(runs(&world).await, json!({"runs": 6, "errorRate": {"numerator": 2}}));
        is_expired(&reporter.send("LIVE", &[correction("e9", "open")]).await[0]);
        drift(&world, &[], 2).await;
        // Without the setting nothing is deleted any more, and what was stays so.
        world.restart().await;
        is_expired(&reporter.send("BACKFILL", &[correction("e10", "late")]).await[0]);
        // Nor is what more months are kept of than before.
        assert_eq!(reporter.send("BACKFILL", &[run("again", months_ago(8), 5), run("gone", months_ago(14), 5)]).await[1]["status"], "CREATED");
        delete(&mut world, &[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "12")], 1).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution WHERE run_id = 'again'").await, 1);
        let told = everyone(&world).ok("{ executionsKeptFrom }", json!({})).await["executionsKeptFrom"].as_str().unwrap().parse::<DateTime<Utc>>();
        assert_eq!(told, Ok(months_ago(MONTHS)), "some from before are missing");
    }

    async fn a_batch_that_waited_for_a_deletion_does_not_undo_it(world: World) {
        let mut world = world;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("BACKFILL", &[run("old", months_ago(2), 5), run("other", months_ago(2), 5)]).await;
        // From here on executions may be deleted, though none of these is.
        world.restart_with(&KEPT).await;
        while world.query_i64("SELECT COUNT(*) FROM rollup_state WHERE kept_from IS NOT NULL").await == 0 {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let deletion = "DELETE FROM execution WHERE run_id = 'old'; INSERT INTO execution_expired VALUES ('tickets', 'old')";
        let other = begin(&world, &format!("BEGIN IMMEDIATE; {deletion}"), &format!("BEGIN; {deletion}")).await;
        let correction = |run: &str| json!({"eventId": format!("{run}-2"), "runId": run, "revision": 2, "process": "password-reset", "errors": 1});
        let late = { let reporter = reporter.clone(); tokio::spawn(async move {
            reporter.client.send(RECORD, reporter.batch("BACKFILL", &[correction("other"), correction("old")])).await
        }) };
        somebody_waits(&world).await;
        other.execute_unprepared("COMMIT").await.unwrap();
        let answer = late.await.unwrap();
        let results = &answer.body["data"]["executionsRecord"]["results"];
        assert_eq!(results[0]["status"], "UPDATED", "{answer:?}");
        is_expired(&results[1]);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 1);
    }

    async fn what_was_brought_back_past_the_service_keeps_none_from_going(world: World) {
        let mut world = world;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("BACKFILL", &[run("back", months_ago(6), 5), run("old", months_ago(6), 5)]).await;
        world.execute("INSERT INTO execution_expired VALUES ('tickets', 'back')").await;
        delete(&mut world, &KEPT, 2).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_expired").await, 2);
        drift(&world, &[], 0).await;
    }

    async fn what_a_batch_is_changing_is_left_for_the_next_time(world: World) {
        let mut world = world;
        if world.backend == Backend::Sqlite {
            return; // There is one writer.
        }
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let all: Vec<Value> = (0..4).map(|n| run(&format!("r{n}"), months_ago(6) + TimeDelta::hours(n), 5)).collect();
        reporter.create("BACKFILL", &all).await;
        let other = begin(&world, "", "BEGIN; SELECT id FROM execution WHERE run_id = 'r1' FOR UPDATE").await;
        delete(&mut world, &KEPT, 3).await;
        other.execute_unprepared("ROLLBACK").await.unwrap();
        delete(&mut world, &KEPT, 1).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_expired").await, 4);
        drift(&world, &[], 0).await;
    }
}
