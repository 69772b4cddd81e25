//! Policies, as stored. One that was ended stays, since requests refer to it.

use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, sea_query::Cond};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::{PolicyId, TeamId};
use sopwith_domain::policy::{Policy, PolicyKind};
use sopwith_domain::time::Timestamp;

use super::entity::policy;
use super::{Connection, exactly_one, parse};
use crate::error::{Error, Result};

/// A policy with what it takes to change it.
#[derive(Debug, Clone)]
pub struct StoredPolicy {
    /// The policy.
    pub policy: Policy,
    /// Raised by every change.
    pub revision: i64,
    /// When it ceased to apply.
    pub ended_at: Option<Timestamp>,
}

/// All policies of a kind that are in use.
///
/// # Errors
/// When the database does not answer.
pub async fn of_kind(db: &impl Connection, kind: PolicyKind) -> Result<Vec<Policy>> {
    let found = policy::Entity::find().filter(in_use().add(policy::Column::Kind.eq(kind.as_str())));
    found.order_by_asc(policy::Column::Id).all(db).await?.iter().map(|row| Ok(read(row)?.policy)).collect()
}

/// All policies in use, by kind.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl Connection) -> Result<Vec<StoredPolicy>> {
    let rows = policy::Entity::find().filter(in_use()).order_by_asc(policy::Column::Kind);
    rows.order_by_asc(policy::Column::Id).all(db).await?.iter().map(read).collect()
}

fn in_use() -> Cond {
    Cond::all().add(policy::Column::EndedAt.is_null())
}

/// A policy by id, in use or not.
///
/// # Errors
/// When the database does not answer.
pub async fn by_id(db: &impl Connection, id: PolicyId) -> Result<Option<StoredPolicy>> {
    policy::Entity::find_by_id(id.0).one(db).await?.as_ref().map(read).transpose()
}

/// Policies by id, in use or not.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<StoredPolicy>> {
    let found = policy::Entity::find().filter(policy::Column::Id.is_in(ids.iter().copied()));
    found.all(db).await?.iter().map(read).collect()
}

/// Writes a policy down.
///
/// # Errors
/// `Conflict` when there is one for the same kind, team and risk.
pub async fn insert(db: &impl Connection, _: &Permit, new: &Policy, now: Timestamp) -> Result<()> {
    let row = policy::ActiveModel {
        id: Set(new.id.0),
        kind: Set(new.kind.as_str().to_owned()),
        team_id: Set(new.team.map(|t| t.0)),
        risk: Set(new.risk.map(|r| r.as_str().to_owned())),
        stages: Set(stages(new)?),
        built_in: Set(false),
        created_at: Set(now.micros()),
        requires_resolved_comments: Set(new.requires_resolved_comments),
        revision: Set(1),
        updated_at: Set(now.micros()),
        ended_at: Set(None),
    };
    policy::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Changes what a policy asks for.
///
/// # Errors
/// `Conflict` when it is at another revision or was ended.
pub async fn update(db: &impl Connection, _: &Permit, changed: &Policy, revision: i64, now: Timestamp) -> Result<()> {
    let row = policy::ActiveModel {
        stages: Set(stages(changed)?),
        requires_resolved_comments: Set(changed.requires_resolved_comments),
        ..Default::default()
    };
    guarded(db, changed.id, revision, row, now).await
}

/// Takes a policy out of use.
///
/// # Errors
/// `Conflict` when it is at another revision or was ended.
pub async fn end(db: &impl Connection, _: &Permit, id: PolicyId, revision: i64, now: Timestamp) -> Result<()> {
    let row = policy::ActiveModel { ended_at: Set(Some(now.micros())), ..Default::default() };
    guarded(db, id, revision, row, now).await
}

async fn guarded(
    db: &impl Connection,
    id: PolicyId,
    revision: i64,
    mut row: policy::ActiveModel,
    now: Timestamp,
) -> Result<()> {
    row.revision = Set(revision + 1);
    row.updated_at = Set(now.micros());
    let as_it_was = in_use().add(policy::Column::Id.eq(id.0)).add(policy::Column::Revision.eq(revision));
    exactly_one(policy::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

fn stages(policy: &Policy) -> Result<String> {
    serde_json::to_string(&policy.stages).map_err(Error::internal)
}

fn read(row: &policy::Model) -> Result<StoredPolicy> {
    let policy = Policy {
        id: PolicyId(row.id),
        kind: parse(&row.kind)?,
        team: row.team_id.map(TeamId),
        risk: row.risk.as_deref().map(parse).transpose()?,
        stages: serde_json::from_str(&row.stages).map_err(Error::internal)?,
        requires_resolved_comments: row.requires_resolved_comments,
    };
    Ok(StoredPolicy { policy, revision: row.revision, ended_at: row.ended_at.map(Timestamp::from_micros) })
}
