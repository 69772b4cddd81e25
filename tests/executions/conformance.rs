//! How far runs kept to the steps of their version, and which version they used, against a second computation.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use serde_json::{Value, json};

use super::{Reporter, everyone, step, with};
use crate::story::{
    CREATE_SOP, CREATE_TEAM, Draft, Place, RETIRE, content, decide, look, number, place, process, publish, published,
    published_next, text,
};
use crate::support::{Dice, World, both};

const CONFORMANCE: &str = "query($by: [FiguresDimension!], $filter: FiguresFilter) { figures(groupBy: $by, filter: $filter) {
    team { key } runs conformance { known { numerator denominator } full { numerator denominator } deviations checks value } } }";

const USE: &str = "query($filter: FiguresFilter) { figures(filter: $filter) { runs
    currentVersion { numerator denominator } coverage { numerator denominator } reportedVersion { numerator } } }";

/// The steps of the version: key, whether it is mandatory, and where its branches lead.
const STEPS: [(&str, bool, &[&str]); 7] = [
    ("look", true, &[]),
    ("ask", true, &["by-phone", "by-mail"]),
    ("by-phone", true, &["close"]),
    ("note", false, &[]),
    ("by-mail", true, &[]),
    ("wait", true, &["look"]),
    ("close", true, &[]),
];

/// An attempt: key, attempt, status, and when it began.
type Attempt = (&'static str, i64, &'static str, Option<i64>);

/// A run: its team, its outcome, whether it ended, and its attempts.
type Run = (&'static str, Option<&'static str>, bool, Vec<Attempt>);

fn runs(dice: &mut Dice) -> Vec<Run> {
    let ways: [&[&str]; 6] = [
        &["look", "ask", "by-phone", "close"],
        &["look", "ask", "by-mail", "wait", "close"],
        &["look", "ask", "by-phone", "note", "close"],
        &["look", "ask", "by-phone", "note", "by-mail", "wait", "close"],
        &["ask", "look", "own-idea", "close"],
        &["close", "wait", "look"],
    ];
    let make = |n: usize| {
        let mut way: Vec<&'static str> = ways[dice.place(ways.len())].to_vec();
        if dice.place(3) == 0 {
            way.remove(dice.place(way.len()));
        }
        if dice.place(4) == 0 && way.len() > 1 {
            let at = dice.place(way.len() - 1);
            way.swap(at, at + 1);
        }
        if dice.place(4) == 0 {
            way.truncate(1 + dice.place(way.len()));
        }
        let mut attempts: Vec<Attempt> = Vec::new();
        for (at, key) in (0_i64..).zip(&way) {
            let status = ["DONE", "DONE", "DONE", "FAILED", "SKIPPED"][dice.place(5)];
            attempts.push((*key, 1, status, (dice.place(10) > 0).then_some(at)));
            if status == "FAILED" {
                attempts.push((*key, 2, "DONE", Some(at + 20)));
            }
        }
        if dice.place(9) == 0 {
            attempts.clear();
        }
        let outcome = [None, Some("SUCCEEDED"), Some("SUCCEEDED"), Some("FAILED"), Some("ABANDONED")][dice.place(5)];
        (["ops", "hr"][n % 2], outcome, outcome.is_some() || dice.place(2) == 0, attempts)
    };
    (0..220).map(make).collect()
}

/// All ways through the steps from one on, as the places on them.
fn ways(at: usize, stopped: bool) -> Vec<Vec<usize>> {
    let place = |key: &str| STEPS.iter().position(|(k, ..)| *k == key).unwrap();
    let mut all = if stopped || at == STEPS.len() { vec![Vec::new()] } else { Vec::new() };
    if let Some((_, _, branches)) = STEPS.get(at) {
        let onwards = branches.iter().map(|key| place(key)).filter(|to| *to > at).chain([at + 1]);
        for mut way in onwards.flat_map(|to| ways(to, stopped)) {
            way.insert(0, at);
            all.push(way);
        }
    }
    all
}

