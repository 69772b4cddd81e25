//! For each mutation an input that is right, with every field of it given: what is bad is then one change away.

use serde_json::{Value, json};

use crate::story::{DISCARD, Draft, Place, content, draft, look, place, process, submit, text};
use crate::support::{Client, World};

/// A right input.
pub struct Sample {
    pub mutation: &'static str,
    /// Who may send it.
    pub who: Client,
    pub input: Value,
    /// Texts that may not be empty, as JSON pointers.
    pub needed: &'static [&'static str],
    /// What viewers, and authors of another team, are answered.
    pub strangers: &'static str,
    /// Somebody who sees what it is about and may not do it.
    pub insider: Client,
}

/// The samples and what they were made from.
pub struct Samples {
    pub place: Place,
    pub all: Vec<Sample>,
    /// Viewers and an author of another team.
    pub strangers: Vec<Client>,
    /// Of the decision's sample: its SOP's draft.
    pub decided: Draft,
    /// A published SOP.
    pub public: Draft,
}

impl Samples {
    pub fn of(&self, mutation: &str) -> &Sample {
        self.all.iter().find(|s| s.mutation == mutation).unwrap_or_else(|| panic!("no sample of {mutation}"))
    }
}

/// A content with everything in it.
pub fn full_content(title: &str) -> Value {
    let mut full = content(title);
    full["outOfScope"] = json!("Accounts of machines.");
    full["prerequisites"] = json!(["A ticket is open."]);
    full["references"] = json!([{"standard": "ISO 9001:2015", "clause": "7.5", "url": "https://example.org/9001"}]);
    full["sections"] = json!([{"key": "calls", "heading": "Calls", "body": "How to *speak*."}]);
    full["steps"][0] = json!({
        "key": "identify", "section": "calls", "instruction": "Confirm who is calling.", "detail": "Ask twice.",
        "codeBlocks": [{"language": "bash", "text": "id caller"}], "role": "service desk agent",
        "expectedDuration": "PT2M", "tools": ["directory console"], "inputs": ["the caller's name"],
        "expectedOutcome": "The caller is known.",
        "failures": [{"symptom": "The caller cannot answer", "remedy": "Call back."}],
        "checkpoint": "Two facts match.", "approval": "team lead",
        "visualAids": [{"title": "The console", "url": "https://example.org/console.png", "sha256": "ab".repeat(32)}],
        "teams": ["ops"], "branches": [{"condition": "The caller hangs up", "goTo": "reset"}], "mandatory": true,
    });
    full
}

fn execution(sop: &Draft) -> Value {
    json!({
        "eventId": "event-1", "runId": "run-1", "revision": 1, "process": "public", "sop": sop.code, "version": "1.0",
        "team": "ops", "actor": {"subject": "w-1", "name": "Wim"}, "occurredAt": "2026-01-05T10:20:00Z",
        "startedAt": "2026-01-05T10:00:00Z", "finishedAt": "2026-01-05T10:20:00Z", "outcome": "SUCCEEDED",
        "adherence": "FOLLOWED", "errors": 0, "rework": 0,
        "violations": [{"kind": "SLA", "severity": "MINOR", "detail": "five minutes late"}],
        "satisfaction": {"score": 4, "by": "CUSTOMER"},
        "steps": [{"key": "identify", "attempt": 1, "startedAt": "2026-01-05T10:00:00Z",
            "finishedAt": "2026-01-05T10:05:00Z", "status": "DONE"}],
        "attributes": [{"name": "priority", "value": "3"}],
    })
}

