//! Teams and the codes that they give out.

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, QueryOrder};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::TeamId;
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::bulk::among_texts;
use super::entity::team;
use crate::error::{Error, Result};

pub use team::Model as Team;

/// A team to be.
#[derive(Debug, Clone)]
pub struct NewTeam {
    /// Its id.
    pub id: TeamId,
    /// Names it in claims and executions.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// What the codes of its SOPs begin with.
    pub code_prefix: String,
}

/// Makes a team by permission.
///
/// # Errors
/// `Conflict` when the key or the prefix is taken.
pub async fn insert(db: &impl Connection, _permit: &Permit, team: NewTeam, now: Timestamp) -> Result<Team> {
    claimed(db, team, now).await
}

/// Makes a team that a token's claims name: the identity provider rules who is in which team.
///
/// # Errors
/// `Conflict` when the key or the prefix is taken.
pub async fn claimed(db: &impl Connection, team: NewTeam, now: Timestamp) -> Result<Team> {
    let row = team::ActiveModel {
        id: Set(team.id.0),
        key: Set(team.key),
        name: Set(team.name),
        code_prefix: Set(team.code_prefix),
        last_code: Set(0),
        created_at: Set(now.micros()),
    };
    Ok(row.insert(db).await?)
}

/// The team of this key.
///
/// # Errors
/// When the database does not answer.
pub async fn by_key(db: &impl Connection, key: &str) -> Result<Option<Team>> {
    Ok(team::Entity::find().filter(team::Column::Key.eq(key)).one(db).await?)
}

/// Teams by key.
///
/// # Errors
/// When the database does not answer.
pub async fn by_keys(db: &impl Connection, keys: &[String]) -> Result<Vec<Team>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let these = among_texts(db, team::Column::Key, keys.iter().map(String::as_str));
    Ok(team::Entity::find().filter(these).all(db).await?)
}

/// Teams by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<Team>> {
    Ok(team::Entity::find().filter(team::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// All teams, by key.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl Connection) -> Result<Vec<Team>> {
    Ok(team::Entity::find().order_by_asc(team::Column::Key).all(db).await?)
}

/// The next code of a team, such as `OPS-0007`; never given twice.
///
/// # Errors
/// When the database does not answer.
pub async fn next_code(db: &impl Connection, _permit: &Permit, team: TeamId) -> Result<String> {
    let updated = team::Entity::update_many()
        .col_expr(team::Column::LastCode, Expr::col(team::Column::LastCode).add(1))
        .filter(team::Column::Id.eq(team.0))
        .exec_with_returning(db)
        .await?;
    let team = updated.into_iter().next().ok_or_else(|| Error::internal("the team is gone"))?;
    Ok(format!("{}-{:04}", team.code_prefix, team.last_code))
}

/// A prefix for codes made from a team's key that no other team has: capitals and digits.
///
/// # Errors
/// When the database does not answer.
pub async fn free_prefix(db: &impl Connection, key: &str) -> Result<String> {
    let words: Vec<&str> = key.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let stem: String = if words.len() > 1 {
        words.iter().filter_map(|w| w.chars().next()).take(6).collect()
    } else {
        key.chars().filter(char::is_ascii_alphanumeric).take(4).collect()
    };
    let stem = if stem.is_empty() { "SOP".to_owned() } else { stem.to_ascii_uppercase() };
    let taken: Vec<String> = all(db).await?.into_iter().map(|t| t.code_prefix).collect();
    let candidates = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}{n}")));
    let free = candidates.take(taken.len() + 1).find(|p| !taken.contains(p));
    Ok(free.unwrap_or(stem))
}
