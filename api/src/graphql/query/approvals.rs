//! Policies and approval requests.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::ids::{RequestId, SopId, TeamId, VersionId};

use super::{seen, typed, typed_option};
use crate::app::delegations::sees_all as may_see_all;
use crate::app::{Call, policies as app};
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{RequestKey, load};
use crate::graphql::types::approval::ApprovalRequest;
use crate::graphql::types::comment::{ReviewComment, comment};
use crate::graphql::types::delegation::{Delegation, delegation};
use crate::graphql::types::policy::{Policy, PolicyExplanation, PolicyPreview, policy};
use crate::graphql::types::sop::{page_size, sop};
use crate::graphql::types::{ApprovalState, PolicyKind};
use crate::store::approvals::{self as stored, RequestFilter};
use crate::store::comments::{self, CommentFilter};
use crate::store::delegations::{self, DelegationFilter};
use crate::store::page::Key;
use crate::store::policies;

/// Which approval requests are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct ApprovalRequestsFilter {
    /// In this state.
    state: Option<ApprovalState>,
    /// Of this SOP.
    sop_id: Option<ID>,
    /// Of the SOPs of this team.
    team_id: Option<ID>,
}

/// Which threads of review comments are asked for; all conditions hold together.
#[derive(InputObject)]
pub struct ReviewCommentsFilter {
    /// On this version.
    version_id: ID,
    /// Only those that are resolved, or only those that are open.
    resolved: Option<bool>,
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
            team: typed_option::<TeamId>(filter.team_id.as_ref(), "team")?,
            waiting_for: None,
        };
        let window = Paging { first, after, last, before }.window()?;
        let page = stored::list(call.store.read(), &call.actor.visibility(), &filter, &window).await?;
        Ok(list(page, Counted::Requests(filter), |r| (Key::Number(r.opened_at), r.id), ApprovalRequest))
    }

    /// One policy, in use or not; null when there is none.
    async fn policy(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> Result<Option<Policy>> {
        policy(ctx, typed(&id, "policy")?).await
    }

    /// Which policy applies to an SOP, and what becomes of the others; null for an SOP that you do not see.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn policy_explain(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which SOP.")] sop_id: ID,
        #[graphql(desc = "For what kind of change.")] kind: PolicyKind,
    ) -> Result<Option<PolicyExplanation>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        seen(app::explain(call, typed(&sop_id, "SOP")?, kind.into()).await.map(PolicyExplanation::new))
    }

    /// What a draft would pass if it were submitted now, or a version in review is passing, and who could decide; null
    /// for a version that you do not see.
    #[graphql(complexity = "100 * child_complexity + 20")]
    async fn policy_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] version_id: ID,
    ) -> Result<Option<PolicyPreview>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        seen(app::preview(call, typed(&version_id, "version")?).await.map(PolicyPreview))
    }

    /// One delegation; null when there is none that you see.
    async fn delegation(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> Result<Option<Delegation>> {
        delegation(ctx, typed(&id, "delegation")?).await
    }

    /// The delegations that you gave or got, oldest first; all of them for who manages access or reads the audit chain.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn delegations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those in force now.", default = false)] in_force: bool,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Delegation>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let of = (!may_see_all(call)).then_some(call.actor.person);
        let filter = DelegationFilter { of, at: in_force.then_some(call.now) };
        let window = Paging { first, after, last, before }.window()?;
        let page = delegations::list(call.store.read(), &filter, &window).await?;
        Ok(list(page, Counted::Delegations(filter), |d| (Key::Number(d.created_at), d.id), Delegation))
    }

    /// One review comment; null when there is none that you see.
    async fn review_comment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] id: ID,
    ) -> Result<Option<ReviewComment>> {
        comment(ctx, typed(&id, "comment")?).await
    }

    /// The threads of review comments on a version, oldest first; none on a version that you do not see as a draft.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn review_comments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: ReviewCommentsFilter,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<ReviewComment>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let window = Paging { first, after, last, before }.window()?;
        let on = typed::<VersionId>(&filter.version_id, "version")?;
        let filter = CommentFilter::Threads(on, filter.resolved, Box::new(call.actor.visibility()));
        let page = comments::list(call.store.read(), &filter, &window).await?;
        Ok(list(page, Counted::Comments(filter), |c| (Key::Number(c.created_at), c.id), ReviewComment))
    }

    /// The policies in use: which stages a change has to pass.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn policies(&self, ctx: &Context<'_>) -> Result<Vec<Policy>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        Ok(policies::all(call.store.read()).await?.into_iter().map(Policy).collect())
    }
}
