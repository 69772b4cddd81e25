//! Policies as data: made, changed, ended, explained, previewed.

use serde_json::{Value, json};

use crate::acts::{boss, default_policy, draft_of, stage};
use crate::story::{
    CREATE_POLICY, CREATE_TEAM, END_POLICY, SUBMIT, UPDATE_POLICY, draft, number, person, place, submit, text,
};
use crate::support::{Client, World, both};

const EXPLAIN: &str = "query($id: ID!, $kind: PolicyKind!) { policyExplain(sopId: $id, kind: $kind) {
    applies { id } considered { fit policy { id } } } }";
const PREVIEW: &str = "query($id: ID!) { policyPreview(versionId: $id) { policy { id } missing { stage message }
    stages { current stage { name role minApprovals } couldDecide { name } } } }";

fn policy(kind: &str, team: Option<&str>, risk: Option<&str>) -> Value {
    json!({"input": {"kind": kind, "teamId": team, "risk": risk, "stages": [stage("Approval", "approver", 1)]}})
}

/// Which policy applies, and the fit of each that was looked at.
async fn explained(who: &Client, sop: &str, kind: &str) -> (String, Vec<(String, String)>) {
    let found = who.ok(EXPLAIN, json!({"id": sop, "kind": kind})).await["policyExplain"].clone();
    let considered = found["considered"].as_array().unwrap().iter();
    let fits = considered.map(|c| (text(&c["policy"]["id"]), text(&c["fit"]))).collect();
    (text(&found["applies"]["id"]), fits)
}

/// Who could decide in each stage, by name.
fn names(stages: &Value) -> Vec<Vec<String>> {
    let of = |stage: &Value| {
        let mut names: Vec<String> =
            stage["couldDecide"].as_array().unwrap().iter().map(|p| text(&p["name"])).collect();
        names.sort();
        names
    };
    stages.as_array().unwrap().iter().map(of).collect()
}

