//! What an actor sees of SOPs and versions, for one or for many at once.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::access::{Action, Actor, Resource, SopFacts, decide};
use sopwith_domain::ids::{PersonId, TeamId};

use crate::error::Result;
use crate::store::sops::SopRow;
use crate::store::{Connection, Uuid, approvals};

/// What somebody sees of an SOP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The SOP and what is or was in force.
    pub sop: bool,
    /// Drafts, versions in review, requests.
    pub drafts: bool,
}

/// What an actor sees of each of these SOPs, with as many statements for all of them as for one.
///
/// # Errors
/// When the database does not answer.
pub async fn sights(db: &impl Connection, actor: &Actor, rows: &[SopRow]) -> Result<BTreeMap<Uuid, Sight>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut stages = approvals::open_stages(db, &ids).await?;
    let sight = |row: &SopRow| {
        let facts = SopFacts {
            team: TeamId(row.team_id),
            owner: PersonId(row.owner_id),
            was_published: row.was_published,
            // Contributors see no more than others.
            contributors: BTreeSet::new(),
            stages: stages.remove(&row.id).unwrap_or_default(),
        };
        let may = |action| decide(actor, action, Resource::Sop(&facts)).is_ok();
        (row.id, Sight { sop: may(Action::ReadSop), drafts: may(Action::ReadDraft) })
    };
    Ok(rows.iter().map(sight).collect())
}
