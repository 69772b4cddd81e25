//! SOPs.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use sopwith_domain::ids::SopId;

use super::approval::ApprovalRequest;
use super::people::{Person, Team, person, team};
use super::process::{Process, process};
use super::version::Version;
use super::{Risk, SopState, stored};
use crate::app::Call;
use crate::app::reading::Sight;
use crate::error::Error;
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{CurrentVersionsKey, OpenRequestKey, OutermostVersionsKey, SopKey, load};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::page::{Key, Window};
use crate::store::sops::{self, Outermost, SopRow};

/// The procedure for one process, with all its versions.
#[derive(Clone)]
pub struct Sop {
    /// As stored.
    pub row: SopRow,
    /// What the actor sees of it.
    pub sight: Sight,
}

/// An SOP by id, where the actor sees it.
pub async fn sop(ctx: &Context<'_>, id: uuid::Uuid) -> Result<Option<Sop>> {
    load(ctx, SopKey(id)).await
}

/// The procedure for one process, with all its versions.
#[Object]
impl Sop {
    /// Names the SOP for good.
    pub async fn id(&self) -> ID {
        SopId(self.row.id).to_string().into()
    }

    /// Its code, such as `OPS-0007`: never reused.
    async fn code(&self) -> &str {
        &self.row.code
    }

    /// The title of the version in force; before there is one, of the draft.
    async fn title(&self) -> &str {
        &self.row.title
    }

    /// What a reader sees of it.
    async fn state(&self) -> Result<SopState> {
        Ok(stored::<sopwith_domain::lifecycle::SopState>(&self.row.state)?.into())
    }

    /// What goes wrong when it is not followed.
    async fn risk(&self) -> Result<Risk> {
        Ok(stored::<sopwith_domain::policy::Risk>(&self.row.risk)?.into())
    }

    /// How often it is looked at, in months: 3, 6 or 12.
    async fn review_cadence_months(&self) -> i32 {
        self.row.review_cadence_months
    }

    /// Raised by every change of state or owner; what `expectedRevision` is compared with.
    async fn revision(&self) -> BigInt {
        BigInt(self.row.revision)
    }

    /// The process that it is for.
    async fn process(&self, ctx: &Context<'_>) -> Result<Option<Process>> {
        process(ctx, self.row.process_id).await
    }

    /// The team that keeps it.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, Some(self.row.team_id)).await
    }

    /// The one person who answers for it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.row.owner_id)).await
    }

    /// The version in force.
    async fn published_version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        let current = load(ctx, CurrentVersionsKey(self.row.id)).await?.unwrap_or_default();
        Ok(current.into_iter().find(|v| v.state == "PUBLISHED").map(Version))
    }

    /// The version that is being written, reviewed or waits for its effective date; null when you may not see it.
    async fn open_version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        if !self.sight.drafts {
            return Ok(None);
        }
        let current = load(ctx, CurrentVersionsKey(self.row.id)).await?.unwrap_or_default();
        Ok(current.into_iter().find(|v| v.state != "PUBLISHED").map(Version))
    }

    /// Its versions, newest first; those that never came into force only for who sees drafts.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Version>> {
        let (id, drafts) = (SopId(self.row.id), self.sight.drafts);
        let window = Paging { first, after, last, before }.window()?;
        let page = if let Window { limit, after: None, before: None, backwards } = window {
            let found = load(ctx, OutermostVersionsKey(Outermost { sop: id.0, drafts, limit, backwards })).await?;
            found.ok_or_else(|| Error::internal("a page was not loaded"))?
        } else {
            let call = ctx.data_unchecked::<Arc<Call>>();
            sops::list_versions(call.store.read(), id, drafts, &window).await?
        };
        Ok(list(page, Counted::Versions(id, drafts), |v| (Key::Number(v.created_at), v.id), Version))
    }

    /// The approval request that is open, to publish a version or to retire the SOP; null when you may not see it.
    async fn open_request(&self, ctx: &Context<'_>) -> Result<Option<ApprovalRequest>> {
        if !self.sight.drafts {
            return Ok(None);
        }
        Ok(load(ctx, OpenRequestKey(self.row.id)).await?.map(ApprovalRequest))
    }

    /// The SOP that took its place when it was retired, where one was named.
    async fn successor(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        match self.row.successor_id {
            Some(id) => sop(ctx, id).await,
            None => Ok(None),
        }
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.row.created_at)
    }

    /// When its state or owner changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime::stored(self.row.updated_at)
    }
}

/// How many entries a page may have, for the cost of what is in it.
pub fn page_size(first: Option<i32>, last: Option<i32>) -> usize {
    usize::try_from(first.or(last).unwrap_or(20).clamp(1, 100)).unwrap_or(100)
}

/// A published SOP that fits a search.
#[derive(SimpleObject)]
pub struct SearchHit {
    /// Which.
    pub sop: Sop,
    /// How well it fits: higher is better; comparable within one answer only.
    pub score: f64,
    /// Where it fits, the words found between `«` and `»`.
    pub snippet: String,
}

/// What a search found.
#[derive(SimpleObject)]
pub struct SearchResult {
    /// The hits, best first.
    pub nodes: Vec<SearchHit>,
}
