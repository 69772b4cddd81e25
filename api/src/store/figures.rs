//! Figures: read from the roll-ups, and for what is less than an hour from the executions themselves. Everything that
//! asks for figures asks here.

pub mod funnel;
mod read;
mod sql;

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, Statement};
use sopwith_domain::calendar::{Cover, Grain, Zone};
use sopwith_domain::ids::{ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::metrics::Ratio;
use sopwith_domain::rollup::{Aggregate, HORIZON, Tally};
use sopwith_domain::stats::histogram::Histogram;
use sopwith_domain::stats::survival::Incidence;
use sopwith_domain::time::Timestamp;

use self::read::Of;
use super::executions::FiguresReach;
use super::{Connection, Store, parse};
use crate::error::{Error, Result};

/// What figures are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// By process.
    Process,
    /// By SOP.
    Sop,
    /// By version.
    Version,
    /// By the team that performed it.
    Team,
}

/// Which figures are asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Of this process.
    pub process: Option<ProcessId>,
    /// Of this SOP.
    pub sop: Option<SopId>,
    /// Of this version.
    pub version: Option<VersionId>,
    /// Of runs performed by this team.
    pub team: Option<TeamId>,
    /// Of runs that started at this time or later.
    pub from: Option<Timestamp>,
    /// Of runs that started before this time.
    pub to: Option<Timestamp>,
    /// Grouped by these.
    pub by: BTreeSet<Dimension>,
    /// And by time.
    pub bucket: Option<Grain>,
    /// In this time zone; that of the organisation when absent.
    pub zone: Option<Zone>,
    /// To be put in order before most groups are left out: up to [`MAX_RANKED`] are computed.
    pub ranked: bool,
}

/// What a group of runs has in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The process.
    pub process: Option<Uuid>,
    /// The SOP.
    pub sop: Option<Uuid>,
    /// The version.
    pub version: Option<Uuid>,
    /// The team.
    pub team: Option<Uuid>,
    /// The first microsecond of the time bucket.
    pub bucket: Option<i64>,
}

/// The figures of a group of runs.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What the runs have in common.
    pub group: Group,
    /// Counts of them.
    pub tally: Tally,
    /// How long the completed ones took.
    pub completed: Histogram,
    /// After how long the abandoned ones were given up.
    pub abandoned: Histogram,
    /// How long the open ones have been so; those past the horizon at the horizon.
    pub open: Histogram,
    /// Those of the open ones that are past it.
    pub overdue: i64,
}

impl Figures {
    /// What share of the runs was completed after which time, with the open ones counted in.
    #[must_use]
    pub fn incidence(&self) -> Incidence {
        Incidence::of_histograms(&self.completed, &self.abandoned, &self.open)
    }

    /// Takes the runs of another group in.
    ///
    /// # Errors
    /// When there would be more than can be counted.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.tally.add(&other.tally);
        self.overdue += other.overdue;
        self.completed.merge(&other.completed).map_err(Error::internal)?;
        self.abandoned.merge(&other.abandoned).map_err(Error::internal)?;
        self.open.merge(&other.open).map_err(Error::internal)
    }

    /// Runs that were given up, or did not finish before the horizon, among all.
    #[must_use]
    pub fn abandonment(&self) -> Ratio {
        let tally = &self.tally;
        Ratio { numerator: tally.abandoned + tally.late + self.overdue, denominator: tally.runs }
    }
}

/// More groups than this are not answered.
pub const MAX_GROUPS: usize = 2_000;
/// Of more groups than this it is not said which come first.
pub const MAX_RANKED: usize = 10_000;