/// The longest series that runs forward, by trying all.
fn longest(places: &[usize]) -> usize {
    let chosen =
        |of: u32| -> Vec<usize> { (0..places.len()).filter(|i| (of >> i) & 1 == 1).map(|i| places[i]).collect() };
    (0..1_u32 << places.len()).map(chosen).filter(|taken| taken.is_sorted()).map(|taken| taken.len()).max().unwrap()
}

/// (checks, deviations) of a run that ended.
fn judge((_, outcome, _, attempts): &Run) -> Option<(usize, usize)> {
    let mut done: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    for (key, _, _, at) in attempts.iter().filter(|(_, _, status, _)| *status != "SKIPPED") {
        let first = done.entry(key).or_insert(*at);
        *first = match (*first, *at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    let stopped = matches!(outcome, Some("FAILED" | "ABANDONED"));
    let is_done = |place: &usize| done.contains_key(STEPS[*place].0);
    let missed = |way: &Vec<usize>| way.iter().filter(|place| STEPS[**place].1 && !is_done(place)).count();
    let on_it = |way: &Vec<usize>| way.iter().filter(|place| is_done(place)).count();
    let all = ways(0, stopped);
    let most = all.iter().map(on_it).max().unwrap();
    let skipped = all.iter().filter(|way| on_it(way) == most).map(missed).min().unwrap();
    let owed = STEPS.iter().filter(|(key, mandatory, _)| *mandatory && done.contains_key(key)).count();
    let own = |key: &&str| STEPS.iter().position(|(k, ..)| k == key);
    let extra = done.keys().filter(|key| own(key).is_none()).count();
    let mut timed: Vec<(i64, usize)> = done.iter().filter_map(|(key, at)| Some(((*at)?, own(key)?))).collect();
    timed.sort_unstable();
    let places: Vec<usize> = timed.into_iter().map(|(_, place)| place).collect();
    let checks = skipped + owed + done.len();
    (checks > 0 && !attempts.is_empty()).then_some((checks, skipped + extra + places.len() - longest(&places)))
}

fn item(n: usize, revision: i64, sop: &str, at: DateTime<Utc>, (team, outcome, ended, attempts): &Run) -> Value {
    let attempt = |(key, attempt, status, began): &Attempt| {
        step(key, *attempt, status, [began.map(|minutes| at + Duration::minutes(minutes)), None])
    };
    let item = json!({"eventId": format!("e{n}-{revision}"), "runId": format!("r{n}"), "revision": revision, "sop": sop,
        "version": "1.0", "team": team, "startedAt": at.to_rfc3339(), "steps": attempts.iter().map(attempt).collect::<Vec<_>>()});
    // Either of the two ends it.
    let finished = (*ended && outcome.is_none()).then(|| (at + Duration::hours(2)).to_rfc3339());
    with(item, [("outcome", json!(outcome)), ("finishedAt", json!(finished))])
}

/// [known, finished, full, deviations, checks] of runs.
fn expected<'a>(runs: impl Iterator<Item = &'a Run>) -> [usize; 5] {
    let mut sum = [0; 5];
    for run in runs.filter(|(_, outcome, ended, _)| *ended || outcome.is_some()) {
        sum[1] += 1;
        if let Some((checks, deviations)) = judge(run) {
            sum[0] += 1;
            sum[2] += usize::from(deviations == 0);
            sum[3] += deviations;
            sum[4] += checks;
        }
    }
    sum
}

fn told(row: &Value) -> [usize; 5] {
    let of = &row["conformance"];
    assert_eq!(of["full"]["denominator"], of["known"]["numerator"]);
    let all = [
        &of["known"]["numerator"],
        &of["known"]["denominator"],
        &of["full"]["numerator"],
        &of["deviations"],
        &of["checks"],
    ];
    all.map(|value| usize::try_from(value.as_u64().unwrap()).unwrap())
}

async fn forked(place: &Place) -> Draft {
    let step = |(key, mandatory, branches): &(&str, bool, &[&str])| {
        let branches: Vec<Value> = branches.iter().map(|to| json!({"condition": "if so", "goTo": to})).collect();
        json!({"key": key, "instruction": "Do it.", "role": "agent", "mandatory": mandatory, "branches": branches})
    };
    let mut said = content("Answer a question");
    said["steps"] = json!(STEPS.iter().map(step).collect::<Vec<_>>());
    let input = json!({"processId": place.process, "teamId": place.team, "risk": "LOW", "content": said});
    let made = place.author.mutate(CREATE_SOP, json!({"input": input})).await;
    let (sop, version) = (&made["sop"], &made["sop"]["openVersion"]);
    let draft = Draft {
        sop: text(&sop["id"]),
        code: text(&sop["code"]),
        version: text(&version["id"]),
        revision: number(&version["revision"]),
        hash: text(&version["contentHash"]),
    };
    publish(place, &place.author, &draft).await;
    draft
}

async fn check(world: &World, runs: &[Run]) {
    let seen = everyone(world).ok(CONFORMANCE, json!({"by": ["TEAM"]})).await;
    for row in seen["figures"].as_array().unwrap() {
        let team = text(&row["team"]["key"]);
        let expected = expected(runs.iter().filter(|(of, ..)| *of == team));
        assert_eq!(told(row), expected, "{team}");
        assert!(
            expected[0] > 50 && expected[2] > 5 && expected[2] * 2 < expected[0],
            "there is something to tell: {expected:?}"
        );
        #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
        let value = 1.0 - expected[3] as f64 / expected[4] as f64;
        assert!((row["conformance"]["value"].as_f64().unwrap() - value).abs() < 1e-9);
    }
    assert_eq!(seen["figures"].as_array().unwrap().len(), 2);
    let verified = world.command(&["rollup", "verify", "--json"]).await;
    assert!(verified.status.success(), "{verified:?}");
}

/// A second version in force.
async fn second(place: &Place, first: &Draft) -> Draft {
    let mut next = content("Reset a password");
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    published_next(place, first, next).await
}

both! {
    async fn conformance_agrees_with_a_second_computation(mut world: World) {
        let place = place(&world).await;
        place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let made = forked(&place).await;
        let mut runs = runs(&mut Dice::new(11));
        let reporter = Reporter::new(&world, "tickets");
        let start = Utc.with_ymd_and_hms(2024, 5, 1, 10, 0, 0).unwrap();
        let at = |n: usize| start + Duration::hours(i64::try_from(n).unwrap());
        let items: Vec<Value> = runs.iter().enumerate().map(|(n, run)| item(n, 0, &made.code, at(n), run)).collect();
        reporter.create("BACKFILL", &items).await;
        let mut practice = items[1].clone();
        (practice["eventId"], practice["runId"]) = (json!("practice"), json!("practice"));
        reporter.create("PRACTICE", &[practice]).await;
        check(&world, &runs).await;

        // Corrections leave no trace: steps that come later, and an end that does.
        for n in (0..runs.len()).step_by(7) {
            let (_, outcome, _, attempts) = &mut runs[n];
            *outcome = outcome.or(Some("SUCCEEDED"));
            attempts.retain(|(key, attempt, ..)| (*key, *attempt) != ("close", 3));
            attempts.push(("close", 3, "DONE", Some(40)));
            let answer = reporter.send("BACKFILL", &[item(n, 1, &made.code, at(n), &runs[n])]).await.remove(0);
            assert_eq!(answer["status"], "UPDATED", "{answer}");
        }
        check(&world, &runs).await;

        // As an older version of the service left them: they are judged at the start.
        world.execute("UPDATE execution SET step_checks = NULL, step_deviations = NULL WHERE mode <> 'PRACTICE'").await;
        world.execute("UPDATE rollup_state SET layout = 1").await;
        world.restart().await;
        check(&world, &runs).await;
    }

    async fn the_version_in_force_and_the_runs_that_used_it(world: World) {
        let place = place(&world).await;
        let first = published(&place, "Reset a password").await;
        let later = second(&place, &first).await;
        process(&place.author, &json!(place.team), "unwritten").await;
        let query = "query($id: ID!) { version(id: $id) { publishedAt } }";
        let mut since = Vec::new();
        for version in [&first.version, &later.version] {
            let seen = place.author.ok(query, json!({"id": version})).await;
            since.push(text(&seen["version"]["publishedAt"]).parse::<DateTime<Utc>>().unwrap());
        }
        let moment = Duration::microseconds(1);
        // When it started, which version it reports; then: in force, of those that report one, of these the one in force.
        let cases = [
            (since[0] - moment, Some("1.0"), [0, 0, 0]),
            (since[0] - moment, None, [0, 0, 0]),
            (since[0], Some("1.0"), [1, 1, 1]),
            (since[0], Some("2.0"), [1, 1, 0]),
            (since[0], None, [1, 0, 0]),
            (since[1] - moment, Some("1.0"), [1, 1, 1]),
            (since[1], Some("1.0"), [1, 1, 0]),
            (since[1], Some("1.0"), [1, 1, 0]),
            (since[1], Some("2.0"), [1, 1, 1]),
            (since[1], None, [1, 0, 0]),
        ];
        let exact = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let item = |n: usize, (at, label, _): &(DateTime<Utc>, Option<&str>, [i64; 3])| {
            let mut item = json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "startedAt": exact(*at)});
            match label {
                Some(label) => (item["sop"], item["version"]) = (json!(first.code), json!(label)),
                None => item["process"] = json!("password-reset"),
            }
            item
        };
        let mut items: Vec<Value> = cases.iter().enumerate().map(|(n, case)| item(n, case)).collect();
        items.push(json!({"eventId": "other", "runId": "other", "process": "unwritten", "startedAt": exact(since[1])}));
        Reporter::new(&world, "tickets").create("LIVE", &items).await;
        for (filter, from) in [(json!({}), None), (json!({"from": exact(since[1])}), Some(since[1]))] {
            let within: Vec<_> = cases.iter().filter(|(at, ..)| from.is_none_or(|from| *at >= from)).collect();
            let sum = |of: usize| within.iter().map(|(.., counts)| counts[of]).sum::<i64>();
            // The one of a process without an SOP is in none but the denominator of all.
            let all = i64::try_from(within.len()).unwrap() + 1;
            let expected = json!({"runs": all, "reportedVersion": {"numerator": within.iter().filter(|c| c.1.is_some()).count()},
                "currentVersion": {"numerator": sum(2), "denominator": sum(1)},
                "coverage": {"numerator": sum(0), "denominator": all}});
            assert_eq!(everyone(&world).ok(USE, json!({"filter": filter})).await["figures"][0], expected);
        }
        // Of the runs since the version in force took effect: 1 of 3 uses it.
        assert_eq!(cases.iter().filter(|(at, ..)| *at >= since[1]).map(|(.., c)| (c[1], c[2])).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (3, 1));
    }

    async fn processes_with_an_sop_in_force_are_counted(world: World) {
        let place = place(&world).await;
        let hr = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let hr = text(&hr["team"]["id"]);
        let made = published(&place, "Reset a password").await;
        let other = process(&place.author, &json!(place.team), "drafted").await;
        crate::story::draft(&place, &place.author, &other, "Still being written").await;
        process(&world.client(&["author@hr"], "hanna"), &json!(hr), "hire").await;
        let query = "query($team: ID) { processCoverage(teamId: $team) { withPublishedSop processes value } }";
        for (team, published, all, value) in [(Value::Null, 1, 3, json!(1.0 / 3.0)), (json!(place.team), 1, 2, json!(0.5)), (json!(hr), 0, 1, json!(0.0))] {
            let seen = place.viewer.ok(query, json!({"team": team})).await;
            assert_eq!(seen["processCoverage"], json!({"withPublishedSop": published, "processes": all, "value": value}));
        }
        // What is retired is in force no more.
        let seen = look(&place.author, &made.sop).await;
        let input = json!({"id": made.sop, "expectedRevision": seen["revision"], "reason": "nobody calls any more"});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
        let request = text(&asked["approvalRequest"]["id"]);
        let hash = text(&asked["approvalRequest"]["contentHash"]);
        decide(&place.approver, &request, &hash, "APPROVE", "").await;
        let seen = place.viewer.ok(query, json!({})).await;
        assert_eq!(seen["processCoverage"]["withPublishedSop"], json!(0));
    }
}
