//! Approval requests with their way through the stages, as figures take them.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Query, SelectStatement};
use sea_orm::{ExprTrait as _, JoinType, Order, QueryResult};
use sopwith_domain::access::{Reach, Visibility};
use sopwith_domain::approval::passage::{Passage, Stay};
use sopwith_domain::event::EventKind;
use sopwith_domain::ids::{SopId, TeamId};
use sopwith_domain::policy::PolicyKind;
use sopwith_domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::store::drafts::ids_with_drafts_seen;
use crate::store::entity::{approval_request, approval_stage, event, policy, sop};
use crate::store::executions::FiguresReach;
use crate::store::{Connection, parse};

/// Which requests are asked for.
#[derive(Debug, Clone, Default)]
pub struct PassageFilter {
    /// For a change of this kind.
    pub kind: Option<PolicyKind>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// Of the SOPs of this team.
    pub team: Option<TeamId>,
    /// That were opened at this time or later.
    pub from: Option<Timestamp>,
    /// That were opened before this time.
    pub to: Option<Timestamp>,
}

/// A request with what it is about.
#[derive(Debug, Clone)]
pub struct Told {
    /// For what kind of change.
    pub kind: PolicyKind,
    /// Its SOP.
    pub sop: SopId,
    /// The team that keeps it.
    pub team: TeamId,
    /// Its way through the stages.
    pub passage: Passage,
}

/// The requests that somebody sees, of SOPs of which they read figures: at most so many, with one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn read(
    db: &impl Connection,
    who: &FiguresReach,
    visible: &Visibility,
    filter: &PassageFilter,
    most: usize,
) -> Result<Vec<Told>> {
    use approval_request::Column::{ClosedAt, Id, OpenedAt, PolicyId, State};
    let position = approval_stage::Column::Position.as_column_ref();
    let escalation = Cond::all()
        .add(equal(event::Column::RequestId, approval_stage::Column::RequestId))
        .add(equal(event::Column::Stage, approval_stage::Column::Position))
        .add(event::Column::Kind.eq(EventKind::ApprovalEscalated.as_str()))
        .add(event::Column::Nth.eq(1));
    let select = Query::select()
        .columns([Id, State, OpenedAt, ClosedAt].map(|column| column.as_column_ref()))
        .columns([sop::Column::Id, sop::Column::TeamId].map(|column| column.as_column_ref()))
        .column(policy::Column::Kind.as_column_ref())
        .column(position.clone())
        .columns([approval_stage::Column::Name, approval_stage::Column::Role].map(|column| column.as_column_ref()))
        .columns([approval_stage::Column::OpenedAt, approval_stage::Column::ClosedAt].map(|c| c.as_column_ref()))
        .column(event::Column::Id.as_column_ref())
        .from(approval_request::Entity)
        .inner_join(sop::Entity, equal(sop::Column::Id, approval_request::Column::SopId))
        .inner_join(policy::Entity, equal(policy::Column::Id, PolicyId))
        .inner_join(approval_stage::Entity, equal(approval_stage::Column::RequestId, Id))
        .join(JoinType::LeftJoin, event::Entity, escalation)
        .and_where(Id.in_subquery(asked(who, visible, filter, most)))
        .and_where(approval_stage::Column::OpenedAt.is_not_null())
        .order_by(Id.as_column_ref(), Order::Asc)
        .order_by(position, Order::Asc)
        .to_owned();
    let mut all: Vec<(Uuid, Told)> = Vec::new();
    for row in db.query_all(&select).await? {
        let id: Uuid = row.try_get_by_index(0)?;
        if all.last().is_none_or(|(last, _)| *last != id) {
            all.push((id, request(&row)?));
        }
        if let Some((_, told)) = all.last_mut() {
            told.passage.stays.push(stay(&row)?);
        }
    }
    Ok(all.into_iter().map(|(_, told)| told).collect())
}

fn equal(column: impl ColumnTrait, other: impl ColumnTrait) -> Expr {
    Expr::col(column.as_column_ref()).equals(other.as_column_ref())
}

/// The ids of the requests that are asked for.
fn asked(who: &FiguresReach, visible: &Visibility, filter: &PassageFilter, most: usize) -> SelectStatement {
    use approval_request::Column::{Id, OpenedAt, PolicyId, SopId};
    let reach = match &who.reach {
        Reach::Organisation => Cond::all(),
        Reach::Teams(teams) => Cond::any()
            .add(sop::Column::OwnerId.eq(who.person.0))
            .add(sop::Column::TeamId.is_in(teams.iter().map(|team| team.0))),
    };
    let conditions = [
        filter.kind.map(|kind| policy::Column::Kind.eq(kind.as_str())),
        filter.sop.map(|id| SopId.eq(id.0)),
        filter.team.map(|team| sop::Column::TeamId.eq(team.0)),
        filter.from.map(|from| OpenedAt.gte(from.micros())),
        filter.to.map(|to| OpenedAt.lt(to.micros())),
    ];
    let all = conditions
        .into_iter()
        .flatten()
        .fold(Cond::all().add(reach).add(SopId.in_subquery(ids_with_drafts_seen(visible))), Cond::add);
    Query::select()
        .column(Id.as_column_ref())
        .from(approval_request::Entity)
        .inner_join(sop::Entity, equal(sop::Column::Id, SopId))
        .inner_join(policy::Entity, equal(policy::Column::Id, PolicyId))
        .cond_where(all)
        .limit(most as u64)
        .to_owned()
}

fn request(row: &QueryResult) -> Result<Told> {
    let passage = Passage {
        state: parse(&row.try_get_by_index::<String>(1)?)?,
        opened_at: Timestamp::from_micros(row.try_get_by_index(2)?),
        closed_at: row.try_get_by_index::<Option<i64>>(3)?.map(Timestamp::from_micros),
        stays: Vec::new(),
    };
    Ok(Told {
        sop: SopId(row.try_get_by_index(4)?),
        team: TeamId(row.try_get_by_index(5)?),
        kind: parse(&row.try_get_by_index::<String>(6)?)?,
        passage,
    })
}

fn stay(row: &QueryResult) -> Result<Stay> {
    Ok(Stay {
        place: usize::try_from(row.try_get_by_index::<i32>(7)?).map_err(Error::internal)?,
        name: row.try_get_by_index(8)?,
        role: row.try_get_by_index(9)?,
        opened_at: Timestamp::from_micros(row.try_get_by_index(10)?),
        closed_at: row.try_get_by_index::<Option<i64>>(11)?.map(Timestamp::from_micros),
        escalated: row.try_get_by_index::<Option<Uuid>>(12)?.is_some(),
    })
}
