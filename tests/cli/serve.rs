//! The server as a process: health, the end, sudden death, the log.

use std::time::Duration;

use serde_json::{Value, json};

use super::Running;
use crate::executions::{Lock, Reporter, count, results};
use crate::story::{CREATE_PROCESS, RECORD, place};
use crate::support::{Response, World, both, respond, token};

async fn get(url: &str) -> Response {
    respond(reqwest::Client::builder().no_proxy().build().unwrap().get(url)).await
}

/// A large batch of executions with steps.
fn batch(reporter: &Reporter) -> Value {
    let steps: Vec<Value> = (0..5).map(|n| json!({"key": format!("s{n}"), "status": "DONE"})).collect();
    let item = |n: i64| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset", "steps": steps});
    reporter.batch("LIVE", &(0..500).map(item).collect::<Vec<_>>())
}

both! {
    async fn it_says_that_it_lives_and_is_ready(world: World) {
        for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
            let answer = get(&world.raw().url(path)).await;
            assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!(body)), "{path}");
        }
        assert_eq!(get(&world.raw().url("/nothing")).await.status, 404);
    }

    async fn a_request_in_flight_is_finished_before_the_end(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.client.ok("{ me { source } }", json!({})).await;
        let variables = batch(&reporter);
        let lock = Lock::take(&world).await;
        let sent = tokio::spawn({
            let client = reporter.client.clone();
            async move { client.send(RECORD, variables).await }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let page = get(&world.raw().url("/metrics")).await;
        let in_flight =
            page.body.as_str().unwrap().lines().find(|line| line.starts_with("sop_graphql_operations_in_flight "));
        assert_eq!(in_flight, Some("sop_graphql_operations_in_flight 1"), "it was to be slow");
        let pid = world.server.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        tokio::time::sleep(Duration::from_millis(300)).await;
        lock.release().await;
        let answer = sent.await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(count(&results(&answer.body["data"]["executionsRecord"]), "CREATED"), 500);
        let status = world.server.stop_gracefully().await;
        assert_eq!(status.code(), Some(0), "{status}");
        assert!(world.server.logs().iter().any(|line| line["message"] == "stopped"));
        world.restart().await;
        let seen = place.manager.ok("{ figures { runs } }", json!({})).await;
        assert_eq!(seen["figures"], json!([{"runs": 500}]));
    }

    async fn what_was_acknowledged_survives_sudden_death(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        for round in 0..3 {
            let key = format!("round-{round}");
            let item = json!({"eventId": key, "runId": key, "process": "password-reset", "startedAt": "2024-05-01T10:00:00Z"});
            // Others are on their way when it dies; of those nothing is promised.
            let raw = world.raw();
            let request = raw.http.post(raw.url("/graphql")).bearer_auth(&reporter.client.token);
            let request = request.json(&json!({"query": RECORD, "variables": batch(&reporter)}));
            let others = tokio::spawn(async move { drop(request.send().await) });
            assert_eq!(reporter.one(item.clone()).await["status"], "CREATED");
            let input = json!({"key": key, "name": key, "description": "", "teamId": place.team});
            place.author.mutate(CREATE_PROCESS, json!({"input": input})).await;
            world.server.kill();
            others.await.unwrap();
            world.restart().await;
            assert_eq!(reporter.one(item).await["status"], "DUPLICATE", "taken once, and kept");
            let seen = place.viewer.ok("query($by: ProcessBy!) { process(by: $by) { key } }", json!({"by": {"key": key}})).await;
            assert_eq!(seen["process"]["key"], json!(key));
        }
        let verified = world.command(&["audit", "verify"]).await;
        assert!(verified.status.success(), "{verified:?}");
        let runs = world.query_i64("SELECT COUNT(*) FROM execution").await;
        let events = world.query_i64("SELECT COUNT(*) FROM execution_event").await;
        assert_eq!(runs, events, "an event and its effect are one");
    }

    async fn every_request_leaves_one_line_without_its_token(world: World) {
        let admin = world.client(&["admin"], "root");
        let raw = world.raw();
        let secret_text = "nobody-should-read-this-in-a-log";
        for n in 0..5 {
            let body = json!({"query": "query($by: TeamBy!) { team(by: $by) { id } }", "variables": {"by": {"key": secret_text}}});
            let request = raw.http.post(raw.url("/graphql")).bearer_auth(&admin.token).header("accept", "application/json");
            assert_eq!(respond(request.header("x-request-id", format!("line-{n}")).json(&body)).await.status, 200);
        }
        let wrong = raw.http.post(raw.url("/graphql")).bearer_auth("not.a.token").header("x-request-id", "line-wrong");
        assert_eq!(respond(wrong.json(&json!({"query": "{ me { source } }"}))).await.status, 401);
        let health = raw.http.get(raw.url("/healthz")).header("x-request-id", "line-health");
        respond(health).await;
        world.server.log_entry(|line| line["request_id"] == "line-health").await;
        let logs = world.server.logs();
        let lines = |id: &str| logs.iter().filter(|line| line["request_id"] == id).count();
        for id in ["line-0", "line-1", "line-2", "line-3", "line-4", "line-wrong", "line-health"] {
            assert_eq!(lines(id), 1, "{id}");
        }
        let line = logs.iter().find(|line| line["request_id"] == "line-0").unwrap();
        assert_eq!((&line["operation"], &line["type"], &line["status"]), (&json!("team"), &json!("query"), &json!(200)));
        assert!(line["duration_ms"].is_number() && line["sql"].is_number() && line["person"].is_string(), "{line}");
        let all = logs.iter().map(Value::to_string).collect::<String>();
        assert!(!all.contains(&admin.token) && !all.contains("not.a.token") && !all.contains(secret_text));
        assert!(!all.contains(token::SECRET));
    }
}

#[tokio::test]
async fn without_its_tables_it_lives_and_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        ("SOPWITH_LISTEN", "127.0.0.1:0"),
        ("SOPWITH_AUTH__HS256_SECRET", token::SECRET),
        ("SOPWITH_AUTH__ISSUER", token::ISSUER),
        ("SOPWITH_AUTH__AUDIENCE", token::AUDIENCE),
    ];
    let mut server = Running::start(folder.path(), &["serve", "--no-migrate"], &variables);
    let url = server.first["listening"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("{url}/healthz")).await.status, 200);
    let ready = get(&format!("{url}/readyz")).await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.as_str().unwrap().contains("migrations"), "{ready:?}");
    assert!(super::run(folder.path(), &["migrate"], &[]).status.success());
    assert_eq!(get(&format!("{url}/readyz")).await.status, 200, "it takes notice");
    assert_eq!(server.stop(), Some(0));
}
