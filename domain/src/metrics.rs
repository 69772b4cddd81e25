//! Figures that say how sure they are: never a bare ratio.

use crate::stats::bootstrap::student;

/// The 97.5 % point of the standard normal distribution: intervals are two-sided at 95 %.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// A share of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ratio {
    /// Those that have the property.
    pub numerator: i64,
    /// Those that could have it.
    pub denominator: i64,
}

impl Ratio {
    /// The share; none of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn value(self) -> Option<f64> {
        (self.denominator > 0).then(|| self.numerator as f64 / self.denominator as f64)
    }

    /// The score interval at 95 % (Wilson 1927), from 0 to 1; none of nothing.
    #[must_use]
    pub fn interval(self) -> Option<(f64, f64)> {
        self.interval_at(Z)
    }

    /// The score interval of so many standard deviations to either side.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(crate) fn interval_at(self, z: f64) -> Option<(f64, f64)> {
        let p = self.value()?;
        let n = self.denominator as f64;
        let centre = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        // At the ends the formula gives them exactly; computed, it misses them by a little.
        let low = if self.numerator == 0 { 0.0 } else { ((centre - spread) / scale).max(0.0) };
        let high = if self.numerator == self.denominator { 1.0 } else { ((centre + spread) / scale).min(1.0) };
        Some((low, high))
    }
}

/// A number of events over a number of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Events.
    pub events: i64,
    /// Runs.
    pub runs: i64,
}

impl Rate {
    /// Events per thousand runs; none of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn per_thousand(self) -> Option<f64> {
        (self.runs > 0).then(|| self.events as f64 * 1000.0 / self.runs as f64)
    }

    /// The 95 % interval of [`Self::per_thousand`] if events come as a Poisson process, by the square-root transform
    /// of Freeman and Tukey 1950: `(sqrt(x) -+ z/2)^2`, with one more event for the upper end.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn interval(self) -> Option<(f64, f64)> {
        let scale = (self.runs > 0).then(|| 1000.0 / self.runs as f64)?;
        let events = self.events as f64;
        let low = (events.sqrt() - Z / 2.0).max(0.0).powi(2);
        let high = ((events + 1.0).sqrt() + Z / 2.0).powi(2);
        Some((low * scale, high * scale))
    }
}

/// A mean of independent values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// How many values.
    pub n: i64,
    /// Their mean.
    pub value: f64,
    /// Their variance, over n - 1.
    pub variance: f64,
}

impl Mean {
    /// The mean of scores from 1 to 5, by how many they are, how many of them are a 4 or 5, and their sum; none of nothing.
    /// Their variance is not known from that, so it is the largest that there can be: as many as possible are a 5, and of
    /// what then is left of the sum either kind lies at the ends of its range.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn of_scores(n: i64, high: i64, sum: i64) -> Option<Self> {
        if n <= 0 {
            return None;
        }
        let of_high = sum.saturating_sub(n - high).min(5 * high);
        // Of a score from a to b, its square is at most (a + b) s - a b.
        let squares = 9 * of_high - 20 * high + 4 * (sum - of_high) - 3 * (n - high);
        let (n_, value) = (n as f64, sum as f64 / n as f64);
        let variance = if n > 1 { (squares as f64 - n_ * value * value).max(0.0) / (n_ - 1.0) } else { 0.0 };
        Some(Self { n, value, variance })
    }

    /// The interval at 95 % by Student's t (Student 1908); none of fewer than two values. Of few values that are far from
    /// a normal distribution it is too narrow.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn interval(self) -> Option<(f64, f64)> {
        if self.n < 2 {
            return None;
        }
        let n = self.n as f64;
        let arm = student(0.025, Z, n - 1.0) * (self.variance / n).sqrt();
        Some((self.value - arm, self.value + arm))
    }
}

/// Ranks, from 1, of a percentile among `n` sorted values and of its 95 % interval, which assumes no distribution
/// (order statistics; Conover, Practical Nonparametric Statistics, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Nearest rank: `ceil(p n)`, as `percentile_disc`.
    pub at: i64,
    /// Lower end of the interval; 0 where it lies below the first value.
    pub low: i64,
    /// Upper end of the interval; `n + 1` where it lies past the last value.
    pub high: i64,
}

