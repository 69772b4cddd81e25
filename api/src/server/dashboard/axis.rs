//! How time is divided, and where the lines across a chart are.

use chrono::Datelike as _;
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::time::{DAY, Timestamp};

use super::measure::Unit;

/// The parts of the day, as hours are named.
const HOURS: &str = "%-d %b %H:%M";

/// The buckets that reach into a time, by their first instants; no more than `most` and one.
pub fn buckets(zone: Zone, bucket: Grain, from: Timestamp, to: Timestamp, most: usize) -> Vec<Timestamp> {
    let first = zone.start(bucket, from);
    std::iter::successors(Some(first), |at| Some(zone.next(bucket, *at)))
        .take_while(|at| *at < to)
        .take(most + 1)
        .collect()
}

/// The middle of a bucket, as far as it lies within a time: where its point is drawn.
pub fn middle(zone: Zone, bucket: Grain, at: Timestamp, from: Timestamp, to: Timestamp) -> Timestamp {
    let (low, high) = (at.max(from), zone.next(bucket, at).min(to));
    low.plus(high.since(low) / 2)
}

/// What a bucket is called in tables.
pub fn name(zone: Zone, bucket: Grain, at: Timestamp) -> String {
    let time = zone.local(at);
    match bucket {
        Grain::Hour => time.format("%Y-%m-%d %H:%M").to_string(),
        Grain::Day => time.format("%Y-%m-%d").to_string(),
        Grain::Week => time.format("%Y-%m-%d (week %-V)").to_string(),
        Grain::Month => time.format("%B %Y").to_string(),
    }
}

/// Where a time axis is marked, with what is written there: at beginnings of buckets, `most` of them at most.
pub fn marks(zone: Zone, bucket: Grain, from: Timestamp, to: Timestamp, most: usize) -> Vec<(Timestamp, String)> {
    let all = buckets(zone, bucket, from, to, usize::MAX - 1);
    let whole: Vec<Timestamp> = all.into_iter().filter(|at| *at >= from).collect();
    let step = whole.len().div_ceil(most.max(1)).max(1);
    let years = zone.local(from).year() != zone.local(to.plus(-1)).year();
    let form = match bucket {
        Grain::Hour if to.since(from) <= DAY => "%H:%M",
        Grain::Hour => HOURS,
        Grain::Month => "%b %Y",
        Grain::Day | Grain::Week if years && most > 4 => "%-d %b %Y",
        Grain::Day | Grain::Week => "%-d %b",
    };
    whole.into_iter().step_by(step).map(|at| (at, zone.local(at).format(form).to_string())).collect()
}

/// An axis of values: where it is marked, from its first to its last value.
#[derive(Debug, PartialEq)]
pub struct Values {
    /// The values that are marked.
    pub marks: Vec<f64>,
    /// Whether equal ratios, rather than equal differences, are equally far apart.
    pub by_ratio: bool,
}

impl Values {
    /// The axis that values from `lowest` to `highest` need. Times of which some are many times others are told apart by
    /// ratio; all else begins at 0.
    pub fn of(unit: Unit, lowest: f64, highest: f64) -> Self {
        /// What times are marked at by ratio, in seconds.
        const TIMES: [f64; 12] =
            [0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0, 31_536_000.0, 3.2e9];
        const MANY: f64 = 20.0;
        if unit == Unit::Duration && lowest >= TIMES[0] && highest > lowest * MANY {
            let first = TIMES.iter().rposition(|mark| *mark <= lowest).unwrap_or(0);
            let last = TIMES.iter().position(|mark| *mark >= highest).unwrap_or(TIMES.len() - 1);
            return Self { marks: TIMES[first..=last].to_vec(), by_ratio: true };
        }
        Self { marks: even(unit, highest), by_ratio: false }
    }

    /// How far up a value is, in whole millionths, which the charts' library wants where marks are chosen for it. What
    /// is off the axis is at its end.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the longest run takes a century, 3 * 10^15 millionths of a second"
    )]
    pub fn height(&self, value: f64) -> i64 {
        let (first, last) = self.ends();
        let within = value.clamp(first, last);
        let height = if self.by_ratio { within.ln() } else { within };
        (height * 1e6).round() as i64
    }

    /// The first and the last value.
    pub fn ends(&self) -> (f64, f64) {
        (self.marks.first().copied().unwrap_or(0.0), self.marks.last().copied().unwrap_or(1.0))
    }
}

