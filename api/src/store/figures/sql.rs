//! A statement in the making, with its values.

use std::fmt::Write as _;

use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, Statement};
use sopwith_domain::access::Reach;

use super::Question;
use crate::store::executions::FiguresReach;

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

    pub(super) fn backend(&self) -> DbBackend {
        self.backend
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    pub(super) fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn value(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        if self.backend == DbBackend::Sqlite {
            self.text.push('?');
        } else {
            // Writing to a String cannot fail.
            let _ = write!(self.text, "${}", self.values.len());
        }
    }

    /// Values between brackets, of which there is at least one.
    pub(super) fn list<T: Into<Value>>(&mut self, values: impl IntoIterator<Item = T>) {
        self.text("(");
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.text(", ");
            }
            self.value(value);
        }
        self.text(")");
    }

    /// What keeps SQLite from looking executions up by their SOP or process, where it is to do so by time: it knows
    /// nothing of how many there are. PostgreSQL does.
    pub(super) fn by_time(&self) -> &'static str {
        if self.is_postgres() { "" } else { "+" }
    }

    /// What is asked for, apart from its time, and within reach: of anything that has the four columns. `unindexed` is
    /// put before columns that no index is to be used for.
    pub(super) fn conditions(&mut self, who: &FiguresReach, question: &Question, unindexed: &str) {
        let equal = [
            ("process_id", question.process.map(|id| id.0)),
            ("sop_id", question.sop.map(|id| id.0)),
            ("version_id", question.version.map(|id| id.0)),
            ("team_id", question.team.map(|id| id.0)),
        ];
        for (column, id) in equal.into_iter().filter_map(|(column, id)| Some((column, id?))) {
            self.text(&format!(" AND {unindexed}{column} = "));
            self.value(id);
        }
        if let Reach::Teams(teams) = &who.reach {
            let teams: Vec<Uuid> = teams.iter().map(|t| t.0).collect();
            self.text(" AND (sop_id IN (");
            self.sops(who, &teams);
            self.text(")");
            if !teams.is_empty() {
                self.text(" OR process_id IN (");
                self.processes(&teams);
                self.text(") OR team_id IN ");
                self.list(teams.iter().copied());
            }
            self.text(")");
        }
    }

    /// Selects the SOPs whose figures somebody reads.
    pub(super) fn sops(&mut self, who: &FiguresReach, teams: &[Uuid]) {
        self.text("SELECT id FROM sop WHERE owner_id = ");
        self.value(who.person.0);
        if !teams.is_empty() {
            self.text(" OR team_id IN ");
            self.list(teams.iter().copied());
        }
    }

    /// Selects the processes of these teams.
    pub(super) fn processes(&mut self, teams: &[Uuid]) {
        self.text("SELECT id FROM process WHERE team_id IN ");
        self.list(teams.iter().copied());
    }

    pub(super) fn statement(self) -> Statement {
        Statement::from_sql_and_values(self.backend, self.text, self.values)
    }
}
