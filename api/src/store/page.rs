//! Keyset paging: a page is what lies after or before a place in an order, so it stays true while rows come and go.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Cond;
use sea_orm::{Order, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};
use sopwith_domain::error::Refusal;

use super::Connection;
use crate::error::Result;

/// A place in an order: the sort key of a row and its id, which settles ties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The sort key.
    pub key: Key,
    /// The id.
    pub id: Uuid,
}

/// A sort key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// A number or an instant.
    Number(i64),
    /// A text.
    Text(String),
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// How many rows at most.
    pub limit: u64,
    /// Only those after this place.
    pub after: Option<Place>,
    /// Only those before this place.
    pub before: Option<Place>,
    /// The last of them rather than the first.
    pub backwards: bool,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Its rows, in order.
    pub rows: Vec<T>,
    /// Whether there are rows before it.
    pub has_previous: bool,
    /// Whether there are rows after it.
    pub has_next: bool,
}

/// A page in the order of a column, and of `tie` between rows where the column is the same.
///
/// # Errors
/// When the database does not answer.
pub async fn list<E: EntityTrait>(
    db: &impl Connection,
    select: Select<E>,
    (column, tie): (E::Column, Option<E::Column>),
    descending: bool,
    window: &Window,
) -> Result<Page<E::Model>> {
    // What lies beyond a place, `onwards` in the direction of the list or against it.
    let beyond = |place: &Place, onwards: bool| {
        let further = |column: E::Column, value: Value| {
            if onwards == descending { column.lt(value) } else { column.gt(value) }
        };
        let key = match &place.key {
            Key::Number(n) => Value::from(*n),
            Key::Text(t) => Value::from(t.clone()),
        };
        let any = Cond::any().add(further(column, key.clone()));
        match tie {
            Some(tie) => any.add(Cond::all().add(column.eq(key)).add(further(tie, place.id.into()))),
            None => any,
        }
    };
    let mut select = select;
    for (name, place) in [("after", &window.after), ("before", &window.before)] {
        if let Some(place) = place {
            check(name, place, column)?;
            select = select.filter(beyond(place, name == "after"));
        }
    }
    let order = if descending == window.backwards { Order::Asc } else { Order::Desc };
    let select = std::iter::once(column).chain(tie).fold(select, |s, column| s.order_by(column, order.clone()));
    Ok(finish(select.limit(window.limit + 1).all(db).await?, window))
}

/// Refuses a cursor that was made for another list.
fn check<C: ColumnTrait>(name: &str, place: &Place, column: C) -> Result<()> {
    let number = matches!(column.def().get_column_type(), ColumnType::BigInteger);
    let fits = match &place.key {
        Key::Number(_) => number,
        Key::Text(text) => !number && !text.contains('\0'),
    };
    if fits { Ok(()) } else { Err(Refusal::invalid(name, "this is not a cursor of this list").into()) }
}

fn finish<T>(mut rows: Vec<T>, window: &Window) -> Page<T> {
    let more = rows.len() as u64 > window.limit;
    rows.truncate(usize::try_from(window.limit).unwrap_or(usize::MAX));
    if window.backwards {
        rows.reverse();
        Page { rows, has_previous: more, has_next: window.before.is_some() }
    } else {
        Page { rows, has_previous: window.after.is_some(), has_next: more }
    }
}
