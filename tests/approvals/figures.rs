//! Figures of approval requests against a second computation, which shares nothing with the service's.

mod passages;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, SecondsFormat, SubsecRound as _, Timelike as _, Utc};
use serde_json::{Value, json};

use self::passages::{Passage, Stay, passages, store, subjects};
use crate::acts::{boss, delegate, draft_of};
use crate::executions::figures::micros;
use crate::story::{CREATE_ROLE, CREATE_TEAM, Place, WITHDRAW, decide, number, person, place, published, submit, text};
use crate::support::{Backend, Client, World, both, literal};

const FIGURES: &str = "query($filter: ApprovalFiguresFilter, $by: [ApprovalFiguresDimension!], $bucket: TimeBucket, $zone: String) {
    approvalFigures(filter: $filter, groupBy: $by, bucket: $bucket, timeZone: $zone) { sop { code } team { key } kind bucketStart
    requests approved rejected withdrawn pending oldestPendingAt rejection { numerator denominator } time { ...Time }
    stages { name role entered approved rejected withdrawn pending oldestPendingAt rejection { numerator denominator }
        escalated { numerator denominator } time { ...Time } }
    waitedFor { role pending oldestPendingAt } } }
    fragment Time on ApprovalTime { n pending p50 { value low high } p90 { value } }";

/// What became of it, and after how many microseconds; of what is open, for how long it has been.
type End = (&'static str, i64);

fn ends<'a>(of: impl Iterator<Item = (&'a Stay, DateTime<Utc>)>, now: DateTime<Utc>) -> Vec<End> {
    of.map(|(last, opened)| (last.became, (last.closed.unwrap_or(now) - opened).num_microseconds().unwrap())).collect()
}

fn count(ends: &[End], became: &str) -> usize {
    ends.iter().filter(|(b, _)| *b == became).count()
}

/// When so much was decided (Aalen and Johansen, from their formula): the share left before each time, and of those the
/// part that was decided in it.
fn reached(ends: &[End], percent: f64) -> Option<i64> {
    let moments: BTreeSet<i64> = ends.iter().filter(|(became, _)| *became != "OPEN").map(|(_, time)| *time).collect();
    let (mut left, mut share) = (1.0, 0.0);
    for moment in moments {
        let there = |counts: &dyn Fn(&End) -> bool| {
            let n = ends.iter().filter(|end| counts(end)).count();
            f64::from(u32::try_from(n).unwrap())
        };
        let risk = there(&|(_, time)| *time >= moment);
        let done = there(&|(became, time)| *time == moment && ["APPROVED", "REJECTED"].contains(became));
        let ended = there(&|(became, time)| *time == moment && *became != "OPEN");
        share += left * done / risk;
        left *= 1.0 - ended / risk;
        if done > 0.0 && share >= percent / 100.0 - 1e-9 {
            return Some(moment);
        }
    }
    None
}

