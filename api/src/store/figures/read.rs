//! Reads sums over time: roll-ups and the deltas that wait for compaction in one statement, so that what was
//! acknowledged is counted at once and once.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, TryGetable};
use sopwith_domain::access::Reach;
use sopwith_domain::calendar::{Cover, Grain, Stretch};
use sopwith_domain::rollup::{Aggregate, Delta, HORIZON, Key};
use sopwith_domain::time::Timestamp;

use super::sql::Sql;
use super::{Dimension, Question};
use crate::error::{Error, Result};
use crate::store::Connection;
use crate::store::entity::execution;
use crate::store::executions::FiguresReach;
use crate::store::rollups::{Counted, Scope, counted, decode};

/// What runs have in common, as far as it was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Of {
    pub(super) process: Option<Uuid>,
    pub(super) sop: Option<Uuid>,
    pub(super) version: Option<Uuid>,
    pub(super) team: Option<Uuid>,
}

impl From<Key> for Of {
    fn from(key: Key) -> Self {
        Self { process: Some(key.process), sop: key.sop, version: key.version, team: key.team }
    }
}

/// What a statement found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sums, each with the beginning of its time.
    pub(super) sums: Vec<(Of, Timestamp, Aggregate)>,
    /// The starts of runs that are open, those before the horizon left out.
    pub(super) open: Vec<(Of, Timestamp)>,
}

/// Reads what is asked for out of the whole hours of a cover, and which runs of its time are open.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn sums(
    db: &impl Connection,
    who: &FiguresReach,
    question: &Question,
    cover: &Cover,
    now: Timestamp,
) -> Result<Found> {
    let mut sql = Sql::new(db.get_database_backend());
    for (grain, stretch) in &cover.whole {
        kept(&mut sql, who, question, *grain, *stretch);
        sql.text(" UNION ALL ");
    }
    open(&mut sql, who, question, now);
    if !cover.whole.is_empty() {
        sql.text(" UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL, changes, NULL, NULL FROM rollup_delta");
    }
    let (mut found, mut deltas) = (Found::default(), Vec::new());
    for row in db.query_all_raw(sql.statement()).await? {
        match column::<i32>(&row, 0)? {
            0 => {
                let sum =
                    decode(&column::<Vec<u8>>(&row, 6)?, &column::<Vec<u8>>(&row, 7)?, &column::<Vec<u8>>(&row, 8)?)?;
                found.sums.push((of(&row)?, at(&row)?, sum));
            }
            1 => found.open.push((of(&row)?, at(&row)?)),
            _ => deltas.push(Delta::decode(&column::<Vec<u8>>(&row, 6)?).map_err(Error::internal)?),
        }
    }
    if let Some(hours) = cover.hours().filter(|_| !deltas.is_empty()) {
        let asked = Asked::load(db, who, question).await?;
        let cells = deltas.iter().flat_map(Delta::cells);
        let within = |key: &Key, hour: Timestamp| hours.0 <= hour && hour < hours.1 && asked.has(key);
        let cells = cells.filter(|(key, hour, _)| within(key, *hour));
        found.sums.extend(cells.map(|(key, hour, sum)| (key.into(), hour, sum.clone())));
    }
    Ok(found)
}

/// Reads the executions of what is less than an hour, of which no sums are kept.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn runs(
    db: &impl Connection,
    who: &FiguresReach,
    question: &Question,
    edges: &[Stretch],
) -> Result<Vec<Counted>> {
    let mut found = Vec::new();
    for (from, to) in edges {
        let mut sql = Sql::new(db.get_database_backend());
        sql.text(
            "SELECT * FROM execution WHERE mode <> 'PRACTICE' AND COALESCE(started_at, finished_at, received_at) >= ",
        );
        sql.value(from.micros());
        sql.text(" AND COALESCE(started_at, finished_at, received_at) < ");
        sql.value(to.micros());
        let by_time = sql.by_time();
        sql.conditions(who, question, by_time);
        let rows = execution::Entity::find().from_raw_sql(sql.statement()).all(db).await?;
        for row in &rows {
            found.extend(counted(row)?);
        }
    }
    Ok(found)
}

