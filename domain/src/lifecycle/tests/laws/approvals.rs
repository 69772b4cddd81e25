//! The invariants of approvals, read off what the code under test keeps of a request and says of it.

use std::collections::BTreeSet;

use crate::approval::{Decision, Request, RequestState, Verdict};
use crate::lifecycle::{Effect, Procedure};

use super::super::cast::{People, index, person};
use super::super::facts::Facts;
use super::super::history::{Passage, Vote};
use super::super::policies::StageSpec;
use super::super::world::{Ask, World, subject_version};
use super::super::{Checked, ensure};
use super::Step;

pub fn check(world: &World, step: &Step) -> Checked {
    requests(world, step)?;
    ends(step)?;
    for effect in step.effects {
        match effect {
            Effect::RequestOpened(request) => opened(world, request)?,
            Effect::DecisionTaken(_, decision) => taken(world, step, decision)?,
            Effect::DecisionWithdrawn(..) => withdrawn(world, step, effect)?,
            _ => {}
        }
    }
    Ok(())
}

/// The open request is the one that the history knows, under the policy of its opening, with the same decisions.
fn requests(world: &World, step: &Step) -> Checked {
    let passage = world.history.open(step.deed.sop);
    let request = step.after.request.as_ref();
    ensure!(request.is_some() == passage.is_some(), "a request is open that should not be, or the reverse");
    let (Some(request), Some(passage)) = (request, passage) else { return Ok(()) };
    let known = (request.id, request.content, subject_version(request));
    ensure!(known == (passage.request, passage.content, passage.version), "another request is open");
    let stages: Vec<_> = passage.policy.stages.iter().map(StageSpec::stage).collect();
    ensure!(request.stages == stages, "a request under way changed its stages");
    ensure!(request.requires_resolved_comments == passage.policy.resolved, "a request under way changed its policy");
    ensure!(request.stage == passage.stage, "stage {} is open, not {}", request.stage, passage.stage);
    let barred: People = request.excluded.iter().map(|p| index(*p)).collect();
    ensure!(barred == world.history.barred(passage), "others may not decide: {barred:?}");
    let said = |d: &Decision| Vote {
        id: d.id,
        who: index(d.person),
        behalf: d.on_behalf_of.map(|(person, _)| index(person)),
        stage: d.stage,
        content: d.content,
        approves: d.verdict == Verdict::Approve,
        entitled: true,
        withdrawn: d.withdrawn_at.is_some(),
    };
    let decided: Vec<Vote> = request.decisions.iter().map(said).collect();
    ensure!(passage.votes == decided, "decided: {:?}, but known: {decided:?}", passage.votes);
    waited_for(world, step.after, request, passage)
}

/// Those who are waited for, and their delegates, are those who could decide, were their sign-in recent and no comment
/// open.
fn waited_for(world: &World, sop: &Procedure, request: &Request, passage: &Passage) -> Checked {
    let facts = &world.facts;
    let (stage, team) = (&passage.policy.stages[passage.stage], facts.cast.sops[passage.sop].1);
    let spent = facts.all_selves(world.history.barred(passage).and(passage.voices()));
    let free: Vec<usize> = facts.everyone().filter(|who| facts.fits(*who, stage, team) && !spent.has(*who)).collect();
    let told: Vec<usize> = request.waiting_for(&facts.candidates(), sop.team).into_iter().map(index).collect();
    ensure!(told == free, "waiting for {told:?}, not {free:?}");
    let mandates = |to| facts.mandates(to).into_iter().map(move |mandate| (person(to), mandate));
    let mandates: Vec<_> = facts.everyone().flat_map(mandates).collect();
    let told = request.delegates(&mandates, sop.team).map(|(who, mandate)| (index(*who), index(mandate.from)));
    let told: BTreeSet<(usize, usize)> = told.collect();
    let both_free = |who, from| !spent.has(who) && !spent.has(from) && !facts.selves(who).has(from);
    let pairs = facts.everyone().flat_map(|who| facts.everyone().map(move |from| (who, from)));
    let could = pairs.filter(|(who, from)| facts.stands_in(*who, *from, stage, team) && both_free(*who, *from));
    let free: BTreeSet<(usize, usize)> = could.collect();
    ensure!(told == free, "could stand in: {told:?}, not {free:?}");
    Ok(())
}

/// A request ends as what was done says.
fn ends(step: &Step) -> Checked {
    let expected = match &step.deed.ask {
        Ask::Decide(answered) if answered.approves => Some(RequestState::Approved),
        Ask::Decide(_) => Some(RequestState::Rejected),
        Ask::Withdraw { .. } => Some(RequestState::Withdrawn),
        _ => None,
    };
    for effect in step.effects {
        if let Effect::RequestClosed(_, state) = effect {
            ensure!(Some(*state) == expected, "a request ended as {state}: {:?}", step.deed);
        }
    }
    Ok(())
}

