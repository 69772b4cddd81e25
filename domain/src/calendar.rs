//! Hours, days, weeks and months of a time zone.

#[cfg(test)]
mod tests;

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
    /// show: where it is off the full hour, they begin between those of UTC. Where clocks are put forward or back by a part of
    /// an hour, an hour ends and another begins.
    #[must_use]
    pub fn start(self, grain: Grain, at: Timestamp) -> Timestamp {
        let offset = self.offset(at);
        if grain == Grain::Hour {
            let local = at.micros().saturating_add(offset);
            let start = local.div_euclid(HOUR).saturating_mul(HOUR).saturating_sub(offset);
            let begins = self.change((start, at.micros()), offset).unwrap_or(start);
            return Timestamp::from_micros(begins);
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

    /// The first microsecond with the clocks as they are at the end of this time, less than an hour, where they change in it by a
    /// part of an hour.
    fn change(self, (from, until): (i64, i64), now: i64) -> Option<i64> {
        let offset = |micros| self.offset(Timestamp::from_micros(micros));
        if (offset(from) - now) % HOUR == 0 {
            return None;
        }
        let (mut before, mut after) = (from, until);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if offset(middle) == now { after = middle } else { before = middle }
        }
        Some(after)
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

    /// Where what is of an instant stands among what is read: at the beginning of its hour, of the same zone, where whole
    /// hours are, and else at itself.
    #[must_use]
    pub fn stand(&self, zone: Zone, at: Timestamp) -> Timestamp {
        let in_hours = self.hours.is_some_and(|(from, to)| from <= at && at < to);
        if in_hours { zone.start(Grain::Hour, at) } else { at }
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
