//! Which time is compared with which.

use crate::ids::VersionId;
use crate::time::{DAY, Timestamp};

use super::Plan;

/// How far back is looked, at most: what lies further back has less to do with the change.
pub const BEFORE_DAYS: i64 = 90;

/// A time during which a version was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    /// The version.
    pub version: VersionId,
    /// Its major number: versions that share one ask for the same work.
    pub major: i32,
    /// For how many days it is learnt, by its own plan.
    pub learning_days: i32,
    /// From when.
    pub from: Timestamp,
    /// Until when; still in force when absent.
    pub until: Option<Timestamp>,
}

impl Era {
    fn learnt(&self) -> Timestamp {
        self.from.plus(i64::from(self.learning_days) * DAY)
    }
}

/// A stretch of time, the end excluded; nothing where that does not lie after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
}

impl Stretch {
    fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to: to.max(from) }
    }

    /// Whether an instant lies in it.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// The stretches of a comparison, by when runs started. None of them overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The version that was in force before; none for the first.
    pub predecessor: Option<VersionId>,
    /// The side before.
    pub before: Stretch,
    /// The version is being learnt: left out.
    pub learning: Stretch,
    /// The side after.
    pub after: Stretch,
    /// Too late to have been watched long enough by the maturity date: left out.
    pub unwatched: Stretch,
    /// When it is judged.
    pub matures_at: Timestamp,
}

impl Windows {
    /// Whether it can be judged.
    #[must_use]
    pub fn mature(&self, now: Timestamp) -> bool {
        now >= self.matures_at
    }
}

/// Whether the next version follows without a gap, and corrects only the wording.
fn follows(era: &Era, next: &Era) -> bool {
    era.until == Some(next.from) && era.major == next.major
}

/// The first of those that ask for the same work as the last of these, without a gap.
fn first_of<'a>(last: &'a Era, older: &'a [Era]) -> &'a Era {
    older.iter().rev().fold(last, |first, next| if follows(next, first) { next } else { first })
}

/// From when on the work that a version asks for was no longer new; none for one that never was in force.
#[must_use]
pub fn learnt_at(eras: &[Era], version: VersionId) -> Option<Timestamp> {
    let place = eras.iter().position(|era| era.version == version)?;
    Some(first_of(&eras[place], &eras[..place]).learnt())
}

/// The stretches for a version, among those of its SOP that were in force, in the order in which they were; none for one
/// that never was.
///
/// Editorial versions ask for the same work as the one that they correct, so they prolong its time on either side. The
/// predecessor was learnt too, and that time of it, by its own plan, is left out as well. What is judged ends with the
/// maturity date, so that a later look sees the same runs.
#[must_use]
pub fn windows(eras: &[Era], version: VersionId, plan: &Plan) -> Option<Windows> {
    let place = eras.iter().position(|era| era.version == version)?;
    let (earlier, later) = eras.split_at(place);
    let (own, later) = later.split_first()?;
    let days = |days: i32| i64::from(days) * DAY;
    let last = later.iter().fold(own, |last, next| if follows(last, next) { next } else { last });
    let matures_at = own.from.plus(days(plan.matures_after_days));
    let end = last.until.map_or(matures_at, |until| until.min(matures_at));
    let learnt = own.from.plus(days(plan.learning_days));
    let watched = matures_at.plus(-plan.watch());
    let before = match earlier.split_last() {
        None => Stretch::new(own.from.plus(-BEFORE_DAYS * DAY), own.from),
        Some((before, older)) => {
            let first = first_of(before, older);
            let until = before.until.map_or(own.from, |until| until.min(own.from));
            let from = first.learnt().max(until.plus(-BEFORE_DAYS * DAY));
            Stretch { from: from.min(until), to: until }
        }
    };
    Some(Windows {
        predecessor: earlier.last().map(|era| era.version),
        before,
        learning: Stretch::new(own.from, learnt.min(end)),
        after: Stretch::new(learnt.min(end), watched.min(end)),
        unwatched: Stretch::new(watched.min(end), end),
        matures_at,
    })
}
