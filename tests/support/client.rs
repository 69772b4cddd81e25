//! A person or program that talks GraphQL to the server.

use std::sync::{Arc, RwLock};

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::token;

/// Where the server of a world listens now: it moves when the server is started again.
pub type Address = Arc<RwLock<String>>;

/// One signed-in actor.
#[derive(Clone)]
pub struct Client {
    raw: Raw,
    claims: Value,
    pub token: String,
}

/// What a request was answered with. `body` is the text itself where it is not JSON.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// One refusal of the domain.
#[derive(Clone, Debug, PartialEq)]
pub struct UserError {
    pub code: String,
    pub message: String,
    pub path: Vec<String>,
    /// The whole error, for what further fields were asked for.
    pub json: Value,
}

/// The bare means, for requests that no decent client makes.
#[derive(Clone)]
pub struct Raw {
    pub http: reqwest::Client,
    address: Address,
}

impl Raw {
    pub(super) fn new(http: reqwest::Client, address: Address) -> Self {
        Self { http, address }
    }

    /// The server's address with `path` behind it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address.read().expect("nothing panics while it holds this"))
    }
}

impl Client {
    pub(super) fn new(raw: Raw, claims: Value) -> Self {
        let token = token::mint(&claims);
        Self { raw, claims, token }
    }

    /// The same actor, speaking for a source of executions.
    pub fn with_source(self, source: &str) -> Self {
        self.with_claim("source", json!(source))
    }

    /// The same actor with one claim set otherwise.
    pub fn with_claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        Self::new(self.raw, self.claims)
    }

    /// Whoever bears this token.
    #[must_use]
    pub fn bearing(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Sends one operation and takes whatever comes.
    pub async fn send(&self, query: &str, variables: Value) -> Response {
        let request = self.raw.http.post(self.raw.url("/graphql")).bearer_auth(&self.token);
        let body = json!({ "query": query, "variables": variables });
        respond(request.header("accept", "application/json").json(&body)).await
    }

    /// The `data` of an operation that must go well.
    pub async fn ok(&self, query: &str, variables: Value) -> Value {
        let mut response = self.send(query, variables).await;
        assert!(response.body.get("errors").is_none(), "errors from {query}: {}", response.body);
        assert!(response.body["data"].is_object(), "no data from {query}: {response:?}");
        response.body["data"].take()
    }

    /// The payload of a mutation that must not be refused. The query has one root field and asks for `userErrors`.
    pub async fn mutate(&self, query: &str, variables: Value) -> Value {
        let payload = self.payload(query, variables).await;
        assert_eq!(payload["userErrors"], json!([]), "refused: {query}: {payload}");
        payload
    }

    /// The first refusal of a mutation that must be refused. The query has one root field and asks for `userErrors`
    /// with `code`, `message` and, if wanted, `path`.
    pub async fn refused(&self, query: &str, variables: Value) -> UserError {
        let payload = self.payload(query, variables).await;
        let first = payload["userErrors"].get(0);
        UserError::read(first.unwrap_or_else(|| panic!("not refused: {query}: {payload}")))
    }

    /// `extensions.code` of the first top-level error of an operation that must fail.
    pub async fn error_code(&self, query: &str, variables: Value) -> String {
        let response = self.send(query, variables).await;
        let code = response.body["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("no error with a code from {query}: {response:?}")).to_owned()
    }

    async fn payload(&self, query: &str, variables: Value) -> Value {
        let data = self.ok(query, variables).await;
        let fields = data.as_object().expect("data is an object");
        assert_eq!(fields.len(), 1, "one root field in {query}: {data}");
        let payload = fields.values().next().expect("one field").clone();
        assert!(payload["userErrors"].is_array(), "no userErrors asked for in {query}: {payload}");
        payload
    }
}

impl UserError {
    fn read(json: &Value) -> Self {
        let text = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned();
        let part = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        let path = json["path"].as_array().into_iter().flatten().map(part).collect();
        Self { code: text("code"), message: text("message"), path, json: json.clone() }
    }
}

/// Sends a request of any making and reads the answer.
pub async fn respond(request: reqwest::RequestBuilder) -> Response {
    let response = request.send().await.expect("the server answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("the answer is whole");
    Response { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}
