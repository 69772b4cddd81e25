//! A growing backlog, simulated until all is done, so that the truth is known.

use super::*;
use crate::stats::simulate::Chance;

const DAY: f64 = 86_400e6;

/// A team that completes 100 runs a day, picked at random from those that wait, and for `warm` days gets as many; from
/// then on it gets a fifth more. For each run its start and its end, in days.
fn backlog(chance: &mut Chance, warm: u32) -> Vec<(f64, f64)> {
    let mut runs = vec![(0.0, f64::INFINITY); 1500];
    let mut waiting: Vec<usize> = (0..runs.len()).collect();
    for day in 0..600 {
        let coming = if day < warm { 100 } else { 120 };
        for _ in 0..coming {
            waiting.push(runs.len());
            runs.push((f64::from(day) + chance.uniform(), f64::INFINITY));
        }
        for _ in 0..100.min(waiting.len()) {
            let run = waiting.swap_remove(chance.below(waiting.len()));
            runs[run].1 = f64::from(day) + 1.0 + chance.uniform();
        }
    }
    runs
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len().div_ceil(2) - 1]
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and below 2^63")]
fn micros(days: f64) -> u64 {
    (days * DAY) as u64
}

/// What is found of the cohort against the truth, and what the finished ones alone say against it.
fn errors(seed: u64) -> (f64, f64) {
    let mut chance = Chance::new(seed);
    let (warm, now) = (100, 145.0);
    let cohort: Vec<(f64, f64)> =
        backlog(&mut chance, warm).into_iter().filter(|(start, _)| (100.0..135.0).contains(start)).collect();
    let standing = |(start, end): &(f64, f64)| {
        if *end <= now { (micros(end - start), Standing::Completed) } else { (micros(now - start), Standing::Open) }
    };
    let found = Incidence::of_runs(cohort.iter().map(standing));
    let truth = median(cohort.iter().map(|(start, end)| end - start).collect());
    let finished = cohort.iter().filter(|(_, end)| *end <= now);
    let naive = median(finished.map(|(start, end)| end - start).collect());
    (found.percentile(50).unwrap().value / DAY / truth - 1.0, naive / truth - 1.0)
}

#[test]
fn a_growing_backlog_does_not_look_like_progress() {
    for seed in 0..20 {
        let (found, naive) = errors(seed);
        assert!(found.abs() < 0.05, "seed {seed}: {found}");
        assert!(naive < -1.0 / 3.0, "seed {seed}: {naive} should be a third off");
    }
}

/// Nor when the durations stay the same and only more and more is started.
#[test]
fn growing_demand_does_not_look_like_progress() {
    let mut worst = (0.0_f64, 0.0_f64);
    for seed in 0..20 {
        let mut chance = Chance::new(seed);
        let (mut completed, mut open, mut finished) = (Histogram::default(), Histogram::default(), Vec::new());
        for day in 0..60_u32 {
            for _ in 0..20 + 6 * day {
                let age = f64::from(60 - day) - chance.uniform();
                let took = 25.0 * (0.8 * chance.normal()).exp();
                if took <= age {
                    completed.add(micros(took), 1).unwrap();
                    finished.push(took);
                } else {
                    open.add(micros(age), 1).unwrap();
                }
            }
        }
        let found = Incidence::of_histograms(&completed, &Histogram::default(), &open);
        let found = found.percentile(50).unwrap().value / DAY / 25.0 - 1.0;
        let naive = median(finished) / 25.0 - 1.0;
        assert!(naive < -1.0 / 3.0, "seed {seed}: {naive} should be a third off");
        worst = (worst.0.max(found.abs()), worst.1.max(naive));
    }
    assert!(worst.0 < 0.05, "{worst:?}");
}
