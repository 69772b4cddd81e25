//! Versions: drafts, edits, submission, giving up.

use serde_json::json;
use sopwith_domain::access::Action;
use sopwith_domain::approval::{Accounts, Candidate};
use sopwith_domain::content::{ChangeKind, ChangeLog, Content, Document, MAX_DOCUMENT};
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{RequestId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::{Procedure, Reviewed, Submission};
use sopwith_domain::policy::{Policy, PolicyKind, Stage, select};
use sopwith_domain::time::Timestamp;

use super::sops::draft;
use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::{Connection, accounts, audit, comments, contents, people, policies, retry, sops};

/// What a draft is to begin with.
#[derive(Debug, Clone)]
pub struct DraftInput {
    /// What it says; what the version that it begins from says when absent.
    pub content: Option<Content>,
    /// How far the change reaches.
    pub kind: ChangeKind,
    /// When it is to come into force.
    pub effective_at: Option<Timestamp>,
}

impl From<Document> for DraftInput {
    fn from(Document { kind, effective_at, content }: Document) -> Self {
        Self { content: Some(content), kind, effective_at }
    }
}

/// Begins a draft with the content of the version in force, or of one that is named, or with content that is given.
///
/// # Errors
/// Those of [`Procedure::create_draft`]; `Forbidden` without the permission; `Invalid` content.
pub async fn create(
    call: &Call,
    sop: SopId,
    based_on: Option<VersionId>,
    input: DraftInput,
    key: Option<IdempotencyKey>,
) -> Result<VersionId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open(&tx, sop, Action::EditSop).await?;
        let id = VersionId(new_id());
        if let Some(made) = call.made_before(&tx, "versionCreate", key.as_ref(), id.0).await? {
            return Ok(VersionId(made));
        }
        let base = based_on.or_else(|| procedure.in_force().map(|v| v.id));
        if base.is_some_and(|base| procedure.version(base).is_none()) {
            return Err(Refusal::NotFound("version").into());
        }
        let content = match (input.content.clone(), base) {
            (Some(mut given), _) => {
                given.assign_keys(&earlier_contents(&tx, &procedure).await?);
                given
            }
            (None, Some(base)) => fresh(document_of(&tx, &procedure, base).await?.content),
            (None, None) => return Err(Refusal::invalid("content", "there is no version to begin from").into()),
        };
        let document = Document { kind: input.kind, effective_at: input.effective_at, content };
        check_document(&document)?;
        let content = contents::put(&tx, &permit, &document, call.now).await?;
        let effects = procedure.create_draft(draft(call, id, &document, content, base))?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// A draft that begins from an earlier content has a change log of its own, still to be written.
pub(super) fn fresh(content: Content) -> Content {
    Content { change_log: ChangeLog::default(), ..content }
}

/// Replaces what a draft says.
///
/// # Errors
/// Those of [`Procedure::edit`]; `Forbidden` without the permission; `Invalid` content.
pub async fn edit(call: &Call, version: VersionId, revision: i64, document: Document) -> Result<VersionId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open_by_version(&tx, version, Action::EditSop).await?;
        let mut document = document.clone();
        document.content.assign_keys(&earlier_contents(&tx, &procedure).await?);
        check_document(&document)?;
        let effects = procedure.edit(version, revision, call.actor.person, &document)?;
        contents::put(&tx, &permit, &document, call.now).await?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(version)
    })
    .await
}

/// Freezes a draft and asks for its approval. Who may not, and a change that is called editorial and is not let pass, is
/// recorded in a transaction of its own.
///
/// # Errors
/// Those of [`Procedure::submit`]; `Forbidden` without the permission.
pub async fn submit(call: &Call, version: VersionId, revision: i64, key: Option<IdempotencyKey>) -> Result<RequestId> {
    let answer = retry(|| submit_once(call, version, revision, key.as_ref())).await;
    if let Err(Error::Refused(why @ (Refusal::Forbidden(_) | Refusal::Invalid(_)))) = &answer {
        retry(|| record_refusal(call, version, why)).await?;
    }
    answer
}

async fn submit_once(
    call: &Call,
    version: VersionId,
    revision: i64,
    key: Option<&IdempotencyKey>,
) -> Result<RequestId> {
    let tx = call.store.begin().await?;
    let (procedure, permit) = call.open_by_version(&tx, version, Action::EditSop).await?;
    let request = RequestId(new_id());
    if let Some(made) = call.made_before(&tx, "versionSubmit", key, request.0).await? {
        return Ok(RequestId(made));
    }
    let document = document_of(&tx, &procedure, version).await?;
    let in_force = match procedure.in_force() {
        Some(v) => Some(contents::get(&tx, &v.content.to_string()).await?),
        None => None,
    };
    let data = review_data(&tx, call, &procedure, document.kind.into()).await?;
    let open_threads = comments::open_threads(&tx, version.0).await?;
    let review = data.reviewed(request, open_threads, call.now);
    let (submitter, document, in_force) = (call.actor.person, &document, in_force.as_ref());
    let given = Submission { version, revision, submitter, document, in_force };
    let effects = procedure.submit(&given, &review)?;
    call.carry_out(&tx, &permit, &procedure, &effects).await?;
    tx.commit().await?;
    Ok(request)
}

