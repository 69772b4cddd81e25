//! Old and new values: the chain by itself tells what everything was, and is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::entries;
use crate::acts::{boss, comment, delegate, require, stage};
use crate::executions::Reporter;
use crate::story::{
    CREATE_GRANT, CREATE_POLICY, CREATE_PROCESS, CREATE_ROLE, CREATE_TOKEN, CREATE_VERSION, DELETE_ROLE, DISCARD,
    Draft, EDIT, END_POLICY, HAND_OVER, Place, REOPEN, REPLY, RESOLVE, RETIRE, REVIVE, REVOKE_DELEGATION, REVOKE_GRANT,
    REVOKE_TOKEN, SUBMIT, UPDATE_PROCESS, UPDATE_ROLE, WITHDRAW, WITHDRAW_DECISION, content, decide, draft, look,
    number, person, place, publish, submit, text, token_terms,
};
use crate::support::{Client, World, both};

/// What everything is by the entries alone, by id. Each old value must be what the entries before it told.
fn replay(entries: &[Value]) -> BTreeMap<String, Map<String, Value>> {
    let mut things: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for entry in entries {
        let (action, object) = (text(&entry["action"]), text(&entry["object"]));
        // What is said in a request is no state of it.
        if ["decided", "decision_withdrawn", "refused"].iter().any(|end| action.ends_with(end)) {
            continue;
        }
        let (old, new) = (&entry["oldValue"], &entry["newValue"]);
        // The default policies were there before the first entry.
        if action == "policy.changed" && !things.contains_key(&object) {
            things.insert(object.clone(), old.as_object().unwrap().clone());
        }
        let Some(known) = things.get_mut(&object) else {
            let begins = ["created", "requested"].iter().any(|end| action.ends_with(end));
            assert!(begins && new.is_object(), "nobody told how this began: {entry}");
            things.insert(object, new.as_object().unwrap().clone());
            continue;
        };
        for (name, was) in old.as_object().unwrap_or_else(|| panic!("no old values: {entry}")) {
            assert_eq!(known.get(name).unwrap_or(&Value::Null), was, "`{name}` was told otherwise: {entry}");
        }
        let Some(new) = new.as_object() else {
            assert_eq!(Value::Object(known.clone()), *old, "what goes is told whole: {entry}");
            things.remove(&object);
            continue;
        };
        for (name, is) in new.iter().filter(|(name, _)| *name != "changed") {
            assert!(old.get(name).is_some(), "`{name}` is new and its old value not told: {entry}");
            known.insert(name.clone(), is.clone());
        }
    }
    things
}

async fn edit(who: &Client, draft: &mut Draft, revision: i64, kind: &str, effective: Value) {
    let mut changed = content("Reset a password");
    changed["scope"] = json!(format!("As of revision {revision}"));
    let input = json!({"id": draft.version, "expectedRevision": revision, "content": changed, "kind": kind, "effectiveAt": effective});
    let edited = who.mutate(EDIT, json!({"input": input})).await;
    (draft.revision, draft.hash) = (number(&edited["version"]["revision"]), text(&edited["version"]["contentHash"]));
}

async fn revision(who: &Client, version: &str) -> i64 {
    let query = "query($id: ID!) { version(id: $id) { revision } }";
    number(&who.ok(query, json!({"id": version})).await["version"]["revision"])
}

