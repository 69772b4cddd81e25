//! `POST /v1/executions`: bodies of any length, with the answers that GraphQL gives.

use std::time::Duration;

use serde_json::{Value, json};

use super::answers::broken;
use super::scrape::{page, series};
use super::wire::Wire;
use super::{Reporter, count, everyone, from_now};
use crate::story::{CREATE_TOKEN, REVOKE_TOKEN, place, process, published, text, token_terms};
use crate::support::{Client, Response, World, both, respond};

pub const LINES: &str = "application/x-ndjson";
const EVENTS: &str = "application/cloudevents-batch+json";
const EVENT: &str = "application/cloudevents+json";

pub async fn post(world: &World, who: &Client, query: &str, kind: &str, body: impl Into<reqwest::Body>) -> Response {
    let raw = world.raw();
    let request = raw.http.post(raw.url(&format!("/v1/executions?{query}"))).bearer_auth(&who.token);
    respond(request.header("content-type", kind).body(body)).await
}

/// The answers in a response that must be one, which stand in their places.
pub fn lines(answer: &Response) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], LINES);
    let all: Vec<Value> = match &answer.body {
        Value::String(text) => text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one.clone()],
    };
    in_their_places(&all, 0);
    all
}

fn in_their_places(answers: &[Value], from: usize) {
    for (index, answer) in (from..).zip(answers) {
        assert_eq!(answer["index"], json!(index), "{answer}");
    }
}

/// A line per item.
pub fn body(items: &[Value]) -> String {
    let mut lines: Vec<String> = items.iter().map(Value::to_string).collect();
    lines.push(String::new());
    lines.join("\n")
}

/// The same as events.
fn events(source: &str, items: &[Value]) -> String {
    let event = |item: &Value| {
        let mut data = item.clone();
        let id = data.as_object_mut().unwrap().remove("eventId");
        json!({"specversion": "1.0", "id": id, "source": source, "type": "com.example.run", "data": data})
    };
    json!(items.iter().map(event).collect::<Vec<_>>()).to_string()
}

/// Answers without what is another's in another source.
fn alike(answers: &[Value]) -> Vec<Value> {
    let without_id = |answer: &Value| {
        let mut answer = answer.clone();
        answer["executionId"] = json!(answer["executionId"].is_string());
        answer
    };
    answers.iter().map(without_id).collect()
}

pub fn item(n: usize) -> Value {
    json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset",
        "startedAt": "2024-05-01T10:00:00Z", "finishedAt": "2024-05-01T10:04:00Z", "outcome": "SUCCEEDED"})
}

pub fn assert_error(answer: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {answer:?}");
    let extensions = &answer.body["errors"][0]["extensions"];
    assert_eq!(extensions["code"], code, "{what}: {answer:?}");
    assert_eq!(extensions["requestId"], answer.headers["x-request-id"].to_str().unwrap(), "{what}: {answer:?}");
}

pub async fn executions(world: &World) -> i64 {
    world.query_i64("SELECT COUNT(*) FROM execution").await
}

/// The most memory that the server ever had, in kibibytes.
pub fn peak(world: &World) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// How many records were answered so, as Prometheus is told.
pub async fn counted(world: &World) -> Vec<(String, f64)> {
    let all = series(&page(world, "/metrics", None).await);
    all.into_iter().filter(|(name, _)| name.starts_with("sop_ingest_records_total")).collect()
}

