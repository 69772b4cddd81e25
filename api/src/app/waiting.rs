//! Who is being waited for, and what waits for somebody.

use std::collections::BTreeMap;

use sopwith_domain::access::Actor;
use sopwith_domain::approval::{Candidate, RequestState};
use sopwith_domain::ids::TeamId;
use sopwith_domain::time::Timestamp;

use crate::error::Result;
use crate::store::approvals::{self, Part, RequestFilter};
use crate::store::{Connection, Uuid, accounts, people, sops};

/// Who could decide in the open stage of each of these requests, by a role of their own.
///
/// # Errors
/// When the database does not answer.
pub async fn for_requests(db: &impl Connection, requests: &[Uuid], now: Timestamp) -> Result<Vec<(Uuid, Vec<Uuid>)>> {
    let rows = approvals::by_ids(db, requests).await?.into_iter().filter(|row| row.closed_at.is_none()).collect();
    let mut found = approvals::read_all(db, rows).await?;
    let sop_ids: Vec<Uuid> = found.iter().map(|(row, _)| row.sop_id).collect();
    let teams: BTreeMap<Uuid, TeamId> =
        sops::by_ids(db, &sop_ids).await?.into_iter().map(|sop| (sop.id, TeamId(sop.team_id))).collect();
    let roles: Vec<String> = found.iter().filter_map(|(_, r)| r.current().map(|stage| stage.role.clone())).collect();
    let people: Vec<Candidate> = people::candidates(db, &roles, now).await?;
    let accounts = accounts::of(db, people.iter().map(|c| c.person).collect()).await?;
    let waiting = found.iter_mut().filter_map(|(row, request)| {
        request.accounts.join(&accounts);
        let team = *teams.get(&row.sop_id)?;
        Some((row.id, request.waiting_for(&people, team).into_iter().map(|person| person.0).collect()))
    });
    Ok(waiting.collect())
}

/// The requests in which an actor can decide now, by a role of their own or in somebody's place.
///
/// # Errors
/// When the database does not answer.
pub async fn for_actor(db: &impl Connection, actor: &Actor) -> Result<RequestFilter> {
    let mut parts = Vec::new();
    let parties = actor.mandates.iter().map(|mandate| mandate.from).chain([actor.person]);
    let accounts = accounts::of(db, parties.collect()).await?;
    let own = accounts.of(actor.person);
    let (by_own, by_mandate): (Vec<_>, Vec<_>) =
        actor.deciding_roles().into_iter().partition(|role| role.on_behalf_of.is_none());
    parts.push(Part { roles: by_own, accounts: own.clone() });
    for role in by_mandate {
        let Some(from) = role.on_behalf_of else { continue };
        let theirs = accounts.of(from);
        // Nobody decides on their own behalf, by whatever account.
        if theirs.is_disjoint(&own) {
            parts.push(Part { roles: vec![role], accounts: own.union(&theirs).copied().collect() });
        }
    }
    Ok(RequestFilter { state: Some(RequestState::Open), waiting_for: Some(parts), ..RequestFilter::default() })
}
