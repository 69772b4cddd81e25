//! Executions, and the permanent record of the events that made them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Cond;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, SqlErr};
use sopwith_domain::access::{Permit, Reach};
use sopwith_domain::execution::{Mode, Run, StepRecord, VersionSource, Violation};
use sopwith_domain::ids::{ExecutionId, PersonId, ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::time::Timestamp;

use super::entity::{execution, execution_event, execution_step, execution_violation, process, sop, version};
use super::page::{self, Page, Window};
use super::{Connection, micros, parse};
use crate::error::{Error, Result};

pub use execution::Model as ExecutionRow;
pub use execution_step::Model as StepRow;
pub use execution_violation::Model as ViolationRow;

/// Rows per statement: below the limit of parameters of both databases.
const ROWS: usize = 500;

/// Fingerprints, in hex, of the events of a source that were taken before.
///
/// # Errors
/// When the database does not answer.
pub async fn fingerprints(db: &impl Connection, source: &str, events: &[&str]) -> Result<HashMap<String, String>> {
    let of =
        execution_event::Column::Source.eq(source).and(execution_event::Column::EventId.is_in(events.iter().copied()));
    let rows = execution_event::Entity::find().filter(of).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.event_id, row.fingerprint)).collect())
}

/// What a run that is stored keeps, whatever more is told of it.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// What its first batch was for.
    pub mode: Mode,
    /// How far times of it were moved back at the most, in microseconds.
    pub clock_lead: i64,
}

/// A run that is stored.
#[derive(Debug, Clone)]
pub struct StoredRun {
    /// Its id.
    pub id: ExecutionId,
    /// What it keeps.
    pub stored: Stored,
    /// What is known of it.
    pub run: Run,
}

/// The runs of a source that exist, locked until the transaction ends.
///
/// # Errors
/// When the database does not answer.
pub async fn runs(db: &impl Connection, source: &str, ids: &[&str]) -> Result<HashMap<String, StoredRun>> {
    let of = execution::Column::Source.eq(source).and(execution::Column::RunId.is_in(ids.iter().copied()));
    let rows =
        execution::Entity::find().filter(of).order_by_asc(execution::Column::Id).lock_exclusive().all(db).await?;
    let mut steps: HashMap<Uuid, Vec<StepRow>> = HashMap::new();
    for step in steps_of(db, &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await? {
        steps.entry(step.execution_id).or_default().push(step);
    }
    let read = |row: ExecutionRow| {
        let mut run: Run = serde_json::from_str(&row.facts).map_err(Error::internal)?;
        run.steps = steps.remove(&row.id).unwrap_or_default().iter().map(step).collect::<Result<_>>()?;
        let stored = Stored { mode: parse(&row.mode)?, clock_lead: row.clock_lead };
        Ok((row.run_id, StoredRun { id: ExecutionId(row.id), stored, run }))
    };
    rows.into_iter().map(read).collect()
}

fn step(row: &StepRow) -> Result<((String, i32), StepRecord)> {
    let record = StepRecord {
        key: row.key.clone(),
        attempt: row.attempt,
        started_at: row.started_at.map(Timestamp::from_micros),
        finished_at: row.finished_at.map(Timestamp::from_micros),
        status: parse(&row.status)?,
    };
    Ok(((row.key.clone(), row.attempt), record))
}

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
    /// The team that performed it.
    pub team: Option<TeamId>,
    /// Who performed it.
    pub actor: Option<PersonId>,
    /// Violations that the service found itself.
    pub found: Vec<Violation>,
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
}

/// What a batch brings.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The source.
    pub source: &'a str,
    /// What it is for.
    pub mode: Mode,
    /// When it was received.
    pub received_at: Timestamp,
    /// How far times were moved back, in microseconds.
    pub clock_lead: i64,
    /// Runs that it made or changed.
    pub runs: Vec<RunToStore>,
    /// Events that it brought.
    pub events: Vec<Event>,
}

/// Stores the events of a batch and their effect, in one transaction with the caller's.
///
/// # Errors
/// `Collided` when another batch brought the same event or run at the same time.
pub async fn write(db: &impl Connection, _permit: &Permit, batch: &Batch<'_>) -> Result<()> {
    let events: Vec<_> = batch.events.iter().map(|event| event_row(batch, event)).collect();
    for rows in events.chunks(ROWS) {
        once(execution_event::Entity::insert_many(rows.to_vec()).exec_without_returning(db).await)?;
    }
    let rows = |exists: bool| batch.runs.iter().filter(move |run| run.stored.is_some() == exists);
    let new = rows(false).map(|run| row(batch, run)).collect::<Result<Vec<_>>>()?;
    for rows in new.chunks(ROWS) {
        once(execution::Entity::insert_many(rows.to_vec()).exec_without_returning(db).await)?;
    }
    for run in rows(true) {
        execution::Entity::update(row(batch, run)?).exec(db).await?;
    }
    replace_parts(db, batch).await
}

