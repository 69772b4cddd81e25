//! How runs go through the steps of a version, counted from what the runs tell of their steps. Of very many runs a part is
//! read, so that an answer takes its time and no more.

use std::collections::BTreeMap;

use sea_orm::{DbBackend, QueryResult};
use sopwith_domain::funnel::StepCounts;

use super::Question;
use super::sql::Sql;
use crate::error::Result;
use crate::store::comparison::part;
use crate::store::executions::FiguresReach;
use crate::store::{Connection, Store};

/// Of so many steps that the version does not have is told, those of most runs.
pub const MAX_EXTRA: usize = 50;

/// A step of the version.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Its key.
    pub key: String,
    /// How long it should take, in microseconds.
    pub duration: Option<i64>,
}

/// How runs went through the steps of a version.
#[derive(Debug, Clone, Default)]
pub struct Funnel {
    /// How many runs there were.
    pub runs: i64,
    /// Those of them that were read: all, or where there are very many, a part that is spread evenly.
    pub read: i64,
    /// Those of the read ones that tell of a step.
    pub with_steps: i64,
    /// By the key of the step; those of the version that no run tells of are not there.
    pub steps: BTreeMap<String, StepCounts>,
}

/// Runs of a version in a time.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Whose runs are read.
    pub who: &'a FiguresReach,
    /// Which runs: of one version, with both ends of a time.
    pub question: &'a Question,
    /// The steps of the version.
    pub steps: &'a [Expected],
}

/// What the runs of a version tell of their steps.
///
/// # Errors
/// When the database does not answer.
pub async fn count(store: &Store, asked: &Asked<'_>) -> Result<Funnel> {
    let db = store.snapshot().await?;
    let mut funnel = Funnel { runs: asked.runs(&db).await?, ..Funnel::default() };
    if funnel.runs > 0 {
        asked.add_read(&db, &mut funnel).await?;
        asked.add_counts(&db, &mut funnel).await?;
        asked.add_medians(&db, &mut funnel).await?;
    }
    db.commit().await?;
    Ok(funnel)
}

impl Asked<'_> {
    async fn runs(&self, db: &impl Connection) -> Result<i64> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.text("SELECT COUNT(*) AS n FROM execution WHERE ");
        self.condition(&mut sql);
        number(db.query_one_raw(sql.statement()).await?.as_ref())
    }

    async fn add_read(&self, db: &impl Connection, funnel: &mut Funnel) -> Result<()> {
        let mut sql = Sql::new(db.get_database_backend());
        self.chosen(&mut sql, funnel.runs);
        sql.text(
            "SELECT COUNT(*), SUM(CASE WHEN EXISTS \
                (SELECT 1 FROM execution_step WHERE execution_id = chosen.id) THEN 1 ELSE 0 END) FROM chosen",
        );
        let Some(row) = db.query_one_raw(sql.statement()).await? else { return Ok(()) };
        funnel.read = row.try_get_by_index(0)?;
        // The sum over none of them is null.
        funnel.with_steps = row.try_get_by_index::<Option<i64>>(1)?.unwrap_or(0);
        Ok(())
    }

    async fn add_counts(&self, db: &impl Connection, funnel: &mut Funnel) -> Result<()> {
        let mut sql = Sql::new(db.get_database_backend());
        self.chosen(&mut sql, funnel.runs);
        sql.text(&told(sql.backend()));
        self.expected(&mut sql);
        sql.text("SELECT told.key AS step_key, ");
        sql.text(COUNTED);
        sql.text(
            ", COUNT(took) AS timed, SUM(CASE WHEN took > expected.duration THEN 1 ELSE 0 END) AS longer \
             FROM told LEFT JOIN expected ON expected.key = told.key GROUP BY told.key \
             ORDER BY MAX(CASE WHEN expected.key IS NULL THEN 1 ELSE 0 END), COUNT(*) DESC, told.key LIMIT ",
        );
        sql.text(&(self.steps.len() + MAX_EXTRA).to_string());
        for row in db.query_all_raw(sql.statement()).await? {
            let step = counts(&row)?;
            funnel.steps.insert(step.key.clone(), step);
        }
        Ok(())
    }

    async fn add_medians(&self, db: &impl Connection, funnel: &mut Funnel) -> Result<()> {
        let ranks = |step: &StepCounts| Some((step.key.clone(), step.time.ranks()?));
        let ranks: Vec<_> = funnel.steps.values().filter_map(ranks).collect();
        if ranks.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(db.get_database_backend());
        self.chosen(&mut sql, funnel.runs);
        sql.text(&told(sql.backend()));
        sql.text(", wanted (key, low_rank, mid_rank, high_rank) AS (VALUES ");
        for (n, (key, ranks)) in ranks.into_iter().enumerate() {
            sql.text(if n > 0 { ", (CAST(" } else { "(CAST(" });
            sql.value(key);
            sql.text(&format!(" AS text), {}, {}, {})", ranks.low, ranks.at, ranks.high));
        }
        sql.text(
            "), ranked AS (SELECT key, took, ROW_NUMBER() OVER (PARTITION BY key ORDER BY took) AS place \
                FROM told WHERE took IS NOT NULL) \
             SELECT ranked.key AS step_key, MAX(CASE WHEN place = low_rank THEN took END) AS low, \
                MAX(CASE WHEN place = mid_rank THEN took END) AS middle, MAX(CASE WHEN place = high_rank THEN took END) AS high \
             FROM ranked JOIN wanted ON wanted.key = ranked.key GROUP BY ranked.key",
        );
        for row in db.query_all_raw(sql.statement()).await? {
            let key: String = row.try_get("", "step_key")?;
            if let Some(step) = funnel.steps.get_mut(&key) {
                let end = |name: &str| -> Result<Option<i64>> { Ok(row.try_get("", name)?) };
                step.time.median = Some((row.try_get("", "middle")?, end("low")?, end("high")?));
            }
        }
        Ok(())
    }

    fn condition(&self, sql: &mut Sql) {
        let question = self.question;
        sql.text("mode <> 'PRACTICE'");
        for (end, at) in [(">=", question.from), ("<", question.to)] {
            if let Some(at) = at {
                sql.text(&format!(" AND COALESCE(started_at, finished_at, received_at) {end} "));
                sql.value(at.micros());
            }
        }
        sql.conditions(self.who, question, "");
    }

    /// The runs that are read, out of so many.
    fn chosen(&self, sql: &mut Sql, runs: i64) {
        sql.text("WITH chosen AS (SELECT id FROM execution WHERE ");
        self.condition(sql);
        let part = part(sql.backend(), runs);
        sql.text(&part);
        sql.text(") ");
    }

    fn expected(&self, sql: &mut Sql) {
        sql.text(", expected (key, duration) AS (VALUES (CAST(NULL AS text), CAST(NULL AS bigint))");
        for step in self.steps {
            sql.text(", (");
            sql.value(step.key.clone());
            match step.duration {
                Some(micros) => sql.text(&format!(", {micros})")),
                None => sql.text(", NULL)"),
            }
        }
        sql.text(") ");
    }
}

