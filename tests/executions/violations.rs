//! Violations by their kind, against a second computation from what was sent.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Duration, DurationRound as _, NaiveTime, Utc};
use serde_json::{Value, json};

use super::versions::published_at;
use super::{Reporter, assert_bad_input, compacted, everyone, from_now, with};
use crate::story::{
    CREATE_TEAM, Draft, Place, RETIRE, content, decide, look, number, place, process, published, published_next, text,
};
use crate::support::{Client, Dice, World, both};

const KINDS: &str = "query($filter: FiguresFilter, $by: ViolationKindsBy! = NUMBER, $first: Int! = 20, $bucket: TimeBucket, $zone: String) {
    violationKinds(filter: $filter, by: $by, first: $first, bucket: $bucket, timeZone: $zone) { from to totalCount violations { ...Rate } kinds {
        kind violations { ...Rate } bySeverity { minor { ...Rate } major { events } critical { events } }
        runs { numerator denominator value interval { low high } } detectedByService } } }
    fragment Rate on Rate { events runs perThousand interval { low high } }";
const FIGURES: &str = "query($filter: FiguresFilter) { figures(filter: $filter) { runs violations { events }
    violationsBySeverity { minor { events } major { events } critical { events } } } }";

/// A run as it was sent last: when, of which SOP or process, by which team, and its violations: kind, severity, and whether
/// the service found it.
#[derive(Clone)]
struct Run {
    at: DateTime<Utc>,
    documented: bool,
    team: Option<&'static str>,
    violations: Vec<(&'static str, &'static str, bool)>,
}

impl Run {
    fn any(dice: &mut Dice, at: DateTime<Utc>) -> Self {
        // Two kinds that differ in the case of a letter alone, and one that only few have.
        let kinds = ["SLA_BREACH", "SLA_BREACH", "sla_breach", "SAFETY", "Zugriff ohne Prüfung"];
        let count = if dice.roll(3) == 0 { dice.roll(4) } else { 0 };
        let violation =
            |dice: &mut Dice| (dice.pick(&kinds), dice.pick(&["MINOR", "MINOR", "MAJOR", "CRITICAL"]), false);
        Self {
            at,
            documented: dice.roll(2) == 0,
            team: dice.pick(&[Some("ops"), Some("hr"), None]),
            violations: (0..count).map(|_| violation(dice)).collect(),
        }
    }

    fn item(&self, name: &str, sop: &Draft) -> Value {
        let told =
            |(kind, severity, _): &(&str, &str, bool)| json!({"kind": kind, "severity": severity, "detail": "x"});
        let told: Vec<Value> = self.violations.iter().filter(|(.., found)| !found).map(told).collect();
        let item = json!({"eventId": name, "runId": name, "startedAt": self.at.to_rfc3339(), "violations": told});
        let of = if self.documented { ("sop", json!(sop.code)) } else { ("process", json!("restore")) };
        with(item, [of, ("team", json!(self.team))])
    }
}

/// What is expected of a kind: all, minor, major, critical, runs with one, and what the service found.
type Counts = [i64; 6];

fn count(runs: &[&Run]) -> BTreeMap<&'static str, Counts> {
    let mut kinds: BTreeMap<&str, Counts> = BTreeMap::new();
    for run in runs {
        let mut seen: Vec<&str> = Vec::new();
        for (kind, severity, found) in &run.violations {
            let counts = kinds.entry(kind).or_default();
            counts[0] += 1;
            counts[1 + ["MINOR", "MAJOR", "CRITICAL"].iter().position(|s| s == severity).unwrap()] += 1;
            counts[4] += i64::from(!seen.contains(kind));
            counts[5] += i64::from(*found);
            seen.push(kind);
        }
    }
    kinds
}

fn told(row: &Value) -> Counts {
    let severity = |of: &str| number(&row["bySeverity"][of]["events"]);
    [
        number(&row["violations"]["events"]),
        severity("minor"),
        severity("major"),
        severity("critical"),
        number(&row["runs"]["numerator"]),
        number(&row["detectedByService"]),
    ]
}

