//! Contents by hash: insert-only, so what was read once never changes.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sopwith_domain::access::Permit;
use sopwith_domain::content::{ContentHash, Document};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::content;
use crate::error::{Error, Result};

/// Keeps a document under its hash.
///
/// # Errors
/// When the database does not answer.
pub async fn put(db: &impl Connection, _permit: &Permit, document: &Document, now: Timestamp) -> Result<ContentHash> {
    let (text, hash) = document.canonical();
    if content::Entity::find_by_id(hash.to_string()).one(db).await?.is_none() {
        let row =
            content::ActiveModel { hash: Set(hash.to_string()), document: Set(text), created_at: Set(now.micros()) };
        // Somebody else may have put the same document in the meantime.
        let same = OnConflict::column(content::Column::Hash).do_nothing().to_owned();
        content::Entity::insert(row).on_conflict(same).exec_without_returning(db).await?;
    }
    Ok(hash)
}

/// The document of a hash.
///
/// # Errors
/// `Internal` when there is none: every hash that is kept points to one.
pub async fn get(db: &impl Connection, hash: &str) -> Result<Document> {
    let row = content::Entity::find_by_id(hash).one(db).await?;
    read(&row.ok_or_else(|| Error::internal(format!("no content {hash}")))?)
}

/// The canonical text of a hash, as it was kept.
///
/// # Errors
/// `Internal` when there is none: every hash that is kept points to one.
pub async fn text(db: &impl Connection, hash: &str) -> Result<String> {
    let row = content::Entity::find_by_id(hash).one(db).await?;
    Ok(row.ok_or_else(|| Error::internal(format!("no content {hash}")))?.document)
}

/// Documents by hash.
///
/// # Errors
/// When the database does not answer.
pub async fn by_hashes(db: &impl Connection, hashes: &[String]) -> Result<Vec<(String, Document)>> {
    let rows = content::Entity::find().filter(content::Column::Hash.is_in(hashes)).all(db).await?;
    rows.into_iter().map(|row| Ok((row.hash.clone(), read(&row)?))).collect()
}

fn read(row: &content::Model) -> Result<Document> {
    serde_json::from_str(&row.document).map_err(Error::internal)
}