fn shown(at: Option<DateTime<Utc>>) -> Value {
    json!(at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

/// Counts of ends, and when the oldest that waits was opened.
fn counts(ends: &[End], oldest: Option<DateTime<Utc>>) -> Vec<Value> {
    let [approved, rejected, withdrawn, open] = ["APPROVED", "REJECTED", "WITHDRAWN", "OPEN"].map(|b| count(ends, b));
    let decided = approved + rejected;
    let counts = [ends.len(), approved, rejected, withdrawn, open, rejected, decided, decided, open];
    counts.into_iter().map(|n| json!(n)).chain([shown(oldest)]).collect()
}

fn told_counts(row: &Value, all: &str) -> Vec<Value> {
    let (rejection, time) = (&row["rejection"], &row["time"]);
    let own = [all, "approved", "rejected", "withdrawn", "pending"].map(|name| row[name].clone());
    let of =
        [&rejection["numerator"], &rejection["denominator"], &time["n"], &time["pending"], &row["oldestPendingAt"]];
    own.into_iter().chain(of.into_iter().cloned()).collect()
}

/// Asserts that percentiles are those of these ends, within what four digits leave away.
fn assert_times(time: &Value, ends: &[End], what: &str) {
    for (name, percent) in [("p50", 50.0), ("p90", 90.0)] {
        let found = time[name]["value"].as_str().map(micros);
        let exact = reached(ends, percent);
        let near = match (found, exact) {
            (Some(found), Some(exact)) => (found - exact).abs() <= exact / 1_000 + 1,
            (found, exact) => found == exact,
        };
        assert!(near, "{what}: {name} {found:?}, not {exact:?}");
    }
    if let [Some(low), Some(value)] = ["low", "value"].map(|end| time["p50"][end].as_str().map(micros)) {
        assert!(
            low <= value && time["p50"]["high"].as_str().is_none_or(|high| value <= micros(high)),
            "{what}: {time}"
        );
    }
}

fn assert_stages(row: &Value, of: &[&Passage], now: DateTime<Utc>, what: &str) {
    let mut stages: BTreeMap<(usize, &str, &str), Vec<&Stay>> = BTreeMap::new();
    let stays = || of.iter().flat_map(|passage| passage.stays.iter().enumerate());
    for (_, stay) in stays() {
        let last =
            stays().filter(|(_, other)| (other.name, other.role) == (stay.name, stay.role)).map(|(n, _)| n).max();
        stages.entry((last.unwrap(), stay.name, stay.role)).or_default().push(stay);
    }
    let told = row["stages"].as_array().unwrap();
    assert_eq!(told.len(), stages.len(), "{what}: {told:?}");
    let mut waited: BTreeMap<&str, Vec<DateTime<Utc>>> = BTreeMap::new();
    for (((_, name, role), stays), told) in stages.into_iter().zip(told) {
        let what = format!("{what}, {name}");
        assert_eq!((&told["name"], &told["role"]), (&json!(name), &json!(role)), "{what}");
        let ends = ends(stays.iter().map(|stay| (*stay, stay.opened)), now);
        let open: Vec<DateTime<Utc>> = stays.iter().filter(|s| s.became == "OPEN").map(|s| s.opened).collect();
        assert_eq!(told_counts(told, "entered"), counts(&ends, open.iter().min().copied()), "{what}");
        let escalated = stays.iter().filter(|stay| stay.escalated).count();
        assert_eq!(told["escalated"], json!({"numerator": escalated, "denominator": stays.len()}), "{what}");
        assert_times(&told["time"], &ends, &what);
        if !open.is_empty() {
            waited.entry(role).or_default().extend(open);
        }
    }
    let mut waited: Vec<(DateTime<Utc>, &str, usize)> =
        waited.into_iter().map(|(role, open)| (*open.iter().min().unwrap(), role, open.len())).collect();
    waited.sort_unstable();
    let waited: Vec<Value> = waited
        .into_iter()
        .map(|(oldest, role, n)| json!({"role": role, "pending": n, "oldestPendingAt": shown(Some(oldest))}))
        .collect();
    assert_eq!(row["waitedFor"], json!(waited), "{what}");
}

/// The beginning of a bucket by the calendar of India, five and a half hours ahead all year.
fn bucket(bucket: &str, at: DateTime<Utc>) -> String {
    let ahead = Duration::minutes(330);
    let (local, midnight) = (at + ahead, |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc());
    let day = local.date_naive();
    let start = match bucket {
        "HOUR" => midnight(day) + Duration::hours(i64::from(local.hour())),
        "DAY" => midnight(day),
        "WEEK" => midnight(day - Duration::days(i64::from(day.weekday().num_days_from_monday()))),
        _ => midnight(day.with_day(1).unwrap()),
    };
    text(&shown(Some(start - ahead)))
}

/// Asks for figures and compares every group.
async fn compare(who: &Client, of: &[Passage], by: &[&str], grain: Option<&str>, filter: Value) {
    let now = Utc::now();
    let variables = json!({"filter": filter, "by": by, "bucket": grain, "zone": "Asia/Kolkata"});
    let seen = who.ok(FIGURES, variables).await["approvalFigures"].clone();
    let mut groups: BTreeMap<String, Vec<&Passage>> = BTreeMap::new();
    for passage in of {
        let name = |by: &&str| match *by {
            "SOP" => passage.code.clone(),
            "TEAM" => passage.team.to_owned(),
            _ => passage.kind.to_owned(),
        };
        let names = by.iter().map(name).chain(grain.map(|grain| bucket(grain, passage.opened())));
        groups.entry(names.collect::<Vec<_>>().join(" ")).or_default().push(passage);
    }
    let rows = seen.as_array().unwrap();
    assert_eq!(rows.len(), groups.len(), "{by:?} {grain:?}");
    for row in rows {
        let name = |by: &&str| match *by {
            "SOP" => text(&row["sop"]["code"]),
            "TEAM" => text(&row["team"]["key"]),
            _ => text(&row["kind"]),
        };
        let names = by.iter().map(name).chain(grain.map(|_| text(&row["bucketStart"])));
        let what = names.collect::<Vec<_>>().join(" ");
        let of = groups.remove(&what).unwrap_or_else(|| panic!("no group {what}, or a second time"));
        let ends = ends(of.iter().map(|passage| (passage.last(), passage.opened())), now);
        let open = of.iter().filter(|passage| passage.last().became == "OPEN").map(|passage| passage.opened());
        assert_eq!(told_counts(row, "requests"), counts(&ends, open.min()), "{what}");
        assert_times(&row["time"], &ends, &what);
        assert_stages(row, &of, now, &what);
    }
}

/// The same people for the team `net`, and its id.
async fn nets(world: &World, place: &Place) -> Place {
    let made = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "net", "name": "Net"}})).await;
    Place { team: text(&made["team"]["id"]), author: world.client(&["author@net"], "nan"), ..place.clone() }
}

