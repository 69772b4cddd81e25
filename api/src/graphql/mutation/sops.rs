//! SOPs: creation, retirement, revival, another owner.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::content::Document;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId, VersionId};

use super::{keyed, payload, version_and_sop};
use crate::app::{Call, sops};
use crate::graphql::error::{Result, settle};
use crate::graphql::query::{typed, typed_option};
use crate::graphql::scalars::{BigInt, DateTime};
use crate::graphql::types::Risk;
use crate::graphql::types::approval::ApprovalRequest;
use crate::graphql::types::content::Content;
use crate::graphql::types::sop::{Sop, sop};
use crate::graphql::types::version::Version;
use crate::store::approvals;

/// An SOP to be made, with its first draft.
#[derive(InputObject)]
pub struct SopCreateInput {
    /// The process that it is for; it has no other SOP that is not retired.
    process_id: ID,
    /// The team that keeps it.
    team_id: ID,
    /// Who answers for it; you when absent.
    owner_id: Option<ID>,
    /// What goes wrong when it is not followed.
    risk: Risk,
    /// How often it is looked at, in months: 3, 6 or 12.
    #[graphql(default = 12)]
    review_cadence_months: i32,
    /// What the first draft says.
    content: Content,
    /// When it is to come into force; as soon as it is approved when absent.
    effective_at: Option<DateTime>,
    /// The same key with the same input makes one SOP.
    idempotency_key: Option<String>,
}

impl SopCreateInput {
    fn read(self) -> std::result::Result<sops::SopInput, Refusal> {
        Ok(sops::SopInput {
            process: typed::<ProcessId>(&self.process_id, "process")?,
            team: typed::<TeamId>(&self.team_id, "team")?,
            owner: typed_option::<PersonId>(self.owner_id.as_ref(), "person")?,
            risk: self.risk.into(),
            review_cadence_months: self.review_cadence_months,
            document: Document {
                kind: sopwith_domain::content::ChangeKind::Material,
                effective_at: self.effective_at.map(|at| at.0),
                content: self.content.into(),
            },
        })
    }
}

payload! {
    /// What `sopCreate` did.
    SopCreatePayload {
        /// The SOP, with its draft as `openVersion`.
        sop: Sop,
    }
}

/// An SOP to be retired.
#[derive(InputObject)]
pub struct SopRetireInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// Why.
    reason: String,
    /// The SOP that takes its place.
    successor_id: Option<ID>,
    /// The same key with the same input makes one approval request.
    idempotency_key: Option<String>,
}

payload! {
    /// What `sopRetire` did.
    SopRetirePayload {
        /// The SOP: in force until the request is approved.
        sop: Sop,
        /// The request for approval.
        approval_request: ApprovalRequest,
    }
}

/// A retired SOP to be brought back.
#[derive(InputObject)]
pub struct SopReviveInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// The version to begin from; the last in force when absent.
    based_on_id: Option<ID>,
    /// The same key with the same input makes one draft.
    idempotency_key: Option<String>,
}

payload! {
    /// What `sopRevive` did.
    SopRevivePayload {
        /// The SOP.
        sop: Sop,
        /// Its new draft.
        version: Version,
    }
}

/// An SOP to be handed over.
#[derive(InputObject)]
pub struct SopHandOverInput {
    /// Which.
    id: ID,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// Who answers for it from now on.
    owner_id: ID,
}

payload! {
    /// What `sopHandOver` did.
    SopHandOverPayload {
        /// The SOP.
        sop: Sop,
    }
}

#[derive(Default)]
pub struct SopMutation;

#[Object]
impl SopMutation {
    /// Makes an SOP with its first draft. Needs the permission to write SOPs for the team.
    async fn sop_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SopCreateInput,
    ) -> Result<SopCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = match input.read() {
            Ok(input) => sops::create(call, input, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        Ok(SopCreatePayload { sop: find(ctx, made).await?, user_errors })
    }

    /// Asks for the retirement of a published SOP. The owner's; the requester does not decide.
    async fn sop_retire(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SopRetireInput,
    ) -> Result<SopRetirePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let ids = typed::<SopId>(&input.id, "SOP")
            .and_then(|id| Ok((id, typed_option::<SopId>(input.successor_id.as_ref(), "SOP")?)));
        let answer = match ids {
            Ok((id, successor)) => {
                let asked = sops::retire(call, id, input.expected_revision.0, &input.reason, successor, key);
                asked.await.map(|request| (id, request))
            }
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let Some((id, request)) = made else { return Ok(SopRetirePayload { user_errors, ..Default::default() }) };
        let row = approvals::by_ids(call.store.read(), &[request.0]).await?.pop();
        let sop = find(ctx, Some(id)).await?;
        Ok(SopRetirePayload { sop, approval_request: row.map(ApprovalRequest), user_errors })
    }

    /// Brings a retired SOP back as a draft. The owner's.
    async fn sop_revive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SopReviveInput,
    ) -> Result<SopRevivePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let ids = typed::<SopId>(&input.id, "SOP")
            .and_then(|id| Ok((id, typed_option::<VersionId>(input.based_on_id.as_ref(), "version")?)));
        let answer = match ids {
            Ok((id, base)) => sops::revive(call, id, input.expected_revision.0, base, key).await,
            Err(refusal) => Err(refusal.into()),
        };
        let (made, user_errors) = settle(answer)?;
        let (version, sop) = version_and_sop(ctx, made.map(|v| v.0)).await?;
        Ok(SopRevivePayload { sop, version, user_errors })
    }

    /// Makes another person answer for an SOP. The owner's, and that of managers of the team.
    async fn sop_hand_over(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: SopHandOverInput,
    ) -> Result<SopHandOverPayload> {
        hand_over(ctx, input).await
    }
}

async fn find(ctx: &Context<'_>, id: Option<SopId>) -> Result<Option<Sop>> {
    match id {
        Some(id) => sop(ctx, id.0).await,
        None => Ok(None),
    }
}

/// What `sopHandOver` does, for one or for one of several.
pub async fn hand_over(ctx: &Context<'_>, input: SopHandOverInput) -> Result<SopHandOverPayload> {
    let call = ctx.data_unchecked::<Arc<Call>>();
    let ids = typed::<SopId>(&input.id, "SOP").and_then(|id| Ok((id, typed::<PersonId>(&input.owner_id, "person")?)));
    let answer = match ids {
        Ok((id, owner)) => sops::hand_over(call, id, input.expected_revision.0, owner).await,
        Err(refusal) => Err(refusal.into()),
    };
    let (made, user_errors) = settle(answer)?;
    Ok(SopHandOverPayload { sop: find(ctx, made).await?, user_errors })
}
