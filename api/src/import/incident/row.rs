//! One row: its columns found by name and read into values.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use csv::ByteRecord;
use sopwith_domain::time::Timestamp;

use super::RejectedRow;

/// What stands for a value that nobody entered.
const MISSING: &str = "?";

/// The columns that go into attributes as they are.
const ATTRIBUTES: [&str; 7] = ["closed_code", "contact_type", "impact", "knowledge", "location", "priority", "urgency"];

/// The columns that have a meaning of their own.
const READ: [&str; 15] = [
    "number",
    "incident_state",
    "reassignment_count",
    "reopen_count",
    "sys_mod_count",
    "made_sla",
    "opened_at",
    "sys_updated_at",
    "category",
    "subcategory",
    "assignment_group",
    "assigned_to",
    "resolved_by",
    "resolved_at",
    "closed_at",
];

/// A category and a subcategory, each if entered.
pub type Category = (Option<String>, Option<String>);

/// What rows are ordered by: see [`Event::rank`].
pub type Rank = (u32, Option<Timestamp>, u64);

/// A row that could be read.
#[derive(Debug)]
pub struct Row {
    /// Names the incident.
    pub number: String,
    /// What counts from every row.
    pub event: Event,
    /// What counts from the last row only.
    pub facts: Facts,
}

/// What every row of an incident tells of its course.
#[derive(Debug)]
pub struct Event {
    /// How many changes came before.
    pub revision: u32,
    /// When this change was made.
    pub updated_at: Option<Timestamp>,
    /// Where in the file it stands.
    pub line: u64,
    /// The state the incident was in.
    pub state: Option<String>,
    /// The category it had.
    pub category: Option<String>,
    /// The group it was with.
    pub group: Option<String>,
    /// Who was working on it.
    pub assigned_to: Option<String>,
    /// Who resolved it.
    pub resolved_by: Option<String>,
}

impl Event {
    /// What the rows of an incident are ordered by. The log numbers the changes by `sys_mod_count`; where two rows
    /// have the same number, the later change is the later row, and after that the one further down in the file.
    pub fn rank(&self) -> Rank {
        (self.revision, self.updated_at, self.line)
    }
}

/// What holds of the incident as a whole, as one row has it.
#[derive(Debug)]
pub struct Facts {
    /// When somebody reported it.
    pub opened_at: Option<Timestamp>,
    /// When it was solved.
    pub resolved_at: Option<Timestamp>,
    /// When it was put away.
    pub closed_at: Option<Timestamp>,
    /// What it is about.
    pub category: Category,
    /// Whether it kept within its service level.
    pub made_sla: Option<bool>,
    /// Whether a knowledge article was used.
    pub knowledge: Option<bool>,
    /// How often it was opened again or passed on.
    pub rework: i32,
    /// Other columns as they are, without the missing.
    pub attributes: BTreeMap<String, String>,
}

/// What is wrong with a row.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// Fields were lost or added.
    #[error("it has {found} fields, the header {expected}")]
    Length {
        /// As the header has it.
        expected: usize,
        /// As the row has it.
        found: usize,
    },
    /// A value is of the wrong kind.
    #[error("column {column}: '{value}' is not {expected}")]
    Value {
        /// The column's name.
        column: &'static str,
        /// What is there.
        value: String,
        /// What should be.
        expected: &'static str,
    },
}

/// Where the columns are.
#[derive(Debug)]
pub struct Columns {
    places: BTreeMap<&'static str, usize>,
    width: usize,
}

impl Columns {
    /// Finds the columns in a header, or names those that are not there. Others are of no interest.
    pub fn find(header: &ByteRecord) -> Result<Self, Vec<&'static str>> {
        let place = |name: &str| header.iter().position(|field| field.trim_ascii() == name.as_bytes());
        let (mut places, mut missing) = (BTreeMap::new(), Vec::new());
        for name in READ.into_iter().chain(ATTRIBUTES) {
            match place(name) {
                Some(at) => _ = places.insert(name, at),
                None => missing.push(name),
            }
        }
        if missing.is_empty() { Ok(Self { places, width: header.len() }) } else { Err(missing) }
    }

    /// Reads the record that begins on a line.
    pub fn row(&self, line: u64, record: &ByteRecord) -> Result<Row, RejectedRow> {
        let fields = Fields { columns: self, record };
        fields.row(line).map_err(|why| {
            let number = fields.text("number").ok().flatten();
            RejectedRow { line, number, reason: why.to_string() }
        })
    }
}