/// So many requests that were approved, one an hour, from this hour after the first on.
async fn many(world: &World, subject: &passages::Subject, from: i64, n: i64) {
    let [sop, policy, person] =
        [&subject.draft.sop, "pol_01900000000070008000000000000003", &subject.person].map(|id| literal(world, id));
    let first = 1_735_689_600_000_000_i64; // 2025-01-01
    let row = |id: &str| {
        format!(
            "SELECT {id}, {sop}, {policy}, '{}', 'APPROVED', 0, {person}, {first} + i * 3600000000, \
                {first} + i * 3600000000 + 1000000, FALSE FROM n",
            subject.draft.hash
        )
    };
    let rows = match world.backend {
        Backend::Sqlite => {
            let n = format!("n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {from} + {n})");
            (format!("WITH RECURSIVE {n}"), row("randomblob(16)"))
        }
        Backend::Postgres => {
            let n =
                format!("n(i) AS (SELECT CAST(i AS bigint) FROM generate_series({from}, {from} + {n} - 1) AS s(i))");
            (format!("WITH {n}"), row("gen_random_uuid()"))
        }
    };
    world
        .execute(&format!(
            "{} INSERT INTO approval_request (id, sop_id, policy_id, content_hash, state, stage, requested_by_id, opened_at, \
                closed_at, requires_resolved_comments) {};
            INSERT INTO approval_stage (request_id, position, name, role, min_approvals, scope, meaning, opened_at, closed_at)
                SELECT id, 0, 'Approval', 'approver', 1, 'TEAM', 'APPROVED', opened_at, closed_at FROM approval_request r
                WHERE NOT EXISTS (SELECT 1 FROM approval_stage s WHERE s.request_id = r.id)",
            rows.0, rows.1
        ))
        .await;
}

