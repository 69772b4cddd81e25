//! Executions, figures and the audit chain.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use sopwith_domain::access::{Action, Permission, Reach, Resource, decide};
use sopwith_domain::calendar::{UnknownZone, Zone};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{ExecutionId, PersonId, ProcessId, SopId, TeamId, VersionId};

use super::{text, typed, typed_option};
use crate::app::{Call, figures};
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{ExecutionKey, load};
use crate::graphql::scalars::DateTime;
use crate::graphql::types::audit::AuditEntry;
use crate::graphql::types::execution::Execution;
use crate::graphql::types::figures::{Figures, FiguresDimension, FiguresOrder, TimeBucket};
use crate::graphql::types::sop::page_size;
use crate::store::audit::{self, AuditFilter};
use crate::store::executions::{self, ExecutionFilter};
use crate::store::figures::Question;
use crate::store::page::{Key, Window};
use crate::store::rollups;

/// A run as its source names it.
#[derive(InputObject)]
pub struct RunInput {
    /// The source.
    source: String,
    /// The source's name for the run.
    run_id: String,
}

/// How an execution is named.
#[derive(OneofObject)]
pub enum ExecutionBy {
    /// By its id.
    Id(ID),
    /// As its source names it.
    Run(RunInput),
}

/// Which executions are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct ExecutionsFilter {
    /// Of this process.
    process_id: Option<ID>,
    /// Of this SOP.
    sop_id: Option<ID>,
    /// From this source.
    source: Option<String>,
}

/// Which figures are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct FiguresFilter {
    /// Of this process.
    process_id: Option<ID>,
    /// Of this SOP.
    sop_id: Option<ID>,
    /// Of this version.
    version_id: Option<ID>,
    /// Of runs performed by this team.
    team_id: Option<ID>,
    /// Of runs that started at this time or later.
    from: Option<DateTime>,
    /// Of runs that started before this time.
    to: Option<DateTime>,
}

impl FiguresFilter {
    /// What is asked for, in one group.
    ///
    /// # Errors
    /// `NotFound` for an id that is none, or of another kind.
    pub fn question(&self) -> std::result::Result<Question, Refusal> {
        Ok(Question {
            process: typed_option::<ProcessId>(self.process_id.as_ref(), "process")?,
            sop: typed_option::<SopId>(self.sop_id.as_ref(), "SOP")?,
            version: typed_option::<VersionId>(self.version_id.as_ref(), "version")?,
            team: typed_option::<TeamId>(self.team_id.as_ref(), "team")?,
            from: self.from.as_ref().map(|at| at.0),
            to: self.to.as_ref().map(|at| at.0),
            ..Question::default()
        })
    }
}

/// A time zone by its name.
pub(super) fn zone(name: &str) -> std::result::Result<Zone, Refusal> {
    name.parse().map_err(|error: UnknownZone| Refusal::invalid("timeZone", error.to_string()))
}

/// How many are asked for.
///
/// # Errors
/// `Invalid` unless it is 1 to 100.
pub fn first_of(first: i32) -> std::result::Result<usize, Refusal> {
    let most = usize::try_from(first).ok().filter(|first| (1..=100).contains(first));
    most.ok_or_else(|| Refusal::invalid("first", "1 to 100"))
}

/// Which audit entries are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct AuditEntriesFilter {
    /// Of the object with this id.
    object: Option<ID>,
    /// Of this SOP, its versions and requests.
    sop_id: Option<ID>,
    /// Of what this person did.
    actor_id: Option<ID>,
    /// Of this action, such as `approval.decided`.
    action: Option<String>,
}

/// An execution by id, where the actor reads it.
pub async fn execution(ctx: &Context<'_>, id: ExecutionId) -> Result<Option<Execution>> {
    Ok(load(ctx, ExecutionKey(id.0)).await?.map(Execution))
}

async fn one(call: &Call, filter: &ExecutionFilter) -> Result<Option<Execution>> {
    let window = Window { limit: 1, ..Window::default() };
    let page = executions::list(call.store.read(), &figures::reach(&call.actor), filter, &window).await?;
    Ok(page.rows.into_iter().next().map(Execution))
}

#[derive(Default)]
pub struct RecordQuery;

