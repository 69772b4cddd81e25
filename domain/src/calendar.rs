//! Hours, days, weeks and months of a time zone.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::text::text_enum;
use crate::time::{DAY, HOUR, SECOND, Timestamp};

text_enum! {
    /// Lengths of time that figures are kept or given by.
    Grain {
        /// Hours.
        Hour = "HOUR",
        /// Days.
        Day = "DAY",
        /// Weeks, from Monday.
        Week = "WEEK",
        /// Months.
        Month = "MONTH",
    }
}

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// There is no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a time zone, such as UTC or Europe/Berlin")]
pub struct UnknownZone;

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The beginning of the hour, day, week or month that an instant lies in. Hours are those that clocks of the zone
    /// show: where it is off the full hour, they begin between those of UTC.
    #[must_use]
    pub fn start(self, grain: Grain, at: Timestamp) -> Timestamp {
        let offset = self.offset(at);
        if grain == Grain::Hour {
            let local = at.micros().saturating_add(offset);
            return Timestamp::from_micros(local.div_euclid(HOUR).saturating_mul(HOUR).saturating_sub(offset));
        }
        self.midnight(first_day(grain, utc(at.plus(offset)).date_naive()))
    }

    /// The beginning of the next one after the one that begins at `start`.
    #[must_use]
    pub fn next(self, grain: Grain, start: Timestamp) -> Timestamp {
        let day = utc(start.plus(self.offset(start))).date_naive();
        let next = match grain {
            Grain::Hour => return self.start(Grain::Hour, start.plus(HOUR)),
            Grain::Day => day.checked_add_days(Days::new(1)),
            Grain::Week => day.checked_add_days(Days::new(7)),
            Grain::Month => day.checked_add_months(Months::new(1)),
        };
        next.map_or(Timestamp::from_micros(i64::MAX), |day| self.midnight(first_day(grain, day)))
    }

    /// The beginning of the month that is so many months before the one that an instant lies in.
    #[must_use]
    pub fn months_before(self, at: Timestamp, months: u32) -> Timestamp {
        let first = first_day(Grain::Month, self.local(at).date());
        first.checked_sub_months(Months::new(months)).map_or(Timestamp::MIN, |day| self.midnight(day))
    }

    /// What its clocks and calendars show.
    #[must_use]
    pub fn local(self, at: Timestamp) -> NaiveDateTime {
        utc(at.plus(self.offset(at))).naive_utc()
    }

    /// Microseconds by which its clocks are ahead of UTC.
    fn offset(self, at: Timestamp) -> i64 {
        i64::from(self.0.offset_from_utc_datetime(&utc(at).naive_utc()).fix().local_minus_utc()) * SECOND
    }

    /// The first instant of a day.
    #[must_use]
    pub fn midnight(self, day: NaiveDate) -> Timestamp {
        let midnight = NaiveDateTime::new(day, NaiveTime::MIN);
        // Where clocks are put forward at midnight the day begins later.
        let first = (0..=12).find_map(|quarter| {
            let at = midnight.checked_add_signed(TimeDelta::minutes(15 * quarter))?;
            self.0.from_local_datetime(&at).earliest()
        });
        first.map_or_else(|| Timestamp::from(midnight.and_utc()), |at| Timestamp::from(at.to_utc()))
    }
}

/// A stretch of time from the first instant up to the second, which is not in it.
pub type Stretch = (Timestamp, Timestamp);

/// A stretch cut up so that as little as possible has to be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover {
    /// Stretches of whole months, days and hours; together without a gap, but for the days of the trimmed months.
    pub whole: Vec<(Grain, Stretch)>,
    /// Months of which most days are asked for.
    pub trimmed: Vec<Trimmed>,
    /// Before and after them, what is less than an hour.
    pub edges: Vec<Stretch>,
    hours: Option<Stretch>,
}

/// A month of which it takes less to read the whole, and what is too much, than what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// The month.
    pub month: Stretch,
    /// The days of it that are too much.
    pub less: Stretch,
}

impl Cover {
    /// Of a stretch, in months, days and hours of a zone and nothing longer than `coarsest`. One from
    /// [`Timestamp::MIN`] or to [`Timestamp::MAX`] has no edge there.
    #[must_use]
    pub fn of(zone: Zone, (from, to): Stretch, coarsest: Grain) -> Self {
        let mut cover = Self::default();
        cover.cut(zone, (from, to), coarsest);
        cover.whole.sort_by_key(|(_, stretch)| *stretch);
        cover.hours = cover.whole.first().zip(cover.whole.last()).map(|((_, first), (_, last))| (first.0, last.1));
        cover
    }

