//! What diagnoses go by, and what was chosen to be done about them.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryResult, Statement};
use sopwith_domain::access::Permit;
use sopwith_domain::diagnosis::{Crowd, Evidence, Figure, Finding, Response, StepRuns, TeamRuns};
use sopwith_domain::funnel::StepCounts;
use sopwith_domain::ids::{PersonId, ResponseId, SopId, TeamId, VersionId};
use sopwith_domain::measurement::Stretch;
use sopwith_domain::metrics::Ratio;
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::comparison::{Asked, ENDED, FAILED, FROM, part, stretches};
use super::entity::diagnosis_response;
use super::figures::funnel::{COUNTED, counted, told};
use super::page::{self, Page, Window};
use crate::error::{Error, Result};

pub use diagnosis_response::Model as ResponseRow;

/// The runs of a stretch by team and by step, with two statements; `owed` are the keys of the steps that may not be left out.
/// Errors are those of the runs of another stretch, `watched`, as long before: of runs that are not watched in full yet, those
/// that ended are the quick ones. Steps are those of a part of the runs where there are very many, as comparisons have it.
///
/// # Errors
/// When the database does not answer.
pub async fn evidence(
    db: &impl Connection,
    asked: &Asked,
    watched: Stretch,
    owed: &BTreeSet<String>,
) -> Result<Evidence> {
    let backend = db.get_database_backend();
    // Each run is looked at once, though it may be of both.
    let both = Stretch { from: watched.from.min(asked.stretch.from), to: asked.stretch.to };
    let (with, values) = stretches(backend, &[Asked { stretch: both, ..*asked }]);
    let recent = format!("started_at >= {}", asked.stretch.from.micros());
    let before = format!("started_at < {}", watched.to.micros());
    let sum = |condition: &str| format!("SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let ended = format!("{before} AND {ENDED}");
    // Of both stretches the one in which somebody has more.
    let size = "CASE WHEN runs > watched THEN runs ELSE watched END";
    let all = |column: &str| format!("CAST(SUM({column}) AS bigint) AS {column}");
    let sums =
        ["runs", "followed", "known", "failed", "ended", "followed_failed", "followed_ended"].map(all).join(", ");
    let sql = format!(
        "{with}, one AS (SELECT team_id, actor_id, {} AS runs, {} AS watched, {} AS followed, {} AS known, {} AS failed, \
                {} AS ended, {} AS followed_failed, {} AS followed_ended {FROM} GROUP BY team_id, actor_id), \
            person AS (SELECT CAST(SUM({size}) AS bigint) AS size FROM one GROUP BY actor_id) \
         SELECT team_id, COUNT(CASE WHEN runs > 0 THEN actor_id END) AS people, {sums}, \
            CAST(SUM({size}) AS bigint) AS sizes, CAST(SUM(({size}) * ({size})) AS bigint) AS squares, \
            (SELECT COUNT(DISTINCT actor_id) FROM one WHERE runs > 0) AS all_people, \
            (SELECT CAST(SUM(size) AS bigint) FROM person) AS all_sizes, \
            (SELECT CAST(SUM(size * size) AS bigint) FROM person) AS all_squares \
         FROM one GROUP BY team_id",
        sum(&recent),
        sum(&before),
        sum(&format!("{recent} AND adherence = 'FOLLOWED'")),
        sum(&format!("{recent} AND adherence <> 'UNKNOWN'")),
        sum(&format!("{ended} AND {FAILED}")),
        sum(&ended),
        sum(&format!("{ended} AND {FAILED} AND adherence = 'FOLLOWED'")),
        sum(&format!("{ended} AND adherence = 'FOLLOWED'")),
    );
    let mut evidence = Evidence::default();
    for row in db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await? {
        evidence.people = row.try_get("", "all_people")?;
        evidence.crowd = Crowd { runs: row.try_get("", "all_sizes")?, squares: row.try_get("", "all_squares")? };
        evidence.teams.push(team_runs(&row)?);
    }
    let runs: i64 = evidence.teams.iter().map(|team| team.runs).sum();
    if runs > 0 {
        evidence.steps = steps(db, asked, runs, owed).await?;
    }
    Ok(evidence)
}

fn team_runs(row: &QueryResult) -> Result<TeamRuns> {
    let number = |name: &str| -> Result<i64> { Ok(row.try_get("", name)?) };
    let ratio = |numerator: &str, denominator: &str| -> Result<Ratio> {
        Ok(Ratio { numerator: number(numerator)?, denominator: number(denominator)? })
    };
    Ok(TeamRuns {
        team: row.try_get::<Option<Uuid>>("", "team_id")?.map(TeamId),
        runs: number("runs")?,
        people: number("people")?,
        crowd: Crowd { runs: number("sizes")?, squares: number("squares")? },
        adoption: ratio("followed", "known")?,
        errors: ratio("failed", "ended")?,
        errors_when_followed: ratio("followed_failed", "followed_ended")?,
    })
}

async fn steps(db: &impl Connection, asked: &Asked, runs: i64, owed: &BTreeSet<String>) -> Result<Vec<StepRuns>> {
    let backend = db.get_database_backend();
    let (with, values) = stretches(backend, std::slice::from_ref(asked));
    let sql = format!(
        "{with}, chosen AS (SELECT execution.id AS id {FROM}{}){} \
         SELECT key AS step_key, {COUNTED} FROM told GROUP BY key ORDER BY key",
        part(backend, runs),
        told(backend),
    );
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let step = |row: &QueryResult| {
        let StepCounts { key, reached, failed, skipped, .. } = counted(row)?;
        Ok(StepRuns { mandatory: owed.contains(&key), key, runs: reached, failed, skipped })
    };
    rows.iter().map(step).collect()
}

/// What was chosen to be done.
#[derive(Debug, Clone)]
pub struct NewResponse {
    /// Its id.
    pub id: ResponseId,
    /// About which SOP.
    pub sop: SopId,
    /// Which version was in force.
    pub version: VersionId,
    /// About what was found.
    pub finding: Finding,
    /// On which step.
    pub step_key: Option<String>,
    /// What is done.
    pub response: Response,
    /// Why, or how.
    pub note: String,
    /// The figures as they were.
    pub figures: Vec<Figure>,
    /// Who chose it.
    pub by: PersonId,
}

/// Writes a response down.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, _: &Permit, new: &NewResponse, now: Timestamp) -> Result<()> {
    let row = diagnosis_response::ActiveModel {
        id: Set(new.id.0),
        sop_id: Set(new.sop.0),
        version_id: Set(new.version.0),
        finding: Set(new.finding.as_str().to_owned()),
        step_key: Set(new.step_key.clone()),
        response: Set(new.response.as_str().to_owned()),
        note: Set(new.note.clone()),
        figures: Set(serde_json::to_string(&new.figures).map_err(Error::internal)?),
        created_by_id: Set(new.by.0),
        created_at: Set(now.micros()),
    };
    diagnosis_response::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Responses by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<ResponseRow>> {
    let of = diagnosis_response::Column::Id.is_in(ids.iter().copied());
    Ok(diagnosis_response::Entity::find().filter(of).all(db).await?)
}

/// A page of the responses about an SOP, newest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(db: &impl Connection, sop: SopId, window: &Window) -> Result<Page<ResponseRow>> {
    let of = diagnosis_response::Entity::find().filter(diagnosis_response::Column::SopId.eq(sop.0));
    let order = (diagnosis_response::Column::CreatedAt, Some(diagnosis_response::Column::Id));
    page::list(db, of, order, true, window).await
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, sop: SopId) -> Result<u64> {
    Ok(diagnosis_response::Entity::find().filter(diagnosis_response::Column::SopId.eq(sop.0)).count(db).await?)
}
