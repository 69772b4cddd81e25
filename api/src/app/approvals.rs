//! Decisions and withdrawals.

use serde_json::json;
use sopwith_domain::access::{Action, Resource};
use sopwith_domain::approval::{Answer, Verdict};
use sopwith_domain::content::{ContentHash, MAX_TEXT};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{DecisionId, PersonId, RequestId, SopId};

use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::approvals::{self as stored, RequestRow};
use crate::store::{Connection, accounts, audit, people, retry};

/// What somebody answers in a request.
#[derive(Debug, Clone)]
pub struct DecisionInput {
    /// Which request.
    pub request: RequestId,
    /// Approve or reject.
    pub verdict: Verdict,
    /// The content that was seen.
    pub content: ContentHash,
    /// Why.
    pub comment: String,
    /// In whose place, by a delegation of theirs; nobody's where it is by a role of the actor's own.
    pub on_behalf_of: Option<PersonId>,
}

/// A decision that was taken.
#[derive(Debug, Clone, Copy)]
pub struct Decided {
    /// In which request.
    pub request: RequestId,
    /// Whether it was taken now, and not by the same call before.
    pub anew: bool,
}

/// Takes a decision. A refused attempt is recorded in a transaction of its own, whatever stood in its way: a role, the
/// separation of duties, other content than was seen, a request that is closed or hidden.
///
/// # Errors
/// Those of [`sopwith_domain::lifecycle::Procedure::decide`]; `NotFound` for a request that the actor may not see.
pub async fn decide(call: &Call, input: DecisionInput, key: Option<IdempotencyKey>) -> Result<Decided> {
    if let Some(person) = input.on_behalf_of
        && people::by_ids(call.store.read(), &[person.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("person").into());
    }
    let answer = retry(|| decide_once(call, &input, key.as_ref())).await;
    // Input that cannot be read as a decision is no attempt at one.
    if let Err(Error::Refused(why)) = &answer
        && !matches!(why, Refusal::Invalid(_))
    {
        retry(|| record_refusal(call, &input, why)).await?;
    }
    answer
}

async fn decide_once(call: &Call, input: &DecisionInput, key: Option<&IdempotencyKey>) -> Result<Decided> {
    if input.comment.chars().count() > MAX_TEXT || input.comment.contains('\0') {
        return Err(Refusal::invalid("comment", format!("at most {MAX_TEXT} characters, without U+0000")).into());
    }
    let tx = call.store.begin().await?;
    // Before anything else: whose decision closed the request may see it no more, and asks again all the same. And what
    // is wrong with a key is told in the same way of a request that is hidden and of one that does not exist.
    if call.made_before(&tx, "approvalDecide", key, input.request.0).await?.is_some() {
        return Ok(Decided { request: input.request, anew: false });
    }
    let sop = SopId(find(&tx, input.request).await?.sop_id);
    // Locked first, and looked at again: it may have been closed in the meantime, and the actor's role taken away.
    let (mut procedure, _) = call.open(&tx, sop, Action::ReadDraft).await.map_err(hidden)?;
    let parties: Vec<PersonId> = [Some(call.actor.person), input.on_behalf_of].into_iter().flatten().collect();
    people::hold(&tx, &parties).await?;
    let call = &call.anew(&tx).await?;
    let row = find(&tx, input.request).await?;
    if row.closed_at.is_some() {
        return Err(Refusal::conflict(format!("the request is {}", row.state)).into());
    }
    let permit = call.permit(Action::Decide, Resource::Sop(&super::facts(&procedure)))?;
    let answer = Answer {
        id: DecisionId(new_id()),
        verdict: input.verdict,
        content: input.content,
        comment: input.comment.clone(),
        on_behalf_of: input.on_behalf_of,
        via: call.via,
    };
    if let Some(request) = &mut procedure.request {
        // Those who are about to have a part in it, too.
        request.accounts.join(&accounts::of(&tx, parties).await?);
    }
    let (who, mandates) = (call.actor.candidate(), &call.actor.mandates);
    let effects = procedure.decide(input.request, &who, mandates, answer, call.now)?;
    call.carry_out(&tx, &permit, &procedure, &effects).await?;
    tx.commit().await?;
    Ok(Decided { request: input.request, anew: true })
}

/// An attempt at a request that does not exist is about nothing.
async fn record_refusal(call: &Call, input: &DecisionInput, why: &Refusal) -> Result<()> {
    let tx = call.store.begin().await?;
    let Some(row) = stored::by_ids(&tx, &[input.request.0]).await?.pop() else { return Ok(()) };
    let new = json!({"verdict": input.verdict, "content": input.content.to_string(), "code": why.code()});
    let mut entry = record::plain(call, "approval.refused", input.request, None, new);
    entry.on_behalf_of = input.on_behalf_of;
    let sop = crate::store::sops::by_ids(&tx, &[row.sop_id]).await?.pop();
    entry.sop = Some(SopId(row.sop_id));
    entry.team = sop.map(|s| sopwith_domain::ids::TeamId(s.team_id));
    entry.reason = Some(why.to_string());
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the actor's own decision back, while its stage is open.
///
/// # Errors
/// Those of [`sopwith_domain::lifecycle::Procedure::withdraw_decision`]; `NotFound` for a request that the actor may
/// not see.
pub async fn withdraw_decision(call: &Call, request: RequestId) -> Result<RequestId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let sop = SopId(find(&tx, request).await?.sop_id);
        let (procedure, permit) = call.open(&tx, sop, Action::WithdrawDecision).await.map_err(hidden)?;
        let effects = procedure.withdraw_decision(request, call.actor.person, call.now)?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(request)
    })
    .await
}

/// Takes a request back.
///
/// # Errors
/// Those of [`sopwith_domain::lifecycle::Procedure::withdraw`]; `Forbidden` for anyone but a contributor or the owner.
pub async fn withdraw(call: &Call, request: RequestId) -> Result<RequestId> {
    retry(|| async {
        let tx = call.store.begin().await?;
        let row = find(&tx, request).await?;
        let sop = SopId(row.sop_id);
        // Who may not see the request is not told that there is one.
        let (procedure, _) = call.open(&tx, sop, Action::ReadDraft).await.map_err(hidden)?;
        let facts = super::facts_for_withdrawal(&procedure, &row);
        let permit = call.permit(Action::Withdraw, Resource::Sop(&facts))?;
        let effects = procedure.withdraw(request)?;
        call.carry_out(&tx, &permit, &procedure, &effects).await?;
        tx.commit().await?;
        Ok(request)
    })
    .await
}

async fn find(db: &impl Connection, id: RequestId) -> Result<RequestRow> {
    Ok(stored::by_ids(db, &[id.0]).await?.pop().ok_or(Refusal::NotFound("approval request"))?)
}

fn hidden(error: Error) -> Error {
    match error {
        Error::Refused(Refusal::NotFound(_)) => Refusal::NotFound("approval request").into(),
        other => other,
    }
}
