//! Executions, and the permanent record of the events that made them.

mod conform;
mod expire;
mod horizon;
mod write;

use std::collections::HashMap;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, Order, Query, UnionType};
use sea_orm::{DbBackend, QueryOrder, QueryResult, QuerySelect, Statement};
use sopwith_domain::access::Reach;
use sopwith_domain::execution::{Mode, Run, StepRecord};
use sopwith_domain::ids::{ExecutionId, PersonId, ProcessId, SopId, VersionId};
use sopwith_domain::lifecycle::Label;
use sopwith_domain::time::Timestamp;

use super::bulk::{among_ids, among_texts};
use super::entity::{execution, execution_event, execution_step, execution_violation, process, sop, version};
use super::page::{self, Page, Window};
use super::rollups::{Counted, counted};
use super::{Connection, parse};
use crate::error::{Error, Result};

pub(super) use conform::Models;
pub use conform::{conform, judge_stored};
pub use execution::Model as ExecutionRow;
pub use execution_step::Model as StepRow;
pub use execution_violation::Model as ViolationRow;
pub use expire::expire;
pub use horizon::set_horizon;
pub use write::{Batch, Event, RunToStore, write};

/// Sets the locks of [`queue`] apart from others of the same database.
const QUEUE: i32 = 5;
/// How long is waited for them.
const QUEUE_SECONDS: u32 = 5;

/// Lets a batch of a source in until its transaction ends: beside others, or alone, after those that are in. Two that bring
/// the same run for the first time cannot both be stored, and only one that is alone is sure to see what others brought.
/// On SQLite every batch is alone.
///
/// # Errors
/// `Unavailable` when those that are in take too long; others when the database does not answer.
pub async fn queue(db: &impl Connection, source: &str, alone: bool) -> Result<()> {
    let backend = db.get_database_backend();
    if backend == DbBackend::Postgres {
        let lock = if alone { "pg_advisory_xact_lock" } else { "pg_advisory_xact_lock_shared" };
        // One that hangs inside keeps the others waiting, not their connections for good. What they wait for later on is
        // none of it.
        let sql = format!(
            "WITH before AS MATERIALIZED (SELECT current_setting('lock_timeout') AS was) \
             SELECT set_config('lock_timeout', '{QUEUE_SECONDS}s', true), {lock}({QUEUE}, hashtext($1)), \
                set_config('lock_timeout', was, true) FROM before"
        );
        db.execute_raw(Statement::from_sql_and_values(backend, sql, [source.into()])).await?;
    }
    Ok(())
}

/// Fingerprints, in hex, of the events of a source that were taken before.
///
/// # Errors
/// When the database does not answer.
pub async fn fingerprints(db: &impl Connection, source: &str, events: &[&str]) -> Result<HashMap<String, String>> {
    let these = among_texts(db, execution_event::Column::EventId, events.iter().copied());
    let select = execution_event::Entity::find().filter(execution_event::Column::Source.eq(source).and(these));
    let columns = [execution_event::Column::EventId, execution_event::Column::Fingerprint];
    let rows: Vec<(String, String)> = select.select_only().columns(columns).into_tuple().all(db).await?;
    Ok(rows.into_iter().collect())
}

