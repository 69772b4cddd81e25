//! What the audit chain says of each effect.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sopwith_domain::access::Permit;
use sopwith_domain::approval::{Decision, Request, RequestState, Subject, Via};
use sopwith_domain::ids::{PersonId, RequestId, SopId, TeamId};
use sopwith_domain::lifecycle::{Effect, Label, NewDraft, Procedure, VersionState};

use super::Call;
use crate::store::audit::NewEntry;

/// An entry of an action on something that is no SOP.
#[must_use]
pub fn plain(
    call: &Call,
    action: &'static str,
    object: impl std::fmt::Display,
    team: Option<TeamId>,
    new: Value,
) -> NewEntry {
    NewEntry {
        at: call.now,
        actor: Some(call.actor.person),
        on_behalf_of: None,
        via: via(call.via),
        action,
        object: object.to_string(),
        sop: None,
        team,
        old: Value::Null,
        new,
        reason: None,
        request_id: call.request_id.clone(),
    }
}

/// An entry of what the clock did on its own.
#[must_use]
pub fn by_clock(call: &Call, action: &'static str, object: &str, old: Value, new: Value) -> NewEntry {
    NewEntry { actor: None, old, ..plain(call, action, object, None, new) }
}

fn via(via: Via) -> &'static str {
    via.as_str()
}

/// What is particular to an entry.
struct Told {
    action: &'static str,
    object: String,
    old: Value,
    new: Value,
    reason: Option<String>,
}

/// The entry of an effect on a procedure.
#[must_use]
pub fn entry(call: &Call, permit: &Permit, procedure: &Procedure, effect: &Effect) -> NewEntry {
    let Told { action, object, old, new, reason } = tell(procedure, effect);
    let on_behalf_of = match effect {
        Effect::DecisionTaken(_, decision) => decision.on_behalf_of.map(|(person, _)| person),
        _ => None,
    };
    NewEntry {
        at: call.now,
        actor: permit.actor(),
        on_behalf_of,
        via: if permit.actor().is_some() { via(call.via) } else { "CLOCK" },
        action,
        object,
        sop: Some(procedure.id),
        team: Some(procedure.team),
        old,
        new,
        reason,
        request_id: call.request_id.clone(),
    }
}

fn tell(procedure: &Procedure, effect: &Effect) -> Told {
    let sop = procedure.id;
    match effect {
        Effect::DraftCreated(draft, contributors) => draft_created(draft, contributors),
        Effect::DraftEdited { .. } => draft_edited(procedure, effect),
        Effect::VersionMoved { version, from, to, label, reason, .. } => {
            let before = procedure.version(*version).and_then(|v| v.label);
            let told = |state: &VersionState, label: Option<Label>| json!({"state": state, "label": label.map(|l| l.to_string())});
            let (old, new) = (told(from, before), told(to, *label));
            Told { action: moved(*to), object: version.to_string(), old, new, reason: reason.clone() }
        }
        Effect::RequestOpened(request) => request_opened(sop, request),
        Effect::DecisionTaken(request, decision) => decision_taken(procedure, *request, decision),
        Effect::DecisionWithdrawn(request, id, _) => {
            let taken = procedure.request.iter().flat_map(|r| &r.decisions).find(|d| d.id == *id);
            let old = json!({"decision": id.to_string(), "verdict": taken.map(|d| d.verdict)});
            let (action, object, new) = ("approval.decision_withdrawn", request.to_string(), Value::Null);
            Told { action, object, old, new, reason: None }
        }
        Effect::StageOpened(request, stage) => {
            let (old, new) = (json!({"stage": stage - 1}), json!({"stage": stage}));
            Told { action: "approval.stage_opened", object: request.to_string(), old, new, reason: None }
        }
        Effect::RequestClosed(request, state) => {
            let (old, new) = (json!({"state": "OPEN"}), json!({"state": state}));
            Told { action: "approval.closed", object: request.to_string(), old, new, reason: None }
        }
        Effect::SopMoved { from, to, successor, .. } => {
            let new = json!({"state": to, "successor": successor.map(|s| s.to_string())});
            // Only a retired SOP may have one, which the procedure does not know: who revives it adds it.
            let old = json!({"state": from, "successor": null});
            Told { action: "sop.state_changed", object: sop.to_string(), old, new, reason: None }
        }
        Effect::OwnerChanged { from, to, .. } => {
            let (old, new) = (json!({"owner": from.to_string()}), json!({"owner": to.to_string()}));
            Told { action: "sop.owner_changed", object: sop.to_string(), old, new, reason: None }
        }
    }
}

