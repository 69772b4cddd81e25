use proptest::prelude::*;

use super::*;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

fn key() -> impl Strategy<Value = Key> {
    let some = |bit: u128| prop::option::of((1_u128..3).prop_map(move |n| Uuid::from_u128(bit + n)));
    (1_u128..3, some(10), some(20), some(30)).prop_map(|(process, sop, version, team)| Key {
        process: Uuid::from_u128(process),
        sop,
        version,
        team,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let at = || prop::option::of((0..40 * DAY).prop_map(|t| Timestamp::from_micros(1_782_864_000 * SECOND + t)));
    let outcome = prop::option::of(prop::sample::select(Outcome::ALL));
    let adherence = prop::option::of(prop::sample::select(Adherence::ALL));
    let by = prop::sample::select(SatisfactionBy::ALL);
    let satisfaction = prop::option::of((1..6_i32, by).prop_map(|(score, by)| Satisfaction { score, by }));
    let reported = prop::option::of(prop::sample::select(VersionSource::ALL));
    let standing = prop::option::of(prop::sample::select(VersionStanding::ALL));
    let conformance =
        prop::option::of((1..9_i32, 0..2_i32).prop_map(|(checks, deviations)| Conformance { checks, deviations }));
    let horizon = prop::sample::select(vec![HOUR, HORIZON, 366 * DAY]);
    let counts = (0..3_i32, 0..2_i32, prop::array::uniform3(0..3_i32), standing, conformance, horizon);
    (at(), at(), at(), outcome, adherence, satisfaction, reported, counts).prop_map(
        |(started_at, finished_at, occurred_at, outcome, adherence, satisfaction, version_source, counts)| Facts {
            started_at,
            finished_at,
            occurred_at,
            received_at: Timestamp::from_micros(1_782_864_000 * SECOND),
            outcome,
            adherence,
            errors: counts.0,
            rework: counts.1,
            violations: counts.2,
            satisfaction,
            version_source,
            standing: counts.3,
            conformance: counts.4,
            horizon: counts.5,
        },
    )
}

fn bare() -> Facts {
    Facts {
        started_at: None,
        finished_at: None,
        occurred_at: None,
        received_at: Timestamp::from_micros(0),
        outcome: None,
        adherence: None,
        errors: 0,
        rework: 0,
        violations: [0; 3],
        satisfaction: None,
        version_source: None,
        standing: None,
        conformance: None,
        horizon: HORIZON,
    }
}

fn of(runs: &[(Key, Facts)]) -> Delta {
    let mut delta = Delta::default();
    for (key, facts) in runs {
        delta.add(Zone::UTC, *key, facts).unwrap();
    }
    delta
}

fn kept(zone: Zone, runs: &[(Key, Facts)]) -> Delta {
    let mut delta = Delta::default();
    for (key, facts) in runs {
        delta.keep(zone, *key, facts).unwrap();
    }
    delta
}

proptest! {
    #[test]
    fn what_is_kept_of_deleted_runs_is_what_they_were_in_every_zone(
        runs in prop::collection::vec((key(), facts()), 0..20),
        of in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"]),
        asked in prop::sample::select(vec!["UTC", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"]),
        cut in 0..40 * 96_i64,
    ) {
        let kept = kept(of.parse().unwrap(), &runs);
        prop_assert_eq!(&Delta::decode(&kept.encode()).unwrap(), &kept);
        for zone in [of, asked] {
            let mut expected = Delta::default();
            for (key, facts) in &runs {
                expected.add(zone.parse().unwrap(), *key, facts).unwrap();
            }
            prop_assert_eq!(kept.clone().by_hours(zone.parse().unwrap()).unwrap(), expected, "{} for {}", of, zone);
        }
        // Cut at a quarter of an hour, each run is on its side.
        let cut = Timestamp::from_micros(1_782_864_000 * SECOND + cut * 15 * MINUTE);
        let before = |at: Timestamp| at < cut;
        let counted = |delta: Delta| delta.cells().map(|(.., sum)| sum.tally.runs).sum::<i64>();
        let expected = runs.iter().filter(|(_, facts)| before(facts.cohort())).count();
        prop_assert_eq!(counted(kept.clone().within((Timestamp::MIN, cut))), i64::try_from(expected).unwrap());
        prop_assert_eq!(counted(kept.within((cut, Timestamp::MAX))), i64::try_from(runs.len() - expected).unwrap());
    }

    #[test]
    fn what_is_kept_stays_within_the_hours_of_clocks_that_showed_odd_minutes(
        at in -62_135_596_800..253_402_300_799_i64,
        name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Africa/Monrovia", "Asia/Kolkata"]),
    ) {
        let at = Timestamp::from_micros(at * SECOND);
        let facts = Facts { started_at: Some(at), ..bare() };
        let (zone, mut expected) = (name.parse().unwrap(), Delta::default());
        expected.add(zone, Key::default(), &facts).unwrap();
        prop_assert_eq!(kept(zone, &[(Key::default(), facts)]).by_hours(zone).unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read(
        before in prop::collection::vec((key(), facts()), 0..20),
        after in prop::collection::vec((key(), facts()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut delta = of(&after);
        for (key, facts) in &before {
            delta.remove(Zone::UTC, *key, facts).unwrap();
        }
        let bytes = delta.encode();
        prop_assert_eq!(&Delta::decode(&bytes).unwrap(), &delta);
        let end = cut.index(bytes.len());
        prop_assert!(Delta::decode(&bytes[..end]).is_err(), "cut off at {end}");
    }

    #[test]
    fn corrections_leave_what_the_runs_say_now(
        runs in prop::collection::vec((key(), facts(), key(), facts(), 0..3_u8), 1..20),
        order in any::<u64>(),
    ) {
        let mut changes = Vec::new();
        let mut left = Vec::new();
        for (key, first, other, second, fate) in runs {
            changes.push(of(&[(key, first)]));
            let mut change = Delta::default();
            match fate {
                0 => left.push((key, first)),
                1 => {
                    change.remove(Zone::UTC, key, &first).unwrap();
                    change.add(Zone::UTC, other, &second).unwrap();
                    left.push((other, second));
                }
                _ => change.remove(Zone::UTC, key, &first).unwrap(),
            }
            changes.push(change);
        }
        // In any order: a correction may be compacted before what it corrects.
        let length = changes.len();
        changes.rotate_left(usize::try_from(order).unwrap() % length);
        let mut sum = Delta::default();
        for change in changes {
            sum.merge(change).unwrap();
        }
        prop_assert_eq!(sum, of(&left));
    }

    #[test]
    fn other_bytes_are_refused_or_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(delta) = Delta::decode(&bytes) {
            prop_assert_eq!(delta.encode(), bytes.clone());
        }
        if let Ok(tally) = Tally::decode(&bytes) {
            prop_assert_eq!(tally.encode(), bytes);
        }
    }

    #[test]
    fn counts_hold_together(facts in facts()) {
        let tally = Aggregate::of(&facts).tally;
        prop_assert!(tally.followed + tally.deviated + tally.not_followed <= tally.runs);
        prop_assert!(tally.succeeded + tally.failed + tally.abandoned <= tally.finished);
        prop_assert!(tally.first_time_right <= tally.succeeded);
        prop_assert!(tally.first_time_right + tally.errored <= tally.finished);
        prop_assert!(tally.customer_satisfied <= tally.customer_responses);
        prop_assert!(Tally::decode(&tally.encode()).unwrap() == tally);
    }
}

fn run() -> Facts {
    let start = Timestamp::from_micros(1_782_864_000 * SECOND);
    Facts {
        started_at: Some(start),
        finished_at: Some(start.plus(90 * MINUTE)),
        occurred_at: None,
        received_at: start.plus(DAY),
        outcome: Some(Outcome::Succeeded),
        adherence: Some(Adherence::Followed),
        errors: 0,
        rework: 0,
        violations: [0; 3],
        satisfaction: None,
        version_source: None,
        standing: None,
        conformance: None,
        horizon: HORIZON,
    }
}

#[test]
fn a_run_is_covered_where_a_version_was_in_force() {
    let of = |version_source, standing| {
        let tally = Aggregate::of(&Facts { version_source, standing, ..run() }).tally;
        [tally.covered, tally.reported_in_force, tally.current]
    };
    let (reported, inferred) = (Some(VersionSource::Reported), Some(VersionSource::Inferred));
    assert_eq!(of(None, None), [0, 0, 0]);
    assert_eq!(of(inferred, None), [1, 0, 0]);
    assert_eq!(of(reported, None), [0, 0, 0], "none was in force then");
    assert_eq!(of(reported, Some(VersionStanding::Other)), [1, 1, 0]);
    assert_eq!(of(reported, Some(VersionStanding::Current)), [1, 1, 1]);
}

#[test]
fn first_time_right_is_spoilt_by_each_of_its_parts() {
    let right = |facts: Facts| Aggregate::of(&facts).tally.first_time_right;
    assert_eq!(right(run()), 1);
    assert_eq!(right(Facts { errors: 1, ..run() }), 0);
    assert_eq!(right(Facts { rework: 1, ..run() }), 0);
    assert_eq!(right(Facts { violations: [0, 0, 1], ..run() }), 0);
    assert_eq!(right(Facts { outcome: Some(Outcome::Failed), ..run() }), 0);
    assert_eq!(right(Facts { outcome: None, ..run() }), 0);
}

#[test]
fn errors_of_a_run_that_goes_on_are_not_counted_yet() {
    let open = Facts { finished_at: None, outcome: None, errors: 2, ..run() };
    assert_eq!(Aggregate::of(&open).tally.errored, 0);
    assert_eq!(Aggregate::of(&Facts { errors: 2, ..run() }).tally.errored, 1);
}

#[test]
fn an_abandoned_run_is_not_completed() {
    let given_up = Facts { outcome: Some(Outcome::Abandoned), ..run() };
    assert_eq!((given_up.completion_time(), given_up.abandoned_after()), (None, Some(5_400_000_000)));
    let unknown = Facts { finished_at: None, ..given_up };
    assert_eq!(unknown.abandoned_after(), Some(0));
    let told = Facts { occurred_at: unknown.started_at.map(|at| at.plus(HOUR)), ..unknown };
    assert_eq!(told.abandoned_after(), Some(3_600_000_000));
}

#[test]
fn a_run_is_late_where_it_took_longer_than_its_own_horizon() {
    let took = |micros: i64, horizon: i64| {
        let run = run();
        let finished_at = run.started_at.map(|at| at.plus(micros));
        Facts { finished_at, horizon, ..run }
    };
    let late = |facts: Facts| Aggregate::of(&facts).tally.late;
    assert_eq!(HORIZON, 30 * DAY);
    for horizon in [*HORIZONS.start(), 2 * HOUR, HORIZON, 60 * DAY, *HORIZONS.end()] {
        assert_eq!(late(took(horizon, horizon)), 0, "not longer than {horizon}");
        assert_eq!(late(took(horizon + 1, horizon)), 1, "longer than {horizon}");
    }
    assert_eq!([late(took(3 * HOUR, 2 * HOUR)), late(took(3 * HOUR, 60 * DAY))], [1, 0]);
    let late_run = took(3 * HOUR, 2 * HOUR);
    assert_eq!(late(Facts { outcome: Some(Outcome::Failed), ..late_run }), 1, "however it ended");
    assert_eq!(late(Facts { outcome: Some(Outcome::Abandoned), ..late_run }), 0, "it is counted as abandoned already");
    // When it ended is not known, or it has not; or when it began is not.
    for unknown in [
        Facts { finished_at: None, ..late_run },
        Facts { finished_at: None, outcome: None, ..late_run },
        Facts { started_at: None, ..late_run },
    ] {
        assert_eq!(late(unknown), 0, "{unknown:?}");
    }
}

#[test]
fn a_run_without_a_start_belongs_to_its_finish() {
    let run = Facts { started_at: None, ..run() };
    assert_eq!(run.cohort(), run.finished_at.unwrap());
    assert_eq!(Aggregate::of(&run).tally.without_start, 1);
    assert_eq!(Aggregate::of(&run).completed, Change::default());
    assert_eq!(Facts { finished_at: None, ..run }.cohort(), run.received_at);
}
