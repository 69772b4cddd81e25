//! SOPs: creation, retirement, revival, another owner.

use serde_json::json;
use sopwith_domain::access::{Action, Resource};
use sopwith_domain::content::{ChangeKind, ContentHash, Document};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, RequestId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::{Effect, NewDraft, Procedure, SopState};
use sopwith_domain::policy::{PolicyKind, Risk};

use super::people::check_holder;
use super::versions::{check_document, document_of, fresh, review_data};
use super::{Call, IdempotencyKey, events, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::sops::NewSop;
use crate::store::{Connection, audit, contents, procedures, processes, retry, sops as stored, teams};

/// An SOP to be made, with its first draft.
#[derive(Debug, Clone)]
pub struct SopInput {
    /// The process that it is for.
    pub process: ProcessId,
    /// The team that keeps it.
    pub team: TeamId,
    /// Who answers for it; the creator when absent.
    pub owner: Option<PersonId>,
    /// What goes wrong when it is not followed.
    pub risk: Risk,
    /// 3, 6 or 12.
    pub review_cadence_months: i32,
    /// What the first draft says.
    pub document: Document,
}

/// Makes an SOP with its first draft.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` content; `Conflict` when the process has an SOP, with its code.
pub async fn create(call: &Call, input: SopInput, key: Option<IdempotencyKey>) -> Result<SopId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &SopInput, key: Option<&IdempotencyKey>) -> Result<SopId> {
    let permit = call.permit(Action::CreateSop, Resource::Team(input.team))?;
    let tx = call.store.begin().await?;
    let id = SopId(new_id());
    if let Some(made) = call.made_before(&tx, "sopCreate", key, id.0).await? {
        return Ok(SopId(made));
    }
    check_places(&tx, call, input).await?;
    if ![3, 6, 12].contains(&input.review_cadence_months) {
        return Err(Refusal::invalid("reviewCadenceMonths", "a cadence is 3, 6 or 12 months").into());
    }
    let mut document = input.document.clone();
    document.content.assign_keys(None);
    check_document(&document)?;
    let owner = input.owner.unwrap_or(call.actor.person);
    let content = contents::put(&tx, &permit, &document, call.now).await?;
    let new = NewSop {
        id,
        code: teams::next_code(&tx, &permit, input.team).await?,
        title: document.content.title.clone(),
        process: input.process,
        team: input.team,
        owner,
        risk: input.risk,
        review_cadence_months: input.review_cadence_months,
    };
    let told = json!({
        "code": new.code, "process": input.process.to_string(), "team": input.team.to_string(),
        "owner": owner.to_string(), "risk": input.risk, "reviewCadenceMonths": input.review_cadence_months,
        "state": SopState::Draft,
    });
    stored::insert(&tx, &permit, new, call.now).await?;
    let mut created = record::plain(call, "sop.created", id, Some(input.team), told);
    created.sop = Some(id);
    audit::append(&tx, vec![created]).await?;
    let procedure = empty(id, input, owner);
    let effects = procedure.create_draft(draft(call, VersionId(new_id()), &document, content, None))?;
    call.carry_out(&tx, &permit, &procedure, &effects).await?;
    tx.commit().await?;
    Ok(id)
}

/// The SOP as it is just made, without a version.
fn empty(id: SopId, input: &SopInput, owner: PersonId) -> Procedure {
    Procedure {
        id,
        team: input.team,
        owner,
        risk: input.risk,
        state: SopState::Draft,
        revision: 1,
        versions: Vec::new(),
        request: None,
    }
}

pub(super) fn draft(
    call: &Call,
    id: VersionId,
    document: &Document,
    content: ContentHash,
    based_on: Option<VersionId>,
) -> NewDraft {
    NewDraft {
        id,
        kind: document.kind,
        content,
        effective_at: document.effective_at,
        based_on,
        creator: call.actor.person,
    }
}

async fn check_places(db: &impl Connection, call: &Call, input: &SopInput) -> Result<()> {
    let process = processes::by_ids(db, &[input.process.0]).await?.pop().ok_or(Refusal::NotFound("process"))?;
    if teams::by_ids(db, &[input.team.0]).await?.is_empty() {
        return Err(Refusal::NotFound("team").into());
    }
    if let Some(owner) = input.owner {
        check_holder(db, owner, "ownerId").await?;
    }
    // A process that belongs to a team is for that team, or for its owner, to document.
    if let Some(team) = process.team_id.map(TeamId)
        && process.owner_id != Some(call.actor.person.0)
    {
        call.permit(Action::CreateSop, Resource::Team(team))?;
    }
    refuse_second(db, call, input.process).await
}

/// Refuses a second SOP for a process, with the code of the first where the actor sees it.
async fn refuse_second(db: &impl Connection, call: &Call, process: ProcessId) -> Result<()> {
    let rows = stored::of_processes(db, &[process.0]).await?;
    let Some(first) = rows.into_iter().find(|row| row.state != SopState::Retired.as_str()) else { return Ok(()) };
    let sights = super::reading::sights(db, &call.actor, std::slice::from_ref(&first)).await?;
    let seen = sights.get(&first.id).is_some_and(|sight| sight.sop);
    let code = if seen { format!(" {}", first.code) } else { String::new() };
    Err(Refusal::conflict(format!("this process has the SOP{code}, which is not retired")).into())
}

