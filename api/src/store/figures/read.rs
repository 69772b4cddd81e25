//! Reads sums over time: roll-ups and the deltas that wait for compaction in one statement, so that what was
//! acknowledged is counted at once and once.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use sea_orm::{QueryResult, StreamTrait, TryGetable};
use sopwith_domain::access::Reach;
use sopwith_domain::calendar::{Cover, Grain, Stretch};
use sopwith_domain::rollup::{Aggregate, Delta, HORIZON, Key};
use sopwith_domain::time::Timestamp;

use super::groups::Groups;
use super::sql::Sql;
use super::{Dimension, Question};
use crate::error::{Error, Result};
use crate::store::executions::FiguresReach;
use crate::store::rollups::{self, COLUMNS, Form, Scope, decode};
use crate::store::{Connection, Uuid};

/// What rows of sums begin with, and those of what is too much in them.
const MORE: i32 = 2;
const LESS: i32 = 6;
/// What a row of an open run begins with, and that of one that is past its horizon.
const OPEN: i32 = 4;
const OVERDUE: i32 = 5;

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

/// Reads what is asked for out of the whole hours of a cover, and which runs of its time are open, row by row until there
/// are more groups than are answered.
///
/// # Errors
/// `Outdated` when the sums are kept in another form by now; others when the database does not answer.
pub(super) async fn sums(
    db: &(impl Connection + StreamTrait),
    who: &FiguresReach,
    question: &Question,
    (cover, form): (&Cover, Form),
    now: Timestamp,
    groups: &mut Groups<'_>,
) -> Result<()> {
    let asked = if cover.whole.is_empty() { None } else { Some(Asked::load(db, who, question).await?) };
    let mut sql = Sql::new(Connection::get_database_backend(db));
    other_form(&mut sql, form);
    if asked.is_some() {
        // Before the sums: see `Groups::is_full`.
        sql.text(" UNION ALL SELECT 1, NULL, NULL, NULL, NULL, NULL, changes, NULL, NULL FROM rollup_delta");
    }
    for (grain, stretch) in &cover.whole {
        kept(&mut sql, who, question, (MORE, *grain, *stretch));
    }
    for trimmed in &cover.trimmed {
        kept(&mut sql, who, question, (MORE, Grain::Month, trimmed.month));
        kept(&mut sql, who, question, (LESS, Grain::Day, trimmed.less));
    }
    sql.text(" UNION ALL ");
    open(&mut sql, who, question, now);
    let read = take(db, sql, cover, asked.as_ref(), groups).await;
    if read.is_err() {
        // What is kept in another form may be unreadable, too.
        rollups::expect(db, form.zone).await?;
    }
    read
}

async fn take(
    db: &(impl Connection + StreamTrait),
    sql: Sql,
    cover: &Cover,
    asked: Option<&Asked<'_>>,
    groups: &mut Groups<'_>,
) -> Result<()> {
    let mut rows = pin!(db.stream_raw(sql.statement()).await?);
    while let Some(row) = rows.try_next().await? {
        match column::<i32>(&row, 0)? {
            0 => return Err(Error::Outdated),
            1 => {
                let delta = Delta::decode(&column::<Vec<u8>>(&row, 6)?).map_err(Error::internal)?;
                let within = |hour| cover.hours().is_some_and(|(from, to)| from <= hour && hour < to);
                let cells = delta.cells().filter(|(_, hour, _)| within(*hour));
                for (key, hour, sum) in cells.filter(|(key, ..)| asked.is_some_and(|asked| asked.has(key))) {
                    groups.add_change(key.into(), hour, sum)?;
                }
            }
            MORE => groups.add(of(&row)?, at(&row)?, &sum(&row)?)?,
            LESS => groups.add_change(of(&row)?, at(&row)?, &sum(&row)?.inverse())?,
            3 => groups.longest(column(&row, 5)?),
            kind => groups.add_open(of(&row)?, at(&row)?, kind == OVERDUE)?,
        }
        if groups.is_full() {
            break;
        }
    }
    Ok(())
}

