//! When a run counts as abandoned, by process: what figures say of it, and what becomes of it when that changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::chaos::verify;
use super::{Reporter, compacted, everyone, from_now};
use crate::audit::entries;
use crate::story::{
    CREATE_PROCESS, CREATE_TEAM, Place, UPDATE_PROCESS, draft, number, person, place, process, publish, text,
};
use crate::support::{Client, World, both};

const HOUR: i64 = 3_600;
const DAYS: i64 = 24;

/// Runs by name, with their age and how long they took, where they have ended, in hours; one was given up.
const RUNS: [(&str, i64, Option<i64>); 8] = [
    ("done", 50 * DAYS, Some(3)),
    ("long", 50 * DAYS, Some(40 * DAYS)),
    ("given-up", 50 * DAYS, Some(1)),
    ("new", 0, None),
    ("fresh", 3, None),
    ("stale", 40 * DAYS, None),
    ("old", 70 * DAYS, None),
    ("ancient", 500 * DAYS, None),
];

/// How many of these count as abandoned, where those that have ended are judged by one horizon and open ones by another, in
/// hours; and how many began so many hours ago or later.
fn expected(ended: i64, open: i64, since: i64) -> (i64, i64) {
    let (mut abandoned, mut runs) = (0, 0);
    for (name, age, took) in RUNS.into_iter().filter(|(_, age, _)| *age <= since) {
        runs += 1;
        let is_late = took.map_or(age > open, |took| took > ended);
        abandoned += i64::from(name == "given-up" || is_late);
    }
    (abandoned, runs)
}

/// The runs of a process, which is named by what stands in `of`.
fn items(prefix: &str, of: &Value) -> Vec<Value> {
    let item = |(name, age, took): (&str, i64, Option<i64>)| {
        let mut item = json!({"eventId": format!("{prefix}-{name}"), "runId": format!("{prefix}-{name}"),
            "startedAt": from_now(-age * HOUR)});
        for (field, value) in of.as_object().unwrap() {
            item[field] = value.clone();
        }
        if let Some(took) = took {
            item["finishedAt"] = json!(from_now((took - age) * HOUR));
            item["outcome"] = json!(if name == "given-up" { "ABANDONED" } else { "SUCCEEDED" });
        }
        item
    };
    RUNS.into_iter().map(item).collect()
}

/// Abandoned runs and all, by the key of their process where it is asked for.
async fn abandonment(world: &World, arguments: &str) -> BTreeMap<String, (i64, i64)> {
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let query = format!("{{ figures{arguments} {{ process {{ key }} abandonment {{ numerator denominator }} }} }}");
    let seen = everyone(world).ok(&query, json!({})).await;
    let mut all: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for row in seen["figures"].as_array().unwrap() {
        let sum = all.entry(row["process"]["key"].as_str().unwrap_or("all").to_owned()).or_default();
        sum.0 += number(&row["abandonment"]["numerator"]);
        sum.1 += number(&row["abandonment"]["denominator"]);
    }
    all
}

/// That figures say so by process and of all, in whatever way they are asked for.
async fn assert_figures(world: &World, expected: &[(&str, (i64, i64))]) {
    let by_process: BTreeMap<_, _> = expected.iter().map(|(key, sum)| ((*key).to_owned(), *sum)).collect();
    for arguments in [
        "groupBy: [PROCESS]",
        "groupBy: [PROCESS, SOP, VERSION, TEAM]",
        "groupBy: [PROCESS], bucket: DAY",
        "groupBy: [PROCESS, TEAM], bucket: MONTH",
    ] {
        assert_eq!(abandonment(world, arguments).await, by_process, "{arguments}");
    }
    let all = expected.iter().fold((0, 0), |all, (_, sum)| (all.0 + sum.0, all.1 + sum.1));
    let all = BTreeMap::from([("all".to_owned(), all)]);
    for arguments in ["", "groupBy: [SOP]", "groupBy: [VERSION, TEAM]", "bucket: DAY", "groupBy: [TEAM], bucket: WEEK"]
    {
        assert_eq!(abandonment(world, arguments).await, all, "{arguments}");
    }
}

