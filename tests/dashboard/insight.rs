//! What the page of an SOP says beside its figures: what ails it, what was decided, and whether its version did better.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Visitor;
use crate::executions::begin;
use crate::measurement::{Measured, Runs};
use crate::story::{ANSWER_DIAGNOSIS, Place, draft, place};
use crate::support::{Backend, World, both, run};

const DIAGNOSIS: &str = "query($id: ID!) { diagnosis(sopId: $id) { state runs people adoption { numerator denominator }
    findings { kind summary stepKey threshold proposes figures { of share { numerator denominator } interval { low high } } } } }";

const USE: &str = "query($filter: FiguresFilter) { figures(filter: $filter) { currentVersion { ...Share }
    conformance { full { ...Share } } } } fragment Share on Ratio { numerator denominator value interval { low high } }";

/// In force for 45 days: learnt until day 38, and judged 3 days ago by runs that started until day 10.
pub const SINCE: i64 = 45;
const BEFORE: Runs = Runs { people: 24, each: 10, days: (120, 46), errs: 3, minutes: 120 };

/// An SOP with runs before and after its first version, so many of each person after. Where they are many, one in four has
/// trouble on a step.
pub async fn shown<'a>(world: &'a World, place: &'a Place, key: &str, since: i64, each: usize) -> Measured<'a> {
    let measured = Measured::new(world, place, key).await;
    measured.report(BEFORE).await;
    measured.publish().await;
    measured.in_force(&measured.draft.version, since, None).await;
    let all = 24 * each;
    let item = |n: usize| {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let day = 37.0 - 26.0 * n as f64 / all as f64;
        let mut item = measured.run(Some(n % 24), day, 60, usize::from(n.is_multiple_of(20)));
        let reset = if each >= 10 && n.is_multiple_of(4) { "FAILED" } else { "DONE" };
        if n.is_multiple_of(2) {
            (item["sop"], item["version"]) = (json!(measured.draft.code), json!("1.0"));
        }
        item["steps"] = json!([{"key": "identify", "status": "DONE"}, {"key": "reset", "status": reset}]);
        item
    };
    measured.reporter.create("BACKFILL", &(0..all).map(item).collect::<Vec<_>>()).await;
    measured
}

/// The manager decides to rewrite the step.
pub async fn decided(measured: &Measured<'_>, note: &str) {
    let input = json!({"sopId": measured.draft.sop, "finding": "TROUBLED_STEP", "stepKey": "reset", "response": "REWRITE_STEP",
        "note": note});
    measured.place.manager.mutate(ANSWER_DIAGNOSIS, json!({"input": input})).await;
}

