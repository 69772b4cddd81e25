//! Compaction: deltas become part of the sums. Any worker of any replica does it, one at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, Statement, StreamTrait as _};
use sopwith_domain::calendar::Zone;
use sopwith_domain::rollup::{Aggregate, Delta, Tally};
use sopwith_domain::stats::histogram::Change;

use super::form;
use super::series::{Place, Series, Sums, spread};
use crate::error::{Error, Result};
use crate::store::bulk::{Column, Rows, portions};
use crate::store::{Connection, Store};

/// Deltas that are taken in one round at most.
const DELTAS: usize = 200;
/// How many bytes of them are taken in one, so that on SQLite other writers wait for a short time only, and so that sums of
/// runs that have nothing in common take little memory: each of them changes up to twelve rows.
const BYTES: usize = 256 * 1024;
/// How much may wait while others write to SQLite, which has one writer at a time: reports of executions go first until then.
/// Whoever reads figures reads what waits: so much takes about 15 ms.
const PATIENCE_BYTES: i64 = 2 * 1024 * 1024;
/// And how many deltas, however small.
const PATIENCE_DELTAS: i64 = 1_000;
/// Between two looks at whether others write.
const LOOK: Duration = Duration::from_millis(5);
/// Rows per statement: below the limit of parameters of both databases, and a size that SQLite keeps a statement for anyway.
const ROWS: usize = 2_048;