    /// The same with whole months in the place of their days where that is less to read: of days that are still to come there
    /// is hardly anything.
    #[must_use]
    pub fn trimmed(mut self, zone: Zone, now: Timestamp) -> Self {
        let days = |(from, to): Stretch| to.min(now.max(from)).since(from) / DAY;
        let by_months = self.whole.iter().find(|(grain, _)| *grain == Grain::Month).map(|(_, months)| *months);
        let Some(months) = by_months else { return self };
        self.whole.retain(|(grain, (from, to))| {
            if *grain != Grain::Day {
                return true;
            }
            let start = zone.start(Grain::Month, *from);
            let month = (start, zone.next(Grain::Month, start));
            // The days are those at the end of a month, or at the beginning of one.
            let less = if *from < months.0 { (month.0, *from) } else { (*to, month.1) };
            let is_trimmed = days(less) + 1 < days((*from, *to));
            if is_trimmed {
                self.trimmed.push(Trimmed { month, less });
            }
            !is_trimmed
        });
        self
    }

    /// From the beginning of the first whole hour that is asked for to the end of the last; none where there is no whole
    /// hour.
    #[must_use]
    pub fn hours(&self) -> Option<Stretch> {
        self.hours
    }

    fn cut(&mut self, zone: Zone, (from, to): Stretch, grain: Grain) {
        if from >= to {
            return;
        }
        let start = if from == Timestamp::MIN { from } else { zone.start(grain, from) };
        let first = if start < from { zone.next(grain, start) } else { from };
        // Without an end there is nothing that sticks out.
        let last = if to == Timestamp::MAX { to } else { zone.start(grain, to) };
        let finer = match grain {
            Grain::Month | Grain::Week => Some(Grain::Day),
            Grain::Day => Some(Grain::Hour),
            Grain::Hour => None,
        };
        let mut rest = |stretch: Stretch| match finer {
            Some(finer) => self.cut(zone, stretch, finer),
            None if stretch.0 < stretch.1 => self.edges.push(stretch),
            None => {}
        };
        if first < last {
            rest((from, first));
            rest((last, to));
            self.whole.push((grain, (first, last)));
        } else {
            rest((from, to));
        }
    }
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default()
}

fn first_day(grain: Grain, day: NaiveDate) -> NaiveDate {
    let first = match grain {
        Grain::Hour | Grain::Day => None,
        Grain::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
        Grain::Month => day.with_day(1),
    };
    first.unwrap_or(day)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;
    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        text.parse().map(Self).map_err(|_| UnknownZone)
    }
}

impl Serialize for Zone {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    #[test]
    fn days_begin_at_the_midnight_of_the_zone() {
        let berlin = zone("Europe/Berlin");
        let start = |grain, text| berlin.start(grain, at(text)).to_string();
        assert_eq!(start(Grain::Day, "2026-07-01T21:59:59Z"), "2026-06-30T22:00:00Z");
        assert_eq!(start(Grain::Day, "2026-07-01T22:00:00Z"), "2026-07-01T22:00:00Z");
        assert_eq!(start(Grain::Week, "2026-07-01T12:00:00Z"), "2026-06-28T22:00:00Z");
        assert_eq!(start(Grain::Month, "2026-07-31T22:30:00Z"), "2026-07-31T22:00:00Z");
        assert_eq!(start(Grain::Month, "2026-01-31T22:30:00Z"), "2025-12-31T23:00:00Z");
        assert_eq!(start(Grain::Hour, "2026-07-01T21:59:59Z"), "2026-07-01T21:00:00Z");
    }

    #[test]
    fn days_of_23_and_25_hours_and_days_without_midnight() {
        let berlin = zone("Europe/Berlin");
        let length = |zone: Zone, text: &str| {
            let start = zone.start(Grain::Day, at(text));
            zone.next(Grain::Day, start).since(start)
        };
        assert_eq!(length(berlin, "2026-03-29T12:00:00Z"), 23 * HOUR);
        assert_eq!(length(berlin, "2026-10-25T12:00:00Z"), 25 * HOUR);
        // In Beirut clocks went from 0:00 to 1:00 on 31 March 2024.
        let beirut = zone("Asia/Beirut");
        assert_eq!(beirut.start(Grain::Day, at("2024-03-31T12:00:00Z")).to_string(), "2024-03-30T22:00:00Z");
        assert_eq!(length(beirut, "2024-03-31T12:00:00Z"), 23 * HOUR);
    }

