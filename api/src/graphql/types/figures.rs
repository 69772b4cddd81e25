//! Figures: always with what they are made of, and how sure they are.

use async_graphql::{Context, Enum, Object, SimpleObject};
use sopwith_domain::metrics as domain;

use super::people::{Team, team};
use super::process::{Process, process};
use super::sop::{Sop, sop};
use super::version::{Version, version};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::figures as stored;

/// What figures can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stored::Dimension")]
pub enum FiguresDimension {
    /// By process.
    Process,
    /// By SOP.
    Sop,
    /// By version.
    Version,
    /// By the team that performed it.
    Team,
}

/// Time buckets, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stored::Bucket")]
pub enum TimeBucket {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Months.
    Month,
}

/// A 95 % interval.
#[derive(SimpleObject)]
pub struct Interval {
    /// Its lower end.
    low: f64,
    /// Its upper end.
    high: f64,
}

fn interval((low, high): (f64, f64)) -> Interval {
    Interval { low, high }
}

/// A share of runs: never without what it is made of.
pub struct Ratio(domain::Ratio);

/// A share of runs: never without what it is made of.
#[Object]
impl Ratio {
    /// Those that have the property.
    async fn numerator(&self) -> BigInt {
        BigInt(self.0.numerator)
    }

    /// Those that could have it.
    async fn denominator(&self) -> BigInt {
        BigInt(self.0.denominator)
    }

    /// The share, from 0 to 1; null of nothing.
    async fn value(&self) -> Option<f64> {
        self.0.value()
    }

    /// Its 95 % interval (Wilson's score); null of nothing.
    async fn interval(&self) -> Option<Interval> {
        self.0.interval().map(interval)
    }
}

/// Events per thousand runs.
pub struct Rate(domain::Rate);

/// Events per thousand runs.
#[Object]
impl Rate {
    /// How many events.
    async fn events(&self) -> BigInt {
        BigInt(self.0.events)
    }

    /// In how many runs.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// Events per thousand runs; null of nothing.
    async fn per_thousand(&self) -> Option<f64> {
        self.0.per_thousand()
    }

    /// Its 95 % interval, if events come independently (Freeman and Tukey); null of nothing.
    async fn interval(&self) -> Option<Interval> {
        self.0.interval().map(interval)
    }
}

/// A percentile by nearest rank, with the 95 % interval that order statistics give.
#[derive(SimpleObject)]
pub struct Percentile {
    /// The value.
    value: Duration,
    /// The lower end of its interval.
    low: Duration,
    /// The upper end of its interval.
    high: Duration,
}

/// How long runs took, by the time in which they started. Abandoned runs and those still open are not in it: where
/// `open` is large against `n`, it looks better than it is.
pub struct CompletionTime<'a>(&'a stored::Figures);

impl CompletionTime<'_> {
    fn percentile(&self, percent: i64) -> Option<Percentile> {
        let duration = |micros: i64| Duration { micros };
        self.0.percentiles.get(&percent).map(|p| Percentile {
            value: duration(p.value),
            low: duration(p.low),
            high: duration(p.high),
        })
    }
}

/// How long runs took, by the time in which they started. Abandoned runs and those still open are not in it: where
/// `open` is large against `n`, it looks better than it is.
#[Object]
impl CompletionTime<'_> {
    /// How many runs it is taken from.
    async fn n(&self) -> BigInt {
        BigInt(self.0.completed)
    }

    /// How many runs have not finished yet.
    async fn open(&self) -> BigInt {
        BigInt(self.0.runs - self.0.finished)
    }

    /// Half took no longer.
    async fn p50(&self) -> Option<Percentile> {
        self.percentile(50)
    }

    /// Nine in ten took no longer.
    async fn p90(&self) -> Option<Percentile> {
        self.percentile(90)
    }

    /// Nineteen in twenty took no longer.
    async fn p95(&self) -> Option<Percentile> {
        self.percentile(95)
    }
}

/// Whether the SOP in force was followed.
pub struct Adoption<'a>(&'a stored::Figures);

/// Whether the SOP in force was followed.
#[Object]
impl Adoption<'_> {
    /// FOLLOWED among the runs of which it is known.
    async fn known(&self) -> Ratio {
        let [followed, deviated, not_followed, _] = self.0.adherence;
        Ratio(domain::Ratio { numerator: followed, denominator: followed + deviated + not_followed })
    }

    /// The worst case: as if every run of which it is not known had not followed it.
    async fn worst_case(&self) -> Ratio {
        Ratio(domain::Ratio { numerator: self.0.adherence[0], denominator: self.0.runs })
    }

    /// Runs that followed it.
    async fn followed(&self) -> BigInt {
        BigInt(self.0.adherence[0])
    }

    /// Runs that followed it in part.
    async fn deviated(&self) -> BigInt {
        BigInt(self.0.adherence[1])
    }

    /// Runs that did not follow it.
    async fn not_followed(&self) -> BigInt {
        BigInt(self.0.adherence[2])
    }

    /// Runs of which it is not known.
    async fn unknown(&self) -> BigInt {
        BigInt(self.0.adherence[3])
    }
}

/// The figures of a group of runs.
pub struct Figures(pub stored::Figures);

/// The figures of a group of runs.
#[Object]
impl Figures {
    /// Their process, when grouped by it.
    async fn process(&self, ctx: &Context<'_>) -> Result<Option<Process>> {
        match self.0.group.process {
            Some(id) => process(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Their SOP, when grouped by it; null for runs without one.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.0.group.sop {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Their version, when grouped by it; null for runs without one.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.group.version {
            Some(id) => version(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The team that performed them, when grouped by it.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.group.team).await
    }

    /// The beginning of their time bucket, when grouped by time. A run belongs to the time in which it started; one
    /// without a start to that of its finish.
    async fn bucket_start(&self) -> Option<DateTime> {
        self.0.group.bucket.map(DateTime::stored)
    }

    /// How many runs.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// Whether the SOP in force was followed.
    async fn adoption(&self) -> Adoption<'_> {
        Adoption(&self.0)
    }

    /// How long they took.
    async fn completion_time(&self) -> CompletionTime<'_> {
        CompletionTime(&self.0)
    }

    /// Runs with an error or the outcome FAILED, among the finished.
    async fn error_rate(&self) -> Ratio {
        Ratio(domain::Ratio { numerator: self.0.with_errors, denominator: self.0.finished })
    }

    /// Breaches of rules.
    async fn violations(&self) -> Rate {
        Rate(domain::Rate { events: self.0.violations, runs: self.0.runs })
    }
}
