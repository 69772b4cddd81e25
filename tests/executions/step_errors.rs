//! Steps in the order of the trouble that runs have with them, against a second computation from what was sent, and against
//! what the funnel of a version says.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, SubsecRound as _, Utc};
use serde_json::{Value, json};

use super::violations::{Clocks, bucket_start};
use super::{Reporter, assert_bad_input, everyone, from_now, months_ago, step, with};
use crate::story::{
    CREATE_TEAM, Draft, Place, content, draft, number, place, process, publish, published, published_next, text,
};
use crate::support::{Client, Dice, World, both, literal};

const STEPS: &str = "query($filter: FiguresFilter, $by: StepErrorsBy! = FAILED, $first: Int! = 100, $bucket: TimeBucket, $zone: String) {
    stepErrors(filter: $filter, by: $by, first: $first, bucket: $bucket, timeZone: $zone) { from to runs runsRead totalCount runsWithSteps { numerator denominator }
        steps { process { key } sop { code } version { label } step { key instruction mandatory } ...Step } } }
    fragment Step on StepErrorFigures { key reached failed { ...Share } skipped { ...Share } repeated { ...Share }
        errors { events runs interval { low } } }
    fragment Share on Ratio { numerator denominator interval { low high } }";
const FUNNEL: &str = "query($version: ID!, $filter: StepFunnelFilter) { stepFunnel(versionId: $version, filter: $filter) {
    runs runsRead runsWithSteps { numerator denominator } steps { ...Step } otherSteps { ...Step } } }
    fragment Step on StepFigures { key reached { numerator } failed { ...Share } skipped { ...Share } repeated { ...Share }
        errors { events runs interval { low } } }
    fragment Share on Ratio { numerator denominator interval { low high } }";

