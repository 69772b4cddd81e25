//! What the pages of figures show: totals, their course over time, and their parts side by side, within the reach of who
//! looks.

mod insight;

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{ProcessId, SopId, TeamId};
use sopwith_domain::lifecycle::SopState;
use sopwith_domain::time::Timestamp;

use super::{Call, figures, reading};
use crate::error::Result;
use crate::store::figures::{Dimension, Figures, Question};
use crate::store::page::Window;
use crate::store::processes::{self, Process};
use crate::store::sops::{self, SopFilter, SopOrder, SopRow};
use crate::store::teams::{self, Team};
use crate::store::{Uuid, people};

pub use insight::{Ailing, Chosen, Insight, Waited, insight};

/// Which figures are to be shown.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Key of the process that they are of, if of one.
    pub process: Option<String>,
    /// Key of the team that performed the runs, if one.
    pub team: Option<String>,
    /// In whose days, weeks and months.
    pub zone: Zone,
    /// The first instant.
    pub from: Timestamp,
    /// The first instant after.
    pub to: Timestamp,
    /// How the time is divided.
    pub bucket: Grain,
}

/// A version that came into force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Its id.
    pub id: Uuid,
    /// Its label, such as `2.0`.
    pub label: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; of the one in force there is none.
    pub to: Option<Timestamp>,
}

/// What figures stand side by side of.
#[derive(Debug, Clone)]
pub enum Part {
    /// Of an SOP.
    Sop(SopRow),
    /// Of a version.
    Version(InForce),
    /// Of runs that belong to none.
    None,
}

/// An SOP with what is told of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The SOP.
    pub sop: SopRow,
    /// Its team.
    pub team: Option<Team>,
    /// The name of its owner, where it is known.
    pub owner: Option<String>,
    /// What is or was in force, oldest first.
    pub versions: Vec<InForce>,
}

impl Subject {
    /// The version that is in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&InForce> {
        self.versions.iter().rev().find(|version| version.to.is_none())
    }

    /// The label of a version that is or was in force.
    #[must_use]
    pub fn label(&self, version: Uuid) -> Option<&str> {
        self.versions.iter().find(|known| known.id == version).map(|known| known.label.as_str())
    }
}

/// The figures of a page.
#[derive(Debug)]
pub struct Board {
    /// The process that they are of, if of one.
    pub process: Option<Process>,
    /// The team that performed the runs, if one.
    pub team: Option<Team>,
    /// The SOP that they are of, if of one.
    pub subject: Option<Subject>,
    /// All together.
    pub total: Figures,
    /// By the buckets that have runs, in their order.
    pub series: Vec<Figures>,
    /// By SOP; of one SOP, by version.
    pub parts: Vec<(Part, Figures)>,
}

/// What figures can be narrowed down to: the first so many of each.
#[derive(Debug)]
pub struct Choices {
    /// Processes, by key.
    pub processes: Vec<Process>,
    /// Teams, by key.
    pub teams: Vec<Team>,
    /// SOPs that are published, by code.
    pub sops: Vec<SopRow>,
    /// Whether there are more processes or SOPs.
    pub more: bool,
}

/// More processes or SOPs than this are not offered one by one.
const CHOICES: u64 = 200;

/// The figures of all SOPs, side by side.
///
/// # Errors
/// `NotFound` for a process or a team that is unknown; as [`figures::answer`].
pub async fn overview(call: &Call, asked: &Asked) -> Result<Board> {
    let question = question(call, asked).await?;
    let mut board = gather(call, question, Dimension::Sop).await?;
    let ids: Vec<Uuid> = board.parts.iter().filter_map(|(_, figures)| figures.group.sop).collect();
    let rows = sops::by_ids(call.store.read(), &ids).await?;
    let sights = reading::sights(call.store.read(), &call.actor, &rows).await?;
    let seen = rows.into_iter().filter(|row| sights.get(&row.id).is_some_and(|sight| sight.sop));
    let seen: BTreeMap<Uuid, SopRow> = seen.map(|row| (row.id, row)).collect();
    for (part, figures) in &mut board.parts {
        if let Some(sop) = figures.group.sop.and_then(|id| seen.get(&id)) {
            *part = Part::Sop(sop.clone());
        }
    }
    Ok(board)
}

