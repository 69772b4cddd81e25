//! Plans, targets, and which time is compared with which.

mod sampled;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::VersionId;
use crate::time::Timestamp;

fn version(n: u128) -> VersionId {
    VersionId(Uuid::from_u128(n))
}

fn day(n: i64) -> Timestamp {
    Timestamp::from_micros(n * DAY)
}

fn era(n: u128, major: i32, from: i64, until: Option<i64>) -> Era {
    Era { version: version(n), major, learning_days: 7, from: day(from), until: until.map(day) }
}

fn stretch(from: i64, to: i64) -> Stretch {
    Stretch { from: day(from), to: day(to) }
}

fn fields(plan: &Plan, has_predecessor: bool) -> Vec<String> {
    plan.check(has_predecessor).into_iter().map(|problem| problem.path.join(".")).collect()
}

#[test]
fn a_plan_leaves_two_weeks_of_runs() {
    let plan = Plan::default();
    assert_eq!(plan.check(false), []);
    let with = |matures_after_days, learning_days, watch_days| Plan {
        matures_after_days,
        learning_days,
        watch_days,
        ..Plan::default()
    };
    assert_eq!(fields(&with(28, 7, 7), true), [""; 0]);
    assert_eq!(fields(&with(27, 7, 7), true), ["maturesAfterDays"]);
    assert_eq!(fields(&with(15, 0, 1), true), [""; 0]);
    assert_eq!(fields(&with(366, 90, 90), true), [""; 0]);
    assert_eq!(fields(&with(367, 0, 1), true), ["maturesAfterDays"]);
    assert_eq!(fields(&with(42, -1, 1), true), ["learningDays"]);
    assert_eq!(fields(&with(42, 1, 0), true), ["watchDays"]);
    assert_eq!(fields(&with(i32::MIN, i32::MAX, i32::MIN), true), ["learningDays", "watchDays", "maturesAfterDays"]);
}

#[test]
fn a_first_version_has_no_adoption_to_compare_with() {
    let plan = Plan { primary: Metric::Adoption, ..Plan::default() };
    assert_eq!(fields(&plan, false), ["primaryMetric"]);
    assert_eq!(fields(&plan, true), [""; 0]);
}

#[test]
fn targets_are_shares_and_times_that_can_be_seen() {
    let with = |metric, goal| Plan { targets: vec![Target { metric, goal }], ..Plan::default() };
    for share in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
        assert_eq!(fields(&with(Metric::ErrorRate, Goal::Share(share)), true), ["targets.errorRateAtMost"]);
    }
    for (micros, good) in [(0, false), (1, true), (7 * DAY, true), (7 * DAY + 1, false), (-1, false)] {
        let plan = with(Metric::CompletionTime, Goal::Duration(micros));
        assert_eq!(plan.check(true).is_empty(), good, "{micros}");
    }
}

#[test]
fn a_target_is_judged_once_it_is_mature() {
    let share = |numerator, denominator| Figure::Share(Ratio { numerator, denominator });
    let most = Target { metric: Metric::ErrorRate, goal: Goal::Share(0.1) };
    let least = Target { metric: Metric::Adoption, goal: Goal::Share(0.8) };
    assert_eq!(most.state(&share(1, 10), false), TargetState::NotYetJudged);
    assert_eq!(most.state(&share(1, 10), true), TargetState::Met);
    assert_eq!(most.state(&share(2, 10), true), TargetState::NotMet);
    assert_eq!(least.state(&share(8, 10), true), TargetState::Met);
    assert_eq!(least.state(&share(7, 10), true), TargetState::NotMet);
    assert_eq!(least.state(&share(0, 0), true), TargetState::NoRuns);
    let time = Target { metric: Metric::CompletionTime, goal: Goal::Duration(60) };
    let median = |runs, value| Figure::Median(Median { runs, completed: runs, value, low: value, high: value });
    assert_eq!(time.state(&median(5, Some(60)), true), TargetState::Met);
    assert_eq!(time.state(&median(5, Some(61)), true), TargetState::NotMet);
    assert_eq!(time.state(&median(5, None), true), TargetState::NotMet, "half took longer than anybody watched");
    assert_eq!(time.state(&median(0, None), true), TargetState::NoRuns);
}

#[test]
fn the_first_version_is_compared_with_the_time_before_it() {
    let found = windows(&[era(1, 1, 100, None)], version(1), &Plan::default()).unwrap();
    assert_eq!(found.predecessor, None);
    assert_eq!(found.before, stretch(10, 100), "no learning there: nothing was new");
    assert_eq!((found.learning, found.after), (stretch(100, 107), stretch(107, 135)));
    assert_eq!((found.unwatched, found.matures_at), (stretch(135, 142), day(142)));
    assert!(!found.mature(Timestamp::from_micros(142 * DAY - 1)) && found.mature(day(142)));
}

