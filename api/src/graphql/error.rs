//! The error wall: what a resolver may answer. Library and database texts are logged and stay here.

use async_graphql::{Enum, ErrorExtensions, SimpleObject};
use sopwith_domain::error::{Problem, Refusal};

use super::scalars::BigInt;
use crate::error::Error;

/// What resolvers fail with. It has no `Display`, so that `?` takes nothing but our own errors.
#[derive(Debug)]
pub struct Fault(Error);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.into())
    }
}

impl From<Fault> for async_graphql::Error {
    fn from(Fault(error): Fault) -> Self {
        if let Error::Internal(text) = &error {
            tracing::error!(error = text, "internal error");
        }
        let (code, message) = match &error {
            Error::Refused(Refusal::NotFound(_)) => ("NOT_FOUND", error.to_string()),
            Error::Refused(Refusal::Forbidden(_)) => ("FORBIDDEN", error.to_string()),
            Error::Refused(Refusal::Conflict { .. }) => ("CONFLICT", error.to_string()),
            Error::Refused(refusal @ Refusal::Invalid(_)) => ("BAD_USER_INPUT", refusal.told()),
            Error::Unavailable | Error::Collided | Error::Outdated => ("UNAVAILABLE", error.to_string()),
            Error::Busy { .. } => ("LIMIT_EXCEEDED", error.to_string()),
            Error::Internal(_) => ("INTERNAL", error.to_string()),
        };
        Self::new(message).extend_with(|_, extensions| {
            extensions.set("code", code);
            if let Error::Busy { retry_after } = error {
                extensions.set("retryAfter", retry_after);
            }
        })
    }
}

/// What resolvers answer.
pub type Result<T> = std::result::Result<T, Fault>;

/// Why a mutation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum UserErrorCode {
    /// There is no such object, or you may not know that there is.
    NotFound,
    /// You may not do this.
    Forbidden,
    /// It is not in the state, or not at the revision, that this needs.
    Conflict,
    /// The input breaks a rule.
    Invalid,
}

/// Why a mutation was refused. Nothing was changed.
#[derive(Debug, Clone, SimpleObject)]
pub struct UserError {
    /// The kind of refusal.
    code: UserErrorCode,
    /// What stands in the way, for a person.
    message: String,
    /// Names and indexes from the root of the input to the field that is wrong, where there is one.
    path: Option<Vec<String>>,
    /// The revision that the object is at now, where that is what did not match.
    current_revision: Option<BigInt>,
}

/// Splits an operation's answer into what it made and why it was refused; faults remain faults.
pub fn settle<T>(answer: crate::error::Result<T>) -> Result<(Option<T>, Vec<UserError>)> {
    match answer {
        Ok(made) => Ok((Some(made), Vec::new())),
        Err(Error::Refused(refusal)) => Ok((None, user_errors(refusal))),
        Err(fault) => Err(fault.into()),
    }
}

/// A refusal as clients are told it.
pub fn user_errors(refusal: Refusal) -> Vec<UserError> {
    let message = refusal.to_string();
    let one = |code, current_revision: Option<i64>| {
        vec![UserError { code, message: message.clone(), path: None, current_revision: current_revision.map(BigInt) }]
    };
    match refusal {
        Refusal::NotFound(_) => one(UserErrorCode::NotFound, None),
        Refusal::Forbidden(_) => one(UserErrorCode::Forbidden, None),
        Refusal::Conflict { current_revision, .. } => one(UserErrorCode::Conflict, current_revision),
        Refusal::Invalid(problems) => {
            let told = |Problem { path, message }| UserError {
                code: UserErrorCode::Invalid,
                message,
                path: Some(path),
                current_revision: None,
            };
            problems.into_iter().map(told).collect()
        }
    }
}
