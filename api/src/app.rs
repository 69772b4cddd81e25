//! The operations, one function each: load, `decide()`, transition, guarded write, audit entry, in one transaction.

pub mod access;
pub mod approval_figures;
pub mod approvals;
pub mod board;
pub mod comments;
pub mod comparison;
pub mod delegations;
pub mod diagnosis;
pub mod events;
pub mod executions;
pub mod explain;
pub mod exports;
pub mod figures;
pub mod funnel;
pub mod impact;
pub mod mail;
pub mod measurement;
pub mod people;
pub mod policies;
pub mod processes;
pub mod reading;
pub mod record;
pub mod reminders;
pub mod retention;
pub mod roles;
pub mod sessions;
pub mod signed_record;
pub mod sops;
pub mod tokens;
pub mod versions;
pub mod waiting;

use std::collections::BTreeSet;

use sopwith_domain::access::{Action, Actor, Permit, Resource, SopFacts, decide};
use sopwith_domain::approval::Via;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, SopId, VersionId};
use sopwith_domain::lifecycle::{Effect, Procedure};
use sopwith_domain::time::Timestamp;

use crate::clock;
use crate::error::Result;
use crate::store::approvals::RequestRow;
use crate::store::idempotency::{self, Keyed};
use crate::store::{Connection, Store, Uuid, audit, procedures, sops as stored};

/// One request: who asks, when, and by which way.
#[derive(Debug, Clone)]
pub struct Call {
    /// The database.
    pub store: Store,
    /// Who asks.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// How it came in.
    pub via: Via,
    /// Names the request in logs and in the audit chain.
    pub request_id: String,
}

/// A client's key for a mutation that creates, with the fingerprint of its input.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The client's key.
    pub key: String,
    /// SHA-256 of the input in hex.
    pub fingerprint: String,
}

impl Call {
    /// Whether the actor may do something to a team, or to the organisation.
    fn permit(&self, action: Action, resource: Resource) -> Result<Permit> {
        Ok(decide(&self.actor, action, resource)?)
    }

    /// The same call as of this moment. What an actor may do is found out when a request comes in, and may have changed
    /// while it waited for a lock: see [`crate::store::people::hold`]. An import says itself when things happen.
    async fn anew(&self, db: &impl Connection) -> Result<Self> {
        let now = if self.via == Via::Api { self.now.max(clock::now()) } else { self.now };
        let actor = people::anew(db, &self.actor, now).await?;
        Ok(Self { actor, now, ..self.clone() })
    }

    /// The procedure of an SOP, locked, with the permit for an action on it.
    async fn open(&self, db: &impl Connection, sop: SopId, action: Action) -> Result<(Procedure, Permit)> {
        let procedure = procedures::load(db, sop, true).await?.ok_or(Refusal::NotFound("SOP"))?;
        let permit = decide(&self.actor, action, Resource::Sop(&facts(&procedure)))?;
        Ok((procedure, permit))
    }

    /// The same by one of its versions. One that the actor may not see answers as if it did not exist.
    async fn open_by_version(
        &self,
        db: &impl Connection,
        version: VersionId,
        action: Action,
    ) -> Result<(Procedure, Permit)> {
        self.by_version(db, version, action, true).await
    }

    /// The same to look at, without a lock.
    async fn look_by_version(
        &self,
        db: &impl Connection,
        version: VersionId,
        action: Action,
    ) -> Result<(Procedure, Permit)> {
        self.by_version(db, version, action, false).await
    }

    async fn by_version(
        &self,
        db: &impl Connection,
        version: VersionId,
        action: Action,
        lock: bool,
    ) -> Result<(Procedure, Permit)> {
        let missing = Refusal::NotFound("version");
        let row = stored::versions_by_ids(db, &[version.0]).await?.pop().ok_or(missing.clone())?;
        let procedure = procedures::load(db, SopId(row.sop_id), lock).await?.ok_or(missing.clone())?;
        let facts = facts(&procedure);
        if row.published_at.is_none() {
            decide(&self.actor, Action::ReadDraft, Resource::Sop(&facts)).map_err(|_| missing)?;
        }
        let permit = decide(&self.actor, action, Resource::Sop(&facts))?;
        Ok((procedure, permit))
    }

    /// Writes what a transition brings about, with the events that follow, the figures of before where a version takes
    /// effect that has a plan, and an audit entry for each.
    async fn carry_out(
        &self,
        db: &impl Connection,
        permit: &Permit,
        procedure: &Procedure,
        effects: &[Effect],
    ) -> Result<()> {
        procedures::carry_out(db, permit, procedure, effects, self.now).await?;
        events::of_effects(db, self, effects).await?;
        let baselines = measurement::took_effect(db, self, permit, procedure, effects).await?;
        let entries = effects.iter().map(|e| record::entry(self, permit, procedure, e)).chain(baselines);
        audit::append(db, entries.collect()).await
    }

    /// What the same request made before; where it did not come before, remembers that it makes `made`. To be called
    /// before anything that could collide with the same request at the same time.
    async fn made_before(
        &self,
        db: &impl Connection,
        operation: &str,
        key: Option<&IdempotencyKey>,
        made: Uuid,
    ) -> Result<Option<Uuid>> {
        let Some(key) = key else { return Ok(None) };
        if key.key.is_empty() || key.key.len() > 200 || key.key.contains('\0') {
            return Err(Refusal::invalid("idempotencyKey", "a key has 1 to 200 bytes, without U+0000").into());
        }
        let keyed = self.keyed(operation, key);
        let before = idempotency::find(db, &keyed, self.now).await?;
        if before.is_none() {
            idempotency::remember(db, &keyed, made, self.now).await?;
        }
        Ok(before)
    }

    fn keyed<'a>(&self, operation: &'a str, key: &'a IdempotencyKey) -> Keyed<'a> {
        Keyed { person: self.actor.person, operation, key: &key.key, fingerprint: &key.fingerprint }
    }
}

/// What access depends on, of a procedure.
#[must_use]
pub fn facts(procedure: &Procedure) -> SopFacts {
    SopFacts {
        team: procedure.team,
        owner: procedure.owner,
        was_published: procedure.was_published(),
        contributors: procedure.open_version().map(|v| v.contributors.clone()).unwrap_or_default(),
        stages: procedure.request.as_ref().map(|r| r.stages.clone()).unwrap_or_default(),
    }
}

/// The same for taking a request back: contributors to a draft have no say in a retirement, whoever asked for it has.
#[must_use]
pub fn facts_for_withdrawal(procedure: &Procedure, request: &RequestRow) -> SopFacts {
    let facts = facts(procedure);
    match request.version_id {
        Some(_) => facts,
        None => SopFacts { contributors: BTreeSet::from([PersonId(request.requested_by_id)]), ..facts },
    }
}
