//! The pages of figures: who gets in and how, what is on them and what is not, and how they look in a real browser.

mod browser;
mod insight;
mod pages;
mod sessions;
mod sight;

use reqwest::redirect::Policy;
use serde_json::{Value, json};

use crate::executions::Reporter;
use crate::story::{Draft, Place, from_now, place, published};
use crate::support::{Response, World, respond};

/// A browser as far as HTTP goes: it keeps one cookie, and follows nothing by itself.
pub struct Visitor {
    http: reqwest::Client,
    url: String,
    pub cookie: Option<String>,
}

impl Visitor {
    /// One who is not signed in.
    pub fn new(world: &World) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("an HTTP client");
        Self { http, url: world.server.base_url().to_owned(), cookie: None }
    }

    /// One who is signed in with a token.
    pub async fn signed_in(world: &World, token: &str) -> Self {
        let mut visitor = Self::new(world);
        let answer = visitor.sign_in(token).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        visitor
    }

    /// Sends the form with a token, and keeps the cookie that comes of it.
    pub async fn sign_in(&mut self, token: &str) -> Response {
        let url = self.url.clone();
        let answer = self.post("/dashboard/sign-in", &[("token", token)], &[("origin", &url)]).await;
        self.keep(&answer);
        answer
    }

    /// Presses the button.
    pub async fn sign_out(&mut self) -> Response {
        let url = self.url.clone();
        let answer = self.post("/dashboard/sign-out", &[], &[("origin", &url)]).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Response) {
        let Some(set) = answer.headers.get("set-cookie") else { return };
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        self.cookie = (!pair.ends_with('=')).then_some(pair);
    }

    /// Posts a form with these headers.
    pub async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Response {
        let url = reqwest::Url::parse_with_params("http://h/", form).unwrap();
        let body = url.query().unwrap_or_default().to_owned();
        let mut request = self.http.post(format!("{}{path}", self.url)).body(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        respond(self.with_cookie(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))))
            .await
    }

    /// What an address answers.
    pub async fn get(&self, path: &str) -> Response {
        respond(self.with_cookie(self.http.get(format!("{}{path}", self.url)))).await
    }

    fn with_cookie(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// A page that must be there, as text.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body.as_str().expect("a page is no JSON").to_owned()
    }

    /// The numbers of a page.
    pub async fn numbers(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }
}

/// An SOP in force with ten runs of today, of which seven say what they did with it: four followed it.
pub struct Shown {
    pub place: Place,
    pub sop: Draft,
}

impl Shown {
    pub async fn make(world: &World) -> Self {
        let place = place(world).await;
        let sop = published(&place, "Reset a password").await;
        let tracker = Reporter::new(world, "tracker");
        tracker.create("BACKFILL", &(0..10).map(|n| run(&sop.code, n)).collect::<Vec<_>>()).await;
        let training = json!({"eventId": "p", "runId": "p", "sop": sop.code, "startedAt": from_now(-60)});
        tracker.create("PRACTICE", &[training]).await;
        Self { place, sop }
    }
}

/// The n-th of ten runs: it took n + 1 minutes, but the last is still open; the ones after the third have no error.
fn run(sop: &str, n: i64) -> Value {
    let began = chrono::Utc::now() - chrono::Duration::hours(1);
    let after = |minutes: i64| (began + chrono::Duration::minutes(minutes)).to_rfc3339();
    let adherence = match n {
        0..4 => "FOLLOWED",
        4 => "DEVIATED",
        5..7 => "NOT_FOLLOWED",
        _ => "UNKNOWN",
    };
    let mut run = json!({
        "eventId": format!("e{n}"), "runId": format!("r{n}"), "sop": sop, "version": "1.0", "adherence": adherence,
        "startedAt": after(0), "errors": i64::from(n < 3),
        "violations": if n == 0 { json!([{"kind": "SLA", "severity": "MAJOR"}]) } else { json!([]) },
    });
    // Five customers are content, of four performers nobody.
    if n < 9 {
        run["satisfaction"] =
            if n % 2 == 0 { json!({"score": 5, "by": "CUSTOMER"}) } else { json!({"score": 3, "by": "PERFORMER"}) };
        run["finishedAt"] = json!(after(n + 1));
        run["outcome"] = json!("SUCCEEDED");
    }
    run
}
