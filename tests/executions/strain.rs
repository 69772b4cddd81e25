//! `POST /v1/executions` where more comes than can be taken, where somebody stalls, and where the service has a fault.

use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait as _;
use serde_json::json;
use sopwith_domain::calendar::Zone;
use sopwith_domain::execution::Outcome;
use sopwith_domain::rollup::{Delta, Facts, HORIZON, Key};
use sopwith_domain::time::{HOUR, SECOND, Timestamp};

use super::bulk::{LINES, assert_error, body, counted, executions, item, lines, peak, post};
use super::scrape::{page, series};
use super::wire::Wire;
use super::{Lock, Reporter, count, everyone};
use crate::story::{RECORD, place};
use crate::support::{Backend, World, both, connect, respond};

/// What a batch with one run of a process in each of a thousand hours changes.
fn thousand_hours(process: &str) -> Delta {
    let key = Key { process: process.split_once('_').unwrap().1.parse().unwrap(), ..Key::default() };
    let mut delta = Delta::default();
    for n in 0..1_000 {
        let start = Timestamp::from_micros(1_700_000_000 * SECOND + n * HOUR);
        let facts = Facts {
            started_at: Some(start),
            finished_at: Some(start.plus((n + 1) * SECOND)),
            occurred_at: None,
            received_at: start,
            outcome: Some(Outcome::Succeeded),
            adherence: None,
            errors: 0,
            rework: 0,
            violations: [0; 3],
            satisfaction: None,
            version_source: None,
            standing: None,
            conformance: None,
            horizon: HORIZON,
        };
        delta.add(Zone::UTC, key, &facts).unwrap();
    }
    delta
}

