//! Statistics of runs: how long they take, with the open ones counted in, and whether two sides differ. Pure, with
//! chance from a seed, so that the same question has the same answer on every replica.

pub mod bootstrap;
pub mod histogram;
pub mod impact;
pub mod mann_whitney;
pub mod survival;

#[cfg(test)]
pub(crate) mod simulate;

/// A number of runs or microseconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52, and durations are not needed closer")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// An interval; where it stands says at which level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The smallest interval around both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What of it lies from `low` to `high`.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { low: self.low.clamp(low, high), high: self.high.clamp(low, high) }
    }

    /// Whether a value lies within, the ends included.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}
