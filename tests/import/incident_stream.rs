//! The real incident log, sent event by event over a network that fails: every batch twice, all of them in any order,
//! and one in ten cut off by a connection that is closed, some before all of the body was sent and some before the
//! answer. Whoever has no answer sends again. In the end nothing is lost and nothing counts twice.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::incident_log::{INCIDENTS, assert_figures_agree, packed, unpacked};
use crate::executions::bulk::{LINES, body, counted};
use crate::executions::{Reporter, chaos::verify};
use crate::story::RECORD;
use crate::support::{Dice, Raw, World, both};

const SEED: u64 = 2016;
/// Events to a batch: as many as one may have.
const BATCH: usize = 1_000;
/// How many send at the same time.
const SENDERS: usize = 2;
/// Every so many-th batch is cut off.
const CUT: usize = 10;
/// Every so many-th batch is sent as GraphQL, the others to the endpoint for many executions.
const GRAPHQL: usize = 8;

/// What is read of a row of the log.
#[derive(Deserialize)]
struct Row {
    number: String,
    incident_state: String,
    reassignment_count: i64,
    reopen_count: i64,
    sys_mod_count: i64,
    made_sla: bool,
    opened_at: String,
    sys_updated_at: String,
    category: String,
    subcategory: String,
    assigned_to: String,
    resolved_by: String,
    resolved_at: String,
    closed_at: String,
    knowledge: bool,
}

/// What is not missing.
fn there(text: &str) -> Option<&str> {
    Some(text).filter(|text| *text != "?")
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    let read = |text| NaiveDateTime::parse_from_str(text, "%d/%m/%Y %H:%M").expect("a time of the log");
    there(text).map(|text| read(text).and_utc())
}

/// A name as part of a key.
fn word(name: &str) -> String {
    let plain: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' }).collect();
    there(name).map_or("unknown".to_owned(), |_| plain.split_whitespace().collect::<Vec<_>>().join("-"))
}

impl Row {
    /// What it tells as the so many-th of its incident: what has happened by then, and nothing of what comes later.
    fn event(&self, place: usize) -> Value {
        let mut event = json!({
            "eventId": format!("{}/{place}", self.number),
            "runId": self.number,
            "revision": place,
            "process": format!("{}-{}", word(&self.category), word(&self.subcategory)),
            "occurredAt": instant(&self.sys_updated_at),
            "startedAt": instant(&self.opened_at),
            "adherence": if self.knowledge { "FOLLOWED" } else { "NOT_FOLLOWED" },
            "rework": self.reopen_count + self.reassignment_count,
            "violations": if self.made_sla { json!([]) } else { json!([{"kind": "SLA", "severity": "MAJOR"}]) },
        });
        if self.incident_state == "Closed" {
            event["finishedAt"] = json!(instant(&self.resolved_at).or_else(|| instant(&self.closed_at)));
            event["outcome"] = json!("SUCCEEDED");
        }
        if let Some(who) = there(&self.resolved_by).or_else(|| there(&self.assigned_to)) {
            event["actor"] = json!({"subject": who});
        }
        event
    }
}

/// All rows of all incidents, as events: each says how its incident stood then.
fn events(csv: &Path) -> Vec<Value> {
    let mut incidents: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in csv::Reader::from_path(csv).unwrap().into_deserialize() {
        let row: Row = row.unwrap();
        incidents.entry(row.number.clone()).or_default().push(row);
    }
    // Rows that are equal in this stay in the order of the file.
    for rows in incidents.values_mut() {
        rows.sort_by_cached_key(|row| (row.sys_mod_count, instant(&row.sys_updated_at)));
    }
    let places = incidents.values().flat_map(|rows| rows.iter().enumerate());
    places.map(|(place, row)| row.event(place)).collect()
}

/// A batch under way.
#[derive(Clone)]
struct Batch {
    events: Arc<Vec<Value>>,
    as_graphql: bool,
}

impl Batch {
    /// Where it goes, as what, and what it says.
    fn request(&self, by: &Reporter) -> (&'static str, &'static str, String) {
        if self.as_graphql {
            let body = json!({"query": RECORD, "variables": by.batch("BACKFILL", &self.events)});
            ("/graphql", "application/json", body.to_string())
        } else {
            ("/v1/executions?mode=BACKFILL", LINES, body(&self.events))
        }
    }

