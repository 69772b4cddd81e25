//! Configuration: defaults, under a TOML file, under `SOPWITH_...` environment variables.
//!
//! A nested setting is reached with a double underscore: `SOPWITH_AUTH__ISSUER` is `issuer` in `[auth]`. Unknown keys
//! and variables are refused by name, since a misspelt setting that is silently ignored is found out too late.

mod load;
mod redact;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sopwith_domain::calendar::Zone;

pub use load::ConfigError;

use crate::auth::token::AuthConfig;
use crate::smtp::MailConfig;

/// Everything an operator can set. `sopwith.example.toml` lists the same with the defaults.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the data is: `sqlite://PATH?mode=rwc` for the embedded database (one process), or
    /// `postgres://USER:PASSWORD@HOST/NAME` for PostgreSQL 14 or later (any number of replicas).
    pub database_url: String,
    /// Upper limit of open database connections of this process, at least 1.
    pub database_max_connections: u32,
    /// Address and port to serve on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Largest request body accepted, in bytes, at least 1024. `POST /v1/executions` takes bodies of any length: there
    /// it is the most of one batch, and of one execution.
    pub max_body_bytes: usize,
    /// A request that takes longer is ended with an error; in seconds, 1 to 86400.
    pub request_timeout_seconds: u64,
    /// How long a shutdown waits for requests in flight; in seconds, 0 (wait for none) to 86400.
    pub shutdown_timeout_seconds: u64,
    /// Deepest nesting of fields in a GraphQL operation. Introspection by graphql-js needs 15.
    pub max_depth: usize,
    /// Highest complexity of a GraphQL operation, in points: one per field, times the size of the lists around it.
    pub max_complexity: usize,
    /// Whether the schema can be asked for over GraphQL.
    pub introspection: bool,
    /// The bearer token that `/metrics/domain` asks for. Without one, that page is closed.
    pub metrics_token: Option<String>,
    /// Opens `/metrics/domain` to everyone who can reach the port, token or not.
    pub metrics_domain_open: bool,
    /// How often background jobs look for work, such as versions whose effective date has come, reminders that are due
    /// and mail to be sent; in seconds, 1 to 86400.
    pub scheduler_interval_seconds: u64,
    /// The time zone of the organisation, as the IANA database names it: days, weeks and months of figures are its. Once
    /// there are executions, `sopwith rollup rebuild` changes it.
    pub time_zone: Zone,
    /// What is logged and how.
    pub log: LogConfig,
    /// How people and integrations prove who they are.
    pub auth: AuthConfig,
    /// When those are told again whom a decision waits for, and others.
    pub reminders: RemindersConfig,
    /// Mail about what concerns somebody.
    pub mail: MailConfig,
    /// How the audit chain is witnessed.
    pub audit: AuditConfig,
    /// How many executions are taken at a time.
    pub ingest: IngestConfig,
    /// For how long what is received is kept.
    pub retention: RetentionConfig,
    /// Pages for people.
    pub dashboard: DashboardConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: "sqlite://sopwith.db?mode=rwc".to_owned(),
            database_max_connections: 10,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            max_body_bytes: 4 * 1024 * 1024,
            request_timeout_seconds: 30,
            shutdown_timeout_seconds: 30,
            max_depth: 15,
            max_complexity: 20_000,
            introspection: true,
            metrics_token: None,
            metrics_domain_open: false,
            scheduler_interval_seconds: 5,
            time_zone: Zone::UTC,
            log: LogConfig::default(),
            auth: AuthConfig::default(),
            reminders: RemindersConfig::default(),
            mail: MailConfig::default(),
            audit: AuditConfig::default(),
            ingest: IngestConfig::default(),
            retention: RetentionConfig::default(),
            dashboard: DashboardConfig::default(),
        }
    }
}

/// When something is done about a stage of an approval request that stays open. Seconds, up to a year; 0 is never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "they are settings, which name their unit")]
pub struct RemindersConfig {
    /// Those whom it waits for are reminded once it has been open for so long.
    pub remind_after_seconds: u64,
    /// They are reminded again so long after the last time.
    pub repeat_after_seconds: u64,
    /// The owner and the managers are told once it has been open for so long.
    pub escalate_after_seconds: u64,
}

impl Default for RemindersConfig {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self { remind_after_seconds: 3 * DAY, repeat_after_seconds: 3 * DAY, escalate_after_seconds: 7 * DAY }
    }
}

/// Signed heads of the audit chain: written when both files are set, which belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The Ed25519 private key that signs them (PKCS#8 in PEM), as `sopwith audit keygen` makes one.
    pub signing_key_file: Option<PathBuf>,
    /// Where they are appended to, as JSON Lines. Each replica has a file of its own.
    pub heads_file: Option<PathBuf>,
    /// How often one is written when the chain has grown; in seconds, 1 to 86400.
    pub heads_interval_seconds: u64,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { signing_key_file: None, heads_file: None, heads_interval_seconds: 60 }
    }
}

/// How many batches of executions are taken at a time, over whichever way they come. What gets no place in time is
/// answered `LIMIT_EXCEEDED`, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// How many batches this process has in work at a time; 1 to 1000. Each uses a connection to the database, and
    /// those of `database_max_connections` that are left serve everything else.
    pub max_batches: usize,
    /// How long a batch waits for its place; in milliseconds, 1 to 60000. Sixteen for each place may wait.
    pub max_wait_milliseconds: u64,
    /// How long batches of up to 50 executions that come while others are being stored wait for more, to be stored in one
    /// transaction; in milliseconds, 0 to 1000. With 0 each has a transaction of its own. On SQLite, which has one
    /// writer, they wait until that one is done, for `max_wait_milliseconds` at most.
    pub group_milliseconds: u64,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { max_batches: 6, max_wait_milliseconds: 1000, group_milliseconds: 5 }
    }
}

/// For how long what is received is kept. Figures are kept for good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Executions of so many whole months before the current one, of the organisation's time zone, are kept; older ones
    /// that have ended are deleted. At least 3, at most 1200; all are kept when absent.
    pub executions_months: Option<u32>,
}

/// The pages under `/dashboard`, and the sessions of those who look at them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardConfig {
    /// The origin at which browsers reach the service, such as `https://sops.example.org`. Without one, it is taken to be
    /// what a request names as its host.
    pub public_origin: Option<String>,
    /// How long a session lasts at the most; it never outlasts the token that it was begun with. In seconds, 60 to
    /// 604800.
    pub session_max_seconds: u64,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self { public_origin: None, session_max_seconds: 8 * 60 * 60 }
    }
}

/// Logging. Lines go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// One JSON object per line for machines, or text for people.
    pub format: LogFormat,
    /// Levels by target, such as `info` or `info,sopwith=debug`. `SOPWITH_LOG` is short for `SOPWITH_LOG__FILTER`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Json, filter: "info".to_owned() }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Plain text.
    Text,
}

/// Shows every setting but the secrets, so that a configuration may be logged.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        redact::secrets(&mut shown);
        write!(f, "Config {shown:#}")
    }
}
