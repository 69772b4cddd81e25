//! The passages of a version through approval, with every decision and where the audit chain tells of it.

use serde_json::Value;
use sopwith_domain::approval::RequestState;
use sopwith_domain::ids::{DecisionId, DelegationId, PolicyId, RequestId, SopId, VersionId};
use sopwith_domain::time::Timestamp;

use super::gather::{Names, at, read};
use super::{AuditLink, Decision, Mandate, Passage, Purpose, Shown, Stage};
use crate::error::{Error, Result};
use crate::store::approvals::{self, DecisionRow, RequestRow, StageRow};
use crate::store::audit::{self, AuditRow};
use crate::store::delegations::{self, DelegationRow};
use crate::store::sops::VersionRow;
use crate::store::{Connection, Uuid};

const REQUESTED: &str = "approval.requested";
const DECIDED: &str = "approval.decided";
const WITHDRAWN: &str = "approval.decision_withdrawn";
/// The actions that a record refers to.
const ACTIONS: [&str; 7] =
    [REQUESTED, DECIDED, WITHDRAWN, "version.published", "version.superseded", "version.retired", "version.discarded"];

/// What the database has of the passages of a version.
pub(super) struct Rows {
    requests: Vec<RequestRow>,
    stages: Vec<StageRow>,
    decisions: Vec<DecisionRow>,
    delegations: Vec<DelegationRow>,
    chain: Chain,
}

impl Rows {
    pub(super) async fn load(db: &impl Connection, version: &VersionRow, shown: Shown) -> Result<Self> {
        let requests = requests(db, version, shown).await?;
        let ids: Vec<Uuid> = requests.iter().map(|r| r.id).collect();
        let stages = approvals::stages_of(db, &ids).await?;
        let mut decisions = approvals::decisions_of(db, &ids).await?;
        decisions.retain(|d| shown == Shown::All || d.withdrawn_at.is_none());
        let mandates: Vec<Uuid> = decisions.iter().filter_map(|d| d.delegation_id).collect();
        let delegations = delegations::by_ids(db, &mandates).await?;
        let objects = requests.iter().map(|r| RequestId(r.id).to_string());
        let objects: Vec<String> = objects.chain([VersionId(version.id).to_string()]).collect();
        let chain = Chain(audit::of_objects(db, &objects, &ACTIONS).await?);
        Ok(Self { requests, stages, decisions, delegations, chain })
    }

    /// Everyone who is named.
    pub(super) fn people(&self) -> impl Iterator<Item = Uuid> {
        let asked = self.requests.iter().map(|r| r.requested_by_id);
        asked.chain(self.decisions.iter().flat_map(|d| [Some(d.person_id), d.on_behalf_of_id]).flatten())
    }

    /// The passages, oldest first, and the entries that are left to be referred to.
    pub(super) fn passages(self, names: &Names) -> Result<(Chain, Vec<Passage>)> {
        let passages = self.requests.iter().map(|request| self.passage(request, names)).collect::<Result<_>>()?;
        Ok((self.chain, passages))
    }

    fn passage(&self, row: &RequestRow, names: &Names) -> Result<Passage> {
        let id = RequestId(row.id);
        let stages = self.stages.iter().filter(|stage| stage.request_id == row.id);
        Ok(Passage {
            id,
            purpose: if row.version_id.is_some() { Purpose::Publication } else { Purpose::Retirement },
            state: read(&row.state)?,
            label: row.label.clone(),
            content_hash: row.content_hash.clone(),
            policy_id: PolicyId(row.policy_id),
            requires_resolved_comments: row.requires_resolved_comments,
            reason: row.reason.clone(),
            requested_by: names.person(row.requested_by_id),
            opened_at: Timestamp::from_micros(row.opened_at),
            opened_entry: self.chain.last(&id.to_string(), REQUESTED),
            closed_at: at(row.closed_at),
            stages: stages.map(|stage| self.stage(stage, names)).collect::<Result<_>>()?,
        })
    }

