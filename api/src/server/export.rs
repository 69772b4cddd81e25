//! `GET /audit/export`: the audit chain as a file, sent while it is read.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::Stream;
use sopwith_domain::approval::Via;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::PersonId;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::access::{RequestId, Told};
use super::bearer;
use super::edge::Edge;
use super::execution::{Task, fault, out_of_time};
use super::parts;
use super::rejection::{Rejection, failed};
use crate::app::Call;
use crate::app::exports::{ExportInput, export};
use crate::app::people::{self, Bearer};
use crate::clock;
use crate::error::Error;
use crate::export::{Format, Pages};

/// Sends the entries that the bearer reads.
pub async fn handle(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let id = RequestId::get(&request);
    match admit(&edge, &request).await {
        Ok((bearer, input)) => send(edge.into_inner(), bearer, input, &id).await,
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            rejection.response(&id)
        }
    }
}

async fn admit(edge: &Edge, request: &HttpRequest) -> Result<(Bearer, ExportInput), Rejection> {
    let bearer = bearer::of(edge, request.headers()).await?;
    Ok((bearer, read(request.query_string()).map_err(Rejection::malformed)?))
}

async fn send(edge: Arc<Edge>, bearer: Bearer, input: ExportInput, id: &RequestId) -> HttpResponse {
    let person = Arc::new(OnceLock::new());
    let begun = begin(Arc::clone(&edge), bearer, input, id.clone(), Arc::clone(&person));
    let mut task = Task(edge.runtime.spawn(timeout(edge.deadline, begun)));
    let (mut response, codes) = match (&mut task.0).await {
        Ok(Ok(Ok(pages))) => (file(input.format, stream(&edge, pages, id.clone())), BTreeSet::new()),
        Ok(Ok(Err(error))) => refused(error, id),
        Ok(Err(_)) => out_of_time(id),
        // The panic itself is logged where it happened.
        Err(error) => fault(Error::internal(error), id),
    };
    let person = person.get().map(PersonId::to_string);
    response.extensions_mut().insert(Told { person, codes: codes.into_iter().next(), ..Told::default() });
    response
}

fn file(format: Format, parts: impl Stream<Item = io::Result<Bytes>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, format.media_type()))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"audit.{}\"", format.as_str())))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(parts)
}

/// What is asked for. Anything unknown is refused by name: a misspelt limit must not export more than was meant.
fn read(query: &str) -> Result<ExportInput, String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(query).map_err(|_| "the query cannot be read".to_owned())?;
    let mut input = ExportInput { format: Format::Jsonl, from: None, to: None };
    let number = |name: &str, text: &str| {
        let number = text.parse().map_err(|_| format!("`{name}` must be the number of an entry"))?;
        Ok::<_, String>(Some(number))
    };
    let mut seen = Vec::new();
    for (name, text) in pairs.into_inner() {
        match name.as_str() {
            "format" => {
                let known = Format::ALL.into_iter().find(|format| format.as_str() == text);
                input.format = known.ok_or("`format` must be one of jsonl, csv")?;
            }
            "from" => input.from = number("from", &text)?,
            "to" => input.to = number("to", &text)?,
            _ => return Err("unknown parameter: known are format, from, to".to_owned()),
        }
        if seen.contains(&name) {
            return Err(format!("`{name}` is given twice"));
        }
        seen.push(name);
    }
    Ok(input)
}

/// Records the export and begins it.
async fn begin(
    edge: Arc<Edge>,
    bearer: Bearer,
    input: ExportInput,
    id: RequestId,
    person: Arc<OnceLock<PersonId>>,
) -> Result<Pages, Error> {
    let now = clock::now();
    let actor = people::actor(&edge.store, &bearer, now, id.as_str()).await?;
    person.get_or_init(|| actor.person);
    let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id: id.as_str().to_owned() };
    export(&call, &input).await
}

/// The parts of the file, each read when the one before it is taken: what a slow reader holds up is one part, and no
/// connection to the database. A reader who takes longer than a request may for one is given up.
fn stream(edge: &Arc<Edge>, mut pages: Pages, id: RequestId) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    let (send, receive) = mpsc::channel::<Option<Bytes>>(1);
    let (store, deadline) = (edge.store.clone(), edge.deadline);
    edge.runtime.spawn(async move {
        loop {
            let part = match timeout(deadline, pages.next(store.read())).await {
                Ok(Ok(part)) => part.map(Bytes::from),
                Ok(Err(error)) => return cut_short(&id, &reason(&error)),
                Err(_) => return cut_short(&id, "the database took too long"),
            };
            let whole = part.is_none();
            match timeout(deadline, send.send(part)).await {
                Ok(Ok(())) if whole => return,
                Ok(Ok(())) => {}
                Ok(Err(_)) => return cut_short(&id, "the reader went away"),
                Err(_) => return cut_short(&id, "the reader took too long"),
            }
        }
    });
    parts::stream(receive, "the export was cut short")
}

fn cut_short(id: &RequestId, reason: &str) {
    tracing::warn!(request_id = id.as_str(), reason, "an export of the audit chain was cut short");
}

fn reason(error: &Error) -> String {
    if let Error::Internal(text) = error { text.clone() } else { error.to_string() }
}

fn refused(error: Error, id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    let (status, code, message) = match error {
        Error::Refused(Refusal::Forbidden(why)) => (StatusCode::FORBIDDEN, "FORBIDDEN", why),
        Error::Refused(Refusal::Invalid(problems)) => {
            let told: Vec<_> = problems.iter().map(|p| format!("`{}`: {}", p.path.join("."), p.message)).collect();
            (StatusCode::BAD_REQUEST, "BAD_USER_INPUT", told.join("; "))
        }
        error => return fault(error, id),
    };
    (failed(status, code, &message, id), BTreeSet::from([code.to_owned()]))
}
