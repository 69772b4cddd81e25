//! Approval requests, their stages and decisions.

mod lists;
pub mod passages;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};
use sopwith_domain::access::Permit;
use sopwith_domain::approval::{Accounts, Decision, Request, RequestState, Subject};
use sopwith_domain::ids::{DecisionId, DelegationId, PersonId, PolicyId, RequestId, SopId, VersionId};
use sopwith_domain::lifecycle::Procedure;
use sopwith_domain::policy::Stage;
use sopwith_domain::time::Timestamp;

use super::entity::{approval_decision, approval_request, approval_stage, approval_voice};
use super::procedures::{contributors, hash};
use super::{Connection, accounts, comments, exactly_one, micros, parse};
use crate::error::{Error, Result};

pub use approval_decision::Model as DecisionRow;
pub use approval_request::Model as RequestRow;
pub use approval_stage::Model as StageRow;
pub(super) use lists::requests_deciding;
pub use lists::{Part, RequestFilter, count, list};

/// The open request of an SOP.
///
/// # Errors
/// When the database does not answer.
pub async fn open_of(db: &impl Connection, sop: SopId) -> Result<Option<Request>> {
    let open = open_of_sops(db, &[sop.0]).await?;
    Ok(read_all(db, open).await?.pop().map(|(_, request)| request))
}

/// Requests as the rules see them, each with its row, with as many statements for all of them as for one.
///
/// # Errors
/// When the database does not answer.
pub async fn read_all(db: &impl Connection, rows: Vec<RequestRow>) -> Result<Vec<(RequestRow, Request)>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let versions: Vec<Uuid> = rows.iter().filter_map(|row| row.version_id).collect();
    let (stages, decisions) = (stages_of(db, &ids).await?, decisions_of(db, &ids).await?);
    let contributors = contributors(db, versions.iter().copied()).await?;
    let open_threads = comments::open_threads_of(db, &versions).await?;
    let mut requests = Vec::with_capacity(rows.len());
    for row in rows {
        let stages = stages.iter().filter(|s| s.request_id == row.id).map(stage).collect::<Result<_>>()?;
        let decisions = decisions.iter().filter(|d| d.request_id == row.id).map(decision).collect::<Result<_>>()?;
        let of_version = row.version_id.and_then(|id| contributors.get(&id).cloned()).unwrap_or_default();
        let open = row.version_id.and_then(|id| open_threads.get(&id).copied()).unwrap_or_default();
        let request = read(&row, stages, decisions, of_version, open)?;
        requests.push((row, request));
    }
    let involved = requests.iter().flat_map(|(_, request)| request.involved()).collect();
    let accounts = accounts::of(db, involved).await?;
    for (_, request) in &mut requests {
        request.accounts.clone_from(&accounts);
    }
    Ok(requests)
}

fn read(
    row: &RequestRow,
    stages: Vec<Stage>,
    decisions: Vec<Decision>,
    contributors: BTreeSet<PersonId>,
    open_threads: u64,
) -> Result<Request> {
    let requested_by = PersonId(row.requested_by_id);
    let subject = match row.version_id {
        Some(id) => Subject::Version(VersionId(id)),
        None => Subject::Retirement {
            reason: row.reason.clone().unwrap_or_default(),
            successor: row.successor_id.map(SopId),
        },
    };
    Ok(Request {
        id: RequestId(row.id),
        subject,
        content: hash(&row.content_hash)?,
        policy: PolicyId(row.policy_id),
        stages,
        stage: usize::try_from(row.stage).map_err(Error::internal)?,
        requested_by,
        excluded: contributors.into_iter().chain([requested_by]).collect(),
        accounts: Accounts::none(),
        requires_resolved_comments: row.requires_resolved_comments,
        open_threads,
        opened_at: Timestamp::from_micros(row.opened_at),
        decisions,
    })
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
        on_behalf_of: row.on_behalf_of_id.zip(row.delegation_id).map(|(p, d)| (PersonId(p), DelegationId(d))),
        verdict: parse(&row.verdict)?,
        content: hash(&row.content_hash)?,
        comment: row.comment.clone(),
        decided_at: Timestamp::from_micros(row.decided_at),
        auth_time: row.auth_time.map(Timestamp::from_micros),
        via: parse(&row.via)?,
        withdrawn_at: row.withdrawn_at.map(Timestamp::from_micros),
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
        requires_resolved_comments: Set(new.requires_resolved_comments),
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

/// Writes a decision down, with whose voices it uses up.
pub(super) async fn decided(db: &impl Connection, _: &Permit, request: &Request, new: &Decision) -> Result<()> {
    let behalf = new.on_behalf_of.unzip();
    let row = approval_decision::ActiveModel {
        id: Set(new.id.0),
        request_id: Set(request.id.0),
        position: Set(i32::try_from(new.stage).map_err(Error::internal)?),
        person_id: Set(new.person.0),
        on_behalf_of_id: Set(behalf.0.map(|p| p.0)),
        delegation_id: Set(behalf.1.map(|d| d.0)),
        verdict: Set(new.verdict.as_str().to_owned()),
        content_hash: Set(new.content.to_string()),
        comment: Set(new.comment.clone()),
        via: Set(new.via.as_str().to_owned()),
        decided_at: Set(new.decided_at.micros()),
        auth_time: Set(micros(new.auth_time)),
        withdrawn_at: Set(None),
    };
    approval_decision::Entity::insert(row).exec_without_returning(db).await?;
    let voice = |account: PersonId| approval_voice::ActiveModel {
        request_id: Set(request.id.0),
        person_id: Set(request.accounts.holder(account).0),
        decision_id: Set(new.id.0),
    };
    let voices = [Some(new.person), behalf.0].into_iter().flatten().map(voice);
    approval_voice::Entity::insert_many(voices).exec_without_returning(db).await?;
    Ok(())
}

/// Takes a decision back: it stays on record, and its voices are free again.
pub(super) async fn withdrawn(db: &impl Connection, _: &Permit, id: DecisionId, at: Timestamp) -> Result<()> {
    let row = approval_decision::ActiveModel { withdrawn_at: Set(Some(at.micros())), ..Default::default() };
    let standing = approval_decision::Column::Id.eq(id.0).and(approval_decision::Column::WithdrawnAt.is_null());
    exactly_one(approval_decision::Entity::update_many().set(row).filter(standing).exec(db).await?.rows_affected)?;
    let voices = approval_voice::Column::DecisionId.eq(id.0);
    approval_voice::Entity::delete_many().filter(voices).exec(db).await?;
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

/// Requests to retire an SOP, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn retirements_of(db: &impl Connection, sop: SopId) -> Result<Vec<RequestRow>> {
    let of = approval_request::Column::SopId.eq(sop.0).and(approval_request::Column::VersionId.is_null());
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
