//! Audit entries.

use async_graphql::{Context, Json, Object};
use sopwith_domain::ids::TeamId;

use super::people::{Person, person};
use super::sop::{Sop, sop};
use crate::graphql::error::Result;
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::audit::AuditRow;

/// One change of state, or one attempt at one that was refused.
pub struct AuditEntry(pub AuditRow);

/// One change of state, or one attempt at one that was refused.
#[Object]
impl AuditEntry {
    /// Its place in the chain, from 1 without gaps.
    async fn seq(&self) -> BigInt {
        BigInt(self.0.seq)
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime::stored(self.0.at)
    }

    /// Who; null for what the clock did.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.actor_id).await
    }

    /// Whom the actor stood in for, under a delegation; null when nobody.
    async fn on_behalf_of(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.on_behalf_of_id).await
    }

    /// By which way: `API`, `IMPORT`, `CLOCK` or `CLI`.
    async fn via(&self) -> &str {
        &self.0.via
    }

    /// What was done, such as `version.submitted`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// The id of what it was done to.
    async fn object(&self) -> &str {
        &self.0.object
    }

    /// The SOP that it belongs to, where you see it.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.0.sop_id {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The id of the team that it belongs to.
    async fn team_id(&self) -> Option<String> {
        self.0.team_id.map(|id| TeamId(id).to_string())
    }

    /// What was before.
    async fn old_value(&self) -> Json<serde_json::Value> {
        Json(serde_json::from_str(&self.0.old_value).unwrap_or_default())
    }

    /// What was after.
    async fn new_value(&self) -> Json<serde_json::Value> {
        Json(serde_json::from_str(&self.0.new_value).unwrap_or_default())
    }

    /// Why, where a reason was asked for.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The request that brought it, as in the logs.
    async fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// SHA-256 in hex over the hash before it and this entry (RFC 8785).
    async fn hash(&self) -> &str {
        &self.0.hash
    }
}
