//! `audit`: the chain verified, exported, and keys for its heads.

mod export;
mod keygen;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sopwith_migration::{Migrator, MigratorTrait as _};

use super::{CliError, migrate};
use crate::config::Config;
use crate::error::Error;
use crate::store::Store;

/// What can be done with the audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no entry of the audit chain was changed or removed, and that it is the one whose heads were signed.
    Verify(verify::VerifyArgs),
    /// Write the audit chain out, so that others can verify it.
    Export(export::ExportArgs),
    /// Make a key for signing heads of the audit chain.
    Keygen(keygen::KeygenArgs),
}

/// Runs it.
///
/// # Errors
/// Those of each.
pub async fn run(command: AuditCommand, config: &Config) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify(args) => verify::run(args, config).await,
        AuditCommand::Export(args) => export::run(args, config).await,
        AuditCommand::Keygen(args) => keygen::run(&args),
    }
}

/// Does something with a database that is there and has a chain.
async fn with_store<T>(config: &Config, work: impl AsyncFnOnce(&Store) -> Result<T, CliError>) -> Result<T, CliError> {
    // Opening would make it, and an empty chain is always sound.
    if let Some(file) = file(&config.database_url).filter(|file| !file.exists()) {
        return Err(CliError::Message(format!("there is no database {}", file.display())));
    }
    let store = migrate::open(config).await?;
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
