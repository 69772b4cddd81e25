//! Where roles come from, and how soon they count.

use serde_json::{Value, json};

use crate::story::{
    CREATE_GRANT, CREATE_PROCESS, CREATE_SOP, CREATE_TEAM, RECORD, REVOKE_GRANT, content, place, process, text,
};
use crate::support::{Client, World, both};

const ME: &str = "{ me { person { id name email } source roles { role team { key } permissions }
    grants { id role team { key } source } } }";
async fn me(who: &Client) -> Value {
    who.ok(ME, json!({})).await["me"].take()
}

/// Whether somebody may make a process for a team.
async fn may_write(who: &Client, team: &str, key: &str) -> bool {
    let input = json!({"input": {"key": key, "name": key, "teamId": team}});
    let answer = who.ok(CREATE_PROCESS, input).await;
    let errors = &answer["processCreate"]["userErrors"];
    assert!(errors == &json!([]) || errors[0]["code"] == "FORBIDDEN", "{answer}");
    errors == &json!([])
}

both! {
    async fn a_role_for_a_team_counts_there_only(world: World) {
        let place = place(&world).await;
        let input = json!({"input": {"key": "dev", "name": "Development"}});
        let dev = text(&place.admin.mutate(CREATE_TEAM, input).await["team"]["id"]);
        assert!(may_write(&place.author, &place.team, "in-ops").await);
        assert!(!may_write(&place.author, &dev, "in-dev").await, "author@ops is none in dev");
        let input = json!({"input": {"key": "of-nobody", "name": "Of nobody"}});
        assert_eq!(place.author.refused(CREATE_PROCESS, input).await.code, "FORBIDDEN", "nor org-wide");
        let process = process(&place.author, &json!(place.team), "documented").await;
        let input = json!({"processId": process, "teamId": dev, "risk": "LOW", "content": content("In dev")});
        assert_eq!(place.author.refused(CREATE_SOP, json!({"input": input})).await.code, "FORBIDDEN");
        let everywhere = world.client(&["author"], "olga");
        assert!(may_write(&everywhere, &dev, "by-olga").await);
    }

    async fn me_tells_roles_and_where_they_come_from(world: World) {
        let place = place(&world).await;
        let nina = world.client(&["author@ops", "viewer", "unheard-of"], "nina");
        let seen = me(&nina).await;
        assert_eq!((&seen["person"]["name"], &seen["person"]["email"]), (&json!("nina"), &json!("nina@example.org")));
        let input = json!({"input": {"personId": seen["person"]["id"], "role": "reviewer", "teamId": place.team}});
        let granted = place.admin.mutate(CREATE_GRANT, input).await;
        assert_eq!(granted["grant"]["source"], "API");
        let mut grants: Vec<String> = me(&nina).await["grants"].as_array().unwrap().iter()
            .map(|g| format!("{} {} {}", g["role"], g["team"]["key"], g["source"]).replace('"', "")).collect();
        grants.sort();
        assert_eq!(grants, ["author ops CLAIM", "reviewer ops API", "unheard-of null CLAIM", "viewer null CLAIM"]);
        let roles = me(&nina).await["roles"].clone();
        let author = roles.as_array().unwrap().iter().find(|r| r["role"] == "author").expect("author");
        assert_eq!(author["team"]["key"], "ops");
        assert!(author["permissions"].as_array().unwrap().contains(&json!("SOP_WRITE")), "{author}");
        assert_eq!(seen["source"], Value::Null);
    }

    async fn what_a_token_no_longer_claims_is_gone_with_the_next_request(world: World) {
        let place = place(&world).await;
        let before = world.client(&["author@ops"], "nina");
        assert!(may_write(&before, &place.team, "first").await);
        let after = world.client(&["viewer"], "nina");
        assert!(!may_write(&after, &place.team, "second").await);
        let roles = me(&after).await["roles"].clone();
        assert_eq!(roles.as_array().unwrap().iter().map(|r| &r["role"]).collect::<Vec<_>>(), [&json!("viewer")]);
        let again = world.client(&["author@ops"], "nina");
        assert!(may_write(&again, &place.team, "third").await);
        assert_eq!(me(&before).await["person"]["id"], me(&after).await["person"]["id"], "one person all along");
    }

    async fn grants_count_at_once_and_outlive_claims(world: World) {
        let place = place(&world).await;
        let nina = world.client(&["viewer"], "nina");
        assert!(!may_write(&nina, &place.team, "first").await);
        let id = me(&nina).await["person"]["id"].clone();
        let input = json!({"input": {"personId": id, "role": "author", "teamId": place.team}});
        let grant = place.admin.mutate(CREATE_GRANT, input.clone()).await["grant"]["id"].clone();
        assert!(may_write(&nina, &place.team, "second").await);
        assert_eq!(place.admin.refused(CREATE_GRANT, input).await.code, "CONFLICT", "it is granted already");
        let other_claims = world.client(&["reviewer@ops"], "nina");
        assert!(may_write(&other_claims, &place.team, "third").await, "claims do not take away what was granted here");
        let revoked = place.admin.mutate(REVOKE_GRANT, json!({"input": {"id": grant}})).await;
        assert_eq!(revoked["revokedId"], grant);
        assert!(!may_write(&other_claims, &place.team, "fourth").await);
        assert_eq!(place.admin.refused(REVOKE_GRANT, json!({"input": {"id": grant}})).await.code, "NOT_FOUND");
    }

    async fn only_admins_grant_and_claims_are_not_theirs(world: World) {
        let place = place(&world).await;
        let vic = me(&place.viewer).await;
        let input = json!({"input": {"personId": vic["person"]["id"], "role": "admin"}});
        for who in [&place.viewer, &place.author, &place.reviewer, &place.approver, &place.manager] {
            assert_eq!(who.refused(CREATE_GRANT, input.clone()).await.code, "FORBIDDEN");
        }
        assert_eq!(world.client(&["admin@ops"], "half").refused(CREATE_GRANT, input).await.code, "FORBIDDEN");
        let claimed = json!({"input": {"id": vic["grants"][0]["id"]}});
        assert_eq!(place.admin.refused(REVOKE_GRANT, claimed).await.code, "CONFLICT", "that one is the identity provider's");
    }

    async fn an_integration_speaks_for_its_source_only(world: World) {
        let place = place(&world).await;
        let batch = |source: &str| json!({"input": {"source": source, "mode": "LIVE",
            "executions": [{"eventId": "e", "runId": "r", "process": "password-reset"}]}});
        let bound = world.client(&["integration"], "pager").with_source("pager");
        assert_eq!(me(&bound).await["source"], "pager");
        assert_eq!(bound.refused(RECORD, batch("tracker")).await.code, "FORBIDDEN");
        let unbound = world.client(&["integration"], "unbound");
        assert_eq!(unbound.refused(RECORD, batch("pager")).await.code, "FORBIDDEN");
        assert_eq!(unbound.refused(RECORD, batch("")).await.code, "FORBIDDEN");
        let no_role = world.client(&["manager"], "boss").with_source("pager");
        assert_eq!(no_role.refused(RECORD, batch("pager")).await.code, "FORBIDDEN");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, 0);
        let taken = bound.mutate(RECORD, batch("pager")).await;
        assert_eq!(taken["results"][0]["status"], "CREATED", "{taken}");
        let seen = "{ executions { nodes { runId source } } }";
        assert_eq!(place.viewer.ok(seen, json!({})).await["executions"]["nodes"], json!([]), "not for viewers");
    }
}
