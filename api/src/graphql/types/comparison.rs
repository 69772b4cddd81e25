//! A version against what was before it.

use async_graphql::{Context, Object, SimpleObject};
use sopwith_domain::measurement::{Metric, Stretch};
use sopwith_domain::stats::impact::shares::ShareImpact;
use sopwith_domain::stats::impact::times::TimeImpact;
use sopwith_domain::stats::impact::{self as domain, Extent, Shortfall};
use sopwith_domain::stats::significant;

use super::figures::{Interval, Ratio};
use super::version::{Version, version};
use super::{ImpactFloor, ImpactSideName, ImpactVerdict, MeasurementMetric};
use crate::app::comparison::{Compared, days};
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::comparison::Counts;

/// A version against the one that was in force before it, or, for the first one of an SOP, against the process before there
/// was that SOP: where another one was in force for it then, against that. It compares all runs of the process by when they
/// started, whatever version they say they used: those who take up a new version first are not like the others. What is found is
/// associated with the version and not shown to be caused by it: whatever else changed at the same time is in it too.
pub struct VersionImpact(pub Compared);

/// A version against the one that was in force before it, or, for the first one of an SOP, against the process before there
/// was that SOP: where another one was in force for it then, against that. It compares all runs of the process by when they
/// started, whatever version they say they used: those who take up a new version first are not like the others. What is found is
/// associated with the version and not shown to be caused by it: whatever else changed at the same time is in it too.
#[Object]
impl VersionImpact {
    /// The version.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        version(ctx, self.0.version.0).await
    }

    /// The version before it; null for the first, which is compared with all runs of the process before it.
    async fn predecessor(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.windows.predecessor {
            Some(id) => version(ctx, id.0).await,
            None => Ok(None),
        }
    }

    /// Whether the maturity date has come. Before it there is no verdict and no difference: show `summary`, and `before`,
    /// `after` and `shortfalls` as what was gathered so far.
    async fn mature(&self) -> bool {
        self.0.comparison.is_some()
    }

    /// The maturity date. Runs are compared up to it, so a later look sees the same ones.
    async fn matures_at(&self) -> DateTime {
        DateTime(self.0.windows.matures_at)
    }

    /// What the verdict goes by; declared in the version's `measurementPlan`.
    async fn primary_metric(&self) -> MeasurementMetric {
        self.0.plan.primary.into()
    }

    /// What may be said of the primary metric; null before the maturity date. There is none for the other metrics: with
    /// four to choose from, one of them looks different by chance alone too often.
    async fn verdict(&self) -> Option<ImpactVerdict> {
        self.0.comparison.as_ref().map(|comparison| comparison.verdict(self.0.plan.primary).into())
    }

    /// All this in a sentence, to be shown as it is.
    async fn summary(&self) -> &str {
        &self.0.summary
    }

    /// The side before.
    async fn before(&self) -> ImpactSide {
        ImpactSide::new(self.0.windows.before, self.0.before)
    }

    /// The side after.
    async fn after(&self) -> ImpactSide {
        ImpactSide::new(self.0.windows.after, self.0.after)
    }

    /// What is on neither side, or cannot be compared.
    async fn left_out(&self) -> Result<ImpactLeftOut> {
        Ok(ImpactLeftOut {
            learning: BigInt(self.0.learning),
            not_watched: BigInt(self.0.unwatched),
            without_actor: BigInt(self.0.without_actor()),
            people: BigInt(i64::try_from(self.0.people_left_out()).map_err(Error::internal)?),
        })
    }

    /// Runs that started before this time may have been deleted (`executionsKeptFrom`) and be missing on a side, so that the
    /// comparison is not the one that was made when they were there. Null where that touches neither side.
    async fn incomplete_before(&self) -> Option<DateTime> {
        self.0.incomplete_before.map(DateTime)
    }

    /// What there is too little of for a verdict, or was so far; empty when there is enough.
    async fn shortfalls(&self) -> Result<Vec<ImpactShortfall>> {
        self.0.basis().shortfalls().into_iter().map(ImpactShortfall::new).collect()
    }

    /// Runs that followed the procedure; null before the maturity date.
    async fn adoption(&self) -> Option<ShareComparison<'_>> {
        self.share(Metric::Adoption)
    }

    /// Runs with errors; null before the maturity date.
    async fn error_rate(&self) -> Option<ShareComparison<'_>> {
        self.share(Metric::ErrorRate)
    }

    /// Runs right the first time; null before the maturity date.
    async fn first_time_right(&self) -> Option<ShareComparison<'_>> {
        self.share(Metric::FirstTimeRight)
    }

    /// Completion times; null before the maturity date.
    async fn completion_time(&self) -> Option<TimeComparison<'_>> {
        self.0.comparison.as_ref().map(|comparison| TimeComparison(&comparison.completion_time))
    }
}

impl VersionImpact {
    fn share(&self, metric: Metric) -> Option<ShareComparison<'_>> {
        self.0.comparison.as_ref().and_then(|comparison| comparison.share(metric)).map(ShareComparison)
    }
}

