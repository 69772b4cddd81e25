//! The same request twice makes one object.

use serde_json::{Value, json};

use crate::acts::{answer, delegate};
use crate::story::{
    ANSWER_DIAGNOSIS, CREATE_COMMENT, CREATE_DELEGATION, CREATE_GRANT, CREATE_POLICY, CREATE_PROCESS, CREATE_ROLE,
    CREATE_SOP, CREATE_TEAM, CREATE_TOKEN, CREATE_VERSION, DAY, DECIDE, DISCARD, Place, REPLY, RETIRE, REVIVE,
    REVOKE_DELEGATION, SUBMIT, content, from_now, look, person, place, process, submit, text, troubled,
};
use crate::support::{Client, World, both};

/// A mutation that creates: who sends it, its input, a change of that, and where the id of what it made stands.
struct Case {
    query: &'static str,
    who: Client,
    input: Value,
    other: Value,
    made: &'static str,
    table: &'static str,
}

impl Case {
    /// The input with a key.
    fn keyed(&self, key: &str) -> Value {
        let mut input = self.input.clone();
        input["idempotencyKey"] = json!(key);
        json!({"input": input})
    }

    /// Another input with the same key.
    fn changed(&self, key: &str) -> Value {
        let mut input = self.keyed(key);
        for (name, value) in self.other.as_object().expect("an object") {
            input["input"][name] = value.clone();
        }
        input
    }

    fn id(&self, payload: &Value) -> String {
        text(payload.pointer(self.made).unwrap_or_else(|| panic!("no {} in {payload}", self.made)))
    }
}

async fn cases(place: &Place) -> Vec<Case> {
    let (admin, author) = (&place.admin, &place.author);
    let person = author.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"].clone();
    let documented = process(author, &json!(place.team), "documented").await;
    let public = super::fresh_published(place, "public", "Public").await;
    let retired = super::fresh(place, "retired", "Retired").await;
    let input = json!({"id": retired.version, "expectedRevision": 1, "reason": "no"});
    let gone = author.mutate(DISCARD, json!({"input": input})).await;
    let case =
        |query, who: &Client, input, other, made, table| Case { query, who: who.clone(), input, other, made, table };
    let sop = json!({"processId": documented, "teamId": place.team, "risk": "LOW", "content": content("Made")});
    let revive = json!({"id": retired.sop, "expectedRevision": gone["sop"]["revision"]});
    let submitted = super::fresh(place, "submitted", "Submitted").await;
    let submission = json!({"id": submitted.version, "expectedRevision": 1});
    let decided = super::fresh(place, "decided", "Decided").await;
    let request = submit(author, &decided).await;
    let open = super::fresh(place, "commented", "Commented").await;
    let input = json!({"versionId": open.version, "body": "Which form?"});
    let thread = place.reviewer.mutate(CREATE_COMMENT, json!({"input": input})).await["comment"]["id"].clone();
    let ailing = troubled(place, "ailing").await;
    let leaving = super::fresh_published(place, "leaving", "Leaving").await;
    let retirement =
        json!({"id": leaving.sop, "expectedRevision": look(author, &leaving.sop).await["revision"], "reason": "gone"});
    vec![
        case(CREATE_TEAM, admin, json!({"key": "dev", "name": "Dev"}), json!({"name": "Devs"}), "/team/id", "team"),
        case(
            CREATE_GRANT,
            admin,
            json!({"personId": person, "role": "viewer"}),
            json!({"role": "manager"}),
            "/grant/id",
            "role_grant",
        ),
        case(
            CREATE_TOKEN,
            admin,
            crate::story::token_terms("tickets", &["FIGURES_READ"]),
            json!({"scopes": ["AUDIT_READ"]}),
            "/apiToken/id",
            "api_token",
        ),
        case(
            CREATE_ROLE,
            admin,
            json!({"name": "qa", "permissions": []}),
            json!({"permissions": ["AUDIT_READ"]}),
            "/role/name",
            "role",
        ),
        case(
            CREATE_PROCESS,
            author,
            json!({"key": "p", "name": "P", "teamId": place.team}),
            json!({"name": "Q"}),
            "/process/id",
            "process",
        ),
        case(CREATE_SOP, author, sop, json!({"risk": "HIGH"}), "/sop/id", "sop"),
        case(
            CREATE_VERSION,
            author,
            json!({"sopId": public.sop}),
            json!({"kind": "EDITORIAL"}),
            "/version/id",
            "version",
        ),
        case(REVIVE, author, revive, json!({"basedOnId": retired.version}), "/version/id", "version"),
        case(SUBMIT, author, submission, json!({"expectedRevision": 2}), "/approvalRequest/id", "approval_request"),
        case(
            DECIDE,
            &place.reviewer,
            json!({"requestId": request, "contentHash": decided.hash, "verdict": "APPROVE"}),
            json!({"comment": "looks fine"}),
            "/approvalRequest/id",
            "approval_decision",
        ),
        case(
            CREATE_POLICY,
            &place.manager,
            json!({"kind": "EDITORIAL", "teamId": place.team, "stages": [{"name": "Approval", "role": "approver"}]}),
            json!({"requiresResolvedComments": true}),
            "/policy/id",
            "policy",
        ),
        case(
            CREATE_DELEGATION,
            &place.approver,
            json!({"toId": person, "role": "approver", "reason": "leave", "endsAt": from_now(DAY)}),
            json!({"reason": "illness"}),
            "/delegation/id",
            "delegation",
        ),
        case(
            CREATE_COMMENT,
            &place.reviewer,
            json!({"versionId": decided.version, "body": "Which form?"}),
            json!({"body": "Which colour?"}),
            "/comment/id",
            "review_comment",
        ),
        case(
            REPLY,
            &place.reviewer,
            json!({"id": thread, "body": "The red one."}),
            json!({"body": "The blue one."}),
            "/comment/id",
            "review_comment",
        ),
        case(
            ANSWER_DIAGNOSIS,
            &place.manager,
            json!({"sopId": ailing.sop, "finding": "TROUBLED_STEP", "stepKey": "reset", "response": "REWRITE_STEP"}),
            json!({"note": "The console has moved."}),
            "/response/id",
            "diagnosis_response",
        ),
        case(RETIRE, author, retirement, json!({"reason": "another"}), "/approvalRequest/id", "approval_request"),
    ]
}

