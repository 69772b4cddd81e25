//! Who did what and who saw what, kept from the accepted actions alone, apart from the code under test.

use std::collections::BTreeMap;

use crate::content::ContentHash;
use crate::ids::{DecisionId, RequestId, VersionId};

use super::cast::People;
use super::facts::Facts;
use super::policies::PolicySpec;

/// An accepted answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Vote {
    pub id: DecisionId,
    pub who: usize,
    pub behalf: Option<usize>,
    pub stage: usize,
    pub content: ContentHash,
    pub approves: bool,
    /// Whether the role of the stage was held at that time: by who voted, or by the one in whose place it was done.
    pub entitled: bool,
    pub withdrawn: bool,
}

impl Vote {
    /// Who has a part in it.
    pub fn voices(&self) -> People {
        [Some(self.who), self.behalf].into_iter().flatten().collect()
    }
}

/// One request, from its opening to its end.
#[derive(Debug, Clone)]
pub struct Passage {
    pub request: RequestId,
    pub sop: usize,
    /// None for a retirement.
    pub version: Option<VersionId>,
    pub content: ContentHash,
    /// As it was when the request was opened.
    pub policy: PolicySpec,
    pub asked_by: usize,
    pub votes: Vec<Vote>,
    /// The stage that is open.
    pub stage: usize,
    /// For each stage that was closed the votes that closed it, and all accounts of those who have a part in each.
    pub closed: Vec<Vec<(usize, People)>>,
    /// How much was known of accounts when it was opened.
    pub links: usize,
    pub open: bool,
}

#[derive(Debug, Clone, Default)]
pub struct History {
    pub contributors: BTreeMap<VersionId, People>,
    pub passages: Vec<Passage>,
    pub ever_published: People,
}

impl Passage {
    pub fn standing(&self) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(|v| !v.withdrawn)
    }

    /// Everyone who has a part in a vote that stands.
    pub fn voices(&self) -> People {
        self.standing().fold(People::default(), |all, vote| all.and(vote.voices()))
    }

    /// The votes that count in a stage. Of somebody whose accounts turn out to be one person's only the first does, of
    /// somebody who turns out to be barred none.
    pub fn counted(&self, stage: usize, facts: &Facts, barred: People) -> Vec<(usize, People)> {
        let mut heard = facts.all_selves(barred);
        let mut counted = Vec::new();
        for (n, vote) in self.votes.iter().enumerate().filter(|(_, v)| !v.withdrawn) {
            let voices = facts.all_selves(vote.voices());
            if !voices.meets(heard) {
                heard = heard.and(voices);
                counted.push((n, voices));
            }
        }
        counted.retain(|(n, _)| self.votes[*n].stage == stage && self.votes[*n].approves);
        counted
    }

    /// Whether one more approval of somebody who is free to give it closes the stage that is open.
    pub fn one_more_closes(&self, facts: &Facts, barred: People) -> bool {
        let need = self.policy.stages[self.stage].need as usize;
        self.counted(self.stage, facts, barred).len() + 1 >= need
    }

    /// Takes a vote, and moves on where it closes the stage.
    pub fn take(&mut self, vote: Vote, facts: &Facts, barred: People) {
        self.open = vote.approves;
        self.votes.push(vote);
        let counted = self.counted(self.stage, facts, barred);
        if self.open && counted.len() >= self.policy.stages[self.stage].need as usize {
            self.closed.push(counted);
            self.stage += 1;
            self.open = self.stage < self.policy.stages.len();
        }
    }

    /// Why this passage does not allow what it asks for.
    pub fn check(&self, barred: People, content: ContentHash) -> Result<(), String> {
        let stages = &self.policy.stages;
        let counted: Vec<(usize, People)> = self.closed.iter().flatten().copied().collect();
        let votes = || counted.iter().map(|(n, _)| &self.votes[*n]);
        let mut heard = barred;
        let alone = counted.iter().all(|(_, voices)| {
            let new = !voices.meets(heard);
            heard = heard.and(*voices);
            new
        });
        let full = stages.iter().zip(&self.closed).all(|(stage, closed)| closed.len() == stage.need as usize);
        let in_order =
            self.closed.iter().enumerate().all(|(stage, c)| c.iter().all(|(n, _)| self.votes[*n].stage == stage));
        let rules = [
            (!self.open && self.closed.len() == stages.len(), "every stage was closed"),
            (!stages.is_empty() && stages.iter().all(|s| s.need > 0), "it has stages that count"),
            (full, "every stage has exactly the approvals that it needs"),
            (in_order, "every approval was given in its stage"),
            (votes().all(|v| v.approves) && self.votes.iter().all(|v| v.approves), "nobody rejected"),
            (votes().all(|v| !v.withdrawn), "no decision that was taken back counts"),
            (alone, "nobody is heard twice, or on what they did or asked for, with whatever account or delegate"),
            (votes().all(|v| v.entitled), "everyone held the role of the stage, or stood in for somebody who did"),
            (self.content == content, "it was about this content"),
            (votes().all(|v| v.content == content), "everyone saw this content"),
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
        self.contributors.get(&version).is_some_and(|c| c.has(who))
    }

    /// Those who may not decide in a passage.
    pub fn barred(&self, passage: &Passage) -> People {
        let contributed = passage.version.and_then(|version| self.contributors.get(&version));
        contributed.copied().unwrap_or_default().and(People::only(passage.asked_by))
    }
}
