//! Signing in with a token, which is checked as everywhere, and signing out.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::web::{Data, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use sopwith_domain::approval::Via;
use sopwith_domain::time::SECOND;

use super::cookie::{self, Origin};
use super::html::{self, Reader};
use super::{failed, noted};
use crate::app::people::{self, Bearer};
use crate::app::sessions::{self, Begun};
use crate::app::{Call, sessions::resume};
use crate::auth::token::MAX_BEARER_BYTES;
use crate::clock;
use crate::error::{Error, Result};
use crate::server::access::RequestId;
use crate::server::edge::Edge;
use crate::server::execution::Task;
use crate::server::{bearer, body};

/// The page with the overview, where one goes who came from nowhere in particular.
const HOME: &str = "/dashboard";
/// The longest form that is read, in bytes: a token, and where to go on.
const LONGEST_FORM: usize = MAX_BEARER_BYTES + 4096;

/// The page to sign in at.
pub async fn form(request: HttpRequest) -> HttpResponse {
    let to = field(request.query_string(), "to").filter(|to| is_page(to));
    html::answer(StatusCode::OK, ask(to.as_deref().unwrap_or(HOME), None))
}

/// The same in the place of a page that is for those who are signed in.
pub fn first(request: &HttpRequest) -> HttpResponse {
    let wanted = request.uri().to_string();
    let to = if is_page(&wanted) { wanted.as_str() } else { HOME };
    noted(html::answer(StatusCode::UNAUTHORIZED, ask(to, None)), "UNAUTHENTICATED")
}

/// Whether an address is one of the pages: nobody is sent anywhere else from here.
fn is_page(to: &str) -> bool {
    let known = to == HOME || to.starts_with("/dashboard?") || to.starts_with("/dashboard/sops/");
    known && to.len() <= 2000 && to.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

fn ask(to: &str, wrong: Option<&str>) -> Markup {
    let main = html! {
        section.card.sign-in {
            h1 { "Sign in" }
            p { "Figures are for those who may read them. Paste the token that you use the API with." }
            @if let Some(wrong) = wrong {
                p.wrong role="alert" id="wrong" { strong { "Not signed in: " } (wrong) "." }
            }
            form method="post" action="/dashboard/sign-in" {
                label for="token" { "Token" }
                input id="token" name="token" type="password" required autocomplete="off" spellcheck="false"
                    autocapitalize="none" aria-describedby=(if wrong.is_some() { "wrong about" } else { "about" });
                p.about id="about" {
                    "It is not kept. Your browser stays signed in for some hours, until the token ends, or until you sign out."
                }
                input type="hidden" name="to" value=(to);
                button type="submit" { "Sign in" }
            }
        }
    };
    html::page("Sign in", Reader::Anyone, &main)
}

/// Begins a session for whoever bears the token in the form.
pub async fn enter(edge: Data<Edge>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let id = RequestId::get(&request);
    let Some(origin) = cookie::own_origin(request.headers(), &edge.dashboard) else { return foreign() };
    let form = match read(&edge, &request, payload).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let to = field(&form, "to").filter(|to| is_page(to));
    let to = to.as_deref().unwrap_or(HOME);
    let token = field(&form, "token").unwrap_or_default();
    let wrong = |status, why: &str| noted(html::answer(status, ask(to, Some(why))), "UNAUTHENTICATED");
    let bearer = match bearer::believe(&edge, token.trim()).await {
        Ok(bearer) => bearer,
        Err(rejection) => return wrong(rejection.status(), rejection.message()),
    };
    let before = cookie::presented(request.headers(), &edge.dashboard);
    let (on, named) = (edge.into_inner(), id.clone());
    let runtime = on.runtime.clone();
    let begun = tokio::time::timeout(on.deadline, begin(Arc::clone(&on), bearer, before, named));
    let mut task = Task(runtime.spawn(begun));
    match (&mut task.0).await.map_err(Error::internal) {
        Ok(Ok(Ok(Some(begun)))) => entered(&begun, to, &origin),
        Ok(Ok(Ok(None))) => wrong(StatusCode::UNAUTHORIZED, "the token has expired"),
        Ok(Ok(Err(error))) | Err(error) => failed(error, &id),
        Ok(Err(_)) => failed(Error::Unavailable, &id),
    }
}

async fn begin(edge: Arc<Edge>, bearer: Bearer, before: Option<String>, id: RequestId) -> Result<Option<Begun>> {
    let now = clock::now();
    let actor = people::actor(&edge.store, &bearer, now, id.as_str()).await?;
    let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id: id.as_str().to_owned() };
    sessions::begin(&call, &bearer, edge.session_max, before.as_deref()).await
}

