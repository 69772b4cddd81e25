//! Who may call each operation. An operation without a row in one of the tables fails the test.
//!
//! Over 400 lines because the tables and what they are tried on belong together.
//!
//! `yes`: may. `no`: may not, and is told so. `hid`: it is answered as if what it is about did not exist.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::story::{
    ANSWER_DIAGNOSIS, CREATE_COMMENT, CREATE_DELEGATION, CREATE_GRANT, CREATE_POLICY, CREATE_PROCESS, CREATE_ROLE,
    CREATE_SOP, CREATE_TEAM, CREATE_TOKEN, CREATE_VERSION, DAY, DECIDE, DECIDE_MANY, DELETE_ROLE, DISCARD, Draft, EDIT,
    END_POLICY, HAND_OVER, HAND_OVER_MANY, Place, RECORD, REOPEN, REPLY, RESOLVE, RETIRE, REVIVE, REVOKE_DELEGATION,
    REVOKE_GRANT, REVOKE_TOKEN, SET_PLAN, SUBMIT, SUBMIT_MANY, UPDATE_POLICY, UPDATE_PROCESS, UPDATE_ROLE, WITHDRAW,
    WITHDRAW_DECISION, content, decide, draft, from_now, look, place, process, publish, submit, text, token_terms,
    troubled,
};
use crate::support::{Client, World, both};

/// The actors: `owner` wrote and owns what it is about; `author` is another author of the same team, `other` one of
/// another team; `admin` and `integration` hold their roles org-wide, `viewer` too, all others for the team; `token` is an
/// API token with all the scopes there are.
const ACTORS: &str = "viewer author other reviewer approver manager integration admin owner token";

const MUTATIONS: &str = "
apiTokenCreate    no     no     no    no       no       no      no          yes   no    no
apiTokenRevoke    no     no     no    no       no       no      no          yes   no    no
approvalDecide    hid    no     hid   yes      no       no      hid         no    no    no
approvalWithdraw  hid    no     hid   no       no       no      hid         no    yes   no
approvalsDecide   hid    no     hid   yes      no       no      hid         no    no   no
commentCreate     hid      yes      hid      yes      yes      yes      hid      no       yes   no
commentReopen     hid      yes      hid      yes      yes      yes      hid      no       yes   no
commentReply      hid      yes      hid      yes      yes      yes      hid      no       yes   no
commentResolve    hid      yes      hid      yes      yes      yes      hid      no       no   no
decisionWithdraw  hid    hid    hid   yes      hid      hid     hid         hid   hid   hid
delegationCreate  no     no     no    yes      no       no      no          no    no   no
delegationRevoke  hid    hid    hid   yes      hid      hid     hid         yes   hid   no
diagnosisAnswer   no     no     no    no       no       yes     no          no    yes   no
executionsRecord  no     no     no    no       no       no      yes         no    no    yes
grantCreate       no     no     no    no       no       no      no          yes   no    no
grantRevoke       no     no     no    no       no       no      no          yes   no    no
measurementPlanSet hid   yes    hid   no       no       no      hid         no    yes   no
policyCreate      no     no     no    no       no       yes     no          no    no   no
policyEnd         no     no     no    no       no       yes     no          no    no   no
policyUpdate      no     no     no    no       no       yes     no          no    no   no
processCreate     no     yes    no    no       no       yes     no          no    yes   yes
processUpdate     no     yes    no    no       no       yes     no          no    yes   no
roleCreate        no     no     no    no       no       no      no          yes   no    no
roleDelete        no     no     no    no       no       no      no          yes   no    no
roleUpdate        no     no     no    no       no       no      no          yes   no    no
sopCreate         no     yes    no    no       no       no      no          no    yes   no
sopHandOver       hid    no     hid   no       no       yes     hid         no    yes   no
sopRetire         no     no     no    no       no       no      no          no    yes   no
sopRevive         hid    no     hid   no       no       no      hid         no    yes   no
sopsHandOver      hid    no     hid   no       no       yes     hid         no    yes   no
teamCreate        no     no     no    no       no       no      no          yes   no    no
versionCreate     no     yes    no    no       no       no      no          no    yes   no
versionDiscard    hid    no     hid   no       no       no      hid         no    yes   no
versionEdit       hid    yes    hid   no       no       no      hid         no    yes   no
versionSubmit     hid    yes    hid   no       no       no      hid         no    yes   no
versionsSubmit    hid    yes    hid   no       no       no      hid         no    yes   no
";

