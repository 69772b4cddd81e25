//! Stores what a batch brings: few statements, however many rows.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, SqlErr};
use sopwith_domain::access::Permit;
use sopwith_domain::calendar::Zone;
use sopwith_domain::conformance::Conformance;
use sopwith_domain::execution::{Mode, Run, Severity, VersionSource, VersionStanding, Violation};
use sopwith_domain::ids::{ExecutionId, PersonId, ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::rollup::Delta;
use sopwith_domain::time::Timestamp;

use super::{ExecutionRow, Stored, expire};
use crate::error::{Error, Result};
use crate::store::bulk::{Column, Rows, among_ids, portions};
use crate::store::entity::{execution_step, execution_violation};
use crate::store::rollups::{self, counted};
use crate::store::{Connection, micros};

/// Rows per statement: below the limit of parameters of both databases, and as many as bulk senders send at a time.
const ROWS: usize = 500;

/// A run as it is to be stored.
#[derive(Debug, Clone)]
pub struct RunToStore {
    /// Its id.
    pub id: ExecutionId,
    /// What it keeps, where it is stored already.
    pub stored: Option<Stored>,
    /// The source's name for it.
    pub run_id: String,
    /// What is known of it.
    pub run: Run,
    /// Its process.
    pub process: ProcessId,
    /// Its SOP, if there was one.
    pub sop: Option<SopId>,
    /// The version, and how it is known.
    pub version: Option<(VersionId, VersionSource)>,
    /// How a reported version stood when the run started.
    pub standing: Option<VersionStanding>,
    /// How far it kept to the steps of its version, as far as [`super::conform`] found.
    pub conformance: Option<Conformance>,
    /// The team that performed it.
    pub team: Option<TeamId>,
    /// Who performed it.
    pub actor: Option<PersonId>,
    /// Violations that the service found itself.
    pub found: Vec<Violation>,
    /// How far times of it were moved back at the most, in microseconds.
    pub clock_lead: i64,
    /// When it was told of last.
    pub received_at: Timestamp,
    /// After how many microseconds it counts as abandoned, where its process says so.
    pub horizon: Option<i64>,
}

/// An event that was taken.
#[derive(Debug, Clone)]
pub struct Event {
    /// The source's name for it.
    pub id: String,
    /// SHA-256 of what it said, in hex.
    pub fingerprint: String,
    /// The run that it belongs to.
    pub run_id: String,
    /// When it happened, where it said so.
    pub occurred_at: Option<Timestamp>,
    /// When it was received.
    pub received_at: Timestamp,
}

/// What a batch brings.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The source.
    pub source: &'a str,
    /// What it is for.
    pub mode: Mode,
    /// Runs that it made or changed.
    pub runs: Vec<RunToStore>,
    /// Events that it brought.
    pub events: Vec<Event>,
}

/// Stores the events of a batch and their effect, on the figures too, in one transaction with the caller's. Answers which
/// runs it made anew though they were deleted before: where there are such, the caller must not commit.
///
/// # Errors
/// `Collided` when another batch brought the same event or run at the same time; `Outdated` when the roll-ups are kept in
/// another form by now.
pub async fn write(db: &impl Connection, _permit: &Permit, zone: Zone, batch: &Batch<'_>) -> Result<Vec<String>> {
    let backend = db.get_database_backend();
    for portion in portions(db, batch.events.len(), ROWS) {
        once(db.execute_raw(event_rows(batch, &batch.events[portion]).insert(backend, "execution_event", "")).await)?;
    }
    let (mut new, mut changed, mut delta) = (Vec::new(), Vec::new(), Delta::default());
    for run in &batch.runs {
        let row = row(batch, run)?;
        if let Some((key, facts)) = run.stored.and_then(|stored| stored.counted) {
            delta.remove(zone, key, &facts).map_err(Error::internal)?;
        }
        if let Some((key, facts)) = counted(&row)? {
            delta.add(zone, key, &facts).map_err(Error::internal)?;
        }
        if run.stored.is_some() { changed.push(row) } else { new.push(row) }
    }
    for portion in portions(db, new.len(), ROWS) {
        once(db.execute_raw(run_rows(&new[portion]).insert(backend, "execution", "")).await)?;
    }
    for portion in portions(db, changed.len(), ROWS) {
        db.execute_raw(run_rows(&changed[portion]).update(backend, "execution", "id")).await?;
    }
    replace_parts(db, backend, batch).await?;
    if new.is_empty() && delta.is_empty() {
        return Ok(Vec::new());
    }
    let (may_be_deleted, mut deleted) = (rollups::append(db, zone, &delta).await?, Vec::new());
    for portion in portions(db, new.len(), ROWS).filter(|_| may_be_deleted) {
        deleted.append(&mut expire::deleted(db, &new[portion]).await?);
    }
    Ok(deleted)
}