/// Compacts what waits, in rounds of their own transaction, until nothing is left, another worker is at it, `stop` says so, or
/// it gives way to those who write; answers how many deltas that were.
///
/// # Errors
/// `Outdated` when they are kept in another form by now; others when the database does not answer. What was compacted
/// before stays so.
pub async fn compact(store: &Store, stop: impl Fn() -> bool) -> Result<u64> {
    let mut done = 0;
    while !stop() && !gives_way(store).await? {
        match round(store).await? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Whether others are to go first.
async fn gives_way(store: &Store) -> Result<bool> {
    if !store.is_writer_taken() || much_waits(store).await? {
        return Ok(false);
    }
    // A second look, since what was written last is let go of with some delay.
    tokio::time::sleep(LOOK).await;
    Ok(store.is_writer_taken())
}

async fn much_waits(store: &Store) -> Result<bool> {
    let sql = format!(
        "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM \
            (SELECT LENGTH(changes) AS bytes FROM rollup_delta ORDER BY id LIMIT {PATIENCE_DELTAS}) AS waiting"
    );
    let db = store.read();
    let Some(row) = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await? else {
        return Ok(false);
    };
    let (deltas, bytes): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok(deltas >= PATIENCE_DELTAS || bytes >= PATIENCE_BYTES)
}

async fn round(store: &Store) -> Result<u64> {
    // Without anything to do no lock is taken, which on SQLite would hold up writers.
    if super::pending(store.read()).await? == 0 {
        return Ok(0);
    }
    let tx = store.begin().await?;
    let Some(state) = form::hold(&tx).await? else { return Ok(0) };
    store.form().expect(state.form)?;
    let (ids, sum) = oldest(&tx).await?;
    // Another may have been faster.
    if ids.is_empty() {
        return Ok(0);
    }
    let done = ids.len() as u64;
    apply(&tx, store.zone(), &sum).await?;
    for portion in portions(&tx, ids.len(), DELTAS) {
        let rows = Rows::default().with("id", Column::Numbers(ids[portion].to_vec()));
        let backend = Connection::get_database_backend(&tx);
        let delete = rows.statement(backend, "DELETE FROM rollup_delta WHERE id IN (SELECT id FROM", ")");
        tx.execute_raw(delete).await?;
    }
    tx.commit().await?;
    Ok(done)
}

/// What one round takes, and what it comes to.
async fn oldest(tx: &DatabaseTransaction) -> Result<(Vec<i64>, Delta)> {
    let sql = format!("SELECT id, changes FROM rollup_delta ORDER BY id LIMIT {DELTAS}");
    let mut rows = tx.stream_raw(Statement::from_string(Connection::get_database_backend(tx), sql)).await?;
    let (mut ids, mut sum, mut bytes) = (Vec::new(), Delta::default(), 0);
    while let Some(row) = rows.try_next().await? {
        let changes: Vec<u8> = row.try_get("", "changes")?;
        ids.push(row.try_get::<i64>("", "id")?);
        sum.merge(Delta::decode(&changes).map_err(Error::internal)?).map_err(Error::internal)?;
        bytes += changes.len();
        if bytes > BYTES {
            break;
        }
    }
    Ok((ids, sum))
}

/// Adds a delta to the sums. The caller holds the state.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn apply(db: &impl Connection, zone: Zone, delta: &Delta) -> Result<()> {
    let mut sums = Sums::new();
    spread(&mut sums, zone, delta)?;
    sums.retain(|_, change| !change.is_empty());
    let mut rows: Vec<(Place, Aggregate)> = sums.into_iter().collect();
    for portion in portions(db, rows.len(), ROWS) {
        let rows = &mut rows[portion];
        let kept = add_kept(db, rows).await?;
        let part =
            |is_kept| -> Vec<_> { rows.iter().zip(&kept).filter(|(_, k)| **k == is_kept).map(|(r, _)| r).collect() };
        // Nobody else writes sums meanwhile, and what is known to be new is inserted for less.
        let new = part(false);
        add_series(db, &new).await?;
        write(db, &new, "").await?;
        write(db, &part(true), REPLACED).await?;
    }
    Ok(())
}

/// Makes the series of rows where they are not there yet.
async fn add_series(db: &impl Connection, rows: &[&(Place, Aggregate)]) -> Result<()> {
    let series: Vec<Series> =
        rows.iter().map(|((series, ..), _)| *series).collect::<BTreeSet<_>>().into_iter().collect();
    for portion in portions(db, series.len(), ROWS) {
        let series = &series[portion];
        let of = |part: fn(&Series) -> Option<uuid::Uuid>| Column::MaybeUuids(series.iter().map(part).collect());
        let rows = Rows::default()
            .with("id", Column::Uuids(series.iter().map(Series::id).collect()))
            .with("scope", Column::Texts(series.iter().map(|s| s.scope.as_str().to_owned()).collect()))
            .with("process_id", of(|s| s.process))
            .with("sop_id", of(|s| s.sop))
            .with("version_id", of(|s| s.version))
            .with("team_id", of(|s| s.team));
        let insert = rows.insert(db.get_database_backend(), "rollup_series", "ON CONFLICT (id) DO NOTHING");
        db.execute_raw(insert).await?;
    }
    Ok(())
}

/// The columns that say which row is meant.
fn places<'a>(rows: impl Iterator<Item = &'a Place> + Clone) -> Rows {
    Rows::default()
        .with("series_id", Column::Uuids(rows.clone().map(|(series, ..)| series.id()).collect()))
        .with("grain", Column::Texts(rows.clone().map(|(_, grain, _)| grain.as_str().to_owned()).collect()))
        .with("start_at", Column::Numbers(rows.map(|(.., start)| start.micros()).collect()))
}

/// Adds what is kept already to what comes in; answers of which rows something is.
async fn add_kept(db: &impl Connection, rows: &mut [(Place, Aggregate)]) -> Result<Vec<bool>> {
    let mut found = vec![false; rows.len()];
    let wanted =
        places(rows.iter().map(|(place, _)| place)).with("place", Column::Numbers((0..).take(rows.len()).collect()));
    let before = "SELECT given.place, kept.tally, kept.completed, kept.abandoned FROM";
    // A cross join, so that SQLite does not turn the two around and read all that is kept.
    let after = "CROSS JOIN rollup AS kept WHERE kept.series_id = given.series_id \
        AND kept.grain = given.grain AND kept.start_at = given.start_at";
    for row in db.query_all_raw(wanted.statement(db.get_database_backend(), before, after)).await? {
        let place = usize::try_from(row.try_get::<i64>("", "place")?).map_err(Error::internal)?;
        let kept = decode(
            &row.try_get::<Vec<u8>>("", "tally")?,
            &row.try_get::<Vec<u8>>("", "completed")?,
            &row.try_get::<Vec<u8>>("", "abandoned")?,
        )?;
        rows[place].1.merge(&kept).map_err(Error::internal)?;
        found[place] = true;
    }
    Ok(found)
}