/// A run as it was sent last: when, of which SOP with which label, or of which process, by which team, and its attempts at
/// steps: key, attempt and status.
#[derive(Clone)]
struct Run {
    at: DateTime<Utc>,
    /// The code of the SOP with the label, or the key of the process.
    of: (String, Option<&'static str>),
    team: Option<&'static str>,
    attempts: Vec<(&'static str, i64, &'static str)>,
}

impl Run {
    fn any(dice: &mut Dice, at: DateTime<Utc>, of: (String, Option<&'static str>)) -> Self {
        let mut attempts = Vec::new();
        // One that the first version has alone, one that the second has alone, and one that none has.
        for key in ["identify", "reset", "call-back", "phone-home"] {
            for attempt in 1..=1 + i64::try_from(dice.roll(3)).unwrap() {
                if dice.roll(4) > 0 {
                    attempts.push((key, attempt, dice.pick(&["DONE", "DONE", "SKIPPED", "FAILED"])));
                }
            }
        }
        if dice.roll(8) == 0 {
            attempts.clear();
        }
        Self { at, of, team: dice.pick(&[Some("ops"), Some("hr"), None]), attempts }
    }

    fn item(&self, name: &str) -> Value {
        let steps = self.attempts.iter().map(|(key, attempt, status)| step(key, *attempt, status, [None, None]));
        let of = match self.of.1 {
            Some(label) => [("sop", json!(self.of.0)), ("version", json!(label))],
            None => [("process", json!(self.of.0)), ("version", Value::Null)],
        };
        let item = json!({"eventId": name, "runId": name, "startedAt": self.at.to_rfc3339(), "steps": steps.collect::<Vec<_>>()});
        with(with(item, of), [("team", json!(self.team))])
    }
}

/// What is expected of a step: reached, failed, skipped, repeated, and how often it failed.
type Counts = [i64; 5];
/// The same by time bucket.
type Series = Vec<(DateTime<Utc>, Counts)>;

/// By SOP or process, and by key.
fn count(runs: &[&Run]) -> BTreeMap<(String, &'static str), Counts> {
    let mut steps: BTreeMap<(String, &str), Counts> = BTreeMap::new();
    for run in runs {
        let keys: BTreeSet<&str> = run.attempts.iter().map(|(key, ..)| *key).collect();
        for key in keys {
            let of = || run.attempts.iter().filter(|(other, ..)| *other == key);
            let count = |test: &dyn Fn(&str) -> bool| i64::try_from(of().filter(|(.., s)| test(s)).count()).unwrap();
            let (failed, tried) = (count(&|s| s == "FAILED"), count(&|s| s != "SKIPPED"));
            let counts = steps.entry((run.of.0.clone(), key)).or_default();
            let one = [1, i64::from(failed > 0), i64::from(tried == 0), i64::from(tried > 1), failed];
            counts.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        }
    }
    steps
}

fn told(row: &Value) -> Counts {
    let share = |of: &str| {
        assert_eq!(row[of]["denominator"], row["reached"], "{row}");
        number(&row[of]["numerator"])
    };
    assert_eq!(row["errors"]["runs"], row["reached"], "{row}");
    [number(&row["reached"]), share("failed"), share("skipped"), share("repeated"), number(&row["errors"]["events"])]
}

/// Asks and compares: every step, and the order of the worst.
async fn compare(who: &Client, runs: &[&Run], filter: &Value) {
    let expected = count(runs);
    for (by, place, share) in [("FAILED", 1, "failed"), ("SKIPPED", 2, "skipped"), ("REPEATED", 3, "repeated")] {
        let seen = who.ok(STEPS, json!({"filter": filter, "by": by})).await["stepErrors"].take();
        let rows = seen["steps"].as_array().unwrap();
        let name = |row: &Value| {
            let of = if row["sop"].is_null() { &row["process"]["key"] } else { &row["sop"]["code"] };
            (text(of), text(&row["key"]))
        };
        let found: BTreeMap<(String, String), Counts> = rows.iter().map(|row| (name(row), told(row))).collect();
        let own: BTreeMap<(String, String), Counts> =
            expected.iter().map(|((of, key), counts)| ((of.clone(), (*key).to_owned()), *counts)).collect();
        assert_eq!(found, own, "{filter}");
        let with_steps = runs.iter().filter(|run| !run.attempts.is_empty()).count();
        let told_of = json!([seen["runs"], seen["runsRead"], seen["runsWithSteps"], seen["totalCount"]]);
        let counted = json!([runs.len(), runs.len(), {"numerator": with_steps, "denominator": runs.len()}, own.len()]);
        assert_eq!(told_of, counted, "{filter}");
        // By Wilson's lower end, computed here anew.
        let low = |counts: &Counts| wilson(counts[place], counts[0]);
        for pair in rows.windows(2) {
            let (a, b) = (told(&pair[0]), told(&pair[1]));
            assert!(low(&a) >= low(&b) - 1e-12, "{by}: {pair:?}");
            if (low(&a) - low(&b)).abs() < 1e-12 {
                assert!((-a[0], name(&pair[0]).1) <= (-b[0], name(&pair[1]).1), "{by}: {pair:?}");
            }
            assert!((pair[0][share]["interval"]["low"].as_f64().unwrap() - low(&a)).abs() < 1e-9, "{by}: {pair:?}");
        }
    }
}

/// The same of each step by time.
async fn compare_series(who: &Client, runs: &[&Run], filter: &Value, clocks: Clocks) {
    const SERIES: &str = "query($filter: FiguresFilter, $bucket: TimeBucket, $zone: String) {
        stepErrors(filter: $filter, bucket: $bucket, timeZone: $zone, first: 20) { steps {
            process { key } sop { code } key bucketStart series { ...Step bucketStart } } } }
        fragment Step on StepErrorFigures { key reached failed { numerator denominator } skipped { numerator denominator }
            repeated { numerator denominator } errors { events runs } }";
    for bucket in ["DAY", "WEEK", "MONTH"] {
        let mut buckets: BTreeMap<DateTime<Utc>, Vec<&Run>> = BTreeMap::new();
        for run in runs {
            buckets.entry(bucket_start(bucket, run.at, clocks.ahead())).or_default().push(run);
        }
        let mut expected: BTreeMap<(String, String), Series> = BTreeMap::new();
        for (start, runs) in buckets {
            for ((of, key), counts) in count(&runs) {
                expected.entry((of, key.to_owned())).or_default().push((start, counts));
            }
        }
        let variables = json!({"filter": filter, "bucket": bucket, "zone": clocks.zone()});
        let seen = who.ok(SERIES, variables).await["stepErrors"].take();
        let series = |row: &Value| {
            assert_eq!(row["bucketStart"], Value::Null);
            let of = if row["sop"].is_null() { &row["process"]["key"] } else { &row["sop"]["code"] };
            let part = |part: &Value| {
                assert_eq!(part["key"], row["key"], "{part}");
                (text(&part["bucketStart"]).parse().unwrap(), told(part))
            };
            ((text(of), text(&row["key"])), row["series"].as_array().unwrap().iter().map(part).collect())
        };
        let found: BTreeMap<_, Series> = seen["steps"].as_array().unwrap().iter().map(series).collect();
        assert_eq!(found, expected, "by {bucket} in {:?}", clocks.asked);
    }
}

#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn wilson(of: i64, n: i64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    let (p, n, z) = (of as f64 / n as f64, n as f64, 1.959_963_984_540_054_f64);
    (p + z * z / (2.0 * n) - z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt()) / (1.0 + z * z / n)
}

