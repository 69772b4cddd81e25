//! What must hold after every accepted action, whatever it was: the invariants of the lifecycle.

mod approvals;
mod reached;

use std::collections::{BTreeMap, BTreeSet};

use crate::content::ChangeKind;
use crate::ids::VersionId;
use crate::lifecycle::{Effect, Label, Procedure, SopState, Version, VersionState};

use super::cast::{People, index};
use super::history::Passage;
use super::world::{Ask, Deed, World};
use super::{Checked, ensure};

/// One accepted action. The history knows of it already, the world's procedures do not.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub deed: &'a Deed,
    pub before: &'a Procedure,
    pub after: &'a Procedure,
    pub effects: &'a [Effect],
}

impl Step<'_> {
    /// The versions that moved, and from where.
    fn moved(&self) -> impl Iterator<Item = (VersionState, &Version)> {
        let from = |v: &Version| self.before.version(v.id).map(|old| old.state).filter(|from| *from != v.state);
        self.after.versions.iter().filter_map(move |v| Some((from(v)?, v)))
    }

    fn published(&self) -> impl Iterator<Item = (VersionState, &Version)> {
        self.moved().filter(|(_, v)| v.state == VersionState::Published)
    }
}

/// Checks one accepted action.
pub fn check(world: &mut World, step: &Step, foreseen: &[(VersionId, VersionState)]) -> Checked {
    let Step { deed, before, after, effects } = *step;
    states(deed, before, after, foreseen)?;
    sop_state(after)?;
    content_and_revisions(deed, before, after)?;
    labels(before, after)?;
    contributors(world, after)?;
    order(effects)?;
    approvals::check(world, step)?;
    for (from, version) in step.moved() {
        match version.state {
            VersionState::Approved => approved(world, version)?,
            VersionState::Published => published(world, from, version)?,
            _ => {}
        }
    }
    if after.state == SopState::Retired && before.state != SopState::Retired {
        retired(world, deed, before, after)?;
    }
    if step.published().next().is_some() {
        world.history.ever_published = world.history.ever_published.and(People::only(deed.sop));
    }
    reached::count(world, step);
    Ok(())
}

/// Every version is where it was foreseen, and all others are where they were.
fn states(deed: &Deed, before: &Procedure, after: &Procedure, foreseen: &[(VersionId, VersionState)]) -> Checked {
    let map = |p: &Procedure| p.versions.iter().map(|v| (v.id, v.state)).collect::<BTreeMap<_, _>>();
    let mut expected = map(before);
    expected.extend(foreseen.iter().copied());
    if matches!(deed.ask, Ask::CreateSop(_) | Ask::CreateDraft { .. } | Ask::Revive { .. }) {
        let new = after.versions.last().filter(|v| before.version(v.id).is_none());
        ensure!(new.is_some_and(|v| v.state == VersionState::Draft), "no draft was begun: {deed:?}");
        expected.extend(new.map(|v| (v.id, v.state)));
    }
    ensure!(map(after) == expected, "the versions stand elsewhere: {:?}, not {expected:?}, {deed:?}", map(after));
    Ok(())
}

/// What a reader sees, as the design words it.
fn sop_state(after: &Procedure) -> Checked {
    let has = |states: &[VersionState]| after.versions.iter().filter(|v| states.contains(&v.state)).count();
    let open = has(&[VersionState::Draft, VersionState::InReview, VersionState::Approved]);
    let in_force = has(&[VersionState::Published]);
    ensure!(open <= 1 && in_force <= 1, "{open} versions are open, {in_force} in force");
    let expected = if in_force == 1 {
        SopState::Published
    } else if has(&[VersionState::InReview, VersionState::Approved]) == 1 {
        SopState::InReview
    } else if open == 1 {
        SopState::Draft
    } else {
        SopState::Retired
    };
    ensure!(after.state == expected, "a reader sees {}, not {expected}", after.state);
    Ok(())
}

