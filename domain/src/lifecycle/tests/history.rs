//! Who did what and who saw what, kept from the accepted actions alone, apart from the code under test.

use std::collections::{BTreeMap, BTreeSet};

use crate::content::ContentHash;
use crate::ids::{RequestId, VersionId};
use crate::policy::Stage;

use super::cast::fits;

/// An accepted answer.
#[derive(Debug, Clone)]
pub struct Vote {
    pub who: usize,
    pub content: ContentHash,
    pub approves: bool,
}

/// One request, from its opening to its end.
#[derive(Debug, Clone)]
pub struct Passage {
    pub request: RequestId,
    pub sop: usize,
    /// None for a retirement.
    pub version: Option<VersionId>,
    pub content: ContentHash,
    /// As the policy was when it was opened.
    pub stages: Vec<Stage>,
    pub asked_by: usize,
    pub votes: Vec<Vote>,
    pub open: bool,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub contributors: BTreeMap<VersionId, BTreeSet<usize>>,
    pub passages: Vec<Passage>,
    pub ever_published: BTreeSet<usize>,
}

impl Passage {
    /// The stage that the next vote belongs to: each takes exactly as many as it needs.
    pub fn stage(&self) -> usize {
        let mut left = self.votes.iter().filter(|v| v.approves).count();
        let full = self.stages.iter().take_while(|stage| {
            let need = stage.min_approvals as usize;
            let filled = left >= need;
            left = left.saturating_sub(need);
            filled
        });
        full.count()
    }

    /// Whether one more approval closes the stage that is open.
    pub fn one_more_closes(&self) -> bool {
        let mut next = self.clone();
        next.votes.push(Vote { who: usize::MAX, content: self.content, approves: true });
        next.stage() > self.stage()
    }

    /// Why this passage does not allow what it asks for.
    pub fn check(&self, team: u128, barred: &BTreeSet<usize>, content: ContentHash) -> Result<(), String> {
        let need: usize = self.stages.iter().map(|s| s.min_approvals as usize).sum();
        let seats = self.stages.iter().flat_map(|s| std::iter::repeat_n(s, s.min_approvals as usize));
        let people: BTreeSet<usize> = self.votes.iter().map(|v| v.who).collect();
        let rules = [
            (self.open, "it was closed already"),
            (!self.stages.is_empty() && self.stages.iter().all(|s| s.min_approvals > 0), "it has stages that count"),
            (self.votes.len() == need, "every stage has exactly the approvals that it needs"),
            (self.votes.iter().all(|v| v.approves), "nobody rejected"),
            (people.len() == self.votes.len(), "everyone counts once"),
            (people.is_disjoint(barred), "nobody decides on what they did or asked for"),
            (self.votes.iter().zip(seats).all(|(v, s)| fits(v.who, s, team)), "everyone held the role of the stage"),
            (self.content == content, "it was about this content"),
            (self.votes.iter().all(|v| v.content == content), "everyone saw this content"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(format!("not approved as the policy asks: it does not hold that {rule}: {self:?}")),
            None => Ok(()),
        }
    }
}

impl History {
    pub fn open(&self, sop: usize) -> Option<&Passage> {
        self.passages.iter().find(|p| p.sop == sop && p.open)
    }

    pub fn contributed(&self, version: VersionId, who: usize) -> bool {
        self.contributors.get(&version).is_some_and(|c| c.contains(&who))
    }

    /// Those who may not decide in a passage.
    pub fn barred(&self, passage: &Passage) -> BTreeSet<usize> {
        match passage.version {
            Some(version) => self.contributors.get(&version).cloned().unwrap_or_default(),
            None => BTreeSet::from([passage.asked_by]),
        }
    }
}
