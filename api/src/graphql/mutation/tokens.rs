//! API tokens.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::access::token::Terms;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{TeamId, TokenId};

use super::{keyed, payload};
use crate::app::{Call, tokens};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::DateTime;
use crate::graphql::types::Permission;
use crate::graphql::types::token::{ApiToken, token};

/// A token to be made.
#[derive(InputObject)]
pub struct ApiTokenCreateInput {
    /// What people call it: at most 100 characters.
    name: String,
    /// The one source of executions that it reports for, at most 100 characters. Several tokens may have one source, so
    /// that one can take over from another.
    source: String,
    /// What it allows, of `EXECUTIONS_RECORD`, `PROCESS_WRITE`, `FIGURES_READ`, `AUDIT_READ` and `DRAFT_READ`. With
    /// `PROCESS_WRITE`, executions may name processes and teams that do not exist yet; no token changes a process.
    scopes: Vec<Permission>,
    /// The only team that it is for; org-wide when absent, as it must be to record executions.
    team_id: Option<ID>,
    /// From when it is good no more: at most 366 days from now.
    expires_at: DateTime,
    /// The same key with the same input makes one token.
    idempotency_key: Option<String>,
}

impl ApiTokenCreateInput {
    fn read(&self) -> std::result::Result<Terms, Refusal> {
        Ok(Terms {
            name: self.name.clone(),
            source: self.source.clone(),
            scopes: self.scopes.iter().map(|scope| (*scope).into()).collect(),
            team: typed_option::<TeamId>(self.team_id.as_ref(), "team")?,
            expires_at: self.expires_at.0,
        })
    }
}

payload! {
    /// What `apiTokenCreate` did.
    ApiTokenCreatePayload {
        /// The token.
        api_token: ApiToken,
        /// Its secret, to be sent as `Authorization: Bearer ...`. This is the only time that it is told: when the same
        /// request is repeated with its idempotency key, the token comes without it. Whoever lost it revokes the token
        /// and makes another.
        secret: String,
    }
}

/// A token to be revoked.
#[derive(InputObject)]
pub struct ApiTokenRevokeInput {
    /// Which.
    id: ID,
}

payload! {
    /// What `apiTokenRevoke` did.
    ApiTokenRevokePayload {
        /// The token.
        api_token: ApiToken,
    }
}

#[derive(Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes an API token, by whoever manages access: org-wide, or in their team for that team alone.
    async fn api_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ApiTokenCreateInput,
    ) -> Result<ApiTokenCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match input.read() {
            Ok(terms) => tokens::create(call, &terms, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let Some(made) = made else { return Ok(ApiTokenCreatePayload { user_errors, ..Default::default() }) };
        Ok(ApiTokenCreatePayload { api_token: token(ctx, made.id.0).await?, secret: made.secret, user_errors })
    }

    /// Takes an API token away, by whoever manages access: from the next request on it is refused.
    async fn api_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ApiTokenRevokeInput,
    ) -> Result<ApiTokenRevokePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<TokenId>(&input.id, "API token") {
            Ok(id) => tokens::revoke(call, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (gone, user_errors) = settle(answer)?;
        let api_token = match gone {
            Some(id) => token(ctx, id.0).await?,
            None => None,
        };
        Ok(ApiTokenRevokePayload { api_token, user_errors })
    }
}
