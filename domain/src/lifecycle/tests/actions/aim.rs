//! What a move comes to in a given world: who does it, and to what.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::content::{ChangeKind, ContentHash};
use crate::ids::{RequestId, VersionId};
use crate::lifecycle::{Procedure, Version};
use crate::time::HOUR;

use super::super::cast::{People, index, sop_id};
use super::super::documents::Spec;
use super::super::facts::Deputy;
use super::super::oracle::{foresee, why_refused};
use super::super::policies::{AUTH_AGE, ROLES};
use super::super::world::{Answered, Ask, Deed, World};
use super::{Move, Twist, What};

/// Who does something, and in whose place.
type Pair = (usize, Option<usize>);

impl Move {
    pub(super) fn deed(&self, world: &World) -> Deed {
        let login = match self.twist {
            Twist::OldLogin => (self.pick.is_multiple_of(2)).then_some(AUTH_AGE + 1),
            _ => Some(AUTH_AGE),
        };
        let decides = matches!(self.what(world), What::Approve | What::Reject);
        let (who, behalf) = if decides && self.behalf { self.delegate(world) } else { (self.somebody(world), None) };
        let mut ask = self.ask(world, Some(who));
        if let Ask::Decide(answered) = &mut ask {
            answered.behalf = behalf;
        }
        let clock = matches!(ask, Ask::PublishDue { .. });
        Deed { sop: self.sop, who: (!clock).then_some(who), login, ask }
    }

    /// The same, not spoilt.
    pub(super) fn straight(&self, world: &World, deed: &Deed) -> Deed {
        let mut ask = Self { twist: Twist::Nothing, ..self.clone() }.ask(world, deed.who);
        if let (Ask::Decide(straight), Ask::Decide(spoilt)) = (&mut ask, &deed.ask) {
            straight.behalf = spoilt.behalf;
        }
        Deed { ask, login: Some(0), ..deed.clone() }
    }

    fn somebody(&self, world: &World) -> usize {
        if self.fit { self.fitting(world) } else { self.suspect(world).unwrap_or(self.who) }
    }

    /// Somebody who should be kept from it, or who hands on what was handed to them.
    fn suspect(&self, world: &World) -> Option<usize> {
        match self.what(world) {
            What::Approve | What::Reject | What::Resolve => {
                self.kept(world, world.facts.everyone().map(|who| (who, None))).map(|(who, _)| who)
            }
            What::Delegate if self.pick.is_multiple_of(2) => self.lent(world).map(|d| d.to),
            _ => None,
        }
    }

    /// One of those who are kept from it for a single reason. Each reason is as likely as the others, be there ever so
    /// few of whom it holds.
    fn kept(&self, world: &World, tries: impl Iterator<Item = Pair>) -> Option<Pair> {
        let mut kept = BTreeMap::<&str, Vec<Pair>>::new();
        for pair in tries {
            if let Some(why) = why_refused(world, &self.by(world, pair)) {
                kept.entry(why).or_default().push(pair);
            }
        }
        let of = kept.values().nth(self.pick / 2 % kept.len().max(1))?;
        of.get(self.who % of.len()).copied()
    }

    /// What it is, not spoilt, when this person does it, in the place of that one.
    fn by(&self, world: &World, (who, behalf): Pair) -> Deed {
        let mut ask = Self { twist: Twist::Nothing, ..self.clone() }.ask(world, Some(who));
        if let Ask::Decide(answered) = &mut ask {
            answered.behalf = behalf;
        }
        Deed { sop: self.sop, who: Some(who), login: Some(0), ask }
    }