#[test]
fn a_version_is_compared_with_the_one_before() {
    let eras = [era(1, 1, 0, Some(100)), era(2, 2, 100, Some(120)), era(3, 3, 120, None)];
    let found = windows(&eras, version(2), &Plan::default()).unwrap();
    assert_eq!(found.predecessor, Some(version(1)));
    assert_eq!((found.before, found.after), (stretch(10, 100), stretch(107, 120)), "it ended before its maturity");
    assert_eq!((found.unwatched, found.matures_at), (stretch(120, 120), day(142)));
    let found = windows(&eras, version(3), &Plan::default()).unwrap();
    assert_eq!(found.before, stretch(107, 120), "the predecessor was learnt as well");
    assert_eq!(windows(&eras, version(4), &Plan::default()), None, "it was never in force");
}

#[test]
fn an_editorial_correction_interrupts_neither_side() {
    let eras = [
        era(1, 1, 0, Some(20)),
        era(2, 1, 20, Some(40)),
        era(3, 2, 40, Some(50)),
        era(4, 2, 50, Some(60)),
        era(5, 2, 60, None),
    ];
    let found = windows(&eras, version(3), &Plan::default()).unwrap();
    assert_eq!(found.predecessor, Some(version(2)));
    assert_eq!((found.before, found.after), (stretch(7, 40), stretch(47, 75)));
    // After a retirement and a revival it is not the same time any more.
    let eras = [era(1, 1, 0, Some(20)), era(2, 1, 30, Some(40)), era(3, 2, 200, None)];
    let found = windows(&eras, version(3), &Plan::default()).unwrap();
    assert_eq!(found.before, stretch(37, 40), "it ends where the predecessor did");
}

#[test]
fn what_is_only_reworded_is_not_learnt_again() {
    let eras = [era(1, 1, 0, Some(50)), era(2, 2, 50, Some(60)), era(3, 2, 60, None)];
    assert_eq!(learnt_at(&eras, version(3)), Some(day(57)));
    assert_eq!(learnt_at(&eras, version(2)), Some(day(57)));
    assert_eq!(learnt_at(&eras, version(4)), None);
}

#[test]
fn each_version_is_learnt_for_as_long_as_its_own_plan_says() {
    let [first, second] = [era(1, 1, 0, Some(100)), era(2, 2, 100, None)];
    let eras = [Era { learning_days: 30, ..first }, second];
    assert_eq!(learnt_at(&eras, version(1)), Some(day(30)));
    let found = windows(&eras, version(2), &Plan::default()).unwrap();
    assert_eq!((found.before, found.after.from), (stretch(30, 100), day(107)));
    // What is only reworded was learnt by the plan of what it words anew.
    let eras = [Era { learning_days: 3, ..era(1, 1, 0, Some(50)) }, Era { learning_days: 20, ..era(2, 1, 50, None) }];
    assert_eq!(learnt_at(&eras, version(2)), Some(day(3)));
}

#[test]
fn what_was_in_force_for_a_day_has_no_side() {
    let eras = [era(1, 1, 0, Some(1)), era(2, 2, 1, Some(2)), era(3, 3, 2, None)];
    let found = windows(&eras, version(2), &Plan::default()).unwrap();
    assert_eq!((found.before, found.after), (stretch(1, 1), stretch(2, 2)));
}

fn eras() -> impl Strategy<Value = Vec<Era>> {
    prop::collection::vec((1_i64..200, 0_i64..3, 0_i32..2), 1..8).prop_map(|steps| {
        let (mut at, mut major, mut eras) = (0, 1, Vec::new());
        for (n, (length, gap, change)) in steps.into_iter().enumerate() {
            major += change;
            eras.push(era(n as u128, major, at, Some(at + length)));
            at += length + gap;
        }
        if let Some(last) = eras.last_mut() {
            last.until = None;
        }
        eras
    })
}

proptest! {
    /// Both sides are watched for as long by the maturity date, and none has a run of the other, of learning, or of a
    /// version of other content.
    #[test]
    fn sides_are_apart_and_equally_watched(eras in eras(), n in 0_usize..8, learning_days in 0..30_i32, watch_days in 1..30_i32, spare in 14..100_i32) {
        let own = eras[n % eras.len()];
        let plan = Plan { learning_days, watch_days, matures_after_days: learning_days + watch_days + spare, ..Plan::default() };
        prop_assert_eq!(plan.check(true), []);
        let found = windows(&eras, own.version, &plan).unwrap();
        let order = [found.before.from, found.before.to, own.from, found.learning.to, found.after.to, found.unwatched.to];
        prop_assert!(order.is_sorted() && found.unwatched.to <= found.matures_at);
        prop_assert!(found.learning.from == own.from && found.learning.to == found.after.from && found.after.to == found.unwatched.from);
        prop_assert!(found.after.to == found.after.from || found.after.to.plus(plan.watch()) <= found.matures_at);
        prop_assert!(found.before.to.since(found.before.from) <= BEFORE_DAYS * DAY);
        let at = |at: Timestamp| eras.iter().find(|era| era.from <= at && era.until.is_none_or(|until| at < until));
        for step in 0..20 {
            for (side, major) in [(found.before, found.predecessor), (found.after, Some(own.version))] {
                let moment = side.from.plus(side.to.since(side.from) / 20 * step);
                let major = major.and_then(|v| eras.iter().find(|era| era.version == v)).map(|era| era.major);
                if side.contains(moment) && major.is_some() {
                    prop_assert_eq!(at(moment).map(|era| era.major), major);
                }
            }
        }
    }
}
