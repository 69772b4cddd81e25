//! What is so apart from the procedures: the time, who holds which role, whose accounts are one person's, who may stand
//! in for whom, what is commented on, and which policies are in use. What follows from it is worked out here a second
//! time and another way than by the code under test.

use crate::ids::VersionId;
use crate::policy::PolicyKind;
use crate::time::{SECOND, Timestamp};

use super::cast::{Cast, Grant, People};
use super::policies::{KEEPER, PolicySpec, StageSpec};

/// A delegation that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deputy {
    pub from: usize,
    pub to: usize,
    pub role: &'static str,
    pub team: Option<u128>,
    pub starts: Timestamp,
    pub ends: Timestamp,
}

/// A thread of review comments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    pub version: VersionId,
    pub author: usize,
    pub resolved: bool,
}

#[derive(Debug, Clone)]
pub struct Facts {
    pub cast: &'static Cast,
    pub now: Timestamp,
    pub deputies: Vec<Deputy>,
    pub remarks: Vec<Remark>,
    /// The policy in use for material changes, editorial ones and retirements.
    pub policies: [PolicySpec; 3],
    /// Whether the role `keeper` gives out roles.
    pub keepers_appoint: bool,
    /// Grants that were taken away: person and number.
    lost: Vec<(usize, usize)>,
    /// For each account, all of the same person, as far as it is known.
    selves: Vec<People>,
    /// How often somebody's accounts turned out to be one person's.
    pub links: usize,
}

/// The time at which a world begins.
pub fn beginning() -> Timestamp {
    Timestamp::from_micros(1_780_000_000 * SECOND)
}

impl Facts {
    pub fn new(cast: &'static Cast) -> Self {
        let mut facts = Self {
            cast,
            now: beginning(),
            deputies: Vec::new(),
            remarks: Vec::new(),
            policies: PolicySpec::built_in(),
            keepers_appoint: false,
            lost: Vec::new(),
            selves: (0..cast.people.len()).map(People::only).collect(),
            links: 0,
        };
        if let Some((one, other)) = cast.links.first() {
            facts.link(*one, *other);
        }
        facts
    }

    pub fn everyone(&self) -> std::ops::Range<usize> {
        0..self.cast.people.len()
    }

    /// From now on it is known that two accounts are one person's.
    pub fn link(&mut self, one: usize, other: usize) {
        let all = self.selves[one].and(self.selves[other]);
        all.iter().for_each(|who| self.selves[who] = all);
        self.links += 1;
    }

    /// All accounts of the person.
    pub fn selves(&self, who: usize) -> People {
        self.selves[who]
    }

    /// All accounts of all of them.
    pub fn all_selves(&self, people: People) -> People {
        people.iter().fold(People::default(), |all, who| all.and(self.selves[who]))
    }

    /// Takes a grant away, or gives it back.
    pub fn turn(&mut self, who: usize, grant: usize) {
        match self.lost.iter().position(|lost| *lost == (who, grant)) {
            Some(n) => drop(self.lost.swap_remove(n)),
            None => self.lost.push((who, grant)),
        }
    }

    /// The roles that an account holds at the moment.
    pub fn grants(&self, who: usize) -> impl Iterator<Item = Grant> {
        let all = self.cast.people[who].iter().copied().enumerate();
        all.filter(move |(n, _)| !self.lost.contains(&(who, *n))).map(|(_, grant)| grant)
    }

    /// Whether an account holds a role for a team; for any team when none is given.
    pub fn holds(&self, who: usize, role: &str, team: Option<u128>) -> bool {
        self.grants(who).any(|(held, scope)| held == role && (team.is_none() || scope.is_none() || scope == team))
    }

    /// Whether a role gives out roles, and so is none to decide in.
    pub fn appoints(&self, role: &str) -> bool {
        role == "admin" || (role == KEEPER && self.keepers_appoint)
    }

    /// Whether an account's role counts in a stage about an SOP of this team.
    pub fn fits(&self, who: usize, stage: &StageSpec, team: u128) -> bool {
        !self.appoints(stage.role) && self.holds(who, stage.role, (!stage.anyone).then_some(team))
    }

    /// Whether one account may decide in the stage on behalf of another.
    pub fn stands_in(&self, who: usize, from: usize, stage: &StageSpec, team: u128) -> bool {
        self.deputies.iter().any(|d| (d.from, d.to) == (from, who) && self.useless(d, stage, team).is_empty())
    }

