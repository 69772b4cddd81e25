//! What the writers say of runs: beginnings, ends and corrections, in any order.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::executions::{months_ago, step};
use crate::story::{
    CREATE_TEAM, CREATE_VERSION, Draft, Place, content, draft, number, process, publish, published, text,
};
use crate::support::{Dice, World, literal};

/// Few, so that most events correct a run that another batch may be changing.
const RUNS: u64 = 150;
/// Hours from the start of one run to that of the next: all begin within eight months and a bit.
const APART: u64 = 40;
/// Minutes by which a start is told too early: across an hour, a day or a month, so that no end is before a start.
const EARLIER: [i64; 6] = [0, 0, 0, 20, 25 * 60, 33 * 24 * 60];

/// A version that was in force for a time.
#[derive(Clone)]
pub struct InForce {
    pub process: &'static str,
    pub label: &'static str,
    pub from: DateTime<Utc>,
    pub until: Option<DateTime<Utc>>,
    /// Keys of its steps, each with whether it is mandatory.
    pub steps: &'static [(&'static str, bool)],
}

/// What runs are told of.
#[derive(Clone)]
pub struct Setting {
    /// When the first run began.
    first: DateTime<Utc>,
    /// The code of the SOP that has two versions.
    code: String,
    pub versions: Vec<InForce>,
}

const OLD_STEPS: &[(&str, bool)] = &[("identify", true), ("reset", true)];
const NEW_STEPS: &[(&str, bool)] = &[("identify", true), ("reset", true), ("note", false), ("confirm", true)];

impl Setting {
    /// Two processes with their procedures, one of which was changed in the midst of the runs, and two teams.
    pub async fn make(world: &World, place: &Place) -> Self {
        let team = json!({"input": {"key": "night", "name": "Night shift"}});
        place.admin.mutate(CREATE_TEAM, team).await;
        let old = published(place, "Reset a password").await;
        let new = changed(place, &old).await;
        let restore = process(&place.author, &json!(place.team), "restore").await;
        let other = draft(place, &place.author, &restore, "Restore a backup").await;
        publish(place, &place.author, &other).await;
        let in_force = |process, label, from, until: Option<u32>, steps| InForce {
            process,
            label,
            from: months_ago(from),
            until: until.map(months_ago),
            steps,
        };
        let versions = vec![
            in_force("password-reset", "1.0", 7, Some(4), OLD_STEPS),
            in_force("password-reset", "2.0", 4, None, NEW_STEPS),
            in_force("restore", "1.0", 5, None, OLD_STEPS),
        ];
        for (draft, InForce { from, until, .. }) in [&old, &new, &other].into_iter().zip(&versions) {
            let until = until.map_or("NULL".to_owned(), |at| at.timestamp_micros().to_string());
            let (from, id) = (from.timestamp_micros(), literal(world, &draft.version));
            world
                .execute(&format!("UPDATE version SET published_at = {from}, ended_at = {until} WHERE id = {id}"))
                .await;
        }
        Self { first: months_ago(9), code: old.code, versions }
    }

