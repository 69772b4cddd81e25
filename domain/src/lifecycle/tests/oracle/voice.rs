//! Why somebody may not decide, if so.

use super::super::facts::Deputy;
use super::super::history::Passage;
use super::super::policies::{AUTH_AGE, StageSpec};
use super::super::world::Answered;
use super::View;

type Reasons = Vec<&'static str>;

impl View<'_> {
    /// All that speaks against an answer to the open request; nothing where it is to be taken.
    pub(super) fn why_not(&self, passage: &Passage, answered: &Answered) -> Reasons {
        let stage = &passage.policy.stages[passage.stage];
        let recent = !stage.lately || self.deed.login.is_some_and(|age| age <= AUTH_AGE);
        let open = passage.version.is_some_and(|version| self.facts.open_remarks(version) > 0);
        let mut why: Reasons = [
            (answered.content != passage.content, "other content refused"),
            (!answered.approves && answered.comment.trim().is_empty(), "missing reason refused"),
            (answered.approves && open && passage.policy.resolved, "approval refused while comments are open"),
            (!recent, "old sign-in refused"),
            (answered.approves && self.hollow(passage), "approval over a stage that came to lack some refused"),
        ]
        .into_iter()
        .filter(|(so, _)| *so)
        .map(|(_, why)| why)
        .collect();
        why.extend(self.own_part(passage));
        match answered.behalf {
            None => why.extend(self.own_role(stage)),
            Some(from) => {
                why.extend(self.others_part(passage, from));
                why.extend(self.others_role(stage, from));
            }
        }
        why
    }

    /// Whether one more approval would close the open stage, while accounts that turned out to be one person's leave an
    /// earlier one with fewer than it needs.
    fn hollow(&self, passage: &Passage) -> bool {
        let barred = self.world.history.barred(passage);
        let lacks = |n: usize| passage.counted(n, self.facts, barred).len() < passage.policy.stages[n].need as usize;
        passage.one_more_closes(self.facts, barred) && (0..passage.stage).any(lacks)
    }

    /// What the person did in the request already, or for it.
    fn own_part(&self, passage: &Passage) -> Option<&'static str> {
        let selves = self.facts.selves(self.who);
        let barred = self.world.history.barred(passage);
        if barred.has(self.who) {
            return Some("own work not decided");
        }
        if barred.meets(selves) {
            return Some("second account of a contributor refused");
        }
        let mut standing = passage.standing();
        let mut decided = passage.standing();
        if decided.any(|v| v.who == self.who) {
            Some("second decision refused")
        } else if standing.any(|v| selves.has(v.who)) {
            Some("decision by a second account refused")
        } else if passage.voices().meets(selves) {
            Some("decision after one's delegate refused")
        } else {
            None
        }
    }

    /// What the one in whose place it is to be did in the request already, or for it.
    fn others_part(&self, passage: &Passage, from: usize) -> Option<&'static str> {
        let selves = self.facts.selves(from);
        if selves.has(self.who) {
            return Some("decision on one's own behalf refused");
        }
        if self.facts.all_selves(self.world.history.barred(passage)).meets(selves) {
            return Some("delegate of a contributor refused");
        }
        passage.voices().meets(selves).then_some("delegate of who has decided refused")
    }

    fn own_role(&self, stage: &StageSpec) -> Option<&'static str> {
        let scope = (!stage.anyone).then_some(self.row.team);
        if self.facts.fits(self.who, stage, self.row.team) {
            None
        } else if self.facts.holds(self.who, stage.role, scope) {
            Some("role that gives out roles refused")
        } else {
            Some("role not held refused")
        }
    }

    fn others_role(&self, stage: &StageSpec, from: usize) -> Option<&'static str> {
        let given = || self.facts.deputies.iter().filter(|d| (d.from, d.to) == (from, self.who));
        let useless = |d: &Deputy| self.facts.useless(d, stage, self.row.team);
        let best = given().map(useless).min_by_key(Vec::len);
        match best.as_deref() {
            None => Some("decision without delegation refused"),
            Some([]) => None,
            Some([why]) => Some(why),
            Some(_) => Some("delegation of no use refused"),
        }
    }
}
