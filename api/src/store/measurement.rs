//! What versions are measured by, and the figures of before that were written down when they took effect.

use std::collections::BTreeMap;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};
use sopwith_domain::access::Permit;
use sopwith_domain::ids::{PersonId, SopId, VersionId};
use sopwith_domain::lifecycle::VersionState;
use sopwith_domain::measurement::{Era, Figure, Goal, Median, Metric, Plan, Stretch, Target};
use sopwith_domain::metrics::Ratio;
use sopwith_domain::time::Timestamp;

use super::entity::{measurement_baseline, measurement_plan, measurement_target, version};
use super::{Connection, exactly_one, parse, procedures};
use crate::error::Result;

/// A plan that was declared.
#[derive(Debug, Clone)]
pub struct StoredPlan {
    /// What it says.
    pub plan: Plan,
    /// Raised by every change.
    pub revision: i64,
    /// Who declared it, or changed it last.
    pub declared_by: PersonId,
    /// When.
    pub declared_at: Timestamp,
    /// The figures of before, once the version took effect.
    pub baselines: Vec<Baseline>,
}

/// A figure of before, as it was when the version took effect.
#[derive(Debug, Clone, Copy)]
pub struct Baseline {
    /// Of which metric.
    pub metric: Metric,
    /// Of the time of this version; of the time before any where there is none.
    pub predecessor: Option<VersionId>,
    /// Of runs that started in this time.
    pub stretch: Stretch,
    /// The figure.
    pub figure: Figure,
    /// When it was taken.
    pub taken_at: Timestamp,
}

/// Plans by version; a version without one is not among them.
///
/// # Errors
/// When the database does not answer.
pub async fn by_versions(db: &impl Connection, versions: &[Uuid]) -> Result<BTreeMap<Uuid, StoredPlan>> {
    let of = measurement_plan::Column::VersionId.is_in(versions.iter().copied());
    let rows = measurement_plan::Entity::find().filter(of).all(db).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.version_id).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut plans = rows.iter().map(|row| Ok((row.version_id, plan(row)?))).collect::<Result<BTreeMap<_, _>>>()?;
    let of = measurement_target::Column::VersionId.is_in(ids.iter().copied());
    let targets = measurement_target::Entity::find().filter(of).order_by_asc(measurement_target::Column::Metric);
    for row in targets.all(db).await? {
        let goal = row.share.map(Goal::Share).or(row.duration.map(Goal::Duration));
        if let (Some(found), Some(goal)) = (plans.get_mut(&row.version_id), goal) {
            found.plan.targets.push(Target { metric: parse(&row.metric)?, goal });
        }
    }
    let of = measurement_baseline::Column::VersionId.is_in(ids);
    for row in measurement_baseline::Entity::find().filter(of).all(db).await? {
        let baseline = baseline(&row)?;
        plans.entry(row.version_id).and_modify(|found| found.baselines.push(baseline));
    }
    Ok(plans)
}

fn plan(row: &measurement_plan::Model) -> Result<StoredPlan> {
    let plan = Plan {
        primary: parse(&row.primary_metric)?,
        targets: Vec::new(),
        matures_after_days: row.matures_after_days,
        learning_days: row.learning_days,
        watch_days: row.watch_days,
    };
    Ok(StoredPlan {
        plan,
        revision: row.revision,
        declared_by: PersonId(row.declared_by_id),
        declared_at: Timestamp::from_micros(row.declared_at),
        baselines: Vec::new(),
    })
}

fn baseline(row: &measurement_baseline::Model) -> Result<Baseline> {
    let metric = parse(&row.metric)?;
    let (numerator, denominator) = (row.numerator, row.denominator);
    let figure = match metric {
        Metric::CompletionTime => Figure::Median(Median {
            runs: denominator,
            completed: numerator,
            value: row.median,
            low: row.median_low,
            high: row.median_high,
        }),
        _ => Figure::Share(Ratio { numerator, denominator }),
    };
    let stretch = Stretch { from: Timestamp::from_micros(row.from_at), to: Timestamp::from_micros(row.to_at) };
    let predecessor = row.predecessor_id.map(VersionId);
    Ok(Baseline { metric, predecessor, stretch, figure, taken_at: Timestamp::from_micros(row.taken_at) })
}

