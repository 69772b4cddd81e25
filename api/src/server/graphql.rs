//! `POST /graphql`.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use async_graphql::Request;

use super::access::RequestId;
use super::edge::Edge;
use super::rejection::Rejection;
use super::{bearer, body, execution};
use crate::app::people::Bearer;
use crate::metrics::Reason;

/// Takes a request in, or turns it away.
pub async fn handle(edge: Data<Edge>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let id = RequestId::get(&request);
    match admit(&edge, &request, payload).await {
        Ok((bearer, asked)) => execution::answer(edge.into_inner(), bearer, asked, &id).await,
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            rejection.response(&id)
        }
    }
}

/// What can be said without the body comes first, so that nobody has to be read who may not ask.
async fn admit(edge: &Edge, request: &HttpRequest, payload: Payload) -> Result<(Bearer, Request), Rejection> {
    let headers = request.headers();
    body::check_type(headers)?;
    let bearer = bearer::of(edge, headers).await?;
    let body = body::read(headers, payload, edge.max_body_bytes, edge.deadline).await?;
    Ok((bearer, body::parse(&body)?))
}

/// Answers other methods.
pub async fn only_post(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    edge.metrics.operations().rejected(Reason::Method);
    Rejection::method_response("POST", &RequestId::get(&request))
}
