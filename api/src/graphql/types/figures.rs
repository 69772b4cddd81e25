//! Figures: always with what they are made of, and how sure they are.

mod conformance;
mod order;
mod shares;
mod times;

use async_graphql::{Context, Enum, Object, SimpleObject};
use sopwith_domain::calendar::Grain;
use sopwith_domain::metrics as domain;
use sopwith_domain::rollup::Tally;

use self::conformance::ConformanceFigures;
use super::SatisfactionBy;
use super::people::{Team, team};
use super::process::{Process, process};
use super::sop::{Sop, sop};
use super::version::{Version, version};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::figures as stored;

pub use self::order::FiguresOrder;
pub use self::shares::{Interval, Rate, Ratio};
pub use self::times::{CompletionTime, Percentile};

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

/// Time buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Grain")]
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

/// How content customers or performers said they were, from 1 to 5.
pub struct SatisfactionFigures {
    runs: i64,
    responses: i64,
    satisfied: i64,
    score: i64,
}

/// How content customers or performers said they were, from 1 to 5.
#[Object(serial)]
impl SatisfactionFigures {
    /// Those who gave a 4 or 5, among those who said it.
    async fn satisfied(&self) -> Ratio {
        Ratio::of(self.satisfied, self.responses)
    }

    /// The mean of what they gave; null of nothing.
    async fn mean(&self) -> Option<f64> {
        self.scores().map(|mean| mean.value)
    }

    /// The interval of the mean, at 95 % or more: what is counted does not tell how much they differ, so they are taken to
    /// differ as much as they may. Null of fewer than two.
    async fn mean_interval(&self) -> Option<Interval> {
        let (low, high) = self.scores()?.interval()?;
        Some(Interval { low: low.max(1.0), high: high.min(5.0) })
    }

    /// Runs in which somebody said it, among all.
    async fn responses(&self) -> Ratio {
        Ratio::of(self.responses, self.runs)
    }
}

impl SatisfactionFigures {
    fn scores(&self) -> Option<domain::Mean> {
        domain::Mean::of_scores(self.responses, self.satisfied, self.score)
    }
}

/// Breaches of rules by how grave they are.
#[derive(SimpleObject)]
#[graphql(serial)]
pub struct ViolationsBySeverity {
    /// Of form only.
    pub(super) minor: Rate,
    /// Of substance.
    pub(super) major: Rate,
    /// With harm done or near.
    pub(super) critical: Rate,
}

/// Whether the SOP in force was followed.
pub struct Adoption<'a>(&'a Tally);

/// Whether the SOP in force was followed.
#[Object(serial)]
impl Adoption<'_> {
    /// FOLLOWED among the runs of which it is known.
    async fn known(&self) -> Ratio {
        Ratio(self.0.adoption())
    }

    /// The worst case: as if every run of which it is not known had not followed it.
    async fn worst_case(&self) -> Ratio {
        Ratio::of(self.0.followed, self.0.runs)
    }

    /// Runs that followed it.
    async fn followed(&self) -> BigInt {
        BigInt(self.0.followed)
    }

    /// Runs that followed it in part.
    async fn deviated(&self) -> BigInt {
        BigInt(self.0.deviated)
    }

    /// Runs that did not follow it.
    async fn not_followed(&self) -> BigInt {
        BigInt(self.0.not_followed)
    }

    /// Runs of which it is not known.
    async fn unknown(&self) -> BigInt {
        BigInt(self.0.unknown())
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

    /// How far from the ends of their time bucket runs may lie that are counted on the other side: where the clocks of the
    /// time zone that is asked for strike at another minute than the organisation's. Null where all are where they belong.
    async fn bucket_off_by(&self) -> Option<Duration> {
        (self.0.off_by > 0).then_some(Duration { micros: self.0.off_by })
    }

    /// How many runs.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.tally.runs)
    }

    /// Those of them whose start is not known.
    async fn without_start(&self) -> BigInt {
        BigInt(self.0.tally.without_start)
    }

    /// Whether the SOP in force was followed.
    async fn adoption(&self) -> Adoption<'_> {
        Adoption(&self.0.tally)
    }

    /// Runs whose version was reported rather than inferred from their time, among all.
    async fn reported_version(&self) -> Ratio {
        Ratio::of(self.0.tally.reported, self.0.tally.runs)
    }

    /// Runs that reported the version that was in force when they started, among those that reported one while one of the
    /// SOP was in force. Of the runs since a version took effect it tells how far that one is used.
    async fn current_version(&self) -> Ratio {
        Ratio(self.0.tally.current_version())
    }

    /// Runs that started while a version of their SOP was in force, or where no SOP is known one of any of their process,
    /// among all.
    async fn coverage(&self) -> Ratio {
        Ratio::of(self.0.tally.covered, self.0.tally.runs)
    }

    /// How far they kept to the steps of their version.
    async fn conformance(&self) -> ConformanceFigures<'_> {
        ConformanceFigures(&self.0.tally)
    }

    /// How long they took.
    async fn completion_time(&self) -> CompletionTime<'_> {
        CompletionTime::of(&self.0)
    }

    /// Runs with an error or the outcome FAILED, among the finished.
    async fn error_rate(&self) -> Ratio {
        Ratio::of(self.0.tally.errored, self.0.tally.finished)
    }

    /// Runs that succeeded without errors, rework or violations, among the finished.
    async fn first_time_right(&self) -> Ratio {
        Ratio::of(self.0.tally.first_time_right, self.0.tally.finished)
    }

    /// Runs in which work was done again, among all.
    async fn rework(&self) -> Ratio {
        Ratio::of(self.0.tally.reworked, self.0.tally.runs)
    }

    /// Runs that were given up, or did not finish within the horizon of their process (`Process.horizon`, 30 days unless set)
    /// from their start, among all. A run that has ended counts by the horizon that its process had then.
    async fn abandonment(&self) -> Ratio {
        Ratio(self.0.abandonment())
    }

    /// Breaches of rules.
    async fn violations(&self) -> Rate {
        Rate(domain::Rate { events: self.0.tally.violations(), runs: self.0.tally.runs })
    }

    /// Breaches of rules by how grave they are.
    async fn violations_by_severity(&self) -> ViolationsBySeverity {
        let tally = &self.0.tally;
        let rate = |events| Rate(domain::Rate { events, runs: tally.runs });
        ViolationsBySeverity {
            minor: rate(tally.minor_violations),
            major: rate(tally.major_violations),
            critical: rate(tally.critical_violations),
        }
    }

    /// How content somebody was.
    async fn satisfaction(&self, #[graphql(desc = "Who.")] of: SatisfactionBy) -> SatisfactionFigures {
        let tally = &self.0.tally;
        let runs = tally.runs;
        match of {
            SatisfactionBy::Customer => SatisfactionFigures {
                runs,
                responses: tally.customer_responses,
                satisfied: tally.customer_satisfied,
                score: tally.customer_score,
            },
            SatisfactionBy::Performer => SatisfactionFigures {
                runs,
                responses: tally.performer_responses,
                satisfied: tally.performer_satisfied,
                score: tally.performer_score,
            },
        }
    }
}
