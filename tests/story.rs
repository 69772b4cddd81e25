//! What tests have in common: the mutations of a procedure's life, each as one call.

use serde_json::{Value, json};

use crate::support::{Client, UserError, World};

pub const CREATE_TEAM: &str = "mutation($input: TeamCreateInput!) { teamCreate(input: $input) {
    team { id key codePrefix } userErrors { code message path } } }";
pub const CREATE_PROCESS: &str = "mutation($input: ProcessCreateInput!) { processCreate(input: $input) {
    process { id key } userErrors { code message path } } }";
pub const UPDATE_PROCESS: &str = "mutation($input: ProcessUpdateInput!) { processUpdate(input: $input) {
    process { id name description owner { id } team { key } horizon revision }
    userErrors { code message path currentRevision } } }";
pub const CREATE_SOP: &str = "mutation($input: SopCreateInput!) { sopCreate(input: $input) {
    sop { id code state revision openVersion { id revision state contentHash label } }
    userErrors { code message path } } }";
pub const CREATE_VERSION: &str = "mutation($input: VersionCreateInput!) { versionCreate(input: $input) {
    version { id revision state contentHash content { steps { key } } sop { state } }
    userErrors { code message path } } }";
pub const EDIT: &str = "mutation($input: VersionEditInput!) { versionEdit(input: $input) {
    version { id revision state contentHash content { steps { key instruction } } }
    userErrors { code message path currentRevision } } }";
pub const SUBMIT: &str = "mutation($input: VersionSubmitInput!) { versionSubmit(input: $input) {
    version { id revision state label contentHash } approvalRequest { id contentHash stages { name role } }
    userErrors { code message path currentRevision } } }";
pub const DECIDE: &str = "mutation($input: ApprovalDecideInput!) { approvalDecide(input: $input) {
    approvalRequest { id state currentStage { name } decisions { person { name } } }
    version { id state label revision } sop { id state revision } userErrors { code message path } } }";
pub const WITHDRAW: &str = "mutation($input: ApprovalWithdrawInput!) { approvalWithdraw(input: $input) {
    approvalRequest { id state } version { id state label revision } sop { state } userErrors { code message path } } }";
pub const DISCARD: &str = "mutation($input: VersionDiscardInput!) { versionDiscard(input: $input) {
    version { id state reason } sop { id state revision } userErrors { code message path currentRevision } } }";
pub const RETIRE: &str = "mutation($input: SopRetireInput!) { sopRetire(input: $input) {
    sop { id state revision } approvalRequest { id contentHash state } userErrors { code message path currentRevision } } }";
pub const REVIVE: &str = "mutation($input: SopReviveInput!) { sopRevive(input: $input) {
    sop { id state revision } version { id state revision } userErrors { code message path currentRevision } } }";
pub const HAND_OVER: &str = "mutation($input: SopHandOverInput!) { sopHandOver(input: $input) {
    sop { id revision owner { id name } } userErrors { code message path currentRevision } } }";
pub const RECORD: &str = "mutation($input: ExecutionsRecordInput!) { executionsRecord(input: $input) {
    results { index status executionId rejection { code path message } } userErrors { code message path } } }";

pub const SET_PLAN: &str = "mutation($input: MeasurementPlanSetInput!) { measurementPlanSet(input: $input) {
    version { id measurementPlan { declared revision primaryMetric maturesAfterDays learningDays watchDays maturesAt
        declaredBy { name } targets { metric bound share duration state } } }
    userErrors { code message path currentRevision } } }";

pub const ANSWER_DIAGNOSIS: &str = "mutation($input: DiagnosisAnswerInput!) { diagnosisAnswer(input: $input) {
    response { id finding stepKey response note } userErrors { code message path } } }";

pub const CREATE_GRANT: &str = "mutation($input: GrantCreateInput!) { grantCreate(input: $input) {
    grant { id role source expiresAt expired team { key } person { id } } userErrors { code message path } } }";
pub const REVOKE_GRANT: &str = "mutation($input: GrantRevokeInput!) { grantRevoke(input: $input) {
    revokedId userErrors { code message path } } }";
pub const CREATE_ROLE: &str = "mutation($input: RoleCreateInput!) { roleCreate(input: $input) {
    role { name builtIn permissions revision } userErrors { code message path } } }";
pub const UPDATE_ROLE: &str = "mutation($input: RoleUpdateInput!) { roleUpdate(input: $input) {
    role { name builtIn permissions revision } userErrors { code message path currentRevision } } }";
pub const DELETE_ROLE: &str = "mutation($input: RoleDeleteInput!) { roleDelete(input: $input) {
    deletedName userErrors { code message path } } }";

pub const CREATE_TOKEN: &str = "mutation($input: ApiTokenCreateInput!) { apiTokenCreate(input: $input) {
    apiToken { id name source scopes state team { key } person { id name } createdBy { name } expiresAt lastUsedAt }
    secret userErrors { code message path } } }";
pub const REVOKE_TOKEN: &str = "mutation($input: ApiTokenRevokeInput!) { apiTokenRevoke(input: $input) {
    apiToken { id state revokedAt revokedBy { name } } userErrors { code message path } } }";

