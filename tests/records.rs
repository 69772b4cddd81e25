//! The signed record of a version, as a page and as JSON.

mod hostile;
mod sight;
mod told;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::story::{CREATE_VERSION, Draft, EDIT, Place, content, decide, draft, number, place, publish, submit, text};
use crate::support::{Client, Response, World, respond};

pub const DELEGATE: &str = "mutation($input: DelegationCreateInput!) { delegationCreate(input: $input) {
    delegation { id } userErrors { code message path } } }";
pub const TAKE_BACK: &str = "mutation($input: DecisionWithdrawInput!) { decisionWithdraw(input: $input) {
    approvalRequest { id } userErrors { code message path } } }";

/// The record of a version in a form, as somebody gets it.
pub async fn get(world: &World, who: &Client, version: &str, form: &str) -> Response {
    let raw = world.raw();
    respond(raw.http.get(raw.url(&format!("/records/{version}?format={form}"))).bearer_auth(&who.token)).await
}

/// The record as JSON, which must be there.
pub async fn record(world: &World, who: &Client, version: &str) -> Value {
    let answer = get(world, who, version, "json").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The record as a page, which must be there.
pub async fn page(world: &World, who: &Client, version: &str) -> String {
    let answer = get(world, who, version, "html").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer.body)
}

/// What `tests/check_record.py` finds in the two forms of a record.
pub fn checked(record: &Value, page: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("record.json"), folder.path().join("record.html"));
    std::fs::write(&json, record.to_string()).unwrap();
    std::fs::write(&html, page).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/check_record.py");
    let output = Command::new("python3").arg(script).args([&json, &html]).output().expect("python3 is needed");
    assert!(output.status.success(), "{}\n{page}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub async fn id_of(who: &Client) -> String {
    text(&who.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"])
}

/// A story with everything that a record tells of: a passage that was rejected after a decision was taken back, one that
/// approved, with a decision on behalf of somebody, and an editorial second version.
pub struct Signed {
    pub place: Place,
    pub delegate: Client,
    pub delegation: String,
    /// The content that was rejected.
    pub rejected: String,
    pub first: Draft,
    pub second: Draft,
}

impl Signed {
    pub async fn make(world: &World) -> Self {
        let mut place = place(world).await;
        place.reviewer = place.reviewer.with_claim("auth_time", json!(crate::support::token::now() - 60));
        let second_reviewer = world.client(&["reviewer@ops"], "rex");
        let delegate = world.client(&["viewer"], "dan");
        id_of(&second_reviewer).await;
        let stages = r#"[{"name":"Review","role":"reviewer","minApprovals":2,"scope":"TEAM","meaning":"REVIEWED"},{"name":"Compliance","role":"approver","minApprovals":1,"scope":"TEAM","meaning":"VERIFIED_COMPLIANCE"}]"#;
        world.execute(&format!("UPDATE policy SET stages = '{stages}' WHERE kind = 'MATERIAL'")).await;
        let input = json!({"toId": id_of(&delegate).await, "role": "approver", "reason": "leave",
            "endsAt": (chrono::Utc::now() + chrono::Duration::days(7)).to_rfc3339()});
        let delegation = place.approver.mutate(DELEGATE, json!({"input": input})).await["delegation"]["id"].clone();

        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "too fast").await;
        place.reviewer.mutate(TAKE_BACK, json!({"input": {"requestId": request}})).await;
        let returned = decide(&place.reviewer, &request, &made.hash, "REJECT", "step 2 is unclear").await;
        let mut better = content("Reset a password");
        better["steps"][1]["detail"] = json!("Use the *console*, see [the manual](https://manual.example/reset).");
        let input = json!({"id": made.version, "expectedRevision": returned["version"]["revision"], "content": better});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await["version"].clone();
        let (revision, hash) = (number(&edited["revision"]), text(&edited["contentHash"]));
        let first = Draft { revision, hash, ..made.clone() };
        let request = submit(&place.author, &first).await;
        decide(&place.reviewer, &request, &first.hash, "APPROVE", "reads well").await;
        decide(&second_reviewer, &request, &first.hash, "APPROVE", "").await;
        let input = json!({"requestId": request, "contentHash": first.hash, "verdict": "APPROVE",
            "comment": "for Amy", "onBehalfOfId": id_of(&place.approver).await});
        let done = delegate.mutate(crate::story::DECIDE, json!({"input": input})).await;
        assert_eq!(done["version"]["state"], "PUBLISHED", "{done}");

        better["objective"] = json!("People who are locked out get back to their work.");
        better["changeLog"] = json!({"what": "Wording", "why": "It read badly."});
        let second = Self::next(&place, &made.sop, better).await;
        let request = submit(&place.author, &second).await;
        decide(&place.approver, &request, &second.hash, "APPROVE", "").await;
        Self { place, delegate, delegation: text(&delegation), rejected: made.hash, first, second }
    }

    async fn next(place: &Place, sop: &str, content: Value) -> Draft {
        let input = json!({"sopId": sop, "kind": "EDITORIAL", "content": content});
        let made = place.author.mutate(CREATE_VERSION, json!({"input": input})).await["version"].clone();
        let (version, hash) = (text(&made["id"]), text(&made["contentHash"]));
        Draft { sop: sop.to_owned(), code: String::new(), version, revision: number(&made["revision"]), hash }
    }
}

/// An SOP that is published as simply as can be.
pub async fn simple(place: &Place, content: Value) -> Draft {
    let made = draft(place, &place.author, &place.process, "Reset a password").await;
    let input = json!({"id": made.version, "expectedRevision": 1, "content": content});
    let edited = place.author.mutate(EDIT, json!({"input": input})).await["version"].clone();
    let made = Draft { revision: number(&edited["revision"]), hash: text(&edited["contentHash"]), ..made };
    publish(place, &place.author, &made).await;
    made
}
