//! The signed record of a version: what it says, its hash, its change log, and every decision with its signer, time and
//! meaning, as one value that is printed or sent. The audit chain's own words are in `record.rs`.

mod gather;
mod passages;

use serde::Serialize;
use sopwith_domain::approval::{RequestState, Verdict, Via};
use sopwith_domain::content::{ChangeKind, Document};
use sopwith_domain::ids::{
    DecisionId, DelegationId, PersonId, PolicyId, ProcessId, RequestId, SopId, TeamId, VersionId,
};
use sopwith_domain::lifecycle::{SopState, VersionState};
use sopwith_domain::policy::{Meaning, Risk, StageScope};
use sopwith_domain::time::Timestamp;

pub use gather::produce;

/// Names the form of the JSON. Raised when something is removed or comes to mean another thing.
pub const FORMAT: &str = "sopwith.signed-record/1";

/// One version with everything that was signed of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedRecord {
    /// [`FORMAT`].
    pub format: &'static str,
    /// When it was produced: everything in it is as of this moment.
    pub produced_at: Timestamp,
    /// For whom.
    pub produced_by: Person,
    /// By what.
    pub produced_with: Software,
    /// Which passages and decisions it has.
    pub passages_shown: Shown,
    /// The SOP.
    pub sop: Sop,
    /// The version.
    pub version: Version,
    /// What the version says.
    pub content: SignedContent,
    /// What changed, from version to version up to this one, oldest first.
    pub history: Vec<Change>,
    /// Its passages through approval, oldest first; of a version that was to be retired, those of the retirement too.
    pub passages: Vec<Passage>,
}

/// How much of its decisions a record has. It says so itself, so that nobody takes a part for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Shown {
    /// The passage that approved it, with the decisions that stand: for who does not see drafts.
    Approval,
    /// Every passage, also the rejected and the withdrawn, and decisions that were taken back.
    All,
}

/// Somebody, by the name that is known when the record is produced.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Names the person for good.
    pub id: PersonId,
    /// The printed name; null where no token ever told it.
    pub name: Option<String>,
}

/// A program.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Software {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The SOP as it stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sop {
    /// Names it for good.
    pub id: SopId,
    /// Its code.
    pub code: String,
    /// Where it stands.
    pub state: SopState,
    /// What goes wrong when it is not followed.
    pub risk: Risk,
    /// The team that keeps it.
    pub team: Team,
    /// The process that it is for.
    pub process: Process,
    /// Who answers for it.
    pub owner: Person,
}

/// A team.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Names it for good.
    pub id: TeamId,
    /// Names it in claims.
    pub key: String,
    /// What people call it.
    pub name: String,
}

/// A process.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Names it for good.
    pub id: ProcessId,
    /// Names it in executions.
    pub key: String,
    /// What people call it.
    pub name: String,
}

/// The version as it stands.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Names it for good.
    pub id: VersionId,
    /// `major.minor`; null until it is submitted.
    pub label: Option<String>,
    /// What it is called.
    pub title: String,
    /// Where it stands.
    pub state: VersionState,
    /// How far its change reaches.
    pub kind: ChangeKind,
    /// When it is to come into force; as soon as it is approved when null.
    pub effective_at: Option<Timestamp>,
    /// Who began it.
    pub created_by: Person,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Its creator, every editor of it and its submitter: those who may not decide on it.
    pub contributors: Vec<Person>,
    /// Who submitted it last.
    pub submitted_by: Option<Person>,
    /// When it was submitted last.
    pub submitted_at: Option<Timestamp>,
    /// When it came into force.
    pub published_at: Option<Timestamp>,
    /// The audit entry of that.
    pub published_entry: Option<AuditLink>,
    /// When it was superseded, retired or discarded, as its state says.
    pub ended_at: Option<Timestamp>,
    /// The audit entry of that.
    pub ended_entry: Option<AuditLink>,
}

