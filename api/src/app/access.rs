//! Teams and grants.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Actor, Permission, Resource, RoleSource, decide, is_role_name};
use sopwith_domain::approval::Via;
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{GrantId, PersonId, TeamId};
use sopwith_domain::time::{DAY, Timestamp};

use super::people::check_holder;
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::people::{self, Grant, NewGrant};
use crate::store::teams::{self, NewTeam};
use crate::store::{Connection, audit, retry, roles};

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

/// The longest that a grant may be given for: ten years.
const MAX_GRANT: i64 = 3_653 * DAY;

/// A grant to be made.
#[derive(Debug, Clone)]
pub struct GrantInput {
    /// Who gets it.
    pub person: PersonId,
    /// Which role.
    pub role: String,
    /// For which team; org-wide when absent.
    pub team: Option<TeamId>,
    /// From when it counts no more; never when absent.
    pub expires_at: Option<Timestamp>,
}

/// Grants a role. Whoever manages the access of a team grants for that team alone. The granter need not hold what is
/// granted: whoever manages access rules it, and the audit chain keeps it.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound` for an unknown person or team; `Invalid` for an unknown role or an
/// end that is past or too far away; `Conflict` when it is granted already.
pub async fn grant(call: &Call, input: GrantInput, key: Option<IdempotencyKey>) -> Result<GrantId> {
    retry(|| grant_once(call, &input, key.as_ref())).await
}

async fn grant_once(call: &Call, input: &GrantInput, key: Option<&IdempotencyKey>) -> Result<GrantId> {
    let permit = call.permit(Action::ManageAccess, place(input.team))?;
    let tx = call.store.begin().await?;
    let id = GrantId(new_id());
    if let Some(made) = call.made_before(&tx, "grantCreate", key, id.0).await? {
        return Ok(GrantId(made));
    }
    check_grant(&tx, call, input).await?;
    let source = if call.via == Via::Import { RoleSource::Import } else { RoleSource::Api };
    let GrantInput { person, role, team, expires_at } = input.clone();
    let new = NewGrant { id, person, role, team, source, expires_at };
    let before = people::grant(&tx, &permit, new, call.now).await?;
    let made = people::grant_by_id(&tx, id).await?.ok_or_else(|| Error::internal("a grant vanished"))?;
    let mut entry = record::plain(call, "grant.created", id, team, told(&made));
    // What has expired and is no more has its last word here.
    entry.old = before.map_or(Value::Null, |before| told(&before));
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

async fn check_grant(db: &impl Connection, call: &Call, input: &GrantInput) -> Result<()> {
    check_holder(db, input.person, "personId").await?;
    if let Some(team) = input.team
        && teams::by_ids(db, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    if input.expires_at.is_some_and(|at| at <= call.now || at > call.now.plus(MAX_GRANT)) {
        return Err(Refusal::invalid("expiresAt", "a grant ends in the future, within ten years").into());
    }
    if !is_role_name(&input.role) || roles::kept(db, &input.role).await?.is_none() {
        return Err(Refusal::invalid("role", "there is no such role").into());
    }
    Ok(())
}

/// What the audit chain says of a grant.
fn told(grant: &Grant) -> Value {
    json!({
        "grant": GrantId(grant.id).to_string(),
        "person": PersonId(grant.person_id).to_string(),
        "role": grant.role,
        "team": grant.team_id.map(|team| TeamId(team).to_string()),
        "source": grant.source,
        "expiresAt": grant.expires_at.map(Timestamp::from_micros),
    })
}

/// What something held for a team, or org-wide, belongs to.
#[must_use]
pub fn place(team: Option<TeamId>) -> Resource<'static> {
    team.map_or(Resource::Organisation, Resource::Team)
}

/// Whether somebody sees a grant: their own, and those within their reach.
#[must_use]
pub fn sees(actor: &Actor, grant: &Grant) -> bool {
    let within = || decide(actor, Action::ReadAccess, place(grant.team_id.map(TeamId))).is_ok();
    grant.person_id == actor.person.0 || within()
}

/// Takes a grant away that was made here; those from claims are the identity provider's.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`, also for one that the actor does not see; `Conflict` for a grant
/// from claims.
pub async fn revoke(call: &Call, id: GrantId) -> Result<GrantId> {
    retry(|| revoke_once(call, id)).await
}

async fn revoke_once(call: &Call, id: GrantId) -> Result<GrantId> {
    if call.actor.reach(Permission::AccessManage).is_empty() {
        call.permit(Action::ManageAccess, Resource::Organisation)?;
    }
    let tx = call.store.begin().await?;
    let grant = people::grant_by_id(&tx, id).await?.filter(|grant| sees(&call.actor, grant));
    let grant = grant.ok_or(Refusal::NotFound("grant"))?;
    let team = grant.team_id.map(TeamId);
    let permit = call.permit(Action::ManageAccess, place(team))?;
    if grant.source == RoleSource::Claim.as_str() {
        return Err(Refusal::conflict("this grant comes from the person's token: take it away there").into());
    }
    people::claim(&tx, PersonId(grant.person_id)).await?;
    people::revoke(&tx, &permit, id).await?;
    let mut entry = record::plain(call, "grant.revoked", id, team, Value::Null);
    entry.old = told(&grant);
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}
