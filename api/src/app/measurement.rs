//! What versions are measured by: declared while they are drafts, fixed with their content, judged when they are mature.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Actor, Permit, Resource, SopFacts, decide};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::{Effect, Procedure, VersionState};
use sopwith_domain::measurement::{Figure, Goal, Metric, Plan, Stretch, Windows, windows};

use super::{Call, record};
use crate::error::{Error, Result};
use crate::store::audit::NewEntry;
use crate::store::comparison::{self, Asked, Counts};
use crate::store::measurement::{self as stored, Baseline};
use crate::store::sops::SopRow;
use crate::store::{Connection, Uuid, audit, retry, sops};

/// Declares what a draft is to be measured by, or changes that.
///
/// # Errors
/// `Forbidden` without the permission to edit; `Invalid` plan; `Conflict` when the version is no draft, or the plan is
/// at another revision (0 where there is none).
pub async fn set(call: &Call, version: VersionId, revision: i64, plan: Plan) -> Result<VersionId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let (procedure, permit) = call.open_by_version(&tx, version, Action::EditSop).await?;
        let found = procedure.version(version).ok_or(Refusal::NotFound("version"))?;
        let before = stored::by_versions(&tx, &[version.0]).await?.remove(&version.0);
        let current = before.as_ref().map_or(0, |before| before.revision);
        if found.state != VersionState::Draft {
            let message = format!("the version is {}: what it is measured by is fixed with its content", found.state);
            return Err(Refusal::Conflict { message, current_revision: Some(current) }.into());
        }
        if current != revision {
            return Err(Refusal::stale(current).into());
        }
        let problems = plan.check(procedure.was_published());
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems).into());
        }
        stored::put(&tx, &permit, version, revision, &plan, (call.actor.person, call.now)).await?;
        let state = |plan: Option<&Plan>| json!({"measurementPlan": plan.map(told)});
        let new = state(Some(&plan));
        let mut entry = record::plain(call, "measurement.declared", version, Some(procedure.team), new);
        entry.sop = Some(procedure.id);
        entry.old = state(before.as_ref().map(|before| &before.plan));
        audit::append(&tx, vec![entry]).await?;
        tx.commit().await?;
        Ok(version)
    })
    .await
}

fn told(plan: &Plan) -> Value {
    let target = |target: &sopwith_domain::measurement::Target| match target.goal {
        Goal::Share(share) => json!({"metric": target.metric, "share": share}),
        Goal::Duration(micros) => json!({"metric": target.metric, "microseconds": micros}),
    };
    json!({
        "primaryMetric": plan.primary,
        "targets": plan.targets.iter().map(target).collect::<Vec<_>>(),
        "maturesAfterDays": plan.matures_after_days,
        "learningDays": plan.learning_days,
        "watchDays": plan.watch_days,
    })
}

/// Writes down the figures of before for what takes effect by these effects, where a plan was declared for it; answers
/// what the audit chain is to say of it.
///
/// # Errors
/// When the database does not answer.
pub(super) async fn took_effect(
    db: &impl Connection,
    call: &Call,
    permit: &Permit,
    procedure: &Procedure,
    effects: &[Effect],
) -> Result<Vec<NewEntry>> {
    let published = effects.iter().find_map(|effect| match effect {
        Effect::VersionMoved { version, to: VersionState::Published, .. } => Some(*version),
        _ => None,
    });
    let Some(version) = published else { return Ok(Vec::new()) };
    let Some(plan) = stored::by_versions(db, &[version.0]).await?.remove(&version.0) else { return Ok(Vec::new()) };
    let missing = || Error::internal("what took effect is not there");
    let row = sops::by_ids(db, &[procedure.id.0]).await?.pop().ok_or_else(missing)?;
    let eras = stored::eras_of(db, &[procedure.id]).await?.remove(&procedure.id).unwrap_or_default();
    let found = windows(&eras, version, &plan.plan).ok_or_else(missing)?;
    // As it is now: what started later than this has not been watched for as long as the others.
    let watched = found.before.to.min(call.now.plus(-plan.plan.watch())).max(found.before.from);
    let stretch = Stretch { to: watched, ..found.before };
    let asked = Asked { process: ProcessId(row.process_id), stretch, watch: plan.plan.watch() };
    let counts = comparison::count(db, &[asked]).await?.pop().unwrap_or_default();
    let baseline = |metric: &Metric| Baseline {
        metric: *metric,
        predecessor: found.predecessor,
        stretch,
        figure: counts.figure(*metric),
        taken_at: call.now,
    };
    let baselines: Vec<Baseline> = Metric::ALL.iter().map(baseline).collect();
    stored::keep_baselines(db, permit, version, &baselines).await?;
    let told = json!({
        "from": stretch.from, "to": stretch.to, "predecessor": found.predecessor.map(|v| v.to_string()),
        "figures": baselines.iter().map(figure_told).collect::<Vec<_>>(),
    });
    let state = |told: Value| json!({"measurementBaseline": told});
    let mut entry = record::plain(call, "measurement.baseline_taken", version, Some(procedure.team), state(told));
    entry.old = state(Value::Null);
    entry.sop = Some(procedure.id);
    entry.actor = permit.actor();
    if entry.actor.is_none() {
        entry.via = "CLOCK";
    }
    Ok(vec![entry])
}

