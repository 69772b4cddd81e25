//! What can go wrong in the service, apart from the library and database texts, which are logged and never shown.

use sea_orm::error::ConnAcquireErr;
use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use sopwith_domain::error::Refusal;

use crate::telemetry::acquire;

/// An operation's failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse it; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database cannot answer now; the same request may succeed later.
    #[error("the service is busy: try again")]
    Unavailable,
    /// Two transactions got in each other's way; worth another try at once.
    #[error("the service is busy: try again")]
    Collided,
    /// So many like this one are in work, such as batches of executions, that it got no place.
    #[error("too much is in work: try again in {retry_after} s")]
    Busy {
        /// When to try again, in seconds.
        retry_after: u64,
    },
    /// Roll-ups were computed anew, in another form, after this process was started. Those that were started since can
    /// answer.
    #[error("figures are kept in another form than this process was started for: it has to be started anew")]
    Outdated,
    /// A fault. The text is for the log only.
    #[error("internal error")]
    Internal(String),
}

/// What operations answer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A fault of ours.
    pub fn internal(what: impl std::fmt::Display) -> Self {
        Self::Internal(what.to_string())
    }

    /// The database is going down, or cannot be reached any more.
    fn cut_off(why: &DbErr) -> Self {
        tracing::warn!(reason = %why, "the connection to the database was cut");
        Self::Unavailable
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(text)) => return Self::Refused(Refusal::conflict(taken(&text))),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Self::Refused(Refusal::NotFound("object")),
            _ => {}
        }
        match &error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                acquire::waited_in_vain();
                Self::Unavailable
            }
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Self::Unavailable,
            DbErr::Exec(RuntimeErr::SqlxError(source)) | DbErr::Query(RuntimeErr::SqlxError(source)) => {
                // Serialization failure and deadlock in PostgreSQL; busy in SQLite.
                let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
                match code.as_deref() {
                    Some("40001" | "40P01" | "5" | "517") => Self::Collided,
                    // A lock that was not to be had in time.
                    Some("55P03") => Self::Unavailable,
                    Some("57P01" | "57P02" | "57P03") => Self::cut_off(&error),
                    Some(code) if code.starts_with("08") => Self::cut_off(&error),
                    _ if matches!(source.as_ref(), sqlx::Error::Io(_)) => Self::cut_off(&error),
                    _ => Self::internal(error),
                }
            }
            _ => Self::internal(error),
        }
    }
}

/// What a broken unique index means to a client. PostgreSQL names the index, SQLite the columns.
fn taken(text: &str) -> &'static str {
    const MEANINGS: [(&[&str], &str); 7] = [
        (&["sop_one_per_process", "sop.process_id"], "this process has an SOP that is not retired"),
        (&["version_one_open", "version_one_published", "version_label", "version.sop_id"], "another version is open"),
        (&["approval_request_one_open", "approval_request.sop_id"], "another approval request is open"),
        (&["approval_decision", "approval_voice"], "this person has decided already"),
        (&["policy_", "policy."], "there is a policy for this kind, team and risk"),
        (&["team_key_key", "team.key", "process_key_key", "process.key"], "this key is taken"),
        (&["team_code_prefix_key", "team.code_prefix"], "this code prefix is taken"),
    ];
    let meaning = MEANINGS.iter().find(|(names, _)| names.iter().any(|name| text.contains(name)));
    meaning.map_or("it exists already", |(_, message)| message)
}
