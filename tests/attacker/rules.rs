//! By other rules: a policy changed or ended while a request is under way, and comments that its author settles.

use super::*;
use crate::acts::{boss, comment, delegate, draft_of, require, stage};
use crate::story::{CREATE_POLICY, END_POLICY, REOPEN, RESOLVE, UPDATE_POLICY, person};

/// The request goes the long way: review, then two approvals, with all comments resolved.
async fn long_way(world: World, risk: Option<&str>) -> (Siege, Value) {
    let place = place(&world).await;
    let second = world.client(&["approver@ops"], "alf");
    person(&second).await;
    let stages = json!([stage("Review", "reviewer", 1), stage("Approval", "approver", 2)]);
    let policy = match risk {
        None => {
            require(&world, "MATERIAL", stages.as_array().unwrap(), true).await;
            Value::Null
        }
        Some(risk) => {
            let input = json!({"kind": "MATERIAL", "risk": risk, "stages": stages, "requiresResolvedComments": true});
            boss(&world).mutate(CREATE_POLICY, json!({"input": input})).await["policy"].clone()
        }
    };
    let made = draft_of(&place, "risky", "Reset a password", risk.unwrap_or("LOW")).await;
    let request = submit(&place.author, &made).await;
    (Siege { world, place, made, request }, policy)
}

/// Whatever became of the policy, the request asks for all that it was opened with.
async fn still_long(siege: &Siege) {
    let place = &siege.place;
    let alf = siege.world.client(&["approver@ops"], "alf");
    siege.holds(&place.approver, None, "FORBIDDEN", "needs the role 'reviewer'").await;
    let thread = comment(&place.approver, &siege.made.version, "Step two is wrong.").await;
    let attempt = answer(&siege.request, &siege.made.hash, "APPROVE", None);
    siege.repelled(&place.reviewer, attempt.clone(), "CONFLICT", "1 are open").await;
    place.approver.mutate(RESOLVE, json!({"input": {"id": thread}})).await;
    siege.approve(&place.reviewer).await;
    let first = siege.approve(&place.approver).await;
    assert_eq!(first["version"]["state"], "IN_REVIEW", "{first}");
    // Opened again, it holds the last approval up too.
    place.reviewer.mutate(REOPEN, json!({"input": {"id": thread}})).await;
    siege.repelled(&alf, attempt, "CONFLICT", "1 are open").await;
    place.reviewer.mutate(RESOLVE, json!({"input": {"id": thread}})).await;
    let done = siege.approve(&alf).await;
    assert_eq!(done["version"]["state"], "PUBLISHED", "{done}");
    sound(&siege.world).await;
}

