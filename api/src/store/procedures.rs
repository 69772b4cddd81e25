//! Procedures as the lifecycle sees them, and the effects of its transitions as guarded writes.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use sopwith_domain::access::Permit;
use sopwith_domain::content::ContentHash;
use sopwith_domain::ids::{PersonId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::{Effect, Label, NewDraft, Procedure, SopState, Version, VersionState};
use sopwith_domain::time::Timestamp;

use super::entity::{sop, version, version_contributor};
use super::{Connection, approvals, contents, exactly_one, micros, parse, search};
use crate::error::{Error, Result};

/// All that the lifecycle needs to know of an SOP. With `lock`, on PostgreSQL, nobody else moves it until the
/// transaction ends; on SQLite there is one writer anyway.
///
/// # Errors
/// When the database does not answer.
pub async fn load(db: &impl Connection, id: SopId, lock: bool) -> Result<Option<Procedure>> {
    let found = sop::Entity::find_by_id(id.0);
    let found = if lock { found.lock_exclusive() } else { found };
    let Some(row) = found.one(db).await? else { return Ok(None) };
    let versions = version::Entity::find().filter(version::Column::SopId.eq(id.0));
    let versions = versions.order_by_asc(version::Column::Id).all(db).await?;
    let mut contributors = contributors(db, versions.iter().map(|v| v.id)).await?;
    let versions: Vec<Version> = versions
        .into_iter()
        .map(|row| read(&row, contributors.remove(&row.id).unwrap_or_default()))
        .collect::<Result<_>>()?;
    let request = approvals::open_of(db, id).await?;
    Ok(Some(Procedure {
        id,
        team: TeamId(row.team_id),
        owner: PersonId(row.owner_id),
        risk: parse(&row.risk)?,
        state: parse(&row.state)?,
        revision: row.revision,
        versions,
        request,
    }))
}

/// Contributors of versions.
///
/// # Errors
/// When the database does not answer.
pub async fn contributors(
    db: &impl Connection,
    versions: impl IntoIterator<Item = Uuid>,
) -> Result<BTreeMap<Uuid, BTreeSet<PersonId>>> {
    let of = version_contributor::Column::VersionId.is_in(versions);
    let mut out: BTreeMap<Uuid, BTreeSet<PersonId>> = BTreeMap::new();
    for row in version_contributor::Entity::find().filter(of).all(db).await? {
        out.entry(row.version_id).or_default().insert(PersonId(row.person_id));
    }
    Ok(out)
}

fn read(row: &version::Model, contributors: BTreeSet<PersonId>) -> Result<Version> {
    Ok(Version {
        id: VersionId(row.id),
        state: parse(&row.state)?,
        kind: parse(&row.kind)?,
        label: row.major.zip(row.minor).map(|(major, minor)| Label { major, minor }),
        content: parse(&row.content_hash)?,
        effective_at: row.effective_at.map(Timestamp::from_micros),
        revision: row.revision,
        contributors,
    })
}

/// Writes what a transition brings about. Every guarded write meets its row as it was, or nothing is written.
///
/// # Errors
/// `Conflict` when somebody else was first.
pub async fn carry_out(
    db: &impl Connection,
    permit: &Permit,
    procedure: &Procedure,
    effects: &[Effect],
    now: Timestamp,
) -> Result<()> {
    for effect in effects {
        match effect {
            Effect::DraftCreated(draft, contributors) => {
                insert_draft(db, procedure.id, draft, now).await?;
                for person in contributors {
                    add_contributor(db, draft.id, *person).await?;
                }
            }
            Effect::DraftEdited { version, revision, content, kind, effective_at, editor } => {
                let title = contents::get(db, &content.to_string()).await?.content.title;
                let draft = version::ActiveModel {
                    content_hash: Set(content.to_string()),
                    kind: Set(kind.as_str().to_owned()),
                    effective_at: Set(micros(*effective_at)),
                    title: Set(title.clone()),
                    ..Default::default()
                };
                move_version(db, *version, *revision, VersionState::Draft, draft, now).await?;
                add_contributor(db, *version, *editor).await?;
                retitle_unpublished(db, procedure, &title).await?;
            }
            Effect::VersionMoved { .. } => version_moved(db, procedure, effect, now).await?,
            Effect::RequestOpened(request) => approvals::open(db, permit, procedure, request).await?,
            Effect::DecisionTaken(_, decision) => {
                let open = procedure.request.as_ref().ok_or_else(|| Error::internal("a request vanished"))?;
                approvals::decided(db, permit, open, decision).await?;
            }
            Effect::DecisionWithdrawn(_, decision, at) => approvals::withdrawn(db, permit, *decision, *at).await?,
            Effect::StageOpened(request, stage) => approvals::next_stage(db, permit, *request, *stage, now).await?,
            Effect::RequestClosed(request, state) => approvals::close(db, permit, *request, *state, now).await?,
            Effect::SopMoved { revision, from, to, successor } => {
                let row = sop::ActiveModel {
                    state: Set(to.as_str().to_owned()),
                    successor_id: Set(successor.map(|s| s.0)),
                    ..Default::default()
                };
                move_sop(db, procedure.id, *revision, *from, row, now).await?;
                if *to == SopState::Retired {
                    search::remove(db, procedure.id).await?;
                }
            }
            Effect::OwnerChanged { revision, to, .. } => {
                let row = sop::ActiveModel { owner_id: Set(to.0), ..Default::default() };
                move_sop(db, procedure.id, *revision, procedure.state, row, now).await?;
            }
        }
    }
    Ok(())
}

async fn insert_draft(db: &impl Connection, sop: SopId, draft: &NewDraft, now: Timestamp) -> Result<()> {
    let document = contents::get(db, &draft.content.to_string()).await?;
    let row = version::ActiveModel {
        id: Set(draft.id.0),
        sop_id: Set(sop.0),
        state: Set(VersionState::Draft.as_str().to_owned()),
        kind: Set(draft.kind.as_str().to_owned()),
        major: Set(None),
        minor: Set(None),
        content_hash: Set(draft.content.to_string()),
        title: Set(document.content.title),
        effective_at: Set(micros(draft.effective_at)),
        based_on_id: Set(draft.based_on.map(|v| v.0)),
        revision: Set(1),
        reason: Set(None),
        created_by_id: Set(draft.creator.0),
        created_at: Set(now.micros()),
        updated_at: Set(now.micros()),
        submitted_at: Set(None),
        published_at: Set(None),
        ended_at: Set(None),
    };
    version::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Notes who contributed to a version; once is enough.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn add_contributor(db: &impl Connection, version: VersionId, person: PersonId) -> Result<()> {
    let row = version_contributor::ActiveModel { version_id: Set(version.0), person_id: Set(person.0) };
    let once = sea_orm::sea_query::OnConflict::new().do_nothing().to_owned();
    version_contributor::Entity::insert(row).on_conflict(once).exec_without_returning(db).await?;
    Ok(())
}

async fn version_moved(db: &impl Connection, procedure: &Procedure, effect: &Effect, now: Timestamp) -> Result<()> {
    let Effect::VersionMoved { version, revision, from, to, label, contributor, reason } = effect else {
        return Ok(());
    };
    let mut row = version::ActiveModel {
        state: Set(to.as_str().to_owned()),
        major: Set(label.map(|l| l.major)),
        minor: Set(label.map(|l| l.minor)),
        reason: Set(reason.clone()),
        ..Default::default()
    };
    match to {
        VersionState::InReview => row.submitted_at = Set(Some(now.micros())),
        VersionState::Published => row.published_at = Set(Some(now.micros())),
        VersionState::Superseded | VersionState::Retired | VersionState::Discarded => {
            row.ended_at = Set(Some(now.micros()));
        }
        VersionState::Draft | VersionState::Approved => {}
    }
    move_version(db, *version, *revision, *from, row, now).await?;
    if let Some(person) = contributor {
        add_contributor(db, *version, *person).await?;
    }
    if *to == VersionState::Published {
        published(db, procedure, *version).await?;
    }
    Ok(())
}

/// What readers and the search see from now on.
async fn published(db: &impl Connection, procedure: &Procedure, id: VersionId) -> Result<()> {
    let version = procedure.version(id).ok_or_else(|| Error::internal("a version vanished"))?;
    let document = contents::get(db, &version.content.to_string()).await?;
    let row = sop::ActiveModel {
        id: Set(procedure.id.0),
        title: Set(document.content.title.clone()),
        was_published: Set(true),
        ..Default::default()
    };
    row.update(db).await?;
    search::index(db, procedure.id, &document.content).await
}

/// While nothing was ever in force, an SOP is called what its draft is called.
async fn retitle_unpublished(db: &impl Connection, procedure: &Procedure, title: &str) -> Result<()> {
    if !procedure.was_published() {
        let row = sop::ActiveModel { id: Set(procedure.id.0), title: Set(title.to_owned()), ..Default::default() };
        row.update(db).await?;
    }
    Ok(())
}

async fn move_version(
    db: &impl Connection,
    id: VersionId,
    revision: i64,
    from: VersionState,
    mut row: version::ActiveModel,
    now: Timestamp,
) -> Result<()> {
    row.revision = Set(revision + 1);
    row.updated_at = Set(now.micros());
    let as_it_was = version::Column::Id
        .eq(id.0)
        .and(version::Column::State.eq(from.as_str()))
        .and(version::Column::Revision.eq(revision));
    exactly_one(version::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

async fn move_sop(
    db: &impl Connection,
    id: SopId,
    revision: i64,
    from: SopState,
    mut row: sop::ActiveModel,
    now: Timestamp,
) -> Result<()> {
    row.revision = Set(revision + 1);
    row.updated_at = Set(now.micros());
    let as_it_was =
        sop::Column::Id.eq(id.0).and(sop::Column::State.eq(from.as_str())).and(sop::Column::Revision.eq(revision));
    exactly_one(sop::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)
}

/// Approved versions whose effective date has come, soonest first.
///
/// # Errors
/// When the database does not answer.
pub async fn due(db: &impl Connection, now: Timestamp) -> Result<Vec<(SopId, VersionId)>> {
    let due =
        version::Column::State.eq(VersionState::Approved.as_str()).and(version::Column::EffectiveAt.lte(now.micros()));
    let rows =
        version::Entity::find().filter(due).order_by_asc(version::Column::EffectiveAt).limit(100).all(db).await?;
    Ok(rows.into_iter().map(|v| (SopId(v.sop_id), VersionId(v.id))).collect())
}

/// The hash that a version says it has.
///
/// # Errors
/// When it is malformed.
pub(super) fn hash(text: &str) -> Result<ContentHash> {
    parse(text)
}