async fn person(client: &Client) -> String {
    text(&client.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"])
}

/// A draft for a process of its own.
async fn fresh(place: &Place, key: &str) -> Draft {
    let process = process(&place.author, &json!(place.team), key).await;
    draft(place, &place.author, &process, key).await
}

/// A published SOP for a process of its own.
async fn fresh_published(place: &Place, key: &str) -> Draft {
    let made = fresh(place, key).await;
    crate::story::publish(place, &place.author, &made).await;
    made
}

/// Makes the place, and the samples in it; none stands in the way of another.
pub async fn samples(world: &World) -> Samples {
    let place = place(world).await;
    let strangers = vec![place.viewer.clone(), world.client(&["author@dev"], "dora")];
    for stranger in &strangers {
        person(stranger).await;
    }
    let (public, decided) = (fresh_published(&place, "public").await, fresh(&place, "decided").await);
    let all = [
        access_samples(world, &place).await,
        sop_samples(world, &place, &public).await,
        version_samples(&place).await,
        approval_samples(world, &place, &decided).await,
        execution_samples(world, &place, &public).await,
    ];
    Samples { place, all: all.into_iter().flatten().collect(), strangers, decided, public }
}

async fn access_samples(world: &World, place: &Place) -> Vec<Sample> {
    let (mia, rob) = (person(&place.manager).await, person(&place.reviewer).await);
    let create = "mutation($input: GrantCreateInput!) { grantCreate(input: $input) { grant { id }
        userErrors { code message path } } }";
    let input = json!({"personId": mia, "role": "viewer"});
    let grant = place.admin.mutate(create, json!({"input": input})).await["grant"]["id"].clone();
    let by_admin = |mutation, input, needed| Sample {
        mutation,
        who: place.admin.clone(),
        input,
        needed,
        strangers: "FORBIDDEN",
        insider: place.manager.clone(),
    };
    let olga = world.client(&["author"], "olga");
    person(&olga).await;
    let process = json!({"key": "new-process", "name": "New", "description": "By mail.", "ownerId": rob,
        "teamId": place.team, "idempotencyKey": "process-1"});
    vec![
        by_admin(
            "teamCreate",
            json!({"key": "new-team", "name": "New", "codePrefix": "NEW", "idempotencyKey": "team-1"}),
            &["/key", "/name", "/codePrefix", "/idempotencyKey"],
        ),
        by_admin(
            "grantCreate",
            json!({"personId": rob, "role": "approver", "teamId": place.team, "idempotencyKey": "grant-1"}),
            &["/role", "/idempotencyKey"],
        ),
        by_admin("grantRevoke", json!({"id": grant}), &[]),
        Sample {
            mutation: "processCreate",
            who: olga,
            input: process,
            needed: &["/key", "/name", "/idempotencyKey"],
            strangers: "FORBIDDEN",
            insider: place.reviewer.clone(),
        },
    ]
}

async fn sop_samples(world: &World, place: &Place, public: &Draft) -> Vec<Sample> {
    let olga = world.client(&["author"], "olga");
    let (ann, mia) = (person(&place.author).await, person(&place.manager).await);
    let documented = process(&place.author, &json!(place.team), "documented").await;
    let retired = fresh(place, "retired").await;
    let input = json!({"id": retired.version, "expectedRevision": 1, "reason": "not needed"});
    let gone = place.author.mutate(DISCARD, json!({"input": input})).await;
    let (leaving, handed) = (fresh_published(place, "leaving").await, fresh(place, "handed").await);
    let revision = look(&place.author, &leaving.sop).await["revision"].clone();
    let sample = |mutation, who: &Client, input, needed, strangers| Sample {
        mutation,
        who: who.clone(),
        input,
        needed,
        strangers,
        insider: place.reviewer.clone(),
    };
    vec![
        sample(
            "sopCreate",
            &olga,
            json!({"processId": documented, "teamId": place.team, "ownerId": ann, "risk": "HIGH",
                "reviewCadenceMonths": 6, "content": full_content("Made"), "effectiveAt": "2090-01-01T00:00:00Z",
                "idempotencyKey": "sop-1"}),
            &["/content/title", "/idempotencyKey"],
            "FORBIDDEN",
        ),
        sample(
            "sopRetire",
            &place.author,
            json!({"id": leaving.sop, "expectedRevision": revision, "reason": "Gone.", "successorId": public.sop,
                "idempotencyKey": "retire-1"}),
            &["/reason", "/idempotencyKey"],
            "FORBIDDEN",
        ),
        sample(
            "sopRevive",
            &place.author,
            json!({"id": retired.sop, "expectedRevision": gone["sop"]["revision"], "basedOnId": retired.version,
                "idempotencyKey": "revive-1"}),
            &["/idempotencyKey"],
            "NOT_FOUND",
        ),
        sample(
            "sopHandOver",
            &place.author,
            json!({"id": handed.sop, "expectedRevision": 1, "ownerId": mia}),
            &[],
            "NOT_FOUND",
        ),
    ]
}

