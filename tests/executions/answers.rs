//! What is answered for each item of a batch, and what is refused as a whole.

use serde_json::{Value, json};

use super::{Reporter, count, everyone, from_now, results};
use crate::story::{RECORD, place, process, published};
use crate::support::{Backend, World, both};

/// Items that each break one rule, with the rule and the field.
pub fn broken(code: &str) -> Vec<(Value, &'static str, &'static str)> {
    let base = |event: &str, more: Value| {
        let mut item = json!({"eventId": event, "runId": event, "process": "password-reset"});
        more.as_object().unwrap().iter().for_each(|(key, value)| item[key] = value.clone());
        item
    };
    let ahead = from_now(6 * 60);
    let step = |more: Value| {
        let mut step = json!({"key": "a", "status": "DONE"});
        more.as_object().unwrap().iter().for_each(|(key, value)| step[key] = value.clone());
        step
    };
    let backwards = json!({"startedAt": "2024-01-01T10:00:00Z", "finishedAt": "2024-01-01T09:59:59Z"});
    let long = "x".repeat(201);
    vec![
        (json!({"eventId": "b0", "runId": "b0"}), "INVALID", "process"),
        (base("b1", json!({"process": "nothing-of-this-key"})), "UNKNOWN_PROCESS", "process"),
        (json!({"eventId": "b2", "runId": "b2", "sop": "OPS-9999"}), "UNKNOWN_SOP", "sop"),
        (base("b3", json!({"version": "7.7"})), "UNKNOWN_VERSION", "version"),
        (base("b4", json!({"sop": code, "version": "7.7"})), "UNKNOWN_VERSION", "version"),
        (base("b5", json!({"team": "nobody"})), "UNKNOWN_TEAM", "team"),
        (base("b6", json!({"sop": code, "process": "other"})), "INVALID", "process"),
        (base("b7", backwards.clone()), "INVALID", "finishedAt"),
        (base("b8", json!({"startedAt": ahead})), "IN_FUTURE", "startedAt"),
        (base("b9", json!({"occurredAt": ahead})), "IN_FUTURE", "occurredAt"),
        (base("b10", json!({"steps": [step(json!({"finishedAt": ahead}))]})), "IN_FUTURE", "steps.0.finishedAt"),
        (base("b11", json!({"steps": [step(backwards)]})), "INVALID", "steps.0.finishedAt"),
        (base("b12", json!({"steps": [step(json!({})), step(json!({}))]})), "INVALID", "steps.1"),
        (base("b13", json!({"steps": [step(json!({"attempt": 0}))]})), "INVALID", "steps.0.attempt"),
        (base("b14", json!({"errors": -1})), "INVALID", "errors"),
        (base("b15", json!({"rework": -1})), "INVALID", "rework"),
        (base("b16", json!({"revision": -1})), "INVALID", "revision"),
        (base("b17", json!({"satisfaction": {"score": 6, "by": "CUSTOMER"}})), "INVALID", "satisfaction.score"),
        (base("b18", json!({"violations": [{"kind": " ", "severity": "MINOR"}]})), "INVALID", "violations.0.kind"),
        (base("b19", json!({"actor": {"subject": ""}})), "INVALID", "actor.subject"),
        (base("", json!({"runId": "b20"})), "INVALID", "eventId"),
        (base("b21", json!({"runId": long})), "INVALID", "runId"),
        (
            base("b23", json!({"attributes": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]})),
            "INVALID",
            "attributes",
        ),
        (base("b22", json!({"attributes": [{"name": "note", "value": "\u{0}"}]})), "INVALID", "attributes"),
    ]
}

