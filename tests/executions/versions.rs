//! Which version a run belongs to, and what the service finds by itself.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::Reporter;
use super::forms::{begin, somebody_waits};
use crate::story::{
    CREATE_VERSION, DISCARD, Draft, RETIRE, content, decide, draft, look, number, place, process, publish, published,
    text,
};
use crate::support::{Backend, Client, World, both};

/// Publishes a second version.
pub async fn second(place: &crate::story::Place, sop: &str) -> Draft {
    let mut content = content("Reset a password");
    content["steps"][0]["instruction"] = json!("Ask for the badge number.");
    let made = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": sop, "content": content}})).await;
    let version = &made["version"];
    let draft = Draft {
        sop: sop.to_owned(),
        code: String::new(),
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
    };
    assert_eq!(publish(place, &place.author, &draft).await["version"]["label"], "2.0");
    draft
}

/// When a version came into force.
pub async fn published_at(who: &Client, version: &str) -> DateTime<Utc> {
    let seen = who.ok("query($id: ID!) { version(id: $id) { publishedAt } }", json!({"id": version})).await;
    text(&seen["version"]["publishedAt"]).parse().unwrap()
}

both! {
    async fn the_version_is_the_one_reported_or_the_one_in_force(world: World) {
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let second = second(&place, &first.sop).await;
        let from = published_at(&place.author, &first.version).await;
        let until = published_at(&place.author, &second.version).await;
        assert!(from < until);
        let reporter = Reporter::new(&world, "tickets");
        let moment = chrono::Duration::microseconds(1);
        let outdated = json!({"kind": "OUTDATED_VERSION", "detectedByService": true});
        let cases = [
            (None, from - moment, json!([null, null]), None),
            (None, from, json!(["1.0", "INFERRED"]), None),
            (None, until - moment, json!(["1.0", "INFERRED"]), None),
            (None, until, json!(["2.0", "INFERRED"]), None),
            (Some("1.0"), until - moment, json!(["1.0", "REPORTED"]), None),
            (Some("1.0"), until, json!(["1.0", "REPORTED"]), Some(&outdated)),
            (Some("2.0"), until, json!(["2.0", "REPORTED"]), None),
            (Some("1.0"), from - moment, json!(["1.0", "REPORTED"]), None),
        ];
        for (n, (label, at, version, found)) in cases.into_iter().enumerate() {
            let run = format!("r{n}");
            let mut item = json!({"eventId": run, "runId": run, "startedAt": at.to_rfc3339()});
            match label {
                Some(label) => (item["sop"], item["version"]) = (json!(first.code), json!(label)),
                None => item["process"] = json!("password-reset"),
            }
            assert_eq!(reporter.one(item).await["status"], "CREATED");
            let seen = reporter.run(&place.manager, &run).await;
            assert_eq!(json!([seen["version"]["label"], seen["versionSource"]]), version, "case {n}: {seen}");
            let told = |v: &Value| json!({"kind": v["kind"], "detectedByService": v["detectedByService"]});
            let violations: Vec<Value> = seen["violations"].as_array().unwrap().iter().map(told).collect();
            assert_eq!(violations, found.into_iter().cloned().collect::<Vec<_>>(), "case {n}: {seen}");
        }
        let seen = place.manager.ok("{ figures { runs violations { events } } }", json!({})).await;
        assert_eq!(seen["figures"][0], json!({"runs": 8, "violations": {"events": 1}}), "what is found counts");
        // Where neither start nor end is known, the time of the event tells.
        let item = json!({"eventId": "o", "runId": "o", "sop": first.code, "version": "1.0", "occurredAt": until.to_rfc3339()});
        assert_eq!(reporter.one(item).await["status"], "CREATED");
        assert_eq!(reporter.run(&place.manager, "o").await["violations"][0]["kind"], "OUTDATED_VERSION");

        // A label that is not, and never was, in force.
        let input = json!({"input": {"sopId": first.sop}});
        let open = place.author.mutate(CREATE_VERSION, input).await;
        let input = json!({"id": open["version"]["id"], "expectedRevision": 1, "reason": "not needed"});
        place.author.mutate(DISCARD, json!({"input": input})).await;
        for label in ["3.0", "1.1", "one", "1"] {
            let item = json!({"eventId": label, "runId": label, "sop": first.code, "version": label});
            assert_eq!(reporter.one(item).await["rejection"]["code"], "UNKNOWN_VERSION", "{label}");
        }
    }

    async fn a_label_with_a_process_is_of_its_sop(world: World) {
        let place = place(&world).await;
        let old = published(&place, "Reset a password").await;
        second(&place, &old.sop).await;
        let seen = look(&place.author, &old.sop).await;
        let input = json!({"id": old.sop, "expectedRevision": seen["revision"], "reason": "written anew"});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
        let of = |part: &str| text(&asked["approvalRequest"][part]);
        decide(&place.approver, &of("id"), &of("contentHash"), "APPROVE", "").await;
        let retired = Utc::now();
        let reporter = Reporter::new(&world, "tickets");
        let report = async |run: &str, label: &str, at: DateTime<Utc>| {
            let item = json!({"eventId": run, "runId": run, "process": "password-reset", "version": label,
                "startedAt": at.to_rfc3339()});
            assert_eq!(reporter.one(item).await["status"], "CREATED", "{run}");
            let seen = reporter.run(&place.manager, run).await;
            json!([seen["sop"]["code"], seen["version"]["label"], seen["versionSource"], seen["violations"].as_array().unwrap().len()])
        };
        assert_eq!(report("a", "2.0", retired).await, json!([old.code, "2.0", "REPORTED", 1]), "no other SOP has it");
        let new = draft(&place, &place.author, &place.process, "Reset a password, anew").await;
        publish(&place, &place.author, &new).await;
        let since = published_at(&place.author, &new.version).await;
        let before = published_at(&place.author, &old.version).await;
        assert_eq!(report("b", "1.0", since).await, json!([new.code, "1.0", "REPORTED", 0]), "of the SOP in force");
        assert_eq!(report("c", "1.0", before).await, json!([old.code, "1.0", "REPORTED", 0]), "of the SOP in force then");
        assert_eq!(report("d", "2.0", since).await, json!([old.code, "2.0", "REPORTED", 1]), "of the one that has it");
        assert_eq!(report("f", "1.0", retired).await, json!([old.code, "1.0", "REPORTED", 1]), "of the last one then");
        let long_ago = before - chrono::Duration::days(9);
        assert_eq!(report("g", "1.0", long_ago).await, json!([old.code, "1.0", "REPORTED", 0]), "of the first");
        // What was reported of an SOP that is not in force says nothing of how far the version in force is used.
        let query = "query($id: ID!) { figures(filter: {sopId: $id}) { runs currentVersion { numerator denominator } } }";
        for (sop, runs, current) in [(&old.sop, 5, [1, 1]), (&new.sop, 1, [1, 1])] {
            let seen = &place.manager.ok(query, json!({"id": sop})).await["figures"][0];
            assert_eq!(seen, &json!({"runs": runs, "currentVersion": {"numerator": current[0], "denominator": current[1]}}));
        }
        let item = json!({"eventId": "e", "runId": "e", "process": "password-reset", "version": "3.0"});
        assert_eq!(reporter.one(item).await["rejection"]["code"], "UNKNOWN_VERSION");
    }

    async fn an_sop_that_is_still_a_draft_is_unknown_to_integrations(world: World) {
        let place = place(&world).await;
        let key = process(&place.author, &json!(place.team), "unwritten").await;
        let made = draft(&place, &place.author, &key, "Still being written").await;
        let reporter = Reporter::new(&world, "tickets");
        let named = reporter.one(json!({"eventId": "a", "runId": "a", "sop": made.code})).await;
        assert_eq!(named["rejection"]["code"], "UNKNOWN_SOP");
        let by_process = reporter.one(json!({"eventId": "b", "runId": "b", "process": "unwritten"})).await;
        assert_eq!(by_process["status"], "CREATED");
        let seen = reporter.run(&place.manager, "b").await;
        assert_eq!(json!([seen["sop"], seen["version"], seen["versionSource"]]), json!([null, null, null]));
    }

    async fn the_violation_goes_when_the_version_is_put_right(world: World) {
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let second = second(&place, &first.sop).await;
        let at = published_at(&place.author, &second.version).await.to_rfc3339();
        let reporter = Reporter::new(&world, "tickets");
        let item = |revision: i64, label: &str| json!({"eventId": format!("e{revision}"), "runId": "r", "revision": revision,
            "sop": first.code, "version": label, "startedAt": at});
        reporter.one(item(1, "1.0")).await;
        assert_eq!(reporter.run(&place.manager, "r").await["violations"].as_array().unwrap().len(), 1);
        assert_eq!(reporter.one(item(2, "2.0")).await["status"], "UPDATED");
        assert_eq!(reporter.run(&place.manager, "r").await["violations"], json!([]));
        // One that was told earlier and comes later changes nothing.
        assert_eq!(reporter.one(item(0, "1.0")).await["status"], "STALE");
        assert_eq!(reporter.run(&place.manager, "r").await["violations"], json!([]));
    }

    async fn a_batch_that_waited_goes_by_what_holds_when_it_is_stored(world: World) {
        if world.backend == Backend::Postgres {
            return; // It looks up what it needs after it has waited.
        }
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("LIVE", &[json!({"eventId": "e0", "runId": "r0", "sop": first.code})]).await;
        // What a service does that takes another horizon and another version at this moment.
        let change = "BEGIN IMMEDIATE; UPDATE process SET horizon = 7200000000; UPDATE version SET minor = 7 WHERE major = 1;
            UPDATE audit_head SET seq = seq + 1";
        let other = begin(&world, change, "").await;
        let late = { let reporter = reporter.clone(); tokio::spawn(async move {
            reporter.send("LIVE", &[json!({"eventId": "e1", "runId": "r1", "sop": first.code, "version": "1.7"})]).await
        }) };
        somebody_waits(&world).await;
        other.execute_unprepared("COMMIT").await.unwrap();
        assert_eq!(late.await.unwrap()[0]["status"], "CREATED");
        assert_eq!(world.query_i64("SELECT horizon FROM execution WHERE run_id = 'r1'").await, 7_200_000_000);
    }
}