fn once<T>(answer: std::result::Result<T, DbErr>) -> Result<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Err(Error::Collided),
        Err(error) => Err(error.into()),
    }
}

async fn replace_parts(db: &impl Connection, batch: &Batch<'_>) -> Result<()> {
    let old: Vec<Uuid> = batch.runs.iter().filter(|run| run.stored.is_some()).map(|run| run.id.0).collect();
    if !old.is_empty() {
        let steps = execution_step::Column::ExecutionId.is_in(old.iter().copied());
        execution_step::Entity::delete_many().filter(steps).exec(db).await?;
        let violations = execution_violation::Column::ExecutionId.is_in(old);
        execution_violation::Entity::delete_many().filter(violations).exec(db).await?;
    }
    let steps: Vec<_> = batch.runs.iter().flat_map(step_rows).collect();
    for rows in steps.chunks(ROWS) {
        execution_step::Entity::insert_many(rows.to_vec()).exec_without_returning(db).await?;
    }
    let violations: Vec<_> = batch.runs.iter().flat_map(violation_rows).collect();
    for rows in violations.chunks(ROWS) {
        execution_violation::Entity::insert_many(rows.to_vec()).exec_without_returning(db).await?;
    }
    Ok(())
}

fn event_row(batch: &Batch, event: &Event) -> execution_event::ActiveModel {
    execution_event::ActiveModel {
        source: Set(batch.source.to_owned()),
        event_id: Set(event.id.clone()),
        fingerprint: Set(event.fingerprint.clone()),
        run_id: Set(event.run_id.clone()),
        occurred_at: Set(micros(event.occurred_at)),
        received_at: Set(batch.received_at.micros()),
    }
}

fn row(batch: &Batch, new: &RunToStore) -> Result<execution::ActiveModel> {
    let run = &new.run;
    let violations = run.violations.as_ref().map_or(0, Vec::len) + new.found.len();
    Ok(execution::ActiveModel {
        id: Set(new.id.0),
        source: Set(batch.source.to_owned()),
        run_id: Set(new.run_id.clone()),
        mode: Set(batch.mode.as_str().to_owned()),
        process_id: Set(new.process.0),
        sop_id: Set(new.sop.map(|s| s.0)),
        version_id: Set(new.version.map(|(v, _)| v.0)),
        version_source: Set(new.version.map(|(_, source)| source.as_str().to_owned())),
        team_id: Set(new.team.map(|t| t.0)),
        actor_id: Set(new.actor.map(|p| p.0)),
        started_at: Set(micros(run.started_at)),
        finished_at: Set(micros(run.finished_at)),
        occurred_at: Set(micros(run.occurred_at)),
        received_at: Set(batch.received_at.micros()),
        clock_lead: Set(new.stored.map_or(batch.clock_lead, |stored| Ord::max(stored.clock_lead, batch.clock_lead))),
        outcome: Set(run.outcome.map(|o| o.as_str().to_owned())),
        adherence: Set(run.adherence.map_or("UNKNOWN", |a| a.as_str()).to_owned()),
        errors: Set(run.errors.unwrap_or(0)),
        rework: Set(run.rework.unwrap_or(0)),
        violations: Set(i32::try_from(violations).map_err(Error::internal)?),
        satisfaction: Set(run.satisfaction.map(|s| s.score)),
        satisfaction_by: Set(run.satisfaction.map(|s| s.by.as_str().to_owned())),
        attributes: Set(serde_json::to_string(&run.attributes.clone().unwrap_or_default()).map_err(Error::internal)?),
        facts: Set(serde_json::to_string(run).map_err(Error::internal)?),
    })
}

fn step_rows(run: &RunToStore) -> impl Iterator<Item = execution_step::ActiveModel> + '_ {
    run.run.steps.values().map(|step| execution_step::ActiveModel {
        execution_id: Set(run.id.0),
        key: Set(step.key.clone()),
        attempt: Set(step.attempt),
        started_at: Set(micros(step.started_at)),
        finished_at: Set(micros(step.finished_at)),
        status: Set(step.status.as_str().to_owned()),
    })
}

fn violation_rows(run: &RunToStore) -> impl Iterator<Item = execution_violation::ActiveModel> + '_ {
    let reported = run.run.violations.iter().flatten().map(|v| (v, "SOURCE"));
    let all = reported.chain(run.found.iter().map(|v| (v, "SERVICE")));
    (0..).zip(all).map(|(position, (violation, by))| execution_violation::ActiveModel {
        execution_id: Set(run.id.0),
        position: Set(position),
        kind: Set(violation.kind.clone()),
        severity: Set(violation.severity.as_str().to_owned()),
        detail: Set(violation.detail.clone()),
        detected_by: Set(by.to_owned()),
    })
}

/// A time during which a version was in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The SOP.
    pub sop: SopId,
    /// Its process.
    pub process: ProcessId,
    /// The version.
    pub version: VersionId,
    /// Its label.
    pub label: String,
    /// From when.
    pub from: Timestamp,
    /// Until when; still in force when absent.
    pub until: Option<Timestamp>,
}

