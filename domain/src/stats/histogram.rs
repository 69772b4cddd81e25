//! Histograms of durations that can be added and merged, and of which a [`Change`] takes away again without a trace.

mod binary;
mod bucket;
mod change;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use super::float;
use crate::metrics::Ranks;

pub use binary::Malformed;
pub(crate) use binary::{read_number, write_number};
pub use bucket::Bucket;
pub use change::Change;

/// More runs than this are not counted: it is the largest number that both databases store.
pub const MOST_RUNS: u64 = i64::MAX as u64;

/// One histogram with so many times fewer buckets than another is put into it; else both are read from end to end.
const FEW: usize = 8;

/// There would be more runs than [`MOST_RUNS`]: the histogram is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than 2^63 - 1 runs cannot be counted")]
pub struct TooMany;

/// A percentile of durations with its 95 % interval, in microseconds; each end within 0.5415 % of the nearest rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile {
    /// The value at nearest rank.
    pub value: f64,
    /// The lower end of its interval; 0 where it may lie below the shortest.
    pub low: f64,
    /// The upper end of its interval; none where it may lie past the longest.
    pub high: Option<f64>,
}

/// How many runs took how long: a sparse histogram with the buckets of [`Bucket`]. Counts are exact. Two histograms
/// of the same durations are equal, in whatever way they came about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Histogram {
    /// In order, and none with a count of zero.
    buckets: Vec<(Bucket, u64)>,
    /// The sum of the counts.
    count: u64,
}

impl Histogram {
    /// How many runs.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The buckets that have runs, in order, and how many.
    pub fn buckets(&self) -> impl Iterator<Item = (Bucket, u64)> + '_ {
        self.buckets.iter().copied()
    }

    /// Adds so many runs that took so many microseconds.
    ///
    /// # Errors
    /// When there would be more than [`MOST_RUNS`].
    pub fn add(&mut self, micros: u64, runs: u64) -> Result<(), TooMany> {
        let count = within_bounds(self.count, runs)?;
        if runs == 0 {
            return Ok(());
        }
        self.put(Bucket::of(micros), runs);
        self.count = count;
        Ok(())
    }

    /// Adds all that another holds.
    ///
    /// # Errors
    /// When there would be more than [`MOST_RUNS`].
    pub fn merge(&mut self, other: &Self) -> Result<(), TooMany> {
        let count = within_bounds(self.count, other.count)?;
        if other.buckets.len() * FEW < self.buckets.len() {
            for (bucket, runs) in other.buckets() {
                self.put(bucket, runs);
            }
        } else {
            self.buckets = combined(&self.buckets, &other.buckets);
        }
        self.count = count;
        Ok(())
    }

    /// The duration at a rank, from 1 for the shortest, in microseconds and within 0.5415 %; none past the last.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        if rank == 0 {
            return None;
        }
        let mut seen = 0;
        let reached = self.buckets.iter().find(|(_, runs)| {
            seen += runs;
            seen >= rank
        });
        reached.map(|(bucket, _)| bucket.value())
    }

    /// The percentile `percent` (1 to 99) by nearest rank with its interval from order statistics; none of nothing.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<Percentile> {
        let ranks = Ranks::of(percent, i64::try_from(self.count).ok()?)?;
        let at = |rank: i64| self.at_rank(u64::try_from(rank).ok()?);
        Some(Percentile { value: at(ranks.at)?, low: at(ranks.low).unwrap_or(0.0), high: at(ranks.high) })
    }

    /// How much the durations differ: their variance, over n - 1, of each within 0.5415 %, so that of what differs by less
    /// nothing may be left; none of fewer than two.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        let n = float(self.count);
        let sum = |of: &dyn Fn(f64) -> f64| {
            self.buckets().map(|(bucket, runs)| of(bucket.value()) * float(runs)).sum::<f64>()
        };
        let mean = sum(&|value| value) / n;
        (self.count > 1).then(|| sum(&|value| (value - mean).powi(2)) / (n - 1.0))
    }

    fn put(&mut self, bucket: Bucket, runs: u64) {
        match self.find(bucket) {
            Ok(place) => self.buckets[place].1 += runs,
            Err(place) => self.buckets.insert(place, (bucket, runs)),
        }
    }

    fn find(&self, bucket: Bucket) -> Result<usize, usize> {
        self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket)
    }
}

fn within_bounds(held: u64, more: u64) -> Result<u64, TooMany> {
    held.checked_add(more).filter(|sum| *sum <= MOST_RUNS).ok_or(TooMany)
}

/// Both counts of each bucket together.
fn combined(left: &[(Bucket, u64)], right: &[(Bucket, u64)]) -> Vec<(Bucket, u64)> {
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some((l, _)), Some((r, _))) => l.cmp(r),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return out,
        };
        let l = if order.is_le() { left.next() } else { None };
        let r = if order.is_ge() { right.next() } else { None };
        let Some((bucket, _)) = l.or(r) else { return out };
        out.push((bucket, l.map_or(0, |(_, n)| n) + r.map_or(0, |(_, n)| n)));
    }
}
