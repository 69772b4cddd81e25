//! The frame of every page: self-contained, without scripts, for whatever screen and reader.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, VARY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use maud::{DOCTYPE, Markup, html};

use crate::server::style::Style;

/// The pages' one style sheet.
const STYLE: Style = Style::new(include_str!("style.css"));
/// The icon, in itself.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
    %3Crect width='16' height='16' rx='3' fill='%231d5fa8'/%3E\
    %3Cpath d='M3 12l3-4 3 2 4-6' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E";

/// What a page may load or run: nothing but its style sheet and its icon. Forms go to this service only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STYLE.source();
    format!(
        "default-src 'none'; style-src {style}; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// Who a page is for.
#[derive(Debug, Clone, Copy)]
pub enum Reader<'a> {
    /// Nobody that is known.
    Anyone,
    /// Somebody who is signed in, by their name where it is known.
    SignedIn(Option<&'a str>),
}

/// A whole page.
pub fn page(title: &str, reader: Reader<'_>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Sopwith" }
                link rel="icon" href=(ICON);
                (STYLE.element())
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    a.brand href="/dashboard" { "Sopwith" }
                    @if let Reader::SignedIn(name) = reader { (signed_in(name)) }
                }
                main id="main" tabindex="-1" { (main) }
            }
        }
    }
}

fn signed_in(name: Option<&str>) -> Markup {
    html! {
        nav aria-label="Pages" { a href="/dashboard" { "Overview" } }
        form.me method="post" action="/dashboard/sign-out" {
            span { bdi { (name.unwrap_or("Signed in")) } }
            button type="submit" { "Sign out" }
        }
    }
}

/// A page that says why there is no other.
pub fn notice(title: &str, text: &str) -> Markup {
    let main = html! {
        section.card.notice {
            h1 { (title) }
            p { (text) }
            p { a href="/dashboard" { "Go to the overview" } }
        }
    };
    page(title, Reader::Anyone, &main)
}

/// An answer with a page.
pub fn answer(status: StatusCode, page: Markup) -> HttpResponse {
    let mut response = guarded(HttpResponse::build(status));
    if status == StatusCode::UNAUTHORIZED {
        // Of no use to a browser, which shows the page; but a 401 says what would be.
        response.insert_header((WWW_AUTHENTICATE, "Bearer"));
    }
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .body(page.into_string())
}

/// What holds for every answer here: it is for this reader alone, and for no page of others. The origin of a form is
/// told to this service, which asks for it.
pub fn guarded(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((VARY, "Cookie"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((HeaderName::from_static("cross-origin-resource-policy"), "same-origin"));
    response
}
