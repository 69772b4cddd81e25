//! Groups of runs in the making: what is read is taken in row by row, so that no more is held than is answered.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sopwith_domain::calendar::{Cover, Grain, Zone};
use sopwith_domain::rollup::{Aggregate, HORIZON};
use sopwith_domain::stats::histogram::Histogram;
use sopwith_domain::time::Timestamp;
use uuid::Uuid;

use super::read::Of;
use super::{Dimension, Figures, Group, MAX_GROUPS, MAX_RANKED, Question};
use crate::error::{Error, Result};

/// Groups that deltas may touch: as many may be left with nothing in the end, and are not answered.
const MOST_TOUCHED: usize = 2 * MAX_RANKED;

/// Groups of runs in the making.
pub(super) struct Groups<'a> {
    question: &'a Question,
    /// Of which the hours of sums are.
    kept: Zone,
    /// What is read.
    cover: &'a Cover,
    now: Timestamp,
    made: BTreeMap<Group, Made>,
    /// How many of them were first seen in deltas.
    touched: usize,
    /// How old open runs are at the most that come one by one.
    longest: i64,
}

/// What is known of a group so far.
#[derive(Default)]
struct Made {
    sum: Aggregate,
    /// How long the open runs that came one by one have been so.
    open: Histogram,
    /// Those of them that are past their horizon.
    overdue: i64,
}

impl<'a> Groups<'a> {
    pub(super) fn new(question: &'a Question, kept: Zone, cover: &'a Cover, now: Timestamp) -> Self {
        let mut made = BTreeMap::new();
        if question.by.is_empty() && question.bucket.is_none() {
            made.insert(Group::default(), Made::default());
        }
        Self { question, kept, cover, now, made, touched: 0, longest: HORIZON }
    }

    /// Whether there are more groups than are answered, whatever else is read: each has runs, but for those that a delta
    /// may yet take away, or of which all runs are in the days that a month has too much.
    pub(super) fn is_full(&self) -> bool {
        self.made.len() > self.touched + self.most() || self.touched > MOST_TOUCHED
    }

    /// How many groups are answered.
    fn most(&self) -> usize {
        if self.question.ranked { MAX_RANKED } else { MAX_GROUPS }
    }

    /// Takes a sum in.
    pub(super) fn add(&mut self, of: Of, at: Timestamp, sum: &Aggregate) -> Result<()> {
        if sum.is_empty() {
            return Ok(());
        }
        self.made.entry(self.group(of, at)).or_default().sum.merge(sum).map_err(Error::internal)
    }

    /// Takes in what can be less than nothing.
    pub(super) fn add_change(&mut self, of: Of, at: Timestamp, sum: &Aggregate) -> Result<()> {
        match self.made.entry(self.group(of, at)) {
            Entry::Vacant(place) => {
                self.touched += 1;
                place.insert(Made { sum: sum.clone(), ..Made::default() });
                Ok(())
            }
            Entry::Occupied(mut place) => place.get_mut().sum.merge(sum).map_err(Error::internal),
        }
    }

    /// Notes that open runs of this age, in microseconds, and of no longer horizon come one by one, and no older ones.
    pub(super) fn longest(&mut self, horizon: i64) {
        self.longest = horizon;
    }

    /// Takes in that a run is open, which is in a sum as well, and whether it is past its horizon.
    pub(super) fn add_open(&mut self, of: Of, started_at: Timestamp, is_overdue: bool) -> Result<()> {
        let age = u64::try_from(self.now.since(started_at)).unwrap_or(0);
        let at = self.cover.stand(self.kept, started_at);
        let made = self.made.entry(self.group(of, at)).or_default();
        made.overdue += i64::from(is_overdue);
        made.open.add(age, 1).map_err(Error::internal)
    }

    /// Of those with runs, at most one more than are answered; where there are so many, not all was read.
    pub(super) fn figures(self) -> Result<Vec<Figures>> {
        let (is_full, most, longest) = (self.is_full(), self.most(), self.longest.unsigned_abs());
        let (kept, zone, grain) = (self.kept, self.question.zone(self.kept), self.question.bucket);
        let with_runs = self.made.into_iter().filter(|(_, made)| is_full || made.sum.tally.runs > 0);
        let figures = with_runs.take(most + 1).map(|(group, made)| {
            let bucket = group.bucket.map(Timestamp::from_micros).zip(grain);
            let off_by = bucket.map_or(0, |(start, grain)| off_by(kept, start, zone.next(grain, start)));
            Ok(Figures { off_by, ..figures(group, made, longest)? })
        });
        figures.collect()
    }

    fn group(&self, of: Of, at: Timestamp) -> Group {
        let by = |dimension, id: Option<Uuid>| id.filter(|_| self.question.by.contains(&dimension));
        let zone = self.question.zone(self.kept);
        Group {
            process: by(Dimension::Process, of.process),
            sop: by(Dimension::Sop, of.sop),
            version: by(Dimension::Version, of.version),
            team: by(Dimension::Team, of.team),
            bucket: self.question.bucket.map(|grain| zone.start(grain, at).micros()),
        }
    }
}

/// See [`Figures::off_by`].
fn off_by(kept: Zone, start: Timestamp, end: Timestamp) -> i64 {
    let until_hour = |at: Timestamp| match kept.start(Grain::Hour, at) {
        hour if hour == at => 0,
        hour => kept.next(Grain::Hour, hour).since(at),
    };
    until_hour(start).max(until_hour(end))
}

fn figures(group: Group, made: Made, longest: u64) -> Result<Figures> {
    let Made { sum, mut open, overdue } = made;
    // The others are older than any horizon.
    let others = (sum.tally.open - i64::try_from(open.count()).map_err(Error::internal)?).max(0);
    open.add(longest, others.unsigned_abs()).map_err(Error::internal)?;
    Ok(Figures {
        group,
        tally: sum.tally,
        // Where the sums have drifted, more may have gone out than came in: of those times there is none.
        completed: sum.completed.added().clone(),
        abandoned: sum.abandoned.added().clone(),
        open,
        overdue: overdue + others,
        off_by: 0,
    })
}
