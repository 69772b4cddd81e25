//! What a verdict needs, and which way it points.

use super::*;
use crate::stats::histogram::Histogram;

fn span(first: i64, last: i64) -> Span {
    Span { first: Timestamp::from_micros(first), last: Timestamp::from_micros(last) }
}

/// So many people in two teams, on each side others, with ten runs each.
fn people<T: Clone + Default>(each_side: usize, before: &T, after: &T) -> Vec<Actor<T>> {
    let team = |i: usize| Some(TeamId(Uuid::from_u128(i as u128 % 2)));
    let old = (0..each_side).map(|i| Actor { team: team(i), before: before.clone(), after: T::default() });
    let new = (0..each_side).map(|i| Actor { team: team(i), before: T::default(), after: after.clone() });
    old.chain(new).collect()
}

fn taking(micros: u64, runs: u64, longer: u64) -> Times {
    let mut completed = Histogram::default();
    completed.add(micros, runs).unwrap();
    Times { completed, longer }
}

const BAD: Tally = Tally { runs: 10, hits: 5 };
const GOOD: Tally = Tally { runs: 10, hits: 1 };

#[test]
fn too_little_of_anything_is_not_enough() {
    let verdict = |actors: &[Actor<Tally>], spans| {
        let found = compare_shares(actors, spans, Better::Lower, 1);
        let lacks: Vec<_> = found.basis.shortfalls().iter().map(|s| (s.side, s.floor, s.has)).collect();
        (found.verdict, lacks)
    };
    assert_eq!(verdict(&people(20, &BAD, &GOOD), spans()), (Verdict::LikelyBetter, vec![]));
    let lacks = vec![(Side::Before, Floor::Actors, 19), (Side::After, Floor::Actors, 19)];
    assert_eq!(verdict(&people(19, &BAD, &GOOD), spans()), (Verdict::Insufficient, lacks));
    // Five runs each are 100, four are 80.
    let few = Tally { runs: 4, hits: 0 };
    let lacks = vec![(Side::After, Floor::Runs, 80)];
    assert_eq!(verdict(&people(20, &BAD, &few), spans()), (Verdict::Insufficient, lacks));
    assert_eq!(verdict(&people(20, &BAD, &Tally { runs: 5, hits: 0 }), spans()).0, Verdict::LikelyBetter);
    // The fourteenth day begins 13 days after the first.
    let days = |last| Spans { before: Some(span(0, last)), after: Some(span(30 * DAY, 60 * DAY)) };
    assert_eq!(verdict(&people(20, &BAD, &GOOD), days(13 * DAY)).0, Verdict::LikelyBetter);
    let lacks = vec![(Side::Before, Floor::Days, 13)];
    assert_eq!(verdict(&people(20, &BAD, &GOOD), days(13 * DAY - 1)), (Verdict::Insufficient, lacks));
    let lacks = vec![(Side::Before, Floor::Days, 0), (Side::After, Floor::Days, 0)];
    assert_eq!(verdict(&people(20, &BAD, &GOOD), Spans::default()), (Verdict::Insufficient, lacks));
}

#[test]
fn which_way_is_better_depends_on_the_share() {
    let verdict = |before: Tally, after: Tally, better| {
        let found = compare_shares(&people(30, &before, &after), spans(), better, 1);
        let difference = found.difference.unwrap();
        assert!(
            difference.decisive.contains(difference.interval.low)
                && difference.decisive.contains(difference.interval.high)
        );
        assert!(difference.interval.contains(difference.value));
        found.verdict
    };
    assert_eq!(verdict(BAD, GOOD, Better::Lower), Verdict::LikelyBetter);
    assert_eq!(verdict(GOOD, BAD, Better::Lower), Verdict::LikelyWorse);
    assert_eq!(verdict(BAD, GOOD, Better::Higher), Verdict::LikelyWorse);
    assert_eq!(verdict(GOOD, BAD, Better::Higher), Verdict::LikelyBetter);
    assert_eq!(verdict(BAD, BAD, Better::Lower), Verdict::NoClearDifference);
}

/// Nobody erred before and a few did after: resampling people who never err cannot tell how surely they do not.
#[test]
fn a_few_errors_after_none_are_no_verdict() {
    let mut actors = people(20, &Tally { runs: 5, hits: 0 }, &Tally { runs: 5, hits: 0 });
    let none = compare_shares(&actors, spans(), Better::Lower, 1);
    let interval = none.difference.unwrap().interval;
    assert!(none.verdict == Verdict::NoClearDifference && interval.low < -0.03 && interval.high > 0.03, "{interval:?}");
    for actor in &mut actors[20..25] {
        actor.after.hits = 1;
    }
    let found = compare_shares(&actors, spans(), Better::Lower, 1);
    assert_eq!((found.before.numerator, found.after.numerator, found.after.denominator), (0, 5, 100));
    assert_eq!(found.verdict, Verdict::NoClearDifference, "{:?}", found.difference);
}

