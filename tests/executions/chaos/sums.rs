//! The figures once more, from the events that were taken: which of them rules a field, which version a run used, how far
//! it kept to its steps, and sums of that. It shares nothing with the service and reads nothing of what that has stored.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::events::{InForce, Setting};
use crate::executions::everyone;
use crate::story::text;
use crate::support::World;

/// Counts of a group of runs, by where the API tells them.
pub type Tally = BTreeMap<&'static str, i64>;

const FIELDS: &str = "process { key } version { label } team { key } bucketStart runs withoutStart
    adoption { followed deviated notFollowed } errorRate { numerator denominator } firstTimeRight { numerator }
    rework { numerator } reportedVersion { numerator } coverage { numerator } currentVersion { numerator denominator }
    conformance { known { numerator } full { numerator } checks deviations } violations { events } abandonment { numerator }
    violationsBySeverity { minor { events } major { events } critical { events } }
    completionTime { n open mean completedOnly { p50 { value } p95 { value } } }
    customer: satisfaction(of: CUSTOMER) { mean satisfied { numerator } responses { numerator } }
    performer: satisfaction(of: PERFORMER) { mean satisfied { numerator } responses { numerator } }";

/// What the API says of the groups of some of PROCESS, VERSION and TEAM by time, by their names.
pub async fn told(world: &World, by: &[&str], bucket: &str) -> BTreeMap<String, Value> {
    let query = format!("query($by: [FiguresDimension!]) {{ figures(groupBy: $by, bucket: {bucket}) {{ {FIELDS} }} }}");
    let seen = everyone(world).ok(&query, json!({"by": by})).await;
    let part = |row: &Value, at: &str| row.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name =
        |row: &Value| ["/process/key", "/version/label", "/team/key", "/bucketStart"].map(|at| part(row, at)).join(" ");
    seen["figures"].as_array().unwrap().iter().map(|row| (name(row), row.clone())).collect()
}

/// The event that rules something: its revision, and between equals its id.
type Stamp = (i64, String);

/// What was told of a run.
#[derive(Default)]
struct Run {
    fields: BTreeMap<String, (Stamp, Value)>,
    steps: BTreeMap<(String, i64), (Stamp, Value)>,
    /// In which months it was said to have begun.
    months: BTreeSet<String>,
}

/// What figures say of a run, and where.
struct Counted {
    process: String,
    version: String,
    team: String,
    at: DateTime<Utc>,
    tally: Tally,
}

impl Run {
    fn take(&mut self, event: &Value) {
        let stamp = (event["revision"].as_i64().unwrap(), text(&event["eventId"]));
        for (name, value) in event.as_object().unwrap().iter().filter(|(name, _)| *name != "steps") {
            rule(&mut self.fields, name.clone(), &stamp, value);
        }
        for step in event["steps"].as_array().into_iter().flatten() {
            let place = (text(&step["key"]), step["attempt"].as_i64().unwrap());
            rule(&mut self.steps, place, &stamp, step);
        }
        self.months.extend(event["startedAt"].as_str().map(|at| at[..7].to_owned()));
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.field(name).and_then(Value::as_str)
    }

    fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.field(name).map(instant)
    }

    fn is_finished(&self) -> bool {
        self.field("finishedAt").is_some() || self.field("outcome").is_some()
    }

    /// (Checks, deviations) of a run that ended and tells of steps.
    fn conformance(&self, of: &InForce) -> Option<(usize, usize)> {
        let mut done: BTreeMap<&str, Option<DateTime<Utc>>> = BTreeMap::new();
        for ((key, _), (_, record)) in self.steps.iter().filter(|(_, (_, record))| record["status"] != "SKIPPED") {
            let first = done.entry(key).or_default();
            *first = first.iter().copied().chain(record.get("startedAt").map(instant)).min();
        }
        let is_done = |key: &str| done.contains_key(key);
        // Nobody owes what comes after the last step of a run that stopped.
        let stopped = matches!(self.text("outcome"), Some("FAILED" | "ABANDONED"));
        let last = of.steps.iter().rposition(|(key, _)| is_done(key)).map_or(0, |place| place + 1);
        let way = if stopped { &of.steps[..last] } else { of.steps };
        let skipped = way.iter().filter(|(key, mandatory)| *mandatory && !is_done(key)).count();
        let owed = way.iter().filter(|(key, mandatory)| *mandatory && is_done(key)).count();
        let place = |key: &str| of.steps.iter().position(|(own, _)| *own == key);
        let extra = done.keys().filter(|key| place(key).is_none()).count();
        let mut timed: Vec<_> = done.iter().filter_map(|(key, at)| Some(((*at)?, place(key)?))).collect();
        timed.sort_unstable();
        let places: Vec<usize> = timed.into_iter().map(|(_, place)| place).collect();
        let checks = skipped + owed + done.len();
        let ended = self.is_finished() && !self.steps.is_empty() && checks > 0;
        ended.then_some((checks, skipped + extra + places.len() - longest(&places)))
    }

    /// What is counted of it; `received` is when it was told of last, where neither its start nor its end is known.
    fn counted(&self, setting: &Setting, received: Option<DateTime<Utc>>) -> Counted {
        let process = self.text("process").unwrap_or("password-reset");
        let (started, finished) = (self.time("startedAt"), self.time("finishedAt"));
        let at = started.or(finished).or(self.time("occurredAt"));
        let versions = || setting.versions.iter().filter(move |version| version.process == process);
        let over = |version: &InForce| version.until.is_some_and(|until| at.is_some_and(|at| at >= until));
        let in_force = versions().find(|version| at.is_some_and(|at| version.from <= at) && !over(version));
        let label = self.text("version");
        let named = label.and_then(|label| versions().find(|version| version.label == label));
        let used = if label.is_some() { named } else { in_force };
        let current = named.zip(in_force).map(|(named, in_force)| named.label == in_force.label);
        let outdated = named.is_some_and(over);

        let says = |name: &str, what: &str| self.text(name) == Some(what);
        let count = |name: &str| self.field(name).map_or(0, |value| value.as_i64().unwrap());
        let (is_finished, errors, again) = (self.is_finished(), count("errors"), count("rework") > 0);
        let breaches = self.field("violations").and_then(Value::as_array).cloned().unwrap_or_default();
        let grave = |severity: &str| breaches.iter().filter(|breach| breach["severity"] == severity).count();
        let score = |by: &str| {
            self.field("satisfaction").filter(|said| said["by"] == by).map(|said| said["score"].as_i64().unwrap())
        };
        let right = says("outcome", "SUCCEEDED") && errors == 0 && !again && breaches.is_empty() && !outdated;
        let conformance = used.and_then(|version| self.conformance(version));
        let yes = <usize as From<bool>>::from;
        let tally = [
            ("/runs", 1),
            ("/withoutStart", yes(started.is_none())),
            ("/adoption/followed", yes(says("adherence", "FOLLOWED"))),
            ("/adoption/deviated", yes(says("adherence", "DEVIATED"))),
            ("/adoption/notFollowed", yes(says("adherence", "NOT_FOLLOWED"))),
            ("/errorRate/numerator", yes(is_finished && (errors > 0 || says("outcome", "FAILED")))),
            ("/errorRate/denominator", yes(is_finished)),
            ("/firstTimeRight/numerator", yes(right)),
            ("/rework/numerator", yes(again)),
            ("/reportedVersion/numerator", yes(named.is_some())),
            ("/coverage/numerator", yes(current.is_some() || (label.is_none() && in_force.is_some()))),
            ("/currentVersion/numerator", yes(current == Some(true))),
            ("/currentVersion/denominator", yes(current.is_some())),
            ("/conformance/known/numerator", yes(conformance.is_some())),
            ("/conformance/full/numerator", yes(conformance.is_some_and(|(_, deviations)| deviations == 0))),
            ("/conformance/checks", conformance.map_or(0, |(checks, _)| checks)),
            ("/conformance/deviations", conformance.map_or(0, |(_, deviations)| deviations)),
            ("/violationsBySeverity/minor/events", grave("MINOR") + yes(outdated)),
            ("/violationsBySeverity/major/events", grave("MAJOR")),
            ("/violationsBySeverity/critical/events", grave("CRITICAL")),
            ("/completionTime/n", yes(started.and(finished).is_some() && !says("outcome", "ABANDONED"))),
            ("/completionTime/open", yes(started.is_some() && !is_finished)),
            ("/customer/responses/numerator", yes(score("CUSTOMER").is_some())),
            ("/customer/satisfied/numerator", yes(score("CUSTOMER").is_some_and(|score| score >= 4))),
            ("/performer/responses/numerator", yes(score("PERFORMER").is_some())),
            ("/performer/satisfied/numerator", yes(score("PERFORMER").is_some_and(|score| score >= 4))),
        ];
        Counted {
            process: process.to_owned(),
            version: used.map_or("", |version| version.label).to_owned(),
            team: self.text("team").unwrap_or_default().to_owned(),
            at: started.or(finished).or(received).unwrap(),
            tally: tally.map(|(name, count)| (name, i64::try_from(count).unwrap())).into(),
        }
    }
}

