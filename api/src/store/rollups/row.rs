//! What figures take from an execution as it is stored.

use sea_orm::{QueryResult, TryGetable};
use sopwith_domain::conformance::Conformance;
use sopwith_domain::execution::{Mode, Satisfaction};
use sopwith_domain::rollup::{Facts, HORIZON, Key};
use sopwith_domain::time::Timestamp;

use crate::error::Result;
use crate::store::executions::ExecutionRow;
use crate::store::parse;

/// What runs are counted by, and what of them is counted.
pub type Counted = (Key, Facts);

/// What is counted of an execution; nothing of a training run.
///
/// # Errors
/// When the row is not what was written.
pub fn counted(row: &ExecutionRow) -> Result<Option<Counted>> {
    if row.mode == Mode::Practice.as_str() {
        return Ok(None);
    }
    let key = Key { process: row.process_id, sop: row.sop_id, version: row.version_id, team: row.team_id };
    let facts = Facts {
        started_at: row.started_at.map(Timestamp::from_micros),
        finished_at: row.finished_at.map(Timestamp::from_micros),
        occurred_at: row.occurred_at.map(Timestamp::from_micros),
        received_at: Timestamp::from_micros(row.received_at),
        outcome: row.outcome.as_deref().map(parse).transpose()?,
        adherence: Some(parse(&row.adherence)?),
        errors: row.errors,
        rework: row.rework,
        violations: by_severity(row.violations, row.major_violations, row.critical_violations),
        satisfaction: satisfaction(row.satisfaction, row.satisfaction_by.as_deref())?,
        version_source: row.version_source.as_deref().map(parse).transpose()?,
        standing: row.version_standing.as_deref().map(parse).transpose()?,
        conformance: conformance(row.step_checks, row.step_deviations),
        horizon: row.horizon.unwrap_or(HORIZON),
    };
    Ok(Some((key, facts)))
}

/// The columns that [`read`] takes, in its order. What an execution was told in full is not among them: it is far more
/// than all of these together.
pub(in crate::store) const COLUMNS: &str = "process_id, sop_id, version_id, team_id, started_at, finished_at, \
    occurred_at, received_at, outcome, adherence, errors, rework, violations, major_violations, critical_violations, \
    satisfaction, satisfaction_by, version_source, version_standing, step_checks, step_deviations, horizon";

/// What is counted of a row whose columns are [`COLUMNS`], from the one at `first` on; of no training run.
///
/// # Errors
/// When the row is not what was written.
pub(in crate::store) fn read(row: &QueryResult, first: usize) -> Result<Counted> {
    let mut columns = Columns { row, next: first };
    let key = Key { process: columns.take()?, sop: columns.take()?, version: columns.take()?, team: columns.take()? };
    let facts = Facts {
        started_at: columns.take::<Option<i64>>()?.map(Timestamp::from_micros),
        finished_at: columns.take::<Option<i64>>()?.map(Timestamp::from_micros),
        occurred_at: columns.take::<Option<i64>>()?.map(Timestamp::from_micros),
        received_at: Timestamp::from_micros(columns.take()?),
        outcome: columns.take::<Option<String>>()?.as_deref().map(parse).transpose()?,
        adherence: Some(parse(&columns.take::<String>()?)?),
        errors: columns.take()?,
        rework: columns.take()?,
        violations: by_severity(columns.take()?, columns.take()?, columns.take()?),
        satisfaction: satisfaction(columns.take()?, columns.take::<Option<String>>()?.as_deref())?,
        version_source: columns.take::<Option<String>>()?.as_deref().map(parse).transpose()?,
        standing: columns.take::<Option<String>>()?.as_deref().map(parse).transpose()?,
        conformance: conformance(columns.take()?, columns.take()?),
        horizon: columns.take::<Option<i64>>()?.unwrap_or(HORIZON),
    };
    Ok((key, facts))
}

/// Reads a row from left to right.
struct Columns<'a> {
    row: &'a QueryResult,
    next: usize,
}

impl Columns<'_> {
    fn take<T: TryGetable>(&mut self) -> Result<T> {
        self.next += 1;
        Ok(self.row.try_get_by_index(self.next - 1)?)
    }
}

fn by_severity(all: i32, major: i32, critical: i32) -> [i32; 3] {
    [all - major - critical, major, critical]
}

fn conformance(checks: Option<i32>, deviations: Option<i32>) -> Option<Conformance> {
    checks.zip(deviations).map(|(checks, deviations)| Conformance { checks, deviations })
}

fn satisfaction(score: Option<i32>, by: Option<&str>) -> Result<Option<Satisfaction>> {
    score.zip(by).map(|(score, by)| Ok(Satisfaction { score, by: parse(by)? })).transpose()
}
