//! Shares of runs before and after, such as those with errors.

use super::{Actor, Basis, Design, Effect, Runs, Spans, Verdict, sorted};
use crate::metrics::Ratio;
use crate::stats::bootstrap::{RESAMPLES, Reach};
use crate::stats::{Interval, float};

/// Runs of one person, and how many of them have the property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Those that could have it.
    pub runs: u64,
    /// Those that have it.
    pub hits: u64,
}

impl Runs for Tally {
    fn runs(&self) -> u64 {
        self.runs
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// A smaller share, as of errors.
    Lower,
    /// A larger share, as of runs right the first time.
    Higher,
}

/// A share before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareImpact {
    /// How much it rests on.
    pub basis: Basis,
    /// The share before.
    pub before: Ratio,
    /// The share after.
    pub after: Ratio,
    /// After less before, from -1 to 1; none unless two people have runs on each side.
    pub difference: Option<Effect>,
    /// What may be said.
    pub verdict: Verdict,
}

/// Compares a share of runs before and after.
///
/// The interval of the difference is the hull of two: that of the bootstrap over people, and that of Newcombe (1998,
/// Statistics in Medicine 17, 873, method 10) for independent runs, because with few hits the bootstrap draws from
/// too few people that have any. A cost of people times resamples, whatever the number of runs.
#[must_use]
pub fn compare(actors: &[Actor<Tally>], spans: Spans, better: Better, seed: u64) -> ShareImpact {
    let (before, after) = (total(actors.iter().map(|a| a.before)), total(actors.iter().map(|a| a.after)));
    let basis = Basis::of(actors, spans);
    let difference = Design::of(actors, seed).and_then(|design| difference(design, actors, before, after));
    let (lower, higher) = difference.map_or((false, false), |d| (d.decisive.high < 0.0, d.decisive.low > 0.0));
    let (good, bad) = if better == Better::Lower { (lower, higher) } else { (higher, lower) };
    ShareImpact { verdict: basis.verdict(good, bad), basis, before, after, difference }
}

fn total(tallies: impl Iterator<Item = Tally>) -> Ratio {
    let (hits, runs) = tallies.fold((0, 0), |(hits, runs), t| (hits + t.hits.min(t.runs), runs + t.runs));
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Ratio { numerator: count(hits), denominator: count(runs) }
}

fn difference(mut design: Design, actors: &[Actor<Tally>], before: Ratio, after: Ratio) -> Option<Effect> {
    let (p, q) = (before.value()?, after.value()?);
    let sums: Vec<[f64; 4]> = actors
        .iter()
        .map(|a| {
            [a.before.runs, a.before.hits.min(a.before.runs), a.after.runs, a.after.hits.min(a.after.runs)].map(float)
        })
        .collect();
    let mut replicates = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let (mut runs_before, mut hits_before, mut runs_after, mut hits_after) = (0.0, 0.0, 0.0, 0.0);
        for (weight, [n, k, m, l]) in design.bootstrap.draw().iter().zip(&sums) {
            runs_before += weight * n;
            hits_before += weight * k;
            runs_after += weight * m;
            hits_after += weight * l;
        }
        if runs_before > 0.0 && runs_after > 0.0 {
            replicates.push(hits_after / runs_after - hits_before / runs_before);
        }
    }
    let replicates = sorted(replicates);
    design.effect(q - p, |reach| {
        let of_people = reach.interval(q - p, &replicates)?;
        Some(of_people.hull(independent(before, after, reach)?).within(-1.0, 1.0))
    })
}

/// Newcombe's interval for the difference of two independent shares, from their score intervals.
fn independent(before: Ratio, after: Ratio, reach: Reach) -> Option<Interval> {
    let (p, (p_low, p_high)) = (before.value()?, before.interval_at(reach.z)?);
    let (q, (q_low, q_high)) = (after.value()?, after.interval_at(reach.z)?);
    Some(Interval { low: q - p - (q - q_low).hypot(p_high - p), high: q - p + (q_high - q).hypot(p - p_low) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcombe_agrees_with_published_values() {
        // Newcombe 1998, table II, method 10: 56/70 - 48/80, 9/10 - 3/10 and 10/10 - 0/10.
        let cases = [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ];
        for ((k, n), (l, m), low, high) in cases {
            let ratio = |numerator, denominator| Ratio { numerator, denominator };
            let found = independent(ratio(l, m), ratio(k, n), Reach::new(0.95, 1e9)).unwrap();
            assert!((found.low - low).abs() < 6e-5 && (found.high - high).abs() < 6e-5, "{found:?}");
        }
    }
}
