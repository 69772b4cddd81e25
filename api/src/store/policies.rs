//! Policies, as stored.

use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use sopwith_domain::ids::{PolicyId, TeamId};
use sopwith_domain::policy::{Policy, PolicyKind};

use super::entity::policy;
use super::{Connection, parse};
use crate::error::{Error, Result};

/// All policies of a kind.
///
/// # Errors
/// When the database does not answer.
pub async fn of_kind(db: &impl Connection, kind: PolicyKind) -> Result<Vec<Policy>> {
    let rows = policy::Entity::find().filter(policy::Column::Kind.eq(kind.as_str())).all(db).await?;
    rows.iter().map(read).collect()
}

/// All policies, by kind.
///
/// # Errors
/// When the database does not answer.
pub async fn all(db: &impl Connection) -> Result<Vec<Policy>> {
    let rows = policy::Entity::find().order_by_asc(policy::Column::Kind).order_by_asc(policy::Column::Id);
    rows.all(db).await?.iter().map(read).collect()
}

fn read(row: &policy::Model) -> Result<Policy> {
    Ok(Policy {
        id: PolicyId(row.id),
        kind: parse(&row.kind)?,
        team: row.team_id.map(TeamId),
        risk: row.risk.as_deref().map(parse).transpose()?,
        stages: serde_json::from_str(&row.stages).map_err(Error::internal)?,
    })
}
