//! Which figures pages show: charts, each with its lines, each with what it reads off the figures of a group of runs.
//! Charts, tables, the numbers above them and the downloads all follow this list: a further figure is a further line.

use sopwith_domain::metrics::{Rate, Ratio};
use sopwith_domain::stats::significant;

use crate::store::figures::Figures;

/// What the values of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shares, from 0 to 1.
    Share,
    /// Times, in seconds.
    Duration,
    /// Events per thousand runs.
    PerThousand,
}

/// A figure with what it is made of, and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// How many have the property, or events; nothing for a percentile.
    pub numerator: Option<i64>,
    /// How many it is taken from.
    pub n: i64,
    /// The value; infinite for a percentile that is not reached, since too many runs are open or were abandoned.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end; infinite where it lies past what has been seen.
    pub high: f64,
}

/// A figure that is followed over time.
#[derive(Debug)]
pub struct Line {
    /// Names it in downloads.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Whether SOPs and versions are set side by side by it.
    pub compared: bool,
    /// Reads it off; nothing where there is nothing to take it from.
    pub read: fn(&Figures) -> Option<Measure>,
}

/// Figures that are looked at together.
#[derive(Debug)]
pub struct Chart {
    /// Names it on the page.
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it tells, in a sentence.
    pub about: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// The figures, two at most: how they are drawn tells them apart.
    pub lines: &'static [Line],
}

/// All of them, in their order on the page.
pub const CHARTS: &[Chart] = &[
    Chart {
        key: "adoption",
        title: "Adoption",
        about: "The share of runs that followed the SOP in force: of those of which it is known, and, as the worst case, \
                of all.",
        unit: Unit::Share,
        lines: &[
            Line { key: "adoption", name: "Adoption", compared: true, read: |f| ratio(f.tally.adoption()) },
            Line {
                key: "adoptionWorstCase",
                name: "Worst case",
                compared: false,
                read: |f| share(f.tally.followed, f.tally.runs),
            },
        ],
    },
    Chart {
        key: "version-use",
        title: "Use of versions",
        about: "Of the runs that say which version of their SOP they used, the share that used the one in force; and of all, the \
                share that started while an SOP of their process was in force.",
        unit: Unit::Share,
        lines: &[
            Line {
                key: "currentVersion",
                name: "Version in force",
                compared: false,
                read: |f| ratio(f.tally.current_version()),
            },
            Line {
                key: "coverage",
                name: "Covered by an SOP",
                compared: false,
                read: |f| share(f.tally.covered, f.tally.runs),
            },
        ],
    },
    Chart {
        key: "conformance",
        title: "Conformance to the steps",
        about: "The share of runs that kept to all steps of their version, of those that ended and tell of steps: nothing \
                mandatory skipped, nothing added, all in order.",
        unit: Unit::Share,
        lines: &[Line {
            key: "fullConformance",
            name: "Kept to all steps",
            compared: true,
            read: |f| share(f.tally.conforming, f.tally.judged),
        }],
    },
    Chart {
        key: "completion-time",
        title: "Completion time",
        about: "How long runs take that started then: half of them are completed after the median, nineteen in twenty after \
                the 95th percentile. Those still open are counted in: it is known that they take longer.",
        unit: Unit::Duration,
        lines: &[
            Line { key: "completionTimeP50", name: "Median (p50)", compared: true, read: |f| percentile(f, 50) },
            Line {
                key: "completionTimeP95",
                name: "95th percentile (p95)",
                compared: true,
                read: |f| percentile(f, 95),
            },
        ],
    },
    Chart {
        key: "first-time-right",
        title: "First time right",
        about: "The share of finished runs that succeeded without errors, rework or violations.",
        unit: Unit::Share,
        lines: &[Line {
            key: "firstTimeRight",
            name: "First time right",
            compared: false,
            read: |f| share(f.tally.first_time_right, f.tally.finished),
        }],
    },
    Chart {
        key: "rework",
        title: "Rework",
        about: "The share of runs in which work was done again.",
        unit: Unit::Share,
        lines: &[Line {
            key: "rework",
            name: "Rework",
            compared: false,
            read: |f| share(f.tally.reworked, f.tally.runs),
        }],
    },
    Chart {
        key: "error-rate",
        title: "Error rate",
        about: "The share of finished runs that had an error or failed.",
        unit: Unit::Share,
        lines: &[Line {
            key: "errorRate",
            name: "Error rate",
            compared: true,
            read: |f| share(f.tally.errored, f.tally.finished),
        }],
    },
    Chart {
        key: "abandonment",
        title: "Abandonment",
        about: "The share of runs that were given up, or did not finish in time after their start: within 30 days, or what is \
                set for their process.",
        unit: Unit::Share,
        lines: &[Line { key: "abandonment", name: "Abandoned", compared: false, read: |f| ratio(f.abandonment()) }],
    },
    Chart {
        key: "satisfaction",
        title: "Satisfaction",
        about: "The share of those asked that gave a 4 or 5 of 5: of the customers, and of those who performed the work.",
        unit: Unit::Share,
        lines: &[
            Line {
                key: "customersSatisfied",
                name: "Satisfied customers",
                compared: false,
                read: |f| share(f.tally.customer_satisfied, f.tally.customer_responses),
            },
            Line {
                key: "performersSatisfied",
                name: "Satisfied performers",
                compared: false,
                read: |f| share(f.tally.performer_satisfied, f.tally.performer_responses),
            },
        ],
    },
    Chart {
        key: "violations",
        title: "Violations",
        about: "Breaches of rules, per 1,000 runs: all of them, and those with harm done or near.",
        unit: Unit::PerThousand,
        lines: &[
            Line {
                key: "violationsPerThousand",
                name: "Violations",
                compared: true,
                read: |f| per_thousand(Rate { events: f.tally.violations(), runs: f.tally.runs }),
            },
            Line {
                key: "criticalViolationsPerThousand",
                name: "Critical violations",
                compared: false,
                read: |f| per_thousand(Rate { events: f.tally.critical_violations, runs: f.tally.runs }),
            },
        ],
    },
];

