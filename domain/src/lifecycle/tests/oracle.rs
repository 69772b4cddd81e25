//! The table of the lifecycle, written a second time and another way: what an action should bring about, if anything.

use std::collections::BTreeSet;

use crate::access::Action;
use crate::content::ChangeKind;
use crate::ids::{PersonId, RequestId, VersionId};
use crate::lifecycle::{SopState, Version, VersionState};
use crate::policy::{PolicyKind, Stage};

use super::cast::{AUTH_AGE, PEOPLE, SOPS, Spec, fits, holds, person, sop_id};
use super::history::Passage;
use super::table::SopRow;
use super::world::{Ask, Deed, World};

/// The versions that move, and where to. Nothing when the action has to be refused.
pub type Foreseen = Option<Vec<(VersionId, VersionState)>>;

/// One SOP as an oracle sees it.
struct View<'a> {
    world: &'a World,
    deed: &'a Deed,
    row: &'a SopRow,
    who: usize,
}

pub fn foresee(world: &World, deed: &Deed) -> Foreseen {
    let row = world.tables.sop(sop_id(deed.sop));
    if matches!(deed.ask, Ask::CreateSop(_)) {
        return (row.is_none() && holds(deed.who?, "author", Some(SOPS[deed.sop].1))).then(Vec::new);
    }
    let row = row?;
    if let Ask::PublishDue { version } = deed.ask {
        let due = |v: &Version| v.state == VersionState::Approved && v.effective_at.is_none_or(|at| at <= world.now);
        let view = View { world, deed, row, who: usize::MAX };
        return view.version(version).filter(|v| due(v)).map(|v| view.published(v.id));
    }
    View { world, deed, row, who: deed.who? }.foresee()
}

/// Whether the process of the SOP has no other that is not retired.
pub fn process_is_free(world: &World, sop: usize) -> bool {
    let others = world.tables.sops.iter().filter(|s| s.id != sop_id(sop) && s.process == SOPS[sop].0);
    others.into_iter().all(|s| s.state == SopState::Retired)
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
            Ask::Decide { request, approves, content, comment } => {
                let passage = self.passage(*request)?;
                let saw = *content == passage.content && (*approves || !comment.trim().is_empty());
                (saw && self.decides(passage)).then(|| self.decided(passage, *approves))
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
                let stages = self.world.policy(PolicyKind::Retirement);
                let known = self.row.revision == *revision && self.in_force().is_some();
                stays(self.is_owner() && known && quiet && said && self.fillable(&stages, &BTreeSet::from([self.who])))
            }
            Ask::Revive { revision, based_on, .. } => {
                let gone = self.row.state == SopState::Retired && self.row.revision == *revision;
                stays(self.is_owner() && gone && self.is_base(*based_on))
            }
            Ask::HandOver { revision, to } => {
                let other = self.row.owner != person(*to) && self.row.revision == *revision;
                stays(self.may(Action::HandOverSop) && other)
            }
            Ask::CreateSop(_) | Ask::PublishDue { .. } => None,
        }
    }

    fn submitted(&self, id: VersionId, revision: i64) -> Foreseen {
        let spec = self.spec(self.version(id)?);
        let editorial_indeed = match (spec.kind, self.in_force()) {
            (ChangeKind::Material, _) => true,
            (ChangeKind::Editorial, in_force) => in_force.is_some_and(|v| self.spec(v).shape == spec.shape),
        };
        let mut barred = self.world.history.contributors.get(&id).cloned().unwrap_or_default();
        barred.insert(self.who);
        let fine = self.draft(id, revision)
            && self.world.history.open(self.deed.sop).is_none()
            && spec.gap == 0
            && editorial_indeed
            && self.fillable(&self.world.policy(spec.kind.into()), &barred);
        (fine && self.may(Action::EditSop)).then(|| vec![(id, VersionState::InReview)])
    }

    fn decides(&self, passage: &Passage) -> bool {
        let Some(stage) = passage.stages.get(passage.stage()) else { return false };
        let recent = stage.max_auth_age.is_none() || self.deed.login.is_some_and(|age| age <= AUTH_AGE);
        let fresh = passage.votes.iter().all(|v| v.who != self.who);
        fresh
            && recent
            && fits(self.who, stage, self.row.team)
            && !self.world.history.barred(passage).contains(&self.who)
    }

    fn decided(&self, passage: &Passage, approves: bool) -> Vec<(VersionId, VersionState)> {
        let done = approves && passage.one_more_closes() && passage.stage() + 1 == passage.stages.len();
        match passage.version {
            Some(id) if !approves => vec![(id, VersionState::Draft)],
            Some(id) if done => {
                let at = self.version(id).and_then(|v| v.effective_at);
                let due = at.is_none_or(|at| at <= self.world.now);
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
        let role = |name: &str| holds(self.who, name, Some(self.row.team));
        let contributor = || self.open().is_some_and(|v| self.world.history.contributed(v.id, self.who));
        let allowed = match action {
            Action::EditSop => role("author"),
            Action::Withdraw | Action::Discard => contributor(),
            Action::HandOverSop => role("manager"),
            _ => false,
        };
        self.is_owner() || (allowed && self.knows())
    }

    /// Whether the person may know of the SOP at all.
    fn knows(&self) -> bool {
        let roles = ["author", "reviewer", "approver", "manager", "admin"];
        let sees = roles.iter().any(|role| holds(self.who, role, Some(self.row.team)));
        let named = self.world.history.open(self.deed.sop);
        let decides = named.is_some_and(|p| p.stages.iter().any(|s| fits(self.who, s, self.row.team)));
        sees || decides || self.world.history.ever_published.contains(&self.deed.sop)
    }

    /// Tries every way of seating people.
    fn fillable(&self, stages: &[Stage], barred: &BTreeSet<usize>) -> bool {
        let seats: Vec<&Stage> = stages.iter().flat_map(|s| std::iter::repeat_n(s, s.min_approvals as usize)).collect();
        let counts = !stages.is_empty() && stages.iter().all(|s| s.min_approvals > 0);
        counts && seat(&seats, &mut barred.clone(), self.row.team)
    }
}

fn seat(seats: &[&Stage], taken: &mut BTreeSet<usize>, team: u128) -> bool {
    let Some((first, rest)) = seats.split_first() else { return true };
    (0..PEOPLE.len()).any(|who| {
        if !fits(who, first, team) || !taken.insert(who) {
            return false;
        }
        let seated = seat(rest, taken, team);
        taken.remove(&who);
        seated
    })
}

/// Who a person id stands for.
pub fn index(id: PersonId) -> usize {
    (0..PEOPLE.len()).find(|n| person(*n) == id).expect("everyone is known")
}
