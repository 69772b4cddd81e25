//! Executions: what integrations report, what is refused, and how reports in any order make one run. Over 400 lines
//! because a report and the rules for its fields are best read together.

mod merge;
mod news;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::canonical_json;
use crate::text::text_enum;
use crate::time::{DAY, MINUTE, Timestamp};

pub use merge::{MAX_STEPS, Merged, Run, Stamp, Stamps};
pub use news::News;

text_enum! {
    /// What a batch is for.
    Mode {
        /// As it happens.
        Live = "LIVE",
        /// From the past, at any age.
        Backfill = "BACKFILL",
        /// Training runs: kept apart from all figures.
        Practice = "PRACTICE",
    }
}

text_enum! {
    /// How a run ended.
    Outcome {
        /// It did what it was for.
        Succeeded = "SUCCEEDED",
        /// It did not.
        Failed = "FAILED",
        /// It was given up.
        Abandoned = "ABANDONED",
    }
}

text_enum! {
    /// What a run says of the SOP in force.
    Adherence {
        /// It was followed.
        Followed = "FOLLOWED",
        /// It was followed in part.
        Deviated = "DEVIATED",
        /// It was not followed.
        NotFollowed = "NOT_FOLLOWED",
        /// Nobody knows.
        Unknown = "UNKNOWN",
    }
}

text_enum! {
    /// How grave a violation is.
    Severity {
        /// Of form only.
        Minor = "MINOR",
        /// Of substance.
        Major = "MAJOR",
        /// With harm done or near.
        Critical = "CRITICAL",
    }
}

text_enum! {
    /// Whose satisfaction it is.
    SatisfactionBy {
        /// The one it was done for.
        Customer = "CUSTOMER",
        /// The one who did it.
        Performer = "PERFORMER",
    }
}

text_enum! {
    /// How a step went.
    StepStatus {
        /// Done.
        Done = "DONE",
        /// Left out.
        Skipped = "SKIPPED",
        /// Tried without success.
        Failed = "FAILED",
    }
}

text_enum! {
    /// How the version of a run is known.
    VersionSource {
        /// The report named it.
        Reported = "REPORTED",
        /// It was in force when the run started.
        Inferred = "INFERRED",
    }
}

text_enum! {
    /// How the version that a run reported stood when the run started.
    VersionStanding {
        /// It was in force.
        Current = "CURRENT",
        /// Another one of the SOP was.
        Other = "OTHER",
    }
}

text_enum! {
    /// Why an item of a batch was rejected.
    RejectionCode {
        /// A field breaks a rule.
        Invalid = "INVALID",
        /// It happened more than five minutes after it was received.
        InFuture = "IN_FUTURE",
        /// There is no such process.
        UnknownProcess = "UNKNOWN_PROCESS",
        /// There is no such SOP.
        UnknownSop = "UNKNOWN_SOP",
        /// The SOP has no version of that label that is or was in force.
        UnknownVersion = "UNKNOWN_VERSION",
        /// There is no such team.
        UnknownTeam = "UNKNOWN_TEAM",
        /// The run was deleted, because it lies further back than executions are kept.
        Expired = "EXPIRED",
    }
}

/// A breach of a rule during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Which rule, such as `SLA`.
    pub kind: String,
    /// How grave.
    pub severity: Severity,
    /// More on it; may be empty.
    #[serde(default)]
    pub detail: String,
}

/// How content somebody was with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Satisfaction {
    /// From 1 (not at all) to 5 (very).
    pub score: i32,
    /// Whose.
    pub by: SatisfactionBy,
}

/// How one attempt at a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The step's key; one that the version does not know is an extra step.
    pub key: String,
    /// From 1.
    #[serde(default = "one")]
    pub attempt: i32,
    /// When it began.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
    /// How it went.
    pub status: StepStatus,
}

fn one() -> i32 {
    1
}

/// Someone as the source knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorRef {
    /// Their id at the source.
    pub subject: String,
    /// Their name, if the source tells.
    #[serde(default)]
    pub name: Option<String>,
}