/// What a run that is stored keeps, whatever more is told of it.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// What its first batch was for.
    pub mode: Mode,
    /// How far times of it were moved back at the most, in microseconds.
    pub clock_lead: i64,
    /// The process that it belongs to.
    pub process: ProcessId,
    /// After how many microseconds it counts as abandoned, where that process said so.
    pub horizon: Option<i64>,
    /// As what it is counted.
    pub counted: Option<Counted>,
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
    let of = execution::Column::Source.eq(source).and(among_texts(db, execution::Column::RunId, ids.iter().copied()));
    let rows =
        execution::Entity::find().filter(of).order_by_asc(execution::Column::Id).lock_exclusive().all(db).await?;
    let mut steps: HashMap<Uuid, Vec<StepRow>> = HashMap::new();
    for step in steps_of(db, &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await? {
        steps.entry(step.execution_id).or_default().push(step);
    }
    let read = |row: ExecutionRow| {
        let mut run: Run = serde_json::from_str(&row.facts).map_err(Error::internal)?;
        run.steps = steps.remove(&row.id).unwrap_or_default().iter().map(step).collect::<Result<_>>()?;
        let (mode, process) = (parse(&row.mode)?, ProcessId(row.process_id));
        let (clock_lead, horizon, counted) = (row.clock_lead, row.horizon, counted(&row)?);
        let stored = Stored { mode, clock_lead, process, horizon, counted };
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

/// A time during which a version was in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The SOP.
    pub sop: SopId,
    /// Its code.
    pub code: String,
    /// Its process.
    pub process: ProcessId,
    /// After how many microseconds runs of that count as abandoned, where it says so.
    pub horizon: Option<i64>,
    /// The version.
    pub version: VersionId,
    /// Its label.
    pub label: String,
    /// From when.
    pub from: Timestamp,
    /// Until when; still in force when absent.
    pub until: Option<Timestamp>,
}

/// The times during which versions were in force, of all SOPs of the processes with these keys, and of those that the SOPs
/// with these codes are of; in their order.
///
/// # Errors
/// When the database does not answer.
pub async fn in_force(db: &impl Connection, processes: &[String], sops: &[String]) -> Result<Vec<InForce>> {
    let of_codes = Query::select()
        .column(sop::Column::ProcessId)
        .from(sop::Entity)
        .and_where(among_texts(db, sop::Column::Code, sops.iter().map(String::as_str)))
        .to_owned();
    // Together, and not two conditions: those could not be answered by an index.
    let involved = Query::select()
        .column(process::Column::Id)
        .from(process::Entity)
        .and_where(among_texts(db, process::Column::Key, processes.iter().map(String::as_str)))
        .union(UnionType::Distinct, of_codes)
        .to_owned();
    let select = Query::select()
        .columns([sop::Column::Id, sop::Column::Code, sop::Column::ProcessId].map(|c| c.as_column_ref()))
        .columns([version::Column::Id, version::Column::Major, version::Column::Minor].map(|c| c.as_column_ref()))
        .columns([version::Column::PublishedAt, version::Column::EndedAt].map(|c| c.as_column_ref()))
        .expr(Expr::cust("(SELECT horizon FROM process WHERE process.id = sop.process_id)"))
        .from(sop::Entity)
        .inner_join(
            version::Entity,
            Expr::col(version::Column::SopId.as_column_ref()).equals(sop::Column::Id.as_column_ref()),
        )
        .and_where(sop::Column::ProcessId.in_subquery(involved))
        .and_where(version::Column::PublishedAt.is_not_null())
        .order_by(version::Column::PublishedAt.as_column_ref(), Order::Asc)
        .to_owned();
    let read = |row: QueryResult| {
        let (major, minor) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        Ok(InForce {
            sop: SopId(row.try_get_by_index(0)?),
            code: row.try_get_by_index(1)?,
            process: ProcessId(row.try_get_by_index(2)?),
            version: VersionId(row.try_get_by_index(3)?),
            label: Label { major, minor }.to_string(),
            from: Timestamp::from_micros(row.try_get_by_index(6)?),
            until: row.try_get_by_index::<Option<i64>>(7)?.map(Timestamp::from_micros),
            horizon: row.try_get_by_index(8)?,
        })
    };
    db.query_all(&select).await?.into_iter().map(read).collect()
}

/// Steps of executions, in the order in which they began.
///
/// # Errors
/// When the database does not answer.
pub async fn steps_of(db: &impl Connection, executions: &[Uuid]) -> Result<Vec<StepRow>> {
    if executions.is_empty() {
        return Ok(Vec::new());
    }
    let of = among_ids(db, execution_step::Column::ExecutionId, executions.iter().copied());
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
        let query = Query::select;
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
