//! What the database refuses by itself, whatever the code before it does.

use serde_json::json;

use super::second_version;
use crate::executions::Reporter;
use crate::story::{Place, draft, place, process, published, submit};
use crate::support::{Backend, World, both};

/// A world in which every table that is looked at has rows: a published SOP with two versions, another in review, and
/// an execution.
async fn lived_in(world: &World) -> Place {
    let place = place(world).await;
    let made = published(&place, "Reset a password").await;
    second_version(&place, &made.sop).await;
    let key = process(&place.author, &json!(place.team), "restore").await;
    submit(&place.author, &draft(&place, &place.author, &key, "Restore a backup").await).await;
    let item = json!({"eventId": "e", "runId": "r", "process": "password-reset"});
    Reporter::new(world, "tickets").create("LIVE", &[item]).await;
    place
}

/// The database must refuse this, for this reason.
async fn refuses(world: &World, sql: &str, why: &str) {
    let answer = world.try_execute(sql).await;
    let error = answer.expect_err(&format!("not refused: {sql}")).to_lowercase();
    assert!(why.split('|').any(|why| error.contains(why)), "{sql}: {error}");
}

const UNIQUE: &str = "unique";

both! {
    async fn what_is_written_once_stays(world: World) {
        lived_in(&world).await;
        let tables = [
            ("audit_entry", "request_id", "insert-only"), ("content", "document", "insert-only"),
            ("approval_decision", "comment", "says what it said|decisions are kept|insert-only"),
            ("execution_event", "fingerprint", "insert-only"),
        ];
        for (table, column, why) in tables {
            let rows = world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await;
            assert!(rows > 0, "{table}");
            refuses(&world, &format!("UPDATE {table} SET {column} = 'x'"), why).await;
            refuses(&world, &format!("UPDATE {table} SET {column} = {column}"), why).await;
            refuses(&world, &format!("DELETE FROM {table}"), why).await;
            let replace = format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1");
            match world.backend {
                Backend::Sqlite => refuses(&world, &replace, "insert-only").await,
                Backend::Postgres => {
                    refuses(&world, &format!("TRUNCATE {table} CASCADE"), why).await;
                    let again = format!("INSERT INTO {table} SELECT * FROM {table} LIMIT 1");
                    refuses(&world, &again, UNIQUE).await;
                }
            }
            assert_eq!(world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await, rows, "{table}");
        }
        // A decision is taken back once, and not given again.
        let back = "UPDATE approval_decision SET withdrawn_at = 9 WHERE verdict = 'APPROVE'";
        world.execute(back).await;
        refuses(&world, back, "taken back once").await;
        refuses(&world, "UPDATE approval_decision SET withdrawn_at = NULL", "taken back once").await;
        refuses(&world, "DELETE FROM audit_head", "kept").await;
        refuses(&world, "UPDATE audit_head SET seq = seq - 1", "only grows").await;
        refuses(&world, "UPDATE audit_head SET hash = hash", "only grows").await;
        refuses(&world, "DELETE FROM version", "kept").await;
        refuses(&world, "DELETE FROM approval_request", "kept").await;
        refuses(&world, "UPDATE approval_request SET state = 'OPEN', closed_at = NULL WHERE state = 'APPROVED'", "stays").await;
        refuses(&world, "UPDATE approval_stage SET min_approvals = 1", "snapshot").await;
        refuses(&world, "UPDATE sop SET code = 'OPS-0009' WHERE code = 'OPS-0001'", "never reused").await;
    }

    async fn the_invariants_of_the_lifecycle_are_the_databases_too(world: World) {
        lived_in(&world).await;
        let columns = "sop_id, kind, major, minor, content_hash, title, effective_at, based_on_id, revision, reason, \
            created_by_id, created_at, updated_at, submitted_at, published_at, ended_at";
        let id = match world.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        // Copies of a version under another id, state and label.
        let copy = |of: &str, state: &str, label: &str| {
            let selected = columns.replace("major, minor", label);
            format!("INSERT INTO version (id, state, {columns}) SELECT {id}, '{state}', {selected} FROM version WHERE state = '{of}'")
        };
        for state in ["DRAFT", "IN_REVIEW", "APPROVED"] {
            refuses(&world, &copy("IN_REVIEW", state, "8, 0"), UNIQUE).await;
        }
        refuses(&world, &copy("PUBLISHED", "PUBLISHED", "8, 0"), UNIQUE).await;
        refuses(&world, &copy("PUBLISHED", "SUPERSEDED", "major, minor"), UNIQUE).await;
        refuses(&world, &copy("PUBLISHED", "RETIRED", "1, 0"), UNIQUE).await;
        refuses(&world, &copy("PUBLISHED", "SUPERSEDED", "NULL, NULL"), "check").await;
        refuses(&world, &copy("PUBLISHED", "SOMEHOW", "8, 0"), "check").await;
        world.execute(&copy("PUBLISHED", "DISCARDED", "1, 0")).await;
        let second = format!("INSERT INTO sop SELECT {id}, 'OPS-0099', title, process_id, team_id, owner_id, risk, review_cadence_months, \
            state, was_published, successor_id, revision, created_at, updated_at FROM sop WHERE code = 'OPS-0001'");
        refuses(&world, &second, UNIQUE).await;
        refuses(&world, &second.replace("OPS-0099", "OPS-0001").replace("state, was", "'RETIRED', was"), UNIQUE).await;
        world.execute(&second.replace("state, was", "'RETIRED', was")).await;

        for set in ["content_hash = (SELECT MIN(hash) FROM content)", "title = 'x'", "kind = 'EDITORIAL'", "effective_at = 1"] {
            for state in ["IN_REVIEW", "PUBLISHED", "SUPERSEDED"] {
                refuses(&world, &format!("UPDATE version SET {set} WHERE state = '{state}'"), "only in draft").await;
            }
        }
        let states = ["DRAFT", "IN_REVIEW", "APPROVED", "PUBLISHED", "SUPERSEDED", "RETIRED", "DISCARDED"];
        let legal = [("IN_REVIEW", "DRAFT"), ("IN_REVIEW", "APPROVED"), ("IN_REVIEW", "PUBLISHED"), ("PUBLISHED", "SUPERSEDED"), ("PUBLISHED", "RETIRED")];
        for from in ["IN_REVIEW", "PUBLISHED", "SUPERSEDED", "DISCARDED"] {
            for to in states.into_iter().filter(|to| from != *to && !legal.contains(&(from, to))) {
                refuses(&world, &format!("UPDATE version SET state = '{to}' WHERE state = '{from}'"), "no such transition|unique").await;
            }
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM version WHERE state = 'PUBLISHED'").await, 1);
    }

    async fn nobody_decides_twice_and_no_event_is_taken_twice(world: World) {
        lived_in(&world).await;
        let id = match world.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        let again = format!("INSERT INTO approval_decision SELECT {id}, request_id, position, person_id, on_behalf_of_id, \
            delegation_id, verdict, content_hash, comment, via, decided_at, auth_time, withdrawn_at FROM approval_decision LIMIT 1");
        refuses(&world, &again, UNIQUE).await;
        let event = "INSERT INTO execution_event SELECT source, event_id, 'other', run_id, occurred_at, received_at FROM execution_event";
        refuses(&world, event, "unique|insert-only").await;
        refuses(&world, "UPDATE execution SET satisfaction = 6", "check").await;
        refuses(&world, "UPDATE execution SET adherence = 'MOSTLY'", "check").await;
    }
}
