//! The small world: who and what is in it, what can be done, and what of it matters.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::content::{ChangeKind, ContentHash};
use crate::ids::{RequestId, VersionId};
use crate::lifecycle::{Procedure, Version, VersionState};
use crate::time::{DAY, Timestamp};

use super::super::cast::{Cast, People};
use super::super::documents::Spec;
use super::super::facts::{Deputy, beginning};
use super::super::policies::{PolicySpec, StageSpec};
use super::super::world::{Answered, Ask, Deed, World};

/// Ann writes and owns, Ben may write too, Ben, Cleo and Dan decide.
static FEW: Cast = Cast {
    people: &[
        &[("author", Some(0))],
        &[("author", Some(0)), ("reviewer", Some(0)), ("approver", Some(0))],
        &[("reviewer", Some(0)), ("approver", Some(0))],
        &[("reviewer", Some(0)), ("approver", Some(0))],
    ],
    sops: &[(0, 0, 0)],
    links: &[],
};
const BEN: usize = 1;
const CLEO: usize = 2;
const DAN: usize = 3;

/// Days on which something ends or begins: the delegation ends on the first, versions come into force on the second.
const DAYS: [i64; 3] = [0, 10, 20];

/// The policies for material changes, of which one is in use; for editorial ones; for retirements.
fn policies() -> [PolicySpec; 4] {
    let (review, approval) = (StageSpec::of(1, "reviewer"), StageSpec::of(1, "approver"));
    let both = StageSpec::of(2, "approver");
    let strict = PolicySpec { resolved: true, ..PolicySpec::of(&[review, approval]) };
    [PolicySpec::of(&[review, both]), strict, PolicySpec::of(&[approval]), PolicySpec::of(&[approval])]
}

/// The world before anything was done. Dan lets Ben approve in his place, for ten days.
pub fn start() -> World {
    let mut world = World::new(&FEW);
    let [material, _, editorial, retirement] = policies();
    let (starts, ends) = (day(DAYS[0]), day(DAYS[1]));
    world.facts.policies = [material, editorial, retirement];
    world.facts.deputies = vec![Deputy { from: DAN, to: BEN, role: "approver", team: None, starts, ends }];
    world
}

fn day(days: i64) -> Timestamp {
    beginning().plus(days * DAY)
}

/// How many of the days have come.
fn phase(world: &World) -> usize {
    DAYS.iter().filter(|days| day(**days) <= world.facts.now).count()
}

/// What is done to a world.
#[derive(Debug, Clone)]
pub enum Event {
    Done(Deed),
    TimePasses,
    PolicyChanges,
}

impl Event {
    /// The world after it; nothing where it is refused, as it has to be there.
    pub fn after(&self, world: &World) -> Result<Option<World>, String> {
        let answer = match self {
            Self::Done(deed) => match world.answer(deed)? {
                Ok(answer) => Some((deed, answer)),
                Err(_) => return Ok(None),
            },
            _ => None,
        };
        let mut after = world.clone();
        match (self, answer) {
            (_, Some((deed, answer))) => {
                after.carry_out(deed, answer)?.map_err(|refusal| format!("refused after all: {refusal:?}"))?;
            }
            (Self::PolicyChanges, None) => {
                let [one, other, ..] = policies();
                let used = &mut after.facts.policies[0];
                *used = if *used == one { other } else { one };
            }
            (_, None) => after.facts.now = day(DAYS[phase(world)]),
        }
        forget(&mut after);
        Ok(Some(after))
    }
}

/// Everything that can be tried in a world.
pub fn events(world: &World) -> Vec<Event> {
    let mut events = vec![Event::PolicyChanges];
    events.extend((phase(world) < DAYS.len()).then_some(Event::TimePasses));
    let asked = |who: Option<usize>, ask: Ask| Event::Done(Deed { sop: 0, who, login: Some(0), ask });
    let Some(sop) = world.procedures.get(&0) else {
        let create = |who| specs(world, None).map(move |spec| asked(Some(who), Ask::CreateSop(spec)));
        events.extend(world.facts.everyone().flat_map(create));
        return events;
    };
    if let Some(version) = sop.open_version().or_else(|| sop.versions.last()) {
        events.push(asked(None, Ask::PublishDue { version: version.id }));
        let asks = || asks(world, sop, version).into_iter();
        events.extend(world.facts.everyone().flat_map(|who| asks().map(move |ask| asked(Some(who), ask))));
    }
    events
}

/// What each person tries.
fn asks(world: &World, sop: &Procedure, at: &Version) -> Vec<Ask> {
    let (version, revision, based_on) = (at.id, at.revision, sop.in_force().map(|v| v.id));
    let (reason, none) = ("because", " ");
    let mut asks = vec![
        Ask::Submit { version, revision },
        Ask::Submit { version, revision: revision - 1 },
        Ask::Discard { version, revision, reason },
        Ask::Discard { version, revision, reason: none },
        Ask::Retire { revision: sop.revision, reason, successor: None },
        Ask::Retire { revision: sop.revision - 1, reason, successor: None },
        Ask::Resolve { thread: 0 },
        Ask::Reopen { thread: 0 },
    ];
    if world.facts.remarks.is_empty() {
        asks.push(Ask::Comment { version });
    }
    // What a draft says at first can be changed at once: two of the four are enough to begin with.
    for spec in specs(world, Some(at)).step_by(3) {
        asks.push(Ask::CreateDraft { based_on, spec });
        asks.push(Ask::Revive { revision: sop.revision, based_on, spec });
        asks.push(Ask::Edit { version, revision: revision - 1, spec });
    }
    asks.extend(specs(world, Some(at)).map(|spec| Ask::Edit { version, revision, spec }));
    asks.extend(answers(sop, at));
    asks
}

