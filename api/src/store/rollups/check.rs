//! Whether the roll-ups say what the executions say.

use std::collections::BTreeMap;

use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, Statement, Value};
use sopwith_domain::calendar::{Grain, Stretch, Zone};
use sopwith_domain::rollup::{Aggregate, Delta, Tally};
use sopwith_domain::time::Timestamp;

use super::compact::decode;
use super::rebuild::{self, COHORT, state};
use super::series::{Place, Scope, Series, Sums, spread};
use crate::error::{Error, Result};
use crate::store::{Connection, Store, parse};

/// What a comparison found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many executions were read.
    pub executions: u64,
    /// By how many executions the roll-ups differ: the largest difference of any count in each row, added up over the
    /// rows of one scope and length of time, where that is most. 0 when they agree.
    pub drift: u64,
    /// How many rows differ.
    pub rows: u64,
}

/// Computes what the roll-ups should say from the executions, at one moment, and compares it with what they say, deltas
/// included. The outcome is kept for [`last_check`].
///
/// # Errors
/// When the database does not answer.
pub async fn verify(store: &Store, now: Timestamp) -> Result<Verified> {
    let tx = store.snapshot().await?;
    let (_, zone) = state(&tx).await?;
    let comparison = Comparison { db: &tx, zone, pending: pending(&tx, zone).await? };
    let verified = comparison.run().await?;
    tx.commit().await?;
    let backend = store.read().get_database_backend();
    let [a, b] = if backend == DbBackend::Sqlite { ["?", "?"] } else { ["$1", "$2"] };
    let sql = format!("UPDATE rollup_state SET checked_at = {a}, drift = {b} WHERE id = 1");
    let drift = i64::try_from(verified.drift).unwrap_or(i64::MAX);
    let values = [Value::from(now.micros()), Value::from(drift)];
    store.writer().execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(verified)
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
            format!("SELECT MIN(start_at) AS first FROM rollup WHERE start_at >= {place}"),
        ] {
            let statement = Statement::from_sql_and_values(backend, sql, [Value::from(from.micros())]);
            let found = match self.db.query_one_raw(statement).await? {
                Some(row) => row.try_get::<Option<i64>>("", "first")?.map(Timestamp::from_micros),
                None => None,
            };
            first = [first, found].into_iter().flatten().min();
        }
        Ok(first)
    }

    /// What the executions of a stretch say.
    async fn expected(&self, (from, to): Stretch, findings: &mut Findings) -> Result<Sums> {
        let mut sums = Sums::new();
        let mut after = (from.micros(), Uuid::nil());
        loop {
            let rows = rebuild::next(self.db, after, to).await?;
            let Some(last) = rows.last() else { return Ok(sums) };
            after = (rebuild::cohort(last), last.id);
            findings.executions += rows.len() as u64;
            spread(&mut sums, self.zone, &rebuild::delta(self.zone, &rows)?)?;
        }
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
async fn pending(db: &impl Connection, zone: Zone) -> Result<Sums> {
    let mut sums = Sums::new();
    let all = "SELECT changes FROM rollup_delta";
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), all)).await? {
        let delta = Delta::decode(&row.try_get::<Vec<u8>>("", "changes")?).map_err(Error::internal)?;
        spread(&mut sums, zone, &delta)?;
    }
    Ok(sums)
}

fn add(sums: &mut Sums, more: impl IntoIterator<Item = (Place, Aggregate)>) -> Result<()> {
    more.into_iter().try_for_each(|(place, sum)| sums.entry(place).or_default().merge(&sum).map_err(Error::internal))
}
