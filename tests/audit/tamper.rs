//! `sopwith audit verify` against someone who may do anything to the database.

use serde_json::{Value, json};

use super::{retire, second_version};
use crate::story::{place, published};
use crate::support::{Backend, World, both};

/// Exit code and what was printed as JSON, with what it said on standard error behind.
async fn verify(world: &World) -> (Option<i32>, Value, String) {
    let output = world.command(&["audit", "verify", "--json"]).await;
    let line = serde_json::from_str(output.stdout.trim()).unwrap_or_else(|_| panic!("not JSON: {output:?}"));
    (output.status.code(), line, output.stderr)
}

/// Takes away what guards the chain, as often as wanted.
pub async fn unguard(world: &World) {
    let triggers = match world.backend {
        Backend::Sqlite => {
            let named = [
                "audit_entry_no_update",
                "audit_entry_no_delete",
                "audit_entry_no_replace",
                "audit_head_forward",
                "audit_head_kept",
            ];
            named.map(|name| format!("DROP TRIGGER IF EXISTS {name};")).concat()
        }
        Backend::Postgres => "ALTER TABLE audit_entry DISABLE TRIGGER ALL; ALTER TABLE audit_head DISABLE TRIGGER ALL;\
            ALTER TABLE audit_entry DROP CONSTRAINT IF EXISTS audit_entry_via_check"
            .to_owned(),
    };
    world.execute(&triggers).await;
}

/// The same, with copies to put everything back by.
async fn disarm(world: &World) {
    unguard(world).await;
    world
        .execute(
            "CREATE TABLE kept_entry AS SELECT * FROM audit_entry; CREATE TABLE kept_head AS SELECT * FROM audit_head",
        )
        .await;
}

/// Runs statements, verifies, and puts everything back.
async fn broken_by(world: &World, sql: &str) -> String {
    let unchecked = if world.backend == Backend::Sqlite { "PRAGMA ignore_check_constraints = ON;" } else { "" };
    world.execute(&format!("{unchecked}{sql}")).await;
    let (code, line, stderr) = verify(world).await;
    world
        .execute(
            "DELETE FROM audit_entry; INSERT INTO audit_entry SELECT * FROM kept_entry; \
        DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM kept_head",
        )
        .await;
    assert_eq!((code, &line["ok"]), (Some(1), &json!(false)), "not noticed: {sql}: {line}");
    let problem = line["problem"].as_str().unwrap().to_owned();
    assert!(stderr.contains(&problem), "{stderr}");
    problem
}

/// A world whose chain has entries of all kinds; answers how many.
async fn chained(world: &World) -> i64 {
    let place = place(world).await;
    let made = published(&place, "Reset a password").await;
    second_version(&place, &made.sop).await;
    retire(&place, &made.sop).await;
    world.query_i64("SELECT COUNT(*) FROM audit_entry").await
}

