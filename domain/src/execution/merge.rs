//! One run out of reports that come in any order, late or repeated. Each field is ruled by the highest revision that
//! says anything of it, so the result does not depend on the order of arrival.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ActorRef, Adherence, Outcome, Rejection, RejectionCode, Report, Satisfaction, StepRecord, Violation};
use crate::time::Timestamp;

/// The most step records of one run, over all of its events: each event is held against all of them.
pub const MAX_STEPS: usize = 2_000;

/// What orders the events of a run: the revision, and between equals the event id, so that there is always a winner.
pub type Stamp = (i64, String);

/// Which event rules each field. Fields of the newest event are not listed: most runs have one event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// The newest event of the run.
    pub newest: Stamp,
    /// The events that rule the other fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub older: BTreeMap<String, Stamp>,
}

impl Stamps {
    fn of(&self, field: &str) -> &Stamp {
        self.older.get(field).unwrap_or(&self.newest)
    }
}

/// What is known of a run. Serialized without its steps, which are kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Which event rules what.
    pub stamps: Stamps,
    /// Key of the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Code of the SOP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sop: Option<String>,
    /// Label of the version, where one was reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Key of the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who performed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorRef>,
    /// When the newest event happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Whether the SOP was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adherence: Option<Adherence>,
    /// How many errors were made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<i32>,
    /// How often work was done again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rework: Option<i32>,
    /// Breaches of rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violations: Option<Vec<Violation>>,
    /// How content somebody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub satisfaction: Option<Satisfaction>,
    /// How its steps went, by key and attempt.
    #[serde(skip)]
    pub steps: BTreeMap<(String, i32), StepRecord>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
}

/// What a report did to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// It was the first.
    Created,
    /// It said something new.
    Updated,
    /// Newer ones had said all of it already.
    Stale,
}

impl Run {
    /// Takes a report in.
    pub fn merge(&mut self, report: &Report) -> Merged {
        let stamp = (report.revision, report.event_id.clone());
        if self.stamps.newest.1.is_empty() {
            self.stamps.newest = stamp.clone();
            self.take(report, &stamp, true);
            return Merged::Created;
        }
        let newer = stamp > self.stamps.newest;
        if newer {
            let ruled = self.ruled_fields();
            let before = std::mem::replace(&mut self.stamps.newest, stamp.clone());
            for field in ruled {
                self.stamps.older.entry(field).or_insert_with(|| before.clone());
            }
        }
        if self.take(report, &stamp, newer) || newer { Merged::Updated } else { Merged::Stale }
    }

    /// Checks that a report did not bring it more step records than [`MAX_STEPS`], where it had so many before.
    ///
    /// # Errors
    /// When it did.
    pub fn check_steps(&self, before: usize) -> Result<(), Rejection> {
        if self.steps.len() > MAX_STEPS.max(before) {
            let why = format!("at most {MAX_STEPS} steps and attempts of one run, over all of its events");
            return Err(Rejection::new(RejectionCode::Invalid, "steps", why));
        }
        Ok(())
    }

    /// Whether anything tells of its end.
    pub(super) fn is_finished(&self) -> bool {
        self.finished_at.is_some() || self.outcome.is_some()
    }

    /// Microseconds from start to finish, where both are known.
    pub(super) fn duration(&self) -> Option<u64> {
        u64::try_from(self.finished_at?.since(self.started_at?)).ok()
    }

    /// Takes the fields of a report that no newer event rules; answers whether there was any.
    fn take(&mut self, report: &Report, stamp: &Stamp, newest: bool) -> bool {
        let mut taken = false;
        macro_rules! take {
            ($($field:ident),*) => {$(
                if report.$field.is_some() && (self.$field.is_none() || stamp > self.stamps.of(stringify!($field))) {
                    self.$field.clone_from(&report.$field);
                    self.stamp(stringify!($field).to_owned(), stamp, newest);
                    taken = true;
                }
            )*};
        }
        take!(process, sop, version, team, actor, occurred_at, started_at, finished_at, outcome, adherence);
        take!(errors, rework, violations, satisfaction, attributes);
        for step in &report.steps {
            let (place, name) = ((step.key.clone(), step.attempt), step_field(&step.key, step.attempt));
            if !self.steps.contains_key(&place) || stamp > self.stamps.of(&name) {
                self.steps.insert(place, step.clone());
                self.stamp(name, stamp, newest);
                taken = true;
            }
        }
        taken
    }

    fn stamp(&mut self, field: String, stamp: &Stamp, newest: bool) {
        if newest {
            self.stamps.older.remove(&field);
        } else {
            self.stamps.older.insert(field, stamp.clone());
        }
    }

    /// Names of the fields that say something.
    fn ruled_fields(&self) -> Vec<String> {
        let mut names = Vec::new();
        macro_rules! name {
            ($($field:ident),*) => {$( if self.$field.is_some() { names.push(stringify!($field).to_owned()); } )*};
        }
        name!(process, sop, version, team, actor, occurred_at, started_at, finished_at, outcome, adherence);
        name!(errors, rework, violations, satisfaction, attributes);
        names.extend(self.steps.keys().map(|(key, attempt)| step_field(key, *attempt)));
        names
    }
}

fn step_field(key: &str, attempt: i32) -> String {
    format!("steps/{attempt}/{key}")
}
