//! For what reason something is about to be refused.

use crate::content::ChangeKind;
use crate::error::Refusal;
use crate::ids::VersionId;

use super::super::cast::sop_id;
use super::super::world::{Ask, Deed, World};
use super::super::{Checked, ensure};
use super::{View, against_delegation, foresee};

/// The reason for which something is about to be refused, where there is only one.
pub fn why_refused(world: &World, deed: &Deed) -> Option<&'static str> {
    let who = deed.who.filter(|_| foresee(world, deed).is_none())?;
    let only = |why: Vec<&'static str>| if let [why] = why.as_slice() { Some(*why) } else { None };
    if let Ask::Delegate(deputy, reason) = &deed.ask {
        return only(against_delegation(&world.facts, deputy, reason));
    }
    let view = View { world, facts: &world.facts, deed, row: world.tables.sop(sop_id(deed.sop))?, who };
    match &deed.ask {
        Ask::Decide(answered) => only(view.why_not(view.passage(answered.request)?, answered)),
        Ask::Submit { version, .. } => view.against_submission(*version),
        Ask::TakeBack { request } => {
            let (passage, selves) = (view.passage(*request)?, world.facts.selves(who));
            let own = passage.standing().any(|v| selves.has(v.who));
            (own && view.reads_drafts()).then_some("decision of a closed stage not taken back")
        }
        Ask::Comment { version } => {
            view.version(*version)?;
            match (view.comments(), view.is_open(*version)) {
                (true, _) => Some("comment on what cannot come into force any more refused"),
                (false, true) if view.reads_drafts() => Some("comment of who only reads refused"),
                (false, _) => None,
            }
        }
        Ask::Resolve { thread } => only(view.against_resolving(world.facts.remarks.get(*thread)?)),
        _ => None,
    }
}

impl View<'_> {
    fn against_submission(&self, version: VersionId) -> Option<&'static str> {
        let spec = self.spec(self.version(version)?);
        Some(match (spec.gap, spec.kind) {
            (1.., _) => "incomplete content refused",
            (_, ChangeKind::Editorial) => "editorial refused",
            _ => "submission refused",
        })
    }
}

/// Refusals are of the kind that a client can act on.
pub fn check_code(why: &str, refusal: &Refusal) -> Checked {
    let codes: &[&str] = match why {
        "other content refused"
        | "approval refused while comments are open"
        | "approval over a stage that came to lack some refused"
        | "decision of a closed stage not taken back"
        | "resolved comment not resolved again"
        | "comment on what cannot come into force any more refused" => &["CONFLICT"],
        "missing reason refused"
        | "delegation to oneself refused"
        | "delegation for no time refused"
        | "delegation for too long refused"
        | "delegation without reason refused" => &["INVALID"],
        "comment on what cannot come into force any more not resolved" => &["CONFLICT", "NOT_FOUND"],
        "incomplete content refused" | "editorial refused" | "submission refused" => return Ok(()),
        // Whoever may not do something may not even know that there is something to be done.
        _ => &["FORBIDDEN", "NOT_FOUND"],
    };
    ensure!(codes.contains(&refusal.code()), "{why}, but as {refusal:?}");
    Ok(())
}
