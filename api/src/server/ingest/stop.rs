//! Why no more is taken of a body: the whole answer before anything was, the last line of it afterwards.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;
use serde_json::{Value, json};
use sopwith_domain::error::Refusal;

use crate::error::Error;
use crate::metrics::{Operations, Reason};
use crate::server::access::RequestId;
use crate::server::answer::JSON;
use crate::server::rejection::Rejection;

/// Why, in terms of HTTP and of GraphQL.
#[derive(Debug)]
pub struct Stop {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// When to try again, in seconds.
    retry_after: Option<u64>,
    /// What a request counts as that is turned away by it.
    reason: Option<Reason>,
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        let (status, code, reason) = (rejection.status(), rejection.code(), Some(rejection.reason));
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        Self { status, code, message: rejection.message().to_owned(), retry_after, reason }
    }
}

impl Stop {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None, reason: None }
    }

    /// What a batch failed with. The reason of a fault goes to the log.
    pub fn of(error: Error, id: &RequestId) -> Self {
        let message = error.to_string();
        let fault = match error {
            Error::Refused(Refusal::Forbidden(why)) => return Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", why),
            Error::Refused(refusal @ Refusal::Invalid(_)) => {
                return Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", refusal.told());
            }
            Error::Busy { retry_after } => {
                let stop = Self::new(StatusCode::TOO_MANY_REQUESTS, "LIMIT_EXCEEDED", message);
                return Self { retry_after: Some(retry_after), ..stop };
            }
            Error::Unavailable | Error::Collided | Error::Outdated => return Self::unavailable(message),
            Error::Refused(refusal) => refusal.to_string(),
            Error::Internal(text) => text,
        };
        tracing::error!(request_id = id.as_str(), reason = fault, "executions could not be recorded");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
    }

    /// A batch took too long.
    pub fn out_of_time() -> Self {
        Self::unavailable("the operation took too long: it is not known what was taken, send it again")
    }

    fn unavailable(message: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message) }
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// Counts a request that was turned away by it.
    pub fn count(&self, operations: &Operations) {
        if let Some(reason) = self.reason {
            operations.rejected(reason);
        }
    }

    /// The answer to a request of which nothing was taken.
    pub fn response(&self, id: &RequestId) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.insert_header(JSON).body(json!({ "errors": [self.error(id)] }).to_string())
    }

    /// The last line of an answer: no item is answered from this index on.
    pub fn line(&self, index: u64, id: &RequestId) -> Bytes {
        format!("{}\n", json!({ "index": index, "errors": [self.error(id)] })).into()
    }

    fn error(&self, id: &RequestId) -> Value {
        let mut extensions = json!({ "code": self.code, "requestId": id.as_str() });
        if let Some(seconds) = self.retry_after {
            extensions["retryAfter"] = json!(seconds);
        }
        json!({ "message": self.message, "extensions": extensions })
    }
}
