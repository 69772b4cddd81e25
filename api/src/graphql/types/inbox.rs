//! What waits for somebody.

use std::sync::Arc;

use async_graphql::{Context, Object};
use sopwith_domain::time::Timestamp;

use super::approval::{ApprovalRequest, ApprovalStage};
use crate::app::Call;
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::loaders::{StagesKey, load};
use crate::graphql::scalars::{DateTime, Duration};
use crate::store::approvals::{RequestRow, StageRow};

/// A decision that waits for you.
pub struct PendingDecision(pub RequestRow);

impl PendingDecision {
    async fn open_stage(&self, ctx: &Context<'_>) -> Result<StageRow> {
        let rows = load(ctx, StagesKey(self.0.id)).await?.unwrap_or_default();
        let open = rows.into_iter().find(|row| row.position == self.0.stage);
        Ok(open.ok_or_else(|| Error::internal(format!("request {} has no open stage", self.0.id)))?)
    }
}

/// A decision that waits for you.
#[Object]
impl PendingDecision {
    /// The request.
    async fn request(&self) -> ApprovalRequest {
        ApprovalRequest(self.0.clone())
    }

    /// The stage that is to be decided.
    async fn stage(&self, ctx: &Context<'_>) -> Result<ApprovalStage> {
        Ok(ApprovalStage(self.open_stage(ctx).await?))
    }

    /// Since when the stage has been open.
    async fn since(&self, ctx: &Context<'_>) -> Result<DateTime> {
        let opened_at = self.open_stage(ctx).await?.opened_at;
        Ok(DateTime::stored(opened_at.unwrap_or(self.0.opened_at)))
    }

    /// How long that is.
    async fn age(&self, ctx: &Context<'_>) -> Result<Duration> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let opened_at = self.open_stage(ctx).await?.opened_at.unwrap_or(self.0.opened_at);
        Ok(Duration { micros: call.now.since(Timestamp::from_micros(opened_at)).max(0) })
    }
}
