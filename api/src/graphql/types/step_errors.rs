//! Steps in the order of the trouble that runs have with them.

use async_graphql::{Context, Enum, Object};
use sopwith_domain::funnel as domain;
use sopwith_domain::metrics;
use sopwith_domain::time::Timestamp;

use super::content::Step;
use super::figures::{Rate, Ratio};
use super::process::{Process, process};
use super::sop::{Sop, sop};
use super::version::{Version, version};
use crate::app::figures::steps::{Known, Worst};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::figures::steps::OfStep;

/// Which steps are the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::Trouble")]
pub enum StepErrorsBy {
    /// Those that fail most often.
    Failed,
    /// Those that are skipped most often.
    Skipped,
    /// Those that are tried more than once most often.
    Repeated,
}

/// Steps in the order of the trouble that runs have with them, over all versions that they are runs of: the key of a step
/// stays the same from version to version. Counted as `stepFunnel` counts them.
pub struct StepErrors(pub Worst);

/// Steps in the order of the trouble that runs have with them, over all versions that they are runs of: the key of a step
/// stays the same from version to version. Counted as `stepFunnel` counts them.
#[Object]
impl StepErrors {
    /// Of runs that started at this time or later; one without a start goes by its finish. Later than was asked where
    /// executions from before may have been deleted (`executionsKeptFrom`).
    async fn from(&self) -> DateTime {
        DateTime(self.0.found.from)
    }

    /// And before this time.
    async fn to(&self) -> DateTime {
        DateTime(self.0.to)
    }

    /// How many runs there were.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.found.runs)
    }

    /// How many of them all else here is counted from: all, or of more than 15,000 a part of about so many, spread evenly and
    /// the same each time.
    async fn runs_read(&self) -> BigInt {
        BigInt(self.0.found.read)
    }

    /// Those of the runs read that tell of a step, among them.
    async fn runs_with_steps(&self) -> Ratio {
        Ratio::of(self.0.found.with_steps, self.0.found.read)
    }

    /// How many steps they tell of.
    async fn total_count(&self) -> BigInt {
        BigInt(self.0.found.total)
    }

    /// The worst of them: those whose share is the largest for sure, by the lower end of its interval, so that none leads
    /// because of a few runs. Of equals the one that more runs tell of, then the one whose key comes first.
    async fn steps(&self) -> Vec<StepErrorFigures<'_>> {
        self.0
            .found
            .steps
            .iter()
            .map(|of| StepErrorFigures { of, counts: &of.counts, known: self.known(of), start: None })
            .collect()
    }
}

impl StepErrors {
    fn known(&self, of: &OfStep) -> Option<&Known> {
        self.0.known.get(&(of.sop?, of.counts.key.clone()))
    }
}

/// The runs with a step, of one SOP, or of those of a process that are of none.
pub struct StepErrorFigures<'a> {
    of: &'a OfStep,
    counts: &'a domain::StepCounts,
    known: Option<&'a Known>,
    /// When their time bucket begins.
    start: Option<Timestamp>,
}

/// The runs with a step, of one SOP, or of those of a process that are of none.
#[Object]
impl StepErrorFigures<'_> {
    /// Its key.
    async fn key(&self) -> &str {
        &self.counts.key
    }

    /// The process that the runs are of.
    async fn process(&self, ctx: &Context<'_>) -> Result<Option<Process>> {
        process(ctx, self.of.process).await
    }

    /// Their SOP; null of runs that are of none, and where you do not see it.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.of.sop {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The newest version that has it, among the last ten that were in force; null where none of these has.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.known {
            Some(known) => version(ctx, known.version).await,
            None => Ok(None),
        }
    }

    /// The step as that version has it.
    async fn step(&self, ctx: &Context<'_>) -> Result<Option<Step>> {
        let Some(known) = self.known else { return Ok(None) };
        Ok(version(ctx, known.version).await?.map(|_| (&known.step).into()))
    }

    /// Runs that tell of it, whatever became of it.
    async fn reached(&self) -> BigInt {
        BigInt(self.counts.reached)
    }

    /// Runs in which it failed at least once, whether or not it was done in the end, among those that reached it.
    async fn failed(&self) -> Ratio {
        Ratio(self.counts.share(domain::Trouble::Failed))
    }

    /// Runs in which it was skipped, and not tried, among those that reached it. `step.mandatory` says whether it must not be.
    async fn skipped(&self) -> Ratio {
        Ratio(self.counts.share(domain::Trouble::Skipped))
    }

    /// Runs in which it was tried more than once, whatever came of it, among those that reached it.
    async fn repeated(&self) -> Ratio {
        Ratio(self.counts.share(domain::Trouble::Repeated))
    }

    /// How often it failed: every failed attempt counts.
    async fn errors(&self) -> Rate {
        Rate(metrics::Rate { events: self.counts.failures, runs: self.counts.reached })
    }

    /// The beginning of their time bucket, in a `series`.
    async fn bucket_start(&self) -> Option<DateTime> {
        self.start.map(DateTime)
    }

    /// The same of each time bucket in which runs tell of it, of the runs read; nothing where no `bucket` was asked for. Where
    /// `from` or `to` cuts a bucket, of the runs in that part.
    #[graphql(complexity = "30 * child_complexity")]
    async fn series(&self) -> Vec<StepErrorFigures<'_>> {
        let parts = if self.start.is_none() { self.of.series.as_slice() } else { &[] };
        let (of, known) = (self.of, self.known);
        parts.iter().map(|(start, counts)| StepErrorFigures { of, counts, known, start: Some(*start) }).collect()
    }
}
