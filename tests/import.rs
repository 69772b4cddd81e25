//! Loading procedures and executions that exist elsewhere.

mod corpora;
mod incident_log;
mod incident_stream;
mod incidents;
mod runbooks;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Client, World};

/// Runs an import with `--json`; answers its report. It must go well.
async fn import(world: &World, what: &str, path: &Path, more: &[&str]) -> Value {
    let path = path.to_str().unwrap();
    let output = world.command(&[&["import", what, path, "--json"], more].concat()).await;
    assert!(output.status.success(), "{what}: {output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("not one JSON document: {}", output.stdout))
}

/// The real data, by `SOPWITH_TEST_DATA` or beside the repository. `None` means that it is not here and that this was
/// said; with `SOPWITH_TEST_REQUIRE_DATA=1` that panics instead.
fn data(wanted: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("SOPWITH_TEST_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(wanted);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("SOPWITH_TEST_REQUIRE_DATA").is_ok_and(|value| value == "1");
    assert!(!required, "SOPWITH_TEST_REQUIRE_DATA=1, but {} is not there", path.display());
    let line = format!("SKIPPED without the real data: {} is not there\n", path.display());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// How many entries the audit chain has.
async fn audited(world: &World) -> i64 {
    world.query_i64("SELECT COUNT(*) FROM audit_entry").await
}

/// All SOPs that somebody sees.
async fn sops(who: &Client) -> Vec<Value> {
    let query = "query($after: String) { sops(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes {
        id code title state team { key } owner { name } process { key }
        publishedVersion { label content { title objective steps { key instruction codeBlocks { text } } } approvalRequests {
            decisions { via comment person { name } } stages { role } } contributors { name } }
        openVersion { state content { title objective changeLog { what why } steps { key instruction } } } } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = who.ok(query, json!({"after": after})).await["sops"].clone();
        all.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// The keys of the steps of a content.
fn keys(content: &Value) -> Vec<&str> {
    content["steps"].as_array().unwrap().iter().map(|step| step["key"].as_str().unwrap()).collect()
}

/// Titles of what is found by a text, best first.
async fn found(who: &Client, text: &str) -> Vec<String> {
    let query = "query($text: String!) { search(text: $text, first: 5) { nodes { sop { title } } } }";
    let seen = who.ok(query, json!({"text": text})).await;
    let nodes = seen["search"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["sop"]["title"].as_str().unwrap().to_owned()).collect()
}