/// The figures of one SOP, its versions side by side.
///
/// # Errors
/// `NotFound` for an SOP that is unknown or hidden; as [`overview`].
pub async fn of_sop(call: &Call, code: &str, asked: &Asked) -> Result<Board> {
    let sop = sops::by_code(call.store.read(), code).await?.ok_or(Refusal::NotFound("SOP"))?;
    let sights = reading::sights(call.store.read(), &call.actor, std::slice::from_ref(&sop)).await?;
    if !sights.get(&sop.id).is_some_and(|sight| sight.sop) {
        return Err(Refusal::NotFound("SOP").into());
    }
    let question = Asking { sop: Some(SopId(sop.id)), ..question(call, asked).await? };
    let mut board = gather(call, question, Dimension::Version).await?;
    let subject = subject(call, sop).await?;
    for (part, figures) in &mut board.parts {
        let version = subject.versions.iter().find(|version| Some(version.id) == figures.group.version);
        if let Some(version) = version {
            *part = Part::Version(version.clone());
        }
    }
    board.subject = Some(subject);
    Ok(board)
}

/// What the figures of a page can be narrowed down to.
///
/// # Errors
/// When the database does not answer.
pub async fn choices(call: &Call) -> Result<Choices> {
    let db = call.store.read();
    let window = Window { limit: CHOICES, ..Window::default() };
    let processes = processes::list(db, &window).await?;
    let published = SopFilter { states: vec![SopState::Published], ..SopFilter::default() };
    let sops = sops::list(db, &call.actor.visibility(), &published, (SopOrder::Code, false), &window).await?;
    let more = processes.has_next || sops.has_next;
    Ok(Choices { processes: processes.rows, teams: teams::all(db).await?, sops: sops.rows, more })
}

/// What is asked for, with what it names.
struct Asking {
    process: Option<Process>,
    team: Option<Team>,
    sop: Option<SopId>,
    from: Timestamp,
    to: Timestamp,
    bucket: Grain,
}

async fn question(call: &Call, asked: &Asked) -> Result<Asking> {
    let db = call.store.read();
    let process = match &asked.process {
        Some(key) => Some(processes::by_key(db, key).await?.ok_or(Refusal::NotFound("process"))?),
        None => None,
    };
    let team = match &asked.team {
        Some(key) => Some(teams::by_key(db, key).await?.ok_or(Refusal::NotFound("team"))?),
        None => None,
    };
    Ok(Asking { process, team, sop: None, from: asked.from, to: asked.to, bucket: asked.bucket })
}

async fn gather(call: &Call, asking: Asking, by: Dimension) -> Result<Board> {
    let question = Question {
        process: asking.process.as_ref().map(|process| ProcessId(process.id)),
        team: asking.team.as_ref().map(|team| TeamId(team.id)),
        sop: asking.sop,
        from: Some(asking.from),
        to: Some(asking.to),
        ..Question::default()
    };
    let total = figures::answer(call, &question).await?.into_iter().next().unwrap_or_default();
    let over_time = Question { bucket: Some(asking.bucket), ..question.clone() };
    let side_by_side = Question { by: BTreeSet::from([by]), ..question };
    let series = figures::answer(call, &over_time).await?;
    let parts = figures::many(call, side_by_side).await?.into_iter().map(|figures| (Part::None, figures)).collect();
    let Asking { process, team, .. } = asking;
    Ok(Board { process, team, subject: None, total, series, parts })
}

async fn subject(call: &Call, sop: SopRow) -> Result<Subject> {
    let db = call.store.read();
    let in_force = |row: &sops::VersionRow| {
        Some(InForce {
            id: row.id,
            label: sops::label(row)?.to_string(),
            from: Timestamp::from_micros(row.published_at?),
            to: row.ended_at.map(Timestamp::from_micros),
        })
    };
    let mut versions: Vec<InForce> = sops::versions_of(db, &[sop.id]).await?.iter().filter_map(in_force).collect();
    versions.sort_by_key(|version| version.from);
    let team = teams::by_ids(db, &[sop.team_id]).await?.pop();
    let owner = people::by_ids(db, &[sop.owner_id]).await?.pop().and_then(|person| person.name);
    Ok(Subject { sop, team, owner, versions })
}
