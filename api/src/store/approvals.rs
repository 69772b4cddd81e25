//! Approval requests, their stages and decisions.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Query};
use sea_orm::{ActiveValue::Set, QueryOrder};
use sopwith_domain::access::{Permit, Reach, Visibility};
use sopwith_domain::approval::{Decision, Request, RequestState, Subject};
use sopwith_domain::ids::{DecisionId, PersonId, PolicyId, RequestId, SopId, VersionId};
use sopwith_domain::lifecycle::{Procedure, Version};
use sopwith_domain::policy::Stage;
use sopwith_domain::time::Timestamp;

use super::entity::{approval_decision, approval_request, approval_stage, sop};
use super::page::{self, Page, Window};
use super::procedures::hash;
use super::{Connection, exactly_one, parse};
use crate::error::{Error, Result};

pub use approval_decision::Model as DecisionRow;
pub use approval_request::Model as RequestRow;
pub use approval_stage::Model as StageRow;

/// The open request of an SOP.
///
/// # Errors
/// When the database does not answer.
pub async fn open_of(db: &impl Connection, sop: SopId, versions: &[Version]) -> Result<Option<Request>> {
    let open = approval_request::Column::SopId.eq(sop.0).and(approval_request::Column::State.eq("OPEN"));
    let Some(row) = approval_request::Entity::find().filter(open).one(db).await? else { return Ok(None) };
    let stages = stages_of(db, &[row.id]).await?.iter().map(stage).collect::<Result<_>>()?;
    let decisions = decisions_of(db, &[row.id]).await?.iter().map(decision).collect::<Result<_>>()?;
    let requested_by = PersonId(row.requested_by_id);
    let (subject, mut excluded) = if let Some(id) = row.version_id.map(VersionId) {
        let version = versions.iter().find(|v| v.id == id);
        (Subject::Version(id), version.map(|v| v.contributors.clone()).unwrap_or_default())
    } else {
        let (reason, successor) = (row.reason.unwrap_or_default(), row.successor_id.map(SopId));
        (Subject::Retirement { reason, successor }, BTreeSet::new())
    };
    excluded.insert(requested_by);
    Ok(Some(Request {
        id: RequestId(row.id),
        subject,
        content: hash(&row.content_hash)?,
        policy: PolicyId(row.policy_id),
        stages,
        stage: usize::try_from(row.stage).map_err(Error::internal)?,
        requested_by,
        excluded,
        opened_at: Timestamp::from_micros(row.opened_at),
        decisions,
    }))
}

fn stage(row: &StageRow) -> Result<Stage> {
    Ok(Stage {
        name: row.name.clone(),
        role: row.role.clone(),
        min_approvals: u32::try_from(row.min_approvals).map_err(Error::internal)?,
        scope: parse(&row.scope)?,
        meaning: parse(&row.meaning)?,
        max_auth_age: row.max_auth_age,
    })
}

fn decision(row: &DecisionRow) -> Result<Decision> {
    Ok(Decision {
        id: DecisionId(row.id),
        stage: usize::try_from(row.position).map_err(Error::internal)?,
        person: PersonId(row.person_id),
        verdict: parse(&row.verdict)?,
        content: hash(&row.content_hash)?,
        comment: row.comment.clone(),
        decided_at: Timestamp::from_micros(row.decided_at),
        via: parse(&row.via)?,
    })
}

/// Opens a request with the snapshot of its stages.
///
/// # Errors
/// `Conflict` when another one is open.
pub(super) async fn open(db: &impl Connection, _: &Permit, procedure: &Procedure, new: &Request) -> Result<()> {
    let (version, reason, successor) = match &new.subject {
        Subject::Version(id) => (Some(*id), None, None),
        Subject::Retirement { reason, successor } => (None, Some(reason.clone()), *successor),
    };
    // The label that the version gets by the same transition.
    let version_of = version.and_then(|id| procedure.version(id));
    let label = version_of.map(|v| sopwith_domain::lifecycle::Label::next(procedure.last_label(), v.kind).to_string());
    let row = approval_request::ActiveModel {
        id: Set(new.id.0),
        sop_id: Set(procedure.id.0),
        version_id: Set(version.map(|v| v.0)),
        policy_id: Set(new.policy.0),
        content_hash: Set(new.content.to_string()),
        label: Set(label),
        reason: Set(reason),
        successor_id: Set(successor.map(|s| s.0)),
        state: Set(RequestState::Open.as_str().to_owned()),
        stage: Set(0),
        requested_by_id: Set(new.requested_by.0),
        opened_at: Set(new.opened_at.micros()),
        closed_at: Set(None),
    };
    approval_request::Entity::insert(row).exec_without_returning(db).await?;
    let stages = new.stages.iter().enumerate().map(|(i, s)| stage_row(new, i, s)).collect::<Result<Vec<_>>>()?;
    approval_stage::Entity::insert_many(stages).exec_without_returning(db).await?;
    Ok(())
}

