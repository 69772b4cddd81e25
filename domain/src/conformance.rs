//! How far a run kept to the steps of its version.
//!
//! A deviation is a mandatory step that was skipped, a step that the version does not have, or one that was done out of
//! order. A run is told by `1 - deviations / checks`, where each mandatory step and each step that was done is a check, so
//! that it lies in 0 to 1.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::content::Step;
use crate::execution::{Outcome, StepRecord, StepStatus};
use crate::time::Timestamp;

/// How far a run kept to its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conformance {
    /// Mandatory steps that it owed, and steps that it did.
    pub checks: i32,
    /// Mandatory steps that were skipped, steps that the version does not have, and steps out of order.
    pub deviations: i32,
}

impl Conformance {
    /// Whether it kept to the version in everything.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.deviations == 0
    }
}

/// The steps of a version, as far as a run is held against them.
#[derive(Debug, Clone, Default)]
pub struct Model {
    steps: Vec<Place>,
    places: HashMap<String, usize>,
}

#[derive(Debug, Clone)]
struct Place {
    mandatory: bool,
    /// Where its branches lead, forward: as many as there are steps for the end.
    branches: Vec<usize>,
}

/// How a way through the steps fits a run: the more of what was done lies on it, the better, and then the fewer mandatory
/// steps on it were not done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fit {
    done: i32,
    skipped: i32,
}

impl Fit {
    fn better(self, other: Self) -> Self {
        let key = |fit: Self| (fit.done, -fit.skipped);
        if key(other) > key(self) { other } else { self }
    }
}

impl Model {
    /// Of the steps of a version, in their order.
    #[must_use]
    pub fn of(steps: &[Step]) -> Self {
        let places: HashMap<String, usize> = steps.iter().enumerate().map(|(i, step)| (step.key.clone(), i)).collect();
        let place = |(at, step): (usize, &Step)| {
            let target = |key: &str| if key.is_empty() { Some(steps.len()) } else { places.get(key).copied() };
            // Whoever is led back does the steps again: those are further attempts at steps that are told already.
            let branches = step.branches.iter().filter_map(|b| target(&b.go_to)).filter(|to| *to > at).collect();
            Place { mandatory: step.mandatory, branches }
        };
        Self { steps: steps.iter().enumerate().map(place).collect(), places }
    }

    /// How far a run that ended kept to these steps, by its records of them; nothing where it has none that count. A run
    /// that failed or was given up is held to the steps up to where it stopped.
    #[must_use]
    pub fn judge<'a>(
        &self,
        records: impl IntoIterator<Item = &'a StepRecord>,
        outcome: Option<Outcome>,
    ) -> Option<Conformance> {
        // What was done, each with the time of the first attempt.
        let mut done: BTreeMap<&str, Option<Timestamp>> = BTreeMap::new();
        for record in records.into_iter().filter(|record| record.status != StepStatus::Skipped) {
            let first = done.entry(&record.key).or_default();
            *first = [*first, record.started_at.or(record.finished_at)].into_iter().flatten().min();
        }
        if done.is_empty() && self.steps.is_empty() {
            return None;
        }
        let mut own: Vec<Option<Done>> = vec![None; self.steps.len()];
        let mut extra = 0;
        for (key, at) in &done {
            match self.places.get(*key) {
                Some(place) => own[*place] = Some(Done { first: *at }),
                None => extra += 1,
            }
        }
        let stopped = matches!(outcome, Some(Outcome::Failed | Outcome::Abandoned));
        let skipped = self.skipped(&own, stopped);
        let owed = (0..).zip(&self.steps).filter(|(at, step)| step.mandatory && own[*at].is_some()).count();
        let checks = skipped + i32::try_from(owed + done.len()).ok()?;
        let deviations = skipped + extra + out_of_order(&own);
        (checks > 0).then_some(Conformance { checks, deviations })
    }

    /// The mandatory steps that were not done on the way that was taken. Steps of a branch that was not taken are on
    /// another way. From each step the way goes on to the next one, or where a branch leads.
    fn skipped(&self, own: &[Option<Done>], stopped: bool) -> i32 {
        let end = self.steps.len();
        let mut ways = vec![Fit::default(); end + 1];
        for (at, step) in self.steps.iter().enumerate().rev() {
            let ahead = step.branches.iter().map(|to| ways[*to]).fold(ways[at + 1], Fit::better);
            let done = own[at].is_some();
            let through =
                Fit { done: ahead.done + i32::from(done), skipped: ahead.skipped + i32::from(step.mandatory && !done) };
            // A run that stopped may have done so before any step.
            ways[at] = if stopped { through.better(Fit::default()) } else { through };
        }
        ways.first().map_or(0, |way| way.skipped)
    }
}

/// Keys of the mandatory steps that no branch leads past: every run that gets to the end owes them.
#[must_use]
pub fn owed(steps: &[Step]) -> BTreeSet<String> {
    let places = Model::of(steps).steps;
    let passed = |at: usize| places[..at].iter().any(|step| step.branches.iter().any(|to| *to > at));
    let owed = steps.iter().enumerate().filter(|(at, step)| step.mandatory && !passed(*at));
    owed.map(|(_, step)| step.key.clone()).collect()
}

/// A step that was done, and when it was first tried, where that is known.
#[derive(Debug, Clone, Copy)]
struct Done {
    first: Option<Timestamp>,
}

/// Steps outside the longest series that was done in the order of the version. Those whose time is not known are in
/// order, and so are those of one time.
fn out_of_order(own: &[Option<Done>]) -> i32 {
    let timed = own.iter().enumerate().filter_map(|(place, done)| Some(((*done)?.first?, place)));
    let mut timed: Vec<(Timestamp, usize)> = timed.collect();
    timed.sort_unstable();
    // The least place that a series of each length ends in (Fredman 1975).
    let mut ends: Vec<usize> = Vec::new();
    for (_, place) in &timed {
        let length = ends.partition_point(|end| end < place);
        match ends.get_mut(length) {
            Some(end) => *end = *place,
            None => ends.push(*place),
        }
    }
    i32::try_from(timed.len() - ends.len()).unwrap_or(i32::MAX)
}
