//! A page of figures: numbers, charts, and parts side by side.

use std::collections::BTreeMap;

use maud::{Markup, html};
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::time::Timestamp;

use super::chart::{self, Course};
use super::html::{self, Reader};
use super::measure::{CHARTS, Chart, Measure, Unit, grouped, lines};
use super::wanted::Wanted;
use super::{Form, Place, axis, comparison, diagnosis, filters, tables};
use crate::app::board::{Asked, Board, Choices, InForce, Insight, Subject};
use crate::error::Result;
use crate::store::figures::Figures;

/// What a page shows, before it has a form.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub place: &'a Place,
    pub wanted: &'a Wanted,
    pub asked: &'a Asked,
    pub board: &'a Board,
    /// What is said of an SOP beside its figures.
    pub insight: Option<&'a Insight>,
}

impl View<'_> {
    /// The page.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn page(&self, reader: Reader<'_>, choices: &Choices) -> Result<Markup> {
        let main = html! {
            (self.heading())
            (filters::section(self, choices))
            @if self.board.total.tally.runs == 0 {
                (self.nothing())
            } @else {
                (totals(&self.board.total))
            }
            @if let (Some(insight), Some(subject)) = (self.insight, &self.board.subject) {
                (diagnosis::section(&insight.diagnosis, subject, self.asked.zone))
                (comparison::section(&insight.comparison, subject, self.asked.zone))
            }
            @if self.board.total.tally.runs > 0 {
                (self.charts()?)
                (tables::parts(self))
                (self.downloads())
            }
            (notes(self.asked.zone))
        };
        Ok(html::page(&self.title(), reader, &main))
    }

    /// What the page is about.
    pub fn title(&self) -> String {
        match &self.board.subject {
            Some(Subject { sop, .. }) => format!("{} {}", sop.code, sop.title),
            None => "Procedures at work".to_owned(),
        }
    }

    /// What a copy of what it shows may be called, without what the form adds.
    pub fn file_name(&self) -> String {
        let what = self.board.subject.as_ref().map_or("dashboard", |subject| &subject.sop.code);
        format!(
            "{what}-{}-{}",
            axis::name(self.asked.zone, Grain::Day, self.asked.from),
            axis::name(self.asked.zone, Grain::Day, self.last_day())
        )
    }

    /// The figures over time, with a place for those without runs.
    pub fn course(&self) -> Course<'_> {
        let Asked { zone, from, to, bucket, .. } = *self.asked;
        let known: BTreeMap<i64, &Figures> =
            self.board.series.iter().filter_map(|figures| Some((figures.group.bucket?, figures))).collect();
        let starts = axis::buckets(zone, bucket, from, to, usize::MAX - 1).into_iter();
        let points = starts.map(|at| (at, known.get(&at.micros()).copied())).collect();
        let within = |version: &&InForce| version.from >= from && version.from < to;
        let versions = self.versions().iter().filter(within).map(|version| (version.from, version.label.as_str()));
        Course { zone, from, to, bucket, points, versions: versions.collect() }
    }

    fn versions(&self) -> &[InForce] {
        self.board.subject.as_ref().map_or(&[], |subject| &subject.versions)
    }

    fn last_day(&self) -> Timestamp {
        self.asked.zone.start(Grain::Day, self.asked.to.plus(-1))
    }

    fn heading(&self) -> Markup {
        let day = |at| html! { time datetime=(axis::name(self.asked.zone, Grain::Day, at)) { (axis::name(self.asked.zone, Grain::Day, at)) } };
        html! {
            div.heading {
                @if let Some(subject) = &self.board.subject {
                    p.crumb { a href=(self.wanted.at("/dashboard")) { "All procedures" } }
                    h1 dir="auto" { span.code { (subject.sop.code) } " " (subject.sop.title) }
                    (facts(subject, self.asked.zone))
                } @else {
                    h1 { "Procedures at work" }
                }
                p.lead {
                    "Runs that started from " (day(self.asked.from)) " to " (day(self.last_day())) ", "
                    @match &self.board.team { Some(team) => { "by the team " bdi { (team.name) } }, None => "by all teams that you see" }
                    @if let Some(process) = &self.board.process { ", of the process " bdi { (process.name) } }
                    "."
                }
            }
        }
    }

    /// What to do where there is nothing to show.
    fn nothing(&self) -> Markup {
        let longer = Wanted { days: Some(365), from: None, to: None, bucket: None, ..self.wanted.clone() };
        let wider = Wanted { process: None, team: None, ..self.wanted.clone() };
        let path = self.place.path(Form::Page);
        html! {
            section.card.notice {
                h2 { "No runs to show" }
                p { "In this time there are no runs that you see." }
                ul {
                    @if self.wanted.days() != Some(365) { li { a href=(longer.at(&path)) { "Look at the last 365 days" } } }
                    @if &wider != self.wanted { li { a href=(wider.at(&path)) { "Look at all processes and teams" } } }
                    @if self.board.subject.as_ref().is_some_and(|subject| subject.versions.is_empty()) {
                        li { "No version of this SOP has come into force yet. Once one is published, runs are counted for it." }
                    }
                    li {
                        "If none was ever reported: an integration sends what really happened, by " code { "executionsRecord" }
                        " or " code { "POST /v1/executions" } ". Runs of training are not counted."
                    }
                }
            }
        }
    }

    fn charts(&self) -> Result<Markup> {
        let course = self.course();
        Ok(html! {
            section aria-labelledby="over-time" {
                h2 id="over-time" { "Over time" }
                div.charts { @for chart in CHARTS { (figure(chart, &course)?) } }
            }
        })
    }

    fn downloads(&self) -> Markup {
        let link = |form| self.wanted.at(&self.place.path(form));
        html! {
            section.downloads aria-labelledby="downloads" {
                h2 id="downloads" { "Take it with you" }
                p {
                    "The figures of this page, with numerators, denominators and intervals: "
                    a href=(link(Form::Csv)) download { "CSV for spreadsheets" } ", "
                    a href=(link(Form::Json)) download { "JSON for programs" }
                    @if self.insight.is_some() { ", which has the diagnosis and the comparison as well" } "."
                }
            }
        }
    }
}

