//! What happened that concerns somebody.

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::EventId;

use super::NotificationKind;
use super::approval::ApprovalRequest;
use super::comment::ReviewComment;
use super::sop::{Sop, sop};
use crate::app::events;
use crate::graphql::error::Result;
use crate::graphql::loaders::{CommentKey, RequestKey, load};
use crate::graphql::scalars::DateTime;
use crate::store::events::EventRow;

/// Something that happened and concerns you. It is listed as long as you see the drafts of its SOP, and so what it is
/// about.
pub struct Notification(pub EventRow);

/// Something that happened and concerns you.
#[Object]
impl Notification {
    /// Names the event for good.
    async fn id(&self) -> ID {
        EventId(self.0.id).to_string().into()
    }

    /// What happened.
    async fn kind(&self) -> Result<NotificationKind> {
        Ok(events::read(&self.0)?.0.into())
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime::stored(self.0.at)
    }

    /// What happened as a sentence, in English, with the title as it was then.
    async fn text(&self) -> Result<String> {
        let (kind, facts) = events::read(&self.0)?;
        Ok(facts.sentence(kind))
    }

    /// The SOP that it is about.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.0.sop_id {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The approval request that it is about, as it is now.
    async fn request(&self, ctx: &Context<'_>) -> Result<Option<ApprovalRequest>> {
        match self.0.request_id {
            Some(id) => Ok(load(ctx, RequestKey(id)).await?.map(ApprovalRequest)),
            None => Ok(None),
        }
    }

    /// The review comment that it is about.
    async fn comment(&self, ctx: &Context<'_>) -> Result<Option<ReviewComment>> {
        match self.0.comment_id {
            Some(id) => Ok(load(ctx, CommentKey(id)).await?.map(ReviewComment)),
            None => Ok(None),
        }
    }
}
