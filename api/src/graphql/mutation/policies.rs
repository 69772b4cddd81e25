//! Policies and delegations.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{DelegationId, PersonId, PolicyId, TeamId};
use sopwith_domain::policy as domain;
use sopwith_domain::time::SECOND;

use super::{keyed, payload};
use crate::app::{Call, delegations, policies};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::graphql::types::delegation::{Delegation, delegation};
use crate::graphql::types::policy::{Policy, policy};
use crate::graphql::types::{PolicyKind, Risk, SignatureMeaning, StageScope};

/// A stage of a policy to be: M of N holders of a role.
#[derive(InputObject)]
pub struct PolicyStageInput {
    /// What people call it.
    name: String,
    /// The role that decides in it: one that exists and does not give out roles.
    role: String,
    /// How many approvals close it, 1 to 100.
    #[graphql(default = 1)]
    min_approvals: i32,
    /// Whose role counts.
    #[graphql(default_with = "StageScope::Team")]
    scope: StageScope,
    /// What a signature in it says.
    #[graphql(default_with = "SignatureMeaning::Approved")]
    meaning: SignatureMeaning,
    /// How recently the approver must have signed in, to the second, at most thirty days; whenever when absent.
    max_auth_age: Option<Duration>,
}

impl PolicyStageInput {
    fn read(self) -> domain::Stage {
        domain::Stage {
            name: self.name,
            role: self.role,
            // What is negative is refused as zero is.
            min_approvals: u32::try_from(self.min_approvals).unwrap_or(0),
            scope: self.scope.into(),
            meaning: self.meaning.into(),
            max_auth_age: self.max_auth_age.map(|age| age.micros / SECOND),
        }
    }
}

fn asked(stages: Vec<PolicyStageInput>, requires_resolved_comments: bool) -> policies::Asked {
    policies::Asked { stages: stages.into_iter().map(PolicyStageInput::read).collect(), requires_resolved_comments }
}

/// A policy to be made.
#[derive(InputObject)]
pub struct PolicyCreateInput {
    /// What it is for.
    kind: PolicyKind,
    /// The only team that it is for; all when absent.
    team_id: Option<ID>,
    /// The only risk that it is for; all when absent.
    risk: Option<Risk>,
    /// Its stages, in order, 1 to 20.
    stages: Vec<PolicyStageInput>,
    /// Whether all review comments have to be resolved before somebody approves.
    #[graphql(default)]
    requires_resolved_comments: bool,
    /// The same key with the same input makes one policy.
    idempotency_key: Option<String>,
}

payload! {
    /// What `policyCreate` did.
    PolicyCreatePayload {
        /// The policy.
        policy: Policy,
    }
}

/// What a policy is to ask for.
#[derive(InputObject)]
pub struct PolicyUpdateInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// All its stages from now on, in order, 1 to 20.
    stages: Vec<PolicyStageInput>,
    /// Whether all review comments have to be resolved before somebody approves.
    #[graphql(default)]
    requires_resolved_comments: bool,
}

payload! {
    /// What `policyUpdate` did.
    PolicyUpdatePayload {
        /// The policy.
        policy: Policy,
    }
}

/// A policy to be taken out of use.
#[derive(InputObject)]
pub struct PolicyEndInput {
    /// Which; not the default of a kind.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
}

payload! {
    /// What `policyEnd` did.
    PolicyEndPayload {
        /// The policy, no longer in use.
        policy: Policy,
    }
}

/// A delegation to be made.
#[derive(InputObject)]
pub struct DelegationCreateInput {
    /// Who may decide in your place.
    to_id: ID,
    /// In which role: one that you hold.
    role: String,
    /// Only for SOPs of this team; for all that your role reaches when absent.
    team_id: Option<ID>,
    /// Why.
    reason: String,
    /// From when on; now when absent.
    starts_at: Option<DateTime>,
    /// Until when, at most 366 days after the start.
    ends_at: DateTime,
    /// The same key with the same input makes one delegation.
    idempotency_key: Option<String>,
}

