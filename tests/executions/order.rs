//! Events of one run in any order, late, repeated or at the same time.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Reporter, count, everyone, step};
use crate::story::{place, published};
use crate::support::{World, both};

/// So many send at the same time.
const SENDERS: i64 = 6;

/// Every order of three things.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// Start, progress and finish of a run.
fn events(run: &str, sop: &str) -> [Value; 3] {
    let event = |name: &str, revision: i64, more: Value| {
        let mut event = json!({"eventId": format!("{run}-{name}"), "runId": run, "revision": revision, "sop": sop});
        more.as_object().unwrap().iter().for_each(|(key, value)| event[key] = value.clone());
        event
    };
    [
        event(
            "start",
            1,
            json!({
                "occurredAt": "2024-05-01T10:00:01Z", "startedAt": "2024-05-01T10:00:00Z", "team": "ops", "version": "1.0",
                "actor": {"subject": "u1", "name": "Uma"}, "errors": 0, "adherence": "UNKNOWN",
                "steps": [{"key": "identify", "status": "DONE", "startedAt": "2024-05-01T10:00:00Z"}],
                "attributes": [{"name": "channel", "value": "phone"}],
            }),
        ),
        event(
            "progress",
            2,
            json!({
                "occurredAt": "2024-05-01T10:10:00Z", "errors": 1, "rework": 1,
                "steps": [
                    {"key": "identify", "status": "DONE", "startedAt": "2024-05-01T10:00:00Z", "finishedAt": "2024-05-01T10:02:00Z"},
                    {"key": "reset", "status": "FAILED", "startedAt": "2024-05-01T10:02:00Z"},
                ],
                "violations": [{"kind": "SLA", "severity": "MINOR"}],
            }),
        ),
        event(
            "finish",
            3,
            json!({
                "occurredAt": "2024-05-01T10:30:00Z", "finishedAt": "2024-05-01T10:30:00Z", "outcome": "SUCCEEDED",
                "adherence": "DEVIATED", "satisfaction": {"score": 4, "by": "CUSTOMER"},
                "steps": [{"key": "reset", "attempt": 2, "status": "DONE", "startedAt": "2024-05-01T10:20:00Z"}],
                "violations": [{"kind": "SLA", "severity": "MAJOR", "detail": "late"}],
            }),
        ),
    ]
}

fn expected(sop: &str) -> Value {
    json!({
        "source": "tickets", "mode": "BACKFILL", "process": {"key": "password-reset"}, "sop": {"code": sop},
        "version": {"label": "1.0"}, "versionSource": "REPORTED", "team": {"key": "ops"}, "actor": {"name": "Uma"},
        "startedAt": "2024-05-01T10:00:00Z", "finishedAt": "2024-05-01T10:30:00Z",
        "occurredAt": "2024-05-01T10:30:00Z", "outcome": "SUCCEEDED", "adherence": "DEVIATED", "errors": 1, "rework": 1,
        "clockCorrectedBy": null, "satisfaction": {"score": 4, "by": "CUSTOMER"},
        "violations": [{"kind": "SLA", "severity": "MAJOR", "detail": "late", "detectedByService": false}],
        "steps": [
            {"key": "identify", "attempt": 1, "status": "DONE", "startedAt": "2024-05-01T10:00:00Z", "finishedAt": "2024-05-01T10:02:00Z"},
            {"key": "reset", "attempt": 1, "status": "FAILED", "startedAt": "2024-05-01T10:02:00Z", "finishedAt": null},
            {"key": "reset", "attempt": 2, "status": "DONE", "startedAt": "2024-05-01T10:20:00Z", "finishedAt": null},
        ],
        "attributes": {"channel": "phone"},
    })
}

