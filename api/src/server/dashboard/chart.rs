//! A chart as SVG, in the two widths that screens ask for. What it shows is told in words too, for those who do not see
//! it, and stands in the table beside it.

use maud::{Markup, PreEscaped, html};
use plotters::chart::ChartBuilder;
use plotters::coord::combinators::BindKeyPoints as _;
use plotters::drawing::IntoDrawingArea as _;
use plotters::element::Polygon;
use plotters::series::LineSeries;
use plotters::style::Color as _;
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::time::Timestamp;

use super::axis::{self, Values};
use super::measure::{Chart, Line, Measure, Unit};
use super::svg::{Canvas, Ink};
use crate::error::{Error, Result};
use crate::store::figures::Figures;

/// A drawing: its name on the page, its size in pixels, how many marks fit on the time axis, room for labels of values.
#[derive(Debug, Clone, Copy)]
struct Size {
    name: &'static str,
    pixels: (u32, u32),
    marks: usize,
    labels: u32,
}

/// For screens of desks, and of phones.
const SIZES: [Size; 2] = [
    Size { name: "wide", pixels: (600, 260), marks: 6, labels: 66 },
    Size { name: "narrow", pixels: (320, 240), marks: 3, labels: 62 },
];

/// The time that a page shows.
#[derive(Debug)]
pub struct Course<'a> {
    /// In whose days, weeks and months.
    pub zone: Zone,
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
    /// How it is divided.
    pub bucket: Grain,
    /// The figures of each bucket, with its first instant; nothing where there were no runs.
    pub points: Vec<(Timestamp, Option<&'a Figures>)>,
    /// What came into force within it, by its label.
    pub versions: Vec<(Timestamp, &'a str)>,
}

impl Course<'_> {
    /// The course of one figure, as far as it can be drawn: not where it is not reached.
    pub fn of(&self, line: &Line) -> Vec<(Timestamp, Option<Measure>)> {
        let drawn = |figures| (line.read)(figures).filter(|measure| measure.value.is_finite());
        self.points.iter().map(|(at, figures)| (*at, figures.and_then(drawn))).collect()
    }

    /// Whether there is something to take a figure from.
    pub fn has(&self, line: &Line) -> bool {
        self.points.iter().any(|(_, figures)| figures.and_then(line.read).is_some())
    }
}

/// A point of a line: when, where on the time axis, and what.
type Point = (Timestamp, i64, Measure);

/// The drawings of a chart, of which a screen shows one.
///
/// # Errors
/// When the library refuses to draw.
pub fn drawings(chart: &Chart, course: &Course<'_>) -> Result<Markup> {
    let drawn = SIZES.map(|size| drawing(chart, course, size));
    let [wide, narrow] = drawn;
    Ok(html! { (wide?) (narrow?) })
}

fn drawing(chart: &Chart, course: &Course<'_>, size: Size) -> Result<Markup> {
    let (width, height) = size.pixels;
    let id = |what: &str| format!("{}-{}-{what}", chart.key, size.name);
    let body = draw(chart, course, size)?;
    Ok(html! {
        svg.chart.(size.name) viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-labelledby=(format!("{} {}", id("title"), id("desc"))) {
            title id=(id("title")) { (chart.title) }
            desc id=(id("desc")) { (told(chart, course)) }
            (PreEscaped(body))
        }
    })
}

/// What a chart shows, in words.
fn told(chart: &Chart, course: &Course<'_>) -> String {
    let mut all = vec![format!("{} points over time.", course.points.len())];
    for line in chart.lines {
        let known: Vec<(Timestamp, Measure)> =
            course.of(line).into_iter().filter_map(|(at, measure)| Some((at, measure?))).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else {
            all.push(format!("{}: {}.", line.name, if course.has(line) { "not reached" } else { "no values" }));
            continue;
        };
        let say = |(at, measure): &(Timestamp, Measure)| {
            format!("{} at {}", chart.unit.say(measure.value), axis::name(course.zone, course.bucket, *at))
        };
        let by_value = |a: &&(Timestamp, Measure), b: &&(Timestamp, Measure)| a.1.value.total_cmp(&b.1.value);
        let (low, high) =
            (known.iter().min_by(by_value).unwrap_or(first), known.iter().max_by(by_value).unwrap_or(first));
        let (first, last, low, high) = (say(first), say(last), say(low), say(high));
        all.push(format!("{}: first {first}, last {last}, lowest {low}, highest {high}.", line.name));
    }
    for (at, label) in &course.versions {
        all.push(format!("Version {label} came into force on {}.", axis::name(course.zone, Grain::Day, *at)));
    }
    all.push("The numbers are in the table of this chart.".to_owned());
    all.join(" ")
}

/// Unbroken stretches of a line.
fn stretches(course: &Course<'_>, line: &Line) -> Vec<Vec<Point>> {
    let mut all: Vec<Vec<Point>> = vec![Vec::new()];
    for (at, measure) in course.of(line) {
        match (measure, all.last_mut()) {
            (Some(measure), Some(stretch)) => {
                let x = axis::middle(course.zone, course.bucket, at, course.from, course.to).micros();
                stretch.push((at, x, measure));
            }
            _ => all.push(Vec::new()),
        }
    }
    all.retain(|stretch| !stretch.is_empty());
    all
}

/// The axis of values: beyond all values, but not beyond every interval, since that of a few runs reaches far.
pub fn values(chart: &Chart, course: &Course<'_>) -> Values {
    let all = || chart.lines.iter().flat_map(|line| course.of(line)).filter_map(|(_, measure)| measure);
    let (value, interval) = (all().map(|m| m.value).fold(0.0, f64::max), all().map(|m| m.high).fold(0.0, f64::max));
    let lowest = all().map(|m| m.value).fold(f64::INFINITY, f64::min);
    Values::of(chart.unit, lowest, interval.min(value * 1.5).max(value))
}