/// Marks from 0 to the last, which is not below `highest`, equally far apart.
fn even(unit: Unit, highest: f64) -> Vec<f64> {
    /// Steps of times, in seconds: what people count in.
    const TIMES: [f64; 26] = [
        0.2,
        0.5,
        1.0,
        2.0,
        5.0,
        10.0,
        15.0,
        30.0,
        60.0,
        120.0,
        300.0,
        600.0,
        900.0,
        1800.0,
        3600.0,
        7200.0,
        10_800.0,
        21_600.0,
        43_200.0,
        86_400.0,
        172_800.0,
        432_000.0,
        864_000.0,
        1_728_000.0,
        4_320_000.0,
        8_640_000.0,
    ];
    const LINES: f64 = 5.0;
    let least = match unit {
        Unit::Share => 0.05,
        Unit::Duration => 1.0,
        Unit::PerThousand => 5.0,
    };
    let highest = highest.max(least);
    let step = match unit {
        Unit::Duration => TIMES.into_iter().find(|step| highest <= step * LINES),
        Unit::Share if highest > 0.5 => Some(0.25),
        Unit::Share | Unit::PerThousand => None,
    };
    let step = step.unwrap_or_else(|| decimal(highest / LINES));
    let mut marks: Vec<f64> = (0..=100).map(|n| f64::from(n) * step).take_while(|at| *at < highest + step).collect();
    if unit == Unit::Share {
        // Nothing is more than all.
        marks.retain(|at| *at <= 1.0 + 1e-9);
    }
    marks
}

/// The least of 1, 2 or 5 times a power of ten that is not below `least`.
fn decimal(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-3).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= least * 0.999_999).unwrap_or(power * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn buckets_begin_where_the_store_begins_them() {
        for (bucket, first, second) in [
            (Grain::Hour, "2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z"),
            (Grain::Day, "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"),
            (Grain::Week, "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
            (Grain::Month, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ] {
            assert_eq!(Zone::UTC.start(bucket, at("2026-02-28T23:59:59.9Z")), at(first));
            let both = buckets(Zone::UTC, bucket, at("2026-02-28T23:59:59Z"), at(second).plus(1), 10);
            assert_eq!(both, [at(first), at(second)]);
        }
        // In another time zone days begin at its midnight, and are called by its calendar.
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let days = buckets(berlin, Grain::Day, at("2026-10-24T22:00:00Z"), at("2026-10-26T23:00:00Z"), 10);
        assert_eq!(days, [at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")]);
        assert_eq!(
            days.iter().map(|day| name(berlin, Grain::Day, *day)).collect::<Vec<_>>(),
            ["2026-10-25", "2026-10-26"]
        );
        // Before 1970 too.
        assert_eq!(Zone::UTC.start(Grain::Week, at("1969-12-31T01:00:00Z")), at("1969-12-29T00:00:00Z"));
        assert_eq!(
            buckets(Zone::UTC, Grain::Hour, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 400).len(),
            401
        );
    }

    #[test]
    fn a_point_lies_within_what_was_asked_for() {
        let (from, to) = (at("2026-02-27T00:00:00Z"), at("2026-03-03T00:00:00Z"));
        assert_eq!(middle(Zone::UTC, Grain::Month, at("2026-02-01T00:00:00Z"), from, to), at("2026-02-28T00:00:00Z"));
        assert_eq!(middle(Zone::UTC, Grain::Month, at("2026-03-01T00:00:00Z"), from, to), at("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn axes_reach_the_highest_value_in_few_steps() {
        for (unit, highest, marks) in [
            (Unit::Share, 0.9, vec![0.0, 0.25, 0.5, 0.75, 1.0]),
            (Unit::Share, 0.14, vec![0.0, 0.05, 0.1, 0.15]),
            (Unit::PerThousand, 310.0, vec![0.0, 100.0, 200.0, 300.0, 400.0]),
            (Unit::Duration, 270.0, vec![0.0, 60.0, 120.0, 180.0, 240.0, 300.0]),
            (Unit::Duration, 7000.0, vec![0.0, 1800.0, 3600.0, 5400.0, 7200.0]),
        ] {
            let found = even(unit, highest);
            assert_eq!(found.len(), marks.len(), "{found:?}");
            assert!(found.iter().zip(&marks).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
        }
        for highest in [0.0, 1e-9, 3.2e9] {
            let found = even(Unit::Duration, highest);
            assert!((2..=102).contains(&found.len()) && *found.last().unwrap() >= highest, "{highest}: {found:?}");
        }
    }

    #[test]
    fn times_far_apart_are_told_apart_by_ratio() {
        let axis = Values::of(Unit::Duration, 40.0, 900_000.0);
        assert!(axis.by_ratio);
        assert_eq!(axis.marks, [10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0]);
        assert_eq!(axis.height(600.0) - axis.height(60.0), 2_302_585);
        assert_eq!(axis.height(1.0), axis.height(10.0), "the end of the axis");
        for (unit, lowest, highest) in
            [(Unit::Duration, 60.0, 600.0), (Unit::Duration, 0.0, 600.0), (Unit::Share, 0.01, 0.9)]
        {
            assert!(!Values::of(unit, lowest, highest).by_ratio);
        }
    }

    #[test]
    fn a_time_axis_has_no_more_marks_than_fit() {
        let (from, to) = (at("2026-08-31T00:00:00Z"), at("2026-11-26T00:00:00Z"));
        let marks = marks(Zone::UTC, Grain::Week, from, to, 6);
        assert_eq!(marks.first().unwrap(), &(from, "31 Aug".to_owned()));
        assert!((3..=6).contains(&marks.len()), "{marks:?}");
    }
}
