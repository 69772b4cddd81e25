//! Who may call each operation. An operation without a row in one of the tables fails the test.
//!
//! `yes`: may. `no`: may not, and is told so. `hid`: it is answered as if what it is about did not exist.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::story::{
    CREATE_PROCESS, CREATE_SOP, CREATE_TEAM, CREATE_VERSION, DECIDE, DISCARD, Draft, EDIT, HAND_OVER, Place, RECORD,
    RETIRE, REVIVE, SUBMIT, WITHDRAW, content, draft, look, place, process, publish, submit, text,
};
use crate::support::{Client, World, both};

/// The actors: `owner` wrote and owns what it is about; `author` is another author of the same team, `other` one of
/// another team; `admin` and `integration` hold their roles org-wide, `viewer` too, all others for the team.
const ACTORS: &str = "viewer author other reviewer approver manager integration admin owner";

const MUTATIONS: &str = "
approvalDecide    hid    no     hid   yes      no       no      hid         no    no
approvalWithdraw  hid    no     hid   no       no       no      hid         no    yes
executionsRecord  no     no     no    no       no       no      yes         no    no
grantCreate       no     no     no    no       no       no      no          yes   no
grantRevoke       no     no     no    no       no       no      no          yes   no
processCreate     no     yes    no    no       no       yes     no          no    yes
sopCreate         no     yes    no    no       no       no      no          no    yes
sopHandOver       hid    no     hid   no       no       yes     hid         no    yes
sopRetire         no     no     no    no       no       no      no          no    yes
sopRevive         hid    no     hid   no       no       no      hid         no    yes
teamCreate        no     no     no    no       no       no      no          yes   no
versionCreate     no     yes    no    no       no       no      no          no    yes
versionDiscard    hid    no     hid   no       no       no      hid         no    yes
versionEdit       hid    yes    hid   no       no       no      hid         no    yes
versionSubmit     hid    yes    hid   no       no       no      hid         no    yes
";

/// Asked of an SOP in review that was never published, and of an execution of a published one.
const QUERIES: &str = "
approvalRequest   hid    yes    hid   yes      yes      yes     hid         yes   yes
approvalRequests  hid    yes    hid   yes      yes      yes     hid         yes   yes
audit             no     no     no    no       no       yes     no          yes   no
execution         hid    hid    hid   hid      hid      yes     hid         hid   yes
executions        hid    hid    hid   hid      hid      yes     hid         hid   yes
figures           no     no     no    no       no       yes     no          no    yes
me                yes    yes    yes   yes      yes      yes     yes         yes   yes
node              hid    yes    hid   yes      yes      yes     hid         yes   yes
nodes             hid    yes    hid   yes      yes      yes     hid         yes   yes
person            yes    yes    yes   yes      yes      yes     yes         yes   yes
policies          yes    yes    yes   yes      yes      yes     yes         yes   yes
process           yes    yes    yes   yes      yes      yes     yes         yes   yes
processes         yes    yes    yes   yes      yes      yes     yes         yes   yes
roles             yes    yes    yes   yes      yes      yes     yes         yes   yes
search            yes    yes    yes   yes      yes      yes     yes         yes   yes
sop               hid    yes    hid   yes      yes      yes     hid         yes   yes
sops              hid    yes    hid   yes      yes      yes     hid         yes   yes
team              yes    yes    yes   yes      yes      yes     yes         yes   yes
teams             yes    yes    yes   yes      yes      yes     yes         yes   yes
version           hid    yes    hid   yes      yes      yes     hid         yes   yes
versionDiff       hid    yes    hid   yes      yes      yes     hid         yes   yes
";

/// A table as (operation, actor, answer).
fn rows(table: &'static str) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let row = |line: &'static str| {
        let mut cells = line.split_whitespace();
        let operation = cells.next().expect("an operation");
        let cells: Vec<_> = ACTORS.split_whitespace().zip(cells).collect();
        assert_eq!(cells.len(), 9, "{operation} has a cell for each actor");
        (operation, cells)
    };
    table.trim().lines().map(row).collect()
}

