//! Who may do what: permissions are code, roles are data, and one pure function decides.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::approval::Candidate;
use crate::error::Refusal;
use crate::ids::{PersonId, TeamId};
use crate::policy::Stage;
use crate::text::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What a role allows, for the team that it is granted for or org-wide.
    Permission {
        /// See drafts, reviews and requests.
        DraftRead = "DRAFT_READ",
        /// Create, edit and submit SOPs.
        SopWrite = "SOP_WRITE",
        /// Hand an SOP over to another owner.
        SopManage = "SOP_MANAGE",
        /// Create and change processes.
        ProcessWrite = "PROCESS_WRITE",
        /// Create teams; grant and take away roles.
        AccessManage = "ACCESS_MANAGE",
        /// Send executions.
        ExecutionsRecord = "EXECUTIONS_RECORD",
        /// Read executions and figures.
        FiguresRead = "FIGURES_READ",
        /// Read the audit chain.
        AuditRead = "AUDIT_READ",
    }
}

/// The built-in roles. To decide in a stage needs no permission but the role that the stage names.
pub const BUILT_IN_ROLES: [(&str, &[Permission]); 7] = [
    ("viewer", &[]),
    ("author", &[Permission::DraftRead, Permission::SopWrite, Permission::ProcessWrite]),
    ("reviewer", &[Permission::DraftRead]),
    ("approver", &[Permission::DraftRead]),
    (
        "manager",
        &[
            Permission::DraftRead,
            Permission::SopManage,
            Permission::ProcessWrite,
            Permission::FiguresRead,
            Permission::AuditRead,
        ],
    ),
    ("integration", &[Permission::ExecutionsRecord]),
    ("admin", &[Permission::DraftRead, Permission::AccessManage, Permission::AuditRead]),
];

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// Its name.
    pub role: String,
    /// The team that it holds for; org-wide when absent.
    pub team: Option<TeamId>,
    /// What it allows.
    pub permissions: BTreeSet<Permission>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub person: PersonId,
    /// The roles held.
    pub roles: Vec<HeldRole>,
    /// The source that the token is bound to, for integrations.
    pub source: Option<String>,
    /// When the person last signed in, where the token says so.
    pub auth_time: Option<Timestamp>,
}

text_enum! {
    /// What can be asked for.
    Action {
        /// See an SOP and the versions of it that are or were in force.
        ReadSop = "READ_SOP",
        /// See drafts, versions in review and approval requests of an SOP.
        ReadDraft = "READ_DRAFT",
        /// Create an SOP for a team.
        CreateSop = "CREATE_SOP",
        /// Begin, edit and submit versions.
        EditSop = "EDIT_SOP",
        /// Decide in the open request.
        Decide = "DECIDE",
        /// Take the open request back.
        Withdraw = "WITHDRAW",
        /// Give the open version up.
        Discard = "DISCARD",
        /// Ask for retirement.
        RetireSop = "RETIRE_SOP",
        /// Bring a retired SOP back.
        ReviveSop = "REVIVE_SOP",
        /// Make another person the owner.
        HandOverSop = "HAND_OVER_SOP",
        /// Create and change processes.
        WriteProcess = "WRITE_PROCESS",
        /// Create teams, grant and take away roles.
        ManageAccess = "MANAGE_ACCESS",
        /// Send executions.
        RecordExecutions = "RECORD_EXECUTIONS",
        /// Read executions and figures.
        ReadFigures = "READ_FIGURES",
        /// Read the audit chain.
        ReadAudit = "READ_AUDIT",
        /// Publish what is due: the clock's own, no person's.
        PublishDue = "PUBLISH_DUE",
    }
}

/// What access depends on, of an SOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SopFacts {
    /// The team that keeps it.
    pub team: TeamId,
    /// Who answers for it.
    pub owner: PersonId,
    /// Whether a version of it is or was in force.
    pub was_published: bool,
    /// Who contributed to the open version.
    pub contributors: BTreeSet<PersonId>,
    /// The stages of the open request.
    pub stages: Vec<Stage>,
}

/// What it is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    /// The whole organisation.
    Organisation,
    /// One team.
    Team(TeamId),
    /// One SOP.
    Sop(&'a SopFacts),
}

/// Proof that [`decide`] allowed an action; the store asks for it before it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    actor: Option<PersonId>,
    action: Action,
}

impl Permit {
    /// What the clock does on its own: publishing what is due.
    #[must_use]
    pub fn clock() -> Self {
        Self { actor: None, action: Action::PublishDue }
    }

    /// Who acts; nobody when the clock does.
    #[must_use]
    pub fn actor(&self) -> Option<PersonId> {
        self.actor
    }

    /// What was allowed.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }
}