async fn count(world: &World, table: &str) -> i64 {
    world.query_i64(&format!("SELECT COUNT(*) FROM {table}")).await
}

both! {
    async fn every_mutation_that_creates_takes_a_key(world: World) {
        let place = place(&world).await;
        let cases = cases(&place).await;
        let query = "{ __schema { types { name inputFields { name } } } }";
        let types = place.admin.ok(query, json!({})).await["__schema"]["types"].take();
        let with_key = types.as_array().unwrap().iter().filter(|ty| {
            ty["inputFields"].as_array().is_some_and(|fields| fields.iter().any(|f| f["name"] == "idempotencyKey"))
        });
        assert_eq!(with_key.count(), cases.len(), "each is tried here");
        for case in &cases {
            let before = count(&world, case.table).await;
            let first = case.who.mutate(case.query, case.keyed("one")).await;
            let second = case.who.mutate(case.query, case.keyed("one")).await;
            assert_eq!(case.id(&first), case.id(&second), "{}", case.query);
            assert_eq!(count(&world, case.table).await, before + 1, "{}", case.query);
            let audited = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
            let refusal = case.who.refused(case.query, case.changed("one")).await;
            assert_eq!(refusal.code, "CONFLICT", "{}: {refusal:?}", case.query);
            assert_eq!(count(&world, case.table).await, before + 1, "{}", case.query);
            // That somebody tried to decide otherwise is on record, like every attempt.
            let expected = audited + i64::from(case.query == DECIDE);
            assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, expected, "{}", case.query);
        }
    }

    async fn also_eight_times_at_once(world: World) {
        let place = place(&world).await;
        let mut wrong = Vec::new();
        for case in cases(&place).await {
            let before = count(&world, case.table).await;
            let mut all = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let (who, query, input) = (case.who.clone(), case.query, case.keyed("race"));
                all.spawn(async move { who.ok(query, input).await });
            }
            let answers = all.join_all().await;
            let mut made: Vec<Option<&str>> = answers
                .iter()
                .map(|data| data.as_object().and_then(|fields| fields.values().next()?.pointer(case.made)?.as_str()))
                .collect();
            made.dedup();
            if made.len() != 1 || made[0].is_none() {
                wrong.push(format!("{}: {made:?}: {answers:?}", case.query));
            }
            assert_eq!(count(&world, case.table).await, before + 1, "{}", case.query);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn also_when_the_first_time_took_the_right_away(world: World) {
        // Whoever decides by a delegation alone sees a request as long as it is open.
        let place = place(&world).await;
        let dora = world.client(&["viewer"], "dora");
        let delegation = delegate(&place.reviewer, &person(&dora).await, "reviewer").await;
        let made = super::fresh(&place, "rejected", "Rejected").await;
        let request = submit(&place.author, &made).await;
        let mut input = answer(&request, &made.hash, "REJECT", Some(&person(&place.reviewer).await));
        input["input"]["idempotencyKey"] = json!("once");
        for _ in 0..2 {
            dora.mutate(DECIDE, input.clone()).await;
        }
        assert_eq!(dora.ok("query($id: ID!) { approvalRequest(id: $id) { id } }", json!({"id": request})).await["approvalRequest"], Value::Null);
        assert_eq!(count(&world, "approval_decision").await, 1);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry WHERE action = 'approval.refused'").await, 0);
        // The same key is nobody else's way to learn of it.
        assert_eq!(place.viewer.refused(DECIDE, input.clone()).await.code, "NOT_FOUND");
        // Nor is a key that is used up or no key at all: what is hidden is answered as what does not exist.
        place.reviewer.mutate(REVOKE_DELEGATION, json!({"input": {"id": delegation}})).await;
        let hidden = super::fresh(&place, "hidden", "Hidden").await;
        let hidden = submit(&place.author, &hidden).await;
        let nothing = format!("{}_{}", hidden.split_once('_').unwrap().0, "0".repeat(32));
        for (key, code) in [("once", "CONFLICT"), ("", "INVALID"), ("new", "NOT_FOUND")] {
            let mut answers = Vec::new();
            for request in [&hidden, &nothing] {
                input["input"]["requestId"] = json!(request);
                input["input"]["idempotencyKey"] = json!(key);
                input["input"]["onBehalfOfId"] = Value::Null;
                let refusal = dora.refused(DECIDE, input.clone()).await;
                answers.push((refusal.code, refusal.message));
            }
            assert_eq!((answers[0].0.as_str(), &answers[0]), (code, &answers[1]), "{key}");
        }
    }

    async fn keys_are_each_persons_and_each_operations_own(world: World) {
        let place = place(&world).await;
        let colleague = world.client(&["author@ops"], "ada");
        let process = |key: &str| json!({"input": {"key": key, "name": "P", "teamId": place.team, "idempotencyKey": "same"}});
        let first = place.author.mutate(CREATE_PROCESS, process("first")).await;
        let second = colleague.mutate(CREATE_PROCESS, process("second")).await;
        assert_ne!(first["process"]["id"], second["process"]["id"]);
        let input = json!({"processId": first["process"]["id"], "teamId": place.team, "risk": "LOW",
            "content": content("Made"), "idempotencyKey": "same"});
        place.author.mutate(CREATE_SOP, json!({"input": input})).await;
        // What was refused is not remembered.
        let refused = json!({"input": {"key": "first", "name": "P", "teamId": place.team, "idempotencyKey": "again"}});
        assert_eq!(place.author.refused(CREATE_PROCESS, refused).await.code, "CONFLICT");
        let right = json!({"input": {"key": "third", "name": "P", "teamId": place.team, "idempotencyKey": "again"}});
        place.author.mutate(CREATE_PROCESS, right).await;
    }
}