/// Asks and compares: every kind, in the order of the worst, and all together with what the figures say.
async fn compare(who: &Client, runs: &[&Run], filter: &Value) {
    let (expected, of) = (count(runs), i64::try_from(runs.len()).unwrap());
    for by in ["NUMBER", "SEVERITY"] {
        let seen = who.ok(KINDS, json!({"filter": filter, "by": by})).await["violationKinds"].take();
        let rows = seen["kinds"].as_array().unwrap();
        let mut order: Vec<(&str, Counts)> = expected.iter().map(|(kind, counts)| (*kind, *counts)).collect();
        order.sort_by_key(|(kind, [all, _, major, critical, ..])| match by {
            "NUMBER" => (-all, -critical, -major, *kind),
            _ => (-critical, -major, -all, *kind),
        });
        let found: Vec<(&str, Counts)> = rows.iter().map(|row| (row["kind"].as_str().unwrap(), told(row))).collect();
        assert_eq!(found, order, "{filter} {by}");
        assert_eq!(number(&seen["totalCount"]), i64::try_from(expected.len()).unwrap());
        let all: i64 = expected.values().map(|counts| counts[0]).sum();
        assert_eq!(json!([seen["violations"]["events"], seen["violations"]["runs"]]), json!([all, of]), "{filter}");
        for row in rows {
            let denominators =
                [&row["violations"]["runs"], &row["runs"]["denominator"], &row["bySeverity"]["minor"]["runs"]];
            assert_eq!(denominators, [&json!(of); 3], "{row}");
            #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
            let per_thousand = told(row)[0] as f64 * 1000.0 / of as f64;
            assert!((row["violations"]["perThousand"].as_f64().unwrap() - per_thousand).abs() < 1e-9, "{row}");
            let (interval, value) = (&row["violations"]["interval"], per_thousand);
            assert!(interval["low"].as_f64() < Some(value) && interval["high"].as_f64() > Some(value), "{row}");
            assert!(row["runs"]["interval"]["low"].as_f64() < row["runs"]["value"].as_f64(), "{row}");
        }
    }
    // As many as the figures say, which are read from sums, by severity too.
    let figures = who.ok(FIGURES, json!({"filter": filter})).await["figures"][0].take();
    let sum = |place: usize| expected.values().map(|counts| counts[place]).sum::<i64>();
    let severity = &figures["violationsBySeverity"];
    let events = [&figures["violations"], &severity["minor"], &severity["major"], &severity["critical"]];
    assert_eq!(events.map(|of| of["events"].clone()), [0, 1, 2, 3].map(|place| json!(sum(place))), "{filter}");
}

/// The first instant of the day, week or month that an instant lies in, where clocks are ahead of UTC by so many minutes.
pub fn bucket_start(bucket: &str, at: DateTime<Utc>, ahead: i64) -> DateTime<Utc> {
    let day = (at + Duration::minutes(ahead)).date_naive();
    let first = match bucket {
        "WEEK" => day - Duration::days(day.weekday().num_days_from_monday().into()),
        "MONTH" => day.with_day(1).unwrap(),
        _ => day,
    };
    first.and_time(NaiveTime::MIN).and_utc() - Duration::minutes(ahead)
}

/// By how many minutes the clocks of a time zone are ahead of UTC.
#[derive(Clone, Copy)]
pub struct Clocks {
    /// Those of the organisation.
    pub kept: i64,
    /// Those of the time zone that is asked for.
    pub asked: Option<(&'static str, i64)>,
}

impl Clocks {
    pub fn zone(self) -> Option<&'static str> {
        self.asked.map(|(zone, _)| zone)
    }

    pub fn ahead(self) -> i64 {
        self.asked.map_or(self.kept, |(_, ahead)| ahead)
    }

    /// Where a run is counted: with the whole hour that it lies in by the organisation's clocks, or else by itself.
    fn stand(self, at: DateTime<Utc>, [from, to]: [DateTime<Utc>; 2]) -> DateTime<Utc> {
        let ahead = Duration::minutes(self.kept);
        let hour = (at + ahead).duration_trunc(Duration::hours(1)).unwrap() - ahead;
        if from <= hour && hour + Duration::hours(1) <= to { hour } else { at }
    }