/// The terms of a token for a source, good for a day.
pub fn token_terms(source: &str, scopes: &[&str]) -> Value {
    json!({"name": format!("{source} (api)"), "source": source, "scopes": scopes, "expiresAt": from_now(DAY)})
}

/// The id of somebody's person, who is known from then on.
pub async fn person(who: &Client) -> String {
    text(&who.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"])
}

/// The time so many seconds from now.
pub fn from_now(seconds: i64) -> String {
    (chrono::Utc::now() + chrono::Duration::seconds(seconds)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Seconds of a day.
pub const DAY: i64 = 86_400;

pub const CREATE_POLICY: &str = "mutation($input: PolicyCreateInput!) { policyCreate(input: $input) {
    policy { id revision kind risk team { key } requiresResolvedComments endedAt
        stages { name role minApprovals scope meaning maxAuthAge } }
    userErrors { code message path } } }";
pub const UPDATE_POLICY: &str = "mutation($input: PolicyUpdateInput!) { policyUpdate(input: $input) {
    policy { id revision requiresResolvedComments stages { name role minApprovals } }
    userErrors { code message path currentRevision } } }";
pub const END_POLICY: &str = "mutation($input: PolicyEndInput!) { policyEnd(input: $input) {
    policy { id endedAt } userErrors { code message path currentRevision } } }";
pub const CREATE_DELEGATION: &str = "mutation($input: DelegationCreateInput!) { delegationCreate(input: $input) {
    delegation { id role from { name } to { name } team { key } } userErrors { code message path } } }";
pub const REVOKE_DELEGATION: &str = "mutation($input: DelegationRevokeInput!) { delegationRevoke(input: $input) {
    delegation { id revokedAt revokedBy { name } } userErrors { code message path } } }";
pub const CREATE_COMMENT: &str = "mutation($input: CommentCreateInput!) { commentCreate(input: $input) {
    comment { id stepKey } userErrors { code message path } } }";
pub const REPLY: &str = "mutation($input: CommentReplyInput!) { commentReply(input: $input) {
    comment { id thread { id } } userErrors { code message path } } }";
pub const RESOLVE: &str = "mutation($input: CommentResolveInput!) { commentResolve(input: $input) {
    comment { id resolvedBy { name } } userErrors { code message path } } }";
pub const REOPEN: &str = "mutation($input: CommentReopenInput!) { commentReopen(input: $input) {
    comment { id resolvedAt } userErrors { code message path } } }";
pub const WITHDRAW_DECISION: &str = "mutation($input: DecisionWithdrawInput!) { decisionWithdraw(input: $input) {
    approvalRequest { id state decisions { person { name } withdrawnAt } } userErrors { code message path } } }";
pub const SUBMIT_MANY: &str = "mutation($input: VersionsSubmitInput!) { versionsSubmit(input: $input) {
    results { approvalRequest { id } userErrors { code message path } } userErrors { code message path } } }";
pub const DECIDE_MANY: &str = "mutation($input: ApprovalsDecideInput!) { approvalsDecide(input: $input) {
    results { approvalRequest { id state } userErrors { code message path } } userErrors { code message path } } }";
pub const HAND_OVER_MANY: &str = "mutation($input: SopsHandOverInput!) { sopsHandOver(input: $input) {
    results { sop { id owner { id } } userErrors { code message path } } userErrors { code message path } } }";

/// A complete procedure with two steps.
pub fn content(title: &str) -> Value {
    json!({
        "title": title,
        "objective": "People who are locked out get back to work.",
        "scope": "All accounts of the directory.",
        "audience": ["service desk"],
        "references": [{"standard": "ISO/IEC 27001:2022", "clause": "A.5.17"}],
        "steps": [
            {"key": "identify", "instruction": "Confirm who is calling.", "role": "service desk agent",
             "expectedDuration": "PT2M", "checkpoint": "Two facts match the record.",
             "failures": [{"symptom": "The caller cannot answer", "remedy": "Call back on the registered number."}]},
            {"key": "reset", "instruction": "Reset the password.", "role": "service desk agent",
             "tools": ["directory console"], "codeBlocks": [{"language": "bash", "text": "passwd --expire user"}]},
        ],
        "changeLog": {"what": "First version", "why": "There was none."},
    })
}

/// A team with its people, and a process.
#[derive(Clone)]
pub struct Place {
    pub team: String,
    pub process: String,
    pub admin: Client,
    pub author: Client,
    pub reviewer: Client,
    pub approver: Client,
    pub manager: Client,
    pub viewer: Client,
}

/// A draft, or a version under way.
#[derive(Clone, Debug)]
pub struct Draft {
    pub sop: String,
    pub code: String,
    pub version: String,
    pub revision: i64,
    pub hash: String,
}

