//! What ails a procedure, and what was chosen to be done about it.

use async_graphql::{Context, ID, Object};
use sopwith_domain::diagnosis::{self as domain, Found};
use sopwith_domain::ids::ResponseId;

use super::figures::{Interval, Ratio};
use super::people::{Person, Team, person, team};
use super::sop::{Sop, sop};
use super::version::{Version, version};
use super::{DiagnosisFigureOf, DiagnosisFindingKind, DiagnosisResponseKind, DiagnosisState, stored};
use crate::app::Call;
use crate::app::diagnosis::Diagnosed;
use crate::app::measurement::reads_figures;
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::loaders::{ResponseKey, SopKey, load};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::diagnosis::ResponseRow;

/// What ails a procedure by its runs: a screen, after which a person looks and chooses what to do. Its thresholds are
/// conventions of this service; each finding says which it lies beyond.
pub struct Diagnosis(pub Diagnosed);

/// What ails a procedure by its runs: a screen, after which a person looks and chooses what to do. Its thresholds are
/// conventions of this service; each finding says which it lies beyond.
#[Object]
impl Diagnosis {
    /// How far it came.
    async fn state(&self) -> DiagnosisState {
        self.0.diagnosis.state.into()
    }

    /// The version in force.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        version(ctx, self.0.version.0).await
    }

    /// By runs that started at this time or later: 90 days ago, or since the version was learnt.
    async fn from(&self) -> DateTime {
        DateTime(self.0.stretch.from)
    }

    /// And until now.
    async fn to(&self) -> DateTime {
        DateTime(self.0.stretch.to)
    }

    /// How many runs.
    async fn runs(&self) -> BigInt {
        BigInt(self.0.runs)
    }

    /// By how many people, where they are known.
    async fn people(&self) -> BigInt {
        BigInt(self.0.people)
    }

    /// Runs that followed the procedure, of those of which that is known.
    async fn adoption(&self) -> Ratio {
        Ratio(self.0.diagnosis.adoption)
    }

    /// Runs with errors, of those that followed the procedure, were watched for `watchDays` and ended in that time: of the 90 days
    /// until so long before now.
    async fn errors_when_followed(&self) -> Ratio {
        Ratio(self.0.diagnosis.errors_when_followed)
    }

    /// What was found; empty where nothing was, or too little is known.
    async fn findings(&self) -> Vec<DiagnosisFinding> {
        self.0.diagnosis.findings.iter().cloned().map(DiagnosisFinding).collect()
    }
}

/// Something that was found, with the figures that led there.
pub struct DiagnosisFinding(Found);

/// Something that was found, with the figures that led there.
#[Object]
impl DiagnosisFinding {
    /// What it is.
    async fn kind(&self) -> DiagnosisFindingKind {
        self.0.kind().into()
    }

    /// The same in a sentence.
    async fn summary(&self) -> String {
        self.0.summary()
    }

    /// The key of the step that it is about, for `TROUBLED_STEP`.
    async fn step_key(&self) -> Option<&str> {
        self.0.step()
    }

    /// The figures that led there.
    async fn figures(&self) -> Vec<DiagnosisFigure> {
        self.0.figures().into_iter().map(DiagnosisFigure).collect()
    }

    /// What the figures lie beyond, with their whole intervals: the adoption that counts as enough, the share of runs with
    /// errors that is tolerated, the least trouble of a step. For `INCONSISTENT` the least distance between teams, whose
    /// intervals lie apart.
    async fn threshold(&self) -> f64 {
        self.0.threshold()
    }

    /// What is proposed to be done.
    async fn proposes(&self) -> Vec<DiagnosisResponseKind> {
        self.0.kind().proposes().iter().copied().map(Into::into).collect()
    }
}

/// A figure of a finding.
pub struct DiagnosisFigure(domain::Figure);

/// A figure of a finding.
#[Object]
impl DiagnosisFigure {
    /// What it is of.
    async fn of(&self) -> DiagnosisFigureOf {
        self.0.of.into()
    }

    /// In which team, where it is of one.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team.map(|team| team.0)).await
    }

    /// The share.
    async fn share(&self) -> Ratio {
        Ratio::of(self.0.numerator, self.0.denominator)
    }

    /// The interval that the finding goes by: wider than that of the share, since runs of one person are alike, and since
    /// several steps or teams are looked at.
    async fn interval(&self) -> Interval {
        Interval { low: self.0.low, high: self.0.high }
    }
}

/// What was chosen to be done about something that a diagnosis found.
pub struct DiagnosisResponse(pub ResponseRow);

/// What was chosen to be done about something that a diagnosis found.
#[Object]
impl DiagnosisResponse {
    /// Names the response for good.
    pub async fn id(&self) -> ID {
        ResponseId(self.0.id).to_string().into()
    }

    /// About which SOP.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        sop(ctx, self.0.sop_id).await
    }

    /// The version that was in force.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        version(ctx, self.0.version_id).await
    }

    /// What was found.
    async fn finding(&self) -> Result<DiagnosisFindingKind> {
        Ok(stored::<domain::Finding>(&self.0.finding)?.into())
    }

    /// The key of the step that it was about, for `TROUBLED_STEP`.
    async fn step_key(&self) -> Option<&str> {
        self.0.step_key.as_deref()
    }

    /// What was chosen.
    async fn response(&self) -> Result<DiagnosisResponseKind> {
        Ok(stored::<domain::Response>(&self.0.response)?.into())
    }

    /// Why, or how.
    async fn note(&self) -> &str {
        &self.0.note
    }

    /// The figures as they were then.
    async fn figures(&self) -> Result<Vec<DiagnosisFigure>> {
        let figures: Vec<domain::Figure> = serde_json::from_str(&self.0.figures).map_err(Error::internal)?;
        Ok(figures.into_iter().map(DiagnosisFigure).collect())
    }

    /// Who chose it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.created_by_id)).await
    }

    /// When.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }
}

/// A response by id, for who reads figures of its SOP.
pub async fn response(ctx: &Context<'_>, id: ResponseId) -> Result<Option<DiagnosisResponse>> {
    let call = ctx.data_unchecked::<std::sync::Arc<Call>>();
    let Some(row) = load(ctx, ResponseKey(id.0)).await? else { return Ok(None) };
    let sop = load(ctx, SopKey(row.sop_id)).await?;
    Ok(sop.filter(|sop| reads_figures(&call.actor, &sop.row)).map(|_| DiagnosisResponse(row)))
}