/// A second version of an SOP, in force, with another step in the place of the second one.
async fn second(place: &Place, first: &Draft) -> Draft {
    let mut next = content("Reset a password");
    next["steps"][1] = json!({"key": "call-back", "instruction": "Call back.", "role": "agent", "mandatory": false});
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    published_next(place, first, next).await
}

/// Runs of both versions of an SOP, of another SOP and of a process without one; also sent.
async fn runs(world: &World, sops: [&Draft; 2], start: DateTime<Utc>) -> Vec<Run> {
    let mut dice = Dice::new(5);
    let of = [
        (sops[0].code.clone(), Some("1.0")),
        (sops[0].code.clone(), Some("2.0")),
        (sops[1].code.clone(), Some("1.0")),
        ("unwritten".to_owned(), None),
    ];
    let run = |n: i64| {
        let of = dice.pick(&of);
        Run::any(&mut dice, start + Duration::minutes(n * 61), of)
    };
    let mut runs: Vec<Run> = (0..300).map(run).collect();
    let items: Vec<Value> = runs.iter().enumerate().map(|(n, run)| run.item(&format!("r{n}"))).collect();
    let reporter = Reporter::new(world, "tickets");
    reporter.create("BACKFILL", &items).await;
    reporter.create("PRACTICE", &[runs[2].item("practice")]).await;
    // A correction takes the place of the attempt that it corrects.
    let corrected =
        |attempts: &[(&'static str, i64, &'static str)]| Run { attempts: attempts.to_vec(), ..runs[1].clone() };
    let last = corrected(&[("identify", 1, "FAILED"), ("identify", 2, "FAILED"), ("identify", 3, "DONE")]);
    for (revision, run) in [(1, corrected(&[("identify", 1, "DONE")])), (2, last.clone())] {
        let mut item = run.item("corrected");
        (item["eventId"], item["revision"]) = (json!(format!("corrected-{revision}")), json!(revision));
        reporter.send("BACKFILL", &[item]).await;
    }
    runs.push(last);
    runs
}

