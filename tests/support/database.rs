//! A database per test, cloned from a template that the real `sopwith migrate` made once per test process.

use std::{
    fs,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbErr, QueryResult, Statement, TryGetable};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use super::{
    Backend, janitor,
    postgres::{self, Missing},
    process, server,
};

const MIGRATE_LIMIT: Duration = Duration::from_mins(2);

/// Begins the names of all databases of this test process, so that several can share a server. A name has at most 63 bytes.
static PREFIX: LazyLock<String> = LazyLock::new(|| format!("sopwith_{}_", janitor::unique()));

/// A migrated database of one test, removed when dropped.
pub struct Database {
    url: String,
    /// What its removal takes: the SQLite directory removes itself.
    remains: Remains,
}

enum Remains {
    Directory { directory: TempDir },
    Postgres { maintenance: &'static str, name: String },
}

impl Database {
    /// Clones the template of the backend; fails when the backend is not there.
    pub async fn create(backend: Backend) -> Result<Self, Missing> {
        match backend {
            Backend::Sqlite => Ok(Self::sqlite().await),
            Backend::Postgres => Self::postgres(postgres::maintenance_url().await?).await,
        }
    }

    /// One without a table; fails when the backend is not there.
    pub async fn empty(backend: Backend) -> Result<Self, Missing> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if backend == Backend::Sqlite {
            let directory = directory();
            let url = format!("sqlite://{}?mode=rwc", directory.path().join("sopwith.db").display());
            return Ok(Self { url, remains: Remains::Directory { directory } });
        }
        let maintenance = postgres::maintenance_url().await?;
        let name = format!("{}empty_{}", *PREFIX, NEXT.fetch_add(1, Ordering::Relaxed));
        let made = execute(maintenance, &format!("CREATE DATABASE {name}")).await;
        made.map_err(|error| Missing::Broken(format!("making a database: {error}")))?;
        Ok(Self { url: with_name(maintenance, &name), remains: Remains::Postgres { maintenance, name } })
    }

    /// The same once more, while nobody is connected to it.
    pub async fn copy(&self) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        match &self.remains {
            Remains::Directory { directory: from } => {
                let directory = directory();
                for file in fs::read_dir(from.path()).expect("the directory of a database").flatten() {
                    fs::copy(file.path(), directory.path().join(file.file_name())).expect("copying a database");
                }
                let url = format!("sqlite://{}?mode=rwc", directory.path().join("sopwith.db").display());
                Self { url, remains: Remains::Directory { directory } }
            }
            Remains::Postgres { maintenance, name: from } => {
                let name = format!("{}copy_{}", *PREFIX, NEXT.fetch_add(1, Ordering::Relaxed));
                let copied = execute(maintenance, &format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
                copied.unwrap_or_else(|error| panic!("copying a database: {error}"));
                Self { url: with_name(maintenance, &name), remains: Remains::Postgres { maintenance, name } }
            }
        }
    }

    /// As `SOPWITH_DATABASE_URL` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn sqlite() -> Self {
        static TEMPLATE: OnceCell<Result<Vec<u8>, String>> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(sqlite_template).await;
        let template = template.as_ref().unwrap_or_else(|error| panic!("no SQLite template: {error}"));
        let directory = directory();
        let file = directory.path().join("sopwith.db");
        fs::write(&file, template).expect("copying the template");
        Self { url: format!("sqlite://{}?mode=rwc", file.display()), remains: Remains::Directory { directory } }
    }

    async fn postgres(maintenance: &'static str) -> Result<Self, Missing> {
        static TEMPLATE: OnceCell<Result<(), String>> = OnceCell::const_new();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Copies of one template wait for each other in the server too, but only for five seconds.
        static CLONING: Mutex<()> = Mutex::const_new(());
        let template = format!("{}template", *PREFIX);
        let made = TEMPLATE.get_or_init(|| postgres_template(maintenance, &template)).await;
        made.clone().map_err(|error| Missing::Broken(format!("no template: {error}")))?;
        let name = format!("{}{}", *PREFIX, NEXT.fetch_add(1, Ordering::Relaxed));
        let alone = CLONING.lock().await;
        let cloned = execute(maintenance, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        drop(alone);
        cloned.map_err(|error| Missing::Broken(format!("cloning the template: {error}")))?;
        Ok(Self { url: with_name(maintenance, &name), remains: Remains::Postgres { maintenance, name } })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Remains::Postgres { maintenance, name } = &self.remains else { return };
        let (maintenance, drop) = (*maintenance, format!("DROP DATABASE {name} WITH (FORCE)"));
        // The test's own runtime cannot be waited for here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(execute(maintenance, &drop))
        });
        match dropped.join() {
            Ok(Ok(())) => {}
            failed => eprintln!("a test database was not dropped: {failed:?}"),
        }
    }
}

/// Runs SQL, of several statements if wanted, by a connection of its own.
pub async fn execute(url: &str, sql: &str) -> Result<(), DbErr> {
    let connection = connect(url).await?;
    let result = connection.execute_unprepared(sql).await;
    connection.close().await?;
    result.map(drop)
}

/// The first column of the first row, by a connection of its own; `None` without a row.
pub async fn query<T: TryGetable>(url: &str, sql: &str) -> Result<Option<T>, DbErr> {
    let connection = connect(url).await?;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row: Result<Option<QueryResult>, DbErr> = connection.query_one_raw(statement).await;
    connection.close().await?;
    row?.map(|row| row.try_get_by_index(0)).transpose()
}

/// A connection of its own.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).connect_timeout(Duration::from_secs(10));
    // With either, the library starts a task that watches over the pool, and may loop for good (sqlx issue 3645).
    options.idle_timeout(None).max_lifetime(None);
    sea_orm::Database::connect(options).await
}

/// The template's bytes, all in one file: a write-ahead log beside it is emptied into it first.
async fn sqlite_template() -> Result<Vec<u8>, String> {
    let directory = directory();
    let file = directory.path().join("template.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    migrate(&url).await?;
    execute(&url, "PRAGMA wal_checkpoint(TRUNCATE)").await.map_err(|error| error.to_string())?;
    fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))
}

async fn postgres_template(maintenance: &str, name: &str) -> Result<(), String> {
    janitor::sweep(maintenance, &PREFIX);
    execute(maintenance, &format!("CREATE DATABASE {name}")).await.map_err(|error| error.to_string())?;
    migrate(&with_name(maintenance, name)).await
}

async fn migrate(url: &str) -> Result<(), String> {
    let output = process::output(server::command(url).arg("migrate"), MIGRATE_LIMIT).await;
    let why = || format!("`sopwith migrate` ended with {}:\n{}", output.status, process::tail(&output.stderr));
    output.status.success().then_some(()).ok_or_else(why)
}

fn directory() -> TempDir {
    TempDir::new_in(janitor::directory()).expect("a directory for a database")
}

/// The URL with another database's name in it.
fn with_name(url: &str, name: &str) -> String {
    let mut url = reqwest::Url::parse(url).expect("a URL that the driver took");
    url.set_path(name);
    url.into()
}