fn facts(subject: &Subject, zone: Zone) -> Markup {
    let now = subject.in_force();
    html! {
        dl.facts {
            div { dt { "State" } dd { (subject.sop.state.to_lowercase().replace('_', " ")) } }
            @if let Some(version) = now {
                div { dt { "In force" } dd { "version " (version.label) " since " (axis::name(zone, Grain::Day, version.from)) } }
            }
            @if let Some(team) = &subject.team { div { dt { "Team" } dd { bdi { (team.name) } } } }
            @if let Some(owner) = &subject.owner { div { dt { "Owner" } dd { bdi { (owner) } } } }
            div { dt { "Risk" } dd { (subject.sop.risk.to_lowercase()) } }
        }
    }
}

fn totals(total: &Figures) -> Markup {
    html! {
        section aria-labelledby="totals" {
            h2 id="totals" { "In all of this time" }
            ul.tiles {
                li {
                    span.name { "Runs" }
                    span.value { (grouped(total.tally.runs)) }
                    span.made { (grouped(total.tally.open)) " of them still open" }
                }
                @for (unit, line) in lines() { (tile(line.name, unit, (line.read)(total))) }
            }
        }
    }
}

fn tile(name: &str, unit: Unit, measure: Option<Measure>) -> Markup {
    html! {
        li {
            span.name { (name) @if unit == Unit::PerThousand { " per 1,000 runs" } }
            @match measure {
                Some(measure) => {
                    span.value { (unit.say(measure.value)) }
                    span.made { (unit.say_interval(measure.low, measure.high)) }
                    span.made { (measure.of()) }
                }
                None => { span.value { "–" } span.made { "nothing to take it from" } }
            }
        }
    }
}

fn figure(chart: &Chart, course: &Course<'_>) -> Result<Markup> {
    let drawn = chart.lines.iter().any(|line| course.of(line).iter().any(|(_, measure)| measure.is_some()));
    let any = chart.lines.iter().any(|line| course.has(line));
    Ok(html! {
        figure.card id=(chart.key) {
            figcaption {
                h3 { (chart.title) }
                p { (chart.about) }
            }
            @if drawn {
                ul.legend {
                    @for (number, line) in chart.lines.iter().enumerate() { li { (chart::key(number)) (line.name) } }
                    li.band { "shaded: 95 % interval" }
                    @if chart::values(chart, course).by_ratio { li.band { "logarithmic scale" } }
                }
                (chart::drawings(chart, course)?)
            } @else if any {
                p.none { "Not reached: too many of the runs are open or were abandoned." }
            } @else {
                p.none { "Nothing to take it from in this time." }
            }
            @if any { (tables::of_chart(chart, course)) }
        }
    })
}

fn notes(zone: Zone) -> Markup {
    html! {
        footer.notes {
            p {
                "A run belongs to the time in which it started; times are those of " (zone) ", weeks begin on Monday. The first and the last "
                "point may stand for less than a whole one, and runs of late may still be open. Intervals are those at 95 %: "
                "the fewer runs, the wider. Runs of training are not counted."
            }
        }
    }
}
