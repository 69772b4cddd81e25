//! The numbers as tables: those of a chart, and of parts side by side.

use std::cmp::Ordering;

use maud::{Markup, html};
use sopwith_domain::calendar::Grain;

use super::chart::Course;
use super::measure::{Chart, Line, Measure, Unit, grouped, lines, measure};
use super::view::View;
use super::wanted::{Order, Wanted};
use super::{Form, Place, axis};
use crate::app::board::Part;
use crate::store::figures::Figures;

/// More parts than this are left to the downloads.
const MOST_PARTS: usize = 100;

/// The numbers of a chart, to be unfolded.
pub fn of_chart(chart: &Chart, course: &Course<'_>) -> Markup {
    let label = format!("{}-numbers", chart.key);
    html! {
        details {
            summary { "Numbers of “" (chart.title) "”" }
            // A table that is wider than the screen is scrolled by itself, by keys as well.
            div.scroll tabindex="0" role="region" aria-labelledby=(label) {
                table {
                    caption id=(label) { (chart.title) ", by time" }
                    thead {
                        tr {
                            th scope="col" { "Beginning" }
                            @for line in chart.lines {
                                th scope="col" { (line.name) }
                                th scope="col" { "95 % interval" }
                                th scope="col" { "Taken from" }
                            }
                        }
                    }
                    tbody {
                        @for (at, figures) in &course.points {
                            tr {
                                th scope="row" { (axis::name(course.zone, course.bucket, *at)) }
                                @for line in chart.lines { (cells(chart.unit, figures.and_then(line.read))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cells(unit: Unit, measure: Option<Measure>) -> Markup {
    html! {
        @match measure {
            Some(measure) => {
                td { (unit.say(measure.value)) }
                td { (unit.say_interval(measure.low, measure.high)) }
                td { (measure.of()) }
            }
            None => { td { "–" } td { "–" } td { "–" } }
        }
    }
}

/// Parts in the order that is asked for; versions in that in which they came into force. A few runs do not lead by
/// chance: what counts is the end of the interval that speaks against it.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn ordered<'a>(view: &View<'a>) -> Vec<&'a (Part, Figures)> {
    let mut all: Vec<_> = view.board.parts.iter().collect();
    if let Place::Sop(_) = view.place {
        all.sort_by_key(|(part, _)| if let Part::Version(version) = part { version.from.micros() } else { i64::MAX });
        return all;
    }
    let doubt = |figures: &Figures| match view.wanted.order {
        Order::Runs => Some(-figures.tally.runs as f64),
        Order::Adoption => measure(figures, "adoption").map(|m| m.high),
        Order::Time => measure(figures, "completionTimeP95").map(|m| -m.low),
        Order::Errors => measure(figures, "errorRate").map(|m| -m.low),
    };
    let by = |a: &&(Part, Figures), b: &&(Part, Figures)| match (doubt(&a.1), doubt(&b.1)) {
        (Some(x), Some(y)) => x.total_cmp(&y),
        (x, y) => y.is_some().cmp(&x.is_some()),
    };
    all.sort_by(|a, b| {
        by(a, b)
            .then(b.1.tally.runs.cmp(&a.1.tally.runs))
            .then_with(|| code(&a.0).cmp(code(&b.0)))
            .then(Ordering::Equal)
    });
    all
}

fn code(part: &Part) -> &str {
    if let Part::Sop(sop) = part { &sop.code } else { "" }
}

/// Parts side by side.
pub fn parts(view: &View<'_>) -> Markup {
    let all = ordered(view);
    let overview = *view.place == Place::Overview;
    let title = if overview { "SOPs side by side" } else { "Versions side by side" };
    html! {
        section aria-labelledby="parts" {
            h2 id="parts" { (title) }
            @if overview { (orders(view)) }
            // Roles are said again: where a screen is small, the rows become cards, and some readers would lose the table.
            table.parts role="table" {
                caption {
                    @if overview {
                        "With 95 % intervals, which also rule the order: a few runs do not lead by chance. The page of each says what ails it."
                    }
                    @else { "Of the runs that say, or are known by their time, which version was in force." }
                    @if all.len() > MOST_PARTS { " The first " (MOST_PARTS) " of " (all.len()) ": the downloads have all." }
                }
                thead role="rowgroup" {
                    tr role="row" {
                        th role="columnheader" scope="col" { @if overview { "SOP" } @else { "Version" } }
                        th role="columnheader" scope="col" { "Runs" }
                        @for (unit, line) in compared() { th role="columnheader" scope="col" { (heading(unit, line)) } }
                    }
                }
                tbody role="rowgroup" {
                    @for (part, figures) in all.iter().take(MOST_PARTS) { (row(view, part, figures)) }
                }
            }
        }
    }
}

fn compared() -> impl Iterator<Item = (Unit, &'static Line)> {
    lines().filter(|(_, line)| line.compared)
}

fn heading(unit: Unit, line: &Line) -> String {
    if unit == Unit::PerThousand { format!("{} per 1,000", line.name) } else { line.name.to_owned() }
}

fn orders(view: &View<'_>) -> Markup {
    let said = |order| match order {
        Order::Runs => "Most runs",
        Order::Adoption => "Least adopted",
        Order::Time => "Slowest",
        Order::Errors => "Most errors",
    };
    let to = |order| Wanted { order, ..view.wanted.clone() }.at(&view.place.path(Form::Page));
    html! {
        nav.times aria-label="Order" {
            ul {
                @for order in Order::ALL {
                    li {
                        a href=(format!("{}#parts", to(order))) aria-current=[(view.wanted.order == order).then_some("true")] {
                            (said(order))
                        }
                    }
                }
            }
        }
    }
}

fn row(view: &View<'_>, part: &Part, figures: &Figures) -> Markup {
    html! {
        tr role="row" {
            th role="rowheader" scope="row" { (name(view, part)) }
            td role="cell" data-label="Runs" { (grouped(figures.tally.runs)) }
            @for (unit, line) in compared() {
                td role="cell" data-label=(heading(unit, line)) { (value(unit, (line.read)(figures))) }
            }
        }
    }
}

fn name(view: &View<'_>, part: &Part) -> Markup {
    html! {
        @match part {
            Part::Sop(sop) => {
                @let to = Wanted { process: None, order: Order::default(), ..view.wanted.clone() };
                a href=(to.at(&Place::Sop(sop.code.clone()).path(Form::Page))) { span.code { (sop.code) } " " bdi { (sop.title) } }
            }
            Part::Version(version) => {
                "Version " (version.label)
                span.made { "in force from " (axis::name(view.asked.zone, Grain::Day, version.from)) }
                @if let Some(to) = version.to { span.made { "to " (axis::name(view.asked.zone, Grain::Day, to)) } }
            }
            Part::None if *view.place == Place::Overview => {
                "No SOP that you see"
                span.made { "runs of work without one in force" }
            }
            Part::None => "No version that is known",
        }
    }
}

/// A figure in a cell, or that there is none.
pub fn value(unit: Unit, measure: Option<Measure>) -> Markup {
    measure.map_or_else(|| html! { "–" }, |measure| figure(unit, &measure))
}

/// A figure with its interval and what it is made of.
pub fn figure(unit: Unit, measure: &Measure) -> Markup {
    html! {
        div.figure {
            span.value { (unit.say(measure.value)) }
            @if unit == Unit::Share { (bar(measure)) }
            span.made { (unit.say_interval(measure.low, measure.high)) }
            span.made { (measure.of()) }
        }
    }
}

/// A share between nothing and all, with its interval. The numbers stand beside it.
fn bar(measure: &Measure) -> Markup {
    let at = |share: f64| format!("{:.1}", share * 100.0);
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.track x="0" y="3" width="100" height="4" {}
            rect.interval x=(at(measure.low)) y="2" width=(at(measure.high - measure.low)) height="6" {}
            rect.tick x=(at(measure.value * 0.98)) y="0" width="2" height="10" {}
        }
    }
}
