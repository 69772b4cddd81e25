//! Which page is wanted: what its address says, and the addresses of its neighbours. A page is an address and nothing
//! else, so that every view of the figures can be kept, sent and linked.

use actix_web::web::Query;
use chrono::{Days, NaiveDate};
use reqwest::Url;
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::content::is_key;
use sopwith_domain::time::{DAY, Timestamp};

use super::axis;
use crate::app::board::Asked;

/// Days that are shown when nothing else is said.
const DAYS: u16 = 90;
/// The times that links offer, in days.
pub const OFFERED: [u16; 4] = [7, 30, 90, 365];
/// More points than this are not drawn.
const MOST_POINTS: usize = 400;

/// What parts are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The most runs first.
    #[default]
    Runs,
    /// The least adopted first.
    Adoption,
    /// The slowest first.
    Time,
    /// The most errors first.
    Errors,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Runs, Self::Adoption, Self::Time, Self::Errors];

    /// As addresses name it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Adoption => "adoption",
            Self::Time => "time",
            Self::Errors => "errors",
        }
    }
}

/// A bucket by the name that addresses give it.
pub const BUCKETS: [(&str, &str, Grain); 4] = [
    ("hour", "Hours", Grain::Hour),
    ("day", "Days", Grain::Day),
    ("week", "Weeks", Grain::Week),
    ("month", "Months", Grain::Month),
];

/// What an address asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Key of a process.
    pub process: Option<String>,
    /// Key of a team.
    pub team: Option<String>,
    /// Code of an SOP, which has a page of its own.
    pub sop: Option<String>,
    /// The last so many days.
    pub days: Option<u16>,
    /// From this day on.
    pub from: Option<NaiveDate>,
    /// Up to this day, which is included.
    pub to: Option<NaiveDate>,
    /// How time is divided; as it fits when absent.
    pub bucket: Option<Grain>,
    /// What parts are ordered by.
    pub order: Order,
}

/// Reads the query of an address.
///
/// # Errors
/// With what is wrong, for people. Anything unknown is refused by name: a misspelt filter must not show more than was
/// meant.
pub fn read(query: &str) -> Result<Wanted, String> {
    let pairs =
        Query::<Vec<(String, String)>>::from_query(query).map_err(|_| "The address cannot be read.".to_owned())?;
    let mut wanted = Wanted::default();
    let mut seen = Vec::new();
    for (name, text) in pairs.into_inner() {
        if seen.contains(&name) {
            return Err(format!("{name} is given twice."));
        }
        // A form sends what was left empty, too.
        if !text.is_empty() {
            take(&mut wanted, &name, &text)?;
        }
        seen.push(name);
    }
    Ok(wanted)
}