both! {
    async fn step_errors_agree_with_a_second_computation(mut world: World) {
        let place = place(&world).await;
        place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let first = published(&place, "Reset a password").await;
        let later = second(&place, &first).await;
        let key = process(&place.author, &json!(place.team), "restore").await;
        let other = draft(&place, &place.author, &key, "Restore a backup").await;
        publish(&place, &place.author, &other).await;
        let unwritten = process(&place.author, &json!(place.team), "unwritten").await;
        let start = Utc::now().trunc_subsecs(6) - Duration::hours(700);
        let runs = runs(&world, [&first, &other], start).await;

        let who = everyone(&world);
        let all = json!({"from": start.to_rfc3339(), "to": from_now(0)});
        let asked = |more: Value| {
            let mut filter = all.clone();
            more.as_object().unwrap().iter().for_each(|(key, value)| filter[key] = value.clone());
            filter
        };
        let of = |test: &dyn Fn(&Run) -> bool| runs.iter().filter(|run| test(run)).collect::<Vec<_>>();
        compare(&who, &of(&|_| true), &all).await;
        compare(&who, &of(&|run| run.of.0 == first.code), &asked(json!({"sopId": first.sop}))).await;
        compare(&who, &of(&|run| run.of.0 == first.code), &asked(json!({"processId": place.process}))).await;
        compare(&who, &of(&|run| run.of.0 == "unwritten"), &asked(json!({"processId": unwritten}))).await;
        compare(&who, &of(&|run| run.team == Some("ops")), &asked(json!({"teamId": place.team}))).await;
        let both = asked(json!({"teamId": place.team, "sopId": other.sop}));
        compare(&who, &of(&|run| run.team == Some("ops") && run.of.0 == other.code), &both).await;
        // From is included, to is not; whether found by what they are of or by their time.
        let (from, to) = (runs[40].at, runs[200].at);
        let within = |run: &Run, from, to| from <= run.at && run.at < to;
        for more in [json!({}), json!({"sopId": first.sop})] {
            for moment in [Duration::zero(), Duration::microseconds(1)] {
                let (from, to) = (from + moment, to + moment);
                let mut filter = asked(more.clone());
                (filter["from"], filter["to"]) = (json!(from.to_rfc3339()), json!(to.to_rfc3339()));
                let is_asked = |run: &Run| within(run, from, to) && (more["sopId"].is_null() || run.of.0 == first.code);
                compare(&who, &of(&is_asked), &filter).await;
            }
        }
        // By time, of all and of one SOP, and from the midst of an hour on.
        let utc = Clocks { kept: 0, asked: None };
        let filter = json!({"sopId": first.sop, "from": from.to_rfc3339(), "to": to.to_rfc3339()});
        // Also in a time zone that is asked for, whose days begin between the hours of UTC.
        for clocks in [utc, Clocks { asked: Some(("Asia/Kolkata", 330)), ..utc }] {
            compare_series(&who, &of(&|_| true), &all, clocks).await;
            compare_series(&who, &of(&|run| within(run, from, to) && run.of.0 == first.code), &filter, clocks).await;
        }
        // By who reads less.
        compare(&world.client(&["manager@hr"], "hugo"), &of(&|run| run.team == Some("hr")), &all).await;
        assert_eq!(place.viewer.error_code(STEPS, json!({"filter": all})).await, "FORBIDDEN");

        // What the steps are, by the newest version that has them.
        let seen = who.ok(STEPS, json!({"filter": asked(json!({"sopId": first.sop}))})).await["stepErrors"].take();
        let known: BTreeMap<String, Value> = seen["steps"].as_array().unwrap().iter()
            .map(|row| (text(&row["key"]), json!([row["version"]["label"], row["step"]["instruction"], row["step"]["mandatory"]]))).collect();
        let expected = [
            ("call-back", json!(["2.0", "Call back.", false])),
            ("identify", json!(["2.0", "Ask for the badge number.", true])),
            ("phone-home", json!([null, null, null])),
            ("reset", json!(["1.0", "Reset the password.", true])),
        ];
        assert_eq!(known, expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        let few = who.ok(STEPS, json!({"filter": all, "first": 3})).await["stepErrors"].take();
        let whole = who.ok(STEPS, json!({"filter": all})).await["stepErrors"].take();
        assert_eq!(few["totalCount"], json!(12));
        assert_eq!(few["steps"].as_array().unwrap()[..], whole["steps"].as_array().unwrap()[..3]);

        // Of one version they are what its funnel says.
        for version in [&first.version, &later.version, &other.version] {
            same_as_funnel(&who, version, &all).await;
        }

        // Where days begin between the hours of UTC.
        let zone = [("SOPWITH_TIME_ZONE", "Asia/Kolkata")];
        let rebuilt = world.command_with(&["rollup", "rebuild"], &zone).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        world.restart_with(&zone).await;
        let kolkata = Clocks { kept: 330, asked: None };
        compare_series(&who, &of(&|_| true), &all, kolkata).await;
        compare_series(&who, &of(&|_| true), &all, Clocks { asked: Some(("UTC", 0)), ..kolkata }).await;
    }

    async fn of_very_many_runs_the_same_part_is_read_as_by_the_funnel(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await;
        let start = Utc::now().trunc_subsecs(6) - Duration::hours(700);
        let run = |n: i64| {
            let status = if n % 7 == 0 { "FAILED" } else { "DONE" };
            let run = Run { at: start + Duration::seconds(n), of: (sop.code.clone(), Some("1.0")), team: None, attempts: vec![("reset", 1, status)] };
            run.item(&format!("r{n}"))
        };
        Reporter::new(&world, "tickets").create("BACKFILL", &(0..16_000).map(run).collect::<Vec<_>>()).await;
        let filter = json!({"from": start.to_rfc3339(), "to": from_now(0)});
        let seen = same_as_funnel(&everyone(&world), &sop.version, &filter).await;
        let read = number(&seen["runsRead"]);
        assert_eq!(seen["runs"], json!(16_000));
        assert!((14_000..16_000).contains(&read), "{read}");
        assert_eq!(seen["steps"][0]["reached"], json!(read));
    }

    async fn the_time_of_step_errors_is_bounded(world: World) {
        let place = place(&world).await;
        let run = |name: &str, days: i64| json!({"eventId": name, "runId": name, "process": "password-reset", "startedAt": from_now(-days * 86_400),
            "steps": [{"key": name, "status": "FAILED"}]});
        let reporter = Reporter::new(&world, "tickets");
        let mut ended = run("f", 120);
        (ended["finishedAt"], ended["startedAt"]) = (ended["startedAt"].take(), Value::Null);
        reporter.create("BACKFILL", &[run("b", 1), run("a", 1), run("c", 89), run("d", 91), ended]).await;
        let keys = async |filter: Value| {
            let seen = place.manager.ok(STEPS, json!({"filter": filter})).await["stepErrors"].take();
            seen["steps"].as_array().unwrap().iter().map(|row| text(&row["key"])).collect::<Vec<_>>()
        };
        assert_eq!(keys(json!({})).await, ["a", "b", "c"], "of 90 days, and of equals the first in the alphabet first");
        for more in [json!(null), json!(place.process)] {
            let ask = json!({"from": from_now(-121 * 86_400), "to": from_now(-119 * 86_400), "processId": more});
            assert_eq!(keys(ask).await, ["f"], "without a start it goes by its finish");
        }
        assert_eq!(keys(json!({"from": from_now(0), "to": from_now(-86_400)})).await, Vec::<String>::new());
        for (variables, path) in [
            (json!({"bucket": "HOUR"}), "bucket"),
            (json!({"first": 0}), "first"),
            (json!({"first": 101}), "first"),
            (json!({"filter": {"from": from_now(-367 * 86_400)}}), "filter.from"),
            (json!({"bucket": "DAY", "zone": "Berlin"}), "timeZone"),
        ] {
            assert_bad_input(&place.manager, STEPS, variables, path).await;
        }
        // A version that there is not, or not any more, has no runs.
        assert_eq!(keys(json!({"versionId": "ver_01900000000070008000000000000001"})).await, Vec::<String>::new());
        assert_eq!(place.manager.error_code(STEPS, json!({"filter": {"versionId": "nonsense"}})).await, "NOT_FOUND");
    }

    async fn what_was_deleted_is_in_neither(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await;
        let since = months_ago(12).timestamp_micros();
        world.execute(&format!("UPDATE version SET published_at = {since} WHERE id = {}", literal(&world, &sop.version))).await;
        let run = |month: u32| json!({"eventId": format!("m{month}"), "runId": format!("m{month}"), "sop": sop.code,
            "startedAt": months_ago(month).to_rfc3339(), "finishedAt": months_ago(month).to_rfc3339(), "outcome": "FAILED",
            "steps": [{"key": "reset", "status": "FAILED"}], "violations": [{"kind": "SLA", "severity": "MAJOR"}]});
        // One that has not ended is kept, and is not counted either: others of its time are gone.
        let mut open = run(5);
        (open["eventId"], open["runId"], open["finishedAt"], open["outcome"]) = (json!("open"), json!("open"), Value::Null, Value::Null);
        let runs: Vec<Value> = (1..=6).map(run).chain([open]).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &runs).await;
        let query = "query($filter: FiguresFilter) { violationKinds(filter: $filter) { from violations { events runs } kinds { kind violations { events } } }
            stepErrors(filter: $filter) { from runs steps { key reached } } figures(filter: $filter) { runs violations { events } } }";
        let ask = json!({"filter": {"from": months_ago(8).to_rfc3339(), "to": from_now(0), "sopId": sop.sop}});
        let seen = place.manager.ok(query, ask.clone()).await;
        assert_eq!(json!([seen["violationKinds"]["violations"], seen["stepErrors"]["runs"]]), json!([{"events": 7, "runs": 7}, 7]));

        world.restart_with(&[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "3")]).await;
        world.server.log_entry(|line| line["job"] == "expire_executions" && line["done"] == 3).await;
        let seen = place.manager.ok(query, ask).await;
        let from = [&seen["violationKinds"]["from"], &seen["stepErrors"]["from"]].map(|at| text(at).parse());
        assert_eq!(from, [Ok(months_ago(3)), Ok(months_ago(3))]);
        let kinds = json!({"violations": {"events": 3, "runs": 3}, "kinds": [{"kind": "SLA", "violations": {"events": 3}}]});
        assert_eq!(json!({"violations": seen["violationKinds"]["violations"], "kinds": seen["violationKinds"]["kinds"]}), kinds);
        assert_eq!(json!([seen["stepErrors"]["runs"], seen["stepErrors"]["steps"]]), json!([3, [{"key": "reset", "reached": 3}]]));
        assert_eq!(seen["figures"][0], json!({"runs": 7, "violations": {"events": 7}}), "figures stay as they are");
        // Of a time that is gone as a whole there is nothing.
        let ask = json!({"filter": {"from": months_ago(8).to_rfc3339(), "to": months_ago(4).to_rfc3339()}});
        let seen = place.manager.ok(query, ask).await;
        assert_eq!(json!([seen["violationKinds"]["kinds"], seen["stepErrors"]["steps"]]), json!([[], []]));
    }
}