    #[test]
    fn months_are_counted_back_in_the_zone() {
        let berlin = zone("Europe/Berlin");
        let before = |text, months| berlin.months_before(at(text), months).to_string();
        assert_eq!(before("2026-05-31T21:59:59Z", 0), "2026-04-30T22:00:00Z");
        assert_eq!(before("2026-05-31T22:00:00Z", 3), "2026-02-28T23:00:00Z");
        assert_eq!(before("2026-03-31T12:00:00Z", 1), "2026-01-31T23:00:00Z");
        assert_eq!(before("2026-03-31T12:00:00Z", 14), "2024-12-31T23:00:00Z");
        assert_eq!(berlin.months_before(at("2026-03-31T12:00:00Z"), u32::MAX), Timestamp::MIN);
    }

    #[test]
    fn hours_are_those_of_the_clocks() {
        let kolkata = zone("Asia/Kolkata");
        assert_eq!(kolkata.start(Grain::Hour, at("2026-07-01T10:29:00Z")).to_string(), "2026-07-01T09:30:00Z");
        assert_eq!("Mars/Olympus".parse::<Zone>(), Err(UnknownZone));
    }

    #[test]
    fn all_time_is_one_stretch_of_the_coarsest() {
        let all = Cover::of(zone("Europe/Berlin"), (Timestamp::MIN, Timestamp::MAX), Grain::Month);
        assert_eq!(all.whole, [(Grain::Month, (Timestamp::MIN, Timestamp::MAX))]);
        assert_eq!(all.edges, []);
        let since = Cover::of(Zone::UTC, (at("2026-01-31T23:30:00Z"), Timestamp::MAX), Grain::Day);
        assert_eq!(since.whole, [(Grain::Day, (at("2026-02-01T00:00:00Z"), Timestamp::MAX))]);
        assert_eq!(since.edges, [(at("2026-01-31T23:30:00Z"), at("2026-02-01T00:00:00Z"))]);
    }

