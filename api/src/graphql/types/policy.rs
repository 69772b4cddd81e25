//! Approval policies, which of them applies, and what a version would pass.

use async_graphql::{Context, ID, Object, SimpleObject};
use sopwith_domain::ids::{PersonId, PolicyId};
use sopwith_domain::policy as domain;

use super::people::{Person, Team, team};
use super::{PolicyFit, PolicyKind, Risk, SignatureMeaning, StageScope};
use crate::app::policies::Preview;
use crate::graphql::error::Result;
use crate::graphql::loaders::{PersonKey, PolicyKey, load, load_many};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::policies::StoredPolicy;

/// Which stages a change has to pass, for which SOPs.
pub struct Policy(pub StoredPolicy);

/// Which stages a change has to pass, for which SOPs.
#[Object]
impl Policy {
    /// Names the policy for good.
    pub async fn id(&self) -> ID {
        PolicyId::to_string(&self.0.policy.id).into()
    }

    /// What it is for.
    async fn kind(&self) -> PolicyKind {
        self.0.policy.kind.into()
    }

    /// The only team that it is for; all when null.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.policy.team.map(|t| t.0)).await
    }

    /// The only risk that it is for; all when null.
    async fn risk(&self) -> Option<Risk> {
        self.0.policy.risk.map(Into::into)
    }

    /// Its stages, in order.
    async fn stages(&self) -> Vec<PolicyStage> {
        self.0.policy.stages.iter().cloned().map(PolicyStage).collect()
    }

    /// Whether all review comments have to be resolved before somebody approves.
    async fn requires_resolved_comments(&self) -> bool {
        self.0.policy.requires_resolved_comments
    }

    /// Raised by every change; what `expectedRevision` is compared with.
    async fn revision(&self) -> BigInt {
        BigInt(self.0.revision)
    }

    /// When it was taken out of use; null while it is in use.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at.map(DateTime)
    }
}

/// A policy by id, in use or not.
pub async fn policy(ctx: &Context<'_>, id: PolicyId) -> Result<Option<Policy>> {
    Ok(load(ctx, PolicyKey(id.0)).await?.map(Policy))
}

/// A stage of a policy: M of N holders of a role.
pub struct PolicyStage(domain::Stage);

/// A stage of a policy: M of N holders of a role.
#[Object]
impl PolicyStage {
    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The role that decides in it.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// How many approvals close it.
    async fn min_approvals(&self) -> i32 {
        i32::try_from(self.0.min_approvals).unwrap_or(i32::MAX)
    }

    /// Whose role counts.
    async fn scope(&self) -> StageScope {
        self.0.scope.into()
    }

    /// What a signature in it says.
    async fn meaning(&self) -> SignatureMeaning {
        self.0.meaning.into()
    }

    /// How recently the approver must have signed in, where that is asked for.
    async fn max_auth_age(&self) -> Option<Duration> {
        self.0.max_auth_age.map(Duration::seconds)
    }
}

/// A policy that was looked at, and what became of it.
#[derive(SimpleObject)]
pub struct ConsideredPolicy {
    /// The policy.
    pub policy: Policy,
    /// What became of it.
    pub fit: PolicyFit,
}

/// Which policy applies to an SOP, and why no other one does.
#[derive(SimpleObject)]
pub struct PolicyExplanation {
    /// The one that applies: team and risk go before risk, risk before team, team before the default.
    pub applies: Option<Policy>,
    /// All that are in use for this kind of change.
    pub considered: Vec<ConsideredPolicy>,
}

impl PolicyExplanation {
    /// Out of what was considered.
    pub fn new(considered: Vec<(StoredPolicy, domain::Fit)>) -> Self {
        let applies = considered.iter().find(|(_, fit)| *fit == domain::Fit::Applies);
        Self {
            applies: applies.map(|(policy, _)| Policy(policy.clone())),
            considered: considered
                .into_iter()
                .map(|(policy, fit)| ConsideredPolicy { policy: Policy(policy), fit: fit.into() })
                .collect(),
        }
    }
}

/// A stage that a version has to pass, with those who could decide in it.
pub struct PreviewStage {
    stage: domain::Stage,
    people: Vec<PersonId>,
    current: bool,
}

/// A stage that a version has to pass, with those who could decide in it.
#[Object]
impl PreviewStage {
    /// The stage.
    async fn stage(&self) -> PolicyStage {
        PolicyStage(self.stage.clone())
    }

    /// Whether it is being decided.
    async fn current(&self) -> bool {
        self.current
    }

    /// Who could decide in it now by a role of their own: neither a contributor, nor heard already.
    async fn could_decide(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        let mut people = load_many(ctx, self.people.iter().map(|id| PersonKey(id.0)).collect()).await?;
        Ok(self.people.iter().filter_map(|id| people.remove(&PersonKey(id.0))).map(Person).collect())
    }
}

/// Who is missing for a stage to be filled.
#[derive(SimpleObject)]
pub struct MissingApprovers {
    /// The index of the stage, from 0.
    stage: i32,
    /// How many are missing, and of which role.
    message: String,
}

/// What a version would pass when it is submitted, or is passing.
pub struct PolicyPreview(pub Preview);

/// What a version would pass when it is submitted, or is passing.
#[Object]
impl PolicyPreview {
    /// The policy that applies, or that the open request was opened under.
    async fn policy(&self, ctx: &Context<'_>) -> Result<Option<Policy>> {
        policy(ctx, self.0.policy).await
    }

    /// The stages in order; those of the open request where there is one, whatever the policy says by now.
    async fn stages(&self) -> Vec<PreviewStage> {
        let shown = |(i, (stage, people)): (usize, &(domain::Stage, Vec<PersonId>))| PreviewStage {
            stage: stage.clone(),
            people: people.clone(),
            current: self.0.current == Some(i),
        };
        self.0.stages.iter().enumerate().map(shown).collect()
    }

    /// Why a submission would be refused for want of people; empty when it would not.
    async fn missing(&self) -> Vec<MissingApprovers> {
        let stage = |path: &[String]| path.last().and_then(|i| i.parse().ok()).unwrap_or_default();
        self.0.missing.iter().map(|p| MissingApprovers { stage: stage(&p.path), message: p.message.clone() }).collect()
    }
}
