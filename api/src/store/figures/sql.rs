//! The statements behind figures, in the making.

use std::fmt::Write as _;

use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, QueryResult, Statement};
use sopwith_domain::access::Reach;
use sopwith_domain::time::{DAY, HOUR, SECOND};

use super::{Bucket, Dimension, Group, Question};
use crate::error::Result;
use crate::store::executions::FiguresReach;

/// A run belongs to the time in which it started; one without a start to that of its finish.
const COHORT: &str = "COALESCE(started_at, finished_at, received_at)";
impl Dimension {
    fn column(self) -> &'static str {
        match self {
            Self::Process => "process_id",
            Self::Sop => "sop_id",
            Self::Version => "version_id",
            Self::Team => "team_id",
        }
    }
}

impl Bucket {
    /// SQL for the first microsecond of the bucket of `at`.
    fn start(self, backend: DbBackend) -> String {
        // Both databases divide towards zero; before 1970 that is the wrong way.
        let floor = |at: &str, unit: i64| format!("({at} - (({at} % {unit}) + {unit}) % {unit})");
        let at = COHORT;
        match (self, backend) {
            (Self::Hour, _) => floor(at, HOUR),
            (Self::Day, _) => floor(at, DAY),
            // 1970-01-01 was a Thursday.
            (Self::Week, _) => format!("{} - {}", floor(&format!("({at} + {})", 3 * DAY), 7 * DAY), 3 * DAY),
            (Self::Month, DbBackend::Sqlite) => {
                format!(
                    "CAST(strftime('%s', strftime('%Y-%m-01', {} / 1000000, 'unixepoch')) AS INTEGER) * 1000000",
                    floor(at, SECOND)
                )
            }
            (Self::Month, _) => format!(
                "(EXTRACT(EPOCH FROM date_trunc('month', to_timestamp({} / 1000000) AT TIME ZONE 'UTC')))::bigint \
                 * 1000000",
                floor(at, SECOND)
            ),
        }
    }
}

/// What is grouped by, as SQL.
pub(super) struct Groups {
    /// For SELECT, with a comma behind each.
    pub(super) selected: String,
    /// The names given there.
    pub(super) names: Vec<&'static str>,
    /// Their positions.
    pub(super) numbers: String,
}

impl Groups {
    pub(super) fn read(&self, row: &QueryResult) -> Result<Group> {
        let id = |name: &str| -> Result<Option<Uuid>> {
            if self.names.contains(&name) { Ok(row.try_get("", name)?) } else { Ok(None) }
        };
        let bucket = if self.names.contains(&"bucket") { row.try_get("", "bucket")? } else { None };
        let (process, sop) = (id("process_id")?, id("sop_id")?);
        Ok(Group { process, sop, version: id("version_id")?, team: id("team_id")?, bucket })
    }
}

/// A statement in the making, with its values.
pub(super) struct Sql {
    backend: DbBackend,
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(backend: DbBackend) -> Self {
        Self { backend, text: String::new(), values: Vec::new() }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        if self.backend == DbBackend::Sqlite {
            self.text.push('?');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "${}", self.values.len());
        }
    }

    fn list(&mut self, values: &[Uuid]) {
        self.text("(");
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                self.text(", ");
            }
            self.value(*value);
        }
        self.text(")");
    }

    pub(super) fn groups(&self, question: &Question) -> Groups {
        let mut selected = String::new();
        let mut names = Vec::new();
        for dimension in &question.by {
            names.push(dimension.column());
            selected.push_str(dimension.column());
            selected.push_str(", ");
        }
        if let Some(bucket) = question.bucket {
            names.push("bucket");
            selected.push_str(&bucket.start(self.backend));
            selected.push_str(" AS bucket, ");
        }
        let numbers = (1..=names.len()).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
        Groups { selected, names, numbers }
    }

    pub(super) fn conditions(&mut self, who: &FiguresReach, question: &Question) {
        self.text("mode <> 'PRACTICE'");
        let equal = [
            ("process_id", question.process.map(|id| id.0)),
            ("sop_id", question.sop.map(|id| id.0)),
            ("version_id", question.version.map(|id| id.0)),
            ("team_id", question.team.map(|id| id.0)),
        ];
        for (column, id) in equal.into_iter().filter_map(|(column, id)| Some((column, id?))) {
            self.text(&format!(" AND {column} = "));
            self.value(id);
        }
        for (operator, at) in [(">=", question.from), ("<", question.to)] {
            if let Some(at) = at {
                self.text(&format!(" AND {COHORT} {operator} "));
                self.value(at.micros());
            }
        }
        if let Reach::Teams(teams) = &who.reach {
            let teams: Vec<Uuid> = teams.iter().map(|t| t.0).collect();
            self.text(" AND (sop_id IN (SELECT id FROM sop WHERE owner_id = ");
            self.value(who.person.0);
            if teams.is_empty() {
                self.text("))");
            } else {
                self.text(" OR team_id IN ");
                self.list(&teams);
                self.text(") OR process_id IN (SELECT id FROM process WHERE team_id IN ");
                self.list(&teams);
                self.text(") OR team_id IN ");
                self.list(&teams);
                self.text(")");
            }
        }
    }

    pub(super) fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}
