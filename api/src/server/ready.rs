//! Whether requests can be served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sopwith_migration::{Migrator, MigratorTrait as _};

use crate::error::{Error, Result};
use crate::store::{Store, rollups};

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
            Ok(Ok(missing)) => missing,
            Ok(Err(_)) | Err(_) => Some("the database does not answer"),
        }
    }

    /// Only reads: on SQLite the one writer may well be busy.
    async fn check(&self, store: &Store) -> Result<Option<&'static str>> {
        if !self.migrated.load(Ordering::Relaxed) {
            let pending = Migrator::get_pending_migrations_read_only(store.read()).await.map_err(Error::from)?;
            if !pending.is_empty() {
                return Ok(Some("the migrations are not applied"));
            }
            self.migrated.store(true, Ordering::Relaxed);
        }
        // Executions and figures are refused while this is so.
        let fits = rollups::fit(store).await?;
        Ok((!fits).then_some("figures are kept in another form than this process was started for"))
    }
}
