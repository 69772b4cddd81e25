//! Whether requests can be served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sopwith_migration::{Migrator, MigratorTrait as _};

use crate::error::{Error, Result};
use crate::store::Store;

/// A database that answers later than this does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Remembers that the migrations are applied: they are never taken back.
#[derive(Debug, Default)]
pub struct Readiness {
    migrated: AtomicBool,
}

impl Readiness {
    /// `None` when requests can be served, or else what is missing.
    pub async fn missing(&self, store: &Store) -> Option<&'static str> {
        match tokio::time::timeout(PATIENCE, self.check(store)).await {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => Some("the migrations are not applied"),
            Ok(Err(_)) | Err(_) => Some("the database does not answer"),
        }
    }

    /// Whether the migrations are applied. Only reads: on SQLite the one writer may well be busy.
    async fn check(&self, store: &Store) -> Result<bool> {
        if self.migrated.load(Ordering::Relaxed) {
            store.read().ping().await?;
            return Ok(true);
        }
        let applied = Migrator::get_pending_migrations_read_only(store.read()).await.map_err(Error::from)?.is_empty();
        self.migrated.store(applied, Ordering::Relaxed);
        Ok(applied)
    }
}
