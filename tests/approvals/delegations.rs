//! Delegations: what they let somebody see and decide, and what the record says of it.

use serde_json::{Value, json};

use crate::acts::{approve_for, delegate, delegation};
use crate::story::{CREATE_DELEGATION, DAY, DECIDE, Place, REVOKE_DELEGATION, draft, from_now, person, place, submit};
use crate::support::{Client, World, both};

const INBOX: &str = "{ me { pendingDecisions { totalCount nodes { stage { name } request { id } } } } }";

/// The requests that wait for somebody.
async fn inbox(who: &Client) -> Vec<Value> {
    let found = who.ok(INBOX, json!({})).await["me"]["pendingDecisions"].clone();
    let nodes = found["nodes"].as_array().unwrap().clone();
    assert_eq!(found["totalCount"], json!(nodes.len()));
    nodes.iter().map(|node| node["request"]["id"].clone()).collect()
}

/// Whether somebody sees the request and the draft, each in all ways there are.
async fn sees(who: &Client, version: &str, request: &str) -> bool {
    let query = "query($version: ID!, $request: ID!) { version(id: $version) { id }
        approvalRequest(id: $request) { id } node(id: $request) { id } approvalRequests { totalCount } }";
    let seen = who.send(query, json!({"version": version, "request": request})).await.body["data"].clone();
    let parts = [&seen["version"], &seen["approvalRequest"], &seen["node"]].map(Value::is_object);
    let listed = seen["approvalRequests"]["totalCount"] == 1;
    assert!(parts.iter().all(|part| *part == listed), "{seen}");
    listed
}

async fn in_review(place: &Place) -> (crate::story::Draft, String) {
    let made = draft(place, &place.author, &place.process, "Reset a password").await;
    let request = submit(&place.author, &made).await;
    (made, request)
}

