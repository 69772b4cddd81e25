//! The life of a procedure. Each transition looks at a [`Procedure`], refuses or answers with the [`Effect`]s that
//! bring it about; [`Procedure::apply`] carries them out in memory, the store carries out the same ones in SQL.

mod inputs;
#[cfg(test)]
mod tests;
mod transitions;

use std::collections::BTreeSet;

use crate::approval::{Decision, Request, RequestState};
use crate::content::{ChangeKind, ContentHash};
use crate::ids::{DecisionId, PersonId, RequestId, SopId, TeamId, VersionId};
use crate::policy::Risk;
use crate::text::text_enum;
use crate::time::Timestamp;

pub use inputs::{NewDraft, Reviewed, Submission};

text_enum! {
    /// What a reader sees of an SOP.
    SopState {
        /// Being written; nothing is in force.
        Draft = "DRAFT",
        /// Being reviewed or waiting for its effective date; nothing is in force.
        InReview = "IN_REVIEW",
        /// A version is in force.
        Published = "PUBLISHED",
        /// No version is in force any more, or ever was.
        Retired = "RETIRED",
    }
}

text_enum! {
    /// Where a version stands.
    VersionState {
        /// Being written.
        Draft = "DRAFT",
        /// Being decided; its content is frozen.
        InReview = "IN_REVIEW",
        /// Waiting for its effective date.
        Approved = "APPROVED",
        /// In force.
        Published = "PUBLISHED",
        /// Was in force, until the next one was.
        Superseded = "SUPERSEDED",
        /// Was in force, until the SOP was retired.
        Retired = "RETIRED",
        /// Given up before it was in force.
        Discarded = "DISCARDED",
    }
}

impl VersionState {
    /// Whether it may still come into force: at most one such version per SOP.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Draft | Self::InReview | Self::Approved)
    }

    /// Whether it is or was in force.
    #[must_use]
    pub fn was_in_force(self) -> bool {
        matches!(self, Self::Published | Self::Superseded | Self::Retired)
    }
}

/// `major.minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Raised by material changes.
    pub major: i32,
    /// Raised by editorial ones.
    pub minor: i32,
}

impl Label {
    /// The label after this one; 1.0 after none.
    #[must_use]
    pub fn next(last: Option<Self>, kind: ChangeKind) -> Self {
        match (last, kind) {
            (None, _) => Self { major: 1, minor: 0 },
            (Some(last), ChangeKind::Material) => Self { major: last.major + 1, minor: 0 },
            (Some(last), ChangeKind::Editorial) => Self { minor: last.minor + 1, ..last },
        }
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl std::str::FromStr for Label {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = |t: &str| t.parse().ok().filter(|n: &i32| *n >= 0);
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self { major: parse(major)?, minor: parse(minor)? }))
            .filter(|label| label.to_string() == text)
            .ok_or_else(|| "a version label is 'major.minor', such as 2.1".to_owned())
    }
}

/// What the lifecycle needs to know of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Where it stands.
    pub state: VersionState,
    /// How far its change reaches.
    pub kind: ChangeKind,
    /// Given at submission, taken back when it returns to draft.
    pub label: Option<Label>,
    /// What it says.
    pub content: ContentHash,
    /// When it is to come into force; as soon as approved when absent.
    pub effective_at: Option<Timestamp>,
    /// Raised by every edit and every transition.
    pub revision: i64,
    /// Its creator, every editor of it, its submitter.
    pub contributors: BTreeSet<PersonId>,
}

/// What the lifecycle needs to know of an SOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// Its id.
    pub id: SopId,
    /// The team that keeps it.
    pub team: TeamId,
    /// The one person who answers for it.
    pub owner: PersonId,
    /// What goes wrong when it is not followed.
    pub risk: Risk,
    /// What a reader sees.
    pub state: SopState,
    /// Raised by every change of state or owner.
    pub revision: i64,
    /// All its versions, oldest first.
    pub versions: Vec<Version>,
    /// The approval request that is open, if any.
    pub request: Option<Request>,
}