#[Object]
impl RecordQuery {
    /// One execution; null when there is none that you read.
    async fn execution(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] by: ExecutionBy,
    ) -> Result<Option<Execution>> {
        match by {
            ExecutionBy::Id(id) => execution(ctx, typed(&id, "execution")?).await,
            ExecutionBy::Run(RunInput { source, run_id }) => {
                text("source", &source)?;
                text("runId", &run_id)?;
                let filter =
                    ExecutionFilter { source: Some(source), run_id: Some(run_id), ..ExecutionFilter::default() };
                one(ctx.data_unchecked::<Arc<Call>>(), &filter).await
            }
        }
    }

    /// Executions from before this time may have been deleted, those that have ended; null while all are kept. Lists of
    /// executions, `violationKinds`, `stepErrors`, `stepFunnel`, `versionImpact`, `diagnosis` and what measurement plans come
    /// to reach no further back.
    /// `figures` reach back to the first run: what they took from executions stays.
    async fn executions_kept_from(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        Ok(rollups::kept_from(call.store.read()).await?.map(DateTime))
    }

    /// The executions that you read, the last received first: those of your teams, and of the SOPs that you own.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn executions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ExecutionsFilter>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Execution>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let filter = filter.unwrap_or_default();
        text("source", filter.source.as_deref().unwrap_or_default())?;
        let filter = ExecutionFilter {
            process: typed_option::<ProcessId>(filter.process_id.as_ref(), "process")?,
            sop: typed_option::<SopId>(filter.sop_id.as_ref(), "SOP")?,
            source: filter.source,
            run_id: None,
        };
        let window = Paging { first, after, last, before }.window()?;
        let page = executions::list(call.store.read(), &figures::reach(&call.actor), &filter, &window).await?;
        Ok(list(page, Counted::Executions(filter), |e| (Key::Number(e.received_at), e.id), Execution))
    }

    /// Adoption, completion time, error rate and violations of the runs that you read, grouped as you say, in the
    /// order of their groups or in one of their figures; training runs are not in them. At most 2,000 groups, or the first
    /// of at most 10,000.
    #[graphql(complexity = "20 * child_complexity + 2000")]
    #[expect(clippy::too_many_arguments, reason = "what is asked for, grouped how, in which order")]
    async fn figures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which runs.")] filter: Option<FiguresFilter>,
        #[graphql(desc = "One row for each of these together; a single row when absent.")] group_by: Option<
            Vec<FiguresDimension>,
        >,
        #[graphql(desc = "And for each time bucket. For hours, `from` and at most 92 days are to be given.")]
        bucket: Option<TimeBucket>,
        #[graphql(
            desc = "The time zone of the buckets, such as `Europe/Berlin`; that of the organisation when absent. \
                          For another one than that, `from` and at most 92 days are to be given; where its clocks strike at \
                    another minute, the runs of an hour are counted where the organisation's hour begins."
        )]
        time_zone: Option<String>,
        #[graphql(desc = "In the order of a figure; in that of their groups when absent.")] order_by: Option<
            FiguresOrder,
        >,
        #[graphql(desc = "The first so many, 1 to 100; all when absent.")] first: Option<i32>,
    ) -> Result<Vec<Figures>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let first = first.map(first_of).transpose()?;
        let question = Question {
            by: group_by.unwrap_or_default().into_iter().map(Into::into).collect(),
            bucket: bucket.map(Into::into),
            zone: time_zone.as_deref().map(zone).transpose()?,
            ..filter.unwrap_or_default().question()?
        };
        let found = match order_by {
            Some(order) => figures::ranked(call, question, order.read()?, first).await?,
            None => figures::answer(call, &question).await?,
        };
        Ok(found.into_iter().take(first.unwrap_or(usize::MAX)).map(Figures).collect())
    }

    /// The audit chain, oldest first, for managers (of their teams) and admins.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn audit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries.")] filter: Option<AuditEntriesFilter>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<AuditEntry>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let reach = call.actor.reach(Permission::AuditRead);
        if matches!(&reach, Reach::Teams(teams) if teams.is_empty()) {
            decide(&call.actor, Action::ReadAudit, Resource::Organisation)?;
        }
        let filter = filter.unwrap_or_default();
        text("action", filter.action.as_deref().unwrap_or_default())?;
        text("object", filter.object.as_ref().map_or("", |id| id.as_str()))?;
        let filter = AuditFilter {
            object: filter.object.map(|id| id.to_string()),
            sop: typed_option::<SopId>(filter.sop_id.as_ref(), "SOP")?,
            actor: typed_option::<PersonId>(filter.actor_id.as_ref(), "person")?,
            action: filter.action,
        };
        let window = Paging { first, after, last, before }.window()?;
        let page = audit::list(call.store.read(), &reach, &filter, &window).await?;
        Ok(list(page, Counted::Audit(filter), |e| (Key::Number(e.seq), uuid::Uuid::nil()), AuditEntry))
    }
}
