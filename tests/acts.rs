//! What tests of approvals have in common: policies, delegations, comments and decisions, each as one call.

use serde_json::{Value, json};

use crate::story::{
    CREATE_COMMENT, CREATE_DELEGATION, CREATE_SOP, DAY, DECIDE, Draft, Place, UPDATE_POLICY, content, from_now, number,
    process, text,
};
use crate::support::{Client, World};

/// A stage as the API takes it, of the team.
pub fn stage(name: &str, role: &str, min_approvals: i64) -> Value {
    json!({"name": name, "role": role, "minApprovals": min_approvals})
}

/// Whoever keeps the organisation's policies.
pub fn boss(world: &World) -> Client {
    world.client(&["manager"], "boss")
}

/// The default policy of a kind: its id and revision.
pub async fn default_policy(who: &Client, kind: &str) -> (String, i64) {
    let all = who.ok("{ policies { id kind revision risk team { id } } }", json!({})).await;
    let fits = |p: &&Value| p["kind"] == kind && p["risk"].is_null() && p["team"].is_null();
    let found = all["policies"].as_array().unwrap().iter().find(fits).unwrap().clone();
    (text(&found["id"]), number(&found["revision"]))
}

/// Has the default policy of a kind ask for these stages, and for resolved comments or not.
pub async fn require(world: &World, kind: &str, stages: &[Value], comments: bool) {
    let boss = boss(world);
    let (id, revision) = default_policy(&boss, kind).await;
    let input = json!({"id": id, "expectedRevision": revision, "stages": stages, "requiresResolvedComments": comments});
    boss.mutate(UPDATE_POLICY, json!({"input": input})).await;
}

/// A delegation of a role for a day.
pub fn delegation(to: &str, role: &str) -> Value {
    json!({"input": {"toId": to, "role": role, "reason": "on leave", "endsAt": from_now(DAY)}})
}

/// Lets a person decide in one's place; answers the delegation's id.
pub async fn delegate(from: &Client, to: &str, role: &str) -> String {
    text(&from.mutate(CREATE_DELEGATION, delegation(to, role)).await["delegation"]["id"])
}

/// The input of a decision on behalf of somebody, or for oneself.
pub fn answer(request: &str, hash: &str, verdict: &str, behalf: Option<&str>) -> Value {
    json!({"input": {"requestId": request, "contentHash": hash, "verdict": verdict, "comment": "because",
        "onBehalfOfId": behalf}})
}

/// Approves on behalf of somebody.
pub async fn approve_for(who: &Client, request: &str, hash: &str, behalf: &str) -> Value {
    who.mutate(DECIDE, answer(request, hash, "APPROVE", Some(behalf))).await
}

/// Begins a thread on a version; answers its id.
pub async fn comment(who: &Client, version: &str, body: &str) -> String {
    text(&who.mutate(CREATE_COMMENT, json!({"input": {"versionId": version, "body": body}})).await["comment"]["id"])
}

/// A draft of a new SOP for a new process, of some risk.
pub async fn draft_of(place: &Place, key: &str, title: &str, risk: &str) -> Draft {
    let process = process(&place.author, &json!(place.team), key).await;
    let input = json!({"processId": process, "teamId": place.team, "risk": risk, "content": content(title)});
    let made = place.author.mutate(CREATE_SOP, json!({"input": input})).await;
    let (sop, version) = (&made["sop"], &made["sop"]["openVersion"]);
    Draft {
        sop: text(&sop["id"]),
        code: text(&sop["code"]),
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
    }
}
