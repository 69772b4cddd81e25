//! Which steps fail, are skipped or tried again, over the versions of an SOP or more than one of them: counted from what runs
//! tell of their steps, as the funnel of a version counts it, and of very many runs from as large a part.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sea_orm::{QueryResult, StreamTrait as _};
use sopwith_domain::access::Reach;
use sopwith_domain::calendar::Grain;
use sopwith_domain::funnel::{StepCounts, Trouble};
use sopwith_domain::time::Timestamp;

use super::Question;
use super::funnel::{COUNTED, counted, told};
use super::kept::Kept;
use super::sql::Sql;
use crate::error::Result;
use crate::store::comparison::part;
use crate::store::executions::FiguresReach;
use crate::store::rollups::COHORT;
use crate::store::{Connection, Store, Uuid};

/// Where more runs would have to be gone through to find those that are asked for, nothing is counted.
pub const MOST_RUNS: i64 = 500_000;
/// Of more steps than this it is not looked which is worse: of those with the least trouble.
const MOST_STEPS: usize = 10_000;

/// Which steps are asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose runs are read.
    pub who: FiguresReach,
    /// Of which runs, their time apart; and by which time buckets too. One of a version is of its SOP as well.
    pub question: Question,
    /// From this time on, and until before that one.
    pub stretch: (Timestamp, Timestamp),
    /// Which steps come first.
    pub trouble: Trouble,
    /// So many steps at most.
    pub first: usize,
}

/// A step with the runs that tell of it.
#[derive(Debug, Clone)]
pub struct OfStep {
    /// The process that the runs are of.
    pub process: Uuid,
    /// Their SOP, where there was one.
    pub sop: Option<Uuid>,
    /// The runs.
    pub counts: StepCounts,
    /// The same of each time bucket in which runs tell of it, by its beginning, where that is asked for.
    pub series: Vec<(Timestamp, StepCounts)>,
}

/// What runs tell of their steps.
#[derive(Debug, Clone)]
pub struct Found {
    /// Of runs that started at this time or later: as was asked, or when what is kept begins.
    pub from: Timestamp,
    /// How many runs there are.
    pub runs: i64,
    /// Those of them that were read: all, or where there are very many, a part that is spread evenly.
    pub read: i64,
    /// Those of the read ones that tell of a step.
    pub with_steps: i64,
    /// Of how many steps they tell.
    pub total: i64,
    /// The worst of these.
    pub steps: Vec<OfStep>,
}

/// What the runs that are asked for tell of their steps; nothing where more would have to be gone through than
/// [`MOST_RUNS`].
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer.
pub async fn count(store: &Store, asked: &Asked, now: Timestamp) -> Result<Option<Found>> {
    let kept = Kept::begin(store, asked.stretch).await?;
    let mut found = Found { from: kept.from, runs: 0, read: 0, with_steps: 0, total: 0, steps: Vec::new() };
    if !kept.is_empty() {
        if asked.gone_through(&kept, now).await? > MOST_RUNS {
            return Ok(None);
        }
        found.runs = kept.totals(&asked.who, &asked.question, now).await?.runs;
        if found.runs > 0 {
            asked.add_steps(&kept, &mut found).await?;
        }
        found.steps.sort_by(|a, b| asked.order(a, b));
        found.steps.truncate(asked.first);
        if let (Some(grain), false) = (asked.question.bucket, found.steps.is_empty()) {
            asked.add_series(&kept, grain, &mut found).await?;
        }
    }
    kept.end().await?;
    Ok(Some(found))
}

impl Asked {
    /// Whether indexes find the runs by what they are runs of; else they do by time alone.
    fn is_narrow(&self) -> bool {
        self.question.process.is_some() || self.question.sop.is_some()
    }

    /// How many runs lie where those that are asked for are looked for: whoever performed them, and whoever may know.
    async fn gone_through(&self, kept: &Kept<'_>, now: Timestamp) -> Result<i64> {
        let who = FiguresReach { reach: Reach::Organisation, person: self.who.person };
        let question = Question { process: self.question.process, sop: self.question.sop, ..Question::default() };
        Ok(kept.totals(&who, &question, now).await?.runs)
    }

