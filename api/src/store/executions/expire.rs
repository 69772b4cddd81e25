//! Executions are deleted that lie further back than they are kept. Figures keep what they took from them, and their names
//! stay, so that none comes into being a second time.

use sea_orm::{DatabaseTransaction, QueryResult, Statement};
use sopwith_domain::access::Permit;
use sopwith_domain::execution::Mode;
use sopwith_domain::time::Timestamp;

use super::ExecutionRow;
use crate::error::Result;
use crate::store::bulk::{Column, Rows};
use crate::store::rollups::{self, COHORT, COLUMNS, Counted};
use crate::store::{Connection, Store, Uuid};

/// Executions that are deleted in one transaction, so that on SQLite other writers wait for a short time only.
const CHUNK: usize = 500;

/// Deletes executions that have ended and belong to a time before this one, with their steps and violations, in short
/// transactions, until none is left or `stop` says so; answers how many that were. One that a batch is changing is left
/// for the next time.
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer. What was deleted
/// before stays so.
pub async fn expire(store: &Store, _permit: &Permit, before: Timestamp, stop: impl Fn() -> bool) -> Result<u64> {
    let (mut after, mut done) = ((Timestamp::MIN, Uuid::nil()), 0);
    // Without anything to do no lock is taken, which on SQLite would hold up writers.
    while !stop() && !due(store.read(), after, before, 1, "").await?.is_empty() {
        let tx = store.begin().await?;
        let rows = due_locked(&tx, after, before).await?;
        // Another may have been faster.
        let Some(last) = rows.last() else { break };
        after = last.place;
        delete(&tx, &rows).await?;
        let counted: Vec<Counted> = rows.iter().filter_map(|row| row.counted).collect();
        rollups::keep(&tx, store.zone(), &counted).await?;
        tx.commit().await?;
        done += rows.len() as u64;
    }
    Ok(done)
}

/// An execution that is to be deleted.
struct Due {
    id: Uuid,
    source: String,
    run_id: String,
    /// Where it stands in the order of time.
    place: (Timestamp, Uuid),
    /// As what it is counted; nothing of a training run.
    counted: Option<Counted>,
}

async fn due_locked(tx: &DatabaseTransaction, after: (Timestamp, Uuid), before: Timestamp) -> Result<Vec<Due>> {
    let is_sqlite = Connection::get_database_backend(tx) == sea_orm::DbBackend::Sqlite;
    due(tx, after, before, CHUNK, if is_sqlite { "" } else { " FOR UPDATE SKIP LOCKED" }).await
}

/// Executions of before a time that have ended, after this one in the order of theirs.
async fn due(
    db: &impl Connection,
    (at, id): (Timestamp, Uuid),
    before: Timestamp,
    most: usize,
    lock: &str,
) -> Result<Vec<Due>> {
    let backend = db.get_database_backend();
    let [a, b, c] = if backend == sea_orm::DbBackend::Sqlite { ["?1", "?2", "?3"] } else { ["$1", "$2", "$3"] };
    let sql = format!(
        "SELECT id, source, run_id, mode, {COLUMNS} FROM execution \
         WHERE {COHORT} >= {a} AND {COHORT} < {c} AND ({COHORT} > {a} OR id > {b}) \
            AND (finished_at IS NOT NULL OR outcome IS NOT NULL) \
         ORDER BY {COHORT}, id LIMIT {most}{lock}"
    );
    let values = [at.micros().into(), id.into(), before.micros().into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Due> {
    let (key, facts) = rollups::read(row, 4)?;
    let id = row.try_get_by_index(0)?;
    let is_practice = row.try_get_by_index::<String>(3)? == Mode::Practice.as_str();
    Ok(Due {
        id,
        source: row.try_get_by_index(1)?,
        run_id: row.try_get_by_index(2)?,
        place: (facts.cohort(), id),
        counted: (!is_practice).then_some((key, facts)),
    })
}

async fn delete(tx: &DatabaseTransaction, rows: &[Due]) -> Result<()> {
    let backend = Connection::get_database_backend(tx);
    let names = names(rows.iter().map(|row| (&row.source, &row.run_id)));
    // One that is there already was brought back past the service: it is not to keep the others from being deleted. On SQLite a
    // trigger refuses it before it would be a conflict.
    let new = "AND NOT EXISTS (SELECT 1 FROM execution_expired AS gone WHERE gone.source = given.source \
        AND gone.run_id = given.run_id) ON CONFLICT (source, run_id) DO NOTHING";
    tx.execute_raw(names.insert(backend, "execution_expired", new)).await?;
    for (table, column) in
        [("execution_step", "execution_id"), ("execution_violation", "execution_id"), ("execution", "id")]
    {
        let ids = Rows::default().with("id", Column::Uuids(rows.iter().map(|row| row.id).collect()));
        let before = format!("DELETE FROM {table} WHERE {column} IN (SELECT id FROM");
        tx.execute_raw(ids.statement(backend, &before, ")")).await?;
    }
    Ok(())
}

/// Which of these runs, that were just stored as new ones, were deleted before: of those the transaction must not be
/// committed. To be asked after they were stored: a name that could be taken had been given up by then, if it ever was
/// another's, and what gave it up is seen.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn deleted(db: &impl Connection, new: &[ExecutionRow]) -> Result<Vec<String>> {
    let names = names(new.iter().map(|row| (&row.source, &row.run_id)));
    // A cross join, so that SQLite does not turn the two around and read all names.
    let after = "CROSS JOIN execution_expired AS gone WHERE gone.source = given.source AND gone.run_id = given.run_id";
    let select = names.statement(db.get_database_backend(), "SELECT given.run_id FROM", after);
    db.query_all_raw(select).await?.iter().map(|row| Ok(row.try_get_by_index(0)?)).collect()
}

fn names<'a>(of: impl Iterator<Item = (&'a String, &'a String)>) -> Rows {
    let (sources, run_ids) = of.map(|(source, run_id)| (source.clone(), run_id.clone())).unzip();
    Rows::default().with("source", Column::Texts(sources)).with("run_id", Column::Texts(run_ids))
}
