//! Teams and grants.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{GrantId, PersonId, TeamId};

use super::{keyed, payload};
use crate::app::{Call, access};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::DateTime;
use crate::graphql::types::access::Grant;
use crate::graphql::types::people::{Team, team};
use crate::store::people;

/// A team to be made.
#[derive(InputObject)]
pub struct TeamCreateInput {
    /// Names it in claims and executions: 1 to 100 of a-z, 0-9, '-', '_' and '.'.
    key: String,
    /// What people call it.
    name: String,
    /// What the codes of its SOPs begin with: 1 to 8 of A-Z and 0-9; made from the key when absent.
    code_prefix: Option<String>,
    /// The same key with the same input makes one team.
    idempotency_key: Option<String>,
}

payload! {
    /// What `teamCreate` did.
    TeamCreatePayload {
        /// The team.
        team: Team,
    }
}

/// A grant to be made.
#[derive(InputObject)]
pub struct GrantCreateInput {
    /// Who gets the role.
    person_id: ID,
    /// Which role, by name.
    role: String,
    /// For which team; org-wide when absent.
    team_id: Option<ID>,
    /// From when it counts no more, at most ten years from now; it does not end by itself when absent.
    expires_at: Option<DateTime>,
    /// The same key with the same input makes one grant.
    idempotency_key: Option<String>,
}

payload! {
    /// What `grantCreate` did.
    GrantCreatePayload {
        /// The grant.
        grant: Grant,
    }
}

/// A grant to be taken away.
#[derive(InputObject)]
pub struct GrantRevokeInput {
    /// Which.
    id: ID,
}

payload! {
    /// What `grantRevoke` did.
    GrantRevokePayload {
        /// The id of the grant that is no more.
        revoked_id: ID,
    }
}

#[derive(Default)]
pub struct AccessMutation;

#[Object]
impl AccessMutation {
    /// Makes a team.
    async fn team_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: TeamCreateInput,
    ) -> Result<TeamCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let input = access::TeamInput { key: input.key, name: input.name, code_prefix: input.code_prefix };
        let (made, user_errors) = settle(access::create_team(call, input, key).await)?;
        Ok(TeamCreatePayload { team: team(ctx, made.map(|t| t.0)).await?, user_errors })
    }

    /// Grants a role to a person, by whoever manages access: org-wide, or in their team for that team alone. A grant
    /// like one that has expired takes its place.
    async fn grant_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: GrantCreateInput,
    ) -> Result<GrantCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let read = || -> std::result::Result<_, Refusal> {
            let person = typed::<PersonId>(&input.person_id, "person")?;
            let team = typed_option::<TeamId>(input.team_id.as_ref(), "team")?;
            let expires_at = input.expires_at.map(|at| at.0);
            Ok(access::GrantInput { person, role: input.role.clone(), team, expires_at })
        };
        let answer = match read() {
            Ok(input) => access::grant(call, input, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let grant = match made {
            Some(id) => people::grant_by_id(call.store.read(), id).await?.map(Grant),
            None => None,
        };
        Ok(GrantCreatePayload { grant, user_errors })
    }

    /// Takes away a grant that was made here. Those from claims are the identity provider's.
    async fn grant_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: GrantRevokeInput,
    ) -> Result<GrantRevokePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<GrantId>(&input.id, "grant") {
            Ok(id) => access::revoke(call, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (gone, user_errors) = settle(answer)?;
        Ok(GrantRevokePayload { revoked_id: gone.map(|id| id.to_string().into()), user_errors })
    }
}
