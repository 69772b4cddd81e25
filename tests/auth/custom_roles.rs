//! Roles that an admin makes.

use serde_json::{Value, json};

use crate::story::{
    CREATE_GRANT, CREATE_ROLE, DELETE_ROLE, REVOKE_GRANT, UPDATE_ROLE, WITHDRAW, draft, from_now, person, place,
    submit, text,
};
use crate::support::{Client, World, both};

const ROLES: &str = "{ roles { name builtIn permissions revision } }";

async fn make(admin: &Client, name: &str, permissions: &[&str]) -> Value {
    let input = json!({"input": {"name": name, "permissions": permissions}});
    admin.mutate(CREATE_ROLE, input).await["role"].clone()
}

async fn permissions(who: &Client) -> Vec<String> {
    let me = who.ok("{ me { roles { permissions } } }", json!({})).await;
    let roles = me["me"]["roles"].as_array().unwrap().clone();
    let mut all: Vec<String> =
        roles.iter().flat_map(|role| role["permissions"].as_array().unwrap()).map(text).collect();
    all.sort();
    all.dedup();
    all
}

/// Action, object, old and new value of the newest audit entry.
async fn newest(admin: &Client) -> Value {
    let query = "{ audit(last: 1) { nodes { action object actor { name } oldValue newValue } } }";
    admin.ok(query, json!({})).await["audit"]["nodes"][0].clone()
}

