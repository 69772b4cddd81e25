//! Processes.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permit, Resource};
use sopwith_domain::content::{MAX_LINE, MAX_TEXT, is_key};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};
use sopwith_domain::rollup::HORIZONS;

use super::people::check_holder;
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::processes::{self, NewProcess, Process};
use crate::store::{Connection, audit, executions, retry, teams};

/// A process to be made, or as it is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// After how many microseconds a run that has not finished counts as abandoned; after 30 days where it says nothing.
    pub horizon: Option<i64>,
}

/// What becomes of a part of something that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<T> {
    /// It stays as it was.
    Kept,
    /// It is this from now on.
    Is(T),
}

impl<T> Part<T> {
    fn over(self, before: T) -> T {
        match self {
            Self::Kept => before,
            Self::Is(now) => now,
        }
    }
}

/// How a process is to change.
#[derive(Debug, Clone)]
pub struct ProcessChange {
    /// What people call it.
    pub name: Part<String>,
    /// How it runs.
    pub description: Part<String>,
    /// Who answers for it.
    pub owner: Part<Option<PersonId>>,
    /// The team that it belongs to.
    pub team: Part<Option<TeamId>>,
    /// After how many microseconds a run that has not finished counts as abandoned.
    pub horizon: Part<Option<i64>>,
}

/// Makes a process.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` for a malformed key; `Conflict` when it is taken.
pub async fn create(call: &Call, input: ProcessInput, key: Option<IdempotencyKey>) -> Result<ProcessId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &ProcessInput, key: Option<&IdempotencyKey>) -> Result<ProcessId> {
    let permit = permit(call, input.team)?;
    let tx = call.store.begin().await?;
    let id = ProcessId(new_id());
    if let Some(made) = call.made_before(&tx, "processCreate", key, id.0).await? {
        return Ok(ProcessId(made));
    }
    check(&tx, input).await?;
    insert(&tx, call, &permit, id, input).await?;
    audit::append(&tx, vec![record::plain(call, "process.created", id, input.team, told(input, 1))]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Changes a process, and with its horizon that of its runs that have not ended. Runs that have keep theirs.
///
/// # Errors
/// `Forbidden` without the permission for its team, or for the one that it moves to; `NotFound`; `Conflict` at another
/// revision; `Invalid` for what it cannot be.
pub async fn update(call: &Call, id: ProcessId, revision: i64, change: ProcessChange) -> Result<ProcessId> {
    retry(|| update_once(call, id, revision, &change)).await
}

async fn update_once(call: &Call, id: ProcessId, revision: i64, change: &ProcessChange) -> Result<ProcessId> {
    // Whose a process is rules who reads its figures: what integrations bring along are new ones.
    if call.actor.is_token() {
        return Err(Refusal::forbidden("an API token makes processes, and changes none").into());
    }
    let tx = call.store.begin().await?;
    let row = processes::locked(&tx, id).await?.ok_or(Refusal::NotFound("process"))?;
    let current = row.revision;
    let before = ProcessInput::from(row);
    let leaves = permit(call, before.team)?;
    if current != revision {
        return Err(Refusal::stale(current).into());
    }
    let after = change.over(&before);
    let permit = if after.team == before.team { leaves } else { permit(call, after.team)? };
    check(&tx, &after).await?;
    processes::update(&tx, &permit, stored(id, &after), revision, call.now).await?;
    if after.horizon != before.horizon {
        executions::set_horizon(&tx, &permit, id, after.horizon).await?;
    }
    // Told to those of the team that loses it: who takes it is one of the other, or of all.
    let mut entry = record::plain(call, "process.updated", id, before.team.or(after.team), Value::Null);
    (entry.old, entry.new) = differences(&told(&before, revision), &told(&after, revision + 1));
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

impl ProcessChange {
    fn over(&self, before: &ProcessInput) -> ProcessInput {
        let (before, change) = (before.clone(), self.clone());
        ProcessInput {
            key: before.key,
            name: change.name.over(before.name),
            description: change.description.over(before.description),
            owner: change.owner.over(before.owner),
            team: change.team.over(before.team),
            horizon: change.horizon.over(before.horizon),
        }
    }
}

impl From<Process> for ProcessInput {
    fn from(row: Process) -> Self {
        let Process { key, name, description, owner_id, team_id, horizon, .. } = row;
        Self { key, name, description, owner: owner_id.map(PersonId), team: team_id.map(TeamId), horizon }
    }
}

fn permit(call: &Call, team: Option<TeamId>) -> Result<Permit> {
    call.permit(Action::WriteProcess, team.map_or(Resource::Organisation, Resource::Team))
}

/// What the audit chain says of a process at a revision.
pub(super) fn told(input: &ProcessInput, revision: i64) -> Value {
    json!({
        "key": input.key, "name": input.name, "description": input.description,
        "owner": input.owner.map(|owner| owner.to_string()), "team": input.team.map(|team| team.to_string()),
        "horizonMicros": input.horizon, "revision": revision,
    })
}

/// Of two objects with the same names, what differs.
fn differences(old: &Value, new: &Value) -> (Value, Value) {
    let but = |of: &Value, other: &Value| {
        let parts = of.as_object().into_iter().flatten();
        parts.filter(|(name, part)| other.get(name) != Some(part)).map(|(n, p)| (n.clone(), p.clone())).collect()
    };
    (but(old, new), but(new, old))
}

async fn check(db: &impl Connection, input: &ProcessInput) -> Result<()> {
    let mut problems = check_named(&input.key, &input.name);
    if input.description.chars().count() > MAX_TEXT || input.description.contains('\0') {
        problems.push(Problem::at("description", format!("at most {MAX_TEXT} characters, without U+0000")));
    }
    if input.horizon.is_some_and(|horizon| !HORIZONS.contains(&horizon)) {
        problems.push(Problem::at("horizon", "this is between an hour and 366 days"));
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
    processes::insert(db, permit, stored(id, input), call.now).await?;
    Ok(())
}

fn stored(id: ProcessId, input: &ProcessInput) -> NewProcess {
    let ProcessInput { key, name, description, owner, team, horizon } = input.clone();
    NewProcess { id, key, name, description, owner, team, horizon }
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
