//! What depends on an SOP.

use sea_orm::entity::prelude::*;
use sea_orm::{JoinType, QueryOrder, QuerySelect};
use sopwith_domain::execution::Mode;
use sopwith_domain::ids::SopId;

use super::Connection;
use super::entity::{content, execution, sop, version};
use crate::error::Result;

/// How many runs of it have neither an end nor an outcome; training runs do not count.
///
/// # Errors
/// When the database does not answer.
pub async fn running(db: &impl Connection, id: SopId) -> Result<u64> {
    let open = execution::Entity::find()
        .filter(execution::Column::SopId.eq(id.0))
        .filter(execution::Column::FinishedAt.is_null())
        .filter(execution::Column::Outcome.is_null())
        .filter(execution::Column::Mode.ne(Mode::Practice.as_str()));
    Ok(open.count(db).await?)
}

/// What versions in force or open say, by SOP, and whether it is the one in force, where the text of the document has this part. Reads all of them: for
/// what is asked rarely.
///
/// # Errors
/// When the database does not answer.
pub async fn documents_with(db: &impl Connection, part: &str) -> Result<Vec<(Uuid, bool, String)>> {
    let of_version = content::Entity::belongs_to(version::Entity)
        .from(content::Column::Hash)
        .to(version::Column::ContentHash)
        .into();
    let found = content::Entity::find()
        .join(JoinType::InnerJoin, of_version)
        .filter(version::Column::State.is_in(["PUBLISHED", "DRAFT", "IN_REVIEW", "APPROVED"]))
        .filter(content::Column::Document.contains(part))
        .select_only()
        .column(version::Column::SopId)
        .column(version::Column::State)
        .column(content::Column::Document);
    let found = found.into_tuple::<(Uuid, String, String)>().all(db).await?;
    Ok(found.into_iter().map(|(sop, state, text)| (sop, state == "PUBLISHED", text)).collect())
}

/// The retired SOPs that name this one as their successor.
///
/// # Errors
/// When the database does not answer.
pub async fn succeeded(db: &impl Connection, id: SopId) -> Result<Vec<Uuid>> {
    let found = sop::Entity::find().filter(sop::Column::SuccessorId.eq(id.0)).order_by_asc(sop::Column::Code);
    Ok(found.all(db).await?.into_iter().map(|row| row.id).collect())
}
