//! Runs gathered by who performed them, to be compared.

use std::collections::BTreeMap;

use super::Metric;
use crate::execution::{Adherence, Outcome};
use crate::ids::{PersonId, TeamId};
use crate::stats::histogram::TooMany;
use crate::stats::impact::shares::{self, ShareImpact, Tally};
use crate::stats::impact::times::{self, TimeImpact, Times};
use crate::stats::impact::{Actor, Basis, Side, Span, Spans, Verdict};
use crate::time::Timestamp;

/// More people than this are not compared, half of them of each side: which of them are is chosen by their ids, which tell
/// nothing of how they work. Intervals get no narrower by more than a little, and what a comparison costs is bounded.
pub const MOST_PEOPLE: usize = 2_000;

/// A run as a comparison sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Who performed it. What nobody is named for cannot be compared: it may all be one person's.
    pub actor: PersonId,
    /// The team that performed it.
    pub team: Option<TeamId>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was finished.
    pub finished_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// What it says of the procedure in force.
    pub adherence: Adherence,
    /// Errors in it.
    pub errors: i32,
    /// How often something was done again.
    pub rework: i32,
    /// Breaches of rules.
    pub violations: i32,
}

impl Observed {
    fn took(&self) -> Option<i64> {
        self.finished_at.map(|at| at.since(self.started_at))
    }

    /// Whether it ended within the time for which runs are watched. Of some it is only known that they ended.
    fn ended(&self, watch: i64) -> bool {
        self.took().map_or(self.outcome.is_some(), |took| took <= watch)
    }

    fn failed(&self) -> bool {
        self.errors > 0 || self.outcome == Some(Outcome::Failed)
    }

    fn right(&self) -> bool {
        self.outcome == Some(Outcome::Succeeded) && (self.errors, self.rework, self.violations) == (0, 0, 0)
    }

    /// How it counts for a share: whether it has the property; none when it could not.
    fn hit(&self, metric: Metric, watch: i64) -> Option<bool> {
        match metric {
            Metric::Adoption => (self.adherence != Adherence::Unknown).then_some(self.adherence == Adherence::Followed),
            Metric::ErrorRate => self.ended(watch).then(|| self.failed()),
            Metric::FirstTimeRight => self.ended(watch).then(|| self.right()),
            Metric::CompletionTime => None,
        }
    }

    /// How long it took; none when nobody knows.
    fn time(&self, watch: i64) -> Option<Time> {
        let abandoned = self.outcome == Some(Outcome::Abandoned);
        match self.took() {
            None => (self.outcome.is_none() || abandoned).then_some(Time::Longer),
            Some(took) => match u64::try_from(took) {
                Ok(micros) if took <= watch && !abandoned => Some(Time::Completed(micros)),
                _ => Some(Time::Longer),
            },
        }
    }
}

/// How long a run took.
enum Time {
    /// So many microseconds.
    Completed(u64),
    /// Longer than runs are watched; also where it was abandoned.
    Longer,
}

/// What one person did on one side.
#[derive(Debug, Clone, Default)]
struct Done {
    runs: u64,
    adoption: Tally,
    error_rate: Tally,
    first_time_right: Tally,
    times: Times,
}

