//! Why something was refused, in terms that a client can act on.

use serde::Serialize;

/// One thing wrong with an input, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Names of fields and indexes from the root of the input, such as `["content", "steps", "2", "role"]`.
    pub path: Vec<String>,
    /// What is wrong, for a person.
    pub message: String,
}

impl Problem {
    /// A problem at a dotted path.
    pub fn at(path: impl AsRef<str>, message: impl Into<String>) -> Self {
        Self { path: path.as_ref().split('.').map(str::to_owned).collect(), message: message.into() }
    }

    /// The same problem seen from one level further out.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        self.path.splice(0..0, parent.split('.').map(str::to_owned));
        self
    }
}

/// A refusal by the rules. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing, or the actor may not know that there is.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The actor sees it, but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It is not in the state, or not at the revision, that this needs.
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
        /// The revision it is at now, where that is what did not match.
        current_revision: Option<i64>,
    },
    /// The input breaks rules; every problem found is listed.
    #[error("the input is not valid")]
    Invalid(Vec<Problem>),
}

impl Refusal {
    /// A conflict of state.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict { message: message.into(), current_revision: None }
    }

    /// A conflict of revision.
    #[must_use]
    pub fn stale(current: i64) -> Self {
        Self::Conflict {
            message: format!("it was changed in the meantime: it is at revision {current} now"),
            current_revision: Some(current),
        }
    }

    /// All that it says, in one line: an invalid input's problems with where they are.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Invalid(problems) => {
                let told = problems.iter().map(|p| format!("{}: {}", p.path.join("."), p.message));
                told.collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        }
    }

    /// What kind of refusal it is, as clients are told.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Conflict { .. } => "CONFLICT",
            Self::Invalid(_) => "INVALID",
        }
    }

    /// A refusal for lack of a permission.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Forbidden(message.into())
    }

    /// One problem with the input.
    pub fn invalid(path: impl AsRef<str>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Problem::at(path, message)])
    }
}