    fn stage(&self, row: &StageRow, names: &Names) -> Result<Stage> {
        let here = |d: &&DecisionRow| d.request_id == row.request_id && d.position == row.position;
        let decisions = self.decisions.iter().filter(here);
        Ok(Stage {
            name: row.name.clone(),
            role: row.role.clone(),
            scope: read(&row.scope)?,
            min_approvals: row.min_approvals,
            meaning: read(&row.meaning)?,
            max_auth_age: row.max_auth_age,
            opened_at: at(row.opened_at),
            closed_at: at(row.closed_at),
            decisions: decisions.map(|decision| self.decision(decision, row, names)).collect::<Result<_>>()?,
        })
    }

    fn decision(&self, row: &DecisionRow, stage: &StageRow, names: &Names) -> Result<Decision> {
        Ok(Decision {
            id: DecisionId(row.id),
            signer: names.person(row.person_id),
            decided_at: Timestamp::from_micros(row.decided_at),
            verdict: read(&row.verdict)?,
            meaning: read(&stage.meaning)?,
            role: stage.role.clone(),
            on_behalf_of: self.mandate(row, names)?,
            comment: row.comment.clone(),
            content_hash: row.content_hash.clone(),
            auth_time: at(row.auth_time),
            via: read(&row.via)?,
            withdrawn_at: at(row.withdrawn_at),
            entry: self.chain.decided(row),
            withdrawn_entry: self.chain.withdrawn(row),
        })
    }

    fn mandate(&self, row: &DecisionRow, names: &Names) -> Result<Option<Mandate>> {
        let Some((person, delegation)) = row.on_behalf_of_id.zip(row.delegation_id) else { return Ok(None) };
        let found = self.delegations.iter().find(|d| d.id == delegation);
        let found = found.ok_or_else(|| Error::internal("a delegation is gone"))?;
        Ok(Some(Mandate {
            person: names.person(person),
            delegation_id: DelegationId(delegation),
            starts_at: Timestamp::from_micros(found.starts_at),
            ends_at: Timestamp::from_micros(found.ends_at),
        }))
    }
}

/// Who sees no drafts sees what approved the version; everyone else also what was asked for in vain, and the
/// retirements that were asked for while it was in force.
async fn requests(db: &impl Connection, version: &VersionRow, shown: Shown) -> Result<Vec<RequestRow>> {
    let mut found = approvals::of_versions(db, &[version.id]).await?;
    if shown == Shown::All {
        let retirements = approvals::retirements_of(db, SopId(version.sop_id)).await?;
        found.extend(retirements.into_iter().filter(|r| was_in_force(version, r.opened_at)));
    } else {
        found.retain(|request| request.state == RequestState::Approved.as_str());
    }
    found.sort_by_key(|request| (request.opened_at, request.id));
    Ok(found)
}

fn was_in_force(version: &VersionRow, at: i64) -> bool {
    version.published_at.is_some_and(|from| from <= at) && version.ended_at.is_none_or(|until| at <= until)
}

/// The entries of the audit chain that a record refers to, oldest first.
pub(super) struct Chain(Vec<AuditRow>);

impl Chain {
    /// The last entry of an action on an object.
    pub(super) fn last(&self, object: &str, action: &str) -> Option<AuditLink> {
        self.0.iter().rev().find(|entry| entry.object == object && entry.action == action).map(link)
    }

    fn decided(&self, decision: &DecisionRow) -> Option<AuditLink> {
        let id = DecisionId(decision.id).to_string();
        self.of(decision, DECIDED).find(|entry| told(&entry.new_value).as_ref() == Some(&id)).map(link)
    }

    fn withdrawn(&self, decision: &DecisionRow) -> Option<AuditLink> {
        let id = DecisionId(decision.id).to_string();
        self.of(decision, WITHDRAWN).find(|entry| told(&entry.old_value).as_ref() == Some(&id)).map(link)
    }

    fn of(&self, decision: &DecisionRow, action: &'static str) -> impl Iterator<Item = &AuditRow> {
        let request = RequestId(decision.request_id).to_string();
        self.0.iter().filter(move |entry| entry.object == request && entry.action == action)
    }
}

/// The decision that a value of an entry names.
fn told(value: &str) -> Option<String> {
    let value: Value = serde_json::from_str(value).ok()?;
    value.get("decision")?.as_str().map(str::to_owned)
}

fn link(entry: &AuditRow) -> AuditLink {
    AuditLink { seq: entry.seq, hash: entry.hash.clone() }
}