impl Done {
    fn tally(&mut self, metric: Metric) -> Option<&mut Tally> {
        match metric {
            Metric::Adoption => Some(&mut self.adoption),
            Metric::ErrorRate => Some(&mut self.error_rate),
            Metric::FirstTimeRight => Some(&mut self.first_time_right),
            Metric::CompletionTime => None,
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Person {
    teams: BTreeMap<Option<TeamId>, u64>,
    before: Done,
    after: Done,
}

impl Person {
    /// The team that most of their runs were in; of several the first by id.
    fn team(&self) -> Option<TeamId> {
        let most = self.teams.values().copied().max();
        self.teams.iter().find(|(_, runs)| Some(**runs) == most).and_then(|(team, _)| *team)
    }
}

/// Runs before and after a change, by who performed them.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    watch: i64,
    people: BTreeMap<PersonId, Person>,
    spans: BTreeMap<Metric, Spans>,
}

impl Sample {
    /// Nothing as yet. Each run is to be watched for so many microseconds from its start, on both sides.
    #[must_use]
    pub fn new(watch: i64) -> Self {
        Self { watch, ..Self::default() }
    }

    /// Adds a run.
    ///
    /// # Errors
    /// When somebody has more runs than can be counted.
    pub fn add(&mut self, side: Side, run: &Observed) -> Result<(), TooMany> {
        let person = self.people.entry(run.actor).or_default();
        *person.teams.entry(run.team).or_default() += 1;
        let done = if side == Side::Before { &mut person.before } else { &mut person.after };
        done.runs += 1;
        for metric in Metric::ALL {
            let counted = match (done.tally(*metric), run.hit(*metric, self.watch), run.time(self.watch)) {
                (Some(tally), Some(hit), _) => {
                    tally.runs += 1;
                    tally.hits += u64::from(hit);
                    true
                }
                (None, _, Some(Time::Completed(micros))) => {
                    done.times.completed.add(micros, 1)?;
                    true
                }
                (None, _, Some(Time::Longer)) => {
                    done.times.longer += 1;
                    true
                }
                _ => false,
            };
            if counted {
                let spans = self.spans.entry(*metric).or_default();
                let span = if side == Side::Before { &mut spans.before } else { &mut spans.after };
                let (first, last) = span.map_or((run.started_at, run.started_at), |s| (s.first, s.last));
                *span = Some(Span { first: first.min(run.started_at), last: last.max(run.started_at) });
            }
        }
        Ok(())
    }

    /// Compares both sides. The seed is to come from what is asked about.
    #[must_use]
    pub fn compare(mut self, seed: u64) -> Comparison {
        let people_left_out = self.leave_out();
        let spans = |metric: Metric| self.spans.get(&metric).copied().unwrap_or_default();
        let share = |metric: Metric, of: fn(&Done) -> Tally| {
            shares::compare(&self.actors(of), spans(metric), metric.better(), seed)
        };
        Comparison {
            adoption: share(Metric::Adoption, |done| done.adoption),
            error_rate: share(Metric::ErrorRate, |done| done.error_rate),
            first_time_right: share(Metric::FirstTimeRight, |done| done.first_time_right),
            completion_time: times::compare(
                &self.actors(|done| done.times.clone()),
                spans(Metric::CompletionTime),
                seed,
            ),
            people_left_out,
        }
    }

    /// Leaves people out who are too many, and answers how many those are: half of the places are for those of each side, so
    /// that where few did the work on one of them, none of these is left out. Who has a place for one side has none for the other
    /// by that: there they would stand for more than they are.
    fn leave_out(&mut self) -> usize {
        let all = self.people.len();
        if all > MOST_PEOPLE {
            // The last bits of an id are chance; those before them count what was made in the same millisecond.
            let mut order: Vec<(u64, PersonId)> =
                self.people.keys().map(|id| (id.0.as_u64_pair().1 & 0xffff_ffff, *id)).collect();
            order.sort_unstable();
            let sides: [fn(&mut Person) -> &mut Done; 2] = [|person| &mut person.before, |person| &mut person.after];
            for side in sides {
                let mut places = MOST_PEOPLE / 2;
                for (_, id) in &order {
                    let Some(done) = self.people.get_mut(id).map(side).filter(|done| done.runs > 0) else { continue };
                    if places == 0 {
                        *done = Done::default();
                    } else {
                        places -= 1;
                    }
                }
            }
            self.people.retain(|_, person| person.before.runs + person.after.runs > 0);
        }
        all - self.people.len()
    }

    fn actors<T>(&self, of: impl Fn(&Done) -> T) -> Vec<Actor<T>> {
        let actor = |p: &Person| Actor { team: p.team(), before: of(&p.before), after: of(&p.after) };
        self.people.values().map(actor).collect()
    }
}

/// What differs between both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// In adoption.
    pub adoption: ShareImpact,
    /// In error rate.
    pub error_rate: ShareImpact,
    /// In runs right the first time.
    pub first_time_right: ShareImpact,
    /// In completion times.
    pub completion_time: TimeImpact,
    /// How many people were too many.
    pub people_left_out: usize,
}

impl Comparison {
    /// The difference of a share; none for completion times, which are none.
    #[must_use]
    pub fn share(&self, metric: Metric) -> Option<&ShareImpact> {
        match metric {
            Metric::Adoption => Some(&self.adoption),
            Metric::ErrorRate => Some(&self.error_rate),
            Metric::FirstTimeRight => Some(&self.first_time_right),
            Metric::CompletionTime => None,
        }
    }

    /// What may be said of a metric.
    #[must_use]
    pub fn verdict(&self, metric: Metric) -> Verdict {
        self.share(metric).map_or(self.completion_time.verdict, |share| share.verdict)
    }

    /// How much that rests on.
    #[must_use]
    pub fn basis(&self, metric: Metric) -> &Basis {
        self.share(metric).map_or(&self.completion_time.basis, |share| &share.basis)
    }
}
