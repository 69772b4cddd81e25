//! Decisions that are taken back while their stage is open.

use serde_json::{Value, json};

use crate::acts::{approve_for, delegate, require, stage};
use crate::story::{WITHDRAW_DECISION, decide, draft, person, place, submit, text};
use crate::support::{Client, World, both};

const DECISIONS: &str = "query($id: ID!) { approvalRequest(id: $id) { state waitingFor { name }
    decisions { person { name } onBehalfOf { name } verdict withdrawnAt } } }";

both! {
    async fn are_taken_back_and_stay_on_record(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 2), stage("Approval", "approver", 1)], false).await;
        let ria = world.client(&["reviewer@ops"], "ria");
        person(&ria).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let take_back = json!({"input": {"requestId": request}});
        assert_eq!(place.reviewer.refused(WITHDRAW_DECISION, take_back.clone()).await.code, "NOT_FOUND", "there is none");
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "fine").await;
        let answer = place.reviewer.mutate(WITHDRAW_DECISION, take_back.clone()).await;
        assert!(answer["approvalRequest"]["decisions"][0]["withdrawnAt"].is_string());
        assert_eq!(place.reviewer.refused(WITHDRAW_DECISION, take_back.clone()).await.code, "NOT_FOUND", "once");
        let seen = place.author.ok(DECISIONS, json!({"id": request})).await["approvalRequest"].clone();
        assert_eq!((&seen["state"], &seen["waitingFor"]), (&json!("OPEN"), &json!([{"name": "rob"}, {"name": "ria"}])));
        // It counts no more: one approval is missing still.
        let first = decide(&ria, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(first["approvalRequest"]["currentStage"]["name"], "Review");
        let second = decide(&place.reviewer, &request, &made.hash, "APPROVE", "after all").await;
        assert_eq!(second["approvalRequest"]["currentStage"]["name"], "Approval");
        // The stage is closed: what was decided in it stands.
        assert_eq!(place.reviewer.refused(WITHDRAW_DECISION, take_back.clone()).await.code, "CONFLICT");
        let seen = place.author.ok(DECISIONS, json!({"id": request})).await["approvalRequest"]["decisions"].clone();
        let told: Vec<_> = seen.as_array().unwrap().iter().map(|d| (d["person"]["name"].clone(), d["withdrawnAt"].is_string())).collect();
        assert_eq!(told, [(json!("rob"), true), (json!("ria"), false), (json!("rob"), false)]);
        let query = "query($id: ID!) { audit(filter: {object: $id, action: \"approval.decision_withdrawn\"}) {
            totalCount nodes { actor { name } oldValue } } }";
        let audit = place.admin.ok(query, json!({"id": request})).await["audit"].clone();
        assert_eq!((&audit["totalCount"], &audit["nodes"][0]["oldValue"]["verdict"]), (&json!(1), &json!("APPROVE")));
        assert_eq!(place.viewer.refused(WITHDRAW_DECISION, take_back).await.code, "NOT_FOUND");
    }

    async fn that_were_taken_back_are_for_those_who_see_drafts(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 1), stage("Approval", "approver", 2)], false).await;
        let (ria, oda) = (world.client(&["viewer"], "ria"), world.client(&["approver"], "oda"));
        person(&oda).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let rob = person(&place.reviewer).await;
        delegate(&place.reviewer, &person(&ria).await, "reviewer").await;
        approve_for(&ria, &request, &made.hash, &rob).await;
        let seen = "query($id: ID!) { version(id: $id) { approvalRequests { decisions { person { name } comment withdrawnAt
            onBehalfOf { name } delegation { reason } } stages { decisions { person { name } withdrawnAt } } } } }";
        let told = async |who: &Client| {
            let requests = who.ok(seen, json!({"id": made.version})).await["version"]["approvalRequests"].clone();
            let names = |of: &Value| -> Vec<String> { of.as_array().unwrap().iter().map(|d| text(&d["person"]["name"])).collect() };
            let stages = requests[0]["stages"].as_array().unwrap().iter().flat_map(|stage| names(&stage["decisions"]));
            (names(&requests[0]["decisions"]), stages.collect::<Vec<_>>(), requests[0]["decisions"][0]["delegation"].clone())
        };
        // One changes their mind, twice.
        decide(&oda, &request, &made.hash, "APPROVE", "hm").await;
        oda.mutate(WITHDRAW_DECISION, json!({"input": {"requestId": request}})).await;
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        decide(&oda, &request, &made.hash, "APPROVE", "after all").await;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (all, standing) = (names(&["ria", "oda", "amy", "oda"]), names(&["ria", "amy", "oda"]));
        let reason = json!({"reason": "on leave"});
        assert_eq!(told(&place.author).await, (all.clone(), all.clone(), Value::Null));
        assert_eq!(told(&place.reviewer).await, (all.clone(), all, reason.clone()), "it is theirs");
        assert_eq!(told(&place.viewer).await, (standing.clone(), standing.clone(), Value::Null));
        assert_eq!(told(&ria).await, (standing.clone(), standing, reason));
    }

    async fn by_a_delegate_free_both(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 2)], false).await;
        let ria = world.client(&["reviewer@ops"], "ria");
        let made = {
            person(&ria).await;
            draft(&place, &place.author, &place.process, "Reset a password").await
        };
        let request = submit(&place.author, &made).await;
        let rob = person(&place.reviewer).await;
        delegate(&place.reviewer, &person(&ria).await, "reviewer").await;
        approve_for(&ria, &request, &made.hash, &rob).await;
        let take_back = json!({"input": {"requestId": request}});
        assert_eq!(place.reviewer.refused(WITHDRAW_DECISION, take_back.clone()).await.code, "NOT_FOUND", "it is the delegate's");
        let query = "query($id: ID!) { approvalRequest(id: $id) { waitingFor { name } } }";
        let waiting = place.author.ok(query, json!({"id": request})).await["approvalRequest"]["waitingFor"].clone();
        assert_eq!(waiting, Value::Array(vec![]), "both were heard");
        // By the delegate's other account it is the same person's decision.
        let second = world.client(&["reviewer@ops"], "ria-2").with_claim("email", json!("ria@example.org"));
        second.mutate(WITHDRAW_DECISION, take_back).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_voice").await, 0);
        decide(&ria, &request, &made.hash, "APPROVE", "").await;
        let done = decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }
}