/// Writes a plan down in the place of the one at this revision; 0 stands for none. Whoever does contributes to the
/// version, and does not decide on it.
///
/// # Errors
/// `Conflict` when somebody else was first.
pub async fn put(
    db: &impl Connection,
    _: &Permit,
    version: VersionId,
    revision: i64,
    plan: &Plan,
    (by, now): (PersonId, Timestamp),
) -> Result<()> {
    let row = measurement_plan::ActiveModel {
        version_id: Set(version.0),
        primary_metric: Set(plan.primary.as_str().to_owned()),
        matures_after_days: Set(plan.matures_after_days),
        learning_days: Set(plan.learning_days),
        watch_days: Set(plan.watch_days),
        revision: Set(revision + 1),
        declared_by_id: Set(by.0),
        declared_at: Set(now.micros()),
    };
    if revision == 0 {
        measurement_plan::Entity::insert(row).exec_without_returning(db).await?;
    } else {
        let as_it_was =
            measurement_plan::Column::VersionId.eq(version.0).and(measurement_plan::Column::Revision.eq(revision));
        exactly_one(measurement_plan::Entity::update_many().set(row).filter(as_it_was).exec(db).await?.rows_affected)?;
        let old = measurement_target::Column::VersionId.eq(version.0);
        measurement_target::Entity::delete_many().filter(old).exec(db).await?;
    }
    let target = |target: &Target| {
        let (share, duration) = match target.goal {
            Goal::Share(share) => (Some(share), None),
            Goal::Duration(micros) => (None, Some(micros)),
        };
        measurement_target::ActiveModel {
            version_id: Set(version.0),
            metric: Set(target.metric.as_str().to_owned()),
            share: Set(share),
            duration: Set(duration),
        }
    };
    if !plan.targets.is_empty() {
        let rows = plan.targets.iter().map(target);
        measurement_target::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    procedures::add_contributor(db, version, by).await
}

/// Writes down the figures of before.
///
/// # Errors
/// When they were written down already, or the database does not answer.
pub async fn keep_baselines(
    db: &impl Connection,
    _: &Permit,
    version: VersionId,
    baselines: &[Baseline],
) -> Result<()> {
    let row = |baseline: &Baseline| {
        let (numerator, denominator, median) = match baseline.figure {
            Figure::Share(ratio) => (ratio.numerator, ratio.denominator, Median::default()),
            Figure::Median(median) => (median.completed, median.runs, median),
        };
        measurement_baseline::ActiveModel {
            version_id: Set(version.0),
            metric: Set(baseline.metric.as_str().to_owned()),
            predecessor_id: Set(baseline.predecessor.map(|v| v.0)),
            from_at: Set(baseline.stretch.from.micros()),
            to_at: Set(baseline.stretch.to.micros()),
            numerator: Set(numerator),
            denominator: Set(denominator),
            median: Set(median.value),
            median_low: Set(median.low),
            median_high: Set(median.high),
            taken_at: Set(baseline.taken_at.micros()),
        }
    };
    measurement_baseline::Entity::insert_many(baselines.iter().map(row)).exec_without_returning(db).await?;
    Ok(())
}

/// The times during which versions of SOPs were in force, by SOP, in order.
///
/// # Errors
/// When the database does not answer.
pub async fn eras_of(db: &impl Connection, sops: &[SopId]) -> Result<BTreeMap<SopId, Vec<Era>>> {
    let of = version::Column::SopId.is_in(sops.iter().map(|id| id.0)).and(version::Column::PublishedAt.is_not_null());
    let rows = version::Entity::find().filter(of).order_by_asc(version::Column::PublishedAt);
    let rows = rows.order_by_asc(version::Column::Id).all(db).await?;
    let of = measurement_plan::Column::VersionId.is_in(rows.iter().map(|row| row.id));
    let plans = measurement_plan::Entity::find().filter(of).all(db).await?;
    let plans: BTreeMap<Uuid, i32> = plans.into_iter().map(|plan| (plan.version_id, plan.learning_days)).collect();
    let usual = Plan::default().learning_days;
    let mut eras: BTreeMap<SopId, Vec<Era>> = BTreeMap::new();
    for row in rows {
        let state: VersionState = parse(&row.state)?;
        if let (Some(from), Some(major), true) = (row.published_at, row.major, state.was_in_force()) {
            let era = Era {
                version: VersionId(row.id),
                major,
                learning_days: plans.get(&row.id).copied().unwrap_or(usual),
                from: Timestamp::from_micros(from),
                until: row.ended_at.map(Timestamp::from_micros),
            };
            eras.entry(SopId(row.sop_id)).or_default().push(era);
        }
    }
    Ok(eras)
}
