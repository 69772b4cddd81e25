//! What comes from files: readers of runbooks and of incident logs, and the commands that store what they read.
//!
//! Storing goes through [`crate::app`], as every request does: the same rules, the same audit entries.

pub mod incident;
pub mod incidents;
pub mod runbook;
pub mod runbooks;

pub use incidents::IncidentArgs;
pub use runbooks::RunbookArgs;

use std::fmt::Display;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sopwith_domain::access::{Actor, BUILT_IN_ROLES, HeldRole, Origin, RoleSource};
use sopwith_domain::approval::Via;
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::Timestamp;

use crate::app::{Call, people};
use crate::auth::claims::Identity;
use crate::cli::{CliError, migrate, print};
use crate::clock::{new_id, now};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Store;

/// Who says who the people are that only files know of.
const ISSUER: &str = "sopwith:import";

/// Who an import acts as: a person of its own. Its roles hold for the import only and are stored nowhere, so that
/// nobody finds it among those who could approve.
#[derive(Debug, Clone)]
pub struct Importer {
    store: Store,
    actor: Actor,
    request_id: String,
}

impl Importer {
    /// Takes on the importer's part, making it known where it is not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enter(store: &Store, subject: &str, name: &str, source: Option<&str>) -> Result<Self> {
        let person = person(store, subject, name).await?;
        let may = |name: &str| matches!(name, "author" | "admin" | "integration");
        let roles = BUILT_IN_ROLES.iter().filter(|(name, _)| may(name)).map(|(name, permissions)| HeldRole {
            role: (*name).to_owned(),
            team: None,
            permissions: permissions.iter().copied().collect(),
            origin: Origin { source: RoleSource::Import, ..Origin::CLAIM },
        });
        let actor = Actor {
            person,
            roles: roles.collect(),
            mandates: Vec::new(),
            source: source.map(str::to_owned),
            auth_time: None,
        };
        let request_id = format!("import-{}", new_id().simple());
        Ok(Self { store: store.clone(), actor, request_id })
    }

    /// The importer's person.
    #[must_use]
    pub fn person(&self) -> PersonId {
        self.actor.person
    }

    /// A request by the importer, now.
    #[must_use]
    pub fn call(&self) -> Call {
        self.call_as(self.actor.clone())
    }

    /// A request that the import records for somebody else, now.
    #[must_use]
    pub fn call_as(&self, actor: Actor) -> Call {
        let (store, request_id) = (self.store.clone(), self.request_id.clone());
        Call { store, actor, now: now(), via: Via::Import, request_id }
    }
}

/// The person that files call so, made where it is not known.
async fn person(store: &Store, subject: &str, name: &str) -> Result<PersonId> {
    let now: Timestamp = now();
    let identity = Identity {
        issuer: ISSUER.to_owned(),
        subject: subject.to_owned(),
        name: Some(name.to_owned()),
        email: None,
        email_verified: false,
        roles: Vec::new(),
        source: None,
        auth_time: None,
        expires_at: now,
    };
    Ok(people::identify(store, &identity, now, "import").await?.person)
}

/// Opens the configured database, and brings its tables up to date.
///
/// # Errors
/// When it cannot be opened, or the migrations fail.
pub async fn open(config: &Config) -> std::result::Result<Store, CliError> {
    let store = migrate::open(config).await?;
    migrate::apply(&store).await?;
    Ok(store)
}

/// Tells how far something is, on standard error, and only when that is a terminal.
#[must_use]
pub fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {elapsed}");
    style.map_or(bar.clone(), |style| bar.with_style(style.progress_chars("=> ")))
}

/// Prints what an import did: for a person, or as one document for a script.
fn show<R: Serialize + Display>(report: &R, json: bool) -> std::result::Result<(), CliError> {
    let told = if json { serde_json::to_string(report).map_err(Error::internal)? } else { report.to_string() };
    print(told.trim_end())
}

/// An error for the one who runs the command: every problem of an input, and the cause of a fault.
fn reason(error: &Error) -> String {
    let told = |p: &Problem| match p.path.first().map(String::as_str) {
        // Problems of a policy say themselves which stage they are of.
        None | Some("policy") => p.message.clone(),
        Some(_) => format!("{}: {}", p.path.join("."), p.message),
    };
    match error {
        Error::Refused(Refusal::Invalid(problems)) => problems.iter().map(told).collect::<Vec<_>>().join("; "),
        Error::Internal(cause) => format!("internal error: {cause}"),
        other => other.to_string(),
    }
}
