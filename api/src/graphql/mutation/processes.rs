//! Processes.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, TeamId};

use super::{keyed, payload};
use crate::app::Call;
use crate::app::processes::{self, Part, ProcessChange, ProcessInput};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::{BigInt, Duration};
use crate::graphql::types::process::{Process, process};

/// A process to be made.
#[derive(InputObject)]
pub struct ProcessCreateInput {
    /// Names it in executions: 1 to 100 of a-z, 0-9, '-', '_' and '.'.
    key: String,
    /// What people call it.
    name: String,
    /// How it runs today.
    #[graphql(default)]
    description: String,
    /// Who answers for it; nobody when ownership is unclear.
    owner_id: Option<ID>,
    /// The team that it belongs to.
    team_id: Option<ID>,
    /// How long after its start a run that has not finished counts as abandoned, between an hour and 366 days; 30 days when
    /// absent.
    horizon: Option<Duration>,
    /// The same key with the same input makes one process.
    idempotency_key: Option<String>,
}

impl ProcessCreateInput {
    fn read(self) -> std::result::Result<ProcessInput, Refusal> {
        Ok(ProcessInput {
            owner: typed_option::<PersonId>(self.owner_id.as_ref(), "person")?,
            team: typed_option::<TeamId>(self.team_id.as_ref(), "team")?,
            key: self.key,
            name: self.name,
            description: self.description,
            horizon: self.horizon.map(|horizon| horizon.micros),
        })
    }
}

payload! {
    /// What `processCreate` did.
    ProcessCreatePayload {
        /// The process.
        process: Process,
    }
}

/// A process to be changed. What is absent stays as it was.
#[derive(InputObject)]
pub struct ProcessUpdateInput {
    /// Which. Its key stays.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// What people call it; as it was when null, too.
    name: Option<String>,
    /// How it runs today; as it was when null, too.
    description: Option<String>,
    /// Who answers for it; nobody when null.
    owner_id: MaybeUndefined<ID>,
    /// The team that it belongs to; none when null.
    team_id: MaybeUndefined<ID>,
    /// How long after its start a run that has not finished counts as abandoned, between an hour and 366 days; 30 days when
    /// null. It goes for runs that have not ended and those to come; runs that have ended keep the one under which they did.
    horizon: MaybeUndefined<Duration>,
}

impl ProcessUpdateInput {
    fn read(self) -> std::result::Result<(ProcessId, i64, ProcessChange), Refusal> {
        let change = ProcessChange {
            name: self.name.map_or(Part::Kept, Part::Is),
            description: self.description.map_or(Part::Kept, Part::Is),
            owner: part(self.owner_id, |id| typed::<PersonId>(&id, "person"))?,
            team: part(self.team_id, |id| typed::<TeamId>(&id, "team"))?,
            horizon: part(self.horizon, |horizon| Ok(horizon.micros))?,
        };
        Ok((typed::<ProcessId>(&self.id, "process")?, self.expected_revision.0, change))
    }
}

/// What is absent is kept, and what is null taken away.
fn part<T, U>(
    given: MaybeUndefined<T>,
    read: impl FnOnce(T) -> std::result::Result<U, Refusal>,
) -> std::result::Result<Part<Option<U>>, Refusal> {
    Ok(match given {
        MaybeUndefined::Undefined => Part::Kept,
        MaybeUndefined::Null => Part::Is(None),
        MaybeUndefined::Value(value) => Part::Is(Some(read(value)?)),
    })
}

payload! {
    /// What `processUpdate` did.
    ProcessUpdatePayload {
        /// The process.
        process: Process,
    }
}

#[derive(Default)]
pub struct ProcessMutation;

#[Object]
impl ProcessMutation {
    /// Makes a process.
    async fn process_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ProcessCreateInput,
    ) -> Result<ProcessCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match input.read() {
            Ok(input) => processes::create(call, input, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(ProcessCreatePayload { process: find(ctx, made).await?, user_errors })
    }

    /// Changes a process. Needs the permission to write processes for its team, and for the one that it moves to; org-wide
    /// where there is none.
    async fn process_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ProcessUpdateInput,
    ) -> Result<ProcessUpdatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match input.read() {
            Ok((id, revision, change)) => processes::update(call, id, revision, change).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(ProcessUpdatePayload { process: find(ctx, made).await?, user_errors })
    }
}

async fn find(ctx: &Context<'_>, id: Option<ProcessId>) -> Result<Option<Process>> {
    match id {
        Some(id) => process(ctx, id.0).await,
        None => Ok(None),
    }
}
