//! Several of the same at once: each item is done for itself, in the order given, and answered in its place.

use async_graphql::{Context, InputObject, Object};
use sopwith_domain::error::Refusal;

use super::approvals::{ApprovalDecideInput, ApprovalDecidePayload, decide};
use super::payload;
use super::sops::{SopHandOverInput, SopHandOverPayload, hand_over};
use super::versions::{VersionSubmitInput, VersionSubmitPayload, submit};
use crate::error::Error;
use crate::graphql::error::{Fault, Result, UserError, user_errors};

/// The most items of one call.
const MAX_ITEMS: usize = 50;

/// Drafts to be submitted.
#[derive(InputObject)]
pub struct VersionsSubmitInput {
    /// Which, at most 50.
    items: Vec<VersionSubmitInput>,
}

payload! {
    /// What `versionsSubmit` did.
    VersionsSubmitPayload {
        /// For each item, in its place, what `versionSubmit` answers; null with an error where the service failed, and for
        /// the items after that, which were not tried.
        results: Vec<Option<Answered<VersionSubmitPayload>>>,
    }
}

/// Decisions to be taken.
#[derive(InputObject)]
pub struct ApprovalsDecideInput {
    /// Which, at most 50.
    items: Vec<ApprovalDecideInput>,
}

payload! {
    /// What `approvalsDecide` did.
    ApprovalsDecidePayload {
        /// For each item, in its place, what `approvalDecide` answers; null with an error where the service failed, and for
        /// the items after that, which were not tried.
        results: Vec<Option<Answered<ApprovalDecidePayload>>>,
    }
}

/// SOPs to be handed over.
#[derive(InputObject)]
pub struct SopsHandOverInput {
    /// Which, at most 50.
    items: Vec<SopHandOverInput>,
}

payload! {
    /// What `sopsHandOver` did.
    SopsHandOverPayload {
        /// For each item, in its place, what `sopHandOver` answers; null with an error where the service failed, and for
        /// the items after that, which were not tried.
        results: Vec<Option<Answered<SopHandOverPayload>>>,
    }
}

/// Why a call is refused as a whole.
fn too_many<T>(items: &[T]) -> Option<Vec<UserError>> {
    let refusal = || Refusal::invalid("items", format!("1 to {MAX_ITEMS} items"));
    (!(1..=MAX_ITEMS).contains(&items.len())).then(|| user_errors(refusal()))
}

/// What one item is answered: a payload of its own, or a fault at its place in the list.
type Answered<T> = async_graphql::Result<T>;

/// Does one thing after the other. A fault ends that: what was done before stays done and is told, and what comes after
/// is not tried.
async fn each<T, F: Future<Output = Result<T>>>(all: impl Iterator<Item = F>) -> Vec<Option<Answered<T>>> {
    let mut results: Vec<Option<Answered<T>>> = Vec::new();
    for one in all {
        let answer = match results.last() {
            Some(Some(Err(_))) => Err(Fault::from(Error::Unavailable).into()),
            _ => one.await.map_err(Into::into),
        };
        results.push(Some(answer));
    }
    results
}

#[derive(Default)]
pub struct BulkMutation;

#[Object]
impl BulkMutation {
    /// Submits several drafts. One that is refused does not hold up the others.
    #[graphql(complexity = "input.items.len() * child_complexity + 1")]
    async fn versions_submit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: VersionsSubmitInput,
    ) -> Result<VersionsSubmitPayload> {
        if let Some(user_errors) = too_many(&input.items) {
            return Ok(VersionsSubmitPayload { results: None, user_errors });
        }
        let results = each(input.items.into_iter().map(|item| submit(ctx, item))).await;
        Ok(VersionsSubmitPayload { results: Some(results), user_errors: Vec::new() })
    }

    /// Takes several decisions. One that is refused does not hold up the others.
    #[graphql(complexity = "input.items.len() * child_complexity + 1")]
    async fn approvals_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: ApprovalsDecideInput,
    ) -> Result<ApprovalsDecidePayload> {
        if let Some(user_errors) = too_many(&input.items) {
            return Ok(ApprovalsDecidePayload { results: None, user_errors });
        }
        let results = each(input.items.into_iter().map(|item| decide(ctx, item))).await;
        Ok(ApprovalsDecidePayload { results: Some(results), user_errors: Vec::new() })
    }

    /// Hands several SOPs over. One that is refused does not hold up the others.
    #[graphql(complexity = "input.items.len() * child_complexity + 1")]
    async fn sops_hand_over(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SopsHandOverInput,
    ) -> Result<SopsHandOverPayload> {
        if let Some(user_errors) = too_many(&input.items) {
            return Ok(SopsHandOverPayload { results: None, user_errors });
        }
        let results = each(input.items.into_iter().map(|item| hand_over(ctx, item))).await;
        Ok(SopsHandOverPayload { results: Some(results), user_errors: Vec::new() })
    }
}