/// Asked of an SOP in review that was never published, and of an execution of a published one.
const QUERIES: &str = "
apiTokens         no     no     no    no       no       no      no          yes   no    no
approvalFigures   no     no     no    no       no       yes     no          no    yes   yes
approvalRequest   hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
approvalRequests  hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
audit             no     no     no    no       no       yes     no          yes   no    yes
delegation        hid    hid    hid   yes      hid      hid     hid         yes   hid   yes
delegations       hid    hid    hid   yes      hid      hid     hid         yes   hid   yes
diagnosis         no     no     no    no       no       yes     no          no    yes   yes
diagnosisResponses no    no     no    no       no       yes     no          no    yes   yes
execution         hid    hid    hid   hid      hid      yes     hid         hid   yes   yes
executions        hid    hid    hid   hid      hid      yes     hid         hid   yes   yes
executionsKeptFrom yes   yes    yes   yes      yes      yes     yes         yes   yes   yes
explainAccess     hid    no     hid   no       yes      yes     hid         yes   no    yes
figures           no     no     no    no       no       yes     no          no    yes   yes
me                yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
node              hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
nodes             hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
person            yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
policies          yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
policy            yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
policyExplain     hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
policyPreview     hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
process           yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
processCoverage   yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
processes         yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
retirementImpact  hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
reviewComment     hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
reviewComments    hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
roles             yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
search            yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
sop               hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
sops              hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
stepErrors        no     no     no    no       no       yes     no          no    yes   yes
stepFunnel        no     no     no    no       no       yes     no          no    yes   yes
team              yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
teams             yes    yes    yes   yes      yes      yes     yes         yes   yes   yes
version           hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
versionDiff       hid    yes    hid   yes      yes      yes     hid         yes   yes   yes
versionImpact     no     no     no    no       no       yes     no          no    yes   yes
violationKinds    no     no     no    no       no       yes     no          no    yes   yes
";

/// A table as (operation, actor, answer).
fn rows(table: &'static str) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let row = |line: &'static str| {
        let mut cells = line.split_whitespace();
        let operation = cells.next().expect("an operation");
        let cells: Vec<_> = ACTORS.split_whitespace().zip(cells).collect();
        assert_eq!(cells.len(), 10, "{operation} has a cell for each actor");
        (operation, cells)
    };
    table.trim().lines().map(row).collect()
}

/// An API token with all scopes.
async fn token(admin: &Client, source: &str) -> Client {
    let all = ["EXECUTIONS_RECORD", "PROCESS_WRITE", "FIGURES_READ", "AUDIT_READ", "DRAFT_READ"];
    let made = admin.mutate(CREATE_TOKEN, json!({"input": token_terms(source, &all)})).await;
    admin.clone().bearing(&text(&made["secret"]))
}

