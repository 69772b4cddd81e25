//! Violations by their kind, and of each kind by time, counted from the runs that have some: an index has those of a time, so
//! that the others, which are most, cost nothing.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sea_orm::{QueryResult, StreamTrait as _};
use sopwith_domain::calendar::{Cover, Grain};
use sopwith_domain::time::Timestamp;

use super::kept::Kept;
use super::sql::Sql;
use super::{Figures, Question};
use crate::error::Result;
use crate::store::executions::FiguresReach;
use crate::store::rollups::COHORT;
use crate::store::{Connection, Store};

/// Of a time with more runs that have violations nothing is counted.
pub const MOST_RUNS: i64 = 500_000;

/// What kinds are put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worst {
    /// By how many violations there are.
    Number,
    /// By how many critical ones there are, then by how many major ones, then by all.
    Severity,
}

/// Which violations are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose runs are read.
    pub who: FiguresReach,
    /// Of which runs, their time apart; and by which time buckets too.
    pub question: Question,
    /// From this time on, and until before that one.
    pub stretch: (Timestamp, Timestamp),
    /// Which kinds come first.
    pub worst: Worst,
    /// So many kinds at most.
    pub first: usize,
}

/// Violations of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kind {
    /// Its name, as it was reported.
    pub name: String,
    /// How many there are.
    pub violations: i64,
    /// Those of them that are major.
    pub major: i64,
    /// Those of them that are critical.
    pub critical: i64,
    /// In how many runs there is at least one.
    pub runs: i64,
    /// How many the service found by itself.
    pub found: i64,
    /// The same of each time bucket in which there are runs, where that is asked for.
    pub series: Vec<Part>,
}

/// Violations of one kind in a time bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// When it begins.
    pub start: Timestamp,
    /// How many runs there are in it, with violations or without.
    pub runs: i64,
    /// How far from its ends runs may lie that are counted on the other side, as of [`Figures`].
    pub off_by: i64,
    /// The violations.
    pub kind: Kind,
}

/// Violations by their kind.
#[derive(Debug, Clone)]
pub struct Found {
    /// Of runs that started at this time or later: as was asked, or when what is kept begins.
    pub from: Timestamp,
    /// How many runs there are, with violations or without.
    pub runs: i64,
    /// How many violations.
    pub violations: i64,
    /// Of how many kinds.
    pub total: i64,
    /// The worst of these.
    pub kinds: Vec<Kind>,
}

/// The violations of the runs that are asked for, by kind; nothing where more runs of their time have violations than
/// [`MOST_RUNS`].
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer.
pub async fn count(store: &Store, asked: &Asked, now: Timestamp) -> Result<Option<Found>> {
    let kept = Kept::begin(store, asked.stretch).await?;
    let mut found = Found { from: kept.from, runs: 0, violations: 0, total: 0, kinds: Vec::new() };
    if !kept.is_empty() {
        if asked.are_too_many(&kept).await? {
            return Ok(None);
        }
        let tally = kept.totals(&asked.who, &asked.question, now).await?;
        (found.runs, found.violations) = (tally.runs, tally.violations());
        if found.violations > 0 {
            asked.add_kinds(&kept, &mut found).await?;
            if let (Some(grain), false) = (asked.question.bucket, found.kinds.is_empty()) {
                asked.add_series(&kept, grain, &mut found.kinds, now).await?;
            }
        }
    }
    kept.end().await?;
    Ok(Some(found))
}

