//! Roll-ups: what figures take from a run, in a form that can be added up and taken away again without a trace. A new
//! run appends f(new), a correction f(new) - f(old), and the sum of all is f of what is stored.

mod binary;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::calendar::{Grain, Stretch, Zone};
use crate::conformance::Conformance;
use crate::execution::{Adherence, Outcome, Satisfaction, SatisfactionBy, VersionSource, VersionStanding};
use crate::stats::histogram::{Change, Histogram, TooMany};
use crate::time::{DAY, HOUR, MINUTE, Timestamp};

pub use binary::Malformed;
pub use tally::Tally;

/// Changes when the same runs would be told otherwise: what was kept before has to be computed anew. What is kept of
/// deleted runs ([`Delta::keep`]) stays as it was told: of a count that is new, they say nothing.
pub const LAYOUT: i32 = 2;

/// A run that has not finished so long after its start, in microseconds, is counted as abandoned, unless its process has
/// another horizon.
pub const HORIZON: i64 = 30 * DAY;

/// The horizons that a process may have, in microseconds.
pub const HORIZONS: RangeInclusive<i64> = HOUR..=366 * DAY;

/// A quarter of an hour, in microseconds.
const QUARTER: i64 = 15 * MINUTE;

/// What figures ask of a run, as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// When its newest event happened.
    pub occurred_at: Option<Timestamp>,
    /// When its last event was received.
    pub received_at: Timestamp,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Whether the SOP was followed.
    pub adherence: Option<Adherence>,
    /// How many errors were made.
    pub errors: i32,
    /// How often work was done again.
    pub rework: i32,
    /// Breaches of rules: minor, major, critical.
    pub violations: [i32; 3],
    /// How content somebody was.
    pub satisfaction: Option<Satisfaction>,
    /// How its version is known.
    pub version_source: Option<VersionSource>,
    /// How a reported version stood; none where no version of the SOP was in force when the run started.
    pub standing: Option<VersionStanding>,
    /// How far it kept to the steps of its version; none where it tells of no step, and until it ends.
    pub conformance: Option<Conformance>,
    /// After how many microseconds it counts as abandoned.
    pub horizon: i64,
}

impl Facts {
    /// The time that the run belongs to: its start, or where that is not known its finish.
    #[must_use]
    pub fn cohort(&self) -> Timestamp {
        self.started_at.or(self.finished_at).unwrap_or(self.received_at)
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished_at.is_some() || self.outcome.is_some()
    }

    /// Microseconds from start to finish of a run that was completed; an abandoned one was not.
    #[must_use]
    pub fn completion_time(&self) -> Option<u64> {
        let took = self.finished_at?.since(self.started_at?);
        if self.outcome == Some(Outcome::Abandoned) { None } else { u64::try_from(took).ok() }
    }

    /// Microseconds from the start until the run was given up.
    #[must_use]
    pub fn abandoned_after(&self) -> Option<u64> {
        let started_at = self.started_at.filter(|_| self.outcome == Some(Outcome::Abandoned))?;
        let ended_at = self.finished_at.or(self.occurred_at).unwrap_or(started_at);
        Some(u64::try_from(ended_at.since(started_at)).unwrap_or(0))
    }

    fn tally(&self) -> Tally {
        let finished = self.is_finished();
        let failed = self.outcome == Some(Outcome::Failed);
        let abandoned = self.outcome == Some(Outcome::Abandoned);
        let errored = finished && (self.errors > 0 || failed);
        let breached = self.violations.iter().any(|n| *n > 0);
        let succeeded = self.outcome == Some(Outcome::Succeeded);
        let score = |by| self.satisfaction.filter(|s| s.by == by).map(|s| s.score);
        let (customer, performer) = (score(SatisfactionBy::Customer), score(SatisfactionBy::Performer));
        let satisfied = |score: Option<i32>| i64::from(score.is_some_and(|s| s >= 4));
        let one = i64::from;
        let inferred = self.version_source == Some(VersionSource::Inferred);
        let (checks, deviations) = self.conformance.map_or((0, 0), |c| (c.checks, c.deviations));
        Tally {
            runs: 1,
            without_start: one(self.started_at.is_none()),
            followed: one(self.adherence == Some(Adherence::Followed)),
            deviated: one(self.adherence == Some(Adherence::Deviated)),
            not_followed: one(self.adherence == Some(Adherence::NotFollowed)),
            finished: one(finished),
            errored: one(errored),
            succeeded: one(succeeded),
            failed: one(failed),
            abandoned: one(abandoned),
            late: one(!abandoned && self.completion_time().is_some_and(|took| took > self.horizon.unsigned_abs())),
            open: one(self.started_at.is_some() && !finished),
            first_time_right: one(succeeded && self.errors == 0 && self.rework == 0 && !breached),
            reworked: one(self.rework > 0),
            reported: one(self.version_source == Some(VersionSource::Reported)),
            // Milliseconds, so that no number of runs that anyone will see exceeds what is stored.
            completion_millis: self.completion_time().map_or(0, |t| i64::try_from(t / 1000).unwrap_or(i64::MAX)),
            minor_violations: self.violations[0].into(),
            major_violations: self.violations[1].into(),
            critical_violations: self.violations[2].into(),
            customer_responses: one(customer.is_some()),
            customer_satisfied: satisfied(customer),
            customer_score: customer.unwrap_or(0).into(),
            performer_responses: one(performer.is_some()),
            performer_satisfied: satisfied(performer),
            performer_score: performer.unwrap_or(0).into(),
            covered: one(inferred || self.standing.is_some()),
            reported_in_force: one(self.standing.is_some()),
            current: one(self.standing == Some(VersionStanding::Current)),
            judged: one(self.conformance.is_some()),
            conforming: one(self.conformance.is_some_and(Conformance::is_full)),
            step_checks: checks.into(),
            step_deviations: deviations.into(),
        }
    }
}

