//! What ails a procedure, by real runs, and what was chosen to be done about it.

use serde_json::{Value, json};

use super::Measured;
use crate::story::{ANSWER_DIAGNOSIS, Place, place};
use crate::support::{World, both};

const DIAGNOSIS: &str = "query($id: ID!) { diagnosis(sopId: $id) { state runs people
    adoption { numerator denominator } errorsWhenFollowed { numerator denominator }
    findings { kind summary stepKey threshold proposes figures { of team { key }
        share { numerator denominator } interval { low high } } } } }";
const RESPONSES: &str =
    "query($id: ID!) { diagnosisResponses(sopId: $id) { totalCount nodes { id finding stepKey response
    note version { label } createdBy { name } figures { of share { numerator denominator } } } } }";

/// A published SOP in force for 40 days, with so many runs of the last 30, each as `change` makes it.
async fn with_runs<'a>(
    world: &'a World,
    place: &'a Place,
    key: &str,
    runs: usize,
    change: impl Fn(usize, &mut Value),
) -> Measured<'a> {
    let measured = Measured::new(world, place, key).await;
    measured.publish().await;
    measured.in_force(&measured.draft.version, 40, None).await;
    let item = |n: usize| {
        // Everybody has two runs.
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let mut item = measured.run(Some(n / 2), 30.0 - 29.0 * n as f64 / runs as f64, 10, 0);
        change(n, &mut item);
        item
    };
    let items: Vec<Value> = (0..runs).map(item).collect();
    measured.reporter.create("BACKFILL", &items).await;
    measured
}

async fn diagnosis(measured: &Measured<'_>) -> Value {
    measured.place.manager.ok(DIAGNOSIS, json!({"id": measured.draft.sop})).await["diagnosis"].clone()
}

fn share(numerator: i64, denominator: i64) -> Value {
    json!({"numerator": numerator, "denominator": denominator})
}

fn steps(failed: bool) -> Value {
    json!([{"key": "identify", "status": "DONE"}, {"key": "reset", "status": if failed { "FAILED" } else { "DONE" }}])
}