fn rule<K: Ord>(of: &mut BTreeMap<K, (Stamp, Value)>, key: K, stamp: &Stamp, value: &Value) {
    if of.get(&key).is_none_or(|(by, _)| by < stamp) {
        of.insert(key, (stamp.clone(), value.clone()));
    }
}

fn instant(value: &Value) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().to_utc()
}

/// The longest series that runs forward, by trying all.
fn longest(places: &[usize]) -> usize {
    let chosen = |of: u32| (0..places.len()).filter(move |i| (of >> i) & 1 == 1).map(move |i| places[i]);
    (0..1_u32 << places.len()).filter(|of| chosen(*of).is_sorted()).map(|of| chosen(of).count()).max().unwrap()
}

/// That the figures are those of the events that were taken, none of them of a training run, and that there is something
/// to tell of everything.
pub async fn assert_figures_are_of(world: &World, setting: &Setting, events: impl Iterator<Item = &Value>) {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for event in events {
        runs.entry(text(&event["runId"])).or_default().take(event);
    }
    let mut counted = Vec::new();
    for (name, run) in &runs {
        let mut received = None;
        if run.field("startedAt").or(run.field("finishedAt")).is_none() {
            let sql = format!("SELECT received_at FROM execution WHERE run_id = '{name}'");
            received = DateTime::from_timestamp_micros(world.query_i64(&sql).await);
        }
        counted.push(run.counted(setting, received));
    }
    for by in [&[][..], &["TEAM"], &["PROCESS", "VERSION"], &["PROCESS", "VERSION", "TEAM"]] {
        for (bucket, form) in [("MONTH", "%Y-%m-01T00:00:00Z"), ("DAY", "%Y-%m-%dT00:00:00Z")] {
            let mut expected: BTreeMap<String, Tally> = BTreeMap::new();
            for Counted { process, version, team, at, tally } in &counted {
                let part = |name: &str, value: &String| if by.contains(&name) { value.clone() } else { String::new() };
                let start = at.format(form).to_string();
                let name = [part("PROCESS", process), part("VERSION", version), part("TEAM", team), start].join(" ");
                let sum = expected.entry(name).or_default();
                for (at, count) in tally {
                    *sum.entry(*at).or_default() += count;
                }
            }
            let told = told(world, by, bucket).await;
            let groups = |of: Vec<&String>| of.into_iter().cloned().collect::<Vec<_>>();
            assert_eq!(groups(told.keys().collect()), groups(expected.keys().collect()), "{by:?} {bucket}");
            for (name, tally) in &expected {
                let said = tally.keys().map(|at| (*at, told[name].pointer(at).and_then(Value::as_i64).unwrap()));
                assert_eq!(&said.collect::<Tally>(), tally, "{by:?} {bucket}: {name}");
            }
        }
    }
    assert_telling(&runs, &counted);
}

/// That no count is empty, and that shares are neither none nor all, so that a difference in any of them would be seen.
fn assert_telling(runs: &BTreeMap<String, Run>, counted: &[Counted]) {
    let sum = |at: &str| counted.iter().map(|run| run.tally[at]).sum::<i64>();
    let mut all = Tally::new();
    for (at, count) in counted.iter().flat_map(|run| &run.tally) {
        *all.entry(*at).or_default() += count;
    }
    assert!(all.values().all(|count| *count > 0), "there is something of each: {all:?}");
    for (part, whole) in [
        ("/reportedVersion/numerator", "/runs"),
        ("/coverage/numerator", "/runs"),
        ("/errorRate/numerator", "/errorRate/denominator"),
        ("/errorRate/denominator", "/runs"),
        ("/rework/numerator", "/runs"),
        ("/currentVersion/numerator", "/currentVersion/denominator"),
        ("/currentVersion/denominator", "/reportedVersion/numerator"),
        ("/conformance/known/numerator", "/errorRate/denominator"),
        ("/conformance/full/numerator", "/conformance/known/numerator"),
        ("/conformance/deviations", "/conformance/checks"),
    ] {
        assert!(sum(part) < sum(whole), "not all: {part} of {whole} in {all:?}");
    }
    let some = |of: fn(&Counted) -> String| counted.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(some(|run| run.team.clone()), 3, "two teams and none");
    assert_eq!(some(|run| format!("{} {}", run.process, run.version)), 5, "three versions, and none of each process");
    assert!(some(|run| run.at.format("%Y-%m").to_string()) > 6);
    let moved = runs.values().filter(|run| run.months.len() > 1).count();
    assert!(moved > 20, "starts moved from month to month: {moved}");
}
