//! Random moves. Most aim at what could be allowed where they are made, else a run would hardly ever reach publication;
//! each can be spoilt in one way. What a move comes to in a given world is in `aim`.

mod aim;

use proptest::prelude::*;

use crate::content::ChangeKind;
use crate::error::Refusal;
use crate::lifecycle::{Procedure, SopState, Version, VersionState};
use crate::time::HOUR;

use super::cast::{MANY, People, sop_id};
use super::documents::{GAPS, SHAPES};
use super::history::Passage;
use super::oracle::{self, check_code, foresee, why_refused};
use super::policies::{KEEPER, PolicySpec, any_policy};
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
    TakeBack,
    Withdraw,
    Discard,
    PublishDue,
    Retire,
    Revive,
    HandOver,
    Comment,
    Resolve,
    Reopen,
    Delegate,
    Wait,
    ChangePolicy,
    /// A grant is taken away or given back, or a role comes to give out roles.
    ChangeRoles,
    /// Two accounts turn out to be one person's.
    Link,
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

/// For how long a delegation is given, in hours from now.
#[derive(Debug, Clone)]
pub struct Period {
    pub starts: i64,
    pub lasts: i64,
}

#[derive(Debug, Clone)]
pub struct Move {
    pub what: What,
    pub sop: usize,
    /// Whether one of those is taken who may, if there is one.
    pub fit: bool,
    pub who: usize,
    /// Whether it is done on behalf of somebody, where that is possible.
    pub behalf: bool,
    pub twist: Twist,
    pub pick: usize,
    pub sketch: Sketch,
    pub period: Period,
    pub policy: PolicySpec,
}

/// A life begins with other policies than the built-in ones and with some delegations, most of the time.
pub fn moves() -> impl Strategy<Value = Vec<Move>> {
    let what = prop_oneof![4 => Just(What::ChangePolicy), 3 => Just(What::Delegate)];
    let first = (what, a_move()).prop_map(|(what, made)| Move { what, fit: true, twist: Twist::Nothing, ..made });
    let (first, others) = (prop::collection::vec(first, 0..=8), prop::collection::vec(a_move(), 20..=70));
    (first, others).prop_map(|(first, others)| first.into_iter().chain(others).collect())
}

/// What is done, and how it is spoilt: most take their course, some come at the wrong time, some are spoilt.
fn a_deed() -> impl Strategy<Value = (What, Twist)> {
    let usual = prop_oneof![
        60 => Just(What::Onward),
        4 => Just(What::Edit),
        3 => prop_oneof![Just(What::CreateDraft), Just(What::Submit)],
        6 => Just(What::Approve),
        3 => prop_oneof![Just(What::Reject), Just(What::Withdraw), Just(What::Discard)],
        5 => Just(What::TakeBack),
        7 => prop_oneof![3 => Just(What::Comment), 2 => Just(What::Resolve), 1 => Just(What::Reopen)],
        4 => Just(What::Delegate),
        3 => prop_oneof![Just(What::Wait), Just(What::PublishDue)],
        5 => Just(What::ChangePolicy),
        5 => prop_oneof![3 => Just(What::ChangeRoles), 1 => Just(What::Link)],
        3 => prop_oneof![Just(What::Retire), Just(What::Revive), Just(What::HandOver)],
    ];
    let revised = vec![What::Edit, What::Submit, What::Discard, What::Retire, What::Revive, What::HandOver];
    let reasoned = vec![What::Reject, What::Discard, What::Retire, What::Delegate];
    let aimed = vec![
        What::CreateDraft,
        What::Edit,
        What::Submit,
        What::Approve,
        What::TakeBack,
        What::Withdraw,
        What::PublishDue,
        What::Comment,
    ];
    let spoilt = prop_oneof![
        2 => (prop::sample::select(revised), Just(Twist::StaleRevision)),
        1 => (Just(What::Approve), Just(Twist::OtherContent)),
        1 => (Just(What::Approve), Just(Twist::OldLogin)),
        2 => (prop::sample::select(reasoned), Just(Twist::NoReason)),
        2 => (prop::sample::select(aimed), Just(Twist::OtherTarget)),
    ];
    let untimely = prop_oneof![Just(What::Retire), Just(What::Submit), Just(What::CreateDraft)];
    prop_oneof![
        7 => (usual, Just(Twist::Nothing)),
        1 => (untimely, Just(Twist::Nothing)),
        2 => spoilt,
    ]
}

