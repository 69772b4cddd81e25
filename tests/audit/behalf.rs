//! Whom an actor stood in for: in the chain, over the API, and on databases from before.

use serde_json::{Value, json};

use crate::story::{place, published, text};
use crate::support::{World, both, literal};

/// Adds an entry to the end of the chain as a service would, hashed here by hand.
async fn append(world: &World, actor: &str, behalf: &str) -> i64 {
    let seq = world.query_i64("SELECT seq + 1 FROM audit_head").await;
    let before = world.query_text("SELECT hash FROM audit_head").await;
    let entry = json!({"action": "approval.decided", "actor": actor, "at": "2026-07-01T09:30:00Z", "new": {"verdict": "APPROVE"},
        "object": "req_1", "old": null, "onBehalfOf": behalf, "reason": null, "requestId": "r", "seq": seq, "sop": null,
        "team": null, "via": "API"});
    let hash = super::hash(&before, &entry);
    let (actor, behalf) = (literal(world, actor), literal(world, behalf));
    let columns = "seq, at, actor_id, on_behalf_of_id, via, action, object, old_value, new_value, request_id, hash";
    let values = format!(
        "{seq}, 1782898200000000, {actor}, {behalf}, 'API', 'approval.decided', 'req_1', 'null', \
        '{{\"verdict\":\"APPROVE\"}}', 'r', '{hash}'"
    );
    world.execute(&format!("INSERT INTO audit_entry ({columns}) VALUES ({values})")).await;
    world.execute(&format!("UPDATE audit_head SET seq = {seq}, hash = '{hash}'")).await;
    seq
}

both! {
    async fn the_delegator_is_in_the_chain_and_shown(world: World) {
        let place = place(&world).await;
        let id = async |who: &crate::support::Client| {
            text(&who.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"])
        };
        let (delegate, delegator) = (id(&place.reviewer).await, id(&place.approver).await);
        let seq = append(&world, &delegate, &delegator).await;
        let verified = world.command(&["audit", "verify", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&verified.stdout).unwrap(), json!({"ok": true, "entries": seq}), "{verified:?}");
        let query = "{ audit(last: 2) { nodes { seq actor { name } onBehalfOf { name } } } }";
        let shown = place.admin.ok(query, json!({})).await["audit"]["nodes"].clone();
        assert_eq!(shown[1], json!({"seq": seq, "actor": {"name": "rob"}, "onBehalfOf": {"name": "amy"}}));
        assert_eq!(shown[0]["onBehalfOf"], Value::Null, "most act for themselves");
    }

    async fn a_chain_from_before_there_were_delegations_stays_sound(world: World) {
        let mut world = world;
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        world.server.stop_gracefully().await;
        let n = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        assert!(n > 10, "{n}");
        // As it was before the migration.
        world.execute("ALTER TABLE audit_entry DROP COLUMN on_behalf_of_id").await;
        world.execute("DELETE FROM seaql_migrations WHERE version = 'm0008_audit_behalf'").await;
        let migrated = world.command(&["migrate"]).await;
        assert_eq!(migrated.stdout, "1 migration applied\n", "{migrated:?}");
        let verified = world.command(&["audit", "verify", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&verified.stdout).unwrap(), json!({"ok": true, "entries": n}), "{verified:?}");
        world.restart().await;
        assert!(super::entries(&place.admin, json!({})).await.len() >= usize::try_from(n).unwrap());
    }
}
