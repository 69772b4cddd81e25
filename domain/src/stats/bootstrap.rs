//! A bootstrap over clusters, stratified, and reproducible: chance comes from a seed.

use std::collections::BTreeMap;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Interval;

/// How often is drawn. With 2,000 the tails of a 97 % interval rest on 30 draws each.
pub const RESAMPLES: usize = 2_000;

/// Draws weights for clusters, such as the people whose runs are compared: whole clusters are drawn, because what
/// belongs to one is not independent (Davison and Hinkley 1997, 3.8), and within strata, so that each keeps its share.
///
/// Of the n clusters of a stratum n - 1 are drawn with replacement and weighted by n / (n - 1): without that the
/// variance of a stratum comes out too small by (n - 1) / n, which is half for two (Rao and Wu 1988; Rao, Wu and Yue
/// 1992). A cluster alone in its stratum would never vary, so such clusters are pooled.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The clusters of each stratum, by place.
    strata: Vec<Vec<usize>>,
    /// The weights drawn last.
    weights: Vec<f64>,
    chance: Pcg32,
}

impl Bootstrap {
    /// For clusters with these strata, in their order. The same seed gives the same draws, on every machine. It should
    /// come from what is asked about, such as the id of a version; never from what the data themselves were made with,
    /// since then the draws go with the data and intervals come out too narrow.
    pub fn new<S: Ord>(stratum_of_each: impl IntoIterator<Item = S>, seed: u64) -> Self {
        let mut strata: BTreeMap<S, Vec<usize>> = BTreeMap::new();
        let mut clusters = 0;
        for stratum in stratum_of_each {
            strata.entry(stratum).or_default().push(clusters);
            clusters += 1;
        }
        let (single, mut strata): (Vec<_>, Vec<_>) = strata.into_values().partition(|s| s.len() == 1);
        let pooled: Vec<usize> = single.into_iter().flatten().collect();
        match (pooled.len(), strata.iter_mut().min_by_key(|s| s.len())) {
            (0, _) => {}
            (1, Some(smallest)) => smallest.extend(pooled),
            _ => strata.push(pooled),
        }
        Self { strata, weights: vec![1.0; clusters], chance: Pcg32::seed_from_u64(seed) }
    }

    /// The strata that are drawn from, as places of clusters.
    pub fn strata(&self) -> &[Vec<usize>] {
        &self.strata
    }

    /// The next weights, one per cluster. They add up to the number of clusters, in each stratum.
    pub fn draw(&mut self) -> &[f64] {
        for stratum in self.strata.iter().filter(|s| s.len() > 1) {
            for cluster in stratum {
                self.weights[*cluster] = 0.0;
            }
            let (n, weight) = (stratum.len() as u64, super::float(stratum.len() as u64));
            for _ in 1..n {
                // A 32-bit number times n, over 2^32: an index, with a bias below n / 2^32 (Lemire 2019).
                let index = (u64::from(self.chance.next_u32()) * n) >> 32;
                self.weights[stratum[usize::try_from(index).unwrap_or(0)]] += weight / (weight - 1.0);
            }
        }
        &self.weights
    }
}

/// How far two-sided intervals of a level reach: in standard deviations, and further with few clusters.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    tail: f64,
    /// Of the normal distribution.
    pub z: f64,
    /// How many times z Student's t is.
    stretch: f64,
}

impl Reach {
    /// Of a level such as 0.95, where as many clusters are free to vary as `freedom` says.
    #[must_use]
    pub fn new(level: f64, freedom: f64) -> Self {
        let tail = f64::midpoint(1.0, -level);
        let z = -Normal::standard().inverse_cdf(tail);
        Self { tail, z, stretch: student(tail, z, freedom.max(1.0)) / z }
    }

    /// The percentile interval of sorted replicates around an estimate, its arms made longer by t / z: percentiles
    /// alone are too narrow with few clusters (Hesterberg 2015, What teachers should know about the bootstrap, 4.1 and
    /// 5.2, who takes percentiles further out instead; those of 5 free clusters would need 100 times the replicates).
    /// None of none.
    #[must_use]
    pub fn interval(self, estimate: f64, sorted: &[f64]) -> Option<Interval> {
        let last = sorted.len().checked_sub(1)?;
        // The k-th of R stands for k / (R + 1) (Davison and Hinkley 1997, 5.3.1): the same number is left out at
        // either end.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
        let outside = ((self.tail * super::float(sorted.len() as u64 + 1)).floor() as usize).clamp(1, last + 1) - 1;
        let outside = outside.min(last / 2);
        let arm = |end: f64| estimate + (end - estimate) * self.stretch;
        let (low, high) = (arm(sorted[outside]), arm(sorted[last - outside]));
        Some(Interval { low: low.min(high), high: high.max(low) })
    }
}

