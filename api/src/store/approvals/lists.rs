//! Which requests somebody sees, and which wait for them.

use std::collections::BTreeSet;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Query, SelectStatement};
use sopwith_domain::access::{DecidingRole, Visibility};
use sopwith_domain::approval::RequestState;
use sopwith_domain::ids::{PersonId, SopId, TeamId};

use super::RequestRow;
use crate::error::Result;
use crate::store::Connection;
use crate::store::drafts::ids_with_drafts_seen;
use crate::store::entity::{approval_request, approval_stage, approval_voice, sop, version_contributor};
use crate::store::page::{self, Page, Window};

/// Which requests are asked for.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// In this state.
    pub state: Option<RequestState>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// Of the SOPs of this team.
    pub team: Option<TeamId>,
    /// In which one of these parts can decide now.
    pub waiting_for: Option<Vec<Part>>,
}

/// A part that somebody can take in a request: roles, with everyone who has to be free to decide, by all accounts.
#[derive(Debug, Clone)]
pub struct Part {
    /// The roles that they can decide in.
    pub roles: Vec<DecidingRole>,
    /// The person's accounts, and those of the one in whose place they would decide.
    pub accounts: BTreeSet<PersonId>,
}

fn condition(visible: &Visibility, filter: &RequestFilter) -> Cond {
    let of_sops = |which: Cond| {
        let sops = Query::select().column(sop::Column::Id).from(sop::Entity).cond_where(which).to_owned();
        approval_request::Column::SopId.in_subquery(sops)
    };
    let reach = approval_request::Column::SopId.in_subquery(ids_with_drafts_seen(visible));
    let state = filter.state.map(|s| approval_request::Column::State.eq(s.as_str()));
    let sop = filter.sop.map(|s| approval_request::Column::SopId.eq(s.0));
    let team = filter.team.map(|t| of_sops(Cond::all().add(sop::Column::TeamId.eq(t.0))));
    let all = [state, sop, team].into_iter().flatten().fold(Cond::all().add(reach), Cond::add);
    match &filter.waiting_for {
        Some(parts) => all.add(parts.iter().map(waiting).fold(nothing(), Cond::add)),
        None => all,
    }
}

/// Holds nowhere: a list of alternatives that is empty is true in SQL builders.
fn nothing() -> Cond {
    Cond::any().add(approval_request::Column::Id.is_null())
}

/// Requests in whose open stage a part can be taken: the same that [`sopwith_domain::approval::Request::may_decide`]
/// says, but for how long ago somebody signed in.
fn waiting(part: &Part) -> Cond {
    let accounts = || part.accounts.iter().map(|p| p.0);
    let heard = Query::select()
        .column(approval_voice::Column::RequestId)
        .from(approval_voice::Entity)
        .and_where(approval_voice::Column::PersonId.is_in(accounts()))
        .to_owned();
    let contributed = Query::select()
        .column(version_contributor::Column::VersionId)
        .from(version_contributor::Entity)
        .and_where(version_contributor::Column::PersonId.is_in(accounts()))
        .to_owned();
    let by_others = Cond::any()
        .add(approval_request::Column::VersionId.is_null())
        .add(approval_request::Column::VersionId.not_in_subquery(contributed));
    Cond::all()
        .add(approval_request::Column::Id.in_subquery(requests_of(&part.roles, true)))
        .add(approval_request::Column::Id.not_in_subquery(heard))
        .add(approval_request::Column::RequestedById.is_not_in(accounts()))
        .add(by_others)
}

/// Open requests in one of whose stages the roles are named.
pub(in crate::store) fn requests_deciding(roles: &[DecidingRole]) -> SelectStatement {
    requests_of(roles, false)
}

/// Open requests in one of whose stages, or in whose open stage alone, the roles are named.
fn requests_of(roles: &[DecidingRole], open_stage_alone: bool) -> SelectStatement {
    let named = roles.iter().map(|role| {
        let stage = Cond::all().add(approval_stage::Column::Role.eq(&role.role));
        let team = |team: TeamId| sop::Column::TeamId.eq(team.0);
        let held = role.held.map(|held| Cond::any().add(approval_stage::Column::Scope.eq("ANYONE")).add(team(held)));
        let stage = held.into_iter().fold(stage, Cond::add);
        role.only.into_iter().map(team).fold(stage, Cond::add)
    });
    let none = Cond::any().add(approval_stage::Column::Role.is_in(Vec::<String>::new()));
    let request = approval_request::Entity;
    let position = Expr::col((approval_stage::Entity, approval_stage::Column::Position));
    let open_stage = position.eq(Expr::col((request, approval_request::Column::Stage)));
    Query::select()
        .column((request, approval_request::Column::Id))
        .from(request)
        .inner_join(
            approval_stage::Entity,
            Expr::col((approval_stage::Entity, approval_stage::Column::RequestId))
                .eq(Expr::col((request, approval_request::Column::Id))),
        )
        .inner_join(
            sop::Entity,
            Expr::col((sop::Entity, sop::Column::Id)).eq(Expr::col((request, approval_request::Column::SopId))),
        )
        .and_where(approval_request::Column::State.eq("OPEN"))
        .and_where_option(open_stage_alone.then_some(open_stage))
        .cond_where(named.fold(none, Cond::add))
        .to_owned()
}

/// A page of requests that somebody sees, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl Connection,
    visible: &Visibility,
    filter: &RequestFilter,
    window: &Window,
) -> Result<Page<RequestRow>> {
    let select = approval_request::Entity::find().filter(condition(visible, filter));
    let order = (approval_request::Column::OpenedAt, Some(approval_request::Column::Id));
    page::list(db, select, order, false, window).await
}

/// How many requests somebody sees.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, visible: &Visibility, filter: &RequestFilter) -> Result<u64> {
    Ok(approval_request::Entity::find().filter(condition(visible, filter)).count(db).await?)
}
