//! Counts what happened, so that a run can be asked whether it went everywhere.

use crate::approval::RequestState;
use crate::lifecycle::{Effect, SopState, Version, VersionState};

use super::super::history::Passage;
use super::super::world::{Ask, World};
use super::Step;

pub fn count(world: &mut World, step: &Step) {
    let mut seen: Vec<&'static str> = Vec::new();
    for (from, version) in step.moved() {
        seen.extend(movement(from, version.state));
        if version.state == VersionState::Published {
            seen.extend(ways(world, version));
        }
    }
    seen.extend(step.effects.iter().filter_map(|effect| effect_of(step, effect)));
    seen.extend(comments(world, step));
    seen.extend(decisions(world, step));
    if let Ask::CreateDraft { .. } | Ask::Revive { .. } = step.deed.ask
        && step.after.open_version().is_some_and(|v| v.contributors.len() > 1)
    {
        seen.push("begun from what others gave up");
    }
    let discarded = step.moved().any(|(_, v)| v.state == VersionState::Discarded);
    if step.after.state == SopState::Retired && step.before.state == SopState::Published && discarded {
        seen.push("retired with an open draft");
    }
    for what in seen {
        world.count(what);
    }
}

fn movement(from: VersionState, to: VersionState) -> Option<&'static str> {
    match (from, to) {
        (VersionState::InReview, VersionState::Published) => Some("published at once"),
        (VersionState::Approved, VersionState::Published) => Some("published by the clock"),
        (VersionState::Approved, VersionState::Discarded) => Some("approved, then discarded"),
        (VersionState::Published, VersionState::Superseded) => Some("superseded"),
        (VersionState::Published, VersionState::Retired) => Some("retired"),
        _ => None,
    }
}

fn effect_of(step: &Step, effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::RequestClosed(_, RequestState::Rejected) => Some("rejected"),
        Effect::RequestClosed(_, RequestState::Withdrawn) => Some("withdrawn"),
        Effect::SopMoved { from: SopState::Retired, .. } => Some("revived"),
        Effect::SopMoved { to: SopState::Retired, .. } if !step.before.was_published() => {
            Some("given up before it was published")
        }
        Effect::OwnerChanged { .. } => Some("handed over"),
        Effect::DecisionWithdrawn(..) => Some("decision taken back"),
        _ => None,
    }
}

fn comments(world: &World, step: &Step) -> Option<&'static str> {
    match step.deed.ask {
        Ask::Comment { .. } => Some("commented"),
        Ask::Reopen { .. } => Some("comment opened again"),
        Ask::Resolve { thread } => {
            let (remark, who) = (&world.facts.remarks[thread], step.deed.who?);
            let own = world.facts.selves(who).has(remark.author);
            Some(if own { "own comment resolved" } else { "another's comment resolved" })
        }
        _ => None,
    }
}

/// What is told of an answer.
fn decisions(world: &World, step: &Step) -> Vec<&'static str> {
    let (Ask::Decide(answered), Some(who)) = (&step.deed.ask, step.deed.who) else { return Vec::new() };
    let Some(passage) = world.history.passages.iter().rfind(|p| p.request == answered.request) else {
        return Vec::new();
    };
    let open = passage.version.is_some_and(|version| world.facts.open_remarks(version) > 0);
    let (required, behalf) = (passage.policy.resolved, answered.behalf);
    let again = passage.votes.iter().any(|v| v.withdrawn && v.who == who);
    let freed = |from: usize| passage.votes.iter().any(|v| v.withdrawn && v.behalf == Some(from));
    let for_team = || {
        let mut given = world.facts.deputies.iter().filter(|d| (Some(d.from), d.to) == (behalf, who));
        given.all(|d| d.team.is_some())
    };
    let under_way = passage.links < world.facts.links;
    let uncounted = under_way && {
        let counted = passage.closed.iter().map(Vec::len).sum::<usize>();
        !passage.open && answered.approves && passage.standing().count() > counted
    };
    let happened = [
        (answered.approves && open && !required, "approved while comments are open"),
        (!answered.approves && open && required, "rejected while comments are open"),
        (again, "decided again"),
        (behalf.is_some(), "decided on behalf"),
        (behalf.is_some_and(freed), "decided on behalf again"),
        (behalf.is_some() && for_team(), "decided on behalf for one team"),
        (under_way, "decided after accounts turned out to be one person's"),
        (uncounted, "approved without the votes of one person's other account"),
        (passage.version.is_none() && behalf.is_some(), "retirement decided on behalf"),
    ];
    happened.into_iter().filter(|(so, _)| *so).map(|(_, what)| what).collect()
}

/// By which way a version came to be published.
fn ways(world: &World, version: &Version) -> Vec<&'static str> {
    let Some(passage) = world.history.passages.iter().rfind(|p| p.version == Some(version.id)) else {
        return Vec::new();
    };
    let Passage { policy, votes, .. } = passage;
    let needs = |n: u32| policy.stages.iter().any(|s| s.need == n);
    let commented = world.facts.remarks.iter().any(|r| r.version == version.id);
    let now = world.facts.policies.iter().all(|p| p != policy);
    let ways = [
        (version.label.is_some_and(|l| l.minor > 0), "published as editorial"),
        (policy.stages.len() == 3, "published through three stages"),
        (policy.stages.len() == 4, "published through four stages"),
        (needs(2), "published with two of a kind"),
        (needs(3), "published with three of a kind"),
        (policy.stages.iter().any(|s| s.anyone), "published by a role for any team"),
        (policy.stages.iter().any(|s| s.lately), "published by who signed in lately"),
        (votes.iter().any(|v| v.behalf.is_some() && !v.withdrawn), "published on behalf of somebody"),
        (votes.iter().any(|v| v.withdrawn), "published though a decision was taken back"),
        (policy.resolved && commented, "published with comments resolved"),
        (now, "published under a policy that changed meanwhile"),
    ];
    ways.into_iter().filter(|(so, _)| *so).map(|(_, way)| way).collect()
}