both! {
    async fn a_sound_chain_is_found_sound(world: World) {
        assert_eq!(verify(&world).await.1, json!({"ok": true, "entries": 0}));
        let n = chained(&world).await;
        let (code, line, stderr) = verify(&world).await;
        assert_eq!((code, line), (Some(0), json!({"ok": true, "entries": n})), "{stderr}");
        let output = world.command(&["audit", "verify"]).await;
        assert!(output.status.success() && output.stdout.contains(&n.to_string()), "{output:?}");
    }

    async fn one_changed_byte_is_found_in_every_column(world: World) {
        chained(&world).await;
        disarm(&world).await;
        let first = |wanted: &str| format!("SELECT MIN(seq) FROM audit_entry WHERE {wanted}");
        let with_reason = world.query_i64(&first("reason IS NOT NULL")).await;
        let with_old = world.query_i64(&first("old_value <> 'null' AND sop_id IS NOT NULL")).await;
        for column in ["via", "action", "object", "old_value", "new_value", "reason", "request_id", "hash"] {
            let seq = if column == "reason" { with_reason } else { with_old };
            let length = world.query_i64(&format!("SELECT CAST(LENGTH({column}) AS bigint) FROM audit_entry WHERE seq = {seq}")).await;
            assert!(length > 0, "{column}");
            for place in [1, length / 2 + 1, length] {
                let byte = format!("SUBSTR({column}, {place}, 1)");
                let change = |to: &str| format!("UPDATE audit_entry SET {column} = SUBSTR({column}, 1, {place} - 1) || {to} || SUBSTR({column}, {place} + 1) \
                    WHERE seq = {seq}");
                let other = format!("CASE WHEN {byte} = '0' THEN '1' ELSE '0' END");
                let problem = broken_by(&world, &change(&other)).await;
                assert!(problem.contains(&format!("entry {seq} ")), "{column}: {problem}");
            }
            // A space more is a change, too.
            let problem = broken_by(&world, &format!("UPDATE audit_entry SET {column} = {column} || ' ' WHERE seq = {seq}")).await;
            assert!(problem.contains(&format!("entry {seq} ")), "{column}: {problem}");
        }
        for change in ["at = at + 1", "actor_id = team_id", "actor_id = NULL", "on_behalf_of_id = actor_id", "sop_id = NULL", "team_id = actor_id", "reason = NULL"] {
            let seq = with_reason;
            let problem = broken_by(&world, &format!("UPDATE audit_entry SET {change} WHERE seq = {seq}")).await;
            assert!(problem.contains(&format!("entry {seq} ")), "{change}: {problem}");
        }
        assert_eq!(verify(&world).await.0, Some(0), "all was put back");
    }

    async fn another_spelling_of_a_hash_is_a_change(world: World) {
        chained(&world).await;
        disarm(&world).await;
        let seq = world.query_i64("SELECT MIN(seq) FROM audit_entry WHERE UPPER(hash) <> hash").await;
        let problem = broken_by(&world, &format!("UPDATE audit_entry SET hash = UPPER(hash) WHERE seq = {seq}")).await;
        assert!(problem.contains(&format!("entry {seq} ")), "{problem}");
        broken_by(&world, "UPDATE audit_head SET hash = UPPER(hash)").await;
    }

    async fn what_is_removed_moved_or_added_is_found(world: World) {
        let n = chained(&world).await;
        disarm(&world).await;
        let swapped = "UPDATE audit_entry SET seq = -seq WHERE seq IN (5, 6); UPDATE audit_entry SET seq = 6 WHERE seq = -5; \
            UPDATE audit_entry SET seq = 5 WHERE seq = -6";
        let columns = "at, actor_id, on_behalf_of_id, via, action, object, sop_id, team_id, old_value, new_value, reason, request_id, hash";
        let cases = [
            ("DELETE FROM audit_entry WHERE seq = 4".to_owned(), "entry 4 ".to_owned()),
            ("DELETE FROM audit_entry WHERE seq = 1".to_owned(), "entry 1 ".to_owned()),
            // Those behind a gap moved up.
            ("DELETE FROM audit_entry WHERE seq = 4; UPDATE audit_entry SET seq = -seq WHERE seq > 4; \
                UPDATE audit_entry SET seq = -seq - 1 WHERE seq < 0".to_owned(), "entry 4 ".to_owned()),
            (format!("DELETE FROM audit_entry WHERE seq = {n}"), format!("entry {}", n - 1)),
            ("DELETE FROM audit_entry".to_owned(), "entry 0".to_owned()),
            (swapped.to_owned(), "entry 5 ".to_owned()),
            (format!("INSERT INTO audit_entry (seq, {columns}) SELECT {n} + 1, {columns} FROM audit_entry WHERE seq = {n}; \
                UPDATE audit_head SET seq = {n} + 1"), format!("entry {} ", n + 1)),
            (format!("UPDATE audit_head SET seq = {n} + 1"), format!("entry {n}")),
            ("UPDATE audit_head SET seq = 0".to_owned(), format!("entry {n}")),
            (format!("UPDATE audit_head SET hash = (SELECT hash FROM audit_entry WHERE seq = {n} - 1)"), format!("entry {n}")),
            ("DELETE FROM audit_head".to_owned(), format!("entry {n}")),
        ];
        for (sql, named) in cases {
            let problem = broken_by(&world, &sql).await;
            assert!(format!("{problem} ").contains(&named), "{sql}: {problem}");
        }
        assert_eq!(verify(&world).await.0, Some(0), "all was put back");
    }
}