async fn assert_no_drift(world: &World) {
    let (agrees, told) = verify(world).await;
    assert!(agrees, "{told}");
    assert_eq!((&told["drift"], &told["rows"]), (&json!(0), &json!(0)));
}

async fn assert_same_anew(world: &World, expected: &[(&str, (i64, i64))]) {
    assert_no_drift(world).await;
    compacted(world).await;
    assert_figures(world, expected).await;
    let rebuilt = world.command(&["rollup", "rebuild", "--json"]).await;
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    assert_figures(world, expected).await;
    assert_no_drift(world).await;
}

async fn look(who: &Client, id: &str) -> Value {
    let query =
        "query($id: ID!) { process(by: {id: $id}) { name description owner { id } team { key } horizon revision } }";
    who.ok(query, json!({"id": id})).await["process"].take()
}

/// Changes a process as it is now.
async fn change(who: &Client, id: &str, mut to: Value) -> Value {
    to["id"] = json!(id);
    to["expectedRevision"] = look(who, id).await["revision"].clone();
    who.mutate(UPDATE_PROCESS, json!({"input": to})).await["process"].take()
}

async fn horizon(world: &World, run: &str) -> String {
    let query = "query($run: RunInput!) { execution(by: {run: $run}) { horizon } }";
    let seen = everyone(world).ok(query, json!({"run": {"source": "tickets", "runId": run}})).await;
    text(&seen["execution"]["horizon"])
}

/// The process `slow`, which takes sixty days, and `quick`, which takes two hours and has an SOP; both without runs.
struct Processes {
    slow: String,
    quick: String,
    sop: String,
    code: String,
}

impl Processes {
    async fn make(place: &Place) -> Self {
        let mut made = Vec::new();
        for (key, horizon) in [("slow", "P60D"), ("quick", "PT2H")] {
            let input = json!({"key": key, "name": key, "teamId": place.team, "horizon": horizon});
            made.push(text(&place.author.mutate(CREATE_PROCESS, json!({"input": input})).await["process"]["id"]));
        }
        let sop = draft(place, &place.author, &made[1], "Unlock a door").await;
        publish(place, &place.author, &sop).await;
        Self { slow: made[0].clone(), quick: made[1].clone(), sop: sop.sop, code: sop.code }
    }

    /// Runs of all three: those of `quick` name its SOP only.
    async fn run(&self, reporter: &Reporter) {
        reporter.create("BACKFILL", &items("u", &json!({"process": "password-reset", "team": "ops"}))).await;
        reporter.create("BACKFILL", &items("s", &json!({"process": "slow"}))).await;
        reporter.create("BACKFILL", &items("q", &json!({"sop": self.code}))).await;
        // Of no figure.
        let practice = json!({"eventId": "p", "runId": "p", "process": "quick", "startedAt": from_now(-9 * HOUR)});
        reporter.create("PRACTICE", &[practice]).await;
    }
}

const ALL: i64 = 1_000 * DAYS;
const USUAL: i64 = 30 * DAYS;
const SLOW: i64 = 60 * DAYS;

