//! `migrate`, and what every command needs that opens the database.

use std::path::PathBuf;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectionTrait as _, DbBackend};
use sopwith_migration::{Migrator, MigratorTrait as _};

use super::{CliError, print};
use crate::config::Config;
use crate::error::Error;
use crate::store::Store;
use crate::store::rollups::{self, Prepared};

/// Any number that nothing else takes on the same database.
const LOCK: i64 = 0x0050_7769_7468;

/// Opens the configured database.
///
/// # Errors
/// When it cannot be opened, naming it without its password.
pub async fn open(config: &Config) -> Result<Store, CliError> {
    Store::open(&config.database_url, config.database_max_connections, config.time_zone).await.map_err(|error| {
        match error {
            Error::Unavailable => {
                let place = shown(&config.database_url);
                CliError::Message(format!(
                    "the database {place} cannot be opened: is the address right, and does it run?"
                ))
            }
            other => other.into(),
        }
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

/// Applies the migrations that the database lacks, all or none, and answers how many those were; computes the roll-ups
/// where they are missing. Of replicas that start together one does so while the others wait.
///
/// # Errors
/// When the database refuses, was migrated by a newer version, or keeps figures in another time zone.
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
    match rollups::prepare(store).await? {
        Prepared::OtherZone(kept) => Err(CliError::Message(format!(
            "figures are kept in the time zone {kept}, and time_zone is {}: set it to that, or run \
             'sopwith rollup rebuild'",
            store.zone()
        ))),
        Prepared::Ready | Prepared::Built(_) => Ok(pending),
    }
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

/// Does something with a database that is there and migrated.
///
/// # Errors
/// When it is not, and those of the work.
pub async fn with_store<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> Result<T, CliError>,
) -> Result<T, CliError> {
    // Opening would make it, and nothing is wrong with an empty one.
    if let Some(file) = file(&config.database_url).filter(|file| !file.exists()) {
        return Err(CliError::Message(format!("there is no database {}", file.display())));
    }
    let store = open(config).await?;
    let done = match migrated(&store).await {
        Ok(()) => work(&store).await,
        Err(error) => Err(error),
    };
    store.close().await?;
    done
}

async fn migrated(store: &Store) -> Result<(), CliError> {
    if Migrator::get_pending_migrations_read_only(store.read()).await.map_err(Error::from)?.is_empty() {
        return Ok(());
    }
    Err(CliError::Message("the database lacks migrations: run 'sopwith migrate' first".to_owned()))
}

/// The file of an SQLite database.
fn file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.strip_prefix("sqlite:").and_then(|_| url.parse().ok())?;
    Some(options.get_filename().to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_password() {
        assert_eq!(shown("postgres://u:p@ss@host:5432/db?password=x"), "postgres://host:5432/db");
        assert_eq!(shown("sqlite://a.db?mode=rwc"), "sqlite://a.db");
    }

    async fn refusal(url: String) -> String {
        let config = Config { database_url: url, ..Config::default() };
        with_store(&config, async |_| Ok(())).await.unwrap_err().line()
    }

    #[tokio::test]
    async fn only_a_database_that_is_there_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some where.db");
        for scheme in ["sqlite:", "sqlite://"] {
            let said = refusal(format!("{scheme}{}?mode=rwc", path.display()).replace(' ', "%20")).await;
            assert_eq!(said, format!("there is no database {}", path.display()));
            assert!(!path.exists());
        }
        assert!(refusal("sqlite::memory:".to_owned()).await.starts_with("there is no database"));
        std::fs::write(&path, "").unwrap();
        let said = refusal(format!("sqlite://{}", path.display())).await;
        assert_eq!(said, "the database lacks migrations: run 'sopwith migrate' first");
    }
}
