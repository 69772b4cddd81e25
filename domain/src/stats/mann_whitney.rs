//! The test of Mann and Whitney: whether values of one side tend to be larger than those of another.

use statrs::distribution::{ContinuousCDF, Normal};

use super::float;
use super::histogram::Histogram;

/// What the test finds. It takes the runs for independent of each other. Those of one person are not, so its own
/// verdict comes too easily: [`super::impact`] takes the figure from here and asks the actors how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// U of the first side: the pairs in which its value is the larger, and half of those in which both are equal.
    pub u: f64,
    /// U over the number of pairs: the probability that a value of the first side is larger than one of the second,
    /// with half of the probability that they are equal; 0.5 when neither is larger.
    pub superiority: f64,
    /// The standard deviation of [`Self::superiority`] when both sides are alike.
    pub deviation: f64,
    /// The two-sided p-value by the normal approximation, with corrections for ties and for continuity.
    pub p: f64,
}

impl MannWhitney {
    /// Of the values in groups of equal ones, from the smallest: how many of the first side and of the second. None
    /// when a side has no values.
    ///
    /// U as in Mann and Whitney 1947; its variance with ties `n m / 12 (N + 1 - sum(t^3 - t) / (N (N - 1)))`, where t
    /// are the sizes of the groups and N = n + m (Lehmann 1975, Nonparametrics, 1.4), as in `scipy.stats.mannwhitneyu`
    /// with `method="asymptotic"`. The test of statrs compares every pair of values and overflows at a few million.
    #[must_use]
    pub fn of_groups(groups: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        // Twice U, so that it stays whole.
        let (mut twice, mut first, mut second, mut correction) = (0_u128, 0_u64, 0_u64, 0.0);
        for (a, b) in groups {
            twice += u128::from(a) * (2 * u128::from(second) + u128::from(b));
            first += a;
            second += b;
            let tied = float(a + b);
            correction += tied.powi(3) - tied;
        }
        let pairs = float(first) * float(second);
        if pairs == 0.0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "exact for fewer than 2^52 pairs, and close beyond")]
        let u = twice as f64 / 2.0;
        let all = float(first + second);
        let sigma = (pairs / 12.0 * ((all + 1.0) - correction / (all * (all - 1.0)))).max(0.0).sqrt();
        let distance = ((u - pairs / 2.0).abs() - 0.5).max(0.0);
        let p = if sigma > 0.0 { (2.0 * Normal::standard().sf(distance / sigma)).min(1.0) } else { 1.0 };
        Some(Self { u, superiority: u / pairs, deviation: sigma / pairs, p })
    }

    /// Of two sets of values.
    #[must_use]
    pub fn of_values(first: &[u64], second: &[u64]) -> Option<Self> {
        let mut values: Vec<(u64, bool)> = first.iter().map(|v| (*v, true)).collect();
        values.extend(second.iter().map(|v| (*v, false)));
        values.sort_unstable();
        let groups = values.chunk_by(|a, b| a.0 == b.0).map(|tied| {
            let ours = tied.iter().filter(|(_, first)| *first).count() as u64;
            (ours, tied.len() as u64 - ours)
        });
        Self::of_groups(groups)
    }

    /// Of two histograms, whose runs in one bucket count as equal.
    #[must_use]
    pub fn of_histograms(first: &Histogram, second: &Histogram) -> Option<Self> {
        let mut groups = std::collections::BTreeMap::<_, (u64, u64)>::new();
        for (bucket, runs) in first.buckets() {
            groups.entry(bucket).or_default().0 = runs;
        }
        for (bucket, runs) in second.buckets() {
            groups.entry(bucket).or_default().1 = runs;
        }
        Self::of_groups(groups.into_values())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::histogram::Bucket;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-9 * wanted.abs(), "{found} is not {wanted}");
    }

    /// `mannwhitneyu(x, y, use_continuity=True, method="asymptotic")` of `SciPy` 1.17.1.
    #[test]
    fn agrees_with_scipy() {
        let cases: [(&[u64], &[u64], f64, f64); 5] = [
            (&[19, 22, 16, 29, 24], &[20, 11, 17, 12], 17.0, 0.111_346_886_533_140_41),
            (&[1, 2, 3, 4, 5, 6], &[6, 7, 8, 9, 10], 0.5, 0.010_411_098_147_110_422),
            (&[5, 5, 5, 5, 6, 7, 7, 8], &[5, 5, 6, 6, 6, 6, 7, 9, 9], 28.0, 0.453_387_511_899_206),
            (
                &[5, 7, 8, 9, 9, 9, 11, 11, 11, 11, 11, 12, 12, 12, 13, 13, 14, 14, 14, 14, 15, 15, 15, 17, 17],
                &[2, 3, 3, 4, 5, 5, 5, 6, 6, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 10, 11, 12, 12, 13, 13, 14, 14, 14, 15],
                566.0,
                0.001_230_487_485_006_521_4,
            ),
            (
                &[76, 85, 101, 115, 155, 202, 207, 234, 253, 260, 268, 272, 275, 308, 382, 386, 498, 577, 594, 680],
                &[
                    200, 246, 715, 1609, 1630, 1826, 2447, 2855, 3030, 3641, 3720, 3913, 4144, 4176, 4604, 4926, 6131,
                    7209, 7278, 12009,
                ],
                27.0,
                3.069_100_921_857_103e-6,
            ),
        ];
        for (x, y, u, p) in cases {
            let found = MannWhitney::of_values(x, y).unwrap();
            close(found.u, u);
            close(found.p, p);
        }
    }

    #[test]
    fn says_nothing_of_nothing_and_nothing_new_of_all_alike() {
        assert_eq!(MannWhitney::of_values(&[], &[1]), None);
        assert_eq!(MannWhitney::of_values(&[1], &[]), None);
        let alike = MannWhitney::of_values(&[3, 3, 3], &[3, 3]).unwrap();
        assert_eq!((alike.p, alike.superiority, alike.deviation), (1.0, 0.5, 0.0));
        // A billion runs a side are no trouble.
        let many = MannWhitney::of_groups([(1_000_000_000, 999_000_000), (0, 1_000_000)]).unwrap();
        close(many.superiority, 0.4995);
    }

    proptest! {
        #[test]
        fn u_counts_the_pairs(x in prop::collection::vec(0_u64..40, 1..60), y in prop::collection::vec(0_u64..40, 1..60)) {
            let pairs = x.iter().flat_map(|a| y.iter().map(move |b| a.cmp(b)));
            let halves: u32 = pairs.map(|order| if order.is_gt() { 2 } else { u32::from(order.is_eq()) }).sum();
            let found = MannWhitney::of_values(&x, &y).unwrap();
            prop_assert!((found.u - f64::from(halves) / 2.0).abs() < 1e-9);
            let back = MannWhitney::of_values(&y, &x).unwrap();
            prop_assert!((back.superiority + found.superiority - 1.0).abs() < 1e-12 && (back.p - found.p).abs() < 1e-12);
            prop_assert!((back.deviation - found.deviation).abs() < 1e-12);
        }

        #[test]
        fn histograms_are_values_by_bucket(x in prop::collection::vec(0_u64..5000, 1..60), y in prop::collection::vec(0_u64..5000, 1..60)) {
            let places = |values: &[u64]| values.iter().map(|v| u64::from(Bucket::of(*v).place())).collect::<Vec<_>>();
            let histogram = |values: &[u64]| {
                let mut out = Histogram::default();
                for v in values {
                    out.add(*v, 1).unwrap();
                }
                out
            };
            let found = MannWhitney::of_histograms(&histogram(&x), &histogram(&y));
            prop_assert_eq!(found, MannWhitney::of_values(&places(&x), &places(&y)));
        }
    }
}
