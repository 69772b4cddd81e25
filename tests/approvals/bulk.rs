//! Several at once: each for itself, in the order given, answered in its place.

use serde_json::{Value, json};

use crate::acts::{answer, draft_of};
use crate::story::{look, person, place, submit, text};
use crate::support::{Backend, World, both, literal};

const SUBMIT_ALL: &str =
    "mutation($input: VersionsSubmitInput!) { versionsSubmit(input: $input) { userErrors { code message path }
    results { version { id state } approvalRequest { id } userErrors { code message path currentRevision } } } }";
const DECIDE_ALL: &str =
    "mutation($input: ApprovalsDecideInput!) { approvalsDecide(input: $input) { userErrors { code message path }
    results { approvalRequest { id state } version { state } userErrors { code message path } } } }";
const HAND_OVER_ALL: &str =
    "mutation($input: SopsHandOverInput!) { sopsHandOver(input: $input) { userErrors { code message path }
    results { sop { id owner { name } } userErrors { code message path currentRevision } } } }";

/// The code of each item's refusal, or nothing where it was done.
fn codes(payload: &Value) -> Vec<String> {
    let results = payload["results"].as_array().unwrap().iter();
    results.map(|item| item["userErrors"][0]["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Has the database refuse every change of an SOP.
async fn fail_updates_of(world: &World, sop: &str) {
    let sop = literal(world, sop);
    let sql = match world.backend {
        Backend::Sqlite => format!(
            "CREATE TRIGGER broken BEFORE UPDATE ON sop WHEN NEW.id = {sop} BEGIN SELECT RAISE(ABORT, 'broken'); END"
        ),
        Backend::Postgres => format!(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.id = {sop} THEN RAISE 'broken'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER broken BEFORE UPDATE ON sop FOR EACH ROW EXECUTE FUNCTION broken()"
        ),
    };
    world.execute(&sql).await;
}

both! {
    async fn what_can_be_done_is_done_though_others_are_refused(world: World) {
        let place = place(&world).await;
        let mut drafts = Vec::new();
        for n in 0..4 {
            drafts.push(draft_of(&place, &format!("process-{n}"), &format!("Title {n}"), "LOW").await);
        }
        let item = |n: usize, revision: i64| json!({"id": drafts[n].version, "expectedRevision": revision});
        let nothing = json!({"id": place.process, "expectedRevision": 1});
        let items = json!([item(2, 1), item(0, 7), nothing, item(1, 1), item(2, 1), item(3, 1)]);
        let done = place.author.mutate(SUBMIT_ALL, json!({"input": {"items": items}})).await;
        // The second submission of the same version comes after the first.
        assert_eq!(codes(&done), ["", "CONFLICT", "NOT_FOUND", "", "CONFLICT", ""]);
        assert_eq!(done["results"][1]["userErrors"][0]["currentRevision"], 1);
        for (place, n) in [(0, 2), (3, 1), (5, 3)] {
            assert_eq!(done["results"][place]["version"], json!({"id": drafts[n].version, "state": "IN_REVIEW"}));
        }
        assert_eq!(done["results"][1]["version"], Value::Null);
        let requests = [0, 3, 5].map(|n| text(&done["results"][n]["approvalRequest"]["id"]));
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_request").await, 3);

        let one = |n: usize, hash: &str, verdict: &str| answer(&requests[n], hash, verdict, None)["input"].clone();
        let items = json!([
            one(1, &drafts[1].hash, "REJECT"), one(0, &drafts[2].hash, "APPROVE"), one(2, &drafts[1].hash, "APPROVE"),
            one(0, &drafts[2].hash, "APPROVE"), one(1, &drafts[1].hash, "APPROVE"), one(2, &drafts[3].hash, "APPROVE"),
        ]);
        let decided = place.reviewer.mutate(DECIDE_ALL, json!({"input": {"items": items}})).await;
        assert_eq!(codes(&decided), ["", "", "CONFLICT", "FORBIDDEN", "CONFLICT", ""], "{decided}");
        let states: Vec<&Value> = decided["results"].as_array().unwrap().iter().map(|r| &r["approvalRequest"]["state"]).collect();
        assert_eq!(states, [&json!("REJECTED"), &json!("OPEN"), &Value::Null, &Value::Null, &Value::Null, &json!("OPEN")]);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_decision").await, 3);
        // Each refusal of a decision is on record for itself.
        let refused = "{ audit(filter: {action: \"approval.refused\"}) { nodes { object } } }";
        let refused = place.admin.ok(refused, json!({})).await["audit"]["nodes"].clone();
        assert_eq!(refused, json!([{"object": requests[2]}, {"object": requests[0]}, {"object": requests[1]}]));
        // Nobody gets round the rules by asking for several: not the author, not for the whole of it.
        let own = json!([one(0, &drafts[2].hash, "APPROVE"), one(2, &drafts[3].hash, "APPROVE")]);
        let ann = world.client(&["author@ops", "approver@ops"], "ann");
        let own = ann.mutate(DECIDE_ALL, json!({"input": {"items": own}})).await;
        assert_eq!(codes(&own), ["FORBIDDEN", "FORBIDDEN"]);
    }

    async fn what_was_done_before_the_service_failed_is_told(world: World) {
        let place = place(&world).await;
        let mut items = Vec::new();
        let mut sops = Vec::new();
        let vic = person(&place.viewer).await;
        for n in 0..4 {
            let made = draft_of(&place, &format!("process-{n}"), &format!("Title {n}"), "LOW").await;
            items.push(json!({"id": made.sop, "expectedRevision": look(&place.author, &made.sop).await["revision"], "ownerId": vic}));
            sops.push(made.sop);
        }
        fail_updates_of(&world, &sops[2]).await;
        let answer = place.author.send(HAND_OVER_ALL, json!({"input": {"items": items}})).await;
        let results = answer.body["data"]["sopsHandOver"]["results"].as_array().unwrap().clone();
        let owners: Vec<&Value> = results.iter().map(|item| &item["sop"]["owner"]["name"]).collect();
        assert_eq!(owners, [&json!("vic"), &json!("vic"), &Value::Null, &Value::Null], "{answer:?}");
        assert!(results[2].is_null() && results[3].is_null(), "{results:?}");
        let errors = answer.body["errors"].as_array().unwrap().iter();
        let errors: Vec<_> = errors.map(|e| (e["path"].clone(), text(&e["extensions"]["code"]))).collect();
        let at = |n: usize| json!(["sopsHandOver", "results", n]);
        assert_eq!(errors, [(at(2), "INTERNAL".to_owned()), (at(3), "UNAVAILABLE".to_owned())]);
        let mut owned = Vec::new();
        for sop in &sops {
            owned.push(text(&look(&place.author, sop).await["owner"]["name"]));
        }
        assert_eq!(owned, ["vic", "vic", "ann", "ann"], "what is told is what is");
    }

    async fn hands_over_several(world: World) {
        let place = place(&world).await;
        let mut drafts = Vec::new();
        for n in 0..3 {
            drafts.push(draft_of(&place, &format!("process-{n}"), &format!("Title {n}"), "LOW").await);
        }
        let (vic, amy) = (person(&place.viewer).await, person(&place.approver).await);
        let mut revisions = Vec::new();
        for made in &drafts {
            revisions.push(look(&place.author, &made.sop).await["revision"].clone());
        }
        let item = |n: usize, to: &str| json!({"id": drafts[n].sop, "expectedRevision": revisions[n], "ownerId": to});
        let nobody = amy.split_once('_').map(|(kind, _)| format!("{kind}_{:0>32}", 1)).unwrap();
        let items = json!([item(1, &vic), item(0, &nobody), item(1, &amy), item(2, &amy)]);
        let done = place.author.mutate(HAND_OVER_ALL, json!({"input": {"items": items}})).await;
        // What the first gave away is not hers to give any more when it comes to the third.
        assert_eq!(codes(&done), ["", "NOT_FOUND", "FORBIDDEN", ""], "{done}");
        assert_eq!((&done["results"][0]["sop"]["owner"]["name"], &done["results"][3]["sop"]["owner"]["name"]), (&json!("vic"), &json!("amy")));
        assert_eq!(look(&place.author, &drafts[0].sop).await["owner"]["name"], "ann");
        let items = json!([item(0, &vic)]);
        let refused = place.approver.mutate(HAND_OVER_ALL, json!({"input": {"items": items}})).await;
        assert_eq!(codes(&refused), ["FORBIDDEN"]);
    }

    async fn takes_one_to_fifty_and_repeats_nothing(world: World) {
        let place = place(&world).await;
        let made = draft_of(&place, "one", "One", "LOW").await;
        let item = json!({"id": made.version, "expectedRevision": 1, "idempotencyKey": "k"});
        for n in [0, 51] {
            let refusal = place.author.refused(SUBMIT_ALL, json!({"input": {"items": vec![item.clone(); n]}})).await;
            assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "items".to_owned()));
        }
        assert_eq!(look(&place.author, &made.sop).await["openVersion"]["state"], "DRAFT");
        let done = place.author.mutate(SUBMIT_ALL, json!({"input": {"items": vec![item.clone(); 50]}})).await;
        let first = done["results"][0]["approvalRequest"]["id"].clone();
        assert!(first.is_string() && done["results"].as_array().unwrap().iter().all(|r| r["approvalRequest"]["id"] == first));
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM approval_request").await, 1);
        // An item's key is that of the mutation for one.
        let alone = submit_alone(&place.author, &item).await;
        assert_eq!(alone, first);
        assert_ne!(submit(&place.author, &draft_of(&place, "two", "Two", "LOW").await).await, text(&first));
    }
}

async fn submit_alone(who: &crate::support::Client, item: &Value) -> Value {
    who.mutate(crate::story::SUBMIT, json!({"input": item})).await["approvalRequest"]["id"].clone()
}
