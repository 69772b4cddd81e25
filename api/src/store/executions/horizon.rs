//! Another horizon for the runs of a process that have not ended.

use sea_orm::{DbBackend, Statement};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::ProcessId;

use crate::error::Result;
use crate::store::Connection;

/// Has the runs of a process that have not ended count as abandoned after so many microseconds, or after what is usual. No
/// sum changes by it: of open runs, sums tell only that they are open. A run that somebody is changing is waited for, and
/// keeps the horizon that it had if it has ended then; one that is stored for the first time meanwhile may have the old one
/// as well.
///
/// # Errors
/// When the database does not answer.
pub async fn set_horizon(
    db: &impl Connection,
    _permit: &Permit,
    process: ProcessId,
    horizon: Option<i64>,
) -> Result<()> {
    let backend = db.get_database_backend();
    let sql = if backend == DbBackend::Sqlite {
        // Not by the index of the process: it has all that ever ran, and that of open runs few of them.
        "UPDATE execution SET horizon = ? WHERE +process_id = ? AND finished_at IS NULL AND outcome IS NULL"
    } else {
        // Locked in the order in which those lock them who store what comes in.
        "UPDATE execution SET horizon = $1 WHERE id IN (SELECT id FROM execution \
            WHERE process_id = $2 AND finished_at IS NULL AND outcome IS NULL ORDER BY id FOR UPDATE)"
    };
    db.execute_raw(Statement::from_sql_and_values(backend, sql, [horizon.into(), process.0.into()])).await?;
    Ok(())
}
