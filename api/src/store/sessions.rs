//! Sessions of browsers.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sopwith_domain::ids::{PersonId, SessionId, TokenId};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::session;
use crate::error::Result;

pub use session::Model as SessionRow;

/// A session to be.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// SHA-256 of its secret, in hex.
    pub digest: String,
    /// Whose it is.
    pub person: PersonId,
    /// The API token that it was begun with, if it was one.
    pub token: Option<TokenId>,
    /// The roles that the token claimed, as the token spells them, with spaces between; nothing of an API token.
    pub roles: String,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// Begins a session.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, new: NewSession, now: Timestamp) -> Result<()> {
    let row = session::ActiveModel {
        id: Set(new.id.0),
        digest: Set(new.digest),
        person_id: Set(new.person.0),
        api_token_id: Set(new.token.map(|token| token.0)),
        roles: Set(new.roles),
        created_at: Set(now.micros()),
        expires_at: Set(new.expires_at.micros()),
    };
    session::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The session whose secret has this SHA-256, where it lasts beyond `now`.
///
/// # Errors
/// When the database does not answer.
pub async fn by_digest(db: &impl Connection, digest: &str, now: Timestamp) -> Result<Option<SessionRow>> {
    let lasts = session::Column::ExpiresAt.gt(now.micros());
    Ok(session::Entity::find().filter(session::Column::Digest.eq(digest)).filter(lasts).one(db).await?)
}

/// Ends a session. Whether there was one to end.
///
/// # Errors
/// When the database does not answer.
pub async fn delete(db: &impl Connection, id: SessionId) -> Result<bool> {
    Ok(session::Entity::delete_by_id(id.0).exec(db).await?.rows_affected > 0)
}

/// Removes what ended by itself.
///
/// # Errors
/// When the database does not answer.
pub async fn delete_expired(db: &impl Connection, now: Timestamp) -> Result<()> {
    session::Entity::delete_many().filter(session::Column::ExpiresAt.lte(now.micros())).exec(db).await?;
    Ok(())
}
