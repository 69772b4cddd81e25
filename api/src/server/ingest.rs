//! `POST /v1/executions`: a body of executions of any length, taken in batches as it comes. The answers of each batch are
//! sent when it is stored, while the rest is still arriving, so that neither body nor answers are ever held as a whole.

mod body;
mod elements;
mod event;
mod fields;
mod form;
mod lines;
mod report;
mod stop;
mod terms;
mod told;

use std::sync::{Arc, OnceLock};

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, rt};
use sopwith_domain::approval::Via;
use sopwith_domain::execution::Report;
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::body::{Body, Item};
use self::form::Form;
use self::stop::Stop;
use self::terms::Terms;
use super::access::{RequestId, Told};
use super::edge::Edge;
use super::execution::Task;
use super::rejection::Rejection;
use super::{bearer, parts};
use crate::app::Call;
use crate::app::executions::{Answer, BatchInput};
use crate::app::people::{self, Bearer};
use crate::clock;
use crate::error::Error;
use crate::telemetry::statements::Counter;

/// Takes executions in, or turns the request away.
pub async fn handle(edge: Data<Edge>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let id = RequestId::get(&request);
    match admit(&edge, &request, payload, &id).await {
        Ok((sender, bearer)) => sender.answer(bearer).await,
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            rejection.response(&id)
        }
    }
}

/// What can be said without the body comes first, so that nobody has to be read who may not ask.
async fn admit(
    edge: &Data<Edge>,
    request: &HttpRequest,
    payload: Payload,
    id: &RequestId,
) -> Result<(Sender, Bearer), Rejection> {
    let headers = request.headers();
    let form = Form::of(headers)?;
    let bearer = bearer::of(edge, headers).await?;
    let bound = match &bearer {
        Bearer::Person(identity) => identity.source.as_deref(),
        Bearer::Token(token) => Some(token.source.as_str()),
    };
    let terms = Terms::read(request.query_string(), bound).map_err(Rejection::malformed)?;
    let sender = Sender {
        edge: edge.clone().into_inner(),
        id: id.clone(),
        headers: headers.clone(),
        body: Body::new(payload, form, &terms.source, edge.max_body_bytes, edge.deadline),
        terms,
        began: clock::now(),
        person: Arc::default(),
        statements: Counter::default(),
        answered: 0,
    };
    Ok((sender, bearer))
}

/// Somebody who sends executions, and how far they have come.
struct Sender {
    edge: Arc<Edge>,
    id: RequestId,
    headers: HeaderMap,
    body: Body,
    terms: Terms,
    began: Timestamp,
    person: Arc<OnceLock<PersonId>>,
    statements: Counter,
    /// How many items were answered: the index of the next.
    answered: u64,
}

impl Sender {
    /// What becomes of the first batch decides how the request is answered.
    async fn answer(mut self, bearer: Bearer) -> HttpResponse {
        let (id, person, statements) = (self.id.clone(), Arc::clone(&self.person), self.statements.clone());
        let (mut response, code) = match self.first(bearer).await {
            Ok(lines) if self.body.is_over() => (accepted().body(lines), None),
            Ok(lines) => (accepted().streaming(self.stream(lines)), None),
            Err(stop) => {
                stop.count(self.edge.metrics.operations());
                (stop.response(&id), Some(stop.code().to_owned()))
            }
        };
        let person = person.get().map(PersonId::to_string);
        let told = Told { person, sql: Some(statements.count()), codes: code, ..Told::default() };
        response.extensions_mut().insert(told);
        response
    }

    async fn first(&mut self, bearer: Bearer) -> Result<Bytes, Stop> {
        let items = self.body.next().await?;
        self.take(bearer, items).await
    }

    /// Who asks is asked again for each batch: a token may have ended meanwhile.
    async fn next(&mut self) -> Result<Bytes, Stop> {
        let items = self.body.next().await?;
        if items.is_empty() {
            return Ok(Bytes::new());
        }
        let mut expected = self.edge.intake.expect(self.terms.mode, items.len());
        let bearer = bearer::of(&self.edge, &self.headers).await;
        // A fault is one of theirs too; whoever is not believed any more is told so.
        if bearer.as_ref().err().is_none_or(|rejection| rejection.status() != StatusCode::SERVICE_UNAVAILABLE) {
            expected.settle();
        }
        self.take(bearer?, items).await
    }

