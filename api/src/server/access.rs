//! Around every request: its id, and its line in the log. Tokens, bodies and variables are never logged.

use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest};

use crate::clock;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client, and the longest path that is logged, in bytes.
const LONGEST: usize = 128;

/// Names a request in its answer, in logs and in the audit chain.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The client's, when it is fit for logs, or a new one.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_safe(id));
        Self(given.map_or_else(|| clock::new_id().simple().to_string(), str::to_owned))
    }

    /// The id of a request that came through [`observe`].
    pub fn get(request: &HttpRequest) -> Self {
        let known = request.extensions().get::<Self>().cloned();
        known.unwrap_or_else(|| Self::of(request.headers()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_safe(id: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&byte);
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(safe)
}

/// What the log tells of a GraphQL request beyond HTTP.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// `query` or `mutation`.
    pub kind: Option<&'static str>,
    /// Root fields, as far as the schema knows them.
    pub fields: Option<String>,
    /// Who asked.
    pub person: Option<String>,
    /// SQL statements.
    pub sql: Option<u64>,
    /// Codes of errors.
    pub codes: Option<String>,
}

/// Gives every request an id and writes its line.
///
/// # Errors
/// Those of what it goes around.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    log(&response, &id, began.elapsed());
    Ok(response)
}

fn log<B>(response: &ServiceResponse<B>, id: &RequestId, took: Duration) {
    let request = response.request();
    let path: String = request.path().chars().take(LONGEST).collect();
    let told = response.response().extensions().get::<Told>().cloned().unwrap_or_default();
    tracing::info!(
        target: "sopwith::request",
        method = request.method().as_str(),
        path,
        status = response.status().as_u16(),
        request_id = id.as_str(),
        duration_ms = f64::from(u32::try_from(took.as_micros()).unwrap_or(u32::MAX)) / 1e3,
        "type" = told.kind,
        operation = told.fields,
        person = told.person,
        sql = told.sql,
        codes = told.codes,
        "request",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_ids_that_are_fit_for_logs() {
        assert!(is_safe("0198-AB_c.d:e") && is_safe(&"a".repeat(128)));
        for unsafe_id in ["", "a b", "a\"b", "a\nb", "é", "{}", &"a".repeat(129)] {
            assert!(!is_safe(unsafe_id), "{unsafe_id}");
        }
    }
}
