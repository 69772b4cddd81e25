//! The rows of the lifecycle's table, one function each. They check rules; permissions are checked before, by
//! [`crate::access::decide`].

use std::collections::BTreeSet;

use super::{Effect, Label, NewDraft, Procedure, Reviewed, SopState, Submission, Version, VersionState};
use crate::approval::{Answer, Candidate, Mandate, Request, RequestState, Subject, Verdict, unfilled};
use crate::content::{ChangeKind, ContentHash, Document, beyond_editorial, prose_problem};
use crate::error::{Problem, Refusal};
use crate::ids::{PersonId, RequestId, SopId, VersionId};
use crate::time::Timestamp;

type Outcome = Result<Vec<Effect>, Refusal>;

impl Procedure {
    /// Begins a draft.
    ///
    /// # Errors
    /// `Conflict` while another version is open or the SOP is retired; `NotFound` for a base of another SOP.
    pub fn create_draft(&self, draft: NewDraft) -> Outcome {
        if self.state == SopState::Retired {
            return Err(Refusal::conflict("this SOP is retired: revive it"));
        }
        self.begin(draft)
    }

    /// Brings a retired SOP back as a draft.
    ///
    /// # Errors
    /// `Conflict` when it is not retired, or is at another revision.
    pub fn revive(&self, revision: i64, draft: NewDraft) -> Outcome {
        self.expect(revision)?;
        if self.state != SopState::Retired {
            return Err(Refusal::conflict(format!("only a retired SOP can be revived; this one is {}", self.state)));
        }
        self.begin(draft)
    }

    fn begin(&self, draft: NewDraft) -> Outcome {
        if let Some(open) = self.open_version() {
            return Err(Refusal::conflict(format!(
                "version {} is {}: one version is open at a time",
                open.id, open.state
            )));
        }
        let mut contributors = BTreeSet::from([draft.creator]);
        if let Some(base) = draft.based_on {
            let base = self.version(base).ok_or(Refusal::NotFound("version"))?;
            // What was never approved is their work still, whoever takes it up again.
            if !base.state.was_in_force() {
                contributors.extend(&base.contributors);
            }
        }
        Ok(self.settle(vec![Effect::DraftCreated(draft, contributors)], None))
    }

    /// Replaces what a draft says.
    ///
    /// # Errors
    /// `Conflict` when it is no draft or at another revision.
    pub fn edit(&self, id: VersionId, revision: i64, editor: PersonId, document: &Document) -> Outcome {
        self.expect_version(id, revision, &[VersionState::Draft])?;
        let (_, content) = document.canonical();
        let (kind, effective_at) = (document.kind, document.effective_at);
        Ok(vec![Effect::DraftEdited { version: id, revision, content, kind, effective_at, editor }])
    }

    /// Freezes a draft and asks for its approval.
    ///
    /// # Errors
    /// `Conflict` when it is no draft, at another revision, or a retirement is being decided; `Invalid` when the
    /// content is not complete, is not editorial though it says so, or nobody could fill the stages.
    pub fn submit(&self, given: &Submission, review: &Reviewed) -> Outcome {
        let version = self.expect_version(given.version, given.revision, &[VersionState::Draft])?;
        if self.request.is_some() {
            return Err(Refusal::conflict("the retirement of this SOP is being decided"));
        }
        check_submission(given)?;
        let unfit = given.document.canonical().1 != version.content || review.policy.kind != version.kind.into();
        if unfit {
            return Err(Refusal::conflict("the content or the policy is not that of the version"));
        }
        let mut excluded = version.contributors.clone();
        excluded.insert(given.submitter);
        let label = Label::next(self.last_label(), version.kind);
        let moved = Effect::VersionMoved {
            version: version.id,
            revision: version.revision,
            from: version.state,
            to: VersionState::InReview,
            label: Some(label),
            contributor: Some(given.submitter),
            reason: None,
        };
        let request = self.request(Subject::Version(version.id), version.content, given.submitter, excluded, review)?;
        Ok(self.settle(vec![moved, Effect::RequestOpened(request)], None))
    }

    fn request(
        &self,
        subject: Subject,
        content: ContentHash,
        requested_by: PersonId,
        excluded: BTreeSet<PersonId>,
        review: &Reviewed,
    ) -> Result<Request, Refusal> {
        let mut problems = review.policy.check();
        problems.extend(unfilled(&review.policy.stages, review.people, &excluded, review.accounts, self.team));
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        Ok(Request {
            id: review.request,
            subject,
            content,
            policy: review.policy.id,
            stages: review.policy.stages.clone(),
            stage: 0,
            requested_by,
            excluded,
            accounts: review.accounts.clone(),
            requires_resolved_comments: review.policy.requires_resolved_comments,
            open_threads: review.open_threads,
            opened_at: review.now,
            decisions: Vec::new(),
        })
    }

