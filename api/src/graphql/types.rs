//! The objects of the schema.

pub mod access;
pub mod approval;
pub mod approval_figures;
pub mod audit;
pub mod comment;
pub mod comparison;
pub mod content;
pub mod delegation;
pub mod diagnosis;
pub mod execution;
pub mod figures;
pub mod funnel;
pub mod impact;
pub mod inbox;
mod judged;
pub mod measurement;
pub mod notification;
pub mod people;
pub mod policy;
pub mod process;
pub mod sop;
pub mod step_errors;
pub mod token;
pub mod version;
pub mod violations;

use async_graphql::{ID, Interface};

use self::approval::ApprovalRequest;
use self::comment::ReviewComment;
use self::delegation::Delegation;
use self::diagnosis::DiagnosisResponse;
use self::execution::Execution;
use self::people::{Person, Team};
use self::policy::Policy;
use self::process::Process;
use self::sop::Sop;
use self::token::ApiToken;
use self::version::Version;

pub use self::judged::{
    DiagnosisFigureOf, DiagnosisFindingKind, DiagnosisResponseKind, DiagnosisState, ImpactFloor, ImpactSideName,
    ImpactVerdict, MeasurementMetric, TargetState,
};

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Names it for good; opaque."))]
pub enum Node {
    /// An API token.
    ApiToken(ApiToken),
    /// An approval request.
    ApprovalRequest(ApprovalRequest),
    /// A delegation.
    Delegation(Delegation),
    /// What was chosen to be done about what a diagnosis found.
    DiagnosisResponse(DiagnosisResponse),
    /// An execution.
    Execution(Execution),
    /// A person.
    Person(Person),
    /// A policy.
    Policy(Policy),
    /// A process.
    Process(Process),
    /// A review comment.
    ReviewComment(ReviewComment),
    /// An SOP.
    Sop(Box<Sop>),
    /// A team.
    Team(Team),
    /// A version.
    Version(Version),
}

/// Declares enumerations of the schema that are those of the domain.
macro_rules! remote_enum {
    ($($(#[$doc:meta])* $name:ident = $domain:path { $($(#[$variant_doc:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        const _: () = {
            use $domain as Domain;

            impl From<Domain> for $name {
                fn from(value: Domain) -> Self {
                    match value { $(Domain::$variant => Self::$variant),* }
                }
            }

            impl From<$name> for Domain {
                fn from(value: $name) -> Self {
                    match value { $($name::$variant => Self::$variant),* }
                }
            }
        };
    )*};
}

use remote_enum;

