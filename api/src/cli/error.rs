//! What can go wrong on the command line, in words for operators.

use std::io;
use std::process::ExitCode;

use sopwith_domain::error::Refusal;

use crate::auth::token::AuthSetupError;
use crate::config::ConfigError;
use crate::error::Error;
use crate::server::Failure;
use crate::telemetry::TelemetryError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Tokens cannot be minted as configured or asked for.
    #[error("{0}")]
    Token(#[from] AuthSetupError),
    /// Logging cannot begin.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The server cannot run.
    #[error("{}", in_words(.0))]
    Server(#[from] Failure),
    /// An operation failed. Unlike clients, operators are shown what the database said.
    #[error("{}", told(.0))]
    Service(#[from] Error),
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Anything else.
    #[error("{0}")]
    Message(String),
}

impl CliError {
    /// The error in one line.
    #[must_use]
    pub fn line(&self) -> String {
        self.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// 2 when arguments or configuration are at fault, else 1.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_)
            | Self::Token(_)
            | Self::Telemetry(_)
            | Self::Server(Failure::Auth(_) | Failure::Heads(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

fn in_words(failure: &Failure) -> String {
    if let Failure::Store(error) = failure { told(error) } else { failure.to_string() }
}

fn told(error: &Error) -> String {
    match error {
        Error::Internal(text) => text.clone(),
        Error::Refused(Refusal::Invalid(problems)) => {
            let problems: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message)).collect();
            problems.join("; ")
        }
        other => other.to_string(),
    }
}
