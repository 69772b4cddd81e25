//! The table of the lifecycle, written a second time and another way: what an action should bring about, if anything.

mod refusals;
mod voice;

use crate::access::Action;
use crate::content::ChangeKind;
use crate::ids::{RequestId, VersionId};
use crate::lifecycle::{SopState, Version, VersionState};
use crate::policy::PolicyKind;
use crate::time::DAY;

use super::cast::{People, person, sop_id};
use super::documents::Spec;
use super::facts::{Deputy, Facts, Remark};
use super::history::Passage;
use super::table::SopRow;
use super::world::{Ask, Deed, World};

pub use refusals::{check_code, why_refused};

/// The versions that move, and where to. Nothing when the action has to be refused.
pub type Foreseen = Option<Vec<(VersionId, VersionState)>>;

/// One SOP as an oracle sees it.
struct View<'a> {
    world: &'a World,
    facts: &'a Facts,
    deed: &'a Deed,
    row: &'a SopRow,
    who: usize,
}

/// The roles that let their holders see drafts, and comment on them.
const COMMENTERS: [&str; 4] = ["author", "reviewer", "approver", "manager"];
/// The role that lets its holders see drafts, and no more.
const READER: &str = "admin";

pub fn foresee(world: &World, deed: &Deed) -> Foreseen {
    let facts = &world.facts;
    let row = world.tables.sop(sop_id(deed.sop));
    let stays = |allowed: bool| allowed.then(Vec::new);
    match &deed.ask {
        Ask::CreateSop(_) => {
            let author = facts.holds(deed.who?, "author", Some(facts.cast.sops[deed.sop].1));
            stays(row.is_none() && author)
        }
        Ask::Delegate(deputy, reason) => stays(against_delegation(facts, deputy, reason).is_empty()),
        Ask::PublishDue { version } => {
            let view = View { world, facts, deed, row: row?, who: usize::MAX };
            let due =
                |v: &Version| v.state == VersionState::Approved && v.effective_at.is_none_or(|at| at <= facts.now);
            view.version(*version).filter(|v| due(v)).map(|v| view.published(v.id))
        }
        _ => View { world, facts, deed, row: row?, who: deed.who? }.foresee(),
    }
}

/// Whether the process of the SOP has no other that is not retired.
pub fn process_is_free(world: &World, sop: usize) -> bool {
    let process = world.facts.cast.sops[sop].0;
    let others = world.tables.sops.iter().filter(|s| s.id != sop_id(sop) && s.process == process);
    others.into_iter().all(|s| s.state == SopState::Retired)
}

/// What speaks against letting another decide: it is for a role of one's own, as far as that reaches, for a time, and
/// for a reason.
fn against_delegation(facts: &Facts, deputy: &Deputy, reason: &str) -> Vec<&'static str> {
    let Deputy { from, role, team, .. } = *deputy;
    let held = facts.holds(from, role, team);
    let mut others = facts.deputies.iter().filter(|d| d.to == from && d.role == role && facts.is_in_force(d));
    let lent = others.any(|d| facts.holds(d.from, role, team));
    let period = deputy.ends.since(deputy.starts);
    let why = [
        (facts.selves(from).has(deputy.to), "delegation to oneself refused"),
        (period < 1 || deputy.ends <= facts.now, "delegation for no time refused"),
        (period > 366 * DAY, "delegation for too long refused"),
        (reason.trim().is_empty(), "delegation without reason refused"),
        (held && facts.appoints(role), "delegation of a role that gives out roles refused"),
        (!held && lent, "delegation of a delegated role refused"),
        (!held && !lent, "delegation of no own role refused"),
    ];
    why.into_iter().filter(|(so, _)| *so).map(|(_, why)| why).collect()
}

