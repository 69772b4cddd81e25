//! Completion times before and after.

use std::collections::BTreeSet;

use super::{Actor, Basis, Design, Effect, Runs, Spans, Verdict, sorted};
use crate::stats::bootstrap::{RESAMPLES, Reach};
use crate::stats::histogram::{Bucket, Histogram};
use crate::stats::mann_whitney::MannWhitney;
use crate::stats::{Interval, float};

/// How long runs of one person took.
///
/// For an honest comparison all runs of both sides have been watched for the same time: those that started later than
/// that before now are left out, and those that were not completed in that time are `longer`. Otherwise what started
/// last looks quick, because its slow runs are still open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Those that were completed in time, by how long they took.
    pub completed: Histogram,
    /// Those that took longer, are still open after it, or were abandoned: longer than any of the others.
    pub longer: u64,
}

impl Runs for Times {
    fn runs(&self) -> u64 {
        self.completed.count() + self.longer
    }
}

/// Completion times before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeImpact {
    /// How much it rests on.
    pub basis: Basis,
    /// The median before, in microseconds; none of nothing, and when half of the runs took longer.
    pub before: Option<f64>,
    /// The median after.
    pub after: Option<f64>,
    /// The median after over that before; none when either is not known, is zero or may be so.
    pub ratio: Option<Effect>,
    /// The probability that a run after takes less time than a run before, with half of that of a tie (Mann and
    /// Whitney's U of the runs before, over the pairs): over 0.5 when it is quicker after.
    pub quicker: Option<Effect>,
    /// What may be said: by the interval of [`Self::quicker`], unless the medians say the opposite.
    pub verdict: Verdict,
}

/// Compares completion times before and after, with intervals from the bootstrap over people. That of
/// [`TimeImpact::quicker`] is never narrower than the test of Mann and Whitney has it, for which runs are independent.
/// The cost is people times resamples, times the logarithm of the number of buckets, whatever the number of runs.
#[must_use]
pub fn compare(actors: &[Actor<Times>], spans: Spans, seed: u64) -> TimeImpact {
    let basis = Basis::of(actors, spans);
    let buckets: BTreeSet<Bucket> = actors
        .iter()
        .flat_map(|a| a.before.completed.buckets().chain(a.after.completed.buckets()))
        .map(|(b, _)| b)
        .collect();
    let buckets: Vec<Bucket> = buckets.into_iter().collect();
    let before = Table::of(actors.iter().map(|a| &a.before), &buckets);
    let after = Table::of(actors.iter().map(|a| &a.after), &buckets);
    let (from, to) = (before.median_seen(&buckets), after.median_seen(&buckets));
    let effects = Design::of(actors, seed).and_then(|design| effects(design, &before, &after, &buckets));
    let (ratio, quicker) = effects.map_or((None, None), |(ratio, quicker)| (ratio, quicker));
    let (better, worse) = quicker.map_or((false, false), |q| (q.decisive.low > 0.5, q.decisive.high < 0.5));
    TimeImpact {
        verdict: basis.verdict(better && to <= from, worse && to >= from),
        before: Some(from).filter(|median| basis.before.runs > 0 && median.is_finite()),
        after: Some(to).filter(|median| basis.after.runs > 0 && median.is_finite()),
        basis,
        ratio,
        quicker,
    }
}

/// The runs of one side by person and place: that of their bucket among all that occur, or the one past the last for
/// those that took longer. Eight bytes for each person and place.
struct Table {
    /// The person at each column.
    actors: Vec<usize>,
    /// For each place, how many runs of each person lie there or before.
    up_to: Vec<Vec<f64>>,
}