both! {
    async fn tells_what_ails_with_its_figures(world: World) {
        let place = place(&world).await;
        let kinds = |found: &Value| -> Vec<String> {
            found["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap().to_owned()).collect()
        };
        let low = with_runs(&world, &place, "low", 120, |n, item| {
            item["adherence"] = json!(if n % 3 == 0 { "FOLLOWED" } else { "NOT_FOLLOWED" });
        }).await;
        let found = diagnosis(&low).await;
        assert_eq!((&found["state"], &found["runs"], &found["people"]), (&json!("FOUND"), &json!(120), &json!(60)), "{found}");
        assert_eq!(kinds(&found), ["LOW_ADOPTION"], "{found}");
        let first = &found["findings"][0];
        assert_eq!((&first["proposes"], &first["threshold"]), (&json!(["COMMUNICATE", "TRAIN"]), &json!(0.7)));
        assert_eq!((&first["figures"][0]["of"], &first["figures"][0]["share"]), (&json!("ADOPTION"), &share(40, 120)));
        assert!(first["figures"][0]["interval"]["high"].as_f64().unwrap() < 0.7, "{first}");
        assert!(first["summary"].as_str().unwrap().contains("40 of 120"), "{first}");

        // Of the errors those of the 119 runs that were watched for a week.
        let bad = with_runs(&world, &place, "bad", 150, |n, item| item["errors"] = json!(i64::from(n % 5 < 2))).await;
        let found = diagnosis(&bad).await;
        assert_eq!(kinds(&found), ["BAD_OUTCOMES"], "{found}");
        assert_eq!((&found["adoption"], &found["errorsWhenFollowed"]), (&share(150, 150), &share(48, 119)));
        assert_eq!(found["findings"][0]["proposes"], json!(["REVISE"]));

        let step = with_runs(&world, &place, "step", 120, |n, item| item["steps"] = steps(n % 4 == 0)).await;
        let found = diagnosis(&step).await;
        assert_eq!(kinds(&found), ["TROUBLED_STEP"], "{found}");
        let first = &found["findings"][0];
        assert_eq!((&first["stepKey"], &first["figures"][0]["share"]), (&json!("reset"), &share(30, 120)), "{first}");
        assert_eq!(first["figures"][1]["share"], share(0, 120), "{first}");

        // Persons of odd numbers are of another team.
        let spread = with_runs(&world, &place, "spread", 240, |n, item| {
            item["adherence"] = json!(if (n / 2) % 2 == 0 || n % 4 == 3 { "FOLLOWED" } else { "DEVIATED" });
        }).await;
        let found = diagnosis(&spread).await;
        assert_eq!(kinds(&found), ["INCONSISTENT"], "{found}");
        let figures = &found["findings"][0]["figures"];
        assert_eq!((&figures[0]["team"]["key"], &figures[0]["share"]), (&json!("ops"), &share(120, 120)), "{found}");
        assert_eq!((&figures[1]["team"]["key"], &figures[1]["share"]), (&json!("hr"), &share(60, 120)), "{found}");

        let fine = with_runs(&world, &place, "fine", 120, |_, item| item["steps"] = steps(false)).await;
        assert_eq!(diagnosis(&fine).await["state"], "NOTHING_FOUND");
        let few = with_runs(&world, &place, "few", 99, |_, item| item["adherence"] = json!("NOT_FOLLOWED")).await;
        let found = diagnosis(&few).await;
        assert_eq!((&found["state"], &found["findings"]), (&json!("INSUFFICIENT"), &json!([])), "{found}");
        // What was learnt only now has no runs yet, and a draft has no diagnosis.
        few.in_force(&few.draft.version, 3, None).await;
        assert_eq!(diagnosis(&few).await["runs"], 0);
        let draft = Measured::new(&world, &place, "draft").await;
        assert_eq!(diagnosis(&draft).await, Value::Null);
        assert_eq!(place.viewer.error_code(DIAGNOSIS, json!({"id": few.draft.sop})).await, "FORBIDDEN");
    }

    async fn tells_nothing_of_what_is_none(world: World) {
        let place = place(&world).await;
        // What is wrong at once is known at once, and what goes well only later.
        let early = with_runs(&world, &place, "early", 150, |n, item| item["errors"] = json!(i64::from(n >= 120))).await;
        let found = diagnosis(&early).await;
        assert_eq!((&found["state"], &found["errorsWhenFollowed"]), (&json!("NOTHING_FOUND"), &share(0, 119)), "{found}");
        // A step that the version does not have, and one that is done at a second attempt.
        let done = with_runs(&world, &place, "done", 120, |n, item| {
            let first = if n % 2 == 0 { "SKIPPED" } else { "DONE" };
            item["steps"] = json!([{"key": "identify", "status": "DONE"}, {"key": "reset", "attempt": 1, "status": first},
                {"key": "reset", "attempt": 2, "status": "DONE"}, {"key": "dropped", "status": "SKIPPED"}]);
        }).await;
        assert_eq!(diagnosis(&done).await["state"], "NOTHING_FOUND");
        // One person has 100 runs, of which half followed; of 30 others all did.
        let one = with_runs(&world, &place, "one", 130, |n, item| {
            let busy = n < 100;
            item["actor"] = json!({"subject": if busy { "busy".to_owned() } else { format!("other-{n}") }});
            item["adherence"] = json!(if busy && n % 2 == 0 { "NOT_FOLLOWED" } else { "FOLLOWED" });
        }).await;
        let found = diagnosis(&one).await;
        assert_eq!((&found["state"], &found["adoption"], &found["people"]), (&json!("NOTHING_FOUND"), &share(80, 130), &json!(31)), "{found}");
    }

    async fn is_answered_on_the_record(world: World) {
        let place = place(&world).await;
        let step = with_runs(&world, &place, "step", 120, |n, item| item["steps"] = steps(n % 4 == 0)).await;
        let input = json!({"sopId": step.draft.sop, "finding": "TROUBLED_STEP", "stepKey": "reset",
            "response": "REWRITE_STEP", "note": "The console has moved.", "idempotencyKey": "one"});
        let made = place.manager.mutate(ANSWER_DIAGNOSIS, json!({"input": input})).await["response"].clone();
        let again = place.manager.mutate(ANSWER_DIAGNOSIS, json!({"input": input})).await;
        assert_eq!(again["response"]["id"], made["id"], "the same request makes one");
        let mut watch = input.clone();
        (watch["response"], watch["idempotencyKey"]) = (json!("WATCH"), json!("two"));
        place.author.mutate(ANSWER_DIAGNOSIS, json!({"input": watch})).await;
        // What is not found cannot be answered.
        for (finding, key) in [("LOW_ADOPTION", Value::Null), ("TROUBLED_STEP", json!("identify"))] {
            let input = json!({"sopId": step.draft.sop, "finding": finding, "stepKey": key, "response": "TRAIN"});
            assert_eq!(place.manager.refused(ANSWER_DIAGNOSIS, json!({"input": input})).await.code, "CONFLICT");
        }
        for (finding, key) in [("LOW_ADOPTION", json!("reset")), ("TROUBLED_STEP", Value::Null)] {
            let input = json!({"sopId": step.draft.sop, "finding": finding, "stepKey": key, "response": "TRAIN"});
            let refusal = place.manager.refused(ANSWER_DIAGNOSIS, json!({"input": input})).await;
            assert_eq!((refusal.code.as_str(), refusal.path), ("INVALID", vec!["stepKey".to_owned()]));
        }
        // More runs come, and what was written down stays as it was.
        let more: Vec<Value> = (0..10).map(|n| step.run(Some(n), 2.0, 10, 0)).map(|mut item| {
            item["steps"] = steps(true);
            item
        }).collect();
        step.reporter.create("BACKFILL", &more).await;
        let kept = place.manager.ok(RESPONSES, json!({"id": step.draft.sop})).await["diagnosisResponses"].clone();
        assert_eq!(kept["totalCount"], 2, "{kept}");
        let nodes = kept["nodes"].as_array().unwrap();
        assert_eq!((&nodes[0]["response"], &nodes[0]["createdBy"]["name"]), (&json!("WATCH"), &json!("ann")), "newest first");
        let first = &nodes[1];
        assert_eq!((&first["id"], &first["finding"], &first["stepKey"]), (&made["id"], &json!("TROUBLED_STEP"), &json!("reset")));
        assert_eq!((&first["note"], &first["version"]["label"]), (&json!("The console has moved."), &json!("1.0")));
        assert_eq!(first["figures"][0], json!({"of": "STEP", "share": share(30, 120)}));
        assert_eq!(place.viewer.error_code(RESPONSES, json!({"id": step.draft.sop})).await, "FORBIDDEN");
        let query = "{ audit(filter: {action: \"diagnosis.answered\"}) { nodes { object reason newValue } } }";
        let audited = place.manager.ok(query, json!({})).await["audit"]["nodes"].clone();
        assert_eq!(audited.as_array().unwrap().len(), 2, "{audited}");
        assert_eq!((&audited[0]["object"], &audited[0]["reason"]), (&made["id"], &json!("The console has moved.")));
        for sql in ["UPDATE diagnosis_response SET note = 'x'", "DELETE FROM diagnosis_response"] {
            world.try_execute(sql).await.expect_err(sql);
        }
    }
}
