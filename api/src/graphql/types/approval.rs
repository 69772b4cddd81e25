//! Approval requests, stages and decisions.

use async_graphql::{Context, ID, Object};
use sopwith_domain::ids::{DecisionId, DelegationId, RequestId};
use sopwith_domain::policy as domain;

use super::content::Content;
use super::delegation::{Delegation, delegation};
use super::people::{Person, person};
use super::sop::{Sop, sop};
use super::version::{Version, document, version};
use super::{ApprovalState, DecisionVia, SignatureMeaning, StageScope, Verdict, stored};
use crate::app::waiting::Delegate;
use crate::graphql::error::Result;
use crate::graphql::loaders::{DecisionsKey, PersonKey, RequestKey, StagesKey, WaitingForKey, load, load_many};
use crate::graphql::scalars::{DateTime, Duration};
use crate::store::approvals::{DecisionRow, RequestRow, StageRow};

/// One passage of a version, or of a retirement, through the stages of a policy, with the policy as it was.
pub struct ApprovalRequest(pub RequestRow);

/// One passage of a version, or of a retirement, through the stages of a policy, with the policy as it was.
#[Object]
impl ApprovalRequest {
    /// Names the request for good.
    pub async fn id(&self) -> ID {
        RequestId(self.0.id).to_string().into()
    }

    /// The SOP that it is about.
    async fn sop(&self, ctx: &Context<'_>) -> Result<Option<Sop>> {
        sop(ctx, self.0.sop_id).await
    }

    /// The version that is to be published; null when the SOP is to be retired.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<Version>> {
        match self.0.version_id {
            Some(id) => version(ctx, id).await,
            None => Ok(None),
        }
    }

    /// The label that the version had in this passage.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// SHA-256 in hex of the content that is being decided on.
    async fn content_hash(&self) -> &str {
        &self.0.content_hash
    }

    /// The content that is being decided on, or was: what was rejected stays readable here.
    async fn content(&self, ctx: &Context<'_>) -> Result<Content> {
        Ok(Content::from(&document(ctx, &self.0.content_hash).await?.content))
    }

    /// Where it stands.
    async fn state(&self) -> Result<ApprovalState> {
        Ok(stored::<sopwith_domain::approval::RequestState>(&self.0.state)?.into())
    }

    /// Why the SOP is to be retired.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who asked.
    async fn requested_by(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.requested_by_id)).await
    }

    /// Its stages, in order.
    async fn stages(&self, ctx: &Context<'_>) -> Result<Vec<ApprovalStage>> {
        let rows = load(ctx, StagesKey(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().map(ApprovalStage).collect())
    }

    /// The stage that is being decided; null when the request is closed.
    async fn current_stage(&self, ctx: &Context<'_>) -> Result<Option<ApprovalStage>> {
        if self.0.closed_at.is_some() {
            return Ok(None);
        }
        let rows = load(ctx, StagesKey(self.0.id)).await?.unwrap_or_default();
        Ok(rows.into_iter().find(|row| row.position == self.0.stage).map(ApprovalStage))
    }

    /// Whether all review comments have to be resolved before somebody approves.
    async fn requires_resolved_comments(&self) -> bool {
        self.0.requires_resolved_comments
    }

    /// Who could decide in the stage that is open, by a role of their own; empty when the request is closed. Those to whom
    /// one of them delegated are in `delegates`.
    #[graphql(complexity = "20 * child_complexity + 20")]
    async fn waiting_for(&self, ctx: &Context<'_>) -> Result<Vec<Person>> {
        let ids = load(ctx, WaitingForKey(self.0.id)).await?.unwrap_or_default().people;
        let mut people = load_many(ctx, ids.iter().map(|id| PersonKey(*id)).collect()).await?;
        Ok(ids.into_iter().filter_map(|id| people.remove(&PersonKey(id))).map(Person).collect())
    }

    /// Who could decide in the stage that is open in the place of one of `waitingFor`, by a delegation that is in force, each
    /// as often as somebody delegated to them; empty when the request is closed.
    #[graphql(complexity = "20 * child_complexity + 20")]
    async fn delegates(&self, ctx: &Context<'_>) -> Result<Vec<ApprovalDelegate>> {
        let waiting = load(ctx, WaitingForKey(self.0.id)).await?.unwrap_or_default();
        Ok(waiting.delegates.into_iter().map(ApprovalDelegate).collect())
    }

    /// The decisions so far, oldest first; those that were taken back only for who sees drafts.
    async fn decisions(&self, ctx: &Context<'_>) -> Result<Vec<Decision>> {
        Ok(decisions(ctx, &self.0).await?.map(Decision).collect())
    }

    /// When it was opened.
    async fn opened_at(&self) -> DateTime {
        DateTime::stored(self.0.opened_at)
    }

    /// When it was closed.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime::stored)
    }
}

