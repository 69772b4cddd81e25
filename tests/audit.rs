//! The audit chain: what it tells, who reads it, and that it cannot be changed without being noticed.

mod behalf;
mod database;
mod export;
mod heads;
mod tamper;
mod values;
mod witness;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::story::{
    CREATE_TEAM, CREATE_VERSION, Draft, Place, RETIRE, content, decide, decide_refused, draft, look, number, place,
    process, publish, published, submit, text,
};
use crate::support::{Client, World, both, respond};

/// All entries that somebody reads, oldest first.
pub async fn entries(who: &Client, filter: Value) -> Vec<Value> {
    let query = "query($filter: AuditEntriesFilter, $after: String) { audit(filter: $filter, first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { seq at actor { name } via action object sop { code } teamId oldValue newValue reason requestId hash } } }";
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = who.ok(query, json!({"filter": filter, "after": after})).await["audit"].clone();
        all.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// The hash of an entry, worked out here: its members in order, without spaces, are what its canonical text is.
fn hash(previous: &str, entry: &Value) -> String {
    let previous = hex::decode(previous).unwrap();
    hex::encode(Sha256::new().chain_update(previous).chain_update(entry.to_string()).finalize())
}

/// Action and actor of each.
fn told(entries: &[Value]) -> Vec<(String, String)> {
    entries.iter().map(|entry| (text(&entry["action"]), text(&entry["actor"]["name"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(action, who)| ((*action).to_owned(), (*who).to_owned())).collect()
}

/// Publishes a second version of an SOP.
async fn second_version(place: &Place, sop: &str) {
    let mut changed = content("Reset a password");
    changed["steps"][0]["instruction"] = json!("Ask for the badge number.");
    let made = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": sop, "content": changed}})).await;
    let version = &made["version"];
    let draft = Draft {
        sop: sop.to_owned(),
        code: String::new(),
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
    };
    publish(place, &place.author, &draft).await;
}

/// Takes an SOP out of force.
async fn retire(place: &Place, sop: &str) {
    let revision = look(&place.author, sop).await["revision"].clone();
    let input = json!({"id": sop, "expectedRevision": revision, "reason": "Single sign-on came."});
    let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
    let (request, hash) = (text(&asked["approvalRequest"]["id"]), text(&asked["approvalRequest"]["contentHash"]));
    decide(&place.approver, &request, &hash, "APPROVE", "").await;
}

both! {
    async fn a_whole_life_leaves_exactly_its_entries(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        second_version(&place, &made.sop).await;
        retire(&place, &made.sop).await;
        let all = entries(&place.admin, json!({})).await;
        let passage = [
            ("version.created", "ann"), ("version.submitted", "ann"), ("approval.requested", "ann"),
            ("approval.decided", "rob"), ("approval.stage_opened", "rob"), ("approval.decided", "amy"),
            ("approval.closed", "amy"),
        ];
        let mut expected = vec![("team.created", "root"), ("process.created", "ann"), ("sop.created", "ann")];
        // What a reader sees of the SOP changes with its first version.
        expected.extend(&passage[..3]);
        expected.push(("sop.state_changed", "ann"));
        expected.extend(&passage[3..]);
        expected.extend([("version.published", "amy"), ("sop.state_changed", "amy")]);
        expected.extend(&passage);
        expected.extend([("version.superseded", "amy"), ("version.published", "amy")]);
        expected.extend([("approval.requested", "ann"), ("approval.decided", "amy"), ("approval.closed", "amy")]);
        expected.extend([("version.retired", "amy"), ("sop.state_changed", "amy")]);
        // And each of the place's people came with roles.
        expected.extend(["root", "ann", "rob", "amy", "mia", "vic"].map(|who| ("person.created", who)));
        let mut wanted = pairs(&expected);
        let mut found = told(&all);
        assert_eq!(found.len(), wanted.len(), "{found:#?}");
        assert_eq!(found.last().unwrap(), &("sop.state_changed".to_owned(), "amy".to_owned()));
        // Within one transaction the order is the service's own.
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);

        let seqs: Vec<_> = all.iter().map(|entry| number(&entry["seq"])).collect();
        assert_eq!(seqs, (1..=i64::try_from(all.len()).unwrap()).collect::<Vec<_>>(), "without gaps");
        let one = |action: &str| all.iter().rev().find(|entry| entry["action"] == action).unwrap();
        let state = one("sop.state_changed");
        assert_eq!((&state["oldValue"]["state"], &state["newValue"]["state"]), (&json!("PUBLISHED"), &json!("RETIRED")));
        assert_eq!(state["object"], json!(made.sop));
        let superseded = one("version.superseded");
        assert_eq!(superseded["oldValue"], json!({"state": "PUBLISHED", "label": "1.0"}));
        assert_eq!((&superseded["newValue"]["state"], &superseded["object"]), (&json!("SUPERSEDED"), &json!(made.version)));
        assert_eq!(one("approval.requested")["reason"], "Single sign-on came.");
        let decision = all.iter().find(|entry| entry["action"] == "approval.decided").unwrap();
        assert_eq!((&decision["reason"], &decision["newValue"]["content"]), (&json!("reads well"), &json!(made.hash)));
        assert!(all.iter().all(|entry| entry["via"] == "API" && entry["requestId"] != ""));
        let of_sop = entries(&place.admin, json!({"sopId": made.sop})).await;
        assert_eq!(of_sop.len(), all.len() - 8, "all but the team, the process and the people");
        assert!(of_sop.iter().all(|entry| entry["sop"]["code"] == json!(made.code)));
    }

    async fn an_entry_names_the_request_that_brought_it(world: World) {
        let admin = world.client(&["admin"], "root");
        let raw = world.raw();
        let body = json!({"query": CREATE_TEAM, "variables": {"input": {"key": "ops", "name": "Operations"}}});
        let request = raw.http.post(raw.url("/graphql")).bearer_auth(&admin.token).header("accept", "application/json");
        let answer = respond(request.header("x-request-id", "ticket-4711").json(&body)).await;
        assert_eq!(answer.headers["x-request-id"], "ticket-4711");
        let all = entries(&admin, json!({})).await;
        assert_eq!(told(&all), pairs(&[("person.created", "root"), ("team.created", "root")]));
        assert!(all.iter().all(|entry| entry["requestId"] == "ticket-4711"), "{all:?}");
        assert_eq!((&all[0]["oldValue"], &all[0]["newValue"]), (&json!({"roles": []}), &json!({"roles": ["admin"], "emailVerified": true})));
        assert_eq!(all[1]["newValue"]["key"], "ops");
        assert_eq!(world.server.log_entry(|line| line["request_id"] == "ticket-4711").await["status"], 200);
    }

    async fn managers_read_their_team_and_admins_all_of_it(world: World) {
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        let team = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let writer = world.client(&["author@hr"], "hanna");
        process(&writer, &team["team"]["id"], "hire").await;
        let all = entries(&place.admin, json!({})).await;
        let own = entries(&place.manager, json!({})).await;
        assert!(own.iter().all(|entry| entry["teamId"] == json!(place.team)), "{own:?}");
        assert_eq!(own.len(), all.iter().filter(|entry| entry["teamId"] == json!(place.team)).count());
        assert!(own.len() > 10 && own.len() < all.len(), "{}", own.len());
        let other = entries(&world.client(&["manager@hr"], "hugo"), json!({})).await;
        assert_eq!(told(&other), pairs(&[("team.created", "root"), ("process.created", "hanna")]));
        let boss = entries(&world.client(&["manager"], "boss"), json!({})).await;
        assert_eq!(boss, entries(&place.admin, json!({})).await);
        for role in ["viewer", "author@ops", "author", "reviewer", "approver@ops", "integration"] {
            let code = world.client(&[role], "someone").error_code("{ audit { nodes { seq } } }", json!({})).await;
            assert_eq!(code, "FORBIDDEN", "{role}");
        }
        let mine = place.author.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"].clone();
        let by_author = entries(&place.admin, json!({"actorId": mine, "action": "process.created"})).await;
        assert_eq!(told(&by_author), pairs(&[("process.created", "ann")]));
    }

    async fn a_refused_decision_is_told_and_changes_nothing(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let before = entries(&place.admin, json!({})).await;
        let greedy = world.client(&["author@ops", "reviewer@ops"], "ann");
        assert_eq!(decide_refused(&greedy, &request, &made.hash, "APPROVE").await.code, "FORBIDDEN");
        assert_eq!(decide_refused(&place.approver, &request, &made.hash, "REJECT").await.code, "FORBIDDEN");
        let all = entries(&place.admin, json!({})).await;
        let new = &all[before.len()..];
        let expected = [("person.roles_claimed", "ann"), ("approval.refused", "ann"), ("approval.refused", "amy")];
        assert_eq!(told(new), pairs(&expected));
        let refused = &new[1];
        assert_eq!((&refused["object"], &refused["sop"]["code"]), (&json!(request), &json!(made.code)));
        assert_eq!(refused["newValue"], json!({"verdict": "APPROVE", "content": made.hash, "code": "FORBIDDEN"}));
        assert!(refused["reason"].as_str().is_some_and(|why| !why.is_empty()));
        assert_eq!(refused["teamId"], json!(place.team), "its manager reads it");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision").await, 0);
        assert_eq!(look(&place.author, &made.sop).await["openVersion"]["state"], "IN_REVIEW");
    }
}
