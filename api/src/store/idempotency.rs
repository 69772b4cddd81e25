//! Idempotency keys: the same request twice makes one object.

use sea_orm::ActiveValue::Set;
use sea_orm::SqlErr;
use sea_orm::entity::prelude::*;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::{DAY, Timestamp};

use super::Connection;
use super::entity::idempotency;
use crate::error::{Error, Result};

/// How long keys are kept.
const KEPT: i64 = 7 * DAY;

/// A request as its key names it.
#[derive(Debug, Clone)]
pub struct Keyed<'a> {
    /// Who asks.
    pub person: PersonId,
    /// Which mutation.
    pub operation: &'a str,
    /// The client's key.
    pub key: &'a str,
    /// SHA-256 of the input in hex.
    pub fingerprint: &'a str,
}

/// What this request made before, if it came before.
///
/// # Errors
/// `Conflict` when the key came with another request.
pub async fn find(db: &impl Connection, keyed: &Keyed<'_>, now: Timestamp) -> Result<Option<Uuid>> {
    let id = (keyed.person.0, keyed.operation.to_owned(), keyed.key.to_owned());
    let row = idempotency::Entity::find_by_id(id).one(db).await?;
    match row.filter(|row| row.created_at >= now.plus(-KEPT).micros()) {
        None => Ok(None),
        Some(row) if row.fingerprint == keyed.fingerprint => Ok(Some(row.object)),
        Some(_) => Err(Refusal::conflict("this idempotency key was used with another request").into()),
    }
}

/// Remembers what a request made.
///
/// # Errors
/// `Collided` when the same request is being carried out at the same time.
pub async fn remember(db: &impl Connection, keyed: &Keyed<'_>, object: Uuid, now: Timestamp) -> Result<()> {
    let old = idempotency::Column::CreatedAt.lt(now.plus(-KEPT).micros());
    idempotency::Entity::delete_many().filter(old).exec(db).await?;
    let row = idempotency::ActiveModel {
        person_id: Set(keyed.person.0),
        operation: Set(keyed.operation.to_owned()),
        key: Set(keyed.key.to_owned()),
        fingerprint: Set(keyed.fingerprint.to_owned()),
        object: Set(object),
        created_at: Set(now.micros()),
    };
    match idempotency::Entity::insert(row).exec_without_returning(db).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Err(Error::Collided),
        Err(error) => Err(error.into()),
    }
}
