//! What versions are measured by, and whether they reached it.

use async_graphql::{Context, Enum, Object, SimpleObject};
use sopwith_domain::measurement::{self as domain, Figure, Goal};
use sopwith_domain::stats::impact::shares::Better;

use super::figures::Ratio;
use super::people::{Person, person};
use super::version::{Version, version};
use super::{MeasurementMetric, TargetState};
use crate::graphql::error::Result;
use crate::graphql::loaders::{ProgressKey, ResultsKey, load};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::Uuid;
use crate::store::measurement::{Baseline, StoredPlan};

/// What a version is measured by. It cannot be changed once the version was submitted, so it says what was wanted before
/// anybody could look.
pub struct MeasurementPlan {
    /// Of which version.
    pub version: Uuid,
    /// What was declared.
    pub stored: Option<StoredPlan>,
}

impl MeasurementPlan {
    fn plan(&self) -> domain::Plan {
        self.stored.as_ref().map(|stored| stored.plan.clone()).unwrap_or_default()
    }
}

/// What a version is measured by. It cannot be changed once the version was submitted, so it says what was wanted before
/// anybody could look.
#[Object]
impl MeasurementPlan {
    /// Whether somebody declared it; where not, it has the defaults: error rate, six weeks, no targets.
    async fn declared(&self) -> bool {
        self.stored.is_some()
    }

    /// Raised by every change, 0 where nothing was declared; what `expectedRevision` is compared with.
    async fn revision(&self) -> BigInt {
        BigInt(self.stored.as_ref().map_or(0, |stored| stored.revision))
    }

    /// The one metric by which `versionImpact` gives its verdict.
    async fn primary_metric(&self) -> MeasurementMetric {
        self.plan().primary.into()
    }

    /// How many days after it took effect the version is judged.
    async fn matures_after_days(&self) -> i32 {
        self.plan().matures_after_days
    }

    /// In the first so many days the version is being learnt: runs that started in them count on neither side.
    async fn learning_days(&self) -> i32 {
        self.plan().learning_days
    }

    /// For how many days from its start each run is watched, on both sides: what is not completed by then counts as
    /// longer than all that is.
    async fn watch_days(&self) -> i32 {
        self.plan().watch_days
    }

    /// When the version is judged; null until it takes effect. Nothing is said before, since whoever looks again and
    /// again finds differences that are none.
    async fn matures_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        let progress = load(ctx, ProgressKey(self.version)).await?;
        Ok(progress.and_then(|progress| progress.windows).map(|windows| DateTime(windows.matures_at)))
    }

    /// What is to be reached.
    async fn targets(&self) -> Vec<MeasurementTarget> {
        let baselines = self.stored.as_ref().map(|stored| stored.baselines.clone()).unwrap_or_default();
        let of = |target: &domain::Target| MeasurementTarget {
            version: self.version,
            target: *target,
            baseline: baselines.iter().find(|baseline| baseline.metric == target.metric).copied(),
        };
        self.plan().targets.iter().map(of).collect()
    }

    /// The figures of before, written down when the version took effect and never changed since; empty where no plan was
    /// declared, before that time, and for who does not read figures of the SOP.
    async fn baselines(&self, ctx: &Context<'_>) -> Result<Vec<MeasurementBaseline>> {
        if !reads(ctx, self.version).await? {
            return Ok(Vec::new());
        }
        Ok(self.stored.iter().flat_map(|stored| &stored.baselines).copied().map(MeasurementBaseline).collect())
    }

    /// Who declared it, or changed it last.
    async fn declared_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.stored.as_ref().map(|stored| stored.declared_by.0)).await
    }

    /// When that was.
    async fn declared_at(&self) -> Option<DateTime> {
        self.stored.as_ref().map(|stored| DateTime(stored.declared_at))
    }
}

async fn reads(ctx: &Context<'_>, version: Uuid) -> Result<bool> {
    Ok(load(ctx, ProgressKey(version)).await?.is_some_and(|progress| progress.read))
}

/// Which side of a target is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TargetBound {
    /// The target or more.
    AtLeast,
    /// The target or less.
    AtMost,
}

/// What a version is to reach in one metric.
pub struct MeasurementTarget {
    version: Uuid,
    target: domain::Target,
    baseline: Option<Baseline>,
}

/// What a version is to reach in one metric.
#[Object]
impl MeasurementTarget {
    /// Of what.
    async fn metric(&self) -> MeasurementMetric {
        self.target.metric.into()
    }

    /// Which side of it is good.
    async fn bound(&self) -> TargetBound {
        match self.target.metric.better() {
            Better::Higher => TargetBound::AtLeast,
            Better::Lower => TargetBound::AtMost,
        }
    }