/// The teams for which an actor may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything.
    Organisation,
    /// Only these; none when empty.
    Teams(BTreeSet<TeamId>),
}

/// What an actor sees in lists of SOPs: everything that was ever published, and the drafts within reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    /// The actor: owners see their own.
    pub person: PersonId,
    /// Whose drafts are seen.
    pub drafts: Reach,
    /// Roles that may be named in the stages of an open request.
    pub roles: Vec<(String, Option<TeamId>)>,
}

impl Actor {
    /// Whether a role of the actor allows this for the team; org-wide where no team is given.
    #[must_use]
    pub fn may(&self, permission: Permission, team: Option<TeamId>) -> bool {
        let covers = |held: &HeldRole| held.team.is_none() || (team.is_some() && held.team == team);
        self.roles.iter().any(|held| covers(held) && held.permissions.contains(&permission))
    }

    /// The teams for which a role of the actor allows this.
    #[must_use]
    pub fn reach(&self, permission: Permission) -> Reach {
        if self.may(permission, None) {
            return Reach::Organisation;
        }
        let holds = self.roles.iter().filter(|held| held.permissions.contains(&permission));
        Reach::Teams(holds.filter_map(|held| held.team).collect())
    }

    /// What the actor sees in lists of SOPs.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        let Candidate { person, roles, .. } = self.candidate();
        Visibility { person, drafts: self.reach(Permission::DraftRead), roles }
    }

    /// What the actor brings to a decision.
    #[must_use]
    pub fn candidate(&self) -> Candidate {
        let roles = self.roles.iter().map(|held| (held.role.clone(), held.team)).collect();
        Candidate { person: self.person, roles, auth_time: self.auth_time }
    }

    fn sees_drafts(&self, sop: &SopFacts) -> bool {
        sop.owner == self.person || self.may(Permission::DraftRead, Some(sop.team)) || self.decides_in(sop)
    }

    fn decides_in(&self, sop: &SopFacts) -> bool {
        let candidate = self.candidate();
        sop.stages.iter().any(|stage| candidate.holds(stage, sop.team))
    }
}

/// Whether an actor may do something to a resource.
///
/// # Errors
/// `NotFound` when the actor may not even know of it, else `Forbidden`.
pub fn decide(actor: &Actor, action: Action, resource: Resource) -> Result<Permit, Refusal> {
    let allowed = match resource {
        Resource::Sop(sop) => allowed_for_sop(actor, action, sop)?,
        Resource::Team(team) => needed(action).is_some_and(|p| actor.may(p, Some(team))),
        Resource::Organisation => needed(action).is_some_and(|p| actor.may(p, None)),
    };
    if allowed {
        Ok(Permit { actor: Some(actor.person), action })
    } else {
        Err(Refusal::forbidden(format!("your roles do not allow {action} here")))
    }
}

/// The permission that an action on a team or the organisation needs.
fn needed(action: Action) -> Option<Permission> {
    match action {
        Action::CreateSop => Some(Permission::SopWrite),
        Action::WriteProcess => Some(Permission::ProcessWrite),
        Action::ManageAccess => Some(Permission::AccessManage),
        Action::RecordExecutions => Some(Permission::ExecutionsRecord),
        Action::ReadFigures => Some(Permission::FiguresRead),
        Action::ReadAudit => Some(Permission::AuditRead),
        _ => None,
    }
}

fn allowed_for_sop(actor: &Actor, action: Action, sop: &SopFacts) -> Result<bool, Refusal> {
    let sees_drafts = actor.sees_drafts(sop);
    if !sees_drafts && !sop.was_published {
        return Err(Refusal::NotFound("SOP"));
    }
    match action {
        Action::ReadDraft if !sees_drafts => return Err(Refusal::NotFound("version")),
        Action::Decide if !sees_drafts => return Err(Refusal::NotFound("approval request")),
        _ => {}
    }
    let owner = sop.owner == actor.person;
    let contributor = sop.contributors.contains(&actor.person);
    Ok(match action {
        Action::ReadSop | Action::ReadDraft => true,
        Action::Decide => actor.decides_in(sop),
        Action::EditSop => owner || actor.may(Permission::SopWrite, Some(sop.team)),
        Action::Withdraw | Action::Discard => owner || contributor,
        Action::RetireSop | Action::ReviveSop => owner,
        Action::HandOverSop => owner || actor.may(Permission::SopManage, Some(sop.team)),
        Action::ReadFigures => owner || actor.may(Permission::FiguresRead, Some(sop.team)),
        Action::ReadAudit => actor.may(Permission::AuditRead, Some(sop.team)),
        Action::CreateSop
        | Action::WriteProcess
        | Action::ManageAccess
        | Action::RecordExecutions
        | Action::PublishDue => false,
    })
}