impl DelegationCreateInput {
    fn read(self) -> std::result::Result<delegations::DelegationInput, Refusal> {
        Ok(delegations::DelegationInput {
            to: typed::<PersonId>(&self.to_id, "person")?,
            role: self.role,
            team: typed_option::<TeamId>(self.team_id.as_ref(), "team")?,
            reason: self.reason,
            starts_at: self.starts_at.map(|at| at.0),
            ends_at: self.ends_at.0,
        })
    }
}

payload! {
    /// What `delegationCreate` did.
    DelegationCreatePayload {
        /// The delegation.
        delegation: Delegation,
    }
}

/// A delegation to be ended.
#[derive(InputObject)]
pub struct DelegationRevokeInput {
    /// Which.
    id: ID,
}

payload! {
    /// What `delegationRevoke` did.
    DelegationRevokePayload {
        /// The delegation, at its end.
        delegation: Delegation,
    }
}

#[derive(Default)]
pub struct PolicyMutation;

#[Object]
impl PolicyMutation {
    /// Makes a policy for a kind of change, and for a team, a risk or both. A team's managers keep the policy of their
    /// team; one that names a risk needs the permission org-wide, since it goes before those of teams.
    async fn policy_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PolicyCreateInput,
    ) -> Result<PolicyCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match typed_option::<TeamId>(input.team_id.as_ref(), "team") {
            Ok(team) => {
                let (kind, risk) = (input.kind.into(), input.risk.map(Into::into));
                let asked = asked(input.stages, input.requires_resolved_comments);
                policies::create(call, policies::PolicyInput { kind, team, risk, asked }, key).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(PolicyCreatePayload { policy: made_policy(ctx, made).await?, user_errors })
    }

    /// Changes what a policy asks for. Requests under way keep the stages that they were opened with.
    async fn policy_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PolicyUpdateInput,
    ) -> Result<PolicyUpdatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<PolicyId>(&input.id, "policy") {
            Ok(id) => {
                let asked = asked(input.stages, input.requires_resolved_comments);
                policies::update(call, id, input.expected_revision.0, asked).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(PolicyUpdatePayload { policy: made_policy(ctx, made).await?, user_errors })
    }

    /// Takes a policy out of use: what it was for falls to the next special one. Requests under way go on.
    async fn policy_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: PolicyEndInput,
    ) -> Result<PolicyEndPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<PolicyId>(&input.id, "policy") {
            Ok(id) => policies::end(call, id, input.expected_revision.0).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(PolicyEndPayload { policy: made_policy(ctx, made).await?, user_errors })
    }

    /// Lets somebody decide in your place, in a role that you hold and for a time. Whoever decides on behalf of another
    /// uses up both voices, and what bars one of them bars both. A delegation does not chain.
    async fn delegation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DelegationCreateInput,
    ) -> Result<DelegationCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match input.read() {
            Ok(input) => delegations::create(call, input, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(DelegationCreatePayload { delegation: made_delegation(ctx, made).await?, user_errors })
    }

    /// Ends a delegation before its time: by whoever gave or got it, or who manages access.
    async fn delegation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DelegationRevokeInput,
    ) -> Result<DelegationRevokePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<DelegationId>(&input.id, "delegation") {
            Ok(id) => delegations::revoke(call, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(DelegationRevokePayload { delegation: made_delegation(ctx, made).await?, user_errors })
    }
}

async fn made_policy(ctx: &Context<'_>, made: Option<PolicyId>) -> Result<Option<Policy>> {
    match made {
        Some(id) => policy(ctx, id).await,
        None => Ok(None),
    }
}

async fn made_delegation(ctx: &Context<'_>, made: Option<DelegationId>) -> Result<Option<Delegation>> {
    match made {
        Some(id) => delegation(ctx, id).await,
        None => Ok(None),
    }
}