/// The place, the actors, and a number for names that must differ.
struct Stage {
    place: Place,
    actors: Vec<(&'static str, Client)>,
    people: Vec<String>,
    made: usize,
    /// The policy of the team for material changes, where there is one.
    team_policy: Option<String>,
}

impl Stage {
    async fn set(world: &World) -> Self {
        let place = place(world).await;
        let actors = vec![
            ("viewer", place.viewer.clone()),
            ("author", world.client(&["author@ops"], "ada")),
            ("other", world.client(&["author@dev"], "otto")),
            ("reviewer", place.reviewer.clone()),
            ("approver", place.approver.clone()),
            ("manager", place.manager.clone()),
            ("integration", world.client(&["integration"], "ivy").with_source("pager")),
            ("admin", place.admin.clone()),
            ("owner", place.author.clone()),
            ("token", token(&place.admin, "pager").await),
        ];
        let mut people = Vec::new();
        for (_, actor) in &actors {
            people.push(text(&actor.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"]));
        }
        // Somebody else who reviews and approves, so that whoever submits can be decided on.
        for (role, name) in [("reviewer@ops", "rita"), ("approver@ops", "alan")] {
            let seen = world.client(&[role], name).ok("{ me { person { id } } }", json!({})).await;
            people.push(text(&seen["me"]["person"]["id"]));
        }
        Self { place, actors, people, made: 0, team_policy: None }
    }

    fn actor(&self, name: &str) -> &Client {
        &self.actors.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("no actor {name}")).1
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("thing-{}", self.made)
    }

    async fn process(&mut self) -> String {
        let name = self.name();
        process(&self.place.author, &json!(self.place.team), &name).await
    }

    async fn draft(&mut self) -> Draft {
        let process = self.process().await;
        draft(&self.place, &self.place.author, &process, "Reset a password").await
    }

    async fn published(&mut self) -> Draft {
        let made = self.draft().await;
        publish(&self.place, &self.place.author, &made).await;
        made
    }

    /// A right call of a mutation, on something made for it.
    async fn mutation(&mut self, operation: &str) -> (&'static str, Value) {
        let (team, ann) = (self.place.team.clone(), self.people[0].clone());
        match operation {
            "teamCreate" => (CREATE_TEAM, json!({"key": self.name(), "name": "Team"})),
            "processCreate" => (CREATE_PROCESS, json!({"key": self.name(), "name": "Process", "teamId": team})),
            "processUpdate" => {
                (UPDATE_PROCESS, json!({"id": self.process().await, "expectedRevision": 1, "horizon": "PT2H"}))
            }
            "grantCreate" | "grantRevoke" => self.grant(operation).await,
            "apiTokenCreate" => (CREATE_TOKEN, token_terms("tracker", &["FIGURES_READ"])),
            "apiTokenRevoke" => {
                let input = json!({"input": token_terms("tracker", &["FIGURES_READ"])});
                let made = self.place.admin.mutate(CREATE_TOKEN, input).await;
                (REVOKE_TOKEN, json!({"id": made["apiToken"]["id"]}))
            }
            "roleCreate" => (CREATE_ROLE, json!({"name": self.name(), "permissions": ["DRAFT_READ"]})),
            "roleUpdate" => {
                (UPDATE_ROLE, json!({"name": self.role().await, "expectedRevision": 1, "permissions": ["AUDIT_READ"]}))
            }
            "roleDelete" => (DELETE_ROLE, json!({"name": self.role().await})),
            "sopCreate" => {
                let input = json!({"processId": self.process().await, "teamId": team, "risk": "LOW", "content": content("Made")});
                (CREATE_SOP, input)
            }
            "sopRetire" => {
                let made = self.published().await;
                let revision = look(&self.place.author, &made.sop).await["revision"].clone();
                (RETIRE, json!({"id": made.sop, "expectedRevision": revision, "reason": "Gone."}))
            }
            "sopRevive" => {
                let made = self.draft().await;
                let input = json!({"id": made.version, "expectedRevision": 1, "reason": "Not yet."});
                let gone = self.place.author.mutate(DISCARD, json!({"input": input})).await;
                (REVIVE, json!({"id": made.sop, "expectedRevision": gone["sop"]["revision"]}))
            }
            "sopHandOver" => (HAND_OVER, json!({"id": self.draft().await.sop, "expectedRevision": 1, "ownerId": ann})),
            "versionCreate" => (CREATE_VERSION, json!({"sopId": self.published().await.sop})),
            "versionEdit" => {
                (EDIT, json!({"id": self.draft().await.version, "expectedRevision": 1, "content": content("Other")}))
            }
            "diagnosisAnswer" => {
                let key = self.name();
                let sop = troubled(&self.place, &key).await.sop;
                let input = json!({"sopId": sop, "finding": "TROUBLED_STEP", "stepKey": "reset", "response": "TRAIN"});
                (ANSWER_DIAGNOSIS, input)
            }
            "measurementPlanSet" => {
                let version = self.draft().await.version;
                (SET_PLAN, json!({"versionId": version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE"}))
            }
            "versionSubmit" => (SUBMIT, json!({"id": self.draft().await.version, "expectedRevision": 1})),
            "versionDiscard" => {
                (DISCARD, json!({"id": self.draft().await.version, "expectedRevision": 1, "reason": "No."}))
            }
            "approvalDecide" | "approvalWithdraw" | "decisionWithdraw" | "approvalsDecide" => {
                self.approval(operation).await
            }
            "versionsSubmit" => {
                (SUBMIT_MANY, json!({"items": [{"id": self.draft().await.version, "expectedRevision": 1}]}))
            }
            "sopsHandOver" => {
                let item = json!({"id": self.draft().await.sop, "expectedRevision": 1, "ownerId": ann});
                (HAND_OVER_MANY, json!({"items": [item]}))
            }
            "policyCreate" | "policyUpdate" | "policyEnd" => self.policy(operation).await,
            "delegationCreate" | "delegationRevoke" => self.delegation(operation).await,
            "commentCreate" | "commentReply" | "commentResolve" | "commentReopen" => self.comment(operation).await,
            "executionsRecord" => {
                let item = json!({"eventId": self.name(), "runId": self.name(), "process": "password-reset"});
                (RECORD, json!({"source": "pager", "mode": "LIVE", "executions": [item]}))
            }
            _ => panic!("no scenario for {operation}"),
        }
    }

    async fn grant(&mut self, operation: &str) -> (&'static str, Value) {
        let input = json!({"personId": self.people[0], "role": "viewer", "teamId": self.fresh_team().await});
        if operation == "grantCreate" {
            return (CREATE_GRANT, input);
        }
        let made = self.place.admin.mutate(CREATE_GRANT, json!({"input": input})).await;
        (REVOKE_GRANT, json!({"id": made["grant"]["id"]}))
    }

    async fn role(&mut self) -> String {
        let input = json!({"input": {"name": self.name(), "permissions": []}});
        text(&self.place.admin.mutate(CREATE_ROLE, input).await["role"]["name"])
    }

    async fn fresh_team(&mut self) -> Value {
        let input = json!({"input": {"key": self.name(), "name": "Team"}});
        self.place.admin.mutate(CREATE_TEAM, input).await["team"]["id"].clone()
    }

    async fn approval(&mut self, operation: &str) -> (&'static str, Value) {
        let made = self.draft().await;
        let request = submit(&self.place.author, &made).await;
        let decision = json!({"requestId": request, "verdict": "APPROVE", "contentHash": made.hash});
        match operation {
            "approvalWithdraw" => (WITHDRAW, json!({"requestId": request})),
            "approvalsDecide" => (DECIDE_MANY, json!({"items": [decision]})),
            "decisionWithdraw" => {
                self.two_reviewers().await;
                let made = self.draft().await;
                let request = submit(&self.place.author, &made).await;
                decide(&self.place.reviewer, &request, &made.hash, "APPROVE", "").await;
                self.no_policy().await;
                (WITHDRAW_DECISION, json!({"requestId": request}))
            }
            _ => (DECIDE, decision),
        }
    }

    /// While this policy of the team is in use, one review does not close the stage.
    async fn two_reviewers(&mut self) {
        let stages = json!([{"name": "Review", "role": "reviewer", "minApprovals": 2}]);
        let input = json!({"kind": "MATERIAL", "teamId": self.place.team, "stages": stages});
        let made = self.place.manager.mutate(CREATE_POLICY, json!({"input": input})).await;
        self.team_policy = Some(text(&made["policy"]["id"]));
    }

    async fn no_policy(&mut self) {
        let id = self.team_policy.take().expect("a policy of the team");
        self.place.manager.mutate(END_POLICY, json!({"input": {"id": id, "expectedRevision": 1}})).await;
    }

    /// A policy for the retirements of the team, once none is in the way.
    async fn policy(&mut self, operation: &str) -> (&'static str, Value) {
        self.end_made_policy().await;
        let stages = json!([{"name": "Approval", "role": "approver"}]);
        let input = json!({"kind": "RETIREMENT", "teamId": self.place.team, "stages": stages});
        if operation == "policyCreate" {
            return (CREATE_POLICY, input);
        }
        let made = self.place.manager.mutate(CREATE_POLICY, json!({"input": input})).await;
        let (id, expected) = (made["policy"]["id"].clone(), 1);
        if operation == "policyUpdate" {
            return (UPDATE_POLICY, json!({"id": id, "expectedRevision": expected, "stages": stages}));
        }
        (END_POLICY, json!({"id": id, "expectedRevision": expected}))
    }

    async fn end_made_policy(&mut self) {
        let all = self.place.admin.ok("{ policies { id kind revision team { id } } }", json!({})).await;
        for policy in all["policies"].as_array().expect("policies") {
            if policy["kind"] == "RETIREMENT" && policy["team"]["id"] == json!(self.place.team) {
                let input = json!({"id": policy["id"], "expectedRevision": policy["revision"]});
                self.place.manager.mutate(END_POLICY, json!({"input": input})).await;
            }
        }
    }

    async fn delegation(&mut self, operation: &str) -> (&'static str, Value) {
        // In force only later, so that nobody sees more by it meanwhile.
        let input = json!({"toId": self.people[10], "role": "reviewer", "reason": "leave",
            "startsAt": from_now(DAY), "endsAt": from_now(2 * DAY)});
        if operation == "delegationCreate" {
            return (CREATE_DELEGATION, input);
        }
        let made = self.place.reviewer.mutate(CREATE_DELEGATION, json!({"input": input})).await;
        (REVOKE_DELEGATION, json!({"id": made["delegation"]["id"]}))
    }

    async fn comment(&mut self, operation: &str) -> (&'static str, Value) {
        let made = self.draft().await;
        let input = json!({"versionId": made.version, "body": "Which form?"});
        if operation == "commentCreate" {
            return (CREATE_COMMENT, input);
        }
        let thread = self.place.reviewer.mutate(CREATE_COMMENT, json!({"input": input})).await["comment"]["id"].clone();
        match operation {
            "commentReply" => (REPLY, json!({"id": thread, "body": "The red one."})),
            "commentResolve" => (RESOLVE, json!({"id": thread})),
            _ => {
                self.place.reviewer.mutate(RESOLVE, json!({"input": {"id": thread}})).await;
                (REOPEN, json!({"id": thread}))
            }
        }
    }

    /// Queries about things made for them, each with what its answer contains for whoever may see that.
    async fn queries(&mut self) -> Vec<(&'static str, String, String)> {
        let (hidden, public) = (self.draft().await, self.published().await);
        let request = submit(&self.place.author, &hidden).await;
        let item = json!({"eventId": "e", "runId": "run-1", "sop": public.code,
            "team": "ops", "finishedAt": "2026-01-05T10:00:00Z", "outcome": "SUCCEEDED"});
        let batch = json!({"input": {"source": "pager", "mode": "BACKFILL", "executions": [item]}});
        let taken = self.actor("integration").mutate(RECORD, batch).await;
        assert_eq!(taken["results"][0]["status"], "CREATED", "{taken}");
        let Draft { sop, version, .. } = &hidden;
        let (execution, team) = (text(&taken["results"][0]["executionId"]), self.place.team.clone());
        let (person, process, amy) = (self.people[0].clone(), self.place.process.clone(), self.people[4].clone());
        let comment = json!({"input": {"versionId": version, "body": "Which form?"}});
        let comment = text(&self.place.reviewer.mutate(CREATE_COMMENT, comment).await["comment"]["id"]);
        let (_, input) = self.delegation("delegationCreate").await;
        let given = self.place.reviewer.mutate(CREATE_DELEGATION, json!({"input": input})).await;
        let delegation = text(&given["delegation"]["id"]);
        let q = |name: &'static str, query: &str, contains: &str| (name, format!("{{ {query} }}"), contains.to_owned());
        vec![
            q("apiTokens", "apiTokens { nodes { name } }", "pager (api)"),
            q("approvalFigures", "approvalFigures { requests }", "requests"),
            q("approvalRequest", &format!(r#"approvalRequest(id: "{request}") {{ id }}"#), &request),
            q("approvalRequests", "approvalRequests { nodes { id } }", &request),
            q("audit", "audit(first: 100) { nodes { object } }", sop),
            q("delegation", &format!(r#"delegation(id: "{delegation}") {{ id }}"#), &delegation),
            q("delegations", "delegations { nodes { id } }", &delegation),
            q("diagnosis", &format!(r#"diagnosis(sopId: "{}") {{ state }}"#, public.sop), "INSUFFICIENT"),
            q(
                "diagnosisResponses",
                &format!(r#"diagnosisResponses(sopId: "{}") {{ totalCount }}"#, public.sop),
                "totalCount",
            ),
            q("execution", &format!(r#"execution(by: {{id: "{execution}"}}) {{ id }}"#), &execution),
            q("executions", "executions { nodes { id } }", &execution),
            q("executionsKeptFrom", "executionsKeptFrom", "executionsKeptFrom"),
            q(
                "explainAccess",
                &format!(r#"explainAccess(personId: "{amy}", action: READ_SOP, on: {{sopId: "{sop}"}}) {{ allowed }}"#),
                "allowed",
            ),
            q("figures", "figures { runs }", "runs"),
            q("me", "me { person { id } }", "per_"),
            q("node", &format!(r#"node(id: "{version}") {{ id }}"#), version),
            q("nodes", &format!(r#"nodes(ids: ["{sop}"]) {{ id }}"#), sop),
            q("person", &format!(r#"person(id: "{person}") {{ id }}"#), &person),
            q("policies", "policies { kind }", "MATERIAL"),
            q("policy", r#"policy(id: "pol_01900000000070008000000000000001") { kind }"#, "MATERIAL"),
            q(
                "policyExplain",
                &format!(r#"policyExplain(sopId: "{sop}", kind: MATERIAL) {{ applies {{ kind }} }}"#),
                "MATERIAL",
            ),
            q(
                "policyPreview",
                &format!(r#"policyPreview(versionId: "{version}") {{ stages {{ stage {{ role }} }} }}"#),
                "reviewer",
            ),
            q("process", &format!(r#"process(by: {{id: "{process}"}}) {{ id }}"#), &process),
            q("processCoverage", "processCoverage { processes }", "processes"),
            q("processes", "processes { nodes { id } }", &process),
            q(
                "retirementImpact",
                &format!(r#"retirementImpact(sopId: "{sop}") {{ runningExecutions }}"#),
                "runningExecutions",
            ),
            q("reviewComment", &format!(r#"reviewComment(id: "{comment}") {{ id }}"#), &comment),
            q(
                "reviewComments",
                &format!(r#"reviewComments(filter: {{versionId: "{version}"}}) {{ nodes {{ id }} }}"#),
                &comment,
            ),
            q("roles", "roles { name }", "approver"),
            q("search", r#"search(text: "password") { nodes { sop { id } } }"#, &public.sop),
            q("sop", &format!(r#"sop(by: {{id: "{sop}"}}) {{ id }}"#), sop),
            q("sops", "sops { nodes { id } }", sop),
            q("stepErrors", "stepErrors { runsRead }", "runsRead"),
            q("stepFunnel", &format!(r#"stepFunnel(versionId: "{}") {{ runsRead }}"#, public.version), "runsRead"),
            q("team", r#"team(by: {key: "ops"}) { id }"#, &team),
            q("teams", "teams { id }", &team),
            q("version", &format!(r#"version(id: "{version}") {{ id }}"#), version),
            q(
                "versionImpact",
                &format!(r#"versionImpact(versionId: "{}") {{ maturesAt }}"#, public.version),
                "maturesAt",
            ),
            q("violationKinds", "violationKinds { totalCount }", "totalCount"),
            q("versionDiff", &format!(r#"versionDiff(from: "{version}", to: "{version}") {{ to {{ id }} }}"#), version),
        ]
    }
}

/// The root fields of `Query` or `Mutation`.
async fn root_fields(client: &Client, ty: &str) -> BTreeSet<String> {
    let query = "query($ty: String!) { __type(name: $ty) { fields { name } } }";
    let fields = client.ok(query, json!({"ty": ty})).await;
    fields["__type"]["fields"].as_array().expect("fields").iter().map(|f| text(&f["name"])).collect()
}

fn names(table: &'static str) -> BTreeSet<String> {
    rows(table).into_iter().map(|(operation, _)| operation.to_owned()).collect()
}

fn cell(code: Option<&str>) -> String {
    match code {
        None => "yes".to_owned(),
        Some("FORBIDDEN") => "no".to_owned(),
        Some("NOT_FOUND") => "hid".to_owned(),
        Some(other) => other.to_owned(),
    }
}

both! {
    async fn every_mutation(world: World) {
        let mut stage = Stage::set(&world).await;
        assert_eq!(names(MUTATIONS), root_fields(&stage.place.admin, "Mutation").await, "each mutation has its row");
        let mut wrong = Vec::new();
        for (operation, cells) in rows(MUTATIONS) {
            for (name, expected) in cells {
                let (query, input) = stage.mutation(operation).await;
                let answer = stage.actor(name).ok(query, json!({"input": input})).await;
                // Of several at once, the one item is answered for itself.
                let answered = &answer[operation];
                let answered = if answered["results"].is_array() && answered["userErrors"] == json!([]) {
                    &answered["results"][0]
                } else {
                    answered
                };
                let found = cell(answered["userErrors"][0]["code"].as_str());
                if found != expected {
                    wrong.push(format!("{operation} by {name}: {found} instead of {expected}: {answer}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn every_query(world: World) {
        let mut stage = Stage::set(&world).await;
        assert_eq!(names(QUERIES), root_fields(&stage.place.admin, "Query").await, "each query has its row");
        let queries = stage.queries().await;
        let mut wrong = Vec::new();
        for (operation, cells) in rows(QUERIES) {
            let (_, query, contains) = queries.iter().find(|(name, ..)| *name == operation).expect("a query");
            for (name, expected) in cells {
                let body = stage.actor(name).send(query, json!({})).await.body;
                let code = body["errors"][0]["extensions"]["code"].as_str();
                let shown = body["data"].to_string().contains(contains.as_str());
                let found = if code.is_none() && !shown { "hid".to_owned() } else { cell(code) };
                if found != expected {
                    wrong.push(format!("{operation} by {name}: {found} instead of {expected}: {body}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