    /// A delegation that is in force.
    fn lent<'a>(&self, world: &'a World) -> Option<&'a Deputy> {
        let in_force: Vec<&Deputy> = world.facts.deputies.iter().filter(|d| world.facts.is_in_force(d)).collect();
        in_force.get(self.who % in_force.len().max(1)).copied()
    }

    /// One of those who may, if it is not spoilt. Where nobody may, it is the owner who tries.
    fn fitting(&self, world: &World) -> usize {
        let may = |who: &usize| foresee(world, &self.by(world, (*who, None))).is_some();
        let mut able: Vec<usize> = world.facts.everyone().filter(may).collect();
        if let (What::Delegate, Some(role)) = (self.what(world), self.needed(world))
            && self.is_aimed()
        {
            able.retain(|who| world.facts.holds(*who, role, None));
        }
        if self.what(world) == What::Approve && !self.pick.is_multiple_of(3) {
            self.prefer_partners(world, &mut able);
        }
        let owner = || world.procedures.get(&self.sop).map_or(self.who, |p| index(p.owner));
        able.get(self.who % able.len().max(1)).copied().unwrap_or_else(owner)
    }

    /// Of these people those whose other account, as it may turn out, has a part in the request already; if there are
    /// any.
    fn prefer_partners(&self, world: &World, able: &mut Vec<usize>) {
        let known = world.history.open(self.sop).map(|p| p.voices().and(world.history.barred(p))).unwrap_or_default();
        let links = world.facts.cast.links.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
        let partners: People = links.filter(|(one, _)| known.has(*one)).map(|(_, other)| other).collect();
        if able.iter().any(|who| partners.has(*who)) {
            able.retain(|who| partners.has(*who));
        }
    }

    /// One of those who may on behalf of somebody, if it is not spoilt; else one who is kept from it, or two people
    /// between whom nothing was agreed.
    fn delegate(&self, world: &World) -> Pair {
        let told = || world.facts.deputies.iter().map(|d| (d.to, Some(d.from)));
        let nobody = (self.who, Some(self.pick % world.facts.cast.people.len()));
        if !self.fit {
            return self.kept(world, told().chain([nobody])).unwrap_or(nobody);
        }
        let able: Vec<Pair> = told().filter(|pair| foresee(world, &self.by(world, *pair)).is_some()).collect();
        able.get(self.who % able.len().max(1)).copied().unwrap_or_else(|| (self.fitting(world), None))
    }

    /// Whether a delegation is one of the role that the open stage names, where there is such a role.
    fn is_aimed(&self) -> bool {
        self.what == What::Onward || self.pick.is_multiple_of(2)
    }

    /// The role that the open stage names.
    fn needed(&self, world: &World) -> Option<&'static str> {
        world.history.open(self.sop).map(|p| p.policy.stages[p.stage].role)
    }

    /// What it is, when this person does it.
    pub(super) fn ask(&self, world: &World, who: Option<usize>) -> Ask {
        let what = self.what(world);
        if what == What::Delegate {
            return self.delegation(world, who.unwrap_or(self.who));
        }
        let Some(sop) = world.procedures.get(&self.sop) else { return Ask::CreateSop(self.spec(world, None)) };
        let stale = i64::from(self.twist == Twist::StaleRevision);
        let (version, at) = self.version(world, sop);
        let reason = if self.twist == Twist::NoReason { " " } else { "because" };
        let (revision, of_version) = (sop.revision - stale, at.map_or(1, |v| v.revision) - stale);
        let based_on = self.base(world, sop);
        match what {
            What::CreateDraft => Ask::CreateDraft { based_on, spec: self.spec(world, Some(sop)) },
            What::Edit => Ask::Edit { version, revision: of_version, spec: self.spec(world, Some(sop)) },
            What::Approve => self.answer(sop, true),
            What::Reject => self.answer(sop, false),
            What::TakeBack => Ask::TakeBack { request: self.request(sop) },
            What::Withdraw => Ask::Withdraw { request: self.request(sop) },
            What::Discard => Ask::Discard { version, revision: of_version, reason },
            What::PublishDue => Ask::PublishDue { version },
            What::Retire => {
                let successor = [None, None, Some(sop_id(1)), Some(sop_id(0))][self.pick % 4];
                Ask::Retire { revision, reason, successor }
            }
            What::Revive => Ask::Revive { revision, based_on, spec: self.spec(world, Some(sop)) },
            What::HandOver => Ask::HandOver { revision, to: self.pick % world.facts.cast.people.len() },
            What::Comment => Ask::Comment { version },
            What::Resolve => Ask::Resolve { thread: self.thread(world, version, false) },
            What::Reopen => Ask::Reopen { thread: self.thread(world, version, true) },
            _ => Ask::Submit { version, revision: of_version },
        }
    }

    fn answer(&self, sop: &Procedure, approves: bool) -> Ask {
        let seen = sop.request.as_ref().map_or(ContentHash([0; 32]), |r| r.content);
        let content = if self.twist == Twist::OtherContent { ContentHash([1; 32]) } else { seen };
        let comment = if self.twist == Twist::NoReason { "" } else { "seen" };
        Ask::Decide(Answered { request: self.request(sop), approves, content, comment, behalf: None })
    }

    fn request(&self, sop: &Procedure) -> RequestId {
        let other = RequestId(Uuid::nil());
        sop.request.as_ref().filter(|_| self.twist != Twist::OtherTarget).map_or(other, |r| r.id)
    }

    /// The open version, or any of any SOP.
    fn version<'a>(&self, world: &'a World, sop: &'a Procedure) -> (VersionId, Option<&'a Version>) {
        let any = || world.tables.versions.get(self.pick % world.tables.versions.len().max(1)).map(|(_, v)| v);
        let open = sop.open_version().filter(|_| self.twist != Twist::OtherTarget).or_else(any);
        (open.map_or(VersionId(Uuid::nil()), |v| v.id), open)
    }

    /// A thread on the version that is in this state, or any of any version.
    fn thread(&self, world: &World, version: VersionId, resolved: bool) -> usize {
        let remarks = &world.facts.remarks;
        let aimed = |n: &usize| remarks[*n].version == version && remarks[*n].resolved == resolved;
        let fit: Vec<usize> = (0..remarks.len()).filter(aimed).collect();
        let any = self.pick % remarks.len().max(1);
        if self.fit { fit.get(self.pick % fit.len().max(1)).copied().unwrap_or(any) } else { any }
    }

    /// The version in force, or a version of this SOP, or one of another.
    fn base(&self, world: &World, sop: &Procedure) -> Option<VersionId> {
        if self.twist == Twist::OtherTarget {
            return world.tables.versions.iter().find(|(of, _)| *of != sop.id).map(|(_, v)| v.id);
        }
        let earlier = sop.versions.get(self.pick % sop.versions.len().max(1)).filter(|_| self.pick.is_multiple_of(3));
        earlier.or_else(|| sop.in_force()).map(|v| v.id)
    }

    /// A delegation by this person; where it is to fit in a role that the person holds, best in the one that the open
    /// stage names.
    fn delegation(&self, world: &World, from: usize) -> Ask {
        let (facts, reason) = (&world.facts, if self.twist == Twist::NoReason { " " } else { "leave" });
        let needed = self.needed(world);
        let grants: Vec<_> = facts.grants(from).filter(|(role, _)| ROLES.contains(role)).collect();
        let aimed = grants.iter().find(|(role, _)| Some(*role) == needed).filter(|_| self.is_aimed());
        let held = aimed.or_else(|| grants.get(self.pick % grants.len().max(1))).filter(|_| self.fit);
        let lent = self.lent(world).filter(|d| d.to == from).map(|d| (d.role, d.team));
        let (role, scope) = held.copied().or(lent).unwrap_or((ROLES[self.pick % ROLES.len()], None));
        let team = [scope, None, Some(0), Some(1)][if self.fit { self.pick % 2 } else { self.pick % 4 }];
        let team = if self.behalf { team.or(Some(facts.cast.sops[self.sop].1)) } else { team };
        let starts = if self.what == What::Onward { self.period.starts.min(0) } else { self.period.starts };
        let starts = facts.now.plus(starts * HOUR);
        let ends = starts.plus(self.period.lasts * HOUR);
        let to = self.deputy(world, from, role);
        Ask::Delegate(Deputy { from, to, role, team, starts, ends }, reason)
    }

    /// To whom: one who may turn out to be the same person, one who lets others decide in that role, or anyone.
    fn deputy(&self, world: &World, from: usize, role: &str) -> usize {
        let facts = &world.facts;
        let linked = || {
            let mut pairs = facts.cast.links.iter().rev().flat_map(|(one, other)| [(*one, *other), (*other, *one)]);
            pairs.find(|(one, _)| *one == from).map(|(_, other)| other)
        };
        let mut delegators = facts.deputies.iter().filter(|d| d.role == role && d.from != from).map(|d| d.from);
        let aimed = match self.pick % 8 {
            0 => linked(),
            1..=4 => delegators.next(),
            _ => None,
        };
        aimed.unwrap_or((self.pick / 4) % facts.cast.people.len())
    }

    fn spec(&self, world: &World, sop: Option<&Procedure>) -> Spec {
        let base = sop.and_then(|s| s.open_version().or_else(|| s.version(self.base(world, s)?)));
        let shape = base.map_or(0, |v| world.specs[&v.content].shape);
        Spec {
            shape: self.sketch.shape.unwrap_or(shape),
            wording: self.sketch.wording,
            gap: self.sketch.gap,
            kind: if sop.is_none_or(|s| s.in_force().is_none()) && self.fit {
                ChangeKind::Material
            } else {
                self.sketch.kind
            },
            effective_at: self.sketch.effective_in.map(|hours| world.facts.now.plus(hours * HOUR)),
        }
    }
}
