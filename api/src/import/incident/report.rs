//! What is reported of one incident.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::execution::{ActorRef, Adherence, Outcome, Report, Severity, Violation};

use super::keys::Keys;
use super::log::Incident;
use super::row::{Category, Facts};
use super::steps::steps;
use super::traps::Traps;

/// Says in every report what its adherence rests on, since the log knows nothing of procedures.
const LABEL: &str = "adherence is read off the log's column knowledge (was an article used?): \
                     true is FOLLOWED, false is NOT_FOLLOWED";

/// Makes reports.
pub struct Maker<'a> {
    /// Keys by category.
    pub processes: &'a Keys<Category>,
    /// Keys by group.
    pub teams: &'a Keys<String>,
    /// What was met on the way.
    pub traps: Traps,
}

impl Maker<'_> {
    /// The report of an incident whose rows are sorted. The log is complete for each, so one report says it all.
    pub fn report(&mut self, number: String, incident: Incident) -> Report {
        self.count(&incident);
        let (revision, updated_at, _) = incident.rank;
        let facts = &incident.facts;
        Report {
            event_id: format!("{number}/{revision}"),
            run_id: number,
            revision: i64::from(revision),
            process: self.processes.get(&facts.category),
            team: incident.latest(|e| e.group.as_ref()).and_then(|group| self.teams.get(group)),
            actor: actor(&incident),
            occurred_at: updated_at,
            started_at: facts.opened_at,
            finished_at: incident.finished_at(),
            // Every incident ends Closed, whatever came of it: nothing in the log says that one failed.
            outcome: incident.finished_at().map(|_| Outcome::Succeeded),
            adherence: Some(adherence(facts)),
            rework: Some(facts.rework),
            violations: violations(facts),
            steps: steps(&incident.events, &mut self.traps),
            attributes: Some(attributes(incident.facts)),
            ..Report::default()
        }
    }

    fn count(&mut self, incident: &Incident) {
        let (facts, traps) = (&incident.facts, &mut self.traps);
        let categories: BTreeSet<_> = incident.events.iter().filter_map(|event| event.category.as_ref()).collect();
        traps.recategorised += usize::from(categories.len() > 1);
        traps.unresolved += usize::from(facts.resolved_at.is_none());
        traps.unfinished += usize::from(incident.finished_at().is_none());
        traps.teamless += usize::from(incident.latest(|e| e.group.as_ref()).is_none());
        traps.actorless += usize::from(actor(incident).is_none());
        traps.adherence_unknown += usize::from(facts.knowledge.is_none());
    }
}

/// Who resolved it, else who had it last. The log numbers resolvers and assignees apart: that two of them are one
/// person cannot be told.
fn actor(incident: &Incident) -> Option<ActorRef> {
    let who = incident.latest(|e| e.resolved_by.as_ref()).or_else(|| incident.latest(|e| e.assigned_to.as_ref()))?;
    Some(ActorRef { subject: who.clone(), name: Some(who.clone()) })
}

fn adherence(facts: &Facts) -> Adherence {
    match facts.knowledge {
        Some(true) => Adherence::Followed,
        Some(false) => Adherence::NotFollowed,
        None => Adherence::Unknown,
    }
}

/// A missed service level is more than a matter of form, since somebody waited too long; but nothing in the log speaks
/// of harm. So it is `MAJOR`, whatever the priority, which the detail names.
fn violations(facts: &Facts) -> Option<Vec<Violation>> {
    let missed = || {
        let priority = facts.attributes.get("priority").map_or("unknown", String::as_str);
        let detail = format!("service level missed: made_sla is false on the last row (priority {priority})");
        Violation { kind: "SLA".to_owned(), severity: Severity::Major, detail }
    };
    facts.made_sla.map(|made| if made { Vec::new() } else { vec![missed()] })
}

fn attributes(facts: Facts) -> BTreeMap<String, String> {
    let mut attributes = facts.attributes;
    attributes.insert("label".to_owned(), LABEL.to_owned());
    attributes
}
