//! SOPs, versions, processes and the search.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::SopState as DomainState;

use super::{seen, text, typed, typed_option};
use crate::app::{Call, impact};
use crate::graphql::connection::{Counted, List, OrderDirection, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{SopKey, load_many};
use crate::graphql::types::impact::RetirementImpact;
use crate::graphql::types::process::{Process, ProcessCoverage, process};
use crate::graphql::types::sop::{SearchHit, SearchResult, Sop, page_size, sop};
use crate::graphql::types::version::{Version, VersionDiff, version};
use crate::graphql::types::{Risk, SopState};
use crate::store::page::Key;
use crate::store::sops::{SopFilter, SopOrder, SopRow};
use crate::store::{processes, search, sops as stored};

/// How an SOP is named.
#[derive(OneofObject)]
pub enum SopBy {
    /// By its id.
    Id(ID),
    /// By its code, such as `OPS-0007`.
    Code(String),
}

/// How a process is named.
#[derive(OneofObject)]
pub enum ProcessBy {
    /// By its id.
    Id(ID),
    /// By its key, such as `password-reset`.
    Key(String),
}

/// Which SOPs are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct SopsFilter {
    /// In one of these states; those not retired when absent.
    states: Option<Vec<SopState>>,
    /// Kept by this team.
    team_id: Option<ID>,
    /// Of this owner.
    owner_id: Option<ID>,
    /// For this process.
    process_id: Option<ID>,
    /// Of this risk.
    risk: Option<Risk>,
}

impl SopsFilter {
    fn read(self) -> std::result::Result<SopFilter, Refusal> {
        let states: Vec<DomainState> = self.states.unwrap_or_default().into_iter().map(Into::into).collect();
        Ok(SopFilter {
            states,
            team: typed_option::<TeamId>(self.team_id.as_ref(), "team")?,
            owner: typed_option::<PersonId>(self.owner_id.as_ref(), "person")?,
            process: typed_option::<ProcessId>(self.process_id.as_ref(), "process")?,
            risk: self.risk.map(Into::into),
        })
    }
}

/// What a list of SOPs is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "SopOrder")]
pub enum SopOrderField {
    /// By code.
    Code,
    /// By title.
    Title,
    /// By the time of creation.
    CreatedAt,
    /// By the time of the last change of state or owner.
    UpdatedAt,
}

/// The order of a list of SOPs.
#[derive(InputObject)]
pub struct SopsOrder {
    /// By what.
    field: SopOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

fn place(order: SopOrder, row: &SopRow) -> Key {
    match order {
        SopOrder::Code => Key::Text(row.code.clone()),
        SopOrder::Title => Key::Text(row.title.clone()),
        SopOrder::CreatedAt => Key::Number(row.created_at),
        SopOrder::UpdatedAt => Key::Number(row.updated_at),
    }
}

#[derive(Default)]
pub struct SopQuery;

#[Object]
impl SopQuery {
    /// One SOP, by id or code; null when there is none that you see.
    async fn sop(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] by: SopBy) -> Result<Option<Sop>> {
        let id = match by {
            SopBy::Id(id) => typed::<SopId>(&id, "SOP")?.0,
            SopBy::Code(code) => {
                let call = ctx.data_unchecked::<Arc<Call>>();
                match stored::by_code(call.store.read(), text("code", &code)?).await? {
                    Some(row) => row.id,
                    None => return Ok(None),
                }
            }
        };
        sop(ctx, id).await
    }

    /// The SOPs that you see.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    #[expect(clippy::too_many_arguments, reason = "a Relay connection has these")]
    async fn sops(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<SopsFilter>,
        #[graphql(desc = "In which order; by code when absent.")] order_by: Option<SopsOrder>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Sop>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let filter = filter.unwrap_or_default().read()?;
        let (order, descending) =
            order_by.map_or((SopOrder::Code, false), |o| (o.field.into(), o.direction == OrderDirection::Desc));
        let window = Paging { first, after, last, before }.window()?;
        let db = call.store.read();
        let page = stored::list(db, &call.actor.visibility(), &filter, (order, descending), &window).await?;
        let sights = crate::app::reading::sights(db, &call.actor, &page.rows).await?;
        let unseen = crate::app::reading::Sight { sop: false, drafts: false };
        Ok(list(
            page,
            Counted::Sops(filter),
            |row| (place(order, row), row.id),
            |row| Sop { sight: sights.get(&row.id).copied().unwrap_or(unseen), row },
        ))
    }

