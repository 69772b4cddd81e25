//! What a page shows, as files: CSV for spreadsheets, JSON for programs.

use csv::{Terminator, WriterBuilder};
use serde_json::{Map, Value, json};
use sopwith_domain::time::Timestamp;

use super::measure::{Line, Measure, Unit, lines};
use super::view::View;
use super::wanted::bucket_key;
use super::{comparison, diagnosis, tables};
use crate::app::board::Part;
use crate::error::{Error, Result};
use crate::export::guarded;
use crate::store::figures::Figures;

/// What a page is asked for as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Page,
    Csv,
    Json,
}

impl Form {
    /// The form that a path names, and the path without it.
    pub fn of(path: &str) -> (&str, Self) {
        let named =
            [Self::Csv, Self::Json].into_iter().find_map(|form| Some((path.strip_suffix(form.suffix())?, form)));
        named.unwrap_or((path, Self::Page))
    }

    /// What a path or a name of a file ends in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Page => "",
            Self::Csv => ".csv",
            Self::Json => ".json",
        }
    }

    /// What it is sent as.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }
}

/// The columns before those of the figures.
const COLUMNS: [&str; 11] =
    ["row", "from", "code", "name", "version", "runs", "open", "followed", "deviated", "notFollowed", "unknown"];

/// A table with a row for the total, for each point in time, and for each part.
///
/// # Errors
/// When it cannot be written.
pub fn csv(view: &View<'_>) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    let mut header: Vec<String> = COLUMNS.map(str::to_owned).to_vec();
    header.extend(lines().flat_map(|(unit, line)| columns(unit, line)));
    writer.write_record(&header).map_err(Error::internal)?;
    let none = Figures::default();
    let mut write = |row: &str, from: Option<Timestamp>, part: &Part, figures: &Figures| {
        let from = from.map(|at| at.to_string()).unwrap_or_default();
        let (code, name, version) = named(part);
        let tally = &figures.tally;
        let [followed, deviated, not_followed, unknown] =
            [tally.followed, tally.deviated, tally.not_followed, tally.unknown()].map(|n| n.to_string());
        let open = tally.open.to_string();
        let mut cells: Vec<String> = vec![row.to_owned(), from, code, name, version, tally.runs.to_string(), open];
        cells.extend([followed, deviated, not_followed, unknown]);
        cells.extend(lines().flat_map(|(unit, line)| values(unit, (line.read)(figures))));
        writer.write_record(cells.iter().map(|cell| guarded(cell))).map_err(Error::internal)
    };
    write("total", Some(view.asked.from), &Part::None, &view.board.total)?;
    for (at, figures) in view.course().points {
        write("time", Some(at), &Part::None, figures.unwrap_or(&none))?;
    }
    for (part, figures) in tables::ordered(view) {
        write(kind(view), None, part, figures)?;
    }
    writer.into_inner().map_err(Error::internal)
}

/// What a part is called in a row.
fn kind(view: &View<'_>) -> &'static str {
    if view.board.subject.is_some() { "version" } else { "sop" }
}

fn named(part: &Part) -> (String, String, String) {
    match part {
        Part::Sop(sop) => (sop.code.clone(), sop.title.clone(), String::new()),
        Part::Version(version) => (String::new(), String::new(), version.label.clone()),
        Part::None => Default::default(),
    }
}

/// Times say that they are seconds; a percentile has no numerator.
fn columns(unit: Unit, line: &Line) -> Vec<String> {
    let key = if unit == Unit::Duration { format!("{}Seconds", line.key) } else { line.key.to_owned() };
    let n = if unit == Unit::Duration { vec!["n"] } else { vec!["numerator", "denominator"] };
    let mut all = vec![key.clone(), format!("{key}_low"), format!("{key}_high")];
    all.extend(n.into_iter().map(|name| format!("{key}_{name}")));
    all
}

fn values(unit: Unit, measure: Option<Measure>) -> Vec<String> {
    let Some(measure) = measure else { return vec![String::new(); if unit == Unit::Duration { 4 } else { 5 }] };
    let mut all = [measure.value, measure.low, measure.high]
        // Where an interval has no end there is nothing to be said.
        .map(|value| if value.is_finite() { value.to_string() } else { String::new() })
        .to_vec();
    all.extend(measure.numerator.map(|n| n.to_string()));
    all.push(measure.n.to_string());
    all
}

/// The same as one object.
///
/// # Errors
/// When it cannot be written.
pub fn json(view: &View<'_>) -> Result<Vec<u8>> {
    let board = view.board;
    let over_time = view.course().points.into_iter().map(|(at, found)| {
        let mut of = told(found.unwrap_or(&Figures::default()));
        of.insert("from".to_owned(), json!(at));
        of
    });
    let parts = tables::ordered(view).into_iter().map(|(part, figures)| {
        let (code, name, version) = named(part);
        let text = |text: String| if text.is_empty() { Value::Null } else { Value::String(text) };
        let mut of = told(figures);
        if board.subject.is_some() {
            of.insert("version".to_owned(), text(version));
        } else {
            of.insert("sop".to_owned(), json!({"code": text(code), "title": text(name)}));
        }
        of
    });
    let mut shown = json!({
        "title": view.title(),
        "from": view.asked.from,
        "to": view.asked.to,
        "bucket": bucket_key(view.asked.bucket),
        "sop": board.subject.as_ref().map(|subject| json!({
            "code": subject.sop.code,
            "title": subject.sop.title,
            "versions": subject.versions.iter().map(|version| json!({
                "label": version.label, "from": version.from, "to": version.to,
            })).collect::<Vec<_>>(),
        })),
        "process": board.process.as_ref().map(|process| &process.key),
        "team": board.team.as_ref().map(|team| &team.key),
        "total": told(&board.total),
        "overTime": over_time.collect::<Vec<_>>(),
        "sideBySide": parts.collect::<Vec<_>>(),
    });
    if let (Some(insight), Some(subject)) = (view.insight, &board.subject) {
        shown["diagnosis"] = diagnosis::told(&insight.diagnosis, subject);
        shown["comparison"] = comparison::told(&insight.comparison, subject);
    }
    serde_json::to_vec_pretty(&shown).map_err(Error::internal)
}

fn told(figures: &Figures) -> Map<String, Value> {
    let tally = &figures.tally;
    let [followed, deviated, not_followed, unknown] =
        [tally.followed, tally.deviated, tally.not_followed, tally.unknown()];
    let mut all = Map::new();
    all.insert("runs".to_owned(), json!(tally.runs));
    all.insert("open".to_owned(), json!(tally.open));
    let adherence =
        json!({"followed": followed, "deviated": deviated, "notFollowed": not_followed, "unknown": unknown});
    all.insert("adherence".to_owned(), adherence);
    for (unit, line) in lines() {
        all.insert(line.key.to_owned(), (line.read)(figures).map_or(Value::Null, |measure| figure(unit, &measure)));
    }
    all
}

/// A figure with its interval and what it is made of.
pub fn figure(unit: Unit, measure: &Measure) -> Value {
    let (value, interval) = (measure.value, json!({"low": measure.low, "high": measure.high}));
    match (unit, measure.numerator) {
        (Unit::Duration, _) | (_, None) => json!({"seconds": value, "interval": interval, "n": measure.n}),
        (_, Some(numerator)) => {
            json!({"value": value, "interval": interval, "numerator": numerator, "denominator": measure.n})
        }
    }
}