/// The runs of one side.
#[derive(SimpleObject)]
pub struct ImpactSide {
    /// Those that started at this time or later.
    from: DateTime,
    /// And before this time.
    to: DateTime,
    /// How many. Of more than 15,000 of one side a part is compared, spread evenly over the time and the same each time.
    runs: BigInt,
    /// By how many people, where it is known who performed them.
    people: BigInt,
    /// In how many teams.
    teams: BigInt,
    /// Days from the first of them to the last.
    days: BigInt,
}

impl ImpactSide {
    fn new(stretch: Stretch, counts: Counts) -> Self {
        Self {
            from: DateTime(stretch.from),
            to: DateTime(stretch.to),
            runs: BigInt(counts.runs),
            people: BigInt(counts.people),
            teams: BigInt(counts.teams),
            days: BigInt(i64::try_from(days(&counts)).unwrap_or(i64::MAX)),
        }
    }
}

/// What is on neither side of a comparison, or cannot be compared. Training runs and runs of which no start is known are
/// not counted at all.
#[derive(SimpleObject)]
pub struct ImpactLeftOut {
    /// Runs while the version was being learnt.
    learning: BigInt,
    /// Runs that started too late to be watched for as long as the others by the maturity date.
    not_watched: BigInt,
    /// Runs of both sides of which nobody knows who performed them: they may all be one person's.
    without_actor: BigInt,
    /// People beyond 2,000: so many are compared at most, chosen by chance and the same each time.
    people: BigInt,
}

/// What there is too little of.
#[derive(SimpleObject)]
pub struct ImpactShortfall {
    /// On which side.
    side: ImpactSideName,
    /// Of what.
    floor: ImpactFloor,
    /// How many there are.
    has: BigInt,
    /// How many there must be.
    needs: BigInt,
}

impl ImpactShortfall {
    fn new(Shortfall { side, floor, has }: Shortfall) -> Result<Self> {
        let number = |n: u64| i64::try_from(n).map(BigInt).map_err(Error::internal);
        Ok(Self { side: side.into(), floor: floor.into(), has: number(has)?, needs: number(floor.least())? })
    }
}

/// A size with its 95 % interval from a bootstrap over people, within their teams: runs of one person are alike, and an
/// interval that takes them for independent is far too narrow.
#[derive(SimpleObject)]
pub struct ImpactEffect {
    /// The size that was seen.
    value: f64,
    /// Its interval. A verdict needs a little more than that this excludes "no difference".
    interval: Interval,
}

fn effect(effect: Option<domain::Effect>) -> Option<ImpactEffect> {
    let shown = |e: domain::Effect| ImpactEffect {
        value: e.value,
        interval: Interval { low: e.interval.low, high: e.interval.high },
    };
    effect.map(shown)
}

/// A share before and after, of the runs of which it is known who performed them. Go by `difference`, and not by whether
/// the intervals of both sides overlap: those take runs for independent.
pub struct ShareComparison<'a>(&'a ShareImpact);

/// A share before and after, of the runs of which it is known who performed them. Go by `difference`, and not by whether
/// the intervals of both sides overlap: those take runs for independent.
#[Object]
impl ShareComparison<'_> {
    /// The share before.
    async fn before(&self) -> Ratio {
        Ratio(self.0.before)
    }

    /// The share after.
    async fn after(&self) -> Ratio {
        Ratio(self.0.after)
    }

    /// After less before, from -1 to 1; null unless two people have runs on each side.
    async fn difference(&self) -> Option<ImpactEffect> {
        effect(self.0.difference)
    }
}

/// Completion times before and after, of the runs of which it is known who performed them, within 0.6 % and in no more
/// than four significant digits.
pub struct TimeComparison<'a>(&'a TimeImpact);

/// Completion times before and after, of the runs of which it is known who performed them, within 0.6 % and in no more
/// than four significant digits.
#[Object]
impl TimeComparison<'_> {
    /// Of how many runs before.
    async fn runs_before(&self) -> Result<BigInt> {
        runs(self.0.basis.before)
    }

    /// Of how many runs after.
    async fn runs_after(&self) -> Result<BigInt> {
        runs(self.0.basis.after)
    }

    /// The median before; null of nothing, and when half took longer than they were watched.
    async fn median_before(&self) -> Option<Duration> {
        duration(self.0.before)
    }

    /// The median after; null as before.
    async fn median_after(&self) -> Option<Duration> {
        duration(self.0.after)
    }

    /// The median after over that before: 0.8 says that it is a fifth shorter. Null when either is not known or zero.
    async fn ratio(&self) -> Option<ImpactEffect> {
        effect(self.0.ratio)
    }

    /// The probability that a run after takes less time than a run before (Mann and Whitney): over 0.5 when it is quicker
    /// after. The verdict goes by it, unless the medians say the opposite.
    async fn quicker(&self) -> Option<ImpactEffect> {
        effect(self.0.quicker)
    }
}

fn runs(extent: Extent) -> Result<BigInt> {
    Ok(BigInt(i64::try_from(extent.runs).map_err(Error::internal)?))
}

fn duration(micros: Option<f64>) -> Option<Duration> {
    #[expect(clippy::cast_possible_truncation, reason = "lengths of time are far below 2^63 microseconds")]
    micros.map(|micros| Duration { micros: significant(micros).round() as i64 })
}