both! {
    async fn each_process_has_its_own(world: World) {
        let place = place(&world).await;
        let made = Processes::make(&place).await;
        let told = look(&place.viewer, &made.quick).await;
        assert_eq!((&told["horizon"], &told["revision"]), (&json!("PT2H"), &json!(1)));
        assert_eq!(look(&place.viewer, &made.slow).await["horizon"], "PT1440H");
        assert_eq!(look(&place.viewer, &place.process).await["horizon"], "PT720H", "thirty days where none is set");
        made.run(&Reporter::new(&world, "tickets")).await;
        for (run, expected) in [("u-done", "PT720H"), ("s-fresh", "PT1440H"), ("q-done", "PT2H"), ("q-fresh", "PT2H")] {
            assert_eq!(horizon(&world, run).await, expected, "{run}");
        }
        let expected_of = |since| [("password-reset", expected(USUAL, USUAL, since)), ("quick", expected(2, 2, since)),
            ("slow", expected(SLOW, SLOW, since))];
        // What is meant, in figures: a run of three hours is abandoned in one and not in the others.
        assert_eq!(expected_of(ALL), [("password-reset", (5, 8)), ("quick", (7, 8)), ("slow", (3, 8))]);
        assert_figures(&world, &expected_of(ALL)).await;
        assert_same_anew(&world, &expected_of(ALL)).await;
        // Of a time, that does not begin with an hour either, and of one thing.
        for since in [2, 30 * DAYS, 45 * DAYS, 60 * DAYS, 100 * DAYS] {
            let from = from_now(-since * HOUR - 1);
            let by_process: BTreeMap<String, (i64, i64)> =
                expected_of(since).into_iter().map(|(key, sum)| (key.to_owned(), sum)).collect();
            for more in ["", ", bucket: DAY"] {
                let arguments = format!("groupBy: [PROCESS], filter: {{from: \"{from}\"}}{more}");
                assert_eq!(abandonment(&world, &arguments).await, by_process, "since {since} hours{more}");
            }
        }
        let quick = expected(2, 2, ALL);
        for filter in [format!("sopId: \"{}\"", made.sop), format!("processId: \"{}\"", made.quick)] {
            let found = abandonment(&world, &format!("filter: {{{filter}}}")).await;
            assert_eq!(found, BTreeMap::from([("all".to_owned(), quick)]), "{filter}");
        }
        let until = format!("groupBy: [PROCESS], filter: {{to: \"{}\"}}", from_now(-65 * DAYS * HOUR));
        let old = abandonment(&world, &until).await;
        assert!(old.len() == 3 && old.values().all(|sum| *sum == (2, 2)), "{old:?}");
    }

    async fn another_one_goes_for_the_runs_that_have_not_ended(world: World) {
        let place = place(&world).await;
        let made = Processes::make(&place).await;
        let reporter = Reporter::new(&world, "tickets");
        made.run(&reporter).await;
        let others = |quick| [("password-reset", expected(USUAL, USUAL, ALL)), ("quick", quick), ("slow", expected(SLOW, SLOW, ALL))];
        // Longer: what is open is no longer abandoned, and what has ended stays so.
        change(&place.author, &made.quick, json!({"horizon": "P60D"})).await;
        assert_eq!(expected(2, SLOW, ALL), (5, 8));
        assert_figures(&world, &others(expected(2, SLOW, ALL))).await;
        assert_same_anew(&world, &others(expected(2, SLOW, ALL))).await;
        for (run, expected) in [("q-done", "PT2H"), ("q-fresh", "PT1440H"), ("q-old", "PT1440H"), ("p", "PT1440H"), ("u-fresh", "PT720H")] {
            assert_eq!(horizon(&world, run).await, expected, "{run}");
        }
        // What ends now does so under the horizon of now; what is told of it later does not change that.
        let later = |run: &str, revision: i64, fields: Value| {
            let mut item = json!({"eventId": format!("{run}-{revision}"), "runId": run, "revision": revision});
            for (name, value) in fields.as_object().unwrap() {
                item[name] = value.clone();
            }
            item
        };
        let ended = later("q-fresh", 1, json!({"sop": made.code, "finishedAt": from_now(0), "outcome": "SUCCEEDED"}));
        assert_eq!(reporter.send("BACKFILL", &[ended]).await[0]["status"], "UPDATED");
        assert_figures(&world, &others(expected(2, SLOW, ALL))).await;
        // Shorter than ever.
        change(&place.author, &made.quick, json!({"horizon": "PT1H"})).await;
        let corrected = ["q-fresh", "q-done"].map(|run| later(run, 2, json!({"sop": made.code, "errors": 1})));
        assert!(reporter.send("BACKFILL", &corrected).await.iter().all(|answer| answer["status"] == "UPDATED"));
        for (run, expected) in [("q-done", "PT2H"), ("q-fresh", "PT1440H"), ("q-new", "PT1H"), ("q-old", "PT1H")] {
            assert_eq!(horizon(&world, run).await, expected, "{run}");
        }
        // All but the one that ended in time and the new one: `fresh` would be late by now.
        assert_eq!(expected(1, 1, ALL), (7, 8));
        assert_figures(&world, &others((6, 8))).await;
        assert_same_anew(&world, &others((6, 8))).await;
        // None: the usual one. What is new, and what was open, has that.
        change(&place.author, &made.quick, json!({"horizon": null})).await;
        assert_eq!(look(&place.viewer, &made.quick).await["horizon"], "PT720H");
        assert_eq!((horizon(&world, "q-new").await, horizon(&world, "q-done").await), ("PT720H".to_owned(), "PT2H".to_owned()));
        assert_same_anew(&world, &others(expected(2, USUAL, ALL))).await;
        let stamped = "SELECT COUNT(*) FROM execution WHERE horizon IS NOT NULL AND run_id LIKE 'q-%'";
        assert_eq!(world.query_i64(stamped).await, 4, "three ended under two hours, and one under sixty days");
    }

    async fn a_run_that_turns_out_to_be_of_another_process_has_that_ones(world: World) {
        let place = place(&world).await;
        Processes::make(&place).await;
        let reporter = Reporter::new(&world, "tickets");
        let item = |run: &str, revision: i64, process: &str, ended: bool| {
            let mut item = json!({"eventId": format!("{run}-{revision}"), "runId": run, "revision": revision, "process": process,
                "startedAt": from_now(-5 * HOUR)});
            if ended {
                item["finishedAt"] = json!(from_now(-HOUR));
            }
            item
        };
        reporter.create("LIVE", &[item("open", 0, "quick", false), item("ended", 0, "quick", true)]).await;
        assert_figures(&world, &[("quick", (2, 2))]).await;
        let moved = reporter.send("LIVE", &[item("open", 1, "slow", false), item("ended", 1, "slow", true)]).await;
        assert!(moved.iter().all(|answer| answer["status"] == "UPDATED"), "{moved:?}");
        assert_same_anew(&world, &[("slow", (0, 2))]).await;
        reporter.send("LIVE", &[item("open", 2, "quick", false), item("ended", 2, "password-reset", true)]).await;
        assert_same_anew(&world, &[("password-reset", (0, 1)), ("quick", (1, 1))]).await;
        assert_eq!(horizon(&world, "ended").await, "PT720H");
    }

    async fn open_runs_are_counted_in_for_as_long_as_the_longest(world: World) {
        let place = place(&world).await;
        let made = Processes::make(&place).await;
        let item = |n: i64, age: i64, took: Option<i64>| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"),
            "process": "password-reset", "startedAt": from_now(-age * DAYS * HOUR),
            "finishedAt": took.map(|took| from_now((took - age) * DAYS * HOUR))});
        // One of two is open: whoever took longer than it is known to have been so is the last that is left.
        let of = |n, took, open| vec![item(n, 90, Some(took)), item(n + 1, open, None)];
        let half = |seen: &Value| [&seen["p50"]["value"], &seen["p90"]["value"]].map(|v| v.as_str().map(|v| super::figures::micros(v) / 3_600_000_000 / 24));
        let mut n = 0;
        for (took, open, slow, p90) in [
            // As old as it is, though its own horizon is shorter.
            (35, 40, "P60D", None), (35, 40, "P30D", Some(34)),
            // Older than any: at the longest.
            (55, 70, "P60D", None), (65, 70, "P60D", Some(64)), (55, 70, "PT1H", Some(54)), (25, 70, "PT1H", None),
        ] {
            world.execute("UPDATE execution SET mode = 'PRACTICE'").await;
            assert!(world.command(&["rollup", "rebuild"]).await.status.success());
            change(&place.author, &made.slow, json!({"horizon": slow})).await;
            n += 2;
            Reporter::new(&world, "tickets").create("BACKFILL", &of(n, took, open)).await;
            let seen = everyone(&world).ok("{ figures { abandonment { numerator } completionTime { n open p50 { value } p90 { value } } } }", json!({})).await;
            let row = &seen["figures"][0];
            assert_eq!((&row["completionTime"]["n"], &row["completionTime"]["open"]), (&json!(1), &json!(1)), "{seen}");
            assert_eq!(row["abandonment"]["numerator"], 1 + i64::from(took > 30), "{took} {open} {slow}: {seen}");
            let [p50, found] = half(&row["completionTime"]);
            // Days are rounded down, and the histogram's buckets are a little wide.
            let near = |found: Option<i64>, day: Option<i64>| found.zip(day).map_or(found == day, |(f, d)| f == d || f == d + 1);
            assert!(near(found, p90), "{took} {open} {slow}: {found:?}, not {p90:?}: {seen}");
            assert!(near(p50, Some(took - 1)), "{took} {open} {slow}: {p50:?}: {seen}");
        }
    }

    async fn what_is_not_named_stays_and_what_is_null_goes(world: World) {
        let place = place(&world).await;
        let mia = person(&place.manager).await;
        let input = json!({"key": "restore", "name": "Restore", "description": "By hand.", "ownerId": mia, "teamId": place.team, "horizon": "P2D"});
        let id = text(&place.author.mutate(CREATE_PROCESS, json!({"input": input})).await["process"]["id"]);
        let told = |name: &str, description: &str, owner: Value, team: Value, horizon: &str, revision: i64| json!({"name": name,
            "description": description, "owner": owner, "team": team, "horizon": horizon, "revision": revision});
        let (owner, ops) = (json!({"id": mia}), json!({"key": "ops"}));
        assert_eq!(look(&place.viewer, &id).await, told("Restore", "By hand.", owner.clone(), ops.clone(), "PT48H", 1));
        change(&place.author, &id, json!({})).await;
        change(&place.author, &id, json!({"name": null, "description": null})).await;
        assert_eq!(look(&place.viewer, &id).await, told("Restore", "By hand.", owner.clone(), ops.clone(), "PT48H", 3));
        change(&place.author, &id, json!({"name": "Restore a backup", "description": ""})).await;
        assert_eq!(look(&place.viewer, &id).await, told("Restore a backup", "", owner, ops.clone(), "PT48H", 4));
        change(&place.author, &id, json!({"ownerId": null, "horizon": null})).await;
        assert_eq!(look(&place.viewer, &id).await, told("Restore a backup", "", Value::Null, ops, "PT720H", 5));
        change(&place.author, &id, json!({"horizon": "PT1H"})).await;

        // Where it moves, both teams are asked; without a team it is the organisation's.
        let dev = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "dev", "name": "Development"}})).await["team"]["id"].clone();
        let (all, both) = (world.client(&["author"], "olga"), world.client(&["author@ops", "author@dev"], "otto"));
        for (who, team, revision) in [(&place.author, dev.clone(), 6), (&place.author, Value::Null, 6), (&both, Value::Null, 6)] {
            let input = json!({"id": id, "expectedRevision": revision, "teamId": team});
            assert_eq!(who.refused(UPDATE_PROCESS, json!({"input": input})).await.code, "FORBIDDEN");
        }
        assert_eq!(change(&both, &id, json!({"teamId": dev})).await["team"]["key"], "dev");
        let input = json!({"id": id, "expectedRevision": 7, "name": "Mine"});
        assert_eq!(place.author.refused(UPDATE_PROCESS, json!({"input": input})).await.code, "FORBIDDEN", "it went to others");
        assert_eq!(change(&all, &id, json!({"teamId": null})).await["team"], Value::Null);
        let input = json!({"id": id, "expectedRevision": 8, "horizon": "P1D"});
        assert_eq!(both.refused(UPDATE_PROCESS, json!({"input": input})).await.code, "FORBIDDEN");

        // What changed is told, and nothing else.
        let told: Vec<Value> = entries(&place.admin, json!({"action": "process.updated"})).await.into_iter()
            .map(|entry| json!([entry["oldValue"], entry["newValue"]])).collect();
        let of = |revision: i64, mut old: Value, mut new: Value| {
            (old["revision"], new["revision"]) = (json!(revision), json!(revision + 1));
            json!([old, new])
        };
        let expected = [
            of(1, json!({}), json!({})),
            of(2, json!({}), json!({})),
            of(3, json!({"name": "Restore", "description": "By hand."}), json!({"name": "Restore a backup", "description": ""})),
            of(4, json!({"owner": mia, "horizonMicros": 172_800_000_000_i64}), json!({"owner": null, "horizonMicros": null})),
            of(5, json!({"horizonMicros": null}), json!({"horizonMicros": 3_600_000_000_i64})),
            of(6, json!({"team": place.team}), json!({"team": dev})),
            of(7, json!({"team": dev}), json!({"team": null})),
        ];
        assert!(told == expected || told.iter().rev().eq(&expected), "{told:#?}");
        // Where it moved, it is told to those who lost it.
        let mut told = Vec::new();
        for manager in [&place.manager, &world.client(&["manager@dev"], "dora")] {
            let found = entries(manager, json!({"action": "process.updated"})).await;
            told.push(found.iter().filter_map(|entry| entry["newValue"]["revision"].as_i64()).collect::<BTreeSet<_>>());
        }
        assert_eq!(told, [(2..=7).collect(), BTreeSet::from([8])]);
    }

    async fn a_run_ends_under_the_one_that_its_row_tells(world: World) {
        let place = place(&world).await;
        let id = process(&place.author, &json!(place.team), "restore").await;
        let start = from_now(-5 * HOUR);
        let item = move |n: usize, revision: i64| json!({"eventId": format!("e{n}-{revision}"), "runId": format!("r{n}"),
            "process": "restore", "startedAt": start, "revision": revision});
        let runs: Vec<Value> = (0..120).map(|n| item(n, 0)).collect();
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("LIVE", &runs).await;
        change(&place.author, &id, json!({"horizon": "PT2H"})).await;
        // Runs end in small batches, some of which begin others, while the horizon changes.
        let mut writers = JoinSet::new();
        for writer in 0..3_usize {
            let (reporter, item) = (reporter.clone(), item.clone());
            writers.spawn(async move {
                for batch in 0..10 {
                    let mut items: Vec<Value> = (0..4).map(|n| {
                        let mut item = item(writer + 3 * (4 * batch + n), 1);
                        item["finishedAt"] = json!(from_now(0));
                        item
                    }).collect();
                    items.push(item(1_000 + writer * 100 + batch, 0));
                    items.reverse();
                    let answers = reporter.send("LIVE", &items).await;
                    assert!(answers.iter().all(|a| a["status"] == "UPDATED" || a["status"] == "CREATED"), "{answers:?}");
                }
            });
        }
        let mut changes = 0;
        while !writers.is_empty() {
            change(&place.author, &id, json!({"horizon": if changes % 2 == 0 { "P1D" } else { "PT2H" }})).await;
            changes += 1;
            while let Some(ended) = writers.try_join_next() {
                ended.unwrap();
            }
        }
        assert!(changes > 2, "{changes}");
        let ended = "SELECT COUNT(*) FROM execution WHERE finished_at IS NOT NULL AND horizon";
        let [late, in_time] = [7_200_000_000_i64, 86_400_000_000].map(|horizon| format!("{ended} = {horizon}"));
        let (late, in_time) = (world.query_i64(&late).await, world.query_i64(&in_time).await);
        assert_eq!(late + in_time, 120);
        // Those that came in at the very moment may have had the one of before.
        for horizon in ["PT3H", "P1D"] {
            change(&place.author, &id, json!({"horizon": horizon})).await;
        }
        assert_same_anew(&world, &[("restore", (late, 150))]).await;
    }
}
