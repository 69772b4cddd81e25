//! Decisions and withdrawals.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::content::ContentHash;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, RequestId};

use super::{keyed, payload};
use crate::app::{Call, approvals};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::types::Verdict;
use crate::graphql::types::approval::ApprovalRequest;
use crate::graphql::types::sop::{Sop, sop};
use crate::graphql::types::version::{Version, version};
use crate::metrics::Metrics;
use crate::store::approvals::{self as stored, RequestRow};

/// A decision to be taken.
#[derive(InputObject)]
pub struct ApprovalDecideInput {
    /// In which request.
    request_id: ID,
    /// What you decide.
    verdict: Verdict,
    /// The content hash of the version that you saw.
    content_hash: String,
    /// Why; needed for a rejection.
    #[graphql(default)]
    comment: String,
    /// In whose place, by a delegation of theirs that is in force; by a role of your own when absent.
    on_behalf_of_id: Option<ID>,
    /// The same key with the same input takes one decision, also where that was withdrawn since.
    idempotency_key: Option<String>,
}

impl ApprovalDecideInput {
    fn read(self) -> std::result::Result<approvals::DecisionInput, Refusal> {
        let content: ContentHash =
            self.content_hash.parse().map_err(|_| Refusal::invalid("contentHash", "not a SHA-256 in hex"))?;
        let request = typed::<RequestId>(&self.request_id, "approval request")?;
        let on_behalf_of = typed_option::<PersonId>(self.on_behalf_of_id.as_ref(), "person")?;
        let (verdict, comment) = (self.verdict.into(), self.comment);
        Ok(approvals::DecisionInput { request, verdict, content, comment, on_behalf_of })
    }
}

payload! {
    /// What `approvalDecide` did.
    ApprovalDecidePayload {
        /// The request.
        approval_request: ApprovalRequest,
        /// The version that it is about; null for a retirement.
        version: Version,
        /// The SOP.
        sop: Sop,
    }
}

/// A decision to be taken back.
#[derive(InputObject)]
pub struct DecisionWithdrawInput {
    /// In which request.
    request_id: ID,
}

payload! {
    /// What `decisionWithdraw` did.
    DecisionWithdrawPayload {
        /// The request: your decision counts no more in it.
        approval_request: ApprovalRequest,
    }
}

/// A request to be taken back.
#[derive(InputObject)]
pub struct ApprovalWithdrawInput {
    /// Which.
    request_id: ID,
}

payload! {
    /// What `approvalWithdraw` did.
    ApprovalWithdrawPayload {
        /// The request.
        approval_request: ApprovalRequest,
        /// The version, back in draft; null for a retirement.
        version: Version,
        /// The SOP.
        sop: Sop,
    }
}

#[derive(Default)]
pub struct ApprovalMutation;

#[Object]
impl ApprovalMutation {
    /// Approves or rejects in the stage that is being decided. For holders of the role that the stage names, who did
    /// not contribute and have not decided in this request, and for those to whom such a one delegated. With the last approval the version is published, or waits
    /// for its effective date; one rejection ends the request.
    async fn approval_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ApprovalDecideInput,
    ) -> Result<ApprovalDecidePayload> {
        decide(ctx, input).await
    }

    /// Takes your own decision back, while its stage is open. It stays on record; you may decide again.
    async fn decision_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: DecisionWithdrawInput,
    ) -> Result<DecisionWithdrawPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<RequestId>(&input.request_id, "approval request") {
            Ok(id) => approvals::withdraw_decision(call, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (row, _, _) = after(ctx, made).await?;
        Ok(DecisionWithdrawPayload { approval_request: row.map(ApprovalRequest), user_errors })
    }

    /// Takes a request back: a version returns to draft, a published SOP stays as it is. A contributor's, and the
    /// owner's.
    async fn approval_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ApprovalWithdrawInput,
    ) -> Result<ApprovalWithdrawPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<RequestId>(&input.request_id, "approval request") {
            Ok(id) => approvals::withdraw(call, id).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (row, version, sop) = after(ctx, made).await?;
        Ok(ApprovalWithdrawPayload { approval_request: row.map(ApprovalRequest), version, sop, user_errors })
    }
}

/// A request, its version and its SOP, as they are after a mutation.
async fn after(
    ctx: &Context<'_>,
    made: Option<RequestId>,
) -> Result<(Option<RequestRow>, Option<Version>, Option<Sop>)> {
    let Some(id) = made else { return Ok((None, None, None)) };
    let call = ctx.data_unchecked::<Arc<Call>>();
    let Some(row) = stored::by_ids(call.store.read(), &[id.0]).await?.pop() else { return Ok((None, None, None)) };
    let version = match row.version_id {
        Some(id) => version(ctx, id).await?,
        None => None,
    };
    let sop = sop(ctx, row.sop_id).await?;
    Ok((Some(row), version, sop))
}

/// What `approvalDecide` does, for one or for one of several.
pub async fn decide(ctx: &Context<'_>, input: ApprovalDecideInput) -> Result<ApprovalDecidePayload> {
    let call = ctx.data_unchecked::<Arc<Call>>();
    let verdict = input.verdict;
    let key = keyed(input.idempotency_key.as_ref(), &input);
    let answer = match input.read() {
        Ok(input) => approvals::decide(call, input, key).await,
        Err(refusal) => Err(refusal.into()),
    };
    let (made, user_errors) = settle(answer)?;
    let (row, version, sop) = after(ctx, made.as_ref().map(|decided| decided.request)).await?;
    if let Some(row) = row.as_ref().filter(|_| made.is_some_and(|decided| decided.anew)) {
        let waited = u64::try_from(call.now.micros() - row.opened_at).unwrap_or(0);
        ctx.data_unchecked::<Arc<Metrics>>().decided(verdict.into(), Duration::from_micros(waited));
    }
    Ok(ApprovalDecidePayload { approval_request: row.map(ApprovalRequest), version, sop, user_errors })
}
