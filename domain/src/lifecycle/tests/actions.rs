//! Random moves, and what each comes to in a given world. Most aim at what could be allowed there, else a run would
//! hardly ever reach publication; each can be spoilt in one way.

use proptest::prelude::*;
use uuid::Uuid;

use crate::content::{ChangeKind, ContentHash};
use crate::error::Refusal;
use crate::ids::{RequestId, VersionId};
use crate::lifecycle::{Procedure, SopState, Version, VersionState};
use crate::time::HOUR;

use super::cast::{AUTH_AGE, FIT_POLICIES, GAPS, PEOPLE, POLICIES, SHAPES, SOPS, Spec, sop_id};
use super::oracle::{self, foresee};
use super::world::{Ask, Deed, World};
use super::{Checked, ensure};

/// What somebody sets out to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Whatever comes next in the life of the SOP.
    Onward,
    CreateDraft,
    Edit,
    Submit,
    Approve,
    Reject,
    Withdraw,
    Discard,
    Wait,
    PublishDue,
    Retire,
    Revive,
    HandOver,
    ChangePolicy,
}

/// How it is spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    Nothing,
    StaleRevision,
    OtherContent,
    NoReason,
    OtherTarget,
    OldLogin,
}

/// How a document comes to differ from the one before.
#[derive(Debug, Clone)]
pub struct Sketch {
    pub shape: Option<u8>,
    pub wording: u8,
    pub gap: u8,
    pub kind: ChangeKind,
    /// Hours from now.
    pub effective_in: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct Move {
    pub what: What,
    pub sop: usize,
    /// Whether one of those is taken who may, if there is one.
    pub fit: bool,
    pub who: usize,
    pub twist: Twist,
    pub pick: usize,
    pub sketch: Sketch,
}

pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(a_move(), 20..=60)
}

fn a_move() -> impl Strategy<Value = Move> {
    let usual = prop_oneof![
        24 => Just(What::Onward),
        4 => Just(What::Edit),
        3 => prop_oneof![Just(What::CreateDraft), Just(What::Submit)],
        5 => Just(What::Approve),
        3 => prop_oneof![Just(What::Reject), Just(What::Withdraw), Just(What::Discard)],
        2 => prop_oneof![Just(What::Wait), Just(What::PublishDue)],
        3 => Just(What::ChangePolicy),
        3 => prop_oneof![Just(What::Retire), Just(What::Revive), Just(What::HandOver)],
    ];
    let revised = vec![What::Edit, What::Submit, What::Discard, What::Retire, What::Revive, What::HandOver];
    let reasoned = vec![What::Reject, What::Discard, What::Retire];
    let aimed = vec![What::CreateDraft, What::Edit, What::Submit, What::Approve, What::Withdraw, What::PublishDue];
    let spoilt = prop_oneof![
        2 => (prop::sample::select(revised), Just(Twist::StaleRevision)),
        1 => (Just(What::Approve), Just(Twist::OtherContent)),
        1 => (Just(What::Approve), Just(Twist::OldLogin)),
        2 => (prop::sample::select(reasoned), Just(Twist::NoReason)),
        2 => (prop::sample::select(aimed), Just(Twist::OtherTarget)),
    ];
    // Most take their course, some come at the wrong time, some are spoilt.
    let what = prop_oneof![
        6 => (usual, Just(Twist::Nothing)),
        1 => (prop_oneof![Just(What::Retire), Just(What::Submit), Just(What::CreateDraft)], Just(Twist::Nothing)),
        2 => spoilt,
    ];
    let sop = prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    (what, sop, prop::bool::weighted(0.75), 0..PEOPLE.len(), 0..1_000_usize, sketch())
        .prop_map(|((what, twist), sop, fit, who, pick, sketch)| Move { what, sop, fit, who, twist, pick, sketch })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let shape = prop::option::weighted(0.3, 0..SHAPES);
    let gap = prop_oneof![8 => Just(0), 1 => 0..GAPS];
    let kind = prop_oneof![2 => Just(ChangeKind::Material), 1 => Just(ChangeKind::Editorial)];
    let effective_in = prop_oneof![3 => Just(None), 1 => (-24..0_i64).prop_map(Some), 2 => (1..72_i64).prop_map(Some)];
    (shape, 0..4_u8, gap, kind, effective_in).prop_map(|(shape, wording, gap, kind, effective_in)| Sketch {
        shape,
        wording,
        gap,
        kind,
        effective_in,
    })
}