/// The fields of one record by name of their column.
struct Fields<'a> {
    columns: &'a Columns,
    record: &'a ByteRecord,
}

impl Fields<'_> {
    fn row(&self, line: u64) -> Result<Row, RowError> {
        let (expected, found) = (self.columns.width, self.record.len());
        if expected != found {
            return Err(RowError::Length { expected, found });
        }
        let number = self.text("number")?.ok_or_else(|| self.wrong("number", "the number of an incident"))?;
        Ok(Row { number, event: self.event(line)?, facts: self.facts()? })
    }

    fn event(&self, line: u64) -> Result<Event, RowError> {
        Ok(Event {
            revision: self.count("sys_mod_count")?,
            updated_at: self.instant("sys_updated_at")?,
            line,
            state: self.text("incident_state")?,
            category: self.text("category")?,
            group: self.text("assignment_group")?,
            assigned_to: self.text("assigned_to")?,
            resolved_by: self.text("resolved_by")?,
        })
    }

    fn facts(&self) -> Result<Facts, RowError> {
        let rework = self.count("reopen_count")?.saturating_add(self.count("reassignment_count")?);
        let mut attributes = BTreeMap::new();
        for name in ATTRIBUTES {
            attributes.extend(self.text(name)?.map(|value| (name.to_owned(), value)));
        }
        Ok(Facts {
            opened_at: self.instant("opened_at")?,
            resolved_at: self.instant("resolved_at")?,
            closed_at: self.instant("closed_at")?,
            category: (self.text("category")?, self.text("subcategory")?),
            made_sla: self.flag("made_sla")?,
            knowledge: self.flag("knowledge")?,
            rework: i32::try_from(rework).unwrap_or(i32::MAX),
            attributes,
        })
    }

    fn bytes(&self, column: &str) -> &[u8] {
        let place = self.columns.places.get(column);
        place.and_then(|at| self.record.get(*at)).unwrap_or_default().trim_ascii()
    }

    fn wrong(&self, column: &'static str, expected: &'static str) -> RowError {
        let value = String::from_utf8_lossy(self.bytes(column)).chars().take(100).collect();
        RowError::Value { column, value, expected }
    }

    fn text(&self, column: &'static str) -> Result<Option<String>, RowError> {
        let text = std::str::from_utf8(self.bytes(column)).map_err(|_| self.wrong(column, "UTF-8"))?;
        Ok(Some(text).filter(|text| !text.is_empty() && *text != MISSING).map(str::to_owned))
    }

    fn read<T>(
        &self,
        column: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, RowError> {
        let parsed = self.text(column)?.map(|text| parse(&text).ok_or_else(|| self.wrong(column, expected)));
        parsed.transpose()
    }

    /// A count is never missing: it begins at 0.
    fn count(&self, column: &'static str) -> Result<u32, RowError> {
        let expected = "a whole number from 0";
        self.read(column, expected, |text| text.parse().ok())?.ok_or_else(|| self.wrong(column, expected))
    }

    fn flag(&self, column: &'static str) -> Result<Option<bool>, RowError> {
        self.read(column, "true, false or ?", |text| text.parse().ok())
    }

    /// Times have no zone in the log; they are taken as UTC.
    fn instant(&self, column: &'static str) -> Result<Option<Timestamp>, RowError> {
        let parse = |text: &str| NaiveDateTime::parse_from_str(text, "%d/%m/%Y %H:%M").ok();
        self.read(column, "a time as d/m/yyyy HH:MM or ?", |text| parse(text).map(|at| at.and_utc().into()))
    }
}