fn entered(begun: &Begun, to: &str, origin: &Origin) -> HttpResponse {
    let seconds = begun.expires_at.since(clock::now()) / SECOND;
    html::guarded(HttpResponse::SeeOther())
        .insert_header((SET_COOKIE, cookie::kept(&begun.secret, seconds.max(1), origin)))
        .insert_header((LOCATION, to))
        .finish()
}

/// Ends the session that the browser has.
pub async fn leave(edge: Data<Edge>, request: HttpRequest) -> HttpResponse {
    let id = RequestId::get(&request);
    let Some(origin) = cookie::own_origin(request.headers(), &edge.dashboard) else { return foreign() };
    if let Some(digest) = cookie::presented(request.headers(), &edge.dashboard) {
        let (on, named) = (edge.into_inner(), id.clone());
        let runtime = on.runtime.clone();
        let ended = tokio::time::timeout(on.deadline, end(Arc::clone(&on), digest, named));
        match runtime.spawn(ended).await.map_err(Error::internal) {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) | Err(error) => return failed(error, &id),
            Ok(Err(_)) => return failed(Error::Unavailable, &id),
        }
    }
    html::guarded(HttpResponse::SeeOther())
        .insert_header((SET_COOKIE, cookie::forgotten(&origin)))
        .insert_header((LOCATION, "/dashboard/sign-in"))
        .finish()
}

async fn end(edge: Arc<Edge>, digest: String, id: RequestId) -> Result<()> {
    let now = clock::now();
    let Some(session) = resume(&edge.store, &edge.uses, &digest, now).await? else { return Ok(()) };
    let (actor, request_id) = (session.actor, id.as_str().to_owned());
    let call = Call { store: edge.store.clone(), actor, now, via: Via::Api, request_id };
    sessions::end(&call, &digest).await
}

/// The form that was sent, as text.
async fn read(edge: &Edge, request: &HttpRequest, payload: Payload) -> std::result::Result<String, HttpResponse> {
    let refuse = |status, why: &str| noted(html::answer(status, ask(HOME, Some(why))), "BAD_USER_INPUT");
    let headers = request.headers();
    let is_form = body::media_type(headers).is_some_and(|kind| kind == "application/x-www-form-urlencoded");
    if !is_form || body::check_encoding(headers).is_err() {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is not the form of this page"));
    }
    let bytes = body::read(headers, payload, LONGEST_FORM, edge.deadline).await;
    let bytes = bytes.map_err(|rejection| refuse(rejection.status(), rejection.message()))?;
    let unreadable = |_| refuse(StatusCode::BAD_REQUEST, "the form cannot be read");
    String::from_utf8(bytes.to_vec()).map_err(unreadable)
}

/// A field of a form, which is given once.
fn field(form: &str, name: &str) -> Option<String> {
    let pairs = Query::<Vec<(String, String)>>::from_query(form).ok()?.into_inner();
    let mut values = pairs.into_iter().filter(|(key, _)| key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

fn foreign() -> HttpResponse {
    let text = "This form was not sent by a page of this service. Where there is a proxy in between, the setting \
                dashboard.public_origin says at which address browsers reach it.";
    noted(html::answer(StatusCode::FORBIDDEN, html::notice("Not from here", text)), "FORBIDDEN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_anywhere_else() {
        for page in ["/dashboard", "/dashboard?days=7", "/dashboard/sops/OPS-0001?team=ops"] {
            assert!(is_page(page), "{page}");
        }
        let long = format!("/dashboard?{}", "a".repeat(2000));
        for other in [
            "",
            "/",
            "//evil.example/dashboard",
            "https://evil.example/dashboard",
            "/dashboard.evil.example",
            "/dashboard@evil.example",
            "/dashboard/sign-out",
            "/dashboard?\r\nSet-Cookie: x=1",
            "/dashboard/sops/\\evil",
            "dashboard",
            &long,
        ] {
            assert!(!is_page(other), "{other}");
        }
    }
}