fn stage_row(request: &Request, position: usize, stage: &Stage) -> Result<approval_stage::ActiveModel> {
    Ok(approval_stage::ActiveModel {
        request_id: Set(request.id.0),
        position: Set(i32::try_from(position).map_err(Error::internal)?),
        name: Set(stage.name.clone()),
        role: Set(stage.role.clone()),
        min_approvals: Set(i32::try_from(stage.min_approvals).map_err(Error::internal)?),
        scope: Set(stage.scope.as_str().to_owned()),
        meaning: Set(stage.meaning.as_str().to_owned()),
        max_auth_age: Set(stage.max_auth_age),
        opened_at: Set((position == 0).then_some(request.opened_at.micros())),
        closed_at: Set(None),
    })
}

pub(super) async fn decided(db: &impl Connection, _: &Permit, request: RequestId, new: &Decision) -> Result<()> {
    let row = approval_decision::ActiveModel {
        id: Set(new.id.0),
        request_id: Set(request.0),
        position: Set(i32::try_from(new.stage).map_err(Error::internal)?),
        person_id: Set(new.person.0),
        verdict: Set(new.verdict.as_str().to_owned()),
        content_hash: Set(new.content.to_string()),
        comment: Set(new.comment.clone()),
        via: Set(new.via.as_str().to_owned()),
        decided_at: Set(new.decided_at.micros()),
    };
    approval_decision::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

pub(super) async fn next_stage(
    db: &impl Connection,
    _: &Permit,
    request: RequestId,
    stage: usize,
    now: Timestamp,
) -> Result<()> {
    let stage = i32::try_from(stage).map_err(Error::internal)?;
    let row = approval_request::ActiveModel { stage: Set(stage), ..Default::default() };
    let as_it_was = approval_request::Column::Id
        .eq(request.0)
        .and(approval_request::Column::State.eq("OPEN"))
        .and(approval_request::Column::Stage.eq(stage - 1));
    exactly_one(approval_request::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)?;
    close_stage(db, request, now).await?;
    let opened = approval_stage::ActiveModel { opened_at: Set(Some(now.micros())), ..Default::default() };
    let next = approval_stage::Column::RequestId.eq(request.0).and(approval_stage::Column::Position.eq(stage));
    exactly_one(approval_stage::Entity::update_many().set(opened).filter(next).exec(db).await?.rows_affected)
}

/// Closes the stage that is open.
async fn close_stage(db: &impl Connection, request: RequestId, now: Timestamp) -> Result<()> {
    let closed = approval_stage::ActiveModel { closed_at: Set(Some(now.micros())), ..Default::default() };
    let open = approval_stage::Column::RequestId
        .eq(request.0)
        .and(approval_stage::Column::OpenedAt.is_not_null())
        .and(approval_stage::Column::ClosedAt.is_null());
    exactly_one(approval_stage::Entity::update_many().set(closed).filter(open).exec(db).await?.rows_affected)
}

pub(super) async fn close(
    db: &impl Connection,
    _: &Permit,
    request: RequestId,
    state: RequestState,
    now: Timestamp,
) -> Result<()> {
    let row = approval_request::ActiveModel {
        state: Set(state.as_str().to_owned()),
        closed_at: Set(Some(now.micros())),
        ..Default::default()
    };
    let open = approval_request::Column::Id.eq(request.0).and(approval_request::Column::State.eq("OPEN"));
    exactly_one(approval_request::Entity::update_many().set(row).filter(open).exec(db).await?.rows_affected)?;
    close_stage(db, request, now).await
}

/// The stages of the open requests of SOPs, by SOP.
///
/// # Errors
/// When the database does not answer.
pub async fn open_stages(db: &impl Connection, sops: &[Uuid]) -> Result<BTreeMap<Uuid, Vec<Stage>>> {
    let sop_of: BTreeMap<Uuid, Uuid> = open_of_sops(db, sops).await?.into_iter().map(|r| (r.id, r.sop_id)).collect();
    let mut out: BTreeMap<Uuid, Vec<Stage>> = BTreeMap::new();
    for row in stages_of(db, &sop_of.keys().copied().collect::<Vec<_>>()).await? {
        if let Some(sop) = sop_of.get(&row.request_id) {
            out.entry(*sop).or_default().push(stage(&row)?);
        }
    }
    Ok(out)
}

/// The open requests of SOPs, at most one of each.
///
/// # Errors
/// When the database does not answer.
pub async fn open_of_sops(db: &impl Connection, sops: &[Uuid]) -> Result<Vec<RequestRow>> {
    let of = approval_request::Column::SopId.is_in(sops.iter().copied());
    let open = approval_request::Column::State.eq("OPEN");
    Ok(approval_request::Entity::find().filter(of.and(open)).all(db).await?)
}

/// Requests by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<RequestRow>> {
    let found = approval_request::Entity::find().filter(approval_request::Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(db).await?)
}