both! {
    async fn of_approvals_agree_with_a_second_computation(world: World) {
        let mut world = world;
        // Nothing is to be escalated but what the test says.
        world.restart_with(&[("SOPWITH_REMINDERS__REMIND_AFTER_SECONDS", "0"), ("SOPWITH_REMINDERS__ESCALATE_AFTER_SECONDS", "0")]).await;
        let place = place(&world).await;
        let nets = nets(&world, &place).await;
        let mut all = subjects(&place, "ops", &["a", "b", "c", "d", "e"]).await;
        all.extend(subjects(&nets, "net", &["x", "y", "z"]).await);
        let of = passages(&all, Utc::now().trunc_subsecs(6));
        assert!(["APPROVED", "REJECTED", "WITHDRAWN", "OPEN"].iter().all(|b| of.iter().filter(|p| p.last().became == *b).count() > 5));
        store(&world, &all, &of).await;
        // Without those that wait it would look quicker.
        let material = of.iter().filter(|p| p.kind == "MATERIAL").map(|p| (p.last(), p.opened()));
        let with = ends(material, Utc::now());
        let without: Vec<End> = with.iter().copied().filter(|(became, _)| *became != "OPEN").collect();
        assert!([50.0, 60.0, 70.0].iter().any(|percent| reached(&with, *percent) > reached(&without, *percent)));
        let boss = boss(&world);
        for by in [&[][..], &["SOP"], &["TEAM"], &["KIND"], &["TEAM", "KIND"], &["SOP", "TEAM", "KIND"]] {
            compare(&boss, &of, by, None, json!({})).await;
        }
        for grain in ["HOUR", "DAY", "WEEK", "MONTH"] {
            compare(&boss, &of, &[], Some(grain), json!({})).await;
            compare(&boss, &of, &["TEAM"], Some(grain), json!({})).await;
        }
        let where_ = |holds: &dyn Fn(&Passage) -> bool| of.iter().filter(|p| holds(p)).cloned().collect::<Vec<_>>();
        compare(&boss, &where_(&|p| p.team == "net"), &["SOP"], None, json!({"teamId": nets.team})).await;
        compare(&boss, &where_(&|p| p.sop == 1), &["KIND"], None, json!({"sopId": all[1].draft.sop})).await;
        compare(&boss, &where_(&|p| p.kind == "EDITORIAL"), &[], None, json!({"kind": "EDITORIAL"})).await;
        // From is included, to is not.
        let (from, to) = (of[3].opened().min(of[4].opened()), of[3].opened().max(of[4].opened()));
        let within = where_(&|p| (from..to).contains(&p.opened()));
        assert!(!within.is_empty() && within.len() < of.len());
        compare(&boss, &within, &["TEAM"], None, json!({"from": shown(Some(from)), "to": shown(Some(to))})).await;
        // A manager of a team has the team's, and an owner their own.
        for (who, team) in [(&place.manager, "ops"), (&nets.author, "net")] {
            compare(who, &where_(&|p| p.team == team), &["TEAM"], None, json!({})).await;
            compare(who, &where_(&|p| p.team == team), &[], Some("WEEK"), json!({})).await;
        }
        compare(&place.manager, &[], &["TEAM"], None, json!({"teamId": nets.team})).await;
        compare(&place.manager, &[], &["TEAM"], None, json!({"sopId": all[5].draft.sop})).await;
    }

    async fn of_approvals_tell_what_happened_over_the_api(world: World) {
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        let [rejected, withdrawn, waits, first] = ["rejected", "withdrawn", "waits", "first"];
        let mut ids = Vec::new();
        for key in [rejected, withdrawn, waits, first] {
            let made = draft_of(&place, key, key, "LOW").await;
            let request = submit(&place.author, &made).await;
            match key {
                "rejected" => {
                    decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
                    decide(&place.approver, &request, &made.hash, "REJECT", "no").await;
                }
                "withdrawn" => drop(place.author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await),
                "waits" => drop(decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await),
                _ => {}
            }
            ids.push(request);
        }
        let since = async |id: &str| {
            let query = "query($id: ID!) { approvalRequest(id: $id) { currentStage { openedAt } } }";
            place.manager.ok(query, json!({"id": id})).await["approvalRequest"]["currentStage"]["openedAt"].clone()
        };
        let seen = place.manager.ok(FIGURES, json!({"by": ["TEAM"]})).await["approvalFigures"].clone();
        let row = &seen[0];
        let numbers = |row: &Value, names: &[&str]| names.iter().map(|name| number(&row[*name])).collect::<Vec<_>>();
        assert_eq!((&row["team"]["key"], numbers(row, &["requests", "approved", "rejected", "withdrawn", "pending"])), (&json!("ops"), vec![5, 1, 1, 1, 2]));
        assert_eq!(row["rejection"], json!({"numerator": 1, "denominator": 2}));
        let stages: Vec<_> = row["stages"].as_array().unwrap().iter()
            .map(|stage| (text(&stage["name"]), numbers(stage, &["entered", "approved", "rejected", "withdrawn", "pending"]))).collect();
        assert_eq!(stages, [("Review".to_owned(), vec![5, 3, 0, 1, 1]), ("Approval".to_owned(), vec![3, 1, 1, 0, 1])]);
        // The one that waits in the second stage came to it before the other was opened.
        assert_eq!(row["waitedFor"], json!([
            {"role": "approver", "pending": 1, "oldestPendingAt": since(&ids[2]).await},
            {"role": "reviewer", "pending": 1, "oldestPendingAt": since(&ids[3]).await},
        ]));

        // Who reads figures and no drafts sees no requests, so none is told of.
        place.admin.mutate(CREATE_ROLE, json!({"input": {"name": "analyst", "permissions": ["FIGURES_READ"]}})).await;
        let analyst = world.client(&["analyst"], "anna");
        let all = "{ approvalFigures(groupBy: [SOP]) { sop { title } requests } }";
        assert_eq!(analyst.ok(all, json!({})).await["approvalFigures"], json!([]));
        for role in ["viewer", "author@ops", "reviewer@ops", "approver", "admin", "integration"] {
            assert_eq!(world.client(&[role], "else").error_code(all, json!({})).await, "FORBIDDEN", "{role}");
        }
        assert_eq!(world.client(&["manager@net"], "nora").ok(all, json!({})).await["approvalFigures"], json!([]));
    }

    async fn of_approvals_refuse_what_is_bad_and_what_is_too_much(world: World) {
        let place = place(&world).await;
        let subject = subjects(&place, "ops", &["one"]).await.remove(0);
        let sop = &subject.draft.sop;
        for (variables, code, message) in [
            (json!({"zone": "Mars/Olympus", "bucket": "DAY"}), "BAD_USER_INPUT", "timeZone: not the name of a time zone"),
            (json!({"bucket": "FORTNIGHT"}), "BAD_USER_INPUT", ""),
            (json!({"by": ["STAGE"]}), "BAD_USER_INPUT", ""),
            (json!({"filter": {"kind": "SIDEWAYS"}}), "BAD_USER_INPUT", ""),
            (json!({"filter": {"from": "yesterday"}}), "BAD_USER_INPUT", ""),
            (json!({"filter": {"surprise": 1}}), "BAD_USER_INPUT", ""),
            (json!({"filter": {"sopId": "nonsense"}}), "NOT_FOUND", ""),
            (json!({"filter": {"sopId": place.team}}), "NOT_FOUND", ""),
            (json!({"filter": {"teamId": sop}}), "NOT_FOUND", ""),
        ] {
            let answer = place.manager.send(FIGURES, variables.clone()).await.body;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], code, "{variables}: {answer}");
            assert!(text(&error["message"]).starts_with(message), "{variables}: {answer}");
        }
        for filter in [json!({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}), json!({"teamId": format!("team_{:032x}", 7)})] {
            assert_eq!(place.manager.ok(FIGURES, json!({"filter": filter})).await["approvalFigures"], json!([]));
        }
        let by_hour = json!({"bucket": "HOUR", "by": ["SOP"]});
        many(&world, &subject, 0, 2_000).await;
        let seen = place.manager.ok(FIGURES, by_hour.clone()).await["approvalFigures"].clone();
        assert_eq!(seen.as_array().unwrap().len(), 2_000);
        many(&world, &subject, 2_000, 18_000).await;
        let refused = place.manager.send(FIGURES, by_hour).await.body;
        assert!(text(&refused["errors"][0]["message"]).starts_with("groupBy: more than 2000 groups"), "{refused}");
        let seen = place.manager.ok(FIGURES, json!({})).await["approvalFigures"].clone();
        assert_eq!((&seen[0]["requests"], &seen[0]["time"]["p50"]["value"]), (&json!(20_000), &json!("PT1S")));
        many(&world, &subject, 20_000, 1).await;
        let refused = place.manager.send(FIGURES, json!({})).await.body;
        assert!(text(&refused["errors"][0]["message"]).starts_with("filter.from: more than 20000 requests"), "{refused}");
        let later = json!({"filter": {"from": "2025-01-01T01:00:00Z"}});
        assert_eq!(place.manager.ok(FIGURES, later).await["approvalFigures"][0]["requests"], 20_000);
    }

    async fn of_approvals_know_days_of_23_hours(world: World) {
        let place = place(&world).await;
        let all = subjects(&place, "ops", &["one"]).await;
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let opened = ["2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"];
        let approved = |opened: &str| Passage {
            sop: 0, team: "ops", code: String::new(), kind: "EDITORIAL",
            stays: vec![Stay { name: "Approval", role: "approver", opened: at(opened), closed: Some(at(opened)), became: "APPROVED", escalated: false }],
        };
        store(&world, &all, &opened.map(approved)).await;
        let seen = place.manager.ok(FIGURES, json!({"bucket": "DAY", "zone": "Europe/Berlin"})).await["approvalFigures"].clone();
        let days: Vec<_> = seen.as_array().unwrap().iter().map(|row| (text(&row["bucketStart"]), number(&row["requests"]))).collect();
        let expected = [("2026-03-27T23:00:00Z", 1), ("2026-03-28T23:00:00Z", 2), ("2026-03-29T22:00:00Z", 1)];
        assert_eq!(days, expected.map(|(day, n)| (day.to_owned(), n)));
    }

    async fn delegates_are_told_of_beside_those_who_are_waited_for(world: World) {
        let place = place(&world).await;
        let made = draft_of(&place, "one", "One", "LOW").await;
        let request = submit(&place.author, &made).await;
        let (dora, dan) = (world.client(&["viewer"], "dora"), world.client(&["viewer"], "dan"));
        let told = async |who: &Client| {
            let query = "query($id: ID!) { approvalRequest(id: $id) { waitingFor { name }
                delegates { person { name } onBehalfOf { name } delegation { id } } } }";
            who.ok(query, json!({"id": request})).await["approvalRequest"].clone()
        };
        let none = json!({"waitingFor": [{"name": "rob"}], "delegates": []});
        assert_eq!(told(&place.manager).await, none);
        let (to_dora, to_ann) = (person(&dora).await, person(&place.author).await);
        // Of another role; to who contributed: neither could decide by it.
        delegate(&place.approver, &person(&dan).await, "approver").await;
        delegate(&place.approver, &to_dora, "approver").await;
        delegate(&place.reviewer, &to_ann, "reviewer").await;
        assert_eq!(told(&place.manager).await, none);
        let given = delegate(&place.reviewer, &to_dora, "reviewer").await;
        let one = |from: Value, delegation: Value| json!([{"person": {"name": "dora"}, "onBehalfOf": from, "delegation": delegation}]);
        assert_eq!(told(&place.manager).await["delegates"], one(Value::Null, Value::Null), "the delegation is the parties' own");
        for party in [&place.reviewer, &dora] {
            assert_eq!(told(party).await["delegates"], one(json!({"name": "rob"}), json!({"id": given})));
        }
        // Each of them has it in the inbox.
        let inbox = dora.ok("{ me { pendingDecisions { nodes { request { id } } } } }", json!({})).await;
        assert_eq!(inbox["me"]["pendingDecisions"]["nodes"], json!([{"request": {"id": request}}]));
        // Who was heard, by whatever way, is not waited for again.
        crate::acts::approve_for(&dora, &request, &made.hash, &person(&place.reviewer).await).await;
        let seen = told(&place.manager).await;
        assert_eq!((&seen["waitingFor"], &seen["delegates"][0]["person"]["name"]), (&json!([{"name": "amy"}]), &json!("dan")));
        assert_eq!(seen["delegates"].as_array().unwrap().len(), 1, "{seen}");
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(told(&place.manager).await, json!({"waitingFor": [], "delegates": []}));
    }
}