fn a_move() -> impl Strategy<Value = Move> {
    let sop = prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    let fit = prop::bool::weighted(0.7);
    let who = (0..MANY.people.len(), prop::bool::weighted(0.45), 0..1_000_usize);
    (a_deed(), sop, fit, who, sketch(), period(), any_policy()).prop_map(
        |((what, twist), sop, fit, (who, behalf, pick), sketch, period, policy)| Move {
            what,
            sop,
            fit,
            who,
            behalf,
            twist,
            pick,
            sketch,
            period,
            policy,
        },
    )
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

fn period() -> impl Strategy<Value = Period> {
    let starts = prop_oneof![4 => -6..=0_i64, 2 => 1..24_i64];
    let lasts = prop_oneof![12 => 2..150_i64, 1 => -2..=0_i64, 1 => 8783..=8785_i64];
    (starts, lasts).prop_map(|(starts, lasts)| Period { starts, lasts })
}

impl Move {
    /// Makes this move in a world; mostly with the SOP that has the process, should there be another.
    pub fn make(&self, world: &mut World) -> Checked {
        let sops = world.facts.cast.sops;
        let free = |sop: usize| oracle::process_is_free(world, sop);
        let other = (0..sops.len()).find(|sop| free(*sop) && sops[*sop].0 == sops[self.sop].0);
        match other.filter(|_| !self.pick.is_multiple_of(8) && !free(self.sop)) {
            Some(sop) => Self { sop, ..self.clone() }.make_here(world),
            None => self.make_here(world),
        }
    }

    fn make_here(&self, world: &mut World) -> Checked {
        match self.what(world) {
            What::Wait => return self.wait(world),
            What::ChangePolicy => {
                let slot = if self.what == What::Onward { self.slot(world) } else { self.who % 3 };
                self.change_policy(world, slot);
            }
            What::ChangeRoles => self.change_roles(world),
            What::Link => self.link(world),
            _ => return self.act(world),
        }
        Ok(())
    }

    fn act(&self, world: &mut World) -> Checked {
        let deed = self.deed(world);
        // Whether it is refused for its twist alone.
        let spoilt = self.twist != Twist::Nothing
            && foresee(world, &deed).is_none()
            && foresee(world, &self.straight(world, &deed)).is_some();
        let why = why_refused(world, &deed);
        let came = world.perform(&deed)?;
        if let Err(refusal) = &came {
            if spoilt {
                self.check_refusal(world, refusal)?;
            }
            if let Some(why) = why {
                check_code(why, refusal)?;
                world.count(why);
            }
        }
        Ok(())
    }

    /// Lets time pass: the clock publishes what is due, and nothing that is due is left.
    fn wait(&self, world: &mut World) -> Checked {
        world.facts.now = world.facts.now.plus(i64::try_from(self.pick % 48).unwrap_or_default() * HOUR);
        for sop in 0..world.facts.cast.sops.len() {
            let approved = world.tables.in_state(sop_id(sop), &[VersionState::Approved]).map(|v| v.id);
            if let Some(version) = approved {
                let _ = world.perform(&Deed { sop, who: None, login: None, ask: Ask::PublishDue { version } })?;
            }
        }
        let now = world.facts.now;
        let overdue = |v: &Version| v.state == VersionState::Approved && v.effective_at.is_some_and(|at| at <= now);
        ensure!(!world.tables.versions.iter().any(|(_, v)| overdue(v)), "a version is overdue");
        Ok(())
    }

    /// Puts another policy in use; mostly one that can be satisfied.
    fn change_policy(&self, world: &mut World, slot: usize) {
        let (_, team, owner) = world.facts.cast.sops[self.sop];
        let open = world.procedures.get(&self.sop).and_then(Procedure::open_version);
        let barred = open.and_then(|v| world.history.contributors.get(&v.id)).copied();
        let barred = barred.unwrap_or_default().and(People::only(owner));
        let tried = [self.policy.clone(), self.policy.lighter()];
        let fit = tried.iter().find(|policy| world.facts.fillable(policy, barred, team));
        let whatever = !self.fit && self.pick.is_multiple_of(3);
        if let Some(policy) = if whatever { Some(&self.policy) } else { fit } {
            world.facts.policies[slot] = policy.clone();
        }
    }

    /// Where the policy is kept that the open version has to pass.
    fn slot(&self, world: &World) -> usize {
        let open = world.procedures.get(&self.sop).and_then(Procedure::open_version);
        open.map_or(0, |v| usize::from(v.kind == ChangeKind::Editorial))
    }

    /// Whether those who are not barred could approve the open version.
    fn can_be_approved(&self, world: &World, version: &Version) -> bool {
        let barred = world.history.contributors.get(&version.id).copied().unwrap_or_default();
        let team = world.facts.cast.sops[self.sop].1;
        world.facts.fillable(world.facts.policy(version.kind.into()), barred, team)
    }

    /// Takes a grant away or gives it back, best one that somebody delegated; now and then lets a role give out roles
    /// that the open stage names, or no longer.
    fn change_roles(&self, world: &mut World) {
        let needed = world.history.open(self.sop).map(|p| p.policy.stages[p.stage].role);
        let facts = &mut world.facts;
        if needed == Some(KEEPER) || (facts.keepers_appoint && self.pick.is_multiple_of(2)) {
            facts.keepers_appoint = !facts.keepers_appoint;
            return;
        }
        let any = facts.deputies.get(self.pick % facts.deputies.len().max(1));
        let deputy = needed.and_then(|role| facts.handed_on(role)).or(any).filter(|_| self.fit);
        let who = deputy.map_or(self.who, |d| d.from);
        let grants = facts.cast.people[who];
        let named = deputy.and_then(|d| grants.iter().position(|(role, _)| *role == d.role));
        facts.turn(who, named.unwrap_or(self.pick % grants.len()));
    }

    /// Two accounts turn out to be one person's, best such that an approval counts no more, or that one stands in for
    /// the other.
    fn link(&self, world: &mut World) {
        let facts = &world.facts;
        let pairs = || facts.cast.links.iter().filter(|(one, other)| !facts.selves(*one).has(*other));
        let both = || pairs().find(|pair| self.involves(world, **pair));
        let agreed = || facts.stand_in_for_oneself();
        if let Some((one, other)) = both().or_else(agreed).or_else(|| pairs().nth(self.pick % 16)).copied() {
            world.facts.link(one, other);
            world.tell();
        }
    }

    /// Whether an approval of the open stage counts no more once it is known that two accounts are one person's.
    fn involves(&self, world: &World, (one, other): (usize, usize)) -> bool {
        let Some(passage) = world.history.open(self.sop) else { return false };
        let known = passage.voices().and(world.history.barred(passage));
        let given = passage.standing().filter(|v| v.stage == passage.stage);
        let given = given.fold(People::default(), |all, vote| all.and(vote.voices()));
        let new = !world.facts.selves(one).has(other);
        new && known.has(one) && known.has(other) && (given.has(one) || given.has(other))
    }

    fn what(&self, world: &World) -> What {
        if self.what == What::Onward { self.next(world) } else { self.what }
    }

    /// What comes next in the life of the SOP.
    fn next(&self, world: &World) -> What {
        let Some(sop) = world.procedures.get(&self.sop) else { return What::CreateDraft };
        let spec = |v: &Version| world.specs[&v.content];
        let open = sop.open_version();
        if let Some(passage) = world.history.open(self.sop)
            && let Some(what) = self.meanwhile(world, passage)
        {
            return what;
        }
        match (open, sop.state) {
            (Some(v), _) if sop.request.is_some() && !self.pick.is_multiple_of(3) => {
                if world.facts.open_remarks(v.id) > 0 { What::Resolve } else { What::Approve }
            }
            _ if sop.request.is_some() => What::Approve,
            (Some(v), _) if v.state == VersionState::Approved => What::Wait,
            (Some(v), _) if spec(v).gap > 0 || self.pick.is_multiple_of(5) => What::Edit,
            (Some(v), _) if !self.can_be_approved(world, v) && !self.pick.is_multiple_of(4) => What::ChangePolicy,
            (Some(_), _) => What::Submit,
            (None, SopState::Retired) => What::Revive,
            (None, _) if self.pick.is_multiple_of(4) => What::Retire,
            (None, _) => What::CreateDraft,
        }
    }

    /// What comes between the decisions in a request, now and then.
    fn meanwhile(&self, world: &World, passage: &Passage) -> Option<What> {
        let taken = passage.standing().any(|v| v.stage == passage.stage);
        let role = passage.policy.stages[passage.stage].role;
        let involved = || world.facts.cast.links.iter().any(|pair| self.involves(world, *pair));
        match self.pick / 3 % 12 {
            0 if taken => Some(What::TakeBack),
            1..=6 if involved() => Some(What::Link),
            0 if world.facts.stand_in_for_oneself().is_some() => Some(What::Link),
            3 | 4 if role == KEEPER => Some(What::Delegate),
            3 => Some(What::Delegate),
            5 | 6 if role == KEEPER || world.facts.handed_on(role).is_some() => Some(What::ChangeRoles),
            7 if passage.version.is_some() => Some(What::Comment),
            _ => None,
        }
    }

    /// What was refused only for its twist says so in the way that a client can act on.
    fn check_refusal(&self, world: &mut World, refusal: &Refusal) -> Checked {
        let (fine, counted) = match self.twist {
            Twist::StaleRevision => {
                (matches!(refusal, Refusal::Conflict { current_revision: Some(_), .. }), "stale revision refused")
            }
            Twist::NoReason => (matches!(refusal, Refusal::Invalid(_)), "action without reason refused"),
            Twist::OtherTarget => (true, "other target refused"),
            Twist::OtherContent | Twist::OldLogin | Twist::Nothing => return Ok(()),
        };
        ensure!(fine, "refused in another way than for {:?}: {refusal:?}", self.twist);
        world.count(counted);
        Ok(())
    }
}