impl Move {
    /// Makes this move in a world; mostly with the SOP that has the process, should there be another.
    pub fn make(&self, world: &mut World) -> Checked {
        let free = |sop: usize| oracle::process_is_free(world, sop);
        let other = (0..SOPS.len()).find(|sop| free(*sop) && SOPS[*sop].0 == SOPS[self.sop].0);
        match other.filter(|_| !self.pick.is_multiple_of(8) && !free(self.sop)) {
            Some(sop) => Self { sop, ..self.clone() }.make_here(world),
            None => self.make_here(world),
        }
    }

    fn make_here(&self, world: &mut World) -> Checked {
        match self.what {
            What::Wait => return self.wait(world),
            What::ChangePolicy => {
                let policy = self.pick % if self.fit { FIT_POLICIES } else { POLICIES };
                world.policies[self.who % 3] = policy;
                return Ok(());
            }
            What::Onward if self.next(world) == What::Wait => return self.wait(world),
            _ => {}
        }
        let straight = Self { twist: Twist::Nothing, ..self.clone() };
        let deed = self.deed(world);
        // Whether it is refused for its twist alone.
        let fine = Deed { ask: straight.ask(world), login: Some(0), ..deed.clone() };
        let spoilt = foresee(world, &deed).is_none() && foresee(world, &fine).is_some();
        count_refusals(world, &deed);
        let came = world.perform(&deed)?;
        if let (Err(refusal), true) = (&came, spoilt) {
            self.check_refusal(world, refusal)?;
        }
        Ok(())
    }

    /// Lets time pass: the clock publishes what is due, and nothing that is due is left.
    fn wait(&self, world: &mut World) -> Checked {
        world.now = world.now.plus(i64::try_from(self.pick % 48).unwrap_or_default() * HOUR);
        for sop in 0..SOPS.len() {
            let approved = world.tables.in_state(sop_id(sop), &[VersionState::Approved]).map(|v| v.id);
            if let Some(version) = approved {
                let _ = world.perform(&Deed { sop, who: None, login: None, ask: Ask::PublishDue { version } })?;
            }
        }
        let overdue =
            |v: &Version| v.state == VersionState::Approved && v.effective_at.is_some_and(|at| at <= world.now);
        ensure!(!world.tables.versions.iter().any(|(_, v)| overdue(v)), "a version is overdue");
        Ok(())
    }

    /// What comes next in the life of the SOP.
    fn next(&self, world: &World) -> What {
        let Some(sop) = world.procedures.get(&self.sop) else { return What::CreateDraft };
        let spec = |v: &Version| world.specs[&v.content];
        match (sop.open_version(), sop.state) {
            _ if sop.request.is_some() => What::Approve,
            (Some(v), _) if v.state == VersionState::Approved => What::Wait,
            (Some(v), _) if spec(v).gap > 0 || self.pick.is_multiple_of(5) => What::Edit,
            (Some(_), _) => What::Submit,
            (None, SopState::Retired) => What::Revive,
            (None, _) if self.pick.is_multiple_of(4) => What::Retire,
            (None, _) => What::CreateDraft,
        }
    }

    fn deed(&self, world: &World) -> Deed {
        let login = match self.twist {
            Twist::OldLogin => (self.pick.is_multiple_of(2)).then_some(AUTH_AGE + 1),
            _ => Some(AUTH_AGE),
        };
        let ask = self.ask(world);
        let clock = matches!(ask, Ask::PublishDue { .. });
        let who = if self.fit { self.fitting(world) } else { self.who };
        Deed { sop: self.sop, who: (!clock).then_some(who), login, ask }
    }

