//! Takes an imported draft through its approvals, in the name of people who may decide on it.

use std::collections::BTreeSet;

use sopwith_domain::access::RoleSource;
use sopwith_domain::approval::{Candidate, Request, Verdict, unfilled};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{SopId, TeamId};
use sopwith_domain::lifecycle::{Procedure, Version, VersionState};
use sopwith_domain::time::Timestamp;

use super::super::{Importer, reason};
use crate::app::approvals::{self, DecisionInput};
use crate::app::people::as_stored;
use crate::app::versions;
use crate::error::{Error, Result};
use crate::store::people;
use crate::store::{Store, procedures};

/// What became of a draft.
pub enum Publication {
    /// It is in force.
    Published,
    /// Nothing that the import wrote waits for publication.
    NothingToDo,
    /// It stays as it was, for this reason.
    Left(String),
}

/// Publishes what the import wrote of an SOP. Takes up again what an import that was cut short left in review.
///
/// # Errors
/// When the database does not answer.
pub async fn publish(store: &Store, by: &Importer, sop: SopId) -> Result<Publication> {
    let procedure = load(store, sop).await?;
    let Some(open) = procedure.open_version() else { return Ok(Publication::NothingToDo) };
    let own = |version: &Version| version.contributors == BTreeSet::from([by.person()]);
    if !open.contributors.contains(&by.person()) || open.state == VersionState::Approved {
        return Ok(Publication::NothingToDo);
    }
    if !own(open) {
        return Ok(Publication::Left("people have worked on its draft: it is theirs to submit".to_owned()));
    }
    if procedure.in_force().is_some_and(|v| !own(v)) {
        let why = "people have changed its SOP since: what the file says now is for them to look at";
        return Ok(Publication::Left(why.to_owned()));
    }
    if open.state == VersionState::Draft {
        match versions::submit(&by.call(), open.id, open.revision, None).await {
            Err(refused @ Error::Refused(_)) => return Ok(Publication::Left(reason(&refused))),
            answer => answer?,
        };
    }
    decide(store, by, sop).await
}

/// Takes decisions until none is needed any more.
async fn decide(store: &Store, by: &Importer, sop: SopId) -> Result<Publication> {
    loop {
        let procedure = load(store, sop).await?;
        let Some(request) = &procedure.request else { return Ok(Publication::Published) };
        let answer = match choose(store, request, procedure.team, by.call().now).await? {
            Some(who) => decide_as(store, by, request, procedure.team, &who).await,
            None => Err(Refusal::conflict("nobody who may decide is left").into()),
        };
        match answer {
            Ok(()) => {}
            Err(refused @ Error::Refused(_)) => {
                approvals::withdraw(&by.call(), request.id).await?;
                return Ok(Publication::Left(reason(&refused)));
            }
            Err(error) => return Err(error),
        }
    }
}

async fn load(store: &Store, sop: SopId) -> Result<Procedure> {
    let found = procedures::load(store.read(), sop, false).await?;
    found.ok_or_else(|| Error::internal(format!("the imported SOP {sop} is gone")))
}

/// Someone who may decide now and is not needed more in a later stage; those who hold the role for the team first.
async fn choose(store: &Store, request: &Request, team: TeamId, now: Timestamp) -> Result<Option<Candidate>> {
    let Some(stage) = request.current() else { return Ok(None) };
    let roles: Vec<String> = request.stages.iter().map(|s| s.role.clone()).collect();
    let people = people::candidates(store.read(), &roles, now).await?;
    let mut able: Vec<&Candidate> = people.iter().filter(|c| request.may_decide(c, None, team, now).is_ok()).collect();
    able.sort_by_key(|c| !c.roles.contains(&(stage.role.clone(), Some(team))));
    let given = request.standing().filter(|d| d.stage == request.stage).count();
    let mut seats = request.stages[request.stage..].to_vec();
    if let Some(current) = seats.first_mut() {
        // Those that are missing once this one is given.
        current.min_approvals = current.min_approvals.saturating_sub(u32::try_from(given + 1).unwrap_or(u32::MAX));
    }
    let spent: BTreeSet<_> = request.involved().collect();
    let spares = |c: &&Candidate| {
        let spent = spent.iter().copied().chain([c.person]).collect();
        unfilled(&seats, &people, &spent, &request.accounts, team).is_empty()
    };
    Ok(able.into_iter().find(spares).cloned())
}

async fn decide_as(store: &Store, by: &Importer, request: &Request, team: TeamId, who: &Candidate) -> Result<()> {
    let role = request.current().map(|s| s.role.clone()).unwrap_or_default();
    let listed = people::grants_of(store.read(), who.person)
        .await?
        .into_iter()
        .any(|g| g.source == RoleSource::Import.as_str() && g.role == role && g.team_id == Some(team.0));
    let standing = if listed { "listed in OWNERS".to_owned() } else { format!("who holds the role '{role}'") };
    // Without a name: the comment stays for good, and names must be able to go.
    let input = DecisionInput {
        request: request.id,
        verdict: Verdict::Approve,
        content: request.content,
        on_behalf_of: None,
        comment: format!("Recorded by the runbook import for an approver {standing}"),
    };
    let actor = as_stored(store.read(), who.person, by.call().now).await?;
    approvals::decide(&by.call_as(actor), input, None).await?;
    Ok(())
}