/// What became of each step in each of the runs that are `chosen`, as a further part of WITH: from each run to its steps, since neither database
/// knows that the chosen ones are few.
pub(in crate::store) fn told(backend: DbBackend) -> String {
    let any = |status: &str| format!("MAX(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)");
    let steps = if backend == DbBackend::Postgres {
        "LATERAL (SELECT * FROM execution_step WHERE execution_id = chosen.id OFFSET 0) AS their"
    } else {
        "execution_step WHERE execution_id = chosen.id"
    };
    format!(
        ", told AS (SELECT execution_id, key, {} AS done, {} AS failed, \
            MIN(CASE WHEN status = 'SKIPPED' THEN 1 ELSE 0 END) AS skipped, \
            SUM(CASE WHEN status = 'FAILED' THEN 1 ELSE 0 END) AS failures, \
            SUM(CASE WHEN status = 'SKIPPED' THEN 0 ELSE 1 END) AS tries, \
            CAST(SUM(CASE WHEN status <> 'SKIPPED' THEN finished_at - started_at END) AS bigint) AS took \
         FROM chosen CROSS JOIN {steps} GROUP BY execution_id, key) ",
        any("DONE"),
        any("FAILED"),
    )
}

/// What is counted of a step over the runs that are `told` of.
pub(in crate::store) const COUNTED: &str = "COUNT(*) AS reached, SUM(done) AS done, SUM(skipped) AS skipped, \
    SUM(failed) AS failed, CAST(SUM(failures) AS bigint) AS failures, SUM(CASE WHEN tries > 1 THEN 1 ELSE 0 END) AS repeated";

fn number(row: Option<&QueryResult>) -> Result<i64> {
    row.map_or(Ok(0), |row| Ok(row.try_get_by_index(0)?))
}

fn counts(row: &QueryResult) -> Result<StepCounts> {
    let number = |name: &str| -> Result<i64> { Ok(row.try_get("", name)?) };
    let mut step = counted(row)?;
    (step.time.runs, step.time.over) = (number("timed")?, number("longer")?);
    Ok(step)
}

/// What [`COUNTED`] counted of the step of a row, whose key is `step_key`.
pub(in crate::store) fn counted(row: &QueryResult) -> Result<StepCounts> {
    let number = |name: &str| -> Result<i64> { Ok(row.try_get("", name)?) };
    Ok(StepCounts {
        key: row.try_get("", "step_key")?,
        reached: number("reached")?,
        done: number("done")?,
        skipped: number("skipped")?,
        failed: number("failed")?,
        failures: number("failures")?,
        repeated: number("repeated")?,
        ..StepCounts::default()
    })
}
