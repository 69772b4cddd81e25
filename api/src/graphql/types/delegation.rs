//! Delegations.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::DelegationId;

use super::people::{Person, Team, person, team};
use crate::app::{Call, delegations};
use crate::graphql::error::Result;
use crate::graphql::loaders::{DelegationKey, load};
use crate::graphql::scalars::DateTime;
use crate::store::delegations::DelegationRow;

/// Somebody's word that another may decide in their place, in one role and for a time.
pub struct Delegation(pub DelegationRow);

/// Somebody's word that another may decide in their place, in one role and for a time.
#[Object]
impl Delegation {
    /// Names the delegation for good.
    pub async fn id(&self) -> ID {
        DelegationId(self.0.id).to_string().into()
    }

    /// Who lets another decide.
    async fn from(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.from_id)).await
    }

    /// Who may decide.
    async fn to(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.to_id)).await
    }

    /// In which role. It counts only where, and as long as, the delegator holds it in their own right.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// Only for SOPs of this team; for all that the delegator's role reaches when null.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team_id).await
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// From when on.
    async fn starts_at(&self) -> DateTime {
        DateTime::stored(self.0.starts_at)
    }

    /// Until when.
    async fn ends_at(&self) -> DateTime {
        DateTime::stored(self.0.ends_at)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }

    /// When it was ended before its time.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime::stored)
    }

    /// Who ended it before its time.
    async fn revoked_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.revoked_by_id).await
    }
}

/// A delegation by id, where the actor may see it.
pub async fn delegation(ctx: &Context<'_>, id: DelegationId) -> Result<Option<Delegation>> {
    let call = ctx.data_unchecked::<Arc<Call>>();
    let found = load(ctx, DelegationKey(id.0)).await?;
    Ok(found.filter(|row| delegations::may_see(call, row)).map(Delegation))
}
