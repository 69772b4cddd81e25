//! What figures take from an execution as it is stored.

use sopwith_domain::conformance::Conformance;
use sopwith_domain::execution::{Mode, Satisfaction};
use sopwith_domain::rollup::{Facts, Key};
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
    let at = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let satisfaction = match (row.satisfaction, &row.satisfaction_by) {
        (Some(score), Some(by)) => Some(Satisfaction { score, by: parse(by)? }),
        _ => None,
    };
    let (major, critical) = (row.major_violations, row.critical_violations);
    let facts = Facts {
        started_at: at(row.started_at),
        finished_at: at(row.finished_at),
        occurred_at: at(row.occurred_at),
        received_at: Timestamp::from_micros(row.received_at),
        outcome: row.outcome.as_deref().map(parse).transpose()?,
        adherence: Some(parse(&row.adherence)?),
        errors: row.errors,
        rework: row.rework,
        violations: [row.violations - major - critical, major, critical],
        satisfaction,
        version_source: row.version_source.as_deref().map(parse).transpose()?,
        standing: row.version_standing.as_deref().map(parse).transpose()?,
        conformance: row
            .step_checks
            .zip(row.step_deviations)
            .map(|(checks, deviations)| Conformance { checks, deviations }),
    };
    Ok(Some((key, facts)))
}