    /// Takes a decision, and with the last one that is needed does what was asked for.
    ///
    /// # Errors
    /// `Conflict` when the request is not open, other content was seen or comments are open that have to be resolved;
    /// `Forbidden` when this person does not decide here; `Invalid` for a rejection without reason.
    pub fn decide(
        &self,
        request: RequestId,
        who: &Candidate,
        mandates: &[Mandate],
        answer: Answer,
        now: Timestamp,
    ) -> Outcome {
        let open = self.expect_request(request)?;
        let decision = open.decide(who, mandates, self.team, answer, now)?;
        let closes = open.closes_stage(&decision);
        if closes {
            open.expect_earlier_stages(&decision)?;
        }
        let (verdict, comment) = (decision.verdict, decision.comment.clone());
        let mut effects = vec![Effect::DecisionTaken(open.id, decision)];
        if verdict == Verdict::Reject {
            effects.push(Effect::RequestClosed(open.id, RequestState::Rejected));
            effects.extend(self.back_to_draft(open, Some(comment)));
        } else if closes && open.stage + 1 < open.stages.len() {
            effects.push(Effect::StageOpened(open.id, open.stage + 1));
        } else if closes {
            effects.push(Effect::RequestClosed(open.id, RequestState::Approved));
            return match &open.subject {
                Subject::Version(id) => Ok(self.settle(self.approved(*id, effects, now), None)),
                Subject::Retirement { successor, .. } => Ok(self.settle(self.retired(effects), *successor)),
            };
        }
        Ok(self.settle(effects, None))
    }

    /// Takes a person's own decision back, while its stage is open.
    ///
    /// # Errors
    /// `Conflict` when the request or the stage is closed; `NotFound` when the person took none that stands.
    pub fn withdraw_decision(&self, request: RequestId, who: PersonId, now: Timestamp) -> Outcome {
        let open = self.expect_request(request)?;
        Ok(vec![Effect::DecisionWithdrawn(open.id, open.take_back(who)?, now)])
    }

    fn approved(&self, id: VersionId, mut effects: Vec<Effect>, now: Timestamp) -> Vec<Effect> {
        if let Some(version) = self.version(id) {
            if version.effective_at.is_none_or(|at| at <= now) {
                effects.extend(self.publish(version));
            } else {
                effects.push(moved(version, VersionState::Approved, None));
            }
        }
        effects
    }

    fn retired(&self, mut effects: Vec<Effect>) -> Vec<Effect> {
        effects.extend(self.in_force().map(|v| moved(v, VersionState::Retired, None)));
        let why = Some("the SOP was retired".to_owned());
        effects.extend(self.open_version().map(|v| moved(v, VersionState::Discarded, why)));
        effects
    }

    /// The version in force gives way first: one combined update would trip the index.
    fn publish(&self, version: &Version) -> Vec<Effect> {
        let superseded = self.in_force().map(|v| moved(v, VersionState::Superseded, None));
        superseded.into_iter().chain([moved(version, VersionState::Published, None)]).collect()
    }

    fn back_to_draft(&self, request: &Request, reason: Option<String>) -> Option<Effect> {
        let Subject::Version(id) = request.subject else { return None };
        let mut effect = moved(self.version(id)?, VersionState::Draft, reason);
        if let Effect::VersionMoved { label, .. } = &mut effect {
            *label = None;
        }
        Some(effect)
    }

