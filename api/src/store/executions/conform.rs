//! How far runs kept to the steps of their version: found when they are stored, since a figure over many runs cannot read
//! all their steps.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{QueryOrder, QuerySelect};
use sopwith_domain::conformance::{Conformance, Model};
use sopwith_domain::execution::StepRecord;

use super::{ExecutionRow, RunToStore, step, steps_of};
use crate::error::Result;
use crate::store::bulk::{Column, Rows};
use crate::store::entity::{execution, execution_step};
use crate::store::{Connection, Store, contents, parse, sops};

/// Executions that are looked at in one transaction.
const CHUNK: u64 = 1_000;
/// Versions that are remembered.
const MODELS: usize = 5_000;

/// Judges the runs that have ended and tell of steps, where their version is known.
///
/// # Errors
/// When the database does not answer.
pub async fn conform(store: &Store, db: &impl Connection, runs: &mut [RunToStore]) -> Result<()> {
    let asked = |run: &RunToStore| {
        let ended = run.run.finished_at.is_some() || run.run.outcome.is_some();
        run.version.filter(|_| ended && !run.run.steps.is_empty()).map(|(version, _)| version.0)
    };
    let models = store.models().of(db, runs.iter().filter_map(asked).collect()).await?;
    for run in runs {
        let model = asked(run).and_then(|version| models.get(&version));
        run.conformance = model.and_then(|model| model.judge(run.run.steps.values(), run.run.outcome));
    }
    Ok(())
}

/// Judges what an older version of the service stored without doing so.
///
/// # Errors
/// When the database does not answer: what was judged before stays so.
pub async fn judge_stored(store: &Store) -> Result<()> {
    let mut after = Uuid::nil();
    loop {
        let tx = store.begin().await?;
        let rows = waiting(&tx, after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.id;
        let models = store.models().of(&tx, rows.iter().filter_map(|row| row.version_id).collect()).await?;
        let mut steps: HashMap<Uuid, Vec<StepRecord>> = HashMap::new();
        for row in steps_of(&tx, &rows.iter().map(|row| row.id).collect::<Vec<_>>()).await? {
            steps.entry(row.execution_id).or_default().push(step(&row)?.1);
        }
        let mut found: Vec<(Uuid, Conformance)> = Vec::new();
        for row in rows {
            let outcome = row.outcome.as_deref().map(parse).transpose()?;
            let model = row.version_id.and_then(|version| models.get(&version));
            let judged = model.and_then(|model| model.judge(steps.get(&row.id)?, outcome));
            found.extend(judged.map(|conformance| (row.id, conformance)));
        }
        if !found.is_empty() {
            let numbers =
                |part: fn(&Conformance) -> i32| Column::Numbers(found.iter().map(|(_, c)| part(c).into()).collect());
            let rows = Rows::default()
                .with("id", Column::Uuids(found.iter().map(|(id, _)| *id).collect()))
                .with("step_checks", numbers(|c| c.checks))
                .with("step_deviations", numbers(|c| c.deviations));
            tx.execute_raw(rows.update(tx.get_database_backend(), "execution", "id")).await?;
        }
        tx.commit().await?;
    }
}

/// Executions that could be judged and were not, in the order of their ids, locked until the transaction ends.
async fn waiting(db: &impl Connection, after: Uuid) -> Result<Vec<ExecutionRow>> {
    let told = Query::select().column(execution_step::Column::ExecutionId).from(execution_step::Entity).to_owned();
    let ended = execution::Column::FinishedAt.is_not_null().or(execution::Column::Outcome.is_not_null());
    let of = execution::Column::StepChecks
        .is_null()
        .and(execution::Column::VersionId.is_not_null())
        .and(ended)
        .and(execution::Column::Id.gt(after))
        .and(execution::Column::Id.in_subquery(told));
    let select = execution::Entity::find().filter(of).order_by_asc(execution::Column::Id).limit(CHUNK);
    Ok(select.lock_exclusive().all(db).await?)
}

/// What runs are held against, by version. A version that was in force never changes: what was read of it once is right for
/// good.
#[derive(Debug, Default)]
pub(in crate::store) struct Models(Mutex<HashMap<Uuid, Arc<Model>>>);

impl Models {
    /// Of these versions.
    async fn of(&self, db: &impl Connection, versions: BTreeSet<Uuid>) -> Result<HashMap<Uuid, Arc<Model>>> {
        let (mut found, mut unread) = (HashMap::new(), Vec::new());
        {
            let read = self.lock();
            for version in versions {
                match read.get(&version) {
                    Some(model) => drop(found.insert(version, Arc::clone(model))),
                    None => unread.push(version),
                }
            }
        }
        if unread.is_empty() {
            return Ok(found);
        }
        let read = models(db, &unread).await?;
        let mut kept = self.lock();
        if kept.len() + read.len() > MODELS {
            kept.clear();
        }
        kept.extend(read.iter().map(|(version, model)| (*version, Arc::clone(model))));
        found.extend(read);
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Model>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn models(db: &impl Connection, versions: &[Uuid]) -> Result<HashMap<Uuid, Arc<Model>>> {
    let rows = sops::versions_by_ids(db, versions).await?;
    let hashes: BTreeSet<String> = rows.iter().map(|row| row.content_hash.clone()).collect();
    let documents = contents::by_hashes(db, &hashes.into_iter().collect::<Vec<_>>()).await?;
    let models: HashMap<String, Arc<Model>> =
        documents.into_iter().map(|(hash, document)| (hash, Arc::new(Model::of(&document.content.steps)))).collect();
    Ok(rows.into_iter().filter_map(|row| Some((row.id, Arc::clone(models.get(&row.content_hash)?)))).collect())
}

impl Store {
    fn models(&self) -> &Models {
        &self.models
    }
}
