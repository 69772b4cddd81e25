//! Roll-ups computed anew from the executions.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, DbBackend, IsolationLevel, Statement, TransactionTrait as _, Value};
use sopwith_domain::calendar::Zone;
use sopwith_domain::rollup::{Delta, LAYOUT};
use sopwith_domain::time::Timestamp;

use super::compact::apply;
use super::row::counted;
use crate::error::{Error, Result};
use crate::store::entity::execution;
use crate::store::{Connection, Store, executions};

/// Executions that are read at a time.
const CHUNK: u64 = 5_000;

/// When a run belongs to, in SQL, as [`sopwith_domain::rollup::Facts::cohort`] says it.
pub(super) const COHORT: &str = "COALESCE(started_at, finished_at, received_at)";

/// How the roll-ups were found at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// As they are to be.
    Ready,
    /// Of an older version of the service, or never made: they were computed from so many executions.
    Built(u64),
    /// Kept in another time zone than the one that is set.
    OtherZone(Zone),
}

/// Makes roll-ups where there are none yet, or only those of an older version of the service.
///
/// # Errors
/// When the database does not answer.
pub async fn prepare(store: &Store) -> Result<Prepared> {
    let (layout, zone) = state(store.read()).await?;
    if layout == LAYOUT {
        return Ok(if zone == store.zone() { Prepared::Ready } else { Prepared::OtherZone(zone) });
    }
    executions::judge_stored(store).await?;
    let tx = hold(store).await?;
    // Another replica may have done it while this one waited.
    if let (LAYOUT, zone) = state(&tx).await? {
        return Ok(if zone == store.zone() { Prepared::Ready } else { Prepared::OtherZone(zone) });
    }
    let built = build(&tx, store.zone()).await?;
    tx.commit().await?;
    Ok(Prepared::Built(built))
}

/// Computes all roll-ups anew, in the time zone of the store; answers from how many executions. Readers see the old
/// ones until it is done. On PostgreSQL executions are taken meanwhile; on SQLite whoever
/// writes gives up after ten seconds.
///
/// # Errors
/// When the database does not answer: the old ones stay.
pub async fn rebuild(store: &Store) -> Result<u64> {
    let tx = hold(store).await?;
    let built = build(&tx, store.zone()).await?;
    tx.commit().await?;
    Ok(built)
}

/// A transaction that sees one moment, and in which nobody else changes the sums.
async fn hold(store: &Store) -> Result<DatabaseTransaction> {
    if store.read().get_database_backend() == DbBackend::Sqlite {
        return store.begin().await;
    }
    let tx = store.writer().begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
    // Before anything is read: what is seen is of the time when the lock was had. Compaction locks the row.
    tx.execute_unprepared("LOCK TABLE rollup_state IN EXCLUSIVE MODE").await?;
    Ok(tx)
}

async fn build(tx: &DatabaseTransaction, zone: Zone) -> Result<u64> {
    // What is committed from here on stays a delta, and is added later.
    for table in ["rollup", "rollup_series", "rollup_delta"] {
        tx.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    let (mut after, mut done) = ((i64::MIN, Uuid::nil()), 0);
    loop {
        let rows = next(tx, after, Timestamp::MAX).await?;
        let Some(last) = rows.last() else { break };
        after = (cohort(last), last.id);
        done += rows.len() as u64;
        apply(tx, zone, &delta(zone, &rows)?).await?;
    }
    let backend = tx.get_database_backend();
    let place = |n: usize| if backend == DbBackend::Sqlite { "?".to_owned() } else { format!("${n}") };
    let sql =
        format!("UPDATE rollup_state SET layout = {}, time_zone = {}, drift = 0 WHERE id = 1", place(1), place(2));
    let values = [Value::from(LAYOUT), Value::from(zone.to_string())];
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(done)
}

/// The executions after this one and before a time, in the order of theirs; some of them.
pub(super) async fn next(db: &impl Connection, (at, id): (i64, Uuid), to: Timestamp) -> Result<Vec<execution::Model>> {
    let backend = db.get_database_backend();
    let [a, b, c] = if backend == DbBackend::Sqlite { ["?1", "?2", "?3"] } else { ["$1", "$2", "$3"] };
    let sql = format!(
        "SELECT * FROM execution WHERE {COHORT} >= {a} AND {COHORT} < {c} AND ({COHORT} > {a} OR id > {b}) \
         AND mode <> 'PRACTICE' ORDER BY {COHORT}, id LIMIT {CHUNK}"
    );
    let statement = Statement::from_sql_and_values(backend, sql, [at.into(), id.into(), to.micros().into()]);
    Ok(execution::Entity::find().from_raw_sql(statement).all(db).await?)
}

pub(super) fn cohort(row: &execution::Model) -> i64 {
    row.started_at.or(row.finished_at).unwrap_or(row.received_at)
}

/// What executions say.
pub(super) fn delta(zone: Zone, rows: &[execution::Model]) -> Result<Delta> {
    let mut delta = Delta::default();
    for row in rows {
        if let Some((key, facts)) = counted(row)? {
            delta.add(zone, key, &facts).map_err(Error::internal)?;
        }
    }
    Ok(delta)
}

/// Which roll-ups there are: their layout and time zone.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn state(db: &impl Connection) -> Result<(i32, Zone)> {
    let sql = "SELECT layout, time_zone FROM rollup_state WHERE id = 1";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let row = row.ok_or_else(|| Error::internal("the roll-ups have no state"))?;
    let zone = row.try_get::<String>("", "time_zone")?.parse().map_err(Error::internal)?;
    Ok((row.try_get("", "layout")?, zone))
}
