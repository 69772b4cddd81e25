//! `sopwith demo`: one command, and there is something to look at.

use std::path::Path;

use serde_json::{Value, json};

use super::{Running, run, stderr};
use crate::support::respond;

const ROLES: [&str; 7] = ["viewer", "author", "reviewer", "approver", "manager", "integration", "admin"];
const START: [&str; 6] = ["demo", "--port", "0", "--json", "--database", "demo.db"];

/// Asks the demo something, by the token of a role; it must go well.
async fn ask(demo: &Running, role: &str, query: &str) -> Value {
    let url = format!("{}/graphql", demo.first["url"].as_str().unwrap());
    let token = demo.first["tokens"][role].as_str().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).bearer_auth(token).header("accept", "application/json");
    let answer = respond(request.json(&json!({"query": query}))).await;
    assert!(answer.body.get("errors").is_none(), "{role}: {query}: {answer:?}");
    answer.body["data"].clone()
}

/// Everything that counts what was loaded.
async fn loaded(demo: &Running) -> Value {
    let query = "{ sops { totalCount } executions { totalCount } figures { runs } audit { totalCount } }";
    let seen = ask(demo, "manager", query).await;
    assert!(seen["sops"]["totalCount"].as_i64().unwrap() >= 5, "{seen}");
    assert!(seen["executions"]["totalCount"].as_i64().unwrap() >= 100, "{seen}");
    seen
}

fn verify(folder: &Path) {
    let database = format!("sqlite://{}", folder.join("demo.db").display());
    let verified = run(folder, &["audit", "verify"], &[("SOPWITH_DATABASE_URL", &database)]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_shows_something_to_every_role() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Running::start(folder.path(), &START, &[]);
    assert!(demo.first["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{}", demo.first);
    assert_eq!(demo.first["tokens"].as_object().unwrap().len(), ROLES.len());
    for role in ROLES {
        let me = ask(&demo, role, "{ me { person { name } source roles { role } } }").await;
        assert_eq!(me["me"]["roles"], json!([{"role": role}]));
        let name = me["me"]["person"]["name"].as_str().unwrap();
        assert!(name.contains("simulated"), "everyone is labelled: {name}");
        assert_eq!(me["me"]["source"].is_string(), role == "integration");
    }
    let found = ask(
        &demo,
        "viewer",
        "{ search(text: \"password locked\", first: 3) { nodes { snippet sop { code title } } } }",
    )
    .await;
    let first = &found["search"]["nodes"][0]["sop"]["title"];
    assert!(first.as_str().unwrap().to_lowercase().contains("password"), "{found}");
    let query = "{ figures(groupBy: [PROCESS]) { process { key } runs adoption { known { numerator denominator } } \
        completionTime { n p50 { value } p95 { value } } errorRate { numerator } } }";
    let figures = ask(&demo, "manager", query).await;
    let figures = figures["figures"].as_array().unwrap();
    assert!(figures.len() >= 3, "{figures:?}");
    assert!(figures.iter().any(|row| row["completionTime"]["p95"]["value"].is_string()), "{figures:?}");
    let states = ask(&demo, "manager", "{ sops(first: 100) { nodes { state openRequest { state } } } }").await;
    let states: Vec<&str> =
        states["sops"]["nodes"].as_array().unwrap().iter().map(|sop| sop["state"].as_str().unwrap()).collect();
    assert!(["PUBLISHED", "IN_REVIEW", "DRAFT"].iter().all(|state| states.contains(state)), "{states:?}");
    let before = loaded(&demo).await;
    let old = demo.first["tokens"]["admin"].clone();
    verify(folder.path());
    assert_eq!(demo.stop(), Some(0));

    // A second start serves what is there, by other tokens.
    let mut again = Running::start(folder.path(), &START, &[]);
    assert_eq!(loaded(&again).await, before);
    assert_ne!(again.first["tokens"]["admin"], old);
    again.first["tokens"]["old"] = old;
    let url = format!("{}/graphql", again.first["url"].as_str().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(url).bearer_auth(again.first["tokens"]["old"].as_str().unwrap());
    assert_eq!(respond(request.json(&json!({"query": "{ me { source } }"}))).await.status, 401, "the secret is new");
    assert_eq!(again.stop(), Some(0));
    verify(folder.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_without_a_name_for_its_data_leaves_none_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Running::start(folder.path(), &["demo", "--port", "0", "--json"], &[]);
    loaded(&demo).await;
    assert_eq!(demo.stop(), Some(0));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["err.log"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_does_not_touch_another_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("demo.db").display());
    assert!(run(folder.path(), &["migrate"], &[("SOPWITH_DATABASE_URL", &database)]).status.success());
    let before = std::fs::read(folder.path().join("demo.db")).unwrap();
    let refused = run(folder.path(), &START, &[]);
    assert!(!refused.status.success() && stderr(&refused).contains("demo.db"), "{}", stderr(&refused));
    assert!(std::fs::read(folder.path().join("demo.db")).unwrap() == before);
}
