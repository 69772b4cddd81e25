//! Statistics of runs: how long they take, with the open ones counted in, and whether two sides differ. Pure, with
//! chance from a seed, so that the same question has the same answer on every replica.

pub mod bootstrap;
pub mod histogram;
pub mod impact;
pub mod mann_whitney;
pub mod survival;

#[cfg(test)]
pub(crate) mod simulate;

/// A number of runs or microseconds as a real number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52, and durations are not needed closer")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// A value in four significant digits: of one that is known to half a per cent, more of them would say nothing.
#[must_use]
pub fn significant(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    #[expect(clippy::cast_possible_truncation, reason = "from -308 to 308")]
    let beyond = value.abs().log10().floor() as i32 - 3;
    // Powers of ten are whole numbers in this direction only.
    let unit = 10_f64.powi(beyond.abs());
    if beyond > 0 { (value / unit).round() * unit } else { (value * unit).round() / unit }
}

/// An interval; where it stands says at which level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The smallest interval around both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What of it lies from `low` to `high`.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self { low: self.low.clamp(low, high), high: self.high.clamp(low, high) }
    }

    /// Whether a value lies within, the ends included.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::significant;

    #[test]
    fn four_digits_are_kept() {
        for (value, kept) in [
            (0.0, 0.0),
            (1.0, 1.0),
            (9_999.0, 9_999.0),
            (99_995.0, 100_000.0),
            (269_889_077.0, 269_900_000.0),
            (12_137_483_912.0, 12_140_000_000.0),
            (0.001_234_56, 0.001_235),
            (-123_456.0, -123_500.0),
            (f64::INFINITY, f64::INFINITY),
        ] {
            assert!(significant(value).total_cmp(&kept).is_eq(), "{value}: {}", significant(value));
        }
    }
}
