//! How runs go through the steps of a version.

use std::cmp::Ordering;

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
    /// Those in which it was tried more than once, done in the end or not.
    pub repeated: i64,
    /// How long it took.
    pub time: StepTime,
}

/// What steps are put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It failed at least once.
    Failed,
    /// It was skipped.
    Skipped,
    /// It was tried more than once.
    Repeated,
}

impl StepCounts {
    /// Takes in the counts of other runs with the same step; of how long it took nothing.
    pub fn add(&mut self, more: &Self) {
        self.reached += more.reached;
        self.done += more.done;
        self.skipped += more.skipped;
        self.failed += more.failed;
        self.failures += more.failures;
        self.repeated += more.repeated;
    }

    /// Runs with this trouble, among those that tell of the step.
    #[must_use]
    pub fn share(&self, trouble: Trouble) -> Ratio {
        let numerator = match trouble {
            Trouble::Failed => self.failed,
            Trouble::Skipped => self.skipped,
            Trouble::Repeated => self.repeated,
        };
        Ratio { numerator, denominator: self.reached }
    }

    /// Puts the step first whose share is larger for sure: by the lower end of its interval, so that none leads because of
    /// a few runs. Of equals the one with more runs comes first.
    #[must_use]
    pub fn worse(&self, other: &Self, trouble: Trouble) -> Ordering {
        let low = |step: &Self| step.share(trouble).interval().map_or(0.0, |(low, _)| low);
        low(other).total_cmp(&low(self)).then_with(|| other.reached.cmp(&self.reached))
    }
}

/// How long a step takes: all attempts of a run together, where both ends of one are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepTime {
    /// Runs of which that is known.
    pub runs: i64,
    /// Those of them that took longer than is expected, where something is.
    pub over: i64,
    /// The median in microseconds, by nearest rank, and the ends of its 95 % interval; without one that lies beyond what was
    /// seen.
    pub median: Option<(i64, Option<i64>, Option<i64>)>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_step_is_the_one_that_surely_is() {
        let step = |key: &str, reached, failed, skipped, repeated| StepCounts {
            key: key.to_owned(),
            reached,
            failed,
            skipped,
            repeated,
            ..StepCounts::default()
        };
        let steps = [
            step("one-of-one", 1, 1, 0, 0),
            step("half", 200, 100, 0, 9),
            step("never", 9, 0, 9, 0),
            step("never-of-many", 900, 0, 9, 90),
            step("third", 300, 100, 2, 0),
        ];
        let order = |trouble| {
            let mut steps = steps.to_vec();
            steps.sort_by(|a, b| a.worse(b, trouble).then_with(|| a.key.cmp(&b.key)));
            steps.into_iter().map(|step| step.key).collect::<Vec<_>>()
        };
        assert_eq!(order(Trouble::Failed), ["half", "third", "one-of-one", "never-of-many", "never"]);
        assert_eq!(order(Trouble::Skipped), ["never", "never-of-many", "third", "half", "one-of-one"]);
        assert_eq!(order(Trouble::Repeated), ["never-of-many", "half", "third", "never", "one-of-one"]);
    }
}