fn once<T>(answer: std::result::Result<T, DbErr>) -> Result<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Err(Error::Collided),
        Err(error) => Err(error.into()),
    }
}

async fn replace_parts(db: &impl Connection, backend: DbBackend, batch: &Batch<'_>) -> Result<()> {
    let old: BTreeSet<Uuid> = batch.runs.iter().filter(|run| run.stored.is_some()).map(|run| run.id.0).collect();
    if !old.is_empty() {
        let steps = among_ids(db, execution_step::Column::ExecutionId, old.iter().copied());
        execution_step::Entity::delete_many().filter(steps).exec(db).await?;
        let violations = among_ids(db, execution_violation::Column::ExecutionId, old);
        execution_violation::Entity::delete_many().filter(violations).exec(db).await?;
    }
    let steps: Vec<_> = batch.runs.iter().flat_map(step_rows).collect();
    for portion in portions(db, steps.len(), ROWS) {
        db.execute_raw(columns_of_steps(&steps[portion]).insert(backend, "execution_step", "")).await?;
    }
    let violations: Vec<_> = batch.runs.iter().flat_map(violation_rows).collect();
    for portion in portions(db, violations.len(), ROWS) {
        db.execute_raw(columns_of_violations(&violations[portion]).insert(backend, "execution_violation", "")).await?;
    }
    Ok(())
}

fn event_rows(batch: &Batch, events: &[Event]) -> Rows {
    let texts = |part: fn(&Event) -> &str| Column::Texts(events.iter().map(|e| part(e).to_owned()).collect());
    Rows::default()
        .with("source", Column::Texts(vec![batch.source.to_owned(); events.len()]))
        .with("event_id", texts(|e| &e.id))
        .with("fingerprint", texts(|e| &e.fingerprint))
        .with("run_id", texts(|e| &e.run_id))
        .with("occurred_at", Column::MaybeNumbers(events.iter().map(|e| micros(e.occurred_at)).collect()))
        .with("received_at", Column::Numbers(events.iter().map(|e| e.received_at.micros()).collect()))
}

fn row(batch: &Batch, new: &RunToStore) -> Result<ExecutionRow> {
    let run = &new.run;
    let violations = || run.violations.iter().flatten().chain(&new.found);
    let of = |severity| i32::try_from(violations().filter(|v| v.severity == severity).count()).map_err(Error::internal);
    Ok(ExecutionRow {
        id: new.id.0,
        source: batch.source.to_owned(),
        run_id: new.run_id.clone(),
        mode: batch.mode.as_str().to_owned(),
        process_id: new.process.0,
        sop_id: new.sop.map(|s| s.0),
        version_id: new.version.map(|(v, _)| v.0),
        version_source: new.version.map(|(_, source)| source.as_str().to_owned()),
        team_id: new.team.map(|t| t.0),
        actor_id: new.actor.map(|p| p.0),
        started_at: micros(run.started_at),
        finished_at: micros(run.finished_at),
        occurred_at: micros(run.occurred_at),
        received_at: new.received_at.micros(),
        clock_lead: new.clock_lead,
        outcome: run.outcome.map(|o| o.as_str().to_owned()),
        adherence: run.adherence.map_or("UNKNOWN", |a| a.as_str()).to_owned(),
        errors: run.errors.unwrap_or(0),
        rework: run.rework.unwrap_or(0),
        violations: i32::try_from(violations().count()).map_err(Error::internal)?,
        major_violations: of(Severity::Major)?,
        critical_violations: of(Severity::Critical)?,
        satisfaction: run.satisfaction.map(|s| s.score),
        satisfaction_by: run.satisfaction.map(|s| s.by.as_str().to_owned()),
        attributes: serde_json::to_string(&run.attributes.clone().unwrap_or_default()).map_err(Error::internal)?,
        facts: serde_json::to_string(run).map_err(Error::internal)?,
        version_standing: new.standing.map(|standing| standing.as_str().to_owned()),
        step_checks: new.conformance.map(|conformance| conformance.checks),
        step_deviations: new.conformance.map(|conformance| conformance.deviations),
        horizon: new.horizon,
    })
}