    /// How far from the ends of days runs are counted on the other side.
    fn off_by(self) -> Value {
        if (self.ahead() - self.kept) % 60 == 0 { Value::Null } else { json!("PT30M") }
    }
}

/// The same of each kind by time.
async fn compare_series(who: &Client, runs: &[&Run], filter: &Value, clocks: Clocks) {
    const SERIES: &str = "query($filter: FiguresFilter, $bucket: TimeBucket, $zone: String) {
        violationKinds(filter: $filter, bucket: $bucket, timeZone: $zone) {
            kinds { kind bucketStart bucketOffBy series { ...Counts bucketStart bucketOffBy } } } }
        fragment Counts on ViolationKind { kind violations { events runs } bySeverity { minor { events } major { events }
            critical { events } } runs { numerator denominator } detectedByService }";
    for bucket in ["DAY", "WEEK", "MONTH"] {
        let mut buckets: BTreeMap<DateTime<Utc>, Vec<&Run>> = BTreeMap::new();
        for run in runs {
            let at = clocks.stand(run.at, ["from", "to"].map(|end| text(&filter[end]).parse().unwrap()));
            buckets.entry(bucket_start(bucket, at, clocks.ahead())).or_default().push(run);
        }
        let variables = json!({"filter": filter, "bucket": bucket, "zone": clocks.zone()});
        let seen = who.ok(SERIES, variables).await["violationKinds"].take();
        let kinds = seen["kinds"].as_array().unwrap();
        assert_eq!(kinds.len(), count(runs).len());
        for row in kinds {
            assert_eq!([&row["bucketStart"], &row["bucketOffBy"]], [&Value::Null; 2]);
            let of = |part: &Value| {
                assert_eq!(part["bucketOffBy"], clocks.off_by(), "{part}");
                let (among, kind) = (&part["violations"]["runs"], &part["kind"]);
                assert_eq!((among, kind), (&part["runs"]["denominator"], &row["kind"]), "{part}");
                (text(&part["bucketStart"]).parse().unwrap(), told(part), number(among))
            };
            let found: Vec<(DateTime<Utc>, Counts, i64)> = row["series"].as_array().unwrap().iter().map(of).collect();
            let kind = row["kind"].as_str().unwrap();
            let part = |(start, runs): (&DateTime<Utc>, &Vec<&Run>)| {
                let counts = count(runs).get(kind).copied().unwrap_or_default();
                (*start, counts, i64::try_from(runs.len()).unwrap())
            };
            assert_eq!(found, buckets.iter().map(part).collect::<Vec<_>>(), "{kind} by {bucket} in {:?}", clocks.asked);
        }
    }
}

/// Publishes a second version; answers when the first one went out of force.
async fn supersede(place: &Place, first: &Draft) -> (Draft, DateTime<Utc>) {
    let mut next = content("Reset a password");
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    let draft = published_next(place, first, next).await;
    let at = published_at(&place.author, &draft.version).await;
    (draft, at)
}