    /// An event of a run, with a revision of so much or more that says which rules. Of some runs some things are told
    /// rarely or never, however many events they have.
    pub fn event(&self, dice: &mut Dice, id: &str, kind: &str, least: u64) -> Value {
        let run = dice.roll(RUNS);
        let nature = run % 8;
        let rarely = dice.roll(40) == 0;
        let at = self.first + minutes(run * APART * 60);
        let mut item = json!({"eventId": id, "runId": format!("{kind}{run}"), "revision": least + dice.roll(1_000)});
        // A run whose process is corrected leaves one set of sums for another.
        let process = if dice.roll(4) == 0 { "restore" } else { "password-reset" };
        let by_code = nature == 4;
        if by_code {
            item["sop"] = json!(self.code);
        } else {
            item["process"] = json!(process);
        }
        if rarely || (![0, 2].contains(&nature) && dice.roll(4) > 0) {
            item["startedAt"] = json!((at - TimeDelta::minutes(dice.pick(&EARLIER))).to_rfc3339());
        }
        if rarely || (![1, 2].contains(&nature) && dice.roll(3) > 0) {
            let ended = (at + minutes(dice.roll(600))).to_rfc3339();
            item["outcome"] = json!(dice.pick(&["SUCCEEDED", "FAILED", "ABANDONED"]));
            item[if dice.roll(6) == 0 { "occurredAt" } else { "finishedAt" }] = json!(ended);
        }
        if run.is_multiple_of(2) && dice.roll(3) == 0 {
            let is_old = (process == "restore" && !by_code) || dice.roll(2) == 0;
            item["version"] = json!(if is_old { "1.0" } else { "2.0" });
        }
        if !run.is_multiple_of(7) && dice.roll(3) == 0 {
            item["team"] = json!(dice.pick(&["ops", "night"]));
        }
        if dice.roll(3) == 0 {
            item["steps"] = steps(dice, run, at);
        }
        judge(dice, &mut item);
        item
    }
}

/// Adds what somebody found of the run.
fn judge(dice: &mut Dice, item: &mut Value) {
    if dice.roll(2) > 0 {
        item["adherence"] = json!(dice.pick(&["FOLLOWED", "DEVIATED", "NOT_FOLLOWED"]));
        item["errors"] = json!(dice.roll(3) / 2);
    }
    if dice.roll(3) == 0 {
        item["rework"] = json!(dice.roll(4) / 2);
    }
    if dice.roll(3) == 0 {
        let breach = json!({"kind": "SLA", "severity": dice.pick(&["MINOR", "MAJOR", "CRITICAL"])});
        item["violations"] = if dice.roll(2) == 0 { json!([]) } else { json!([breach]) };
    }
    if dice.roll(3) == 0 {
        item["satisfaction"] = json!({"score": 1 + dice.roll(5), "by": dice.pick(&["CUSTOMER", "PERFORMER"])});
    }
}

/// Records of steps, most of them in order; in some runs there are more than the old version has, or than any.
fn steps(dice: &mut Dice, run: u64, at: DateTime<Utc>) -> Value {
    let confirmed = (run / 8).is_multiple_of(2);
    let extra = run.is_multiple_of(5);
    let keys = [("identify", true), ("reset", true), ("confirm", confirmed), ("own-idea", extra)];
    let mut told = Vec::new();
    for (place, (key, _)) in (1_u64..).zip(keys).filter(|(_, (_, is_told))| *is_told) {
        let status = dice.pick(&["DONE", "DONE", "DONE", "DONE", "FAILED", "SKIPPED"]);
        let attempt = if run.is_multiple_of(4) && dice.roll(6) == 0 { 2 } else { 1 };
        let after = if dice.roll(10) == 0 { 100 - 10 * place } else { 10 * place };
        let began = (dice.roll(8) > 0).then(|| at + minutes(after));
        if dice.roll(6) > 0 {
            told.push(step(key, attempt, status, [began, None]));
        }
    }
    json!(told)
}

fn minutes(count: u64) -> TimeDelta {
    TimeDelta::minutes(i64::try_from(count).unwrap())
}

/// The second version of an SOP, which has more steps.
async fn changed(place: &Place, old: &Draft) -> Draft {
    let mut content = content("Reset a password");
    let further = |key: &str, mandatory: bool| json!({"key": key, "instruction": "Do it.", "role": "agent", "mandatory": mandatory});
    content["steps"].as_array_mut().unwrap().extend([further("note", false), further("confirm", true)]);
    let input = json!({"input": {"sopId": old.sop, "content": content}});
    let version = place.author.mutate(CREATE_VERSION, input).await["version"].take();
    let new = Draft {
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
        ..old.clone()
    };
    publish(place, &place.author, &new).await;
    new
}