#[test]
fn times_tell_which_side_is_quicker() {
    let found = |before: &Times, after: &Times| compare_times(&people(30, before, after), spans(), 1);
    let quicker = found(&taking(2_000_000, 10, 0), &taking(1_000_000, 10, 0));
    assert_eq!(quicker.verdict, Verdict::LikelyBetter);
    assert!((quicker.ratio.unwrap().value - 0.5).abs() < 0.01 && quicker.quicker.unwrap().value > 1.0 - 1e-12);
    assert_eq!(found(&taking(1_000_000, 10, 0), &taking(2_000_000, 10, 0)).verdict, Verdict::LikelyWorse);
    let same = found(&taking(1_000_000, 10, 0), &taking(1_000_000, 10, 0));
    assert_eq!((same.verdict, same.ratio.unwrap().value), (Verdict::NoClearDifference, 1.0));
    // Half is not completed: the median is not known, and that is worse than any.
    let stuck = found(&taking(1_000_000, 10, 0), &taking(1_000_000, 4, 6));
    assert_eq!((stuck.verdict, stuck.after, stuck.ratio), (Verdict::LikelyWorse, None, None));
    let stuck = found(&taking(1_000_000, 0, 10), &taking(1_000_000, 0, 10));
    assert_eq!((stuck.verdict, stuck.before, stuck.ratio), (Verdict::NoClearDifference, None, None));
    assert!((stuck.quicker.unwrap().value - 0.5).abs() < 1e-12);
    // No time at all has no ratio to anything.
    assert_eq!(found(&taking(0, 10, 0), &taking(5, 10, 0)).ratio, None);
}

/// Nearly half of the runs were very slow and are not any more, so most pairs are quicker after; but the median went
/// up.
#[test]
fn nothing_is_said_when_the_median_contradicts() {
    let mix = |parts: &[(u64, u64)]| {
        let mut completed = Histogram::default();
        for (micros, runs) in parts {
            completed.add(*micros, *runs).unwrap();
        }
        Times { completed, longer: 0 }
    };
    let before = mix(&[(10, 52), (500, 48)]);
    let after = mix(&[(9, 40), (11, 60)]);
    let found = compare_times(&people(30, &before, &after), spans(), 1);
    assert!(found.quicker.unwrap().decisive.low > 0.5, "{:?}", found.quicker);
    assert_eq!((found.before, found.after), (Some(10.0), Some(11.0)));
    assert_eq!(found.verdict, Verdict::NoClearDifference);
}

#[test]
fn one_person_on_a_side_is_no_sample() {
    let mut actors = people(20, &BAD, &GOOD);
    actors.truncate(21);
    let found = compare_shares(&actors, spans(), Better::Lower, 1);
    assert_eq!((found.verdict, found.difference), (Verdict::Insufficient, None));
    assert_eq!(compare_shares(&[], Spans::default(), Better::Lower, 1).difference, None);
    let nothing = compare_times(&[], Spans::default(), 1);
    assert_eq!((nothing.verdict, nothing.before, nothing.quicker), (Verdict::Insufficient, None, None));
}

/// A million runs by the same people cost what a hundred do, and the same question has the same answer.
#[test]
fn the_answer_does_not_depend_on_anything_but_the_question() {
    let (before, after) = (taking(1_000, 1_000_000, 3), taking(900, 1_000_000, 3));
    let actors = people(20, &before, &after);
    assert_eq!(compare_times(&actors, spans(), 5), compare_times(&actors, spans(), 5));
    let p = probabilities(0.1);
    let actors = tallies(&mut Chance::new(3), FEW, &p, &p);
    let found = |seed| compare_shares(&actors, spans(), Better::Lower, seed).difference.unwrap().interval;
    assert_eq!(found(1), found(1));
    let (one, two) = (found(1), found(2));
    assert!(one != two && (one.low - two.low).abs() < 0.02, "chance moves the ends, but little: {one:?} {two:?}");
}

#[test]
fn nothing_has_no_median() {
    let before = people(5, &taking(1_000, 10, 0), &taking(1_000, 0, 0));
    let found = compare_times(&before, spans(), 1);
    assert!(found.before.is_some() && found.after.is_none(), "{found:?}");
}
