//! Review comments.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{CommentId, PersonId, VersionId};

use super::{keyed, payload};
use crate::app::{Call, IdempotencyKey, comments};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::typed;
use crate::graphql::types::comment::{ReviewComment, comment};

/// A review comment that begins a thread.
#[derive(InputObject)]
pub struct CommentCreateInput {
    /// On which version.
    version_id: ID,
    /// The key of the step that the thread is about; about the version when absent.
    step_key: Option<String>,
    /// What is said, Markdown.
    body: String,
    /// Whose attention is asked for: at most 20 people.
    #[graphql(default)]
    mention_ids: Vec<ID>,
    /// The same key with the same input makes one comment.
    idempotency_key: Option<String>,
}

impl CommentCreateInput {
    fn read(self) -> std::result::Result<comments::CommentInput, Refusal> {
        let place = comments::Place::Thread(typed::<VersionId>(&self.version_id, "version")?, self.step_key);
        Ok(comments::CommentInput { place, body: self.body, mentions: people(&self.mention_ids)? })
    }
}

fn people(ids: &[ID]) -> std::result::Result<Vec<PersonId>, Refusal> {
    ids.iter().map(|id| typed::<PersonId>(id, "person")).collect()
}

payload! {
    /// What `commentCreate` did.
    CommentCreatePayload {
        /// The comment.
        comment: ReviewComment,
    }
}

/// A review comment that replies in a thread.
#[derive(InputObject)]
pub struct CommentReplyInput {
    /// The comment that is replied to.
    id: ID,
    /// What is said, Markdown.
    body: String,
    /// Whose attention is asked for: at most 20 people.
    #[graphql(default)]
    mention_ids: Vec<ID>,
    /// The same key with the same input makes one comment.
    idempotency_key: Option<String>,
}

impl CommentReplyInput {
    fn read(self) -> std::result::Result<comments::CommentInput, Refusal> {
        let place = comments::Place::Reply(typed::<CommentId>(&self.id, "comment")?);
        Ok(comments::CommentInput { place, body: self.body, mentions: people(&self.mention_ids)? })
    }
}

payload! {
    /// What `commentReply` did.
    CommentReplyPayload {
        /// The reply.
        comment: ReviewComment,
    }
}

/// A thread to be resolved.
#[derive(InputObject)]
pub struct CommentResolveInput {
    /// The comment that began the thread.
    id: ID,
}

payload! {
    /// What `commentResolve` did.
    CommentResolvePayload {
        /// The comment that began the thread.
        comment: ReviewComment,
    }
}

/// A thread to be opened again.
#[derive(InputObject)]
pub struct CommentReopenInput {
    /// The comment that began the thread.
    id: ID,
}

payload! {
    /// What `commentReopen` did.
    CommentReopenPayload {
        /// The comment that began the thread.
        comment: ReviewComment,
    }
}

#[derive(Default)]
pub struct CommentMutation;

#[Object]
impl CommentMutation {
    /// Begins a thread on a version that is being written, reviewed or waits for its effective date, or on one of its
    /// steps. For who sees drafts.
    async fn comment_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CommentCreateInput,
    ) -> Result<CommentCreatePayload> {
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let (made, user_errors) = settle(create(ctx, input.read(), key).await)?;
        Ok(CommentCreatePayload { comment: made_comment(ctx, made).await?, user_errors })
    }

    /// Replies in a thread, resolved or not.
    async fn comment_reply(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CommentReplyInput,
    ) -> Result<CommentReplyPayload> {
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let (made, user_errors) = settle(create(ctx, input.read(), key).await)?;
        Ok(CommentReplyPayload { comment: made_comment(ctx, made).await?, user_errors })
    }

    /// Resolves a thread. Whoever contributed to the version resolves only threads that they began themselves.
    async fn comment_resolve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CommentResolveInput,
    ) -> Result<CommentResolvePayload> {
        let (made, user_errors) = settle(settled(ctx, &input.id, true).await)?;
        Ok(CommentResolvePayload { comment: made_comment(ctx, made).await?, user_errors })
    }

    /// Opens a resolved thread again.
    async fn comment_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: CommentReopenInput,
    ) -> Result<CommentReopenPayload> {
        let (made, user_errors) = settle(settled(ctx, &input.id, false).await)?;
        Ok(CommentReopenPayload { comment: made_comment(ctx, made).await?, user_errors })
    }
}

async fn create(
    ctx: &Context<'_>,
    read: std::result::Result<comments::CommentInput, Refusal>,
    key: Option<IdempotencyKey>,
) -> crate::error::Result<CommentId> {
    comments::create(ctx.data_unchecked::<Arc<Call>>(), read?, key).await
}

async fn settled(ctx: &Context<'_>, id: &ID, resolved: bool) -> crate::error::Result<CommentId> {
    let call = ctx.data_unchecked::<Arc<Call>>();
    comments::settle(call, typed::<CommentId>(id, "comment")?, resolved).await
}

async fn made_comment(ctx: &Context<'_>, made: Option<CommentId>) -> Result<Option<ReviewComment>> {
    match made {
        Some(id) => comment(ctx, id).await,
        None => Ok(None),
    }
}