both! {
    async fn let_the_delegate_see_and_decide_and_the_record_shows_both(world: World) {
        let place = place(&world).await;
        let (made, request) = in_review(&place).await;
        let rob = person(&place.reviewer).await;
        let dora = world.client(&["viewer"], "dora");
        let id = person(&dora).await;
        assert_eq!((sees(&dora, &made.version, &request).await, inbox(&dora).await), (false, vec![]));
        let given = delegate(&place.reviewer, &id, "reviewer").await;
        assert_eq!((sees(&dora, &made.version, &request).await, inbox(&dora).await), (true, vec![json!(request)]));
        approve_for(&dora, &request, &made.hash, &rob).await;
        // In the stage of another role there is nothing for her to do, but still something to see.
        assert_eq!((sees(&dora, &made.version, &request).await, inbox(&dora).await), (true, vec![]));
        assert_eq!(inbox(&place.reviewer).await, Vec::<Value>::new());
        assert_eq!(inbox(&place.approver).await, [json!(request)]);

        let query = "query($id: ID!) { approvalRequest(id: $id) { decisions { person { name } onBehalfOf { name }
            delegation { id reason role } verdict stage { name } } } }";
        let seen = place.author.ok(query, json!({"id": request})).await["approvalRequest"]["decisions"].clone();
        // Whoever is no party to the delegation sees who, and for whom, but not the delegation's reason.
        assert_eq!((&seen[0]["person"]["name"], &seen[0]["onBehalfOf"]["name"]), (&json!("dora"), &json!("rob")));
        let seen = place.reviewer.ok(query, json!({"id": request})).await["approvalRequest"]["decisions"].clone();
        assert_eq!(seen[0]["delegation"]["id"], json!(given));
        let audit = "query($id: ID!) { audit(filter: {object: $id, action: \"approval.decided\"}) { nodes {
            actor { name } onBehalfOf { name } newValue } } }";
        let entry = place.admin.ok(audit, json!({"id": request})).await["audit"]["nodes"][0].clone();
        assert_eq!((&entry["actor"]["name"], &entry["onBehalfOf"]["name"]), (&json!("dora"), &json!("rob")));
        assert_eq!((&entry["newValue"]["delegation"], &entry["newValue"]["meaning"]), (&json!(given), &json!("REVIEWED")));

        // The sight ends with the delegation; what was decided stands.
        place.reviewer.mutate(REVOKE_DELEGATION, json!({"input": {"id": given}})).await;
        assert!(!sees(&dora, &made.version, &request).await);
        let done = crate::story::decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn that_end_by_themselves_end_the_sight_too(world: World) {
        let place = place(&world).await;
        let (made, request) = in_review(&place).await;
        let dora = world.client(&["viewer"], "dora");
        let mut short = delegation(&person(&dora).await, "reviewer");
        short["input"]["endsAt"] = json!(from_now(3));
        place.reviewer.mutate(CREATE_DELEGATION, short).await;
        assert_eq!((sees(&dora, &made.version, &request).await, inbox(&dora).await), (true, vec![json!(request)]));
        tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
        assert_eq!((sees(&dora, &made.version, &request).await, inbox(&dora).await), (false, vec![]));
    }

    async fn are_given_for_a_reason_a_time_and_a_team(world: World) {
        let place = place(&world).await;
        let id = person(&place.viewer).await;
        let with = |name: &str, value: Value| {
            let mut changed = delegation(&id, "reviewer");
            changed["input"][name] = value;
            changed
        };
        for (input, path) in [
            (with("reason", json!("  ")), "reason"), (with("endsAt", json!(from_now(-1))), "endsAt"),
            (with("endsAt", json!(from_now(367 * DAY))), "endsAt"), (with("startsAt", json!(from_now(2 * DAY))), "endsAt"),
        ] {
            let refusal = place.reviewer.refused(CREATE_DELEGATION, input).await;
            assert_eq!((refusal.code.as_str(), refusal.path.join(".").as_str()), ("INVALID", path), "{refusal:?}");
        }
        assert_eq!(place.reviewer.refused(CREATE_DELEGATION, with("role", json!("approver"))).await.code, "FORBIDDEN");
        let narrow = place.reviewer.mutate(CREATE_DELEGATION, with("teamId", json!(place.team))).await;
        assert_eq!(narrow["delegation"]["team"]["key"], "ops");
        let query = "{ delegations { totalCount nodes { from { name } to { name } reason } } }";
        for (who, n) in [(&place.reviewer, 1), (&place.viewer, 1), (&place.approver, 0), (&place.admin, 1)] {
            assert_eq!(who.ok(query, json!({})).await["delegations"]["totalCount"], n);
        }
        let mut keyed = with("reason", json!("holiday"));
        keyed["input"]["idempotencyKey"] = json!("once");
        let first = place.reviewer.mutate(CREATE_DELEGATION, keyed.clone()).await;
        assert_eq!(place.reviewer.mutate(CREATE_DELEGATION, keyed).await["delegation"]["id"], first["delegation"]["id"]);
        // The delegate may give it back.
        let end = json!({"input": {"id": first["delegation"]["id"]}});
        assert_eq!(place.viewer.mutate(REVOKE_DELEGATION, end).await["delegation"]["revokedBy"]["name"], "vic");
    }

    async fn reject_in_the_place_of_another_too(world: World) {
        let place = place(&world).await;
        let (made, request) = in_review(&place).await;
        let dora = world.client(&["viewer"], "dora");
        delegate(&place.reviewer, &person(&dora).await, "reviewer").await;
        let rejection = crate::acts::answer(&request, &made.hash, "REJECT", Some(&person(&place.reviewer).await));
        let done = dora.mutate(DECIDE, rejection).await;
        assert_eq!((&done["approvalRequest"]["state"], inbox(&dora).await), (&json!("REJECTED"), vec![]));
    }

    async fn are_not_without_number(world: World) {
        let place = place(&world).await;
        let dora = person(&world.client(&["viewer"], "dora")).await;
        let mut last = String::new();
        for _ in 0..50 {
            last = delegate(&place.reviewer, &dora, "reviewer").await;
        }
        assert_eq!(place.reviewer.refused(CREATE_DELEGATION, delegation(&dora, "reviewer")).await.code, "CONFLICT");
        place.reviewer.mutate(REVOKE_DELEGATION, json!({"input": {"id": last}})).await;
        delegate(&place.reviewer, &dora, "reviewer").await;
        delegate(&place.approver, &dora, "approver").await;
    }
}
