//! Executions: as read, and as recorded.

use async_graphql::{Context, ID, InputObject, Json, Object, SimpleObject};
use sopwith_domain::execution as domain;
use sopwith_domain::ids::ExecutionId;
use sopwith_domain::rollup::HORIZON;

use super::people::{Person, Team, person, team};
use super::process::{Process, process};
use super::sop::{Sop, sop};
use super::version::{Version, version};
use super::{Adherence, ExecutionMode, Outcome, SatisfactionBy, Severity, StepStatus, VersionSource, stored};
use crate::graphql::error::Result;
use crate::graphql::loaders::{StepsKey, ViolationsKey, load};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::executions::{ExecutionRow, StepRow, ViolationRow};

/// One real performance of a process.
pub struct Execution(pub ExecutionRow);

/// One real performance of a process.
#[Object]
impl Execution {
    /// Names the execution for good.
    pub async fn id(&self) -> ID {
        ExecutionId(self.0.id).to_string().into()
    }

    /// Where it was reported from.
    async fn source(&self) -> &str {
        &self.0.source
    }

    /// The source's name for it.
    async fn run_id(&self) -> &str {
        &self.0.run_id
    }

    /// What its batch was for.
    async fn mode(&self) -> Result<ExecutionMode> {
        Ok(stored::<domain::Mode>(&self.0.mode)?.into())
    }

    /// The process that was performed.
    async fn process(&self, ctx: &Context<'_>) -> Result<Option<Process>> {
        process(ctx, self.0.process_id).await
    }

    /// The SOP for it, if there was one.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.0.sop_id {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The version of the SOP, if one was reported or in force.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.version_id {
            Some(id) => version(ctx, id).await,
            None => Ok(None),
        }
    }

    /// How the version is known.
    async fn version_source(&self) -> Result<Option<VersionSource>> {
        let source = self.0.version_source.as_deref().map(stored::<domain::VersionSource>).transpose()?;
        Ok(source.map(Into::into))
    }

    /// The team that performed it.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team_id).await
    }

    /// Who performed it.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.actor_id).await
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime::stored)
    }

    /// When it ended; null while it runs.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime::stored)
    }

    /// How long after its start it counts as abandoned if it has not finished: what is set for its process, or what was set
    /// for that when it ended.
    async fn horizon(&self) -> Duration {
        Duration { micros: self.0.horizon.unwrap_or(HORIZON) }
    }

    /// When the newest event of it happened, as the source says.
    async fn occurred_at(&self) -> Option<DateTime> {
        self.0.occurred_at.map(DateTime::stored)
    }

    /// When something new of it was received last.
    async fn received_at(&self) -> DateTime {
        DateTime::stored(self.0.received_at)
    }

    /// How far the sender's clock ran ahead; times were moved back by it. Null when it did not.
    async fn clock_corrected_by(&self) -> Option<Duration> {
        (self.0.clock_lead > 0).then_some(Duration { micros: self.0.clock_lead })
    }

    /// How it ended; null while it runs.
    async fn outcome(&self) -> Result<Option<Outcome>> {
        let outcome = self.0.outcome.as_deref().map(stored::<domain::Outcome>).transpose()?;
        Ok(outcome.map(Into::into))
    }

    /// What it says of the SOP in force.
    async fn adherence(&self) -> Result<Adherence> {
        Ok(stored::<domain::Adherence>(&self.0.adherence)?.into())
    }

    /// How many errors were made.
    async fn errors(&self) -> i32 {
        self.0.errors
    }

    /// How often work was done again.
    async fn rework(&self) -> i32 {
        self.0.rework
    }

    /// Breaches of rules, reported or found by the service.
    async fn violations(&self, ctx: &Context<'_>) -> Result<Vec<Violation>> {
        let rows = load(ctx, ViolationsKey(self.0.id)).await?.unwrap_or_default();
        rows.into_iter().map(Violation::show).collect()
    }

    /// How content somebody was.
    async fn satisfaction(&self) -> Result<Option<Satisfaction>> {
        let Some((score, by)) = self.0.satisfaction.zip(self.0.satisfaction_by.as_deref()) else { return Ok(None) };
        Ok(Some(Satisfaction { score, by: stored::<domain::SatisfactionBy>(by)?.into() }))
    }

    /// How its steps went, in the order in which they began.
    async fn steps(&self, ctx: &Context<'_>) -> Result<Vec<StepRecord>> {
        let rows = load(ctx, StepsKey(self.0.id)).await?.unwrap_or_default();
        rows.into_iter().map(StepRecord::show).collect()
    }

    /// Anything else that the source told, as text by name.
    async fn attributes(&self) -> Json<serde_json::Value> {
        Json(serde_json::from_str(&self.0.attributes).unwrap_or_default())
    }
}

/// A breach of a rule during a run.
#[derive(SimpleObject)]
pub struct Violation {
    /// Which rule.
    kind: String,
    /// How grave.
    severity: Severity,
    /// More on it.
    detail: String,
    /// Whether the service found it itself.
    detected_by_service: bool,
}

impl Violation {
    fn show(row: ViolationRow) -> Result<Self> {
        let severity = stored::<domain::Severity>(&row.severity)?.into();
        let detected_by_service = row.detected_by == "SERVICE";
        Ok(Self { kind: row.kind, severity, detail: row.detail, detected_by_service })
    }
}

