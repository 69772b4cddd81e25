//! How runs go through the steps of a version.

use sopwith_domain::access::Action;
use sopwith_domain::content::Step;
use sopwith_domain::funnel::StepCounts;
use sopwith_domain::ids::{TeamId, VersionId};
use sopwith_domain::time::{SECOND, Timestamp};

use super::{Call, figures};
use crate::error::Result;
use crate::store::contents;
use crate::store::figures::Question;
use crate::store::figures::funnel::{self as stored, Expected};

/// Which runs of a version are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Performed by this team.
    pub team: Option<TeamId>,
    /// Started at this time or later.
    pub from: Option<Timestamp>,
    /// Started before this time.
    pub to: Option<Timestamp>,
}

/// A step of the version with the runs that tell of it.
#[derive(Debug, Clone)]
pub struct OfStep {
    /// The step; none of one that the version does not have.
    pub step: Option<Step>,
    /// The runs.
    pub counts: StepCounts,
}

/// How runs went through the steps of a version.
#[derive(Debug, Clone)]
pub struct Funnel {
    /// The version.
    pub version: VersionId,
    /// Of runs that started at this time or later.
    pub from: Timestamp,
    /// And before this time.
    pub to: Timestamp,
    /// How many runs there were.
    pub runs: i64,
    /// Those of them that were read.
    pub read: i64,
    /// Those of these that tell of a step.
    pub with_steps: i64,
    /// The steps of the version in their order, and then others that runs tell of, those of most runs first.
    pub steps: Vec<OfStep>,
}

/// How the runs of a version that the actor reads went through its steps; nothing of one that never was in force.
///
/// # Errors
/// `NotFound` for a version that the actor may not see; `Forbidden` for who reads no figures; `Invalid` for more than a
/// year.
pub async fn of_version(call: &Call, version: VersionId, asked: &Asked) -> Result<Option<Funnel>> {
    let who = figures::reader(call).await?;
    let (from, to) = figures::stretch(call.now, asked.from, asked.to)?;
    let (procedure, _) = call.look_by_version(call.store.read(), version, Action::ReadSop).await?;
    let Some(content) = procedure.version(version).filter(|v| v.state.was_in_force()).map(|v| v.content) else {
        return Ok(None);
    };
    let steps = contents::get(call.store.read(), &content.to_string()).await?.content.steps;
    let expected = |step: &Step| Expected {
        key: step.key.clone(),
        duration: step.expected_duration.map(|seconds| i64::from(seconds) * SECOND),
    };
    let expected: Vec<Expected> = steps.iter().map(expected).collect();
    let question = Question {
        sop: Some(procedure.id),
        version: Some(version),
        team: asked.team,
        from: Some(from),
        to: Some(to),
        ..Question::default()
    };
    let asked = stored::Asked { who: &who, question: &question, steps: &expected };
    let mut counted = stored::count(&call.store, &asked).await?;
    let of_step = |step: Step| {
        let none = || StepCounts { key: step.key.clone(), ..StepCounts::default() };
        OfStep { counts: counted.steps.remove(&step.key).unwrap_or_else(none), step: Some(step) }
    };
    let mut steps: Vec<OfStep> = steps.into_iter().map(of_step).collect();
    let mut others: Vec<StepCounts> = counted.steps.into_values().collect();
    others.sort_by(|a, b| b.reached.cmp(&a.reached).then_with(|| a.key.cmp(&b.key)));
    // Of steps of the version that no run tells of, others have the place.
    others.truncate(stored::MAX_EXTRA);
    steps.extend(others.into_iter().map(|counts| OfStep { step: None, counts }));
    let stored::Funnel { runs, read, with_steps, .. } = counted;
    Ok(Some(Funnel { version, from, to, runs, read, with_steps, steps }))
}
