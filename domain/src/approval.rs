//! One passage through the stages of a policy: who may decide, what a decision brings about, who is missing.

mod accounts;
mod delegation;
pub mod passage;
mod seats;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::content::ContentHash;
use crate::error::Refusal;
use crate::ids::{DecisionId, DelegationId, PersonId, PolicyId, RequestId, SopId, TeamId, VersionId};
use crate::policy::Stage;
use crate::text::text_enum;
use crate::time::{SECOND, Timestamp};

pub use accounts::Accounts;
pub use delegation::{Delegation, MAX_PERIOD, Mandate};
pub use seats::unfilled;

text_enum! {
    /// One person's answer.
    Verdict {
        /// Goes ahead.
        Approve = "APPROVE",
        /// Does not, for a reason.
        Reject = "REJECT",
    }
}

text_enum! {
    /// Where a request stands.
    RequestState {
        /// Being decided.
        Open = "OPEN",
        /// The last stage approved.
        Approved = "APPROVED",
        /// Somebody rejected.
        Rejected = "REJECTED",
        /// Taken back by those who asked.
        Withdrawn = "WITHDRAWN",
    }
}

text_enum! {
    /// By which way a decision came in.
    Via {
        /// The person's own request.
        Api = "API",
        /// Recorded for the person by an import.
        Import = "IMPORT",
    }
}

/// What is being asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// To publish a version.
    Version(VersionId),
    /// To retire the SOP.
    Retirement {
        /// Why.
        reason: String,
        /// Which SOP takes its place.
        successor: Option<SopId>,
    },
}

/// One person's answer in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// Index of the stage.
    pub stage: usize,
    /// Who.
    pub person: PersonId,
    /// In whose place, and by which delegation; nobody's where the person decided by their own role.
    pub on_behalf_of: Option<(PersonId, DelegationId)>,
    /// What.
    pub verdict: Verdict,
    /// The content that the person saw.
    pub content: ContentHash,
    /// Why; needed for a rejection.
    pub comment: String,
    /// When.
    pub decided_at: Timestamp,
    /// When the person had last signed in, where that is known.
    pub auth_time: Option<Timestamp>,
    /// How it came in.
    pub via: Via,
    /// When the person took it back; it counts no more, and stays on record.
    pub withdrawn_at: Option<Timestamp>,
}

/// One passage through the stages of a policy, with the policy as it was when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// What is being asked for.
    pub subject: Subject,
    /// The content that it is about.
    pub content: ContentHash,
    /// The policy that the stages were taken from.
    pub policy: PolicyId,
    /// The snapshot.
    pub stages: Vec<Stage>,
    /// Index of the stage that is being decided.
    pub stage: usize,
    /// Who asked.
    pub requested_by: PersonId,
    /// Those who may not decide: contributors, and whoever asked.
    pub excluded: BTreeSet<PersonId>,
    /// Which accounts are one person's, among those who are involved.
    pub accounts: Accounts,
    /// Whether the policy asks for all review comments to be resolved before somebody approves.
    pub requires_resolved_comments: bool,
    /// How many threads of review comments on the version are not resolved.
    pub open_threads: u64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The answers so far, those included that were taken back.
    pub decisions: Vec<Decision>,
}

/// What a person brings to a decision: the roles held, each for a team or org-wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub person: PersonId,
    /// Role and team; no team is org-wide.
    pub roles: Vec<(String, Option<TeamId>)>,
    /// When the person last signed in, where that is known.
    pub auth_time: Option<Timestamp>,
}

impl Candidate {
    /// Whether the person's roles count in a stage about an SOP of this team.
    #[must_use]
    pub fn holds(&self, stage: &Stage, team: TeamId) -> bool {
        self.roles.iter().any(|(role, scope)| stage.counts(role, *scope, team))
    }
}

/// What somebody answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Id of the decision to be.
    pub id: DecisionId,
    /// Approve or reject.
    pub verdict: Verdict,
    /// The content that the person saw.
    pub content: ContentHash,
    /// Why.
    pub comment: String,
    /// In whose place; nobody's where the person decides by their own role.
    pub on_behalf_of: Option<PersonId>,
    /// How it came in.
    pub via: Via,
}

impl Request {
    /// The stage that is being decided.
    #[must_use]
    pub fn current(&self) -> Option<&Stage> {
        self.stages.get(self.stage)
    }

