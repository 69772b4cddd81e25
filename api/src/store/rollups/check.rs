//! Whether the roll-ups say what the executions say, with what is kept of those that were deleted.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sea_orm::{DatabaseTransaction, DbBackend, Statement, StreamTrait as _, Value};
use sopwith_domain::calendar::{Grain, Stretch, Zone};
use sopwith_domain::rollup::{Aggregate, Delta, Tally};
use sopwith_domain::time::{HOUR, Timestamp};

use super::compact::decode;
use super::expired;
use super::form::state;
use super::rebuild::{self, COHORT};
use super::series::{Place, Scope, Series, Sums, spread};
use crate::error::{Error, Result};
use crate::store::{Connection, Store, Uuid, parse};

/// What a comparison found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many executions were read. Those that were deleted are compared and not among them.
    pub executions: u64,
    /// By how many executions the roll-ups differ: the largest difference of any count in each row, added up over the
    /// rows of one scope and length of time, where that is most. 0 when they agree.
    pub drift: u64,
    /// How many rows differ.
    pub rows: u64,
}

/// How long nobody else begins the daily comparison, unless it ends before: whoever began it may have died.
const CLAIM: i64 = 6 * HOUR;
/// How many bytes of deltas are added up in memory.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// Whether a comparison is due, `interval` microseconds after the last one, and the caller is the one to do it. Of
/// replicas that ask, one is, until it says [`release`] with the same time.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(store: &Store, interval: i64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE rollup_state SET claimed_at = {1} WHERE id = 1 AND (checked_at IS NULL OR checked_at <= {2}) \
        AND (claimed_at IS NULL OR claimed_at <= {3})";
    Ok(update(store, sql, [now.micros(), now.plus(-interval).micros(), now.plus(-CLAIM).micros()]).await? > 0)
}

/// Lets go what was claimed at a time.
///
/// # Errors
/// When the database does not answer.
pub async fn release(store: &Store, claimed_at: Timestamp) -> Result<()> {
    let sql = "UPDATE rollup_state SET claimed_at = NULL WHERE id = 1 AND claimed_at = {1}";
    update(store, sql, [claimed_at.micros()]).await?;
    Ok(())
}

/// Computes what the roll-ups should say from the executions, at one moment, and compares it with what they say, deltas
/// included. The outcome is kept for [`last_check`]. There is none where they were computed anew meanwhile.
///
/// # Errors
/// `Outdated` when they are kept in another form by now; others when the database does not answer, or so much waits for
/// compaction that it cannot be added up in memory.
pub async fn verify(store: &Store, now: Timestamp) -> Result<Option<Verified>> {
    let tx = store.snapshot().await?;
    let state = state(&tx).await?;
    store.form().expect(state.form)?;
    let comparison = Comparison { db: &tx, zone: store.zone(), pending: pending(&tx, store.zone()).await? };
    let verified = comparison.run().await?;
    tx.commit().await?;
    let sql = "UPDATE rollup_state SET checked_at = {1}, drift = {2} WHERE id = 1 AND builds = {3}";
    let drift = i64::try_from(verified.drift).unwrap_or(i64::MAX);
    let is_kept = update(store, sql, [now.micros(), drift, state.builds]).await? > 0;
    Ok(is_kept.then_some(verified))
}

/// Updates with these values in the places `{1}`, `{2}` and so on, in that order; answers how many rows that were.
async fn update<const N: usize>(store: &Store, sql: &str, values: [i64; N]) -> Result<u64> {
    let backend = store.writer().get_database_backend();
    let place = |n: usize| if backend == DbBackend::Sqlite { "?".to_owned() } else { format!("${n}") };
    let sql = (1..=N).fold(sql.to_owned(), |sql, n| sql.replace(&format!("{{{n}}}"), &place(n)));
    let statement = Statement::from_sql_and_values(backend, sql, values.map(Value::from));
    Ok(store.writer().execute_raw(statement).await?.rows_affected())
}

