//! Times: the future, wrong clocks, the distant past, and training.

use serde_json::{Value, json};

use super::{Reporter, everyone, from_now};
use crate::story::{RECORD, place, text};
use crate::support::{World, both, token};

/// A batch that says when it was sent.
async fn send_at(reporter: &Reporter, sent_at: &str, item: Value) -> Value {
    let mut batch = reporter.batch("LIVE", &[item]);
    batch["input"]["sentAt"] = json!(sent_at);
    super::results(&reporter.client.mutate(RECORD, batch).await).remove(0)
}

/// How many seconds a time lies from now.
fn distance(at: &Value) -> i64 {
    let at = chrono::DateTime::parse_from_rfc3339(&text(at)).unwrap();
    at.timestamp() - i64::try_from(token::now()).unwrap()
}

fn item(run: &str, started_at: &str) -> Value {
    json!({"eventId": run, "runId": run, "process": "password-reset", "startedAt": started_at})
}

both! {
    async fn what_lies_in_the_future_is_rejected(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let ahead = reporter.one(item("ahead", &from_now(6 * 60))).await;
        assert_eq!(ahead["rejection"]["code"], "IN_FUTURE");
        assert_eq!(reporter.one(item("nearly", &from_now(4 * 60))).await["status"], "CREATED", "five minutes are let pass");
        assert_eq!(reporter.send("BACKFILL", &[item("b", &from_now(6 * 60))]).await[0]["status"], "REJECTED");
    }

    async fn a_clock_that_runs_ahead_is_corrected_and_that_is_marked(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut ahead = item("ahead", &from_now(7200 - 600));
        ahead["finishedAt"] = json!(from_now(7200 - 60));
        ahead["steps"] = json!([{"key": "a", "status": "DONE", "startedAt": from_now(7200 - 300)}]);
        assert_eq!(send_at(&reporter, &from_now(7200), ahead.clone()).await["status"], "CREATED");
        let run = reporter.run(&place.manager, "ahead").await;
        let corrected = text(&run["clockCorrectedBy"]);
        assert!(corrected.starts_with("PT1H59M5") || corrected.starts_with("PT2H"), "{corrected}");
        for (at, expected) in [(&run["startedAt"], -600), (&run["finishedAt"], -60), (&run["steps"][0]["startedAt"], -300)] {
            assert!((distance(at) - expected).abs() < 30, "{at} should lie {expected} seconds from now");
        }
        // Sent again with the clock put right, it is still the same event.
        assert_eq!(send_at(&reporter, &from_now(0), ahead).await["status"], "DUPLICATE");

        // Waiting is no wrong clock, and a second or two are none either.
        for (run, sent, started) in [("late", -7200, -7800), ("near", 30, -60)] {
            assert_eq!(send_at(&reporter, &from_now(sent), item(run, &from_now(started))).await["status"], "CREATED");
            let seen = reporter.run(&place.manager, run).await;
            assert_eq!(seen["clockCorrectedBy"], Value::Null, "{run}");
            assert!((distance(&seen["startedAt"]) - started).abs() < 30, "{run}: {seen}");
        }
    }

    async fn a_correction_stays_marked_when_more_is_told_of_the_run(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        send_at(&reporter, &from_now(7200), item("r", &from_now(7200 - 600))).await;
        let finish = json!({"eventId": "f", "runId": "r", "revision": 2, "process": "password-reset", "outcome": "SUCCEEDED",
            "finishedAt": from_now(-1)});
        assert_eq!(reporter.one(finish).await["status"], "UPDATED");
        let run = reporter.run(&place.manager, "r").await;
        assert_ne!(run["clockCorrectedBy"], Value::Null, "its start was moved: {run}");
    }

    async fn the_past_has_no_limit_and_training_does_not_count(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let old = ["1969-12-31T23:59:59.500Z", "1987-06-05T04:03:02Z", "2010-02-03T04:05:06.000007Z"];
        for at in old {
            assert_eq!(reporter.send("BACKFILL", &[item(at, at)]).await[0]["status"], "CREATED");
            assert_eq!(reporter.run(&place.manager, at).await["startedAt"], at);
        }
        // Hours are given of a bounded time: of three months around each run.
        let hours = |name: &str, from: &str, to: &str| format!("{name}: figures(bucket: HOUR, \
            filter: {{from: \"{from}T00:00:00Z\", to: \"{to}T00:00:00Z\"}}) {{ bucketStart }}");
        let buckets = format!("{{ {} {} {} day: figures(bucket: DAY) {{ bucketStart }}
            week: figures(bucket: WEEK) {{ bucketStart }} month: figures(bucket: MONTH) {{ bucketStart }} }}",
            hours("sixties", "1969-11-01", "1970-02-01"), hours("eighties", "1987-05-01", "1987-08-01"),
            hours("tens", "2010-01-01", "2010-04-01"));
        let buckets = buckets.as_str();
        let before = place.manager.ok(buckets, json!({})).await;
        let starts = |of: &str| before[of].as_array().unwrap().iter().map(|f| text(&f["bucketStart"])).collect::<Vec<_>>();
        assert_eq!(["sixties", "eighties", "tens"].map(starts).concat(),
            ["1969-12-31T23:00:00Z", "1987-06-05T04:00:00Z", "2010-02-03T04:00:00Z"]);
        assert_eq!(starts("day"), ["1969-12-31T00:00:00Z", "1987-06-05T00:00:00Z", "2010-02-03T00:00:00Z"]);
        assert_eq!(starts("week"), ["1969-12-29T00:00:00Z", "1987-06-01T00:00:00Z", "2010-02-01T00:00:00Z"]);
        assert_eq!(starts("month"), ["1969-12-01T00:00:00Z", "1987-06-01T00:00:00Z", "2010-02-01T00:00:00Z"]);

        let mut training = item("training", "2024-05-01T10:00:00Z");
        training["errors"] = json!(3);
        assert_eq!(reporter.send("PRACTICE", &[training]).await[0]["status"], "CREATED");
        assert_eq!(reporter.run(&everyone(&world), "training").await["mode"], "PRACTICE", "it is kept");
        assert_eq!(place.manager.ok(buckets, json!({})).await, before, "and in no figure");
        let seen = place.manager.ok("{ figures { runs errorRate { numerator } } executions { totalCount } }", json!({})).await;
        assert_eq!(seen, json!({"figures": [{"runs": 3, "errorRate": {"numerator": 0}}], "executions": {"totalCount": 4}}));
    }
}