    /// The share, from 0 to 1; null for `COMPLETION_TIME`.
    async fn share(&self) -> Option<f64> {
        match self.target.goal {
            Goal::Share(share) => Some(share),
            Goal::Duration(_) => None,
        }
    }

    /// The median; null for all but `COMPLETION_TIME`.
    async fn duration(&self) -> Option<Duration> {
        match self.target.goal {
            Goal::Share(_) => None,
            Goal::Duration(micros) => Some(Duration { micros }),
        }
    }

    /// Whether it was reached: by the value of `result`, whose interval says how sure that is. Null for who does not read
    /// figures of the SOP.
    #[graphql(complexity = 50)]
    async fn state(&self, ctx: &Context<'_>) -> Result<Option<TargetState>> {
        if !reads(ctx, self.version).await? {
            return Ok(None);
        }
        let counts = load(ctx, ResultsKey(self.version)).await?;
        let figure = counts.unwrap_or_default().figure(self.target.metric);
        Ok(Some(self.target.state(&figure, counts.is_some()).into()))
    }

    /// What it came to: of the runs from the end of learning on that were watched in full by the maturity date. Null
    /// before that date.
    #[graphql(complexity = "child_complexity + 50")]
    async fn result(&self, ctx: &Context<'_>) -> Result<Option<MeasurementFigure>> {
        let counts = load(ctx, ResultsKey(self.version)).await?;
        Ok(counts.map(|counts| counts.figure(self.target.metric).into()))
    }

    /// What it was before, written down when the version took effect; null before that, and for who does not read
    /// figures of the SOP.
    async fn baseline(&self, ctx: &Context<'_>) -> Result<Option<MeasurementBaseline>> {
        let read = reads(ctx, self.version).await?;
        Ok(self.baseline.filter(|_| read).map(MeasurementBaseline))
    }
}

/// A figure of before, as it was when the version took effect.
pub struct MeasurementBaseline(Baseline);

/// A figure of before, as it was when the version took effect.
#[Object]
impl MeasurementBaseline {
    /// Of what.
    async fn metric(&self) -> MeasurementMetric {
        self.0.metric.into()
    }

    /// The version that was in force before; null where there was none, and it is of all runs of the process.
    async fn predecessor(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.predecessor {
            Some(id) => version(ctx, id.0).await,
            None => Ok(None),
        }
    }

    /// Of runs that started at this time or later.
    async fn from(&self) -> DateTime {
        DateTime(self.0.stretch.from)
    }

    /// Of runs that started before this time: those that had been watched in full.
    async fn to(&self) -> DateTime {
        DateTime(self.0.stretch.to)
    }

    /// The figure.
    async fn figure(&self) -> MeasurementFigure {
        self.0.figure.into()
    }

    /// When it was taken.
    async fn taken_at(&self) -> DateTime {
        DateTime(self.0.taken_at)
    }
}

/// A figure of one metric: a share or a median, never both.
#[derive(SimpleObject)]
pub struct MeasurementFigure {
    /// The share of runs; null for `COMPLETION_TIME`.
    share: Option<Ratio>,
    /// The median of completion times; null for all but `COMPLETION_TIME`.
    median: Option<WatchedMedian>,
}

impl From<Figure> for MeasurementFigure {
    fn from(figure: Figure) -> Self {
        match figure {
            Figure::Share(ratio) => Self { share: Some(Ratio(ratio)), median: None },
            Figure::Median(median) => Self { share: None, median: Some(WatchedMedian(median)) },
        }
    }
}

/// The median of completion times of runs that were all watched for the same time, `watchDays`.
pub struct WatchedMedian(domain::Median);

/// The median of completion times of runs that were all watched for the same time, `watchDays`.
#[Object]
impl WatchedMedian {
    /// How many runs it is of.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// How many of them were completed while they were watched; the others, and those that were abandoned, count as
    /// longer than any of these.
    async fn completed(&self) -> BigInt {
        BigInt(self.0.completed)
    }

    /// The median by nearest rank; null of nothing, and where half took longer than they were watched.
    async fn value(&self) -> Option<Duration> {
        self.0.value.map(|micros| Duration { micros })
    }

    /// The lower end of its 95 % interval; null of nothing, and where it may lie below all that has been seen.
    async fn low(&self) -> Option<Duration> {
        self.0.low.map(|micros| Duration { micros })
    }

    /// The upper end of its 95 % interval; null where that lies beyond what was watched, or past what has been seen.
    async fn high(&self) -> Option<Duration> {
        self.0.high.map(|micros| Duration { micros })
    }
}
