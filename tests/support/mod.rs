//! What the tests run on: a real server, over a database of the test's own, on either backend.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "one support for all tests: not every part is in use at any time"
)]

use std::{
    io::Write,
    sync::{Arc, Once, RwLock},
    time::Duration,
};

mod chromium;
mod client;
mod database;
mod dice;
mod janitor;
mod keys;
pub mod npm;
mod oidc;
mod postgres;
mod process;
mod prometheus;
mod server;
pub mod token;

pub use chromium::Chromium;
pub use client::{Client, Raw, Response, UserError, respond};
pub use database::{Database, connect};
pub use dice::Dice;
pub use keys::{KeyServer, Manner};
pub use oidc::Provider;
pub use postgres::{durable, id as postgres_id};
pub use process::Output;
pub use prometheus::{Prometheus, installed, promtool};
pub use server::Server;

const REQUEST_LIMIT: Duration = Duration::from_secs(30);
const TEST_LIMIT: Duration = Duration::from_mins(10);
const COMMAND_LIMIT: Duration = Duration::from_mins(5);

/// Makes of each `async fn name(world: World) { ... }` the tests `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident $arguments:tt $body:block)+) => {$(
        $(#[$meta])*
        async fn $name $arguments $body

        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::support::run($crate::support::Backend::Sqlite, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::support::run($crate::support::Backend::Postgres, super::$name).await;
            }
        }
    )+};
}
pub(crate) use both;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// A server and its database, both the test's own and gone after it.
pub struct World {
    // In this order: the server ends before its database goes.
    pub server: Server,
    pub db: Database,
    pub backend: Backend,
    http: reqwest::Client,
    address: client::Address,
}

/// Runs one test, at most ten minutes, unless its backend is not there.
pub async fn run<F: Future<Output = ()>>(backend: Backend, test: impl FnOnce(World) -> F) {
    let Some(world) = World::start(backend).await else { return };
    assert!(tokio::time::timeout(TEST_LIMIT, test(world)).await.is_ok(), "not through in {TEST_LIMIT:?}");
}

impl World {
    /// A fresh database with a server over it. `None` means that there is no PostgreSQL here and that this was said;
    /// with `SOPWITH_TEST_REQUIRE_POSTGRES=1` that panics instead.
    pub async fn start(backend: Backend) -> Option<Self> {
        Self::start_with(backend, &[]).await
    }

    /// The same with further settings for the server.
    pub async fn start_with(backend: Backend, extra_env: &[(&str, &str)]) -> Option<Self> {
        let db = found(Database::create(backend).await)?;
        Some(Self::over(backend, db, extra_env).await)
    }

    /// A server over a database without a table, once `fill` has filled it; `None` as for [`Self::start`].
    pub async fn filled<F: Future<Output = ()>>(backend: Backend, fill: impl FnOnce(String) -> F) -> Option<Self> {
        let db = found(Database::empty(backend).await)?;
        fill(db.url().to_owned()).await;
        Some(Self::over(backend, db, &[]).await)
    }

    async fn over(backend: Backend, db: Database, extra_env: &[(&str, &str)]) -> Self {
        let server = Server::start(&db, extra_env).await;
        let http = reqwest::Client::builder().timeout(REQUEST_LIMIT).no_proxy().build().expect("an HTTP client");
        let address = Arc::new(RwLock::new(server.base_url().to_owned()));
        Self { server, db, backend, http, address }
    }

    /// Stops the server, gracefully if it still runs, and starts another over the same database. Clients follow.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same with further settings for the new server.
    pub async fn restart_with(&mut self, extra_env: &[(&str, &str)]) {
        self.server.stop_gracefully().await;
        self.server = Server::start(&self.db, extra_env).await;
        self.server.base_url().clone_into(&mut self.address.write().expect("nothing panics while it holds this"));
    }

    /// A person by `role` or `role@team` claims.
    pub fn client(&self, roles: &[&str], subject: &str) -> Client {
        Client::new(self.raw(), token::claims(roles, subject))
    }

    /// For requests that no decent client makes.
    pub fn raw(&self) -> Raw {
        Raw::new(self.http.clone(), Arc::clone(&self.address))
    }

    /// Runs `sopwith` with these arguments over the same database, to its end.
    pub async fn command(&self, arguments: &[&str]) -> Output {
        self.command_with(arguments, &[]).await
    }

    /// The same with further settings.
    pub async fn command_with(&self, arguments: &[&str], extra_env: &[(&str, &str)]) -> Output {
        let mut command = server::command(self.db.url());
        process::output(command.args(arguments).envs(extra_env.iter().copied()), COMMAND_LIMIT).await
    }

    /// Runs SQL past the server; panics when it fails.
    pub async fn execute(&self, sql: &str) {
        self.try_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs SQL past the server, with the database's own words when it refuses.
    pub async fn try_execute(&self, sql: &str) -> Result<(), String> {
        database::execute(self.db.url(), sql).await.map_err(|error| error.to_string())
    }

    /// The number in the first column of the only row: a 64-bit one, such as `COUNT(*)` gives.
    pub async fn query_i64(&self, sql: &str) -> i64 {
        self.query(sql).await
    }

    /// The text in the first column of the only row.
    pub async fn query_text(&self, sql: &str) -> String {
        self.query(sql).await
    }

    async fn query<T: sea_orm::TryGetable>(&self, sql: &str) -> T {
        let found = database::query(self.db.url(), sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        found.unwrap_or_else(|| panic!("no row: {sql}"))
    }
}

/// A database, unless there is none of its backend here, which is said.
fn found(db: Result<Database, postgres::Missing>) -> Option<Database> {
    match db {
        Ok(db) => Some(db),
        Err(postgres::Missing::NotInstalled(why)) => {
            skip(&why);
            None
        }
        Err(postgres::Missing::Broken(why)) => panic!("PostgreSQL is there but does not work: {why}"),
    }
}

/// Says once per test process, past libtest's capturing, that there is no PostgreSQL.
fn skip(why: &str) {
    static SAID: Once = Once::new();
    let required = std::env::var("SOPWITH_TEST_REQUIRE_POSTGRES").is_ok_and(|value| value == "1");
    assert!(!required, "SOPWITH_TEST_REQUIRE_POSTGRES=1, but: {why}");
    SAID.call_once(|| {
        let line = format!("SKIPPED on PostgreSQL: {why}\n");
        std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
    });
}

/// An id of the API as a literal of the database's.
pub fn literal(world: &World, id: &str) -> String {
    let hex = id.split_once('_').unwrap().1;
    match world.backend {
        Backend::Sqlite => format!("X'{hex}'"),
        Backend::Postgres => format!("'{hex}'::uuid"),
    }
}