/// Asks for the retirement of an SOP.
///
/// # Errors
/// Those of [`Procedure::request_retirement`]; `Forbidden` for anyone but the owner.
pub async fn retire(
    call: &Call,
    sop: SopId,
    revision: i64,
    reason: &str,
    successor: Option<SopId>,
    key: Option<IdempotencyKey>,
) -> Result<RequestId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open(&tx, sop, Action::RetireSop).await?;
        let request = RequestId(new_id());
        if let Some(made) = call.made_before(&tx, "sopRetire", key.as_ref(), request.0).await? {
            return Ok(RequestId(made));
        }
        if let Some(id) = successor {
            let seen = stored::by_ids(&tx, &[id.0]).await?.pop().filter(|row| row.was_published);
            seen.ok_or(Refusal::NotFound("SOP"))?;
        }
        let data = review_data(&tx, call, &procedure, PolicyKind::Retirement).await?;
        let review = data.reviewed(request, 0, call.now);
        let effects = procedure.request_retirement(revision, call.actor.person, reason, successor, &review)?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(request)
    })
    .await
}

/// Brings a retired SOP back as a draft with the content of its newest version, or of one that is named.
///
/// # Errors
/// Those of [`Procedure::revive`]; `Forbidden` for anyone but the owner; `Conflict` when the process has another SOP.
pub async fn revive(
    call: &Call,
    sop: SopId,
    revision: i64,
    based_on: Option<VersionId>,
    key: Option<IdempotencyKey>,
) -> Result<VersionId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open(&tx, sop, Action::ReviveSop).await?;
        let id = VersionId(new_id());
        if let Some(made) = call.made_before(&tx, "sopRevive", key.as_ref(), id.0).await? {
            return Ok(VersionId(made));
        }
        let row = stored::by_ids(&tx, &[sop.0]).await?.pop().ok_or(Refusal::NotFound("SOP"))?;
        if procedure.state == SopState::Retired {
            refuse_second(&tx, call, ProcessId(row.process_id)).await?;
        }
        let newest = procedure.versions.iter().rev();
        let base = based_on
            .or_else(|| newest.clone().find(|v| v.state.was_in_force()).or(newest.clone().next()).map(|v| v.id));
        let base = base.ok_or(Refusal::NotFound("version"))?;
        let content = fresh(document_of(&tx, &procedure, base).await?.content);
        let document = Document { kind: ChangeKind::Material, effective_at: None, content };
        let content = contents::put(&tx, &permit, &document, call.now).await?;
        let effects = procedure.revive(revision, draft(call, id, &document, content, Some(base)))?;
        procedures::carry_out(&tx, &permit, &procedure, &effects, call.now).await?;
        events::of_effects(&tx, call, &effects).await?;
        let entry = |effect| {
            let mut entry = record::entry(call, &permit, &procedure, effect);
            if matches!(effect, Effect::SopMoved { .. }) {
                entry.old["successor"] = json!(row.successor_id.map(|id| SopId(id).to_string()));
            }
            entry
        };
        audit::append(&tx, effects.iter().map(entry).collect()).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// Makes another person the owner.
///
/// # Errors
/// Those of [`Procedure::hand_over`]; `Forbidden`; `NotFound` for an unknown person.
pub async fn hand_over(call: &Call, sop: SopId, revision: i64, to: PersonId) -> Result<SopId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open(&tx, sop, Action::HandOverSop).await?;
        check_holder(&tx, to, "ownerId").await?;
        let effects = procedure.hand_over(revision, to)?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(sop)
    })
    .await
}

/// Publishes what is due; answers how many versions were published. Exactly one replica publishes each, since only
/// one meets the version as it was. A version that cannot be published does not hold up the others.
///
/// # Errors
/// When the database does not answer; the last error when versions failed, after all were tried.
pub async fn publish_due(call: &Call) -> Result<u64> {
    let (mut published, mut failed) = (0, None);
    for (sop, version) in procedures::due(call.store.read(), call.now).await? {
        match publish_one(call, sop, version).await {
            Ok(done) => published += u64::from(done),
            Err(Error::Unavailable) => return Err(Error::Unavailable),
            Err(error) => {
                tracing::error!(%sop, %version, reason = ?error, "a due version could not be published");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(published), Err)
}

/// Publishes a due version; not when another replica was first, since then it is no longer due.
async fn publish_one(call: &Call, sop: SopId, version: VersionId) -> Result<bool> {
    let permit = sopwith_domain::access::Permit::clock();
    let tx = call.store.begin().await?;
    let Some(procedure) = procedures::load(&tx, sop, true).await? else { return Ok(false) };
    let Ok(effects) = procedure.publish_due(version, call.now) else { return Ok(false) };
    call.carry_out(&tx, &permit, &procedure, &effects).await?;
    tx.commit().await?;
    Ok(effects.iter().any(|e| matches!(e, Effect::VersionMoved { version: v, .. } if *v == version)))
}
