//! Figures computed from the raw executions. Everything that asks for figures asks here, so that roll-ups can take the
//! place of these statements without anyone noticing.

mod sql;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, Statement};
use sopwith_domain::ids::{ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::metrics::Ranks;
use sopwith_domain::time::Timestamp;

use self::sql::{Groups, Sql};
use super::executions::FiguresReach;
use super::{Connection, parse};
use crate::error::Result;

/// What figures are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// By process.
    Process,
    /// By SOP.
    Sop,
    /// By version.
    Version,
    /// By the team that performed it.
    Team,
}

/// Time buckets, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks, from Monday.
    Week,
    /// Months.
    Month,
}

/// The runs that ended: those whose finish is known, or how they ended.
const ENDED: &str = "(finished_at IS NOT NULL OR outcome IS NOT NULL)";
/// The runs that have a completion time. An abandoned one was not completed.
const COMPLETED: &str =
    "started_at IS NOT NULL AND finished_at IS NOT NULL AND (outcome IS NULL OR outcome <> 'ABANDONED')";

/// Which figures are asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Of this process.
    pub process: Option<ProcessId>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// Of this version.
    pub version: Option<VersionId>,
    /// Of runs performed by this team.
    pub team: Option<TeamId>,
    /// Of runs that started at this time or later.
    pub from: Option<Timestamp>,
    /// Of runs that started before this time.
    pub to: Option<Timestamp>,
    /// Grouped by these.
    pub by: BTreeSet<Dimension>,
    /// And by time.
    pub bucket: Option<Bucket>,
}

/// What a group of runs has in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The process.
    pub process: Option<Uuid>,
    /// The SOP.
    pub sop: Option<Uuid>,
    /// The version.
    pub version: Option<Uuid>,
    /// The team.
    pub team: Option<Uuid>,
    /// The first microsecond of the time bucket.
    pub bucket: Option<i64>,
}

/// A percentile of completion times with its interval, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile {
    /// The nearest-rank value.
    pub value: i64,
    /// The lower end.
    pub low: i64,
    /// The upper end.
    pub high: i64,
}

/// The figures of a group of runs.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What the runs have in common.
    pub group: Group,
    /// How many.
    pub runs: i64,
    /// By what they say of the SOP in force: followed, deviated, not followed, unknown.
    pub adherence: [i64; 4],
    /// Those that ended.
    pub finished: i64,
    /// Of those, the ones with an error or the outcome FAILED.
    pub with_errors: i64,
    /// Violations in all of them.
    pub violations: i64,
    /// Those with a completion time.
    pub completed: i64,
    /// The sum of completion times, in microseconds.
    pub completion_sum: f64,
    /// Percentiles by their number; empty when nothing was completed.
    pub percentiles: BTreeMap<i64, Percentile>,
}

/// The percentiles that are given.
pub const PERCENTILES: [i64; 3] = [50, 90, 95];

/// More groups than this are not answered.
pub const MAX_GROUPS: usize = 2_000;

/// The figures that are asked for, within reach, in the order of their groups; at most one more than [`MAX_GROUPS`].
///
/// # Errors
/// When the database does not answer.
pub async fn compute(db: &impl Connection, who: &FiguresReach, question: &Question) -> Result<Vec<Figures>> {
    let mut sql = Sql::new(db.get_database_backend());
    let groups = sql.groups(question);
    sql.text(&format!(
        "SELECT {}COUNT(*) AS runs, \
            SUM(CASE WHEN adherence = 'FOLLOWED' THEN 1 ELSE 0 END) AS followed, \
            SUM(CASE WHEN adherence = 'DEVIATED' THEN 1 ELSE 0 END) AS deviated, \
            SUM(CASE WHEN adherence = 'NOT_FOLLOWED' THEN 1 ELSE 0 END) AS not_followed, \
            SUM(CASE WHEN adherence = 'UNKNOWN' THEN 1 ELSE 0 END) AS unknown, \
            SUM(CASE WHEN {ENDED} THEN 1 ELSE 0 END) AS finished, \
            SUM(CASE WHEN {ENDED} AND (errors > 0 OR outcome = 'FAILED') THEN 1 ELSE 0 END) AS failed, \
            SUM(violations) AS violations, \
            SUM(CASE WHEN {COMPLETED} THEN 1 ELSE 0 END) AS completed, \
            SUM(CASE WHEN {COMPLETED} THEN CAST(finished_at - started_at AS double precision) END) AS total \
         FROM execution WHERE ",
        groups.selected
    ));
    sql.conditions(who, question);
    if !groups.names.is_empty() {
        sql.text(&format!(" GROUP BY {0} ORDER BY {0} LIMIT {1}", groups.numbers, MAX_GROUPS + 1));
    }
    let rows = db.query_all_raw(sql.statement()).await?;
    let mut figures = rows.iter().map(|row| read(row, &groups)).collect::<Result<Vec<_>>>()?;
    figures.retain(|f| f.runs > 0);
    if figures.len() <= MAX_GROUPS {
        add_percentiles(db, who, question, &mut figures).await?;
    }
    Ok(figures)
}

