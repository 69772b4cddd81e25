//! How sure figures are, and how many of them are answered at a time.

use chrono::{Duration, TimeZone as _, Utc};
use serde_json::{Value, json};

use super::figures::micros;
use super::{Reporter, compacted, count, everyone, from_now};
use crate::story::{number, place, text};
use crate::support::{World, both};

const SURE: &str = "{ figures { adoption { known { value interval { low high } } }
    completionTime { p50 { value low high } completedOnly { p50 { value low high } } } } }";

both! {
    async fn figures_say_how_sure_they_are(world: World) {
        let place = place(&world).await;
        let item = |n: i64| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset",
            "adherence": if n < 81 { "FOLLOWED" } else { "NOT_FOLLOWED" }, "startedAt": "2024-05-01T10:00:00Z",
            "finishedAt": format!("2024-05-01T10:{:02}:{:02}Z", n / 60, n % 60)});
        let items: Vec<Value> = (0..263).map(item).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &items).await;
        let seen = place.manager.ok(SURE, json!({})).await;
        let known = &seen["figures"][0]["adoption"]["known"];
        // Newcombe 1998, table I: 81 of 263 by the score method.
        let close = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 5e-5;
        assert!(close(&known["interval"]["low"], 0.2553) && close(&known["interval"]["high"], 0.3662), "{known}");
        assert!(close(&known["value"], 81.0 / 263.0));
        let p50 = &seen["figures"][0]["completionTime"]["p50"];
        let bounds = |of: &Value| ["low", "value", "high"].map(|name| micros(of[name].as_str().unwrap()) / 1_000);
        for of in [p50, &seen["figures"][0]["completionTime"]["completedOnly"]["p50"]] {
            let [low, value, high] = bounds(of);
            assert!((130_290..=131_710).contains(&value), "the 132nd of 263 is 131 s: {value}");
            assert!(low > 110_000 && low < value && high > value && high < 152_000, "{low} {high}");
        }
        // Nothing has no share, and no row.
        let none = place.manager.ok("{ figures(filter: {from: \"2030-01-01T00:00:00Z\"}) { runs } }", json!({})).await;
        assert_eq!(none["figures"], json!([]));
    }

    async fn hours_are_given_of_a_bounded_time(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("BACKFILL", &[json!({"eventId": "e", "runId": "r", "process": "password-reset", "startedAt": "2024-05-01T10:30:00Z"})]).await;
        let query = "query($filter: FiguresFilter, $zone: String) { figures(bucket: HOUR, filter: $filter, timeZone: $zone) { bucketStart runs } }";
        let (from, end, late) = ("2024-03-01T00:00:00Z", "2024-06-01T00:00:00Z", "2024-06-01T00:00:00.000001Z");
        for zone in [json!(null), json!("UTC"), json!("Europe/Berlin")] {
            for filter in [json!(null), json!({"to": end}), json!({"from": from}), json!({"from": from, "to": late})] {
                let answer = place.manager.send(query, json!({"filter": filter, "zone": zone})).await;
                let error = &answer.body["errors"][0];
                assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{filter} {zone}: {answer:?}");
                assert!(text(&error["message"]).starts_with("filter.from: hours "), "{filter} {zone}: {answer:?}");
            }
            let seen = place.manager.ok(query, json!({"filter": {"from": from, "to": end}, "zone": zone})).await;
            assert_eq!(seen["figures"], json!([{"bucketStart": "2024-05-01T10:00:00Z", "runs": 1}]));
        }
        // Without an end it is now.
        let recent = (Utc::now() - Duration::days(91)).to_rfc3339();
        assert_eq!(place.manager.ok(query, json!({"filter": {"from": recent}})).await["figures"], json!([]));
    }

    async fn zones_off_the_full_hour_say_so(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        // Days begin at 18:30 in Kolkata, and hours are kept as they are in UTC.
        let at = ["18:10", "18:29", "18:31", "18:59", "19:00"];
        let items = at.map(|at| json!({"eventId": at, "runId": at, "process": "password-reset", "startedAt": format!("2024-05-01T{at}:00Z")}));
        reporter.create("BACKFILL", &items).await;
        let query = "query($zone: String, $bucket: TimeBucket!) { figures(bucket: $bucket, timeZone: $zone,
            filter: {from: \"2024-05-01T00:00:00Z\", to: \"2024-05-03T00:00:00Z\"}) { bucketStart runs bucketOffBy } }";
        let day = |start: &str, runs: i64, off: Value| json!({"bucketStart": start, "runs": runs, "bucketOffBy": off});
        for (zone, expected) in [
            (json!("Asia/Kolkata"), vec![day("2024-04-30T18:30:00Z", 4, json!("PT30M")), day("2024-05-01T18:30:00Z", 1, json!("PT30M"))]),
            (json!("Asia/Kathmandu"), vec![day("2024-04-30T18:15:00Z", 4, json!("PT45M")), day("2024-05-01T18:15:00Z", 1, json!("PT45M"))]),
            (json!("Europe/Berlin"), vec![day("2024-04-30T22:00:00Z", 5, Value::Null)]),
            (Value::Null, vec![day("2024-05-01T00:00:00Z", 5, Value::Null)]),
        ] {
            let seen = place.manager.ok(query, json!({"zone": zone, "bucket": "DAY"})).await;
            assert_eq!(seen["figures"], json!(expected), "{zone}");
        }
        let whole = place.manager.ok("{ figures { runs bucketOffBy } }", json!({})).await;
        assert_eq!(whole["figures"], json!([{"runs": 5, "bucketOffBy": null}]));
    }

    async fn more_groups_than_are_answered_are_refused_and_no_fewer(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let first = Utc.with_ymd_and_hms(2024, 3, 1, 0, 0, 0).unwrap();
        let item = |n: i64, revision: i64, hour: i64| json!({"eventId": format!("e{n}-{revision}"), "runId": format!("r{n}"), "revision": revision,
            "process": "password-reset", "startedAt": (first + Duration::hours(hour)).to_rfc3339(), "finishedAt": (first + Duration::hours(hour + 1)).to_rfc3339()});
        let query = "{ figures(bucket: HOUR, filter: {from: \"2024-03-01T00:00:00Z\", to: \"2024-06-01T00:00:00Z\"}) { runs } }";
        reporter.create("BACKFILL", &(0..2_000).map(|n| item(n, 1, n)).collect::<Vec<_>>()).await;
        assert_eq!(place.manager.ok(query, json!({})).await["figures"].as_array().unwrap().len(), 2_000);
        reporter.create("BACKFILL", &(2_000..2_100).map(|n| item(n, 1, n)).collect::<Vec<_>>()).await;
        let refused = place.manager.send(query, json!({})).await;
        assert!(text(&refused.body["errors"][0]["message"]).starts_with("groupBy: more than 2000 groups"), "{refused:?}");
        // Hours that all runs have left are none, whether what says so waits or not.
        let moved: Vec<Value> = (2_000..2_100).map(|n| item(n, 2, 7)).collect();
        assert_eq!(count(&reporter.send("BACKFILL", &moved).await, "UPDATED"), 100);
        for compact in [false, true] {
            if compact {
                compacted(&world).await;
            }
            let seen = place.manager.ok(query, json!({})).await;
            let runs: Vec<i64> = seen["figures"].as_array().unwrap().iter().map(|row| number(&row["runs"])).collect();
            assert_eq!((runs.len(), runs[7], runs.iter().sum::<i64>()), (2_000, 101, 2_100));
        }
    }

    async fn groups_in_the_rest_of_a_month_are_none_too_many(world: World) {
        place(&world).await;
        let reporter = Reporter::with_roles(&world, "tickets", &["integration", "manager"]);
        let mut made = Vec::new();
        for n in 0..2_100 {
            made.push(json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": format!("p-{n}"),
                "startedAt": "2024-03-01T08:00:00Z", "finishedAt": "2024-03-01T09:00:00Z"}));
        }
        made[0]["startedAt"] = json!("2024-03-10T08:00:00Z");
        made[0]["finishedAt"] = json!("2024-03-10T09:00:00Z");
        for part in made.chunks(700) {
            reporter.create("BACKFILL", part).await;
        }
        compacted(&world).await;
        let asked = |from: &str| format!("{{ figures(groupBy: [PROCESS], filter: {{from: \"2024-03-{from}T00:00:00Z\", to: \"2024-05-01T00:00:00Z\"}}) {{ process {{ key }} runs }} }}");
        let seen = everyone(&world).ok(&asked("09"), json!({})).await;
        assert_eq!(seen["figures"], json!([{"process": {"key": "p-0"}, "runs": 1}]));
        let refused = everyone(&world).send(&asked("01"), json!({})).await;
        assert!(text(&refused.body["errors"][0]["message"]).starts_with("groupBy: more than 2000 groups"), "{refused:?}");
    }

    async fn more_runs_than_can_be_counted_are_refused(mut world: World) {
        world.restart_with(&[("SOPWITH_REQUEST_TIMEOUT_SECONDS", "120")]).await;
        let place = place(&world).await;
        let at = from_now(-40 * 86_400);
        let run = |n: i64| json!({"eventId": format!("r{n}"), "runId": format!("r{n}"), "process": "password-reset", "startedAt": at,
            "violations": [{"kind": "SLA", "severity": "MINOR"}], "steps": [{"key": "reset", "status": "FAILED"}]});
        Reporter::new(&world, "tickets").create("BACKFILL", &(0..1000).map(run).collect::<Vec<_>>()).await;
        compacted(&world).await;
        for table in ["execution", "rollup"] {
            world.execute(&format!("ALTER TABLE {table} RENAME TO one_{table}")).await;
        }
        for (times, error) in [(500, Value::Null), (501, json!("BAD_USER_INPUT"))] {
            // Each of them so many times.
            for table in ["execution", "rollup"] {
                world.execute(&format!("DROP VIEW IF EXISTS {table}")).await;
                let many = format!("WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {times})");
                world.execute(&format!("CREATE VIEW {table} AS {many} SELECT one_{table}.* FROM one_{table} CROSS JOIN n")).await;
            }
            for (query, more, field) in [
                ("violationKinds(filter: $filter) { violations { runs } }", json!({}), "filter.from"),
                ("stepErrors(filter: $filter) { runs }", json!({}), "filter.sopId"),
                ("stepErrors(filter: $filter) { runs }", json!({"processId": place.process}), "filter.from"),
            ] {
                let query = format!("query($filter: FiguresFilter) {{ {query} }}");
                let answer = place.manager.send(&query, json!({"filter": more})).await.body;
                assert_eq!(answer["errors"][0]["extensions"]["code"], error, "{times}: {answer}");
                if error.is_null() {
                    let runs = [&answer["data"]["violationKinds"]["violations"]["runs"], &answer["data"]["stepErrors"]["runs"]];
                    assert!(runs.contains(&&json!(500_000)), "{answer}");
                } else {
                    let said = text(&answer["errors"][0]["message"]);
                    assert!(said.starts_with(&format!("{field}: more than 500000 runs")), "{answer}");
                }
            }
        }
    }
}
