//! Roll-ups computed anew from the executions, and from what is kept of those that were deleted.

use sea_orm::{DatabaseTransaction, DbBackend, IsolationLevel, Statement, TransactionTrait as _, Value};
use sopwith_domain::calendar::Zone;
use sopwith_domain::rollup::{Delta, LAYOUT};
use sopwith_domain::time::Timestamp;

use super::compact::apply;
use super::expired;
use super::form::state;
use super::row::{self, COLUMNS, Counted};
use crate::error::{Error, Result};
use crate::store::{Connection, Store, Uuid, executions};

/// Executions that are read at a time.
const CHUNK: u64 = 5_000;

/// When a run belongs to, in SQL, as [`sopwith_domain::rollup::Facts::cohort`] says it.
pub(in crate::store) const COHORT: &str = "COALESCE(started_at, finished_at, received_at)";

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
    if let Some(found) = prepared(store, store.read()).await? {
        return Ok(found);
    }
    executions::judge_stored(store).await?;
    let tx = hold(store).await?;
    // Another replica may have done it while this one waited.
    if let Some(found) = prepared(store, &tx).await? {
        return Ok(found);
    }
    let built = build(&tx, store.zone()).await?;
    tx.commit().await?;
    Ok(Prepared::Built(built))
}

/// How they are, where they need not be made.
async fn prepared(store: &Store, db: &impl Connection) -> Result<Option<Prepared>> {
    let kept = state(db).await?.form;
    let found = if kept == store.form() { Prepared::Ready } else { Prepared::OtherZone(kept.zone) };
    Ok((kept.layout == LAYOUT).then_some(found))
}

/// Computes all roll-ups anew, in the time zone of the store; answers from how many executions. Readers see the old
/// ones until it is done. On PostgreSQL executions are taken meanwhile, unless the time zone or the layout changes; on
/// SQLite, and then, whoever writes has to wait, and gives up in the end.
///
/// # Errors
/// When the database does not answer: the old ones stay.
pub async fn rebuild(store: &Store) -> Result<u64> {
    if state(store.read()).await?.form.layout != LAYOUT {
        executions::judge_stored(store).await?;
    }
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
    loop {
        let is_same_form = state(store.read()).await?.form == store.form();
        let tx = store.writer().begin_with_config(Some(IsolationLevel::RepeatableRead), None).await?;
        // Before anything is read: what is seen is of the time when the locks were had. Compaction locks the row.
        tx.execute_unprepared("LOCK TABLE rollup_state IN EXCLUSIVE MODE").await?;
        if !is_same_form {
            // What would be appended meanwhile would be in the old form.
            tx.execute_unprepared("LOCK TABLE rollup_delta, rollup_expired IN SHARE ROW EXCLUSIVE MODE").await?;
            return Ok(tx);
        }
        // Another may have changed it while this one waited.
        if state(&tx).await?.form == store.form() {
            return Ok(tx);
        }
        tx.rollback().await?;
    }
}

async fn build(tx: &DatabaseTransaction, zone: Zone) -> Result<u64> {
    // What is committed from here on stays a delta, and is added later.
    for table in ["rollup", "rollup_series", "rollup_delta"] {
        tx.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    let (mut after, mut done) = ((Timestamp::MIN, Uuid::nil()), 0);
    loop {
        let rows = next(tx, after, Timestamp::MAX).await?;
        let Some(last) = rows.last() else { break };
        after = last.place();
        done += rows.len() as u64;
        apply(tx, zone, &delta(zone, &rows)?).await?;
    }
    let mut after = 0;
    while let Some((last, kept)) = expired::next(tx, after).await? {
        after = last;
        apply(tx, zone, &kept.by_hours(zone).map_err(Error::internal)?).await?;
    }
    let backend = tx.get_database_backend();
    let place = |n: usize| if backend == DbBackend::Sqlite { "?".to_owned() } else { format!("${n}") };
    let sql = format!(
        "UPDATE rollup_state SET layout = {}, time_zone = {}, drift = 0, builds = builds + 1 WHERE id = 1",
        place(1),
        place(2)
    );
    let values = [Value::from(LAYOUT), Value::from(zone.to_string())];
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(done)
}

/// An execution as it is counted.
pub(super) struct Run {
    id: Uuid,
    counted: Counted,
}

impl Run {
    /// Its place in the order of [`next`].
    pub(super) fn place(&self) -> (Timestamp, Uuid) {
        (self.counted.1.cohort(), self.id)
    }
}

/// The executions after this one and before a time, in the order of theirs; some of them.
pub(super) async fn next(db: &impl Connection, (at, id): (Timestamp, Uuid), to: Timestamp) -> Result<Vec<Run>> {
    let backend = db.get_database_backend();
    let [a, b, c] = if backend == DbBackend::Sqlite { ["?1", "?2", "?3"] } else { ["$1", "$2", "$3"] };
    let sql = format!(
        "SELECT id, {COLUMNS} FROM execution WHERE {COHORT} >= {a} AND {COHORT} < {c} AND ({COHORT} > {a} OR id > {b}) \
         AND mode <> 'PRACTICE' ORDER BY {COHORT}, id LIMIT {CHUNK}"
    );
    let values = [at.micros().into(), id.into(), to.micros().into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(|row| Ok(Run { id: row.try_get_by_index(0)?, counted: row::read(row, 1)? })).collect()
}

/// What executions say.
pub(super) fn delta(zone: Zone, rows: &[Run]) -> Result<Delta> {
    let mut delta = Delta::default();
    for Run { counted: (key, facts), .. } in rows {
        delta.add(zone, *key, facts).map_err(Error::internal)?;
    }
    Ok(delta)
}
