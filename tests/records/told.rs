//! What a record tells.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Signed, checked, page, record};
use crate::story::text;
use crate::support::{World, both};

/// The documented form: the first column of the table in `docs/signed-record.md`.
fn documented() -> BTreeSet<String> {
    let page = include_str!("../../docs/signed-record.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(path, _)| path.to_owned()).collect()
}

/// Every path of keys in a value; what the document itself holds is the schema's `Content`.
fn paths(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if prefix != "content.document" => {
            for (key, value) in fields {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{prefix}[]"), found)),
        _ => {}
    }
}

fn decisions(passage: &Value) -> Vec<Value> {
    passage["stages"].as_array().unwrap().iter().flat_map(|s| s["decisions"].as_array().unwrap().clone()).collect()
}

both! {
    async fn it_tells_every_decision_with_name_time_and_meaning(world: World) {
        let signed = Signed::make(&world).await;
        let (first, place) = (&signed.first, &signed.place);
        let record = record(&world, &place.author, &first.version).await;
        assert_eq!(record["passagesShown"], "ALL");
        assert_eq!(record["producedBy"]["name"], "ann");
        assert_eq!(record["producedWith"], json!({"name": "Sopwith", "version": env!("CARGO_PKG_VERSION")}));
        assert_eq!((&record["sop"]["code"], &record["sop"]["owner"]["name"]), (&json!("OPS-0001"), &json!("ann")));
        let version = &record["version"];
        assert_eq!((&version["label"], &version["state"]), (&json!("1.0"), &json!("SUPERSEDED")));
        assert_eq!(version["contributors"].as_array().unwrap().len(), 1);
        assert_eq!(version["submittedBy"]["name"], "ann");

        let passages = record["passages"].as_array().unwrap();
        assert_eq!(passages.iter().map(|p| &p["state"]).collect::<Vec<_>>(), ["REJECTED", "APPROVED"]);
        assert_eq!((text(&passages[0]["contentHash"]), text(&passages[1]["contentHash"])), (signed.rejected.clone(), first.hash.clone()));
        let told: Vec<Value> = passages.iter().flat_map(decisions).map(|d| {
            json!([d["signer"]["name"], d["verdict"], d["meaning"], d["role"], d["comment"], d["onBehalfOf"]["person"]["name"], d["withdrawnAt"].is_string()])
        }).collect();
        assert_eq!(told, [
            json!(["rob", "APPROVE", "REVIEWED", "reviewer", "too fast", null, true]),
            json!(["rob", "REJECT", "REVIEWED", "reviewer", "step 2 is unclear", null, false]),
            json!(["rob", "APPROVE", "REVIEWED", "reviewer", "reads well", null, false]),
            json!(["rex", "APPROVE", "REVIEWED", "reviewer", "", null, false]),
            json!(["dan", "APPROVE", "VERIFIED_COMPLIANCE", "approver", "for Amy", "amy", false]),
        ]);
        let all: Vec<Value> = passages.iter().flat_map(decisions).collect();
        assert_eq!(all[4]["onBehalfOf"]["delegationId"], json!(signed.delegation));
        assert!(all[0]["authTime"].is_string() && all[4]["authTime"].is_null(), "{all:?}");
        for (n, decision) in all.iter().enumerate() {
            assert_eq!(text(&decision["contentHash"]), if n < 2 { &signed.rejected } else { &first.hash }.clone());
            let at = chrono::DateTime::parse_from_rfc3339(decision["decidedAt"].as_str().unwrap()).unwrap();
            assert!(decision["decidedAt"].as_str().unwrap().ends_with('Z') && (chrono::Utc::now() - at.to_utc()).num_minutes() < 10);
        }
    }

    async fn it_is_linked_to_the_audit_chain(world: World) {
        let signed = Signed::make(&world).await;
        let record = record(&world, &signed.place.viewer, &signed.first.version).await;
        let query = "query($object: ID!) { audit(filter: {object: $object}, first: 100) { nodes { seq hash action newValue } } }";
        let chain = async |object: &Value| signed.place.admin.ok(query, json!({"object": object})).await["audit"]["nodes"].as_array().unwrap().clone();
        let passage = &record["passages"][0];
        let entries = chain(&passage["id"]).await;
        let found = decisions(passage);
        assert_eq!(found.len(), 3);
        for decision in found {
            let entry = entries.iter().find(|e| e["newValue"]["decision"] == decision["id"]).unwrap();
            assert_eq!(decision["entry"], json!({"seq": entry["seq"], "hash": entry["hash"]}));
        }
        let entries = chain(&record["version"]["id"]).await;
        for (field, action) in [("publishedEntry", "version.published"), ("endedEntry", "version.superseded")] {
            let entry = entries.iter().find(|e| e["action"] == action).unwrap();
            assert_eq!(record["version"][field], json!({"seq": entry["seq"], "hash": entry["hash"]}));
        }
    }

    async fn its_hash_can_be_computed_by_anyone(world: World) {
        let signed = Signed::make(&world).await;
        for version in [&signed.first, &signed.second] {
            let json = record(&world, &signed.place.viewer, &version.version).await;
            let found = checked(&json, &page(&world, &signed.place.viewer, &version.version).await);
            assert_eq!((&found["hash"], &json["content"]["hashVerified"]), (&json!(version.hash), &json!(true)));
        }
    }

    async fn a_change_of_the_stored_content_is_told(world: World) {
        let signed = Signed::make(&world).await;
        let (viewer, version) = (&signed.place.viewer, &signed.first.version);
        assert!(!page(&world, viewer, version).await.contains("NOT the hash"));
        let armed = match world.backend {
            crate::support::Backend::Sqlite => "DROP TRIGGER content_no_update",
            crate::support::Backend::Postgres => "ALTER TABLE content DISABLE TRIGGER ALL",
        };
        world.execute(armed).await;
        world.execute(&format!("UPDATE content SET document = REPLACE(document, 'Reset the', 'Forget the') WHERE hash = '{}'", signed.first.hash)).await;
        let json = record(&world, viewer, version).await;
        assert_eq!((&json["content"]["hashVerified"], &json["content"]["hash"]), (&json!(false), &json!(signed.first.hash)));
        let page = page(&world, viewer, version).await;
        assert!(page.contains("NOT the hash") && page.contains("Forget the password"), "{page}");
    }

    async fn its_history_goes_up_to_the_version(world: World) {
        let signed = Signed::make(&world).await;
        let history = async |version: &str| {
            let record = record(&world, &signed.place.viewer, version).await;
            let row = |c: &Value| json!([c["label"], c["kind"], c["what"], c["why"], c["publishedAt"].is_string()]);
            record["history"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
        };
        let first = json!(["1.0", "MATERIAL", "First version", "There was none.", true]);
        assert_eq!(history(&signed.first.version).await, std::slice::from_ref(&first));
        assert_eq!(history(&signed.second.version).await, [first, json!(["1.1", "EDITORIAL", "Wording", "It read badly.", true])]);
    }

    async fn its_json_is_as_documented(world: World) {
        let signed = Signed::make(&world).await;
        let record = record(&world, &signed.place.author, &signed.first.version).await;
        assert_eq!(record["format"], "sopwith.signed-record/1");
        let mut found = BTreeSet::new();
        paths(&record, "", &mut found);
        let documented = documented();
        assert!(documented.len() > 80, "{documented:?}");
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        assert_eq!((only(&found, &documented), only(&documented, &found)), (vec![], vec![]), "not documented; not found");
    }

    async fn a_retired_version_tells_who_retired_it_to_those_who_see_drafts(world: World) {
        let place = crate::story::place(&world).await;
        let made = crate::story::published(&place, "Reset a password").await;
        let revision = crate::story::look(&place.author, &made.sop).await["revision"].clone();
        let input = json!({"id": made.sop, "expectedRevision": revision, "reason": "Single sign-on came."});
        let asked = place.author.mutate(crate::story::RETIRE, json!({"input": input})).await["approvalRequest"].clone();
        crate::story::decide(&place.approver, &text(&asked["id"]), &text(&asked["contentHash"]), "APPROVE", "").await;
        let seen = record(&world, &place.author, &made.version).await;
        assert_eq!((&seen["version"]["state"], &seen["passages"][1]["purpose"]), (&json!("RETIRED"), &json!("RETIREMENT")));
        assert_eq!(seen["passages"][1]["reason"], "Single sign-on came.");
        assert_eq!(decisions(&seen["passages"][1])[0]["signer"]["name"], "amy");
        assert!(seen["version"]["endedEntry"]["seq"].is_i64());
        checked(&seen, &page(&world, &place.author, &made.version).await);
        let seen = record(&world, &place.viewer, &made.version).await;
        assert_eq!(seen["passages"].as_array().unwrap().len(), 1);
    }
}