    /// The answers that count.
    pub fn standing(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|d| d.withdrawn_at.is_none())
    }

    /// Whether this person may decide now, by their own role or by a mandate, and if not, why. Both the delegate and
    /// the delegator have to be free to decide, with all accounts of theirs.
    ///
    /// # Errors
    /// `Forbidden` when either contributed, asked or has decided already, when the role is not held, or the person
    /// signed in too long ago.
    pub fn may_decide(
        &self,
        who: &Candidate,
        mandate: Option<&Mandate>,
        team: TeamId,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let stage = self.current().ok_or_else(|| Refusal::conflict("no stage is open"))?;
        match mandate {
            Some(mandate) => self.free_to_stand_in(who.person, mandate)?,
            None => self.free_to_decide(who.person)?,
        }
        if !mandate.map_or_else(|| who.holds(stage, team), |mandate| mandate.holds(stage, team)) {
            return Err(Refusal::forbidden(format!("the stage '{}' needs the role '{}'", stage.name, stage.role)));
        }
        if let Some(age) = stage.max_auth_age
            && who.auth_time.is_none_or(|at| now.since(at) > age.saturating_mul(SECOND))
        {
            return Err(Refusal::forbidden(format!("sign in again: this stage asks for it within {age} seconds")));
        }
        Ok(())
    }

    /// Whether somebody neither contributed nor asked, and has no part in a decision that stands.
    ///
    /// # Errors
    /// `Forbidden` when not.
    pub fn free_to_decide(&self, account: PersonId) -> Result<(), Refusal> {
        let person = self.accounts.holder(account);
        if self.excluded.iter().any(|other| self.accounts.holder(*other) == person) {
            return Err(Refusal::forbidden("whoever contributed to a change, or asked for it, does not decide on it"));
        }
        if self.voices().any(|other| other == person) {
            return Err(Refusal::forbidden("one person decides once in a request, across all stages"));
        }
        Ok(())
    }

    /// Whether somebody and the one who delegated to them are two people, both free to decide.
    fn free_to_stand_in(&self, account: PersonId, mandate: &Mandate) -> Result<(), Refusal> {
        self.free_to_decide(account)?;
        self.free_to_decide(mandate.from)?;
        if self.accounts.holder(mandate.from) == self.accounts.holder(account) {
            return Err(Refusal::forbidden("nobody decides on their own behalf"));
        }
        Ok(())
    }

    /// Everyone who asked, contributed or decided, or in whose place somebody did.
    pub fn involved(&self) -> impl Iterator<Item = PersonId> {
        let parties = self.decisions.iter().flat_map(|d| [Some(d.person), d.on_behalf_of.map(|(person, _)| person)]);
        self.excluded.iter().copied().chain(parties.flatten())
    }

    /// Everyone who has a part in a decision that stands: who took it, and in whose place.
    fn voices(&self) -> impl Iterator<Item = PersonId> {
        self.standing().flat_map(|d| self.voices_of(d))
    }

    /// The people who have a part in a decision.
    fn voices_of(&self, decision: &Decision) -> impl Iterator<Item = PersonId> {
        let parties = [Some(decision.person), decision.on_behalf_of.map(|(person, _)| person)];
        parties.into_iter().flatten().map(|account| self.accounts.holder(account))
    }

    /// Those of these people who could decide in the stage that is open, by a role of their own.
    #[must_use]
    pub fn waiting_for(&self, people: &[Candidate], team: TeamId) -> Vec<PersonId> {
        let Some(stage) = self.current() else { return Vec::new() };
        let could = |who: &&Candidate| who.holds(stage, team) && self.free_to_decide(who.person).is_ok();
        people.iter().filter(could).map(|who| who.person).collect()
    }

    /// Those of these mandates, each with whose it is, by which their holder could decide in the stage that is open.
    pub fn delegates<'a>(
        &self,
        mandates: &'a [(PersonId, Mandate)],
        team: TeamId,
    ) -> impl Iterator<Item = &'a (PersonId, Mandate)> {
        mandates.iter().filter(move |(who, mandate)| {
            let counts = self.current().is_some_and(|stage| mandate.holds(stage, team));
            counts && self.free_to_stand_in(*who, mandate).is_ok()
        })
    }

    /// Takes an answer as a decision of the stage that is being decided.
    ///
    /// # Errors
    /// As [`Self::may_decide`]; `Forbidden` without a mandate from the one it is to be on behalf of; `Conflict` when
    /// the person saw other content, or comments are open that have to be resolved; `Invalid` for a rejection without
    /// reason.
    pub fn decide(
        &self,
        who: &Candidate,
        mandates: &[Mandate],
        team: TeamId,
        answer: Answer,
        now: Timestamp,
    ) -> Result<Decision, Refusal> {
        let mandate = answer.on_behalf_of.map(|from| self.mandate(mandates, from, team)).transpose()?;
        self.may_decide(who, mandate, team, now)?;
        if answer.content != self.content {
            return Err(Refusal::conflict("the content under review is not the one that was decided on"));
        }
        if answer.verdict == Verdict::Reject && answer.comment.trim().is_empty() {
            return Err(Refusal::invalid("comment", "a rejection needs a reason"));
        }
        if answer.verdict == Verdict::Approve && self.requires_resolved_comments && self.open_threads > 0 {
            let open = self.open_threads;
            return Err(Refusal::conflict(format!("the policy asks for all comments to be resolved: {open} are open")));
        }
        let Answer { id, verdict, content, comment, via, .. } = answer;
        Ok(Decision {
            id,
            stage: self.stage,
            person: who.person,
            on_behalf_of: mandate.map(|m| (m.from, m.delegation)),
            verdict,
            content,
            comment,
            decided_at: now,
            auth_time: who.auth_time,
            via,
            withdrawn_at: None,
        })
    }

    /// A mandate of this delegator; the one that counts in the open stage, where there are several.
    fn mandate<'a>(&self, mandates: &'a [Mandate], from: PersonId, team: TeamId) -> Result<&'a Mandate, Refusal> {
        let counts = |m: &&Mandate| self.current().is_some_and(|stage| m.holds(stage, team));
        let given = || mandates.iter().filter(|m| m.from == from);
        let none = || Refusal::forbidden("no delegation from this person to you is in force");
        given().find(counts).or_else(|| given().next()).ok_or_else(none)
    }

    /// The decision of a person that can still be taken back: while its stage is open.
    ///
    /// # Errors
    /// `NotFound` when the person took none that stands; `Conflict` when its stage is closed.
    pub fn take_back(&self, who: PersonId) -> Result<DecisionId, Refusal> {
        let person = self.accounts.holder(who);
        let own = || self.standing().filter(|d| self.accounts.holder(d.person) == person);
        if own().next().is_none() {
            return Err(Refusal::NotFound("decision"));
        }
        let open = own().find(|d| d.stage == self.stage).map(|d| d.id);
        open.ok_or_else(|| Refusal::conflict("the stage of this decision is closed: it stands"))
    }

    /// Whether the approvals, with this one more, close the stage that is being decided.
    #[must_use]
    pub fn closes_stage(&self, decision: &Decision) -> bool {
        self.current().is_some_and(|stage| self.heard(self.stage, decision) >= stage.min_approvals as usize)
    }

    /// Refuses to go on where an earlier stage has come to lack approvals, with this decision in the open one.
    ///
    /// # Errors
    /// `Conflict`, naming the stage.
    pub(crate) fn expect_earlier_stages(&self, decision: &Decision) -> Result<(), Refusal> {
        let earlier = self.stages.iter().enumerate().take(self.stage);
        let mut short = earlier.filter(|(n, stage)| self.heard(*n, decision) < stage.min_approvals as usize);
        short.next().map_or(Ok(()), |(_, stage)| {
            let why = "an approval of it turned out to be given with another account of somebody who was heard already, or \
                who may not decide: withdraw the request, or reject";
            Err(Refusal::conflict(format!("the stage '{}' has come to lack approvals: {why}", stage.name)))
        })
    }

    /// How many approvals of a stage count, with this decision one more. Accounts may turn out to be one person's only
    /// after they decided: then the first decision of the person counts, and none of somebody who contributed.
    fn heard(&self, stage: usize, decision: &Decision) -> usize {
        let mut spent: BTreeSet<PersonId> = self.excluded.iter().map(|other| self.accounts.holder(*other)).collect();
        let mut count = 0;
        for given in self.standing().chain(std::iter::once(decision)) {
            if self.voices_of(given).all(|person| !spent.contains(&person)) {
                spent.extend(self.voices_of(given));
                count += usize::from(given.stage == stage && given.verdict == Verdict::Approve);
            }
        }
        count
    }
}
