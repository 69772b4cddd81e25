//! For each mutation an input that is right, with every field of it given: what is bad is then one change away. Over 400
//! lines because it is one list.

use serde_json::{Value, json};

use crate::story::{
    CREATE_COMMENT, CREATE_DELEGATION, CREATE_GRANT, CREATE_POLICY, CREATE_ROLE, CREATE_TOKEN, DAY, DISCARD, Draft,
    END_POLICY, Place, RESOLVE, SET_PLAN, content, decide, draft, from_now, look, person, place, process, submit,
    token_terms, troubled,
};
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
    /// Somebody who sees what it is about and may not do it, where there is such a person.
    pub insider: Option<Client>,
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
        policy_samples(world, &place).await,
        comment_samples(&place).await,
        execution_samples(world, &place, &public).await,
    ];
    Samples { place, all: all.into_iter().flatten().collect(), strangers, decided, public }
}

async fn access_samples(world: &World, place: &Place) -> Vec<Sample> {
    let (mia, rob) = (person(&place.manager).await, person(&place.reviewer).await);
    let input = json!({"personId": mia, "role": "viewer"});
    let grant = place.admin.mutate(CREATE_GRANT, json!({"input": input})).await["grant"]["id"].clone();
    let token = json!({"input": token_terms("revoked", &["AUDIT_READ"])});
    let token = place.admin.mutate(CREATE_TOKEN, token).await;
    for name in ["updated", "deleted"] {
        place.admin.mutate(CREATE_ROLE, json!({"input": {"name": name, "permissions": []}})).await;
    }
    let by_admin = |mutation, input, needed| Sample {
        mutation,
        who: place.admin.clone(),
        input,
        needed,
        strangers: "FORBIDDEN",
        insider: Some(place.manager.clone()),
    };
    let olga = world.client(&["author"], "olga");
    person(&olga).await;
    let changed = process(&place.author, &json!(place.team), "changed").await;
    let process = json!({"key": "new-process", "name": "New", "description": "By mail.", "ownerId": rob,
        "teamId": place.team, "horizon": "P2D", "idempotencyKey": "process-1"});
    let change = json!({"id": changed, "expectedRevision": 1, "name": "Changed", "description": "By phone.", "ownerId": rob,
        "teamId": place.team, "horizon": "PT2H"});
    vec![
        by_admin(
            "teamCreate",
            json!({"key": "new-team", "name": "New", "codePrefix": "NEW", "idempotencyKey": "team-1"}),
            &["/key", "/name", "/codePrefix", "/idempotencyKey"],
        ),
        by_admin(
            "grantCreate",
            json!({"personId": rob, "role": "approver", "teamId": place.team, "expiresAt": from_now(DAY),
                "idempotencyKey": "grant-1"}),
            &["/role", "/idempotencyKey"],
        ),
        by_admin("grantRevoke", json!({"id": grant}), &[]),
        by_admin(
            "apiTokenCreate",
            json!({"name": "Tickets", "source": "tickets", "scopes": ["FIGURES_READ"], "teamId": place.team,
                "expiresAt": from_now(DAY), "idempotencyKey": "token-1"}),
            &["/name", "/source", "/idempotencyKey"],
        ),
        by_admin("apiTokenRevoke", json!({"id": token["apiToken"]["id"]}), &[]),
        by_admin(
            "roleCreate",
            json!({"name": "new-role", "permissions": ["DRAFT_READ"], "idempotencyKey": "role-1"}),
            &["/name", "/idempotencyKey"],
        ),
        by_admin(
            "roleUpdate",
            json!({"name": "updated", "expectedRevision": 1, "permissions": ["SOP_WRITE"]}),
            &["/name"],
        ),
        by_admin("roleDelete", json!({"name": "deleted"}), &["/name"]),
        Sample {
            mutation: "processCreate",
            who: olga.clone(),
            input: process,
            needed: &["/key", "/name", "/idempotencyKey"],
            strangers: "FORBIDDEN",
            insider: Some(place.reviewer.clone()),
        },
        Sample {
            mutation: "processUpdate",
            who: olga,
            input: change,
            needed: &["/name"],
            strangers: "FORBIDDEN",
            insider: Some(place.reviewer.clone()),
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
    let handed_too = fresh(place, "handed-too").await;
    let revision = look(&place.author, &leaving.sop).await["revision"].clone();
    let sample = |mutation, who: &Client, input, needed, strangers| Sample {
        mutation,
        who: who.clone(),
        input,
        needed,
        strangers,
        insider: Some(place.reviewer.clone()),
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
        sample(
            "sopsHandOver",
            &place.author,
            json!({"items": [{"id": handed_too.sop, "expectedRevision": 1, "ownerId": mia}]}),
            &[],
            "NOT_FOUND",
        ),
    ]
}

async fn version_samples(place: &Place) -> Vec<Sample> {
    let (based, edited) = (fresh_published(place, "based").await, fresh(place, "edited").await);
    let (submitted, discarded) = (fresh(place, "submitted").await, fresh(place, "discarded").await);
    let together = fresh(place, "together").await;
    let measured = fresh(place, "measured").await;
    let plan = json!({"versionId": measured.version, "expectedRevision": 0, "primaryMetric": "COMPLETION_TIME"});
    place.author.mutate(SET_PLAN, json!({"input": plan})).await;
    let by_author = |mutation, input, needed, strangers| Sample {
        mutation,
        who: place.author.clone(),
        input,
        needed,
        strangers,
        insider: Some(place.reviewer.clone()),
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
            "measurementPlanSet",
            json!({"versionId": measured.version, "expectedRevision": 1, "primaryMetric": "ERROR_RATE",
                "targets": {"adoptionAtLeast": 0.8, "errorRateAtMost": 0.1, "firstTimeRightAtLeast": 0.7,
                    "medianCompletionTimeAtMost": "PT1H"},
                "maturesAfterDays": 60, "learningDays": 14, "watchDays": 10}),
            &[],
            "NOT_FOUND",
        ),
        by_author(
            "versionSubmit",
            json!({"id": submitted.version, "expectedRevision": 1, "idempotencyKey": "submit-1"}),
            &["/idempotencyKey"],
            "NOT_FOUND",
        ),
        by_author(
            "versionsSubmit",
            json!({"items": [{"id": together.version, "expectedRevision": 1, "idempotencyKey": "submit-2"}]}),
            &["/items/0/idempotencyKey"],
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
    // Somebody who decides in the place of a colleague: so every field has a value.
    let away = world.client(&["reviewer@ops"], "rita");
    let (away_id, rob) = (person(&away).await, person(&place.reviewer).await);
    let given = json!({"toId": rob, "role": "reviewer", "reason": "leave", "endsAt": from_now(DAY)});
    away.mutate(CREATE_DELEGATION, json!({"input": given})).await;
    let decision = |request: &str, hash: &str, key: &str| {
        json!({"requestId": request, "verdict": "REJECT",
        "contentHash": hash, "comment": "No.", "onBehalfOfId": away_id, "idempotencyKey": key})
    };
    let several = fresh(place, "several").await;
    let several_request = submit(&place.author, &several).await;
    let (taken_back, hash) = two_of_three(place, "taken-back").await;
    decide(&place.reviewer, &taken_back, &hash, "APPROVE", "").await;
    let sample = |mutation, who: &Client, input, needed| Sample {
        mutation,
        who: who.clone(),
        input,
        needed,
        strangers: "NOT_FOUND",
        insider: Some(colleague.clone()),
    };
    vec![
        sample(
            "approvalDecide",
            &place.reviewer,
            decision(&request, &decided.hash, "decide-1"),
            &["/contentHash", "/comment", "/idempotencyKey"],
        ),
        sample(
            "approvalsDecide",
            &place.reviewer,
            json!({"items": [decision(&several_request, &several.hash, "decide-2")]}),
            &["/items/0/contentHash", "/items/0/comment", "/items/0/idempotencyKey"],
        ),
        Sample {
            // Nobody is told of decisions that are not their own.
            insider: None,
            ..sample("decisionWithdraw", &place.reviewer, json!({"requestId": taken_back}), &[])
        },
        sample("approvalWithdraw", &place.author, json!({"requestId": withdrawn}), &[]),
    ]
}

/// A request of which one approval does not close the first stage: its id, and the hash of the content.
async fn two_of_three(place: &Place, key: &str) -> (String, String) {
    let stages = json!([{"name": "Review", "role": "reviewer", "minApprovals": 2}]);
    let input = json!({"kind": "MATERIAL", "teamId": place.team, "stages": stages});
    let made = place.manager.mutate(CREATE_POLICY, json!({"input": input})).await;
    let draft = fresh(place, key).await;
    let request = submit(&place.author, &draft).await;
    let input = json!({"id": made["policy"]["id"], "expectedRevision": 1});
    place.manager.mutate(END_POLICY, json!({"input": input})).await;
    (request, draft.hash)
}

async fn policy_samples(world: &World, place: &Place) -> Vec<Sample> {
    let colleague = world.client(&["author@ops"], "ada");
    let (boss, ada) = (world.client(&["manager"], "boss"), person(&colleague).await);
    let stages = json!([{"name": "Review", "role": "reviewer", "minApprovals": 1, "scope": "TEAM",
        "meaning": "REVIEWED", "maxAuthAge": "PT1H"}]);
    let policy = |kind: &str, risk: &str, key: &str| {
        json!({"kind": kind, "teamId": place.team, "risk": risk,
        "stages": stages, "requiresResolvedComments": true, "idempotencyKey": key})
    };
    let mut made = Vec::new();
    for kind in ["EDITORIAL", "RETIREMENT"] {
        let input = json!({"input": policy(kind, "HIGH", &format!("made-{kind}"))});
        made.push(boss.mutate(CREATE_POLICY, input).await["policy"]["id"].clone());
    }
    let given = json!({"toId": ada, "role": "approver", "reason": "leave", "endsAt": from_now(DAY)});
    let given = place.approver.mutate(CREATE_DELEGATION, json!({"input": given})).await["delegation"]["id"].clone();
    let needed: &[&str] = &["/stages/0/name", "/stages/0/role", "/idempotencyKey"];
    let by_boss = |mutation, input, needed| Sample {
        mutation,
        who: boss.clone(),
        input,
        needed,
        strangers: "FORBIDDEN",
        insider: Some(place.manager.clone()),
    };
    let delegation = json!({"toId": ada, "role": "approver", "teamId": place.team, "reason": "leave",
        "startsAt": from_now(DAY), "endsAt": from_now(2 * DAY), "idempotencyKey": "delegation-1"});
    vec![
        by_boss("policyCreate", policy("MATERIAL", "HIGH", "policy-1"), needed),
        by_boss(
            "policyUpdate",
            json!({"id": made[0], "expectedRevision": 1, "stages": stages, "requiresResolvedComments": false}),
            &needed[..2],
        ),
        by_boss("policyEnd", json!({"id": made[1], "expectedRevision": 1}), &[]),
        Sample {
            mutation: "delegationCreate",
            who: place.approver.clone(),
            input: delegation,
            needed: &["/reason", "/idempotencyKey"],
            strangers: "FORBIDDEN",
            insider: Some(place.reviewer.clone()),
        },
        Sample {
            mutation: "delegationRevoke",
            who: place.approver.clone(),
            input: json!({"id": given}),
            needed: &[],
            strangers: "NOT_FOUND",
            insider: Some(world.client(&["manager"], "boss")),
        },
    ]
}

async fn comment_samples(place: &Place) -> Vec<Sample> {
    let commented = fresh(place, "commented").await;
    let mia = person(&place.manager).await;
    let mut threads = Vec::new();
    for _ in 0..3 {
        let input = json!({"input": {"versionId": commented.version, "body": "Which form?"}});
        threads.push(place.reviewer.mutate(CREATE_COMMENT, input).await["comment"]["id"].clone());
    }
    place.reviewer.mutate(RESOLVE, json!({"input": {"id": threads[2]}})).await;
    let sample = |mutation, input, needed| Sample {
        mutation,
        who: place.reviewer.clone(),
        input,
        needed,
        strangers: "NOT_FOUND",
        // Whoever sees drafts may comment; only to resolve there is more to ask for.
        insider: None,
    };
    vec![
        sample(
            "commentCreate",
            json!({"versionId": commented.version, "stepKey": "reset", "body": "How long?", "mentionIds": [mia],
                "idempotencyKey": "comment-1"}),
            &["/stepKey", "/body", "/idempotencyKey"],
        ),
        sample(
            "commentReply",
            json!({"id": threads[0], "body": "An hour.", "mentionIds": [mia], "idempotencyKey": "comment-2"}),
            &["/body", "/idempotencyKey"],
        ),
        Sample {
            // Contributed, and did not begin the thread.
            insider: Some(place.author.clone()),
            ..sample("commentResolve", json!({"id": threads[1]}), &[])
        },
        sample("commentReopen", json!({"id": threads[2]}), &[]),
    ]
}

async fn execution_samples(world: &World, place: &Place, public: &Draft) -> Vec<Sample> {
    let tracker = world.client(&["integration"], "tracker").with_source("tracker");
    person(&tracker).await;
    let input = json!({"source": "tracker", "mode": "BACKFILL", "sentAt": "2026-01-05T10:21:00Z",
        "executions": [execution(public)]});
    let troubled = troubled(place, "troubled").await;
    let answer = Sample {
        mutation: "diagnosisAnswer",
        who: place.manager.clone(),
        input: json!({"sopId": troubled.sop, "finding": "TROUBLED_STEP", "stepKey": "reset", "response": "REWRITE_STEP",
            "note": "The console has moved.", "idempotencyKey": "answer-1"}),
        needed: &["/stepKey", "/idempotencyKey"],
        strangers: "FORBIDDEN",
        insider: Some(place.reviewer.clone()),
    };
    let record = Sample {
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
        insider: Some(place.manager.clone()),
    };
    vec![answer, record]
}
