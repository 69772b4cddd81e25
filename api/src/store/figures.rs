//! Figures: read from the roll-ups, and for what is less than an hour from the executions themselves. Everything that
//! asks for figures asks here.

pub mod funnel;
mod groups;
mod kept;
mod read;
mod sql;
pub mod steps;
pub mod violations;

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, Statement};
use sopwith_domain::calendar::{Cover, Grain, Zone};
use sopwith_domain::ids::{ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::metrics::Ratio;
use sopwith_domain::rollup::Tally;
use sopwith_domain::stats::histogram::Histogram;
use sopwith_domain::stats::survival::Incidence;
use sopwith_domain::time::Timestamp;

use self::groups::Groups;
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

impl Question {
    /// The time zone of the buckets, where sums are kept by hours, days and months of this one.
    fn zone(&self, kept: Zone) -> Zone {
        self.zone.unwrap_or(kept)
    }
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
    /// How long the open ones have been so; of those longer than any horizon, that they have been so for the longest.
    pub open: Histogram,
    /// Those of the open ones that are past their horizon.
    pub overdue: i64,
    /// How far from the ends of the bucket, in microseconds, runs may lie that are counted on the other side: kept hours
    /// are not cut where they begin at another minute than those of its time zone.
    pub off_by: i64,
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

    /// Runs that were given up, or did not finish before their horizon, among all.
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

/// The figures that are asked for, within reach, in the order of their groups. Where they are more than [`MAX_GROUPS`],
/// or than [`MAX_RANKED`] where they are to be put in order, one more than that, whose figures say nothing: what is left is not read.
///
/// # Errors
/// `Outdated` when the roll-ups are kept in another form by now; others when the database does not answer.
pub async fn compute(store: &Store, who: &FiguresReach, question: &Question, now: Timestamp) -> Result<Vec<Figures>> {
    let stretch = (question.from.unwrap_or(Timestamp::MIN), question.to.unwrap_or(Timestamp::MAX));
    let cover = Cover::of(store.zone(), stretch, coarsest(store.zone(), question));
    let trimmed = cover.clone().trimmed(store.zone(), now);
    let mut groups = gather(store, who, question, &trimmed, now).await?;
    // Of some of so many all runs may lie in the days that are too much.
    if groups.is_full() && trimmed != cover {
        groups = gather(store, who, question, &cover, now).await?;
    }
    groups.figures()
}

async fn gather<'a>(
    store: &Store,
    who: &FiguresReach,
    question: &'a Question,
    cover: &'a Cover,
    now: Timestamp,
) -> Result<Groups<'a>> {
    let mut groups = Groups::new(question, store.zone(), cover, now);
    if cover.edges.is_empty() {
        read::sums(store.read(), who, question, (cover, store.form()), now, &mut groups).await?;
    } else {
        // Sums and executions are to be of one moment.
        let tx = store.snapshot().await?;
        read::sums(&tx, who, question, (cover, store.form()), now, &mut groups).await?;
        read::runs(&tx, who, question, &cover.edges, &mut groups).await?;
        tx.commit().await?;
    }
    Ok(groups)
}

/// The longest time whose sums can be read.
fn coarsest(kept: Zone, question: &Question) -> Grain {
    let own = question.zone(kept) == kept;
    match question.bucket {
        None => Grain::Month,
        Some(Grain::Month) if own => Grain::Month,
        Some(Grain::Day | Grain::Week) if own => Grain::Day,
        Some(_) => Grain::Hour,
    }
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

/// When the last record of each source came: two looks into an index for each of them, however many executions there
/// are.
///
/// # Errors
/// When the database does not answer.
pub async fn last_records(db: &impl Connection) -> Result<Vec<(String, Timestamp)>> {
    let sql = "WITH RECURSIVE known (source) AS (SELECT MIN(source) FROM execution \
            UNION ALL SELECT (SELECT MIN(e.source) FROM execution e WHERE e.source > known.source) \
            FROM known WHERE known.source IS NOT NULL) \
        SELECT source, (SELECT MAX(e.received_at) FROM execution e WHERE e.source = known.source) AS last \
        FROM known WHERE source IS NOT NULL ORDER BY source";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    let read = |row: &QueryResult| Ok((row.try_get("", "source")?, Timestamp::from_micros(row.try_get("", "last")?)));
    rows.iter().map(read).collect()
}