/// Makes the team `ops` with an author, a reviewer, an approver and a manager, and a process.
pub async fn place(world: &World) -> Place {
    let admin = world.client(&["admin"], "root");
    let team =
        admin.mutate(CREATE_TEAM, json!({"input": {"key": "ops", "name": "Operations", "codePrefix": "OPS"}})).await;
    let author = world.client(&["author@ops"], "ann");
    let reviewer = world.client(&["reviewer@ops"], "rob");
    let approver = world.client(&["approver@ops"], "amy");
    let manager = world.client(&["manager@ops"], "mia");
    let viewer = world.client(&["viewer"], "vic");
    for client in [&reviewer, &approver, &manager, &viewer] {
        client.ok("{ me { person { id } } }", json!({})).await;
    }
    let process = process(&author, &team["team"]["id"], "password-reset").await;
    Place { team: text(&team["team"]["id"]), process, admin, author, reviewer, approver, manager, viewer }
}

/// A process of a team.
pub async fn process(author: &Client, team: &Value, key: &str) -> String {
    let input = json!({"key": key, "name": key, "description": "By phone.", "teamId": team});
    text(&author.mutate(CREATE_PROCESS, json!({"input": input})).await["process"]["id"])
}

/// An SOP with its draft.
pub async fn draft(place: &Place, author: &Client, process: &str, title: &str) -> Draft {
    let input = json!({"processId": process, "teamId": place.team, "risk": "LOW", "content": content(title)});
    let made = author.mutate(CREATE_SOP, json!({"input": input})).await;
    let (sop, version) = (&made["sop"], &made["sop"]["openVersion"]);
    Draft {
        sop: text(&sop["id"]),
        code: text(&sop["code"]),
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
    }
}

/// Submits a draft; answers the id of the request.
pub async fn submit(author: &Client, draft: &Draft) -> String {
    let input = json!({"id": draft.version, "expectedRevision": draft.revision});
    text(&author.mutate(SUBMIT, json!({"input": input})).await["approvalRequest"]["id"])
}

/// Decides in a request; answers the payload.
pub async fn decide(who: &Client, request: &str, hash: &str, verdict: &str, comment: &str) -> Value {
    who.mutate(DECIDE, decision(request, hash, verdict, comment)).await
}

/// The same where it must be refused.
pub async fn decide_refused(who: &Client, request: &str, hash: &str, verdict: &str) -> UserError {
    who.refused(DECIDE, decision(request, hash, verdict, "because")).await
}

fn decision(request: &str, hash: &str, verdict: &str, comment: &str) -> Value {
    json!({"input": {"requestId": request, "contentHash": hash, "verdict": verdict, "comment": comment}})
}

/// Takes a draft through review and approval.
pub async fn publish(place: &Place, author: &Client, draft: &Draft) -> Value {
    let request = submit(author, draft).await;
    decide(&place.reviewer, &request, &draft.hash, "APPROVE", "reads well").await;
    decide(&place.approver, &request, &draft.hash, "APPROVE", "").await
}

/// A published SOP.
pub async fn published(place: &Place, title: &str) -> Draft {
    let draft = draft(place, &place.author, &place.process, title).await;
    let done = publish(place, &place.author, &draft).await;
    assert_eq!(done["sop"]["state"], "PUBLISHED", "{done}");
    draft
}

/// The next version of a published SOP, with this content, published as well.
pub async fn published_next(place: &Place, before: &Draft, content: Value) -> Draft {
    let made = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": before.sop, "content": content}})).await;
    let version = &made["version"];
    let draft = Draft {
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
        ..before.clone()
    };
    publish(place, &place.author, &draft).await;
    draft
}

/// A published SOP with a step in trouble: sixty runs of this moment, by as many people, all of which fail in it.
pub async fn troubled(place: &Place, key: &str) -> Draft {
    let process = process(&place.author, &json!(place.team), key).await;
    let draft = draft(place, &place.author, &process, key).await;
    // Nothing is learnt, so that what happens now counts.
    let plan =
        json!({"versionId": draft.version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE", "learningDays": 0});
    place.author.mutate(SET_PLAN, json!({"input": plan})).await;
    publish(place, &place.author, &draft).await;
    let terms = json!({"input": token_terms(key, &["EXECUTIONS_RECORD"])});
    let token = place.admin.mutate(CREATE_TOKEN, terms).await;
    let run = |n: usize| {
        let steps = json!([{"key": "identify", "status": "DONE"}, {"key": "reset", "status": "FAILED"}]);
        json!({"eventId": format!("{key}-{n}"), "runId": format!("{key}-{n}"), "process": key, "startedAt": from_now(0),
            "actor": {"subject": format!("worker-{n}")}, "steps": steps})
    };
    let runs: Vec<Value> = (0..60).map(run).collect();
    let batch = json!({"input": {"source": key, "mode": "LIVE", "executions": runs}});
    place.admin.clone().bearing(&text(&token["secret"])).mutate(RECORD, batch).await;
    draft
}

/// The state, revision and open version of an SOP as `who` sees it.
pub async fn look(who: &Client, sop: &str) -> Value {
    let query = "query($id: ID!) { sop(by: {id: $id}) { id code title state revision owner { id name }
        publishedVersion { id label contentHash content { steps { key instruction } } }
        openVersion { id state revision label contentHash reason } openRequest { id state } } }";
    who.ok(query, json!({"id": sop})).await["sop"].clone()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("no number: {value}"))
}