/// The least sums that answer a question.
fn scope(who: &FiguresReach, question: &Question, grain: Grain) -> Scope {
    let asks = |dimension, filter: bool| filter || question.by.contains(&dimension);
    let team = asks(Dimension::Team, question.team.is_some());
    let version = asks(Dimension::Process, question.process.is_some())
        || asks(Dimension::Sop, question.sop.is_some())
        || asks(Dimension::Version, question.version.is_some());
    let scope = match (version, team) {
        _ if who.reach != Reach::Organisation => Scope::Key,
        (false, false) => Scope::All,
        (true, false) => Scope::Version,
        (false, true) => Scope::Team,
        (true, true) => Scope::Key,
    };
    if scope.grains().contains(&grain) { scope } else { Scope::Key }
}

fn kept(sql: &mut Sql, who: &FiguresReach, question: &Question, grain: Grain, (from, to): Stretch) {
    let scope = scope(who, question, grain).as_str();
    // A cross join, so that SQLite looks the rows of each series up and does not read all rows.
    sql.text(&format!(
        "SELECT 0, process_id, sop_id, version_id, team_id, start_at, tally, completed, abandoned \
         FROM rollup_series CROSS JOIN rollup WHERE series_id = id AND scope = '{scope}' AND grain = '{}' AND start_at >= ",
        grain.as_str()
    ));
    sql.value(from.micros());
    sql.text(" AND start_at < ");
    sql.value(to.micros());
    sql.conditions(who, question, "");
}

fn open(sql: &mut Sql, who: &FiguresReach, question: &Question, now: Timestamp) {
    let horizon = now.plus(-HORIZON);
    let nothing = if sql.is_postgres() { "NULL::bytea" } else { "NULL" };
    let by_time = sql.by_time();
    sql.text(&format!(
        "SELECT 1, process_id, sop_id, version_id, team_id, started_at, {nothing}, {nothing}, {nothing} \
         FROM execution WHERE finished_at IS NULL AND outcome IS NULL AND mode <> 'PRACTICE' AND started_at >= "
    ));
    sql.value(question.from.map_or(horizon, |from| from.max(horizon)).micros());
    sql.text(" AND started_at < ");
    sql.value(question.to.unwrap_or(Timestamp::MAX).micros());
    sql.conditions(who, question, by_time);
}

/// Which deltas were asked for: they are told apart here, not by the database.
struct Asked<'a> {
    question: &'a Question,
    /// Teams, SOPs and processes within reach; none where everything is.
    within: Option<[BTreeSet<Uuid>; 3]>,
}

impl<'a> Asked<'a> {
    async fn load(db: &impl Connection, who: &FiguresReach, question: &'a Question) -> Result<Self> {
        let Reach::Teams(teams) = &who.reach else { return Ok(Self { question, within: None }) };
        let teams: Vec<Uuid> = teams.iter().map(|t| t.0).collect();
        let mut sops = Sql::new(db.get_database_backend());
        sops.sops(who, &teams);
        let sops = ids(db, sops).await?;
        let processes = if teams.is_empty() {
            BTreeSet::new()
        } else {
            let mut processes = Sql::new(db.get_database_backend());
            processes.processes(&teams);
            ids(db, processes).await?
        };
        Ok(Self { question, within: Some([teams.into_iter().collect(), sops, processes]) })
    }

    fn has(&self, key: &Key) -> bool {
        let q = self.question;
        let equal = q.process.is_none_or(|id| id.0 == key.process)
            && q.sop.is_none_or(|id| Some(id.0) == key.sop)
            && q.version.is_none_or(|id| Some(id.0) == key.version)
            && q.team.is_none_or(|id| Some(id.0) == key.team);
        let has = |ids: &BTreeSet<Uuid>, id: Option<Uuid>| id.is_some_and(|id| ids.contains(&id));
        equal
            && self.within.as_ref().is_none_or(|[teams, sops, processes]| {
                has(teams, key.team) || has(sops, key.sop) || has(processes, Some(key.process))
            })
    }
}

async fn ids(db: &impl Connection, sql: Sql) -> Result<BTreeSet<Uuid>> {
    let rows = db.query_all_raw(sql.statement()).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

fn of(row: &QueryResult) -> Result<Of> {
    Ok(Of { process: column(row, 1)?, sop: column(row, 2)?, version: column(row, 3)?, team: column(row, 4)? })
}

fn at(row: &QueryResult) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(column(row, 5)?))
}

/// By its place: finding it by its name takes longer than reading it.
fn column<T: TryGetable>(row: &QueryResult, place: usize) -> Result<T> {
    Ok(row.try_get_by_index(place)?)
}