both! {
    async fn start_progress_and_finish_in_any_order_make_the_same_run(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        let reader = everyone(&world);
        for order in ORDERS {
            let run = format!("run-{order:?}");
            let events = events(&run, &sop);
            for (place, which) in order.into_iter().enumerate() {
                let answer = reporter.send("BACKFILL", std::slice::from_ref(&events[which])).await.remove(0);
                let wanted = if place == 0 { "CREATED" } else { "UPDATED" };
                assert_eq!(answer["status"], wanted, "{order:?}: {answer}");
            }
            assert_eq!(reporter.run(&reader, &run).await, expected(&sop), "{order:?}");
            // In one batch too, and repeated.
            let run = format!("batch-{order:?}");
            let events = self::events(&run, &sop);
            let batch: Vec<Value> = order.iter().map(|which| events[*which].clone()).collect();
            for _ in 0..2 {
                reporter.send("BACKFILL", &batch).await;
            }
            assert_eq!(reporter.run(&reader, &run).await, expected(&sop), "{order:?} in one batch");
        }
        let seen = reader.ok("{ figures { runs violations { events } } }", json!({})).await;
        assert_eq!(seen["figures"][0], json!({"runs": 12, "violations": {"events": 12}}));
    }

    async fn events_of_a_run_at_the_same_time_make_the_same_run(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        for round in 0..8 {
            let run = format!("run-{round}");
            let mut all = JoinSet::new();
            for event in events(&run, &sop) {
                let reporter = reporter.clone();
                all.spawn(async move { reporter.send("BACKFILL", &[event]).await.remove(0) });
            }
            let mut statuses: Vec<_> = all.join_all().await.iter().map(|a| a["status"].as_str().unwrap().to_owned()).collect();
            statuses.sort();
            assert_eq!(statuses, ["CREATED", "UPDATED", "UPDATED"]);
            assert_eq!(reporter.run(&place.manager, &run).await, expected(&sop));
        }
    }

    async fn a_finish_without_a_start_is_legal_and_one_before_it_is_not(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let event = |event: &str, run: &str, more: Value| {
            let mut item = json!({"eventId": event, "runId": run, "process": "password-reset"});
            more.as_object().unwrap().iter().for_each(|(key, value)| item[key] = value.clone());
            item
        };
        let finish = |at: &str| json!({"revision": 2, "finishedAt": at, "outcome": "SUCCEEDED"});
        let alone = reporter.one(event("f", "alone", finish("2024-05-01T10:00:00Z"))).await;
        assert_eq!(alone["status"], "CREATED");
        let seen = place.manager.ok("{ figures(bucket: MONTH) { bucketStart runs completionTime { n open } } }", json!({})).await;
        let row = json!({"bucketStart": "2024-05-01T00:00:00Z", "runs": 1, "completionTime": {"n": 0, "open": 0}});
        assert_eq!(seen["figures"], json!([row]), "it belongs to the time of its finish");

        let start = event("s", "both", json!({"startedAt": "2024-05-01T10:00:00Z"}));
        assert_eq!(reporter.one(start).await["status"], "CREATED");
        let before = reporter.run(&place.manager, "both").await;
        let early = reporter.one(event("x", "both", finish("2024-05-01T09:00:00Z"))).await;
        assert_eq!((&early["status"], &early["rejection"]["code"]), (&json!("REJECTED"), &json!("INVALID")));
        assert_eq!(early["rejection"]["path"], json!(["finishedAt"]));
        assert_eq!(reporter.run(&place.manager, "both").await, before, "what was rejected leaves no trace");
        // The event was not taken, so it may be sent again, put right.
        let right = reporter.one(event("x", "both", finish("2024-05-01T10:00:00Z"))).await;
        assert_eq!(right["status"], "UPDATED", "a run may take no time at all");
        let late_start = event("y", "both", json!({"revision": 3, "startedAt": "2024-05-01T10:00:01Z"}));
        assert_eq!(reporter.one(late_start).await["status"], "REJECTED", "nor is a start after the finish");
    }

    async fn a_run_has_so_many_steps_at_most(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let tried = |name: &str, from: i64, n: i64| {
            let steps: Vec<Value> = (from..from + n).map(|attempt| step("reset", attempt, "DONE", [None, None])).collect();
            json!({"eventId": name, "runId": "r", "process": "password-reset", "steps": steps})
        };
        let parts: Vec<Value> = (0..4).map(|part| tried(&format!("e{part}"), 1 + part * 500, 500)).collect();
        assert_eq!(count(&reporter.send("BACKFILL", &parts).await, "UPDATED"), 3);
        let more = [tried("one more", 2_001, 1), tried("the same", 7, 1), tried("without", 1, 0)];
        let answers = reporter.send("BACKFILL", &more).await;
        assert_eq!(json!([answers[0]["status"], answers[0]["rejection"]["path"]]), json!(["REJECTED", ["steps"]]), "{answers:?}");
        assert_eq!(count(&answers[1..], "UPDATED"), 2, "{answers:?}");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_step").await, 2_000);
    }

    async fn what_earlier_events_named_stays(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        let start = json!({"eventId": "s", "runId": "r", "sop": sop, "version": "1.0", "team": "ops",
            "startedAt": "2024-05-01T10:00:00Z", "actor": {"subject": "u1", "name": "Uma"}});
        let finish = json!({"eventId": "f", "runId": "r", "revision": 2, "process": "password-reset",
            "finishedAt": "2024-05-01T10:30:00Z", "outcome": "SUCCEEDED"});
        reporter.send("BACKFILL", &[start]).await;
        assert_eq!(reporter.send("BACKFILL", &[finish]).await[0]["status"], "UPDATED");
        let run = reporter.run(&place.manager, "r").await;
        let named = json!([run["sop"]["code"], run["version"]["label"], run["versionSource"], run["team"]["key"], run["actor"]["name"]]);
        assert_eq!(named, json!([sop, "1.0", "REPORTED", "ops", "Uma"]));
    }

    async fn batches_that_bring_the_same_new_runs_at_the_same_time_are_all_taken(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tracker");
        reporter.create("LIVE", &[json!({"eventId": "e", "runId": "r", "process": "password-reset"})]).await;
        for round in 0..3 {
            let mut sending = JoinSet::new();
            for sender in 0..SENDERS {
                let mut items: Vec<Value> = (0..200)
                    .map(|run| {
                        json!({"eventId": format!("{round}-{sender}-{run}"), "runId": format!("{round}-{run}"),
                            "revision": sender, "process": "password-reset", "errors": sender})
                    })
                    .collect();
                // Each has them in another order.
                items.rotate_left(usize::try_from(sender).unwrap() * 30);
                let reporter = reporter.clone();
                sending.spawn(async move { reporter.send("LIVE", &items).await });
            }
            let told = sending.join_all().await.concat();
            assert_eq!(count(&told, "CREATED"), 200, "each run is made once");
            assert_eq!(count(&told, "CREATED") + count(&told, "UPDATED") + count(&told, "STALE"), 200 * SENDERS);
        }
        let last = "SELECT COUNT(*) FROM execution WHERE errors = ";
        assert_eq!(world.query_i64(&format!("{last}{}", SENDERS - 1)).await, 600, "the highest revision rules");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_event").await, 600 * SENDERS + 1);
    }
}