/// What is known of a number of runs together, or of a change in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// Counts of them.
    pub tally: Tally,
    /// How long the completed ones took.
    pub completed: Change,
    /// After how long the abandoned ones were given up.
    pub abandoned: Change,
}

impl Aggregate {
    /// Of one run.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let one = |time: Option<u64>| {
            let mut histogram = Histogram::default();
            if let Some(micros) = time {
                // One run is far from the most that can be counted.
                let _ = histogram.add(micros, 1);
            }
            Change::from(histogram)
        };
        Self { tally: facts.tally(), completed: one(facts.completion_time()), abandoned: one(facts.abandoned_after()) }
    }

    /// Takes another in.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<(), TooMany> {
        self.completed.merge(&other.completed)?;
        self.abandoned.merge(&other.abandoned)?;
        self.tally.add(&other.tally);
        Ok(())
    }

    /// What undoes this.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { tally: self.tally.negated(), completed: self.completed.inverse(), abandoned: self.abandoned.inverse() }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tally == Tally::default() && self.completed.is_empty() && self.abandoned.is_empty()
    }
}

/// What runs have in common that are counted together, apart from their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Their process.
    pub process: Uuid,
    /// Their SOP, if there was one.
    pub sop: Option<Uuid>,
    /// Its version.
    pub version: Option<Uuid>,
    /// The team that performed them.
    pub team: Option<Uuid>,
}

/// A change in what is stored, by key and hour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta(BTreeMap<(Key, Timestamp), Aggregate>);

impl Delta {
    /// Notes that a run came in.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn add(&mut self, zone: Zone, key: Key, facts: &Facts) -> Result<(), TooMany> {
        self.note(key, zone.start(Grain::Hour, facts.cohort()), Aggregate::of(facts))
    }

    /// Notes that a run went out.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn remove(&mut self, zone: Zone, key: Key, facts: &Facts) -> Result<(), TooMany> {
        self.note(key, zone.start(Grain::Hour, facts.cohort()), Aggregate::of(facts).inverse())
    }

    /// Notes what is kept of a run that is deleted: as [`Self::add`], but by a quarter of an hour of UTC where that begins
    /// within the hour of the zone. Such a part of an hour lies within one hour of this zone, and of all others whose
    /// clocks are off UTC by whole quarters, as all are today.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn keep(&mut self, zone: Zone, key: Key, facts: &Facts) -> Result<(), TooMany> {
        let at = facts.cohort();
        let quarter = Timestamp::from_micros(at.micros().div_euclid(QUARTER).saturating_mul(QUARTER));
        self.note(key, zone.start(Grain::Hour, at).max(quarter), Aggregate::of(facts))
    }

    /// The same by the hours of a zone.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn by_hours(self, zone: Zone) -> Result<Self, TooMany> {
        let mut hours = Self::default();
        for ((key, at), aggregate) in self.0 {
            hours.note(key, zone.start(Grain::Hour, at), aggregate)?;
        }
        Ok(hours)
    }

    /// The part of it that lies within a stretch of time.
    #[must_use]
    pub fn within(mut self, (from, to): Stretch) -> Self {
        self.0.retain(|(_, at), _| from <= *at && *at < to);
        self
    }

    /// Takes another in.
    ///
    /// # Errors
    /// When there would be more runs than can be counted.
    pub fn merge(&mut self, other: Self) -> Result<(), TooMany> {
        other.0.into_iter().try_for_each(|((key, hour), aggregate)| self.note(key, hour, aggregate))
    }

    /// Its cells in the order of their keys, each with the beginning of its hour, or part of one. None is empty.
    pub fn cells(&self) -> impl Iterator<Item = (Key, Timestamp, &Aggregate)> {
        self.0.iter().map(|((key, hour), aggregate)| (*key, *hour, aggregate))
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn note(&mut self, key: Key, hour: Timestamp, aggregate: Aggregate) -> Result<(), TooMany> {
        use std::collections::btree_map::Entry;
        match self.0.entry((key, hour)) {
            Entry::Vacant(place) if !aggregate.is_empty() => {
                place.insert(aggregate);
            }
            Entry::Vacant(_) => {}
            Entry::Occupied(mut place) => {
                place.get_mut().merge(&aggregate)?;
                if place.get().is_empty() {
                    place.remove();
                }
            }
        }
        Ok(())
    }
}
