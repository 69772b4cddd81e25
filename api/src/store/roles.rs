//! Roles: named sets of permissions.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, QueryTrait};
use sopwith_domain::access::{Permission, Permit};
use sopwith_domain::time::Timestamp;

use super::entity::{approval_request, approval_stage, role, role_grant};
use super::{Connection, exactly_one, parse};
use crate::error::Result;

/// A role as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Names it in claims, grants and stages.
    pub name: String,
    /// Whether the service brought it.
    pub built_in: bool,
    /// What it allows.
    pub permissions: BTreeSet<Permission>,
    /// Raised by every edit.
    pub revision: i64,
}

/// Permissions as they stand in a column.
pub(super) fn spelled(permissions: &BTreeSet<Permission>) -> String {
    permissions.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(" ")
}

/// Permissions read back from a column.
pub(super) fn permissions(text: &str) -> Result<BTreeSet<Permission>> {
    text.split_whitespace().map(parse).collect()
}

fn read(row: role::Model) -> Result<Role> {
    let permissions = permissions(&row.permissions)?;
    Ok(Role { name: row.name, built_in: row.built_in, permissions, revision: row.revision })
}

/// Every role, by name.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl Connection) -> Result<Vec<Role>> {
    role::Entity::find().order_by_asc(role::Column::Name).all(db).await?.into_iter().map(read).collect()
}

/// A role by name.
///
/// # Errors
/// When the database does not answer.
pub async fn by_name(db: &impl Connection, name: &str) -> Result<Option<Role>> {
    role::Entity::find_by_id(name).one(db).await?.map(read).transpose()
}

/// A role by name that nobody takes away until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn kept(db: &impl Connection, name: &str) -> Result<Option<Role>> {
    role::Entity::find_by_id(name).lock_shared().one(db).await?.map(read).transpose()
}

/// A role by name that is about to change: nobody can grant it until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn locked(db: &impl Connection, name: &str) -> Result<Option<Role>> {
    role::Entity::find_by_id(name).lock_exclusive().one(db).await?.map(read).transpose()
}

/// Makes a role.
///
/// # Errors
/// `Conflict` when there is one of this name.
pub async fn insert(
    db: &impl Connection,
    _permit: &Permit,
    name: &str,
    permissions: &BTreeSet<Permission>,
    now: Timestamp,
) -> Result<()> {
    let row = role::ActiveModel {
        name: Set(name.to_owned()),
        built_in: Set(false),
        permissions: Set(spelled(permissions)),
        revision: Set(1),
        created_at: Set(now.micros()),
        updated_at: Set(now.micros()),
    };
    role::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Makes a role allow exactly this.
///
/// # Errors
/// `Conflict` when it is not at this revision any more.
pub async fn update(
    db: &impl Connection,
    _permit: &Permit,
    name: &str,
    revision: i64,
    permissions: &BTreeSet<Permission>,
    now: Timestamp,
) -> Result<()> {
    let row = role::ActiveModel {
        permissions: Set(spelled(permissions)),
        revision: Set(revision + 1),
        updated_at: Set(now.micros()),
        ..Default::default()
    };
    let as_it_was = role::Column::Name.eq(name).and(role::Column::Revision.eq(revision));
    exactly_one(role::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

/// Takes a role away.
///
/// # Errors
/// `Conflict` when it is gone already.
pub async fn delete(db: &impl Connection, _permit: &Permit, name: &str) -> Result<()> {
    exactly_one(role::Entity::delete_by_id(name).exec(db).await?.rows_affected)
}

/// How many grants made here give a role and have not expired.
///
/// # Errors
/// When the database does not answer.
pub async fn grants(db: &impl Connection, name: &str, now: Timestamp) -> Result<u64> {
    let made_here = role_grant::Column::Source.ne("CLAIM");
    let of = role_grant::Column::Role.eq(name).and(made_here).and(counts_at(now));
    Ok(role_grant::Entity::find().filter(of).count(db).await?)
}

/// How many open approval requests have a stage that names a role.
///
/// # Errors
/// When the database does not answer.
pub async fn open_requests(db: &impl Connection, name: &str) -> Result<u64> {
    let named = approval_stage::Entity::find()
        .select_only()
        .column(approval_stage::Column::RequestId)
        .filter(approval_stage::Column::Role.eq(name))
        .into_query();
    let open = approval_request::Column::State.eq("OPEN").and(approval_request::Column::Id.in_subquery(named));
    Ok(approval_request::Entity::find().filter(open).count(db).await?)
}

/// Whether a grant has not expired.
pub(super) fn counts_at(now: Timestamp) -> Expr {
    role_grant::Column::ExpiresAt.is_null().or(role_grant::Column::ExpiresAt.gt(now.micros()))
}

/// What each role allows.
///
/// # Errors
/// When the database does not answer.
pub async fn allowing(db: &impl Connection) -> Result<BTreeMap<String, BTreeSet<Permission>>> {
    Ok(all(db).await?.into_iter().map(|role| (role.name, role.permissions)).collect())
}