/// Reads the executions of what is less than an hour, of which no sums are kept, and what is kept of those that were
/// deleted.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn runs(
    db: &(impl Connection + StreamTrait),
    who: &FiguresReach,
    question: &Question,
    edges: &[Stretch],
    groups: &mut Groups<'_>,
) -> Result<()> {
    for (from, to) in edges {
        let mut sql = Sql::new(Connection::get_database_backend(db));
        sql.text(&format!(
            "SELECT {COLUMNS} FROM execution \
             WHERE mode <> 'PRACTICE' AND COALESCE(started_at, finished_at, received_at) >= "
        ));
        sql.value(from.micros());
        sql.text(" AND COALESCE(started_at, finished_at, received_at) < ");
        sql.value(to.micros());
        let by_time = sql.by_time();
        sql.conditions(who, question, by_time);
        {
            // The connection is the stream's until this ends.
            let mut rows = pin!(db.stream_raw(sql.statement()).await?);
            while let Some(row) = rows.try_next().await?.filter(|_| !groups.is_full()) {
                let (key, facts) = rollups::read(&row, 0)?;
                groups.add(key.into(), facts.cohort(), &Aggregate::of(&facts))?;
            }
        }
        let deleted = rollups::deleted(db, (*from, *to)).await?;
        if !deleted.is_empty() {
            let asked = Asked::load(db, who, question).await?;
            for (key, at, sum) in deleted.cells().filter(|(key, ..)| asked.has(key)) {
                groups.add(key.into(), at, sum)?;
            }
        }
    }
    Ok(())
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

/// Selects a row where the sums are kept in another form than this one. Its columns give those of all their types.
fn other_form(sql: &mut Sql, form: Form) {
    let (id, bytes) = if sql.is_postgres() { ("NULL::uuid", "NULL::bytea") } else { ("NULL", "NULL") };
    sql.text(&format!(
        "SELECT 0, {id}, {id}, {id}, {id}, CAST(NULL AS bigint), {bytes}, {bytes}, {bytes} FROM rollup_state \
         WHERE layout <> "
    ));
    sql.value(form.layout);
    sql.text(" OR time_zone <> ");
    sql.value(form.zone.to_string());
}

fn kept(sql: &mut Sql, who: &FiguresReach, question: &Question, (kind, grain, (from, to)): (i32, Grain, Stretch)) {
    let scope = scope(who, question, grain).as_str();
    // A cross join, so that SQLite looks the rows of each series up and does not read all rows.
    sql.text(&format!(
        " UNION ALL SELECT {kind}, process_id, sop_id, version_id, team_id, start_at, tally, completed, abandoned \
         FROM rollup_series CROSS JOIN rollup WHERE series_id = id AND scope = '{scope}' AND grain = '{}' AND start_at >= ",
        grain.as_str()
    ));
    sql.value(from.micros());
    sql.text(" AND start_at < ");
    sql.value(to.micros());
    sql.conditions(who, question, "");
}

/// Selects the longest horizon that an open run may have, and the open runs that are no older.
fn open(sql: &mut Sql, who: &FiguresReach, question: &Question, now: Timestamp) {
    let longest = format!("(SELECT COALESCE(MAX(horizon), {HORIZON}) FROM process WHERE horizon > {HORIZON})");
    let (greatest, by_time) = (if sql.is_postgres() { "GREATEST" } else { "MAX" }, sql.by_time());
    sql.text(&format!(
        "SELECT 3, NULL, NULL, NULL, NULL, {longest}, NULL, NULL, NULL UNION ALL SELECT CASE WHEN started_at < "
    ));
    sql.value(now.micros());
    sql.text(&format!(
        " - COALESCE(horizon, {HORIZON}) THEN {OVERDUE} ELSE {OPEN} END, \
            process_id, sop_id, version_id, team_id, started_at, NULL, NULL, NULL \
         FROM execution WHERE finished_at IS NULL AND outcome IS NULL AND mode <> 'PRACTICE' AND started_at >= {greatest}("
    ));
    sql.value(question.from.unwrap_or(Timestamp::MIN).micros());
    sql.text(", ");
    sql.value(now.micros());
    sql.text(&format!(" - {longest}) AND started_at < "));
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
        let backend = db.get_database_backend();
        let mut sops = Sql::new(backend);
        sops.sops(who, &teams);
        let sops = ids(db, sops).await?;
        let processes = if teams.is_empty() {
            BTreeSet::new()
        } else {
            let mut processes = Sql::new(backend);
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

fn sum(row: &QueryResult) -> Result<Aggregate> {
    decode(&column::<Vec<u8>>(row, 6)?, &column::<Vec<u8>>(row, 7)?, &column::<Vec<u8>>(row, 8)?)
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
