//! Policies and approval requests.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::ids::{RequestId, SopId};

use super::{typed, typed_option};
use crate::app::Call;
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{RequestKey, load};
use crate::graphql::types::ApprovalState;
use crate::graphql::types::approval::{ApprovalRequest, Policy};
use crate::graphql::types::sop::{page_size, sop};
use crate::store::approvals::{self as stored, RequestFilter};
use crate::store::page::Key;
use crate::store::policies;

/// Which approval requests are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct ApprovalRequestsFilter {
    /// In this state.
    state: Option<ApprovalState>,
    /// Of this SOP.
    sop_id: Option<ID>,
}

/// An approval request by id, where the actor sees it.
pub async fn request(ctx: &Context<'_>, id: RequestId) -> Result<Option<ApprovalRequest>> {
    let Some(row) = load(ctx, RequestKey(id.0)).await? else { return Ok(None) };
    let seen = sop(ctx, row.sop_id).await?.is_some_and(|sop| sop.sight.drafts);
    Ok(seen.then_some(ApprovalRequest(row)))
}

#[derive(Default)]
pub struct ApprovalQuery;

#[Object]
impl ApprovalQuery {
    /// One approval request; null when there is none that you see.
    async fn approval_request(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
    ) -> Result<Option<ApprovalRequest>> {
        request(ctx, typed(&id, "approval request")?).await
    }

    /// The approval requests that you see, oldest first.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn approval_requests(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ApprovalRequestsFilter>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<ApprovalRequest>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let filter = filter.unwrap_or_default();
        let filter = RequestFilter {
            state: filter.state.map(Into::into),
            sop: typed_option::<SopId>(filter.sop_id.as_ref(), "SOP")?,
        };
        let window = Paging { first, after, last, before }.window()?;
        let page = stored::list(call.store.read(), &call.actor.visibility(), &filter, &window).await?;
        Ok(list(page, Counted::Requests(filter), |r| (Key::Number(r.opened_at), r.id), ApprovalRequest))
    }

    /// The policies: which stages a change has to pass.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn policies(&self, ctx: &Context<'_>) -> Result<Vec<Policy>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        Ok(policies::all(call.store.read()).await?.into_iter().map(Policy).collect())
    }
}