/// What makes an insertion replace the row of the same place.
const REPLACED: &str = "ON CONFLICT (series_id, grain, start_at) DO UPDATE \
    SET tally = excluded.tally, completed = excluded.completed, abandoned = excluded.abandoned";

async fn write(db: &impl Connection, rows: &[&(Place, Aggregate)], conflict: &str) -> Result<()> {
    for portion in portions(db, rows.len(), ROWS) {
        let rows = &rows[portion];
        let bytes = |part: fn(&Aggregate) -> Vec<u8>| Column::Bytes(rows.iter().map(|(_, sum)| part(sum)).collect());
        let insert = places(rows.iter().map(|(place, _)| place))
            .with("tally", bytes(|sum| sum.tally.encode()))
            .with("completed", bytes(|sum| sum.completed.encode()))
            .with("abandoned", bytes(|sum| sum.abandoned.encode()))
            .insert(db.get_database_backend(), "rollup", conflict);
        db.execute_raw(insert).await?;
    }
    Ok(())
}

/// Reads a sum as it is kept.
///
/// # Errors
/// When the bytes are not what was written.
pub(in crate::store) fn decode(tally: &[u8], completed: &[u8], abandoned: &[u8]) -> Result<Aggregate> {
    Ok(Aggregate {
        tally: Tally::decode(tally).map_err(Error::internal)?,
        completed: Change::decode(completed).map_err(Error::internal)?,
        abandoned: Change::decode(abandoned).map_err(Error::internal)?,
    })
}

#[cfg(test)]
mod tests {
    use sopwith_migration::{Migrator, MigratorTrait as _};

    use super::*;

    async fn waits(store: &Store, deltas: i64, bytes: i64) {
        let sql = format!(
            "DELETE FROM rollup_delta; \
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {deltas}) \
             INSERT INTO rollup_delta (changes) SELECT zeroblob({bytes}) FROM n"
        );
        store.writer().execute_unprepared(&sql).await.unwrap();
    }

    /// What was given back is free with some delay.
    async fn let_go(store: &Store) {
        while store.is_writer_taken() {
            tokio::time::sleep(LOOK).await;
        }
    }

    #[tokio::test]
    async fn whoever_writes_to_sqlite_goes_first_until_much_waits() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("sopwith.db").display());
        let store = Store::open(&url, 2, Zone::UTC).await.unwrap();
        Migrator::up(store.writer(), None).await.unwrap();
        crate::store::rollups::prepare(&store).await.unwrap();
        let insert = Statement::from_sql_and_values(
            store.writer().get_database_backend(),
            "INSERT INTO rollup_delta (changes) VALUES (?)",
            [Delta::default().encode().into()],
        );
        store.writer().execute_raw(insert).await.unwrap();

        let writing = store.begin().await.unwrap();
        assert_eq!(compact(&store, || false).await.unwrap(), 0);
        writing.rollback().await.unwrap();
        let_go(&store).await;
        assert_eq!(compact(&store, || false).await.unwrap(), 1);

        let (deltas, bytes) = (PATIENCE_DELTAS, PATIENCE_BYTES);
        for (deltas, bytes, first) in
            [(deltas - 1, 0, true), (deltas, 0, false), (1, bytes - 1, true), (2, bytes / 2, false)]
        {
            waits(&store, deltas, bytes).await;
            let_go(&store).await;
            assert!(!gives_way(&store).await.unwrap(), "nobody writes");
            let writing = store.begin().await.unwrap();
            assert_eq!(gives_way(&store).await.unwrap(), first, "{deltas} deltas of {bytes} bytes");
            writing.rollback().await.unwrap();
        }
        store.close().await.unwrap();
    }
}