both! {
    async fn the_answers_are_those_of_graphql(world: World) {
        let place = place(&world).await;
        process(&place.author, &json!(place.team), "other").await;
        let code = published(&place, "Reset a password").await.code;
        let first = json!({"eventId": "e0", "runId": "r0", "process": "password-reset", "startedAt": "2024-05-01T10:00:00Z",
            "actor": {"subject": "u1"}, "attributes": [{"name": "a", "value": "é \u{2028}"}]});
        let mut other = first.clone();
        other["errors"] = json!(1);
        let mut items = vec![
            first.clone(),
            json!({"eventId": "e1", "runId": "r0", "revision": "2", "sop": code, "version": "1.0", "finishedAt": "2024-05-01T13:00:00+02:00"}),
            first,
            other,
            json!({"eventId": "e4", "runId": "r0", "revision": 0, "process": "password-reset", "startedAt": "2024-05-01T09:00:00Z"}),
        ];
        items.extend(broken(&code).into_iter().map(|(item, ..)| item));
        items.push(json!({"eventId": "last", "runId": "last", "process": "other", "outcome": null}));

        let (graphql, ndjson, batch) = (Reporter::new(&world, "graphql"), Reporter::new(&world, "ndjson"), Reporter::new(&world, "events"));
        for round in ["new", "again"] {
            let before = counted(&world).await;
            let expected = graphql.send("LIVE", &items).await;
            let after = counted(&world).await;
            let answers = lines(&post(&world, &ndjson.client, "mode=LIVE&source=ndjson", LINES, body(&items)).await);
            let last = counted(&world).await;
            assert_eq!(alike(&answers), alike(&expected), "{round}");
            let growth = |from: &[(String, f64)], to: &[(String, f64)]| -> Vec<(String, i64)> {
                #[expect(clippy::cast_possible_truncation, reason = "small counts")]
                from.iter().zip(to).map(|((name, a), (_, b))| (name.clone(), (b - a) as i64)).collect()
            };
            assert_eq!(growth(&before, &after), growth(&after, &last), "counted the same way: {round}");
            let answers = lines(&post(&world, &batch.client, "mode=LIVE", EVENTS, events("events", &items)).await);
            assert_eq!(alike(&answers), alike(&expected), "{round}");
        }
        let manager = everyone(&world);
        for run in ["r0", "last"] {
            let mut seen = Vec::new();
            for reporter in [&graphql, &ndjson, &batch] {
                let mut run = reporter.run(&manager, run).await;
                assert_eq!(run["source"].take(), json!(reporter.source));
                seen.push(run);
            }
            assert!(seen[0] == seen[1] && seen[1] == seen[2], "{seen:#?}");
        }
        assert_eq!(executions(&world).await, 6);
        // Repeated over the other way it is the same event.
        let again = lines(&post(&world, &graphql.client, "mode=LIVE", LINES, body(&items[..2])).await);
        assert_eq!(count(&again, "DUPLICATE"), 2);
    }

    async fn every_field_of_the_schema_is_known_and_no_other(world: World) {
        let place = place(&world).await;
        let code = published(&place, "Reset a password").await.code;
        let at = "2026-01-05T09:00:00Z";
        let full = json!({"eventId": "full", "runId": "full", "revision": 1, "process": "password-reset", "sop": code, "version": "1.0",
            "team": "ops", "actor": {"subject": "u", "name": "U"}, "occurredAt": at, "startedAt": at, "finishedAt": at,
            "outcome": "SUCCEEDED", "adherence": "FOLLOWED", "errors": 0, "rework": 0,
            "violations": [{"kind": "SLA", "severity": "MINOR", "detail": "d"}], "satisfaction": {"score": 5, "by": "CUSTOMER"},
            "steps": [{"key": "reset", "attempt": 1, "startedAt": at, "finishedAt": at, "status": "DONE"}],
            "attributes": [{"name": "n", "value": "v"}]});
        let mut items = vec![full.clone()];
        let mut places = Vec::new();
        for (of, parent) in [("ExecutionInput", ""), ("ExecutionActorInput", "/actor"), ("ViolationInput", "/violations/0"),
            ("SatisfactionInput", "/satisfaction"), ("StepRecordInput", "/steps/0"), ("AttributeInput", "/attributes/0")] {
            let query = "query($of: String!) { __type(name: $of) { inputFields { name } } }";
            let fields = place.viewer.ok(query, json!({"of": of})).await["__type"]["inputFields"].clone();
            for field in fields.as_array().unwrap().iter().map(|field| text(&field["name"])).chain(["surprise".to_owned()]) {
                let mut wrong = full.clone();
                let object = wrong.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                let before = object.insert(field.clone(), json!(true));
                assert_eq!(before.is_none(), field == "surprise", "{parent}/{field}");
                items.push(wrong);
                places.push(format!("{parent}/{field}").trim_start_matches('/').to_owned());
            }
        }
        assert!(places.len() > 30, "{places:?}");
        let reporter = Reporter::new(&world, "tickets");
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, body(&items)).await);
        assert_eq!(answers[0]["status"], "CREATED", "{}", answers[0]);
        for (answer, place) in answers[1..].iter().zip(&places) {
            let rejection = &answer["rejection"];
            let path: Vec<&str> = rejection["path"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!((&rejection["code"], &path.join("/")), (&json!("INVALID"), place), "{answer}");
            let said = if place.ends_with("surprise") { "there is no such field" } else { "this must be " };
            assert!(rejection["message"].as_str().unwrap().starts_with(said), "{answer}");
        }
        assert_eq!(executions(&world).await, 1);
    }

    async fn a_long_body_is_answered_while_it_comes_and_takes_no_more_memory(world: World) {
        let (n, part) = (25_000, 1_000);
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let note = "x".repeat(2_000);
        let fat = |n: usize| {
            let mut item = item(n);
            item["attributes"] = json!([{"name": "note", "value": note}]);
            item
        };
        let mut wire = Wire::open(&world, &reporter.client.token, "mode=BACKFILL").await;
        let (mut sent, mut before) = (0, 0);
        for from in (0..n).step_by(part) {
            if from == 4 * part {
                before = peak(&world);
            }
            let piece = body(&(from..from + part).map(fat).collect::<Vec<_>>());
            sent += piece.len();
            wire.send(&piece).await;
            if from == 0 {
                assert_eq!(wire.status().await, 200);
            }
            // All of them come although the body goes on.
            let answers = wire.lines(part).await;
            in_their_places(&answers, from);
            assert_eq!(count(&answers, "CREATED"), 1_000);
        }
        wire.finish().await;
        assert_eq!(wire.line().await, None);
        let grown = peak(&world) - before;
        assert!(sent > 50_000_000 && grown < 40_000, "{grown} KiB for a body of {sent} bytes");
        assert_eq!(executions(&world).await, 25_000);
        let told = world.server.log_entry(|line| line["message"] == "executions were taken").await;
        assert_eq!((&told["executions"], &told["request_id"]), (&json!(25_000), &json!("mode=BACKFILL")));
        let seen = everyone(&world).ok("{ figures { runs } }", json!({})).await;
        assert_eq!(seen["figures"][0]["runs"], 25_000);
    }

    async fn a_sender_who_is_cut_off_sends_all_again_and_nothing_counts_twice(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let items: Vec<Value> = (0..2_500).map(item).collect();
        let whole = body(&items);
        for cut in [whole.len() / 2, whole.len() - 10] {
            let mut wire = Wire::open(&world, &reporter.client.token, "mode=BACKFILL").await;
            wire.send(&whole[..cut]).await;
            assert_eq!(wire.status().await, 200);
            let answers = wire.lines(1_000).await;
            assert_eq!(count(&answers, "CREATED") + count(&answers, "DUPLICATE"), 1_000);
            drop(wire);
        }
        let again = lines(&post(&world, &reporter.client, "mode=BACKFILL", LINES, whole.clone()).await);
        assert_eq!(again.len(), 2_500);
        assert_eq!(count(&again[..1_000], "DUPLICATE"), 1_000, "what was answered is stored");
        assert_eq!(count(&again, "CREATED") + count(&again, "DUPLICATE"), 2_500);
        for table in ["execution", "execution_event"] {
            assert_eq!(world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await, 2_500, "{table}");
        }
        let last = lines(&post(&world, &reporter.client, "mode=BACKFILL", LINES, whole).await);
        assert_eq!(count(&last, "DUPLICATE"), 2_500);
    }

    async fn a_line_that_is_wrong_is_rejected_in_its_place(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_MAX_BODY_BYTES", "20000")]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut body: Vec<u8> = b"\xEF\xBB\xBF".to_vec();
        let mut line = |text: &[u8]| body.extend_from_slice(text);
        line(format!("{}\r\n", item(0)).as_bytes());
        line(b"\r\n   \n\nnonsense\n{\"eventId\":\"e\n");
        line(b"{\"eventId\":\"\xFF\"}\n[]\n");
        line(format!("{{\"eventId\":\"{}\"}}\n", "x".repeat(100_000)).as_bytes());
        line(format!("  {}  \n", item(1)).as_bytes());
        line(b"{\"eventId\":\"a\",\"eventId\":\"b\",\"runId\":\"r\",\"process\":\"password-reset\"}\n");
        line(format!("{}{}\n", item(7), item(8)).as_bytes());
        line(item(2).to_string().as_bytes());
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, body).await);
        let told: Vec<(&str, &str)> = answers.iter()
            .map(|answer| (answer["status"].as_str().unwrap(), answer["rejection"]["message"].as_str().unwrap_or_default()))
            .map(|(status, message)| (status, message.split(": see its line 1, column ").next().unwrap()))
            .collect();
        assert_eq!(told, [
            ("CREATED", ""),
            ("REJECTED", "this is no JSON"),
            ("REJECTED", "this is no JSON"),
            ("REJECTED", "this is no JSON: it is not UTF-8"),
            ("REJECTED", "this must be an object"),
            ("REJECTED", "an execution has at most 20000 bytes"),
            ("CREATED", ""),
            ("REJECTED", "this is given twice"),
            ("REJECTED", "this is no JSON"),
            ("CREATED", ""),
        ]);
        assert_eq!(answers[1]["rejection"]["path"], json!([]));
        assert_eq!(answers[7]["rejection"]["path"], json!(["eventId"]));
        assert_eq!(executions(&world).await, 3);
        let all = series(&page(&world, "/metrics", None).await);
        assert!((all[r#"sop_ingest_records_total{mode="LIVE",result="REJECTED"}"#] - 7.0).abs() < 1e-6);

        // More than one batch may have, and still each is answered: a batch is cut by size as well.
        let note = json!([{"name": "note", "value": "x".repeat(3_000)}]);
        let fat = |n: usize| { let mut item = item(n); item["attributes"] = note.clone(); item };
        let items: Vec<Value> = (100..120).map(fat).collect();
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", LINES, self::body(&items)).await);
        assert_eq!(count(&answers, "CREATED"), 20);

        // Within an array, what is closed can be wrong for itself.
        let event = |n: usize| events("tickets", &[item(n)]).trim_matches(['[', ']']).to_owned();
        let array = format!("[{}, {{nonsense}}, 7,\n{}, {}]", event(200), event(201), event(202).replace("tickets", "pager"));
        let answers = lines(&post(&world, &reporter.client, "mode=LIVE", EVENTS, array).await);
        let told: Vec<&str> = answers.iter().map(|answer| answer["status"].as_str().unwrap()).collect();
        assert_eq!(told, ["CREATED", "REJECTED", "REJECTED", "CREATED", "REJECTED"]);
        assert_eq!(answers[4]["rejection"]["path"], json!(["source"]));
        let one = lines(&post(&world, &reporter.client, "mode=LIVE", EVENT, event(203)).await);
        assert_eq!((one.len(), count(&one, "CREATED")), (1, 1));
    }

    async fn a_request_is_refused_as_a_whole(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_MAX_BODY_BYTES", "20000")]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let who = &reporter.client;
        let one = body(&[item(0)]);
        for (query, code) in [
            ("", "mode"), ("mode=live", "mode"), ("mode=LIVE&mode=LIVE", "twice"), ("mode=LIVE&surprise=1", "known are"),
            ("mode=LIVE&sentAt=now", "sentAt"), ("mode=LIVE&source=tickets&source=pager", "twice"),
        ] {
            let answer = post(&world, who, query, LINES, one.clone()).await;
            assert_error(&answer, 400, "BAD_USER_INPUT", query);
            assert!(answer.body["errors"][0]["message"].as_str().unwrap().contains(code), "{answer:?}");
        }
        let late = format!("mode=LIVE&sentAt={}", from_now(2 * 86_400).replace('+', "%2B"));
        assert_error(&post(&world, who, &late, LINES, one.clone()).await, 400, "BAD_USER_INPUT", "sentAt");
        for source in ["pager", "", "Tickets"] {
            let answer = post(&world, who, &format!("mode=LIVE&source={source}"), LINES, one.clone()).await;
            assert_error(&answer, 403, "FORBIDDEN", source);
        }
        let unbound = world.client(&["integration"], "unbound");
        assert_error(&post(&world, &unbound, "mode=LIVE", LINES, one.clone()).await, 403, "FORBIDDEN", "no source");
        for role in ["viewer", "author", "manager", "admin"] {
            let who = world.client(&[role], role).with_source("tickets");
            for body in [one.clone(), String::new()] {
                assert_error(&post(&world, &who, "mode=LIVE", LINES, body).await, 403, "FORBIDDEN", role);
            }
        }
        for kind in ["", "text/plain", "application/json", "application/x-ndjson; charset=latin1"] {
            assert_error(&post(&world, who, "mode=LIVE", kind, one.clone()).await, 415, "BAD_USER_INPUT", kind);
        }
        let raw = world.raw();
        let request = || raw.http.post(raw.url("/v1/executions?mode=LIVE")).header("content-type", LINES).body(one.clone());
        let packed = respond(request().bearer_auth(&who.token).header("content-encoding", "gzip")).await;
        assert_error(&packed, 415, "BAD_USER_INPUT", "gzip");
        assert_error(&respond(request()).await, 401, "UNAUTHENTICATED", "no token");
        let got = respond(raw.http.get(raw.url("/v1/executions?mode=LIVE")).bearer_auth(&who.token)).await;
        assert_error(&got, 405, "BAD_USER_INPUT", "GET");
        assert_eq!(got.headers["allow"], "POST");
        for (kind, body, status, code) in [
            (EVENTS, String::new(), 400, "BAD_USER_INPUT"),
            (EVENTS, "{}".to_owned(), 400, "BAD_USER_INPUT"),
            (EVENTS, "[".to_owned(), 400, "BAD_USER_INPUT"),
            (EVENT, format!("{{\"id\":\"{}\"}}", "x".repeat(20_000)), 413, "LIMIT_EXCEEDED"),
        ] {
            assert_error(&post(&world, who, "mode=LIVE", kind, body.clone()).await, status, code, &body);
        }
        assert_eq!(executions(&world).await, 0);
        for (kind, nothing) in [(LINES, ""), (LINES, "\r\n\n"), (EVENTS, " [ ] ")] {
            assert_eq!(lines(&post(&world, who, "mode=LIVE", kind, nothing).await), Vec::<Value>::new(), "{kind}");
        }
        // What is right before it shows that the rest is not is answered first.
        let broken = format!("{} ,{{", events("tickets", &[item(0)]).trim_end_matches(']'));
        let answer = post(&world, who, "mode=LIVE", EVENTS, broken).await;
        let told: Vec<Value> = answer.body.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((told.len(), &told[0]["status"], &told[1]["index"]), (2, &json!("CREATED"), &json!(1)));
        assert_eq!(told[1]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");

        let line = world.server.log_entry(|line| line["path"] == "/v1/executions" && line["status"] == 403).await;
        assert_eq!(line["codes"], "FORBIDDEN");
        assert!(line["person"].is_string() && line["sql"].is_number(), "{line}");
    }

    async fn an_api_token_reports_for_its_source_as_long_as_it_is_good(world: World) {
        let place = place(&world).await;
        let made = place.admin.mutate(CREATE_TOKEN, json!({"input": token_terms("tracker", &["EXECUTIONS_RECORD"])})).await;
        let tracker = place.admin.clone().bearing(&text(&made["secret"]));
        let answers = lines(&post(&world, &tracker, "mode=LIVE", LINES, body(&[item(0), item(1)])).await);
        assert_eq!(count(&answers, "CREATED"), 2);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution WHERE source = 'tracker'").await, 2);
        let reader = place.admin.mutate(CREATE_TOKEN, json!({"input": token_terms("tracker", &["FIGURES_READ"])})).await;
        let reader = place.admin.clone().bearing(&text(&reader["secret"]));
        assert_error(&post(&world, &reader, "mode=LIVE", LINES, body(&[item(2)])).await, 403, "FORBIDDEN", "scope");

        // A token that is taken away ends also what it is being used for.
        let mut wire = Wire::open(&world, &tracker.token, "mode=LIVE&source=tracker").await;
        wire.send(&body(&[item(1), item(2)])).await;
        assert_eq!(wire.status().await, 200);
        let answers = wire.lines(2).await;
        assert_eq!((count(&answers, "DUPLICATE"), count(&answers, "CREATED")), (1, 1));
        place.admin.mutate(REVOKE_TOKEN, json!({"input": {"id": made["apiToken"]["id"]}})).await;
        wire.send(&body(&[item(3)])).await;
        let last = wire.line().await.unwrap();
        assert_eq!((&last["index"], &last["errors"][0]["extensions"]["code"]), (&json!(2), &json!("UNAUTHENTICATED")), "{last}");
        assert_eq!(wire.line().await, None);
        assert_eq!(executions(&world).await, 3);
    }

    async fn a_clock_that_runs_ahead_is_corrected_by_what_it_said_when_it_began(world: World) {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let query = format!("mode=LIVE&sentAt={}", from_now(600).replace('+', "%2B"));
        let mut wire = Wire::open(&world, &reporter.client.token, &query).await;
        for n in 0..2 {
            let mut item = item(n);
            item["startedAt"] = json!(from_now(600));
            item["finishedAt"] = Value::Null;
            wire.send(&body(&[item])).await;
            if n == 0 {
                assert_eq!(wire.status().await, 200);
            }
            assert_eq!(wire.line().await.unwrap()["status"], "CREATED");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        wire.finish().await;
        assert_eq!(wire.line().await, None);
        let leads = "SELECT MAX(clock_lead) - MIN(clock_lead) FROM execution WHERE clock_lead > 590000000";
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution WHERE clock_lead > 590000000").await, 2);
        assert!(world.query_i64(leads).await < 1_000_000, "however long it takes");
    }
}
