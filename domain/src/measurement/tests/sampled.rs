//! Runs gathered by person, against counting them one by one.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::sample::{Comparison, MOST_PEOPLE, Observed, Sample};
use super::super::words::{Subject, immature, told};
use super::super::*;
use crate::execution::{Adherence, Outcome};
use crate::ids::{PersonId, TeamId};
use crate::stats::impact::{Side, Verdict};
use crate::time::{HOUR, MINUTE, Timestamp};

const WATCH: i64 = 7 * DAY;
/// Stands for a time that nobody watched to its end.
const LONGER: i64 = i64::MAX;

fn run(actor: u128, day: i64, took: Option<i64>, errors: i32) -> Observed {
    let started_at = Timestamp::from_micros(day * DAY);
    Observed {
        actor: PersonId(Uuid::from_u128(actor)),
        team: Some(TeamId(Uuid::from_u128(actor % 2))),
        started_at,
        finished_at: took.map(|took| started_at.plus(took)),
        outcome: took.map(|_| Outcome::Succeeded),
        adherence: Adherence::Followed,
        errors,
        rework: 0,
        violations: 0,
    }
}

fn compare(runs: &[(Side, Observed)]) -> Comparison {
    let mut sample = Sample::new(WATCH);
    for (side, run) in runs {
        sample.add(*side, run).unwrap();
    }
    sample.compare(1)
}

/// So many people of so many runs a side, over so many days, with errors in one of `before` runs and one of `after`.
fn sides(people: u128, runs: i64, days: i64, before: i64, after: i64) -> Vec<(Side, Observed)> {
    let mut all = Vec::new();
    for actor in 0..people {
        for n in 0..runs {
            let errs = |one_in: i64| i32::from((n + i64::try_from(actor).unwrap()) % one_in == 0);
            let day = n * days / runs;
            all.push((Side::Before, run(actor, day, Some(2 * HOUR), errs(before))));
            all.push((Side::After, run(actor, 100 + day, Some(HOUR), errs(after))));
        }
    }
    all
}

#[test]
fn a_clear_difference_is_told_and_never_called_a_cause() {
    let found = compare(&sides(20, 15, 15, 3, 15));
    assert_eq!(found.verdict(Metric::ErrorRate), Verdict::LikelyBetter);
    assert_eq!(found.verdict(Metric::CompletionTime), Verdict::LikelyBetter);
    assert_eq!(found.verdict(Metric::Adoption), Verdict::NoClearDifference);
    let subject = |metric| Subject { version: "2.0", predecessor: Some("1.0"), metric };
    let text = told(subject(Metric::ErrorRate), &found);
    assert_eq!(
        text,
        "Version 2.0 is associated with a smaller share of runs with errors. It was 6.7 % of 300 after, and 33.3 % of 300 under version 1.0."
    );
    let text = told(Subject { predecessor: None, ..subject(Metric::CompletionTime) }, &found);
    assert!(
        text.starts_with("Version 2.0 is associated with shorter completion times. The median was 60 min after"),
        "{text}"
    );
    assert!(text.ends_with("and 2.0 h before it."), "{text}");
    for metric in Metric::ALL {
        let text = told(subject(*metric), &found).to_lowercase();
        assert!(!text.contains("caus") && !text.contains("because") && !text.contains("led to"), "{text}");
    }
    assert_eq!(
        immature(Timestamp::from_micros(0)),
        "Judged on 1970-01-01, and not before: who looks again and again finds differences that are none."
    );
}

#[test]
fn which_way_is_better_depends_on_the_metric() {
    let found = compare(&sides(20, 15, 15, 15, 3));
    assert_eq!(found.verdict(Metric::ErrorRate), Verdict::LikelyWorse);
    assert_eq!(found.verdict(Metric::FirstTimeRight), Verdict::LikelyWorse);
    let subject = Subject { version: "2.0", predecessor: None, metric: Metric::FirstTimeRight };
    let text = told(subject, &found);
    assert!(text.contains("a smaller share of runs that are right the first time"), "{text}");
}

#[test]
fn what_there_is_too_little_of_is_named() {
    for (people, runs, days, named) in
        [(19, 20, 20, "19 of 20 people"), (20, 4, 20, "80 of 100 runs"), (20, 20, 13, "13 of 14 days")]
    {
        let found = compare(&sides(people, runs, days, 3, 15));
        assert_eq!(found.verdict(Metric::ErrorRate), Verdict::Insufficient, "{named}");
        let subject = Subject { version: "2.0", predecessor: None, metric: Metric::ErrorRate };
        let text = told(subject, &found);
        assert_eq!(text, format!("Too little to judge by: before, {named}; after, {named}."));
    }
}

/// What is open, or took longer than the other side could be watched, is not in the rates; among times it is the longest.
#[test]
fn nothing_is_counted_that_came_after_the_time_of_watching() {
    let mut runs = sides(20, 15, 15, 3, 3);
    let before = compare(&runs);
    for actor in 0..20 {
        runs.push((Side::After, run(actor, 105, Some(WATCH + 1), 1)));
        runs.push((Side::After, run(actor, 105, None, 0)));
    }
    let after = compare(&runs);
    assert_eq!(before.error_rate.after, after.error_rate.after);
    assert_eq!(after.completion_time.basis.after.runs, before.completion_time.basis.after.runs + 40);
    // Somebody's word that it failed, without a time, is an end without a duration.
    let told = Observed { outcome: Some(Outcome::Failed), ..run(0, 105, None, 0) };
    runs.push((Side::After, told));
    let again = compare(&runs);
    assert_eq!(again.error_rate.after.numerator, after.error_rate.after.numerator + 1);
    assert_eq!(again.completion_time.basis, after.completion_time.basis);
}

