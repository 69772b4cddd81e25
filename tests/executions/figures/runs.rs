//! Runs of every kind, as the test knows them.

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, TimeZone as _, Timelike as _, Utc};
use serde_json::{Value, json};

use crate::executions::with;
use crate::support::Dice;

const RUNS: usize = 520;
const TEAMS: [Option<&str>; 3] = [Some("ops"), Some("hr"), None];

/// A run as the test knows it.
#[derive(Clone, Default)]
pub struct Run {
    pub process: &'static str,
    pub sop: Option<String>,
    pub version: Option<(String, String)>,
    pub team: Option<&'static str>,
    pub started: Option<DateTime<Utc>>,
    pub finished: Option<DateTime<Utc>>,
    pub outcome: Option<&'static str>,
    pub adherence: Option<&'static str>,
    pub errors: Option<i64>,
    pub rework: i64,
    pub violations: i64,
    pub severity: &'static str,
    pub satisfaction: Option<(i64, &'static str)>,
}

/// Where buckets meet, and a microsecond to both sides of it.
fn borders() -> Vec<DateTime<Utc>> {
    let at = |y, m, d, h| Utc.with_ymd_and_hms(y, m, d, h, 0, 0).unwrap();
    // A turn of the year that is a Monday, a leap day, the end of a short February, a Sunday to a Monday, an hour.
    let meet = [
        at(2024, 1, 1, 0),
        at(2024, 2, 29, 0),
        at(2024, 3, 1, 0),
        at(2023, 3, 1, 0),
        at(2024, 4, 8, 0),
        at(2024, 4, 9, 13),
    ];
    let moment = Duration::microseconds(1);
    meet.into_iter().flat_map(|at| [at - moment, at, at + moment]).collect()
}

/// What the runs are of: (process, SOP, its versions by label).
pub type Work = (&'static str, Option<String>, Vec<(String, String)>);

/// Runs of this work, the same each time.
pub fn runs(work: &[Work]) -> Vec<Run> {
    let mut dice = Dice::new(42);
    let borders = borders();
    let first = Utc.with_ymd_and_hms(2023, 2, 20, 0, 0, 0).unwrap();
    let make = |n: usize| {
        let (process, sop, versions) = dice.pick(work);
        let labels: Vec<_> = versions.into_iter().map(Some).chain([None]).collect();
        let anywhere = first
            + Duration::microseconds(
                i64::try_from(dice.roll(420 * 86_400) * 1_000_000 + dice.roll(1_000_000)).unwrap(),
            );
        let started = borders.get(n).copied().unwrap_or(anywhere);
        // Many of the same length, some of none, some of weeks.
        let takes = match dice.roll(5) {
            0 => Duration::zero(),
            1 => Duration::minutes(i64::try_from(dice.roll(4)).unwrap() * 15),
            2 => Duration::microseconds(i64::try_from(dice.roll(40 * 86_400)).unwrap() * 1_000_003),
            _ => Duration::seconds(i64::try_from(dice.roll(3 * 3600)).unwrap()),
        };
        let finished = (dice.roll(8) > 0).then_some(started + takes);
        let outcomes = [Some("SUCCEEDED"), Some("SUCCEEDED"), Some("FAILED"), Some("ABANDONED"), None];
        Run {
            process,
            sop,
            version: dice.pick(&labels),
            team: dice.pick(&TEAMS),
            started: (finished.is_none() || dice.roll(10) > 0).then_some(started),
            finished,
            outcome: finished.and_then(|_| dice.pick(&outcomes)),
            adherence: dice.pick(&[
                Some("FOLLOWED"),
                Some("FOLLOWED"),
                Some("DEVIATED"),
                Some("NOT_FOLLOWED"),
                Some("UNKNOWN"),
                None,
            ]),
            errors: dice.pick(&[None, Some(0), Some(0), Some(2)]),
            rework: (i64::try_from(dice.roll(3)).unwrap() - 1).max(0),
            violations: i64::try_from(dice.roll(4)).unwrap().saturating_sub(1).max(0),
            severity: dice.pick(&["MINOR", "MAJOR", "CRITICAL"]),
            satisfaction: (dice.roll(3) > 0)
                .then(|| (i64::try_from(dice.roll(5)).unwrap() + 1, dice.pick(&["CUSTOMER", "PERFORMER"]))),
        }
    };
    (0..RUNS).map(make).collect()
}

impl Run {
    /// What is reported of it.
    pub fn item(&self, n: usize) -> Value {
        let name = format!("run-{n}");
        let time = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339());
        let violation = json!({"kind": "SLA", "severity": self.severity});
        let violations = vec![violation; usize::try_from(self.violations).unwrap()];
        let fields = [
            ("sop", json!(self.sop)),
            ("version", json!(self.version.as_ref().map(|(label, _)| label))),
            ("team", json!(self.team)),
            ("startedAt", json!(time(self.started))),
            ("finishedAt", json!(time(self.finished))),
            ("outcome", json!(self.outcome)),
            ("adherence", json!(self.adherence)),
            ("errors", json!(self.errors)),
            ("rework", json!(self.rework)),
            ("satisfaction", json!(self.satisfaction.map(|(score, by)| json!({"score": score, "by": by})))),
        ];
        with(json!({"eventId": name, "runId": name, "process": self.process, "violations": violations}), fields)
    }

    /// The beginning of the bucket that the run belongs to, by the calendar.
    pub fn bucket(&self, bucket: &str) -> String {
        let at = self.started.or(self.finished).unwrap();
        let (day, midnight) = (at.date_naive(), |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap().and_utc());
        let start = match bucket {
            "HOUR" => midnight(day) + Duration::hours(i64::from(at.hour())),
            "DAY" => midnight(day),
            "WEEK" => midnight(day - Duration::days(i64::from(day.weekday().num_days_from_monday()))),
            _ => midnight(day.with_day(1).unwrap()),
        };
        start.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}