/// The decisions of a request that the actor sees.
async fn decisions(ctx: &Context<'_>, request: &RequestRow) -> Result<impl Iterator<Item = DecisionRow> + use<>> {
    let drafts = sop(ctx, request.sop_id).await?.is_some_and(|sop| sop.sight.drafts);
    let rows = load(ctx, DecisionsKey(request.id)).await?.unwrap_or_default();
    Ok(rows.into_iter().filter(move |row| drafts || row.withdrawn_at.is_none()))
}

/// Somebody who could decide in another's place. A decision uses up the voices of both.
pub struct ApprovalDelegate(Delegate);

/// Somebody who could decide in another's place. A decision uses up the voices of both.
#[Object]
impl ApprovalDelegate {
    /// Who.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.person)).await
    }

    /// In whose place, where you see the delegation.
    async fn on_behalf_of(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        match self.delegation(ctx).await? {
            Some(_) => person(ctx, Some(self.0.on_behalf_of)).await,
            None => Ok(None),
        }
    }

    /// By which delegation, where you see that.
    async fn delegation(&self, ctx: &Context<'_>) -> Result<Option<Delegation>> {
        delegation(ctx, DelegationId(self.0.delegation)).await
    }
}

/// A stage of an approval request, as the policy was when it was opened.
pub struct ApprovalStage(pub StageRow);

/// A stage of an approval request, as the policy was when it was opened.
#[Object]
impl ApprovalStage {
    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The role that decides in it.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// How many approvals close it.
    async fn min_approvals(&self) -> i32 {
        self.0.min_approvals
    }

    /// Whose role counts.
    async fn scope(&self) -> Result<StageScope> {
        Ok(stored::<domain::StageScope>(&self.0.scope)?.into())
    }

    /// What a signature in it says.
    async fn meaning(&self) -> Result<SignatureMeaning> {
        Ok(stored::<domain::Meaning>(&self.0.meaning)?.into())
    }

    /// The decisions taken in it, oldest first; those that were taken back only for who sees drafts.
    async fn decisions(&self, ctx: &Context<'_>) -> Result<Vec<Decision>> {
        let Some(request) = load(ctx, RequestKey(self.0.request_id)).await? else { return Ok(Vec::new()) };
        let all = decisions(ctx, &request).await?;
        Ok(all.filter(|row| row.position == self.0.position).map(Decision).collect())
    }

    /// How recently the approver must have signed in, where that is asked for.
    async fn max_auth_age(&self) -> Option<Duration> {
        self.0.max_auth_age.map(Duration::seconds)
    }

    /// When it was opened; null while an earlier one is being decided.
    async fn opened_at(&self) -> Option<DateTime> {
        self.0.opened_at.map(DateTime::stored)
    }

    /// When it was closed.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime::stored)
    }
}

/// One person's answer in an approval request.
pub struct Decision(DecisionRow);

/// One person's answer in an approval request.
#[Object]
impl Decision {
    /// Names the decision for good.
    pub async fn id(&self) -> ID {
        DecisionId(self.0.id).to_string().into()
    }

    /// Who decided.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.person_id)).await
    }

    /// In whose place, by a delegation; null where the person decided by a role of their own.
    async fn on_behalf_of(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, self.0.on_behalf_of_id).await
    }

    /// The delegation that it was taken by, where you see that.
    async fn delegation(&self, ctx: &Context<'_>) -> Result<Option<Delegation>> {
        let Some(id) = self.0.delegation_id else { return Ok(None) };
        delegation(ctx, DelegationId(id)).await
    }

    /// The stage that it was taken in.
    async fn stage(&self, ctx: &Context<'_>) -> Result<Option<ApprovalStage>> {
        let rows = load(ctx, StagesKey(self.0.request_id)).await?.unwrap_or_default();
        Ok(rows.into_iter().find(|row| row.position == self.0.position).map(ApprovalStage))
    }

    /// What was decided.
    async fn verdict(&self) -> Result<Verdict> {
        Ok(stored::<sopwith_domain::approval::Verdict>(&self.0.verdict)?.into())
    }

    /// SHA-256 in hex of the content that the person saw.
    async fn content_hash(&self) -> &str {
        &self.0.content_hash
    }

    /// Why.
    async fn comment(&self) -> &str {
        &self.0.comment
    }

    /// By which way it came in.
    async fn via(&self) -> Result<DecisionVia> {
        Ok(stored::<sopwith_domain::approval::Via>(&self.0.via)?.into())
    }

    /// When.
    async fn decided_at(&self) -> DateTime {
        DateTime::stored(self.0.decided_at)
    }

    /// When the person had last signed in by then, where the token told.
    async fn auth_time(&self) -> Option<DateTime> {
        self.0.auth_time.map(DateTime::stored)
    }

    /// When the person took it back; it counts no more, and stays on record.
    async fn withdrawn_at(&self) -> Option<DateTime> {
        self.0.withdrawn_at.map(DateTime::stored)
    }
}