fn run_rows(rows: &[ExecutionRow]) -> Rows {
    type R = ExecutionRow;
    let ids = |part: fn(&R) -> Uuid| Column::Uuids(rows.iter().map(part).collect());
    let maybe_ids = |part: fn(&R) -> Option<Uuid>| Column::MaybeUuids(rows.iter().map(part).collect());
    let texts = |part: fn(&R) -> &String| Column::Texts(rows.iter().map(part).cloned().collect());
    let maybe_texts = |part: fn(&R) -> &Option<String>| Column::MaybeTexts(rows.iter().map(part).cloned().collect());
    let numbers = |part: fn(&R) -> i64| Column::Numbers(rows.iter().map(part).collect());
    let maybe_numbers = |part: fn(&R) -> Option<i64>| Column::MaybeNumbers(rows.iter().map(part).collect());
    Rows::default()
        .with("id", ids(|r| r.id))
        .with("source", texts(|r| &r.source))
        .with("run_id", texts(|r| &r.run_id))
        .with("mode", texts(|r| &r.mode))
        .with("process_id", ids(|r| r.process_id))
        .with("sop_id", maybe_ids(|r| r.sop_id))
        .with("version_id", maybe_ids(|r| r.version_id))
        .with("version_source", maybe_texts(|r| &r.version_source))
        .with("team_id", maybe_ids(|r| r.team_id))
        .with("actor_id", maybe_ids(|r| r.actor_id))
        .with("started_at", maybe_numbers(|r| r.started_at))
        .with("finished_at", maybe_numbers(|r| r.finished_at))
        .with("occurred_at", maybe_numbers(|r| r.occurred_at))
        .with("received_at", numbers(|r| r.received_at))
        .with("clock_lead", numbers(|r| r.clock_lead))
        .with("outcome", maybe_texts(|r| &r.outcome))
        .with("adherence", texts(|r| &r.adherence))
        .with("errors", numbers(|r| r.errors.into()))
        .with("rework", numbers(|r| r.rework.into()))
        .with("violations", numbers(|r| r.violations.into()))
        .with("major_violations", numbers(|r| r.major_violations.into()))
        .with("critical_violations", numbers(|r| r.critical_violations.into()))
        .with("satisfaction", maybe_numbers(|r| r.satisfaction.map(Into::into)))
        .with("satisfaction_by", maybe_texts(|r| &r.satisfaction_by))
        .with("attributes", texts(|r| &r.attributes))
        .with("facts", texts(|r| &r.facts))
        .with("version_standing", maybe_texts(|r| &r.version_standing))
        .with("step_checks", maybe_numbers(|r| r.step_checks.map(Into::into)))
        .with("step_deviations", maybe_numbers(|r| r.step_deviations.map(Into::into)))
        .with("horizon", maybe_numbers(|r| r.horizon))
}

fn step_rows(run: &RunToStore) -> impl Iterator<Item = execution_step::Model> + '_ {
    run.run.steps.values().map(|step| execution_step::Model {
        execution_id: run.id.0,
        key: step.key.clone(),
        attempt: step.attempt,
        started_at: micros(step.started_at),
        finished_at: micros(step.finished_at),
        status: step.status.as_str().to_owned(),
    })
}

fn columns_of_steps(steps: &[execution_step::Model]) -> Rows {
    let maybe_numbers =
        |part: fn(&execution_step::Model) -> Option<i64>| Column::MaybeNumbers(steps.iter().map(part).collect());
    Rows::default()
        .with("execution_id", Column::Uuids(steps.iter().map(|s| s.execution_id).collect()))
        .with("key", Column::Texts(steps.iter().map(|s| s.key.clone()).collect()))
        .with("attempt", Column::Numbers(steps.iter().map(|s| s.attempt.into()).collect()))
        .with("started_at", maybe_numbers(|s| s.started_at))
        .with("finished_at", maybe_numbers(|s| s.finished_at))
        .with("status", Column::Texts(steps.iter().map(|s| s.status.clone()).collect()))
}

fn violation_rows(run: &RunToStore) -> impl Iterator<Item = execution_violation::Model> + '_ {
    let reported = run.run.violations.iter().flatten().map(|v| (v, "SOURCE"));
    let all = reported.chain(run.found.iter().map(|v| (v, "SERVICE")));
    (0..).zip(all).map(|(position, (violation, by))| execution_violation::Model {
        execution_id: run.id.0,
        position,
        kind: violation.kind.clone(),
        severity: violation.severity.as_str().to_owned(),
        detail: violation.detail.clone(),
        detected_by: by.to_owned(),
    })
}

fn columns_of_violations(violations: &[execution_violation::Model]) -> Rows {
    type V = execution_violation::Model;
    let texts = |part: fn(&V) -> &String| Column::Texts(violations.iter().map(part).cloned().collect());
    Rows::default()
        .with("execution_id", Column::Uuids(violations.iter().map(|v| v.execution_id).collect()))
        .with("position", Column::Numbers(violations.iter().map(|v| v.position.into()).collect()))
        .with("kind", texts(|v| &v.kind))
        .with("severity", texts(|v| &v.severity))
        .with("detail", texts(|v| &v.detail))
        .with("detected_by", texts(|v| &v.detected_by))
}
