//! What is to be added to a histogram and what is to be taken away.

use super::{Histogram, TooMany, within_bounds};

/// The difference between two histograms, such as a correction makes: what comes in and what goes out. Changes can be
/// merged in any order and any grouping, also where what goes out is merged before what it once came in with; only the
/// sum of all must not go below zero. No bucket is in both parts, so equal changes are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Change {
    added: Histogram,
    removed: Histogram,
}

impl Change {
    /// What leads from one histogram to another.
    #[must_use]
    pub fn between(old: &Histogram, new: &Histogram) -> Self {
        Self { added: excess(new, old), removed: excess(old, new) }
    }

    /// What comes in.
    #[must_use]
    pub fn added(&self) -> &Histogram {
        &self.added
    }

    /// What goes out.
    #[must_use]
    pub fn removed(&self) -> &Histogram {
        &self.removed
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// This change and another after it.
    ///
    /// # Errors
    /// When there would be more than [`super::MOST_RUNS`].
    pub fn merge(&mut self, other: &Self) -> Result<(), TooMany> {
        within_bounds(self.added.count(), other.added.count())?;
        within_bounds(self.removed.count(), other.removed.count())?;
        self.added.merge(&other.added)?;
        self.removed.merge(&other.removed)?;
        if !self.removed.is_empty() {
            *self = Self::between(&self.removed, &self.added);
        }
        Ok(())
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { added: self.removed, removed: self.added }
    }

    /// From its parts; none when a bucket is in both.
    pub(super) fn from_parts(added: Histogram, removed: Histogram) -> Option<Self> {
        let apart = added.buckets().all(|(bucket, _)| removed.find(bucket).is_err());
        apart.then_some(Self { added, removed })
    }
}

impl From<Histogram> for Change {
    fn from(added: Histogram) -> Self {
        Self { added, removed: Histogram::default() }
    }
}

/// What `this` has over `that`, bucket by bucket.
fn excess(this: &Histogram, that: &Histogram) -> Histogram {
    let buckets: Vec<_> = this
        .buckets()
        .map(|(bucket, runs)| (bucket, runs.saturating_sub(that.find(bucket).map_or(0, |at| that.buckets[at].1))))
        .filter(|(_, runs)| *runs > 0)
        .collect();
    let count = buckets.iter().map(|(_, runs)| runs).sum();
    Histogram { buckets, count }
}