/// Everything that can be done, at least once; answers two SOPs.
async fn everything(world: &World, place: &Place) -> (String, String) {
    let (author, admin) = (&place.author, &place.admin);
    // Drafts of all fates.
    let mut first = draft(place, author, &place.process, "Reset a password").await;
    edit(author, &mut first, 1, "MATERIAL", json!("2031-01-01T00:00:00Z")).await;
    let request = submit(author, &first).await;
    decide(&place.reviewer, &request, &first.hash, "REJECT", "Too short").await;
    let now = revision(author, &first.version).await;
    edit(author, &mut first, now, "MATERIAL", Value::Null).await;
    let request = submit(author, &first).await;
    author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await;
    first.revision = revision(author, &first.version).await;
    publish(place, author, &first).await;
    let made = author.mutate(CREATE_VERSION, json!({"input": {"sopId": first.sop}})).await;
    let input = json!({"id": made["version"]["id"], "expectedRevision": 1, "reason": "Not now"});
    author.mutate(DISCARD, json!({"input": input})).await;
    super::second_version(place, &first.sop).await;
    // Another, which takes the place of the first, until that is wanted again.
    let input = json!({"key": "single-sign-on", "name": "Single sign-on", "description": "With one password.", "teamId": place.team,
        "ownerId": person(author).await});
    let process = text(&author.mutate(CREATE_PROCESS, json!({"input": input})).await["process"]["id"]);
    let (left, horizon) = (person(&place.reviewer).await, "PT2H");
    let input = json!({"id": process, "expectedRevision": 1, "name": "Sign on", "ownerId": left, "horizon": horizon});
    author.mutate(UPDATE_PROCESS, json!({"input": input})).await;
    let input = json!({"id": process, "expectedRevision": 2, "description": "With one account.", "ownerId": null});
    author.mutate(UPDATE_PROCESS, json!({"input": input})).await;
    let second = draft(place, author, &process, "Sign on once").await;
    publish(place, author, &second).await;
    let at = async |sop: &str| look(author, sop).await["revision"].clone();
    let input =
        json!({"id": second.sop, "expectedRevision": at(&second.sop).await, "ownerId": person(&place.manager).await});
    author.mutate(HAND_OVER, json!({"input": input})).await;
    let input = json!({"id": first.sop, "expectedRevision": at(&first.sop).await, "reason": "Single sign-on came.", "successorId": second.sop});
    let asked = author.mutate(RETIRE, json!({"input": input})).await["approvalRequest"].clone();
    decide(&place.approver, &text(&asked["id"]), &text(&asked["contentHash"]), "APPROVE", "").await;
    author.mutate(REVIVE, json!({"input": {"id": first.sop, "expectedRevision": at(&first.sop).await}})).await;
    // People, grants, and what executions bring.
    let (viewer, input) = (
        person(&place.viewer).await,
        |role: &str, person: &str| json!({"input": {"personId": person, "role": role, "teamId": place.team}}),
    );
    admin.mutate(CREATE_GRANT, input("reviewer", &viewer)).await;
    let gone = admin.mutate(CREATE_GRANT, input("author", &viewer)).await;
    admin.mutate(REVOKE_GRANT, json!({"input": {"id": gone["grant"]["id"]}})).await;
    person(&world.client(&["viewer", "author@ops"], "vic").with_claim("name", json!("Victoria"))).await;
    person(&world.client(&["viewer", "author@ops"], "vic").with_claim("email_verified", json!(false))).await;
    let item = json!({"eventId": "e", "runId": "r", "process": "lost-badge", "team": "hr", "actor": {"subject": "x", "name": "Xenia"}});
    Reporter::with_roles(world, "tracker", &["integration", "manager"]).create("LIVE", &[item]).await;
    rules(world, place, &second).await;
    (first.sop, second.sop)
}

/// Whatever an organisation rules by itself: each thing that is changed, and one of each that goes.
async fn rules(world: &World, place: &Place, about: &Draft) {
    let (author, admin, boss) = (&place.author, &place.admin, boss(world));
    let reviewer = person(&place.reviewer).await;
    require(world, "MATERIAL", &[stage("Peer review", "reviewer", 2), stage("Approval", "approver", 1)], true).await;
    let input = json!({"kind": "RETIREMENT", "risk": "HIGH", "stages": [stage("Approval", "approver", 1)]});
    let made = boss.mutate(CREATE_POLICY, json!({"input": input})).await["policy"].clone();
    boss.mutate(END_POLICY, json!({"input": {"id": made["id"], "expectedRevision": made["revision"]}})).await;
    for name in ["auditor", "witness"] {
        let input = json!({"name": name, "permissions": ["AUDIT_READ"]});
        admin.mutate(CREATE_ROLE, json!({"input": input})).await;
        let input = json!({"name": name, "permissions": ["DRAFT_READ"], "expectedRevision": 1});
        admin.mutate(UPDATE_ROLE, json!({"input": input})).await;
    }
    admin.mutate(DELETE_ROLE, json!({"input": {"name": "witness"}})).await;
    delegate(&place.approver, &reviewer, "approver").await;
    let ended = delegate(&place.approver, &person(&place.manager).await, "approver").await;
    place.approver.mutate(REVOKE_DELEGATION, json!({"input": {"id": ended}})).await;
    for source in ["tracker-1", "tracker-2"] {
        let made = admin.mutate(CREATE_TOKEN, json!({"input": token_terms(source, &["AUDIT_READ"])})).await;
        if source == "tracker-2" {
            admin.mutate(REVOKE_TOKEN, json!({"input": {"id": made["apiToken"]["id"]}})).await;
        }
    }
    let input = json!({"input": {"sopId": about.sop, "content": content("Sign on again")}});
    let made = author.mutate(CREATE_VERSION, input).await["version"].clone();
    let thread = comment(&place.reviewer, &text(&made["id"]), "Which form?").await;
    author.mutate(REPLY, json!({"input": {"id": thread, "body": "The red one."}})).await;
    for settle in [RESOLVE, REOPEN, RESOLVE] {
        place.reviewer.mutate(settle, json!({"input": {"id": thread}})).await;
    }
    let input = json!({"id": made["id"], "expectedRevision": 1});
    let request = author.mutate(SUBMIT, json!({"input": input})).await["approvalRequest"].clone();
    let id = text(&request["id"]);
    decide(&place.reviewer, &id, &text(&request["contentHash"]), "APPROVE", "").await;
    place.reviewer.mutate(WITHDRAW_DECISION, json!({"input": {"requestId": id}})).await;
}

