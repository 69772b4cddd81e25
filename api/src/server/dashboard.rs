//! `/dashboard`: figures as pages, for people without other tools; and what a page shows as CSV and as JSON.

mod axis;
mod chart;
mod comparison;
mod cookie;
mod diagnosis;
mod files;
mod filters;
mod html;
mod measure;
pub mod sign_in;
mod svg;
mod tables;
mod view;
mod wanted;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use sopwith_domain::approval::Via;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::PersonId;

use self::files::Form;
use self::html::Reader;
use super::access::{RequestId, Told};
use super::edge::Edge;
use super::execution::Task;
use crate::app::{Call, board, sessions};
use crate::clock;
use crate::error::Error;
use crate::telemetry::statements::Counter;

/// How long a page waits for what is worked out from the runs themselves: as long as somebody looks at an empty screen.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is looked at: everything, or one SOP by its code.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Overview,
    Sop(String),
}

impl Place {
    /// What a path leads to, and in which form.
    fn of(path: &str) -> Option<(Self, Form)> {
        let (path, form) = Form::of(path);
        let place = match path.strip_prefix("/dashboard")? {
            "" => Self::Overview,
            rest => Self::Sop(wanted::code(rest.strip_prefix("/sops/")?)?),
        };
        Some((place, form))
    }

    /// Its path, in a form.
    fn path(&self, form: Form) -> String {
        match self {
            Self::Overview => format!("/dashboard{}", form.suffix()),
            Self::Sop(code) => format!("/dashboard/sops/{code}{}", form.suffix()),
        }
    }
}

/// What a page is made in answer to.
struct Visit {
    /// SHA-256 of the secret in the cookie, in hex.
    session: String,
    place: Place,
    form: Form,
    query: String,
    id: RequestId,
}

/// What is answered.
enum Shown {
    Page(String),
    File {
        name: String,
        body: Vec<u8>,
    },
    /// The page is at another address.
    Elsewhere(String),
}

/// Why there is nothing to show.
enum Stop {
    /// Nobody is signed in.
    SignIn,
    /// The address asks for what cannot be, for the reason that is told.
    Wrong(String),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Shows a page, or what it shows as a file.
pub async fn handle(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let id = RequestId::get(&request);
    let Some((place, form)) = Place::of(request.path()) else { return absent() };
    let Some(session) = cookie::presented(request.headers(), &edge.dashboard) else { return sign_in::first(&request) };
    let visit = Visit { session, place, form, query: request.query_string().to_owned(), id: id.clone() };
    let (counter, person) = (Counter::default(), Arc::new(OnceLock::new()));
    let edge = edge.into_inner();
    let run = show(Arc::clone(&edge), visit, Arc::clone(&person));
    let limited = tokio::time::timeout(edge.deadline, counter.clone().scope(run));
    let mut task = Task(edge.runtime.spawn(limited));
    let mut response = match (&mut task.0).await {
        Ok(Ok(Ok(shown))) => respond(shown, form),
        Ok(Ok(Err(Stop::SignIn))) => sign_in::first(&request),
        Ok(Ok(Err(Stop::Wrong(why)))) => wrong(&why),
        Ok(Ok(Err(Stop::Error(error)))) => failed(error, &id),
        Ok(Err(_)) => failed(Error::Unavailable, &id),
        // The panic itself is logged where it happened.
        Err(error) => failed(Error::internal(error), &id),
    };
    let codes = response.extensions().get::<Told>().and_then(|told| told.codes.clone());
    let person = person.get().map(PersonId::to_string);
    response.extensions_mut().insert(Told { person, sql: Some(counter.count()), codes, ..Told::default() });
    response
}

async fn show(edge: Arc<Edge>, visit: Visit, person: Arc<OnceLock<PersonId>>) -> Result<Shown, Stop> {
    let now = clock::now();
    let resumed = sessions::resume(&edge.store, &edge.uses, &visit.session, now).await?;
    let session = resumed.ok_or(Stop::SignIn)?;
    person.get_or_init(|| session.actor.person);
    let mut wanted = wanted::read(&visit.query).map_err(Stop::Wrong)?;
    if let Some(code) = wanted.sop.take() {
        return Ok(Shown::Elsewhere(wanted.at(&Place::Sop(code).path(visit.form))));
    }
    let asked = wanted.asked(edge.store.zone(), now).map_err(Stop::Wrong)?;
    let request_id = visit.id.as_str().to_owned();
    let call = Call { store: edge.store.clone(), actor: session.actor, now, via: Via::Api, request_id };
    let board = match &visit.place {
        Place::Overview => board::overview(&call, &asked).await?,
        Place::Sop(code) => board::of_sop(&call, code, &asked).await?,
    };
    // Rows of a table are no place for it.
    let insight = match visit.form {
        Form::Csv => None,
        Form::Page | Form::Json => board::insight(&call, &board, PATIENCE.min(edge.deadline / 2)).await,
    };
    let view =
        view::View { place: &visit.place, wanted: &wanted, asked: &asked, board: &board, insight: insight.as_ref() };
    Ok(match visit.form {
        Form::Page => {
            let choices = board::choices(&call).await?;
            let reader = Reader::SignedIn(session.name.as_deref());
            Shown::Page(view.page(reader, &choices)?.into_string())
        }
        Form::Csv => Shown::File { name: view.file_name(), body: files::csv(&view)? },
        Form::Json => Shown::File { name: view.file_name(), body: files::json(&view)? },
    })
}

fn respond(shown: Shown, form: Form) -> HttpResponse {
    match shown {
        Shown::Page(page) => html::answer(StatusCode::OK, maud::PreEscaped(page)),
        Shown::File { name, body } => html::guarded(HttpResponse::Ok())
            .insert_header((CONTENT_TYPE, form.media_type()))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}{}\"", form.suffix())))
            .body(body),
        Shown::Elsewhere(to) => html::guarded(HttpResponse::SeeOther()).insert_header((LOCATION, to)).finish(),
    }
}