fn figure_told(baseline: &Baseline) -> Value {
    match baseline.figure {
        Figure::Share(ratio) => {
            json!({"metric": baseline.metric, "numerator": ratio.numerator, "denominator": ratio.denominator})
        }
        Figure::Median(median) => {
            json!({"metric": baseline.metric, "runs": median.runs, "microseconds": median.value})
        }
    }
}

/// Whether somebody reads the figures of an SOP, and with them all that it is compared with.
#[must_use]
pub fn reads_figures(actor: &Actor, sop: &SopRow) -> bool {
    let facts = SopFacts {
        team: TeamId(sop.team_id),
        owner: PersonId(sop.owner_id),
        was_published: sop.was_published,
        contributors: BTreeSet::new(),
        stages: Vec::new(),
    };
    decide(actor, Action::ReadFigures, Resource::Sop(&facts)).is_ok()
}

/// How far a version is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Which time is compared with which; none for a version that never was in force.
    pub windows: Option<Windows>,
    /// Whether the actor reads figures of it.
    pub read: bool,
    /// The runs that it is judged by, once it is mature, for who reads figures of it.
    pub judged_by: Option<Asked>,
}

/// How far versions are, by the plans that hold for them, with as many statements for all as for one.
///
/// # Errors
/// When the database does not answer.
pub async fn progress(db: &impl Connection, call: &Call, versions: &[Uuid]) -> Result<BTreeMap<Uuid, Progress>> {
    let rows = sops::versions_by_ids(db, versions).await?;
    let of: Vec<Uuid> = rows.iter().map(|row| row.sop_id).collect();
    let sops: BTreeMap<Uuid, SopRow> = sops::by_ids(db, &of).await?.into_iter().map(|sop| (sop.id, sop)).collect();
    let eras = stored::eras_of(db, &of.iter().copied().map(SopId).collect::<Vec<_>>()).await?;
    let mut plans = stored::by_versions(db, versions).await?;
    let mut all = BTreeMap::new();
    for row in rows {
        let Some(sop) = sops.get(&row.sop_id) else { continue };
        let plan = plans.remove(&row.id).map(|stored| stored.plan).unwrap_or_default();
        let eras = eras.get(&SopId(sop.id)).map(Vec::as_slice).unwrap_or_default();
        let (windows, read) = (windows(eras, VersionId(row.id), &plan), reads_figures(&call.actor, sop));
        let process = ProcessId(sop.process_id);
        let mature = windows.filter(|w| read && w.mature(call.now));
        let judged_by = mature.map(|found| Asked { process, stretch: found.after, watch: plan.watch() });
        all.insert(row.id, Progress { windows, read, judged_by });
    }
    Ok(all)
}

/// What versions come to that are mature, for who reads figures of them; others are not among them.
///
/// # Errors
/// When the database does not answer.
pub async fn results(db: &impl Connection, call: &Call, versions: &[Uuid]) -> Result<BTreeMap<Uuid, Counts>> {
    let progress = progress(db, call, versions).await?;
    let asked: Vec<(Uuid, Asked)> = progress.iter().filter_map(|(id, p)| Some((*id, p.judged_by?))).collect();
    let counts = comparison::count(db, &asked.iter().map(|(_, asked)| *asked).collect::<Vec<_>>()).await?;
    Ok(asked.into_iter().zip(counts).map(|((version, _), counts)| (version, counts)).collect())
}