fn draw(chart: &Chart, course: &Course<'_>, size: Size) -> Result<String> {
    let lines: Vec<_> = chart.lines.iter().map(|line| stretches(course, line)).collect();
    let values = values(chart, course);
    let (bottom, top) = values.ends();
    let times = axis::marks(course.zone, course.bucket, course.from, course.to, size.marks);
    let mut out = String::new();
    let overlay = {
        let area = Canvas { size: size.pixels, out: &mut out }.into_drawing_area();
        let across = (course.from.micros()..course.to.micros())
            .with_key_points(times.iter().map(|(at, _)| at.micros()).collect());
        let marks = values.marks.iter().map(|value| values.height(*value)).collect();
        let up = (values.height(bottom)..values.height(top)).with_key_points(marks);
        let mut drawn = ChartBuilder::on(&area)
            .margin_top(if course.versions.is_empty() { 10 } else { 36 })
            .margin_right(14)
            .x_label_area_size(26)
            .y_label_area_size(size.labels)
            .build_cartesian_2d(across, up)
            .map_err(Error::internal)?;
        let time = |x: &i64| {
            let mark = times.iter().find(|(at, _)| at.micros() == *x);
            mark.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        let value = |y: &i64| {
            let mark = values.marks.iter().find(|value| values.height(**value) == *y);
            mark.map(|value| on_axis(chart.unit, *value)).unwrap_or_default()
        };
        drawn
            .configure_mesh()
            .disable_x_mesh()
            .max_light_lines(0)
            .axis_style(Ink::Axis)
            .bold_line_style(Ink::Grid)
            .label_style(("sans-serif", 12, &Ink::Label))
            .x_label_formatter(&time)
            .y_label_formatter(&value)
            .draw()
            .map_err(Error::internal)?;
        for (number, stretch) in numbered(&lines) {
            let high = stretch.iter().map(|(_, x, m)| (*x, values.height(m.high)));
            let low = stretch.iter().rev().map(|(_, x, m)| (*x, values.height(m.low)));
            let band = Polygon::new(high.chain(low).collect::<Vec<_>>(), Ink::Band(number).filled());
            drawn.draw_series([band]).map_err(Error::internal)?;
        }
        for (number, stretch) in numbered(&lines) {
            let path = stretch.iter().map(|(_, x, m)| (*x, values.height(m.value)));
            drawn.draw_series(LineSeries::new(path, Ink::Line(number))).map_err(Error::internal)?;
        }
        let place = |x: i64, y: f64| drawn.plotting_area().map_coordinate(&(x, values.height(y)));
        html! {
            (versions(course, |at| (place(at, bottom), place(at, top))))
            @for (number, stretch) in numbered(&lines) {
                @for (at, x, measure) in stretch {
                    (spot(number, place(*x, measure.value), Some(&said(chart, number, course, *at, measure))))
                }
            }
        }
    };
    out.push_str(&overlay.into_string());
    Ok(out)
}

/// Every stretch with the number of its line.
fn numbered(lines: &[Vec<Vec<Point>>]) -> impl Iterator<Item = (u8, &Vec<Point>)> {
    (0_u8..).zip(lines).flat_map(|(number, stretches)| stretches.iter().map(move |stretch| (number, stretch)))
}

fn on_axis(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Share => format!("{:.0} %", value * 100.0),
        Unit::Duration => unit.say(value),
        Unit::PerThousand => format!("{value:.0}"),
    }
}

/// What is said of a point to those who point at it.
fn said(chart: &Chart, number: u8, course: &Course<'_>, at: Timestamp, measure: &Measure) -> String {
    let name = chart.lines.get(usize::from(number)).map_or(chart.title, |line| line.name);
    let (value, interval) = (chart.unit.say(measure.value), chart.unit.say_interval(measure.low, measure.high));
    format!("{}: {name} {value} ({interval}), {}", axis::name(course.zone, course.bucket, at), measure.of())
}

/// A point that can be pointed at. Lines are told apart by its form as well.
fn spot(number: u8, (x, y): (i32, i32), said: Option<&str>) -> Markup {
    let title = html! { @if let Some(said) = said { title { (said) } } };
    html! {
        @if number == 0 {
            circle.spot-0 cx=(x) cy=(y) r="3" { (title) }
        } @else {
            rect.spot-1 x=(x - 3) y=(y - 3) width="6" height="6" { (title) }
        }
    }
}

/// Where versions came into force. Labels of neighbours stand above each other.
fn versions(course: &Course<'_>, place: impl Fn(i64) -> ((i32, i32), (i32, i32))) -> Markup {
    const APART: i32 = 44;
    let mut last = i32::MIN;
    let mut marks = Vec::new();
    for (at, label) in &course.versions {
        let ((x, bottom), (_, top)) = place(at.micros());
        let beside = x.saturating_sub(last) >= APART;
        if beside {
            last = x;
        }
        marks.push((x, bottom, top - if beside { 6 } else { 20 }, label));
    }
    html! {
        @for (x, bottom, above, label) in marks {
            line.version x1=(x) y1=(bottom) x2=(x) y2=(above + 2) {}
            text.version x=(x) y=(above) text-anchor="middle" { "v " (label) }
        }
    }
}

/// How a line looks, beside its name.
pub fn key(number: usize) -> Markup {
    let number = u8::try_from(number).unwrap_or(1);
    html! {
        svg.key viewBox="0 0 32 12" aria-hidden="true" {
            polyline class=(format!("line-{number}")) points="1,6 31,6" {}
            (spot(number, (16, 6), None))
        }
    }
}
