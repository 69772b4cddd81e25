//! Roll-ups: sums of what figures take from executions. What changes is appended as a delta in the transaction that
//! changes it; compaction adds deltas to the sums; whoever reads takes both together.

mod check;
mod compact;
mod expired;
mod form;
mod rebuild;
mod row;
mod series;

use sea_orm::{Statement, Value};
use sopwith_domain::calendar::Zone;
use sopwith_domain::rollup::Delta;

use super::Connection;
use crate::error::Result;

pub(super) use compact::decode;
pub(super) use form::{Form, expect};
pub(super) use rebuild::COHORT;
pub(super) use row::{COLUMNS, read};
pub(super) use series::Scope;

pub use check::{Verified, claim, last_check, release, verify};
pub use compact::compact;
pub use expired::{deleted, keep};
pub use form::{fit, kept_from, move_kept_from};
pub use rebuild::{Prepared, prepare, rebuild};
pub use row::{Counted, counted};

/// Appends what a transaction changes, by the hours of a time zone; answers whether executions may have been deleted.
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer.
pub async fn append(db: &impl Connection, zone: Zone, delta: &Delta) -> Result<bool> {
    if delta.is_empty() {
        return Ok(kept_from(db).await?.is_some());
    }
    let backend = db.get_database_backend();
    let place = if backend == sea_orm::DbBackend::Sqlite { "?" } else { "$1" };
    let sql = format!("INSERT INTO rollup_delta (changes) VALUES ({place})");
    db.execute_raw(Statement::from_sql_and_values(backend, sql, [Value::from(delta.encode())])).await?;
    // Afterwards: what changes the form of the roll-ups keeps the table from those who append until it is done.
    Ok(expect(db, zone).await?.is_some())
}

/// How many deltas wait for compaction.
///
/// # Errors
/// When the database does not answer.
pub async fn pending(db: &impl Connection) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS n FROM rollup_delta";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    row.map_or(Ok(0), |row| Ok(row.try_get("", "n")?))
}
