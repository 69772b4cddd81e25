//! The step funnel against a second computation from what was sent.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use serde_json::{Value, json};

use super::figures::micros;
use super::{Reporter, everyone, multiply, step};
use crate::story::{
    CREATE_TEAM, CREATE_VERSION, Draft, Place, content, number, place, published, published_next, text,
};
use crate::support::{Dice, World, both};

const FUNNEL: &str = "query($version: ID!, $filter: StepFunnelFilter) { stepFunnel(versionId: $version, filter: $filter) {
    version { label } from to runs runsRead runsWithSteps { numerator denominator }
    steps { ...Step } otherSteps { ...Step } } }
    fragment Step on StepFigures { key step { key } reached { numerator denominator } done { numerator } skipped { numerator }
        failed { numerator denominator } errors { events runs }
        time { runs median { value low high } expected ratio overExpected { numerator denominator } } }";

/// One attempt at a step: key, attempt, status, and when it began and ended, as far as that is told.
type Attempt = (&'static str, i64, &'static str, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

fn attempts(dice: &mut Dice, start: DateTime<Utc>) -> Vec<Attempt> {
    let mut all = Vec::new();
    for key in ["identify", "reset", "phone-home"] {
        for attempt in 1..=1 + i64::try_from(dice.roll(3)).unwrap() {
            if dice.roll(4) == 0 {
                continue;
            }
            let status = dice.pick(&["DONE", "DONE", "SKIPPED", "FAILED"]);
            let began = start + Duration::seconds(i64::try_from(dice.roll(3600)).unwrap());
            // Around the two minutes that are expected of the first step, and exactly that.
            let takes = Duration::microseconds(i64::try_from(60 + 10 * dice.roll(13)).unwrap() * 1_000_000);
            all.push((
                key,
                attempt,
                status,
                (dice.roll(9) > 0).then_some(began),
                (dice.roll(9) > 0).then_some(began + takes),
            ));
        }
    }
    all
}

fn item(name: &str, sop: &Draft, label: &str, start: DateTime<Utc>, attempts: &[Attempt]) -> Value {
    let attempt = |(key, attempt, status, began, ended): &Attempt| step(key, *attempt, status, [*began, *ended]);
    json!({"eventId": name, "runId": name, "sop": sop.code, "version": label, "startedAt": start.to_rfc3339(), "team": "ops",
        "steps": attempts.iter().map(attempt).collect::<Vec<_>>()})
}

/// What the runs tell of a step: [reached, done, skipped, failed, failures, timed, over two minutes], and their times.
fn expected(runs: &[Vec<Attempt>], key: &str) -> ([i64; 7], Vec<i64>) {
    let (mut counts, mut times) = ([0; 7], Vec::new());
    for run in runs {
        let of: Vec<&Attempt> = run.iter().filter(|(k, ..)| *k == key).collect();
        let count = |status: &str| i64::try_from(of.iter().filter(|(_, _, s, ..)| *s == status).count()).unwrap();
        if of.is_empty() {
            continue;
        }
        counts[0] += 1;
        counts[1] += i64::from(count("DONE") > 0);
        counts[2] += i64::from(count("DONE") + count("FAILED") == 0);
        counts[3] += i64::from(count("FAILED") > 0);
        counts[4] += count("FAILED");
        let worked = of.iter().filter(|(_, _, status, ..)| *status != "SKIPPED");
        let took: Vec<i64> = worked.filter_map(|(.., a, b)| (*b.as_ref()? - a.as_ref()?).num_microseconds()).collect();
        if !took.is_empty() {
            times.push(took.iter().sum());
            counts[5] += 1;
            counts[6] += i64::from(took.iter().sum::<i64>() > 120_000_000);
        }
    }
    times.sort_unstable();
    (counts, times)
}

fn compare(row: &Value, runs: &[Vec<Attempt>], with_steps: usize) {
    let key = text(&row["key"]);
    let (counts, times) = expected(runs, &key);
    let (time, share) = (&row["time"], |name: &str| row[name]["numerator"].clone());
    let over = &time["overExpected"]["numerator"];
    let found = json!([
        share("reached"),
        share("done"),
        share("skipped"),
        share("failed"),
        row["errors"]["events"],
        time["runs"]
    ]);
    assert_eq!(found, json!(counts[..6]), "{key}");
    assert_eq!(row["reached"]["denominator"], json!(with_steps), "{key}");
    assert_eq!(
        (&row["failed"]["denominator"], &row["errors"]["runs"]),
        (&json!(counts[0]), &json!(counts[0])),
        "{key}"
    );
    let median = times[times.len().div_ceil(2) - 1];
    let [value, low, high] = ["value", "low", "high"].map(|of| micros(time["median"][of].as_str().unwrap()));
    assert_eq!(value, median, "{key}");
    let below = times.iter().filter(|t| **t < low).count();
    let above = times.iter().filter(|t| **t > high).count();
    assert!(
        low <= median && median <= high && below * 2 < times.len() && above * 2 < times.len(),
        "{key}: {low} {high}"
    );
    if key == "identify" {
        assert_eq!((over, &time["expected"]), (&json!(counts[6]), &json!("PT2M")));
        #[expect(clippy::cast_precision_loss, reason = "some minutes")]
        let ratio = median as f64 / 120e6;
        assert!((time["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    } else {
        assert_eq!(
            (&time["expected"], &time["overExpected"], &time["ratio"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
    }
}

/// The second version of an SOP, in force.
async fn second(place: &Place, first: &Draft) -> Draft {
    let mut next = content("Reset a password");
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    published_next(place, first, next).await
}

both! {
    async fn a_funnel_agrees_with_a_second_computation(world: World) {
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let later = second(&place, &first).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut dice = Dice::new(7);
        let start = Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0).unwrap();
        let (mut runs, mut items) = (Vec::new(), Vec::new());
        for n in 0..240 {
            let at = start + Duration::hours(n);
            // Every eighth tells nothing of its steps.
            let attempts = if n % 8 == 0 { Vec::new() } else { attempts(&mut dice, at) };
            items.push(item(&format!("r{n}"), &first, "1.0", at, &attempts));
            runs.push(attempts);
        }
        reporter.create("BACKFILL", &items).await;
        // What is not to be counted: another version, training, another time.
        let other = attempts(&mut dice, start);
        reporter.create("BACKFILL", &[item("other-version", &first, "2.0", start, &other),
            item("earlier", &first, "1.0", start - Duration::microseconds(1), &other),
            item("later", &first, "1.0", start + Duration::hours(240), &other)]).await;
        reporter.create("PRACTICE", &[item("practice", &first, "1.0", start, &other)]).await;
        // A correction takes the place of what it corrects.
        let mut again = item("r1", &first, "1.0", start + Duration::hours(1), &[("identify", 1, "FAILED", None, None)]);
        (again["eventId"], again["revision"]) = (json!("r1-again"), json!(1));
        assert_eq!(reporter.send("BACKFILL", &[again]).await[0]["status"], "UPDATED");
        runs[1].retain(|(key, attempt, ..)| (*key, *attempt) != ("identify", 1));
        runs[1].push(("identify", 1, "FAILED", None, None));

        let filter = json!({"from": start.to_rfc3339(), "to": (start + Duration::hours(240)).to_rfc3339()});
        let ask = json!({"version": first.version, "filter": filter});
        let seen = everyone(&world).ok(FUNNEL, ask.clone()).await["stepFunnel"].take();
        let told: Vec<Vec<Attempt>> = runs.into_iter().filter(|run| !run.is_empty()).collect();
        assert!(told.len() > 150 && told.len() < 220);
        assert_eq!(json!([seen["version"]["label"], seen["runs"], seen["runsRead"]]), json!(["1.0", 240, 240]));
        assert_eq!(seen["runsWithSteps"], json!({"numerator": told.len(), "denominator": 240}));
        let keys = |list: &str| seen[list].as_array().unwrap().iter().map(|s| text(&s["key"])).collect::<Vec<_>>();
        assert_eq!((keys("steps"), keys("otherSteps")), (vec!["identify".into(), "reset".into()], vec!["phone-home".into()]));
        for row in seen["steps"].as_array().unwrap().iter().chain(seen["otherSteps"].as_array().unwrap()) {
            compare(row, &told, told.len());
        }
        assert_eq!(json!([seen["steps"][1]["step"]["key"], seen["otherSteps"][0]["step"]]), json!(["reset", null]));
        // The other version by its own.
        let ask = json!({"version": later.version, "filter": filter});
        assert_eq!(everyone(&world).ok(FUNNEL, ask).await["stepFunnel"]["runs"], json!(1));
    }

    async fn of_very_many_runs_a_funnel_tells_by_a_part_of_them(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let at = Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0).unwrap();
        // Of eight, one tells of no step. The others take 1 to 7 minutes for the first, and three of them fail in the second.
        let attempts = |n: i64| -> Vec<Attempt> {
            let first = ("identify", 1, "DONE", Some(at), Some(at + Duration::minutes(n)));
            vec![first, ("reset", 1, if n <= 3 { "FAILED" } else { "DONE" }, None, None)]
        };
        let told = |n| if n == 0 { Vec::new() } else { attempts(n) };
        let items: Vec<Value> = (0..8).map(|n| item(&format!("r{n}"), &made, "1.0", at, &told(n))).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &items).await;
        multiply(&world, 2_199).await;

        let ask = json!({"version": made.version, "filter": {"from": at.to_rfc3339(), "to": (at + Duration::days(1)).to_rfc3339()}});
        let seen = place.manager.ok(FUNNEL, ask.clone()).await["stepFunnel"].take();
        let (read, with_steps) = (number(&seen["runsRead"]), &seen["runsWithSteps"]);
        assert_eq!(seen["runs"], 8 * 2_200, "all are counted: {seen}");
        assert!((14_000..16_000).contains(&read), "{seen}");
        assert_eq!(with_steps["denominator"], read);
        let with_steps = number(&with_steps["numerator"]);
        assert!((8 * with_steps - 7 * read).abs() < read / 10, "seven in eight, in any part: {seen}");
        let (identify, reset) = (&seen["steps"][0], &seen["steps"][1]);
        for step in [identify, reset] {
            assert_eq!(step["reached"], json!({"numerator": with_steps, "denominator": with_steps}));
        }
        let failed = number(&reset["failed"]["numerator"]);
        assert!((7 * failed - 3 * with_steps).abs() < with_steps / 10, "three in seven, in any part: {seen}");
        assert_eq!(json!([reset["failed"]["denominator"], identify["time"]["runs"]]), json!([with_steps, with_steps]));
        assert_eq!(micros(identify["time"]["median"]["value"].as_str().unwrap()), 240_000_000);
        assert_eq!(place.manager.ok(FUNNEL, ask).await["stepFunnel"], seen, "it is the same part each time");
    }

    async fn of_steps_that_a_version_does_not_have_fifty_are_told(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let at = Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0).unwrap();
        // Of its own steps no run tells.
        let keys: Vec<&'static str> = (0..60).map(|n| &*format!("other-{n:02}").leak()).collect();
        let steps: Vec<Attempt> = keys.iter().map(|key| (*key, 1, "DONE", None, None)).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &[item("r", &made, "1.0", at, &steps)]).await;
        let filter = json!({"from": at.to_rfc3339(), "to": (at + Duration::days(1)).to_rfc3339()});
        let seen = place.manager.ok(FUNNEL, json!({"version": made.version, "filter": filter})).await["stepFunnel"].take();
        let others: Vec<&str> = seen["otherSteps"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
        assert_eq!(others, keys[..50]);
        assert_eq!(seen["steps"].as_array().unwrap().len(), 2);
    }

    async fn a_funnel_tells_of_the_runs_that_somebody_reads(world: World) {
        let place = place(&world).await;
        place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let made = published(&place, "Reset a password").await;
        let at = Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0).unwrap();
        let steps: [Attempt; 1] = [("identify", 1, "DONE", None, None)];
        let mut items = [item("a", &made, "1.0", at, &steps), item("b", &made, "1.0", at, &steps), item("c", &made, "1.0", at, &[])];
        items[0]["team"] = json!("hr");
        Reporter::new(&world, "tickets").create("BACKFILL", &items).await;
        let filter = json!({"from": at.to_rfc3339(), "to": (at + Duration::days(366)).to_rfc3339()});
        let ask = json!({"version": made.version, "filter": filter});
        for (who, runs) in [(&place.manager, 3), (&place.author, 3), (&world.client(&["manager@hr"], "hugo"), 1),
            (&world.client(&["manager@nowhere"], "nora"), 0)] {
            let seen = who.ok(FUNNEL, ask.clone()).await;
            assert_eq!(seen["stepFunnel"]["runs"], json!(runs), "{seen}");
        }
        assert_eq!(place.viewer.error_code(FUNNEL, ask.clone()).await, "FORBIDDEN");
        // Of no runs there are no shares; the steps are there all the same.
        let seen = place.manager.ok(FUNNEL, json!({"version": made.version})).await["stepFunnel"].take();
        assert_eq!((&seen["runs"], seen["steps"].as_array().unwrap().len()), (&json!(0), 2));
        assert_eq!(seen["steps"][0]["time"]["median"], Value::Null);
        // More than a year, an end before the beginning, and what there is not.
        let mut longer = ask.clone();
        longer["filter"]["to"] = json!((at + Duration::days(367)).to_rfc3339());
        assert_eq!(place.manager.error_code(FUNNEL, longer).await, "BAD_USER_INPUT");
        let mut backwards = ask.clone();
        backwards["filter"]["to"] = json!((at - Duration::days(1)).to_rfc3339());
        assert_eq!(place.manager.ok(FUNNEL, backwards).await["stepFunnel"]["runs"], json!(0));
        let mut of_team = ask.clone();
        of_team["filter"]["teamId"] = json!(place.team);
        assert_eq!(place.manager.ok(FUNNEL, of_team).await["stepFunnel"]["runs"], json!(2));
        let open = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": made.sop}})).await;
        for version in [open["version"]["id"].clone(), json!("ver_01900000000070008000000000000001")] {
            let seen = place.manager.ok(FUNNEL, json!({"version": version})).await;
            assert_eq!(seen["stepFunnel"], Value::Null, "never in force, or not there");
        }
    }
}

/// Nothing is counted under two keys.
#[test]
fn the_second_computation_counts_as_it_says() {
    let done: Vec<Attempt> =
        vec![("a", 1, "FAILED", None, None), ("a", 2, "DONE", None, None), ("b", 1, "SKIPPED", None, None)];
    let all: BTreeMap<&str, [i64; 7]> =
        ["a", "b", "c"].into_iter().map(|k| (k, expected(std::slice::from_ref(&done), k).0)).collect();
    assert_eq!(all["a"], [1, 1, 0, 1, 1, 0, 0]);
    assert_eq!(all["b"], [1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(all["c"], [0; 7]);
}
