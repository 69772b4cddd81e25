//! How long runs took.

use async_graphql::{Object, SimpleObject};
use sopwith_domain::metrics::Mean;
use sopwith_domain::stats::histogram::{self, Histogram};
use sopwith_domain::stats::significant;
use sopwith_domain::stats::survival::{Incidence, Reached};

use crate::graphql::scalars::{BigInt, Duration};
use crate::store::figures as stored;

/// A percentile of times with its 95 % interval, within 0.6 % of the exact value and in no more than four
/// significant digits.
pub enum Percentile<'a> {
    /// Of all, those that have not ended counted in.
    Reached(Reached<'a>),
    /// Of those that were completed.
    Ranked(histogram::Percentile),
}

/// A percentile of times with its 95 % interval, within 0.6 % of the exact value and in no more than four
/// significant digits.
#[Object(serial)]
impl Percentile<'_> {
    /// The value.
    async fn value(&self) -> Duration {
        told(match self {
            Self::Reached(at) => at.value,
            Self::Ranked(at) => at.value,
        })
    }

    /// The lower end of its interval. Of a few completed runs alone it is zero where it may lie below all that has been seen.
    async fn low(&self) -> Duration {
        told(match self {
            Self::Reached(at) => at.low(),
            Self::Ranked(at) => at.low,
        })
    }

    /// The upper end of its interval; null where it lies past what has been seen.
    async fn high(&self) -> Option<Duration> {
        match self {
            Self::Reached(at) => at.high(),
            Self::Ranked(at) => at.high,
        }
        .map(told)
    }
}

/// A 95 % interval of times, in no more than four significant digits.
#[derive(SimpleObject)]
#[graphql(serial)]
pub struct DurationInterval {
    /// Its lower end.
    low: Duration,
    /// Its upper end.
    high: Duration,
}

fn told(micros: f64) -> Duration {
    duration(significant(micros))
}

#[expect(clippy::cast_possible_truncation, reason = "durations of runs are far below 2^63 microseconds")]
fn duration(micros: f64) -> Duration {
    Duration { micros: micros.round() as i64 }
}

/// How long runs took, by the time in which they started. Those still open are counted in: it is known of them that
/// they take longer than they have been open, so a growing backlog does not look like progress. An abandoned run is
/// never completed.
pub struct CompletionTime<'a> {
    figures: &'a stored::Figures,
    incidence: Incidence,
}

impl<'a> CompletionTime<'a> {
    pub(super) fn of(figures: &'a stored::Figures) -> Self {
        Self { figures, incidence: figures.incidence() }
    }
}

impl CompletionTime<'_> {
    /// In microseconds.
    #[expect(clippy::cast_precision_loss, reason = "sums of milliseconds are not needed closer")]
    fn average(&self) -> Option<f64> {
        let n = self.figures.completed.count();
        (n > 0).then(|| self.figures.tally.completion_millis as f64 * 1000.0 / n as f64)
    }

    fn percentile(&self, percent: i64) -> Option<Percentile<'_>> {
        self.incidence.percentile(percent).map(Percentile::Reached)
    }
}

/// How long runs took, by the time in which they started. Those still open are counted in: it is known of them that
/// they take longer than they have been open, so a growing backlog does not look like progress. An abandoned run is
/// never completed.
#[Object(serial)]
impl CompletionTime<'_> {
    /// How many runs were completed.
    async fn n(&self) -> BigInt {
        BigInt(count(&self.figures.completed))
    }

    /// How many runs are open: they began, and are not known to have ended.
    async fn open(&self) -> BigInt {
        BigInt(self.figures.tally.open)
    }

    /// How long the completed runs took on average; null of nothing. Few long runs move it far: see `p50`.
    async fn mean(&self) -> Option<Duration> {
        self.average().map(duration)
    }

    /// The 95 % interval of the mean, as if the times came from a normal distribution: of few runs that differ much it is too
    /// narrow. Null of fewer than two.
    async fn mean_interval(&self) -> Option<DurationInterval> {
        let (completed, value) = (&self.figures.completed, self.average()?);
        let (low, high) = Mean { n: count(completed), value, variance: completed.variance()? }.interval()?;
        Some(DurationInterval { low: told(low.max(0.0)), high: told(high) })
    }

    /// Half of the runs were completed after so long; null while they are not.
    async fn p50(&self) -> Option<Percentile<'_>> {
        self.percentile(50)
    }

    /// Nine in ten were completed after so long; null while they are not.
    async fn p90(&self) -> Option<Percentile<'_>> {
        self.percentile(90)
    }

    /// Nineteen in twenty were completed after so long; null while they are not.
    async fn p95(&self) -> Option<Percentile<'_>> {
        self.percentile(95)
    }

    /// The same of the completed runs alone, by nearest rank. Where `open` is large against `n`, it looks better than
    /// it is.
    async fn completed_only(&self) -> CompletedTime<'_> {
        CompletedTime(&self.figures.completed)
    }
}

fn count(histogram: &Histogram) -> i64 {
    i64::try_from(histogram.count()).unwrap_or(i64::MAX)
}

/// How long completed runs took.
pub struct CompletedTime<'a>(&'a Histogram);

impl CompletedTime<'_> {
    fn percentile(&self, percent: i64) -> Option<Percentile<'_>> {
        self.0.percentile(percent).map(Percentile::Ranked)
    }
}

/// How long completed runs took.
#[Object(serial)]
impl CompletedTime<'_> {
    /// Half took no longer.
    async fn p50(&self) -> Option<Percentile<'_>> {
        self.percentile(50)
    }

    /// Nine in ten took no longer.
    async fn p90(&self) -> Option<Percentile<'_>> {
        self.percentile(90)
    }

    /// Nineteen in twenty took no longer.
    async fn p95(&self) -> Option<Percentile<'_>> {
        self.percentile(95)
    }
}