impl Ranks {
    /// Ranks of the percentile `percent` (1 to 99) of `n` values; none of nothing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts are far below 2^52")]
    pub fn of(percent: i64, n: i64) -> Option<Self> {
        if n <= 0 {
            return None;
        }
        let (p, count) = (percent as f64 / 100.0, n as f64);
        let spread = Z * (count * p * (1.0 - p)).sqrt();
        let rank = |at: f64| (at.ceil() as i64).clamp(0, n + 1);
        // Whole numbers, so that 0.95 * 20 is 19 and not a little more.
        let at = (percent * n + 99) / 100;
        Some(Self { at, low: rank(count * p - spread), high: rank(count * p + spread) })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::cast_precision_loss, reason = "small numbers")]

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn wilson_agrees_with_published_values() {
        // Newcombe 1998, table I: 81 of 263 and 0 of 20.
        let (low, high) = Ratio { numerator: 81, denominator: 263 }.interval().unwrap();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = Ratio { numerator: 0, denominator: 20 }.interval().unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
        for n in 1..500 {
            assert!(Ratio { numerator: 0, denominator: n }.interval().is_some_and(|(low, _)| low.to_bits() == 0));
            assert!(Ratio { numerator: n, denominator: n }.interval().is_some_and(|(_, high)| high >= 1.0));
        }
        assert_eq!(Ratio::default().interval(), None);
    }

    /// By `scipy.stats.t.interval(0.95, n - 1, mean, sem)` of `SciPy` 1.17.1 for these values.
    #[test]
    fn a_mean_agrees_with_scipy() {
        let many: Vec<f64> = (1..=200).map(f64::from).collect();
        for (values, low, high) in [
            (&[1.0, 5.0][..], -22.412_409, 28.412_409),
            (&[2.0, 4.0, 4.0, 5.0, 1.0, 3.0], 1.621_939, 4.711_394),
            (&many, 92.429_420, 108.570_580),
        ] {
            let n = i64::try_from(values.len()).unwrap();
            let value = values.iter().sum::<f64>() / n as f64;
            let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n as f64 - 1.0);
            let found = Mean { n, value, variance }.interval().unwrap();
            assert!((found.0 - low).abs() < 1e-5 && (found.1 - high).abs() < 1e-5, "{found:?}");
        }
        assert_eq!(Mean { n: 1, value: 3.0, variance: 0.0 }.interval(), None);
    }

    /// Of all lists of up to five scores: never narrower than with the variance that they have, and as wide for some.
    #[test]
    fn scores_are_taken_to_differ_as_much_as_they_may() {
        for n in 1..=5_u32 {
            let mut widest = BTreeMap::new();
            for code in 0..5_i64.pow(n) {
                let scores: Vec<i64> = (0..n).map(|place| 1 + code / 5_i64.pow(place) % 5).collect();
                let (sum, high) = (scores.iter().sum::<i64>(), scores.iter().filter(|s| **s >= 4).count());
                let mean = Mean::of_scores(n.into(), high.try_into().unwrap(), sum).unwrap();
                let exact = scores.iter().map(|s| (*s as f64 - mean.value).powi(2)).sum::<f64>()
                    / (f64::from(n) - 1.0).max(1.0);
                assert!(mean.variance > exact - 1e-9, "{scores:?}: {mean:?}, not {exact}");
                let widest: &mut f64 = widest.entry((sum, high)).or_default();
                *widest = widest.max(exact);
                if code == 5_i64.pow(n) - 1 {
                    assert!((mean.value - 5.0).abs() < 1e-12 && mean.variance < 1e-9, "all the best: {mean:?}");
                }
            }
            // The bound is met where no score has to lie between: what is left of a sum may be one that is even.
            let near = |(of, exact): (&(i64, usize), &f64)| {
                let mean = Mean::of_scores(n.into(), of.1.try_into().unwrap(), of.0).unwrap();
                (mean.variance - exact) * (f64::from(n) - 1.0) <= 1.0 + 1e-9
            };
            assert!(widest.iter().all(near), "{widest:?}");
        }
        assert_eq!(Mean::of_scores(0, 0, 0), None);
    }

    #[test]
    fn nearest_rank_is_exact_at_whole_numbers() {
        assert_eq!(Ranks::of(95, 20).unwrap().at, 19);
        assert_eq!(Ranks::of(50, 5).unwrap().at, 3);
        // Of a few values nobody knows where the percentile of all lies.
        assert_eq!(Ranks::of(50, 1).unwrap(), Ranks { at: 1, low: 0, high: 2 });
        assert_eq!(Ranks::of(95, 72).unwrap().high, 73);
        assert_eq!(Ranks::of(95, 73).unwrap().high, 73);
        assert_eq!(Ranks::of(50, 0), None);
        let ranks = Ranks::of(50, 100).unwrap();
        assert_eq!((ranks.low, ranks.high), (41, 60));
    }

    /// How often the interval holds the percentile of all, by the binomial distribution of how many values lie below it:
    /// `low <= B < high`. The normal approximation of the ranks falls short of 95 % by a little.
    #[test]
    fn intervals_of_percentiles_cover_what_they_should() {
        for (percent, n) in
            [(50, 1), (50, 3), (50, 9), (90, 10), (90, 40), (95, 5), (95, 20), (95, 40), (95, 72), (95, 500)]
        {
            let (ranks, p) = (Ranks::of(percent, n).unwrap(), percent as f64 / 100.0);
            let (mut log, mut covered) = (n as f64 * (1.0 - p).ln(), 0.0);
            for below in 0..=n {
                if ranks.low <= below && below < ranks.high {
                    covered += log.exp();
                }
                log += ((n - below) as f64 / (below + 1) as f64 * p / (1.0 - p)).ln();
            }
            assert!(covered >= 0.92, "{percent} of {n}: {ranks:?} {covered}");
        }
    }
}
