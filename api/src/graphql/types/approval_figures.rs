//! Figures of approval requests.

use async_graphql::{Context, Enum, Object, SimpleObject};
use sopwith_domain::approval::passage::{Ends, Figures, StageFigures, WaitedFor};
use sopwith_domain::stats::survival::Incidence;

use super::PolicyKind;
use super::figures::{Percentile, Ratio};
use super::people::{Team, team};
use super::sop::{Sop, sop};
use crate::app::approval_figures::{Dimension, Group};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime};

/// What figures of approval requests can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Dimension")]
pub enum ApprovalFiguresDimension {
    /// By SOP.
    Sop,
    /// By the team that keeps the SOP.
    Team,
    /// By the kind of change.
    Kind,
}

/// The figures of a group of approval requests.
pub struct ApprovalFigures {
    /// What they have in common.
    pub group: Group,
    /// What is told of them.
    pub figures: Figures,
}

/// The figures of a group of approval requests.
#[Object]
impl ApprovalFigures {
    /// Their SOP, when grouped by it.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.group.sop {
            Some(id) => sop(ctx, id.0).await,
            None => Ok(None),
        }
    }

    /// The team that keeps the SOP, when grouped by it: the one that does so now.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.group.team.map(|team| team.0)).await
    }

    /// The kind of change, when grouped by it.
    async fn kind(&self) -> Option<PolicyKind> {
        self.group.kind.map(Into::into)
    }

    /// The beginning of their time bucket, when grouped by time: a request belongs to the time in which it was opened.
    async fn bucket_start(&self) -> Option<DateTime> {
        self.group.bucket.map(DateTime::stored)
    }

    /// How many requests were opened.
    async fn requests(&self) -> BigInt {
        BigInt(self.figures.ends.all())
    }

    /// Those that every stage approved.
    async fn approved(&self) -> BigInt {
        BigInt(self.figures.ends.approved)
    }

    /// Those that somebody rejected.
    async fn rejected(&self) -> BigInt {
        BigInt(self.figures.ends.rejected)
    }

    /// Those that were taken back.
    async fn withdrawn(&self) -> BigInt {
        BigInt(self.figures.ends.withdrawn)
    }

    /// Those that are still being decided.
    async fn pending(&self) -> BigInt {
        BigInt(self.figures.ends.pending)
    }

    /// When that one of them was opened that has waited longest.
    async fn oldest_pending_at(&self) -> Option<DateTime> {
        self.figures.ends.oldest_pending.map(DateTime)
    }

    /// The rejected among those that were decided.
    async fn rejection(&self) -> Ratio {
        Ratio(self.figures.ends.rejection())
    }

    /// How long it took from the opening of a request until it was decided, through all of its stages.
    async fn time(&self) -> ApprovalTime<'_> {
        ApprovalTime::of(&self.figures.ends)
    }

    /// The stages that they came to, in order: where the time goes. Stages of one name and role are one stage here, whatever
    /// the policy that asks for them.
    #[graphql(complexity = "5 * child_complexity + 1")]
    async fn stages(&self) -> Vec<ApprovalStageFigures<'_>> {
        self.figures.stages().into_iter().map(ApprovalStageFigures).collect()
    }

    /// The roles that are waited for, the one first for which a stage has waited longest. Who that is in a request, its
    /// `waitingFor` and `delegates` say.
    async fn waited_for(&self) -> Vec<WaitedForRole> {
        self.figures.waited_for().into_iter().map(Into::into).collect()
    }
}

/// The figures of a stage in a group of approval requests.
pub struct ApprovalStageFigures<'a>(&'a StageFigures);

/// The figures of a stage in a group of approval requests.
#[Object]
impl ApprovalStageFigures<'_> {
    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The role that decides in it.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// How often a request came to it.
    async fn entered(&self) -> BigInt {
        BigInt(self.0.ends.all())
    }

    /// How often it was approved, by as many as it asks for.
    async fn approved(&self) -> BigInt {
        BigInt(self.0.ends.approved)
    }

    /// How often somebody rejected in it.
    async fn rejected(&self) -> BigInt {
        BigInt(self.0.ends.rejected)
    }

    /// How often the request was taken back in it.
    async fn withdrawn(&self) -> BigInt {
        BigInt(self.0.ends.withdrawn)
    }

    /// How many requests wait in it now.
    async fn pending(&self) -> BigInt {
        BigInt(self.0.ends.pending)
    }

    /// When that one of them came to it that has waited longest.
    async fn oldest_pending_at(&self) -> Option<DateTime> {
        self.0.ends.oldest_pending.map(DateTime)
    }

    /// How often it was rejected, among how often it was decided.
    async fn rejection(&self) -> Ratio {
        Ratio(self.0.ends.rejection())
    }

    /// How often it waited for so long that the owner and the managers were told, among how often a request came to it.
    async fn escalated(&self) -> Ratio {
        Ratio::of(self.0.escalated, self.0.ends.all())
    }

    /// How long it took from a request's coming to it until it was decided.
    async fn time(&self) -> ApprovalTime<'_> {
        ApprovalTime::of(&self.0.ends)
    }
}

/// How long decisions take, counting in those that are still waited for: it is known of them that they take longer than
/// they have, so a growing queue does not look like progress. What was withdrawn is never decided.
pub struct ApprovalTime<'a> {
    ends: &'a Ends,
    incidence: Incidence,
}

impl<'a> ApprovalTime<'a> {
    fn of(ends: &'a Ends) -> Self {
        Self { ends, incidence: ends.incidence() }
    }

    fn percentile(&self, percent: i64) -> Option<Percentile<'_>> {
        self.incidence.percentile(percent).map(Percentile::Reached)
    }
}

/// How long decisions take, counting in those that are still waited for: it is known of them that they take longer than
/// they have, so a growing queue does not look like progress. What was withdrawn is never decided.
#[Object]
impl ApprovalTime<'_> {
    /// How many were decided.
    async fn n(&self) -> BigInt {
        BigInt(self.ends.decided())
    }

    /// How many are not decided yet.
    async fn pending(&self) -> BigInt {
        BigInt(self.ends.pending)
    }

    /// Half were decided after so long; null while they are not.
    async fn p50(&self) -> Option<Percentile<'_>> {
        self.percentile(50)
    }

    /// Nine in ten were decided after so long; null while they are not.
    async fn p90(&self) -> Option<Percentile<'_>> {
        self.percentile(90)
    }
}

/// A role that is waited for.
#[derive(SimpleObject)]
pub struct WaitedForRole {
    /// Its name.
    role: String,
    /// How many stages wait for it.
    pending: BigInt,
    /// When the one that has waited longest was opened.
    oldest_pending_at: DateTime,
}

impl From<WaitedFor> for WaitedForRole {
    fn from(of: WaitedFor) -> Self {
        Self { role: of.role, pending: BigInt(of.pending), oldest_pending_at: DateTime(of.oldest_pending) }
    }
}