/// One item of a batch: what a source says of a run at one moment. Absent fields say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// Names this event at the source, for good.
    pub event_id: String,
    /// Names the run at the source.
    pub run_id: String,
    /// Orders the events of a run: the highest rules.
    pub revision: i64,
    /// Key of the process; or the SOP is named.
    pub process: Option<String>,
    /// Code of the SOP.
    pub sop: Option<String>,
    /// Label of the version that was used, if known.
    pub version: Option<String>,
    /// Key of the team that performed it.
    pub team: Option<String>,
    /// Who performed it.
    pub actor: Option<ActorRef>,
    /// When this event happened.
    pub occurred_at: Option<Timestamp>,
    /// When the run began.
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Whether the SOP was followed.
    pub adherence: Option<Adherence>,
    /// How many errors were made.
    pub errors: Option<i32>,
    /// How often work was done again.
    pub rework: Option<i32>,
    /// Breaches of rules.
    pub violations: Option<Vec<Violation>>,
    /// How content somebody was.
    pub satisfaction: Option<Satisfaction>,
    /// How its steps went.
    pub steps: Vec<StepRecord>,
    /// Anything else, as text by name.
    pub attributes: Option<BTreeMap<String, String>>,
    /// A name that the list of attributes had twice: refused, since nobody can say which value is meant.
    #[serde(skip)]
    pub repeated_attribute: Option<String>,
}

/// Why a report is not taken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which rule.
    pub code: RejectionCode,
    /// The field, from the root of the item.
    pub path: String,
    /// What is wrong, for a person.
    pub message: String,
}

impl Rejection {
    /// A rejection of a field.
    pub fn new(code: RejectionCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: path.into(), message: message.into() }
    }
}

/// How far ahead of ours a time may lie, in microseconds.
pub const TOLERANCE: i64 = 5 * MINUTE;
/// The most step records, violations or attributes of one report.
pub const MAX_PARTS: usize = 500;
/// The longest id, key or name, in bytes.
pub const MAX_NAME: usize = 200;
/// The longest attribute or detail, in bytes.
pub const MAX_VALUE: usize = 4_000;

/// The longest that a run may take, in microseconds: a century.
pub const MAX_DURATION: i64 = 36_525 * DAY;
/// How far ahead a sender's clock may run to be corrected, in microseconds.
pub const MAX_CLOCK_LEAD: i64 = DAY;

/// How far the sender's clock runs ahead, in microseconds: times are moved back by it. A `sentAt` that lies behind is
/// no proof of a wrong clock, since a batch that waited and was sent again looks the same; nothing is moved then.
#[must_use]
pub fn clock_lead(sent_at: Option<Timestamp>, received_at: Timestamp) -> i64 {
    sent_at.map(|sent| sent.since(received_at)).filter(|lead| *lead > MINUTE).unwrap_or(0)
}

