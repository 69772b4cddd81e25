//! How runs go through the steps of a version.

use crate::metrics::{Ranks, Ratio};

/// The runs with a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepCounts {
    /// Its key.
    pub key: String,
    /// Runs that tell of it, whatever became of it.
    pub reached: i64,
    /// Those of them in which it was done, at the first attempt or a later one.
    pub done: i64,
    /// Those in which it was skipped: neither done nor tried.
    pub skipped: i64,
    /// Those in which it failed at least once, done in the end or not.
    pub failed: i64,
    /// How often it failed in all of them.
    pub failures: i64,
    /// How long it took.
    pub time: StepTime,
}

/// How long a step takes: all attempts of a run together, where both ends of one are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepTime {
    /// Runs of which that is known.
    pub runs: i64,
    /// Those of them that took longer than is expected, where something is.
    pub over: i64,
    /// The median in microseconds, by nearest rank, and the ends of its 95 % interval.
    pub median: Option<(i64, i64, i64)>,
}

impl StepTime {
    /// The ranks of the median and of the ends of its interval.
    #[must_use]
    pub fn ranks(&self) -> Option<Ranks> {
        Ranks::of(50, self.runs)
    }

    /// Runs that took longer than is expected, among those with a time.
    #[must_use]
    pub fn over_expected(&self) -> Ratio {
        Ratio { numerator: self.over, denominator: self.runs }
    }
}
