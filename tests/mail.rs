//! Events, reminders and mail: who is told what, when, and how often.

mod delivery;
mod notifications;
mod reminders;
mod smtp;
mod trouble;

use std::time::Duration;

use serde_json::{Value, json};

use self::smtp::Smtp;
use crate::story::{Draft, Place, draft, process};
use crate::support::{Client, World};

const NOTIFICATIONS: &str =
    "{ me { notifications { totalCount nodes { id kind at text sop { code } request { id state }
    comment { body } } } } }";

/// Jobs that run every second.
const FAST: (&str, &str) = ("SOPWITH_SCHEDULER_INTERVAL_SECONDS", "1");

/// What concerns somebody, newest first.
async fn notifications(who: &Client) -> Vec<Value> {
    let found = who.ok(NOTIFICATIONS, json!({})).await["me"]["notifications"].take();
    let nodes = found["nodes"].as_array().unwrap().clone();
    assert_eq!(found["totalCount"], nodes.len(), "{found}");
    nodes
}

/// Their kinds.
async fn kinds(who: &Client) -> Vec<String> {
    notifications(who).await.iter().map(|n| n["kind"].as_str().unwrap().to_owned()).collect()
}

/// Settings for mail to a server, in the clear, with quick attempts; the last of two for one setting holds.
fn settings<'a>(port: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        FAST,
        ("SOPWITH_MAIL__HOST", "127.0.0.1"),
        ("SOPWITH_MAIL__PORT", port),
        ("SOPWITH_MAIL__ENCRYPTION", "NONE"),
        ("SOPWITH_MAIL__FROM", "Sopwith <sopwith@example.org>"),
        ("SOPWITH_MAIL__BASE_URL", "https://sops.example.org/"),
        ("SOPWITH_MAIL__RETRY_AFTER_SECONDS", "1"),
        ("SOPWITH_MAIL__MAX_ATTEMPTS", "3"),
    ];
    all.extend_from_slice(more);
    all
}

/// The world's server anew, with mail to a server of the test's.
async fn with_mail(world: &mut World, more: &[(&str, &str)]) -> Smtp {
    let server = Smtp::start(None).await;
    world.restart_with(&settings(&server.port.to_string(), more)).await;
    server
}

/// A draft of a process of its own.
async fn fresh(place: &Place, key: &str, title: &str) -> Draft {
    let process = process(&place.author, &json!(place.team), key).await;
    draft(place, &place.author, &process, title).await
}

/// Waits until a count in the database is as wanted, at most half a minute.
async fn until(world: &World, sql: &str, wanted: i64) {
    let mut found = -1;
    for _ in 0..150 {
        found = world.query_i64(sql).await;
        if found == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{found}, not {wanted}: {sql}");
}

/// How many events of a kind there are.
fn events(kind: &str) -> String {
    format!("SELECT COUNT(*) FROM event WHERE kind = '{kind}'")
}

/// How many deliveries are in a state.
fn deliveries(state: &str) -> String {
    format!("SELECT COUNT(*) FROM mail_delivery WHERE state = '{state}'")
}

/// Time enough for every job to have run twice.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(2500)).await;
}
