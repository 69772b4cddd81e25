//! Grants: until when, for which team, by whom, and who sees them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::story::{
    CREATE_GRANT, CREATE_PROCESS, CREATE_TEAM, DAY, REVOKE_GRANT, SUBMIT, draft, from_now, person, place, text,
};
use crate::support::{Backend, Client, World, both};

const GRANTS: &str = "query($id: ID!, $all: Boolean!) { person(id: $id) {
    grants(includeExpired: $all) { role source expired expiresAt team { key } } } }";

/// Role, team and source of somebody's grants as `who` sees them.
async fn seen(who: &Client, id: &str, all: bool) -> Vec<String> {
    let found = who.ok(GRANTS, json!({"id": id, "all": all})).await["person"]["grants"].clone();
    let one = |g: &Value| format!("{} {} {}", g["role"], g["team"]["key"], g["source"]).replace('"', "");
    let mut grants: Vec<String> = found.as_array().unwrap().iter().map(one).collect();
    grants.sort();
    grants
}

fn grant(person: &str, role: &str, team: Option<&str>) -> Value {
    json!({"input": {"personId": person, "role": role, "teamId": team}})
}

fn until(mut grant: Value, at: &str) -> Value {
    grant["input"]["expiresAt"] = json!(at);
    grant
}

async fn may_write(who: &Client, team: &str, key: &str) -> bool {
    let answer = who.ok(CREATE_PROCESS, json!({"input": {"key": key, "name": key, "teamId": team}})).await;
    answer["processCreate"]["process"].is_object()
}

