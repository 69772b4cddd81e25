//! Roll-ups under everything that can go wrong: writers at the same time that send again what was not answered,
//! corrections in any order, transactions that are cut off, and servers killed in the midst of it, compaction and all, while
//! executions are deleted month by month. After each round they must equal what is computed from the executions, and in the
//! end what would be computed if none had been deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Reporter, compacted, everyone, months_ago};
use crate::story::{RECORD, UPDATE_PROCESS, place, process, published};
use crate::support::{Backend, Dice, Raw, World, both};

/// How many months of executions are kept in each round.
const MONTHS: [&str; 4] = ["8", "6", "5", "3"];
/// After how long runs count as abandoned from each round on: many take longer than that, and many do not.
const HORIZONS: [Option<&str>; 4] = [None, Some("PT5H"), Some("PT2H"), Some("PT8H")];
const WRITERS: u64 = 3;
const BATCHES: u64 = 12;
const ITEMS: u64 = 40;
/// Few, so that most events correct a run that another batch may be changing.
const RUNS: u64 = 150;
/// Hours from the start of one run to that of the next: all begin within eight months and a bit.
const APART: u64 = 40;

/// An event of a run: its beginning, its end or a correction, with a revision that says which rules.
fn event(dice: &mut Dice, source: u64, n: u64, process: &str) -> Value {
    let run = dice.roll(RUNS);
    let start = months_ago(9) + chrono::TimeDelta::hours(i64::try_from(run * APART).unwrap());
    let minutes = i64::try_from(dice.roll(600)).unwrap();
    let end = start + chrono::TimeDelta::minutes(minutes);
    let mut item = json!({
        "eventId": format!("e{source}-{n}"), "runId": format!("r{run}"), "revision": dice.roll(1_000),
        // A run whose process is corrected leaves one set of sums for another.
        "process": if dice.roll(4) == 0 { "restore" } else { process },
        "startedAt": start.to_rfc3339(),
    });
    if dice.roll(3) > 0 {
        item["finishedAt"] = json!(end.to_rfc3339());
        item["outcome"] = json!(dice.pick(&["SUCCEEDED", "FAILED", "ABANDONED"]));
    }
    if dice.roll(2) > 0 {
        item["adherence"] = json!(dice.pick(&["FOLLOWED", "DEVIATED", "NOT_FOLLOWED"]));
        item["errors"] = json!(dice.roll(2));
    }
    if dice.roll(3) == 0 {
        item["team"] = json!("ops");
        item["violations"] = json!([{"kind": "SLA", "severity": "MAJOR"}]);
        item["satisfaction"] = json!({"score": 1 + dice.roll(5), "by": "CUSTOMER"});
    }
    item
}

