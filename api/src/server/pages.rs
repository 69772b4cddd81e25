//! Pages for operators: health, readiness, metrics.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::access::RequestId;
use super::bearer::bears;
use super::edge::Edge;
use super::rejection::{Rejection, failed};
use crate::clock;
use crate::error::Error;
use crate::metrics;

/// The process is alive.
pub async fn health() -> HttpResponse {
    text(StatusCode::OK, "ok\n")
}

/// Requests can be served.
pub async fn readiness(edge: Data<Edge>) -> HttpResponse {
    let on = edge.clone();
    let check = async move { on.readiness.missing(&on.store).await.or_else(|| on.verifier.missing()) };
    let checked = edge.runtime.spawn(check);
    match checked.await {
        Ok(None) => text(StatusCode::OK, "ready\n"),
        Ok(Some(missing)) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("not ready: {missing}\n")),
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

/// The metrics of this process.
pub async fn metrics(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let text = edge.metrics.encode(edge.store.connections()).map_err(Error::internal);
    scraped(text.map_err(|error| reason(&error)), &request)
}

/// The metrics of the domain, for those who bear the token.
pub async fn domain_metrics(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let allowed = || edge.metrics_token.as_deref().is_some_and(|token| bears(request.headers(), token));
    if !edge.metrics_domain_open && !allowed() {
        let rejection = Rejection::unauthenticated(if edge.metrics_token.is_some() {
            "the metrics token is needed in the header `Authorization`"
        } else {
            "no metrics token is set, and the page is not open"
        });
        edge.metrics.operations().rejected(rejection.reason);
        return rejection.response(&RequestId::get(&request));
    }
    let on = edge.clone();
    let gather = async move { on.domain.scrape(&on.store, clock::now()).await };
    let gathered = edge.runtime.spawn(tokio::time::timeout(edge.deadline, gather)).await;
    let text = match gathered {
        Ok(Ok(text)) => text.map_err(|error| reason(&error)),
        Ok(Err(_)) => Err("it took too long".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    scraped(text, &request)
}

fn reason(error: &Error) -> String {
    if let Error::Internal(text) = error { text.clone() } else { error.to_string() }
}

fn scraped(text: Result<String, String>, request: &HttpRequest) -> HttpResponse {
    let id = RequestId::get(request);
    match text {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE)).body(text),
        Err(reason) => {
            tracing::error!(request_id = id.as_str(), reason, "metrics cannot be gathered");
            failed(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the metrics cannot be gathered now", &id)
        }
    }
}

/// Answers other methods on pages.
pub async fn only_get(request: HttpRequest) -> HttpResponse {
    Rejection::method_response("GET", &RequestId::get(&request))
}

/// Answers everywhere else.
pub async fn nothing(request: HttpRequest) -> HttpResponse {
    failed(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this path", &RequestId::get(&request))
}

fn text(status: StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(text.to_owned())
}
