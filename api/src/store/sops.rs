//! SOPs and their versions, as read.

use std::collections::BTreeMap;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Cond, Func, Query, SelectStatement, WindowStatement};
use sea_orm::{ActiveValue::Set, FromQueryResult, Order, QueryOrder, QuerySelect, Select};
use sopwith_domain::access::{Permit, Reach, Visibility};
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId};
use sopwith_domain::lifecycle::{Label, SopState};
use sopwith_domain::policy::Risk;
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::drafts::drafts_seen;
use super::entity::{sop, version};
use super::page::{self, Page, Window};
use crate::error::Result;

pub use sop::Model as SopRow;
pub use version::Model as VersionRow;

/// An SOP to be.
#[derive(Debug, Clone)]
pub struct NewSop {
    /// Its id.
    pub id: SopId,
    /// Its code, never reused.
    pub code: String,
    /// What its first draft is called.
    pub title: String,
    /// The process that it is for.
    pub process: ProcessId,
    /// The team that keeps it.
    pub team: TeamId,
    /// Who answers for it.
    pub owner: PersonId,
    /// What goes wrong when it is not followed.
    pub risk: Risk,
    /// How often it is looked at: 3, 6 or 12 months.
    pub review_cadence_months: i32,
}

/// Makes an SOP, in DRAFT.
///
/// # Errors
/// `Conflict` when the process has one that is not retired.
pub async fn insert(db: &impl Connection, _permit: &Permit, new: NewSop, now: Timestamp) -> Result<()> {
    let row = sop::ActiveModel {
        id: Set(new.id.0),
        code: Set(new.code),
        title: Set(new.title),
        process_id: Set(new.process.0),
        team_id: Set(new.team.0),
        owner_id: Set(new.owner.0),
        risk: Set(new.risk.as_str().to_owned()),
        review_cadence_months: Set(new.review_cadence_months),
        state: Set(SopState::Draft.as_str().to_owned()),
        was_published: Set(false),
        successor_id: Set(None),
        revision: Set(1),
        created_at: Set(now.micros()),
        updated_at: Set(now.micros()),
    };
    sop::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// SOPs by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<SopRow>> {
    Ok(sop::Entity::find().filter(sop::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// The SOP of this code.
///
/// # Errors
/// When the database does not answer.
pub async fn by_code(db: &impl Connection, code: &str) -> Result<Option<SopRow>> {
    Ok(sop::Entity::find().filter(sop::Column::Code.eq(code)).one(db).await?)
}

/// The SOPs of processes, those not retired first, then the newest.
///
/// # Errors
/// When the database does not answer.
pub async fn of_processes(db: &impl Connection, processes: &[Uuid]) -> Result<Vec<SopRow>> {
    let of = sop::Entity::find().filter(sop::Column::ProcessId.is_in(processes.iter().copied()));
    let mut rows = of.order_by_desc(sop::Column::Id).all(db).await?;
    rows.sort_by_key(|row| row.state == SopState::Retired.as_str());
    Ok(rows)
}

/// Versions by id.
///
/// # Errors
/// When the database does not answer.
pub async fn versions_by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<VersionRow>> {
    Ok(version::Entity::find().filter(version::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// All versions of SOPs, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn versions_of(db: &impl Connection, sops: &[Uuid]) -> Result<Vec<VersionRow>> {
    let of = version::Column::SopId.is_in(sops.iter().copied());
    Ok(version::Entity::find().filter(of).order_by_desc(version::Column::Id).all(db).await?)
}

/// The versions in force, and those that are open, of SOPs.
///
/// # Errors
/// When the database does not answer.
pub async fn current_versions_of(db: &impl Connection, sops: &[Uuid]) -> Result<Vec<VersionRow>> {
    let of = version::Column::SopId.is_in(sops.iter().copied());
    let current = version::Column::State.is_in(["PUBLISHED", "DRAFT", "IN_REVIEW", "APPROVED"]);
    Ok(version::Entity::find().filter(of.and(current)).all(db).await?)
}

/// A page of the versions of an SOP, newest first; only those that are or were in force unless drafts are seen.
///
/// # Errors
/// When the database does not answer.
pub async fn list_versions(
    db: &impl Connection,
    sop: SopId,
    drafts: bool,
    window: &Window,
) -> Result<Page<VersionRow>> {
    page::list(db, versions_seen(sop, drafts), (version::Column::CreatedAt, Some(version::Column::Id)), true, window)
        .await
}

/// The first page of the versions of an SOP, or the last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outermost {
    /// Of which SOP.
    pub sop: Uuid,
    /// With those that never came into force.
    pub drafts: bool,
    /// How many at most.
    pub limit: u64,
    /// The last, which are the oldest.
    pub backwards: bool,
}

/// The first or last pages of the versions of SOPs, newest first, as `list_versions` has them for one.
///
/// # Errors
/// When the database does not answer.
pub async fn outermost_versions_of(
    db: &impl Connection,
    pages: &[Outermost],
) -> Result<Vec<(Outermost, Page<VersionRow>)>> {
    let mut found = Vec::with_capacity(pages.len());
    for backwards in [false, true] {
        let pages: Vec<&Outermost> = pages.iter().filter(|page| page.backwards == backwards).collect();
        if !pages.is_empty() {
            found.extend(outermost_on_one_side(db, &pages, backwards).await?);
        }
    }
    Ok(found)
}

async fn outermost_on_one_side(
    db: &impl Connection,
    pages: &[&Outermost],
    backwards: bool,
) -> Result<Vec<(Outermost, Page<VersionRow>)>> {
    let of = |drafts| version::Column::SopId.is_in(pages.iter().filter(|p| p.drafts == drafts).map(|p| p.sop));
    let seen = Cond::any().add(of(true)).add(of(false).and(version::Column::PublishedAt.is_not_null()));
    let most = pages.iter().map(|p| p.limit).max().unwrap_or_default();
    let order = if backwards { Order::Asc } else { Order::Desc };
    let found = version::Entity::find().filter(version::Column::Id.in_subquery(of_each(seen, order.clone(), most + 1)));
    let found = found.order_by(version::Column::CreatedAt, order.clone()).order_by(version::Column::Id, order);
    let mut versions: BTreeMap<Uuid, Vec<VersionRow>> = BTreeMap::new();
    for row in found.all(db).await? {
        versions.entry(row.sop_id).or_default().push(row);
    }
    let page = |page: &&Outermost| {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut rows = versions.get(&page.sop).cloned().unwrap_or_default();
        rows.retain(|row| page.drafts || row.published_at.is_some());
        let more = rows.len() > limit;
        rows.truncate(limit);
        if backwards {
            rows.reverse();
        }
        ((*page).clone(), Page { rows, has_previous: backwards && more, has_next: !backwards && more })
    };
    Ok(pages.iter().map(page).collect())
}

/// The ids of so many of the first versions of each SOP, in this order.
fn of_each(seen: Cond, order: Order, limit: u64) -> SelectStatement {
    let (ranked, rank) = (Alias::new("ranked"), Alias::new("rank"));
    let of_its_sop = WindowStatement::partition_by(version::Column::SopId)
        .order_by(version::Column::CreatedAt, order.clone())
        .order_by(version::Column::Id, order)
        .take();
    let versions = Query::select()
        .column(version::Column::Id)
        .expr_window_as(Func::cust("ROW_NUMBER"), of_its_sop, rank.clone())
        .from(version::Entity)
        .cond_where(seen)
        .to_owned();
    let first = Expr::col(rank).lte(limit);
    Query::select().column(version::Column::Id).from_subquery(versions, ranked).and_where(first).to_owned()
}

/// How many versions an SOP has.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct VersionCount {
    /// Which SOP.
    pub sop_id: Uuid,
    /// In all.
    pub all: i64,
    /// That are or were in force.
    pub published: i64,
}

/// How many versions SOPs have; nothing of an SOP that has none.
///
/// # Errors
/// When the database does not answer.
pub async fn version_counts_of(db: &impl Connection, sops: &[Uuid]) -> Result<Vec<VersionCount>> {
    let counts = version::Entity::find()
        .select_only()
        .column(version::Column::SopId)
        .column_as(version::Column::Id.count(), "all")
        .column_as(version::Column::PublishedAt.count(), "published")
        .filter(version::Column::SopId.is_in(sops.iter().copied()))
        .group_by(version::Column::SopId);
    Ok(counts.into_model().all(db).await?)
}

fn versions_seen(sop: SopId, drafts: bool) -> Select<version::Entity> {
    let all = version::Entity::find().filter(version::Column::SopId.eq(sop.0));
    if drafts { all } else { all.filter(version::Column::PublishedAt.is_not_null()) }
}

/// A version's label.
#[must_use]
pub fn label(row: &VersionRow) -> Option<Label> {
    row.major.zip(row.minor).map(|(major, minor)| Label { major, minor })
}

/// What an ordered list of SOPs is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SopOrder {
    /// By code.
    Code,
    /// By title.
    Title,
    /// By the time of creation.
    CreatedAt,
    /// By the time of the last change.
    UpdatedAt,
}

/// Which SOPs are asked for.
#[derive(Debug, Clone, Default)]
pub struct SopFilter {
    /// In one of these states; those not retired when empty.
    pub states: Vec<SopState>,
    /// Of this team.
    pub team: Option<TeamId>,
    /// Of this owner.
    pub owner: Option<PersonId>,
    /// For this process.
    pub process: Option<ProcessId>,
    /// Of this risk.
    pub risk: Option<Risk>,
}

/// The SOPs that somebody sees, as a condition on them.
fn seen(visible: &Visibility) -> Cond {
    match visible.drafts {
        Reach::Organisation => Cond::all(),
        Reach::Teams(_) => Cond::any().add(sop::Column::WasPublished.eq(true)).add(drafts_seen(visible)),
    }
}

fn condition(visible: &Visibility, filter: &SopFilter) -> Cond {
    let states = if filter.states.is_empty() {
        sop::Column::State.ne(SopState::Retired.as_str())
    } else {
        sop::Column::State.is_in(filter.states.iter().map(|s| s.as_str()))
    };
    let equal = [
        filter.team.map(|t| sop::Column::TeamId.eq(t.0)),
        filter.owner.map(|p| sop::Column::OwnerId.eq(p.0)),
        filter.process.map(|p| sop::Column::ProcessId.eq(p.0)),
        filter.risk.map(|r| sop::Column::Risk.eq(r.as_str())),
    ];
    equal.into_iter().flatten().fold(Cond::all().add(seen(visible)).add(states), Cond::add)
}

/// A page of the SOPs that somebody sees.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl Connection,
    visible: &Visibility,
    filter: &SopFilter,
    (order, descending): (SopOrder, bool),
    window: &Window,
) -> Result<Page<SopRow>> {
    let column = match order {
        SopOrder::Code => sop::Column::Code,
        SopOrder::Title => sop::Column::Title,
        SopOrder::CreatedAt => sop::Column::CreatedAt,
        SopOrder::UpdatedAt => sop::Column::UpdatedAt,
    };
    let select = sop::Entity::find().filter(condition(visible, filter));
    page::list(db, select, (column, Some(sop::Column::Id)), descending, window).await
}

/// How many SOPs somebody sees.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, visible: &Visibility, filter: &SopFilter) -> Result<u64> {
    Ok(sop::Entity::find().filter(condition(visible, filter)).count(db).await?)
}
