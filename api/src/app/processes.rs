//! Processes.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permit, Resource};
use sopwith_domain::content::{MAX_LINE, MAX_TEXT, is_key};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};

use super::people::check_holder;
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::processes::{self, NewProcess};
use crate::store::{Connection, audit, retry, teams};

/// A process to be made.
#[derive(Debug, Clone)]
pub struct ProcessInput {
    /// Names it in executions.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// How it runs today.
    pub description: String,
    /// Who answers for it.
    pub owner: Option<PersonId>,
    /// The team that it belongs to.
    pub team: Option<TeamId>,
}

/// Makes a process.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` for a malformed key; `Conflict` when it is taken.
pub async fn create(call: &Call, input: ProcessInput, key: Option<IdempotencyKey>) -> Result<ProcessId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &ProcessInput, key: Option<&IdempotencyKey>) -> Result<ProcessId> {
    let resource = input.team.map_or(Resource::Organisation, Resource::Team);
    let permit = call.permit(Action::WriteProcess, resource)?;
    let tx = call.store.begin().await?;
    let id = ProcessId(new_id());
    if let Some(made) = call.made_before(&tx, "processCreate", key, id.0).await? {
        return Ok(ProcessId(made));
    }
    check(&tx, input).await?;
    insert(&tx, call, &permit, id, input).await?;
    audit::append(&tx, vec![record::plain(call, "process.created", id, input.team, told(input))]).await?;
    tx.commit().await?;
    Ok(id)
}

/// What the audit chain says of a process that is made.
pub(super) fn told(input: &ProcessInput) -> Value {
    json!({
        "key": input.key, "name": input.name, "description": input.description,
        "owner": input.owner.map(|owner| owner.to_string()), "team": input.team.map(|team| team.to_string()),
    })
}

async fn check(db: &impl Connection, input: &ProcessInput) -> Result<()> {
    let mut problems = check_named(&input.key, &input.name);
    if input.description.chars().count() > MAX_TEXT || input.description.contains('\0') {
        problems.push(Problem::at("description", format!("at most {MAX_TEXT} characters, without U+0000")));
    }
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems).into());
    }
    if let Some(owner) = input.owner {
        check_holder(db, owner, "ownerId").await?;
    }
    if let Some(team) = input.team
        && teams::by_ids(db, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    Ok(())
}

pub(super) async fn insert(
    db: &impl Connection,
    call: &Call,
    permit: &Permit,
    id: ProcessId,
    input: &ProcessInput,
) -> Result<()> {
    let ProcessInput { key, name, description, owner, team } = input.clone();
    let new = NewProcess { id, key, name, description, owner, team };
    processes::insert(db, permit, new, call.now).await?;
    Ok(())
}

/// What is wrong with a key and a name.
pub(super) fn check_named(key: &str, name: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !is_key(key) {
        problems.push(Problem::at("key", "a key is 1 to 100 of a-z, 0-9, '-', '_' and '.'"));
    }
    if name.trim().is_empty() || name.chars().count() > MAX_LINE || name.contains('\0') {
        problems.push(Problem::at("name", format!("a name has 1 to {MAX_LINE} characters, without U+0000")));
    }
    problems
}
