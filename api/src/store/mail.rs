//! Which events mail is sent about, and how far each delivery is.

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::{event, mail_delivery, mail_event};
use super::events::{EventRow, known};
use crate::error::{Error, Result};

pub use mail_delivery::Model as DeliveryRow;

/// How many deliveries are written by one statement.
const CHUNK: usize = 1000;

/// Events since a time that were not looked at yet for mail, oldest first, at most so many.
///
/// # Errors
/// When the database does not answer.
pub async fn new_events(db: &impl Connection, since: Timestamp, most: u64) -> Result<Vec<EventRow>> {
    let looked_at = Query::select()
        .expr(Expr::val(1))
        .from(mail_event::Entity)
        .and_where(
            Expr::col((mail_event::Entity, mail_event::Column::EventId))
                .eq(Expr::col((event::Entity, event::Column::Id))),
        )
        .to_owned();
    let new = known().and(event::Column::At.gte(since.micros())).and(Expr::exists(looked_at).not());
    let found = event::Entity::find().filter(new).order_by_asc(event::Column::At).order_by_asc(event::Column::Id);
    Ok(found.limit(most).all(db).await?)
}

/// Queues mail about an event to these people. Answers whether nobody was first.
///
/// # Errors
/// When the database does not answer.
pub async fn queue(db: &impl Connection, event: Uuid, to: &[Uuid], now: Timestamp) -> Result<bool> {
    let row = mail_event::ActiveModel { event_id: Set(event), queued_at: Set(now.micros()) };
    let once = OnConflict::new().do_nothing().to_owned();
    if mail_event::Entity::insert(row).on_conflict(once).exec_without_returning(db).await? == 0 {
        return Ok(false);
    }
    let delivery = |person: &Uuid| mail_delivery::ActiveModel {
        event_id: Set(event),
        person_id: Set(*person),
        state: Set("PENDING".to_owned()),
        attempts: Set(0),
        next_attempt_at: Set(Some(now.micros())),
        last_error_kind: Set(None),
        settled_at: Set(None),
    };
    for people in to.chunks(CHUNK) {
        mail_delivery::Entity::insert_many(people.iter().map(delivery)).exec_without_returning(db).await?;
    }
    Ok(true)
}

/// Deliveries that are due, the longest due first, at most so many.
///
/// # Errors
/// When the database does not answer.
pub async fn due(db: &impl Connection, now: Timestamp, most: u64) -> Result<Vec<DeliveryRow>> {
    let due = mail_delivery::Column::State.eq("PENDING").and(mail_delivery::Column::NextAttemptAt.lte(now.micros()));
    let found = mail_delivery::Entity::find().filter(due).order_by_asc(mail_delivery::Column::NextAttemptAt);
    let found = found.order_by_asc(mail_delivery::Column::EventId).order_by_asc(mail_delivery::Column::PersonId);
    Ok(found.limit(most).all(db).await?)
}

/// Takes a delivery up, as it was seen, until a time: then others may, if it is not settled by then. Answers whether
/// nobody was first.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(db: &impl Connection, seen: &DeliveryRow, until: Timestamp) -> Result<bool> {
    let row = mail_delivery::ActiveModel {
        attempts: Set(seen.attempts + 1),
        next_attempt_at: Set(Some(until.micros())),
        ..Default::default()
    };
    let as_it_was = guard(seen, seen.attempts).and(mail_delivery::Column::NextAttemptAt.eq(seen.next_attempt_at));
    Ok(mail_delivery::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected == 1)
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server took it.
    Sent,
    /// It is not to be sent any more, for this reason.
    Skipped(&'static str),
    /// It failed for this reason, and is tried again at this time.
    Again(&'static str, Timestamp),
    /// It failed for this reason, for good.
    Failed(&'static str),
}

/// Writes down how the attempt that [`claim`] began ended.
///
/// # Errors
/// When the database does not answer; a fault when the claim was over and somebody else took the delivery up.
pub async fn settle(db: &impl Connection, claimed: &DeliveryRow, end: End, now: Timestamp) -> Result<()> {
    let (state, kind, again) = match end {
        End::Sent => ("SENT", None, None),
        End::Skipped(kind) => ("SKIPPED", Some(kind), None),
        End::Again(kind, at) => ("PENDING", Some(kind), Some(at)),
        End::Failed(kind) => ("FAILED", Some(kind), None),
    };
    let row = mail_delivery::ActiveModel {
        state: Set(state.to_owned()),
        next_attempt_at: Set(again.map(Timestamp::micros)),
        last_error_kind: Set(kind.map(str::to_owned)),
        settled_at: Set(again.is_none().then_some(now.micros())),
        ..Default::default()
    };
    let own = guard(claimed, claimed.attempts + 1);
    let changed = mail_delivery::Entity::update_many().set(row).filter(own).exec(db).await?.rows_affected;
    if changed == 1 { Ok(()) } else { Err(Error::internal("somebody else took a delivery up")) }
}

/// A pending delivery after so many attempts.
fn guard(row: &DeliveryRow, attempts: i32) -> Expr {
    mail_delivery::Column::EventId
        .eq(row.event_id)
        .and(mail_delivery::Column::PersonId.eq(row.person_id))
        .and(mail_delivery::Column::State.eq("PENDING"))
        .and(mail_delivery::Column::Attempts.eq(attempts))
}
