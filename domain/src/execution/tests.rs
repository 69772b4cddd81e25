//! Reports in any order make the same run; what is refused, by which rule, and where.

use proptest::prelude::*;

use super::*;
use crate::time::SECOND;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_780_000_000 * SECOND).plus(seconds * SECOND)
}

fn maybe<T: Clone + std::fmt::Debug>(values: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(values)
}

fn word() -> impl Strategy<Value = String> {
    "[a-c]"
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (0..4_i64).prop_map(at)
}

fn step() -> impl Strategy<Value = StepRecord> {
    (word(), 1..3_i32, maybe(instant()), maybe(instant()), prop::sample::select(StepStatus::ALL)).prop_map(
        |(key, attempt, started_at, finished_at, status)| StepRecord { key, attempt, started_at, finished_at, status },
    )
}

/// Step records of one report: each attempt at each step once.
fn steps() -> impl Strategy<Value = Vec<StepRecord>> {
    prop::collection::vec(step(), 0..4).prop_map(|steps| {
        let once: BTreeMap<_, _> = steps.into_iter().map(|s| ((s.key.clone(), s.attempt), s)).collect();
        once.into_values().collect()
    })
}

fn violation() -> impl Strategy<Value = Violation> {
    (word(), prop::sample::select(Severity::ALL), word()).prop_map(|(kind, severity, detail)| Violation {
        kind,
        severity,
        detail,
    })
}

/// A report that may say anything or nothing, with few values, so that reports often agree and often clash.
fn report() -> impl Strategy<Value = Report> {
    let nothing = (0..4_i64).prop_map(|revision| Report { run_id: "run".to_owned(), revision, ..Report::default() });
    prop_oneof![3 => something(), 1 => nothing]
}

fn something() -> impl Strategy<Value = Report> {
    let names = (maybe(word()), maybe(word()), maybe(word()), maybe(word()), maybe(word()));
    let times = (maybe(instant()), maybe(instant()), maybe(instant()));
    let ends = (maybe(prop::sample::select(Outcome::ALL)), maybe(prop::sample::select(Adherence::ALL)));
    let counts = (maybe(0..2_i32), maybe(0..2_i32), maybe(1..3_i32));
    let parts = (steps(), maybe(prop::collection::vec(violation(), 0..2)), maybe(word()));
    (0..4_i64, names, times, ends, counts, parts).prop_map(|(revision, names, times, ends, counts, parts)| Report {
        event_id: String::new(),
        run_id: "run".to_owned(),
        revision,
        process: names.0,
        sop: names.1,
        version: names.2,
        team: names.3,
        actor: names.4.map(|subject| ActorRef { subject, name: None }),
        occurred_at: times.0,
        started_at: times.1,
        finished_at: times.2,
        outcome: ends.0,
        adherence: ends.1,
        errors: counts.0,
        rework: counts.1,
        satisfaction: counts.2.map(|score| Satisfaction { score, by: SatisfactionBy::Customer }),
        steps: parts.0,
        violations: parts.1,
        attributes: parts.2.map(|v| BTreeMap::from([("a".to_owned(), v)])),
        repeated_attribute: None,
    })
}

/// Reports of one run with ids of their own, and an order in which each arrives at least once.
fn reports() -> impl Strategy<Value = (Vec<Report>, Vec<usize>)> {
    let named = prop::collection::vec(report(), 1..7).prop_map(|mut all| {
        all.iter_mut().enumerate().for_each(|(n, r)| r.event_id = format!("event {n}"));
        all
    });
    named.prop_flat_map(|all| {
        let again = prop::collection::vec(0..all.len(), 0..6);
        let order = again.prop_map({
            let once = 0..all.len();
            move |again| once.clone().chain(again).collect::<Vec<_>>()
        });
        (Just(all), order.prop_shuffle())
    })
}

fn merged(reports: &[Report], order: impl IntoIterator<Item = usize>) -> Run {
    let mut run = Run::default();
    order.into_iter().for_each(|n| {
        run.merge(&reports[n]);
    });
    run
}

/// What the reports say together: of each field, what the last of those says that says anything.
fn said(reports: &[Report]) -> Run {
    let mut sorted: Vec<&Report> = reports.iter().collect();
    sorted.sort_by_key(|r| (r.revision, &r.event_id));
    macro_rules! last {
        ($field:ident) => {
            sorted.iter().rev().find_map(|r| r.$field.clone())
        };
    }
    let steps = sorted.iter().flat_map(|r| r.steps.iter().map(|s| ((s.key.clone(), s.attempt), s.clone())));
    Run {
        stamps: Stamps::default(),
        process: last!(process),
        sop: last!(sop),
        version: last!(version),
        team: last!(team),
        actor: last!(actor),
        occurred_at: last!(occurred_at),
        started_at: last!(started_at),
        finished_at: last!(finished_at),
        outcome: last!(outcome),
        adherence: last!(adherence),
        errors: last!(errors),
        rework: last!(rework),
        violations: last!(violations),
        satisfaction: last!(satisfaction),
        steps: steps.collect(),
        attributes: last!(attributes),
    }
}