both! {
    async fn are_made_once_for_each_kind_team_and_risk(world: World) {
        let place = place(&world).await;
        let boss = boss(&world);
        let team = Some(place.team.as_str());
        let mut made = Vec::new();
        for (team, risk) in [(team, None), (None, Some("HIGH")), (team, Some("HIGH")), (None, Some("LOW"))] {
            made.push(boss.mutate(CREATE_POLICY, policy("MATERIAL", team, risk)).await["policy"].clone());
            assert_eq!(boss.refused(CREATE_POLICY, policy("MATERIAL", team, risk)).await.code, "CONFLICT");
            boss.mutate(CREATE_POLICY, policy("EDITORIAL", team, risk)).await;
        }
        assert_eq!(boss.refused(CREATE_POLICY, policy("MATERIAL", None, None)).await.code, "CONFLICT", "the built-in one");
        assert_eq!(made[2]["team"]["key"], "ops");
        assert_eq!((&made[2]["risk"], &made[2]["revision"], &made[2]["endedAt"]), (&json!("HIGH"), &json!(1), &Value::Null));
        assert_eq!(made[2]["stages"], json!([{"name": "Approval", "role": "approver", "minApprovals": 1, "scope": "TEAM",
            "meaning": "APPROVED", "maxAuthAge": null}]));
        // Once it is ended, there is room for another; the ended one is kept, and neither changed nor ended again.
        let end = json!({"input": {"id": made[2]["id"], "expectedRevision": 1}});
        let ended = boss.mutate(END_POLICY, end.clone()).await;
        assert!(ended["policy"]["endedAt"].is_string());
        assert_eq!(boss.refused(END_POLICY, end).await.code, "CONFLICT");
        let input = json!({"id": made[2]["id"], "expectedRevision": 1, "stages": [stage("A", "approver", 1)]});
        assert_eq!(boss.refused(UPDATE_POLICY, json!({"input": input})).await.code, "CONFLICT");
        boss.mutate(CREATE_POLICY, policy("MATERIAL", team, Some("HIGH"))).await;
        let kept = boss.ok("query($id: ID!) { policy(id: $id) { endedAt } }", json!({"id": made[2]["id"]})).await;
        assert!(kept["policy"]["endedAt"].is_string());
        let listed = boss.ok("{ policies { id endedAt } }", json!({})).await["policies"].clone();
        assert!(listed.as_array().unwrap().iter().all(|p| p["endedAt"].is_null()), "{listed}");
        let nobody = policy("MATERIAL", Some(&format!("team_{:0>32}", 1)), None);
        assert_eq!(boss.refused(CREATE_POLICY, nobody).await.code, "NOT_FOUND");
        // The same request by the same key is the same policy.
        let mut keyed = policy("RETIREMENT", team, None);
        keyed["input"]["idempotencyKey"] = json!("once");
        let first = boss.mutate(CREATE_POLICY, keyed.clone()).await["policy"]["id"].clone();
        assert_eq!(boss.mutate(CREATE_POLICY, keyed).await["policy"]["id"], first);
    }

    async fn are_changed_at_the_revision_that_was_seen_and_on_record(world: World) {
        let place = place(&world).await;
        let boss = boss(&world);
        let (id, revision) = default_policy(&boss, "EDITORIAL").await;
        let stages = json!([stage("Look", "reviewer", 2)]);
        let input = json!({"id": id, "expectedRevision": revision, "stages": stages, "requiresResolvedComments": true});
        let changed = boss.mutate(UPDATE_POLICY, json!({"input": input})).await;
        assert_eq!(changed["policy"]["revision"], json!(revision + 1));
        assert_eq!(changed["policy"]["stages"], json!([{"name": "Look", "role": "reviewer", "minApprovals": 2}]));
        let stale = boss.refused(UPDATE_POLICY, json!({"input": input})).await;
        assert_eq!((stale.code.as_str(), &stale.json["currentRevision"]), ("CONFLICT", &json!(revision + 1)));
        let query = "{ audit(filter: {action: \"policy.changed\"}) { totalCount nodes { object oldValue newValue actor { name } } } }";
        let audit = place.admin.ok(query, json!({})).await["audit"].clone();
        assert_eq!(audit["totalCount"], 1);
        let entry = &audit["nodes"][0];
        assert_eq!((&entry["object"], &entry["actor"]["name"]), (&json!(id), &json!("boss")));
        assert_eq!(entry["oldValue"]["stages"][0]["role"], "approver");
        assert_eq!((&entry["newValue"]["stages"][0]["minApprovals"], &entry["newValue"]["requiresResolvedComments"]),
            (&json!(2), &json!(true)));
    }

    async fn of_a_team_are_its_managers_and_none_that_name_a_risk(world: World) {
        let place = place(&world).await;
        let other = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "net", "name": "Net"}})).await;
        let (own, other) = (place.team.as_str(), text(&other["team"]["id"]));
        let made = place.manager.mutate(CREATE_POLICY, policy("MATERIAL", Some(own), None)).await["policy"].clone();
        for (team, risk) in [
            (Some(own), Some("HIGH")), (None, Some("HIGH")), (None, None), (Some(other.as_str()), None),
        ] {
            assert_eq!(place.manager.refused(CREATE_POLICY, policy("EDITORIAL", team, risk)).await.code, "FORBIDDEN");
        }
        let risky = boss(&world).mutate(CREATE_POLICY, policy("MATERIAL", Some(own), Some("HIGH"))).await["policy"].clone();
        let input = |id: &Value| json!({"id": id, "expectedRevision": 1, "stages": [stage("A", "approver", 1)]});
        assert_eq!(place.manager.refused(UPDATE_POLICY, json!({"input": input(&risky["id"])})).await.code, "FORBIDDEN");
        let end = |id: &Value, revision: i64| json!({"input": {"id": id, "expectedRevision": revision}});
        assert_eq!(place.manager.refused(END_POLICY, end(&risky["id"], 1)).await.code, "FORBIDDEN");
        place.manager.mutate(UPDATE_POLICY, json!({"input": input(&made["id"])})).await;
        place.manager.mutate(END_POLICY, end(&made["id"], 2)).await;
    }

    async fn that_apply_are_explained_with_all_that_do_not(world: World) {
        let place = place(&world).await;
        let boss = boss(&world);
        let other = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "net", "name": "Net"}})).await;
        let risky = draft_of(&place, "risky", "Risky", "HIGH").await;
        let plain = draft_of(&place, "plain", "Plain", "LOW").await;
        let default = default_policy(&boss, "MATERIAL").await.0;
        assert_eq!(explained(&place.author, &risky.sop, "MATERIAL").await, (default.clone(), vec![(default.clone(), "APPLIES".to_owned())]));
        let team = Some(place.team.as_str());
        let mut ids = vec![default];
        for (team, risk) in [(team, None), (None, Some("HIGH")), (team, Some("HIGH")), (other["team"]["id"].as_str(), None)] {
            let made = boss.mutate(CREATE_POLICY, policy("MATERIAL", team, risk)).await;
            ids.push(text(&made["policy"]["id"]));
            // The most special so far: team before default, risk before team, both before either.
            let expected = ids[if ids.len() == 5 { 3 } else { ids.len() - 1 }].clone();
            assert_eq!(explained(&place.author, &risky.sop, "MATERIAL").await.0, expected);
        }
        let fit = |(_, fits): (String, Vec<(String, String)>)| {
            let of = |id: &String| fits.iter().find(|(found, _)| found == id).map(|(_, fit)| fit.clone()).unwrap();
            assert_eq!(fits.len(), ids.len());
            ids.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(fit(explained(&place.author, &risky.sop, "MATERIAL").await),
            ["LESS_SPECIAL", "LESS_SPECIAL", "LESS_SPECIAL", "APPLIES", "OTHER_TEAM"]);
        assert_eq!(fit(explained(&place.author, &plain.sop, "MATERIAL").await),
            ["LESS_SPECIAL", "APPLIES", "OTHER_RISK", "OTHER_RISK", "OTHER_TEAM"]);
        assert_eq!(explained(&place.author, &plain.sop, "RETIREMENT").await.1.len(), 1);
        // What it says is what is done.
        let request = submit(&place.author, &risky).await;
        let query = "query($id: ID!) { approvalRequest(id: $id) { stages { name } waitingFor { name } } }";
        let seen = place.author.ok(query, json!({"id": request})).await["approvalRequest"].clone();
        assert_eq!(seen, json!({"stages": [{"name": "Approval"}], "waitingFor": [{"name": "amy"}]}));
        // What somebody may not see, they get no explanation of.
        let hidden = place.viewer.ok(EXPLAIN, json!({"id": plain.sop, "kind": "MATERIAL"})).await;
        assert_eq!(hidden["policyExplain"], Value::Null);
    }

    async fn are_previewed_with_who_could_decide_and_who_is_missing(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        // Who contributed is not among them, whatever the role; who has another team's role neither.
        let ann = world.client(&["author@ops", "reviewer@ops"], "ann");
        for who in [&ann, &world.client(&["approver@net"], "nel"), &world.client(&["approver"], "oda")] {
            person(who).await;
        }
        let preview = async |who: &Client| who.ok(PREVIEW, json!({"id": made.version})).await["policyPreview"].clone();
        let seen = preview(&ann).await;
        assert_eq!(names(&seen["stages"]), [vec!["rob".to_owned()], vec!["amy".to_owned(), "oda".to_owned()]]);
        assert_eq!((&seen["missing"], &seen["policy"]["id"]), (&json!([]), &json!(default_policy(&ann, "MATERIAL").await.0)));
        assert_eq!(seen["stages"][0]["current"], false);
        assert_eq!(preview(&place.viewer).await, Value::Null);
        // One stage more than there are people: the preview says what the submission would.
        let stages = [stage("Review", "reviewer", 1), stage("Approval", "approver", 3)];
        crate::acts::require(&world, "MATERIAL", &stages, false).await;
        let seen = preview(&ann).await;
        assert_eq!(seen["missing"][0]["stage"], 1);
        assert!(seen["missing"][0]["message"].as_str().unwrap().contains("lacks 1"), "{seen}");
        let refusal = ann.refused(SUBMIT, json!({"input": {"id": made.version, "expectedRevision": 1}})).await;
        assert_eq!((refusal.path.join("."), &json!(refusal.message)), ("policy.stages.1".to_owned(), &seen["missing"][0]["message"]));
        // In review it shows the request's own stages, and leaves out who was heard.
        crate::acts::require(&world, "MATERIAL", &[stage("Review", "reviewer", 1), stage("Approval", "approver", 2)], false).await;
        let request = submit(&ann, &made).await;
        // By whom it is decided does not change with the policy.
        crate::acts::require(&world, "MATERIAL", &[stage("Only", "manager", 1)], false).await;
        let seen = preview(&ann).await;
        assert_eq!(names(&seen["stages"]), [vec!["rob".to_owned()], vec!["amy".to_owned(), "oda".to_owned()]], "{seen}");
        crate::story::decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        crate::story::decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        let seen = preview(&ann).await;
        assert_eq!(names(&seen["stages"]), [vec![], vec!["oda".to_owned()]], "{seen}");
        let current: Vec<&Value> = seen["stages"].as_array().unwrap().iter().map(|stage| &stage["current"]).collect();
        assert_eq!(current, [false, true]);
        assert_eq!(number(&seen["stages"][1]["stage"]["minApprovals"]), 2);
        let oda = world.client(&["approver"], "oda");
        crate::story::decide(&oda, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(ann.error_code(PREVIEW, json!({"id": made.version})).await, "CONFLICT", "nothing is to be decided");
    }
}