fn request_opened(sop: SopId, request: &Request) -> Told {
    let (reason, successor) = match &request.subject {
        Subject::Version(_) => (None, None),
        Subject::Retirement { reason, successor } => (Some(reason.clone()), *successor),
    };
    let about = match request.subject {
        Subject::Version(id) => id.to_string(),
        Subject::Retirement { .. } => sop.to_string(),
    };
    let new = json!({
        "about": about,
        "content": request.content.to_string(),
        "policy": request.policy.to_string(),
        "stages": request.stages,
        "stage": request.stage,
        "state": RequestState::Open,
        "excluded": request.excluded,
        "requiresResolvedComments": request.requires_resolved_comments,
        "successor": successor.map(|s: SopId| s.to_string()),
    });
    Told { action: "approval.requested", object: request.id.to_string(), old: Value::Null, new, reason }
}

fn decision_taken(procedure: &Procedure, request: RequestId, decision: &Decision) -> Told {
    let stage = procedure.request.as_ref().and_then(|r| r.stages.get(decision.stage));
    let delegation = decision.on_behalf_of.map(|(_, delegation)| delegation.to_string());
    let new = json!({
        "decision": decision.id.to_string(),
        "verdict": decision.verdict,
        "stage": stage.map(|s| &s.name),
        "role": stage.map(|s| &s.role),
        "meaning": stage.map(|s| s.meaning),
        "content": decision.content.to_string(),
        "delegation": delegation,
        "authTime": decision.auth_time,
    });
    let reason = Some(decision.comment.clone()).filter(|c| !c.is_empty());
    Told { action: "approval.decided", object: request.to_string(), old: Value::Null, new, reason }
}

fn moved(to: VersionState) -> &'static str {
    match to {
        VersionState::Draft => "version.returned",
        VersionState::InReview => "version.submitted",
        VersionState::Approved => "version.approved",
        VersionState::Published => "version.published",
        VersionState::Superseded => "version.superseded",
        VersionState::Retired => "version.retired",
        VersionState::Discarded => "version.discarded",
    }
}

fn draft_created(draft: &NewDraft, contributors: &BTreeSet<PersonId>) -> Told {
    let new = json!({
        "state": VersionState::Draft,
        "kind": draft.kind,
        "content": draft.content.to_string(),
        "effectiveAt": draft.effective_at,
        "basedOn": draft.based_on.map(|v| v.to_string()),
        "contributors": contributors.iter().map(PersonId::to_string).collect::<Vec<_>>(),
    });
    Told { action: "version.created", object: draft.id.to_string(), old: Value::Null, new, reason: None }
}

fn draft_edited(procedure: &Procedure, effect: &Effect) -> Told {
    let Effect::DraftEdited { version, content, kind, effective_at, .. } = effect else {
        return Told {
            action: "version.edited",
            object: String::new(),
            old: Value::Null,
            new: Value::Null,
            reason: None,
        };
    };
    let old = procedure.version(*version).map_or(
        Value::Null,
        |v| json!({"content": v.content.to_string(), "kind": v.kind, "effectiveAt": v.effective_at}),
    );
    let new = json!({"content": content.to_string(), "kind": kind, "effectiveAt": effective_at});
    Told { action: "version.edited", object: version.to_string(), old, new, reason: None }
}
