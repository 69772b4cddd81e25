//! What the retirement of an SOP would touch.

use serde_json::{Value, json};

use crate::acts::draft_of;
use crate::story::{
    CREATE_SOP, CREATE_VERSION, DISCARD, Draft, RECORD, RETIRE, content, decide, look, place, process, published, text,
};
use crate::support::{Client, World, both};

const IMPACT: &str = "query($id: ID!) { retirementImpact(sopId: $id) { runningExecutions
    referringSops { code } successorOf { code } } }";

async fn impact(who: &Client, sop: &str) -> Value {
    who.ok(IMPACT, json!({"id": sop})).await["retirementImpact"].clone()
}

both! {
    async fn counts_what_runs_and_nothing_else(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        assert_eq!(impact(&place.author, &made.sop).await, json!({"runningExecutions": 0, "referringSops": [], "successorOf": []}));
        let source = world.client(&["integration"], "desk").with_source("desk");
        let started = chrono::Utc::now().to_rfc3339();
        let run = |id: &str, more: Value| {
            let mut run = json!({"eventId": id, "runId": id, "process": "password-reset", "startedAt": started});
            run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            run
        };
        let runs = json!([
            run("open-1", json!({})), run("open-2", json!({})),
            run("done", json!({"finishedAt": started, "outcome": "SUCCEEDED"})), run("given-up", json!({"outcome": "ABANDONED"})),
        ]);
        for (mode, runs) in [("LIVE", runs), ("PRACTICE", json!([run("practice", json!({}))]))] {
            let input = json!({"source": "desk", "mode": mode, "executions": runs});
            let results = source.mutate(RECORD, json!({"input": input})).await["results"].clone();
            assert!(results.as_array().unwrap().iter().all(|r| r["status"] == "CREATED"), "{results}");
        }
        assert_eq!(impact(&place.author, &made.sop).await["runningExecutions"], 2);
        // One that is finished is not running any more.
        let mut end = run("open-1-end", json!({"revision": 2, "finishedAt": started, "outcome": "FAILED"}));
        end["runId"] = json!("open-1");
        source.mutate(RECORD, json!({"input": {"source": "desk", "mode": "LIVE", "executions": [end]}})).await;
        assert_eq!(impact(&place.author, &made.sop).await["runningExecutions"], 1);
        // Whoever sees the SOP alone, not its drafts, is not told; and what does not exist has none.
        assert_eq!(impact(&place.viewer, &made.sop).await, Value::Null);
    }

    async fn finds_who_refers_to_it_by_its_whole_code(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let code = made.code.clone();
        let mut n = 0;
        let mut referring = Vec::new();
        for (text, refers) in [
            (format!("First see {code}."), true), (format!("({code})"), true), (format!("{code}1 is another"), false),
            (format!("DEV{code} is another"), false), (format!("{code}-B is another"), false), ("nothing".to_owned(), false),
        ] {
            n += 1;
            let process = process(&place.author, &json!(place.team), &format!("process-{n}")).await;
            let mut other = content(&format!("Title {n}"));
            other["steps"][1]["detail"] = json!(text);
            let input = json!({"processId": process, "teamId": place.team, "risk": "LOW", "content": other});
            let created = place.author.mutate(CREATE_SOP, json!({"input": input})).await["sop"].clone();
            if refers {
                referring.push((created["code"].clone(), created["openVersion"]["id"].clone()));
            }
        }
        let codes = |seen: &Value| {
            let mut codes: Vec<String> = seen["referringSops"].as_array().unwrap().iter().map(|s| text(&s["code"])).collect();
            codes.sort();
            codes
        };
        let expected: Vec<String> = referring.iter().map(|(code, _)| text(code)).collect();
        assert_eq!(codes(&impact(&place.author, &made.sop).await), expected);
        // Its own text names it without referring to it, and what was discarded refers to nothing.
        let mut own = content("Reset a password");
        own["scope"] = json!(format!("What {code} is for."));
        place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": made.sop, "content": own}})).await;
        let input = json!({"id": referring[0].1, "expectedRevision": 1, "reason": "not needed"});
        place.author.mutate(DISCARD, json!({"input": input})).await;
        assert_eq!(codes(&impact(&place.author, &made.sop).await), expected[1..]);
        // A draft of a team whose drafts one does not see is not given away.
        let owner = world.client(&["author@net"], "nan");
        let id = crate::story::person(&owner).await;
        let revision = look(&place.author, &made.sop).await["revision"].clone();
        let input = json!({"id": made.sop, "expectedRevision": revision, "ownerId": id});
        place.author.mutate(crate::story::HAND_OVER, json!({"input": input})).await;
        assert_eq!(codes(&impact(&owner, &made.sop).await), Vec::<String>::new());
        // Nor what only a draft of theirs says, where the version in force does not.
        let other = draft_of(&place, "unlock", "Unlock an account", "LOW").await;
        crate::story::publish(&place, &place.author, &other).await;
        let mut next = content("Unlock an account");
        next["scope"] = json!(format!("Not {code}."));
        let next = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": other.sop, "content": next}})).await;
        assert!(codes(&impact(&place.author, &made.sop).await).contains(&other.code));
        assert_eq!(codes(&impact(&owner, &made.sop).await), Vec::<String>::new());
        let (version, hash) = (text(&next["version"]["id"]), text(&next["version"]["contentHash"]));
        let open = Draft { sop: other.sop.clone(), code: other.code.clone(), version, revision: 1, hash };
        crate::story::publish(&place, &place.author, &open).await;
        assert_eq!(codes(&impact(&owner, &made.sop).await), [other.code]);
    }

    async fn names_those_that_it_succeeded(world: World) {
        let place = place(&world).await;
        let old = published(&place, "Reset a password").await;
        let new = draft_of(&place, "sso", "Single sign-on", "LOW").await;
        crate::story::publish(&place, &place.author, &new).await;
        let revision = look(&place.author, &old.sop).await["revision"].clone();
        let input = json!({"id": old.sop, "expectedRevision": revision, "reason": "gone", "successorId": new.sop});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await["approvalRequest"].clone();
        decide(&place.approver, &text(&asked["id"]), &text(&asked["contentHash"]), "APPROVE", "").await;
        let seen = impact(&place.author, &new.sop).await;
        assert_eq!((&seen["successorOf"], &seen["referringSops"]), (&json!([{"code": old.code}]), &json!([])));
    }
}