/// Every line with the unit of its chart.
pub fn lines() -> impl Iterator<Item = (Unit, &'static Line)> {
    CHARTS.iter().flat_map(|chart| chart.lines.iter().map(|line| (chart.unit, line)))
}

/// A figure by its key.
pub fn measure(figures: &Figures, key: &str) -> Option<Measure> {
    lines().find(|(_, line)| line.key == key).and_then(|(_, line)| (line.read)(figures))
}

fn share(numerator: i64, denominator: i64) -> Option<Measure> {
    ratio(Ratio { numerator, denominator })
}

/// A share with its interval; none of nothing.
pub fn ratio(ratio: Ratio) -> Option<Measure> {
    let (low, high) = ratio.interval()?;
    Some(Measure { numerator: Some(ratio.numerator), n: ratio.denominator, value: ratio.value()?, low, high })
}

fn per_thousand(rate: Rate) -> Option<Measure> {
    let (low, high) = rate.interval()?;
    Some(Measure { numerator: Some(rate.events), n: rate.runs, value: rate.per_thousand()?, low, high })
}

fn percentile(figures: &Figures, percent: i64) -> Option<Measure> {
    let incidence = figures.incidence();
    let seconds = |micros: f64| significant(micros) / 1e6;
    let low = seconds(incidence.low(percent)?);
    let (value, high) =
        incidence.percentile(percent).map_or((f64::INFINITY, None), |at| (seconds(at.value), at.high()));
    let n = i64::try_from(figures.completed.count()).ok()?;
    Some(Measure { numerator: None, n, value, low, high: high.map_or(f64::INFINITY, seconds) })
}

impl Unit {
    /// A value in the words of people.
    pub fn say(self, value: f64) -> String {
        match self {
            // A unit stays beside its number.
            Self::Share => format!("{:.1}\u{a0}%", value * 100.0),
            Self::PerThousand => format!("{value:.1}"),
            Self::Duration if value.is_infinite() => "not reached".to_owned(),
            Self::Duration => duration(value),
        }
    }

    /// An interval in the words of people.
    pub fn say_interval(self, low: f64, high: f64) -> String {
        match self {
            Self::Share => format!("{:.0} to {:.0}\u{a0}%", low * 100.0, high * 100.0),
            Self::PerThousand => format!("{low:.1} to {high:.1}"),
            Self::Duration if high.is_infinite() => format!("over {}", duration(low)),
            Self::Duration => format!("{} to {}", duration(low), duration(high)),
        }
    }
}

impl Measure {
    /// What it is made of, in the words of people.
    pub fn of(&self) -> String {
        match self.numerator {
            Some(numerator) => format!("{} of {}", grouped(numerator), grouped(self.n)),
            None => format!("n = {}", grouped(self.n)),
        }
    }
}

/// A count with spaces that do not break between its thousands.
pub fn grouped(count: i64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A count of things by their name.
pub fn counted(count: i64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { more })
}

