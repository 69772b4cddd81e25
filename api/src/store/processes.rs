//! Processes: what the organisation does, documented or not.

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, Query};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect as _};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};
use sopwith_domain::lifecycle::SopState;
use sopwith_domain::time::Timestamp;

use super::bulk::among_texts;
use super::entity::{process, sop};
use super::page::{self, Page, Window};
use super::{Connection, exactly_one};
use crate::error::Result;

pub use process::Model as Process;

/// A process to be.
#[derive(Debug, Clone)]
pub struct NewProcess {
    /// Its id.
    pub id: ProcessId,
    /// Names it in executions.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// How it runs today.
    pub description: String,
    /// Who answers for it; nobody when unclear.
    pub owner: Option<PersonId>,
    /// The team that it belongs to, if one.
    pub team: Option<TeamId>,
    /// After how many microseconds a run that has not finished counts as abandoned; after 30 days where it says nothing.
    pub horizon: Option<i64>,
}

/// Makes a process.
///
/// # Errors
/// `Conflict` when the key is taken.
pub async fn insert(db: &impl Connection, _permit: &Permit, new: NewProcess, now: Timestamp) -> Result<Process> {
    let row = process::ActiveModel {
        id: Set(new.id.0),
        key: Set(new.key),
        name: Set(new.name),
        description: Set(new.description),
        owner_id: Set(new.owner.map(|p| p.0)),
        team_id: Set(new.team.map(|t| t.0)),
        revision: Set(1),
        created_at: Set(now.micros()),
        updated_at: Set(now.micros()),
        horizon: Set(new.horizon),
    };
    Ok(row.insert(db).await?)
}

/// Changes a process, but for its key.
///
/// # Errors
/// `Conflict` when it is at another revision.
pub async fn update(
    db: &impl Connection,
    _permit: &Permit,
    changed: NewProcess,
    revision: i64,
    now: Timestamp,
) -> Result<()> {
    let row = process::ActiveModel {
        name: Set(changed.name),
        description: Set(changed.description),
        owner_id: Set(changed.owner.map(|p| p.0)),
        team_id: Set(changed.team.map(|t| t.0)),
        revision: Set(revision + 1),
        updated_at: Set(now.micros()),
        horizon: Set(changed.horizon),
        ..Default::default()
    };
    let as_it_was = process::Column::Id.eq(changed.id.0).and(process::Column::Revision.eq(revision));
    exactly_one(process::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

/// A process that is about to change: nobody else changes it until the transaction ends. Runs of it are stored meanwhile.
///
/// # Errors
/// When the database does not answer.
pub async fn locked(db: &impl Connection, id: ProcessId) -> Result<Option<Process>> {
    // A stronger lock would keep those waiting who refer to it, and hold what is to be changed.
    Ok(process::Entity::find_by_id(id.0).lock(LockType::NoKeyUpdate).one(db).await?)
}

/// The process of this key.
///
/// # Errors
/// When the database does not answer.
pub async fn by_key(db: &impl Connection, key: &str) -> Result<Option<Process>> {
    Ok(process::Entity::find().filter(process::Column::Key.eq(key)).one(db).await?)
}

/// Processes by key.
///
/// # Errors
/// When the database does not answer.
pub async fn by_keys(db: &impl Connection, keys: &[String]) -> Result<Vec<Process>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let these = among_texts(db, process::Column::Key, keys.iter().map(String::as_str));
    Ok(process::Entity::find().filter(these).all(db).await?)
}

/// Processes by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<Process>> {
    let found = process::Entity::find().filter(process::Column::Id.is_in(ids.iter().copied()));
    Ok(found.order_by_asc(process::Column::Key).all(db).await?)
}

/// A page of processes by key.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, window: &Window) -> Result<Page<Process>> {
    page::list(db, process::Entity::find(), (process::Column::Key, None), false, window).await
}

/// How many processes have an SOP in force, and how many there are, of a team or of all.
///
/// # Errors
/// When the database does not answer.
pub async fn covered(db: &impl Connection, team: Option<TeamId>) -> Result<(u64, u64)> {
    let published = Query::select()
        .column(sop::Column::ProcessId)
        .from(sop::Entity)
        .and_where(sop::Column::State.eq(SopState::Published.as_str()))
        .to_owned();
    let mut select = process::Entity::find();
    if let Some(team) = team {
        select = select.filter(process::Column::TeamId.eq(team.0));
    }
    let covered = select.clone().filter(process::Column::Id.in_subquery(published)).count(db).await?;
    Ok((covered, select.count(db).await?))
}

/// How many processes there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection) -> Result<u64> {
    Ok(process::Entity::find().count(db).await?)
}