/// An answer with the code that the log tells.
fn noted(mut response: HttpResponse, code: &str) -> HttpResponse {
    response.extensions_mut().insert(Told { codes: Some(code.to_owned()), ..Told::default() });
    response
}

/// What is hidden is answered as what does not exist.
fn absent() -> HttpResponse {
    let text = "There is no such page, or it is not for you to see. A link may be old, or a code misspelt.";
    noted(html::answer(StatusCode::NOT_FOUND, html::notice("Not found", text)), "NOT_FOUND")
}

fn wrong(why: &str) -> HttpResponse {
    noted(html::answer(StatusCode::BAD_REQUEST, html::notice("This cannot be shown", why)), "BAD_USER_INPUT")
}

/// The page that says what went wrong. The reason goes to the log.
fn failed(error: Error, id: &RequestId) -> HttpResponse {
    let reason = match error {
        Error::Refused(Refusal::NotFound(_)) => return absent(),
        Error::Refused(Refusal::Forbidden(_)) => {
            let text = "You are signed in, but none of your roles reads figures, and you own no SOP. Whoever manages access \
                        can give you one that does, such as manager of your team.";
            let page = html::notice("No figures for you", text);
            return noted(html::answer(StatusCode::FORBIDDEN, page), "FORBIDDEN");
        }
        Error::Refused(Refusal::Invalid(problems)) => {
            let told: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            return wrong(&format!("{}.", told.join("; ")));
        }
        Error::Outdated => {
            let text = "Figures are kept in another form than this service was started for, another time zone for example. \
                        Whoever runs it has to start it anew; its log says how.";
            return noted(
                html::answer(StatusCode::SERVICE_UNAVAILABLE, html::notice("No figures", text)),
                "UNAVAILABLE",
            );
        }
        Error::Unavailable | Error::Collided | Error::Busy { .. } => {
            let page = html::notice("Busy", "The service cannot answer now. Try again in a moment.");
            let mut response = noted(html::answer(StatusCode::SERVICE_UNAVAILABLE, page), "UNAVAILABLE");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return response;
        }
        Error::Refused(refusal) => refusal.to_string(),
        Error::Internal(text) => text,
    };
    tracing::error!(request_id = id.as_str(), reason, "a page could not be made");
    let text =
        format!("Something went wrong here. Whoever runs the service finds it in the log as request {}.", id.as_str());
    noted(html::answer(StatusCode::INTERNAL_SERVER_ERROR, html::notice("A fault", &text)), "INTERNAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_places_in_a_form() {
        let sop = || Place::Sop("OPS-0001".to_owned());
        for (path, place, form) in [
            ("/dashboard", Place::Overview, Form::Page),
            ("/dashboard.csv", Place::Overview, Form::Csv),
            ("/dashboard.json", Place::Overview, Form::Json),
            ("/dashboard/sops/OPS-0001", sop(), Form::Page),
            ("/dashboard/sops/OPS-0001.csv", sop(), Form::Csv),
        ] {
            assert_eq!(Place::of(path), Some((place.clone(), form)), "{path}");
            assert_eq!(place.path(form), path);
        }
        for none in
            ["/dashboard/", "/dashboard/sops", "/dashboard/sops/", "/dashboard/sops/a/b", "/dashboard.xml", "/dash"]
        {
            assert_eq!(Place::of(none), None, "{none}");
        }
    }
}