both! {
    async fn a_policy_made_lighter_while_a_request_is_under_way(world: World) {
        let (siege, _) = long_way(world, None).await;
        require(&siege.world, "MATERIAL", &[stage("Approval", "approver", 1)], false).await;
        still_long(&siege).await;
        // The next one goes the new way.
        let next = draft_of(&siege.place, "next", "Reset another", "LOW").await;
        let request = submit(&siege.place.author, &next).await;
        comment(&siege.place.reviewer, &next.version, "Anyway.").await;
        let done = crate::story::decide(&siege.place.approver, &request, &next.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn a_policy_ended_while_a_request_is_under_way(world: World) {
        let (siege, policy) = long_way(world, Some("HIGH")).await;
        let boss = boss(&siege.world);
        let input = json!({"id": policy["id"], "expectedRevision": policy["revision"]});
        assert_eq!(siege.place.manager.refused(END_POLICY, json!({"input": input})).await.code, "FORBIDDEN");
        boss.mutate(END_POLICY, json!({"input": input})).await;
        still_long(&siege).await;
    }

    async fn a_more_special_policy_made_while_a_request_is_under_way(world: World) {
        let (siege, _) = long_way(world, None).await;
        let stages = json!([stage("Approval", "approver", 1)]);
        let input = json!({"kind": "MATERIAL", "teamId": siege.place.team, "stages": stages});
        siege.place.manager.mutate(CREATE_POLICY, json!({"input": input})).await;
        still_long(&siege).await;
    }

    async fn policies_that_ask_for_nothing(world: World) {
        let place = place(&world).await;
        let boss = boss(&world);
        let (id, revision) = crate::acts::default_policy(&boss, "MATERIAL").await;
        let before = state(&world).await;
        let none = [
            (json!([]), "stages"), (json!([stage("Approval", "approver", 0)]), "stages.0.minApprovals"),
            (json!([stage("Approval", "approver", -1)]), "stages.0.minApprovals"),
            (json!([stage("Approval", "approver", 101)]), "stages.0.minApprovals"),
            (json!([stage("", "approver", 1)]), "stages.0.name"), (json!([stage("A", "", 1)]), "stages.0.role"),
            (json!([stage("Approval", "nobody", 1)]), "stages.0.role"),
            (json!([stage("Fine", "approver", 1), stage("Approval", "admin", 1)]), "stages.1.role"),
            (json!([{"name": "A", "role": "approver", "maxAuthAge": "PT0S"}]), "stages.0.maxAuthAge"),
        ];
        for (stages, path) in none {
            let changed = json!({"id": id, "expectedRevision": revision, "stages": stages});
            let made = json!({"kind": "RETIREMENT", "risk": "LOW", "stages": stages});
            for (query, input) in [(UPDATE_POLICY, changed), (CREATE_POLICY, made)] {
                let refusal = boss.refused(query, json!({"input": input})).await;
                assert_eq!((refusal.code.as_str(), refusal.path.join(".").as_str()), ("INVALID", path), "{refusal:?}");
            }
        }
        let refusal = boss.refused(END_POLICY, json!({"input": {"id": id, "expectedRevision": revision}})).await;
        assert_eq!(refusal.code, "CONFLICT", "every kind keeps a policy");
        for who in [&place.author, &place.approver, &place.admin, &place.viewer, &place.manager] {
            let input = json!({"id": id, "expectedRevision": revision, "stages": [stage("A", "author", 1)]});
            assert_eq!(who.refused(UPDATE_POLICY, json!({"input": input})).await.code, "FORBIDDEN");
        }
        assert_eq!(state(&world).await, before);
    }

    async fn an_author_settles_what_another_found(world: World) {
        let (siege, _) = long_way(world, None).await;
        let (world, place) = (&siege.world, &siege.place);
        let thread = comment(&place.reviewer, &siege.made.version, "Step two is wrong.").await;
        let second = world.client(&["reviewer@ops"], "ann-2").with_claim("email", json!("ann@example.org"));
        let resolve = json!({"input": {"id": thread}});
        // A delegation lends the role to decide, not the say in what was found.
        delegate(&place.reviewer, &person(&place.author).await, "reviewer").await;
        let before = state(world).await;
        for who in [&place.author, &second] {
            assert_eq!(who.refused(RESOLVE, resolve.clone()).await.code, "FORBIDDEN");
        }
        assert_eq!(place.viewer.refused(RESOLVE, resolve.clone()).await.code, "NOT_FOUND");
        assert_eq!(state(world).await, before);
        let attempt = answer(&siege.request, &siege.made.hash, "APPROVE", None);
        siege.repelled(&place.reviewer, attempt.clone(), "CONFLICT", "1 are open").await;
        // Not by drawing the draft back either: the thread stays with the version.
        let withdrawn = place.author.mutate(crate::story::WITHDRAW, json!({"input": {"requestId": siege.request}})).await;
        assert_eq!(place.author.refused(RESOLVE, resolve.clone()).await.code, "FORBIDDEN");
        let again = Draft { revision: crate::story::number(&withdrawn["version"]["revision"]), ..siege.made.clone() };
        let request = submit(&place.author, &again).await;
        let attempt = answer(&request, &siege.made.hash, "APPROVE", None);
        siege.repelled(&place.reviewer, attempt, "CONFLICT", "1 are open").await;
        place.reviewer.mutate(RESOLVE, resolve).await;
        crate::story::decide(&place.reviewer, &request, &siege.made.hash, "APPROVE", "").await;
    }
}