    async fn add_steps(&self, kept: &Kept<'_>, found: &mut Found) -> Result<()> {
        let mut sql = Sql::new(Connection::get_database_backend(&kept.tx));
        self.chosen(&mut sql, kept, found.runs);
        sql.text(&told(sql.backend()));
        let number = match self.trouble {
            Trouble::Failed => "failed",
            Trouble::Skipped => "skipped",
            Trouble::Repeated => "repeated",
        };
        sql.text(&format!(
            ", step AS (SELECT process_id, sop_id, key AS step_key, {COUNTED} FROM told JOIN chosen ON id = execution_id \
                GROUP BY process_id, sop_id, key), \
             worst AS (SELECT step.*, COUNT(*) OVER () AS total FROM step ORDER BY {number} DESC, reached, step_key \
                LIMIT {MOST_STEPS}) \
             SELECT runs_read, with_steps, worst.* \
             FROM (SELECT COUNT(*) AS runs_read FROM chosen) AS chosen_ones \
                CROSS JOIN (SELECT COUNT(DISTINCT execution_id) AS with_steps FROM told) AS told_ones LEFT JOIN worst ON TRUE",
        ));
        for row in kept.tx.query_all_raw(sql.statement()).await? {
            found.read = row.try_get("", "runs_read")?;
            found.with_steps = row.try_get("", "with_steps")?;
            if let Some(total) = row.try_get("", "total")? {
                found.total = total;
                found.steps.push(of_step(&row)?);
            }
        }
        Ok(())
    }

    async fn add_series(&self, kept: &Kept<'_>, grain: Grain, found: &mut Found) -> Result<()> {
        let mut sql = Sql::new(Connection::get_database_backend(&kept.tx));
        self.chosen(&mut sql, kept, found.runs);
        sql.text(&told(sql.backend()));
        sql.text(&format!(
            "SELECT process_id, sop_id, key AS step_key, quarter, {COUNTED} FROM told JOIN chosen ON id = execution_id \
             WHERE key IN "
        ));
        sql.list(found.steps.iter().map(|of| of.counts.key.clone()));
        sql.text(" GROUP BY process_id, sop_id, key, quarter");
        let zone = self.question.zone(kept.zone());
        let mut series: BTreeMap<_, BTreeMap<Timestamp, StepCounts>> = BTreeMap::new();
        let mut rows = kept.tx.stream_raw(sql.statement()).await?;
        while let Some(row) = rows.try_next().await? {
            let of = of_step(&row)?;
            let buckets = series.entry((of.process, of.sop, of.counts.key.clone())).or_default();
            let bucket = buckets.entry(zone.start(grain, kept.start(row.try_get("", "quarter")?))).or_default();
            bucket.add(&of.counts);
            bucket.key = of.counts.key;
        }
        for of in &mut found.steps {
            let buckets = series.remove(&(of.process, of.sop, of.counts.key.clone())).unwrap_or_default();
            of.series = buckets.into_iter().collect();
        }
        Ok(())
    }

    /// The runs that are read, out of so many.
    fn chosen(&self, sql: &mut Sql, kept: &Kept<'_>, runs: i64) {
        sql.text("WITH chosen AS (");
        if self.is_narrow() {
            // Apart, so that the indexes of processes and SOPs, which are by the start, have the time as well.
            self.some(sql, kept, runs, "", "started_at");
            sql.text(" UNION ALL ");
            self.some(sql, kept, runs, "started_at IS NULL AND ", COHORT);
        } else {
            self.some(sql, kept, runs, "", COHORT);
        }
        sql.text(") ");
    }

    fn some(&self, sql: &mut Sql, kept: &Kept<'_>, runs: i64, which: &str, at: &str) {
        sql.text(&format!(
            "SELECT id, process_id, sop_id, {} AS quarter FROM execution WHERE mode <> 'PRACTICE' AND {which}{at} >= ",
            kept.quarter()
        ));
        sql.value(kept.from.micros());
        sql.text(&format!(" AND {at} < "));
        sql.value(kept.to.micros());
        sql.conditions(&self.who, &self.question, "");
        let part = part(sql.backend(), runs);
        sql.text(&part);
    }

    fn order(&self, a: &OfStep, b: &OfStep) -> Ordering {
        let name = |of: &OfStep| (of.process, of.sop);
        let worse = a.counts.worse(&b.counts, self.trouble);
        worse.then_with(|| a.counts.key.cmp(&b.counts.key)).then_with(|| name(a).cmp(&name(b)))
    }
}

fn of_step(row: &QueryResult) -> Result<OfStep> {
    Ok(OfStep {
        process: row.try_get("", "process_id")?,
        sop: row.try_get("", "sop_id")?,
        counts: counted(row)?,
        series: Vec::new(),
    })
}
