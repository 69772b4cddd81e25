//! `GET /records/{version}`: the signed record of a version, as a page to print or as JSON.

mod content;
mod html;
mod markdown;
mod parts;
mod passages;
mod wanted;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use sopwith_domain::approval::Via;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, VersionId};

use self::wanted::Form;
use super::access::{RequestId, Told};
use super::bearer;
use super::edge::Edge;
use super::execution::{Task, fault, out_of_time};
use super::rejection::{Rejection, failed};
use crate::app::Call;
use crate::app::people::{self, Bearer};
use crate::app::signed_record::{self, SignedRecord};
use crate::clock;
use crate::error::Error;
use crate::telemetry::statements::Counter;

/// Answers with the record, where the bearer sees the version. To look at it is no change, so nothing is recorded.
pub async fn answer(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let id = RequestId::get(&request);
    let version = request.match_info().get("version").and_then(|text| text.parse().ok());
    match admit(&edge, &request).await {
        Ok((bearer, form)) => match version {
            Some(version) => give(edge.into_inner(), bearer, version, form, &id).await,
            None => absent(&id).0,
        },
        Err(rejection) => {
            edge.metrics.operations().rejected(rejection.reason);
            rejection.response(&id)
        }
    }
}

async fn admit(edge: &Edge, request: &HttpRequest) -> Result<(Bearer, Form), Rejection> {
    let bearer = bearer::of(edge, request.headers()).await?;
    Ok((bearer, wanted::form(request.query_string(), request.headers())?))
}

async fn give(edge: Arc<Edge>, bearer: Bearer, version: VersionId, form: Form, id: &RequestId) -> HttpResponse {
    let (counter, person) = (Counter::default(), Arc::new(OnceLock::new()));
    let run = render(Arc::clone(&edge), bearer, (version, form), id.clone(), Arc::clone(&person));
    let limited = tokio::time::timeout(edge.deadline, counter.clone().scope(run));
    let mut task = Task(edge.runtime.spawn(limited));
    let (mut response, codes) = match (&mut task.0).await {
        Ok(Ok(Ok(rendered))) => (rendered.response(form), BTreeSet::new()),
        Ok(Ok(Err(Error::Refused(Refusal::NotFound(_))))) => absent(id),
        Ok(Ok(Err(error))) => fault(error, id),
        Ok(Err(_)) => out_of_time(id),
        // The panic itself is logged where it happened.
        Err(error) => fault(Error::internal(error), id),
    };
    let told = Told {
        person: person.get().map(PersonId::to_string),
        sql: Some(counter.count()),
        codes: codes.into_iter().next(),
        ..Told::default()
    };
    response.extensions_mut().insert(told);
    response
}

/// A record in the form that was asked for.
struct Rendered {
    /// What a copy of it may be called, without what the form adds.
    name: String,
    body: Vec<u8>,
}

async fn render(
    edge: Arc<Edge>,
    bearer: Bearer,
    (version, form): (VersionId, Form),
    id: RequestId,
    person: Arc<OnceLock<PersonId>>,
) -> Result<Rendered, Error> {
    let now = clock::now();
    let actor = people::actor(&edge.store, &bearer, now, id.as_str()).await?;
    person.get_or_init(|| actor.person);
    let request_id = id.as_str().to_owned();
    let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id };
    let record = signed_record::produce(&call, version).await?;
    let body = match form {
        Form::Html => html::page(&record).into_string().into_bytes(),
        Form::Json => serde_json::to_vec(&record).map_err(Error::internal)?,
    };
    Ok(Rendered { name: name(&record), body })
}

fn name(record: &SignedRecord) -> String {
    let version = record.version.label.clone().unwrap_or_else(|| record.version.id.to_string());
    let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' };
    format!("{}-{version}", record.sop.code).chars().map(fit).collect()
}

impl Rendered {
    fn response(self, form: Form) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if form == Form::Html {
            response.insert_header((CONTENT_SECURITY_POLICY, html::CONTENT_SECURITY_POLICY.as_str()));
        }
        response
            .insert_header((CONTENT_TYPE, form.content_type()))
            .insert_header((CONTENT_DISPOSITION, format!("inline; filename=\"{}.{}\"", self.name, form.extension())))
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((VARY, "Accept, Authorization"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((REFERRER_POLICY, "no-referrer"))
            .body(self.body)
    }
}

/// What is hidden is answered as what does not exist.
fn absent(id: &RequestId) -> (HttpResponse, BTreeSet<String>) {
    let response = failed(StatusCode::NOT_FOUND, "NOT_FOUND", "version not found", id);
    (response, BTreeSet::from(["NOT_FOUND".to_owned()]))
}