async fn add_percentiles(
    db: &impl Connection,
    who: &FiguresReach,
    question: &Question,
    figures: &mut [Figures],
) -> Result<()> {
    // Ranks depend on the size of the group alone: which are wanted is handed in as (size, rank).
    let sizes: BTreeSet<i64> = figures.iter().map(|f| f.completed).collect();
    let ranks = |n: i64| PERCENTILES.iter().filter_map(move |p| Ranks::of(*p, n));
    let wanted: BTreeSet<(i64, i64)> =
        sizes.iter().flat_map(|n| ranks(*n).flat_map(move |r| [(*n, r.at), (*n, r.low), (*n, r.high)])).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new(db.get_database_backend());
    let groups = sql.groups(question);
    let wanted: Vec<String> = wanted.iter().map(|(n, rank)| format!("({n}, {rank})")).collect();
    let partition = if groups.names.is_empty() { "1".to_owned() } else { groups.names.join(", ") };
    sql.text(&format!(
        "WITH wanted (n, rank) AS (VALUES {}), \
            completed AS (SELECT {}finished_at - started_at AS took FROM execution WHERE {COMPLETED} AND ",
        wanted.join(", "),
        groups.selected
    ));
    sql.conditions(who, question);
    sql.text(&format!(
        "), ranked AS (SELECT completed.*, ROW_NUMBER() OVER (PARTITION BY {partition} ORDER BY took) AS rank, \
            COUNT(*) OVER (PARTITION BY {partition}) AS n FROM completed) \
         SELECT ranked.* FROM ranked JOIN wanted ON wanted.n = ranked.n AND wanted.rank = ranked.rank"
    ));
    let mut found: BTreeMap<(Group, i64), i64> = BTreeMap::new();
    for row in db.query_all_raw(sql.statement()).await? {
        found.insert((groups.read(&row)?, row.try_get("", "rank")?), row.try_get("", "took")?);
    }
    for figure in figures {
        for percent in PERCENTILES {
            let at = |rank: i64| found.get(&(figure.group.clone(), rank)).copied();
            let value = Ranks::of(percent, figure.completed)
                .and_then(|r| Some(Percentile { value: at(r.at)?, low: at(r.low)?, high: at(r.high)? }));
            figure.percentiles.extend(value.map(|v| (percent, v)));
        }
    }
    Ok(())
}

fn read(row: &QueryResult, groups: &Groups) -> Result<Figures> {
    // An aggregate over no rows has null sums.
    let number = |name: &str| -> Result<i64> { Ok(row.try_get::<Option<i64>>("", name)?.unwrap_or(0)) };
    Ok(Figures {
        group: groups.read(row)?,
        runs: number("runs")?,
        adherence: [number("followed")?, number("deviated")?, number("not_followed")?, number("unknown")?],
        finished: number("finished")?,
        with_errors: number("failed")?,
        violations: number("violations")?,
        completed: number("completed")?,
        completion_sum: row.try_get::<Option<f64>>("", "total")?.unwrap_or(0.0),
        percentiles: BTreeMap::new(),
    })
}

/// How many SOPs are in each state.
///
/// # Errors
/// When the database does not answer.
pub async fn sops_by_state(db: &impl Connection) -> Result<Vec<(sopwith_domain::lifecycle::SopState, i64)>> {
    let sql = "SELECT state, COUNT(*) AS n FROM sop GROUP BY state";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok((parse(&row.try_get::<String>("", "state")?)?, row.try_get("", "n")?))).collect()
}

/// How many requests are open, and since when the oldest is.
///
/// # Errors
/// When the database does not answer.
pub async fn pending_approvals(db: &impl Connection) -> Result<(i64, Option<Timestamp>)> {
    let sql = "SELECT COUNT(*) AS n, MIN(opened_at) AS oldest FROM approval_request WHERE state = 'OPEN'";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let Some(row) = row else { return Ok((0, None)) };
    Ok((row.try_get("", "n")?, row.try_get::<Option<i64>>("", "oldest")?.map(Timestamp::from_micros)))
}

/// When the last record of each source came.
///
/// # Errors
/// When the database does not answer.
pub async fn last_records(db: &impl Connection) -> Result<Vec<(String, Timestamp)>> {
    let sql = "SELECT source, MAX(received_at) AS last FROM execution GROUP BY source ORDER BY source";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let read = |row: &QueryResult| Ok((row.try_get("", "source")?, Timestamp::from_micros(row.try_get("", "last")?)));
    rows.iter().map(read).collect()
}
