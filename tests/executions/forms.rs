//! Roll-ups that another process computed anew in another form, or compares.

use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use serde_json::{Value, json};

use super::bulk::{LINES, assert_error, body, executions, item, post};
use super::{Reporter, everyone, from_now};
use crate::story::{RECORD, place, text};
use crate::support::{Backend, World, both, connect, respond};

const OTHER: [(&str, &str); 1] = [("SOPWITH_TIME_ZONE", "Asia/Kolkata")];
const OTHER_FORM: &str = "figures are kept in another form than this process was started for";
const FIGURES: &str = "{ figures { runs } }";

/// A connection with an open transaction that holds what these statements lock.
pub async fn begin(world: &World, sqlite: &str, postgres: &str) -> DatabaseConnection {
    let connection = connect(world.db.url()).await.unwrap();
    let sql = if world.backend == Backend::Sqlite { sqlite } else { postgres };
    connection.execute_unprepared(sql).await.unwrap();
    connection
}

/// Waits until somebody waits for what is held. SQLite does not tell.
pub async fn somebody_waits(world: &World) {
    if world.backend == Backend::Sqlite {
        tokio::time::sleep(Duration::from_secs(3)).await;
        return;
    }
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..400 {
        if world.query_i64(waiting).await > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nobody waits");
}

/// That a server answers nothing of roll-ups that are kept in another form, and adds nothing to them.
async fn assert_refuses(world: &World, reporter: &Reporter, n: usize) {
    let before = executions(world).await;
    let asked = everyone(world).send(FIGURES, json!({})).await;
    let recorded = reporter.client.send(RECORD, reporter.batch("LIVE", &[item(n)])).await;
    for answer in [asked, recorded] {
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{answer:?}");
        assert!(text(&error["message"]).starts_with(OTHER_FORM), "{answer:?}");
    }
    let posted = post(world, &reporter.client, "mode=LIVE", LINES, body(&[item(n)])).await;
    assert_error(&posted, 503, "UNAVAILABLE", "sums of another form");
    let at_an_edge = format!("{{ figures(filter: {{from: \"{}\"}}) {{ runs }} }}", from_now(-86_399));
    assert_eq!(everyone(world).error_code(&at_an_edge, json!({})).await, "UNAVAILABLE");
    assert_eq!(executions(world).await, before, "nothing of it is stored");
    let ready = respond(world.raw().http.get(world.raw().url("/readyz"))).await;
    assert_eq!(ready.status.as_u16(), 503, "{ready:?}");
    assert!(ready.body.as_str().unwrap().contains("another form"), "{ready:?}");
}

async fn runs(world: &World) -> Value {
    everyone(world).ok(FIGURES, json!({})).await["figures"][0]["runs"].clone()
}

both! {
    async fn who_was_started_for_another_form_neither_reads_nor_writes(world: World) {
        let mut world = world;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        assert_eq!(reporter.one(item(0)).await["status"], "CREATED");
        assert_eq!(runs(&world).await, 1);
        let rebuilt = world.command_with(&["rollup", "rebuild"], &OTHER).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        assert_refuses(&world, &reporter, 1).await;
        let told = world.server.log_entry(|line| line["kept_time_zone"] == "Asia/Kolkata").await;
        assert_eq!((&told["own_time_zone"], told["kept_layout"] == told["own_layout"]), (&json!("UTC"), true), "{told}");
        assert!(text(&told["message"]).contains("start it with the time_zone"), "{told}");
        let verified = world.command(&["rollup", "verify"]).await;
        assert!(!verified.status.success() && verified.stderr.contains(OTHER_FORM), "{verified:?}");
        let verified = world.command_with(&["rollup", "verify"], &OTHER).await;
        assert!(verified.status.success(), "{verified:?}");

        world.restart_with(&OTHER).await;
        assert_eq!(reporter.one(item(1)).await["status"], "CREATED");
        assert_eq!(runs(&world).await, 2);
        // Of another version of the service: what waits is left to those who can read it.
        while world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.execute("UPDATE rollup_state SET layout = layout + 1").await;
        let bytes = if world.backend == Backend::Sqlite { "X'00'" } else { "'\\x00'" };
        world.execute(&format!("INSERT INTO rollup_delta (changes) VALUES ({bytes})")).await;
        assert_refuses(&world, &reporter, 2).await;
        let failed = world.server.log_entry(|line| line["job"] == "compact_rollups" && line["message"] == "job failed").await;
        assert!(text(&failed["reason"]).starts_with(OTHER_FORM), "{failed}");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM rollup_delta").await, 1);
    }

    async fn a_batch_that_waited_for_a_change_of_form_is_not_taken_in_the_old_one(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        assert_eq!(reporter.one(item(0)).await["status"], "CREATED");
        // As whoever computes them anew in another time zone holds it.
        let postgres = "BEGIN; LOCK TABLE rollup_delta IN SHARE ROW EXCLUSIVE MODE";
        let other = begin(&world, "BEGIN IMMEDIATE", postgres).await;
        let late = { let reporter = reporter.clone(); tokio::spawn(async move {
            reporter.client.send(RECORD, reporter.batch("LIVE", &[item(1)])).await
        }) };
        somebody_waits(&world).await;
        other.execute_unprepared("UPDATE rollup_state SET time_zone = 'Asia/Kolkata'; COMMIT").await.unwrap();
        let answer = late.await.unwrap();
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer:?}");
        assert_eq!(executions(&world).await, 1);
        other.execute_unprepared("UPDATE rollup_state SET time_zone = 'UTC'").await.unwrap();
        assert_eq!(reporter.one(item(1)).await["status"], "CREATED", "sent again it is");
        assert_eq!(runs(&world).await, 2);
        other.close().await.unwrap();
    }

    async fn a_comparison_says_nothing_of_what_was_computed_after_it_began(world: World) {
        place(&world).await;
        assert_eq!(Reporter::new(&world, "tickets").one(item(0)).await["status"], "CREATED");
        while world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // The first comparison of the day is over, and what is kept is wrong.
        while world.query_i64("SELECT COUNT(*) FROM rollup_state WHERE checked_at IS NOT NULL AND claimed_at IS NULL").await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.execute("DELETE FROM rollup").await;
        let other = begin(&world, "BEGIN IMMEDIATE", "BEGIN; SELECT id FROM rollup_state FOR UPDATE").await;
        let verify = world.command(&["rollup", "verify"]);
        let mend = async {
            somebody_waits(&world).await;
            other.execute_unprepared("UPDATE rollup_state SET builds = builds + 1, drift = 0; COMMIT").await.unwrap();
        };
        let (told, ()) = tokio::join!(verify, mend);
        assert!(!told.status.success() && told.stderr.contains("computed anew meanwhile"), "{told:?}");
        assert_eq!(world.query_i64("SELECT drift FROM rollup_state").await, 0);
        let told = world.command(&["rollup", "verify"]).await;
        assert!(told.stderr.contains("differ by 1 executions"), "{told:?}");
        assert_eq!(world.query_i64("SELECT drift FROM rollup_state").await, 1);
        other.close().await.unwrap();
    }

    async fn one_of_several_compares_and_another_where_it_died(world: World) {
        let mut world = world;
        let seconds = |ago: i64| (chrono::Utc::now() - chrono::TimeDelta::seconds(ago)).timestamp_micros();
        let checked = "SELECT COUNT(*) FROM rollup_state WHERE checked_at IS NOT NULL AND claimed_at IS NULL";
        while world.query_i64(checked).await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for (claimed_at, is_compared) in [(seconds(60), false), (seconds(6 * 3600 + 60), true)] {
            world.server.stop_gracefully().await;
            world.execute(&format!("UPDATE rollup_state SET checked_at = NULL, claimed_at = {claimed_at}")).await;
            world.restart().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            let is_done = || async { world.query_i64(checked).await > 0 };
            for _ in 0..(if is_compared { 100 } else { 1 }) {
                if is_done().await {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert_eq!(is_done().await, is_compared, "claimed at {claimed_at}");
        }
        // Compared within a day, it is not again.
        world.server.stop_gracefully().await;
        let yesterday = seconds(86_400 - 600);
        world.execute(&format!("UPDATE rollup_state SET checked_at = {yesterday}")).await;
        world.restart().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(world.query_i64("SELECT checked_at FROM rollup_state").await, yesterday);
    }
}
