//! Delegations, and the mandates that follow from them.

use std::collections::BTreeMap;

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Cond;
use sea_orm::{ExprTrait as _, QueryOrder as _};
use sopwith_domain::access::Permit;
use sopwith_domain::approval::{Candidate, Delegation, Mandate};
use sopwith_domain::ids::{DelegationId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use super::entity::delegation;
use super::page::{self, Page, Window};
use super::{Connection, exactly_one, people};
use crate::error::Result;

pub use delegation::Model as DelegationRow;

/// Writes a delegation down.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, _: &Permit, new: &Delegation, now: Timestamp) -> Result<()> {
    let row = delegation::ActiveModel {
        id: Set(new.id.0),
        from_id: Set(new.from.0),
        to_id: Set(new.to.0),
        role: Set(new.role.clone()),
        team_id: Set(new.team.map(|t| t.0)),
        reason: Set(new.reason.clone()),
        starts_at: Set(new.starts_at.micros()),
        ends_at: Set(new.ends_at.micros()),
        created_at: Set(now.micros()),
        revoked_at: Set(None),
        revoked_by_id: Set(None),
    };
    delegation::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Ends a delegation before its time.
///
/// # Errors
/// `Conflict` when it was ended already.
pub async fn revoke(db: &impl Connection, _: &Permit, id: DelegationId, by: PersonId, now: Timestamp) -> Result<()> {
    let row = delegation::ActiveModel {
        revoked_at: Set(Some(now.micros())),
        revoked_by_id: Set(Some(by.0)),
        ..Default::default()
    };
    let standing = delegation::Column::Id.eq(id.0).and(delegation::Column::RevokedAt.is_null());
    exactly_one(delegation::Entity::update_many().set(row).filter(standing).exec(db).await?.rows_affected)
}

/// Delegations by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<DelegationRow>> {
    Ok(delegation::Entity::find().filter(delegation::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// On whose behalf somebody may decide now. Each role is the delegator's own by the grants that are stored, so that a
/// delegation never reaches further than they do, and does not chain.
///
/// # Errors
/// When the database does not answer.
pub async fn mandates(db: &impl Connection, to: PersonId, now: Timestamp) -> Result<Vec<Mandate>> {
    let rows = delegation::Entity::find().filter(in_force(now).add(delegation::Column::ToId.eq(to.0))).all(db).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let roles: Vec<String> = rows.iter().map(|row| row.role.clone()).collect();
    let delegators: Vec<Uuid> = rows.iter().map(|row| row.from_id).collect();
    let holders = people::candidates_among(db, delegators, &roles, now).await?;
    let holders: BTreeMap<PersonId, Candidate> = holders.into_iter().map(|holder| (holder.person, holder)).collect();
    let mandate =
        |row: DelegationRow| holders.get(&PersonId(row.from_id)).and_then(|from| read(row).mandate(from, now));
    Ok(rows.into_iter().filter_map(mandate).collect())
}

/// What follows from all delegations of these roles, out of everyone who holds one of them: who may decide, and by which
/// mandate, in the order in which they were made.
///
/// # Errors
/// When the database does not answer.
pub async fn mandates_from(
    db: &impl Connection,
    holders: &[Candidate],
    roles: &[String],
    now: Timestamp,
) -> Result<Vec<(PersonId, Mandate)>> {
    let of_roles = in_force(now).add(delegation::Column::Role.is_in(roles));
    let given = delegation::Entity::find().filter(of_roles).order_by_asc(delegation::Column::CreatedAt);
    let given = given.order_by_asc(delegation::Column::Id).all(db).await?;
    let holders: BTreeMap<PersonId, &Candidate> = holders.iter().map(|holder| (holder.person, holder)).collect();
    let mandate = |row: DelegationRow| {
        let (to, given) = (PersonId(row.to_id), read(row));
        Some((to, given.mandate(holders.get(&given.from)?, now)?))
    };
    Ok(given.into_iter().filter_map(mandate).collect())
}

/// What was stored.
#[must_use]
pub fn read(row: DelegationRow) -> Delegation {
    Delegation {
        id: DelegationId(row.id),
        from: PersonId(row.from_id),
        to: PersonId(row.to_id),
        role: row.role,
        team: row.team_id.map(TeamId),
        reason: row.reason,
        starts_at: Timestamp::from_micros(row.starts_at),
        ends_at: Timestamp::from_micros(row.ends_at),
    }
}

/// How many delegations somebody gave that are not over yet.
///
/// # Errors
/// When the database does not answer.
pub async fn count_given(db: &impl Connection, from: PersonId, now: Timestamp) -> Result<u64> {
    let given = delegation::Column::FromId.eq(from.0).and(delegation::Column::RevokedAt.is_null());
    let given = given.and(delegation::Column::EndsAt.gt(now.micros()));
    Ok(delegation::Entity::find().filter(given).count(db).await?)
}

/// [`in_force`] where statements are written by hand: parameter 3 is the time.
pub(super) const IN_FORCE_AT_3: &str = "revoked_at IS NULL AND starts_at <= $3 AND ends_at > $3";

fn in_force(now: Timestamp) -> Cond {
    Cond::all()
        .add(delegation::Column::RevokedAt.is_null())
        .add(delegation::Column::StartsAt.lte(now.micros()))
        .add(delegation::Column::EndsAt.gt(now.micros()))
}

/// Which delegations are asked for.
#[derive(Debug, Clone, Default)]
pub struct DelegationFilter {
    /// Only those that this person gave or got; all where nobody is named.
    pub of: Option<PersonId>,
    /// Only those in force at this time.
    pub at: Option<Timestamp>,
}

fn condition(filter: &DelegationFilter) -> Cond {
    let of = filter.of.map(|person| {
        Cond::any().add(delegation::Column::FromId.eq(person.0)).add(delegation::Column::ToId.eq(person.0))
    });
    of.into_iter().chain(filter.at.map(in_force)).fold(Cond::all(), Cond::add)
}

/// A page of delegations, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, filter: &DelegationFilter, window: &Window) -> Result<Page<DelegationRow>> {
    let select = delegation::Entity::find().filter(condition(filter));
    page::list(db, select, (delegation::Column::CreatedAt, Some(delegation::Column::Id)), false, window).await
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, filter: &DelegationFilter) -> Result<u64> {
    Ok(delegation::Entity::find().filter(condition(filter)).count(db).await?)
}