/// When the roll-ups were compared last, and by how many executions they differed.
///
/// # Errors
/// When the database does not answer.
pub async fn last_check(db: &impl Connection) -> Result<(Option<Timestamp>, i64)> {
    let sql = "SELECT checked_at, drift FROM rollup_state WHERE id = 1";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let Some(row) = row else { return Ok((None, 0)) };
    let checked_at = row.try_get::<Option<i64>>("", "checked_at")?.map(Timestamp::from_micros);
    Ok((checked_at, row.try_get("", "drift")?))
}

/// A comparison, day by day, so that little is in memory at a time.
struct Comparison<'a, C: Connection> {
    db: &'a C,
    zone: Zone,
    /// What waits for compaction.
    pending: Sums,
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    executions: u64,
    rows: u64,
    drift: BTreeMap<(Scope, Grain), u64>,
}

impl<C: Connection> Comparison<'_, C> {
    async fn run(&self) -> Result<Verified> {
        let mut findings = Findings::default();
        let mut from = Timestamp::MIN;
        while let Some(next) = self.next(from).await? {
            let start = self.zone.start(Grain::Month, next);
            let month = (start, self.zone.next(Grain::Month, start));
            let mut of_month = Sums::new();
            let mut day = month.0;
            while day < month.1 {
                let end = self.zone.next(Grain::Day, day);
                let (months, shorter) = self
                    .expected((day, end), &mut findings)
                    .await?
                    .into_iter()
                    .partition::<Sums, _>(|((_, grain, _), _)| *grain == Grain::Month);
                add(&mut of_month, months)?;
                findings.compare(shorter, self.kept((day, end), &[Grain::Hour, Grain::Day]).await?)?;
                day = end;
            }
            findings.compare(of_month, self.kept(month, &[Grain::Month]).await?)?;
            from = month.1;
        }
        let drift = findings.drift.values().copied().max().unwrap_or(0);
        Ok(Verified { executions: findings.executions, drift, rows: findings.rows })
    }

    /// When there is something next, in the executions or in what is kept of them.
    async fn next(&self, from: Timestamp) -> Result<Option<Timestamp>> {
        let waiting = self.pending.keys().map(|(.., start)| *start).filter(|start| *start >= from).min();
        let backend = self.db.get_database_backend();
        let place = if backend == DbBackend::Sqlite { "?" } else { "$1" };
        let mut first = waiting;
        for sql in [
            format!("SELECT MIN({COHORT}) AS first FROM execution WHERE {COHORT} >= {place} AND mode <> 'PRACTICE'"),
            // By series and length of time, as the rows are in the order of those: one look into the index for each.
            format!(
                "SELECT MIN(start_at) AS first FROM (SELECT (SELECT MIN(start_at) FROM rollup \
                     WHERE series_id = id AND grain = length AND start_at >= {place}) AS start_at FROM rollup_series \
                 CROSS JOIN (SELECT 'HOUR' AS length UNION ALL SELECT 'DAY' UNION ALL SELECT 'MONTH') AS lengths) AS firsts"
            ),
        ] {
            let statement = Statement::from_sql_and_values(backend, sql, [Value::from(from.micros())]);
            let found = match self.db.query_one_raw(statement).await? {
                Some(row) => row.try_get::<Option<i64>>("", "first")?.map(Timestamp::from_micros),
                None => None,
            };
            first = [first, found].into_iter().flatten().min();
        }
        let expired = self.db.query_one_raw(expired::first(backend, from)).await?;
        let expired = expired.map(|row| row.try_get::<Option<i64>>("", "first")).transpose()?.flatten();
        // Hours of UTC may begin before those of the zone.
        let expired = expired.map(|first| Timestamp::from_micros(first).max(from));
        Ok([first, expired].into_iter().flatten().min())
    }

    /// What the executions of a stretch say, and those that were deleted said.
    async fn expected(&self, (from, to): Stretch, findings: &mut Findings) -> Result<Sums> {
        let mut sums = Sums::new();
        let mut after = (from, Uuid::nil());
        loop {
            let rows = rebuild::next(self.db, after, to).await?;
            let Some(last) = rows.last() else { break };
            after = last.place();
            findings.executions += rows.len() as u64;
            spread(&mut sums, self.zone, &rebuild::delta(self.zone, &rows)?)?;
        }
        let deleted = expired::deleted(self.db, (from, to)).await?.by_hours(self.zone).map_err(Error::internal)?;
        spread(&mut sums, self.zone, &deleted)?;
        Ok(sums)
    }

    /// What is kept of a stretch.
    async fn kept(&self, (from, to): Stretch, grains: &[Grain]) -> Result<Sums> {
        let within = |(_, grain, start): &Place| grains.contains(grain) && from <= *start && *start < to;
        let waiting = self.pending.iter().filter(|(place, _)| within(place));
        let mut sums: Sums = waiting.map(|(place, sum)| (*place, sum.clone())).collect();
        for grain in grains {
            for row in self.db.query_all_raw(self.rows(*grain, (from, to))).await? {
                let series = Series {
                    scope: parse(&row.try_get::<String>("", "scope")?)?,
                    process: row.try_get("", "process_id")?,
                    sop: row.try_get("", "sop_id")?,
                    version: row.try_get("", "version_id")?,
                    team: row.try_get("", "team_id")?,
                };
                let part = |name: &str| Ok::<_, Error>(row.try_get::<Vec<u8>>("", name)?);
                let sum = decode(&part("tally")?, &part("completed")?, &part("abandoned")?)?;
                let place = (series, *grain, Timestamp::from_micros(row.try_get("", "start_at")?));
                add(&mut sums, [(place, sum)])?;
            }
        }
        Ok(sums)
    }

    /// Selects what is kept of a stretch, series by series: rows are in the order of those, not of time.
    fn rows(&self, grain: Grain, (from, to): Stretch) -> Statement {
        let backend = self.db.get_database_backend();
        let selected = "SELECT scope, process_id, sop_id, version_id, team_id, start_at, tally, completed, abandoned \
            FROM rollup_series CROSS JOIN";
        let grain = grain.as_str();
        let sql = if backend == DbBackend::Sqlite {
            format!("{selected} rollup WHERE series_id = id AND grain = '{grain}' AND start_at >= ? AND start_at < ?")
        } else {
            format!(
                "{selected} LATERAL (SELECT * FROM rollup WHERE series_id = rollup_series.id AND grain = '{grain}' \
                 AND start_at >= $1 AND start_at < $2 OFFSET 0) AS kept"
            )
        };
        Statement::from_sql_and_values(backend, sql, [Value::from(from.micros()), Value::from(to.micros())])
    }
}