impl Table {
    fn of<'a>(times: impl Iterator<Item = &'a Times>, buckets: &[Bucket]) -> Self {
        let mut table = Self { actors: Vec::new(), up_to: vec![Vec::new(); buckets.len() + 1] };
        for (actor, times) in times.enumerate().filter(|(_, times)| times.runs() > 0) {
            table.actors.push(actor);
            let mut own = times.completed.buckets().peekable();
            let mut seen = 0;
            for (bucket, row) in buckets.iter().zip(&mut table.up_to) {
                seen += own.next_if(|(next, _)| next == bucket).map_or(0, |(_, runs)| runs);
                row.push(float(seen));
            }
            table.up_to[buckets.len()].push(float(times.runs()));
        }
        table
    }

    /// How many runs lie at each place.
    fn totals(&self) -> Vec<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of counts")]
        let sums: Vec<u64> = self.up_to.iter().map(|row| row.iter().sum::<f64>() as u64).collect();
        sums.iter().enumerate().map(|(place, sum)| sum - place.checked_sub(1).map_or(0, |last| sums[last])).collect()
    }

    /// How many runs each person has.
    fn runs(&self) -> &[f64] {
        self.up_to.last().map_or(&[], Vec::as_slice)
    }

    /// For each person, the sum over their runs of what a place is worth.
    fn sums(&self, worth: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.actors.len()];
        let mut before = &vec![0.0; self.actors.len()];
        for (row, worth) in self.up_to.iter().zip(worth) {
            for ((sum, runs), before) in sums.iter_mut().zip(row).zip(before) {
                *sum += (runs - before) * worth;
            }
            before = row;
        }
        sums
    }

    /// The weights of its people out of those of all.
    fn weights(&self, all: &[f64]) -> Vec<f64> {
        self.actors.iter().map(|actor| all[*actor]).collect()
    }

    /// The place of the weighted median by nearest rank, which is past the last bucket when too many took longer.
    fn median(&self, weights: &[f64]) -> usize {
        // Sums of weights may miss a half by some units in the last place.
        let half = dot(weights, self.runs()) * (0.5 - 1e-12);
        self.up_to.partition_point(|row| dot(weights, row) < half)
    }

    /// The median in microseconds; infinite when too many took longer.
    fn median_value(&self, weights: &[f64], buckets: &[Bucket]) -> f64 {
        buckets.get(self.median(weights)).map_or(f64::INFINITY, |bucket| bucket.value())
    }

    /// The median with everyone as they are.
    fn median_seen(&self, buckets: &[Bucket]) -> f64 {
        self.median_value(&vec![1.0; self.actors.len()], buckets)
    }
}

/// The sum of products, in four parts side by side: one after the other is the order that floats must keep.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let ((left, left_rest), (right, right_rest)) = (left.as_chunks::<4>(), right.as_chunks::<4>());
    let (mut a, mut b, mut c, mut d) = (0.0, 0.0, 0.0, 0.0);
    for ([l0, l1, l2, l3], [r0, r1, r2, r3]) in left.iter().zip(right) {
        a += l0 * r0;
        b += l1 * r1;
        c += l2 * r2;
        d += l3 * r3;
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(l, r)| l * r).sum();
    a + b + c + d + rest
}

/// The ratio of medians, and how probably a run after is quicker.
fn effects(
    mut design: Design,
    before: &Table,
    after: &Table,
    buckets: &[Bucket],
) -> Option<(Option<Effect>, Option<Effect>)> {
    let probability = Quicker::of(before, after)?;
    let (mut ratios, mut quicker) = (Vec::with_capacity(RESAMPLES), Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        let drawn = design.bootstrap.draw();
        let (of_before, of_after) = (before.weights(drawn), after.weights(drawn));
        quicker.extend(probability.replicate(before, &of_before, after, &of_after));
        ratios.push(log_ratio(before.median_value(&of_before, buckets), after.median_value(&of_after, buckets)));
    }
    let (ratios, quicker) = (sorted(ratios), sorted(quicker));
    let (from, to) = (before.median_seen(buckets), after.median_seen(buckets));
    let log = log_ratio(from, to);
    let ratio = design.effect(to / from, |reach| {
        let on_logs = reach.interval(log, &ratios)?;
        let ends = Interval { low: on_logs.low.exp(), high: on_logs.high.exp() };
        (from > 0.0 && log.is_finite() && to.is_finite() && ends.low > 0.0 && ends.high.is_finite()).then_some(ends)
    });
    let test = probability.test;
    let quicker = design.effect(test.superiority, |reach| {
        let of_people = reach.interval(test.superiority, &quicker)?;
        Some(of_people.hull(independent(test, reach)).within(0.0, 1.0))
    });
    Some((ratio, quicker))
}

/// The logarithm of `to / from`; zero where neither is known.
fn log_ratio(from: f64, to: f64) -> f64 {
    #[expect(clippy::float_cmp, reason = "both are values of buckets, or infinite")]
    if from == to { 0.0 } else { to.ln() - from.ln() }
}

/// The interval around the probability as if runs were independent.
fn independent(test: MannWhitney, reach: Reach) -> Interval {
    let arm = reach.z * test.deviation;
    Interval { low: test.superiority - arm, high: test.superiority + arm }
}

/// Mann and Whitney's probability, ready to be drawn again by person.
struct Quicker {
    test: MannWhitney,
    /// For each person with runs before: the sum over them of the share of runs after that are quicker.
    before: Vec<f64>,
    /// For each person with runs after: the sum over them of the share of runs before that are slower.
    after: Vec<f64>,
}

impl Quicker {
    fn of(before: &Table, after: &Table) -> Option<Self> {
        let (from, to) = (before.totals(), after.totals());
        let test = MannWhitney::of_groups(from.iter().copied().zip(to.iter().copied()))?;
        let quicker = less(&to);
        let slower: Vec<f64> = less(&from).iter().map(|share| 1.0 - share).collect();
        Some(Self { test, before: before.sums(&quicker), after: after.sums(&slower) })
    }