/// Sends a batch until it is answered; answers how many items are of runs that were deleted.
async fn insist(raw: &Raw, reporter: &Reporter, items: &[Value]) -> usize {
    let body = json!({"query": RECORD, "variables": reporter.batch("BACKFILL", items)});
    for _ in 0..400 {
        let request = raw.http.post(raw.url("/graphql"));
        let answer = request.bearer_auth(&reporter.client.token).json(&body).send().await;
        let answer: Option<Value> = match answer {
            Ok(answer) => answer.json().await.ok(),
            Err(_) => None,
        };
        if let Some(results) = answer.as_ref().and_then(|a| a["data"]["executionsRecord"]["results"].as_array()) {
            let rejected: Vec<&Value> = results.iter().filter(|result| result["status"] == "REJECTED").collect();
            assert!(rejected.iter().all(|r| r["rejection"]["code"] == "EXPIRED"), "{rejected:?}");
            return rejected.len();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a batch is not answered however often it is sent");
}

/// Answers how many events came too late.
async fn write(raw: Raw, reporter: Reporter, seed: u64) -> usize {
    let (mut dice, mut expired) = (Dice::new(seed), 0);
    for batch in 0..BATCHES {
        let items: Vec<Value> =
            (0..ITEMS).map(|n| event(&mut dice, seed, batch * ITEMS + n, "password-reset")).collect();
        expired += insist(&raw, &reporter, &items).await;
        // Whoever is not sure sends again, perhaps in another order.
        if dice.roll(3) == 0 {
            let again: Vec<Value> = items.into_iter().rev().collect();
            insist(&raw, &reporter, &again).await;
        }
    }
    expired
}

/// Has the database keep a copy of each execution that is deleted.
async fn shadow(world: &World) {
    let sql = match world.backend {
        Backend::Sqlite => {
            "CREATE TABLE shadow AS SELECT * FROM execution WHERE false;
             CREATE TRIGGER shadow BEFORE DELETE ON execution
                BEGIN INSERT INTO shadow SELECT * FROM execution WHERE id = OLD.id; END;"
        }
        Backend::Postgres => {
            "CREATE TABLE shadow (LIKE execution);
             CREATE FUNCTION shadow() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO shadow SELECT OLD.*; RETURN OLD; END $$;
             CREATE TRIGGER shadow BEFORE DELETE ON execution FOR EACH ROW EXECUTE FUNCTION shadow();"
        }
    };
    world.execute(sql).await;
}

/// Puts back what was deleted, as if nothing ever had been.
async fn put_back(world: &World) {
    let of = if world.backend == Backend::Postgres { "ON rollup_expired" } else { "" };
    world.execute(&format!("DROP TRIGGER rollup_expired_no_delete {of}")).await;
    world.execute("DELETE FROM rollup_expired").await;
    world.execute("INSERT INTO execution SELECT * FROM shadow").await;
    world.execute("UPDATE rollup_state SET kept_from = NULL").await;
}

/// What `sopwith rollup verify` says, and whether it was content.
pub async fn verify(world: &World) -> (bool, Value) {
    let output = world.command(&["rollup", "verify", "--json"]).await;
    let line = output.stdout.lines().next().unwrap_or_default().to_owned();
    (output.status.success(), serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {output:?}")))
}

/// Every figure that is asked for here, by process and day.
async fn figures(world: &World) -> BTreeMap<String, Value> {
    let query = "{ figures(groupBy: [PROCESS, TEAM], bucket: DAY) { process { key } team { key } bucketStart runs
        adoption { followed deviated notFollowed } errorRate { numerator denominator } violations { events } abandonment { numerator }
        completionTime { n open mean completedOnly { p50 { value } p95 { value } } }
        satisfaction(of: CUSTOMER) { mean responses { numerator } } } }";
    let seen = everyone(world).ok(query, json!({})).await;
    let name = |row: &Value| format!("{} {} {}", row["process"]["key"], row["team"]["key"], row["bucketStart"]);
    seen["figures"].as_array().unwrap().iter().map(|row| (name(row), row.clone())).collect()
}

both! {
    async fn rollups_equal_the_executions_whatever_happens(world: World) {
        let mut world = world;
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        process(&place.author, &json!(place.team), "restore").await;
        shadow(&world).await;
        let (mut dice, mut too_late) = (Dice::new(7), 0);
        for ((round, months), horizon) in (0..).zip(MONTHS).zip(HORIZONS) {
            let kept = [("SOPWITH_RETENTION__EXECUTIONS_MONTHS", months)];
            // What is due is looked for at a start; later on in the midst of writing.
            world.restart_with(&kept).await;
            if horizon.is_some() {
                // It was changed in each round but the first.
                let input = json!({"id": place.process, "expectedRevision": round, "horizon": horizon});
                place.author.mutate(UPDATE_PROCESS, json!({"input": input})).await;
            }
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                let reporter = Reporter::new(&world, "tickets");
                writers.spawn(write(world.raw(), reporter, round * WRITERS + writer + 1));
            }
            while !writers.is_empty() {
                let wait = tokio::time::sleep(Duration::from_millis(300 + dice.roll(1_200)));
                tokio::select! {
                    Some(ended) = writers.join_next() => { too_late += ended.unwrap(); continue }
                    () = wait => {}
                }
                if dice.roll(2) == 0 && world.backend == Backend::Postgres {
                    // Its transactions end where they are, and nobody tells the server before.
                    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
                    world.execute(cut).await;
                } else {
                    world.server.kill();
                    world.restart_with(&kept).await;
                }
            }
            let before = world.query_i64("SELECT COUNT(*) FROM execution").await;
            let (agrees, told) = verify(&world).await;
            assert!(agrees, "round {round}: {told}");
            assert_eq!((&told["drift"], &told["rows"]), (&json!(0), &json!(0)));
            let read = told["executions"].as_i64().unwrap();
            let after = world.query_i64("SELECT COUNT(*) FROM execution").await;
            // They may still be being deleted.
            assert!(after <= read && read <= before, "{after} {read} {before}");
            let all = "SELECT (SELECT COUNT(*) FROM execution) + (SELECT COUNT(*) FROM execution_expired)";
            let all = world.query_i64(all).await;
            let runs: i64 = figures(&world).await.values().map(|row| row["runs"].as_i64().unwrap()).sum();
            assert_eq!(runs, all, "what was acknowledged is counted at once, and stays so");
        }
        let events = world.query_i64("SELECT COUNT(*) FROM execution_event").await;
        let sent = MONTHS.len() as u64 * WRITERS * BATCHES * ITEMS;
        let answered = events + i64::try_from(too_late).unwrap();
        assert_eq!(answered, i64::try_from(sent).unwrap(), "nothing that was answered is lost, and nothing counts twice");
        let deleted = world.query_i64("SELECT COUNT(*) FROM execution_expired").await;
        assert!(deleted > 50 && too_late > 50, "{deleted} were deleted, and {too_late} events came too late");

        let before = figures(&world).await;
        let rebuilt = world.command(&["rollup", "rebuild", "--json"]).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        assert_eq!(figures(&world).await, before, "computed anew they are the same");

        world.server.stop_gracefully().await;
        put_back(&world).await;
        let (agrees, told) = verify(&world).await;
        assert!(agrees, "what is kept is what the deleted ones said: {told}");
        assert_eq!(told["executions"], world.query_i64("SELECT COUNT(*) FROM execution").await);
        assert_eq!(told["executions"], before.values().map(|row| row["runs"].as_i64().unwrap()).sum::<i64>());
    }

    async fn a_difference_is_found_and_mended(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let items: Vec<Value> = (0..30).map(|n| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "sop": sop,
            "startedAt": format!("2026-05-{:02}T10:30:00Z", n % 3 + 1), "finishedAt": format!("2026-05-{:02}T10:45:00Z", n % 3 + 1)})).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &items).await;
        compacted(&world).await;
        assert_eq!(verify(&world).await, (true, json!({"executions": 30, "drift": 0, "rows": 0})));
        // Executions changed past the service, and a sum that is lost, of each length of time.
        world.execute("UPDATE execution SET errors = 1 WHERE run_id IN ('r0', 'r1', 'r4')").await;
        let (agrees, told) = verify(&world).await;
        assert!(!agrees, "{told}");
        assert_eq!(told["drift"], 3, "{told}");
        world.execute("UPDATE execution SET errors = 0").await;
        for grain in ["HOUR", "DAY", "MONTH"] {
            for scope in ["ALL", "VERSION", "TEAM", "KEY"] {
                let lost = format!("DELETE FROM rollup WHERE grain = '{grain}' AND series_id IN (SELECT id FROM rollup_series WHERE scope = '{scope}')");
                world.execute(&lost).await;
                let (agrees, told) = verify(&world).await;
                // Of versions and teams no hours are kept.
                let is_kept = grain != "HOUR" || scope == "ALL" || scope == "KEY";
                assert_eq!((agrees, &told["drift"]), (!is_kept, &json!(if is_kept { 30 } else { 0 })), "{grain} {scope}");
                let rebuilt = world.command(&["rollup", "rebuild", "--json"]).await;
                assert_eq!(rebuilt.stdout.trim(), r#"{"executions":30,"timeZone":"UTC"}"#, "{rebuilt:?}");
                assert!(verify(&world).await.0);
            }
        }
        // Another time zone is not taken up by the way.
        world.server.stop_gracefully().await;
        let command = world.command_with(&["migrate"], &[("SOPWITH_TIME_ZONE", "Europe/Berlin")]).await;
        assert!(!command.status.success() && command.stderr.contains("sopwith rollup rebuild"), "{command:?}");
        let rebuilt = world.command_with(&["rollup", "rebuild"], &[("SOPWITH_TIME_ZONE", "Europe/Berlin")]).await;
        assert_eq!(rebuilt.stdout.trim(), "computed from 30 executions, in the time zone Europe/Berlin");
        world.restart_with(&[("SOPWITH_TIME_ZONE", "Europe/Berlin")]).await;
        let days = "query($zone: String) { figures(bucket: DAY, timeZone: $zone, filter: {from: \"2026-04-01T00:00:00Z\", to: \"2026-06-01T00:00:00Z\"}) { bucketStart runs } }";
        let who = everyone(&world);
        let own = who.ok(days, json!({})).await;
        assert_eq!(own["figures"][0], json!({"bucketStart": "2026-04-30T22:00:00Z", "runs": 10}));
        assert_eq!(who.ok(days, json!({"zone": "Europe/Berlin"})).await, own);
        let other = who.ok(days, json!({"zone": "America/New_York"})).await;
        assert_eq!(other["figures"][0], json!({"bucketStart": "2026-05-01T04:00:00Z", "runs": 10}));
        for wrong in ["DAY, timeZone: \"Mars/Olympus\"", "DAY, timeZone: \"UTC\"", "HOUR, timeZone: \"UTC\"",
            "MONTH, timeZone: \"UTC\", filter: {from: \"2026-01-01T00:00:00Z\", to: \"2026-06-01T00:00:00Z\"}"] {
            let code = who.error_code(&format!("{{ figures(bucket: {wrong}) {{ runs }} }}"), json!({})).await;
            assert_eq!(code, "BAD_USER_INPUT", "{wrong}");
        }
    }
}
