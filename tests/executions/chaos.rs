//! Roll-ups under everything that can go wrong: writers at the same time that send again what was not answered,
//! corrections in any order, transactions that are cut off, and servers killed in the midst of it, compaction and all, while
//! executions are deleted month by month. After each round they must equal what is computed from the executions, and in the
//! end what would be computed if none had been deleted; and figures must equal what the events say that were taken, worked
//! out here.

mod events;
mod faults;
mod sums;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::events::Setting;
use self::faults::{FUSES, arm, blow, cut, disarm, failed, prepare, put_back};
use super::{Reporter, compacted, everyone};
use crate::story::{RECORD, UPDATE_PROCESS, place, published};
use crate::support::{Backend, Dice, Raw, World, both};

/// How many months of executions are kept in each round.
const MONTHS: [&str; 4] = ["8", "6", "5", "3"];
/// After how long runs count as abandoned from each round on: many take longer than that, and many do not.
const HORIZONS: [Option<&str>; 4] = [None, Some("PT5H"), Some("PT2H"), Some("PT8H")];
const WRITERS: u64 = 3;
const BATCHES: u64 = 8;
const ITEMS: u64 = 40;
/// Every so many-th batch is of training runs.
const PRACTICE: u64 = 6;

/// What became of the batches of a writer.
#[derive(Default)]
struct Written {
    /// The events that were taken, by their ids.
    taken: BTreeMap<String, Value>,
    /// How often all of a batch was refused because something in the service failed.
    failures: usize,
}

