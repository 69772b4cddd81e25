//! What ails a procedure by its runs, and what was chosen to be done about it.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Resource};
use sopwith_domain::conformance::owed;
use sopwith_domain::content::MAX_TEXT;
use sopwith_domain::diagnosis::{DAYS, Diagnosis, Finding, Found, Response, diagnose};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{ProcessId, ResponseId, SopId, VersionId};
use sopwith_domain::lifecycle::Procedure;
use sopwith_domain::measurement::{Goal, Metric, Stretch, learnt_at};
use sopwith_domain::time::{DAY, Timestamp};

use super::{Call, IdempotencyKey, facts, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::comparison::Asked;
use crate::store::diagnosis::{self as stored, NewResponse};
use crate::store::{Connection, audit, contents, measurement, procedures, retry, sops};

/// The longest key of a step.
const MAX_KEY: usize = 100;

/// What ails a procedure.
#[derive(Debug, Clone)]
pub struct Diagnosed {
    /// The version in force.
    pub version: VersionId,
    /// By runs that started in this time.
    pub stretch: Stretch,
    /// How many there were.
    pub runs: i64,
    /// By how many people, where they are known.
    pub people: i64,
    /// What was found.
    pub diagnosis: Diagnosis,
}

/// Looks at the runs of an SOP; nothing where no version is in force.
///
/// # Errors
/// `NotFound` for an SOP that the actor may not see; `Forbidden` for who does not read figures of it.
pub async fn of_sop(call: &Call, sop: SopId) -> Result<Option<Diagnosed>> {
    let db = call.store.read();
    let procedure = procedures::load(db, sop, false).await?.ok_or(Refusal::NotFound("SOP"))?;
    call.permit(Action::ReadFigures, Resource::Sop(&facts(&procedure)))?;
    look(db, call, &procedure).await
}

/// Lets those pass who read what ailed an SOP.
///
/// # Errors
/// `NotFound` for an SOP that the actor may not see; `Forbidden` for who does not read figures of it.
pub async fn permit_reading(call: &Call, sop: SopId) -> Result<()> {
    let procedure = procedures::load(call.store.read(), sop, false).await?.ok_or(Refusal::NotFound("SOP"))?;
    call.permit(Action::ReadFigures, Resource::Sop(&facts(&procedure)))?;
    Ok(())
}

async fn look(db: &impl Connection, call: &Call, procedure: &Procedure) -> Result<Option<Diagnosed>> {
    let Some(in_force) = procedure.in_force() else { return Ok(None) };
    let row = sops::by_ids(db, &[procedure.id.0]).await?.pop().ok_or(Refusal::NotFound("SOP"))?;
    let eras = measurement::eras_of(db, &[procedure.id]).await?.remove(&procedure.id).unwrap_or_default();
    let plan = measurement::by_versions(db, &[in_force.id.0]).await?.remove(&in_force.id.0);
    let plan = plan.map(|stored| stored.plan).unwrap_or_default();
    let learnt = learnt_at(&eras, in_force.id).unwrap_or(call.now);
    let until = |to: Timestamp| Stretch { from: learnt.max(to.plus(-DAYS * DAY)).min(to), to };
    let (stretch, watched) = (until(call.now), until(call.now.plus(-plan.watch())));
    let document = contents::get(db, &in_force.content.to_string()).await?;
    let owed = owed(&document.content.steps);
    let asked = Asked { process: ProcessId(row.process_id), stretch, watch: plan.watch() };
    let mut evidence = stored::evidence(db, &asked, watched, &owed).await?;
    evidence.error_target = plan.targets.iter().find_map(|target| match (target.metric, target.goal) {
        (Metric::ErrorRate, Goal::Share(share)) => Some(share),
        _ => None,
    });
    Ok(Some(Diagnosed {
        version: in_force.id,
        stretch,
        runs: evidence.teams.iter().map(|team| team.runs).sum(),
        people: evidence.people,
        diagnosis: diagnose(&evidence),
    }))
}

/// What somebody chose to be done.
#[derive(Debug, Clone)]
pub struct ResponseInput {
    /// About which SOP.
    pub sop: SopId,
    /// About what was found.
    pub finding: Finding,
    /// On which step.
    pub step_key: Option<String>,
    /// What is done.
    pub response: Response,
    /// Why, or how.
    pub note: String,
}

impl ResponseInput {
    fn check(&self) -> std::result::Result<(), Refusal> {
        let mut problems = Vec::new();
        if self.note.chars().count() > MAX_TEXT || self.note.contains('\0') {
            problems.push(Problem::at("note", format!("at most {MAX_TEXT} characters, without U+0000")));
        }
        let is_key = |key: &str| !key.trim().is_empty() && key.chars().count() <= MAX_KEY && !key.contains('\0');
        match (&self.step_key, self.finding == Finding::TroubledStep) {
            (Some(key), true) if is_key(key) => {}
            (None, false) => {}
            (None, true) => problems.push(Problem::at("stepKey", "say which step")),
            (Some(_), true) => problems.push(Problem::at("stepKey", "this is no key of a step")),
            (Some(_), false) => problems.push(Problem::at("stepKey", "this finding is about no step")),
        }
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
    }

    fn is_about(&self, found: &Found) -> bool {
        found.kind() == self.finding && found.step() == self.step_key.as_deref()
    }
}

/// Records what is done about something that was found, with its figures as they are now.
///
/// # Errors
/// `Forbidden` for anyone but the owner and those who manage the SOP; `Invalid` input; `Conflict` when this is not found
/// now.
pub async fn respond(call: &Call, input: ResponseInput, key: Option<IdempotencyKey>) -> Result<ResponseId> {
    retry(|| respond_once(call, &input, key.as_ref())).await
}

async fn respond_once(call: &Call, input: &ResponseInput, key: Option<&IdempotencyKey>) -> Result<ResponseId> {
    // Looked at before the transaction, which on SQLite keeps all others from writing.
    let db = call.store.read();
    let procedure = procedures::load(db, input.sop, false).await?.ok_or(Refusal::NotFound("SOP"))?;
    call.permit(Action::AnswerDiagnosis, Resource::Sop(&facts(&procedure)))?;
    input.check()?;
    let seen = look(db, call, &procedure).await?;
    let tx = call.store.begin().await?;
    let (procedure, permit) = call.open(&tx, input.sop, Action::AnswerDiagnosis).await?;
    let id = ResponseId(new_id());
    if let Some(made) = call.made_before(&tx, "diagnosisAnswer", key, id.0).await? {
        return Ok(ResponseId(made));
    }
    let found = seen.as_ref().and_then(|seen| seen.diagnosis.findings.iter().find(|found| input.is_about(found)));
    let (Some(seen), Some(found)) = (&seen, found) else {
        return Err(Refusal::conflict("this is not found, or not any more: look at the diagnosis again").into());
    };
    let new = NewResponse {
        id,
        sop: input.sop,
        version: seen.version,
        finding: input.finding,
        step_key: input.step_key.clone(),
        response: input.response,
        note: input.note.clone(),
        figures: found.figures(),
        by: call.actor.person,
    };
    stored::insert(&tx, &permit, &new, call.now).await?;
    let mut entry = record::plain(call, "diagnosis.answered", id, Some(procedure.team), told(&new));
    entry.sop = Some(procedure.id);
    entry.reason = Some(new.note.clone()).filter(|note| !note.is_empty());
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

fn told(new: &NewResponse) -> Value {
    json!({
        "version": new.version.to_string(), "finding": new.finding, "step": new.step_key,
        "response": new.response, "figures": new.figures,
    })
}