#[test]
fn people_are_bounded() {
    let runs: Vec<_> = (0..MOST_PEOPLE as u128 + 5).map(|n| (Side::Before, run(n, 0, Some(MINUTE), 0))).collect();
    let found = compare(&runs);
    assert_eq!(
        (found.people_left_out, found.error_rate.basis.before.actors),
        (5 + MOST_PEOPLE / 2, MOST_PEOPLE as u64 / 2)
    );
    // Where few did the work on one side, all of them are compared.
    let many = (0..20_000).map(|n| (Side::Before, run(n, 0, Some(MINUTE), 0)));
    let few = (30_000..30_150).map(|n| (Side::After, run(n, 105, Some(MINUTE), 0)));
    let found = compare(&many.chain(few).collect::<Vec<_>>());
    let basis = &found.error_rate.basis;
    assert_eq!((basis.before.actors, basis.after.actors), (MOST_PEOPLE as u64 / 2, 150));
    // Those few did work before as well: they do not stand for more of it than they did.
    let many = (0..20_000).map(|n| (Side::Before, run(n, 0, Some(MINUTE), i32::from(n % 25 == 0))));
    let few = (0..20_000).step_by(25).map(|n| (Side::After, run(n, 105, Some(MINUTE), 0)));
    let found = compare(&many.chain(few).collect::<Vec<_>>());
    let (share, basis) = (&found.error_rate.before, &found.error_rate.basis);
    assert_eq!((basis.before.actors, basis.after.actors), (MOST_PEOPLE as u64 / 2, 800));
    assert!(share.numerator * 10 < share.denominator, "4 % of them, and not half: {share:?}");
}

fn observed() -> impl Strategy<Value = (Side, Observed)> {
    let outcome = prop::option::of(prop::sample::select(Outcome::ALL));
    let adherence = prop::sample::select(Adherence::ALL);
    let took = prop::option::of(prop_oneof![0_i64..4 * HOUR, 6 * DAY..8 * DAY]);
    let side = prop::sample::select(Side::ALL);
    (side, 0_u128..6, 0_i64..30, took, outcome, adherence, (0_i32..2, 0_i32..2, 0_i32..2)).prop_map(
        |(side, actor, day, took, outcome, adherence, (errors, rework, violations))| {
            (side, Observed { outcome, adherence, rework, violations, ..run(actor, day, took, errors) })
        },
    )
}

proptest! {
    #[test]
    fn every_run_counts_once_and_where_it_belongs(runs in prop::collection::vec(observed(), 0..60)) {
        let found = compare(&runs);
        for side in Side::ALL {
            let own: Vec<&Observed> = runs.iter().filter(|(s, _)| s == side).map(|(_, run)| run).collect();
            let count = |holds: &dyn Fn(&Observed) -> bool| i64::try_from(own.iter().filter(|run| holds(run)).count()).unwrap();
            let took = |run: &Observed| run.finished_at.map(|at| at.since(run.started_at));
            let ended = |run: &Observed| match took(run) { Some(took) => took <= WATCH, None => run.outcome.is_some() };
            let failed = |run: &Observed| run.errors > 0 || run.outcome == Some(Outcome::Failed);
            let right = |run: &Observed| run.outcome == Some(Outcome::Succeeded) && run.errors + run.rework + run.violations == 0;
            let of = |impact: &crate::stats::impact::shares::ShareImpact| if *side == Side::Before { impact.before } else { impact.after };
            let ratio = |numerator, denominator| Ratio { numerator, denominator };
            prop_assert_eq!(of(&found.adoption), ratio(count(&|r| r.adherence == Adherence::Followed), count(&|r| r.adherence != Adherence::Unknown)));
            prop_assert_eq!(of(&found.error_rate), ratio(count(&|r| ended(r) && failed(r)), count(&ended)));
            prop_assert_eq!(of(&found.first_time_right), ratio(count(&|r| ended(r) && right(r)), count(&ended)));
            let timed = count(&|r| took(r).is_some() || r.outcome.is_none() || r.outcome == Some(Outcome::Abandoned));
            let basis = &found.completion_time.basis;
            let extent = if *side == Side::Before { basis.before } else { basis.after };
            prop_assert_eq!(i64::try_from(extent.runs).unwrap(), timed);
            let mut times: Vec<i64> = own.iter().filter_map(|run| run.took_at_most(WATCH)).collect();
            times.sort_unstable();
            let median = times.get((times.len().max(1) - 1) / 2).copied().filter(|median| *median < LONGER);
            let seen = if *side == Side::Before { found.completion_time.before } else { found.completion_time.after };
            match (median, seen) {
                (None, seen) => prop_assert_eq!(seen, None),
                (Some(0), seen) => prop_assert_eq!(seen, Some(0.0)),
                #[expect(clippy::cast_precision_loss, reason = "times of days")]
                (Some(median), Some(seen)) => prop_assert!((seen / median as f64 - 1.0).abs() < 0.006, "{} {}", median, seen),
                (Some(_), None) => prop_assert!(false, "a median is missing"),
            }
        }
    }
}

impl Observed {
    /// How long it took by the words of the metric's definition.
    fn took_at_most(&self, watch: i64) -> Option<i64> {
        match (self.finished_at, self.outcome) {
            (None, Some(Outcome::Succeeded | Outcome::Failed)) => None,
            (_, Some(Outcome::Abandoned)) | (None, None) => Some(LONGER),
            (Some(at), _) => Some(Some(at.since(self.started_at)).filter(|took| *took <= watch).unwrap_or(LONGER)),
        }
    }
}
