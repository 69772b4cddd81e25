//! What the code under test says to an action.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::access::{Action, Permit, Resource, SopFacts, decide};
use crate::approval::{Accounts, Answer, Verdict, Via};
use crate::comment::{Thread, check_version};
use crate::error::Refusal;
use crate::ids::{DecisionId, VersionId};
use crate::lifecycle::{Effect, NewDraft, Procedure, Reviewed, Submission, Version};
use crate::policy::PolicyKind;
use crate::time::SECOND;

use super::super::cast::{person, team};
use super::super::documents::Spec;
use super::{Answered, Ask, Deed, World, subject_version};

impl World {
    pub(super) fn attempt(&self, sop: &Procedure, deed: &Deed) -> Result<Vec<Effect>, Refusal> {
        self.permit(sop, deed)?;
        let who = deed.who.unwrap_or_default();
        let now = self.facts.now;
        match &deed.ask {
            Ask::CreateSop(spec) => sop.create_draft(self.draft(spec, None, who)),
            Ask::CreateDraft { based_on, spec } => sop.create_draft(self.draft(spec, *based_on, who)),
            Ask::Edit { version, revision, spec } => {
                sop.edit(*version, *revision, person(who), &spec.written().document)
            }
            Ask::Submit { version, revision } => self.submit(sop, *version, *revision, who),
            Ask::Decide(answered) => self.decide(sop, deed, answered),
            Ask::TakeBack { request } => sop.withdraw_decision(*request, person(who), now),
            Ask::Withdraw { request } => sop.withdraw(*request),
            Ask::Discard { version, revision, reason } => sop.discard(*version, *revision, reason),
            Ask::PublishDue { version } => sop.publish_due(*version, now),
            Ask::Retire { revision, reason, successor } => {
                let (policy, people) = (self.facts.policy_row(PolicyKind::Retirement), self.facts.candidates());
                let (accounts, request) = (&self.facts.accounts(), self.request_id());
                let review = Reviewed { request, policy: &policy, people: &people, accounts, open_threads: 0, now };
                sop.request_retirement(*revision, person(who), reason, *successor, &review)
            }
            Ask::Revive { revision, based_on, spec } => sop.revive(*revision, self.draft(spec, *based_on, who)),
            Ask::HandOver { revision, to } => sop.hand_over(*revision, person(*to)),
            Ask::Comment { version } => check_version(found(sop, *version)?.state).map(|()| Vec::new()),
            Ask::Resolve { thread } | Ask::Reopen { thread } => self.settle(sop, deed, *thread),
            Ask::Delegate(deputy, reason) => {
                let grants = self.facts.actor(who, None).candidate().roles.into_iter();
                let held: Vec<_> = grants.filter(|(role, _)| role == deputy.role).map(|(_, of)| of).collect();
                let accounts = self.facts.accounts();
                let same = accounts.holder(person(deputy.from)) == accounts.holder(person(deputy.to));
                deputy.delegation(self.facts.deputies.len(), reason).check(same, &held, now).map(|()| Vec::new())
            }
        }
    }

    fn decide(&self, sop: &Procedure, deed: &Deed, answered: &Answered) -> Result<Vec<Effect>, Refusal> {
        let signed_in = deed.login.map(|ago| self.facts.now.plus(-ago * SECOND));
        let actor = self.facts.actor(deed.who.unwrap_or_default(), signed_in);
        let answer = Answer {
            id: DecisionId(Uuid::from_u128(self.serial)),
            verdict: if answered.approves { Verdict::Approve } else { Verdict::Reject },
            content: answered.content,
            comment: answered.comment.to_owned(),
            on_behalf_of: answered.behalf.map(person),
            via: Via::Api,
        };
        sop.decide(answered.request, &actor.candidate(), &actor.mandates, answer, self.facts.now)
    }