/// A number of seconds in its two largest units.
#[expect(clippy::cast_possible_truncation, reason = "a century has 3 billion seconds")]
fn duration(seconds: f64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    if seconds < 10.0 {
        let tenths = format!("{seconds:.1}");
        return format!("{}\u{a0}s", tenths.strip_suffix(".0").unwrap_or(&tenths));
    }
    let whole = seconds.round() as i64;
    let first = UNITS.iter().position(|(unit, _)| whole >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let rest = UNITS.get(first + 1).map(|(smaller, name)| (whole % unit / smaller, *name)).filter(|(n, _)| *n > 0);
    match rest {
        Some((n, smaller)) => format!("{}\u{a0}{name} {n}\u{a0}{smaller}", whole / unit),
        None => format!("{}\u{a0}{name}", whole / unit),
    }
}

#[cfg(test)]
mod tests {
    use sopwith_domain::rollup::Tally;

    use super::*;

    #[test]
    fn values_are_said_in_the_words_of_people() {
        for (seconds, said) in [
            (0.0, "0 s"),
            (4.25, "4.2 s"),
            (59.6, "1 min"),
            (270.0, "4 min 30 s"),
            (3600.0, "1 h"),
            (90_061.0, "1 d 1 h"),
            (86_460.0, "1 d"),
        ] {
            assert_eq!(duration(seconds).replace('\u{a0}', " "), said);
        }
        assert_eq!(Unit::Share.say(0.8236), "82.4\u{a0}%");
        assert_eq!(Unit::Share.say_interval(0.781, 0.859), "78 to 86\u{a0}%");
        let said = ["0", "999", "1\u{202f}000", "-1\u{202f}000", "1\u{202f}234\u{202f}567"];
        assert_eq!([0, 999, 1000, -1000, 1_234_567].map(grouped), said);
    }

    #[test]
    fn a_percentile_that_is_not_reached_is_told_with_what_is_known() {
        let mut figures = Figures { tally: Tally { runs: 40, ..Tally::default() }, ..Figures::default() };
        figures.completed.add(60_000_000, 30).unwrap();
        figures.abandoned.add(90_000_000, 10).unwrap();
        let read = |key| measure(&figures, key).unwrap();
        let (p50, p95) = (read("completionTimeP50"), read("completionTimeP95"));
        assert!((p50.value - 60.0).abs() < 0.6, "{p50:?}");
        assert_eq!((p95.value, p95.high, p95.n), (f64::INFINITY, f64::INFINITY, 30));
        assert!((p95.low - 60.0).abs() < 0.6, "{p95:?}");
        let said = (Unit::Duration.say(p95.value), Unit::Duration.say_interval(p95.low, p95.high));
        assert_eq!(said, ("not reached".to_owned(), "over 1\u{a0}min".to_owned()));
        assert_eq!(super::super::files::figure(Unit::Duration, &p95)["seconds"], serde_json::Value::Null);
    }

    #[test]
    fn figures_are_those_of_their_definitions() {
        let tally = Tally {
            runs: 10,
            followed: 4,
            deviated: 1,
            not_followed: 3,
            finished: 9,
            errored: 3,
            minor_violations: 2,
            critical_violations: 1,
            abandoned: 1,
            late: 1,
            first_time_right: 2,
            reworked: 5,
            judged: 6,
            conforming: 3,
            covered: 9,
            reported_in_force: 8,
            current: 6,
            customer_responses: 4,
            customer_satisfied: 1,
            ..Tally::default()
        };
        let figures = Figures { tally, ..Figures::default() };
        let read = |key: &str| measure(&figures, key).map(|m| (m.numerator, m.n, m.value));
        assert_eq!(read("adoption"), Some((Some(4), 8, 0.5)));
        assert_eq!(read("adoptionWorstCase"), Some((Some(4), 10, 0.4)));
        assert_eq!(read("errorRate"), Some((Some(3), 9, 1.0 / 3.0)));
        assert_eq!(read("violationsPerThousand"), Some((Some(3), 10, 300.0)));
        assert_eq!(read("criticalViolationsPerThousand"), Some((Some(1), 10, 100.0)));
        assert_eq!(read("currentVersion"), Some((Some(6), 8, 0.75)));
        assert_eq!(read("coverage"), Some((Some(9), 10, 0.9)));
        assert_eq!(read("fullConformance"), Some((Some(3), 6, 0.5)));
        assert_eq!(read("firstTimeRight"), Some((Some(2), 9, 2.0 / 9.0)));
        assert_eq!(read("rework"), Some((Some(5), 10, 0.5)));
        assert_eq!(read("abandonment"), Some((Some(2), 10, 0.2)));
        assert_eq!(read("customersSatisfied"), Some((Some(1), 4, 0.25)));
        assert_eq!(read("completionTimeP50"), None, "nothing was completed");
        assert!(lines().all(|(_, line)| (line.read)(&Figures::default()).is_none()), "nothing is told of nothing");
        assert!(CHARTS.iter().all(|chart| (1..=2).contains(&chart.lines.len())));
    }
}
