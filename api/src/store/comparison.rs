//! Runs of a process in a stretch of time, counted exactly, and read one by one for a comparison of people.
//!
//! Which run counts for what is said here in SQL and in [`sopwith_domain::measurement::sample`] in Rust; a test compares
//! the two.

use std::fmt::Write as _;

use sea_orm::{DbBackend, QueryResult, Statement, Value};
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};
use sopwith_domain::measurement::sample::Observed;
use sopwith_domain::measurement::{Figure, Median, Metric, Stretch};
use sopwith_domain::metrics::{Ranks, Ratio};
use sopwith_domain::time::Timestamp;

use super::{Connection, Uuid, parse};
use crate::error::Result;

/// More runs of a side than this are not read one by one, but a part of them, spread evenly over the time.
pub const MOST_RUNS: i64 = 15_000;
/// Stretches per statement.
const STRETCHES: usize = 500;

/// It ended while it was watched; of some it is only known that they ended.
pub(super) const ENDED: &str = "(finished_at - started_at <= watch OR (finished_at IS NULL AND outcome IS NOT NULL))";
/// It went wrong.
pub(super) const FAILED: &str = "(errors > 0 OR outcome = 'FAILED')";
/// It was right the first time.
const RIGHT: &str = "(outcome = 'SUCCEEDED' AND errors = 0 AND rework = 0 AND violations = 0)";
/// It has a time, or takes longer than it was watched.
const TIMED: &str = "(finished_at IS NOT NULL OR outcome IS NULL OR outcome = 'ABANDONED')";
/// It was completed while it was watched. An abandoned one was not completed.
const COMPLETED: &str = "(finished_at - started_at <= watch AND (outcome IS NULL OR outcome <> 'ABANDONED'))";

/// Runs that are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Of this process.
    pub process: ProcessId,
    /// Those that started in this time. Training runs are never among them.
    pub stretch: Stretch,
    /// For how long each is watched, in microseconds.
    pub watch: i64,
}

/// What runs of a stretch come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many.
    pub runs: i64,
    /// Those of which it is known who performed them.
    pub of_people: i64,
    /// How many people that were.
    pub people: i64,
    /// Teams that performed them.
    pub teams: i64,
    /// When the first started, and the last, of those that somebody is named for.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Runs that followed the procedure, of those of which that is known.
    pub adoption: Ratio,
    /// Runs with an error or the outcome FAILED, of those that ended.
    pub error_rate: Ratio,
    /// Runs right the first time, of those that ended.
    pub first_time_right: Ratio,
    /// The median of completion times.
    pub completion_time: Median,
}

impl Counts {
    /// The figure of a metric.
    #[must_use]
    pub fn figure(&self, metric: Metric) -> Figure {
        match metric {
            Metric::Adoption => Figure::Share(self.adoption),
            Metric::ErrorRate => Figure::Share(self.error_rate),
            Metric::FirstTimeRight => Figure::Share(self.first_time_right),
            Metric::CompletionTime => Figure::Median(self.completion_time),
        }
    }
}

/// What the runs of each stretch come to, in the order of the stretches: with two statements for all of them, up to 500.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, asked: &[Asked]) -> Result<Vec<Counts>> {
    let mut all = Vec::with_capacity(asked.len());
    for some in asked.chunks(STRETCHES) {
        let mut counts = vec![Counts::default(); some.len()];
        add_counts(db, some, &mut counts).await?;
        add_medians(db, some, &mut counts).await?;
        all.append(&mut counts);
    }
    Ok(all)
}

/// A statement over stretches: `WITH stretch ...`, and their parameters.
pub(super) fn stretches(backend: DbBackend, asked: &[Asked]) -> (String, Vec<Value>) {
    let mut text = "WITH stretch (place, process, low, high, watch) AS (VALUES ".to_owned();
    let mut values = Vec::new();
    for (place, Asked { process, stretch, watch }) in asked.iter().enumerate() {
        values.push(process.0.into());
        let parameter =
            if backend == DbBackend::Sqlite { "?".to_owned() } else { format!("CAST(${} AS uuid)", values.len()) };
        let comma = if place > 0 { ", " } else { "" };
        let (low, high) = (stretch.from.micros(), stretch.to.micros());
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}({place}, {parameter}, {low}, {high}, {watch})");
    }
    text.push_str(") ");
    (text, values)
}

pub(super) const FROM: &str = "FROM stretch JOIN execution ON process_id = process AND started_at >= low AND started_at < high \
     WHERE mode <> 'PRACTICE'";