/// The place, the actors, and a number for names that must differ.
struct Stage {
    place: Place,
    actors: Vec<(&'static str, Client)>,
    people: Vec<String>,
    made: usize,
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
        ];
        let mut people = Vec::new();
        for (_, actor) in &actors {
            people.push(text(&actor.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"]));
        }
        // Somebody else who reviews and approves, so that whoever submits can be decided on.
        for (role, name) in [("reviewer@ops", "rita"), ("approver@ops", "alan")] {
            world.client(&[role], name).ok("{ me { source } }", json!({})).await;
        }
        Self { place, actors, people, made: 0 }
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
            "grantCreate" | "grantRevoke" => self.grant(operation).await,
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
            "versionSubmit" => (SUBMIT, json!({"id": self.draft().await.version, "expectedRevision": 1})),
            "versionDiscard" => {
                (DISCARD, json!({"id": self.draft().await.version, "expectedRevision": 1, "reason": "No."}))
            }
            "approvalDecide" | "approvalWithdraw" => self.approval(operation).await,
            "executionsRecord" => {
                let item = json!({"eventId": self.name(), "runId": self.name(), "process": "password-reset"});
                (RECORD, json!({"source": "pager", "mode": "LIVE", "executions": [item]}))
            }
            _ => panic!("no scenario for {operation}"),
        }
    }

    async fn grant(&mut self, operation: &str) -> (&'static str, Value) {
        let create = "mutation($input: GrantCreateInput!) { grantCreate(input: $input) { grant { id } userErrors { code message } } }";
        let revoke = "mutation($input: GrantRevokeInput!) { grantRevoke(input: $input) { revokedId userErrors { code message } } }";
        let input = json!({"personId": self.people[0], "role": "viewer", "teamId": self.fresh_team().await});
        if operation == "grantCreate" {
            return (create, input);
        }
        let made = self.place.admin.mutate(create, json!({"input": input})).await;
        (revoke, json!({"id": made["grant"]["id"]}))
    }

    async fn fresh_team(&mut self) -> Value {
        let input = json!({"input": {"key": self.name(), "name": "Team"}});
        self.place.admin.mutate(CREATE_TEAM, input).await["team"]["id"].clone()
    }

    async fn approval(&mut self, operation: &str) -> (&'static str, Value) {
        let made = self.draft().await;
        let request = submit(&self.place.author, &made).await;
        if operation == "approvalWithdraw" {
            return (WITHDRAW, json!({"requestId": request}));
        }
        (DECIDE, json!({"requestId": request, "verdict": "APPROVE", "contentHash": made.hash}))
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
        let (person, process) = (self.people[0].clone(), self.place.process.clone());
        let q = |name: &'static str, query: &str, contains: &str| (name, format!("{{ {query} }}"), contains.to_owned());
        vec![
            q("approvalRequest", &format!(r#"approvalRequest(id: "{request}") {{ id }}"#), &request),
            q("approvalRequests", "approvalRequests { nodes { id } }", &request),
            q("audit", "audit(first: 100) { nodes { object } }", sop),
            q("execution", &format!(r#"execution(by: {{id: "{execution}"}}) {{ id }}"#), &execution),
            q("executions", "executions { nodes { id } }", &execution),
            q("figures", "figures { runs }", "runs"),
            q("me", "me { person { id } }", "per_"),
            q("node", &format!(r#"node(id: "{version}") {{ id }}"#), version),
            q("nodes", &format!(r#"nodes(ids: ["{sop}"]) {{ id }}"#), sop),
            q("person", &format!(r#"person(id: "{person}") {{ id }}"#), &person),
            q("policies", "policies { kind }", "MATERIAL"),
            q("process", &format!(r#"process(by: {{id: "{process}"}}) {{ id }}"#), &process),
            q("processes", "processes { nodes { id } }", &process),
            q("roles", "roles { name }", "approver"),
            q("search", r#"search(text: "password") { nodes { sop { id } } }"#, &public.sop),
            q("sop", &format!(r#"sop(by: {{id: "{sop}"}}) {{ id }}"#), sop),
            q("sops", "sops { nodes { id } }", sop),
            q("team", r#"team(by: {key: "ops"}) { id }"#, &team),
            q("teams", "teams { id }", &team),
            q("version", &format!(r#"version(id: "{version}") {{ id }}"#), version),
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
                let found = cell(answer[operation]["userErrors"][0]["code"].as_str());
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