/// The figures that are asked for, within reach, in the order of their groups; at most one more than [`MAX_GROUPS`], or
/// than [`MAX_RANKED`] where they are to be put in order.
///
/// # Errors
/// When the database does not answer.
pub async fn compute(store: &Store, who: &FiguresReach, question: &Question, now: Timestamp) -> Result<Vec<Figures>> {
    let stretch = (question.from.unwrap_or(Timestamp::MIN), question.to.unwrap_or(Timestamp::MAX));
    let cover = Cover::of(store.zone(), stretch, coarsest(store.zone(), question));
    let (found, runs) = if cover.edges.is_empty() {
        (read::sums(store.read(), who, question, &cover, now).await?, Vec::new())
    } else {
        // Sums and executions are to be of one moment.
        let tx = store.snapshot().await?;
        let found = read::sums(&tx, who, question, &cover, now).await?;
        let runs = read::runs(&tx, who, question, &cover.edges).await?;
        tx.commit().await?;
        (found, runs)
    };
    let mut groups: BTreeMap<Group, (Aggregate, Histogram)> = BTreeMap::new();
    if question.by.is_empty() && question.bucket.is_none() {
        groups.insert(Group::default(), Default::default());
    }
    let zone = question.zone.unwrap_or(store.zone());
    let group = |of: Of, at: Timestamp| group(question, zone, of, at);
    for (of, at, sum) in &found.sums {
        groups.entry(group(*of, *at)).or_default().0.merge(sum).map_err(Error::internal)?;
    }
    for (key, facts) in &runs {
        let sum = Aggregate::of(facts);
        groups.entry(group((*key).into(), facts.cohort())).or_default().0.merge(&sum).map_err(Error::internal)?;
    }
    for (of, started_at) in &found.open {
        let age = u64::try_from(now.since(*started_at)).unwrap_or(0);
        // It stands where its sum does, which goes by the hour; where there is none, it was not asked for.
        let in_hours = cover.hours().is_some_and(|(from, to)| from <= *started_at && *started_at < to);
        let at = if in_hours { store.zone().start(Grain::Hour, *started_at) } else { *started_at };
        if let Some((_, open)) = groups.get_mut(&group(*of, at)) {
            open.add(age, 1).map_err(Error::internal)?;
        }
    }
    let most = if question.ranked { MAX_RANKED } else { MAX_GROUPS };
    let groups = groups.into_iter().filter(|(_, (sum, _))| sum.tally.runs > 0).take(most + 1);
    groups.map(|(group, (sum, open))| figures(group, &sum, open)).collect()
}

/// The longest time whose sums can be read.
fn coarsest(kept: Zone, question: &Question) -> Grain {
    let own = question.zone.is_none_or(|zone| zone == kept);
    match question.bucket {
        None => Grain::Month,
        Some(Grain::Month) if own => Grain::Month,
        Some(Grain::Day | Grain::Week) if own => Grain::Day,
        Some(_) => Grain::Hour,
    }
}

fn group(question: &Question, zone: Zone, of: Of, at: Timestamp) -> Group {
    let by = |dimension, id: Option<Uuid>| id.filter(|_| question.by.contains(&dimension));
    Group {
        process: by(Dimension::Process, of.process),
        sop: by(Dimension::Sop, of.sop),
        version: by(Dimension::Version, of.version),
        team: by(Dimension::Team, of.team),
        bucket: question.bucket.map(|grain| zone.start(grain, at).micros()),
    }
}

fn figures(group: Group, sum: &Aggregate, mut open: Histogram) -> Result<Figures> {
    let overdue = (sum.tally.open - i64::try_from(open.count()).map_err(Error::internal)?).max(0);
    open.add(HORIZON.unsigned_abs(), overdue.unsigned_abs()).map_err(Error::internal)?;
    Ok(Figures {
        group,
        tally: sum.tally,
        // Where the sums have drifted, more may have gone out than came in: of those times there is none.
        completed: sum.completed.added().clone(),
        abandoned: sum.abandoned.added().clone(),
        open,
        overdue,
    })
}

/// How many SOPs are in each state.
///
/// # Errors
/// When the database does not answer.
pub async fn sops_by_state(db: &impl Connection) -> Result<Vec<(sopwith_domain::lifecycle::SopState, i64)>> {
    let sql = "SELECT state, COUNT(*) AS n FROM sop GROUP BY state";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok((parse(&row.try_get::<String>("", "state")?)?, row.try_get("", "n")?))).collect()
}

/// How many requests are open, and since when the oldest is.
///
/// # Errors
/// When the database does not answer.
pub async fn pending_approvals(db: &impl Connection) -> Result<(i64, Option<Timestamp>)> {
    let sql = "SELECT COUNT(*) AS n, MIN(opened_at) AS oldest FROM approval_request WHERE state = 'OPEN'";
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let Some(row) = row else { return Ok((0, None)) };
    Ok((row.try_get("", "n")?, row.try_get::<Option<i64>>("", "oldest")?.map(Timestamp::from_micros)))
}

/// When the last record of each source came.
///
/// # Errors
/// When the database does not answer.
pub async fn last_records(db: &impl Connection) -> Result<Vec<(String, Timestamp)>> {
    let sql = "SELECT source, MAX(received_at) AS last FROM execution GROUP BY source ORDER BY source";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let read = |row: &QueryResult| Ok((row.try_get("", "source")?, Timestamp::from_micros(row.try_get("", "last")?)));
    rows.iter().map(read).collect()
}