both! {
    async fn that_have_expired_count_nowhere_and_are_still_shown(world: World) {
        let place = place(&world).await;
        let nina = world.client(&["viewer"], "nina");
        let id = person(&nina).await;
        let made = place.admin.mutate(CREATE_GRANT, until(grant(&id, "author", Some(&place.team)), &from_now(8))).await;
        assert_eq!(made["grant"]["expired"], false);
        assert!(made["grant"]["expiresAt"].is_string());
        let second = place.admin.refused(CREATE_GRANT, grant(&id, "author", Some(&place.team))).await;
        assert_eq!(second.code, "CONFLICT", "it is granted already");
        assert!(may_write(&nina, &place.team, "before").await);
        assert_eq!(seen(&place.admin, &id, false).await, ["author ops API", "viewer null CLAIM"]);
        tokio::time::sleep(Duration::from_millis(8_100)).await;
        assert!(!may_write(&nina, &place.team, "after").await);
        assert_eq!(seen(&place.admin, &id, false).await, ["viewer null CLAIM"]);
        assert_eq!(seen(&place.admin, &id, true).await, ["author ops API", "viewer null CLAIM"]);
        let own = nina.ok("{ me { roles { role } grants { role } all: grants(includeExpired: true) { role expired } } }", json!({})).await;
        assert_eq!(own["me"]["roles"], json!([{"role": "viewer"}]));
        assert_eq!(own["me"]["grants"], json!([{"role": "viewer"}]));
        assert_eq!(own["me"]["all"].as_array().unwrap().iter().filter(|g| g["expired"] == true).count(), 1);
        // Granted anew, it takes the place of the old one, of which the audit chain keeps all that it was.
        place.admin.mutate(CREATE_GRANT, grant(&id, "author", Some(&place.team))).await;
        assert!(may_write(&nina, &place.team, "again").await);
        let query = "{ audit(filter: {action: \"grant.created\"}, last: 1) { nodes { oldValue newValue } } }";
        let entry = place.admin.ok(query, json!({})).await["audit"]["nodes"][0].clone();
        assert_eq!(entry["oldValue"]["grant"], made["grant"]["id"], "{entry}");
        assert_eq!(entry["oldValue"]["expiresAt"], made["grant"]["expiresAt"]);
        assert_eq!(entry["newValue"]["expiresAt"], Value::Null);
        assert_eq!(seen(&place.admin, &id, true).await, ["author ops API", "viewer null CLAIM"]);
    }

    async fn that_have_expired_make_no_reviewer(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let rob = person(&place.reviewer).await;
        // Rob reviews by his token no more, but by a grant that ends.
        world.client(&["viewer"], "rob").ok("{ me { source } }", json!({})).await;
        let input = until(grant(&rob, "reviewer", Some(&place.team)), &from_now(3));
        place.admin.mutate(CREATE_GRANT, input).await;
        tokio::time::sleep(Duration::from_millis(3_100)).await;
        let refusal = place.author.refused(SUBMIT, json!({"input": {"id": made.version, "expectedRevision": 1}})).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "policy.stages.0".to_owned()));
        place.admin.mutate(CREATE_GRANT, until(grant(&rob, "reviewer", Some(&place.team)), &from_now(DAY))).await;
        place.author.mutate(SUBMIT, json!({"input": {"id": made.version, "expectedRevision": 1}})).await;
    }

    async fn from_claims_and_from_here_are_both_shown(world: World) {
        let place = place(&world).await;
        let rob = person(&place.reviewer).await;
        place.admin.mutate(CREATE_GRANT, grant(&rob, "reviewer", Some(&place.team))).await;
        assert_eq!(seen(&place.admin, &rob, false).await, ["reviewer ops API", "reviewer ops CLAIM"]);
        let me = place.reviewer.ok("{ me { roles { role source } } }", json!({})).await;
        assert_eq!(me["me"]["roles"], json!([{"role": "reviewer", "source": "CLAIM"}, {"role": "reviewer", "source": "API"}]));
    }

    async fn for_a_team_are_made_by_those_who_manage_its_access(world: World) {
        let place = place(&world).await;
        let dev = json!({"input": {"key": "dev", "name": "Development"}});
        let dev = text(&place.admin.mutate(CREATE_TEAM, dev).await["team"]["id"]);
        let half = world.client(&["admin@ops"], "half");
        let (own, vic) = (person(&half).await, person(&place.viewer).await);
        let made = half.mutate(CREATE_GRANT, grant(&vic, "author", Some(&place.team))).await;
        assert!(may_write(&place.viewer, &place.team, "by-vic").await);
        // Neither further than the team, nor for another one, nor for oneself.
        for (who, role, team) in [
            (&vic, "author", None), (&vic, "author", Some(dev.as_str())), (&vic, "admin", None),
            (&own, "admin", None), (&own, "admin", Some(dev.as_str())), (&own, "manager", None),
        ] {
            let refusal = half.refused(CREATE_GRANT, grant(who, role, team)).await;
            assert_eq!(refusal.code, "FORBIDDEN", "{role} for {team:?}");
        }
        assert_eq!(half.mutate(REVOKE_GRANT, json!({"input": {"id": made["grant"]["id"]}})).await["revokedId"], made["grant"]["id"]);
        assert!(!may_write(&place.viewer, &place.team, "no-more").await);
        // What is beyond the team is not seen: it answers as if it did not exist. One's own is seen.
        let mut beyond = Vec::new();
        for input in [grant(&vic, "viewer", None), grant(&vic, "author", Some(&dev)), grant(&own, "viewer", None)] {
            beyond.push(place.admin.mutate(CREATE_GRANT, input).await["grant"]["id"].clone());
        }
        for (id, code) in beyond.iter().zip(["NOT_FOUND", "NOT_FOUND", "FORBIDDEN"]) {
            assert_eq!(half.refused(REVOKE_GRANT, json!({"input": {"id": id}})).await.code, code);
        }
        let claimed = half.ok("{ me { grants { id source } } }", json!({})).await["me"]["grants"].clone();
        let claimed = claimed.as_array().unwrap().iter().find(|g| g["source"] == "CLAIM").unwrap()["id"].clone();
        assert_eq!(half.refused(REVOKE_GRANT, json!({"input": {"id": claimed}})).await.code, "CONFLICT");
    }

    async fn are_seen_by_their_holder_and_within_reach(world: World) {
        let place = place(&world).await;
        let dev = json!({"input": {"key": "dev", "name": "Development"}});
        let dev = text(&place.admin.mutate(CREATE_TEAM, dev).await["team"]["id"]);
        let nina = world.client(&["viewer", "author@dev"], "nina");
        let id = person(&nina).await;
        for (role, team) in [("reviewer", Some(&place.team)), ("approver", Some(&dev)), ("manager", None)] {
            place.admin.mutate(CREATE_GRANT, grant(&id, role, team.map(String::as_str))).await;
        }
        let all = ["approver dev API", "author dev CLAIM", "manager null API", "reviewer ops API", "viewer null CLAIM"];
        for who in [&nina, &place.admin, &world.client(&["manager"], "wide")] {
            assert_eq!(seen(who, &id, false).await, all);
        }
        for who in [&place.manager, &world.client(&["admin@ops"], "half")] {
            assert_eq!(seen(who, &id, false).await, ["reviewer ops API"]);
        }
        for who in [&place.viewer, &place.author, &place.approver, &world.client(&["integration"], "bot")] {
            assert!(seen(who, &id, true).await.is_empty());
        }
    }

    async fn are_kept_right_by_the_database_too(world: World) {
        let place = place(&world).await;
        let rob = person(&place.reviewer).await;
        place.admin.mutate(CREATE_GRANT, until(grant(&rob, "viewer", None), &from_now(DAY))).await;
        for statement in [
            "UPDATE role_grant SET expires_at = NULL",
            "UPDATE role_grant SET role = 'admin'",
            "UPDATE role_grant SET expires_at = created_at + 1 WHERE source = 'CLAIM'",
        ] {
            assert!(world.try_execute(statement).await.is_err(), "{statement}");
        }
        let id = if world.backend == Backend::Sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
        let copy = |source: &str, expires: &str| {
            format!("INSERT INTO role_grant (id, person_id, role, source, created_at, expires_at)
                SELECT {id}, person_id, 'copied', '{source}', created_at, {expires} FROM role_grant WHERE source = 'API'")
        };
        for wrong in [copy("API", "created_at"), copy("CLAIM", "created_at + 1")] {
            assert!(world.try_execute(&wrong).await.is_err(), "{wrong}");
        }
        world.execute(&copy("API", "created_at + 1")).await;
    }
}