/// Sends a batch until it is answered. Events of runs that were deleted are not taken; those of others are.
async fn insist(raw: &Raw, reporter: &Reporter, mode: &str, items: &[Value], written: &mut Written) {
    let body = json!({"query": RECORD, "variables": reporter.batch(mode, items)});
    for _ in 0..400 {
        let request = raw.http.post(raw.url("/graphql"));
        let answer = request.bearer_auth(&reporter.client.token).json(&body).send().await;
        let answer: Value = match answer {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        if let Some(results) = answer["data"]["executionsRecord"]["results"].as_array() {
            assert_eq!(results.len(), items.len(), "{answer}");
            for (item, result) in items.iter().zip(results) {
                match result["status"].as_str() {
                    Some("CREATED" | "UPDATED" | "STALE" | "DUPLICATE") => {
                        written.taken.insert(item["eventId"].as_str().unwrap().to_owned(), item.clone());
                    }
                    _ => assert_eq!(result["rejection"]["code"], "EXPIRED", "{item}: {result}"),
                }
            }
            return;
        }
        written.failures += usize::from(answer["errors"][0]["extensions"]["code"] == "INTERNAL");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a batch is not answered however often it is sent");
}

async fn write(raw: Raw, reporter: Reporter, setting: Arc<Setting>, (round, writer): (u64, u64)) -> Written {
    let (mut dice, mut written) = (Dice::new(round * WRITERS + writer + 1), Written::default());
    for batch in 0..BATCHES {
        let (mode, kind) = if batch % PRACTICE == writer { ("PRACTICE", "p") } else { ("BACKFILL", "r") };
        let event = |n| setting.event(&mut dice, &format!("e{round}-{writer}-{batch}-{n}"), kind, round * 500);
        let items: Vec<Value> = (0..ITEMS).map(event).collect();
        insist(&raw, &reporter, mode, &items, &mut written).await;
        // Whoever is not sure sends again, perhaps in another order.
        if dice.roll(3) == 0 {
            let again: Vec<Value> = items.into_iter().rev().collect();
            insist(&raw, &reporter, mode, &again, &mut written).await;
        }
    }
    written
}

/// Cuts connections, or kills the server.
async fn break_in(world: &mut World, dice: &mut Dice, kept: &[(&str, &str)]) {
    if dice.roll(2) == 0 && world.backend == Backend::Postgres {
        cut(world).await;
    } else {
        world.server.kill();
        world.restart_with(kept).await;
    }
}

/// What `sopwith rollup verify` says, and whether it was content.
pub async fn verify(world: &World) -> (bool, Value) {
    let output = world.command(&["rollup", "verify", "--json"]).await;
    let line = output.stdout.lines().next().unwrap_or_default().to_owned();
    (output.status.success(), serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {output:?}")))
}

/// Every figure that is asked for here, by process, version, team and day.
async fn figures(world: &World) -> BTreeMap<String, Value> {
    sums::told(world, &["PROCESS", "VERSION", "TEAM"], "DAY").await
}

fn runs(figures: &BTreeMap<String, Value>) -> i64 {
    figures.values().map(|row| row["runs"].as_i64().unwrap()).sum()
}

both! {
    async fn rollups_equal_the_executions_whatever_happens(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let setting = Arc::new(Setting::make(&world, &place).await);
        prepare(&world).await;
        let mut dice = Dice::new(7);
        let (mut written, mut broken_in_upon) = (Written::default(), 0);
        for ((round, months), horizon) in (0..).zip(MONTHS).zip(HORIZONS) {
            let kept = [("SOPWITH_RETENTION__EXECUTIONS_MONTHS", months)];
            let (fuse, mut is_new) = (FUSES[usize::try_from(round).unwrap()], true);
            if fuse == "EXPIRY" {
                arm(&world, fuse).await;
            }
            // What is due is looked for at a start; later on in the midst of writing.
            world.restart_with(&kept).await;
            if fuse == "EXPIRY" {
                failed(&world, "expire_executions").await;
                disarm(&world).await;
            }
            if horizon.is_some() {
                // It was changed in each round but the first.
                let input = json!({"id": place.process, "expectedRevision": round, "horizon": horizon});
                place.author.mutate(UPDATE_PROCESS, json!({"input": input})).await;
            }
            let mut writers = JoinSet::new();
            for writer in 0..WRITERS {
                let reporter = Reporter::new(&world, "tickets");
                writers.spawn(write(world.raw(), reporter, Arc::clone(&setting), (round, writer)));
            }
            while !writers.is_empty() {
                let wait = if is_new { 100 } else { 300 + dice.roll(1_200) };
                let wait = tokio::time::sleep(Duration::from_millis(wait));
                tokio::select! {
                    Some(ended) = writers.join_next() => {
                        let ended: Written = ended.unwrap();
                        written.taken.extend(ended.taken);
                        written.failures += ended.failures;
                    }
                    () = wait => {
                        break_in(&mut world, &mut dice, &kept).await;
                        broken_in_upon += 1;
                        // At once, while the writers are sure to have something left.
                        if std::mem::take(&mut is_new) && fuse != "EXPIRY" {
                            blow(&world, fuse).await;
                        }
                    }
                }
            }
            let count = async |of: &str| world.query_i64(&format!("SELECT COUNT(*) FROM {of}")).await;
            let before = count("execution WHERE mode <> 'PRACTICE'").await;
            let (agrees, told) = verify(&world).await;
            assert!(agrees, "round {round}: {told}");
            assert_eq!((&told["drift"], &told["rows"]), (&json!(0), &json!(0)));
            let read = told["executions"].as_i64().unwrap();
            let after = count("execution WHERE mode <> 'PRACTICE'").await;
            // They may still be being deleted.
            assert!(after <= read && read <= before, "{after} {read} {before}");
            let all = "(SELECT run_id FROM execution UNION ALL SELECT run_id FROM execution_expired) AS runs WHERE run_id LIKE 'r%'";
            let all = count(all).await;
            assert_eq!(runs(&figures(&world).await), all, "what was acknowledged is counted at once, and stays so");
        }
        let events = world.query_i64("SELECT COUNT(*) FROM execution_event").await;
        let taken = i64::try_from(written.taken.len()).unwrap();
        assert_eq!(events, taken, "nothing that was answered is lost, and nothing counts twice");
        let too_late = i64::try_from(MONTHS.len() as u64 * WRITERS * BATCHES * ITEMS).unwrap() - taken;
        let deleted = world.query_i64("SELECT COUNT(*) FROM execution_expired").await;
        assert!(deleted > 50 && too_late > 50, "{deleted} were deleted, and {too_late} events came too late");
        assert!(broken_in_upon >= 4, "servers were killed or cut off: {broken_in_upon}");
        assert!(written.failures > 5, "transactions were broken off: {}", written.failures);
        let practised = world.query_i64("SELECT COUNT(*) FROM execution WHERE mode = 'PRACTICE'").await;
        assert!(practised > 20, "{practised}");

        let before = figures(&world).await;
        let counted = written.taken.values().filter(|event| event["runId"].as_str().unwrap().starts_with('r'));
        sums::assert_figures_are_of(&world, &setting, counted).await;
        let rebuilt = world.command(&["rollup", "rebuild", "--json"]).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        assert_eq!(figures(&world).await, before, "computed anew they are the same");

        world.server.stop_gracefully().await;
        put_back(&world).await;
        let (agrees, told) = verify(&world).await;
        assert!(agrees, "what is kept is what the deleted ones said: {told}");
        assert_eq!(told["executions"], world.query_i64("SELECT COUNT(*) FROM execution WHERE mode <> 'PRACTICE'").await);
        assert_eq!(told["executions"], runs(&before));
    }

    async fn what_the_database_breaks_off_takes_nothing_else_with_it(world: World) {
        let mut world = world;
        place(&world).await;
        prepare(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let item = |run: &str, revision: i64| json!({"eventId": format!("{run}/{revision}"), "runId": run, "revision": revision,
            "process": "password-reset", "startedAt": format!("2026-05-01T10:0{revision}:00Z")});
        reporter.create("BACKFILL", &[item("r7", 1)]).await;
        // The first ends the whole transaction, the second leaves its end to the service.
        for (fuse, item) in [("RUN", item("r7", 2)), ("DELTA", item("r8", 1))] {
            arm(&world, fuse).await;
            let answer = reporter.client.send(RECORD, reporter.batch("BACKFILL", &[item])).await;
            assert_eq!(answer.body["errors"][0]["extensions"]["code"], "INTERNAL", "{fuse}: {}", answer.body);
            disarm(&world).await;
        }
        reporter.create("BACKFILL", &[item("r9", 1)]).await;
        world.server.kill();
        world.restart().await;
        let answers = reporter.send("BACKFILL", &[item("r7", 1), item("r7", 2), item("r8", 1), item("r9", 1)]).await;
        let statuses: Vec<&Value> = answers.iter().map(|answer| &answer["status"]).collect();
        assert_eq!(json!(statuses), json!(["DUPLICATE", "UPDATED", "CREATED", "DUPLICATE"]));
        assert_eq!(verify(&world).await, (true, json!({"executions": 3, "drift": 0, "rows": 0})));
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
