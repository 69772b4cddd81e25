//! How often a verdict is wrong, and how often right: simulated, with people who differ.

mod rules;

use uuid::Uuid;

use super::shares::{Better, Tally, compare as compare_shares};
use super::times::{Times, compare as compare_times};
use super::*;
use crate::stats::simulate::{Chance, probabilities};

/// The false alarms allowed in 1,000 pairs without a difference.
const ALARMS: usize = 50;

/// People, and how unevenly they work.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// How many there are on each side.
    people: usize,
    /// In how many teams.
    teams: u128,
    /// How many of them are on both sides.
    both: usize,
    /// Runs of each on each side, on average.
    runs: f64,
    /// Whether some have many times as many as others.
    uneven: bool,
}

/// As few as there may be, all of them new after the change.
const FEW: Shape = Shape { people: 20, teams: 1, both: 0, runs: 10.0, uneven: false };
/// Four teams, half of the people on both sides, a few of whom do most of the work.
const UNEVEN: Shape = Shape { people: 40, teams: 4, both: 20, runs: 15.0, uneven: true };
/// The same people on both sides, in three teams.
const SAME: Shape = Shape { people: 30, teams: 3, both: 30, runs: 20.0, uneven: true };
/// What the documentation of the verdict names as enough.
const ENOUGH: Shape = Shape { people: 60, teams: 3, both: 0, runs: 10.0, uneven: false };

fn spans() -> Spans {
    let span = |first: i64| Span {
        first: Timestamp::from_micros(first * DAY),
        last: Timestamp::from_micros((first + 20) * DAY),
    };
    Spans { before: Some(span(0)), after: Some(span(30)) }
}

impl Shape {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    fn runs(self, chance: &mut Chance) -> u64 {
        // A log-normal with a coefficient of variation of 0.8, which leaves about 60 % of the people effective.
        let spread = if self.uneven { (0.7 * chance.normal() - 0.245).exp() } else { 1.0 };
        (self.runs * spread).round().max(1.0) as u64
    }

    /// People with what `of` makes of their trait, between 0 and 1, and of how many runs they have before and after.
    fn actors<T>(self, chance: &mut Chance, of: impl Fn(&mut Chance, f64, u64, u64) -> (T, T)) -> Vec<Actor<T>> {
        let all = 2 * self.people - self.both;
        let actor = |i: usize| {
            let quality = chance.uniform();
            let before = if i < self.people { self.runs(chance) } else { 0 };
            let after = if i >= self.people - self.both { self.runs(chance) } else { 0 };
            let (before, after) = of(chance, quality, before, after);
            Actor { team: Some(TeamId(Uuid::from_u128(i as u128 % self.teams))), before, after }
        };
        (0..all).map(actor).collect()
    }
}

/// People whose hits have an intra-class correlation of 0.1, with these quantiles of their probabilities.
fn tallies(chance: &mut Chance, shape: Shape, before: &[f64], after: &[f64]) -> Vec<Actor<Tally>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = |quantiles: &[f64], quality: f64| quantiles[(quality * float(quantiles.len() as u64)) as usize];
    shape.actors(chance, |chance, quality, n, m| {
        let tally = |chance: &mut Chance, runs, p| Tally { runs, hits: chance.binomial(runs, p) };
        (tally(chance, n, at(before, quality)), tally(chance, m, at(after, quality)))
    })
}

/// People whose log-normal times have an intra-class correlation of 0.1 on the logarithm; some are never completed.
fn times(chance: &mut Chance, shape: Shape, ratio: f64) -> Vec<Actor<Times>> {
    let side = |chance: &mut Chance, runs: u64, own: f64, scale: f64| {
        let mut times = Times::default();
        for _ in 0..runs {
            if chance.uniform() < 0.05 {
                times.longer += 1;
                continue;
            }
            let took = scale * 3.6e9 * (0.8 * (own * 0.1_f64.sqrt() + chance.normal() * 0.9_f64.sqrt())).exp();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and below 2^63")]
            times.completed.add(took as u64, 1).unwrap();
        }
        times
    };
    shape.actors(chance, |chance, _, n, m| {
        let own = chance.normal();
        (side(chance, n, own, 1.0), side(chance, m, own, ratio))
    })
}

/// How often each verdict is given, and how often the 95 % interval holds the truth.
#[derive(Debug, Default)]
struct Count {
    better: usize,
    worse: usize,
    held: usize,
}

impl Count {
    fn note(&mut self, verdict: Verdict, effect: Option<Effect>, truth: f64) {
        assert_ne!(verdict, Verdict::Insufficient);
        self.better += usize::from(verdict == Verdict::LikelyBetter);
        self.worse += usize::from(verdict == Verdict::LikelyWorse);
        self.held += usize::from(effect.unwrap().interval.contains(truth));
    }
}

fn count_shares(pairs: u64, shape: Shape, before: f64, after: f64) -> Count {
    let (p, q) = (probabilities(before), probabilities(after));
    let mut count = Count::default();
    for seed in 0..pairs {
        let actors = tallies(&mut Chance::new(seed), shape, &p, &q);
        let found = compare_shares(&actors, spans(), Better::Lower, seed);
        count.note(found.verdict, found.difference, after - before);
    }
    println!("shares {before} to {after}, {shape:?}, {pairs} pairs: {count:?}");
    count
}

fn count_times(pairs: u64, shape: Shape, ratio: f64) -> Count {
    let mut count = Count::default();
    for seed in 0..pairs {
        let actors = times(&mut Chance::new(seed), shape, ratio);
        let found = compare_times(&actors, spans(), seed);
        count.note(found.verdict, found.ratio, ratio);
    }
    println!("times by {ratio}, {shape:?}, {pairs} pairs: {count:?}");
    count
}

fn is_calm(count: &Count) {
    assert!(count.better + count.worse <= ALARMS, "{count:?}");
    assert!(count.held >= 940, "{count:?}");
}

#[test]
fn no_difference_in_shares_raises_few_alarms_with_few_people() {
    is_calm(&count_shares(1000, FEW, 0.1, 0.1));
}

#[test]
fn no_difference_in_shares_raises_few_alarms_when_people_are_uneven() {
    is_calm(&count_shares(1000, UNEVEN, 0.1, 0.1));
}

#[test]
fn no_difference_in_shares_raises_few_alarms_when_people_are_the_same() {
    is_calm(&count_shares(1000, SAME, 0.3, 0.3));
}

#[test]
fn no_difference_in_times_raises_few_alarms_with_few_people() {
    is_calm(&count_times(1000, FEW, 1.0));
}

#[test]
fn no_difference_in_times_raises_few_alarms_when_people_are_uneven() {
    is_calm(&count_times(1000, UNEVEN, 1.0));
}

#[test]
fn a_real_difference_in_shares_is_found() {
    let (halved, doubled) = (count_shares(200, ENOUGH, 0.2, 0.1), count_shares(200, ENOUGH, 0.1, 0.2));
    assert!(halved.better >= 160 && halved.worse == 0, "{halved:?}");
    assert!(doubled.worse >= 160 && doubled.better == 0, "{doubled:?}");
}

#[test]
fn a_real_difference_in_times_is_found() {
    let (quicker, slower) = (count_times(200, ENOUGH, 0.75), count_times(200, ENOUGH, 1.0 / 0.75));
    assert!(quicker.better >= 160 && quicker.worse == 0, "{quicker:?}");
    assert!(slower.worse >= 160 && slower.better == 0, "{slower:?}");
}