    /// Publishes an approved version whose effective date has come.
    ///
    /// # Errors
    /// `Conflict` when it is not approved or not due.
    pub fn publish_due(&self, id: VersionId, now: Timestamp) -> Outcome {
        let version = self.version(id).ok_or(Refusal::NotFound("version"))?;
        if version.state != VersionState::Approved || version.effective_at.is_some_and(|at| at > now) {
            return Err(Refusal::conflict("the version is not due"));
        }
        Ok(self.settle(self.publish(version), None))
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// `Conflict` when it is not open.
    pub fn withdraw(&self, request: RequestId) -> Outcome {
        let open = self.expect_request(request)?;
        let closed = Effect::RequestClosed(open.id, RequestState::Withdrawn);
        Ok(self.settle(std::iter::once(closed).chain(self.back_to_draft(open, None)).collect(), None))
    }

    /// Gives a version up.
    ///
    /// # Errors
    /// `Conflict` when it is neither draft nor approved, or at another revision; `Invalid` without a reason.
    pub fn discard(&self, id: VersionId, revision: i64, reason: &str) -> Outcome {
        let version = self.expect_version(id, revision, &[VersionState::Draft, VersionState::Approved])?;
        need_reason(reason)?;
        Ok(self.settle(vec![moved(version, VersionState::Discarded, Some(reason.to_owned()))], None))
    }

    /// Asks for the retirement of the SOP.
    ///
    /// # Errors
    /// `Conflict` when nothing is in force, a version is in review or approved, another request is open, or the
    /// revision is another; `Invalid` without a reason, or when nobody could fill the stages.
    pub fn request_retirement(
        &self,
        revision: i64,
        requester: PersonId,
        reason: &str,
        successor: Option<SopId>,
        review: &Reviewed,
    ) -> Outcome {
        self.expect(revision)?;
        let Some(in_force) = self.in_force() else {
            return Err(Refusal::conflict(format!("only a published SOP can be retired; this one is {}", self.state)));
        };
        if let Some(open) = self.open_version().filter(|v| v.state != VersionState::Draft) {
            return Err(Refusal::conflict(format!(
                "version {} is {}: withdraw or discard it first",
                open.id, open.state
            )));
        }
        if self.request.is_some() {
            return Err(Refusal::conflict("the retirement of this SOP is being decided already"));
        }
        need_reason(reason)?;
        if successor == Some(self.id) {
            return Err(Refusal::invalid("successorId", "an SOP cannot succeed itself"));
        }
        let subject = Subject::Retirement { reason: reason.to_owned(), successor };
        let request = self.request(subject, in_force.content, requester, BTreeSet::from([requester]), review)?;
        Ok(vec![Effect::RequestOpened(request)])
    }

    /// Makes another person answer for the SOP.
    ///
    /// # Errors
    /// `Conflict` when it is at another revision; `Invalid` when that person is the owner already.
    pub fn hand_over(&self, revision: i64, to: PersonId) -> Outcome {
        self.expect(revision)?;
        if to == self.owner {
            return Err(Refusal::invalid("ownerId", "this person is the owner already"));
        }
        Ok(vec![Effect::OwnerChanged { revision, from: self.owner, to }])
    }

    fn expect(&self, revision: i64) -> Result<(), Refusal> {
        if self.revision == revision { Ok(()) } else { Err(Refusal::stale(self.revision)) }
    }

    fn expect_version(&self, id: VersionId, revision: i64, states: &[VersionState]) -> Result<&Version, Refusal> {
        let version = self.version(id).ok_or(Refusal::NotFound("version"))?;
        if !states.contains(&version.state) {
            let message = format!("the version is {}", version.state);
            return Err(Refusal::Conflict { message, current_revision: Some(version.revision) });
        }
        if version.revision != revision {
            return Err(Refusal::stale(version.revision));
        }
        Ok(version)
    }

    fn expect_request(&self, id: RequestId) -> Result<&Request, Refusal> {
        let open = self.request.as_ref().filter(|r| r.id == id);
        open.ok_or_else(|| Refusal::conflict("the request is no longer open"))
    }

    /// Adds the change of what a reader sees, where the effects bring one about.
    fn settle(&self, mut effects: Vec<Effect>, successor: Option<SopId>) -> Vec<Effect> {
        let mut after = self.clone();
        for effect in &effects {
            after.apply(effect);
        }
        let (from, to, revision) = (self.state, after.derived_state(), self.revision);
        if from != to {
            effects.push(Effect::SopMoved { revision, from, to, successor });
        }
        effects
    }
}

fn moved(version: &Version, to: VersionState, reason: Option<String>) -> Effect {
    let Version { id, revision, state, label, .. } = version;
    let (version, revision, from, label) = (*id, *revision, *state, *label);
    Effect::VersionMoved { version, revision, from, to, label, contributor: None, reason }
}

fn need_reason(reason: &str) -> Result<(), Refusal> {
    prose_problem("reason", reason).map_or(Ok(()), |problem| Err(Refusal::Invalid(vec![problem])))
}

fn check_submission(given: &Submission) -> Result<(), Refusal> {
    let under = |problems: Vec<Problem>| problems.into_iter().map(|p| p.under("content")).collect::<Vec<_>>();
    let mut problems = under(given.document.content.check_complete());
    if given.document.kind == ChangeKind::Editorial {
        match given.in_force {
            Some(in_force) => problems.extend(under(beyond_editorial(in_force, given.document))),
            None => problems.push(Problem::at("kind", "the first version in force cannot be editorial")),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems)) }
}
