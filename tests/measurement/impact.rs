//! A version against what was before it: real runs, a real server, and what may be said of them.

use serde_json::{Value, json};

use super::{Measured, Runs, instant};
use crate::executions::{everyone, months_ago, multiply};
use crate::story::{CREATE_VERSION, Draft, content, number, place, publish, text};
use crate::support::{World, both, literal};

/// In force for 45 days: learnt until day 38, and judged 3 days ago by runs that started until day 10.
const SINCE: i64 = 45;
const BEFORE: Runs = Runs { people: 24, each: 10, days: (120, 46), errs: 3, minutes: 120 };
const AFTER: Runs = Runs { people: 24, each: 10, days: (37, 11), errs: 20, minutes: 60 };

/// A process whose first version was in force since some days ago, with runs before and after.
async fn first<'a>(
    world: &'a World,
    place: &'a crate::story::Place,
    key: &str,
    since: i64,
    before: Runs,
    after: Runs,
) -> Measured<'a> {
    let measured = Measured::new(world, place, key).await;
    measured.report(before).await;
    measured.publish().await;
    measured.in_force(&measured.draft.version, since, None).await;
    measured.report(after).await;
    measured
}

/// A second version, in force since some days ago, and the first one from 133 days ago until then.
async fn supersede(first: &Measured<'_>) -> Draft {
    let (world, place) = (first.world, first.place);
    let mut next = content("Restore");
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    let made = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": first.draft.sop, "content": next}})).await;
    let version = &made["version"];
    let (id, hash) = (text(&version["id"]), text(&version["contentHash"]));
    let second = Draft { version: id, revision: number(&version["revision"]), hash, ..first.draft.clone() };
    publish(place, &place.author, &second).await;
    first.in_force(&first.draft.version, 133, Some(SINCE)).await;
    first.in_force(&second.version, SINCE, None).await;
    let until = format!(
        "UPDATE version SET ended_at = (SELECT published_at FROM version WHERE id = {}) WHERE id = {}",
        literal(world, &second.version),
        literal(world, &first.draft.version)
    );
    world.execute(&until).await;
    second
}

