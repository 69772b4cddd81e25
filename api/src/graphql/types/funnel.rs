//! How runs go through the steps of a version.

use async_graphql::{Context, Object, SimpleObject};
use sopwith_domain::funnel::StepTime;
use sopwith_domain::metrics as domain;

use super::content::Step;
use super::figures::{Rate, Ratio};
use super::version::{Version, version};
use crate::app::funnel::{Funnel, OfStep};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime, Duration};

/// How runs went through the steps of a version, as far as they tell of them.
pub struct StepFunnel(pub Funnel);

/// How runs went through the steps of a version, as far as they tell of them.
#[Object]
impl StepFunnel {
    /// The version.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        version(ctx, self.0.version.0).await
    }

    /// Of runs that started at this time or later; one without a start goes by its finish.
    async fn from(&self) -> DateTime {
        DateTime(self.0.from)
    }

    /// And before this time.
    async fn to(&self) -> DateTime {
        DateTime(self.0.to)
    }

    /// How many runs there were.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// How many of them all else here is counted from: all, or of more than 15,000 a part of about so many, spread evenly and
    /// the same each time.
    async fn runs_read(&self) -> BigInt {
        BigInt(self.0.read)
    }

    /// Those of the runs read that tell of a step, among them.
    async fn runs_with_steps(&self) -> Ratio {
        Ratio::of(self.0.with_steps, self.0.read)
    }

    /// The steps of the version in their order, also those that no run tells of.
    async fn steps(&self) -> Vec<StepFigures<'_>> {
        self.of(true)
    }

    /// Steps that the version does not have, those of most runs first, at most 50.
    async fn other_steps(&self) -> Vec<StepFigures<'_>> {
        self.of(false)
    }
}

impl StepFunnel {
    fn of(&self, known: bool) -> Vec<StepFigures<'_>> {
        let steps = self.0.steps.iter().filter(|step| step.step.is_some() == known);
        steps.map(|of| StepFigures { of, with_steps: self.0.with_steps }).collect()
    }
}

/// The runs with a step.
pub struct StepFigures<'a> {
    of: &'a OfStep,
    with_steps: i64,
}

/// The runs with a step.
#[Object]
impl StepFigures<'_> {
    /// Its key.
    async fn key(&self) -> &str {
        &self.of.counts.key
    }

    /// The step; null of one that the version does not have.
    async fn step(&self) -> Option<Step> {
        self.of.step.as_ref().map(Into::into)
    }

    /// Runs that tell of it, whatever became of it, among those that tell of any step.
    async fn reached(&self) -> Ratio {
        Ratio::of(self.of.counts.reached, self.with_steps)
    }

    /// Runs in which it was done, at the first attempt or a later one, among those that reached it.
    async fn done(&self) -> Ratio {
        Ratio::of(self.of.counts.done, self.of.counts.reached)
    }

    /// Runs in which it was skipped, and not tried, among those that reached it.
    async fn skipped(&self) -> Ratio {
        Ratio::of(self.of.counts.skipped, self.of.counts.reached)
    }

    /// Runs in which it failed at least once, whether or not it was done in the end, among those that reached it.
    async fn failed(&self) -> Ratio {
        Ratio::of(self.of.counts.failed, self.of.counts.reached)
    }

    /// Runs in which it was tried more than once, whatever came of it, among those that reached it.
    async fn repeated(&self) -> Ratio {
        Ratio::of(self.of.counts.repeated, self.of.counts.reached)
    }

    /// How often it failed: every failed attempt counts.
    async fn errors(&self) -> Rate {
        Rate(domain::Rate { events: self.of.counts.failures, runs: self.of.counts.reached })
    }

    /// How long it took.
    async fn time(&self) -> StepTimeFigures {
        let expected = self.of.step.as_ref().and_then(|step| step.expected_duration);
        StepTimeFigures::new(&self.of.counts.time, expected)
    }
}

/// The median of what was seen, to the microsecond, with its 95 % interval.
#[derive(SimpleObject)]
pub struct StepMedian {
    /// The value.
    value: Duration,
    /// The lower end of its interval; zero where it may lie below all that has been seen.
    low: Duration,
    /// The upper end of its interval; null where it lies past what has been seen.
    high: Option<Duration>,
}

/// How long a step takes: all attempts of a run together, where the beginning and the end of one are known.
#[derive(SimpleObject)]
pub struct StepTimeFigures {
    /// Runs of which that is known.
    runs: BigInt,
    /// Half of them took no longer; null of nothing.
    median: Option<StepMedian>,
    /// How long it should take, as the version says; null where it does not.
    expected: Option<Duration>,
    /// The median over what is expected: 1.5 says that it takes half as long again. Null where one is missing or nothing.
    ratio: Option<f64>,
    /// Runs that took longer than is expected, among those with a time; null where nothing is expected.
    over_expected: Option<Ratio>,
}

impl StepTimeFigures {
    fn new(time: &StepTime, expected: Option<u32>) -> Self {
        let duration = |micros| Duration { micros };
        let expected = expected.map(|seconds| i64::from(seconds) * sopwith_domain::time::SECOND);
        #[expect(clippy::cast_precision_loss, reason = "times of steps are far below 2^52 microseconds")]
        let ratio = |(value, expected): (i64, i64)| (expected > 0).then(|| value as f64 / expected as f64);
        Self {
            runs: BigInt(time.runs),
            median: time.median.map(|(value, low, high)| StepMedian {
                value: duration(value),
                low: duration(low.unwrap_or(0)),
                high: high.map(duration),
            }),
            expected: expected.map(duration),
            ratio: time.median.map(|(value, ..)| value).zip(expected).and_then(ratio),
            over_expected: expected.map(|_| Ratio(time.over_expected())),
        }
    }
}