/// Requests about versions, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn of_versions(db: &impl Connection, versions: &[Uuid]) -> Result<Vec<RequestRow>> {
    let of = approval_request::Column::VersionId.is_in(versions.iter().copied());
    Ok(approval_request::Entity::find().filter(of).order_by_desc(approval_request::Column::Id).all(db).await?)
}

/// Stages of requests, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn stages_of(db: &impl Connection, requests: &[Uuid]) -> Result<Vec<StageRow>> {
    let of = approval_stage::Column::RequestId.is_in(requests.iter().copied());
    Ok(approval_stage::Entity::find().filter(of).order_by_asc(approval_stage::Column::Position).all(db).await?)
}

/// Decisions in requests, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn decisions_of(db: &impl Connection, requests: &[Uuid]) -> Result<Vec<DecisionRow>> {
    let of = approval_decision::Column::RequestId.is_in(requests.iter().copied());
    let found = approval_decision::Entity::find().filter(of).order_by_asc(approval_decision::Column::DecidedAt);
    Ok(found.order_by_asc(approval_decision::Column::Id).all(db).await?)
}

/// Which requests are asked for.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// In this state.
    pub state: Option<RequestState>,
    /// Of this SOP.
    pub sop: Option<SopId>,
}

fn condition(visible: &Visibility, filter: &RequestFilter) -> Cond {
    let mut reach = Cond::any();
    let of_sops = |which: Cond| {
        let sops = Query::select().column(sop::Column::Id).from(sop::Entity).cond_where(which).to_owned();
        approval_request::Column::SopId.in_subquery(sops)
    };
    reach = match &visible.drafts {
        Reach::Organisation => reach.add(approval_request::Column::Id.is_not_null()),
        Reach::Teams(teams) => {
            let own = sop::Column::OwnerId.eq(visible.person.0);
            let team = sop::Column::TeamId.is_in(teams.iter().map(|t| t.0));
            reach.add(of_sops(Cond::any().add(own).add(team)))
        }
    };
    reach = reach.add(approval_request::Column::Id.in_subquery(requests_deciding(visible)));
    let state = filter.state.map(|s| approval_request::Column::State.eq(s.as_str()));
    let sop = filter.sop.map(|s| approval_request::Column::SopId.eq(s.0));
    [state, sop].into_iter().flatten().fold(Cond::all().add(reach), Cond::add)
}

/// Open requests in one of whose stages the person's roles are named.
pub(super) fn requests_deciding(visible: &Visibility) -> sea_orm::sea_query::SelectStatement {
    let mut holds = Cond::any().add(approval_stage::Column::Role.is_in(Vec::<String>::new()));
    for (role, team) in &visible.roles {
        let mut stage = Cond::all().add(approval_stage::Column::Role.eq(role));
        if let Some(team) = team {
            let same_team = sop::Column::TeamId.eq(team.0);
            stage = stage.add(Cond::any().add(approval_stage::Column::Scope.eq("ANYONE")).add(same_team));
        }
        holds = holds.add(stage);
    }
    let on = |a: Expr, b: Expr| a.eq(b);
    let request = approval_request::Entity;
    Query::select()
        .column((request, approval_request::Column::Id))
        .from(request)
        .inner_join(
            approval_stage::Entity,
            on(
                Expr::col((approval_stage::Entity, approval_stage::Column::RequestId)),
                Expr::col((request, approval_request::Column::Id)),
            ),
        )
        .inner_join(
            sop::Entity,
            on(Expr::col((sop::Entity, sop::Column::Id)), Expr::col((request, approval_request::Column::SopId))),
        )
        .and_where(approval_request::Column::State.eq("OPEN"))
        .cond_where(holds)
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