fn answers(sop: &Procedure, at: &Version) -> Vec<Ask> {
    let nothing = RequestId(Uuid::nil());
    let (request, content) = sop.request.as_ref().map_or((nothing, at.content), |r| (r.id, r.content));
    let answer = |approves, behalf| Answered { request, approves, content, comment: "seen", behalf };
    let answers = [
        answer(true, None),
        answer(false, None),
        answer(true, Some(DAN)),
        answer(false, Some(DAN)),
        answer(true, Some(CLEO)),
        Answered { content: ContentHash([1; 32]), ..answer(true, None) },
        Answered { comment: " ", ..answer(false, None) },
        Answered { request: nothing, ..answer(true, None) },
    ];
    let taken_back = [Ask::TakeBack { request }, Ask::Withdraw { request }];
    answers.into_iter().map(Ask::Decide).chain(taken_back).collect()
}

/// What a version can come to say: other words than before, material or not, at once or on the second day.
fn specs(world: &World, at: Option<&Version>) -> impl Iterator<Item = Spec> {
    let wording = at.map_or(0, |v| 1 - world.specs[&v.content].wording);
    let later = day(DAYS[2]);
    let spec = move |kind, effective_at| Spec { shape: 0, wording, gap: 0, kind, effective_at };
    let kinds = [ChangeKind::Material, ChangeKind::Editorial].into_iter();
    kinds.flat_map(move |kind| [spec(kind, None), spec(kind, Some(later))])
}

/// Forgets what can have no more consequences, so that a world does not grow with its age.
fn forget(world: &mut World) {
    let Some(sop) = world.procedures.get_mut(&0) else { return };
    let past = |v: &&Version| v.state == VersionState::Published || v.state == VersionState::Retired;
    let open = sop.open_version().map(|v| v.id);
    let none = || sop.versions.last().filter(|_| open.is_none());
    let past = sop.versions.iter().rfind(past).or_else(none).map(|v| v.id);
    let is_known = |id: VersionId| Some(id) == past || Some(id) == open;
    let is_approved = sop.open_version().is_some_and(|v| v.state == VersionState::Approved);
    sop.versions.retain(|v| is_known(v.id));
    world.tables.versions.retain(|(_, v)| is_known(v.id));
    world.history.contributors.retain(|id, _| is_known(*id));
    world.history.passages.retain(|p| p.open || (is_approved && p.version == open));
    let request = sop.request.as_ref().map(|r| r.id);
    world.tables.requests.retain(|r| Some(r.request.id) == request);
    world.tables.voices.retain(|(of, ..)| Some(*of) == request);
    world.facts.remarks.retain(|r| Some(r.version) == open);
}

/// What of a world matters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    phase: usize,
    policy: PolicySpec,
    /// The version that is or was in force; where there never was one, and none is open, the one that was given up.
    past: Option<VersionState>,
    open: Option<Open>,
    passage: Option<Asked>,
    remarks: Vec<(usize, bool)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Open {
    state: VersionState,
    kind: ChangeKind,
    later: bool,
    contributors: People,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Asked {
    retires: bool,
    by: usize,
    policy: PolicySpec,
    stage: usize,
    /// Those that stand: stage, person and in whose place.
    votes: Vec<(usize, usize, Option<usize>)>,
    /// Those in the open stage that were taken back.
    withdrawn: BTreeSet<(usize, Option<usize>)>,
}

impl State {
    pub fn of(world: &World) -> Self {
        let sop = world.procedures.get(&0);
        let open = sop.and_then(Procedure::open_version).map(|v| Open {
            state: v.state,
            kind: v.kind,
            later: v.effective_at.is_some(),
            contributors: world.history.contributors.get(&v.id).copied().unwrap_or_default(),
        });
        let passage = world.history.open(0).map(|p| {
            let mut votes: Vec<_> = p.standing().map(|v| (v.stage, v.who, v.behalf)).collect();
            votes.sort_unstable();
            // It matters who asked for a retirement; whoever submitted a version is among its contributors.
            let by = if p.version.is_none() { p.asked_by } else { 0 };
            let withdrawn = p.votes.iter().filter(|v| v.withdrawn && v.stage == p.stage);
            let withdrawn = withdrawn.map(|v| (v.who, v.behalf)).collect();
            Asked { retires: p.version.is_none(), by, policy: p.policy.clone(), stage: p.stage, votes, withdrawn }
        });
        let mut remarks: Vec<_> = world.facts.remarks.iter().map(|r| (r.author, r.resolved)).collect();
        remarks.sort_unstable();
        Self {
            phase: phase(world),
            policy: world.facts.policies[0].clone(),
            past: sop.and_then(|s| s.versions.iter().map(|v| v.state).rfind(|state| !state.is_open())),
            open,
            passage,
            remarks,
        }
    }

    pub fn is_published(&self) -> bool {
        self.past == Some(VersionState::Published)
    }
}