    proptest! {
        #[test]
        fn every_instant_lies_in_one(
            name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Pacific/Apia"]),
            grain in prop::sample::select(Grain::ALL),
            micros in 0..2_000_000_000 * SECOND,
        ) {
            let (zone, at) = (zone(name), Timestamp::from_micros(micros));
            let start = zone.start(grain, at);
            let next = zone.next(grain, start);
            prop_assert!(start <= at && at < next, "{start} {at} {next}");
            prop_assert_eq!(zone.start(grain, start), start);
            prop_assert_eq!(zone.start(grain, next), next);
            prop_assert_eq!(zone.start(grain, next.plus(-1)), start);
            prop_assert!(grain != Grain::Hour || zone.start(Grain::Day, start) == zone.start(Grain::Day, at));
            prop_assert!(next.since(start) <= 31 * DAY + 2 * HOUR);
        }

        #[test]
        fn a_cover_has_every_instant_once(
            name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana"]),
            coarsest in prop::sample::select(vec![Grain::Hour, Grain::Day, Grain::Month]),
            from in 0..2_000_000_000 * SECOND,
            length in 0..800 * DAY,
        ) {
            let zone = zone(name);
            let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
            let cover = Cover::of(zone, (from, to), coarsest);
            let mut all: Vec<Stretch> = cover.whole.iter().map(|(_, stretch)| *stretch).collect();
            all.extend(&cover.edges);
            all.sort_unstable();
            let mut reached = from;
            for (start, end) in &all {
                prop_assert_eq!(*start, reached);
                prop_assert!(start < end);
                reached = *end;
            }
            prop_assert_eq!(reached, to);
            for (grain, (start, end)) in &cover.whole {
                prop_assert_eq!((zone.start(*grain, *start), zone.start(*grain, *end)), (*start, *end));
            }
            prop_assert!(cover.edges.iter().all(|(start, end)| end.since(*start) < HOUR) || cover.whole.is_empty());
            // At most months, and days and hours on both sides.
            prop_assert!(cover.whole.len() <= 5 && cover.edges.len() <= 2);
        }

        #[test]
        fn a_trimmed_cover_has_the_same_hours_in_fewer_rows(
            name in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana"]),
            from in 0..2_000_000_000 * SECOND,
            length in 0..200 * DAY,
            now in 0..2_000_000_000 * SECOND,
            near in any::<bool>(),
        ) {
            let zone = zone(name);
            let (from, to) = (Timestamp::from_micros(from), Timestamp::from_micros(from + length));
            let now = if near { to } else { Timestamp::from_micros(now) };
            let plain = Cover::of(zone, (from, to), Grain::Month);
            let cover = plain.clone().trimmed(zone, now);
            prop_assert_eq!((cover.hours(), &cover.edges), (plain.hours(), &plain.edges));
            let has = |(start, end): Stretch, at: Timestamp| i32::from(start <= at && at < end);
            let mut hour = zone.start(Grain::Hour, from.plus(-70 * DAY));
            while hour < to.plus(70 * DAY) {
                let whole: i32 = cover.whole.iter().map(|(_, stretch)| has(*stretch, hour)).sum();
                let months: i32 = cover.trimmed.iter().map(|t| has(t.month, hour) - has(t.less, hour)).sum();
                prop_assert_eq!(whole + months, plain.hours().map_or(0, |hours| has(hours, hour)), "{}", hour);
                hour = hour.plus(7 * HOUR);
                hour = zone.start(Grain::Hour, hour);
            }
            for Trimmed { month, less } in &cover.trimmed {
                prop_assert_eq!((zone.start(Grain::Month, month.0), zone.next(Grain::Month, month.0)), *month);
                for end in [less.0, less.1] {
                    prop_assert_eq!(zone.start(Grain::Day, end), end);
                }
            }
            let days = |(from, to): Stretch| to.min(now.max(from)).since(from) / DAY;
            let rows = |cover: &Cover| -> i64 {
                let by_day = cover.whole.iter().filter(|(grain, _)| *grain == Grain::Day).map(|(_, stretch)| days(*stretch));
                let trimmed = cover.trimmed.iter().map(|t| 1 + days(t.less));
                by_day.sum::<i64>() + trimmed.sum::<i64>()
            };
            prop_assert!(rows(&cover) + i64::from(!cover.trimmed.is_empty()) <= rows(&plain));
        }
    }

    #[test]
    fn months_take_the_place_of_most_of_their_days() {
        let cover = |from, to, now| Cover::of(Zone::UTC, (at(from), at(to)), Grain::Month).trimmed(Zone::UTC, at(now));
        let day = |text: &str| at(&format!("{text}T00:00:00Z"));
        let (january, march) = ((day("2026-01-01"), day("2026-02-01")), (day("2026-03-01"), day("2026-04-01")));
        let found = cover("2026-01-03T12:30:00Z", "2026-03-26T00:00:00Z", "2026-03-25T09:00:00Z");
        assert_eq!(
            found.whole,
            [
                (Grain::Hour, (at("2026-01-03T13:00:00Z"), day("2026-01-04"))),
                (Grain::Month, (day("2026-02-01"), day("2026-03-01"))),
            ]
        );
        assert_eq!(
            found.trimmed,
            [
                Trimmed { month: january, less: (day("2026-01-01"), day("2026-01-04")) },
                Trimmed { month: march, less: (day("2026-03-26"), day("2026-04-01")) },
            ]
        );
        // Of days that are over there is as much to read as of others.
        let days = (Grain::Day, (day("2026-03-01"), day("2026-03-10")));
        let later = cover("2026-01-20T00:00:00Z", "2026-03-10T00:00:00Z", "2026-06-01T00:00:00Z");
        assert_eq!((later.whole.last(), later.trimmed.as_slice()), (Some(&days), [].as_slice()));
        let now = cover("2026-01-20T00:00:00Z", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z");
        assert_eq!(now.trimmed, [Trimmed { month: march, less: (day("2026-03-10"), day("2026-04-01")) }]);
        // Without an end, most of the days are still to come.
        let open = Cover::of(Zone::UTC, (day("2026-04-10"), Timestamp::MAX), Grain::Month);
        assert_eq!(open.clone().trimmed(Zone::UTC, day("2026-04-12")), open);
        // What has no month has none to trim.
        let short = cover("2026-03-02T00:00:00Z", "2026-03-31T00:00:00Z", "2026-03-31T00:00:00Z");
        assert_eq!((short.whole.len(), short.trimmed.len()), (1, 0));
    }
}
