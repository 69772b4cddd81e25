//! What a comparison says, in a sentence. A change is associated with what differs; that it brought it about, no
//! comparison of before and after shows.

use super::Metric;
use super::sample::Comparison;
use crate::metrics::Ratio;
use crate::stats::impact::shares::Better;
use crate::stats::impact::{Basis, Floor, Side, Verdict};
use crate::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The version's label.
    pub version: &'a str,
    /// That of the one before; none for the first.
    pub predecessor: Option<&'a str>,
    /// What the verdict goes by.
    pub metric: Metric,
}

/// What is to be told before the maturity date.
#[must_use]
pub fn immature(matures_at: Timestamp) -> String {
    let day = matures_at.to_string();
    format!("Judged on {}, and not before: who looks again and again finds differences that are none.", &day[..10])
}

/// What is to be told besides where runs are missing.
#[must_use]
pub fn incomplete(before: Timestamp) -> String {
    let day = before.to_string();
    format!(" Runs from before {} may have been deleted and be missing here.", &day[..10])
}

/// What is to be told of a comparison.
#[must_use]
pub fn told(subject: Subject, comparison: &Comparison) -> String {
    let Subject { version, metric, .. } = subject;
    match comparison.verdict(metric) {
        Verdict::Insufficient => insufficient(comparison.basis(metric)),
        Verdict::NoClearDifference => {
            format!("No clear difference in {}: it may be either way.{}", noun(metric), figures(subject, comparison))
        }
        verdict => {
            let up = (verdict == Verdict::LikelyBetter) == (metric.better() == Better::Higher);
            format!("Version {version} is associated with {}.{}", direction(metric, up), figures(subject, comparison))
        }
    }
}

fn insufficient(basis: &Basis) -> String {
    let of = |side: Side| {
        let short = basis.shortfalls().into_iter().filter(|s| s.side == side);
        short.map(|s| format!("{} of {} {}", s.has, s.floor.least(), unit(s.floor))).collect::<Vec<_>>().join(", ")
    };
    let sides = [("before", of(Side::Before)), ("after", of(Side::After))];
    let told: Vec<_> = sides.iter().filter(|(_, s)| !s.is_empty()).map(|(name, s)| format!("{name}, {s}")).collect();
    format!("Too little to judge by: {}.", told.join("; "))
}

fn unit(floor: Floor) -> &'static str {
    match floor {
        Floor::Runs => "runs",
        Floor::Actors => "people",
        Floor::Days => "days",
    }
}

fn noun(metric: Metric) -> &'static str {
    match metric {
        Metric::Adoption => "the share of runs that follow the procedure",
        Metric::ErrorRate => "the share of runs with errors",
        Metric::FirstTimeRight => "the share of runs that are right the first time",
        Metric::CompletionTime => "completion times",
    }
}

fn direction(metric: Metric, up: bool) -> String {
    match (metric, up) {
        (Metric::CompletionTime, true) => "longer completion times".to_owned(),
        (Metric::CompletionTime, false) => "shorter completion times".to_owned(),
        (metric, up) => {
            let (word, noun) = (if up { "larger" } else { "smaller" }, noun(metric));
            format!("a {word} {}", noun.trim_start_matches("the "))
        }
    }
}

/// The figures of both sides, as a sentence with a blank before it.
fn figures(subject: Subject, comparison: &Comparison) -> String {
    let before = subject.predecessor.map_or("before it".to_owned(), |label| format!("under version {label}"));
    if let Some(share) = comparison.share(subject.metric) {
        return format!(" It was {} after, and {} {before}.", percent(share.after), percent(share.before));
    }
    let time = &comparison.completion_time;
    let median = |micros: Option<f64>| micros.map_or("longer than runs are watched".to_owned(), length);
    format!(" The median was {} after, and {} {before}.", median(time.after), median(time.before))
}

fn percent(ratio: Ratio) -> String {
    let share = ratio.value().unwrap_or_default() * 100.0;
    format!("{share:.1} % of {}", ratio.denominator)
}

/// A length of time in the largest unit of which it has about two or more.
fn length(micros: f64) -> String {
    let units = [(DAY, "days"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    #[expect(clippy::cast_precision_loss, reason = "units of time are far below 2^52")]
    let in_units = units.map(|(unit, name)| (micros / unit as f64, name));
    let (number, name) = in_units.into_iter().find(|(n, _)| *n >= 1.9).unwrap_or(in_units[3]);
    if number < 10.0 { format!("{number:.1} {name}") } else { format!("{number:.0} {name}") }
}
