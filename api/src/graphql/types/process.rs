//! Processes.

use async_graphql::{Context, ID, Object, SimpleObject};
use sopwith_domain::ids::ProcessId;
use sopwith_domain::metrics::Ratio;
use sopwith_domain::rollup::HORIZON;

use super::people::{Person, Team, person, team};
use super::sop::Sop;
use crate::error::Error;
use crate::graphql::error::Result;
use crate::graphql::loaders::{ProcessKey, ProcessSopsKey, load};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::processes::Process as ProcessRow;

/// How many processes have an SOP in force now.
#[derive(SimpleObject)]
pub struct ProcessCoverage {
    /// Those that have one.
    with_published_sop: BigInt,
    /// All.
    processes: BigInt,
    /// The share, from 0 to 1; null of nothing. All are counted, so there is no interval.
    value: Option<f64>,
}

impl ProcessCoverage {
    /// So many of so many.
    ///
    /// # Errors
    /// When there are more than can be told.
    pub fn new(covered: u64, all: u64) -> Result<Self> {
        let number = |n: u64| i64::try_from(n).map_err(Error::internal);
        let ratio = Ratio { numerator: number(covered)?, denominator: number(all)? };
        let (with_published_sop, processes) = (BigInt(ratio.numerator), BigInt(ratio.denominator));
        Ok(Self { with_published_sop, processes, value: ratio.value() })
    }
}

/// What the organisation does, documented or not. Executions belong to a process, so that work done without a
/// procedure counts too.
pub struct Process(pub ProcessRow);

/// What the organisation does, documented or not. Executions belong to a process, so that work done without a
/// procedure counts too.
#[Object]
impl Process {
    /// Names the process for good.
    pub async fn id(&self) -> ID {
        ProcessId(self.0.id).to_string().into()
    }

    /// Names it in executions.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How it runs today.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Who answers for it; null when ownership is unclear.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.owner_id).await
    }

    /// The team that it belongs to, if one.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team_id).await
    }

    /// Its SOP that is not retired, if it has one that you see.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        let sops = load(ctx, ProcessSopsKey(self.0.id)).await?.unwrap_or_default();
        Ok(sops.into_iter().find(|sop| sop.row.state != "RETIRED"))
    }

    /// Whether a procedure for it is in force: derived, never typed in.
    async fn documented(&self, ctx: &Context<'_>) -> Result<bool> {
        let sops = load(ctx, ProcessSopsKey(self.0.id)).await?.unwrap_or_default();
        Ok(sops.iter().any(|sop| sop.row.state == "PUBLISHED"))
    }

    /// How long after its start a run that has not finished counts as abandoned: 30 days where nothing else is set. A run
    /// that has ended is judged by the horizon of then, `Execution.horizon`.
    async fn horizon(&self) -> Duration {
        Duration { micros: self.0.horizon.unwrap_or(HORIZON) }
    }

    /// Raised by every change; what `expectedRevision` is compared with.
    async fn revision(&self) -> BigInt {
        BigInt(self.0.revision)
    }

    /// When it became known.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }
}

/// A process by id, where there is one.
pub async fn process(ctx: &Context<'_>, id: uuid::Uuid) -> Result<Option<Process>> {
    Ok(load(ctx, ProcessKey(id)).await?.map(Process))
}
