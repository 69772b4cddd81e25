//! By a role: that of an admin, one that turns into an admin's, one that has ended, or none.

use std::time::Duration;

use super::*;
use crate::acts::{boss, require, stage};
use crate::story::{
    CREATE_GRANT, CREATE_POLICY, CREATE_ROLE, REVOKE_GRANT, UPDATE_ROLE, WITHDRAW_DECISION, from_now, person,
};

fn grant(person: &str, role: &str, team: &str) -> Value {
    json!({"input": {"personId": person, "role": role, "teamId": team}})
}

both! {
    async fn an_admin_decides_nothing_by_being_one(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        siege.holds(&place.admin, None, "FORBIDDEN", NO_ROLE).await;
        siege.holds(&place.manager, None, "FORBIDDEN", NO_ROLE).await;
        siege.holds(&world.client(&["admin", "manager", "author"], "all"), None, "FORBIDDEN", NO_ROLE).await;
        siege.holds(&place.viewer, None, "NOT_FOUND", "").await;
        // A role for another team is none for this one.
        siege.holds(&world.client(&["reviewer@other", "author@ops"], "oda"), None, "FORBIDDEN", NO_ROLE).await;
        siege.holds(&world.client(&["reviewer@other"], "olga"), None, "NOT_FOUND", "").await;
        siege.relieved().await;
    }

    async fn no_stage_names_a_role_that_gives_out_roles(world: World) {
        let place = place(&world).await;
        let boss = boss(&world);
        for (name, permissions) in [("security", json!(["ACCESS_MANAGE"])), ("qa", json!([]))] {
            place.admin.mutate(CREATE_ROLE, json!({"input": {"name": name, "permissions": permissions}})).await;
        }
        for role in ["admin", "security"] {
            let input = json!({"kind": "MATERIAL", "teamId": place.team, "stages": [stage("A", role, 1)]});
            let refusal = boss.refused(CREATE_POLICY, json!({"input": input})).await;
            assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "stages.0.role".to_owned()), "{role}");
        }
        // One that is named by a stage, and gives out roles only afterwards.
        require(&world, "MATERIAL", &[stage("Quality", "qa", 1), stage("Approval", "approver", 1)], false).await;
        let quinn = world.client(&["qa@ops"], "quinn");
        person(&quinn).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        let input = json!({"name": "qa", "expectedRevision": 1, "permissions": ["ACCESS_MANAGE", "DRAFT_READ"]});
        siege.place.admin.mutate(UPDATE_ROLE, json!({"input": input})).await;
        siege.holds(&quinn, None, "FORBIDDEN", "").await;
        let query = "query($id: ID!) { approvalRequest(id: $id) { waitingFor { name } } }";
        let waiting = siege.place.author.ok(query, json!({"id": siege.request})).await;
        assert_eq!(waiting["approvalRequest"]["waitingFor"], json!([]));
        let inbox = quinn.ok("{ me { pendingDecisions { totalCount } } }", json!({})).await;
        assert_eq!(inbox["me"]["pendingDecisions"]["totalCount"], 0);
        // With the permission gone, so is the refusal.
        let input = json!({"name": "qa", "expectedRevision": 2, "permissions": []});
        siege.place.admin.mutate(UPDATE_ROLE, json!({"input": input})).await;
        siege.approve(&quinn).await;
    }

    async fn an_admin_who_makes_themselves_an_approver_is_on_record(world: World) {
        let siege = Siege::lay(world).await;
        let place = &siege.place;
        let root = person(&place.admin).await;
        siege.approve(&place.reviewer).await;
        siege.holds(&place.admin, None, "FORBIDDEN", NO_ROLE).await;
        place.admin.mutate(CREATE_GRANT, grant(&root, "approver", &place.team)).await;
        let done = siege.approve(&place.admin).await;
        assert_eq!(done["version"]["state"], "PUBLISHED", "the role is theirs now");
        let query = "query($action: String!) { audit(filter: {action: $action}, last: 1) { nodes {
            actor { id } object newValue requestId teamId } } }";
        let newest = async |action: &str| {
            place.manager.ok(query, json!({"action": action})).await["audit"]["nodes"][0].clone()
        };
        let granted = newest("grant.created").await;
        assert_eq!((&granted["actor"]["id"], &granted["newValue"]["person"]), (&json!(root), &json!(root)));
        assert_eq!((&granted["newValue"]["role"], &granted["teamId"]), (&json!("approver"), &json!(place.team)));
        let decided = newest("approval.decided").await;
        assert_eq!((&decided["actor"]["id"], &decided["object"]), (&json!(root), &json!(siege.request)));
        assert_eq!((&decided["newValue"]["role"], &decided["newValue"]["meaning"]), (&json!("approver"), &json!("APPROVED")));
        // What they contributed to stays out of their reach, whatever they grant themselves.
        let author = siege.world.client(&["admin", "author@ops"], "root");
        let made = crate::acts::draft_of(&Place { author: author.clone(), ..place.clone() }, "own", "Own", "LOW").await;
        let request = submit(&author, &made).await;
        author.mutate(CREATE_GRANT, grant(&root, "reviewer", &place.team)).await;
        siege.repelled(&author, answer(&request, &made.hash, "APPROVE", None), "FORBIDDEN", CONTRIBUTED).await;
        sound(&siege.world).await;
    }

    async fn a_role_that_ended_while_the_request_was_under_way(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let (expires, revoked) = (world.client(&["viewer"], "ed"), world.client(&["author@ops"], "fay"));
        let mut short = grant(&person(&expires).await, "reviewer", &place.team);
        short["input"]["expiresAt"] = json!(from_now(3));
        place.admin.mutate(CREATE_GRANT, short).await;
        let id = place.admin.mutate(CREATE_GRANT, grant(&person(&revoked).await, "reviewer", &place.team)).await;
        let inbox = "{ me { pendingDecisions { nodes { request { id } } } } }";
        for who in [&expires, &revoked] {
            let waiting = who.ok(inbox, json!({})).await["me"]["pendingDecisions"]["nodes"].clone();
            assert_eq!(waiting, json!([{"request": {"id": siege.request}}]));
        }
        place.admin.mutate(REVOKE_GRANT, json!({"input": {"id": id["grant"]["id"]}})).await;
        siege.holds(&revoked, None, "FORBIDDEN", NO_ROLE).await;
        tokio::time::sleep(Duration::from_millis(3_100)).await;
        siege.holds(&expires, None, "NOT_FOUND", "").await;
        for who in [&expires, &revoked] {
            assert_eq!(who.ok(inbox, json!({})).await["me"]["pendingDecisions"]["nodes"], json!([]));
        }
        // A token that claims no role any more takes the claimed one away.
        siege.holds(&world.client(&["author@ops"], "rob"), None, "FORBIDDEN", NO_ROLE).await;
        siege.relieved().await;
    }

    async fn a_sign_in_that_is_too_long_ago(world: World) {
        let place = place(&world).await;
        let strict = json!({"name": "Approval", "role": "approver", "maxAuthAge": "PT10M"});
        require(&world, "MATERIAL", &[strict], false).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        let now = i64::try_from(crate::support::token::now()).unwrap();
        siege.holds(&siege.place.approver, None, "FORBIDDEN", "sign in again").await;
        for at in [now - 700, 0, -1] {
            let stale = siege.place.approver.clone().with_claim("auth_time", json!(at));
            siege.holds(&stale, None, "FORBIDDEN", "sign in again").await;
        }
        let fresh = siege.place.approver.clone().with_claim("auth_time", json!(now - 60));
        let done = siege.approve(&fresh).await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn taking_back_the_decision_of_another(world: World) {
        let siege = Siege::lay(world).await;
        let place = &siege.place;
        let take_back = json!({"input": {"requestId": siege.request}});
        siege.approve(&place.reviewer).await;
        let before = state(&siege.world).await;
        for (who, code) in [
            (&place.author, "NOT_FOUND"), (&place.admin, "NOT_FOUND"), (&place.approver, "NOT_FOUND"),
            (&place.manager, "NOT_FOUND"), (&place.viewer, "NOT_FOUND"), (&place.reviewer, "CONFLICT"),
        ] {
            assert_eq!(who.refused(WITHDRAW_DECISION, take_back.clone()).await.code, code);
        }
        assert_eq!(state(&siege.world).await, before);
        siege.approve(&place.approver).await;
        assert_eq!(place.approver.refused(WITHDRAW_DECISION, take_back).await.code, "CONFLICT", "it is decided");
    }
}