/// A request begins with its first stage, nothing decided, at the time and by whom it was asked for.
fn opened(world: &World, request: &Request) -> Checked {
    let Some(passage) = world.history.passages.last() else { return Err("nobody asked".to_owned()) };
    let begins = request.stage == 0 && request.decisions.is_empty() && request.opened_at == world.facts.now;
    ensure!(begins && request.requested_by == person(passage.asked_by), "a request begins otherwise: {request:?}");
    let known = (world.facts.accounts(), world.facts.open_threads(passage.version));
    ensure!(
        (request.accounts.clone(), request.open_threads) == known,
        "a request begins with other facts: {request:?}"
    );
    Ok(())
}

/// Each person is heard once, and nobody who contributed or asked; a stage closes with exactly the approvals that it
/// asks for; nothing is approved over open comments where that is not to be.
fn taken(world: &World, step: &Step, decision: &Decision) -> Checked {
    let facts = &world.facts;
    let Some(request) = &step.before.request else { return Err("decided without a request".to_owned()) };
    let Some(passage) = world.history.passages.iter().rfind(|p| p.request == request.id) else {
        return Err("decided without a request".to_owned());
    };
    let (voices, barred) = (parties(facts, decision), facts.all_selves(world.history.barred(passage)));
    let others = request.standing().fold(People::default(), |all, d| all.and(parties(facts, d)));
    ensure!(!voices.meets(barred), "somebody who contributed or asked is heard: {decision:?}");
    ensure!(!voices.meets(others), "somebody is heard twice: {decision:?}");
    let approves = decision.verdict == Verdict::Approve;
    if approves && passage.policy.resolved {
        let open = passage.version.map_or(0, |version| facts.open_remarks(version));
        ensure!(open == 0, "approved while {open} comments are open");
    }
    let given_in = |stage: usize| approvals(facts, request, decision, stage, barred);
    let needs = |stage: usize| passage.policy.stages.get(stage).map_or(0, |s| s.need as usize);
    let (given, need) = (given_in(decision.stage), needs(decision.stage));
    let ends = |effect: &Effect| matches!(effect, Effect::StageOpened(..) | Effect::RequestClosed(..));
    let closed = approves && step.effects.iter().any(ends);
    ensure!(!approves || closed == (given == need) && given <= need, "closed: {closed}, with {given} of {need}");
    for stage in (0..decision.stage).filter(|_| closed) {
        let left = given_in(stage);
        ensure!(left >= needs(stage), "gone on from stage {stage}, which has {left} of {}", needs(stage));
    }
    if facts.links == passage.links {
        let standing = request.standing().filter(|d| d.stage == decision.stage).count() + 1;
        ensure!(!closed || standing == need, "{standing} approvals stand in a stage that needs {need}");
    }
    Ok(())
}

fn parties(facts: &Facts, decision: &Decision) -> People {
    let behalf = decision.on_behalf_of.map(|(person, _)| person);
    let parties: People = [Some(decision.person), behalf].into_iter().flatten().map(index).collect();
    facts.all_selves(parties)
}

/// How many people's approvals a stage has, with this last one.
fn approvals(facts: &Facts, request: &Request, last: &Decision, stage: usize, barred: People) -> usize {
    let mut heard = barred;
    let mut given = 0;
    for decision in request.standing().chain([last]) {
        let voices = parties(facts, decision);
        if !voices.meets(heard) {
            heard = heard.and(voices);
            given += usize::from(decision.stage == stage);
        }
    }
    given
}

/// What is taken back is one's own, stood until now, and nothing else changes.
fn withdrawn(world: &World, step: &Step, effect: &Effect) -> Checked {
    let (Effect::DecisionWithdrawn(id, decision, at), Some(request)) = (effect, &step.before.request) else {
        return Err("nothing was open to be taken back".to_owned());
    };
    ensure!(*id == request.id && *at == world.facts.now && step.effects.len() == 1, "taken back: {:?}", step.effects);
    let taken_back = request.standing().find(|d| d.id == *decision);
    let selves = step.deed.who.map(|who| world.facts.selves(who)).unwrap_or_default();
    let own = taken_back.is_some_and(|d| d.stage == request.stage && selves.has(index(d.person)));
    ensure!(own, "taken back what does not stand, is not one's own, or closed its stage: {effect:?}");
    let after = step.after.request.as_ref().and_then(|r| r.decisions.iter().find(|d| d.id == *decision));
    ensure!(after.is_some_and(|d| d.withdrawn_at == Some(*at)), "it stands as before");
    Ok(())
}
