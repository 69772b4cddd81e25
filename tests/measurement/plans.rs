//! A plan is fixed with the content of its version, and what was before is written down when that takes effect.

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use super::{Measured, Runs, instant};
use crate::story::{SET_PLAN, decide_refused, place, submit};
use crate::support::{World, both, literal};

const PLAN: &str = "query($id: ID!) { version(id: $id) { measurementPlan { declared revision maturesAt
    declaredBy { name } targets { metric bound share duration state result { share { numerator denominator value
        interval { low high } } median { runs completed value low high } }
        baseline { figure { share { numerator denominator } median { runs value } } } }
    baselines { metric from to takenAt predecessor { label } figure { share { numerator denominator }
        median { runs completed value } } } } } }";

/// What the audit entries of an action say something was, and is.
async fn audited(measured: &Measured<'_>, action: &str, of: &str) -> Vec<(Value, Value)> {
    let query =
        "query($f: AuditEntriesFilter) { audit(filter: $f) { nodes { action oldValue newValue actor { name } } } }";
    let seen = measured.place.manager.ok(query, json!({"f": {"action": action}})).await;
    let nodes = seen["audit"]["nodes"].as_array().unwrap().clone();
    nodes.into_iter().map(|node| (node["oldValue"][of].clone(), node["newValue"][of].clone())).collect()
}

