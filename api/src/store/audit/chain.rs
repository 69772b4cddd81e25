//! The chain as a whole: walked, compared with its head, and link by link for those who check it themselves.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use serde_json::{Value, json};
use sopwith_domain::access::Reach;
use sopwith_domain::audit::{Broken, Entry, GENESIS, Link, Walk};
use sopwith_domain::ids::{PersonId, SopId, TeamId};
use sopwith_domain::time::Timestamp;

use super::{AuditFilter, AuditRow, condition};
use crate::error::{Error, Result};
use crate::store::Connection;
use crate::store::entity::{audit_entry, audit_head};

/// What a walk over the whole chain found: its length, or where it is broken. `visit` is called with each entry that
/// continues it, and its hash.
///
/// # Errors
/// When the database does not answer.
pub async fn verify(
    db: &impl Connection,
    mut visit: impl FnMut(i64, &[u8; 32]),
) -> Result<std::result::Result<i64, Broken>> {
    const AT_ONCE: u64 = 1000;
    let mut walk = Walk::default();
    let mut last = i64::MIN;
    loop {
        let next = audit_entry::Entity::find().filter(audit_entry::Column::Seq.gt(last));
        let rows = next.order_by_asc(audit_entry::Column::Seq).limit(AT_ONCE).all(db).await?;
        for row in &rows {
            last = row.seq;
            if let Err(broken) = step(&mut walk, row) {
                return Ok(Err(broken));
            }
            visit(walk.at(), walk.hash());
        }
        if !rows.is_empty() {
            continue;
        }
        // The head is read after the entries: it may only be ahead of them by what was added meanwhile.
        let (end, hash) = head(db).await?.unwrap_or_default();
        let added = audit_entry::Entity::find().filter(audit_entry::Column::Seq.gt(last)).count(db).await?;
        if added == 0 {
            return Ok(walk.finish(end, &hash));
        }
    }
}

fn step(walk: &mut Walk, row: &AuditRow) -> std::result::Result<(), Broken> {
    // The value's text is part of what is kept: another spelling of the same value is a change too.
    let value = |text: &str| {
        let value: Option<Value> = serde_json::from_str(text).ok();
        value.filter(|value| value.to_string().as_str() == text).ok_or(Broken::Changed(row.seq))
    };
    walk.step(&entry(row, value(&row.old_value)?, value(&row.new_value)?), &row.hash)
}

/// An entry as the chain has it, with its two values.
fn entry(row: &AuditRow, old: Value, new: Value) -> Entry {
    Entry {
        seq: row.seq,
        at: Timestamp::from_micros(row.at),
        actor: row.actor_id.map(|id| PersonId(id).to_string()),
        on_behalf_of: row.on_behalf_of_id.map(|id| PersonId(id).to_string()),
        via: row.via.clone(),
        action: row.action.clone(),
        object: row.object.clone(),
        sop: row.sop_id.map(|id| SopId(id).to_string()),
        team: row.team_id.map(|id| TeamId(id).to_string()),
        old,
        new,
        reason: row.reason.clone(),
        request_id: row.request_id.clone(),
    }
}

/// What the head says: the number and the hash of the last entry. Within a transaction that appended, its own.
///
/// # Errors
/// When the database does not answer.
pub async fn head(db: &impl Connection) -> Result<Option<(i64, String)>> {
    Ok(audit_head::Entity::find_by_id(1).one(db).await?.map(|head| (head.seq, head.hash)))
}

/// The stored hash of an entry.
///
/// # Errors
/// When the database does not answer.
pub async fn hash_of(db: &impl Connection, seq: i64) -> Result<Option<String>> {
    Ok(audit_entry::Entity::find_by_id(seq).one(db).await?.map(|row| row.hash))
}

/// At most `limit` entries within reach, from one number to another, with the hashes that link them. They are shown as
/// they are stored, be the chain sound or not.
///
/// # Errors
/// When the database does not answer.
pub async fn links(db: &impl Connection, reach: &Reach, (from, to): (i64, i64), limit: u64) -> Result<Vec<Link>> {
    let within = condition(reach, &AuditFilter::default()).add(audit_entry::Column::Seq.between(from, to));
    let rows = audit_entry::Entity::find().filter(within).order_by_asc(audit_entry::Column::Seq).limit(limit);
    let rows = rows.all(db).await?;
    let mut hashes: HashMap<i64, String> = rows.iter().map(|row| (row.seq, row.hash.clone())).collect();
    let before = rows.iter().map(|row| row.seq.saturating_sub(1)).filter(|seq| !hashes.contains_key(seq));
    let before: Vec<i64> = before.collect();
    let others: Vec<(i64, String)> = audit_entry::Entity::find()
        .select_only()
        .columns([audit_entry::Column::Seq, audit_entry::Column::Hash])
        .filter(audit_entry::Column::Seq.is_in(before))
        .into_tuple()
        .all(db)
        .await?;
    hashes.extend(others);
    hashes.insert(0, hex::encode(GENESIS));
    let link = |row: &AuditRow| Link {
        entry: entry(row, shown(&row.old_value), shown(&row.new_value)),
        previous_hash: hashes.get(&row.seq.saturating_sub(1)).cloned(),
        hash: row.hash.clone(),
    };
    Ok(rows.iter().map(link).collect())
}

/// A value as it is stored. One that was made unreadable is shown for what it is, and fits no hash.
fn shown(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({ "unreadable": text }))
}

/// The entry that the chain was to have, when it no longer does.
///
/// # Errors
/// When the database does not answer, or the entry has another hash, or none.
pub async fn expect(db: &impl Connection, seq: i64, hash: &str) -> Result<()> {
    match hash_of(db, seq).await? {
        Some(stored) if stored == hash => Ok(()),
        Some(_) => Err(Error::internal(format!("entry {seq} of the audit chain has another hash than before"))),
        None => Err(Error::internal(format!("entry {seq} of the audit chain is gone"))),
    }
}

/// The number of the last entry, whatever the head says; 0 when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn end(db: &impl Connection) -> Result<i64> {
    let last = audit_entry::Entity::find().order_by_desc(audit_entry::Column::Seq).one(db).await?;
    Ok(last.map_or(0, |row| row.seq))
}
