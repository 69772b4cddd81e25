//! The outbox: events, written in the transaction that causes them, and whom they concern.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, OnConflict, Query};
use sea_orm::{ActiveValue::Set, DbBackend, QueryResult, Statement};
use serde_json::Value as Json;
use sopwith_domain::access::Visibility;
use sopwith_domain::event::EventKind;
use sopwith_domain::ids::{CommentId, EventId, PersonId, RequestId, SopId};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::drafts::ids_with_drafts_seen;
use super::entity::{event, event_recipient};
use super::page::{self, Page, Window};
use crate::error::Result;

pub use event::Model as EventRow;

/// How many recipients are written by one statement.
const CHUNK: usize = 1000;

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// A stage of an approval request, by its position; the how-manieth of its kind, from 1.
    Stage(RequestId, usize, i64),
    /// A review comment.
    Comment(CommentId),
}

/// An event to be.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// To which SOP.
    pub sop: SopId,
    /// To what of it.
    pub about: About,
    /// What else is told, for whoever is not to look it up.
    pub data: Json,
    /// Whom it concerns.
    pub recipients: Vec<PersonId>,
}

/// Writes an event down. Answers whether it is new: each happens once in a stage, or of a comment.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, new: &NewEvent) -> Result<bool> {
    let (request, comment) = match new.about {
        About::Stage(request, stage, nth) => (Some((request, stage, nth)), None),
        About::Comment(comment) => (None, Some(comment)),
    };
    let stage = request.map(|(_, stage, _)| i32::try_from(stage)).transpose().map_err(crate::error::Error::internal)?;
    let row = event::ActiveModel {
        id: Set(new.id.0),
        kind: Set(new.kind.as_str().to_owned()),
        at: Set(new.at.micros()),
        sop_id: Set(Some(new.sop.0)),
        request_id: Set(request.map(|(request, _, _)| request.0)),
        stage: Set(stage),
        nth: Set(request.map(|(_, _, nth)| nth)),
        comment_id: Set(comment.map(|comment| comment.0)),
        data: Set(new.data.to_string()),
    };
    let once = OnConflict::new().do_nothing().to_owned();
    if event::Entity::insert(row).on_conflict(once).exec_without_returning(db).await? == 0 {
        return Ok(false);
    }
    let recipient =
        |person: &PersonId| event_recipient::ActiveModel { event_id: Set(new.id.0), person_id: Set(person.0) };
    for people in new.recipients.chunks(CHUNK) {
        event_recipient::Entity::insert_many(people.iter().map(recipient)).exec_without_returning(db).await?;
    }
    Ok(true)
}

/// A stage for which an event is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueStage {
    /// The request.
    pub request: RequestId,
    /// Its SOP.
    pub sop: SopId,
    /// Position of the stage.
    pub stage: i32,
    /// The how-manieth event of the kind it would be, from 1.
    pub nth: i64,
}

/// When an event of a kind is due in a stage.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// What kind.
    pub kind: EventKind,
    /// The stage was opened at this time or before.
    pub opened_by: Timestamp,
    /// And the last event of the kind was at this time or before, if there was one; none must be, where this is absent.
    pub last_by: Option<Timestamp>,
}

/// The first hundred open stages for which an event is due, those that were opened first before the others.
///
/// # Errors
/// When the database does not answer.
pub async fn due_stages(db: &impl Connection, due: &Due) -> Result<Vec<DueStage>> {
    // `MAX` ignores what is not there, so a stage without such an event has none.
    let sql = "SELECT r.id, r.sop_id, s.position, COALESCE(MAX(e.nth), 0) AS last \
        FROM approval_request r \
        JOIN approval_stage s ON s.request_id = r.id AND s.position = r.stage \
        LEFT JOIN event e ON e.request_id = r.id AND e.stage = s.position AND e.kind = $1 \
        WHERE r.state = 'OPEN' AND s.opened_at <= $2 \
        GROUP BY r.id, r.sop_id, s.position, s.opened_at \
        HAVING MAX(e.at) IS NULL OR MAX(e.at) <= $3 \
        ORDER BY s.opened_at, r.id LIMIT 100";
    let last_by = due.last_by.map_or(i64::MIN, Timestamp::micros);
    let values = [due.kind.as_str().into(), due.opened_by.micros().into(), last_by.into()];
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite { sql.replace('$', "?") } else { sql.to_owned() };
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(due_stage).collect()
}

fn due_stage(row: &QueryResult) -> Result<DueStage> {
    Ok(DueStage {
        request: RequestId(row.try_get("", "id")?),
        sop: SopId(row.try_get("", "sop_id")?),
        stage: row.try_get("", "position")?,
        nth: row.try_get::<i64>("", "last")? + 1,
    })
}

/// Events by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<EventRow>> {
    Ok(event::Entity::find().filter(event::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Whom an event concerns.
///
/// # Errors
/// When the database does not answer.
pub async fn recipients_of(db: &impl Connection, id: Uuid) -> Result<Vec<Uuid>> {
    let of = event_recipient::Column::EventId.eq(id);
    let rows = event_recipient::Entity::find().filter(of).all(db).await?;
    Ok(rows.into_iter().map(|row| row.person_id).collect())
}

/// Whether the SOP of an event is one whose drafts somebody sees: all events are about those so far.
///
/// # Errors
/// When the database does not answer.
pub async fn is_seen(db: &impl Connection, visible: &Visibility, id: Uuid) -> Result<bool> {
    Ok(event::Entity::find().filter(seen(visible).add(event::Column::Id.eq(id))).count(db).await? > 0)
}

/// The kinds that this version knows: while replicas are upgraded one by one, another may write kinds that it does not.
pub(super) fn known() -> Expr {
    event::Column::Kind.is_in(EventKind::ALL.iter().map(|kind| kind.as_str()))
}

fn seen(visible: &Visibility) -> Cond {
    Cond::all().add(known()).add(event::Column::SopId.in_subquery(ids_with_drafts_seen(visible)))
}

/// The events that concern somebody, of what they still see.
fn own(visible: &Visibility) -> Select<event::Entity> {
    let concerning = Query::select()
        .column(event_recipient::Column::EventId)
        .from(event_recipient::Entity)
        .and_where(event_recipient::Column::PersonId.eq(visible.person.0))
        .to_owned();
    event::Entity::find().filter(seen(visible).add(event::Column::Id.in_subquery(concerning)))
}

/// A page of the events that concern somebody, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, visible: &Visibility, window: &Window) -> Result<Page<EventRow>> {
    page::list(db, own(visible), (event::Column::At, Some(event::Column::Id)), true, window).await
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, visible: &Visibility) -> Result<u64> {
    Ok(own(visible).count(db).await?)
}
