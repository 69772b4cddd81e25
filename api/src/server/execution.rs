//! One operation, from its document to its answer. It runs as a task of the main runtime, where it can be given up
//! when it takes too long, and where a panic ends only the task.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER};
use async_graphql::{Request, Response};
use sopwith_domain::approval::Via;
use sopwith_domain::ids::PersonId;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::error::Elapsed;

use super::access::{RequestId, Told};
use super::answer::{self, JSON};
use super::document::{self, Operation};
use super::edge::Edge;
use super::rejection::{Rejection, failed};
use crate::app::Call;
use crate::app::people::{self, Bearer};
use crate::error::Error;
use crate::metrics::Reason;
use crate::telemetry::statements::Counter;
use crate::{clock, graphql};

/// A task that ends with the one who waits for it: what nobody waits for holds no connection to the database.
pub struct Task<T>(pub JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Executes a request and answers it.
pub async fn answer(edge: Arc<Edge>, bearer: Bearer, mut request: Request, id: &RequestId) -> HttpResponse {
    let began = Instant::now();
    let _in_flight = edge.metrics.operations().begin();
    let operation = match prepare(&edge, &mut request) {
        Ok(operation) => operation,
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            let codes = BTreeSet::from([rejection.code().to_owned()]);
            let told = finish(&edge, Operation::invalid(), &codes, began.elapsed());
            return with(rejection.response(id), told);
        }
    };
    let (counter, person) = (Counter::default(), Arc::new(OnceLock::new()));
    let run = execute(Arc::clone(&edge), bearer, request, id.clone(), Arc::clone(&person));
    let limited = tokio::time::timeout(edge.deadline, counter.clone().scope(run));
    let mut task = Task(edge.runtime.spawn(limited));
    let (response, codes) = respond((&mut task.0).await, id);
    if answer::over_limit(response.status(), &codes) {
        edge.metrics.operations().rejected(Reason::Limit);
    }
    let operation = if response.status() == StatusCode::BAD_REQUEST { Operation::invalid() } else { operation };
    let mut told = finish(&edge, operation, &codes, began.elapsed());
    told.person = person.get().map(PersonId::to_string);
    told.sql = Some(counter.count());
    with(response, told)
}

/// Parses the document within its limits and says what it asks for.
fn prepare(edge: &Edge, request: &mut Request) -> Result<Operation, Rejection> {
    let document = document::parse(&request.query, edge.max_fields)?;
    let operation = edge.roots.describe(&document, request.operation_name.as_deref());
    request.set_parsed_query(document);
    Ok(operation)
}

async fn execute(
    edge: Arc<Edge>,
    bearer: Bearer,
    request: Request,
    id: RequestId,
    person: Arc<OnceLock<PersonId>>,
) -> Result<Response, Error> {
    let now = clock::now();
    let actor = people::actor(&edge.store, &bearer, now, id.as_str()).await?;
    person.get_or_init(|| actor.person);
    let request_id = id.as_str().to_owned();
    let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id };
    Ok(edge.schema.execute(graphql::attach(request, call)).await)
}

/// What became of the task: executed, failed, out of time, or panicked.
type Ended = Result<Result<Result<Response, Error>, Elapsed>, JoinError>;

fn respond(ended: Ended, id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    let why = match ended {
        Ok(Ok(Ok(mut response))) => {
            let (status, codes) = answer::finish(&mut response, id.as_str());
            match answer::encode(&response, status) {
                Ok(body) => return (ok(status, body), codes),
                Err(error) => Error::internal(error),
            }
        }
        Ok(Ok(Err(error))) => error,
        Ok(Err(Elapsed { .. })) => return out_of_time(id),
        // The panic itself is logged where it happened.
        Err(error) => Error::internal(error),
    };
    fault(why, id)
}

/// The answer to what could not be brought to an end in time.
pub fn out_of_time(id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    unavailable("the operation took too long", id)
}

/// The answer to what went wrong, with its code. The reason goes to the log.
pub fn fault(why: Error, id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    match why {
        Error::Unavailable | Error::Collided | Error::Busy { .. } => unavailable("the service is busy: try again", id),
        Error::Outdated => unavailable(&why.to_string(), id),
        Error::Refused(refusal) => internal(&refusal.to_string(), id),
        Error::Internal(text) => internal(&text, id),
    }
}

fn ok(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status).insert_header(JSON).insert_header((CACHE_CONTROL, "no-store")).body(body)
}

fn unavailable(message: &str, id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    let mut response = failed(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message, id);
    response.headers_mut().insert(RETRY_AFTER, actix_web::http::header::HeaderValue::from_static("1"));
    (response, BTreeSet::from(["UNAVAILABLE".to_owned()]))
}

fn internal(reason: &str, id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    tracing::error!(request_id = id.as_str(), reason, "operation failed");
    let response = failed(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error", id);
    (response, BTreeSet::from(["INTERNAL".to_owned()]))
}

fn finish(edge: &Edge, operation: Operation, codes: &BTreeSet<String>, took: Duration) -> Told {
    edge.metrics.operations().answered(operation.kind, &operation.label, codes, took);
    let codes = codes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    Told {
        kind: Some(operation.kind),
        fields: Some(operation.fields),
        codes: (!codes.is_empty()).then_some(codes),
        ..Told::default()
    }
}

fn with(mut response: HttpResponse, told: Told) -> HttpResponse {
    response.extensions_mut().insert(told);
    response
}