/// How content somebody was with a run.
#[derive(SimpleObject, InputObject)]
#[graphql(input_name = "SatisfactionInput")]
pub struct Satisfaction {
    /// From 1 (not at all) to 5 (very).
    score: i32,
    /// Whose.
    by: SatisfactionBy,
}

/// How one attempt at a step went.
#[derive(SimpleObject, InputObject)]
#[graphql(input_name = "StepRecordInput")]
pub struct StepRecord {
    /// The step's key.
    key: String,
    /// From 1.
    #[graphql(default = 1)]
    attempt: i32,
    /// When it began.
    started_at: Option<DateTime>,
    /// When it ended.
    finished_at: Option<DateTime>,
    /// How it went.
    status: StepStatus,
}

impl StepRecord {
    fn show(row: StepRow) -> Result<Self> {
        Ok(Self {
            key: row.key,
            attempt: row.attempt,
            started_at: row.started_at.map(DateTime::stored),
            finished_at: row.finished_at.map(DateTime::stored),
            status: stored::<domain::StepStatus>(&row.status)?.into(),
        })
    }

    fn take(self) -> domain::StepRecord {
        domain::StepRecord {
            key: self.key,
            attempt: self.attempt,
            started_at: self.started_at.map(|at| at.0),
            finished_at: self.finished_at.map(|at| at.0),
            status: self.status.into(),
        }
    }
}

/// A breach of a rule, as reported.
#[derive(InputObject)]
pub struct ViolationInput {
    /// Which rule, such as `SLA`.
    kind: String,
    /// How grave.
    severity: Severity,
    /// More on it.
    #[graphql(default)]
    detail: String,
}

/// Someone as the source knows them.
#[derive(InputObject)]
pub struct ExecutionActorInput {
    /// Their id at the source.
    subject: String,
    /// Their name.
    name: Option<String>,
}

/// Anything else, by name.
#[derive(InputObject)]
pub struct AttributeInput {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}

/// What a source says of a run at one moment. Absent fields say nothing: events may come in any order, and each field
/// is ruled by the highest revision that gives it.
#[derive(InputObject)]
pub struct ExecutionInput {
    /// Names this event at the source, for good: the same event sent again is taken once.
    event_id: String,
    /// Names the run at the source.
    run_id: String,
    /// Orders the events of a run: the highest rules.
    #[graphql(default_with = "BigInt(1)")]
    revision: BigInt,
    /// Key of the process; this or `sop` is needed.
    process: Option<String>,
    /// Code of the SOP.
    sop: Option<String>,
    /// Label of the version that was used, if known: of the SOP, or where the process alone is named, of its SOP that was in
    /// force then; else of the last one before that has such a version.
    version: Option<String>,
    /// Key of the team that performed it.
    team: Option<String>,
    /// Who performed it.
    actor: Option<ExecutionActorInput>,
    /// When this event happened.
    occurred_at: Option<DateTime>,
    /// When the run began.
    started_at: Option<DateTime>,
    /// When it ended.
    finished_at: Option<DateTime>,
    /// How it ended.
    outcome: Option<Outcome>,
    /// Whether the SOP was followed.
    adherence: Option<Adherence>,
    /// How many errors were made.
    errors: Option<i32>,
    /// How often work was done again.
    rework: Option<i32>,
    /// Breaches of rules; the whole list.
    violations: Option<Vec<ViolationInput>>,
    /// How content somebody was.
    satisfaction: Option<Satisfaction>,
    /// How its steps went: up to 500 at a time, and 2,000 steps and attempts of a run over all of its events.
    #[graphql(default)]
    steps: Vec<StepRecord>,
    /// Anything else; the whole list.
    attributes: Option<Vec<AttributeInput>>,
}

impl From<ExecutionInput> for domain::Report {
    fn from(given: ExecutionInput) -> Self {
        let violation =
            |v: ViolationInput| domain::Violation { kind: v.kind, severity: v.severity.into(), detail: v.detail };
        let pairs = |list: Vec<AttributeInput>| domain::by_name(list.into_iter().map(|a| (a.name, a.value)));
        let (attributes, repeated_attribute) = given.attributes.map(pairs).unzip();
        Self {
            event_id: given.event_id,
            run_id: given.run_id,
            revision: given.revision.0,
            process: given.process,
            sop: given.sop,
            version: given.version,
            team: given.team,
            actor: given.actor.map(|a| domain::ActorRef { subject: a.subject, name: a.name }),
            occurred_at: given.occurred_at.map(|at| at.0),
            started_at: given.started_at.map(|at| at.0),
            finished_at: given.finished_at.map(|at| at.0),
            outcome: given.outcome.map(Into::into),
            adherence: given.adherence.map(Into::into),
            errors: given.errors,
            rework: given.rework,
            violations: given.violations.map(|list| list.into_iter().map(violation).collect()),
            satisfaction: given.satisfaction.map(|s| domain::Satisfaction { score: s.score, by: s.by.into() }),
            steps: given.steps.into_iter().map(StepRecord::take).collect(),
            attributes,
            repeated_attribute: repeated_attribute.flatten(),
        }
    }
}