impl Findings {
    fn compare(&mut self, expected: Sums, kept: Sums) -> Result<()> {
        let mut differences = expected;
        add(&mut differences, kept.into_iter().map(|(place, sum)| (place, sum.inverse())))?;
        for ((series, grain, _), difference) in differences.into_iter().filter(|(_, sum)| !sum.is_empty()) {
            let tally = Tally {
                completion_millis: 0,
                customer_score: 0,
                performer_score: 0,
                step_checks: 0,
                step_deviations: 0,
                ..difference.tally
            };
            let counts = tally.numbers().into_iter().map(i64::unsigned_abs);
            let times =
                [&difference.completed, &difference.abandoned].map(|c| c.added().count().max(c.removed().count()));
            self.rows += 1;
            // A sum that differs where no count does is the difference of one execution at least.
            let most = counts.chain(times).max().unwrap_or(0).max(1);
            *self.drift.entry((series.scope, grain)).or_default() += most;
        }
        Ok(())
    }
}

/// What waits for compaction, by the rows that it will change.
async fn pending(tx: &DatabaseTransaction, zone: Zone) -> Result<Sums> {
    let backend = Connection::get_database_backend(tx);
    let mut rows = tx.stream_raw(Statement::from_string(backend, "SELECT changes FROM rollup_delta")).await?;
    let (mut sums, mut bytes) = (Sums::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let changes = row.try_get::<Vec<u8>>("", "changes")?;
        bytes += changes.len();
        if bytes > MOST_WAITING {
            return Err(Error::internal("too much waits for compaction to be compared: try again when it is done"));
        }
        spread(&mut sums, zone, &Delta::decode(&changes).map_err(Error::internal)?)?;
    }
    Ok(sums)
}

fn add(sums: &mut Sums, more: impl IntoIterator<Item = (Place, Aggregate)>) -> Result<()> {
    more.into_iter().try_for_each(|(place, sum)| sums.entry(place).or_default().merge(&sum).map_err(Error::internal))
}
