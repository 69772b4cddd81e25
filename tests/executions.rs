//! Executions: what integrations report, how it becomes runs, and what figures say of them.

mod answers;
mod bounds;
pub mod bulk;
pub mod chaos;
mod clock;
mod conformance;
mod counters;
pub mod figures;
mod forms;
mod funnel;
mod group;
mod horizon;
mod lock;
mod order;
mod queue;
mod ranking;
mod reach;
mod retention;
mod scrape;
mod step_errors;
mod strain;
mod versions;
mod violations;
mod wire;

pub use forms::{begin, somebody_waits};
pub use lock::Lock;

use chrono::{DateTime, Datelike as _, Months, NaiveTime, Utc};
use serde_json::{Value, json};

use crate::story::{RECORD, text};
use crate::support::{Backend, Client, World, token};

/// A program that reports executions.
#[derive(Clone)]
pub struct Reporter {
    pub client: Client,
    pub source: String,
}

impl Reporter {
    /// An integration of a source.
    pub fn new(world: &World, source: &str) -> Self {
        Self::with_roles(world, source, &["integration"])
    }

    /// The same with other roles.
    pub fn with_roles(world: &World, source: &str, roles: &[&str]) -> Self {
        Self { client: world.client(roles, source).with_source(source), source: source.to_owned() }
    }

    /// The variables of a batch.
    pub fn batch(&self, mode: &str, items: &[Value]) -> Value {
        json!({"input": {"source": self.source, "mode": mode, "executions": items}})
    }

    /// Sends a batch; answers what became of each item.
    pub async fn send(&self, mode: &str, items: &[Value]) -> Vec<Value> {
        results(&self.client.mutate(RECORD, self.batch(mode, items)).await)
    }

    /// Sends one item, as it happens; answers what became of it.
    pub async fn one(&self, item: Value) -> Value {
        self.send("LIVE", &[item]).await.remove(0)
    }

    /// Sends items that must all become new runs.
    pub async fn create(&self, mode: &str, items: &[Value]) {
        for items in items.chunks(1000) {
            let answers = self.send(mode, items).await;
            let other = answers.iter().find(|answer| answer["status"] != "CREATED");
            assert!(other.is_none(), "not created: {other:?}");
        }
    }

    /// A run as somebody sees it.
    pub async fn run(&self, who: &Client, run: &str) -> Value {
        let query = "query($run: RunInput!) { execution(by: {run: $run}) {
            source mode process { key } sop { code } version { label } versionSource team { key } actor { name }
            startedAt finishedAt occurredAt outcome adherence errors rework clockCorrectedBy
            satisfaction { score by } violations { kind severity detail detectedByService }
            steps { key attempt startedAt finishedAt status } attributes } }";
        who.ok(query, json!({"run": {"source": self.source, "runId": run}})).await["execution"].clone()
    }
}

/// The answers of a batch, which must stand in their places.
pub fn results(payload: &Value) -> Vec<Value> {
    let answers = payload["results"].as_array().unwrap().clone();
    let places: Vec<_> = answers.iter().map(|answer| answer["index"].as_u64().unwrap()).collect();
    assert_eq!(places, (0..answers.len() as u64).collect::<Vec<_>>(), "answers stand in their places");
    answers
}

/// How often each status was answered.
pub fn count(answers: &[Value], status: &str) -> i64 {
    answers.iter().map(|answer| i64::from(answer["status"] == status)).sum()
}

/// Someone who reads all executions and figures.
pub fn everyone(world: &World) -> Client {
    world.client(&["manager"], "overseer")
}

/// The beginning of the month so many before this one, in UTC.
pub fn months_ago(months: u32) -> DateTime<Utc> {
    let now = DateTime::from_timestamp(i64::try_from(token::now()).unwrap(), 0).unwrap();
    let first = now.date_naive().with_day(1).unwrap() - Months::new(months);
    first.and_time(NaiveTime::MIN).and_utc()
}

/// The time so many seconds from now.
pub fn from_now(seconds: i64) -> String {
    let now = i64::try_from(token::now()).unwrap();
    DateTime::from_timestamp(now + seconds, 0).unwrap().to_rfc3339()
}

/// A record of an attempt at a step, with its times as far as they are told.
pub fn step(key: &str, attempt: i64, status: &str, times: [Option<DateTime<Utc>>; 2]) -> Value {
    let [began, ended] = times.map(|at| json!(at.map(|at| at.to_rfc3339())));
    with(json!({"key": key, "attempt": attempt, "status": status}), [("startedAt", began), ("finishedAt", ended)])
}

/// That a query is bad input, by the field that it begins to speak of.
pub async fn assert_bad_input(who: &Client, query: &str, variables: Value, path: &str) {
    let answer = who.send(query, variables).await.body;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    assert!(text(&error["message"]).starts_with(path), "{answer}");
}

/// An item with further fields, but for those that say nothing.
pub fn with<'a>(mut item: Value, fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
        item[name] = value;
    }
    item
}

/// Has each run so many times more, with its steps, under ids of chance. Roll-ups know nothing of them.
pub async fn multiply(world: &World, times: u32) {
    let id = match world.backend {
        Backend::Sqlite => "randomblob(16)",
        Backend::Postgres => "gen_random_uuid()",
    };
    let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {times})");
    let columns = "mode, process_id, sop_id, version_id, version_source, team_id, actor_id, started_at, finished_at, \
        occurred_at, received_at, clock_lead, outcome, adherence, errors, rework, violations, satisfaction, \
        satisfaction_by, attributes, facts";
    let runs = format!(
        "{numbers} INSERT INTO execution (id, source, run_id, {columns}) \
         SELECT {id}, source, run_id || '-' || i, {columns} FROM execution CROSS JOIN n"
    );
    let columns = "key, attempt, step.started_at, step.finished_at, status";
    let steps = format!(
        "{numbers} INSERT INTO execution_step (execution_id, key, attempt, started_at, finished_at, status) \
         SELECT copy.id, {columns} FROM execution_step AS step JOIN execution AS one ON one.id = step.execution_id \
            CROSS JOIN n JOIN execution AS copy ON copy.source = one.source AND copy.run_id = one.run_id || '-' || i"
    );
    world.execute(&runs).await;
    world.execute(&steps).await;
}

/// Waits until every change is in the roll-ups.
pub async fn compacted(world: &World) {
    while world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