    /// The probability for other weights by its linear part, the projection of Hájek on both sides: the mean share
    /// over the runs before, plus that over the runs after, less the probability (Sen 1960; van der Vaart 1998, 12.2;
    /// Obuchowski 1997 for runs in clusters). What is left out vanishes with the product of both numbers of people.
    fn replicate(&self, before: &Table, of_before: &[f64], after: &Table, of_after: &[f64]) -> Option<f64> {
        let (n, m) = (dot(of_before, before.runs()), dot(of_after, after.runs()));
        let sum = dot(of_before, &self.before) / n + dot(of_after, &self.after) / m;
        (n > 0.0 && m > 0.0).then_some(sum - self.test.superiority)
    }
}

/// For each place the share of runs at a smaller one, with half of those at the same.
fn less(totals: &[u64]) -> Vec<f64> {
    let all = float(totals.iter().sum::<u64>().max(1));
    let mut seen = 0;
    let shares = totals.iter().map(|runs| {
        let share = (float(seen) + float(*runs) / 2.0) / all;
        seen += runs;
        share
    });
    shares.collect()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    fn times(micros: &[u64], longer: u64) -> Times {
        let mut completed = Histogram::default();
        for micros in micros {
            completed.add(*micros, 1).unwrap();
        }
        Times { completed, longer }
    }

    fn side() -> impl Strategy<Value = Vec<Times>> {
        let person =
            (prop::collection::vec(1_u64..2000, 0..12), 0_u64..3).prop_map(|(micros, longer)| times(&micros, longer));
        prop::collection::vec(person, 1..14)
    }

    fn buckets(times: &[Times]) -> Vec<Bucket> {
        let all: BTreeSet<Bucket> = times.iter().flat_map(|t| t.completed.buckets()).map(|(b, _)| b).collect();
        all.into_iter().collect()
    }

    /// The probability by its definition: over all pairs of people and of their buckets.
    fn quicker(before: &[Times], after: &[Times], weights: &[f64]) -> f64 {
        let places = |t: &Times| {
            let longer = (u16::MAX, float(t.longer));
            t.completed.buckets().map(|(b, n)| (b.place(), float(n))).chain([longer]).collect::<Vec<_>>()
        };
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (from, weight) in before.iter().zip(weights) {
            for (to, other) in after.iter().zip(&weights[before.len()..]) {
                for (b, n) in places(from) {
                    for (a, m) in places(to) {
                        let both = weight * n * other * m;
                        pairs += both;
                        wins += both
                            * match a.cmp(&b) {
                                Ordering::Less => 1.0,
                                Ordering::Equal => 0.5,
                                Ordering::Greater => 0.0,
                            };
                    }
                }
            }
        }
        wins / pairs
    }

    proptest! {
        #[test]
        fn the_median_is_that_of_all_runs(side in side()) {
            let buckets = buckets(&side);
            let table = Table::of(side.iter(), &buckets);
            let mut all = Histogram::default();
            for times in &side {
                all.merge(&times.completed).unwrap();
            }
            let runs: u64 = side.iter().map(Runs::runs).sum();
            prop_assume!(runs > 0);
            let wanted = all.at_rank(runs.div_ceil(2)).unwrap_or(f64::INFINITY);
            prop_assert_eq!(table.median_seen(&buckets).to_bits(), wanted.to_bits());
            // People with double weight are as two of them.
            let twice: Vec<&Times> = side.iter().chain(&side[..1]).collect();
            let weights: Vec<f64> = (0..side.len()).map(|i| if i == 0 { 2.0 } else { 1.0 }).collect();
            let again = Table::of(twice.into_iter(), &buckets);
            prop_assert_eq!(table.median(&table.weights(&weights)), again.median(&vec![1.0; again.actors.len()]));
        }

        /// With the weights as they are it is the probability itself; moved, what the linear part leaves out is of
        /// the second order: at a tenth of the step about a hundredth.
        #[test]
        fn replicates_are_linear_in_the_weights(before in side(), after in side(), moves in prop::collection::vec(-0.5_f64..0.5, 28)) {
            let all = [before.clone(), after.clone()].concat();
            let buckets = buckets(&all);
            let none = Times::default();
            let of_before = Table::of(before.iter().chain(after.iter().map(|_| &none)), &buckets);
            let of_after = Table::of(before.iter().map(|_| &none).chain(&after), &buckets);
            let Some(probability) = Quicker::of(&of_before, &of_after) else { return Ok(()) };
            let left_out = |step: f64| {
                let weights: Vec<f64> = moves[..all.len()].iter().map(|m| 1.0 + step * m).collect();
                let (b, a) = (of_before.weights(&weights), of_after.weights(&weights));
                let linear = probability.replicate(&of_before, &b, &of_after, &a).unwrap();
                (linear - quicker(&before, &after, &weights)).abs()
            };
            prop_assert!(left_out(0.0) < 1e-12);
            prop_assert!(left_out(0.1) <= 0.04 * left_out(1.0).max(0.1), "{} {}", left_out(0.1), left_out(1.0));
        }
    }
}