    fn submit(&self, sop: &Procedure, id: VersionId, revision: i64, who: usize) -> Result<Vec<Effect>, Refusal> {
        let written = |v: &Version| self.specs[&v.content].written();
        let version = found(sop, id)?;
        let (own, in_force) = (written(version), sop.in_force().map(written));
        let (policy, people) = (self.facts.policy_row(version.kind.into()), self.facts.candidates());
        let accounts: &Accounts = &self.facts.accounts();
        let (request, open_threads, now) = (self.request_id(), self.facts.open_threads(Some(id)), self.facts.now);
        let review = Reviewed { request, policy: &policy, people: &people, accounts, open_threads, now };
        let (submitter, in_force) = (person(who), in_force.as_ref().map(|written| &written.document));
        sop.submit(&Submission { version: id, revision, submitter, document: &own.document, in_force }, &review)
    }

    fn settle(&self, sop: &Procedure, deed: &Deed, thread: usize) -> Result<Vec<Effect>, Refusal> {
        let remark = self.facts.remarks.get(thread).ok_or(Refusal::NotFound("comment"))?;
        let version = found(sop, remark.version)?;
        check_version(version.state)?;
        let thread = Thread { author: person(remark.author), resolved: remark.resolved };
        if matches!(deed.ask, Ask::Reopen { .. }) {
            thread.reopen()?;
        } else {
            let who = person(deed.who.unwrap_or_default());
            thread.resolve(who, &version.contributors, &self.facts.accounts())?;
        }
        Ok(Vec::new())
    }

    fn draft(&self, spec: &Spec, based_on: Option<VersionId>, who: usize) -> NewDraft {
        NewDraft {
            id: VersionId(Uuid::from_u128(self.serial)),
            kind: spec.kind,
            content: spec.hash(),
            effective_at: spec.effective_at,
            based_on,
            creator: person(who),
        }
    }

    /// Asks for the permission, as a caller has to before anything else.
    fn permit(&self, sop: &Procedure, deed: &Deed) -> Result<Permit, Refusal> {
        let Some(who) = deed.who else { return Ok(Permit::clock()) };
        let action = match deed.ask {
            Ask::CreateSop(_) => Action::CreateSop,
            Ask::CreateDraft { .. } | Ask::Edit { .. } | Ask::Submit { .. } => Action::EditSop,
            Ask::Decide { .. } => Action::Decide,
            Ask::TakeBack { .. } => Action::WithdrawDecision,
            Ask::Withdraw { .. } => Action::Withdraw,
            Ask::Discard { .. } => Action::Discard,
            Ask::PublishDue { .. } => Action::PublishDue,
            Ask::Retire { .. } => Action::RetireSop,
            Ask::Revive { .. } => Action::ReviveSop,
            Ask::HandOver { .. } => Action::HandOverSop,
            Ask::Comment { .. } | Ask::Resolve { .. } | Ask::Reopen { .. } => Action::Comment,
            Ask::Delegate(..) => Action::Delegate,
        };
        let actor = self.facts.actor(who, None);
        let contributed = sop.open_version().map(|v| v.contributors.clone()).unwrap_or_default();
        let retirement = sop.request.as_ref().filter(|r| action == Action::Withdraw && subject_version(r).is_none());
        let facts = SopFacts {
            team: sop.team,
            owner: sop.owner,
            was_published: sop.was_published(),
            contributors: retirement.map_or(contributed, |r| BTreeSet::from([r.requested_by])),
            stages: sop.request.as_ref().map(|r| r.stages.clone()).unwrap_or_default(),
        };
        let resource = match action {
            Action::CreateSop => Resource::Team(team(self.facts.cast.sops[deed.sop].1)),
            Action::Delegate => Resource::Organisation,
            _ => Resource::Sop(&facts),
        };
        decide(&actor, action, resource)
    }
}

fn found(sop: &Procedure, id: VersionId) -> Result<&Version, Refusal> {
    sop.version(id).ok_or(Refusal::NotFound("version"))
}