const RULED: &str = "{ policies { id kind risk requiresResolvedComments } roles { name permissions }
    apiTokens(first: 10) { nodes { id person { id } name source scopes team { id } expiresAt state } }
    delegations(first: 10) { nodes { id from { id } to { id } role team { id } startsAt endsAt } } }";

/// What the API says of everything that the chain is asked about.
async fn shown(admin: &Client) -> Value {
    let query = "{ teams { id key name codePrefix }
        processes(first: 10) { nodes { id key name description owner { id } team { id } revision } }
        sops(first: 10, filter: {states: [DRAFT, IN_REVIEW, PUBLISHED, RETIRED]}) { nodes { id code state risk reviewCadenceMonths owner { id } process { id }
            team { id } successor { id } versions(first: 10) { nodes { id state kind label contentHash effectiveAt basedOn { id }
            approvalRequests { id state contentHash } } } } } }";
    admin.ok(query, json!({})).await
}

both! {
    async fn the_chain_alone_tells_what_everything_is(world: World) {
        let place = place(&world).await;
        let (first, second) = everything(&world, &place).await;
        let all = entries(&place.admin, json!({})).await;
        let things = replay(&all);
        let of = |id: &Value| &things[id.as_str().unwrap()];
        // Compares members of a thing with what the API says, each under its name there.
        let same = |shown: &Value, names: &[(&str, &str)]| {
            for (told, name) in names {
                let value = name.split('.').fold(shown, |value, name| &value[name]);
                assert_eq!(of(&shown["id"]).get(*told).unwrap_or(&Value::Null), value, "{told} of {shown}");
            }
        };
        let state = shown(&place.admin).await;
        let list = |value: &Value| value.as_array().unwrap().clone();
        let (teams, processes, sops) = (list(&state["teams"]), list(&state["processes"]["nodes"]), list(&state["sops"]["nodes"]));
        assert_eq!((teams.len(), processes.len(), sops.len()), (2, 3, 2), "{state}");
        for team in &teams {
            same(team, &[("key", "key"), ("name", "name"), ("codePrefix", "codePrefix")]);
        }
        for process in &processes {
            let names = [("key", "key"), ("name", "name"), ("description", "description"), ("owner", "owner.id"), ("team", "team.id"),
                ("revision", "revision")];
            same(process, &names);
        }
        for sop in &sops {
            let names = [("code", "code"), ("state", "state"), ("risk", "risk"), ("reviewCadenceMonths", "reviewCadenceMonths"),
                ("owner", "owner.id"), ("process", "process.id"), ("team", "team.id"), ("successor", "successor.id")];
            same(sop, &names);
            for version in list(&sop["versions"]["nodes"]) {
                let names = [("state", "state"), ("kind", "kind"), ("label", "label"), ("content", "contentHash"), ("effectiveAt", "effectiveAt"),
                    ("basedOn", "basedOn.id")];
                same(&version, &names);
                for request in list(&version["approvalRequests"]) {
                    same(&request, &[("state", "state"), ("content", "contentHash")]);
                    assert_eq!(of(&request["id"])["about"], version["id"]);
                    assert!(of(&request["id"])["excluded"].as_array().unwrap().contains(&json!(person(&place.author).await)));
                }
            }
        }
        let versions = |sop: &str| list(&sops.iter().find(|s| s["id"] == json!(sop)).unwrap()["versions"]["nodes"]).len();
        assert_eq!((versions(&first), versions(&second)), (4, 2));

        // What the organisation rules by itself.
        let ruled = place.admin.ok(RULED, json!({})).await;
        let policy = list(&ruled["policies"]).into_iter().find(|p| p["kind"] == "MATERIAL" && p["risk"].is_null()).unwrap();
        same(&policy, &[("requiresResolvedComments", "requiresResolvedComments"), ("kind", "kind"), ("risk", "risk")]);
        let names = |stages: &Value| list(stages).iter().map(|s| (s["name"].clone(), s["minApprovals"].clone())).collect::<Vec<_>>();
        assert_eq!(names(&of(&policy["id"])["stages"]), [(json!("Peer review"), json!(2)), (json!("Approval"), json!(1))]);
        let role = list(&ruled["roles"]).into_iter().find(|role| role["name"] == "auditor").unwrap();
        assert_eq!(things["role:auditor"]["permissions"], role["permissions"]);
        assert_eq!(list(&ruled["apiTokens"]["nodes"]).len(), 2);
        for token in list(&ruled["apiTokens"]["nodes"]) {
            same(&token, &[("person", "person.id"), ("source", "source"), ("scopes", "scopes"), ("team", "team.id"),
                ("expiresAt", "expiresAt"), ("state", "state")]);
        }
        let delegations: Vec<_> = things.keys().filter(|id| id.starts_with("delegation_") || id.starts_with("dlg_")).collect();
        assert_eq!(delegations.len(), 1, "{:?}", things.keys());
        let given = list(&ruled["delegations"]["nodes"]).into_iter().find(|d| d["id"] == json!(delegations[0])).unwrap();
        same(&given, &[("from", "from.id"), ("to", "to.id"), ("role", "role"), ("team", "team.id"), ("startsAt", "startsAt"), ("endsAt", "endsAt")]);
        let said: Vec<_> = things.values().filter(|told| told.contains_key("body")).map(|told| (text(&told["body"]), told["resolved"].clone())).collect();
        assert_eq!(said, [("Which form?".to_owned(), json!(true)), ("The red one.".to_owned(), Value::Null)]);

        // Who came back from retirement left a successor behind.
        let revived = all.iter().rev().find(|e| e["action"] == "sop.state_changed" && e["oldValue"]["state"] == "RETIRED").unwrap();
        assert_eq!(revived["oldValue"], json!({"state": "RETIRED", "successor": second}));
        let owner = all.iter().find(|e| e["action"] == "sop.owner_changed").unwrap();
        assert_eq!((&owner["oldValue"], &owner["newValue"]),
            (&json!({"owner": person(&place.author).await}), &json!({"owner": person(&place.manager).await})));
        // Grants that are left, and the one that went.
        let vic = person(&world.client(&["viewer", "author@ops"], "vic").with_claim("email_verified", json!(false))).await;
        let granted = json!({"person": vic, "role": "reviewer", "team": place.team});
        let grants: Vec<_> = things.iter().filter(|(id, _)| id.starts_with("grant_")).map(|(_, told)| told).collect();
        assert_eq!(grants.len(), 1, "{grants:?}");
        assert!(granted.as_object().unwrap().iter().all(|(name, value)| grants[0][name] == *value), "{grants:?}");
        // Of people what may stay when they are erased: not who they are, but that it changed.
        let roles = format!("author@{}", place.team);
        let of_vic: Vec<_> = all.iter().filter(|e| e["object"] == json!(vic)).map(|e| (text(&e["action"]), e["newValue"].clone())).collect();
        assert_eq!(of_vic, [
            ("person.created".to_owned(), json!({"roles": ["viewer"], "emailVerified": true})),
            ("person.roles_claimed".to_owned(), json!({"roles": [roles, "viewer"], "emailVerified": true, "changed": ["name"]})),
            ("person.refreshed".to_owned(), json!({"roles": [roles, "viewer"], "emailVerified": false, "changed": ["name"]})),
        ]);
        let text = all.iter().map(Value::to_string).collect::<String>();
        assert!(!text.contains("vic@example.org") && !things.values().any(|told| json!(told).to_string().contains("Victoria")));
    }
}