    /// Takes a batch; answers with a line for each item.
    async fn take(&mut self, bearer: Bearer, items: Vec<Item>) -> Result<Bytes, Stop> {
        let mut reports = Vec::with_capacity(items.len());
        // In the place of each item, why it could not be read.
        let unread: Vec<_> = items.into_iter().map(|item| item.map(|report| reports.push(report)).err()).collect();
        let answers = self.record(bearer, reports, unread.iter().flatten().count()).await?;
        let mut answers = answers.into_iter();
        let all = unread.into_iter().filter_map(|wrong| wrong.map(Answer::Rejected).or_else(|| answers.next()));
        told::lines(all, &mut self.answered).map_err(|error| Stop::of(Error::internal(error), &self.id))
    }

    /// Records a batch, as a task of the main runtime.
    async fn record(&self, bearer: Bearer, reports: Vec<Report>, unread: usize) -> Result<Vec<Answer>, Stop> {
        let now = clock::now();
        // As if it said anew with each batch what time it is at the sender's.
        let sent_at = self.terms.sent_at.map(|at| at.plus(now.since(self.began)));
        let batch = BatchInput { source: self.terms.source.clone(), mode: self.terms.mode, sent_at, reports };
        let (edge, id, person) = (Arc::clone(&self.edge), self.id.clone(), Arc::clone(&self.person));
        let run = async move {
            let mut expected = edge.intake.expect(batch.mode, batch.reports.len());
            let actor = people::actor(&edge.store, &bearer, now, id.as_str()).await?;
            person.get_or_init(|| actor.person);
            let request_id = id.as_str().to_owned();
            let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id };
            let mode = batch.mode;
            expected.settle();
            let answers = edge.intake.take(&call, batch).await?;
            edge.intake.unreadable(mode, unread);
            Ok::<_, Error>(answers)
        };
        let limited = timeout(self.edge.deadline, self.statements.clone().scope(run));
        let mut task = Task(self.edge.runtime.spawn(limited));
        match (&mut task.0).await {
            Ok(Ok(Ok(answers))) => Ok(answers),
            Ok(Ok(Err(error))) => Err(Stop::of(error, &self.id)),
            Ok(Err(_)) => Err(Stop::out_of_time()),
            // The panic itself is logged where it happened.
            Err(error) => Err(Stop::of(Error::internal(error), &self.id)),
        }
    }

    /// The answers, from the first ones on. They are made beside the connection: whoever does not take them in time is
    /// given up, rather than waited for without end.
    fn stream(self, first: Bytes) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + 'static {
        let (send, receive) = mpsc::channel(1);
        rt::spawn(self.go_on(first, send));
        parts::stream(receive, "the answers to executions were cut short")
    }

    async fn go_on(mut self, first: Bytes, send: mpsc::Sender<Option<Bytes>>) {
        let (mut lines, mut reason) = (first, None::<String>);
        loop {
            match timeout(self.edge.deadline, send.send(Some(lines))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return self.told(Some("the sender went away")),
                Err(_) => return self.told(Some("the sender did not take the answers in time")),
            }
            if reason.is_some() || self.body.is_over() {
                break;
            }
            lines = match self.next().await {
                Ok(lines) => lines,
                Err(stop) => {
                    stop.count(self.edge.metrics.operations());
                    reason = Some(stop.message().to_owned());
                    stop.line(self.answered, &self.id)
                }
            };
        }
        // What stopped it is said in the last line.
        let _ = timeout(self.edge.deadline, send.send(None)).await;
        self.told(reason.as_deref());
    }

    /// Tells the log how a body ended that had begun to be answered.
    fn told(&self, reason: Option<&str>) {
        let (request_id, executions) = (self.id.as_str(), self.answered);
        match reason {
            None => tracing::info!(request_id, executions, "executions were taken"),
            Some(reason) => tracing::warn!(request_id, executions, reason, "not all executions were taken"),
        }
    }
}

fn accepted() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, form::LINES))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"));
    response
}
