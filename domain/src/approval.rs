//! One passage through the stages of a policy: who may decide, what a decision brings about, who is missing.

use std::collections::BTreeSet;

use crate::content::ContentHash;
use crate::error::{Problem, Refusal};
use crate::ids::{DecisionId, PersonId, PolicyId, RequestId, SopId, TeamId, VersionId};
use crate::policy::{Stage, StageScope};
use crate::text::text_enum;
use crate::time::{SECOND, Timestamp};

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
    /// What.
    pub verdict: Verdict,
    /// The content that the person saw.
    pub content: ContentHash,
    /// Why; needed for a rejection.
    pub comment: String,
    /// When.
    pub decided_at: Timestamp,
    /// How it came in.
    pub via: Via,
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
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The answers so far.
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
        self.roles.iter().any(|(role, scope)| {
            *role == stage.role && (stage.scope == StageScope::Anyone || scope.is_none_or(|t| t == team))
        })
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
    /// How it came in.
    pub via: Via,
}

impl Request {
    /// The stage that is being decided.
    #[must_use]
    pub fn current(&self) -> Option<&Stage> {
        self.stages.get(self.stage)
    }

    /// Whether this person may decide now, and if not, why.
    ///
    /// # Errors
    /// `Forbidden` when the person contributed, asked, has decided already, lacks the role or signed in too long ago.
    pub fn may_decide(&self, who: &Candidate, team: TeamId, now: Timestamp) -> Result<(), Refusal> {
        let stage = self.current().ok_or_else(|| Refusal::conflict("no stage is open"))?;
        if self.excluded.contains(&who.person) {
            return Err(Refusal::forbidden("whoever contributed to a change, or asked for it, does not decide on it"));
        }
        if self.decisions.iter().any(|d| d.person == who.person) {
            return Err(Refusal::forbidden("one person decides once in a request, across all stages"));
        }
        if !who.holds(stage, team) {
            return Err(Refusal::forbidden(format!("the stage '{}' needs the role '{}'", stage.name, stage.role)));
        }
        if let Some(age) = stage.max_auth_age
            && who.auth_time.is_none_or(|at| now.since(at) > age.saturating_mul(SECOND))
        {
            return Err(Refusal::forbidden(format!("sign in again: this stage asks for it within {age} seconds")));
        }
        Ok(())
    }

    /// Takes an answer as a decision of the stage that is being decided.
    ///
    /// # Errors
    /// As [`Self::may_decide`]; `Conflict` when the person saw other content; `Invalid` for a rejection without reason.
    pub fn decide(&self, who: &Candidate, team: TeamId, answer: Answer, now: Timestamp) -> Result<Decision, Refusal> {
        self.may_decide(who, team, now)?;
        if answer.content != self.content {
            return Err(Refusal::conflict("the content under review is not the one that was decided on"));
        }
        if answer.verdict == Verdict::Reject && answer.comment.trim().is_empty() {
            return Err(Refusal::invalid("comment", "a rejection needs a reason"));
        }
        let Answer { id, verdict, content, comment, via } = answer;
        Ok(Decision { id, stage: self.stage, person: who.person, verdict, content, comment, decided_at: now, via })
    }

    /// Whether the approvals, with this one more, close the stage that is being decided.
    #[must_use]
    pub fn closes_stage(&self, decision: &Decision) -> bool {
        let approvals = |d: &&Decision| d.stage == self.stage && d.verdict == Verdict::Approve;
        let given = self.decisions.iter().chain(std::iter::once(decision)).filter(approvals).count();
        self.current().is_some_and(|stage| given >= stage.min_approvals as usize)
    }
}

/// The stages that those who exist cannot fill, each person counted once across all stages.
///
/// Every approval that is needed is a seat; people are matched to seats by augmenting paths (Kuhn 1955).
#[must_use]
pub fn unfilled(stages: &[Stage], people: &[Candidate], excluded: &BTreeSet<PersonId>, team: TeamId) -> Vec<Problem> {
    let mut free: Vec<&Candidate> = people.iter().filter(|c| !excluded.contains(&c.person)).collect();
    free.sort_by_key(|c| c.person);
    free.dedup_by_key(|c| c.person);
    let seats: Vec<usize> =
        stages.iter().enumerate().flat_map(|(i, s)| std::iter::repeat_n(i, s.min_approvals as usize)).collect();
    let fits = |seat: usize, person: usize| free[person].holds(&stages[seats[seat]], team);
    let mut seated: Vec<Option<usize>> = vec![None; free.len()];
    let mut empty = vec![0_usize; stages.len()];
    for seat in 0..seats.len() {
        let mut tried = vec![false; free.len()];
        if !seat_someone(seat, &fits, &mut seated, &mut tried) {
            empty[seats[seat]] += 1;
        }
    }
    let missing = stages.iter().zip(&empty).enumerate().filter(|(_, (_, n))| **n > 0);
    missing
        .map(|(i, (stage, n))| {
            let message = format!("stage '{}' lacks {n} eligible holder(s) of the role '{}'", stage.name, stage.role);
            Problem::at(format!("policy.stages.{i}"), message)
        })
        .collect()
}

fn seat_someone(
    seat: usize,
    fits: &impl Fn(usize, usize) -> bool,
    seated: &mut Vec<Option<usize>>,
    tried: &mut Vec<bool>,
) -> bool {
    for person in 0..seated.len() {
        if tried[person] || !fits(seat, person) {
            continue;
        }
        tried[person] = true;
        let moved = match seated[person] {
            None => true,
            Some(other) => seat_someone(other, fits, seated, tried),
        };
        if moved {
            seated[person] = Some(seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Meaning;
    use uuid::Uuid;

    fn stage(role: &str, min_approvals: u32) -> Stage {
        let (name, scope, meaning) = (role.to_owned(), StageScope::Team, Meaning::Approved);
        Stage { name, role: role.to_owned(), min_approvals, scope, meaning, max_auth_age: None }
    }

    fn person(n: u128, roles: &[&str]) -> Candidate {
        let roles = roles.iter().map(|r| ((*r).to_owned(), None)).collect();
        Candidate { person: PersonId(Uuid::from_u128(n)), roles, auth_time: None }
    }

    #[test]
    fn each_person_is_counted_once_across_stages() {
        let team = TeamId(Uuid::nil());
        let stages = [stage("reviewer", 1), stage("approver", 1)];
        let both = person(1, &["reviewer", "approver"]);
        assert_eq!(unfilled(&stages, std::slice::from_ref(&both), &BTreeSet::new(), team).len(), 1);
        // The first person can do either, so must be moved to make room for the second.
        let people = [both, person(2, &["reviewer"])];
        assert!(unfilled(&stages, &people, &BTreeSet::new(), team).is_empty());
        assert_eq!(unfilled(&stages, &people, &BTreeSet::from([people[1].person]), team).len(), 1);
    }
}
