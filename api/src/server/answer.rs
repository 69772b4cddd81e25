//! GraphQL responses as they leave: every error with a code and the request's id.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};
use serde_json::json;

/// The type of every answer of the API.
pub const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json; charset=utf-8");

const LIMIT: &str = "LIMIT_EXCEEDED";
/// One mistake can make thousands of errors of validation.
const MAX_ERRORS: usize = 50;

/// Completes a response. Answers with its status and the codes of its errors.
pub fn finish(response: &mut Response, request_id: &str) -> (StatusCode, BTreeSet<String>) {
    let executed = response.data != Value::Null || response.errors.iter().any(|error| !error.path.is_empty());
    response.errors.truncate(MAX_ERRORS);
    let codes = response.errors.iter_mut().map(|error| complete(error, request_id)).collect();
    (if executed { StatusCode::OK } else { StatusCode::BAD_REQUEST }, codes)
}

/// The text of a response. One that was not executed has no `data`, not even null.
pub fn encode(response: &Response, status: StatusCode) -> serde_json::Result<Vec<u8>> {
    if status == StatusCode::OK {
        serde_json::to_vec(response)
    } else {
        serde_json::to_vec(&json!({ "errors": response.errors }))
    }
}

/// Whether the library refused the response's document for its size.
pub fn over_limit(status: StatusCode, codes: &BTreeSet<String>) -> bool {
    status == StatusCode::BAD_REQUEST && codes.contains(LIMIT)
}

fn complete(error: &mut ServerError, request_id: &str) -> String {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    let code = match extensions.get("code") {
        Some(Value::String(code)) => code.clone(),
        // Resolvers give a code to all of theirs: what has none is an objection of the library to the request.
        _ => code_of(&error.message).to_owned(),
    };
    extensions.set("code", code.as_str());
    extensions.set("requestId", request_id);
    code
}

fn code_of(message: &str) -> &'static str {
    let limits =
        ["Query is too complex", "Query is nested too deep", "The recursion depth", "The number of directives"];
    if limits.iter().any(|limit| message.starts_with(limit)) { LIMIT } else { "BAD_USER_INPUT" }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Result as Answer, Schema};

    use super::*;

    struct Query;

    #[Object]
    impl Query {
        async fn this(&self) -> Self {
            Self
        }

        async fn number(&self, of: i32) -> i32 {
            of
        }

        async fn fails(&self) -> Answer<i32> {
            use async_graphql::ErrorExtensions as _;
            Err(async_graphql::Error::new("no").extend_with(|_, e| e.set("code", "FORBIDDEN")))
        }
    }

    async fn answered(query: &str) -> (u16, String) {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription).limit_depth(3).limit_complexity(5).finish();
        let mut response = schema.execute(query).await;
        let (status, codes) = finish(&mut response, "id");
        let has_id = |error: &ServerError| {
            error.extensions.as_ref().and_then(|e| e.get("requestId")) == Some(&Value::String("id".to_owned()))
        };
        assert!(response.errors.iter().all(has_id));
        (status.as_u16(), codes.into_iter().collect::<Vec<_>>().join(","))
    }

    /// Also notices when the library words its limits otherwise.
    #[tokio::test]
    async fn every_error_has_a_code_and_a_fitting_status() {
        let is =
            async |query, status, codes: &str| assert_eq!(answered(query).await, (status, codes.to_owned()), "{query}");
        is("{ number(of: 1) }", 200, "").await;
        is("{ fails }", 200, "FORBIDDEN").await;
        is("{ number }", 400, "BAD_USER_INPUT").await;
        is("{ nothing }", 400, "BAD_USER_INPUT").await;
        is("{ this { this { this { number(of: 1) } } } }", 400, LIMIT).await;
        let six: String = [
            "x0: number(of: 0)",
            "x1: number(of: 1)",
            "x2: number(of: 2)",
            "x3: number(of: 3)",
            "x4: number(of: 4)",
            "x5: number(of: 5)",
        ]
        .join(" ");
        is(&format!("{{ {six} }}"), 400, LIMIT).await;
    }
}
