//! A database of an older version, with data in it, is taken over as it is.

mod executions;

use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use sopwith_domain::audit::{Entry, GENESIS};
use sopwith_domain::content::Document;
use sopwith_domain::time::Timestamp;
use sopwith_migration::{Migrator, MigratorTrait as _};

use crate::story::{content, decide, decide_refused, text};
use crate::support::{Backend, World, connect, token};

/// How many migrations the oldest version had that data were ever kept with.
const OLDEST: u32 = 7;

/// The n-th id, as it is written in a statement.
fn id(backend: Backend, n: u8) -> String {
    match backend {
        Backend::Sqlite => format!("X'0190000000007000800000000000{n:04x}'"),
        Backend::Postgres => format!("'01900000-0000-7000-8000-00000000{n:04x}'"),
    }
}

/// A document as it is stored, fit to stand in a statement, and its hash.
fn document(title: &str) -> (String, String) {
    let mut said = content(title);
    for step in said["steps"].as_array_mut().unwrap() {
        // In the form that is stored, durations are seconds.
        if step["expectedDuration"].is_string() {
            step["expectedDuration"] = json!(120);
        }
    }
    let document = json!({"kind": "MATERIAL", "content": said});
    let document: Document = serde_json::from_value(document).expect("a document as it is stored");
    let (document, hash) = document.canonical();
    (document.replace('\'', "''"), hash.to_string())
}

/// What an old service would have written: an SOP in review by a team of four, of whom one reviewed it; one of them has
/// a second account.
fn statements(backend: Backend) -> (String, Vec<String>) {
    let id = |n| id(backend, n);
    let (document, hash) = document("Reset a password");
    let entry = Entry {
        seq: 1,
        at: Timestamp::from_micros(1),
        actor: None,
        via: "CLI".to_owned(),
        action: "team.created".to_owned(),
        object: "team".to_owned(),
        sop: None,
        team: None,
        old: Value::Null,
        new: json!({"key": "ops"}),
        reason: None,
        request_id: "r".to_owned(),
        on_behalf_of: None,
    };
    let chained = hex::encode(entry.hash(&GENESIS));
    let person = |n: u8, name: &str, email: &str| {
        format!(
            "INSERT INTO person VALUES ({}, '{}', '{name}', '{name}', '{email}@example.org', TRUE, 'old', 1, 1)",
            id(n),
            token::ISSUER
        )
    };
    let made = vec![
        format!("INSERT INTO team VALUES ({}, 'ops', 'Operations', 'OPS', 1, 1)", id(1)),
        person(2, "ann", "ann"),
        person(3, "rob", "rob"),
        person(4, "amy", "amy"),
        person(5, "rob-again", "Rob"),
        format!("INSERT INTO process VALUES ({}, 'password-reset', 'P', '', NULL, {}, 1, 1, 1)", id(6), id(1)),
        format!("INSERT INTO content VALUES ('{hash}', '{document}', 1)"),
        format!(
            "INSERT INTO sop VALUES ({}, 'OPS-0001', 'Reset a password', {}, {}, {}, 'LOW', 12, 'IN_REVIEW', FALSE, NULL, 2, 1, 1)",
            id(7),
            id(6),
            id(1),
            id(2)
        ),
        format!(
            "INSERT INTO version VALUES ({}, {}, 'IN_REVIEW', 'MATERIAL', 1, 0, '{hash}', 'Reset a password', NULL, NULL, 2, NULL, {}, 1, 1, 1, NULL, NULL)",
            id(8),
            id(7),
            id(2)
        ),
        format!("INSERT INTO version_contributor VALUES ({}, {})", id(8), id(2)),
        format!(
            "INSERT INTO approval_request VALUES ({}, {}, {}, (SELECT id FROM policy WHERE kind = 'MATERIAL'), '{hash}', \
             '1.0', NULL, NULL, 'OPEN', 1, {}, 1, NULL)",
            id(9),
            id(7),
            id(8),
            id(2)
        ),
        format!(
            "INSERT INTO approval_stage VALUES ({}, 0, 'Review', 'reviewer', 1, 'TEAM', 'REVIEWED', NULL, 1, 2)",
            id(9)
        ),
        format!(
            "INSERT INTO approval_stage VALUES ({}, 1, 'Approval', 'approver', 1, 'TEAM', 'APPROVED', NULL, 2, NULL)",
            id(9)
        ),
        format!(
            "INSERT INTO approval_decision VALUES ({}, {}, 0, {}, 'APPROVE', '{hash}', 'fine', 'API', 2)",
            id(10),
            id(9),
            id(3)
        ),
        format!(
            "INSERT INTO audit_entry (seq, at, actor_id, via, action, object, sop_id, team_id, old_value, new_value, reason, request_id, hash) \
             VALUES (1, 1, NULL, 'CLI', 'team.created', 'team', NULL, NULL, 'null', '{{\"key\":\"ops\"}}', NULL, 'r', '{chained}')"
        ),
        format!("UPDATE audit_head SET seq = 1, hash = '{chained}'"),
    ];
    (hash, made)
}

async fn an_old_database_is_taken_over(backend: Backend) {
    let (hash, made) = statements(backend);
    let world = World::filled(backend, async |url| {
        let db = connect(&url).await.unwrap();
        Migrator::up(&db, Some(OLDEST)).await.unwrap();
        for statement in made {
            db.execute_unprepared(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        db.close().await.unwrap();
    });
    let Some(world) = world.await else { return };
    let ann = world.client(&["author@ops"], "ann");
    let query = "{ sop(by: {code: \"OPS-0001\"}) { state openRequest { id contentHash requiresResolvedComments
        decisions { person { name } verdict comment onBehalfOf { name } withdrawnAt stage { name } } } } }";
    let seen = ann.ok(query, json!({})).await["sop"].take();
    assert_eq!(seen["openRequest"]["contentHash"], json!(hash), "{seen}");
    let decision = json!({"person": {"name": "rob"}, "verdict": "APPROVE", "comment": "fine", "onBehalfOf": null,
        "withdrawnAt": null, "stage": {"name": "Review"}});
    assert_eq!((&seen["state"], &seen["openRequest"]["decisions"]), (&json!("IN_REVIEW"), &json!([decision])));
    let request = text(&seen["openRequest"]["id"]);
    // Whoever was heard is not heard again, under whichever account: the addresses were taken over too.
    for name in ["rob", "rob-again"] {
        let again = world.client(&["approver@ops"], name);
        let refusal = decide_refused(&again, &request, &hash, "APPROVE").await;
        assert!(refusal.code == "FORBIDDEN" && refusal.message.contains("once"), "{name}: {refusal:?}");
    }
    let amy = world.client(&["approver@ops"], "amy");
    let done = decide(&amy, &request, &hash, "APPROVE", "").await;
    assert_eq!(done["sop"]["state"], "PUBLISHED", "{done}");
    let policies = ann.ok("{ policies { kind revision requiresResolvedComments } }", json!({})).await;
    assert_eq!(policies["policies"].as_array().unwrap().len(), 3);
    assert!(policies["policies"].as_array().unwrap().iter().all(|p| p["revision"] == 1));
    let manager = world.client(&["manager@ops"], "mia").ok("{ me { roles { permissions } } }", json!({})).await;
    assert!(manager["me"]["roles"].to_string().contains("POLICY_MANAGE"), "{manager}");
    let verified = world.command(&["audit", "verify", "--json"]).await;
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_database_is_taken_over_on_sqlite() {
    an_old_database_is_taken_over(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_database_is_taken_over_on_postgres() {
    an_old_database_is_taken_over(Backend::Postgres).await;
}