fn content_and_revisions(deed: &Deed, before: &Procedure, after: &Procedure) -> Checked {
    for old in &before.versions {
        let Some(new) = after.version(old.id) else { return Err("a version is gone".to_owned()) };
        let says = |v: &Version| (v.content, v.kind, v.effective_at);
        let edit = matches!(&deed.ask, Ask::Edit { version, .. } if *version == old.id);
        ensure!(edit || says(old) == says(new), "content changed without an edit: {deed:?}");
        ensure!(!edit || old.state == VersionState::Draft, "content changed though it was {}", old.state);
        if let (true, Ask::Edit { spec, .. }) = (edit, &deed.ask) {
            let expected = (spec.hash(), spec.kind, spec.effective_at);
            ensure!(says(new) == expected, "the draft does not say what was edited");
        }
        let touched = edit || Version { revision: 0, ..old.clone() } != Version { revision: 0, ..new.clone() };
        ensure!(new.revision == old.revision + i64::from(touched), "the revision of a version is off: {deed:?}");
    }
    let touched = (before.state, before.owner) != (after.state, after.owner);
    ensure!(after.revision == before.revision + i64::from(touched), "the revision of the SOP is off: {deed:?}");
    let owner = match deed.ask {
        Ask::HandOver { to, .. } => super::cast::person(to),
        _ => before.owner,
    };
    ensure!(after.owner == owner, "somebody else answers for the SOP: {deed:?}");
    Ok(())
}

fn labels(before: &Procedure, after: &Procedure) -> Checked {
    let taken = |v: &&Version| v.state != VersionState::Discarded && v.label.is_some();
    let labels: Vec<Label> = after.versions.iter().filter(taken).filter_map(|v| v.label).collect();
    let distinct: BTreeSet<Label> = labels.iter().copied().collect();
    ensure!(distinct.len() == labels.len(), "a label is taken twice: {labels:?}");
    let last = before.versions.iter().filter(taken).filter_map(|v| v.label).max();
    for version in &after.versions {
        let old = before.version(version.id);
        match version.state {
            VersionState::Draft => ensure!(version.label.is_none(), "a draft has a label"),
            VersionState::Discarded => {}
            VersionState::InReview if old.is_some_and(|v| v.state == VersionState::Draft) => {
                let expected = match (last, version.kind) {
                    (None, _) => (1, 0),
                    (Some(l), ChangeKind::Material) => (l.major + 1, 0),
                    (Some(l), ChangeKind::Editorial) => (l.major, l.minor + 1),
                };
                let label = version.label.map(|l| (l.major, l.minor));
                ensure!(label == Some(expected), "label {label:?} after {last:?} for {}", version.kind);
            }
            _ => {
                ensure!(version.label.is_some(), "a version that is {} has no label", version.state);
                ensure!(old.is_some_and(|v| v.label == version.label), "a label changed on the way");
            }
        }
    }
    Ok(())
}

fn contributors(world: &World, after: &Procedure) -> Checked {
    for version in &after.versions {
        let known: People = version.contributors.iter().map(|p| index(*p)).collect();
        let did = world.history.contributors.get(&version.id).copied().unwrap_or_default();
        ensure!(known == did, "contributed: {did:?}, but known: {known:?}");
    }
    Ok(())
}

/// The version in force gives way before the next one takes its place.
fn order(effects: &[Effect]) -> Checked {
    let at =
        |state: VersionState| effects.iter().position(|e| matches!(e, Effect::VersionMoved { to, .. } if *to == state));
    if let (Some(superseded), Some(published)) = (at(VersionState::Superseded), at(VersionState::Published)) {
        ensure!(superseded < published, "published before superseded");
    }
    Ok(())
}

/// Nothing is published that the policy has not approved, or before its time.
fn published(world: &World, from: VersionState, version: &Version) -> Checked {
    ensure!(version.effective_at.is_none_or(|at| at <= world.facts.now), "published before its effective date");
    ensure!(matches!(from, VersionState::InReview | VersionState::Approved), "published from {from}");
    approved(world, version)
}

fn approved(world: &World, version: &Version) -> Checked {
    let passage = world.history.passages.iter().rfind(|p| p.version == Some(version.id));
    passage.map_or_else(|| Err("approved without a request".to_owned()), |p| check_passage(world, p, version))
}

fn check_passage(world: &World, passage: &Passage, version: &Version) -> Checked {
    passage.check(world.history.barred(passage), version.content)
}

/// An SOP is retired by an approved request, or because its first version was given up.
fn retired(world: &World, deed: &Deed, before: &Procedure, after: &Procedure) -> Checked {
    ensure!(after.versions.iter().all(|v| !v.state.is_open()), "a version is open though the SOP is retired");
    if matches!(deed.ask, Ask::Discard { .. }) {
        ensure!(before.in_force().is_none(), "a version in force was given up");
        return Ok(());
    }
    let passage = world.history.passages.iter().rfind(|p| p.sop == deed.sop && p.version.is_none());
    let (Some(passage), Some(version)) = (passage, before.in_force()) else {
        return Err("retired without a request".to_owned());
    };
    check_passage(world, passage, version)
}
