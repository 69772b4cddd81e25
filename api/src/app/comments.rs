//! Review comments.

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permit};
use sopwith_domain::comment::{Thread, check_version};
use sopwith_domain::content::prose_problem;
use sopwith_domain::error::{Problem, Refusal};
use sopwith_domain::ids::{CommentId, PersonId, VersionId};
use sopwith_domain::lifecycle::{Procedure, Version};

use super::versions::document_of;
use super::{Call, IdempotencyKey, events, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::comments::{self as stored, CommentRow, NewComment};
use crate::store::{Connection, accounts, audit, people, retry};

/// The most comments on a version, replies included.
pub const MAX_COMMENTS: u64 = 1_000;
/// The most people that a comment may mention.
pub const MAX_MENTIONS: usize = 20;

/// Where a comment belongs.
#[derive(Debug, Clone)]
pub enum Place {
    /// It begins a thread on a version, or on one of its steps.
    Thread(VersionId, Option<String>),
    /// It replies in a thread.
    Reply(CommentId),
}

/// A comment to be made.
#[derive(Debug, Clone)]
pub struct CommentInput {
    /// Where.
    pub place: Place,
    /// What is said.
    pub body: String,
    /// Whose attention is asked for.
    pub mentions: Vec<PersonId>,
}

/// Makes a comment.
///
/// # Errors
/// `Invalid` without a text, for an unknown step or too many mentions; `NotFound` for what the actor may not see or
/// an unknown person; `Conflict` for a version that is not open, or has [`MAX_COMMENTS`].
pub async fn create(call: &Call, input: CommentInput, key: Option<IdempotencyKey>) -> Result<CommentId> {
    retry(|| create_once(call, &input, key.as_ref())).await
}

async fn create_once(call: &Call, input: &CommentInput, key: Option<&IdempotencyKey>) -> Result<CommentId> {
    let tx = call.store.begin().await?;
    let (version, thread) = match &input.place {
        Place::Thread(version, _) => (*version, None),
        Place::Reply(id) => {
            let row = find(&tx, *id).await?;
            (VersionId(row.version_id), Some(row.thread_id.map_or(*id, CommentId)))
        }
    };
    let opened = call.open_by_version(&tx, version, Action::Comment).await;
    let (procedure, permit) = if thread.is_some() { opened.map_err(hidden)? } else { opened? };
    let found = procedure.version(version).ok_or(Refusal::NotFound("version"))?;
    let id = CommentId(new_id());
    let operation = if thread.is_some() { "commentReply" } else { "commentCreate" };
    if let Some(made) = call.made_before(&tx, operation, key, id.0).await? {
        return Ok(CommentId(made));
    }
    check_version(found.state)?;
    if stored::count_on(&tx, version).await? >= MAX_COMMENTS {
        return Err(Refusal::conflict(format!("a version has {MAX_COMMENTS} comments at most")).into());
    }
    let step_key = check(&tx, &procedure, found, input).await?;
    let new = NewComment {
        id,
        version,
        content: found.content,
        thread,
        step_key,
        author: call.actor.person,
        body: input.body.clone(),
        mentions: input.mentions.clone(),
    };
    stored::insert(&tx, &permit, &new, call.now).await?;
    events::mentioned(&tx, call, &procedure, found, id, &new.mentions).await?;
    let told = json!({
        "version": version.to_string(), "thread": thread.map(|t| t.to_string()), "step": new.step_key,
        "content": new.content.to_string(), "body": new.body, "resolved": thread.is_none().then_some(false),
        "mentions": new.mentions.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    entry(&tx, call, &procedure, "comment.created", id, (Value::Null, told)).await?;
    tx.commit().await?;
    Ok(id)
}

/// What is wrong with a comment, besides where it belongs. Answers the step that it is about.
async fn check(
    db: &impl Connection,
    procedure: &Procedure,
    version: &Version,
    input: &CommentInput,
) -> Result<Option<String>> {
    let mut problems: Vec<Problem> = prose_problem("body", &input.body).into_iter().collect();
    let mut mentioned = input.mentions.clone();
    mentioned.sort_unstable();
    mentioned.dedup();
    if mentioned.len() < input.mentions.len() || mentioned.len() > MAX_MENTIONS {
        problems.push(Problem::at("mentionIds", format!("at most {MAX_MENTIONS} people, each once")));
    }
    let step_key = match &input.place {
        Place::Thread(_, step) => step.clone(),
        Place::Reply(_) => None,
    };
    if let Some(key) = &step_key {
        let document = document_of(db, procedure, version.id).await?;
        if !document.content.steps.iter().any(|step| step.key == *key) {
            problems.push(Problem::at("stepKey", "the version has no step of this key"));
        }
    }
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems).into());
    }
    let ids: Vec<_> = mentioned.iter().map(|person| person.0).collect();
    if people::by_ids(db, &ids).await?.len() < ids.len() {
        return Err(Refusal::NotFound("person").into());
    }
    Ok(step_key)
}

/// Settles a thread, or opens it again.
///
/// # Errors
/// Those of [`Thread::resolve`] and [`Thread::reopen`]; `Invalid` for a reply; `NotFound` for what the actor may not
/// see; `Conflict` for a version that is not open.
pub async fn settle(call: &Call, id: CommentId, resolved: bool) -> Result<CommentId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let row = find(&tx, id).await?;
        let version = VersionId(row.version_id);
        let (procedure, permit) = call.open_by_version(&tx, version, Action::Comment).await.map_err(hidden)?;
        if row.thread_id.is_some() {
            return Err(Refusal::invalid("id", "this is a reply: threads are resolved as a whole").into());
        }
        let found = procedure.version(version).ok_or(Refusal::NotFound("version"))?;
        check_version(found.state)?;
        settle_thread(&tx, call, &permit, (&row, resolved), found).await?;
        let state = |resolved: bool| json!({"resolved": resolved});
        let action = if resolved { "comment.resolved" } else { "comment.reopened" };
        entry(&tx, call, &procedure, action, id, (state(!resolved), state(resolved))).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

async fn settle_thread(
    db: &impl Connection,
    call: &Call,
    permit: &Permit,
    (row, resolved): (&CommentRow, bool),
    version: &Version,
) -> Result<()> {
    let thread = Thread { author: PersonId(row.author_id), resolved: row.resolved_at.is_some() };
    let by = if resolved {
        let involved = version.contributors.iter().copied().chain([thread.author, call.actor.person]);
        let accounts = accounts::of(db, involved.collect()).await?;
        thread.resolve(call.actor.person, &version.contributors, &accounts)?;
        Some(call.actor.person)
    } else {
        thread.reopen()?;
        None
    };
    stored::settle(db, permit, CommentId(row.id), by, call.now).await
}

async fn entry(
    db: &impl Connection,
    call: &Call,
    procedure: &Procedure,
    action: &'static str,
    id: CommentId,
    (old, new): (Value, Value),
) -> Result<()> {
    let mut entry = record::plain(call, action, id, Some(procedure.team), new);
    entry.sop = Some(procedure.id);
    entry.old = old;
    audit::append(db, vec![entry]).await
}

async fn find(db: &impl Connection, id: CommentId) -> Result<CommentRow> {
    Ok(stored::by_ids(db, &[id.0]).await?.pop().ok_or(Refusal::NotFound("comment"))?)
}

fn hidden(error: Error) -> Error {
    match error {
        Error::Refused(Refusal::NotFound(_)) => Refusal::NotFound("comment").into(),
        other => other,
    }
}
