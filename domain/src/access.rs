//! Who may do what: permissions are code, roles are data, and one pure function decides.

mod judge;
#[cfg(test)]
mod tests;
pub mod token;

use std::collections::BTreeSet;

use crate::approval::{Candidate, Mandate};
use crate::error::Refusal;
use crate::ids::{GrantId, PersonId, TeamId};
use crate::policy::Stage;
use crate::text::text_enum;
use crate::time::Timestamp;

pub use judge::{Ground, Judgement, Reason, Verdict, judge};

text_enum! {
    /// What a role allows, for the team that it is granted for or org-wide.
    Permission {
        /// See drafts, reviews and requests.
        DraftRead = "DRAFT_READ",
        /// Comment on drafts and on versions in review.
        DraftComment = "DRAFT_COMMENT",
        /// Create, edit and submit SOPs.
        SopWrite = "SOP_WRITE",
        /// Hand an SOP over to another owner; say what is done about what ails it.
        SopManage = "SOP_MANAGE",
        /// Create and change processes.
        ProcessWrite = "PROCESS_WRITE",
        /// Make and change approval policies.
        PolicyManage = "POLICY_MANAGE",
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
    ("author", &[Permission::DraftRead, Permission::DraftComment, Permission::SopWrite, Permission::ProcessWrite]),
    ("reviewer", &[Permission::DraftRead, Permission::DraftComment]),
    ("approver", &[Permission::DraftRead, Permission::DraftComment]),
    (
        "manager",
        &[
            Permission::DraftRead,
            Permission::DraftComment,
            Permission::SopManage,
            Permission::ProcessWrite,
            Permission::PolicyManage,
            Permission::FiguresRead,
            Permission::AuditRead,
        ],
    ),
    ("integration", &[Permission::ExecutionsRecord]),
    ("admin", &[Permission::DraftRead, Permission::AccessManage, Permission::AuditRead]),
];

/// Whether this can name a role that is made here: 1 to 64 of a-z, 0-9, '-' and '_'. Claims may name others, which
/// allow nothing; `role@team` is none.
#[must_use]
pub fn is_role_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

text_enum! {
    /// What gives somebody a role.
    RoleSource {
        /// The person's token: the identity provider rules.
        Claim = "CLAIM",
        /// A grant made over the API.
        Api = "API",
        /// A grant made by an import.
        Import = "IMPORT",
        /// No role of a person: the scopes of an API token.
        Token = "TOKEN",
    }
}

/// Where a held role comes from, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// What gives it.
    pub source: RoleSource,
    /// The grant; absent for claims and for scopes.
    pub grant: Option<GrantId>,
    /// From when it counts no more, where that is known.
    pub expires_at: Option<Timestamp>,
}

impl Origin {
    /// A claim of a token.
    pub const CLAIM: Self = Self { source: RoleSource::Claim, grant: None, expires_at: None };
}

/// A role that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    /// Its name.
    pub role: String,
    /// The team that it holds for; org-wide when absent.
    pub team: Option<TeamId>,
    /// What it allows.
    pub permissions: BTreeSet<Permission>,
    /// Where it comes from.
    pub origin: Origin,
}

impl HeldRole {
    /// Whether it allows this for the team; org-wide where no team is given.
    #[must_use]
    pub fn allows(&self, permission: Permission, team: Option<TeamId>) -> bool {
        (self.team.is_none() || (team.is_some() && self.team == team)) && self.permissions.contains(&permission)
    }