    /// Sends it over a connection that is closed in the midst of the body, or after it without a look at the answer.
    async fn cut_off(&self, raw: &Raw, by: &Reporter, dice: &mut Dice) -> bool {
        let (path, kind, body) = self.request(by);
        let address = raw.url("").strip_prefix("http://").unwrap().to_owned();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            by.client.token,
            body.len()
        );
        let in_the_midst = dice.roll(2) == 0;
        let sent = if in_the_midst { dice.place(body.len()) } else { body.len() };
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body.as_bytes()[..sent]).await.unwrap();
        // It may be before the service has begun with it, while it is at it, or when it has the answer ready.
        tokio::time::sleep(Duration::from_millis(dice.roll(600))).await;
        drop(stream);
        in_the_midst
    }

    /// Sends it until it is answered; answers with the statuses.
    async fn insist(&self, raw: &Raw, by: &Reporter) -> Vec<String> {
        let (path, kind, body) = self.request(by);
        for _ in 0..200 {
            let request = raw.http.post(raw.url(path)).bearer_auth(&by.client.token).header("content-type", kind);
            let answer = request.body(body.clone()).send().await;
            if let Ok(answer) = answer
                && answer.status() == 200
                && let Ok(text) = answer.text().await
            {
                let answers: Vec<Value> = if self.as_graphql {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    told["data"]["executionsRecord"]["results"].as_array().cloned().unwrap_or_default()
                } else {
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
                };
                // Where there was no room for it, or not for all of it, that is said instead.
                if answers.len() == self.events.len() && answers.iter().all(|answer| answer["status"].is_string()) {
                    return answers.iter().map(|answer| answer["status"].as_str().unwrap().to_owned()).collect();
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("a batch is not answered however often it is sent");
    }
}

/// What somebody met who sent.
#[derive(Default)]
struct Met {
    answered: usize,
    cut_in_the_midst: usize,
    cut_before_the_answer: usize,
    statuses: BTreeMap<String, usize>,
}

/// Sends batches until none is left.
async fn send(raw: Raw, by: Reporter, left: Arc<Mutex<VecDeque<(usize, Batch)>>>) -> Met {
    let mut met = Met::default();
    loop {
        let next = left.lock().unwrap().pop_front();
        let Some((number, batch)) = next else { return met };
        if number.is_multiple_of(CUT) {
            let mut dice = Dice::new(SEED + number as u64);
            let cut = if batch.cut_off(&raw, &by, &mut dice).await {
                &mut met.cut_in_the_midst
            } else {
                &mut met.cut_before_the_answer
            };
            *cut += 1;
        }
        for status in batch.insist(&raw, &by).await {
            met.answered += 1;
            *met.statuses.entry(status).or_default() += 1;
        }
    }
}

both! {
    async fn what_is_cut_off_and_sent_again_counts_once(world: World) {
        let Some(log) = packed() else { return };
        let folder = tempfile::tempdir().unwrap();
        let csv = unpacked(&log, folder.path());
        let mut dice = Dice::new(SEED);
        let mut events = events(&csv);
        let known = events.len();
        dice.shuffle(&mut events);
        let batches = events.chunks(BATCH).enumerate();
        let mut all: Vec<Batch> = batches.map(|(n, events)| Batch { events: Arc::new(events.to_vec()), as_graphql: n.is_multiple_of(GRAPHQL) }).collect();
        all.extend(all.clone());
        dice.shuffle(&mut all);
        let sent = all.len();

        let left = Arc::new(Mutex::new(all.into_iter().enumerate().collect::<VecDeque<_>>()));
        // An author too, since nobody else makes the processes that are not known.
        let by = Reporter::with_roles(&world, "incident-log", &["integration", "author"]);
        let senders: JoinSet<Met> = (0..SENDERS).map(|_| send(world.raw(), by.clone(), Arc::clone(&left))).collect();
        let met = senders.join_all().await;

        let cut = |of: fn(&Met) -> usize| met.iter().map(of).sum::<usize>();
        let (midst, after) = (cut(|met| met.cut_in_the_midst), cut(|met| met.cut_before_the_answer));
        assert_eq!(midst + after, sent.div_ceil(CUT));
        assert!(midst.min(after) >= 3, "both ways: {midst} {after}");
        let answered = cut(|met| met.answered);
        assert_eq!(answered, known * 2, "every event was answered twice");
        let statuses: Vec<&String> = met.iter().flat_map(|met| met.statuses.keys()).collect();
        let taken = |status: &&&String| ["CREATED", "UPDATED", "STALE", "DUPLICATE"].contains(&status.as_str());
        assert!(statuses.iter().all(|status| taken(&status)), "{statuses:?}");
        let all_taken: f64 = counted(&world).await.iter().map(|(_, count)| count).sum();
        #[expect(clippy::cast_precision_loss, reason = "some ten thousands")]
        let unheard = all_taken - answered as f64;
        assert!(unheard > 0.0, "some of what was cut off was taken all the same");

        let count = async |table: &str| world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(count("execution").await, INCIDENTS);
        assert_eq!(count("execution_event").await, i64::try_from(known).unwrap(), "no event is lost and none is there twice");
        let (agrees, told) = verify(&world).await;
        assert!(agrees, "{told}");
        assert_eq!((&told["drift"], &told["executions"]), (&json!(0), &json!(INCIDENTS)));
        assert_figures_agree(&world, &csv).await;
    }
}
