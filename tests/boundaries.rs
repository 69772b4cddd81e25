//! What one may not see, take or break of others.

use serde_json::{Value, json};

use crate::story::{
    CREATE_SOP, CREATE_VERSION, RECORD, content, decide, decide_refused, draft, number, place, process, publish,
    submit, text,
};
use crate::support::{World, both};

both! {
    async fn a_token_has_its_own_roles_whatever_another_of_the_same_person_claims(world: World) {
        place(&world).await;
        let weak = world.client(&["viewer"], "two-faced");
        let strong = world.client(&["manager@ops"], "two-faced");
        let mut all = tokio::task::JoinSet::new();
        for n in 0..40 {
            let (client, role) = if n % 2 == 0 { (weak.clone(), "viewer") } else { (strong.clone(), "manager") };
            all.spawn(async move {
                let me = client.ok("{ me { roles { role } } }", json!({})).await;
                assert_eq!(me["me"]["roles"], json!([{"role": role}]));
            });
        }
        all.join_all().await;
    }

    async fn readers_see_who_approved_but_not_what_was_said_of_drafts(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let back = decide(&place.reviewer, &request, &made.hash, "REJECT", "between us: this is wrong").await;
        let made = crate::story::Draft { revision: number(&back["version"]["revision"]), ..made };
        publish(&place, &place.author, &made).await;
        let query = "query($id: ID!) { version(id: $id) { approvalRequests { state decisions { comment person { name } } } } }";
        let seen = place.viewer.ok(query, json!({"id": made.version})).await;
        let requests = seen["version"]["approvalRequests"].as_array().unwrap().clone();
        assert_eq!(requests.len(), 1, "{seen}");
        assert_eq!(requests[0]["state"], "APPROVED");
        assert_eq!(requests[0]["decisions"].as_array().unwrap().len(), 2);
        let seen = place.author.ok(query, json!({"id": made.version})).await;
        assert_eq!(seen["version"]["approvalRequests"].as_array().unwrap().len(), 2);
    }

    async fn what_was_rejected_stays_readable_for_who_sees_drafts(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let back = decide(&place.reviewer, &request, &made.hash, "REJECT", "the title is wrong").await;
        let input = json!({"id": made.version, "expectedRevision": back["version"]["revision"], "content": content("Unlock an account")});
        place.author.mutate(crate::story::EDIT, json!({"input": input})).await;
        let query = "query($id: ID!) { approvalRequest(id: $id) { state contentHash content { title steps { key } }
            version { content { title } } } }";
        let seen = place.reviewer.ok(query, json!({"id": request})).await["approvalRequest"].take();
        assert_eq!((&seen["state"], &seen["contentHash"]), (&json!("REJECTED"), &json!(made.hash)));
        assert_eq!(seen["content"], json!({"title": "Reset a password", "steps": [{"key": "identify"}, {"key": "reset"}]}));
        assert_eq!(seen["version"]["content"]["title"], "Unlock an account");
        assert_eq!(place.viewer.ok(query, json!({"id": request})).await["approvalRequest"], Value::Null);
    }

    async fn a_process_of_a_team_is_for_that_team_to_document(world: World) {
        let place = place(&world).await;
        let other = world.client(&["author@dev"], "dan");
        let dev = other.ok("{ team(by: {key: \"dev\"}) { id } }", json!({})).await["team"]["id"].clone();
        let input = json!({"processId": place.process, "teamId": dev, "risk": "LOW", "content": content("Mine now")});
        assert_eq!(other.refused(CREATE_SOP, json!({"input": input})).await.code, "FORBIDDEN");
        // A hidden draft blocks a process that is nobody's, but its code is not told.
        let input = json!({"key": "nobodys", "name": "Nobody's"});
        let wide = world.client(&["author"], "wide");
        let made = wide.mutate(crate::story::CREATE_PROCESS, json!({"input": input})).await;
        let id = text(&made["process"]["id"]);
        let hidden = draft(&place, &place.author, &id, "Hidden").await;
        let input = json!({"processId": id, "teamId": dev, "risk": "LOW", "content": content("Second")});
        let refusal = other.refused(CREATE_SOP, json!({"input": input})).await;
        assert_eq!(refusal.code, "CONFLICT");
        assert!(!refusal.message.contains(&hidden.code), "{refusal:?}");
    }

    async fn a_draft_keeps_the_kind_and_date_that_were_asked_for(world: World) {
        let place = place(&world).await;
        let made = crate::story::published(&place, "Reset a password").await;
        let input = json!({"sopId": made.sop, "kind": "EDITORIAL", "effectiveAt": "2099-01-01T00:00:00Z"});
        let draft = place.author.mutate(CREATE_VERSION, json!({"input": input})).await;
        let query = "query($id: ID!) { version(id: $id) { kind effectiveAt content { changeLog { what } } } }";
        let seen = place.author.ok(query, json!({"id": draft["version"]["id"]})).await;
        assert_eq!(seen["version"], json!({"kind": "EDITORIAL", "effectiveAt": "2099-01-01T00:00:00Z",
            "content": {"changeLog": {"what": ""}}}));
    }

    async fn whoever_comes_too_late_is_told_so_and_not_accused(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let both: Vec<_> = (0..8).map(|n| world.client(&["reviewer@ops", "approver@ops"], &format!("both-{n}"))).collect();
        for one in &both {
            one.ok("{ me { source } }", json!({})).await;
        }
        let mut all = tokio::task::JoinSet::new();
        for one in both {
            let variables = json!({"input": {"requestId": request, "contentHash": made.hash, "verdict": "APPROVE"}});
            all.spawn(async move { one.ok(crate::story::DECIDE, variables).await });
        }
        let answers = all.join_all().await;
        let codes: Vec<&Value> = answers.iter().flat_map(|a| a["approvalDecide"]["userErrors"].as_array().unwrap())
            .map(|error| &error["code"]).collect();
        assert_eq!(codes, vec![&json!("CONFLICT"); 6], "{answers:?}");
        assert_eq!(decide_refused(&place.reviewer, &request, &made.hash, "APPROVE").await.code, "CONFLICT");
        let told = "SELECT COUNT(*) FROM audit_entry WHERE action = 'approval.refused' AND new_value LIKE";
        assert_eq!(world.query_i64(&format!("{told} '%FORBIDDEN%'")).await, 0);
        assert_eq!(world.query_i64(&format!("{told} '%CONFLICT%'")).await, 7, "each is on record as what it was");
    }

    async fn no_batch_breaks_the_figures(world: World) {
        let place = place(&world).await;
        let tracker = world.client(&["integration"], "tracker").with_source("tracker");
        let send = |items: Value, sent_at: Value| {
            json!({"input": {"source": "tracker", "mode": "BACKFILL", "sentAt": sent_at, "executions": items}})
        };
        let run = |n: usize, from: &str, to: &str| {
            json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset", "startedAt": from, "finishedAt": to})
        };
        let long: Vec<Value> = (0..3).map(|n| run(n, "0001-01-01T00:00:00Z", "2026-01-01T00:00:00Z")).collect();
        let answer = tracker.mutate(RECORD, send(json!(long), Value::Null)).await;
        assert_eq!(answer["results"][2]["rejection"]["path"], json!(["finishedAt"]));
        let old: Vec<Value> = (10..400).map(|n| run(n, "1900-01-01T00:00:00Z", "1999-01-01T00:00:00Z")).collect();
        let answer = tracker.mutate(RECORD, send(json!(old), Value::Null)).await;
        assert_eq!(answer["results"][389]["status"], "CREATED");
        let refusal = tracker.refused(RECORD, send(json!([run(500, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")]),
            json!("9999-12-31T23:59:59Z"))).await;
        assert_eq!((refusal.code.as_str(), refusal.path), ("INVALID", vec!["sentAt".to_owned()]));
        // One that ended without saying when has ended all the same.
        let ended = json!([{"eventId": "x", "runId": "x", "process": "password-reset", "outcome": "FAILED",
            "startedAt": "2026-01-01T00:00:00Z"}]);
        tracker.mutate(RECORD, send(ended, Value::Null)).await;
        let figures = place.manager.ok("{ figures { runs errorRate { numerator denominator } completionTime { n open p50 { value } } } }", json!({})).await;
        assert_eq!(figures["figures"][0]["runs"], 391);
        assert_eq!(figures["figures"][0]["errorRate"], json!({"numerator": 1, "denominator": 391}));
        assert_eq!(figures["figures"][0]["completionTime"]["n"], 390);
        assert_eq!(figures["figures"][0]["completionTime"]["open"], 0);
    }

    async fn what_is_rejected_leaves_nothing_behind(world: World) {
        let place = place(&world).await;
        let made = crate::story::published(&place, "Reset a password").await;
        let tracker = world.client(&["integration", "author"], "tracker").with_source("tracker");
        let send = |item: Value| json!({"input": {"source": "tracker", "mode": "LIVE", "executions": [item]}});
        tracker.mutate(RECORD, send(json!({"eventId": "a", "runId": "r", "sop": made.code,
            "startedAt": "2026-01-02T00:00:00Z"}))).await;
        let before = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        for (item, path) in [
            // Another process than the run's SOP is for, and an end before the beginning that another event told.
            (json!({"eventId": "b", "runId": "r", "revision": 2, "process": "made-up", "team": "made-up"}), "process"),
            (json!({"eventId": "c", "runId": "r", "revision": 2, "sop": made.code, "team": "made-up",
                "actor": {"subject": "nobody"}, "finishedAt": "2026-01-01T00:00:00Z"}), "finishedAt"),
        ] {
            let answer = tracker.mutate(RECORD, send(item)).await;
            assert_eq!(answer["results"][0]["rejection"]["path"], json!([path]), "{answer}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM process WHERE key = 'made-up'").await, 0);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM team WHERE key = 'made-up'").await, 0);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person WHERE subject = 'nobody'").await, 0);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, before);
    }

    async fn a_procedure_of_any_allowed_size_can_be_published(world: World) {
        let place = place(&world).await;
        let process = process(&place.author, &json!(place.team), "long").await;
        let mut long = content("Long");
        let body = |n: usize| (0..4_500).map(|w| format!("w{n}x{w}")).collect::<Vec<_>>().join(" ");
        long["sections"] = (0..18).map(|n| json!({"heading": format!("Part {n}"), "body": body(n)})).collect();
        let input = json!({"processId": process, "teamId": place.team, "risk": "LOW", "content": long});
        let made = place.author.mutate(CREATE_SOP, json!({"input": input})).await;
        let open = &made["sop"]["openVersion"];
        let made = crate::story::Draft {
            sop: text(&made["sop"]["id"]), code: text(&made["sop"]["code"]), version: text(&open["id"]),
            revision: number(&open["revision"]), hash: text(&open["contentHash"]),
        };
        let done = publish(&place, &place.author, &made).await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn batches_that_name_the_same_new_process_at_once_are_all_taken(world: World) {
        place(&world).await;
        let mut all = tokio::task::JoinSet::new();
        for n in 0..6 {
            let tracker = world.client(&["integration", "author"], &format!("t{n}")).with_source("tracker");
            let items: Vec<Value> = (0..5).map(|p| json!({"eventId": format!("{n}-{p}"), "runId": format!("{n}-{p}"),
                "process": format!("new-{p}"), "team": "new-team"})).collect();
            all.spawn(async move {
                let input = json!({"input": {"source": "tracker", "mode": "LIVE", "executions": items}});
                tracker.mutate(RECORD, input).await
            });
        }
        for answer in all.join_all().await {
            assert!(answer["results"].as_array().unwrap().iter().all(|r| r["status"] == "CREATED"), "{answer}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 30);
    }
}
