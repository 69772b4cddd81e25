//! Requests that are turned away before anything is executed.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use super::access::{RequestId, Told};
use super::answer::JSON;
use crate::metrics::Reason;

/// Why, in terms of HTTP and of GraphQL.
#[derive(Debug)]
pub struct Rejection {
    status: StatusCode,
    code: &'static str,
    /// What it counts as.
    pub reason: Reason,
    message: Cow<'static, str>,
    /// Line and column in the document, where one is at fault.
    at: Option<(usize, usize)>,
}

impl Rejection {
    fn new(status: StatusCode, code: &'static str, reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, reason, message: message.into(), at: None }
    }

    pub fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", Reason::Unauthenticated, message)
    }

    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", Reason::Unavailable, message)
    }

    pub fn media_type(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT", Reason::MediaType, message)
    }

    pub fn not_acceptable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, "BAD_USER_INPUT", Reason::MediaType, message)
    }

    pub fn too_large(limit: usize) -> Self {
        let message = format!("the body has more than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED", Reason::BodySize, message)
    }

    pub fn too_slow() -> Self {
        let message = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "BAD_USER_INPUT", Reason::Incomplete, message)
    }

    pub fn incomplete() -> Self {
        let message = "the body did not arrive whole";
        Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", Reason::Incomplete, message)
    }

    pub fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", Reason::Malformed, message)
    }

    pub fn batch() -> Self {
        let message = "one operation per request: batches are not taken";
        Self::new(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", Reason::Batch, message)
    }

    pub fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED", Reason::Limit, message)
    }

    pub fn method(allowed: &str) -> Self {
        let message = format!("only {allowed} is answered here");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "BAD_USER_INPUT", Reason::Method, message)
    }

    /// The same with the place in the document that is at fault.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.at = Some((line, column));
        self
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The answer. What a 405 allows is said by its caller.
    pub fn response(&self, id: &RequestId) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, "5"));
        }
        let error = json!({ "message": self.message, "extensions": { "code": self.code, "requestId": id.as_str() } });
        let mut response = with_error(&mut response, error, self.at);
        response.extensions_mut().insert(Told { codes: Some(self.code.to_owned()), ..Told::default() });
        response
    }

    /// A 405 with the methods that are answered.
    pub fn method_response(allowed: &'static str, id: &RequestId) -> HttpResponse {
        let mut response = Self::method(allowed).response(id);
        response.headers_mut().insert(ALLOW, actix_web::http::header::HeaderValue::from_static(allowed));
        response
    }
}

/// The answer to a request that failed as a whole.
pub fn failed(status: StatusCode, code: &str, message: &str, id: &RequestId) -> HttpResponse {
    let error = json!({ "message": message, "extensions": { "code": code, "requestId": id.as_str() } });
    with_error(&mut HttpResponse::build(status), error, None)
}

fn with_error(
    response: &mut HttpResponseBuilder,
    mut error: serde_json::Value,
    at: Option<(usize, usize)>,
) -> HttpResponse {
    if let Some((line, column)) = at {
        error["locations"] = json!([{ "line": line, "column": column }]);
    }
    response.insert_header(JSON).body(json!({ "errors": [error] }).to_string())
}
