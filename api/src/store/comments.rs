//! Review comments in threads, and who is mentioned in them.

use std::collections::BTreeMap;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Query};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use sopwith_domain::access::{Permit, Visibility};
use sopwith_domain::content::ContentHash;
use sopwith_domain::ids::{CommentId, PersonId, VersionId};
use sopwith_domain::time::Timestamp;

use super::drafts::ids_with_drafts_seen;
use super::entity::{comment_mention, review_comment, version};
use super::page::{self, Page, Window};
use super::{Connection, exactly_one};
use crate::error::Result;

pub use review_comment::Model as CommentRow;

/// A comment to be.
#[derive(Debug, Clone)]
pub struct NewComment {
    /// Its id.
    pub id: CommentId,
    /// On which version.
    pub version: VersionId,
    /// What the version said then.
    pub content: ContentHash,
    /// The thread that it replies in; it begins one when absent.
    pub thread: Option<CommentId>,
    /// The step that it is about.
    pub step_key: Option<String>,
    /// Who says it.
    pub author: PersonId,
    /// What is said.
    pub body: String,
    /// Whose attention is asked for.
    pub mentions: Vec<PersonId>,
}

/// Writes a comment down.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, _: &Permit, new: &NewComment, now: Timestamp) -> Result<()> {
    let row = review_comment::ActiveModel {
        id: Set(new.id.0),
        version_id: Set(new.version.0),
        thread_id: Set(new.thread.map(|t| t.0)),
        step_key: Set(new.step_key.clone()),
        content_hash: Set(new.content.to_string()),
        author_id: Set(new.author.0),
        body: Set(new.body.clone()),
        created_at: Set(now.micros()),
        resolved_at: Set(None),
        resolved_by_id: Set(None),
    };
    review_comment::Entity::insert(row).exec_without_returning(db).await?;
    let mention =
        |person: &PersonId| comment_mention::ActiveModel { comment_id: Set(new.id.0), person_id: Set(person.0) };
    if !new.mentions.is_empty() {
        comment_mention::Entity::insert_many(new.mentions.iter().map(mention)).exec_without_returning(db).await?;
    }
    Ok(())
}

/// Marks a thread as settled by somebody, or as open again.
///
/// # Errors
/// `Conflict` when it was so already.
pub async fn settle(
    db: &impl Connection,
    _: &Permit,
    thread: CommentId,
    by: Option<PersonId>,
    now: Timestamp,
) -> Result<()> {
    let row = review_comment::ActiveModel {
        resolved_at: Set(by.map(|_| now.micros())),
        resolved_by_id: Set(by.map(|p| p.0)),
        ..Default::default()
    };
    let resolved = review_comment::Column::ResolvedAt;
    let as_it_was = if by.is_some() { resolved.is_null() } else { resolved.is_not_null() };
    let as_it_was = review_comment::Column::Id.eq(thread.0).and(as_it_was);
    exactly_one(review_comment::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

/// How many threads on a version are open.
///
/// # Errors
/// When the database does not answer.
pub async fn open_threads(db: &impl Connection, version: Uuid) -> Result<u64> {
    Ok(review_comment::Entity::find().filter(open_on(review_comment::Column::VersionId.eq(version))).count(db).await?)
}

/// How many comments there are on a version, replies included.
///
/// # Errors
/// When the database does not answer.
pub async fn count_on(db: &impl Connection, version: VersionId) -> Result<u64> {
    Ok(review_comment::Entity::find().filter(review_comment::Column::VersionId.eq(version.0)).count(db).await?)
}

/// How many threads are open, by version; a version without any is not among them.
///
/// # Errors
/// When the database does not answer.
pub async fn open_threads_of(db: &impl Connection, versions: &[Uuid]) -> Result<BTreeMap<Uuid, u64>> {
    let open = open_on(review_comment::Column::VersionId.is_in(versions.iter().copied()));
    let counted = review_comment::Entity::find()
        .select_only()
        .column(review_comment::Column::VersionId)
        .column_as(review_comment::Column::Id.count(), "open_threads")
        .filter(open)
        .group_by(review_comment::Column::VersionId)
        .into_tuple::<(Uuid, i64)>();
    let rows = counted.all(db).await?;
    Ok(rows.into_iter().map(|(version, open)| (version, u64::try_from(open).unwrap_or_default())).collect())
}

fn open_on(version: Expr) -> Expr {
    version.and(review_comment::Column::ThreadId.is_null()).and(review_comment::Column::ResolvedAt.is_null())
}

/// Comments by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<CommentRow>> {
    Ok(review_comment::Entity::find().filter(review_comment::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// The replies in threads, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn replies_of(db: &impl Connection, threads: &[Uuid]) -> Result<Vec<CommentRow>> {
    let of = review_comment::Column::ThreadId.is_in(threads.iter().copied());
    let found = review_comment::Entity::find().filter(of).order_by_asc(review_comment::Column::CreatedAt);
    Ok(found.order_by_asc(review_comment::Column::Id).all(db).await?)
}

/// Who is mentioned in comments: comment and person.
///
/// # Errors
/// When the database does not answer.
pub async fn mentions_of(db: &impl Connection, comments: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>> {
    let of = comment_mention::Column::CommentId.is_in(comments.iter().copied());
    let rows = comment_mention::Entity::find().filter(of).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.comment_id, row.person_id)).collect())
}

/// Which comments are asked for, on versions whose drafts somebody sees.
#[derive(Debug, Clone)]
pub enum CommentFilter {
    /// The threads on a version: those that are resolved, those that are open, or all.
    Threads(VersionId, Option<bool>, Box<Visibility>),
    /// Those that mention somebody.
    Mentions(Box<Visibility>),
}

fn select(filter: &CommentFilter) -> Select<review_comment::Entity> {
    let (visible, which) = match filter {
        CommentFilter::Threads(version, resolved, visible) => {
            let at = review_comment::Column::ResolvedAt;
            let state = resolved.map(|resolved| if resolved { at.is_not_null() } else { at.is_null() });
            let threads = Cond::all()
                .add(review_comment::Column::VersionId.eq(version.0))
                .add(review_comment::Column::ThreadId.is_null());
            (visible, state.into_iter().fold(threads, Cond::add))
        }
        CommentFilter::Mentions(visible) => {
            let mentioning = Query::select()
                .column(comment_mention::Column::CommentId)
                .from(comment_mention::Entity)
                .and_where(comment_mention::Column::PersonId.eq(visible.person.0))
                .to_owned();
            (visible, Cond::all().add(review_comment::Column::Id.in_subquery(mentioning)))
        }
    };
    let seen = Query::select()
        .column(version::Column::Id)
        .from(version::Entity)
        .and_where(version::Column::SopId.in_subquery(ids_with_drafts_seen(visible)))
        .to_owned();
    review_comment::Entity::find().filter(which.add(review_comment::Column::VersionId.in_subquery(seen)))
}

/// A page of comments: threads oldest first, mentions newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, filter: &CommentFilter, window: &Window) -> Result<Page<CommentRow>> {
    let newest_first = matches!(filter, CommentFilter::Mentions(_));
    let order = (review_comment::Column::CreatedAt, Some(review_comment::Column::Id));
    page::list(db, select(filter), order, newest_first, window).await
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, filter: &CommentFilter) -> Result<u64> {
    Ok(select(filter).count(db).await?)
}