impl View<'_> {
    fn foresee(&self) -> Foreseen {
        let stays = |allowed: bool| allowed.then(Vec::new);
        match &self.deed.ask {
            Ask::CreateDraft { based_on, .. } => {
                let free = self.row.state != SopState::Retired && self.open().is_none();
                stays(self.may(Action::EditSop) && free && self.is_base(*based_on))
            }
            Ask::Edit { version, revision, .. } => stays(self.may(Action::EditSop) && self.draft(*version, *revision)),
            Ask::Submit { version, revision } => self.submitted(*version, *revision),
            Ask::Decide(answered) => {
                let passage = self.passage(answered.request)?;
                self.why_not(passage, answered).is_empty().then(|| self.decided(passage, answered.approves))
            }
            Ask::TakeBack { request } => {
                let passage = self.passage(*request)?;
                let selves = self.facts.selves(self.who);
                let own = passage.standing().any(|v| selves.has(v.who) && v.stage == passage.stage);
                stays(own && self.reads_drafts())
            }
            Ask::Withdraw { request } => {
                let passage = self.passage(*request)?;
                self.may(Action::Withdraw)
                    .then(|| passage.version.map(|v| (v, VersionState::Draft)).into_iter().collect())
            }
            Ask::Discard { version, revision, reason } => {
                let found = self.version(*version)?;
                let here = matches!(found.state, VersionState::Draft | VersionState::Approved);
                let fine = here && found.revision == *revision && !reason.trim().is_empty();
                (fine && self.may(Action::Discard)).then(|| vec![(*version, VersionState::Discarded)])
            }
            Ask::Retire { revision, reason, successor } => {
                let quiet = self.world.history.open(self.deed.sop).is_none()
                    && self.open().is_none_or(|v| v.state == VersionState::Draft);
                let said = !reason.trim().is_empty() && *successor != Some(self.row.id);
                let known = self.row.revision == *revision && self.in_force().is_some();
                let fine = self.is_owner() && known && quiet && said;
                stays(fine && self.fillable(PolicyKind::Retirement, People::only(self.who)))
            }
            Ask::Revive { revision, based_on, .. } => {
                let gone = self.row.state == SopState::Retired && self.row.revision == *revision;
                stays(self.is_owner() && gone && self.is_base(*based_on))
            }
            Ask::HandOver { revision, to } => {
                let other = self.row.owner != person(*to) && self.row.revision == *revision;
                stays(self.may(Action::HandOverSop) && other)
            }
            Ask::Comment { version } => stays(self.comments() && self.is_open(*version)),
            Ask::Resolve { thread } => {
                let remark = self.world.facts.remarks.get(*thread)?;
                stays(self.against_resolving(remark).is_empty())
            }
            Ask::Reopen { thread } => {
                let remark = self.world.facts.remarks.get(*thread)?;
                stays(remark.resolved && self.comments() && self.is_open(remark.version))
            }
            Ask::CreateSop(_) | Ask::PublishDue { .. } | Ask::Delegate(..) => None,
        }
    }

    /// What speaks against settling a thread: whoever contributed settles only what they began.
    fn against_resolving(&self, remark: &Remark) -> Vec<&'static str> {
        let selves = self.facts.selves(self.who);
        let contributors = self.world.history.contributors.get(&remark.version).copied().unwrap_or_default();
        let others = !selves.has(remark.author);
        let contributed = contributors.has(self.who);
        let why = [
            (remark.resolved, "resolved comment not resolved again"),
            (others && contributed, "contributor resolves no comment of others"),
            (
                others && !contributed && contributors.meets(selves),
                "second account of a contributor resolves no comment of others",
            ),
            (!self.comments(), "comment not resolved by who does not comment"),
            (!self.is_open(remark.version), "comment on what cannot come into force any more not resolved"),
        ];
        why.into_iter().filter(|(so, _)| *so).map(|(_, why)| why).collect()
    }

    fn submitted(&self, id: VersionId, revision: i64) -> Foreseen {
        let spec = self.spec(self.version(id)?);
        let editorial_indeed = match (spec.kind, self.in_force()) {
            (ChangeKind::Material, _) => true,
            (ChangeKind::Editorial, in_force) => in_force.is_some_and(|v| self.spec(v).shape == spec.shape),
        };
        let contributors = self.world.history.contributors.get(&id).copied().unwrap_or_default();
        let fine = self.draft(id, revision)
            && self.world.history.open(self.deed.sop).is_none()
            && spec.gap == 0
            && editorial_indeed
            && self.fillable(spec.kind.into(), contributors.and(People::only(self.who)));
        (fine && self.may(Action::EditSop)).then(|| vec![(id, VersionState::InReview)])
    }

    fn fillable(&self, kind: PolicyKind, barred: People) -> bool {
        self.facts.fillable(self.facts.policy(kind), barred, self.row.team)
    }

    fn decided(&self, passage: &Passage, approves: bool) -> Vec<(VersionId, VersionState)> {
        let barred = self.world.history.barred(passage);
        let last = passage.stage + 1 == passage.policy.stages.len();
        let done = approves && last && passage.one_more_closes(self.facts, barred);
        match passage.version {
            Some(id) if !approves => vec![(id, VersionState::Draft)],
            Some(id) if done => {
                let at = self.version(id).and_then(|v| v.effective_at);
                let due = at.is_none_or(|at| at <= self.facts.now);
                if due { self.published(id) } else { vec![(id, VersionState::Approved)] }
            }
            None if done => {
                let gone = self.in_force().map(|v| (v.id, VersionState::Retired));
                gone.into_iter().chain(self.open().map(|v| (v.id, VersionState::Discarded))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn published(&self, id: VersionId) -> Vec<(VersionId, VersionState)> {
        let before = self.in_force().map(|v| (v.id, VersionState::Superseded));
        before.into_iter().chain([(id, VersionState::Published)]).collect()
    }

    fn passage(&self, request: RequestId) -> Option<&Passage> {
        self.world.history.open(self.deed.sop).filter(|p| p.request == request)
    }

    fn version(&self, id: VersionId) -> Option<&Version> {
        self.world.tables.versions_of(self.row.id).find(|v| v.id == id)
    }

    fn open(&self) -> Option<&Version> {
        let states = [VersionState::Draft, VersionState::InReview, VersionState::Approved];
        self.world.tables.in_state(self.row.id, &states)
    }

    fn is_open(&self, id: VersionId) -> bool {
        self.open().is_some_and(|v| v.id == id)
    }

    fn in_force(&self) -> Option<&Version> {
        self.world.tables.in_state(self.row.id, &[VersionState::Published])
    }

    fn draft(&self, id: VersionId, revision: i64) -> bool {
        self.version(id).is_some_and(|v| v.state == VersionState::Draft && v.revision == revision)
    }

    fn is_base(&self, based_on: Option<VersionId>) -> bool {
        based_on.is_none_or(|base| self.version(base).is_some())
    }

    fn spec(&self, version: &Version) -> Spec {
        self.world.specs[&version.content]
    }

    fn is_owner(&self) -> bool {
        self.row.owner == person(self.who)
    }

    fn may(&self, action: Action) -> bool {
        let role = |name: &str| self.facts.holds(self.who, name, Some(self.row.team));
        let contributor = || self.open().is_some_and(|v| self.world.history.contributed(v.id, self.who));
        // Who wrote a draft has no say in a retirement, whoever asked for it has.
        let asked = || self.world.history.open(self.deed.sop).filter(|p| p.version.is_none()).map(|p| p.asked_by);
        let allowed = match action {
            Action::EditSop => role("author"),
            Action::Withdraw => asked().map_or_else(contributor, |asked| asked == self.who),
            Action::Discard => contributor(),
            Action::HandOverSop => role("manager"),
            _ => false,
        };
        let knows = || self.world.history.ever_published.has(self.deed.sop) || self.reads_drafts();
        self.is_owner() || (allowed && knows())
    }

    /// Whether the person sees what was not published.
    fn reads_drafts(&self) -> bool {
        self.comments() || self.facts.holds(self.who, READER, Some(self.row.team))
    }

    /// Whether the person comments on it.
    fn comments(&self) -> bool {
        let open = self.world.history.open(self.deed.sop);
        self.is_owner()
            || COMMENTERS.iter().any(|role| self.facts.holds(self.who, role, Some(self.row.team)))
            || open.is_some_and(|p| self.facts.has_part(self.who, &p.policy.stages, self.row.team))
    }
}