    /// One of those who may, if it is not spoilt. Where nobody may, it is the owner who tries.
    fn fitting(&self, world: &World) -> usize {
        let ask = Self { twist: Twist::Nothing, ..self.clone() }.ask(world);
        let by = |who| Deed { sop: self.sop, who: Some(who), login: Some(0), ask: ask.clone() };
        let able: Vec<usize> = (0..PEOPLE.len()).filter(|who| foresee(world, &by(*who)).is_some()).collect();
        let owner = || world.procedures.get(&self.sop).map_or(self.who, |p| oracle::index(p.owner));
        able.get(self.who % able.len().max(1)).copied().unwrap_or_else(owner)
    }

    fn ask(&self, world: &World) -> Ask {
        let what = if self.what == What::Onward { self.next(world) } else { self.what };
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
            What::Withdraw => Ask::Withdraw { request: self.request(sop) },
            What::Discard => Ask::Discard { version, revision: of_version, reason },
            What::PublishDue => Ask::PublishDue { version },
            What::Retire => {
                let successor = [None, None, Some(sop_id(1)), Some(sop_id(0))][self.pick % 4];
                Ask::Retire { revision, reason, successor }
            }
            What::Revive => Ask::Revive { revision, based_on, spec: self.spec(world, Some(sop)) },
            What::HandOver => Ask::HandOver { revision, to: self.pick % PEOPLE.len() },
            What::Submit | What::Onward | What::Wait | What::ChangePolicy => {
                Ask::Submit { version, revision: of_version }
            }
        }
    }

    fn answer(&self, sop: &Procedure, approves: bool) -> Ask {
        let seen = sop.request.as_ref().map_or(ContentHash([0; 32]), |r| r.content);
        let content = if self.twist == Twist::OtherContent { ContentHash([1; 32]) } else { seen };
        let comment = if self.twist == Twist::NoReason { "" } else { "seen" };
        Ask::Decide { request: self.request(sop), approves, content, comment }
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

    /// The version in force, or a version of this SOP, or one of another.
    fn base(&self, world: &World, sop: &Procedure) -> Option<VersionId> {
        if self.twist == Twist::OtherTarget {
            return world.tables.versions.iter().find(|(of, _)| *of != sop.id).map(|(_, v)| v.id);
        }
        let earlier = sop.versions.get(self.pick % sop.versions.len().max(1)).filter(|_| self.pick.is_multiple_of(3));
        earlier.or_else(|| sop.in_force()).map(|v| v.id)
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
            effective_at: self.sketch.effective_in.map(|hours| world.now.plus(hours * HOUR)),
        }
    }

    /// What was refused only for its twist says so in the way that a client can act on.
    fn check_refusal(&self, world: &mut World, refusal: &Refusal) -> Checked {
        let (fine, counted) = match self.twist {
            Twist::StaleRevision => {
                (matches!(refusal, Refusal::Conflict { current_revision: Some(_), .. }), "stale revision refused")
            }
            Twist::OtherContent => (matches!(refusal, Refusal::Conflict { .. }), "other content refused"),
            Twist::NoReason => (matches!(refusal, Refusal::Invalid(_)), "missing reason refused"),
            Twist::OldLogin => (matches!(refusal, Refusal::Forbidden(_)), "old sign-in refused"),
            Twist::OtherTarget | Twist::Nothing => (true, "other target refused"),
        };
        ensure!(fine, "refused in another way than for {:?}: {refusal:?}", self.twist);
        world.count(counted);
        Ok(())
    }
}

/// Counts what is about to be refused, by its reason.
fn count_refusals(world: &mut World, deed: &Deed) {
    let Some(who) = deed.who.filter(|_| foresee(world, deed).is_none()) else { return };
    let spec =
        |v: VersionId| world.tables.versions.iter().find(|(_, r)| r.id == v).map(|(_, r)| world.specs[&r.content]);
    let why = match (&deed.ask, world.history.open(deed.sop)) {
        (Ask::Decide { .. }, Some(p)) if world.history.barred(p).contains(&who) => "own work not decided",
        (Ask::Decide { .. }, Some(p)) if p.votes.iter().any(|v| v.who == who) => "second decision refused",
        (Ask::Submit { version, .. }, _) => match spec(*version).map(|s| (s.gap, s.kind)) {
            Some((1.., _)) => "incomplete content refused",
            Some((_, ChangeKind::Editorial)) => "editorial refused",
            _ => "submission refused",
        },
        _ => return,
    };
    world.count(why);
}