async fn add_counts(db: &impl Connection, asked: &[Asked], counts: &mut [Counts]) -> Result<()> {
    let backend = db.get_database_backend();
    let (with, values) = stretches(backend, asked);
    let sum = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let sql = format!(
        "{with} SELECT place, COUNT(*) AS runs, COUNT(actor_id) AS of_people, COUNT(DISTINCT actor_id) AS people, \
            COUNT(DISTINCT team_id) AS teams, MIN(CASE WHEN actor_id IS NOT NULL THEN started_at END) AS first, \
            MAX(CASE WHEN actor_id IS NOT NULL THEN started_at END) AS last, \
            {} AS followed, {} AS known, {} AS failed, {} AS was_right, {} AS ended, {} AS timed, {} AS completed \
         {FROM} GROUP BY place",
        sum("adherence = 'FOLLOWED'"),
        sum("adherence <> 'UNKNOWN'"),
        sum(&format!("{ENDED} AND {FAILED}")),
        sum(&format!("{ENDED} AND {RIGHT}")),
        sum(ENDED),
        sum(TIMED),
        sum(COMPLETED),
    );
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        let number = |name: &str| -> Result<i64> { Ok(row.try_get("", name)?) };
        let ratio = |numerator: &str, denominator: &str| -> Result<Ratio> {
            Ok(Ratio { numerator: number(numerator)?, denominator: number(denominator)? })
        };
        let at = |name: &str| -> Result<Option<Timestamp>> {
            Ok(row.try_get::<Option<i64>>("", name)?.map(Timestamp::from_micros))
        };
        let found = Counts {
            runs: number("runs")?,
            of_people: number("of_people")?,
            people: number("people")?,
            teams: number("teams")?,
            span: at("first")?.zip(at("last")?),
            adoption: ratio("followed", "known")?,
            error_rate: ratio("failed", "ended")?,
            first_time_right: ratio("was_right", "ended")?,
            completion_time: Median { runs: number("timed")?, completed: number("completed")?, ..Median::default() },
        };
        if let Some(counts) = place(&row)?.and_then(|place| counts.get_mut(place)) {
            *counts = found;
        }
    }
    Ok(())
}

/// Which stretch a row is of. It is written into the statement as a number, which PostgreSQL takes for a short one.
fn place(row: &QueryResult) -> Result<Option<usize>> {
    Ok(usize::try_from(row.try_get::<i32>("", "place")?).ok())
}

async fn add_medians(db: &impl Connection, asked: &[Asked], counts: &mut [Counts]) -> Result<()> {
    // A rank beyond those that were completed is one of a run that took longer.
    let ranks: Vec<Option<Ranks>> = counts.iter().map(|c| Ranks::of(50, c.completion_time.runs)).collect();
    let wanted: Vec<String> = ranks
        .iter()
        .enumerate()
        .filter_map(|(place, ranks)| ranks.map(|r| [r.low, r.at, r.high].map(|rank| format!("({place}, {rank})"))))
        .flatten()
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let backend = db.get_database_backend();
    let (with, values) = stretches(backend, asked);
    let sql = format!(
        "{with}, wanted (place, rank) AS (VALUES {}), \
            ranked AS (SELECT place, finished_at - started_at AS took, \
                ROW_NUMBER() OVER (PARTITION BY place ORDER BY finished_at - started_at) AS rank {FROM} AND {COMPLETED}) \
         SELECT DISTINCT ranked.place, CAST(ranked.rank AS bigint) AS rank, ranked.took FROM ranked \
         JOIN wanted ON wanted.place = ranked.place AND wanted.rank = ranked.rank",
        wanted.join(", ")
    );
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        let (rank, took): (i64, i64) = (row.try_get("", "rank")?, row.try_get("", "took")?);
        let Some(place) = place(&row)? else { continue };
        if let (Some(counts), Some(Some(ranks))) = (counts.get_mut(place), ranks.get(place)) {
            let median = &mut counts.completion_time;
            for (wanted, end) in
                [(ranks.low, &mut median.low), (ranks.at, &mut median.value), (ranks.high, &mut median.high)]
            {
                if wanted == rank {
                    *end = Some(took);
                }
            }
        }
    }
    Ok(())
}

/// The runs of a stretch that somebody is named for; `count` says how many those are. Of more than [`MOST_RUNS`] a part
/// is read, chosen by the last bits of their ids, which are chance: so it is spread evenly, and the same each time.
///
/// # Errors
/// When the database does not answer.
pub async fn read(db: &impl Connection, asked: &Asked, count: i64) -> Result<Vec<Observed>> {
    let backend = db.get_database_backend();
    let (with, values) = stretches(backend, std::slice::from_ref(asked));
    let sql = format!(
        "{with} SELECT actor_id, team_id, started_at, finished_at, outcome, adherence, errors, rework, violations \
         {FROM} AND actor_id IS NOT NULL{}",
        part(backend, count)
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(observed).collect()
}

/// Which part of so many runs is read, as a further condition.
pub(super) fn part(backend: DbBackend, count: i64) -> String {
    if count <= MOST_RUNS {
        return String::new();
    }
    let bits = (MOST_RUNS * 0x1_0000 / count).max(1);
    match backend {
        DbBackend::Sqlite => format!(" AND substr(id, 15, 2) < X'{bits:04x}'"),
        _ => format!(" AND substring(uuid_send(id) from 15 for 2) < '\\x{bits:04x}'::bytea"),
    }
}

fn observed(row: &QueryResult) -> Result<Observed> {
    let at = |name: &str| -> Result<Option<Timestamp>> {
        Ok(row.try_get::<Option<i64>>("", name)?.map(Timestamp::from_micros))
    };
    let outcome: Option<String> = row.try_get("", "outcome")?;
    let number = |name: &str| -> Result<i32> { Ok(row.try_get("", name)?) };
    Ok(Observed {
        actor: PersonId(row.try_get("", "actor_id")?),
        team: row.try_get::<Option<Uuid>>("", "team_id")?.map(TeamId),
        started_at: Timestamp::from_micros(row.try_get("", "started_at")?),
        finished_at: at("finished_at")?,
        outcome: outcome.map(|text| parse(&text)).transpose()?,
        adherence: parse(&row.try_get::<String>("", "adherence")?)?,
        errors: number("errors")?,
        rework: number("rework")?,
        violations: number("violations")?,
    })
}