fn without_stamps(run: &Run) -> Run {
    Run { stamps: Stamps::default(), ..run.clone() }
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_makes_the_same_run((reports, order) in reports()) {
        let run = merged(&reports, order.iter().copied());
        prop_assert_eq!(without_stamps(&run), said(&reports));
        // What rules each field is the same as well, so that the next report is judged alike.
        prop_assert_eq!(run, merged(&reports, 0..reports.len()));
    }

    #[test]
    fn a_report_that_changed_nothing_is_stale((reports, order) in reports()) {
        let (mut run, mut seen, mut newest) = (Run::default(), Vec::new(), None);
        for n in order {
            let (before, report) = (run.clone(), &reports[n]);
            let came = run.merge(report);
            let stamp = Some((report.revision, report.event_id.clone()));
            let changed = without_stamps(&before) != without_stamps(&run);
            match came {
                Merged::Created => prop_assert!(seen.is_empty()),
                Merged::Stale => prop_assert_eq!(&before, &run),
                Merged::Updated => prop_assert!(!seen.is_empty() && !seen.contains(&n)),
            }
            if seen.contains(&n) {
                prop_assert_eq!(came, Merged::Stale, "sent again");
            } else if changed || stamp > newest {
                prop_assert_ne!(came, Merged::Stale);
            }
            seen.push(n);
            newest = newest.max(stamp);
        }
    }

    #[test]
    fn equal_fingerprints_are_equal_reports(a in report(), b in report()) {
        prop_assert_eq!(a.fingerprint() == b.fingerprint(), a == b);
        prop_assert_eq!(a.fingerprint(), a.clone().fingerprint());
    }
}

fn fine() -> Report {
    let attempt = |n| StepRecord {
        key: "ask".to_owned(),
        attempt: n,
        started_at: Some(at(0)),
        finished_at: Some(at(1)),
        status: StepStatus::Done,
    };
    let violation = Violation { kind: "SLA".to_owned(), severity: Severity::Minor, detail: String::new() };
    Report {
        event_id: "e".to_owned(),
        run_id: "r".to_owned(),
        process: Some("password-reset".to_owned()),
        sop: Some("OPS-0001".to_owned()),
        version: Some("1.0".to_owned()),
        team: Some("desk".to_owned()),
        actor: Some(ActorRef { subject: "ana".to_owned(), name: Some("Ana".to_owned()) }),
        occurred_at: Some(at(2)),
        started_at: Some(at(0)),
        finished_at: Some(at(2)),
        errors: Some(0),
        rework: Some(0),
        violations: Some(vec![violation]),
        satisfaction: Some(Satisfaction { score: 5, by: SatisfactionBy::Performer }),
        steps: vec![attempt(1), attempt(2)],
        attributes: Some(BTreeMap::from([("ticket".to_owned(), "T-1".to_owned())])),
        ..Report::default()
    }
}

/// Changes one thing.
type Spoil = fn(&mut Report);

fn refused(spoil: Spoil) -> Option<(RejectionCode, String)> {
    let mut report = fine();
    spoil(&mut report);
    report.check(at(2)).err().map(|r| (r.code, r.path))
}

fn long(n: usize) -> String {
    "x".repeat(n)
}

fn some<T>(part: &mut Option<T>) -> &mut T {
    part.as_mut().expect("it is given in the example")
}

