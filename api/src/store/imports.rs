//! What imports took from which file, so that a second import changes nothing.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sopwith_domain::ids::{ProcessId, SopId};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::import_document;
use crate::error::Result;

pub use import_document::Model as Imported;

/// What was imported for a process last.
///
/// # Errors
/// When the database does not answer.
pub async fn find(db: &impl Connection, process: ProcessId) -> Result<Option<Imported>> {
    Ok(import_document::Entity::find_by_id(process.0).one(db).await?)
}

/// Remembers what was imported for a process.
///
/// # Errors
/// When the database does not answer.
pub async fn remember(
    db: &impl Connection,
    (process, sop): (ProcessId, SopId),
    (path, digest): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    use import_document::Column::{Digest, ImportedAt, Path, ProcessId, SopId};
    let row = import_document::ActiveModel {
        process_id: Set(process.0),
        path: Set(path.to_owned()),
        digest: Set(digest.to_owned()),
        sop_id: Set(sop.0),
        imported_at: Set(now.micros()),
    };
    let again = OnConflict::column(ProcessId).update_columns([Path, Digest, SopId, ImportedAt]).to_owned();
    import_document::Entity::insert(row).on_conflict(again).exec_without_returning(db).await?;
    Ok(())
}
