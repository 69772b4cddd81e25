//! The audit chain.

mod chain;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Cond;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use sopwith_domain::access::Reach;
use sopwith_domain::audit::Entry;
use sopwith_domain::ids::{PersonId, SopId, TeamId};
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::{audit_entry, audit_head};
use super::page::{self, Page, Window};
use crate::error::{Error, Result};

pub use audit_entry::Model as AuditRow;
pub use chain::{end, expect, head, links, verify};

/// An entry to be, before it has a place in the chain.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// When.
    pub at: Timestamp,
    /// Who; nobody for the clock.
    pub actor: Option<PersonId>,
    /// Whom the actor stood in for.
    pub on_behalf_of: Option<PersonId>,
    /// How it came in.
    pub via: &'static str,
    /// What was done.
    pub action: &'static str,
    /// To what.
    pub object: String,
    /// The SOP that it belongs to.
    pub sop: Option<SopId>,
    /// The team that it belongs to.
    pub team: Option<TeamId>,
    /// What was before.
    pub old: serde_json::Value,
    /// What is now.
    pub new: serde_json::Value,
    /// Why.
    pub reason: Option<String>,
    /// The request that brought it.
    pub request_id: String,
}

/// Adds entries to the chain. To be called last in a transaction: it locks the head until the end.
///
/// # Errors
/// When the database does not answer.
pub async fn append(db: &impl Connection, entries: Vec<NewEntry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let head = audit_head::Entity::find_by_id(1).lock_exclusive().one(db).await?;
    let head = head.ok_or_else(|| Error::internal("the audit chain has no head"))?;
    let mut seq = head.seq;
    let mut hash = bytes(&head.hash)?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        seq += 1;
        let chained = chained(seq, &entry);
        hash = chained.hash(&hash);
        rows.push(row(entry, seq, hex::encode(hash)));
    }
    audit_entry::Entity::insert_many(rows).exec_without_returning(db).await?;
    let head = audit_head::ActiveModel { id: Set(1), seq: Set(seq), hash: Set(hex::encode(hash)) };
    head.update(db).await?;
    Ok(())
}

fn chained(seq: i64, entry: &NewEntry) -> Entry {
    Entry {
        seq,
        at: entry.at,
        actor: entry.actor.map(|p| p.to_string()),
        on_behalf_of: entry.on_behalf_of.map(|p| p.to_string()),
        via: entry.via.to_owned(),
        action: entry.action.to_owned(),
        object: entry.object.clone(),
        sop: entry.sop.map(|s| s.to_string()),
        team: entry.team.map(|t| t.to_string()),
        old: entry.old.clone(),
        new: entry.new.clone(),
        reason: entry.reason.clone(),
        request_id: entry.request_id.clone(),
    }
}

fn row(entry: NewEntry, seq: i64, hash: String) -> audit_entry::ActiveModel {
    audit_entry::ActiveModel {
        seq: Set(seq),
        at: Set(entry.at.micros()),
        actor_id: Set(entry.actor.map(|p| p.0)),
        on_behalf_of_id: Set(entry.on_behalf_of.map(|p| p.0)),
        via: Set(entry.via.to_owned()),
        action: Set(entry.action.to_owned()),
        object: Set(entry.object),
        sop_id: Set(entry.sop.map(|s| s.0)),
        team_id: Set(entry.team.map(|t| t.0)),
        old_value: Set(entry.old.to_string()),
        new_value: Set(entry.new.to_string()),
        reason: Set(entry.reason),
        request_id: Set(entry.request_id),
        hash: Set(hash),
    }
}

fn bytes(hash: &str) -> Result<[u8; 32]> {
    let mut out = [0; 32];
    hex::decode_to_slice(hash, &mut out).map_err(|_| Error::internal("a hash in the audit chain is malformed"))?;
    Ok(out)
}

/// The entries of some actions on some objects, oldest first, whoever asks.
///
/// # Errors
/// When the database does not answer.
pub async fn of_objects(db: &impl Connection, objects: &[String], actions: &[&str]) -> Result<Vec<AuditRow>> {
    let of = audit_entry::Column::Object.is_in(objects);
    let by = audit_entry::Column::Action.is_in(actions.iter().copied());
    let found = audit_entry::Entity::find().filter(of).filter(by);
    Ok(found.order_by_asc(audit_entry::Column::Seq).all(db).await?)
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this object.
    pub object: Option<String>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// By this person.
    pub actor: Option<PersonId>,
    /// Of this action.
    pub action: Option<String>,
}

fn condition(reach: &Reach, filter: &AuditFilter) -> Cond {
    let mut all = Cond::all();
    if let Reach::Teams(teams) = reach {
        all = all.add(audit_entry::Column::TeamId.is_in(teams.iter().map(|t| t.0)));
    }
    let equal = [
        filter.object.as_ref().map(|o| audit_entry::Column::Object.eq(o)),
        filter.sop.map(|s| audit_entry::Column::SopId.eq(s.0)),
        filter.actor.map(|p| audit_entry::Column::ActorId.eq(p.0)),
        filter.action.as_ref().map(|a| audit_entry::Column::Action.eq(a)),
    ];
    equal.into_iter().flatten().fold(all, Cond::add)
}

/// A page of entries within reach, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl Connection,
    reach: &Reach,
    filter: &AuditFilter,
    window: &Window,
) -> Result<Page<AuditRow>> {
    let select = audit_entry::Entity::find().filter(condition(reach, filter));
    page::list(db, select, (audit_entry::Column::Seq, None), false, window).await
}

/// How many entries there are within reach.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, reach: &Reach, filter: &AuditFilter) -> Result<u64> {
    Ok(audit_entry::Entity::find().filter(condition(reach, filter)).count(db).await?)
}