impl Report {
    /// SHA-256 of what this event says: the same event with other content is a conflict.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(canonical_json(self).as_bytes()).into()
    }

    /// Moves every time back by `lead` microseconds.
    pub fn correct_clock(&mut self, lead: i64) {
        let steps = self.steps.iter_mut().flat_map(|s| [&mut s.started_at, &mut s.finished_at]);
        let own = [&mut self.occurred_at, &mut self.started_at, &mut self.finished_at];
        for at in own.into_iter().chain(steps).flatten() {
            *at = at.plus(-lead);
        }
    }

    /// Checks what can be checked without looking anything up.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self, received_at: Timestamp) -> Result<(), Rejection> {
        let invalid = |path: &str, why: &str| Err(Rejection::new(RejectionCode::Invalid, path, why));
        self.check_names()?;
        self.check_times(received_at)?;
        if self.revision < 0 {
            return invalid("revision", "a revision is 0 or more");
        }
        if self.process.is_none() && self.sop.is_none() {
            return invalid("process", "the process or the SOP must be named");
        }
        if self.errors.is_some_and(|n| n < 0) {
            return invalid("errors", "a count is 0 or more");
        }
        if self.rework.is_some_and(|n| n < 0) {
            return invalid("rework", "a count is 0 or more");
        }
        if self.satisfaction.is_some_and(|s| !(1..=5).contains(&s.score)) {
            return invalid("satisfaction.score", "a score is from 1 to 5");
        }
        self.check_parts()
    }

    fn check_names(&self) -> Result<(), Rejection> {
        let names = [
            ("eventId", Some(&self.event_id)),
            ("runId", Some(&self.run_id)),
            ("process", self.process.as_ref()),
            ("sop", self.sop.as_ref()),
            ("version", self.version.as_ref()),
            ("team", self.team.as_ref()),
            ("actor.subject", self.actor.as_ref().map(|a| &a.subject)),
            ("actor.name", self.actor.as_ref().and_then(|a| a.name.as_ref())),
        ];
        names.into_iter().try_for_each(|(path, name)| check_name(path, name.map_or("-", String::as_str)))
    }

    fn check_times(&self, received_at: Timestamp) -> Result<(), Rejection> {
        let own = [("occurredAt", self.occurred_at), ("startedAt", self.started_at), ("finishedAt", self.finished_at)];
        let steps = self.steps.iter().enumerate().flat_map(|(i, s)| {
            [(format!("steps.{i}.startedAt"), s.started_at), (format!("steps.{i}.finishedAt"), s.finished_at)]
        });
        let late = |at: &Option<Timestamp>| at.is_some_and(|at| at.since(received_at) > TOLERANCE);
        let mut all = own.map(|(path, at)| (path.to_owned(), at)).into_iter().chain(steps);
        if let Some((path, _)) = all.find(|(_, at)| late(at)) {
            let why = "this lies more than five minutes in the future";
            return Err(Rejection::new(RejectionCode::InFuture, path, why));
        }
        let backwards =
            |from: Option<Timestamp>, to: Option<Timestamp>| matches!((from, to), (Some(f), Some(t)) if t < f);
        let broken = if backwards(self.started_at, self.finished_at) {
            Some("finishedAt".to_owned())
        } else {
            let at = self.steps.iter().position(|s| backwards(s.started_at, s.finished_at));
            at.map(|i| format!("steps.{i}.finishedAt"))
        };
        let why = "this lies before the start";
        broken.map_or(Ok(()), |path| Err(Rejection::new(RejectionCode::Invalid, path, why)))?;
        check_span(self.started_at, self.finished_at)
    }

    fn check_parts(&self) -> Result<(), Rejection> {
        let invalid = |path: String, why: &str| Rejection::new(RejectionCode::Invalid, path, why);
        let (violations, attributes) = (self.violations.as_deref().unwrap_or_default(), self.attributes.as_ref());
        let counts = [("steps", self.steps.len()), ("violations", violations.len())];
        let attribute_count = ("attributes", attributes.map_or(0, BTreeMap::len));
        if let Some((path, _)) = counts.into_iter().chain([attribute_count]).find(|(_, n)| *n > MAX_PARTS) {
            return Err(invalid(path.to_owned(), "too many entries"));
        }
        for (i, step) in self.steps.iter().enumerate() {
            check_name(&format!("steps.{i}.key"), &step.key)?;
            if step.attempt < 1 {
                return Err(invalid(format!("steps.{i}.attempt"), "attempts are counted from 1"));
            }
            if self.steps[..i].iter().any(|s| (&s.key, s.attempt) == (&step.key, step.attempt)) {
                return Err(invalid(format!("steps.{i}"), "this attempt at this step is given twice"));
            }
        }
        for (i, violation) in violations.iter().enumerate() {
            check_name(&format!("violations.{i}.kind"), &violation.kind)?;
            check_value(&format!("violations.{i}.detail"), &violation.detail)?;
        }
        if let Some(name) = &self.repeated_attribute {
            return Err(invalid("attributes".to_owned(), &format!("the name '{name}' is given twice")));
        }
        for (name, value) in attributes.into_iter().flatten() {
            check_name("attributes", name)?;
            check_value("attributes", value)?;
        }
        Ok(())
    }
}

/// Attributes by name, and a name that is given twice, if one is.
#[must_use]
pub fn by_name(list: impl IntoIterator<Item = (String, String)>) -> (BTreeMap<String, String>, Option<String>) {
    let (mut attributes, mut repeated) = (BTreeMap::new(), None);
    for (name, value) in list {
        if attributes.insert(name.clone(), value).is_some() {
            repeated = Some(name);
        }
    }
    (attributes, repeated)
}

/// Checks that a run ends after it begins, and within a century.
///
/// # Errors
/// When it does not.
pub fn check_span(started_at: Option<Timestamp>, finished_at: Option<Timestamp>) -> Result<(), Rejection> {
    let why = match started_at.zip(finished_at).map(|(start, finish)| finish.since(start)) {
        Some(..0) => "this lies before the start",
        Some(took) if took > MAX_DURATION => "this lies more than a century after the start",
        _ => return Ok(()),
    };
    Err(Rejection::new(RejectionCode::Invalid, "finishedAt", why))
}

fn check_name(path: &str, name: &str) -> Result<(), Rejection> {
    if name.trim().is_empty() || name.len() > MAX_NAME || name.contains('\0') {
        let why = format!("1 to {MAX_NAME} bytes are needed, without U+0000");
        return Err(Rejection::new(RejectionCode::Invalid, path, why));
    }
    Ok(())
}

fn check_value(path: &str, value: &str) -> Result<(), Rejection> {
    if value.len() > MAX_VALUE || value.contains('\0') {
        let why = format!("at most {MAX_VALUE} bytes, without U+0000");
        return Err(Rejection::new(RejectionCode::Invalid, path, why));
    }
    Ok(())
}