/// The point that Student's t exceeds with this probability, as z is for the normal distribution.
pub(crate) fn student(tail: f64, z: f64, freedom: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(student) if freedom < 100.0 => -student.inverse_cdf(tail),
        // The search in statrs does not end for a billion; the expansion of Abramowitz and Stegun 1972, 26.7.5, is
        // right to seven digits here.
        _ => {
            let first = (z.powi(3) + z) / 4.0;
            let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
            let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
            z + first / freedom + second / freedom.powi(2) + third / freedom.powi(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draws = |seed| {
            let mut bootstrap = Bootstrap::new([1, 1, 1, 2, 2, 2, 2], seed);
            (0..5).map(|_| bootstrap.draw().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        // On every machine and with every later version of the generator.
        let thousandths: Vec<f64> = draws(7)[0].iter().map(|w| (w * 1000.0).round()).collect();
        assert_eq!(thousandths, [1500.0, 1500.0, 0.0, 0.0, 0.0, 2667.0, 1333.0]);
    }

    #[test]
    fn weights_have_the_variance_of_a_sample() {
        let strata = [1, 1, 1, 1, 1, 2, 2, 3, 4];
        let mut bootstrap = Bootstrap::new(strata, 1);
        assert_eq!(bootstrap.strata().iter().map(Vec::len).collect::<Vec<_>>(), [5, 2, 2], "3 and 4 are pooled");
        let values = [3.0, 9.0, 4.0, 4.0, 7.0, 1.0, 5.0, 2.0, 8.0];
        let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
        let draws = 40_000_u32;
        for _ in 0..draws {
            let weights = bootstrap.draw();
            for (s, part) in [(0, 0..5), (1, 5..7), (2, 7..9)] {
                assert!(
                    (weights[part.clone()].iter().sum::<f64>() - super::super::float(part.len() as u64)).abs() < 1e-9
                );
                let sum: f64 = part.map(|i| weights[i] * values[i]).sum();
                sums[s] += sum / f64::from(draws);
                squares[s] += sum * sum / f64::from(draws);
            }
        }
        // The sum of n values varies by n s^2, with s^2 taken over n - 1.
        for (s, (mean, variance)) in [(27.0, 5.0 * 6.3), (6.0, 2.0 * 8.0), (10.0, 2.0 * 18.0)].into_iter().enumerate() {
            let found = squares[s] - sums[s] * sums[s];
            assert!((sums[s] - mean).abs() < 0.01 * mean, "{s}: {}", sums[s]);
            assert!((found / variance - 1.0).abs() < 0.03, "{s}: {found} is not {variance}");
        }
    }

    #[test]
    fn who_is_alone_is_pooled() {
        let sizes = |strata: &[u8]| {
            let bootstrap = Bootstrap::new(strata, 1);
            bootstrap.strata().iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[1, 1, 1, 2, 2, 3]), [3, 3], "one alone joins the smallest");
        assert_eq!(sizes(&[1, 2, 3]), [3]);
        assert_eq!(sizes(&[1]), [1]);
        assert_eq!(sizes(&[]), [0_usize; 0]);
        assert_eq!(Bootstrap::new([1], 1).draw(), [1.0], "and one in all cannot vary");
    }

    #[test]
    fn intervals_reach_further_with_few_clusters() {
        // t and z of SciPy 1.17.1.
        let cases = [
            (0.95, 19.0, 2.093_024_054_408, 1.959_963_984_540),
            (0.97, 7.5, 2.670_985_776_787, 2.170_090_377_585),
            (0.97, 1.0, 21.204_948_789_689, 2.170_090_377_585),
            (0.95, 99.5, 1.984_093_610_991, 1.959_963_984_540),
            (0.97, 100.0, 2.201_496_901_077, 2.170_090_377_585),
            (0.95, 1e9, 1.959_963_986_912, 1.959_963_984_540),
        ];
        for (level, freedom, t, z) in cases {
            let reach = Reach::new(level, freedom);
            assert!((reach.z - z).abs() < 1e-9 && (reach.stretch * reach.z / t - 1.0).abs() < 1e-7, "{reach:?}");
        }
        let stretches: Vec<f64> = (10..3000).map(|tenth| Reach::new(0.97, f64::from(tenth) / 10.0).stretch).collect();
        assert!(stretches.is_sorted_by(|more, less| more > less && *less > 1.0));
        let sorted: Vec<f64> = (1..=1999).map(f64::from).collect();
        let wide = Reach { tail: 0.025, z: 1.96, stretch: 1.0 }.interval(1000.0, &sorted).unwrap();
        assert_eq!((wide.low, wide.high), (50.0, 1950.0));
        let wider = Reach { tail: 0.025, z: 1.96, stretch: 2.0 }.interval(1000.0, &sorted).unwrap();
        assert_eq!((wider.low, wider.high), (-900.0, 2900.0));
        assert_eq!(Reach::new(0.95, 5.0).interval(1.0, &[]), None);
    }
}
