//! Events of the outbox: what each tells, and whom it concerns. They are written in the transaction that causes them;
//! inboxes and mail feed from them.

use serde_json::Value;
use sopwith_domain::event::{EventKind, Facts, OpenStage};
use sopwith_domain::ids::{CommentId, PersonId, RequestId, SopId, TeamId};
use sopwith_domain::lifecycle::{Effect, Procedure, Version};
use sopwith_domain::time::Timestamp;

use super::{Call, waiting};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::approvals::{self, RequestRow, StageRow};
use crate::store::events::{self as stored, About, EventRow, NewEvent};
use crate::store::sops::SopRow;
use crate::store::{Connection, people, sops};

/// Who is told when a stage waits for too long, beside the owner.
const MANAGER: &str = "manager";

/// Writes the events that effects on a procedure are, once they are carried out.
pub(super) async fn of_effects(db: &impl Connection, call: &Call, effects: &[Effect]) -> Result<()> {
    for effect in effects {
        let (request, stage) = match effect {
            Effect::RequestOpened(request) => (request.id, 0),
            Effect::StageOpened(request, stage) => (*request, *stage),
            _ => continue,
        };
        stage_event(db, call, EventKind::ApprovalRequested, About::Stage(request, stage, 1)).await?;
    }
    Ok(())
}

/// Writes an event about the open stage of a request. Answers whether it is new: not when the stage is closed, or the
/// event was written before.
pub(super) async fn stage_event(db: &impl Connection, call: &Call, kind: EventKind, about: About) -> Result<bool> {
    let About::Stage(request, stage, _) = about else { return Ok(false) };
    let Some(open) = open_stage(db, request).await? else { return Ok(false) };
    if usize::try_from(open.stage.position).ok() != Some(stage) {
        return Ok(false);
    }
    let recipients = match kind {
        EventKind::ApprovalEscalated => responsible(db, &open.sop, call.now).await?,
        _ => waited_for(db, request, call.now).await?,
    };
    let facts = Facts {
        code: open.sop.code,
        title: open.title,
        label: open.request.label,
        stage: Some(OpenStage {
            name: open.stage.name,
            role: open.stage.role,
            since: Timestamp::from_micros(open.stage.opened_at.unwrap_or(open.request.opened_at)),
            retirement: open.request.version_id.is_none(),
        }),
        via: call.via,
    };
    write(db, call, kind, SopId(open.sop.id), (about, &facts), recipients).await
}

/// Writes the event that people are mentioned in a comment on a version; nothing where there are none but the author.
pub(super) async fn mentioned(
    db: &impl Connection,
    call: &Call,
    procedure: &Procedure,
    version: &Version,
    comment: CommentId,
    mentions: &[PersonId],
) -> Result<()> {
    let others: Vec<PersonId> = mentions.iter().copied().filter(|person| *person != call.actor.person).collect();
    if others.is_empty() {
        return Ok(());
    }
    let sop = sops::by_ids(db, &[procedure.id.0]).await?.pop().ok_or_else(|| Error::internal("an SOP vanished"))?;
    let row = sops::versions_by_ids(db, &[version.id.0]).await?.pop();
    let facts = Facts {
        code: sop.code,
        title: row.map_or(sop.title, |row| row.title),
        label: version.label.map(|label| label.to_string()),
        stage: None,
        via: call.via,
    };
    let about = (About::Comment(comment), &facts);
    write(db, call, EventKind::CommentMentioned, procedure.id, about, others).await?;
    Ok(())
}

async fn write(
    db: &impl Connection,
    call: &Call,
    kind: EventKind,
    sop: SopId,
    (about, facts): (About, &Facts),
    recipients: Vec<PersonId>,
) -> Result<bool> {
    let data: Value = serde_json::to_value(facts).map_err(Error::internal)?;
    let id = sopwith_domain::ids::EventId(new_id());
    stored::insert(db, &NewEvent { id, kind, at: call.now, sop, about, data, recipients }).await
}

/// An open stage, with what it is about.
pub(super) struct Open {
    request: RequestRow,
    /// The stage.
    pub(super) stage: StageRow,
    sop: SopRow,
    title: String,
}

/// The open stage of a request, where one is.
pub(super) async fn open_stage(db: &impl Connection, request: RequestId) -> Result<Option<Open>> {
    let found = approvals::by_ids(db, &[request.0]).await?.pop().filter(|row| row.closed_at.is_none());
    let Some(request) = found else { return Ok(None) };
    let stages = approvals::stages_of(db, &[request.id]).await?;
    let stage = stages.into_iter().find(|stage| stage.position == request.stage);
    let sop = sops::by_ids(db, &[request.sop_id]).await?.pop();
    let (Some(stage), Some(sop)) = (stage, sop) else { return Ok(None) };
    let version = match request.version_id {
        Some(id) => sops::versions_by_ids(db, &[id]).await?.pop(),
        None => None,
    };
    let title = version.map_or_else(|| sop.title.clone(), |version| version.title);
    Ok(Some(Open { request, stage, sop, title }))
}

/// Who could decide in the open stage of a request, by a role of their own.
pub(super) async fn waited_for(db: &impl Connection, request: RequestId, now: Timestamp) -> Result<Vec<PersonId>> {
    let found = waiting::for_requests(db, &[request.0], now).await?;
    Ok(found.into_iter().flat_map(|(_, waiting)| waiting.people).map(PersonId).collect())
}

/// Who answers for an SOP: its owner, and the managers of its team and of the organisation.
async fn responsible(db: &impl Connection, sop: &SopRow, now: Timestamp) -> Result<Vec<PersonId>> {
    let team = TeamId(sop.team_id);
    let managers = people::candidates(db, &[MANAGER.to_owned()], now).await?.into_iter();
    let managers = managers.filter(|who| who.roles.iter().any(|(_, held)| held.is_none_or(|held| held == team)));
    let mut all: Vec<PersonId> = managers.map(|who| who.person).chain([PersonId(sop.owner_id)]).collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The kind of an event and what it tells.
///
/// # Errors
/// When what is stored cannot be read.
pub fn read(row: &EventRow) -> Result<(EventKind, Facts)> {
    let kind = row.kind.parse().map_err(Error::internal)?;
    Ok((kind, serde_json::from_str(&row.data).map_err(Error::internal)?))
}
