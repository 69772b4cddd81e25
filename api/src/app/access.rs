//! Teams and grants.

use serde_json::json;
use sopwith_domain::access::{Action, Resource};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{GrantId, PersonId, TeamId};

use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::people::{self, GrantSource, NewGrant};
use crate::store::teams::{self, NewTeam};
use crate::store::{audit, retry};

/// A team to be made.
#[derive(Debug, Clone)]
pub struct TeamInput {
    /// Names it in claims and executions.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// What its codes begin with; made from the key when absent.
    pub code_prefix: Option<String>,
}

/// Makes a team.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` for a malformed key; `Conflict` when it is taken.
pub async fn create_team(call: &Call, input: TeamInput, key: Option<IdempotencyKey>) -> Result<TeamId> {
    retry(|| create_team_once(call, &input, key.as_ref())).await
}

async fn create_team_once(call: &Call, input: &TeamInput, key: Option<&IdempotencyKey>) -> Result<TeamId> {
    let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
    let tx = call.store.begin().await?;
    let id = TeamId(new_id());
    if let Some(made) = call.made_before(&tx, "teamCreate", key, id.0).await? {
        return Ok(TeamId(made));
    }
    let mut problems = super::processes::check_named(&input.key, &input.name);
    let prefix_fits =
        |p: &str| (1..=8).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if input.code_prefix.as_deref().is_some_and(|p| !prefix_fits(p)) {
        problems.push(Problem::at("codePrefix", "a code prefix is 1 to 8 of A-Z and 0-9"));
    }
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems).into());
    }
    let code_prefix = match &input.code_prefix {
        Some(prefix) => prefix.clone(),
        None => teams::free_prefix(&tx, &input.key).await?,
    };
    let new = NewTeam { id, key: input.key.clone(), name: input.name.clone(), code_prefix };
    let told = json!({"key": new.key, "name": new.name, "codePrefix": new.code_prefix});
    let team = TeamId(teams::insert(&tx, &permit, new, call.now).await?.id);
    audit::append(&tx, vec![record::plain(call, "team.created", team, Some(team), told)]).await?;
    tx.commit().await?;
    Ok(team)
}

/// A grant to be made.
#[derive(Debug, Clone)]
pub struct GrantInput {
    /// Who gets it.
    pub person: PersonId,
    /// Which role.
    pub role: String,
    /// For which team; org-wide when absent.
    pub team: Option<TeamId>,
}

/// Grants a role.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound` for an unknown person or team; `Invalid` for an unknown role;
/// `Conflict` when it is granted already.
pub async fn grant(call: &Call, input: GrantInput, key: Option<IdempotencyKey>) -> Result<GrantId> {
    retry(|| grant_once(call, &input, key.as_ref())).await
}

async fn grant_once(call: &Call, input: &GrantInput, key: Option<&IdempotencyKey>) -> Result<GrantId> {
    let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
    let tx = call.store.begin().await?;
    let id = GrantId(new_id());
    if let Some(made) = call.made_before(&tx, "grantCreate", key, id.0).await? {
        return Ok(GrantId(made));
    }
    if people::by_ids(&tx, &[input.person.0]).await?.is_empty() {
        return Err(Refusal::NotFound("person").into());
    }
    if let Some(team) = input.team
        && teams::by_ids(&tx, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    if !people::roles(&tx).await?.contains_key(&input.role) {
        return Err(Refusal::invalid("role", "there is no such role").into());
    }
    let source = if call.via == sopwith_domain::approval::Via::Import { GrantSource::Import } else { GrantSource::Api };
    let GrantInput { person, role, team } = input.clone();
    people::grant(&tx, &permit, NewGrant { id, person, role, team, source }, call.now).await?;
    let told = json!({"person": person.to_string(), "role": input.role, "team": team.map(|t| t.to_string())});
    audit::append(&tx, vec![record::plain(call, "grant.created", id, team, told)]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Takes a grant away that was made here; those from claims are the identity provider's.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`; `Conflict` for a grant from claims.
pub async fn revoke(call: &Call, id: GrantId) -> Result<GrantId> {
    let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
    let tx = call.store.begin().await?;
    let grant = people::grant_by_id(&tx, id).await?.ok_or(Refusal::NotFound("grant"))?;
    if grant.source == GrantSource::Claim.as_str() {
        return Err(Refusal::conflict("this grant comes from the person's token: take it away there").into());
    }
    people::revoke(&tx, &permit, id).await?;
    let team = grant.team_id.map(TeamId);
    let told = json!({"person": PersonId(grant.person_id).to_string(), "role": grant.role, "team": team.map(|t| t.to_string())});
    let mut entry = record::plain(call, "grant.revoked", id, team, serde_json::Value::Null);
    entry.old = told;
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}
