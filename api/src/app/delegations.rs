//! Delegations: somebody's word that another may decide in their place.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permission, Resource};
use sopwith_domain::approval::Delegation;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{DelegationId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use super::people::check_holder;
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::delegations::{self as stored, DelegationRow};
use crate::store::{accounts, audit, people, retry, teams};

/// The most delegations that somebody may have given at a time: each is looked at with every request of who got it.
pub const MAX_GIVEN: u64 = 50;

/// A delegation to be made, by the one who delegates.
#[derive(Debug, Clone)]
pub struct DelegationInput {
    /// Who may decide.
    pub to: PersonId,
    /// In which role.
    pub role: String,
    /// Only for SOPs of this team.
    pub team: Option<TeamId>,
    /// Why.
    pub reason: String,
    /// From when on; now when absent.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub ends_at: Timestamp,
}

/// Lets somebody decide in the actor's place. Nobody delegates for others: not an admin, and not by a delegation.
///
/// # Errors
/// Those of [`Delegation::check`]; `NotFound` for an unknown person or team; `Conflict` beyond [`MAX_GIVEN`].
pub async fn create(call: &Call, input: DelegationInput, key: Option<IdempotencyKey>) -> Result<DelegationId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &DelegationInput, key: Option<&IdempotencyKey>) -> Result<DelegationId> {
    let permit = call.permit(Action::Delegate, Resource::Organisation)?;
    let tx = call.store.begin().await?;
    let id = DelegationId(new_id());
    if let Some(made) = call.made_before(&tx, "delegationCreate", key, id.0).await? {
        return Ok(DelegationId(made));
    }
    check_holder(&tx, input.to, "toId").await?;
    if let Some(team) = input.team
        && teams::by_ids(&tx, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    let from = call.actor.person;
    let DelegationInput { to, role, team, reason, starts_at, ends_at } = input.clone();
    let starts_at = starts_at.unwrap_or(call.now);
    let new = Delegation { id, from, to, role, team, reason, starts_at, ends_at };
    let same = accounts::of(&tx, vec![from, to]).await?;
    let own = call.actor.candidate().roles.into_iter().filter(|(role, _)| *role == new.role);
    let held: Vec<Option<TeamId>> = own.map(|(_, team)| team).collect();
    new.check(same.holder(from) == same.holder(to), &held, call.now)?;
    if stored::count_given(&tx, from, call.now).await? >= MAX_GIVEN {
        return Err(
            Refusal::conflict(format!("you have given {MAX_GIVEN} delegations that are not over: end one")).into()
        );
    }
    stored::insert(&tx, &permit, &new, call.now).await?;
    let mut entry = record::plain(call, "delegation.created", id, team, told(&new));
    entry.reason = Some(new.reason);
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Ends a delegation before its time: by whoever gave or got it, or who manages access.
///
/// # Errors
/// `NotFound` for a delegation that the actor may not see; `Conflict` when it was ended already.
pub async fn revoke(call: &Call, id: DelegationId) -> Result<DelegationId> {
    retry(|| async {
        let permit = call.permit(Action::Delegate, Resource::Organisation)?;
        let tx = call.store.begin().await?;
        let row = stored::by_ids(&tx, &[id.0]).await?.pop().filter(|row| may_see(call, row));
        let row = row.ok_or(Refusal::NotFound("delegation"))?;
        if row.revoked_at.is_some() {
            return Err(Refusal::conflict("the delegation was ended already").into());
        }
        if !party(call, &row) && !call.actor.may(Permission::AccessManage, None) {
            return Err(
                Refusal::forbidden("a delegation is ended by whoever gave or got it, or who manages access").into()
            );
        }
        people::claim(&tx, PersonId(row.from_id)).await?;
        stored::revoke(&tx, &permit, id, call.actor.person, call.now).await?;
        let mut entry = record::plain(call, "delegation.revoked", id, row.team_id.map(TeamId), Value::Null);
        entry.old = told(&stored::read(row));
        audit::append(&tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

fn told(delegation: &Delegation) -> Value {
    json!({
        "from": delegation.from.to_string(),
        "to": delegation.to.to_string(),
        "role": delegation.role,
        "team": delegation.team.map(|team| team.to_string()),
        "startsAt": delegation.starts_at,
        "endsAt": delegation.ends_at,
    })
}

fn party(call: &Call, row: &DelegationRow) -> bool {
    [row.from_id, row.to_id].contains(&call.actor.person.0)
}

/// Whether the actor may see a delegation: who gave or got it, who manages access, and who reads the audit chain.
#[must_use]
pub fn may_see(call: &Call, row: &DelegationRow) -> bool {
    party(call, row) || sees_all(call)
}

/// Whether the actor may see all delegations.
#[must_use]
pub fn sees_all(call: &Call) -> bool {
    [Permission::AccessManage, Permission::AuditRead].into_iter().any(|permission| call.actor.may(permission, None))
}