    /// Whether a stage may name it. The scopes of a token are no role, so that no token ever decides; and what gives
    /// out roles decides nothing, also where it came to do so only after a stage named it.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.origin.source != RoleSource::Token && !self.permissions.contains(&Permission::AccessManage)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub person: PersonId,
    /// The roles held.
    pub roles: Vec<HeldRole>,
    /// On whose behalf the person may decide now, and in which role.
    pub mandates: Vec<Mandate>,
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
        /// Take one's own decision in the open request back.
        WithdrawDecision = "WITHDRAW_DECISION",
        /// Comment on a version in review, resolve comments and open them again.
        Comment = "COMMENT",
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
        /// Record what is done about what a diagnosis found.
        AnswerDiagnosis = "ANSWER_DIAGNOSIS",
        /// Create and change processes.
        WriteProcess = "WRITE_PROCESS",
        /// Make and change approval policies.
        ManagePolicies = "MANAGE_POLICIES",
        /// Let somebody decide on one's own behalf.
        Delegate = "DELEGATE",
        /// Create teams, grant and take away roles.
        ManageAccess = "MANAGE_ACCESS",
        /// Send executions.
        RecordExecutions = "RECORD_EXECUTIONS",
        /// Read executions and figures.
        ReadFigures = "READ_FIGURES",
        /// Read the audit chain.
        ReadAudit = "READ_AUDIT",
        /// See who holds which roles, and why somebody may do something.
        ReadAccess = "READ_ACCESS",
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
    /// What the clock does on its own: publishing what is due, and deleting what is no longer to be kept.
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

impl Reach {
    /// Whether nothing is within reach.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Teams(teams) if teams.is_empty())
    }
}

/// What an actor sees in lists of SOPs: everything that was ever published, and the drafts within reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    /// The actor: owners see their own.
    pub person: PersonId,
    /// Whose drafts are seen.
    pub drafts: Reach,
    /// Roles that may be named in the stages of an open request, the actor's own and those by delegation.
    pub roles: Vec<DecidingRole>,
}

/// A role that somebody can decide in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecidingRole {
    /// Its name.
    pub role: String,
    /// The team that it is held for; org-wide when absent.
    pub held: Option<TeamId>,
    /// Only in requests about SOPs of this team, where a delegation says so.
    pub only: Option<TeamId>,
    /// In whose place; nobody's where the role is the actor's own.
    pub on_behalf_of: Option<PersonId>,
}

impl Actor {
    /// Whether it is an API token, and no person.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.roles.iter().any(|held| held.origin.source == RoleSource::Token)
    }

    /// Whether a role of the actor allows this for the team; org-wide where no team is given.
    #[must_use]
    pub fn may(&self, permission: Permission, team: Option<TeamId>) -> bool {
        self.roles.iter().any(|held| held.allows(permission, team))
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
        Visibility { person: self.person, drafts: self.reach(Permission::DraftRead), roles: self.deciding_roles() }
    }

    /// The roles that the actor can decide in.
    #[must_use]
    pub fn deciding_roles(&self) -> Vec<DecidingRole> {
        let own = self.candidate().roles.into_iter();
        let own = own.map(|(role, held)| DecidingRole { role, held, only: None, on_behalf_of: None });
        let delegated = self.mandates.iter().flat_map(|mandate| {
            let Mandate { from, role, team, held, .. } = mandate;
            let of = |held: &Option<TeamId>| (role.clone(), *held, *team, Some(*from));
            held.iter().map(of).map(|(role, held, only, on_behalf_of)| DecidingRole { role, held, only, on_behalf_of })
        });
        own.chain(delegated).collect()
    }

    /// What the actor brings to a decision. A role that gives out roles is none to decide in: nobody is to decide by
    /// having been able to appoint themselves.
    #[must_use]
    pub fn candidate(&self) -> Candidate {
        let deciding = self.roles.iter().filter(|held| held.decides());
        let roles = deciding.map(|held| (held.role.clone(), held.team)).collect();
        Candidate { person: self.person, roles, auth_time: self.auth_time }
    }
}

/// Whether an actor may do something to a resource: what [`judge`] says, without its reasons.
///
/// # Errors
/// `NotFound` when the actor may not even know of it, else `Forbidden`.
pub fn decide(actor: &Actor, action: Action, resource: Resource) -> Result<Permit, Refusal> {
    match judge(actor, action, resource).verdict {
        Verdict::Allowed => Ok(Permit { actor: Some(actor.person), action }),
        Verdict::Refused => Err(Refusal::forbidden(format!("your roles do not allow {action} here"))),
        Verdict::Hidden(what) => Err(Refusal::NotFound(what)),
    }
}
