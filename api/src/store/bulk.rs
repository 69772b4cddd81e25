//! Many rows in one statement, without a round trip or a piece of text for each: arrays on PostgreSQL, so that the
//! statement is the same for any number of rows and is prepared once; lists of values on SQLite.

use std::fmt::Write as _;
use std::iter;
use std::ops::Range;

use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, BinOper, Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, DbBackend, Statement, Value};
use serde_json::json;
use uuid::Uuid;

use super::Connection;

/// Whether a column has one of these texts. Other than with a list of parameters, the statement is the same for any number
/// of them: the database prepares it once.
pub(in crate::store) fn among_texts<'a>(
    db: &impl Connection,
    column: impl ColumnTrait,
    texts: impl IntoIterator<Item = &'a str>,
) -> Expr {
    let texts: Vec<&str> = texts.into_iter().collect();
    if db.get_database_backend() == DbBackend::Postgres {
        let texts = texts.into_iter().map(Value::from).collect();
        return any(column, Value::Array(ArrayType::String, Some(Box::new(texts))));
    }
    listed(column, "value", &json!(texts))
}

/// Whether a column has one of these ids, as [`among_texts`].
pub(in crate::store) fn among_ids(
    db: &impl Connection,
    column: impl ColumnTrait,
    ids: impl IntoIterator<Item = Uuid>,
) -> Expr {
    if db.get_database_backend() == DbBackend::Postgres {
        let ids = ids.into_iter().map(Value::from).collect();
        return any(column, Value::Array(ArrayType::Uuid, Some(Box::new(ids))));
    }
    let ids: Vec<String> = ids.into_iter().map(|id| id.simple().to_string()).collect();
    listed(column, "unhex(value)", &json!(ids))
}

fn any(column: impl ColumnTrait, array: Value) -> Expr {
    Expr::col(column.as_column_ref()).eq(PgFunc::any(Expr::val(array)))
}

fn listed(column: impl ColumnTrait, read: &'static str, values: &serde_json::Value) -> Expr {
    let given = Expr::cust_with_values(format!("(SELECT {read} FROM json_each(?))"), [values.to_string()]);
    Expr::col(column.as_column_ref()).binary(BinOper::In, given)
}

/// Places of so many rows in portions of at most `most`. On SQLite, where a statement has a place for each value, each
/// portion is full or of a power of two: so few statements are prepared that they are kept.
pub(in crate::store) fn portions<C: Connection>(
    db: &C,
    rows: usize,
    most: usize,
) -> impl Iterator<Item = Range<usize>> + use<C> {
    parts(rows, most, db.get_database_backend() == DbBackend::Sqlite)
}

fn parts(rows: usize, most: usize, by_powers: bool) -> impl Iterator<Item = Range<usize>> {
    let mut done = 0;
    iter::from_fn(move || {
        let left = (rows - done).min(most);
        let part = if by_powers && left < most { 1 << left.checked_ilog2()? } else { left };
        done += part;
        (part > 0).then(|| done - part..done)
    })
}

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

    /// An INSERT of all rows, with what follows it. Where it fails, the transaction it is in must not go on.
    pub(in crate::store) fn insert(self, backend: DbBackend, table: &str, after: &str) -> Statement {
        let names = self.names.join(", ");
        // Where SELECT is followed by ON CONFLICT, SQLite wants a WHERE to tell it from a join.
        self.statement(
            backend,
            &format!("INSERT{} INTO {table} ({names}) SELECT {names} FROM", or_fail(backend)),
            &format!("WHERE true {after}"),
        )
    }

    /// An UPDATE of all columns of the rows that have the same `key`, the first column. Where it fails, as [`Self::insert`].
    pub(in crate::store) fn update(self, backend: DbBackend, table: &str, key: &str) -> Statement {
        let set: Vec<String> = self.names.iter().skip(1).map(|name| format!("{name} = given.{name}")).collect();
        let before = format!("UPDATE{} {table} SET {} FROM", or_fail(backend), set.join(", "));
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

/// So that SQLite need not be able to take back what a statement of many rows did before it failed, for which it copies each
/// page that it changes: the whole transaction is taken back then. References must be checked at the end for that too
/// (`m0028`). It copies them all the same where a trigger may refuse a row, or a row that is there is changed instead.
fn or_fail(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Sqlite { " OR FAIL" } else { "" }
}

/// `i64::MIN` as PostgreSQL reads it: written out, its digits are too large before the sign is taken.
fn null_number() -> String {
    format!("({} - 1)", i64::MIN + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_all_rows_in_their_order() {
        assert_eq!(parts(0, 4, false).next(), None);
        assert_eq!(parts(0, 4, true).next(), None);
        assert_eq!(parts(9, 4, false).collect::<Vec<_>>(), [0..4, 4..8, 8..9]);
        assert_eq!(parts(11, 1000, true).collect::<Vec<_>>(), [0..8, 8..10, 10..11]);
        assert_eq!(parts(8, 3, true).collect::<Vec<_>>(), [0..3, 3..6, 6..8]);
    }
}