remote_enum! {
    /// What a reader sees of an SOP.
    SopState = sopwith_domain::lifecycle::SopState {
        /// Being written; nothing is in force.
        Draft,
        /// Being reviewed or waiting for its effective date; nothing is in force.
        InReview,
        /// A version is in force.
        Published,
        /// No version is in force any more, or ever was.
        Retired,
    }
    /// Where a version stands.
    VersionState = sopwith_domain::lifecycle::VersionState {
        /// Being written.
        Draft,
        /// Being decided; its content is frozen.
        InReview,
        /// Waiting for its effective date.
        Approved,
        /// In force.
        Published,
        /// Was in force, until the next one was.
        Superseded,
        /// Was in force, until the SOP was retired.
        Retired,
        /// Given up before it was in force.
        Discarded,
    }
    /// How far a change reaches: which policy it passes, and which part of the label it raises.
    ChangeKind = sopwith_domain::content::ChangeKind {
        /// What people do changes: raises `major`.
        Material,
        /// Only the wording changes: raises `minor`.
        Editorial,
    }
    /// What goes wrong when a procedure is not followed.
    Risk = sopwith_domain::policy::Risk {
        /// Little.
        Low,
        /// Something that can be mended.
        Medium,
        /// Harm, loss or a breach.
        High,
    }
    /// What happened.
    NotificationKind = sopwith_domain::event::EventKind {
        /// A stage of an approval request was opened: it waits for a decision that you can take.
        ApprovalRequested,
        /// It still waits for that decision.
        ApprovalReminder,
        /// It has waited for too long; you own the SOP, or are a manager of its team.
        ApprovalEscalated,
        /// A review comment mentions you.
        CommentMentioned,
    }
    /// What a policy is for.
    PolicyKind = sopwith_domain::policy::PolicyKind {
        /// Material changes.
        Material,
        /// Editorial changes.
        Editorial,
        /// Retirements.
        Retirement,
    }
    /// What becomes of a policy when one is looked for.
    PolicyFit = sopwith_domain::policy::Fit {
        /// It is the one that applies.
        Applies,
        /// It would, but a more special one does.
        LessSpecial,
        /// It is for another team.
        OtherTeam,
        /// It is for another risk.
        OtherRisk,
    }
    /// What a signature in a stage says.
    SignatureMeaning = sopwith_domain::policy::Meaning {
        /// The content was reviewed.
        Reviewed,
        /// The content is approved.
        Approved,
        /// Compliance was verified.
        VerifiedCompliance,
    }
    /// Whose role counts in a stage.
    StageScope = sopwith_domain::policy::StageScope {
        /// Those who hold the role for the SOP's team, or org-wide.
        Team,
        /// Those who hold the role for any team.
        Anyone,
    }
    /// One person's answer in an approval request.
    Verdict = sopwith_domain::approval::Verdict {
        /// Goes ahead.
        Approve,
        /// Does not, for a reason.
        Reject,
    }
    /// Where an approval request stands.
    ApprovalState = sopwith_domain::approval::RequestState {
        /// Being decided.
        Open,
        /// The last stage approved.
        Approved,
        /// Somebody rejected.
        Rejected,
        /// Taken back by those who asked.
        Withdrawn,
    }
    /// By which way a decision came in.
    DecisionVia = sopwith_domain::approval::Via {
        /// The person's own request.
        Api,
        /// Recorded for the person by an import.
        Import,
    }
    /// What a role allows.
    Permission = sopwith_domain::access::Permission {
        /// See drafts, reviews and requests.
        DraftRead,
        /// Comment on drafts and on versions in review.
        DraftComment,
        /// Create, edit and submit SOPs.
        SopWrite,
        /// Hand an SOP over to another owner.
        SopManage,
        /// Create and change processes.
        ProcessWrite,
        /// Make and change approval policies.
        PolicyManage,
        /// Create teams; grant and take away roles.
        AccessManage,
        /// Send executions.
        ExecutionsRecord,
        /// Read executions and figures.
        FiguresRead,
        /// Read the audit chain.
        AuditRead,
    }
    /// What gives somebody a role.
    RoleSource = sopwith_domain::access::RoleSource {
        /// The person's token: the identity provider rules.
        Claim,
        /// A mutation.
        Api,
        /// An import.
        Import,
        /// No role of a person: the scopes of an API token.
        Token,
    }
    /// Whether an API token is good.
    ApiTokenState = sopwith_domain::access::token::TokenState {
        /// It is.
        Active,
        /// It was, until it ended by itself.
        Expired,
        /// It was, until somebody took it away.
        Revoked,
    }
    /// What somebody may do, or may not.
    AccessAction = sopwith_domain::access::Action {
        /// See an SOP and the versions of it that are or were in force.
        ReadSop,
        /// See drafts, versions in review and approval requests.
        ReadDraft,
        /// Create an SOP for a team.
        CreateSop,
        /// Begin, edit and submit versions.
        EditSop,
        /// Decide in the open request.
        Decide,
        /// Take one's own decision in the open request back.
        WithdrawDecision,
        /// Comment on a version, resolve comments and open them again.
        Comment,
        /// Take the open request back.
        Withdraw,
        /// Give the open version up.
        Discard,
        /// Ask for retirement.
        RetireSop,
        /// Bring a retired SOP back.
        ReviveSop,
        /// Make another person the owner.
        HandOverSop,
        /// Record what is done about what a diagnosis found.
        AnswerDiagnosis,
        /// Create and change processes.
        WriteProcess,
        /// Make and change approval policies.
        ManagePolicies,
        /// Let somebody decide on one's own behalf.
        Delegate,
        /// Create teams and roles, grant and take away roles.
        ManageAccess,
        /// Send executions.
        RecordExecutions,
        /// Read executions and figures.
        ReadFigures,
        /// Read the audit chain.
        ReadAudit,
        /// See who holds which roles, and why somebody may do something.
        ReadAccess,
        /// Publish what is due: the clock's own, nobody may.
        PublishDue,
    }
    /// What a batch of executions is for.
    ExecutionMode = sopwith_domain::execution::Mode {
        /// As it happens.
        Live,
        /// From the past, at any age.
        Backfill,
        /// Training runs: kept apart from all figures.
        Practice,
    }
    /// How a run ended.
    Outcome = sopwith_domain::execution::Outcome {
        /// It did what it was for.
        Succeeded,
        /// It did not.
        Failed,
        /// It was given up.
        Abandoned,
    }
    /// What a run says of the SOP in force.
    Adherence = sopwith_domain::execution::Adherence {
        /// It was followed.
        Followed,
        /// It was followed in part.
        Deviated,
        /// It was not followed.
        NotFollowed,
        /// Nobody knows.
        Unknown,
    }
    /// How grave a violation is.
    Severity = sopwith_domain::execution::Severity {
        /// Of form only.
        Minor,
        /// Of substance.
        Major,
        /// With harm done or near.
        Critical,
    }
    /// Whose satisfaction it is.
    SatisfactionBy = sopwith_domain::execution::SatisfactionBy {
        /// The one it was done for.
        Customer,
        /// The one who did it.
        Performer,
    }
    /// How a step went.
    StepStatus = sopwith_domain::execution::StepStatus {
        /// Done.
        Done,
        /// Left out.
        Skipped,
        /// Tried without success.
        Failed,
    }
    /// How the version of a run is known.
    VersionSource = sopwith_domain::execution::VersionSource {
        /// The report named it.
        Reported,
        /// It was in force when the run started.
        Inferred,
    }
    /// Why an item of a batch was rejected.
    RejectionCode = sopwith_domain::execution::RejectionCode {
        /// A field breaks a rule.
        Invalid,
        /// It happened more than five minutes after it was received.
        InFuture,
        /// There is no such process.
        UnknownProcess,
        /// There is no such SOP.
        UnknownSop,
        /// The SOP has no version of that label that is or was in force.
        UnknownVersion,
        /// There is no such team.
        UnknownTeam,
        /// The run was deleted, because it lies further back than executions are kept.
        Expired,
    }
    /// How a step or a section differs between two versions.
    PartChangeKind = sopwith_domain::content::PartChangeKind {
        /// It is new.
        Added,
        /// It is gone.
        Removed,
        /// It stands elsewhere among those that stayed; its fields may differ too.
        Moved,
        /// Its fields differ.
        Changed,
    }
}

/// An enumeration as stored.
pub fn stored<D: std::str::FromStr>(text: &str) -> super::error::Result<D>
where
    D::Err: std::fmt::Display,
{
    Ok(text.parse().map_err(crate::error::Error::internal)?)
}