/// Asks for the step errors of a version and for its funnel, and compares them.
async fn same_as_funnel(who: &Client, version: &str, filter: &Value) -> Value {
    let mut asked = filter.clone();
    asked["versionId"] = json!(version);
    let steps = who.ok(STEPS, json!({"filter": asked})).await["stepErrors"].take();
    let funnel = who.ok(FUNNEL, json!({"version": version, "filter": filter})).await["stepFunnel"].take();
    for name in ["runs", "runsRead", "runsWithSteps"] {
        assert_eq!(steps[name], funnel[name], "{name}");
    }
    let of = |row: &Value, reached: &Value| {
        json!([row["key"], reached, row["failed"], row["skipped"], row["repeated"], row["errors"]]).to_string()
    };
    let ours = steps["steps"].as_array().unwrap().iter();
    let ours: BTreeSet<String> = ours.map(|row| of(row, &row["reached"])).collect();
    let theirs = [&funnel["steps"], &funnel["otherSteps"]].into_iter().flat_map(|list| list.as_array().unwrap());
    let told = theirs.filter(|row| row["reached"]["numerator"] != 0);
    let theirs: BTreeSet<String> = told.map(|row| of(row, &row["reached"]["numerator"])).collect();
    assert!(!ours.is_empty());
    assert_eq!(ours, theirs);
    steps
}