/// The texts of a page as a reader has them.
fn plain(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            '\u{a0}' | '\u{202f}' => text.push(' '),
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

const NOT_WORKED_OUT: &str = "It could not be worked out while this page waited";
const NOT_COMPARED: &str = "It could not be compared while this page waited";

/// On PostgreSQL, since nothing keeps a reader of SQLite waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_waits_so_long_and_where_there_is_no_place_not_at_all() {
    run(Backend::Postgres, |mut world| async move {
        // A page waits for half of that.
        world.restart_with(&[("SOPWITH_REQUEST_TIMEOUT_SECONDS", "6")]).await;
        let place = place(&world).await;
        let measured = shown(&world, &place, "restore", SINCE, 10).await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        let path = format!("/dashboard/sops/{}", measured.draft.code);
        let timed = async || {
            let began = Instant::now();
            let page = visitor.page(&path).await;
            (
                page.contains(NOT_WORKED_OUT) && page.contains(NOT_COMPARED) && page.contains("Over time"),
                began.elapsed(),
            )
        };
        let held =
            begin(&world, "", "BEGIN; LOCK TABLE diagnosis_response, measurement_plan IN ACCESS EXCLUSIVE MODE").await;
        // Each takes two of four places, which are kept for as long as the database is at it.
        for (is_without, took) in <[_; 2]>::from(tokio::join!(timed(), timed())) {
            assert!(is_without && took >= Duration::from_secs(3), "{took:?}");
        }
        let (is_without, took) = timed().await;
        assert!(is_without && took < Duration::from_millis(2_500), "{took:?}");
        held.close().await.unwrap();
        for _ in 0..100 {
            if !timed().await.0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let page = visitor.page(&path).await;
        assert!(
            page.contains("A step gives trouble") && page.contains("Likely better"),
            "places are free again: {page}"
        );
    })
    .await;
}

both! {
    async fn the_page_says_what_the_api_says(world: World) {
        let place = place(&world).await;
        let measured = shown(&world, &place, "restore", SINCE, 10).await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        let path = format!("/dashboard/sops/{}", measured.draft.code);

        let (diagnosis, impact) = (
            place.manager.ok(DIAGNOSIS, json!({"id": measured.draft.sop})).await["diagnosis"].take(),
            measured.impact(&place.manager, &measured.draft.version).await,
        );
        assert_eq!((&diagnosis["findings"][0]["kind"], &impact["verdict"]), (&json!("TROUBLED_STEP"), &json!("LIKELY_BETTER")), "{diagnosis} {impact}");
        let told = visitor.numbers(&format!("{path}.json")).await;
        let (of, found) = (&told["diagnosis"], &told["diagnosis"]["findings"][0]);
        assert_eq!([&of["state"], &of["runs"], &of["people"], &of["version"]], [&diagnosis["state"], &diagnosis["runs"], &diagnosis["people"], &json!("1.0")]);
        assert_eq!(of["adoption"]["numerator"], diagnosis["adoption"]["numerator"]);
        for field in ["kind", "summary", "stepKey", "threshold", "proposes"] {
            assert_eq!(found[field], diagnosis["findings"][0][field], "{field}");
        }
        for (figure, known) in found["figures"].as_array().unwrap().iter().zip(diagnosis["findings"][0]["figures"].as_array().unwrap()) {
            assert_eq!([&figure["of"], &figure["numerator"], &figure["interval"]], [&known["of"], &known["share"]["numerator"], &known["interval"]]);
        }
        let compared = &told["comparison"];
        for field in ["mature", "maturesAt", "primaryMetric", "verdict", "summary", "shortfalls", "before", "after", "leftOut"] {
            assert_eq!(compared[field], impact[field], "{field}");
        }
        assert_eq!(compared["errorRate"]["difference"], impact["errorRate"]["difference"]);
        assert_eq!(compared["completionTime"]["ratio"], impact["completionTime"]["ratio"]);
        assert_eq!([&compared["version"], &compared["predecessor"]], [&json!("1.0"), &Value::Null]);

        let filter = json!({"sopId": measured.draft.sop, "from": told["from"], "to": told["to"]});
        let known = place.manager.ok(USE, json!({"filter": filter})).await["figures"][0].take();
        assert_eq!(told["total"]["currentVersion"], known["currentVersion"]);
        assert_eq!(told["total"]["fullConformance"], known["conformance"]["full"]);
        assert_eq!((&known["currentVersion"]["numerator"], &known["conformance"]["full"]["denominator"]), (&json!(120), &json!(240)));

        let page = plain(&visitor.page(&path).await);
        let ratio = format!("{:.2} times as long", impact["completionTime"]["ratio"]["value"].as_f64().unwrap());
        for text in [
            "A step gives trouble: reset", found["summary"].as_str().unwrap(), "60 of 240", "Proposed: rewrite the step.", "Nothing was decided so far.",
            "Version 1.0 against the time before it", "Likely better", impact["summary"].as_str().unwrap(), "80 of 240", &ratio,
            "associated with the version and not shown to be caused by it", "240 runs by 24 people in 2 teams",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!visitor.get(&format!("{path}.csv")).await.body.to_string().contains("LIKELY"));

        decided(&measured, "The <b>console</b> has moved.").await;
        let page = visitor.page(&path).await;
        assert!(page.contains("The &lt;b&gt;console&lt;/b&gt; has moved."), "{page}");
        let page = plain(&page);
        assert!(page.contains("Decided: rewrite the step.") && page.contains(", mia, under version 1.0") && !page.contains("Nothing was decided"), "{page}");
        let told = visitor.numbers(&format!("{path}.json")).await;
        assert_eq!((&told["diagnosis"]["responses"][0]["response"], &told["diagnosis"]["responses"][0]["createdBy"]), (&json!("REWRITE_STEP"), &json!("mia")));
    }

    async fn what_is_not_enough_has_no_direction(world: World) {
        let place = place(&world).await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        for (key, since, each, texts) in [
            ("few", SINCE, 4, ["Too little to judge by", "It lacks:", "After: 96 runs by people who are known, of at least 100", "Too little is known."]),
            ("young", 40, 4, ["Not judged yet", "It lacks so far:", "and not before", "Too little is known."]),
        ] {
            let measured = shown(&world, &place, key, since, each).await;
            let path = format!("/dashboard/sops/{}", measured.draft.code);
            let page = plain(&visitor.page(&path).await);
            for text in texts {
                assert!(page.contains(text), "{key}: {text}: {page}");
            }
            let compared = page.split("Version 1.0 against").nth(1).unwrap().split("Over time").next().unwrap();
            for direction in ["After against before", "points", "times as long", "Likely"] {
                assert!(!compared.contains(direction), "{key}: {direction}: {compared}");
            }
        }
    }

    async fn a_page_is_shown_without_what_went_wrong(world: World) {
        let place = place(&world).await;
        let measured = shown(&world, &place, "restore", SINCE, 10).await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        let path = format!("/dashboard/sops/{}", measured.draft.code);
        for (table, compared) in [("diagnosis_response", true), ("measurement_plan", false)] {
            world.execute(&format!("ALTER TABLE {table} RENAME TO away")).await;
            let (page, told) = (visitor.page(&path).await, visitor.numbers(&format!("{path}.json")).await);
            world.execute(&format!("ALTER TABLE away RENAME TO {table}")).await;
            assert_eq!((told.get("diagnosis"), told["comparison"].is_object()), (Some(&Value::Null), compared), "{table}: {told}");
            assert_eq!((page.contains(NOT_WORKED_OUT), page.contains(NOT_COMPARED)), (true, !compared), "{table}: {page}");
            assert_eq!(told["total"]["runs"], 240, "the figures are there");
            assert!(page.contains("Over time") && !page.contains(table), "{page}");
            let logged = world.server.log_entry(|line| line["reason"].as_str().is_some_and(|reason| reason.contains(table))).await;
            assert_eq!(logged["message"], "a page of figures is shown without what ails the SOP");
        }
        let page = visitor.page(&path).await;
        assert!(page.contains("A step gives trouble") && page.contains("Likely better"), "{page}");
    }

    async fn it_is_there_for_who_reads_the_figures_only(world: World) {
        let place = place(&world).await;
        let measured = shown(&world, &place, "restore", SINCE, 10).await;
        let path = format!("/dashboard/sops/{}", measured.draft.code);
        // The owner reads those of the SOP; another team's manager those of that team, and nothing of the whole.
        for (who, reads) in [(&place.author, true), (&world.client(&["manager"], "max"), true), (&world.client(&["manager@hr"], "hugo"), false)] {
            let visitor = Visitor::signed_in(&world, &who.token).await;
            let (page, told) = (visitor.page(&path).await, visitor.numbers(&format!("{path}.json")).await);
            assert!(told["total"]["runs"].as_i64() > Some(0), "{told}");
            for part in ["diagnosis", "comparison"] {
                assert_eq!((page.contains(&format!("id=\"{part}\"")), told.get(part).is_some()), (reads, reads), "{part}");
            }
        }
        // Nothing is said of what is not in force.
        let other = draft(&place, &place.author, &place.process, "Not yet").await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        assert!(!visitor.page(&format!("/dashboard/sops/{}", other.code)).await.contains("Diagnosis"));
    }
}
