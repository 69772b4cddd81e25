//! `migrate`, and what every command needs that opens the database.

use sea_orm::{ConnectionTrait as _, DbBackend};
use sopwith_migration::{Migrator, MigratorTrait as _};

use super::{CliError, print};
use crate::config::Config;
use crate::error::Error;
use crate::store::Store;

/// Any number that nothing else takes on the same database.
const LOCK: i64 = 0x0050_7769_7468;

/// Opens the configured database.
///
/// # Errors
/// When it cannot be opened, naming it without its password.
pub async fn open(config: &Config) -> Result<Store, CliError> {
    Store::open(&config.database_url, config.database_max_connections).await.map_err(|error| match error {
        Error::Unavailable => {
            let place = shown(&config.database_url);
            CliError::Message(format!("the database {place} cannot be opened: is the address right, and does it run?"))
        }
        other => other.into(),
    })
}

/// The URL without what may be secret in it.
fn shown(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(before, _)| before);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        _ => url.to_owned(),
    }
}

/// Applies the migrations that the database lacks, all or none, and answers how many those were. Of replicas that start
/// together one applies them while the others wait.
///
/// # Errors
/// When the database refuses, or was migrated by a newer version.
pub async fn apply(store: &Store) -> Result<usize, CliError> {
    let tx = store.begin().await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        // Released by the end of the transaction.
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await.map_err(Error::from)?;
    }
    let pending = Migrator::get_pending_migrations(&tx).await.map_err(Error::from)?.len();
    if pending > 0 {
        Migrator::up(&tx, None).await.map_err(Error::from)?;
    }
    tx.commit().await.map_err(Error::from)?;
    Ok(pending)
}

/// Runs `migrate`.
///
/// # Errors
/// Those of [`open`] and [`apply`].
pub async fn run(config: &Config) -> Result<(), CliError> {
    let store = open(config).await?;
    let applied = apply(&store).await;
    store.close().await?;
    print(&match applied? {
        0 => "the database is up to date".to_owned(),
        1 => "1 migration applied".to_owned(),
        n => format!("{n} migrations applied"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_password() {
        assert_eq!(shown("postgres://u:p@ss@host:5432/db?password=x"), "postgres://host:5432/db");
        assert_eq!(shown("sqlite://a.db?mode=rwc"), "sqlite://a.db");
    }
}
