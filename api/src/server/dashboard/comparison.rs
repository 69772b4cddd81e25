//! The version in force against what was before it. It says "associated with", and no direction where too little is known.

use maud::{Markup, html};
use serde_json::{Value, json};
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::measurement::sample::Comparison;
use sopwith_domain::measurement::{Metric, Stretch};
use sopwith_domain::metrics::Ratio;
use sopwith_domain::stats::impact::shares::ShareImpact;
use sopwith_domain::stats::impact::times::TimeImpact;
use sopwith_domain::stats::impact::{Effect, Floor, Shortfall, Side, Verdict};
use sopwith_domain::stats::significant;
use sopwith_domain::time::Timestamp;

use super::measure::{self, Unit, counted, grouped};
use super::{axis, files, tables};
use crate::app::board::{Subject, Waited};
use crate::app::comparison::{Compared, days};
use crate::store::comparison::Counts;

/// The part of the page.
pub fn section(waited: &Waited<Compared>, subject: &Subject, zone: Zone) -> Markup {
    html! {
        section aria-labelledby="comparison" {
            @match waited {
                Waited::Known(compared) => {
                    h2 id="comparison" { (heading(compared, subject)) }
                    (known(compared, zone))
                }
                Waited::Unknown => {
                    h2 id="comparison" { "Before and after" }
                    p.card {
                        "It could not be compared while this page waited: there may be too many runs. The API does, as "
                        code { "versionImpact" } "."
                    }
                }
            }
        }
    }
}

fn heading(compared: &Compared, subject: &Subject) -> String {
    let own = subject.label(compared.version.0).unwrap_or("in force");
    let before = compared.windows.predecessor.and_then(|id| subject.label(id.0));
    format!("Version {own} against {}", before.unwrap_or("the time before it"))
}

fn known(compared: &Compared, zone: Zone) -> Markup {
    let primary = compared.plan.primary;
    let judged = compared.comparison.as_ref().map(|comparison| (comparison, comparison.verdict(primary)));
    let (said, tone) = match judged.map(|(_, verdict)| verdict) {
        None => ("Not judged yet", "open"),
        Some(Verdict::Insufficient) => ("Too little to judge by", "open"),
        Some(Verdict::NoClearDifference) => ("No clear difference", "open"),
        Some(Verdict::LikelyBetter) => ("Likely better", "good"),
        Some(Verdict::LikelyWorse) => ("Likely worse", "bad"),
    };
    // What is not enough to be judged by shows no direction either.
    let shown = judged.filter(|(_, verdict)| *verdict != Verdict::Insufficient);
    html! {
        div.card {
            p.verdict.(tone) { (said) }
            // Where it is not enough, the summary has no more than what is missing.
            @if judged.is_none() || shown.is_some() { p { (compared.summary) } }
            (missing(&compared.basis().shortfalls(), judged.is_none()))
            dl.sides {
                (side("Before", compared.windows.before, &compared.before, zone))
                (side("After", compared.windows.after, &compared.after, zone))
            }
            p.made { (left_out(compared)) }
        }
        @if let Some((comparison, _)) = shown { (metrics(comparison, primary)) }
        p.about {
            "By all runs of the process, whichever version they say they used: who takes up a new version first is not like the others. What "
            "differs is associated with the version and not shown to be caused by it: whatever else changed at the same time is in it too."
        }
    }
}

/// What there is too little of.
fn missing(shortfalls: &[Shortfall], so_far: bool) -> Markup {
    let unit = |floor| match floor {
        Floor::Runs => "runs by people who are known",
        Floor::Actors => "people",
        Floor::Days => "days",
    };
    let side = |side| if side == Side::Before { "Before" } else { "After" };
    html! {
        @if !shortfalls.is_empty() {
            p { @if so_far { "It lacks so far:" } @else { "It lacks:" } }
            ul {
                @for Shortfall { side: on, floor, has } in shortfalls {
                    li { (side(*on)) ": " (has) " " (unit(*floor)) ", of at least " (floor.least()) }
                }
            }
        }
    }
}

