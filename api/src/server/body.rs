//! The body of a GraphQL request: JSON, no larger than allowed, one operation.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::{Bytes, Payload};
use async_graphql::{Request, Variables};
use serde::Deserialize;
use serde_json::error::Category;

use super::rejection::Rejection;

/// What a client sends. Other members are left alone, as GraphQL over HTTP asks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    extensions: Option<HashMap<String, async_graphql::Value>>,
}

/// Checks that the body says it is plain JSON.
///
/// # Errors
/// When it is of another type or encoding.
pub fn check_type(headers: &HeaderMap) -> Result<(), Rejection> {
    if !media_type(headers).is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Rejection::media_type("the content type must be application/json"));
    }
    check_encoding(headers)
}

/// Checks that the body says it is not compressed.
///
/// # Errors
/// When it does not.
pub fn check_encoding(headers: &HeaderMap) -> Result<(), Rejection> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::to_str) {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => Err(Rejection::media_type("the body must not be compressed")),
    }
}

/// The type that a body in UTF-8 says it is, without parameters.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    in_utf8(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

fn in_utf8(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next()?;
    let is_utf8 = |charset: &str| charset.trim_matches('"').eq_ignore_ascii_case("utf-8");
    let fits = |(name, value): (&str, &str)| !name.trim().eq_ignore_ascii_case("charset") || is_utf8(value.trim());
    parts.all(|part| part.split_once('=').is_none_or(fits)).then_some(kind)
}

/// Reads the body, refusing it as soon as it is known to be too large.
///
/// # Errors
/// When it is too large, broken off, or slower than `patience`.
pub async fn read(headers: &HeaderMap, payload: Payload, limit: usize, patience: Duration) -> Result<Bytes, Rejection> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        return Err(Rejection::too_large(limit));
    }
    match tokio::time::timeout(patience, payload.to_bytes_limited(limit)).await {
        Err(_) => Err(Rejection::too_slow()),
        Ok(Err(_)) => Err(Rejection::too_large(limit)),
        Ok(Ok(Err(_))) => Err(Rejection::incomplete()),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}

/// Reads the request that a body holds.
///
/// # Errors
/// When it is not one, with what is wrong.
pub fn parse(body: &[u8]) -> Result<Request, Rejection> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Rejection::batch());
    }
    let sent: Sent = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let variables = Variables::from_json(serde_json::Value::Object(sent.variables.unwrap_or_default()));
    let mut request = Request::new(sent.query).variables(variables);
    request.operation_name = sent.operation_name.filter(|name| !name.is_empty());
    request.extensions.0.extend(sent.extensions.unwrap_or_default());
    Ok(request)
}

fn malformed(error: &serde_json::Error) -> Rejection {
    if error.classify() == Category::Data {
        let shape =
            "an object with `query` as text, and if needed `operationName` as text and `variables` as an object";
        return Rejection::malformed(format!("the body must be {shape}"));
    }
    let (line, column) = (error.line(), error.column());
    Rejection::malformed(format!("the body is not JSON: see line {line}, column {column}"))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn takes_json_by_its_name_only() {
        let is_json = |kind: &&'static str| check_type(&with(CONTENT_TYPE, kind)).is_ok();
        let right =
            ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x=\"y\""];
        assert!(right.iter().all(is_json));
        let wrong = ["", "text/plain", "application/graphql", "application/json5", "application/json; charset=latin1"];
        assert!(!wrong.iter().any(is_json));
        assert!(check_type(&HeaderMap::new()).is_err());
    }

    #[test]
    fn takes_nothing_compressed() {
        for (encoding, taken) in [("identity", true), ("Identity", true), ("gzip", false), ("", false), ("a, b", false)]
        {
            assert_eq!(check_encoding(&with(CONTENT_ENCODING, encoding)).is_ok(), taken, "{encoding}");
        }
        assert!(check_encoding(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn takes_one_request_of_the_right_shape() {
        let request = parse(br#"{"query":"{a}","operationName":null,"variables":null,"extra":1}"#).unwrap();
        assert_eq!((request.query.as_str(), request.operation_name), ("{a}", None));
        for body in ["", "{", "{}", "[]", " [{}]", "null", r#"{"query":1}"#, r#"{"query":"a","variables":[]}"#] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
        let nested = format!(r#"{{"query":"a","variables":{{"a":{}"#, "[".repeat(100_000));
        assert!(parse(nested.as_bytes()).is_err());
    }
}