impl Asked {
    /// Whoever's they are: that is how many are gone through.
    async fn are_too_many(&self, kept: &Kept<'_>) -> Result<bool> {
        let mut sql = Sql::new(Connection::get_database_backend(&kept.tx));
        sql.text("SELECT COUNT(*) FROM (SELECT 1 FROM execution WHERE ");
        Self::violated(&mut sql, kept);
        sql.text(&format!(" LIMIT {}) AS violated", MOST_RUNS + 1));
        let row = kept.tx.query_one_raw(sql.statement()).await?;
        Ok(row.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))? > MOST_RUNS)
    }

    async fn add_kinds(&self, kept: &Kept<'_>, found: &mut Found) -> Result<()> {
        let mut sql = Sql::new(Connection::get_database_backend(&kept.tx));
        let bytes = if sql.is_postgres() { " COLLATE \"C\"" } else { "" };
        self.counted(&mut sql, kept, "COUNT(*) OVER () AS total");
        let order = match self.worst {
            Worst::Number => "number DESC, critical DESC, major DESC",
            Worst::Severity => "critical DESC, major DESC, number DESC",
        };
        sql.text(&format!(" GROUP BY kind ORDER BY {order}, kind{bytes} LIMIT {}", self.first));
        for row in kept.tx.query_all_raw(sql.statement()).await? {
            found.total = row.try_get("", "total")?;
            found.kinds.push(kind(&row)?);
        }
        Ok(())
    }

    async fn add_series(&self, kept: &Kept<'_>, grain: Grain, kinds: &mut [Kind], now: Timestamp) -> Result<()> {
        let mut sql = Sql::new(Connection::get_database_backend(&kept.tx));
        self.counted(&mut sql, kept, &format!("{} AS quarter", kept.quarter()));
        sql.text(" AND kind IN ");
        sql.list(kinds.iter().map(|kind| kind.name.clone()));
        sql.text(" GROUP BY kind, quarter");
        // On the same side of a bucket's ends as the figures have the run.
        let cover = Cover::of(kept.zone(), (kept.from, kept.to), Grain::Hour);
        let zone = self.question.zone(kept.zone());
        let mut counts: BTreeMap<(String, i64), Kind> = BTreeMap::new();
        let mut rows = kept.tx.stream_raw(sql.statement()).await?;
        while let Some(row) = rows.try_next().await? {
            let more = kind(&row)?;
            let at = cover.stand(kept.zone(), kept.start(row.try_get("", "quarter")?));
            counts.entry((more.name.clone(), zone.start(grain, at).micros())).or_default().add(more);
        }
        drop(rows);
        let figures = kept.figures(&self.who, &self.question, now).await?;
        for kind in kinds {
            let part = |figures: &Figures| {
                let start = figures.group.bucket?;
                let none = || Kind { name: kind.name.clone(), ..Kind::default() };
                let counted = counts.remove(&(kind.name.clone(), start)).unwrap_or_else(none);
                let (start, runs) = (Timestamp::from_micros(start), figures.tally.runs);
                Some(Part { start, runs, off_by: figures.off_by, kind: counted })
            };
            kind.series = figures.iter().filter_map(part).collect();
        }
        Ok(())
    }

    /// Selects what is counted of a group of violations, and one column more.
    fn counted(&self, sql: &mut Sql, kept: &Kept<'_>, column: &str) {
        let by_time = sql.by_time();
        let sum = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
        // A cross join, so that SQLite goes from the runs to their violations.
        sql.text(&format!(
            "SELECT kind, COUNT(*) AS number, {} AS major, {} AS critical, COUNT(DISTINCT execution_id) AS runs, \
                {} AS found, {column} FROM execution CROSS JOIN execution_violation WHERE execution_id = id AND ",
            sum("severity = 'MAJOR'"),
            sum("severity = 'CRITICAL'"),
            sum("detected_by = 'SERVICE'"),
        ));
        Self::violated(sql, kept);
        sql.conditions(&self.who, &self.question, by_time);
    }

    /// Runs of the time with violations. In these words, which the index has.
    fn violated(sql: &mut Sql, kept: &Kept<'_>) {
        sql.text(&format!("violations > 0 AND mode <> 'PRACTICE' AND {COHORT} >= "));
        sql.value(kept.from.micros());
        sql.text(&format!(" AND {COHORT} < "));
        sql.value(kept.to.micros());
    }
}

impl Kind {
    /// Takes in violations of other runs.
    fn add(&mut self, more: Self) {
        self.name = more.name;
        self.violations += more.violations;
        self.major += more.major;
        self.critical += more.critical;
        self.runs += more.runs;
        self.found += more.found;
    }
}

fn kind(row: &QueryResult) -> Result<Kind> {
    let number = |name: &str| -> Result<i64> { Ok(row.try_get("", name)?) };
    Ok(Kind {
        name: row.try_get("", "kind")?,
        violations: number("number")?,
        major: number("major")?,
        critical: number("critical")?,
        runs: number("runs")?,
        found: number("found")?,
        series: Vec::new(),
    })
}
