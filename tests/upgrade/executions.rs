//! Executions that were stored before figures took the version in force and the steps from them.

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use sopwith_migration::{Migrator, MigratorTrait as _};

use super::{Backend, World, connect, document, id};
use crate::support::token;

/// How many migrations there were.
const BEFORE: u32 = 19;

/// An execution as it was stored.
struct Stored {
    n: u8,
    /// The version by its id, and how it was known.
    version: Option<(u8, &'static str)>,
    started: i64,
    finished: Option<i64>,
    /// Steps in their order.
    steps: &'static [&'static str],
}

/// Version 8 was in force from 1,000 on, version 9 from 2,000 on.
const STORED: [Stored; 6] = [
    Stored {
        n: 20,
        version: Some((8, "REPORTED")),
        started: 1_500,
        finished: Some(1_600),
        steps: &["identify", "reset"],
    },
    Stored { n: 21, version: Some((8, "REPORTED")), started: 2_000, finished: None, steps: &["identify"] },
    Stored { n: 22, version: Some((9, "REPORTED")), started: 2_000, finished: Some(2_100), steps: &["reset"] },
    Stored { n: 23, version: Some((8, "REPORTED")), started: 999, finished: None, steps: &[] },
    Stored { n: 24, version: Some((8, "INFERRED")), started: 1_999, finished: None, steps: &[] },
    Stored { n: 25, version: None, started: 999, finished: Some(1_000), steps: &["identify"] },
];

fn statements(backend: Backend) -> Vec<String> {
    let id = |n| id(backend, n);
    let maybe = |n: Option<i64>| n.map_or("NULL".to_owned(), |n| n.to_string());
    let (document, hash) = document("Reset a password");
    let (team, process, sop, issuer) = (id(1), id(6), id(7), token::ISSUER);
    let mut made = vec![
        format!("INSERT INTO team VALUES ({team}, 'ops', 'Operations', 'OPS', 1, 1)"),
        format!(
            "INSERT INTO person (id, issuer, subject, name, email, email_verified, claims_digest, created_at, updated_at) \
             VALUES ({}, '{issuer}', 'ann', 'ann', 'ann@example.org', TRUE, 'old', 1, 1)",
            id(2)
        ),
        format!("INSERT INTO process VALUES ({process}, 'password-reset', 'P', '', NULL, {team}, 1, 1, 1)"),
        format!("INSERT INTO content VALUES ('{hash}', '{document}', 1)"),
        format!(
            "INSERT INTO sop VALUES ({sop}, 'OPS-0001', 'Reset a password', {process}, {team}, {}, 'LOW', 12, 'PUBLISHED', TRUE, \
             NULL, 2, 1, 1)",
            id(2)
        ),
    ];
    for (n, state, major, published, ended) in
        [(8, "SUPERSEDED", 1, 1_000, Some(2_000)), (9, "PUBLISHED", 2, 2_000, None)]
    {
        made.push(format!(
            "INSERT INTO version VALUES ({}, {sop}, '{state}', 'MATERIAL', {major}, 0, '{hash}', 'Reset a password', NULL, NULL, 2, \
             NULL, {}, 1, 1, 1, {published}, {})",
            id(n),
            id(2),
            maybe(ended)
        ));
    }
    for stored in &STORED {
        let (version, source) =
            stored.version.map_or(("NULL".to_owned(), "NULL".to_owned()), |(n, source)| (id(n), format!("'{source}'")));
        let of_sop = if stored.version.is_some() { sop.as_str() } else { "NULL" };
        made.push(format!(
            "INSERT INTO execution (id, source, run_id, mode, process_id, sop_id, version_id, version_source, started_at, \
                finished_at, received_at, clock_lead, adherence, errors, rework, violations, attributes, facts) \
             VALUES ({}, 'old', 'r{}', 'LIVE', {process}, {of_sop}, {version}, {source}, {}, {}, 3000, 0, 'UNKNOWN', 0, 0, 0, '{{}}', '{{}}')",
            id(stored.n),
            stored.n,
            stored.started,
            maybe(stored.finished)
        ));
        for (at, step) in (stored.started..).zip(stored.steps) {
            made.push(format!("INSERT INTO execution_step VALUES ({}, '{step}', 1, {at}, NULL, 'DONE')", id(stored.n)));
        }
    }
    made
}

/// What refers to nothing is refused, in whatever way the text of the tables was changed on the way.
async fn references_hold(world: &World) {
    let orphan = format!("INSERT INTO execution_step VALUES ({}, 'a', 1, NULL, NULL, 'DONE')", id(world.backend, 99));
    assert!(world.try_execute(&orphan).await.is_err());
    if world.backend == Backend::Postgres {
        return;
    }
    assert_eq!(world.query_text("PRAGMA integrity_check").await, "ok");
    let immediate = "SELECT COUNT(*) FROM sqlite_schema \
        WHERE name IN ('execution', 'execution_step', 'execution_violation', 'rollup', 'rollup_series') \
        AND replace(sql, '(id) DEFERRABLE INITIALLY DEFERRED', '') LIKE '%(id)%'";
    assert_eq!(world.query_i64(immediate).await, 0, "what is written in bulk is checked at the end");
}

async fn what_is_stored_is_judged(backend: Backend) {
    let made = statements(backend);
    let world = World::filled(backend, async |url| {
        let db = connect(&url).await.unwrap();
        Migrator::up(&db, Some(BEFORE)).await.unwrap();
        for statement in made {
            db.execute_unprepared(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        db.close().await.unwrap();
    });
    let Some(mut world) = world.await else { return };
    let query = "{ figures { runs currentVersion { numerator denominator } coverage { numerator denominator }
        conformance { known { numerator denominator } full { numerator } deviations checks }
        abandonment { numerator denominator } }
        executions { nodes { horizon } } processes { nodes { horizon } } }";
    let mia = world.client(&["manager"], "mia");
    let mut all = mia.ok(query, json!({})).await;
    let seen: Value = all["figures"][0].take();
    for of in ["executions", "processes"] {
        let nodes = all[of]["nodes"].as_array().unwrap();
        assert!(!nodes.is_empty() && nodes.iter().all(|node| node["horizon"] == "PT720H"), "{of}: {nodes:?}");
    }
    let expected = json!({
        "runs": 6,
        "currentVersion": {"numerator": 2, "denominator": 3},
        "coverage": {"numerator": 4, "denominator": 6},
        // Of the two that ended with a version, one left the first step out: of it and what was done, one of three.
        "conformance": {"known": {"numerator": 2, "denominator": 3}, "full": {"numerator": 1}, "deviations": 1, "checks": 7},
        "abandonment": {"numerator": 3, "denominator": 6},
    });
    assert_eq!(seen, expected);
    let verified = world.command(&["rollup", "verify", "--json"]).await;
    assert!(verified.status.success(), "{verified:?}");
    // What has ended is deleted, where it is no longer to be kept, and what was found of it stays.
    world.restart_with(&[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "12")]).await;
    world.server.log_entry(|line| line["job"] == "expire_executions" && line["done"] == 3).await;
    assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 3);
    assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_step").await, 1);
    let after: Value = mia.ok(query, json!({})).await["figures"][0].take();
    assert_eq!(after, expected);
    let verified = world.command(&["rollup", "verify", "--json"]).await;
    assert_eq!(verified.stdout.trim(), r#"{"drift":0,"executions":3,"rows":0}"#, "{verified:?}");
    references_hold(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_judged_on_sqlite() {
    what_is_stored_is_judged(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_judged_on_postgres() {
    what_is_stored_is_judged(Backend::Postgres).await;
}
