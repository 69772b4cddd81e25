//! Processes: what the organisation does, documented or not.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{ActiveValue::Set, QueryOrder};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};
use sopwith_domain::lifecycle::SopState;
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::bulk::among_texts;
use super::entity::{process, sop};
use super::page::{self, Page, Window};
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
    };
    Ok(row.insert(db).await?)
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