/// What a version says, with what its signatures are bound to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedContent {
    /// The hash that the version and its decisions name, in lower-case hex.
    pub hash: String,
    /// How it is made of `canonical`.
    pub hash_algorithm: &'static str,
    /// How `canonical` is made of `document`.
    pub canonical_form: &'static str,
    /// Whether the hash was found to be that of `canonical` when the record was produced.
    pub hash_verified: bool,
    /// The content with the kind and the effective date of its change.
    pub document: Document,
    /// The text whose UTF-8 bytes are hashed.
    pub canonical: String,
}

/// What a version changed, and why.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Which version.
    pub version_id: VersionId,
    /// Its label.
    pub label: Option<String>,
    /// How far the change reached.
    pub kind: ChangeKind,
    /// When it came into force; null for this version when it has not.
    pub published_at: Option<Timestamp>,
    /// Its content.
    pub content_hash: String,
    /// What is different.
    pub what: String,
    /// The reason.
    pub why: String,
}

/// What a passage asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// That the version comes into force.
    Publication,
    /// That the SOP is retired, while the version was in force.
    Retirement,
}

/// One passage through the stages of a policy, with the policy as it was.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Passage {
    /// Names the approval request for good.
    pub id: RequestId,
    /// What it asked for.
    pub purpose: Purpose,
    /// Where it stands.
    pub state: RequestState,
    /// The label that the version had in it.
    pub label: Option<String>,
    /// The content that was decided on: another than the record's where the version was edited afterwards.
    pub content_hash: String,
    /// The policy that its stages were taken from.
    pub policy_id: PolicyId,
    /// Whether all review comments had to be resolved.
    pub requires_resolved_comments: bool,
    /// Why the SOP was to be retired.
    pub reason: Option<String>,
    /// Who asked.
    pub requested_by: Person,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The audit entry of that.
    pub opened_entry: Option<AuditLink>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
}

/// A stage as the policy was when the passage was opened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// What people call it.
    pub name: String,
    /// The role that decides in it.
    pub role: String,
    /// Whose role counts.
    pub scope: StageScope,
    /// How many approvals close it.
    pub min_approvals: i32,
    /// What a signature in it says.
    pub meaning: Meaning,
    /// How recently the signer must have signed in, in seconds, where that is asked for.
    pub max_auth_age: Option<i64>,
    /// When it was opened.
    pub opened_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// The decisions taken in it, oldest first.
    pub decisions: Vec<Decision>,
}

/// One signature.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Names the decision for good.
    pub id: DecisionId,
    /// Who signed.
    pub signer: Person,
    /// When.
    pub decided_at: Timestamp,
    /// What was decided.
    pub verdict: Verdict,
    /// What the signature says of the content when the verdict is `APPROVE`.
    pub meaning: Meaning,
    /// The role that it was taken in.
    pub role: String,
    /// In whose place; null where the signer decided by a role of their own.
    pub on_behalf_of: Option<Mandate>,
    /// Why.
    pub comment: String,
    /// The content that the signer saw and signed.
    pub content_hash: String,
    /// When the signer had last signed in by then, where the token told.
    pub auth_time: Option<Timestamp>,
    /// By which way it came in.
    pub via: Via,
    /// When the signer took it back; it counts no more.
    pub withdrawn_at: Option<Timestamp>,
    /// The audit entry of the decision.
    pub entry: Option<AuditLink>,
    /// The audit entry of its withdrawal.
    pub withdrawn_entry: Option<AuditLink>,
}

/// By which delegation somebody stood in for another.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mandate {
    /// The one who delegated.
    pub person: Person,
    /// The delegation.
    pub delegation_id: DelegationId,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
}

/// A place in the audit chain. Whoever sees a record sees it: it tells nothing but where to look, and without it a copy
/// could not be held against the chain by those who may read that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLink {
    /// The number of the entry.
    pub seq: i64,
    /// Its hash, which covers the entry and all before it.
    pub hash: String,
}