both! {
    async fn are_declared_for_drafts_and_then_stand(world: World) {
        let place = place(&world).await;
        let measured = Measured::new(&world, &place, "restore").await;
        let version = &measured.draft.version;
        let none = place.author.ok(PLAN, json!({"id": version})).await["version"]["measurementPlan"].clone();
        assert_eq!((&none["declared"], &none["revision"], &none["maturesAt"]), (&json!(false), &json!(0), &Value::Null));
        let made = measured.plan(json!({"targets": {"errorRateAtMost": 0.15, "medianCompletionTimeAtMost": "PT90M"}})).await;
        assert_eq!((&made["revision"], &made["primaryMetric"], &made["maturesAfterDays"]), (&json!(1), &json!("ERROR_RATE"), &json!(42)));
        let targets = json!([
            {"metric": "COMPLETION_TIME", "bound": "AT_MOST", "share": null, "duration": "PT1H30M", "state": "NOT_YET_JUDGED"},
            {"metric": "ERROR_RATE", "bound": "AT_MOST", "share": 0.15, "duration": null, "state": "NOT_YET_JUDGED"},
        ]);
        assert_eq!(made["targets"], targets, "{made}");
        // The same again comes second; with the revision that is there it replaces all.
        let again = json!({"input": {"versionId": version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE"}});
        let refusal = place.author.refused(SET_PLAN, again).await;
        assert_eq!((refusal.code.as_str(), &refusal.json["currentRevision"]), ("CONFLICT", &json!(1)));
        let input = json!({"versionId": version, "expectedRevision": 1, "primaryMetric": "COMPLETION_TIME",
            "targets": {"firstTimeRightAtLeast": 0.5}, "learningDays": 3, "watchDays": 2, "maturesAfterDays": 19});
        // Whoever declares it contributes, and does not decide.
        let both = world.client(&["author@ops", "reviewer@ops"], "bo");
        let changed = both.mutate(SET_PLAN, json!({"input": input})).await["version"]["measurementPlan"].clone();
        assert_eq!((&changed["revision"], changed["targets"].as_array().unwrap().len()), (&json!(2), 1));
        assert_eq!(changed["declaredBy"]["name"], "bo");
        let request = submit(&place.author, &measured.draft).await;
        let refusal = decide_refused(&both, &request, &measured.draft.hash, "APPROVE").await;
        assert_eq!(refusal.code, "FORBIDDEN", "{refusal:?}");
        // In review nothing of it changes any more, over the API or past it.
        let late = json!({"input": {"versionId": version, "expectedRevision": 2, "primaryMetric": "ERROR_RATE"}});
        let refusal = place.author.refused(SET_PLAN, late).await;
        assert_eq!((refusal.code.as_str(), &refusal.json["currentRevision"]), ("CONFLICT", &json!(2)));
        let id = literal(&world, version);
        for sql in [
            format!("UPDATE measurement_plan SET primary_metric = 'ERROR_RATE' WHERE version_id = {id}"),
            format!("UPDATE measurement_target SET share = 0.1 WHERE version_id = {id}"),
            format!("DELETE FROM measurement_target WHERE version_id = {id}"),
            format!("DELETE FROM measurement_plan WHERE version_id = {id}"),
            format!("INSERT INTO measurement_target (version_id, metric, share) VALUES ({id}, 'ADOPTION', 0.5)"),
        ] {
            let refused = world.try_execute(&sql).await.expect_err(&sql);
            assert!(refused.contains("a plan is fixed"), "{sql}: {refused}");
        }
        let told = audited(&measured, "measurement.declared", "measurementPlan").await;
        assert_eq!(told.len(), 2);
        assert_eq!((&told[0].0, &told[0].1["targets"][0]["metric"]), (&Value::Null, &json!("ERROR_RATE")), "{told:?}");
        assert_eq!((&told[1].0["maturesAfterDays"], &told[1].1["maturesAfterDays"]), (&json!(42), &json!(19)));
    }

    async fn have_the_figures_of_before_and_are_judged_when_mature(world: World) {
        let place = place(&world).await;
        let measured = Measured::new(&world, &place, "restore").await;
        measured.plan(json!({"targets": {"errorRateAtMost": 0.1, "firstTimeRightAtLeast": 0.99,
            "medianCompletionTimeAtMost": "PT90M"}})).await;
        // 12 people with 10 runs: 4 of 10 of each third person, 3 of 10 of the others.
        measured.report(Runs { people: 12, each: 10, days: (85, 50), errs: 3, minutes: 120 }).await;
        // Not yet watched for a week, and too long ago.
        measured.report(Runs { people: 5, each: 1, days: (6, 1), errs: 1, minutes: 1 }).await;
        measured.report(Runs { people: 5, each: 1, days: (120, 91), errs: 1, minutes: 1 }).await;
        measured.publish().await;
        let version = &measured.draft.version;
        let plan = || async { place.manager.ok(PLAN, json!({"id": version})).await["version"]["measurementPlan"].clone() };
        let fresh = plan().await;
        let baseline = |plan: &Value, metric: &str| {
            plan["baselines"].as_array().unwrap().iter().find(|b| b["metric"] == metric).cloned().unwrap_or_else(|| panic!("{plan}"))
        };
        let errors = baseline(&fresh, "ERROR_RATE");
        assert_eq!(errors["figure"]["share"], json!({"numerator": 40, "denominator": 120}), "{fresh}");
        assert_eq!(errors["predecessor"], Value::Null);
        assert!((instant(&errors["takenAt"]) - instant(&errors["to"])) == Duration::days(7), "{errors}");
        let time = baseline(&fresh, "COMPLETION_TIME");
        assert_eq!(time["figure"]["median"], json!({"runs": 120, "completed": 120, "value": "PT2H"}));
        assert!(instant(&fresh["maturesAt"]) - Utc::now() > Duration::days(41));
        for target in fresh["targets"].as_array().unwrap() {
            assert_eq!((&target["state"], &target["result"]), (&json!("NOT_YET_JUDGED"), &Value::Null), "{target}");
        }
        // 45 days later: 12 people with 20 runs, one in 20 with an error, of an hour each.
        measured.in_force(version, 45, None).await;
        measured.report(Runs { people: 12, each: 20, days: (37, 11), errs: 20, minutes: 60 }).await;
        let mature = plan().await;
        assert_eq!(mature["baselines"], fresh["baselines"], "what was written down stays");
        let states: Vec<(&str, &str)> = mature["targets"].as_array().unwrap().iter()
            .map(|t| (t["metric"].as_str().unwrap(), t["state"].as_str().unwrap())).collect();
        assert_eq!(states, [("COMPLETION_TIME", "MET"), ("ERROR_RATE", "MET"), ("FIRST_TIME_RIGHT", "NOT_MET")], "{mature}");
        let share = &mature["targets"][1]["result"]["share"];
        assert_eq!((&share["numerator"], &share["denominator"]), (&json!(12), &json!(240)), "{share}");
        assert!(share["interval"]["high"].as_f64().unwrap() < 0.1, "{share}");
        assert_eq!(mature["targets"][0]["result"]["median"]["value"], "PT1H");
        assert_eq!(mature["targets"][1]["baseline"]["figure"]["share"]["numerator"], 40);
        // Who reads no figures of it sees what was declared, and nothing of what it came to.
        let viewed = place.viewer.ok(PLAN, json!({"id": version})).await["version"]["measurementPlan"].clone();
        assert_eq!((&viewed["declared"], &viewed["baselines"]), (&json!(true), &json!([])));
        for target in viewed["targets"].as_array().unwrap() {
            assert!(target["state"].is_null() && target["result"].is_null() && target["baseline"].is_null(), "{target}");
        }
        let told = audited(&measured, "measurement.baseline_taken", "measurementBaseline").await;
        assert_eq!(told.len(), 1);
        assert!(told[0].1["figures"].to_string().contains("\"numerator\":40"), "{told:?}");
        let id = literal(&world, version);
        for sql in [
            format!("UPDATE measurement_baseline SET numerator = 0 WHERE version_id = {id}"),
            format!("DELETE FROM measurement_baseline WHERE version_id = {id}"),
        ] {
            world.try_execute(&sql).await.expect_err(&sql);
        }
    }
}