fn take(wanted: &mut Wanted, name: &str, text: &str) -> Result<(), String> {
    let key = |what: &str| is_key(text).then(|| text.to_owned()).ok_or(format!("{what} is named by its key."));
    match name {
        "process" => wanted.process = Some(key("A process")?),
        "team" => wanted.team = Some(key("A team")?),
        "sop" => wanted.sop = Some(code(text).ok_or("An SOP is named by its code, such as OPS-0007.")?),
        "days" => {
            let days = text.parse().ok().filter(|days| (1..=3660).contains(days));
            wanted.days = Some(days.ok_or("The number of days must be from 1 to 3660.")?);
        }
        "from" => wanted.from = Some(day(text)?),
        "to" => wanted.to = Some(day(text)?),
        "bucket" => {
            let known = BUCKETS.iter().find(|(key, _, _)| *key == text).map(|(_, _, bucket)| *bucket);
            wanted.bucket = Some(known.ok_or("Time is divided into hour, day, week or month.")?);
        }
        "order" => {
            let known = Order::ALL.into_iter().find(|order| order.key() == text);
            wanted.order = known.ok_or("The order is one of runs, adoption, time, errors.")?;
        }
        _ => {
            return Err(
                "The address names something unknown: known are process, team, sop, days, from, to, bucket and \
                         order."
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// The code of an SOP, if it can be one.
pub fn code(text: &str) -> Option<String> {
    let fits = text.len() <= 40 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
    (fits && !text.is_empty()).then(|| text.to_owned())
}

fn day(text: &str) -> Result<NaiveDate, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let known = NaiveDate::from_ymd_opt(1900, 1, 1)..NaiveDate::from_ymd_opt(9999, 12, 31);
    day.filter(|day| known.contains(&Some(*day))).ok_or_else(|| "A day is written like 2026-07-01.".to_owned())
}

impl Wanted {
    /// The times and buckets that this is, now, in a time zone.
    ///
    /// # Errors
    /// With what is wrong, for people.
    pub fn asked(&self, zone: Zone, now: Timestamp) -> Result<Asked, String> {
        let end = |day| zone.next(Grain::Day, day);
        let to = end(self.to.map_or_else(|| zone.start(Grain::Day, now), |day| zone.midnight(day)));
        let from = match (self.from, self.days) {
            (Some(day), _) => zone.midnight(day),
            (None, days) => {
                let last = zone.local(to.plus(-1)).date();
                let before = Days::new(u64::from(days.unwrap_or(DAYS).saturating_sub(1)));
                zone.midnight(last.checked_sub_days(before).unwrap_or(last))
            }
        };
        if from >= to {
            return Err("The time ends before it begins.".to_owned());
        }
        let bucket = self.bucket.unwrap_or_else(|| fitting(to.since(from)));
        // The last so many days begin with a whole bucket.
        let from = if self.from.is_none() { zone.start(bucket, from) } else { from };
        if axis::buckets(zone, bucket, from, to, MOST_POINTS).len() > MOST_POINTS {
            return Err(format!(
                "This time has more than {MOST_POINTS} points: choose a shorter one, or divide it less."
            ));
        }
        Ok(Asked { process: self.process.clone(), team: self.team.clone(), zone, from, to, bucket })
    }

    /// The address of this at a path.
    pub fn at(&self, path: &str) -> String {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        let mut add = |name, value: Option<String>| pairs.extend(value.map(|value| (name, value)));
        add("process", self.process.clone());
        add("team", self.team.clone());
        add("sop", self.sop.clone());
        add("days", self.days.map(|days| days.to_string()));
        add("from", self.from.map(|day| day.to_string()));
        add("to", self.to.map(|day| day.to_string()));
        add("bucket", self.bucket.and_then(bucket_key).map(str::to_owned));
        add("order", (self.order != Order::default()).then(|| self.order.key().to_owned()));
        let query = Url::parse_with_params("http://h/", &pairs).ok().and_then(|url| url.query().map(str::to_owned));
        match query.filter(|query| !query.is_empty()) {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// The days that are shown, where it is the last so many.
    pub fn days(&self) -> Option<u16> {
        (self.from.is_none() && self.to.is_none()).then(|| self.days.unwrap_or(DAYS))
    }
}

/// The name of a bucket in addresses.
pub fn bucket_key(bucket: Grain) -> Option<&'static str> {
    BUCKETS.iter().find(|(_, _, known)| *known == bucket).map(|(key, _, _)| *key)
}

/// How a time is divided when nobody says. Days with 25 hours, or 23, are days.
fn fitting(length: i64) -> Grain {
    match (length + DAY / 2) / DAY {
        ..=2 => Grain::Hour,
        3..=31 => Grain::Day,
        32..=400 => Grain::Week,
        _ => Grain::Month,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<(String, String, Grain), String> {
        let asked = read(query)?.asked(Zone::UTC, "2026-11-25T21:00:00Z".parse().unwrap())?;
        Ok((asked.from.to_string(), asked.to.to_string(), asked.bucket))
    }

    #[test]
    fn the_last_days_end_with_today_and_begin_with_a_whole_bucket() {
        for (query, from, bucket) in [
            ("", "2026-08-24T00:00:00Z", Grain::Week),
            ("days=7", "2026-11-19T00:00:00Z", Grain::Day),
            ("days=1&bucket=", "2026-11-25T00:00:00Z", Grain::Hour),
            ("days=365&bucket=month", "2025-11-01T00:00:00Z", Grain::Month),
        ] {
            assert_eq!(asked(query), Ok((from.to_owned(), "2026-11-26T00:00:00Z".to_owned(), bucket)), "{query}");
        }
        let named = asked("from=2026-07-01&to=2026-07-31&days=7").unwrap();
        assert_eq!(named, ("2026-07-01T00:00:00Z".to_owned(), "2026-08-01T00:00:00Z".to_owned(), Grain::Day));
    }

    #[test]
    fn days_are_those_of_the_calendar_where_clocks_change() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        for (days, now, from, bucket) in [
            (1, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", Grain::Hour),
            (2, "2026-10-25T12:00:00Z", "2026-10-23T22:00:00Z", Grain::Hour),
            (7, "2026-10-26T12:00:00Z", "2026-10-19T22:00:00Z", Grain::Day),
            (1, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", Grain::Hour),
            (3, "2026-03-29T12:00:00Z", "2026-03-26T23:00:00Z", Grain::Day),
            (7, "2026-03-30T12:00:00Z", "2026-03-23T23:00:00Z", Grain::Day),
            (30, "2026-03-30T12:00:00Z", "2026-02-28T23:00:00Z", Grain::Day),
        ] {
            let wanted = Wanted { days: Some(days), ..Wanted::default() };
            let asked = wanted.asked(berlin, now.parse().unwrap()).unwrap();
            assert_eq!((asked.from.to_string().as_str(), asked.bucket), (from, bucket), "{days} days until {now}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for wrong in [
            "days=0",
            "days=-1",
            "days=3661",
            "from=1.7.2026",
            "from=2026-07-02&to=2026-07-01",
            "bucket=minute",
            "order=name",
            "teem=ops",
            "team=ops&team=dev",
            "team=%00",
            "sop=../x",
            "days=90&bucket=hour",
            "from=0001-01-01&bucket=month",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_reads_back() {
        let query = "process=password-reset&team=ops&sop=OPS-0001&days=30&from=2026-07-01&to=2026-07-02&bucket=day&order=errors";
        let wanted = read(query).unwrap();
        assert_eq!(wanted.at("/dashboard"), format!("/dashboard?{query}"));
        assert_eq!(Wanted::default().at("/dashboard.csv"), "/dashboard.csv");
    }
}