both! {
    async fn of_a_first_version_is_told_against_the_time_before(world: World) {
        let place = place(&world).await;
        let measured = first(&world, &place, "restore", SINCE, BEFORE, AFTER).await;
        // What counts on neither side: learning, too late to be watched, nobody named, training, another process.
        measured.report(Runs { people: 20, each: 1, days: (44, 39), errs: 1, minutes: 600 }).await;
        measured.report(Runs { people: 10, each: 1, days: (9, 4), errs: 1, minutes: 600 }).await;
        let nobody: Vec<Value> = (0..5).map(|_| measured.run(None, 60.0, 1, 1)).collect();
        measured.reporter.create("BACKFILL", &nobody).await;
        let training: Vec<Value> = (0..30).map(|n| measured.run(Some(n), 20.0, 600, 1)).collect();
        measured.reporter.create("PRACTICE", &training).await;
        let mut elsewhere = measured.run(Some(1), 20.0, 600, 1);
        elsewhere["process"] = json!("password-reset");
        measured.reporter.create("BACKFILL", &[elsewhere]).await;

        let found = measured.impact(&place.manager, &measured.draft.version).await;
        assert_eq!((&found["mature"], &found["predecessor"]), (&json!(true), &Value::Null), "{found}");
        assert_eq!(found["verdict"], "LIKELY_BETTER", "{found}");
        let side = |name: &str| ["runs", "people", "teams"].map(|field| number(&found[name][field]));
        assert_eq!((side("before"), side("after")), ([245, 24, 2], [240, 24, 2]), "{found}");
        assert_eq!(found["leftOut"], json!({"learning": 20, "notWatched": 10, "withoutActor": 5, "people": 0}));
        assert_eq!(found["shortfalls"], json!([]));
        // Of each third person 4 of 10, of others 3: 8 and 16 of them. After: of 24 people in turn one in 20.
        let errors = &found["errorRate"];
        assert_eq!(errors["before"], json!({"numerator": 80, "denominator": 240}), "{found}");
        let erred: usize = (0..24).map(|person| (0..10).filter(|n| (n + person) % 20 == 0).count()).sum();
        assert_eq!(errors["after"], json!({"numerator": erred, "denominator": 240}), "{found}");
        assert!(errors["difference"]["interval"]["high"].as_f64().unwrap() < 0.0, "{found}");
        let time = &found["completionTime"];
        assert_eq!((&time["runsBefore"], &time["runsAfter"]), (&json!(240), &json!(240)));
        assert!((time["ratio"]["value"].as_f64().unwrap() - 0.5).abs() < 0.006, "{time}");
        assert!(time["quicker"]["value"].as_f64().unwrap() > 0.99, "{time}");
        let summary = found["summary"].as_str().unwrap();
        assert!(summary.starts_with("Version 1.0 is associated with a smaller share of runs with errors."), "{summary}");
        assert!(!summary.contains("caus") && summary.contains("before it"), "{summary}");
        // The same question has the same answer, whoever asks.
        assert_eq!(measured.impact(&everyone(&world), &measured.draft.version).await, found);
        assert_eq!(measured.impact(&place.author, &measured.draft.version).await, found, "the owner");
        // A run of today changes nothing of what was judged.
        measured.report(Runs { people: 24, each: 1, days: (2, 1), errs: 1, minutes: 600 }).await;
        assert_eq!(measured.impact(&place.manager, &measured.draft.version).await, found);
    }

    async fn says_that_runs_may_be_missing_which_were_deleted(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let version = first(&world, &place, "restore", SINCE, BEFORE, AFTER).await.draft.version;
        let query = "query($id: ID!) { versionImpact(versionId: $id) { incompleteBefore summary before { runs } } }";
        let seen = place.manager.ok(query, json!({"id": version})).await["versionImpact"].take();
        assert_eq!((&seen["incompleteBefore"], &seen["before"]["runs"]), (&Value::Null, &json!(240)), "{seen}");
        world.restart_with(&[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "3")]).await;
        let due = format!("SELECT COUNT(*) FROM execution WHERE started_at < {}", months_ago(3).timestamp_micros());
        while world.query_i64("SELECT COUNT(*) FROM rollup_state WHERE kept_from IS NOT NULL").await == 0
            || world.query_i64(&due).await > 0
        {
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let seen = place.manager.ok(query, json!({"id": version})).await["versionImpact"].take();
        assert_eq!(instant(&seen["incompleteBefore"]), months_ago(3), "{seen}");
        let left = world.query_i64("SELECT COUNT(*) FROM execution").await - 240;
        assert_eq!(seen["before"]["runs"], left, "{seen}");
        assert!(seen["summary"].as_str().unwrap().ends_with("may have been deleted and be missing here."), "{seen}");
    }

    async fn is_told_to_nobody_else(world: World) {
        let place = place(&world).await;
        let measured = first(&world, &place, "restore", SINCE, BEFORE, AFTER).await;
        let query = "query($id: ID!) { versionImpact(versionId: $id) { verdict summary before { runs } } }";
        let id = &measured.draft.version;
        let others = [
            place.viewer.clone(),
            place.reviewer.clone(),
            world.client(&["author@ops"], "ada"),
            world.client(&["manager@hr"], "hugo"),
            place.admin.clone(),
        ];
        for who in others {
            assert_eq!(who.error_code(query, json!({"id": id})).await, "FORBIDDEN");
        }
        // A draft is not there for who does not see it, and has nothing to be compared for who does.
        let hidden = Measured::new(&world, &place, "hidden").await;
        for who in [&place.viewer, &place.manager] {
            let seen = who.ok(query, json!({"id": hidden.draft.version})).await;
            assert_eq!(seen["versionImpact"], Value::Null);
        }
    }

    async fn says_no_more_than_the_runs_allow(world: World) {
        let place = place(&world).await;
        let cases = [
            ("same", BEFORE, Runs { errs: 3, ..AFTER }, "NO_CLEAR_DIFFERENCE", ""),
            ("worse", Runs { errs: 20, ..BEFORE }, Runs { errs: 3, ..AFTER }, "LIKELY_WORSE", ""),
            ("few-runs", BEFORE, Runs { each: 4, people: 24, ..AFTER }, "INSUFFICIENT", "AFTER RUNS 96 100"),
            ("few-people", Runs { people: 19, ..BEFORE }, AFTER, "INSUFFICIENT", "BEFORE ACTORS 19 20"),
            ("few-days", BEFORE, Runs { days: (24, 12), ..AFTER }, "INSUFFICIENT", "AFTER DAYS 13 14"),
            ("nothing", BEFORE, Runs { people: 0, ..AFTER }, "INSUFFICIENT", "AFTER RUNS 0 100, AFTER ACTORS 0 20, AFTER DAYS 0 14"),
        ];
        for (key, before, after, verdict, lacks) in cases {
            let measured = first(&world, &place, key, SINCE, before, after).await;
            let found = measured.impact(&place.manager, &measured.draft.version).await;
            assert_eq!(found["verdict"], verdict, "{key}: {found}");
            let told = |s: &Value, name: &str| s[name].as_str().map_or_else(|| s[name].to_string(), str::to_owned);
            let lacking: Vec<String> = found["shortfalls"].as_array().unwrap().iter()
                .map(|s| ["side", "floor", "has", "needs"].map(|name| told(s, name)).join(" ")).collect();
            assert_eq!(lacking.join(", "), lacks, "{key}: {found}");
        }
    }

    async fn is_not_told_before_the_maturity_date(world: World) {
        let place = place(&world).await;
        let measured = first(&world, &place, "restore", 41, BEFORE, Runs { days: (33, 8), ..AFTER }).await;
        let found = measured.impact(&place.manager, &measured.draft.version).await;
        assert_eq!((&found["mature"], &found["verdict"]), (&json!(false), &Value::Null), "{found}");
        for effect in ["adoption", "errorRate", "firstTimeRight", "completionTime"] {
            assert_eq!(found[effect], Value::Null, "{found}");
        }
        assert!(found["summary"].as_str().unwrap().starts_with("Judged on "), "{found}");
        // What was gathered so far is told.
        assert_eq!((number(&found["after"]["runs"]), number(&found["after"]["people"])), (240, 24), "{found}");
        measured.in_force(&measured.draft.version, 43, None).await;
        let found = measured.impact(&place.manager, &measured.draft.version).await;
        assert_eq!(found["verdict"], "LIKELY_BETTER", "{found}");
    }

    async fn of_a_later_version_is_told_against_the_one_before(world: World) {
        let place = place(&world).await;
        let measured = first(&world, &place, "restore", SINCE, BEFORE, AFTER).await;
        let second = supersede(&measured).await;
        let found = measured.impact(&place.manager, &second.version).await;
        assert_eq!((&found["version"]["label"], &found["predecessor"]["label"]), (&json!("2.0"), &json!("1.0")));
        assert_eq!((&found["verdict"], number(&found["before"]["runs"])), (&json!("LIKELY_BETTER"), 240), "{found}");
        let length = instant(&found["before"]["to"]) - instant(&found["before"]["from"]);
        assert_eq!(length.num_days(), 133 - SINCE - 7, "it was learnt for a week: {found}");
        assert!(found["summary"].as_str().unwrap().contains("under version 1.0"), "{found}");
        // One that was to be learnt for longer, by its own plan.
        let slow = Measured::new(&world, &place, "slow").await;
        slow.plan(json!({"learningDays": 30, "maturesAfterDays": 60})).await;
        slow.publish().await;
        let after = supersede(&slow).await;
        let longer = slow.impact(&place.manager, &after.version).await;
        let length = instant(&longer["before"]["to"]) - instant(&longer["before"]["from"]);
        assert_eq!(length.num_days(), 133 - SINCE - 30, "{longer}");
        // The first one has lost what came after it: now nothing was before it, and its time is over.
        let found = measured.impact(&place.manager, &measured.draft.version).await;
        assert_eq!((&found["verdict"], number(&found["before"]["runs"])), (&json!("INSUFFICIENT"), 0), "{found}");
    }

    async fn of_very_many_runs_is_told_by_a_part_of_them(world: World) {
        let place = place(&world).await;
        let measured = first(&world, &place, "restore", SINCE, BEFORE, AFTER).await;
        multiply(&world, 70).await;
        let found = measured.impact(&place.manager, &measured.draft.version).await;
        assert_eq!((number(&found["before"]["runs"]), number(&found["after"]["runs"])), (240 * 71, 240 * 71), "{found}");
        let before = &found["errorRate"]["before"];
        let (errors, runs) = (number(&before["numerator"]), number(&before["denominator"]));
        assert!((14_000..16_000).contains(&runs), "{found}");
        assert!((errors * 3 - runs).abs() < runs / 20, "a third has errors, in any part: {errors} of {runs}");
        assert_eq!(found["verdict"], "LIKELY_BETTER", "{found}");
        assert_eq!(measured.impact(&place.manager, &measured.draft.version).await, found);
    }
}