    /// Why a delegation is of no use in a stage.
    pub fn useless(&self, deputy: &Deputy, stage: &StageSpec, team: u128) -> Vec<&'static str> {
        let from = deputy.from;
        let other_role = deputy.role != stage.role;
        let lacks = !other_role && !self.fits(from, stage, team);
        let by_another = || {
            let mut others = self.deputies.iter().filter(|d| d.to == from && self.is_in_force(d));
            others.any(|d| d.role == stage.role && self.fits(d.from, stage, team))
        };
        let why = [
            (self.now < deputy.starts, "delegation that has not begun refused"),
            (self.now >= deputy.ends, "delegation that is over refused"),
            (other_role, "delegation of another role refused"),
            (deputy.team.is_some_and(|t| t != team), "delegation for another team refused"),
            (lacks && self.appoints(stage.role), "role that gives out roles refused under delegation"),
            (lacks && !self.appoints(stage.role) && by_another(), "chained delegation refused"),
            (lacks && !self.appoints(stage.role) && !by_another(), "role no longer held by the delegator refused"),
        ];
        why.into_iter().filter(|(so, _)| *so).map(|(_, why)| why).collect()
    }

    /// A delegation of this role by somebody who holds it, and whom others let decide in it, too.
    pub fn handed_on(&self, role: &str) -> Option<&Deputy> {
        let of_role = self.deputies.iter().filter(|d| d.role == role && self.is_in_force(d));
        let own = of_role.filter(|d| self.holds(d.from, role, None));
        let lent = |d: &&Deputy| own.clone().any(|other| other.to == d.from);
        own.clone().find(lent)
    }

    /// Two accounts of which one stands in for the other, and which are not yet known to be one person's.
    pub fn stand_in_for_oneself(&self) -> Option<&(usize, usize)> {
        let agreed = |one, other| self.deputies.iter().any(|d| (d.from, d.to) == (one, other) && self.is_in_force(d));
        let new = self.cast.links.iter().filter(|(one, other)| !self.selves(*one).has(*other));
        new.into_iter().find(|(one, other)| agreed(*one, *other) || agreed(*other, *one))
    }

    pub fn is_in_force(&self, deputy: &Deputy) -> bool {
        (deputy.starts..deputy.ends).contains(&self.now)
    }

    /// Whether somebody decides in a stage of an open request: by a role of their own, or in another's place.
    pub fn has_part(&self, who: usize, stages: &[StageSpec], team: u128) -> bool {
        let may_stand_in = |stage| self.everyone().any(|from| self.stands_in(who, from, stage, team));
        stages.iter().any(|stage| self.fits(who, stage, team) || may_stand_in(stage))
    }

    /// Whether the stages can be filled, each person sitting once: by the marriage theorem, as many people fit some of
    /// the stages as these ask for, whichever one picks.
    pub fn fillable(&self, policy: &PolicySpec, barred: People, team: u128) -> bool {
        let stages = &policy.stages;
        let barred = self.all_selves(barred);
        let free: Vec<People> =
            self.everyone().map(|who| self.selves(who)).filter(|selves| !selves.meets(barred)).collect();
        let enough = |picked: u32| {
            let picked: Vec<&StageSpec> =
                (0..stages.len()).filter(|n| picked >> n & 1 == 1).map(|n| &stages[n]).collect();
            let fits = |selves: &People| selves.iter().any(|who| picked.iter().any(|s| self.fits(who, s, team)));
            let mut people: Vec<People> = free.iter().copied().filter(fits).collect();
            people.sort_unstable();
            people.dedup();
            people.len() >= picked.iter().map(|s| s.need as usize).sum()
        };
        !stages.is_empty() && stages.iter().all(|s| s.need > 0) && (1..1 << stages.len()).all(enough)
    }

    /// The policy in use.
    pub fn policy(&self, kind: PolicyKind) -> &PolicySpec {
        &self.policies[PolicyKind::ALL.iter().position(|k| *k == kind).expect("every kind is listed")]
    }

    /// How many threads on a version are open.
    pub fn open_remarks(&self, version: VersionId) -> usize {
        self.remarks.iter().filter(|r| r.version == version && !r.resolved).count()
    }
}
