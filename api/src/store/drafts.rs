//! Whose drafts somebody sees, and those that they work on.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Query, SelectStatement};
use sopwith_domain::access::{Reach, Visibility};
use sopwith_domain::lifecycle::VersionState;

use super::Connection;
use super::approvals::requests_deciding;
use super::entity::{approval_request, sop, version, version_contributor};
use super::page::{self, Page, Window};
use super::sops::VersionRow;
use crate::error::Result;

/// The SOPs whose drafts and requests somebody sees, as a condition on them.
pub(super) fn drafts_seen(visible: &Visibility) -> Cond {
    let Reach::Teams(teams) = &visible.drafts else { return Cond::all() };
    let deciding = Query::select()
        .column(approval_request::Column::SopId)
        .from(approval_request::Entity)
        .and_where(approval_request::Column::Id.in_subquery(requests_deciding(&visible.roles)))
        .to_owned();
    Cond::any()
        .add(sop::Column::OwnerId.eq(visible.person.0))
        .add(sop::Column::TeamId.is_in(teams.iter().map(|t| t.0)))
        .add(sop::Column::Id.in_subquery(deciding))
}

/// The ids of these SOPs.
pub(super) fn ids_with_drafts_seen(visible: &Visibility) -> SelectStatement {
    Query::select().column(sop::Column::Id).from(sop::Entity).cond_where(drafts_seen(visible)).to_owned()
}

/// A page of the drafts that somebody works on: contributed to, or of an SOP that they own. Latest change first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, visible: &Visibility, window: &Window) -> Result<Page<VersionRow>> {
    let order = (version::Column::UpdatedAt, Some(version::Column::Id));
    page::list(db, version::Entity::find().filter(own_drafts(visible)), order, true, window).await
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, visible: &Visibility) -> Result<u64> {
    Ok(version::Entity::find().filter(own_drafts(visible)).count(db).await?)
}

fn own_drafts(visible: &Visibility) -> Cond {
    let contributed = Query::select()
        .column(version_contributor::Column::VersionId)
        .from(version_contributor::Entity)
        .and_where(version_contributor::Column::PersonId.eq(visible.person.0))
        .to_owned();
    let owned = Query::select()
        .column(sop::Column::Id)
        .from(sop::Entity)
        .and_where(sop::Column::OwnerId.eq(visible.person.0))
        .to_owned();
    let own =
        Cond::any().add(version::Column::Id.in_subquery(contributed)).add(version::Column::SopId.in_subquery(owned));
    Cond::all()
        .add(version::Column::State.eq(VersionState::Draft.as_str()))
        .add(version::Column::SopId.in_subquery(ids_with_drafts_seen(visible)))
        .add(own)
}
