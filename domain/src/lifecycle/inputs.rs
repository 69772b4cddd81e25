//! What transitions need besides the procedure itself.

use std::collections::BTreeSet;

use super::{Version, VersionState};
use crate::approval::{Accounts, Candidate};
use crate::content::{ChangeKind, ContentHash, Document};
use crate::ids::{PersonId, RequestId, VersionId};
use crate::policy::Policy;
use crate::time::Timestamp;

/// A draft to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDraft {
    /// Its id.
    pub id: VersionId,
    /// How far its change reaches.
    pub kind: ChangeKind,
    /// What it says to begin with.
    pub content: ContentHash,
    /// When it is to come into force.
    pub effective_at: Option<Timestamp>,
    /// The version that its content was taken from.
    pub based_on: Option<VersionId>,
    /// Who begins it.
    pub creator: PersonId,
}

impl NewDraft {
    pub(super) fn version(&self, contributors: BTreeSet<PersonId>) -> Version {
        Version {
            id: self.id,
            state: VersionState::Draft,
            kind: self.kind,
            label: None,
            content: self.content,
            effective_at: self.effective_at,
            revision: 1,
            contributors,
        }
    }
}

/// What a submission brings with it.
#[derive(Debug)]
pub struct Submission<'a> {
    /// Which version, at which revision.
    pub version: VersionId,
    /// The revision that the submitter saw.
    pub revision: i64,
    /// Who submits.
    pub submitter: PersonId,
    /// What the version says.
    pub document: &'a Document,
    /// What the version in force says, if one is.
    pub in_force: Option<&'a Document>,
}

/// The request to be: its id, the policy that applies, those who could decide, and the time.
#[derive(Debug)]
pub struct Reviewed<'a> {
    /// Id of the request.
    pub request: RequestId,
    /// The policy that applies.
    pub policy: &'a Policy,
    /// Everyone who holds a role.
    pub people: &'a [Candidate],
    /// Which accounts are one person's, among them and those who contributed.
    pub accounts: &'a Accounts,
    /// How many threads of review comments on the version are not resolved.
    pub open_threads: u64,
    /// Now.
    pub now: Timestamp,
}
