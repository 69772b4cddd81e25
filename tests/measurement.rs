//! What versions are measured by, and whether they helped.

mod diagnosis;
mod impact;
mod plans;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::executions::Reporter;
use crate::story::{Draft, Place, SET_PLAN, draft, process, publish};
use crate::support::{Client, World, literal};

/// A process with what is reported of it.
pub struct Measured<'a> {
    pub world: &'a World,
    pub place: &'a Place,
    pub key: String,
    pub reporter: Reporter,
    pub draft: Draft,
    sent: std::cell::Cell<usize>,
}

/// Runs that differ in few things.
#[derive(Clone, Copy)]
pub struct Runs {
    /// How many people performed them.
    pub people: usize,
    /// How many each.
    pub each: usize,
    /// In which days before now they started, the first and the last.
    pub days: (i64, i64),
    /// One in so many has an error.
    pub errs: usize,
    /// How many minutes each took.
    pub minutes: i64,
}

impl<'a> Measured<'a> {
    /// A process of this key, with the draft of its first version.
    pub async fn new(world: &'a World, place: &'a Place, key: &str) -> Self {
        let id = process(&place.author, &json!(place.team), key).await;
        let draft = draft(place, &place.author, &id, key).await;
        let reporter = Reporter::new(world, key);
        // A team is there from the first token on that names it.
        world.client(&["viewer@hr"], "hal").ok("{ me { source } }", json!({})).await;
        Self { world, place, key: key.to_owned(), reporter, draft, sent: std::cell::Cell::new(0) }
    }

    /// Declares a plan for the draft, with further fields.
    pub async fn plan(&self, fields: Value) -> Value {
        let mut input = json!({"versionId": self.draft.version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE"});
        for (name, value) in fields.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.place.author.mutate(SET_PLAN, json!({"input": input})).await["version"]["measurementPlan"].clone()
    }

    /// Publishes the draft.
    pub async fn publish(&self) {
        publish(self.place, &self.place.author, &self.draft).await;
    }

    /// One run, so many days before now.
    pub fn run(&self, person: Option<usize>, day: f64, minutes: i64, errors: usize) -> Value {
        self.sent.set(self.sent.get() + 1);
        let name = format!("{}-{}", self.key, self.sent.get());
        #[expect(clippy::cast_possible_truncation, reason = "seconds of some days")]
        let started = Utc::now() - Duration::seconds((day * 86_400.0) as i64);
        let mut item = json!({"eventId": name, "runId": name, "process": self.key, "startedAt": started.to_rfc3339(),
            "finishedAt": (started + Duration::minutes(minutes)).to_rfc3339(), "outcome": "SUCCEEDED",
            "adherence": "FOLLOWED", "errors": errors});
        if let Some(person) = person {
            item["actor"] = json!({"subject": format!("worker-{person}")});
            item["team"] = json!(if person % 2 == 0 { "ops" } else { "hr" });
        }
        item
    }

    /// Reports runs, spread evenly over their days.
    pub async fn report(&self, runs: Runs) {
        let Runs { people, each, days: (first, last), errs, minutes } = runs;
        let mut items = Vec::new();
        for person in 0..people {
            for n in 0..each {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let part = (n * people + person) as f64 / ((each * people).max(2) - 1) as f64;
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let day = first as f64 + part * (last - first) as f64;
                items.push(self.run(Some(person), day, minutes, usize::from((n + person).is_multiple_of(errs))));
            }
        }
        self.reporter.create("BACKFILL", &items).await;
    }

    /// As if a version had been in force from so many days before now until so many.
    pub async fn in_force(&self, version: &str, from: i64, until: Option<i64>) {
        let at = |days: i64| (Utc::now() - Duration::days(days)).timestamp_micros();
        let until = until.map_or("NULL".to_owned(), |days| at(days).to_string());
        let id = literal(self.world, version);
        let sql = format!("UPDATE version SET published_at = {}, ended_at = {until} WHERE id = {id}", at(from));
        self.world.execute(&sql).await;
    }

    /// What somebody is told of a version.
    pub async fn impact(&self, who: &Client, version: &str) -> Value {
        let query = "query($id: ID!) { versionImpact(versionId: $id) { version { label } predecessor { label } mature
            maturesAt primaryMetric verdict summary shortfalls { side floor has needs }
            before { from to runs people teams days } after { from to runs people teams days }
            leftOut { learning notWatched withoutActor people }
            adoption { difference { value } }
            errorRate { before { numerator denominator } after { numerator denominator }
                difference { value interval { low high } } }
            firstTimeRight { after { numerator denominator } }
            completionTime { runsBefore runsAfter medianBefore medianAfter ratio { value interval { low high } }
                quicker { value } } } }";
        who.ok(query, json!({"id": version})).await["versionImpact"].clone()
    }
}

/// The instant of an answer.
pub fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().to_utc()
}