both! {
    async fn violations_by_kind_agree_with_a_second_computation(mut world: World) {
        let place = place(&world).await;
        place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        process(&place.author, &json!(place.team), "restore").await;
        let sop = published(&place, "Reset a password").await;
        let (_, until) = supersede(&place, &sop).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut dice = Dice::new(11);
        // Before there was a version in force, and not at full hours: whenever it is, the same runs in the same hours.
        let day = (Utc::now() - Duration::hours(700)).date_naive();
        let start = day.and_hms_micro_opt(5, 7, 13, 250).unwrap().and_utc();
        let mut runs: Vec<Run> = (0..300).map(|n| Run::any(&mut dice, start + Duration::minutes(n * 61))).collect();
        let items: Vec<Value> = runs.iter().enumerate().map(|(n, run)| run.item(&format!("r{n}"), &sop)).collect();
        reporter.create("BACKFILL", &items).await;
        // What the service finds by itself, beside what is reported.
        for n in 0..4 {
            let told_too = if n == 0 { vec![("SLA_BREACH", "MAJOR", false), ("OUTDATED_VERSION", "CRITICAL", false)] } else { Vec::new() };
            let mut run = Run { at: until, documented: true, team: Some("ops"), violations: told_too };
            let mut item = run.item(&format!("old-{n}"), &sop);
            item["version"] = json!("1.0");
            reporter.create("LIVE", &[item]).await;
            run.violations.push(("OUTDATED_VERSION", "MINOR", true));
            runs.push(run);
        }
        // Training does not count, whatever it breaches.
        let practice = Run { at: start, documented: true, team: None, violations: vec![("SAFETY", "CRITICAL", false); 9] };
        reporter.create("PRACTICE", &[practice.item("practice", &sop)]).await;
        // A correction takes violations away, and brings others.
        let bad = 1 + runs[1..].iter().position(|run| run.violations.len() > 1).unwrap();
        for (n, (revision, violations)) in [(bad, (1, Vec::new())), (0, (2, vec![("ONCE", "MINOR", false)]))] {
            runs[n].violations = violations;
            let mut item = runs[n].item(&format!("r{n}"), &sop);
            (item["eventId"], item["revision"]) = (json!(format!("r{n}-again")), json!(revision));
            assert_eq!(reporter.send("BACKFILL", &[item]).await[0]["status"], "UPDATED");
        }
        // And a version that is put right.
        runs[303].violations.clear();
        let mut item = runs[303].item("old-3", &sop);
        (item["eventId"], item["revision"], item["version"]) = (json!("old-3-again"), json!(1), json!("2.0"));
        assert_eq!(reporter.send("LIVE", &[item]).await[0]["status"], "UPDATED");

        let who = everyone(&world);
        let end = (until + Duration::hours(1)).to_rfc3339();
        let all = json!({"from": start.to_rfc3339(), "to": end});
        let asked = |more: Value| {
            let mut filter = all.clone();
            more.as_object().unwrap().iter().for_each(|(key, value)| filter[key] = value.clone());
            filter
        };
        let of = |test: &dyn Fn(&Run) -> bool| runs.iter().filter(|run| test(run)).collect::<Vec<_>>();
        for compact in [false, true] {
            if compact {
                compacted(&world).await;
            }
            compare(&who, &of(&|_| true), &all).await;
        }
        compare(&who, &of(&|run| run.documented), &asked(json!({"processId": place.process}))).await;
        compare(&who, &of(&|run| run.team == Some("ops")), &asked(json!({"teamId": place.team}))).await;
        compare(&who, &of(&|run| run.documented), &asked(json!({"sopId": sop.sop}))).await;
        // Of the version are those that reported it.
        compare(&who, &runs[300..303].iter().collect::<Vec<_>>(), &asked(json!({"versionId": sop.version}))).await;
        // From is included, to is not; within an hour and over many.
        let (from, to) = (runs[40].at, runs[200].at);
        let within = json!({"from": from.to_rfc3339(), "to": to.to_rfc3339()});
        compare(&who, &runs[40..200].iter().collect::<Vec<_>>(), &within).await;
        let moment = Duration::microseconds(1);
        let within = json!({"from": (from + moment).to_rfc3339(), "to": (to + moment).to_rfc3339()});
        compare(&who, &runs[41..=200].iter().collect::<Vec<_>>(), &within).await;

        // By time, also of a part of the runs, and from the midst of an hour on.
        let utc = Clocks { kept: 0, asked: None };
        compare_series(&who, &of(&|_| true), &all, utc).await;
        compare_series(&place.manager, &runs[41..=200].iter().collect::<Vec<_>>(), &within, utc).await;
        compare_series(&who, &of(&|run| run.team == Some("ops")), &asked(json!({"teamId": place.team})), utc).await;
        // In a time zone that is asked for, whose hours are those of UTC or begin between them.
        for zone in [("America/Phoenix", -420), ("Asia/Kolkata", 330)] {
            let clocks = Clocks { asked: Some(zone), ..utc };
            compare_series(&who, &of(&|_| true), &all, clocks).await;
            compare_series(&who, &runs[41..=200].iter().collect::<Vec<_>>(), &within, clocks).await;
        }

        // Who reads less is told of that; what a team performs, and what its SOPs and processes are for.
        let hr = world.client(&["manager@hr"], "hugo");
        compare(&hr, &of(&|run| run.team == Some("hr")), &all).await;
        compare(&place.manager, &of(&|_| true), &all).await;
        assert_eq!(place.viewer.error_code(KINDS, json!({"filter": all})).await, "FORBIDDEN");

        // The first of them, and how many there are.
        let kinds = count(&of(&|_| true)).len();
        assert_eq!(kinds, 6);
        let seen = who.ok(KINDS, json!({"filter": all, "first": 2})).await["violationKinds"].take();
        assert_eq!(json!([seen["totalCount"], seen["kinds"].as_array().unwrap().len(), seen["to"].as_str().is_some()]), json!([kinds, 2, true]));
        assert_eq!(text(&seen["from"]).parse(), Ok(start));

        // Where days begin between the hours of UTC.
        let zone = [("SOPWITH_TIME_ZONE", "Asia/Kolkata")];
        let rebuilt = world.command_with(&["rollup", "rebuild"], &zone).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        world.restart_with(&zone).await;
        let kolkata = Clocks { kept: 330, asked: None };
        compare_series(&who, &of(&|_| true), &all, kolkata).await;
        compare_series(&who, &of(&|_| true), &all, Clocks { asked: Some(("UTC", 0)), ..kolkata }).await;
    }

    async fn the_time_of_violations_is_bounded(world: World) {
        let place = place(&world).await;
        let run = |name: &str, days: i64| json!({"eventId": name, "runId": name, "process": "password-reset", "startedAt": from_now(-days * 86_400),
            "violations": [{"kind": name, "severity": "MINOR"}]});
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("BACKFILL", &[run("b", 1), run("a", 1), run("c", 89), run("d", 91)]).await;
        // Without a beginning it is of 90 days; of equals the first in the alphabet comes first.
        let seen = place.manager.ok(KINDS, json!({})).await["violationKinds"].take();
        let kinds: Vec<&Value> = seen["kinds"].as_array().unwrap().iter().map(|row| &row["kind"]).collect();
        assert_eq!(kinds, ["a", "b", "c"]);
        // Without a start they go by their finish, and without both by when they came.
        let bare = json!({"eventId": "e", "runId": "e", "process": "password-reset", "violations": [{"kind": "e", "severity": "MINOR"}]});
        let mut ended = bare.clone();
        (ended["eventId"], ended["runId"], ended["finishedAt"]) = (json!("f"), json!("f"), json!(from_now(-120 * 86_400)));
        ended["violations"][0]["kind"] = json!("f");
        reporter.create("BACKFILL", &[bare, ended]).await;
        let seen = place.manager.ok(KINDS, json!({"filter": {"from": from_now(-3600)}})).await["violationKinds"].take();
        assert_eq!(json!([seen["kinds"][0]["kind"], seen["totalCount"]]), json!(["e", 1]));
        let ask = json!({"from": from_now(-121 * 86_400), "to": from_now(-119 * 86_400)});
        let seen = place.manager.ok(KINDS, json!({"filter": ask})).await["violationKinds"].take();
        assert_eq!(json!([seen["kinds"][0]["kind"], seen["totalCount"]]), json!(["f", 1]));
        // Nothing has no kinds and no rate.
        for filter in [json!({"to": from_now(-300 * 86_400)}), json!({"from": from_now(0), "to": from_now(-86_400)})] {
            let seen = place.manager.ok(KINDS, json!({"filter": filter})).await["violationKinds"].take();
            assert_eq!(json!([seen["kinds"], seen["totalCount"], seen["violations"]["perThousand"]]), json!([[], 0, null]));
        }
        for (variables, path) in [
            (json!({"bucket": "HOUR"}), "bucket"),
            (json!({"first": 0}), "first"),
            (json!({"first": 101}), "first"),
            (json!({"filter": {"from": from_now(-367 * 86_400)}}), "filter.from"),
            (json!({"bucket": "DAY", "zone": "Berlin"}), "timeZone"),
            // By the hours that its days are put together from.
            (json!({"filter": {"from": from_now(-93 * 86_400)}, "bucket": "MONTH", "zone": "Europe/Berlin"}), "filter.from"),
        ] {
            assert_bad_input(&place.manager, KINDS, variables, path).await;
        }
        for variables in [
            json!({"bucket": "DAY", "zone": "Europe/Berlin"}),
            json!({"filter": {"from": from_now(-365 * 86_400)}, "bucket": "DAY", "zone": "UTC"}),
            json!({"filter": {"from": from_now(-365 * 86_400)}, "zone": "Europe/Berlin"}),
        ] {
            place.manager.ok(KINDS, variables).await;
        }
        for filter in [json!({"sopId": place.team}), json!({"teamId": "nonsense"})] {
            assert_eq!(place.manager.error_code(KINDS, json!({"filter": filter})).await, "NOT_FOUND");
        }
    }

    async fn a_run_of_a_retired_sop_is_told_of_it(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await;
        let reporter = Reporter::new(&world, "tickets");
        let run = |name: &str, at: String| json!({"eventId": name, "runId": name, "sop": sop.code, "startedAt": at});
        assert_eq!(reporter.one(run("before", Utc::now().to_rfc3339())).await["status"], "CREATED");
        let input = json!({"id": sop.sop, "expectedRevision": look(&place.author, &sop.sop).await["revision"], "reason": "Gone."});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await["approvalRequest"].clone();
        decide(&place.approver, &text(&asked["id"]), &text(&asked["contentHash"]), "APPROVE", "").await;
        let seen = place.author.ok("query($id: ID!) { version(id: $id) { state endedAt } }", json!({"id": sop.version})).await;
        let ended: DateTime<Utc> = text(&seen["version"]["endedAt"]).parse().unwrap();
        let cases = [("last", ended - Duration::microseconds(1), Some("1.0")), ("after", ended, None)];
        for (name, at, version) in cases {
            assert_eq!(reporter.one(run(name, at.to_rfc3339())).await["status"], "CREATED");
            let seen = reporter.run(&place.manager, name).await;
            let found = json!([{"kind": "RETIRED_SOP", "severity": "MINOR", "detail": "no version was in force any more when the run started",
                "detectedByService": true}]);
            let expected = if version.is_some() { json!([]) } else { found };
            assert_eq!((&seen["violations"], &seen["version"]["label"]), (&expected, &json!(version)), "{name}: {seen}");
            assert_eq!(seen["sop"]["code"], json!(sop.code), "it is known which one was used");
        }
        // By its process alone nothing is wrong with it: the run names no SOP.
        let by_process = json!({"eventId": "p", "runId": "p", "process": "password-reset", "startedAt": ended.to_rfc3339()});
        reporter.create("LIVE", &[by_process]).await;
        assert_eq!(reporter.run(&place.manager, "p").await["violations"], json!([]));
        // And it counts: among the violations of the SOP, and in no figure of those that had a version in force.
        let ask = json!({"filter": {"sopId": sop.sop, "to": from_now(60)}});
        let seen = place.manager.ok(KINDS, ask.clone()).await["violationKinds"].take();
        assert_eq!(json!([seen["kinds"][0]["kind"], told(&seen["kinds"][0]), seen["violations"]["runs"]]), json!(["RETIRED_SOP", [1, 1, 0, 0, 1, 1], 3]));
        let query = "query($filter: FiguresFilter) { figures(filter: $filter) { runs coverage { numerator } violations { events } } }";
        let figures = place.manager.ok(query, ask).await["figures"][0].take();
        assert_eq!(figures, json!({"runs": 3, "coverage": {"numerator": 2}, "violations": {"events": 1}}));
    }
}