both! {
    async fn are_held_by_claims_and_grants_and_change_for_everyone_at_once(world: World) {
        let place = place(&world).await;
        // Claimed before anybody made it, it allows nothing.
        let quinn = world.client(&["qa@ops"], "quinn");
        assert!(permissions(&quinn).await.is_empty());
        let made = make(&place.admin, "qa", &["DRAFT_READ", "DRAFT_READ"]).await;
        assert_eq!(made, json!({"name": "qa", "builtIn": false, "permissions": ["DRAFT_READ"], "revision": 1}));
        assert_eq!(newest(&place.admin).await, json!({"action": "role.created", "object": "role:qa",
            "actor": {"name": "root"}, "oldValue": null, "newValue": {"permissions": ["DRAFT_READ"], "revision": 1}}));
        assert_eq!(permissions(&quinn).await, ["DRAFT_READ"]);
        let input = json!({"input": {"personId": person(&place.viewer).await, "role": "qa", "teamId": place.team}});
        place.admin.mutate(CREATE_GRANT, input).await;
        assert_eq!(permissions(&place.viewer).await, ["DRAFT_READ"]);

        let update = |revision: i64, permissions: &[&str]| {
            json!({"input": {"name": "qa", "expectedRevision": revision, "permissions": permissions}})
        };
        let changed = place.admin.mutate(UPDATE_ROLE, update(1, &["AUDIT_READ", "FIGURES_READ"])).await;
        assert_eq!(changed["role"]["revision"], 2);
        for who in [&quinn, &place.viewer] {
            assert_eq!(permissions(who).await, ["AUDIT_READ", "FIGURES_READ"]);
        }
        assert_eq!(newest(&place.admin).await, json!({"action": "role.updated", "object": "role:qa",
            "actor": {"name": "root"}, "oldValue": {"permissions": ["DRAFT_READ"], "revision": 1},
            "newValue": {"permissions": ["FIGURES_READ", "AUDIT_READ"], "revision": 2}}));
        let stale = place.admin.refused(UPDATE_ROLE, update(1, &[])).await;
        assert_eq!((stale.code.as_str(), &stale.json["currentRevision"]), ("CONFLICT", &json!(2)));
        let listed = place.viewer.ok(ROLES, json!({})).await["roles"].clone();
        let qa = listed.as_array().unwrap().iter().find(|role| role["name"] == "qa").unwrap().clone();
        assert_eq!(qa["revision"], 2);
        let built_in = listed.as_array().unwrap().iter().filter(|role| role["builtIn"] == true).count();
        assert_eq!((built_in, listed.as_array().unwrap().len()), (7, 8));
    }

    async fn are_not_deleted_while_something_here_names_them(world: World) {
        let place = place(&world).await;
        make(&place.admin, "qa", &[]).await;
        let delete = json!({"input": {"name": "qa"}});
        let vic = person(&place.viewer).await;
        let grant = json!({"input": {"personId": vic, "role": "qa", "expiresAt": from_now(8)}});
        place.admin.mutate(CREATE_GRANT, grant).await;
        let refusal = place.admin.refused(DELETE_ROLE, delete.clone()).await;
        assert_eq!(refusal.code, "CONFLICT");
        assert!(refusal.message.contains("1 grants"), "{refusal:?}");
        // A grant that has expired holds it up no more.
        tokio::time::sleep(std::time::Duration::from_millis(8_100)).await;
        let stages = r#"[{"name":"Quality","role":"qa","minApprovals":1,"scope":"ANYONE","meaning":"REVIEWED"}]"#;
        world.execute(&format!("UPDATE policy SET stages = '{stages}' WHERE kind = 'EDITORIAL'")).await;
        let refusal = place.admin.refused(DELETE_ROLE, delete.clone()).await;
        assert!(refusal.message.contains("EDITORIAL") && refusal.message.contains("'Quality'"), "{refusal:?}");
        // The open request keeps its stages whatever becomes of the policy.
        world.execute(&format!("UPDATE policy SET stages = '{stages}' WHERE kind = 'MATERIAL'")).await;
        world.client(&["qa@ops"], "quinn").ok("{ me { source } }", json!({})).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let approval = stages.replace("qa", "approver");
        world.execute(&format!("UPDATE policy SET stages = '{approval}'")).await;
        let refusal = place.admin.refused(DELETE_ROLE, delete.clone()).await;
        assert!(refusal.message.contains("1 open approval requests"), "{refusal:?}");
        place.author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await;
        assert_eq!(place.admin.mutate(DELETE_ROLE, delete.clone()).await["deletedName"], "qa");
        assert_eq!(newest(&place.admin).await["action"], "role.deleted");
        assert_eq!(place.admin.refused(DELETE_ROLE, delete).await.code, "NOT_FOUND");
        // Claims may go on naming it.
        assert!(permissions(&world.client(&["qa@ops"], "quinn")).await.is_empty());
    }

    async fn that_are_built_in_stay_as_they_are_past_the_service_too(world: World) {
        let place = place(&world).await;
        let update = json!({"input": {"name": "admin", "expectedRevision": 1, "permissions": ["SOP_WRITE"]}});
        assert_eq!(place.admin.refused(UPDATE_ROLE, update).await.code, "CONFLICT");
        assert_eq!(place.admin.refused(DELETE_ROLE, json!({"input": {"name": "viewer"}})).await.code, "CONFLICT");
        for statement in [
            "DELETE FROM role WHERE name = 'viewer'",
            "UPDATE role SET permissions = 'SOP_WRITE', revision = revision + 1 WHERE name = 'viewer'",
            "UPDATE role SET name = 'lookers' WHERE name = 'viewer'",
            "UPDATE role SET built_in = FALSE WHERE name = 'viewer'",
            "INSERT INTO role (name, built_in, permissions) VALUES ('author@ops', FALSE, '')",
            "INSERT INTO role (name, built_in, permissions) VALUES ('', FALSE, '')",
        ] {
            assert!(world.try_execute(statement).await.is_err(), "{statement}");
        }
    }

    async fn are_made_org_wide_only(world: World) {
        let place = place(&world).await;
        make(&place.admin, "qa", &[]).await;
        let half = world.client(&["admin@ops"], "half");
        let input = json!({"name": "mine", "permissions": ["ACCESS_MANAGE"]});
        assert_eq!(half.refused(CREATE_ROLE, json!({"input": input})).await.code, "FORBIDDEN");
        let input = json!({"name": "qa", "expectedRevision": 1, "permissions": ["ACCESS_MANAGE"]});
        assert_eq!(half.refused(UPDATE_ROLE, json!({"input": input})).await.code, "FORBIDDEN");
        assert_eq!(half.refused(DELETE_ROLE, json!({"input": {"name": "qa"}})).await.code, "FORBIDDEN");
    }

    async fn are_not_granted_while_they_are_being_deleted(world: World) {
        let place = place(&world).await;
        let vic = person(&place.viewer).await;
        for n in 0..6 {
            let name = format!("passing-{n}");
            make(&place.admin, &name, &["DRAFT_READ"]).await;
            let grant = json!({"input": {"personId": vic, "role": name}});
            let (granted, deleted) = tokio::join!(
                place.admin.ok(CREATE_GRANT, grant),
                place.admin.ok(DELETE_ROLE, json!({"input": {"name": name}})),
            );
            let granted = granted["grantCreate"]["grant"].is_object();
            let deleted = deleted["roleDelete"]["deletedName"].is_string();
            assert!(granted != deleted, "{name}: granted {granted}, deleted {deleted}");
            if granted {
                let revoke = "{ me { grants { id role } } }";
                let all = place.viewer.ok(revoke, json!({})).await["me"]["grants"].clone();
                let one = all.as_array().unwrap().iter().find(|g| g["role"] == name.as_str()).unwrap().clone();
                place.admin.mutate(REVOKE_GRANT, json!({"input": {"id": one["id"]}})).await;
            }
        }
    }
}
