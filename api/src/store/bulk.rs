//! Many rows in one statement, without a round trip or a piece of text for each: arrays on PostgreSQL, so that the
//! statement is the same for any number of rows and is prepared once; lists of values on SQLite.

use std::fmt::Write as _;

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

/// Values of a column, one for each row.
#[derive(Debug, Clone)]
pub(in crate::store) enum Column {
    /// Ids.
    Uuids(Vec<Uuid>),
    /// Ids, some of which are null.
    MaybeUuids(Vec<Option<Uuid>>),
    /// Texts.
    Texts(Vec<String>),
    /// Texts, some of which are null; the empty one is null too.
    MaybeTexts(Vec<Option<String>>),
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Whole numbers, some of which are null; the least of all is null too.
    MaybeNumbers(Vec<Option<i64>>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
}

/// A table of values that a statement reads from.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Rows {
    names: Vec<&'static str>,
    columns: Vec<Column>,
}

impl Rows {
    /// With another column. All columns are of one length.
    pub(in crate::store) fn with(mut self, name: &'static str, column: Column) -> Self {
        self.names.push(name);
        self.columns.push(column);
        self
    }

    /// A statement made of the parts around the table, which it can name `given`.
    pub(in crate::store) fn statement(self, backend: DbBackend, before: &str, after: &str) -> Statement {
        let (table, values) = if backend == DbBackend::Sqlite { self.listed() } else { self.arrays() };
        Statement::from_sql_and_values(backend, format!("{before} {table} {after}"), values)
    }

    /// An INSERT of all rows, with what follows it.
    pub(in crate::store) fn insert(self, backend: DbBackend, table: &str, after: &str) -> Statement {
        let names = self.names.join(", ");
        // Where SELECT is followed by ON CONFLICT, SQLite wants a WHERE to tell it from a join.
        self.statement(
            backend,
            &format!("INSERT INTO {table} ({names}) SELECT {names} FROM"),
            &format!("WHERE true {after}"),
        )
    }

    /// An UPDATE of all columns of the rows that have the same `key`, the first column.
    pub(in crate::store) fn update(self, backend: DbBackend, table: &str, key: &str) -> Statement {
        let set: Vec<String> = self.names.iter().skip(1).map(|name| format!("{name} = given.{name}")).collect();
        let before = format!("UPDATE {table} SET {} FROM", set.join(", "));
        self.statement(backend, &before, &format!("WHERE {table}.{key} = given.{key}"))
    }

    fn arrays(self) -> (String, Vec<Value>) {
        let (mut types, mut selected) = (Vec::new(), Vec::new());
        for (i, (name, column)) in self.names.iter().zip(&self.columns).enumerate() {
            types.push(format!("${}::{}[]", i + 1, column.sql_type()));
            // An array of the driver has no nulls: a value that is not used stands for them.
            selected.push(match column {
                Column::MaybeUuids(_) => format!("NULLIF({name}, '{}'::uuid) AS {name}", Uuid::nil()),
                Column::MaybeTexts(_) => format!("NULLIF({name}, '') AS {name}"),
                Column::MaybeNumbers(_) => format!("NULLIF({name}, {}) AS {name}", null_number()),
                _ => (*name).to_owned(),
            });
        }
        let (selected, types, names) = (selected.join(", "), types.join(", "), self.names.join(", "));
        let values = self.columns.into_iter().map(Column::array).collect();
        (format!("(SELECT {selected} FROM unnest({types}) AS array_row ({names})) AS given"), values)
    }

    fn listed(self) -> (String, Vec<Value>) {
        let mut columns: Vec<_> = self.columns.into_iter().map(|column| column.values().into_iter()).collect();
        let width = columns.len();
        let row = format!("({})", vec!["?"; width].join(", "));
        let (mut text, mut values) = (String::from("(SELECT "), Vec::new());
        for (i, name) in self.names.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}column{} AS {name}", i + 1);
        }
        text.push_str(" FROM (VALUES ");
        loop {
            let next: Vec<Value> = columns.iter_mut().filter_map(Iterator::next).collect();
            if next.len() < width || width == 0 {
                break;
            }
            if !values.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&row);
            values.extend(next);
        }
        text.push_str(")) AS given");
        (text, values)
    }
}

impl Column {
    fn sql_type(&self) -> &'static str {
        match self {
            Self::Uuids(_) | Self::MaybeUuids(_) => "uuid",
            Self::Texts(_) | Self::MaybeTexts(_) => "text",
            Self::Numbers(_) | Self::MaybeNumbers(_) => "bigint",
            Self::Bytes(_) => "bytea",
        }
    }

    fn array(self) -> Value {
        let (kind, values): (ArrayType, Vec<Value>) = match self {
            Self::Uuids(v) => (ArrayType::Uuid, v.into_iter().map(Value::from).collect()),
            Self::MaybeUuids(v) => (ArrayType::Uuid, v.into_iter().map(|id| id.unwrap_or_default().into()).collect()),
            Self::Texts(v) => (ArrayType::String, v.into_iter().map(Value::from).collect()),
            Self::MaybeTexts(v) => {
                (ArrayType::String, v.into_iter().map(|text| text.unwrap_or_default().into()).collect())
            }
            Self::Numbers(v) => (ArrayType::BigInt, v.into_iter().map(Value::from).collect()),
            Self::MaybeNumbers(v) => (ArrayType::BigInt, v.into_iter().map(|n| n.unwrap_or(i64::MIN).into()).collect()),
            Self::Bytes(v) => (ArrayType::Bytes, v.into_iter().map(Value::from).collect()),
        };
        Value::Array(kind, Some(Box::new(values)))
    }

    fn values(self) -> Vec<Value> {
        match self {
            Self::Uuids(v) => v.into_iter().map(Value::from).collect(),
            Self::MaybeUuids(v) => v.into_iter().map(Value::from).collect(),
            Self::Texts(v) => v.into_iter().map(Value::from).collect(),
            Self::MaybeTexts(v) => v.into_iter().map(Value::from).collect(),
            Self::Numbers(v) => v.into_iter().map(Value::from).collect(),
            Self::MaybeNumbers(v) => v.into_iter().map(Value::from).collect(),
            Self::Bytes(v) => v.into_iter().map(Value::from).collect(),
        }
    }
}

/// `i64::MIN` as PostgreSQL reads it: written out, its digits are too large before the sign is taken.
fn null_number() -> String {
    format!("({} - 1)", i64::MIN + 1)
}
