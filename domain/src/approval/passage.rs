//! What figures tell of approval requests: how they end and after how long, which stage holds them up, and who is waited
//! for.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::RequestState;
use crate::metrics::Ratio;
use crate::stats::survival::{Incidence, Standing};
use crate::time::Timestamp;

/// A request on its way through its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Where it stands.
    pub state: RequestState,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed; none while it is open.
    pub closed_at: Option<Timestamp>,
    /// The stages that it came to, in order: the last one ends as the request does, those before it were approved.
    pub stays: Vec<Stay>,
}

/// The time of a request in one of its stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// Index of the stage.
    pub place: usize,
    /// What people call it.
    pub name: String,
    /// The role that decides in it.
    pub role: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed; none while it is open.
    pub closed_at: Option<Timestamp>,
    /// Whether it waited for so long that those who answer for the procedure were told.
    pub escalated: bool,
}

/// How requests ended, or their stays in a stage, and after how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends {
    /// Those that were approved.
    pub approved: i64,
    /// Those that were rejected.
    pub rejected: i64,
    /// Those that were taken back.
    pub withdrawn: i64,
    /// Those that are still being decided.
    pub pending: i64,
    /// When that one of them was opened that has waited longest.
    pub oldest_pending: Option<Timestamp>,
    /// Microseconds after which each ended, or for which it has been open.
    times: Vec<(u64, Standing)>,
}

impl Ends {
    fn add(&mut self, state: RequestState, opened_at: Timestamp, closed_at: Option<Timestamp>, now: Timestamp) {
        let standing = match state {
            RequestState::Open => {
                self.pending += 1;
                self.oldest_pending = Some(self.oldest_pending.map_or(opened_at, |at| at.min(opened_at)));
                Standing::Open
            }
            RequestState::Approved => {
                self.approved += 1;
                Standing::Completed
            }
            RequestState::Rejected => {
                self.rejected += 1;
                Standing::Completed
            }
            RequestState::Withdrawn => {
                self.withdrawn += 1;
                Standing::Abandoned
            }
        };
        let took = closed_at.unwrap_or(now).since(opened_at);
        self.times.push((u64::try_from(took).unwrap_or(0), standing));
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> i64 {
        self.decided() + self.withdrawn + self.pending
    }

    /// Those that were approved or rejected.
    #[must_use]
    pub fn decided(&self) -> i64 {
        self.approved + self.rejected
    }

    /// The rejected among the decided.
    #[must_use]
    pub fn rejection(&self) -> Ratio {
        Ratio { numerator: self.rejected, denominator: self.decided() }
    }

    /// What share was decided after which time. Those still pending are known to take longer than they have; what was
    /// withdrawn is never decided.
    #[must_use]
    pub fn incidence(&self) -> Incidence {
        Incidence::of_runs(self.times.iter().copied())
    }
}

/// The figures of a group of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How the requests ended.
    pub ends: Ends,
    /// By name and role: where two stages of a request have both in common, it is told of them together.
    stages: BTreeMap<(String, String), StageFigures>,
}

/// The figures of a stage in a group of requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageFigures {
    /// Its name.
    pub name: String,
    /// The role that decides in it.
    pub role: String,
    /// The last place that it has in any of the requests, from 0: short ways leave out what comes first.
    pub place: usize,
    /// How the stays in it ended.
    pub ends: Ends,
    /// Stays that waited for so long that those who answer for the procedure were told.
    pub escalated: i64,
}

/// A role that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitedFor {
    /// Its name.
    pub role: String,
    /// How many stages wait for it.
    pub pending: i64,
    /// When the one that has waited longest was opened.
    pub oldest_pending: Timestamp,
}

impl Figures {
    /// Takes a request in, as it stands now.
    pub fn add(&mut self, passage: Passage, now: Timestamp) {
        let Passage { state, opened_at, closed_at, stays } = passage;
        self.ends.add(state, opened_at, closed_at, now);
        let last = stays.len().saturating_sub(1);
        for (n, stay) in stays.into_iter().enumerate() {
            let ended = if n < last { RequestState::Approved } else { state };
            self.stage(stay, ended, now);
        }
    }

    fn stage(&mut self, stay: Stay, ended: RequestState, now: Timestamp) {
        let Stay { place, name, role, opened_at, closed_at, escalated } = stay;
        let new = || StageFigures { name: name.clone(), role: role.clone(), place, ..StageFigures::default() };
        let stage = self.stages.entry((name.clone(), role.clone())).or_insert_with(new);
        stage.place = stage.place.max(place);
        stage.escalated += i64::from(escalated);
        stage.ends.add(ended, opened_at, closed_at, now);
    }

    /// The stages, in the order of their places.
    #[must_use]
    pub fn stages(&self) -> Vec<&StageFigures> {
        let mut stages: Vec<&StageFigures> = self.stages.values().collect();
        stages.sort_by_key(|stage| stage.place);
        stages
    }

    /// The roles that are waited for, the one first for which something has waited longest.
    #[must_use]
    pub fn waited_for(&self) -> Vec<WaitedFor> {
        let mut roles: BTreeMap<&str, (i64, Timestamp)> = BTreeMap::new();
        for stage in self.stages.values() {
            let Some(oldest) = stage.ends.oldest_pending else { continue };
            let (pending, since) = roles.entry(&stage.role).or_insert((0, oldest));
            *pending += stage.ends.pending;
            *since = oldest.min(*since);
        }
        let told =
            |(role, (pending, oldest_pending)): (&str, _)| WaitedFor { role: role.to_owned(), pending, oldest_pending };
        let mut roles: Vec<WaitedFor> = roles.into_iter().map(told).collect();
        roles.sort_by_key(|role| role.oldest_pending);
        roles
    }
}