/// The times during which versions of these processes' SOPs were in force.
///
/// # Errors
/// When the database does not answer.
pub async fn in_force(db: &impl Connection, processes: &BTreeSet<Uuid>) -> Result<Vec<InForce>> {
    let sops = sop::Entity::find().filter(sop::Column::ProcessId.is_in(processes.iter().copied())).all(db).await?;
    let sops: BTreeMap<Uuid, Uuid> = sops.into_iter().map(|s| (s.id, s.process_id)).collect();
    let of = version::Column::SopId.is_in(sops.keys().copied()).and(version::Column::PublishedAt.is_not_null());
    let rows = version::Entity::find().filter(of).order_by_asc(version::Column::PublishedAt).all(db).await?;
    let read = |row: version::Model| {
        Some(InForce {
            sop: SopId(row.sop_id),
            process: ProcessId(*sops.get(&row.sop_id)?),
            version: VersionId(row.id),
            label: super::sops::label(&row)?.to_string(),
            from: Timestamp::from_micros(row.published_at?),
            until: row.ended_at.map(Timestamp::from_micros),
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Steps of executions, in the order in which they began.
///
/// # Errors
/// When the database does not answer.
pub async fn steps_of(db: &impl Connection, executions: &[Uuid]) -> Result<Vec<StepRow>> {
    let of = execution_step::Column::ExecutionId.is_in(executions.iter().copied());
    let select = execution_step::Entity::find().filter(of).order_by_asc(execution_step::Column::StartedAt);
    let select = select.order_by_asc(execution_step::Column::Key).order_by_asc(execution_step::Column::Attempt);
    Ok(select.all(db).await?)
}

/// Violations in executions.
///
/// # Errors
/// When the database does not answer.
pub async fn violations_of(db: &impl Connection, executions: &[Uuid]) -> Result<Vec<ViolationRow>> {
    let of = execution_violation::Column::ExecutionId.is_in(executions.iter().copied());
    let select = execution_violation::Entity::find().filter(of);
    Ok(select.order_by_asc(execution_violation::Column::Position).all(db).await?)
}

/// Executions within reach, by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, who: &FiguresReach, ids: &[Uuid]) -> Result<Vec<ExecutionRow>> {
    let seen = condition(who, &ExecutionFilter::default());
    Ok(execution::Entity::find().filter(seen.add(execution::Column::Id.is_in(ids.iter().copied()))).all(db).await?)
}

/// Whose executions and figures somebody reads: within reach by team, and of the SOPs that they own.
#[derive(Debug, Clone)]
pub struct FiguresReach {
    /// Teams whose executions, processes and SOPs are read.
    pub reach: Reach,
    /// The person: owners read those of their SOPs.
    pub person: PersonId,
}

/// Which executions are asked for.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// Of this process.
    pub process: Option<ProcessId>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// Sent by this source.
    pub source: Option<String>,
    /// Under this name at the source.
    pub run_id: Option<String>,
}

fn condition(who: &FiguresReach, filter: &ExecutionFilter) -> Cond {
    let mut all = Cond::all();
    if let Reach::Teams(teams) = &who.reach {
        let teams: Vec<Uuid> = teams.iter().map(|t| t.0).collect();
        let query = sea_orm::sea_query::Query::select;
        let sops = query()
            .column(sop::Column::Id)
            .from(sop::Entity)
            .cond_where(
                Cond::any().add(sop::Column::OwnerId.eq(who.person.0)).add(sop::Column::TeamId.is_in(teams.clone())),
            )
            .to_owned();
        let processes = query()
            .column(process::Column::Id)
            .from(process::Entity)
            .and_where(process::Column::TeamId.is_in(teams.clone()))
            .to_owned();
        let seen = Cond::any()
            .add(execution::Column::TeamId.is_in(teams))
            .add(execution::Column::SopId.in_subquery(sops))
            .add(execution::Column::ProcessId.in_subquery(processes));
        all = all.add(seen);
    }
    let equal = [
        filter.process.map(|p| execution::Column::ProcessId.eq(p.0)),
        filter.sop.map(|s| execution::Column::SopId.eq(s.0)),
        filter.source.as_ref().map(|s| execution::Column::Source.eq(s)),
        filter.run_id.as_ref().map(|r| execution::Column::RunId.eq(r)),
    ];
    equal.into_iter().flatten().fold(all, Cond::add)
}

/// A page of executions within reach, the newest received first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl Connection,
    who: &FiguresReach,
    filter: &ExecutionFilter,
    window: &Window,
) -> Result<Page<ExecutionRow>> {
    let select = execution::Entity::find().filter(condition(who, filter));
    page::list(db, select, (execution::Column::ReceivedAt, Some(execution::Column::Id)), true, window).await
}

/// How many executions there are within reach.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, who: &FiguresReach, filter: &ExecutionFilter) -> Result<u64> {
    Ok(execution::Entity::find().filter(condition(who, filter)).count(db).await?)
}