fn side(name: &str, stretch: Stretch, counts: &Counts, zone: Zone) -> Markup {
    let day = |at: Timestamp| axis::name(zone, Grain::Day, at);
    html! {
        div {
            dt { (name) }
            dd {
                (counted(counts.runs, "run", "runs")) " by " (counted(counts.people, "person", "people")) " in "
                (counted(counts.teams, "team", "teams"))
                span.made {
                    @if stretch.to > stretch.from { (day(stretch.from)) " to " (day(stretch.to.plus(-1))) } @else { "no time as yet" }
                    @if days(counts) > 0 { ", spread over " (days(counts)) " days" }
                }
            }
        }
    }
}

fn left_out(compared: &Compared) -> String {
    let people = i64::try_from(compared.people_left_out()).unwrap_or(i64::MAX);
    let parts = [
        (compared.learning, "runs while the version was learnt"),
        (compared.unwatched, "runs too late to be watched as long as the others"),
        (compared.without_actor(), "runs that nobody is named for"),
        (people, "people beyond those that are compared"),
    ];
    let told: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))).collect();
    if told.is_empty() { "Nothing is left out.".to_owned() } else { format!("Left out: {}.", told.join(", ")) }
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Adoption => "Adoption",
        Metric::ErrorRate => "Error rate",
        Metric::FirstTimeRight => "First time right",
        Metric::CompletionTime => "Completion time, median",
    }
}

