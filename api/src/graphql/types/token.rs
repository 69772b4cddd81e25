//! API tokens.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::TokenId;

use super::people::{Person, Team, person, team};
use super::{ApiTokenState, Permission};
use crate::app::Call;
use crate::app::tokens::sees;
use crate::graphql::error::Result;
use crate::graphql::loaders::{TokenKey, load};
use crate::graphql::scalars::DateTime;
use crate::store::tokens::{self as stored, TokenRow};

/// What an integration carries in the place of a person's token. Its secret is told when it is made, and never again.
pub struct ApiToken(pub TokenRow);

/// What an integration carries in the place of a person's token. Its secret is told when it is made, and never again.
#[Object]
impl ApiToken {
    /// Names the token for good.
    pub async fn id(&self) -> ID {
        TokenId(self.0.id).to_string().into()
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The one source of executions that it reports for.
    async fn source(&self) -> &str {
        &self.0.source
    }

    /// What it allows.
    async fn scopes(&self) -> Result<Vec<Permission>> {
        Ok(stored::terms(&self.0)?.scopes.into_iter().map(Into::into).collect())
    }

    /// The only team that it is for; org-wide when null.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team_id).await
    }

    /// Whether it is good.
    async fn state(&self, ctx: &Context<'_>) -> Result<ApiTokenState> {
        Ok(stored::state(&self.0, ctx.data_unchecked::<Arc<Call>>().now)?.into())
    }

    /// The person that it acts as, by which the audit chain names it. It holds no role, and cannot be given any.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.person_id)).await
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.created_by_id)).await
    }

    /// From when it is good no more.
    async fn expires_at(&self) -> DateTime {
        DateTime::stored(self.0.expires_at)
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime> {
        self.0.revoked_at.map(DateTime::stored)
    }

    /// Who revoked it.
    async fn revoked_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.revoked_by_id).await
    }

    /// When it was used last, to the minute: what came within a minute of that is not noted.
    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime::stored)
    }
}

/// A token by id, where the actor sees it.
pub async fn token(ctx: &Context<'_>, id: uuid::Uuid) -> Result<Option<ApiToken>> {
    let actor = &ctx.data_unchecked::<Arc<Call>>().actor;
    Ok(load(ctx, TokenKey(id)).await?.filter(|row| sees(actor, row)).map(ApiToken))
}