async fn version_samples(place: &Place) -> Vec<Sample> {
    let (based, edited) = (fresh_published(place, "based").await, fresh(place, "edited").await);
    let (submitted, discarded) = (fresh(place, "submitted").await, fresh(place, "discarded").await);
    let by_author = |mutation, input, needed, strangers| Sample {
        mutation,
        who: place.author.clone(),
        input,
        needed,
        strangers,
        insider: place.reviewer.clone(),
    };
    vec![
        by_author(
            "versionCreate",
            json!({"sopId": based.sop, "basedOnId": based.version, "content": full_content("Next"),
                "kind": "MATERIAL", "effectiveAt": "2090-01-01T00:00:00Z", "idempotencyKey": "version-1"}),
            &["/content/title", "/idempotencyKey"],
            "FORBIDDEN",
        ),
        by_author(
            "versionEdit",
            json!({"id": edited.version, "expectedRevision": 1, "content": full_content("Edited"),
                "kind": "MATERIAL", "effectiveAt": "2090-01-01T00:00:00Z"}),
            &["/content/title"],
            "NOT_FOUND",
        ),
        by_author(
            "versionSubmit",
            json!({"id": submitted.version, "expectedRevision": 1, "idempotencyKey": "submit-1"}),
            &["/idempotencyKey"],
            "NOT_FOUND",
        ),
        by_author(
            "versionDiscard",
            json!({"id": discarded.version, "expectedRevision": 1, "reason": "not needed"}),
            &["/reason"],
            "NOT_FOUND",
        ),
    ]
}

async fn approval_samples(world: &World, place: &Place, decided: &Draft) -> Vec<Sample> {
    let request = submit(&place.author, decided).await;
    let withdrawn = fresh(place, "withdrawn").await;
    let withdrawn = submit(&place.author, &withdrawn).await;
    let colleague = world.client(&["author@ops"], "ada");
    person(&colleague).await;
    let decision = json!({"requestId": request, "verdict": "REJECT", "contentHash": decided.hash, "comment": "No.",
        "idempotencyKey": "decide-1"});
    let sample = |mutation, who: &Client, input, needed| Sample {
        mutation,
        who: who.clone(),
        input,
        needed,
        strangers: "NOT_FOUND",
        insider: colleague.clone(),
    };
    vec![
        sample("approvalDecide", &place.reviewer, decision, &["/contentHash", "/comment", "/idempotencyKey"]),
        sample("approvalWithdraw", &place.author, json!({"requestId": withdrawn}), &[]),
    ]
}

async fn execution_samples(world: &World, place: &Place, public: &Draft) -> Vec<Sample> {
    let tracker = world.client(&["integration"], "tracker").with_source("tracker");
    person(&tracker).await;
    let input = json!({"source": "tracker", "mode": "BACKFILL", "sentAt": "2026-01-05T10:21:00Z",
        "executions": [execution(public)]});
    vec![Sample {
        mutation: "executionsRecord",
        who: tracker,
        input,
        needed: &[
            "/executions/0/eventId",
            "/executions/0/runId",
            "/executions/0/process",
            "/executions/0/sop",
            "/executions/0/version",
            "/executions/0/team",
            "/executions/0/actor/subject",
            "/executions/0/violations/0/kind",
            "/executions/0/steps/0/key",
            "/executions/0/attributes/0/name",
        ],
        strangers: "FORBIDDEN",
        insider: place.manager.clone(),
    }]
}
