//! Anything by its id.

use serde_json::{Value, json};

use super::{fresh, fresh_published};
use crate::story::{
    ANSWER_DIAGNOSIS, CREATE_COMMENT, CREATE_DELEGATION, DAY, RECORD, from_now, place, submit, text, troubled,
};
use crate::support::{World, both};

const NODE: &str = "query($id: ID!) { node(id: $id) { __typename id } }";
const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

/// Queries that take one id, with what that is an id of.
const BY_ID: [(&str, &str); 11] = [
    ("query($id: ID!) { sop(by: {id: $id}) { id } }", "Sop"),
    ("query($id: ID!) { process(by: {id: $id}) { id } }", "Process"),
    ("query($id: ID!) { team(by: {id: $id}) { id } }", "Team"),
    ("query($id: ID!) { version(id: $id) { id } }", "Version"),
    ("query($id: ID!) { person(id: $id) { id } }", "Person"),
    ("query($id: ID!) { approvalRequest(id: $id) { id } }", "ApprovalRequest"),
    ("query($id: ID!) { execution(by: {id: $id}) { id } }", "Execution"),
    ("query($id: ID!) { policy(id: $id) { id } }", "Policy"),
    ("query($id: ID!) { delegation(id: $id) { id } }", "Delegation"),
    ("query($id: ID!) { reviewComment(id: $id) { id } }", "ReviewComment"),
    ("query($id: ID!) { versionDiff(from: $id, to: $id) { to { id } } }", "Version"),
];

/// The one object of an answer, whatever its field is called.
fn only(data: &Value) -> &Value {
    data.as_object().and_then(|fields| fields.values().next()).expect("one field")
}