fn metrics(comparison: &Comparison, primary: Metric) -> Markup {
    let others = Metric::ALL.iter().copied().filter(|metric| *metric != primary);
    html! {
        table.parts role="table" {
            caption {
                "With 95 % intervals. Only the first was to decide, and was chosen beforehand: of four, one looks different by chance too often. "
                "Go by the last column, which allows for runs of one person being alike."
            }
            thead role="rowgroup" {
                tr role="row" {
                    @for heading in ["Figure", "Before", "After", "After against before"] {
                        th role="columnheader" scope="col" { (heading) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for metric in [primary].into_iter().chain(others) {
                    tr role="row" {
                        th role="rowheader" scope="row" { (name(metric)) @if metric == primary { span.made { "decides" } } }
                        @match comparison.share(metric) {
                            Some(impact) => (of_share(impact)),
                            None => (of_time(&comparison.completion_time)),
                        }
                    }
                }
            }
        }
    }
}

fn cell(label: &str, content: &Markup) -> Markup {
    html! { td role="cell" data-label=(label) { (content) } }
}

fn of_share(impact: &ShareImpact) -> Markup {
    let share = |of: Ratio| tables::value(Unit::Share, measure::ratio(of));
    let points = |value: f64| signed(value * 100.0);
    let difference = impact.difference.map(|effect| {
        sized(
            &format!("{} points", points(effect.value)),
            &format!("{} to {}", points(effect.interval.low), points(effect.interval.high)),
        )
    });
    html! {
        (cell("Before", &share(impact.before)))
        (cell("After", &share(impact.after)))
        (cell("After against before", &difference.unwrap_or_else(unknown)))
    }
}

fn of_time(impact: &TimeImpact) -> Markup {
    let time = |median: Option<f64>, runs: u64| {
        let said = median.map_or_else(|| "–".to_owned(), |micros| Unit::Duration.say(significant(micros) / 1e6));
        let told = if median.is_some() || runs == 0 { "" } else { "half take longer than runs are watched" };
        html! { (sized(&said, told)) span.made { "n = " (grouped(i64::try_from(runs).unwrap_or(i64::MAX))) } }
    };
    let ratio = impact.ratio.map(|Effect { value, interval, .. }| {
        sized(&format!("{value:.2} times as long"), &format!("{:.2} to {:.2} times", interval.low, interval.high))
    });
    let quicker = impact.quicker.map(|Effect { value, interval, .. }| {
        format!(
            "quicker in {} of pairs ({})",
            Unit::Share.say(value),
            Unit::Share.say_interval(interval.low, interval.high)
        )
    });
    html! {
        (cell("Before", &time(impact.before, impact.basis.before.runs)))
        (cell("After", &time(impact.after, impact.basis.after.runs)))
        (cell("After against before", &html! {
            (ratio.unwrap_or_else(unknown))
            @if let Some(quicker) = quicker { span.made { (quicker) } }
        }))
    }
}

fn sized(value: &str, made: &str) -> Markup {
    html! { span.value { (value) } @if !made.is_empty() { span.made { (made) } } }
}

fn unknown() -> Markup {
    html! { "–" }
}

/// A difference with its sign, as people write it.
fn signed(value: f64) -> String {
    let digits = format!("{:.1}", value.abs());
    match digits.as_str() {
        "0.0" => digits,
        _ if value < 0.0 => format!("−{digits}"),
        _ => format!("+{digits}"),
    }
}

/// The same for programs, in the names of the API; null where it takes too long.
pub fn told(waited: &Waited<Compared>, subject: &Subject) -> Value {
    let Waited::Known(compared) = waited else { return Value::Null };
    let comparison = compared.comparison.as_ref();
    let side = |stretch: Stretch, counts: &Counts| {
        json!({
            "from": stretch.from, "to": stretch.to, "runs": counts.runs, "people": counts.people, "teams": counts.teams,
            "days": days(counts),
        })
    };
    let lacks = |Shortfall { side, floor, has }: Shortfall| json!({"side": side.as_str(), "floor": floor.as_str(), "has": has, "needs": floor.least()});
    let share = |metric| comparison.and_then(|comparison| comparison.share(metric)).map(told_share);
    json!({
        "version": subject.label(compared.version.0),
        "predecessor": compared.windows.predecessor.and_then(|id| subject.label(id.0)),
        "mature": comparison.is_some(),
        "maturesAt": compared.windows.matures_at,
        "primaryMetric": compared.plan.primary,
        "verdict": comparison.map(|comparison| comparison.verdict(compared.plan.primary).as_str()),
        "summary": compared.summary,
        "before": side(compared.windows.before, &compared.before),
        "after": side(compared.windows.after, &compared.after),
        "leftOut": {
            "learning": compared.learning, "notWatched": compared.unwatched, "withoutActor": compared.without_actor(),
            "people": compared.people_left_out(),
        },
        "shortfalls": compared.basis().shortfalls().into_iter().map(lacks).collect::<Vec<_>>(),
        "adoption": share(Metric::Adoption),
        "errorRate": share(Metric::ErrorRate),
        "firstTimeRight": share(Metric::FirstTimeRight),
        "completionTime": comparison.map(|comparison| told_time(&comparison.completion_time)),
    })
}

fn told_share(impact: &ShareImpact) -> Value {
    let share = |of: Ratio| measure::ratio(of).map(|measure| files::figure(Unit::Share, &measure));
    json!({
        "before": share(impact.before), "after": share(impact.after), "difference": impact.difference.map(told_effect),
    })
}

fn told_time(impact: &TimeImpact) -> Value {
    let seconds = |median: Option<f64>| median.map(|micros| significant(micros) / 1e6);
    json!({
        "runsBefore": impact.basis.before.runs, "runsAfter": impact.basis.after.runs,
        "medianBeforeSeconds": seconds(impact.before), "medianAfterSeconds": seconds(impact.after),
        "ratio": impact.ratio.map(told_effect), "quicker": impact.quicker.map(told_effect),
    })
}

fn told_effect(effect: Effect) -> Value {
    json!({"value": effect.value, "interval": {"low": effect.interval.low, "high": effect.interval.high}})
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn differences_have_a_sign() {
        assert_eq!([0.04, -0.04, 3.21, -12.0].map(signed), ["0.0", "0.0", "+3.2", "−12.0"]);
    }
}
