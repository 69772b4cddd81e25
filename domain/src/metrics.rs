//! Figures that say how sure they are: never a bare ratio.

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

/// Ranks, from 1, of a percentile among `n` sorted values and of its 95 % interval, which assumes no distribution
/// (order statistics; Conover, Practical Nonparametric Statistics, 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Nearest rank: `ceil(p n)`, as `percentile_disc`.
    pub at: i64,
    /// Lower end of the interval.
    pub low: i64,
    /// Upper end of the interval.
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
        let clamp = |rank: f64| (rank.ceil() as i64).clamp(1, n);
        // Whole numbers, so that 0.95 * 20 is 19 and not a little more.
        let at = (percent * n + 99) / 100;
        Some(Self { at, low: clamp(count * p - spread), high: clamp(count * p + spread) })
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn nearest_rank_is_exact_at_whole_numbers() {
        assert_eq!(Ranks::of(95, 20).unwrap().at, 19);
        assert_eq!(Ranks::of(50, 5).unwrap().at, 3);
        assert_eq!(Ranks::of(50, 1).unwrap(), Ranks { at: 1, low: 1, high: 1 });
        assert_eq!(Ranks::of(50, 0), None);
        let ranks = Ranks::of(50, 100).unwrap();
        assert_eq!((ranks.low, ranks.high), (41, 60));
    }
}