both! {
    async fn are_found_by_every_kind_of_id(world: World) {
        let place = place(&world).await;
        let made = fresh(&place, "hidden", "Hidden").await;
        let request = submit(&place.author, &made).await;
        let person = text(&place.viewer.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"]);
        let pager = world.client(&["integration"], "pager").with_source("pager");
        let item = json!({"eventId": "e", "runId": "r", "process": "password-reset", "team": "ops"});
        let taken = pager.mutate(RECORD, json!({"input": {"source": "pager", "mode": "LIVE", "executions": [item]}})).await;
        let execution = text(&taken["results"][0]["executionId"]);
        let input = json!({"versionId": made.version, "body": "Which form?"});
        let comment = text(&place.reviewer.mutate(CREATE_COMMENT, json!({"input": input})).await["comment"]["id"]);
        let mia = text(&place.manager.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"]);
        let input = json!({"toId": mia, "role": "reviewer", "reason": "leave", "endsAt": from_now(DAY)});
        let delegation = text(&place.reviewer.mutate(CREATE_DELEGATION, json!({"input": input})).await["delegation"]["id"]);
        let ailing = troubled(&place, "ailing").await;
        let input = json!({"sopId": ailing.sop, "finding": "TROUBLED_STEP", "stepKey": "reset", "response": "TRAIN"});
        let answered = text(&place.manager.mutate(ANSWER_DIAGNOSIS, json!({"input": input})).await["response"]["id"]);
        let ids = [
            ("Sop", made.sop.clone()), ("Version", made.version.clone()), ("ApprovalRequest", request),
            ("Process", place.process.clone()), ("Team", place.team.clone()), ("Person", person), ("Execution", execution),
            ("Policy", "pol_01900000000070008000000000000001".to_owned()), ("Delegation", delegation), ("ReviewComment", comment),
            ("DiagnosisResponse", answered),
        ];
        let expected: Vec<Value> = ids.iter().map(|(ty, id)| json!({"__typename": ty, "id": id})).collect();
        for node in &expected {
            let found = place.manager.ok(NODE, json!({"id": node["id"]})).await;
            assert_eq!(&found["node"], node);
        }
        let all: Vec<&String> = ids.iter().map(|(_, id)| id).collect();
        assert_eq!(place.manager.ok(NODES, json!({"ids": all})).await["nodes"], json!(expected));
        let shown = place.viewer.ok(NODES, json!({"ids": all})).await["nodes"].clone();
        let hidden: Vec<bool> = shown.as_array().unwrap().iter().map(Value::is_null).collect();
        assert_eq!(hidden, [true, true, true, false, false, false, true, false, true, true, true], "what is hidden is null in its place: {shown}");

        for (query, ty) in BY_ID {
            for (kind, id) in &ids {
                if *kind == ty {
                    assert!(only(&place.manager.ok(query, json!({"id": id})).await).is_object(), "{query}");
                } else {
                    assert_eq!(place.manager.error_code(query, json!({"id": id})).await, "NOT_FOUND", "{query}: {id}");
                }
            }
        }
    }

    async fn that_are_none_are_not_found(world: World) {
        let place = place(&world).await;
        let nothing = format!("sop_{}", "0".repeat(32));
        assert_eq!(place.admin.ok(NODE, json!({"id": nothing})).await["node"], Value::Null);
        for id in ["nonsense", "", "grant_01900000000070008000000000000001", "SOP_00000000000000000000000000000000",
            "sop_00000000-0000-0000-0000-000000000000", "sop_\0"] {
            assert_eq!(place.admin.error_code(NODE, json!({"id": id})).await, "NOT_FOUND", "{id:?}");
        }
        assert_eq!(place.admin.error_code(NODES, json!({"ids": vec![nothing; 101]})).await, "BAD_USER_INPUT");
        assert_eq!(place.admin.ok(NODES, json!({"ids": []})).await["nodes"], json!([]));
    }

    async fn are_found_by_codes_and_keys_and_by_one_name_only(world: World) {
        let place = place(&world).await;
        let made = fresh_published(&place, "public", "Public").await;
        let query = "query($by: SopBy!) { sop(by: $by) { id } }";
        assert_eq!(place.viewer.ok(query, json!({"by": {"code": made.code}})).await["sop"]["id"], json!(made.sop));
        assert_eq!(place.viewer.ok(query, json!({"by": {"code": "OPS-9999"}})).await["sop"], Value::Null);
        for by in [json!({}), json!({"code": "A", "id": made.sop}), json!({"code": null}), json!({"title": "Public"})] {
            assert_eq!(place.viewer.error_code(query, json!({"by": by})).await, "BAD_USER_INPUT", "{by}");
        }
        let hidden = fresh(&place, "hidden", "Hidden").await;
        assert_eq!(place.viewer.ok(query, json!({"by": {"code": hidden.code}})).await["sop"], Value::Null);
    }

    async fn texts_that_no_database_stores_name_nothing(world: World) {
        let place = place(&world).await;
        let mut wrong = Vec::new();
        for query in [
            "query($t: String!) { sop(by: {code: $t}) { id } }",
            "query($t: String!) { process(by: {key: $t}) { id } }",
            "query($t: String!) { team(by: {key: $t}) { id } }",
            "query($t: String!) { execution(by: {run: {source: $t, runId: $t}}) { id } }",
            "query($t: String!) { executions(filter: {source: $t}) { nodes { id } } }",
            "query($t: String!) { audit(filter: {action: $t}) { nodes { seq } } }",
            "query($t: ID!) { audit(filter: {object: $t}) { nodes { seq } } }",
            "query($t: String!) { search(text: $t) { nodes { score } } }",
        ] {
            for text in ["\0", "a\0b", "\u{fffd}", "' OR 1=1 --", "%", "\"", "\u{1F4A9}"] {
                let answer = place.manager.send(query, json!({"t": text})).await;
                let code = answer.body["errors"][0]["extensions"]["code"].as_str();
                if code.is_some_and(|code| code != "BAD_USER_INPUT") {
                    wrong.push(format!("{text:?} in {query}: {}", answer.body));
                }
                assert!(!answer.body.to_string().contains("sop_"), "{query} {text:?}: {answer:?}");
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
