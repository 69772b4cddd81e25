//! In what form roll-ups are kept: whoever reads or writes them in another one would be wrong without noticing.

use sea_orm::{DbBackend, Statement};
use sopwith_domain::access::Permit;
use sopwith_domain::calendar::Zone;
use sopwith_domain::rollup::LAYOUT;
use sopwith_domain::time::Timestamp;

use crate::error::{Error, Result};
use crate::store::{Connection, Store};

/// What kept sums, and deltas, mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Form {
    /// As [`LAYOUT`].
    pub(in crate::store) layout: i32,
    /// Whose hours, days and months they are by.
    pub(in crate::store) zone: Zone,
}

/// What is known of the roll-ups as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) form: Form,
    /// How often they were computed anew.
    pub(super) builds: i64,
    /// Executions from before this time may have been deleted.
    pub(super) kept_from: Option<Timestamp>,
}

impl Form {
    /// The one that this process reads and writes.
    pub(in crate::store) fn of(zone: Zone) -> Self {
        Self { layout: LAYOUT, zone }
    }

    /// Refuses when the roll-ups are kept in another one: they were computed anew, by another version of the service or
    /// in another time zone, after this process was started.
    ///
    /// # Errors
    /// `Outdated`, which is logged with what to do.
    pub(in crate::store) fn expect(self, kept: Self) -> Result<()> {
        if self == kept {
            return Ok(());
        }
        tracing::error!(
            kept_layout = kept.layout,
            kept_time_zone = %kept.zone,
            own_layout = self.layout,
            own_time_zone = %self.zone,
            "the roll-ups are kept in another form than this process was started for: stop it, and start it with the \
             time_zone and the version of the service that they were computed with last"
        );
        Err(Error::Outdated)
    }
}

/// Refuses when the roll-ups are kept in another form than that of this process; else answers as [`kept_from`].
///
/// # Errors
/// `Outdated`; others when the database does not answer.
pub(in crate::store) async fn expect(db: &impl Connection, zone: Zone) -> Result<Option<Timestamp>> {
    let state = state(db).await?;
    Form::of(zone).expect(state.form)?;
    Ok(state.kept_from)
}

/// Whether the roll-ups are kept in the form of this process.
///
/// # Errors
/// When the database does not answer.
pub async fn fit(store: &Store) -> Result<bool> {
    Ok(state(store.read()).await?.form == store.form())
}

/// The time from before which executions may have been deleted; none where all are kept.
///
/// # Errors
/// When the database does not answer.
pub async fn kept_from(db: &impl Connection) -> Result<Option<Timestamp>> {
    Ok(state(db).await?.kept_from)
}

/// Moves that time forward, never back; answers where it was before, and nothing where it was there already. To be
/// committed before anything is deleted: whoever does not find it set looks for no deleted execution.
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now, so that months may be others; others when the database
/// does not answer.
pub async fn move_kept_from(
    db: &impl Connection,
    _permit: &Permit,
    zone: Zone,
    to: Timestamp,
) -> Result<Option<Option<Timestamp>>> {
    let backend = db.get_database_backend();
    let is_sqlite = backend == DbBackend::Sqlite;
    let before = read(db, if is_sqlite { "" } else { " FOR UPDATE" }).await?.ok_or_else(lost)?;
    Form::of(zone).expect(before.form)?;
    if before.kept_from.is_some_and(|kept| kept >= to) {
        return Ok(None);
    }
    let sql = format!("UPDATE rollup_state SET kept_from = {} WHERE id = 1", if is_sqlite { "?" } else { "$1" });
    db.execute_raw(Statement::from_sql_and_values(backend, sql, [to.micros().into()])).await?;
    Ok(Some(before.kept_from))
}

/// What is known of the roll-ups as a whole.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn state(db: &impl Connection) -> Result<State> {
    read(db, "").await?.ok_or_else(lost)
}

fn lost() -> Error {
    Error::internal("the roll-ups have no state")
}

/// The same, held until the transaction ends; nothing where another holds it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn hold(db: &impl Connection) -> Result<Option<State>> {
    let is_sqlite = db.get_database_backend() == DbBackend::Sqlite;
    read(db, if is_sqlite { "" } else { " FOR UPDATE SKIP LOCKED" }).await
}

async fn read(db: &impl Connection, lock: &str) -> Result<Option<State>> {
    let sql = format!("SELECT layout, time_zone, builds, kept_from FROM rollup_state WHERE id = 1{lock}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let Some(row) = row else { return Ok(None) };
    let zone = row.try_get::<String>("", "time_zone")?.parse().map_err(Error::internal)?;
    let form = Form { layout: row.try_get("", "layout")?, zone };
    let kept_from = row.try_get::<Option<i64>>("", "kept_from")?.map(Timestamp::from_micros);
    Ok(Some(State { form, builds: row.try_get("", "builds")?, kept_from }))
}

impl Store {
    /// The form of roll-ups that this process reads and writes.
    pub(in crate::store) fn form(&self) -> Form {
        Form::of(self.zone())
    }
}
