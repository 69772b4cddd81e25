//! Versions: drafts, edits, submission, giving up.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::content::Document;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{SopId, VersionId};

use super::{keyed, payload, version_and_sop};
use crate::app::{Call, versions};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::graphql::types::ChangeKind;
use crate::graphql::types::approval::ApprovalRequest;
use crate::graphql::types::content::Content;
use crate::graphql::types::sop::Sop;
use crate::graphql::types::version::Version;
use crate::store::approvals;

/// A draft to be begun.
#[derive(InputObject)]
pub struct VersionCreateInput {
    /// Of which SOP; it has no other open version.
    sop_id: ID,
    /// The version to begin from; the one in force when absent. An earlier one is how one goes back.
    based_on_id: Option<ID>,
    /// What it says; what the version that it begins from says when absent.
    content: Option<Content>,
    /// How far the change reaches.
    #[graphql(default_with = "ChangeKind::Material")]
    kind: ChangeKind,
    /// When it is to come into force; as soon as it is approved when absent.
    effective_at: Option<DateTime>,
    /// The same key with the same input makes one draft.
    idempotency_key: Option<String>,
}

payload! {
    /// What `versionCreate` did.
    VersionCreatePayload {
        /// The draft.
        version: Version,
        /// Its SOP.
        sop: Sop,
    }
}

/// What a draft is to say.
#[derive(InputObject)]
pub struct VersionEditInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// All that it says from now on.
    content: Content,
    /// How far the change reaches.
    #[graphql(default_with = "ChangeKind::Material")]
    kind: ChangeKind,
    /// When it is to come into force; as soon as it is approved when absent.
    effective_at: Option<DateTime>,
}

payload! {
    /// What `versionEdit` did.
    VersionEditPayload {
        /// The draft.
        version: Version,
    }
}

/// A draft to be submitted.
#[derive(InputObject)]
pub struct VersionSubmitInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// The same key with the same input makes one approval request.
    idempotency_key: Option<String>,
}

payload! {
    /// What `versionSubmit` did.
    VersionSubmitPayload {
        /// The version, frozen and labelled.
        version: Version,
        /// The request for its approval.
        approval_request: ApprovalRequest,
    }
}

/// A version to be given up.
#[derive(InputObject)]
pub struct VersionDiscardInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// Why.
    reason: String,
}

payload! {
    /// What `versionDiscard` did.
    VersionDiscardPayload {
        /// The version.
        version: Version,
        /// Its SOP: retired, if nothing of it was ever published.
        sop: Sop,
    }
}

fn document(content: Content, kind: ChangeKind, effective_at: Option<DateTime>) -> Document {
    Document { kind: kind.into(), effective_at: effective_at.map(|at| at.0), content: content.into() }
}

#[derive(Default)]
pub struct VersionMutation;

#[Object]
impl VersionMutation {
    /// Begins a draft. Needs the permission to write SOPs for the team, or to own it.
    async fn version_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: VersionCreateInput,
    ) -> Result<VersionCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let ids = || -> std::result::Result<_, Refusal> {
            let sop = typed::<SopId>(&input.sop_id, "SOP")?;
            Ok((sop, typed_option::<VersionId>(input.based_on_id.as_ref(), "version")?))
        };
        let answer = match ids() {
            Ok((sop, base)) => {
                let draft = versions::DraftInput {
                    content: input.content.map(Into::into),
                    kind: input.kind.into(),
                    effective_at: input.effective_at.map(|at| at.0),
                };
                versions::create(call, sop, base, draft, key).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (version, sop) = version_and_sop(ctx, made.map(|v| v.0)).await?;
        Ok(VersionCreatePayload { version, sop, user_errors })
    }

    /// Replaces what a draft says. Whoever edits it contributes to it, and does not decide on it.
    async fn version_edit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: VersionEditInput,
    ) -> Result<VersionEditPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<VersionId>(&input.id, "version") {
            Ok(id) => {
                let document = document(input.content, input.kind, input.effective_at);
                versions::edit(call, id, input.expected_revision.0, document).await
            }
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (version, _) = version_and_sop(ctx, made.map(|v| v.0)).await?;
        Ok(VersionEditPayload { version, user_errors })
    }

    /// Freezes a draft, gives it a label and asks for its approval.
    async fn version_submit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: VersionSubmitInput,
    ) -> Result<VersionSubmitPayload> {
        submit(ctx, input).await
    }

    /// Gives a draft or an approved version up. A contributor's, and the owner's.
    async fn version_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: VersionDiscardInput,
    ) -> Result<VersionDiscardPayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let answer = match typed::<VersionId>(&input.id, "version") {
            Ok(id) => versions::discard(call, id, input.expected_revision.0, &input.reason).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (version, sop) = version_and_sop(ctx, made.map(|v| v.0)).await?;
        Ok(VersionDiscardPayload { version, sop, user_errors })
    }
}

/// What `versionSubmit` does, for one or for one of several.
pub async fn submit(ctx: &Context<'_>, input: VersionSubmitInput) -> Result<VersionSubmitPayload> {
    let call = ctx.data_unchecked::<Arc<Call>>();
    let key = keyed(input.idempotency_key.as_ref(), &input);
    let answer = match typed::<VersionId>(&input.id, "version") {
        Ok(id) => versions::submit(call, id, input.expected_revision.0, key).await.map(|request| (id, request)),
        Err(refusal) => Err(refusal.into()),
    };
    let (made, user_errors) = settle(answer)?;
    let Some((id, request)) = made else { return Ok(VersionSubmitPayload { user_errors, ..Default::default() }) };
    let (version, _) = version_and_sop(ctx, Some(id.0)).await?;
    let row = approvals::by_ids(call.store.read(), &[request.0]).await?.pop();
    Ok(VersionSubmitPayload { version, approval_request: row.map(ApprovalRequest), user_errors })
}
