//! The one policy: on what grounds an action is allowed, and which of them hold. [`super::decide`] answers by it, and
//! an explanation shows it, so the two cannot disagree.

#[cfg(test)]
mod tests;

use super::{Action, Actor, HeldRole, Permission, Resource};
use crate::approval::Mandate;

/// Something that is enough to be allowed an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// A role with this permission, held org-wide or for the team that it is about.
    Permission(Permission),
    /// Owning the SOP.
    Owner,
    /// Having contributed to its open version, or asked for its retirement.
    Contributor,
    /// A role that a stage of its open request names.
    Stage,
    /// A delegation from somebody whose role a stage of its open request names.
    Mandate,
    /// That a version of it is or was in force, for everyone to see.
    Published,
    /// Being signed in.
    Anyone,
}

/// A ground, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The ground.
    pub ground: Ground,
    /// Whether it holds for the actor.
    pub holds: bool,
    /// By which of the actor's roles it holds: their places in `Actor::roles`. None for what is not held by role.
    pub roles: Vec<usize>,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// May.
    Allowed,
    /// Sees it and may not.
    Refused,
    /// May not know that there is such a thing; the word names what is hidden.
    Hidden(&'static str),
}

/// An answer with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: Verdict,
    /// What was weighed last, any one of which is enough: the grounds to see it when that is what failed, else those
    /// to do it. None when nobody may do such a thing there.
    pub reasons: Vec<Reason>,
}

/// Who sees drafts, reviews and requests of an SOP.
const SEE_DRAFTS: &[Ground] =
    &[Ground::Owner, Ground::Permission(Permission::DraftRead), Ground::Stage, Ground::Mandate];
/// Who sees an SOP at all.
const SEE_SOP: &[Ground] =
    &[Ground::Published, Ground::Owner, Ground::Permission(Permission::DraftRead), Ground::Stage, Ground::Mandate];
/// Who sees what others hold.
const SEE_ACCESS: &[Ground] =
    &[Ground::Permission(Permission::AccessManage), Ground::Permission(Permission::AuditRead)];

/// Weighs whether an actor may do something to a resource.
#[must_use]
pub fn judge(actor: &Actor, action: Action, resource: Resource) -> Judgement {
    let weigh = |grounds: &[Ground]| grounds.iter().map(|g| actor.weigh(*g, resource)).collect::<Vec<Reason>>();
    let holds = |reasons: &[Reason]| reasons.iter().any(|reason| reason.holds);
    for (what, grounds) in first(action, resource) {
        let reasons = weigh(grounds);
        if !holds(&reasons) {
            return Judgement { verdict: Verdict::Hidden(what), reasons };
        }
    }
    let reasons = weigh(grounds(action, resource));
    let verdict = if holds(&reasons) { Verdict::Allowed } else { Verdict::Refused };
    Judgement { verdict, reasons }
}

/// What must be seen before anything is said of the action.
fn first(action: Action, resource: Resource) -> &'static [(&'static str, &'static [Ground])] {
    match (resource, action) {
        (Resource::Organisation | Resource::Team(_), _) => &[],
        (Resource::Sop(_), Action::ReadDraft | Action::Comment) => &[("SOP", SEE_SOP), ("version", SEE_DRAFTS)],
        (Resource::Sop(_), Action::Decide | Action::WithdrawDecision) => {
            &[("SOP", SEE_SOP), ("approval request", SEE_DRAFTS)]
        }
        (Resource::Sop(_), _) => &[("SOP", SEE_SOP)],
    }
}

/// The grounds of an action, each of them enough.
fn grounds(action: Action, resource: Resource) -> &'static [Ground] {
    match resource {
        Resource::Organisation | Resource::Team(_) => of_place(action),
        Resource::Sop(_) => of_sop(action),
    }
}

fn of_place(action: Action) -> &'static [Ground] {
    match action {
        Action::CreateSop => &[Ground::Permission(Permission::SopWrite)],
        Action::WriteProcess => &[Ground::Permission(Permission::ProcessWrite)],
        Action::ManagePolicies => &[Ground::Permission(Permission::PolicyManage)],
        // What is not one's own is refused where it is looked at.
        Action::Delegate => &[Ground::Anyone],
        Action::ManageAccess => &[Ground::Permission(Permission::AccessManage)],
        Action::RecordExecutions => &[Ground::Permission(Permission::ExecutionsRecord)],
        Action::ReadFigures => &[Ground::Permission(Permission::FiguresRead)],
        Action::ReadAudit => &[Ground::Permission(Permission::AuditRead)],
        Action::ReadAccess => SEE_ACCESS,
        _ => &[],
    }
}

fn of_sop(action: Action) -> &'static [Ground] {
    match action {
        Action::ReadSop => SEE_SOP,
        Action::ReadDraft | Action::WithdrawDecision => SEE_DRAFTS,
        Action::Comment => {
            &[Ground::Owner, Ground::Permission(Permission::DraftComment), Ground::Stage, Ground::Mandate]
        }
        Action::Decide => &[Ground::Stage, Ground::Mandate],
        Action::EditSop => &[Ground::Owner, Ground::Permission(Permission::SopWrite)],
        Action::Withdraw | Action::Discard => &[Ground::Owner, Ground::Contributor],
        Action::RetireSop | Action::ReviveSop => &[Ground::Owner],
        Action::HandOverSop | Action::AnswerDiagnosis => &[Ground::Owner, Ground::Permission(Permission::SopManage)],
        Action::ReadFigures => &[Ground::Owner, Ground::Permission(Permission::FiguresRead)],
        Action::ReadAudit => &[Ground::Permission(Permission::AuditRead)],
        Action::ReadAccess => SEE_ACCESS,
        Action::CreateSop
        | Action::WriteProcess
        | Action::ManagePolicies
        | Action::Delegate
        | Action::ManageAccess
        | Action::RecordExecutions
        | Action::PublishDue => &[],
    }
}

impl Actor {
    fn weigh(&self, ground: Ground, resource: Resource) -> Reason {
        let team = match resource {
            Resource::Organisation => None,
            Resource::Team(team) => Some(team),
            Resource::Sop(sop) => Some(sop.team),
        };
        let by_role = |counts: &dyn Fn(&HeldRole) -> bool| -> (bool, Vec<usize>) {
            let roles: Vec<usize> = (0..self.roles.len()).filter(|n| counts(&self.roles[*n])).collect();
            (!roles.is_empty(), roles)
        };
        let fact = |holds: bool| (holds, Vec::new());
        let (holds, roles) = match (ground, resource) {
            (Ground::Permission(permission), _) => by_role(&|held| held.allows(permission, team)),
            (Ground::Owner, Resource::Sop(sop)) => fact(sop.owner == self.person),
            (Ground::Contributor, Resource::Sop(sop)) => fact(sop.contributors.contains(&self.person)),
            (Ground::Published, Resource::Sop(sop)) => fact(sop.was_published),
            (Ground::Mandate, Resource::Sop(sop)) => {
                let counts = |mandate: &Mandate| sop.stages.iter().any(|stage| mandate.holds(stage, sop.team));
                fact(self.mandates.iter().any(counts))
            }
            (Ground::Anyone, _) => fact(true),
            (Ground::Stage, Resource::Sop(sop)) => {
                let named = |held: &HeldRole| sop.stages.iter().any(|s| s.counts(&held.role, held.team, sop.team));
                by_role(&|held| held.decides() && named(held))
            }
            (_, Resource::Organisation | Resource::Team(_)) => fact(false),
        };
        Reason { ground, holds, roles }
    }
}
