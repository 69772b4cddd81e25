//! Approval policies: made, changed, ended, explained.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permission, Permit, Resource};
use sopwith_domain::approval::{Candidate, unfilled};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{PersonId, PolicyId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::VersionState;
use sopwith_domain::policy::{Fit, Policy, PolicyKind, Risk, Stage, consider};

use super::versions::{deciders, review_data};
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::policies::{self as stored, StoredPolicy};
use crate::store::{Connection, audit, procedures, retry, roles, teams};

/// What a policy asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// Whether all review comments have to be resolved before somebody approves.
    pub requires_resolved_comments: bool,
}

/// A policy to be made.
#[derive(Debug, Clone)]
pub struct PolicyInput {
    /// What it is for.
    pub kind: PolicyKind,
    /// The only team that it is for.
    pub team: Option<TeamId>,
    /// The only risk that it is for.
    pub risk: Option<Risk>,
    /// What it asks for.
    pub asked: Asked,
}

/// Makes a policy.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` stages; `Conflict` when there is one for this kind, team and risk.
pub async fn create(call: &Call, input: PolicyInput, key: Option<IdempotencyKey>) -> Result<PolicyId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &PolicyInput, key: Option<&IdempotencyKey>) -> Result<PolicyId> {
    let PolicyInput { kind, team, risk, asked } = input.clone();
    let permit = permit(call, team, risk)?;
    let tx = call.store.begin().await?;
    let id = PolicyId(new_id());
    if let Some(made) = call.made_before(&tx, "policyCreate", key, id.0).await? {
        return Ok(PolicyId(made));
    }
    if let Some(team) = team
        && teams::by_ids(&tx, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    let Asked { stages, requires_resolved_comments } = asked;
    let policy = Policy { id, kind, team, risk, stages, requires_resolved_comments };
    check(&tx, &policy).await?;
    stored::insert(&tx, &permit, &policy, call.now).await?;
    let entry = record::plain(call, "policy.created", id, team, told(&policy));
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes what a policy asks for. Requests under way keep the stages that they were opened with.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`; `Invalid` stages; `Conflict` at another revision.
pub async fn update(call: &Call, id: PolicyId, revision: i64, asked: Asked) -> Result<PolicyId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (before, permit) = open(&tx, call, id, revision).await?;
        let Asked { stages, requires_resolved_comments } = asked.clone();
        let policy = Policy { stages, requires_resolved_comments, ..before.clone() };
        check(&tx, &policy).await?;
        stored::update(&tx, &permit, &policy, revision, call.now).await?;
        let mut entry = record::plain(call, "policy.changed", id, policy.team, told(&policy));
        entry.old = told(&before);
        audit::append(&tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// Takes a policy out of use: what it was for falls to the next special one.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`; `Conflict` at another revision, or for the default of a kind.
pub async fn end(call: &Call, id: PolicyId, revision: i64) -> Result<PolicyId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (before, permit) = open(&tx, call, id, revision).await?;
        if before.team.is_none() && before.risk.is_none() {
            return Err(Refusal::conflict("every kind needs its default policy: change it instead").into());
        }
        stored::end(&tx, &permit, id, revision, call.now).await?;
        let mut entry = record::plain(call, "policy.ended", id, before.team, Value::Null);
        entry.old = told(&before);
        audit::append(&tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// A team's managers keep the team's own policy. What names a risk is the organisation's, since it goes before the
/// policies of teams: otherwise a team could lighten what the organisation asks of its riskiest procedures.
fn permit(call: &Call, team: Option<TeamId>, risk: Option<Risk>) -> Result<Permit> {
    let place = match (team, risk) {
        (Some(team), None) => Resource::Team(team),
        _ => Resource::Organisation,
    };
    call.permit(Action::ManagePolicies, place)
}

async fn open(db: &impl Connection, call: &Call, id: PolicyId, revision: i64) -> Result<(Policy, Permit)> {
    let found = stored::by_id(db, id).await?.ok_or(Refusal::NotFound("policy"))?;
    let permit = permit(call, found.policy.team, found.policy.risk)?;
    if found.ended_at.is_some() {
        return Err(Refusal::conflict("the policy is no longer in use").into());
    }
    if found.revision != revision {
        return Err(Refusal::stale(found.revision).into());
    }
    Ok((found.policy, permit))
}

/// Refuses stages that are malformed, or that name a role which is not there or can decide nothing.
async fn check(db: &impl Connection, policy: &Policy) -> Result<()> {
    let mut problems = policy.check();
    for (i, stage) in policy.stages.iter().enumerate() {
        // Kept until the policy is there, so that nobody deletes it meanwhile. No name with U+0000 can be looked for.
        let known = if stage.role.contains('\0') { None } else { roles::kept(db, &stage.role).await? };
        let problem = match known {
            None => "there is no such role",
            Some(role) if role.permissions.contains(&Permission::AccessManage) => {
                "a role that gives out roles is none to decide in"
            }
            Some(_) => continue,
        };
        problems.push(Problem::at(format!("stages.{i}.role"), problem));
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems).into()) }
}

fn told(policy: &Policy) -> Value {
    json!({
        "kind": policy.kind,
        "team": policy.team.map(|t| t.to_string()),
        "risk": policy.risk,
        "stages": policy.stages,
        "requiresResolvedComments": policy.requires_resolved_comments,
    })
}

/// Which policy applies to an SOP, and what becomes of each other one of that kind.
///
/// # Errors
/// `NotFound` for an SOP that the actor may not see.
pub async fn explain(call: &Call, sop: SopId, kind: PolicyKind) -> Result<Vec<(StoredPolicy, Fit)>> {
    let db = call.store.read();
    let procedure = procedures::load(db, sop, false).await?.ok_or(Refusal::NotFound("SOP"))?;
    call.permit(Action::ReadSop, Resource::Sop(&super::facts(&procedure)))?;
    let all = stored::all(db).await?;
    let policies: Vec<Policy> = all.iter().map(|p| p.policy.clone()).collect();
    let fits = consider(&policies, kind, procedure.team, procedure.risk);
    let fit_of = |id: PolicyId| fits.iter().find(|(policy, _)| policy.id == id).map(|(_, fit)| *fit);
    Ok(all.into_iter().filter_map(|p| fit_of(p.policy.id).map(|fit| (p, fit))).collect())
}

/// What a version would pass, or is passing, and who could decide.
#[derive(Debug)]
pub struct Preview {
    /// The policy that applies, or the one that the open request was opened under.
    pub policy: PolicyId,
    /// Its stages, each with those who could decide in it now.
    pub stages: Vec<(Stage, Vec<PersonId>)>,
    /// The stage that is open, where the version is in review.
    pub current: Option<usize>,
    /// Why a submission would be refused: who is missing, by stage.
    pub missing: Vec<Problem>,
}

/// What an open version would pass, or is passing, and who could decide.
///
/// # Errors
/// `NotFound` for a version that the actor may not see; `Conflict` for one that is not to be decided any more.
pub async fn preview(call: &Call, version: VersionId) -> Result<Preview> {
    let db = call.store.read();
    let (procedure, _) = call.look_by_version(db, version, Action::ReadDraft).await?;
    let found = procedure.version(version).ok_or(Refusal::NotFound("version"))?;
    if let Some(request) = procedure.request.as_ref().filter(|_| found.state == VersionState::InReview) {
        // By the policy as it was, whatever it has become.
        let (people, accounts) = deciders(db, call, &procedure, &request.stages).await?;
        let mut request = request.clone();
        request.accounts.join(&accounts);
        let able = |stage: &Stage| {
            let could = |c: &&Candidate| c.holds(stage, procedure.team) && request.free_to_decide(c.person).is_ok();
            people.iter().filter(could).map(|c| c.person).collect()
        };
        let stages = request.stages.iter().map(|stage| (stage.clone(), able(stage))).collect();
        let current = Some(request.stage);
        return Ok(Preview { policy: request.policy, stages, current, missing: Vec::new() });
    }
    if found.state != VersionState::Draft {
        return Err(Refusal::conflict(format!("the version is {}: nothing is to be decided", found.state)).into());
    }
    let data = review_data(db, call, &procedure, found.kind.into()).await?;
    let excluded = &found.contributors;
    let barred: Vec<PersonId> = excluded.iter().map(|p| data.accounts.holder(*p)).collect();
    let able = |stage: &Stage| {
        let could =
            |c: &&Candidate| c.holds(stage, procedure.team) && !barred.contains(&data.accounts.holder(c.person));
        data.people.iter().filter(could).map(|c| c.person).collect()
    };
    let stages = data.policy.stages.iter().map(|stage| (stage.clone(), able(stage))).collect();
    let missing = unfilled(&data.policy.stages, &data.people, excluded, &data.accounts, procedure.team);
    Ok(Preview { policy: data.policy.id, stages, current: None, missing })
}
