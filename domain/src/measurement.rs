//! What a version is measured by, declared before it is in force: a plan that could be changed after a look at the data
//! would be worth nothing.

pub mod sample;
mod windows;
pub mod words;

#[cfg(test)]
mod tests;

use crate::error::Problem;
use crate::metrics::Ratio;
use crate::stats::impact::Floor;
use crate::stats::impact::shares::Better;
use crate::text::text_enum;
use crate::time::DAY;

pub use windows::{BEFORE_DAYS, Era, Stretch, Windows, learnt_at, windows};

text_enum! {
    /// What can be compared between versions.
    Metric {
        /// The share of runs that followed the procedure, of those of which that is known.
        Adoption = "ADOPTION",
        /// The share of runs with an error or the outcome FAILED, of those that ended.
        ErrorRate = "ERROR_RATE",
        /// The share of runs that succeeded without error, rework or violation, of those that ended.
        FirstTimeRight = "FIRST_TIME_RIGHT",
        /// The median of the time from start to finish.
        CompletionTime = "COMPLETION_TIME",
    }
}

impl Metric {
    /// Which way is better.
    #[must_use]
    pub fn better(self) -> Better {
        match self {
            Self::Adoption | Self::FirstTimeRight => Better::Higher,
            Self::ErrorRate | Self::CompletionTime => Better::Lower,
        }
    }

    /// The field of an input that has its target.
    fn field(self) -> &'static str {
        match self {
            Self::Adoption => "targets.adoptionAtLeast",
            Self::ErrorRate => "targets.errorRateAtMost",
            Self::FirstTimeRight => "targets.firstTimeRightAtLeast",
            Self::CompletionTime => "targets.medianCompletionTimeAtMost",
        }
    }
}

/// How much or how long, as the metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// A share, from 0 to 1.
    Share(f64),
    /// A length of time, in microseconds.
    Duration(i64),
}

/// What is to be reached: at least or at most, whichever is better in the metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Of what.
    pub metric: Metric,
    /// How much.
    pub goal: Goal,
}

/// The figure of a metric over a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// A share of runs.
    Share(Ratio),
    /// A median of completion times.
    Median(Median),
}

/// A median of completion times, of runs that were all watched for the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Median {
    /// How many runs it is of.
    pub runs: i64,
    /// How many of them were completed in that time; the others took longer than any of these.
    pub completed: i64,
    /// In microseconds, by nearest rank; none of nothing, and where half took longer.
    pub value: Option<i64>,
    /// The lower end of its 95 % interval; none where it may lie below all that was seen.
    pub low: Option<i64>,
    /// The upper end; none where it lies beyond what was watched, or past what was seen.
    pub high: Option<i64>,
}

text_enum! {
    /// Whether a target was reached.
    TargetState {
        /// The maturity date is still to come.
        NotYetJudged = "NOT_YET_JUDGED",
        /// It was.
        Met = "MET",
        /// It was not.
        NotMet = "NOT_MET",
        /// There is nothing to judge by.
        NoRuns = "NO_RUNS",
    }
}

impl Target {
    /// Whether the figure after the change reaches it. The figure's interval says how sure that is.
    #[must_use]
    pub fn state(&self, figure: &Figure, mature: bool) -> TargetState {
        let met = match (self.goal, figure) {
            _ if !mature => return TargetState::NotYetJudged,
            (Goal::Share(goal), Figure::Share(ratio)) => ratio.value().map(|value| match self.metric.better() {
                Better::Higher => value >= goal,
                Better::Lower => value <= goal,
            }),
            (Goal::Duration(goal), Figure::Median(median)) => {
                (median.runs > 0).then(|| median.value.is_some_and(|value| value <= goal))
            }
            _ => None,
        };
        match met {
            None => TargetState::NoRuns,
            Some(true) => TargetState::Met,
            Some(false) => TargetState::NotMet,
        }
    }
}

/// What a version is measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the verdict goes by.
    pub primary: Metric,
    /// What is to be reached, each metric at most once.
    pub targets: Vec<Target>,
    /// How many days after it took effect a version is judged.
    pub matures_after_days: i32,
    /// In the first so many days a version is being learnt: their runs are left out.
    pub learning_days: i32,
    /// For how many days each run is watched: what is not completed by then took longer than what was.
    pub watch_days: i32,
}

impl Default for Plan {
    /// What holds where nothing was declared: six weeks, of which one is for learning and the last one for runs to end,
    /// which leaves four of runs.
    fn default() -> Self {
        Self {
            primary: Metric::ErrorRate,
            targets: Vec::new(),
            matures_after_days: 42,
            learning_days: 7,
            watch_days: 7,
        }
    }
}

/// The longest that a version may take to mature: a year.
pub const MAX_MATURITY: i32 = 366;
/// The longest for learning, and for watching a run.
pub const MAX_PERIOD: i32 = 90;

impl Plan {
    /// How long runs are watched, in microseconds.
    #[must_use]
    pub fn watch(&self) -> i64 {
        i64::from(self.watch_days) * DAY
    }

    /// What is wrong with it, for a version with a predecessor or without.
    #[must_use]
    pub fn check(&self, has_predecessor: bool) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut need = |holds: bool, field: &str, why: String| {
            if !holds {
                problems.push(Problem::at(field, why));
            }
        };
        let (learning, watch, matures) = (self.learning_days, self.watch_days, self.matures_after_days);
        need((0..=MAX_PERIOD).contains(&learning), "learningDays", format!("this is 0 to {MAX_PERIOD} days"));
        need((1..=MAX_PERIOD).contains(&watch), "watchDays", format!("this is 1 to {MAX_PERIOD} days"));
        let days = i64::try_from(Floor::Days.least()).unwrap_or(i64::MAX);
        let least = i64::from(learning.clamp(0, MAX_PERIOD)) + i64::from(watch.clamp(1, MAX_PERIOD)) + days;
        let why = format!(
            "this is {least} to {MAX_MATURITY} days: those for learning, {days} with runs, those for the last to end"
        );
        need((least..=i64::from(MAX_MATURITY)).contains(&i64::from(matures)), "maturesAfterDays", why);
        let why = "no version of this SOP was in force before, so there is no adoption to compare with";
        need(has_predecessor || self.primary != Metric::Adoption, "primaryMetric", why.to_owned());
        for target in &self.targets {
            let (holds, why) = match target.goal {
                Goal::Share(share) => ((0.0..=1.0).contains(&share), "a share is from 0 to 1"),
                Goal::Duration(micros) => {
                    (micros > 0 && micros <= self.watch(), "this is longer than nothing, and at most watchDays")
                }
            };
            need(holds, target.metric.field(), why.to_owned());
        }
        problems
    }
}