both! {
    async fn every_item_is_answered_for_itself(world: World) {
        let place = place(&world).await;
        process(&place.author, &json!(place.team), "other").await;
        let code = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        let first = json!({"eventId": "e0", "runId": "r0", "process": "password-reset", "startedAt": "2024-05-01T10:00:00Z"});
        let mut other = first.clone();
        other["errors"] = json!(1);
        let mut items = vec![
            first.clone(),
            json!({"eventId": "e1", "runId": "r0", "revision": 2, "sop": code, "finishedAt": "2024-05-01T11:00:00Z"}),
            first,
            other,
            json!({"eventId": "e4", "runId": "r0", "revision": 0, "process": "password-reset", "startedAt": "2024-05-01T09:00:00Z"}),
        ];
        let broken = broken(&code);
        items.extend(broken.iter().map(|(item, ..)| item.clone()));
        items.push(json!({"eventId": "last", "runId": "last", "process": "other"}));

        let answers = reporter.send("LIVE", &items).await;
        let statuses = |answers: &[Value]| answers.iter().map(|a| a["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let found = statuses(&answers);
        assert_eq!(found[..5], ["CREATED", "UPDATED", "DUPLICATE", "CONFLICT", "STALE"]);
        assert_eq!(found.last().unwrap(), "CREATED", "a right item is taken behind wrong ones");
        for (answer, (item, code, path)) in answers[5..].iter().zip(&broken) {
            let rejection = &answer["rejection"];
            let told = rejection["path"].as_array().map(|p| p.iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>().join("."));
            assert_eq!((&answer["status"], &rejection["code"]), (&json!("REJECTED"), &json!(code)), "{item}: {answer}");
            assert_eq!(told.as_deref(), Some(*path), "{item}: {answer}");
            assert!(rejection["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        }
        assert_eq!(answers[0]["executionId"], answers[1]["executionId"]);
        assert_eq!(answers[0]["executionId"], answers[4]["executionId"]);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 2);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution_event").await, 4, "what was rejected is not kept");

        // The whole batch once more: what was taken is a duplicate, what was wrong is wrong again.
        let again = statuses(&reporter.send("LIVE", &items).await);
        assert_eq!(again[..5], ["DUPLICATE", "DUPLICATE", "DUPLICATE", "CONFLICT", "DUPLICATE"]);
        assert_eq!(again.last().unwrap(), "DUPLICATE");
        assert!(again[5..again.len() - 1].iter().all(|status| status == "REJECTED"), "{again:?}");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 2);
    }

    async fn a_batch_sent_eight_times_at_once_counts_once(mut world: World) {
        const N: i64 = 200;
        // They are to wait for each other, however slow the machine is.
        world.restart_with(&[("SOPWITH_INGEST__MAX_WAIT_MILLISECONDS", "30000")]).await;
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let item = |n: i64| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset",
            "startedAt": "2024-05-01T10:00:00Z", "actor": {"subject": format!("p{}", n % 7)},
            "steps": [{"key": "a", "status": "DONE"}], "violations": [{"kind": "SLA", "severity": "MAJOR"}]});
        let items: Vec<Value> = (0..N).map(item).collect();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (reporter, items) = (reporter.clone(), items.clone());
            all.spawn(async move { reporter.send("LIVE", &items).await });
        }
        let answers: Vec<Value> = all.join_all().await.into_iter().flatten().collect();
        assert_eq!(count(&answers, "CREATED"), N);
        assert_eq!(count(&answers, "DUPLICATE"), 7 * N, "nothing else is answered");
        for table in ["execution", "execution_event", "execution_step", "execution_violation"] {
            assert_eq!(world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await, N, "{table}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person WHERE issuer = 'source:tickets'").await, 7);
        let seen = place.manager.ok("{ figures { runs } }", json!({})).await;
        assert_eq!(seen["figures"][0]["runs"], json!(N));
    }

    async fn unknown_processes_and_teams_are_made_only_for_those_who_may(world: World) {
        let place = place(&world).await;
        let item = |event: &str| json!({"eventId": event, "runId": "r", "process": "brand-new", "team": "night-shift",
            "actor": {"subject": "u77", "name": "Nina Night"}});
        let plain = Reporter::new(&world, "plain");
        assert_eq!(plain.one(item("e")).await["rejection"]["code"], "UNKNOWN_PROCESS");
        let of_team = Reporter::with_roles(&world, "of-team", &["integration", "author@ops"]);
        assert_eq!(of_team.one(item("e")).await["rejection"]["code"], "UNKNOWN_PROCESS", "only org-wide");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person WHERE name = 'Nina Night'").await, 0);
        let wide = Reporter::with_roles(&world, "wide", &["integration", "author"]);
        assert_eq!(wide.one(item("e")).await["status"], "CREATED");
        let run = wide.run(&everyone(&world), "r").await;
        assert_eq!((&run["process"]["key"], &run["team"]["key"]), (&json!("brand-new"), &json!("night-shift")));
        assert_eq!(run["actor"]["name"], "Nina Night", "someone unknown is made a person");
        let told = world.query_i64("SELECT COUNT(*) FROM audit_entry WHERE action IN ('process.created', 'team.created')").await;
        assert_eq!(told, 4, "two of the place, two of the batch");
        // A person is made also for a reporter who may make nothing else.
        let item = json!({"eventId": "p", "runId": "p", "process": "password-reset", "actor": {"subject": "u78", "name": "Otto"}});
        assert_eq!(plain.one(item).await["status"], "CREATED");
        assert_eq!(plain.run(&place.manager, "p").await["actor"]["name"], "Otto");
    }

    async fn what_batches_name_at_once_is_made_once(mut world: World) {
        world.restart_with(&[("SOPWITH_INGEST__MAX_WAIT_MILLISECONDS", "30000")]).await;
        place(&world).await;
        let reporter = Reporter::with_roles(&world, "tickets", &["integration", "author"]);
        // First with what they are runs of, for which two that meet are stored one after the other, and then with people alone.
        for stage in ["all", "people"] {
            let mut all = tokio::task::JoinSet::new();
            for batch in 0..8 {
                // So many that no two batches are stored together.
                let item = |n: i64| {
                    let (name, who) = (format!("{stage}-{batch}-{n}"), format!("{stage}-{}", n % 5));
                    let mut item = json!({"eventId": name, "runId": name, "process": "password-reset", "actor": {"subject": who, "name": "Nina"}});
                    if stage == "all" {
                        (item["process"], item["team"]) = (json!(format!("new-{}", n % 3)), json!(format!("shift-{}", n % 2)));
                    }
                    item
                };
                let (reporter, items) = (reporter.clone(), (0..300).map(item).collect::<Vec<_>>());
                all.spawn(async move { reporter.send("LIVE", &items).await });
            }
            let answers: Vec<Value> = all.join_all().await.into_iter().flatten().collect();
            assert_eq!(count(&answers, "CREATED"), 8 * 300);
        }
        for (made, counted, action) in [
            (3, "process WHERE key LIKE 'new-%'", "process.created' AND new_value LIKE '%new-%"),
            (2, "team WHERE key LIKE 'shift-%'", "team.created' AND new_value LIKE '%shift-%"),
            (10, "person WHERE issuer = 'source:tickets'", "person.created' AND new_value LIKE '%tickets%"),
        ] {
            assert_eq!(world.query_i64(&format!("SELECT COUNT(*) FROM {counted}")).await, made, "{counted}");
            let told = world.query_i64(&format!("SELECT COUNT(*) FROM audit_entry WHERE action = '{action}'")).await;
            assert_eq!(told, made, "each is told of once: {action}");
        }
        let runs = world.query_i64("SELECT COUNT(*) FROM execution JOIN person ON person.id = actor_id");
        assert_eq!(runs.await, 2 * 8 * 300);
    }

    async fn what_cannot_be_committed_leaves_nothing(world: World) {
        if world.backend == Backend::Postgres {
            return; // It refuses a reference to nothing at once, and not at the end.
        }
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let item = |n: i64| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset"});
        world.execute("CREATE TRIGGER orphan AFTER INSERT ON execution WHEN NEW.run_id = 'r1'
            BEGIN INSERT INTO execution_step VALUES (zeroblob(16), 'a', 1, NULL, NULL, 'DONE'); END").await;
        let answer = reporter.client.send(RECORD, reporter.batch("LIVE", &[item(0), item(1)])).await;
        assert!(!answer.body.to_string().contains("CREATED"), "{answer:?}");
        assert_eq!(reporter.one(item(2)).await["status"], "CREATED", "the next one has a transaction of its own");
        world.execute("DROP TRIGGER orphan").await;
        assert_eq!(world.query_text("SELECT group_concat(run_id) FROM execution").await, "r2");
        assert_eq!(count(&reporter.send("LIVE", &[item(0), item(1), item(2)]).await, "CREATED"), 2);
    }

    async fn a_batch_is_refused_as_a_whole(world: World) {
        place(&world).await;
        let item = |n: usize| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset"});
        let reporter = Reporter::new(&world, "tickets");
        let many: Vec<Value> = (0..1001).map(item).collect();
        let refusal = reporter.client.refused(RECORD, reporter.batch("LIVE", &many)).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "executions".to_owned()));
        let one = [item(0)];
        let foreign = Reporter { source: "another".to_owned(), ..reporter.clone() };
        assert_eq!(foreign.client.refused(RECORD, foreign.batch("LIVE", &one)).await.code, "FORBIDDEN");
        let unbound = world.client(&["integration"], "unbound");
        assert_eq!(unbound.refused(RECORD, reporter.batch("LIVE", &one)).await.code, "FORBIDDEN");
        for role in ["viewer", "author", "manager", "admin"] {
            let who = world.client(&[role], role).with_source("tickets");
            assert_eq!(who.refused(RECORD, reporter.batch("LIVE", &one)).await.code, "FORBIDDEN", "{role}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 0);
        let all = results(&reporter.client.mutate(RECORD, reporter.batch("LIVE", &many[..1000])).await);
        assert_eq!(count(&all, "CREATED"), 1000, "a thousand are not too many");
        assert_eq!(reporter.send("LIVE", &[]).await, Vec::<Value>::new());
    }
}
