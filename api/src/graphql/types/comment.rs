//! Review comments.

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::CommentId;

use super::people::{Person, person};
use super::sop::sop;
use super::version::{Version, version};
use crate::graphql::error::Result;
use crate::graphql::loaders::{CommentKey, MentionsKey, PersonKey, RepliesKey, VersionKey, load, load_many};
use crate::graphql::scalars::DateTime;
use crate::store::comments::CommentRow;

/// A review comment on a version or on one of its steps; it begins a thread or replies in one.
pub struct ReviewComment(pub CommentRow);

/// A review comment on a version or on one of its steps; it begins a thread or replies in one.
#[Object]
impl ReviewComment {
    /// Names the comment for good.
    pub async fn id(&self) -> ID {
        CommentId(self.0.id).to_string().into()
    }

    /// The version that it is about.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        version(ctx, self.0.version_id).await
    }

    /// The comment that began the thread; null where this one did.
    async fn thread(&self, ctx: &Context<'_>) -> Result<Option<ReviewComment>> {
        match self.0.thread_id {
            Some(id) => Ok(load(ctx, CommentKey(id)).await?.map(ReviewComment)),
            None => Ok(None),
        }
    }

    /// The key of the step that the thread is about; null where it is about the version.
    async fn step_key(&self) -> Option<&str> {
        self.0.step_key.as_deref()
    }

    /// SHA-256 in hex of what the version said when the comment was made.
    async fn content_hash(&self) -> &str {
        &self.0.content_hash
    }

    /// Who says it.
    async fn author(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.author_id)).await
    }

    /// What is said, Markdown.
    async fn body(&self) -> &str {
        &self.0.body
    }

    /// Whose attention is asked for.
    async fn mentions(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        let ids = load(ctx, MentionsKey(self.0.id)).await?.unwrap_or_default();
        let mut people = load_many(ctx, ids.iter().map(|id| PersonKey(*id)).collect()).await?;
        Ok(ids.into_iter().filter_map(|id| people.remove(&PersonKey(id))).map(Person).collect())
    }

    /// The replies in the thread that it began, oldest first.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn replies(&self, ctx: &Context<'_>) -> Result<Vec<ReviewComment>> {
        let rows = load(ctx, RepliesKey(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(ReviewComment).collect())
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }

    /// When the thread that it began was resolved; null while it is open.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime::stored)
    }

    /// Who resolved it.
    async fn resolved_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.resolved_by_id).await
    }
}

/// A comment by id, for who sees drafts of its SOP.
pub async fn comment(ctx: &Context<'_>, id: CommentId) -> Result<Option<ReviewComment>> {
    let Some(row) = load(ctx, CommentKey(id.0)).await? else { return Ok(None) };
    let Some(of) = load(ctx, VersionKey(row.version_id)).await? else { return Ok(None) };
    let seen = sop(ctx, of.sop_id).await?.is_some_and(|sop| sop.sight.drafts);
    Ok(seen.then_some(ReviewComment(row)))
}