    /// What the retirement of an SOP would touch: look before `sopRetire`. Null for an SOP whose drafts you do not see.
    #[graphql(complexity = "100 * child_complexity + 500")]
    async fn retirement_impact(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which SOP.")] sop_id: ID,
    ) -> Result<Option<RetirementImpact>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        seen(impact::of_retirement(call, typed::<SopId>(&sop_id, "SOP")?).await.map(RetirementImpact))
    }

    /// One version; null when there is none that you see.
    async fn version(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> Result<Option<Version>> {
        version(ctx, typed::<VersionId>(&id, "version")?.0).await
    }

    /// What changed from one version of an SOP to another.
    async fn version_diff(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The earlier version.")] from: ID,
        #[graphql(desc = "The later version.")] to: ID,
    ) -> Result<VersionDiff> {
        let (from, to) = (typed::<VersionId>(&from, "version")?, typed::<VersionId>(&to, "version")?);
        let missing = || Refusal::NotFound("version");
        let from = version(ctx, from.0).await?.ok_or_else(missing)?;
        let to = version(ctx, to.0).await?.ok_or_else(missing)?;
        if from.0.sop_id != to.0.sop_id {
            return Err(Refusal::invalid("to", "the two versions are of different SOPs").into());
        }
        VersionDiff::between(ctx, from, to).await
    }

    /// Published procedures that fit a text: a symptom, a tool, a name, a line of a log. Best first; those with all of
    /// its words, or where there are none those with any of them.
    #[graphql(complexity = "page_size(first, None) * child_complexity + 500")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What you are looking for.")] text: String,
        #[graphql(desc = "How many hits at most, 1 to 100; 20 when absent.")] first: Option<i32>,
    ) -> Result<SearchResult> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let window = Paging { first, ..Paging::default() }.window()?;
        if text.len() > 10_000 {
            return Err(Refusal::invalid("text", "at most 10000 bytes").into());
        }
        let hits = search::find(call.store.read(), &text, window.limit).await?;
        let mut seen = load_many(ctx, hits.iter().map(|hit| SopKey(hit.sop_id)).collect()).await?;
        let hits = hits.into_iter().filter_map(|hit| {
            let sop = seen.remove(&SopKey(hit.sop_id))?;
            Some(SearchHit { sop, score: hit.score, snippet: hit.snippet })
        });
        Ok(SearchResult { nodes: hits.collect() })
    }

    /// One process, by id or key; null when there is none.
    async fn process(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] by: ProcessBy) -> Result<Option<Process>> {
        match by {
            ProcessBy::Id(id) => process(ctx, typed::<ProcessId>(&id, "process")?.0).await,
            ProcessBy::Key(key) => {
                let call = ctx.data_unchecked::<Arc<Call>>();
                Ok(processes::by_key(call.store.read(), text("key", &key)?).await?.map(Process))
            }
        }
    }

    /// How many processes have an SOP in force now, among all. What share of runs had one when they started is `coverage` of
    /// `figures`.
    async fn process_coverage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this team; of all when absent.")] team_id: Option<ID>,
    ) -> Result<ProcessCoverage> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let team = typed_option::<TeamId>(team_id.as_ref(), "team")?;
        let (covered, all) = processes::covered(call.store.read(), team).await?;
        ProcessCoverage::new(covered, all)
    }

    /// All processes, by key.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn processes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Process>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let page = processes::list(call.store.read(), &Paging { first, after, last, before }.window()?).await?;
        Ok(list(page, Counted::Processes, |p| (Key::Text(p.key.clone()), p.id), Process))
    }
}