both! {
    async fn a_fault_is_told_as_one_and_what_it_met_can_be_sent_again(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_REQUEST_TIMEOUT_SECONDS", "3")]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut wire = Wire::open(&world, &reporter.client.token, "mode=LIVE").await;
        wire.send(&body(&[item(0)])).await;
        assert_eq!(wire.status().await, 200);
        assert_eq!(wire.line().await.unwrap()["status"], "CREATED");

        world.execute("ALTER TABLE execution_event RENAME TO event_away").await;
        let answer = post(&world, &reporter.client, "mode=LIVE", LINES, body(&[item(1), item(2)])).await;
        assert_error(&answer, 500, "INTERNAL", "a table is away");
        assert_eq!(answer.body["errors"][0]["message"], "internal error");
        wire.send(&body(&[item(1)])).await;
        let last = wire.line().await.unwrap();
        let error = &last["errors"][0];
        assert_eq!((&last["index"], &error["extensions"]["code"]), (&json!(1), &json!("INTERNAL")), "{last}");
        assert_eq!((&error["message"], wire.line().await), (&json!("internal error"), None));
        world.execute("ALTER TABLE event_away RENAME TO execution_event").await;
        // Before anything is looked at: nobody can be found out about.
        world.execute("ALTER TABLE person RENAME TO person_away").await;
        let answer = post(&world, &reporter.client, "mode=LIVE", LINES, body(&[item(1), item(2)])).await;
        assert_error(&answer, 500, "INTERNAL", "nobody is known");
        world.execute("ALTER TABLE person_away RENAME TO person").await;
        let reason = world.server.log_entry(|line| line["message"] == "executions could not be recorded").await;
        assert!(reason["reason"].as_str().unwrap().contains("execution_event"), "{reason}");

        // Longer than a request may take.
        let lock = Lock::take(&world).await;
        let answer = post(&world, &reporter.client, "mode=LIVE", LINES, body(&[item(1), item(2)])).await;
        assert_error(&answer, 503, "UNAVAILABLE", "the database is held");
        assert!(answer.headers.contains_key("retry-after"));
        lock.release().await;

        let failed = counted(&world).await.into_iter().filter(|(name, _)| name.contains("FAILED"));
        assert!((failed.map(|(_, count)| count).sum::<f64>() - 7.0).abs() < 1e-6);
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, body(&[item(0), item(1), item(2)])).await);
        assert_eq!((count(&answers, "DUPLICATE"), count(&answers, "CREATED")), (1, 2));
        assert_eq!(executions(&world).await, 3);
    }

    async fn what_comes_while_too_much_is_in_work_is_told_to_come_again(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_INGEST__MAX_BATCHES", "1"), ("SOPWITH_INGEST__MAX_WAIT_MILLISECONDS", "300")]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut wire = Wire::open(&world, &reporter.client.token, "mode=LIVE").await;
        wire.send(&body(&[item(0)])).await;
        assert_eq!(wire.status().await, 200);
        assert_eq!(wire.line().await.unwrap()["status"], "CREATED");

        let lock = Lock::take(&world).await;
        let working = { let reporter = reporter.clone(); tokio::spawn(async move { reporter.one(item(1)).await }) };
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        let answer = post(&world, &reporter.client, "mode=LIVE", LINES, body(&[item(2), item(3)])).await;
        assert_error(&answer, 429, "LIMIT_EXCEEDED", "busy");
        assert_eq!((&answer.headers["retry-after"].to_str().unwrap(), &answer.body["errors"][0]["extensions"]["retryAfter"]), (&"1", &json!(1)));
        let answer = reporter.client.send(RECORD, reporter.batch("LIVE", &[item(4)])).await;
        let error = &answer.body["errors"][0];
        assert_eq!((&error["extensions"]["code"], &error["extensions"]["retryAfter"]), (&json!("LIMIT_EXCEEDED"), &json!(1)), "{answer:?}");
        assert_eq!(error["path"], json!(["executionsRecord"]));
        wire.send(&body(&[item(5), item(6)])).await;
        let last = wire.line().await.unwrap();
        assert_eq!((&last["index"], &last["errors"][0]["extensions"]["code"]), (&json!(1), &json!("LIMIT_EXCEEDED")), "{last}");
        assert_eq!(last["errors"][0]["extensions"]["retryAfter"], 1);
        assert_eq!(wire.line().await, None);
        // However many come: nobody waits for long.
        let mut all = tokio::task::JoinSet::new();
        for n in 10..60 {
            let request = {
                let raw = world.raw();
                let request = raw.http.post(raw.url("/v1/executions?mode=LIVE")).bearer_auth(&reporter.client.token);
                request.header("content-type", LINES).body(body(&[item(n)]))
            };
            all.spawn(respond(request));
        }
        for answer in all.join_all().await {
            assert_error(&answer, 429, "LIMIT_EXCEEDED", "one of many");
        }
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        lock.release().await;
        assert_eq!(working.await.unwrap()["status"], "CREATED", "what had a place is taken");
        assert_eq!(executions(&world).await, 2);
        let all = series(&page(&world, "/metrics", None).await);
        let refused = all[r#"sop_ingest_records_total{mode="LIVE",result="LIMIT_EXCEEDED"}"#];
        assert!((refused - 55.0).abs() < 1e-6, "{refused}");
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, body(&(0..60).map(item).collect::<Vec<_>>())).await);
        assert_eq!((count(&answers, "CREATED"), count(&answers, "DUPLICATE")), (58, 2), "and it goes on");
    }

    async fn whoever_stalls_is_given_up(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_REQUEST_TIMEOUT_SECONDS", "2")]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let token = &reporter.client.token;
        // Before anything was taken; bytes that make no line are no progress.
        let mut wire = Wire::open(&world, token, "mode=LIVE").await;
        for _ in 0..25 {
            if wire.try_send("{").await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(wire.status().await, 408);
        // Afterwards.
        let mut wire = Wire::open(&world, token, "mode=LIVE").await;
        wire.send(&format!("{}\n{{", item(0))).await;
        assert_eq!(wire.status().await, 200);
        assert_eq!(wire.line().await.unwrap()["status"], "CREATED");
        let last = wire.line().await.unwrap();
        assert_eq!((&last["index"], &last["errors"][0]["message"]), (&json!(1), &json!("the body did not arrive in time")), "{last}");
        assert_eq!(wire.line().await, None);
        // Who does not take the answers.
        let mut wire = Wire::open(&world, token, "source=tickets&mode=LIVE").await;
        let nonsense = "x\n".repeat(5_000);
        let before = peak(&world);
        for _ in 0..60 {
            wire.send(&nonsense).await;
        }
        world.server.log_entry(|line| line["reason"] == "the sender did not take the answers in time").await;
        let grown = peak(&world) - before;
        assert!(grown < 40_000, "{grown} KiB");
        assert_eq!(reporter.one(item(1)).await["status"], "CREATED", "and it goes on");
    }
    async fn however_much_waits_for_compaction_little_of_it_is_held(world: World) {
        let place = place(&world).await;
        // As while the roll-ups are computed anew, when nothing is compacted: batches of runs in a thousand hours each.
        let changes = hex::encode(thousand_hours(&place.process).encode());
        let bytes = match world.backend {
            Backend::Sqlite => format!("X'{changes}'"),
            Backend::Postgres => format!("decode('{changes}', 'hex')"),
        };
        let figures = || async { everyone(&world).ok("{ figures(groupBy: [TEAM]) { runs } }", json!({})).await["figures"].take() };
        assert_eq!(figures().await, json!([]));
        let before = peak(&world);
        let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)";
        let hold = if world.backend == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN; SELECT id FROM rollup_state FOR UPDATE" };
        let other = connect(world.db.url()).await.unwrap();
        let fill = format!("{numbers} INSERT INTO rollup_delta (changes) SELECT {bytes} FROM n");
        other.execute_unprepared(&fill).await.unwrap();
        other.execute_unprepared(hold).await.unwrap();
        assert_eq!(figures().await, json!([{"runs": 50_000}]));
        let grown = peak(&world) - before;
        other.execute_unprepared("COMMIT").await.unwrap();
        other.close().await.unwrap();
        assert!(grown < 10_000, "{grown} KiB");
    }
}
