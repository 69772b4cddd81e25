//! Writes down who did what, out of what was asked and allowed alone.

use uuid::Uuid;

use crate::ids::{DecisionId, VersionId};
use crate::lifecycle::VersionState;
use crate::policy::PolicyKind;

use super::super::cast::People;
use super::super::facts::Remark;
use super::super::history::{Passage, Vote};
use super::{Answered, Ask, Deed, World};

impl World {
    pub(super) fn remember(&mut self, deed: &Deed) {
        let Some(who) = deed.who else { return };
        let new = VersionId(Uuid::from_u128(self.serial));
        match &deed.ask {
            Ask::CreateSop(spec) => {
                self.specs.insert(spec.hash(), *spec);
                self.contributed(new, who);
            }
            Ask::CreateDraft { spec, based_on } | Ask::Revive { spec, based_on, .. } => {
                self.specs.insert(spec.hash(), *spec);
                self.contributed(new, who);
                self.taken_up(new, *based_on);
            }
            Ask::Edit { version, spec, .. } => {
                self.specs.insert(spec.hash(), *spec);
                self.contributed(*version, who);
            }
            Ask::Submit { version, .. } => {
                self.contributed(*version, who);
                self.asked(deed.sop, who, Some(*version));
            }
            Ask::Retire { .. } => self.asked(deed.sop, who, None),
            Ask::Decide(answered) => self.voted(deed.sop, who, answered),
            Ask::TakeBack { .. } => self.took_back(deed.sop, who),
            Ask::Withdraw { .. } => self.open(deed.sop).open = false,
            Ask::Comment { version } => {
                self.facts.remarks.push(Remark { version: *version, author: who, resolved: false });
            }
            Ask::Resolve { thread } => self.facts.remarks[*thread].resolved = true,
            Ask::Reopen { thread } => self.facts.remarks[*thread].resolved = false,
            Ask::Delegate(deputy, _) => self.facts.deputies.push(deputy.clone()),
            Ask::Discard { .. } | Ask::PublishDue { .. } | Ask::HandOver { .. } => {}
        }
    }

    fn open(&mut self, sop: usize) -> &mut Passage {
        self.history.passages.iter_mut().find(|p| p.sop == sop && p.open).expect("foreseen")
    }

    fn contributed(&mut self, version: VersionId, who: usize) {
        let known = self.history.contributors.entry(version).or_default();
        *known = known.and(People::only(who));
    }

    /// What never came into force is still the work of those who wrote it.
    fn taken_up(&mut self, version: VersionId, base: Option<VersionId>) {
        let given_up = |base: &VersionId| {
            let of_base = self.tables.versions.iter().find(|(_, v)| v.id == *base);
            of_base.is_some_and(|(_, v)| v.state == VersionState::Discarded)
        };
        if let Some(base) = base.filter(given_up) {
            let earlier = self.history.contributors[&base];
            let known = self.history.contributors.entry(version).or_default();
            *known = known.and(earlier);
        }
    }

    fn asked(&mut self, sop: usize, who: usize, version: Option<VersionId>) {
        let procedure = &self.procedures[&sop];
        let subject = version.map_or_else(|| procedure.in_force(), |id| procedure.version(id)).expect("foreseen");
        let kind = version.map_or(PolicyKind::Retirement, |_| subject.kind.into());
        self.history.passages.push(Passage {
            request: self.request_id(),
            sop,
            version,
            content: subject.content,
            policy: self.facts.policy(kind).clone(),
            asked_by: who,
            votes: Vec::new(),
            stage: 0,
            closed: Vec::new(),
            links: self.facts.links,
            open: true,
        });
    }

    fn voted(&mut self, sop: usize, who: usize, answered: &Answered) {
        let (id, team) = (DecisionId(Uuid::from_u128(self.serial)), self.facts.cast.sops[sop].1);
        let Answered { approves, content, behalf, .. } = *answered;
        let barred = self.history.open(sop).map(|p| self.history.barred(p)).expect("foreseen");
        let facts = &self.facts;
        let open = self.history.passages.iter_mut().find(|p| p.sop == sop && p.open);
        let passage = open.expect("foreseen");
        let (stage, withdrawn) = (passage.stage, false);
        let needed = &passage.policy.stages[stage];
        let entitled = match behalf {
            None => facts.fits(who, needed, team),
            Some(from) => facts.stands_in(who, from, needed, team),
        };
        passage.take(Vote { id, who, behalf, stage, content, approves, entitled, withdrawn }, facts, barred);
    }

    fn took_back(&mut self, sop: usize, who: usize) {
        let selves = self.facts.selves(who);
        let passage = self.open(sop);
        let stage = passage.stage;
        let own = passage.votes.iter_mut().find(|v| !v.withdrawn && v.stage == stage && selves.has(v.who));
        own.expect("foreseen").withdrawn = true;
    }
}