/// That a material draft is not complete yet is no attempt at anything.
async fn record_refusal(call: &Call, version: VersionId, why: &Refusal) -> Result<()> {
    let tx = call.store.begin().await?;
    let Some(row) = sops::versions_by_ids(&tx, &[version.0]).await?.pop() else { return Ok(()) };
    if matches!(why, Refusal::Invalid(_)) && row.kind != ChangeKind::Editorial.as_str() {
        return Ok(());
    }
    let Some(sop) = sops::by_ids(&tx, &[row.sop_id]).await?.pop() else { return Ok(()) };
    let new = json!({"kind": row.kind, "content": row.content_hash, "code": why.code()});
    let mut entry = record::plain(call, "version.submission_refused", version, Some(TeamId(sop.team_id)), new);
    entry.sop = Some(SopId(sop.id));
    entry.reason = Some(why.told());
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(())
}

/// Gives a version up.
///
/// # Errors
/// Those of [`Procedure::discard`]; `Forbidden` for anyone but a contributor or the owner.
pub async fn discard(call: &Call, version: VersionId, revision: i64, reason: &str) -> Result<VersionId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open_by_version(&tx, version, Action::Discard).await?;
        let effects = procedure.discard(version, revision, reason)?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(version)
    })
    .await
}

/// The policy that applies to a procedure, everyone who holds a role that it names, and which accounts are one
/// person's.
pub(super) struct ReviewData {
    pub(super) policy: Policy,
    pub(super) people: Vec<Candidate>,
    pub(super) accounts: Accounts,
}

impl ReviewData {
    pub(super) fn reviewed(&self, request: RequestId, open_threads: u64, now: Timestamp) -> Reviewed<'_> {
        let Self { policy, people, accounts } = self;
        Reviewed { request, policy, people, accounts, open_threads, now }
    }
}

pub(super) async fn review_data(
    db: &impl Connection,
    call: &Call,
    procedure: &Procedure,
    kind: PolicyKind,
) -> Result<ReviewData> {
    let policies = policies::of_kind(db, kind).await?;
    let policy = select(&policies, kind, procedure.team, procedure.risk).cloned();
    let policy = policy.ok_or_else(|| Error::internal(format!("there is no policy for {kind}")))?;
    let (people, accounts) = deciders(db, call, procedure, &policy.stages).await?;
    Ok(ReviewData { policy, people, accounts })
}

/// Everyone who holds a role that these stages name, and which accounts of theirs, of the contributors and of the actor
/// are one person's.
pub(super) async fn deciders(
    db: &impl Connection,
    call: &Call,
    procedure: &Procedure,
    stages: &[Stage],
) -> Result<(Vec<Candidate>, Accounts)> {
    let roles: Vec<String> = stages.iter().map(|s| s.role.clone()).collect();
    let people = people::candidates(db, &roles, call.now).await?;
    let contributors = procedure.open_version().map(|v| v.contributors.clone()).unwrap_or_default();
    let involved = people.iter().map(|c| c.person).chain(contributors).chain([call.actor.person]);
    let accounts = accounts::of(db, involved.collect()).await?;
    Ok((people, accounts))
}

/// What all the versions of a procedure say, so that no key of theirs is given to another step.
async fn earlier_contents(db: &impl Connection, procedure: &Procedure) -> Result<Vec<Content>> {
    let hashes: Vec<String> = procedure.versions.iter().map(|v| v.content.to_string()).collect();
    let documents = contents::by_hashes(db, &hashes).await?;
    Ok(documents.into_iter().map(|(_, document)| document.content).collect())
}

/// What a version of a procedure says.
pub(super) async fn document_of(db: &impl Connection, procedure: &Procedure, id: VersionId) -> Result<Document> {
    let version = procedure.version(id).ok_or(Refusal::NotFound("version"))?;
    contents::get(db, &version.content.to_string()).await
}

/// Refuses a document that cannot be kept even as a draft.
pub(super) fn check_document(document: &Document) -> Result<()> {
    let mut problems: Vec<Problem> = document.content.check().into_iter().map(|p| p.under("content")).collect();
    if document.canonical().0.len() > MAX_DOCUMENT {
        problems.push(Problem::at("content", format!("at most {MAX_DOCUMENT} bytes in all")));
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems).into()) }
}
