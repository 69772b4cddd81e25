//! `POST /graphql`.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::Request;

use super::access::RequestId;
use super::edge::Edge;
use super::rejection::Rejection;
use super::{bearer, body, execution};
use crate::auth::claims::Identity;
use crate::metrics::Reason;

/// Takes a request in, or turns it away.
pub async fn handle(edge: Data<Edge>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let id = RequestId::get(&request);
    match admit(&edge, &request, payload).await {
        Ok((identity, asked)) => execution::answer(edge.into_inner(), identity, asked, &id).await,
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            rejection.response(&id)
        }
    }
}

/// What can be said without the body comes first, so that nobody has to be read who may not ask.
async fn admit(edge: &Edge, request: &HttpRequest, payload: Payload) -> Result<(Identity, Request), Rejection> {
    let headers = request.headers();
    body::check_type(headers)?;
    let identity = bearer::identity(&edge.verifier, headers)?;
    let body = body::read(headers, payload, edge.max_body_bytes, edge.deadline).await?;
    Ok((identity, body::parse(&body)?))
}

/// Answers other methods.
pub async fn only_post(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    edge.metrics.operations().rejected(Reason::Method);
    Rejection::method_response("POST", &RequestId::get(&request))
}
