//! `audit verify`.

use std::path::PathBuf;

use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use serde_json::json;
use sopwith_domain::audit::Broken;
use sopwith_migration::{Migrator, MigratorTrait as _};

use super::{CliError, migrate, print};
use crate::config::Config;
use crate::error::{Error, Result as ServiceResult};
use crate::store::{Store, audit};

/// Walks the whole audit chain and prints how long it is.
///
/// # Errors
/// When it is broken, naming the entry, when it cannot be read, or when there is no database or no chain in it.
pub async fn verify(config: &Config, as_json: bool) -> Result<(), CliError> {
    // Opening would make it, and an empty chain is always sound.
    if let Some(file) = file(&config.database_url).filter(|file| !file.exists()) {
        return Err(CliError::Message(format!("there is no database {}", file.display())));
    }
    let store = migrate::open(config).await?;
    let found = walk(&store).await;
    store.close().await?;
    let Some(found) = found? else {
        return Err(CliError::Message("the database lacks migrations: run 'sopwith migrate' first".to_owned()));
    };
    if as_json {
        let shown = match &found {
            Ok(entries) => json!({ "ok": true, "entries": entries }),
            Err(broken) => json!({ "ok": false, "entry": entry(broken), "problem": broken.to_string() }),
        };
        print(&shown.to_string())?;
    }
    match found {
        Ok(_) if as_json => Ok(()),
        Ok(1) => print("the audit chain is sound: 1 entry"),
        Ok(entries) => print(&format!("the audit chain is sound: {entries} entries")),
        Err(broken) => Err(CliError::Message(format!("the audit chain is broken: {broken}"))),
    }
}

/// The file of an SQLite database.
fn file(url: &str) -> Option<PathBuf> {
    let options: SqliteConnectOptions = url.strip_prefix("sqlite:").and_then(|_| url.parse().ok())?;
    Some(options.get_filename().to_path_buf())
}

/// What the chain looks like; `None` when the database is not migrated.
async fn walk(store: &Store) -> ServiceResult<Option<Result<i64, Broken>>> {
    if !Migrator::get_pending_migrations_read_only(store.read()).await.map_err(Error::from)?.is_empty() {
        return Ok(None);
    }
    audit::verify(store.read()).await.map(Some)
}

/// The number of the entry where the chain breaks.
fn entry(broken: &Broken) -> i64 {
    match broken {
        Broken::Gap { expected, .. } => *expected,
        Broken::Changed(seq) => *seq,
        // The first one that is missing, or is not in the head.
        Broken::Head { found, .. } => found + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: String) -> String {
        verify(&Config { database_url: url, ..Config::default() }, true).await.unwrap_err().line()
    }

    #[tokio::test]
    async fn only_a_database_that_is_there_is_verified() {
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