/// One thing that a transition brings about. Those that move something name the state and revision that it must be
/// in, so that whoever came second affects no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A draft begins, with those who count as its contributors from the first: who begins it, and everyone who wrote
    /// what it begins from, where that never came into force.
    DraftCreated(NewDraft, BTreeSet<PersonId>),
    /// The draft says something else now.
    DraftEdited {
        /// Which.
        version: VersionId,
        /// The revision that was edited.
        revision: i64,
        /// What it says now.
        content: ContentHash,
        /// How far the change reaches now.
        kind: ChangeKind,
        /// When it is to come into force now.
        effective_at: Option<Timestamp>,
        /// Who did it.
        editor: PersonId,
    },
    /// A version moves from state to state.
    VersionMoved {
        /// Which.
        version: VersionId,
        /// The revision that it was at.
        revision: i64,
        /// From here.
        from: VersionState,
        /// To here.
        to: VersionState,
        /// Its label from now on.
        label: Option<Label>,
        /// Who becomes a contributor by it (the submitter).
        contributor: Option<PersonId>,
        /// Why, where a reason is asked for.
        reason: Option<String>,
    },
    /// A request is opened.
    RequestOpened(Request),
    /// Somebody decided.
    DecisionTaken(RequestId, Decision),
    /// Somebody took their decision back, at this time.
    DecisionWithdrawn(RequestId, DecisionId, Timestamp),
    /// The next stage opens.
    StageOpened(RequestId, usize),
    /// The request ends.
    RequestClosed(RequestId, RequestState),
    /// What a reader sees of the SOP changes.
    SopMoved {
        /// The revision that it was at.
        revision: i64,
        /// From here.
        from: SopState,
        /// To here.
        to: SopState,
        /// The SOP that takes its place, when it is retired in favour of one.
        successor: Option<SopId>,
    },
    /// Another person answers for the SOP.
    OwnerChanged {
        /// The revision that it was at.
        revision: i64,
        /// From this one.
        from: PersonId,
        /// To this one.
        to: PersonId,
    },
}

impl Procedure {
    /// A version of this SOP.
    #[must_use]
    pub fn version(&self, id: VersionId) -> Option<&Version> {
        self.versions.iter().find(|v| v.id == id)
    }

    /// The version that is being worked on: draft, in review or approved.
    #[must_use]
    pub fn open_version(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.state.is_open())
    }

    /// The version in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.state == VersionState::Published)
    }

    /// Whether a version of it is or was in force.
    #[must_use]
    pub fn was_published(&self) -> bool {
        self.versions.iter().any(|v| v.state.was_in_force())
    }

    /// The highest label that is taken.
    #[must_use]
    pub fn last_label(&self) -> Option<Label> {
        self.versions.iter().filter(|v| v.state != VersionState::Discarded).filter_map(|v| v.label).max()
    }

    /// What a reader should see, as it follows from the versions.
    #[must_use]
    pub fn derived_state(&self) -> SopState {
        match (self.in_force(), self.open_version().map(|v| v.state)) {
            (Some(_), _) => SopState::Published,
            (None, Some(VersionState::Draft)) => SopState::Draft,
            (None, Some(_)) => SopState::InReview,
            (None, None) => SopState::Retired,
        }
    }

    /// Carries out an effect in memory.
    pub fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::DraftCreated(draft, contributors) => self.versions.push(draft.version(contributors.clone())),
            Effect::DraftEdited { version, content, kind, effective_at, editor, .. } => {
                self.change(*version, |v| {
                    (v.content, v.kind, v.effective_at) = (*content, *kind, *effective_at);
                    v.contributors.insert(*editor);
                });
            }
            Effect::VersionMoved { version, to, label, contributor, .. } => {
                self.change(*version, |v| {
                    (v.state, v.label) = (*to, *label);
                    v.contributors.extend(contributor);
                });
            }
            Effect::RequestOpened(request) => self.request = Some(request.clone()),
            Effect::DecisionTaken(_, decision) => {
                if let Some(request) = &mut self.request {
                    request.decisions.push(decision.clone());
                }
            }
            Effect::DecisionWithdrawn(_, id, at) => {
                let decisions = self.request.iter_mut().flat_map(|request| &mut request.decisions);
                for decision in decisions.filter(|d| d.id == *id) {
                    decision.withdrawn_at = Some(*at);
                }
            }
            Effect::StageOpened(_, stage) => {
                if let Some(request) = &mut self.request {
                    request.stage = *stage;
                }
            }
            Effect::RequestClosed(..) => self.request = None,
            Effect::SopMoved { to, .. } => (self.state, self.revision) = (*to, self.revision + 1),
            Effect::OwnerChanged { to, .. } => (self.owner, self.revision) = (*to, self.revision + 1),
        }
    }

    fn change(&mut self, id: VersionId, change: impl FnOnce(&mut Version)) {
        if let Some(version) = self.versions.iter_mut().find(|v| v.id == id) {
            change(version);
            version.revision += 1;
        }
    }
}
