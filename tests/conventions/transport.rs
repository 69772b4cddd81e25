//! HTTP around the API: what is taken, and how the rest is turned away.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Client, Raw, Response, World, both, respond};

fn post(raw: &Raw, client: &Client, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = raw.http.post(raw.url("/graphql")).bearer_auth(&client.token);
    request.header("content-type", "application/json").body(body)
}

fn assert_error(answer: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {answer:?}");
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], code, "{what}: {answer:?}");
    assert!(answer.body["errors"][0]["extensions"]["requestId"].is_string(), "{what}: {answer:?}");
    assert!(answer.body["errors"][0]["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {answer:?}");
}

/// Levels of nesting around a field.
fn nested(levels: usize) -> String {
    let inner = (0..levels).fold("code".to_owned(), |inner, _| format!("process {{ sop {{ {inner} }} }}"));
    format!("{{ sops(first: 1) {{ nodes {{ {inner} }} }} }}")
}

both! {
    async fn only_posts_of_json_are_taken(world: World) {
        let (raw, client) = (world.raw(), world.client(&["viewer"], "vic"));
        let body = json!({"query": "{ __typename }"}).to_string();
        assert_eq!(respond(post(&raw, &client, body.clone())).await.body["data"]["__typename"], "Query");
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let url = raw.url("/graphql?query=%7B__typename%7D");
            let answer = respond(raw.http.request(method.clone(), url).bearer_auth(&client.token)).await;
            assert_error(&answer, 405, "BAD_USER_INPUT", method.as_str());
            assert!(answer.headers.contains_key("allow"), "{answer:?}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/graphql", ""] {
            let request = raw.http.post(raw.url("/graphql")).bearer_auth(&client.token);
            let answer = respond(request.header("content-type", kind).body(body.clone())).await;
            assert_error(&answer, 415, "BAD_USER_INPUT", kind);
        }
        let batch = format!("[{body},{body}]");
        for (what, wrong) in [
            ("a batch", batch.as_str()), ("an empty batch", "[]"), ("malformed JSON", "{\"query\": "), ("nothing", ""),
            ("no query", "{}"), ("a number", "7"), ("a query that is none", "{\"query\": 7}"),
            ("variables that are none", "{\"query\": \"{ __typename }\", \"variables\": []}"),
            ("no GraphQL", "{\"query\": \"{ sops \"}"), ("two operations", "{\"query\": \"query a { __typename } query b { __typename }\"}"),
        ] {
            assert_error(&respond(post(&raw, &client, wrong.to_owned())).await, 400, "BAD_USER_INPUT", what);
        }
    }

    async fn a_body_has_its_limit(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_MAX_BODY_BYTES", "20000")]).await;
        let (raw, client) = (world.raw(), world.client(&["viewer"], "vic"));
        let body = |size: usize| json!({"query": "{ __typename }", "padding": "x".repeat(size)}).to_string();
        assert_eq!(respond(post(&raw, &client, body(19_000))).await.status, 200);
        assert_error(&respond(post(&raw, &client, body(20_000))).await, 413, "LIMIT_EXCEEDED", "a large body");
        assert_eq!(respond(post(&raw, &client, body(10))).await.status, 200, "and it goes on");
    }

    async fn operations_have_limits(world: World) {
        let client = world.client(&["viewer"], "vic");
        assert!(client.send(&nested(5), json!({})).await.body["errors"].is_null(), "within the depth");
        let wide = "{ sops(first: 100) { nodes { versions(first: 100) { nodes { content { steps { key } } } } } } }";
        let aliases: Vec<String> = (0..20_001).map(|n| format!("a{n}: __typename")).collect();
        let deep = format!("{}__typename{}", "{ a ".repeat(5_000), "}".repeat(5_000));
        for (what, query) in [
            ("depth", nested(8)), ("depth of hundreds", nested(200)), ("complexity", wide.to_owned()),
            ("aliases", format!("{{ {} }}", aliases.join(" "))), ("brackets", deep),
        ] {
            let answer = client.send(&query, json!({})).await;
            assert_error(&answer, 400, "LIMIT_EXCEEDED", what);
        }
        assert!(client.send("{ sops { nodes { code } } }", json!({})).await.body["errors"].is_null());
    }

    async fn what_the_schema_does_not_have_is_bad_input(world: World) {
        let client = world.client(&["viewer"], "vic");
        for query in [
            "{ nothing }", "{ sops { nodes { nothing } } }", "{ sops(nothing: 1) { totalCount } }", "{ sops }",
            "{ me { person } }", "query($a: Nothing) { me { source } }", "{ ...missing }", "mutation { nothing }",
            "subscription { sopChanged { id } }", "{ sops(first: \"three\") { totalCount } }", "{ node { id } }",
        ] {
            let answer = client.send(query, json!({})).await;
            assert_error(&answer, 400, "BAD_USER_INPUT", query);
            assert!(answer.body["data"].is_null(), "{query}: {answer:?}");
        }
    }

    async fn every_answer_has_an_id_that_the_log_knows(world: World) {
        let (raw, client) = (world.raw(), world.client(&["viewer"], "vic"));
        let body = json!({"query": "{ nothing }"}).to_string();
        let given = respond(post(&raw, &client, body.clone()).header("x-request-id", "abc-123.x")).await;
        assert_eq!(given.headers["x-request-id"], "abc-123.x");
        assert_eq!(given.body["errors"][0]["extensions"]["requestId"], "abc-123.x");
        let line = world.server.log_entry(|entry| entry["request_id"] == "abc-123.x" && !entry["status"].is_null()).await;
        assert_eq!((&line["status"], &line["codes"]), (&json!(400), &json!("BAD_USER_INPUT")));
        for unfit in ["with blank", "<script>", &"x".repeat(200)] {
            let answer = respond(post(&raw, &client, body.clone()).header("x-request-id", unfit)).await;
            let made = answer.headers["x-request-id"].to_str().unwrap();
            assert!(made != unfit && made.len() >= 16, "{answer:?}");
        }
        let log: Vec<Value> = world.server.logs();
        assert!(!log.iter().any(|line| line.to_string().contains(&client.token)), "no token in the log");
    }
}
