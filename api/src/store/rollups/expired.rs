//! What is kept of executions that were deleted: what figures take from them, by parts of an hour, so that sums can be
//! computed anew and compared whether executions are there or not. It is written once and never changed.

use std::collections::BTreeMap;

use sea_orm::{DbBackend, QueryResult, Statement};
use sopwith_domain::calendar::{Stretch, Zone};
use sopwith_domain::rollup::Delta;
use sopwith_domain::time::{HOUR, Timestamp};

use super::form::expect;
use super::row::Counted;
use crate::error::{Error, Result};
use crate::store::Connection;
use crate::store::bulk::{Column, Rows};

/// Rows that are read at a time: each is of at most as many runs as are deleted in a transaction.
const CHUNK: u64 = 100;

/// Keeps what figures take from runs, in the transaction that deletes them.
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer.
pub async fn keep(db: &impl Connection, zone: Zone, runs: &[Counted]) -> Result<()> {
    let mut hours: BTreeMap<i64, Delta> = BTreeMap::new();
    for (key, facts) in runs {
        // Parts of an hour begin no earlier than the hour of UTC that the run is in.
        let hour = facts.cohort().micros().div_euclid(HOUR).saturating_mul(HOUR);
        hours.entry(hour).or_default().keep(zone, *key, facts).map_err(Error::internal)?;
    }
    if !hours.is_empty() {
        let rows = Rows::default()
            .with("hour_at", Column::Numbers(hours.keys().copied().collect()))
            .with("sums", Column::Bytes(hours.values().map(Delta::encode).collect()));
        db.execute_raw(rows.insert(db.get_database_backend(), "rollup_expired", "")).await?;
    }
    // Afterwards: what changes the form keeps the table from those who add to it until it is done.
    expect(db, zone).await.map(drop)
}

/// What is kept of runs of a stretch of time.
///
/// # Errors
/// When the database does not answer.
pub async fn deleted(db: &impl Connection, (from, to): Stretch) -> Result<Delta> {
    let backend = db.get_database_backend();
    let [a, b] = places(backend);
    let sql = format!("SELECT sums FROM rollup_expired WHERE hour_at > {a} AND hour_at < {b}");
    let values = [hours_from(from).into(), to.micros().into()];
    let mut sum = Delta::default();
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        sum.merge(read(&row, 0)?.within((from, to))).map_err(Error::internal)?;
    }
    Ok(sum)
}

/// The next part of all that is kept, after the row with this id, and the id of its last row.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn next(db: &impl Connection, after: i64) -> Result<Option<(i64, Delta)>> {
    let backend = db.get_database_backend();
    let [a, _] = places(backend);
    let sql = format!("SELECT id, sums FROM rollup_expired WHERE id > {a} ORDER BY id LIMIT {CHUNK}");
    let (mut last, mut sum) = (None, Delta::default());
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, [after.into()])).await? {
        last = Some(row.try_get_by_index(0)?);
        sum.merge(read(&row, 1)?).map_err(Error::internal)?;
    }
    Ok(last.map(|id| (id, sum)))
}

/// Selects the beginning of the first hour that something is kept of, from the hour on that a given time lies in.
pub(super) fn first(backend: DbBackend, from: Timestamp) -> Statement {
    let [a, _] = places(backend);
    let sql = format!("SELECT MIN(hour_at) AS first FROM rollup_expired WHERE hour_at > {a}");
    Statement::from_sql_and_values(backend, sql, [hours_from(from).into()])
}

/// Hours that begin after this are not over at a time.
fn hours_from(from: Timestamp) -> i64 {
    from.micros().saturating_sub(HOUR)
}

fn places(backend: DbBackend) -> [&'static str; 2] {
    if backend == DbBackend::Sqlite { ["?1", "?2"] } else { ["$1", "$2"] }
}

fn read(row: &QueryResult, column: usize) -> Result<Delta> {
    Delta::decode(&row.try_get_by_index::<Vec<u8>>(column)?).map_err(Error::internal)
}
