//! A procedure's whole life, driven only through GraphQL.

use std::time::Duration;

use serde_json::{Value, json};

use crate::story::{
    CREATE_VERSION, DISCARD, EDIT, HAND_OVER, RETIRE, REVIVE, SUBMIT, WITHDRAW, content, decide, decide_refused, draft,
    look, number, place, process, publish, published, submit, text,
};
use crate::support::{Client, Server, World, both};

/// A draft with other content, as the author sends it.
async fn next_version(who: &Client, sop: &str, kind: &str, content: Value) -> crate::story::Draft {
    let input = json!({"sopId": sop, "kind": kind, "content": content});
    let made = who.mutate(CREATE_VERSION, json!({"input": input})).await;
    crate::story::Draft {
        sop: sop.to_owned(),
        code: String::new(),
        version: text(&made["version"]["id"]),
        revision: number(&made["version"]["revision"]),
        hash: text(&made["version"]["contentHash"]),
    }
}

both! {
    async fn from_draft_to_retirement_and_back(world: World) {
        let place = place(&world).await;
        let first = draft(&place, &place.author, &place.process, "Reset a password").await;
        assert_eq!(first.code, "OPS-0001");
        assert_eq!(look(&place.author, &first.sop).await["state"], "DRAFT");
        assert_eq!(look(&place.viewer, &first.sop).await, Value::Null, "a draft is hidden from viewers");

        // Editing takes the revision that was seen, and keeps the keys of steps.
        let mut changed = content("Reset a password");
        changed["steps"].as_array_mut().unwrap().push(json!({"instruction": "Tell the caller.", "role": "agent"}));
        let input = json!({"id": first.version, "expectedRevision": first.revision, "content": changed});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let keys: Vec<_> = edited["version"]["content"]["steps"].as_array().unwrap().iter().map(|s| text(&s["key"])).collect();
        assert_eq!(keys, ["identify", "reset", "step-1"]);
        changed["steps"][2]["key"] = json!("step-1");
        let stale = place.author.refused(EDIT, json!({"input": input})).await;
        assert_eq!((stale.code.as_str(), &stale.json["currentRevision"]), ("CONFLICT", &json!(2)));

        // Review, then approval; the author decides in neither.
        let first = crate::story::Draft { revision: 2, hash: text(&edited["version"]["contentHash"]), ..first };
        let request = submit(&place.author, &first).await;
        assert_eq!(look(&place.reviewer, &first.sop).await["state"], "IN_REVIEW");
        assert_eq!(decide_refused(&place.author, &request, &first.hash, "APPROVE").await.code, "FORBIDDEN");
        assert_eq!(decide_refused(&place.approver, &request, &first.hash, "APPROVE").await.code, "FORBIDDEN");
        assert_eq!(decide_refused(&place.admin, &request, &first.hash, "APPROVE").await.code, "FORBIDDEN");
        assert_eq!(decide_refused(&place.viewer, &request, &first.hash, "APPROVE").await.code, "NOT_FOUND");
        let other = format!("{:0>64}", 1);
        assert_eq!(decide_refused(&place.reviewer, &request, &other, "APPROVE").await.code, "CONFLICT");
        let reviewed = decide(&place.reviewer, &request, &first.hash, "APPROVE", "reads well").await;
        assert_eq!(reviewed["approvalRequest"]["currentStage"]["name"], "Approval");
        assert_eq!(decide_refused(&place.reviewer, &request, &first.hash, "APPROVE").await.code, "FORBIDDEN");
        let approved = decide(&place.approver, &request, &first.hash, "APPROVE", "").await;
        assert_eq!(approved["version"]["state"], "PUBLISHED");
        assert_eq!(approved["version"]["label"], "1.0");
        assert_eq!(look(&place.viewer, &first.sop).await["publishedVersion"]["label"], "1.0");

        // An editorial change that is none is refused; one that is passes the lighter policy.
        let mut heavier = changed.clone();
        heavier["steps"][0]["role"] = json!("manager");
        heavier["changeLog"] = json!({"what": "Other role", "why": "Because"});
        let sneaky = next_version(&place.author, &first.sop, "EDITORIAL", heavier.clone()).await;
        let refusal = place.author.refused(SUBMIT, json!({"input": {"id": sneaky.version, "expectedRevision": 1}})).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "content.steps.0.role".to_owned()));
        let mut lighter = changed.clone();
        lighter["steps"][0]["instruction"] = json!("Confirm who is on the phone.");
        lighter["changeLog"] = json!({"what": "Wording", "why": "Clearer"});
        let input = json!({"id": sneaky.version, "expectedRevision": 1, "kind": "EDITORIAL", "content": lighter});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let editorial = crate::story::Draft { revision: 2, hash: text(&edited["version"]["contentHash"]), ..sneaky };
        let request = submit(&place.author, &editorial).await;
        let done = decide(&place.approver, &request, &editorial.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["label"], "1.1");

        // What changed is told by step and field.
        let diff = "query($from: ID!, $to: ID!) { versionDiff(from: $from, to: $to) {
            fields { field } sections { key } steps { key kind fromIndex toIndex fields { field from to } } } }";
        let compared = place.viewer.ok(diff, json!({"from": first.version, "to": editorial.version})).await;
        assert_eq!(compared["versionDiff"]["steps"], json!([{
            "key": "identify", "kind": "CHANGED", "fromIndex": 0, "toIndex": 0,
            "fields": [{"field": "instruction", "from": "Confirm who is calling.", "to": "Confirm who is on the phone."}],
        }]));

        // A rejection returns the draft; a withdrawal too; both keep what is in force.
        let material = next_version(&place.author, &first.sop, "MATERIAL", heavier).await;
        let request = submit(&place.author, &material).await;
        let rejected = decide(&place.reviewer, &request, &material.hash, "REJECT", "the manager is never there").await;
        assert_eq!(rejected["version"]["state"], "DRAFT");
        assert_eq!(rejected["version"]["label"], Value::Null);
        assert_eq!(rejected["approvalRequest"]["state"], "REJECTED");
        let material = crate::story::Draft { revision: number(&rejected["version"]["revision"]), ..material };
        let request = submit(&place.author, &material).await;
        let withdrawn = place.author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await;
        assert_eq!(withdrawn["version"]["state"], "DRAFT");
        let material = crate::story::Draft { revision: number(&withdrawn["version"]["revision"]), ..material };
        let done = publish(&place, &place.author, &material).await;
        assert_eq!(done["version"]["label"], "2.0");

        // Going back is a new version with the content of an earlier one.
        let input = json!({"sopId": first.sop, "basedOnId": first.version});
        let back = place.author.mutate(CREATE_VERSION, json!({"input": input})).await;
        let keys: Vec<_> = back["version"]["content"]["steps"].as_array().unwrap().iter().map(|s| text(&s["key"])).collect();
        assert_eq!(keys, ["identify", "reset", "step-1"]);

        // Retirement is the owner's to ask for and another's to approve; it takes the open draft along.
        let seen = look(&place.author, &first.sop).await;
        let input = json!({"id": first.sop, "expectedRevision": seen["revision"], "reason": "Single sign-on came."});
        assert_eq!(place.reviewer.refused(RETIRE, json!({"input": input})).await.code, "FORBIDDEN");
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
        let (request, hash) = (text(&asked["approvalRequest"]["id"]), text(&asked["approvalRequest"]["contentHash"]));
        assert_eq!(asked["sop"]["state"], "PUBLISHED");
        assert_eq!(decide_refused(&place.author, &request, &hash, "APPROVE").await.code, "FORBIDDEN");
        let retired = decide(&place.approver, &request, &hash, "APPROVE", "").await;
        assert_eq!(retired["sop"]["state"], "RETIRED");
        let version = place.author.ok("query($id: ID!) { version(id: $id) { state } }", json!({"id": back["version"]["id"]})).await;
        assert_eq!(version["version"]["state"], "DISCARDED");
        let listed = place.viewer.ok("{ sops { nodes { id } } }", json!({})).await;
        assert_eq!(listed["sops"]["nodes"], json!([]), "what is retired leaves the list");

        // Its process is free for another SOP, and then it cannot come back until that one is gone.
        let second = draft(&place, &place.author, &place.process, "Another way").await;
        assert_eq!(second.code, "OPS-0002");
        let input = json!({"id": first.sop, "expectedRevision": retired["sop"]["revision"]});
        let refusal = place.author.refused(REVIVE, json!({"input": input})).await;
        assert!(refusal.code == "CONFLICT" && refusal.message.contains("OPS-0002"), "{refusal:?}");
        let input_discard = json!({"id": second.version, "expectedRevision": 1, "reason": "not needed"});
        let gone = place.author.mutate(DISCARD, json!({"input": input_discard})).await;
        assert_eq!(gone["sop"]["state"], "RETIRED", "an SOP that was never published goes with its draft");
        let revived = place.author.mutate(REVIVE, json!({"input": input})).await;
        assert_eq!((&revived["sop"]["state"], &revived["version"]["state"]), (&json!("DRAFT"), &json!("DRAFT")));
        let query = "query($id: ID!) { sop(by: {id: $id}) { versions { totalCount nodes { label state } } } }";
        let history = place.viewer.ok(query, json!({"id": first.sop})).await;
        assert_eq!(history["sop"]["versions"]["totalCount"], 3, "history stays: {history}");
    }

    async fn a_second_sop_for_a_process_is_refused_with_the_code_of_the_first(world: World) {
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        let input = json!({"processId": place.process, "teamId": place.team, "risk": "LOW", "content": content("Again")});
        let refusal = place.author.refused(crate::story::CREATE_SOP, json!({"input": input})).await;
        assert!(refusal.code == "CONFLICT" && refusal.message.contains("OPS-0001"), "{refusal:?}");
    }

    async fn what_is_not_complete_is_not_submitted(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let bare = json!({"title": "Reset", "steps": [{"key": "a", "instruction": "Do it."}]});
        let input = json!({"id": made.version, "expectedRevision": 1, "content": bare});
        place.author.mutate(EDIT, json!({"input": input})).await;
        let answer = place.author.ok(SUBMIT, json!({"input": {"id": made.version, "expectedRevision": 2}})).await;
        let paths: Vec<String> = answer["versionSubmit"]["userErrors"].as_array().unwrap().iter()
            .map(|e| e["path"].as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(".")).collect();
        assert_eq!(paths, ["content.objective", "content.changeLog.what", "content.changeLog.why", "content.steps.0.role"]);
        assert_eq!(look(&place.author, &made.sop).await["openVersion"]["revision"], 2);
    }

    async fn a_policy_that_nobody_can_satisfy_is_refused_with_who_is_missing(world: World) {
        let admin = world.client(&["admin"], "root");
        let author = world.client(&["author@ops", "reviewer@ops", "approver@ops"], "solo");
        let team = admin.mutate(crate::story::CREATE_TEAM, json!({"input": {"key": "ops", "name": "Ops"}})).await;
        author.ok("{ me { source } }", json!({})).await;
        let process = process(&author, &team["team"]["id"], "alone").await;
        let input = json!({"processId": process, "teamId": team["team"]["id"], "risk": "LOW", "content": content("Alone")});
        let made = author.mutate(crate::story::CREATE_SOP, json!({"input": input})).await;
        let version = &made["sop"]["openVersion"]["id"];
        let answer = author.ok(SUBMIT, json!({"input": {"id": version, "expectedRevision": 1}})).await;
        let errors = answer["versionSubmit"]["userErrors"].as_array().unwrap().clone();
        assert_eq!(errors.len(), 2, "both stages lack somebody: {errors:?}");
        // One person more, with both roles, fills only one of the two.
        world.client(&["reviewer@ops", "approver@ops"], "second").ok("{ me { source } }", json!({})).await;
        let answer = author.ok(SUBMIT, json!({"input": {"id": version, "expectedRevision": 1}})).await;
        assert_eq!(answer["versionSubmit"]["userErrors"].as_array().unwrap().len(), 1, "{answer}");
        world.client(&["reviewer@ops"], "third").ok("{ me { source } }", json!({})).await;
        author.mutate(SUBMIT, json!({"input": {"id": version, "expectedRevision": 1}})).await;
    }

    async fn an_owner_hands_over(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let to = place.viewer.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"].clone();
        let seen = look(&place.author, &made.sop).await;
        let input = json!({"id": made.sop, "expectedRevision": seen["revision"], "ownerId": to});
        assert_eq!(place.viewer.refused(HAND_OVER, json!({"input": input})).await.code, "FORBIDDEN");
        let done = place.manager.mutate(HAND_OVER, json!({"input": input})).await;
        assert_eq!(done["sop"]["owner"]["id"], to);
        // The new owner may write for it, whatever their role; the former one still by the team's role.
        let input = json!({"sopId": made.sop});
        place.viewer.mutate(CREATE_VERSION, json!({"input": input})).await;
    }

    async fn a_scheduled_version_is_published_once_however_many_replicas_run(world: World) {
        let place = place(&world).await;
        let others = [Server::start(&world.db, &fast()).await, Server::start(&world.db, &fast()).await];
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let soon = chrono::Utc::now() + chrono::Duration::seconds(4);
        let mut input = json!({"id": made.version, "expectedRevision": 1, "content": content("Reset a password")});
        input["effectiveAt"] = json!(soon.to_rfc3339());
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let made = crate::story::Draft { revision: 2, hash: text(&edited["version"]["contentHash"]), ..made };
        let done = publish(&place, &place.author, &made).await;
        assert_eq!((&done["version"]["state"], &done["sop"]["state"]), (&json!("APPROVED"), &json!("IN_REVIEW")));
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        while look(&place.author, &made.sop).await["state"] != "PUBLISHED" {
            assert!(tokio::time::Instant::now() < deadline, "not published in time");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(chrono::Utc::now() >= soon, "published before its effective date");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let published = world.query_i64("SELECT COUNT(*) FROM audit_entry WHERE action = 'version.published'").await;
        assert_eq!(published, 1);
        let via = world.query_text("SELECT via FROM audit_entry WHERE action = 'version.published'").await;
        assert_eq!(via, "CLOCK");
        drop(others);
    }

    async fn decisions_at_the_same_time_are_neither_lost_nor_too_many(world: World) {
        let place = place(&world).await;
        let stages = r#"[{"name":"Review","role":"reviewer","minApprovals":5,"scope":"TEAM","meaning":"REVIEWED"},{"name":"Approval","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"APPROVED"}]"#;
        world.execute(&format!("UPDATE policy SET stages = '{stages}' WHERE kind = 'MATERIAL'")).await;
        let reviewers: Vec<Client> = (0..12).map(|n| world.client(&["reviewer@ops"], &format!("rev-{n}"))).collect();
        for reviewer in &reviewers {
            reviewer.ok("{ me { source } }", json!({})).await;
        }
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let variables = json!({"input": {"requestId": request, "contentHash": made.hash, "verdict": "APPROVE"}});
        let mut all = tokio::task::JoinSet::new();
        for reviewer in reviewers {
            let variables = variables.clone();
            all.spawn(async move { reviewer.ok(crate::story::DECIDE, variables).await });
        }
        let answers = all.join_all().await;
        let taken = answers.iter().filter(|a| a["approvalDecide"]["userErrors"] == json!([])).count();
        assert_eq!(taken, 5, "{answers:?}");
        let codes: Vec<&Value> = answers.iter().flat_map(|a| a["approvalDecide"]["userErrors"].as_array().unwrap())
            .map(|e| &e["code"]).collect();
        assert_eq!(codes, vec![&json!("FORBIDDEN"); 7], "the stage was over: its role does not decide in the next");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision").await, 5);
        let done = decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn published_procedures_are_found_by_what_one_sees_at_night(world: World) {
        let place = place(&world).await;
        let made = published(&place, "ResetPassword of a locked account").await;
        let process = process(&place.author, &json!(place.team), "secret").await;
        draft(&place, &place.author, &process, "A draft on locked accounts").await;
        let query = "query($text: String!) { search(text: $text) { nodes { score snippet sop { code } } } }";
        for text in ["locked account", "reset password", "caller cannot answer", "directory console", "passwd --expire",
            "ERROR 4711: caller cannot answer in time (code=\"x'); DROP TABLE sop\")"] {
            let found = place.viewer.ok(query, json!({"text": text})).await;
            let codes: Vec<_> = found["search"]["nodes"].as_array().unwrap().iter().map(|n| &n["sop"]["code"]).collect();
            assert_eq!(codes, [&json!(made.code)], "{text}: {found}");
        }
        let found = place.viewer.ok(query, json!({"text": "locked"})).await;
        let snippet = text(&found["search"]["nodes"][0]["snippet"]);
        assert!(snippet.contains('«') && snippet.contains('»'), "{snippet}");
        for nothing in ["", "   ", "*** \"\" ()", "zeppelin"] {
            let found = place.viewer.ok(query, json!({"text": nothing})).await;
            assert_eq!(found["search"]["nodes"], json!([]), "{nothing}");
        }
    }
}

/// Due versions are looked for every second.
fn fast() -> [(&'static str, &'static str); 1] {
    [("SOPWITH_SCHEDULER_INTERVAL_SECONDS", "1")]
}