#[test]
fn each_rule_names_its_code_and_its_field() {
    let invalid: [(Spoil, &str); 33] = [
        (|r| r.event_id.clear(), "eventId"),
        (|r| r.event_id = " ".to_owned(), "eventId"),
        (|r| r.event_id = long(MAX_NAME + 1), "eventId"),
        (|r| r.event_id = "a\0".to_owned(), "eventId"),
        (|r| r.run_id.clear(), "runId"),
        (|r| r.process = Some(String::new()), "process"),
        (|r| r.sop = Some(String::new()), "sop"),
        (|r| r.version = Some(String::new()), "version"),
        (|r| r.team = Some(String::new()), "team"),
        (|r| some(&mut r.actor).subject.clear(), "actor.subject"),
        (|r| some(&mut r.actor).name = Some(String::new()), "actor.name"),
        (|r| r.revision = -1, "revision"),
        (|r| (r.process, r.sop, r.version) = (None, None, None), "process"),
        (|r| r.errors = Some(-1), "errors"),
        (|r| r.rework = Some(-1), "rework"),
        (|r| some(&mut r.satisfaction).score = 0, "satisfaction.score"),
        (|r| some(&mut r.satisfaction).score = 6, "satisfaction.score"),
        (|r| r.finished_at = Some(at(-1)), "finishedAt"),
        (|r| r.steps[1].finished_at = Some(at(-1)), "steps.1.finishedAt"),
        (|r| r.steps = vec![r.steps[0].clone(); MAX_PARTS + 1], "steps"),
        (|r| r.steps[1].key.clear(), "steps.1.key"),
        (|r| r.steps[0].attempt = 0, "steps.0.attempt"),
        (|r| r.steps[1].attempt = 1, "steps.1"),
        (|r| r.violations = Some(vec![some(&mut r.violations)[0].clone(); MAX_PARTS + 1]), "violations"),
        (|r| some(&mut r.violations)[0].kind.clear(), "violations.0.kind"),
        (|r| some(&mut r.violations)[0].detail = long(MAX_VALUE + 1), "violations.0.detail"),
        (|r| some(&mut r.violations)[0].detail = "\0".to_owned(), "violations.0.detail"),
        (|r| some(&mut r.attributes).extend((0..MAX_PARTS).map(|n| (n.to_string(), long(1)))), "attributes"),
        (|r| drop(some(&mut r.attributes).insert(String::new(), long(1))), "attributes"),
        (|r| drop(some(&mut r.attributes).insert(long(MAX_NAME + 1), long(1))), "attributes"),
        (|r| drop(some(&mut r.attributes).insert(long(1), long(MAX_VALUE + 1))), "attributes"),
        (|r| drop(some(&mut r.attributes).insert(long(1), "\0".to_owned())), "attributes"),
        (|r| r.repeated_attribute = Some(long(1)), "attributes"),
    ];
    for (n, (spoil, path)) in invalid.into_iter().enumerate() {
        assert_eq!(refused(spoil), Some((RejectionCode::Invalid, path.to_owned())), "rule {n}");
    }
}

/// Five minutes after the example was received, and a little more.
fn late() -> Timestamp {
    at(2).plus(TOLERANCE + 1)
}

#[test]
fn what_lies_in_the_future_is_refused_wherever_it_stands() {
    let cases: [(Spoil, &str); 5] = [
        (|r| r.occurred_at = Some(late()), "occurredAt"),
        (|r| (r.started_at, r.finished_at) = (Some(late()), Some(late())), "startedAt"),
        (|r| r.finished_at = Some(late()), "finishedAt"),
        (|r| r.steps[1].started_at = Some(late()), "steps.1.startedAt"),
        (|r| r.steps[1].finished_at = Some(late()), "steps.1.finishedAt"),
    ];
    for (spoil, path) in cases {
        assert_eq!(refused(spoil), Some((RejectionCode::InFuture, path.to_owned())));
    }
}

#[test]
fn what_is_just_allowed_is_taken() {
    let cases: [Spoil; 9] = [
        |_| (),
        |r| *r = Report { process: r.process.clone(), event_id: long(1), run_id: long(1), ..Report::default() },
        |r| (r.process, r.version) = (None, None),
        |r| r.finished_at = Some(at(2).plus(TOLERANCE)),
        |r| (r.started_at, r.finished_at) = (Some(at(1)), Some(at(1))),
        // A finish without a start, at any age.
        |r| (r.started_at, r.finished_at) = (None, Some(Timestamp::from_micros(0))),
        |r| (r.event_id, some(&mut r.violations)[0].detail) = (long(MAX_NAME), long(MAX_VALUE)),
        |r| some(&mut r.satisfaction).score = 1,
        |r| {
            let of = |n: usize| StepRecord { key: n.to_string(), ..fine().steps[0].clone() };
            r.steps = (0..MAX_PARTS).map(of).collect();
        },
    ];
    for (n, spoil) in cases.into_iter().enumerate() {
        assert_eq!(refused(spoil), None, "case {n}");
    }
}

#[test]
fn only_a_clock_that_runs_ahead_is_set_right() {
    let lead = |ahead: i64| clock_lead(Some(at(0).plus(ahead)), at(0));
    assert_eq!(clock_lead(None, at(0)), 0);
    assert_eq!([lead(0), lead(MINUTE), lead(MINUTE + 1), lead(60 * MINUTE)], [0, 0, MINUTE + 1, 60 * MINUTE]);
    assert_eq!([lead(-1), lead(-60 * MINUTE)], [0, 0], "what waited is not moved");
}

#[test]
fn setting_the_clock_right_moves_every_time() {
    let (mut moved, mut none) = (fine(), Report::default());
    moved.correct_clock(10 * SECOND);
    let back = |t: Option<Timestamp>| t.map(|t| t.plus(-10 * SECOND));
    let expected = Report {
        occurred_at: back(fine().occurred_at),
        started_at: back(fine().started_at),
        finished_at: back(fine().finished_at),
        steps: fine()
            .steps
            .into_iter()
            .map(|s| StepRecord { started_at: back(s.started_at), finished_at: back(s.finished_at), ..s })
            .collect(),
        ..fine()
    };
    assert_eq!(moved, expected);
    none.correct_clock(10 * SECOND);
    assert_eq!(none, Report::default());
}
