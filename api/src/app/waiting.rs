//! Who is being waited for, and what waits for somebody.

use std::collections::BTreeMap;

use sopwith_domain::access::Actor;
use sopwith_domain::approval::{Candidate, Mandate, RequestState};
use sopwith_domain::ids::{PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use crate::error::Result;
use crate::store::approvals::{self, Part, RequestFilter};
use crate::store::{Connection, Uuid, accounts, delegations, people, sops};

/// Who is waited for in a request.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// Those who could decide in the open stage by a role of their own.
    pub people: Vec<Uuid>,
    /// Those who could in the place of one of them.
    pub delegates: Vec<Delegate>,
}

/// Somebody who could decide in another's place.
#[derive(Debug, Clone, Copy)]
pub struct Delegate {
    /// Who.
    pub person: Uuid,
    /// In whose place.
    pub on_behalf_of: Uuid,
    /// By which delegation.
    pub delegation: Uuid,
}

/// Who could decide in the open stage of each of these requests.
///
/// # Errors
/// When the database does not answer.
pub async fn for_requests(db: &impl Connection, requests: &[Uuid], now: Timestamp) -> Result<Vec<(Uuid, Waiting)>> {
    let rows = approvals::by_ids(db, requests).await?.into_iter().filter(|row| row.closed_at.is_none()).collect();
    let mut found = approvals::read_all(db, rows).await?;
    let sop_ids: Vec<Uuid> = found.iter().map(|(row, _)| row.sop_id).collect();
    let teams: BTreeMap<Uuid, TeamId> =
        sops::by_ids(db, &sop_ids).await?.into_iter().map(|sop| (sop.id, TeamId(sop.team_id))).collect();
    let roles: Vec<String> = found.iter().filter_map(|(_, r)| r.current().map(|stage| stage.role.clone())).collect();
    let people: Vec<Candidate> = people::candidates(db, &roles, now).await?;
    let mandates = delegations::mandates_from(db, &people, &roles, now).await?;
    let anyone = people.iter().map(|c| c.person).chain(mandates.iter().map(|(to, _)| *to));
    let accounts = accounts::of(db, anyone.collect()).await?;
    let waiting = found.iter_mut().filter_map(|(row, request)| {
        request.accounts.join(&accounts);
        let team = *teams.get(&row.sop_id)?;
        let people = request.waiting_for(&people, team).into_iter().map(|person| person.0).collect();
        let delegates = request.delegates(&mandates, team).map(delegate).collect();
        Some((row.id, Waiting { people, delegates }))
    });
    Ok(waiting.collect())
}

fn delegate((person, mandate): &(PersonId, Mandate)) -> Delegate {
    Delegate { person: person.0, on_behalf_of: mandate.from.0, delegation: mandate.delegation.0 }
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
