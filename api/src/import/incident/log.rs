//! All incidents of a log, gathered from rows in any order.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sopwith_domain::time::Timestamp;

use super::report::Maker;
use super::row::{Event, Facts, Rank, Row};
use super::traps::Traps;
use super::{Incidents, RejectedRow, keys};

/// The rows of one incident.
#[derive(Debug)]
pub struct Incident {
    /// In order of their rank, once sorted.
    pub events: Vec<Event>,
    /// The rank of the last row.
    pub rank: Rank,
    /// As the last row has them.
    pub facts: Facts,
}

impl Incident {
    fn add(&mut self, event: Event, facts: Facts) {
        if event.rank() > self.rank {
            (self.rank, self.facts) = (event.rank(), facts);
        }
        self.events.push(event);
    }

    fn sort(&mut self, traps: &mut Traps) {
        traps.unordered += usize::from(!self.events.is_sorted_by_key(Event::rank));
        self.events.sort_unstable_by_key(Event::rank);
        let same = self.events.chunk_by(|a, b| a.revision == b.revision);
        traps.repeated += same.filter(|rows| rows.len() > 1).count();
    }

    /// When it ended, if it did.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.facts.resolved_at.or(self.facts.closed_at)
    }

    /// Why it is no run: it ends before it begins. It is rejected as a whole, since its times are wrong and nothing in
    /// the log says which of the two.
    fn flaw(&self) -> Option<String> {
        let column = if self.facts.resolved_at.is_some() { "resolved_at" } else { "closed_at" };
        let (start, end) = (self.facts.opened_at?, self.finished_at()?);
        (end < start).then(|| format!("column {column}: {end} is before opened_at, {start}; the incident is left out"))
    }

    /// The last thing known, by rank, of what changes from row to row.
    pub fn latest(&self, of: impl Fn(&Event) -> Option<&String>) -> Option<&String> {
        self.events.iter().rev().find_map(of)
    }
}

/// What has been read so far.
#[derive(Debug, Default)]
pub struct Log {
    incidents: BTreeMap<String, Incident>,
    rejected: Vec<RejectedRow>,
    rows: usize,
}

impl Log {
    /// Takes in a row, or the reason why it is none.
    pub fn add(&mut self, row: Result<Row, RejectedRow>) {
        self.rows += 1;
        match row {
            Ok(Row { number, event, facts }) => match self.incidents.entry(number) {
                Entry::Occupied(mut known) => known.get_mut().add(event, facts),
                Entry::Vacant(new) => _ = new.insert(Incident { rank: event.rank(), events: vec![event], facts }),
            },
            Err(rejected) => self.rejected.push(rejected),
        }
    }

    /// Makes a report of every incident.
    pub fn finish(mut self) -> Incidents {
        self.reject_flawed();
        let mut traps = Traps::default();
        self.incidents.values_mut().for_each(|incident| incident.sort(&mut traps));
        let categories = self.incidents.values().map(|incident| incident.facts.category.clone()).collect();
        let groups = self.incidents.values().filter_map(|incident| incident.latest(|e| e.group.as_ref()).cloned());
        let (processes, teams) = (keys::of_categories(categories), keys::of_groups(groups.collect()));
        let mut maker = Maker { processes: &processes, teams: &teams, traps };
        let reports = self.incidents.into_iter().map(|(number, incident)| maker.report(number, incident)).collect();
        let notes = maker.traps.notes();
        let (processes, teams) = (processes.list(keys::words), teams.list(|group| group));
        Incidents { reports, processes, teams, rejected: self.rejected, rows: self.rows, notes }
    }

    fn reject_flawed(&mut self) {
        let rejected = &mut self.rejected;
        self.incidents.retain(|number, incident| {
            let flaw = incident.flaw();
            let (.., line) = incident.rank;
            rejected.extend(flaw.clone().map(|reason| RejectedRow { line, number: Some(number.clone()), reason }));
            flaw.is_none()
        });
    }
}
