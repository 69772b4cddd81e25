//! Gathers a signed record from the database, all of it as of one moment.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use sopwith_domain::access::{Action, Resource};
use sopwith_domain::content::Document;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::VersionState;
use sopwith_domain::time::Timestamp;

use super::passages::{Chain, Rows};
use super::{Change, FORMAT, Passage, Person, Process, Purpose, Shown, SignedContent, SignedRecord, Software, Sop};
use super::{Team, Version};
use crate::app::{Call, facts};
use crate::error::{Error, Result};
use crate::store::sops::{SopRow, VersionRow, label};
use crate::store::{Connection, Uuid, contents, people, procedures, processes, sops, teams};

/// How many contents are in memory at once while the change log is read.
const AT_ONCE: usize = 20;

/// The signed record of a version, as far as the actor sees it.
///
/// # Errors
/// `NotFound` for a version that the actor does not see.
pub async fn produce(call: &Call, id: VersionId) -> Result<SignedRecord> {
    let db = call.store.snapshot().await?;
    let (procedure, _) = call.look_by_version(&db, id, Action::ReadSop).await?;
    let sees_drafts = call.permit(Action::ReadDraft, Resource::Sop(&facts(&procedure))).is_ok();
    let shown = if sees_drafts { Shown::All } else { Shown::Approval };
    let missing = || Refusal::NotFound("version");
    let row = sops::versions_by_ids(&db, &[id.0]).await?.pop().ok_or_else(missing)?;
    let sop = sops::by_ids(&db, &[row.sop_id]).await?.pop().ok_or_else(missing)?;
    let rows = Rows::load(&db, &row, shown).await?;
    let contributors = procedures::contributors(&db, [row.id]).await?.remove(&row.id).unwrap_or_default();
    let involved = [call.actor.person.0, sop.owner_id, row.created_by_id].into_iter();
    let involved = involved.chain(contributors.iter().map(|p| p.0)).chain(rows.people()).collect();
    let names = Names::load(&db, involved).await?;
    let (chain, passages) = rows.passages(&names)?;
    let record = SignedRecord {
        format: FORMAT,
        produced_at: call.now,
        produced_by: names.person(call.actor.person.0),
        produced_with: Software { name: "Sopwith", version: env!("CARGO_PKG_VERSION") },
        passages_shown: shown,
        sop: sop_of(&db, &sop, &names).await?,
        version: version_of(&row, &contributors, &names, &chain, &passages)?,
        content: content_of(&db, &row.content_hash).await?,
        history: history_of(&db, &row).await?,
        passages,
    };
    db.commit().await?;
    Ok(record)
}

/// People's names by id.
pub(super) struct Names(BTreeMap<Uuid, Option<String>>);

impl Names {
    async fn load(db: &impl Connection, ids: BTreeSet<Uuid>) -> Result<Self> {
        let ids: Vec<Uuid> = ids.into_iter().collect();
        Ok(Self(people::by_ids(db, &ids).await?.into_iter().map(|p| (p.id, p.name)).collect()))
    }

    pub(super) fn person(&self, id: Uuid) -> Person {
        let name = self.0.get(&id).cloned().flatten().filter(|name| !name.trim().is_empty());
        Person { id: PersonId(id), name }
    }
}

/// Reads an enumeration back.
pub(super) fn read<T: std::str::FromStr>(text: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(Error::internal)
}

pub(super) fn at(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

async fn sop_of(db: &impl Connection, row: &SopRow, names: &Names) -> Result<Sop> {
    let gone = |what: &str| Error::internal(format!("the {what} of {} is gone", row.code));
    let team = teams::by_ids(db, &[row.team_id]).await?.pop().ok_or_else(|| gone("team"))?;
    let process = processes::by_ids(db, &[row.process_id]).await?.pop().ok_or_else(|| gone("process"))?;
    Ok(Sop {
        id: SopId(row.id),
        code: row.code.clone(),
        state: read(&row.state)?,
        risk: read(&row.risk)?,
        team: Team { id: TeamId(team.id), key: team.key, name: team.name },
        process: Process { id: ProcessId(process.id), key: process.key, name: process.name },
        owner: names.person(row.owner_id),
    })
}

fn version_of(
    row: &VersionRow,
    contributors: &BTreeSet<PersonId>,
    names: &Names,
    chain: &Chain,
    passages: &[Passage],
) -> Result<Version> {
    let id = VersionId(row.id);
    let state: VersionState = read(&row.state)?;
    let ended = match state {
        VersionState::Superseded => "version.superseded",
        VersionState::Retired => "version.retired",
        _ => "version.discarded",
    };
    let submitted = passages.iter().rev().find(|p| p.purpose == Purpose::Publication);
    Ok(Version {
        id,
        label: label(row).map(|l| l.to_string()),
        title: row.title.clone(),
        state,
        kind: read(&row.kind)?,
        effective_at: at(row.effective_at),
        created_by: names.person(row.created_by_id),
        created_at: Timestamp::from_micros(row.created_at),
        contributors: contributors.iter().map(|p| names.person(p.0)).collect(),
        submitted_by: submitted.map(|p| p.requested_by.clone()),
        submitted_at: at(row.submitted_at),
        published_at: at(row.published_at),
        published_entry: chain.last(&id.to_string(), "version.published"),
        ended_at: at(row.ended_at),
        ended_entry: chain.last(&id.to_string(), ended),
    })
}

/// The kept text is given as it is, and hashed anew: a record never says of itself that it fits when it does not.
async fn content_of(db: &impl Connection, hash: &str) -> Result<SignedContent> {
    let canonical = contents::text(db, hash).await?;
    let document: Document = serde_json::from_str(&canonical).map_err(Error::internal)?;
    Ok(SignedContent {
        hash: hash.to_owned(),
        hash_algorithm: "SHA-256",
        canonical_form: "RFC 8785",
        hash_verified: hex::encode(Sha256::digest(canonical.as_bytes())) == hash,
        document,
        canonical,
    })
}

/// What the versions that came into force before this one changed, and this one.
async fn history_of(db: &impl Connection, this: &VersionRow) -> Result<Vec<Change>> {
    let mut rows = sops::versions_of(db, &[this.sop_id]).await?;
    // Ids are ordered by time, and a version is begun only when the one before it is no longer open.
    rows.retain(|row| row.id == this.id || (row.id < this.id && row.published_at.is_some()));
    rows.reverse();
    let mut history = Vec::with_capacity(rows.len());
    for some in rows.chunks(AT_ONCE) {
        let hashes: Vec<String> = some.iter().map(|row| row.content_hash.clone()).collect();
        let documents: BTreeMap<String, Document> = contents::by_hashes(db, &hashes).await?.into_iter().collect();
        for row in some {
            let log = documents.get(&row.content_hash).map(|d| d.content.change_log.clone()).unwrap_or_default();
            history.push(Change {
                version_id: VersionId(row.id),
                label: label(row).map(|l| l.to_string()),
                kind: read(&row.kind)?,
                published_at: at(row.published_at),
                content_hash: row.content_hash.clone(),
                what: log.what,
                why: log.why,
            });
        }
    }
    Ok(history)
}
