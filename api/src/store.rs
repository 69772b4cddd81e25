//! The database. Entities are private to this room; what is changed asks for the `Permit` that `decide()` gave.

mod bulk;
mod entity;

pub mod accounts;
pub mod approvals;
pub mod audit;
pub mod comments;
pub mod comparison;
pub mod contents;
pub mod delegations;
pub mod dependents;
pub mod diagnosis;
pub mod drafts;
pub mod events;
pub mod executions;
pub mod figures;
pub mod idempotency;
pub mod imports;
pub mod mail;
pub mod measurement;
pub mod page;
pub mod people;
pub mod policies;
pub mod procedures;
pub mod processes;
pub mod roles;
pub mod rollups;
pub mod search;
pub mod sessions;
pub mod sops;
pub mod teams;
pub mod tokens;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{Connection as _, Database, Pool};
use sea_orm::{
    AccessMode, ConnectOptions, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sopwith_domain::calendar::Zone;
use sopwith_domain::time::Timestamp;

use self::executions::Models;
use crate::error::{Error, Result};
use crate::telemetry::acquire;

pub use sea_orm::ConnectionTrait as Connection;
pub use uuid::Uuid;

/// How long a request waits for a connection, and SQLite for its one writer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection to PostgreSQL is used, so that what its process has gathered is given back.
const LIFETIME: Duration = Duration::from_mins(30);
/// One that was used as lately as this is not tried before it is used again.
const TRUSTED: Duration = Duration::from_secs(1);

/// The database: one pool on PostgreSQL; a single writer and a pool of readers on SQLite.
#[derive(Clone, Debug)]
pub struct Store {
    write: DatabaseConnection,
    read: DatabaseConnection,
    zone: Zone,
    models: Arc<Models>,
}

impl Store {
    /// Opens the database of this URL. Roll-ups are kept in the hours, days and months of this time zone.
    ///
    /// # Errors
    /// When it cannot be opened, or the URL is of neither kind.
    pub async fn open(url: &str, max_connections: u32, zone: Zone) -> Result<Self> {
        let models = Arc::default();
        if url.starts_with("sqlite:") {
            let write = sqlite(url, 1, "-16000").await?;
            // They are many, and what they read is in the system's memory as well.
            let read = sqlite(url, max_connections, "-4000").await?;
            Ok(Self { write, read, zone, models })
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let mut options = pool(url, max_connections);
            options.test_before_acquire_if_idle_for(TRUSTED);
            options.map_sqlx_postgres_pool_opts(|o| {
                let is_young = |of: PoolConnectionMetadata| Ok(of.age < LIFETIME);
                o.acquire_time_level(acquire::LEVEL).after_release(move |_, of| Box::pin(ready(is_young(of))))
            });
            let pool = sea_orm::Database::connect(options).await?;
            Ok(Self { write: pool.clone(), read: pool, zone, models })
        } else {
            Err(Error::internal("the database URL must begin with sqlite:, postgres:// or postgresql://"))
        }
    }

    /// Counts statements in both pools.
    pub fn observe(&mut self, observer: impl Fn() + Clone + Send + Sync + 'static) {
        let (a, b) = (observer.clone(), observer);
        self.write.set_metric_callback(move |_| a());
        self.read.set_metric_callback(move |_| b());
    }

    /// For reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// Whether it takes one writing transaction at a time.
    #[must_use]
    pub fn has_one_writer(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Sqlite
    }

    /// Whether somebody has the one writer at this moment; never where there are many.
    #[must_use]
    pub fn is_writer_taken(&self) -> bool {
        self.has_one_writer() && matches!(counted(self.write.get_sqlite_connection_pool()), (1.., 0))
    }

    /// The time zone of the organisation.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The writing connection, for migrations.
    #[must_use]
    pub fn writer(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction that will write. On SQLite it has the write lock from the start, so that it cannot be
    /// refused half-way.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn begin(&self) -> Result<DatabaseTransaction> {
        let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        let options = TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() };
        Ok(self.write.begin_with_options(options).await?)
    }

    /// Begins a transaction that only reads: all of its statements see the database at one moment.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction> {
        if self.read.get_database_backend() == DbBackend::Postgres {
            let (level, mode) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
            return Ok(self.read.begin_with_config(Some(level), Some(mode)).await?);
        }
        // A reader of SQLite keeps to what its first statement saw, and knows no other level.
        Ok(self.read.begin().await?)
    }

    /// Closes every connection, so that SQLite leaves one file behind.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn close(self) -> Result<()> {
        self.read.close().await?;
        Ok(self.write.close().await?)
    }

    /// Size and idle count of the pools.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        if self.read.get_database_backend() == DbBackend::Postgres {
            return counted(self.read.get_postgres_connection_pool());
        }
        let [(readers, idle_readers), (writers, idle_writers)] =
            [&self.read, &self.write].map(|pool| counted(pool.get_sqlite_connection_pool()));
        (readers + writers, idle_readers + idle_writers)
    }
}

/// Size and idle count of a pool.
fn counted<DB: Database>(pool: &Pool<DB>) -> (u32, usize) {
    // The library's count of idle ones may be below zero for a moment, which reads as a huge number.
    let (size, idle) = (pool.size(), pool.num_idle());
    (size, if idle > size as usize { 0 } else { idle })
}

/// What both databases are opened with. The library's task that closes old connections is left out: it can loop for good
/// (sqlx issue 3645), as it trusts a count of idle connections that may be below zero for a moment.
fn pool(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).acquire_timeout(PATIENCE).sqlx_logging(false);
    options.idle_timeout(None).max_lifetime(None);
    options
}

/// Opens so many connections, each with so much memory for pages, as `PRAGMA cache_size` has it.
async fn sqlite(url: &str, connections: u32, pages: &'static str) -> Result<DatabaseConnection> {
    let mut options = pool(url, connections);
    // There is no network that could lose it.
    options.test_before_acquire(false);
    options.map_sqlx_sqlite_pool_opts(|o| o.acquire_time_level(acquire::LEVEL));
    // Where a statement fails, SQLite may end the whole transaction, such as for want of space. To the library it then is open
    // for good: later ones would be parts of it, and what they commit would not be. Such a connection is given up.
    options.map_sqlx_sqlite_before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))));
    // The settings that make it durable and let readers go on while one writes.
    options.map_sqlx_sqlite_opts(move |o| {
        o.journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .pragma("cache_size", pages)
            // Pages that change again and again are written to the file once in 32 MB of changes.
            .pragma("wal_autocheckpoint", "8000")
            // What a statement notes for itself is small: no files are made for it.
            .pragma("temp_store", "MEMORY")
    });
    Ok(sea_orm::Database::connect(options).await?)
}

/// Reads an enumeration back.
fn parse<T: std::str::FromStr>(text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(Error::internal)
}

fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::micros)
}

/// Refuses when a guarded write did not meet its row as it was.
fn exactly_one(rows: u64) -> Result<()> {
    if rows == 1 {
        Ok(())
    } else {
        Err(sopwith_domain::error::Refusal::conflict("it was changed in the meantime").into())
    }
}

/// Runs an operation again when it collided with another.
///
/// # Errors
/// Those of the operation; `Unavailable` when it keeps colliding.
pub async fn retry<T, F: Future<Output = Result<T>>>(mut operation: impl FnMut() -> F) -> Result<T> {
    for attempt in 1..=5_u64 {
        match operation().await {
            Err(Error::Collided) => tokio::time::sleep(Duration::from_millis(5 * attempt * attempt)).await,
            answer => return answer,
        }
    }
    Err(Error::Unavailable)
}
