//! Deciding on behalf of somebody else.

use super::Candidate;
use crate::content::{MAX_LINE, prose_problem};
use crate::error::{Problem, Refusal};
use crate::ids::{DelegationId, PersonId, TeamId};
use crate::policy::{Stage, StageScope};
use crate::time::{DAY, Timestamp};

/// The longest period of a delegation, in microseconds: a leap year.
pub const MAX_PERIOD: i64 = 366 * DAY;

/// Somebody's word that another may decide in their place, in one role and for a time. It does not chain: what is
/// delegated is the role that the delegator holds in their own right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// Who lets another decide.
    pub from: PersonId,
    /// Who may decide.
    pub to: PersonId,
    /// In which role.
    pub role: String,
    /// Only for SOPs of this team, where given.
    pub team: Option<TeamId>,
    /// Why.
    pub reason: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when; that instant is no longer part of it.
    pub ends_at: Timestamp,
}

impl Delegation {
    /// Whether it may be made by somebody who holds the role as `held` says: for each grant its team, none where it is
    /// org-wide.
    ///
    /// # Errors
    /// `Invalid` for oneself, a period that is over, turned round or longer than [`MAX_PERIOD`], or no reason;
    /// `Forbidden` for a role that the delegator does not hold.
    pub fn check(&self, same_person: bool, held: &[Option<TeamId>], now: Timestamp) -> Result<(), Refusal> {
        let mut problems = Vec::new();
        if same_person {
            problems.push(Problem::at("toId", "nobody decides on their own behalf"));
        }
        if self.ends_at <= self.starts_at || self.ends_at <= now {
            problems.push(Problem::at("endsAt", "this must lie after the start, and in the future"));
        } else if self.ends_at.since(self.starts_at) > MAX_PERIOD {
            problems.push(Problem::at("endsAt", "a delegation lasts 366 days at most"));
        }
        if self.role.chars().count() > MAX_LINE || self.role.contains('\0') {
            problems.push(Problem::at("role", format!("at most {MAX_LINE} characters, without U+0000")));
        }
        problems.extend(prose_problem("reason", &self.reason));
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        let covered = held.iter().any(|team| team.is_none() || self.team.is_none() || *team == self.team);
        if covered { Ok(()) } else { Err(Refusal::forbidden("you do not hold this role: it is not yours to delegate")) }
    }

    /// Whether it is in force at this time.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    /// What follows from it at this time, with what its delegator can decide in by roles of their own. Nothing, where
    /// it is not in force or the role is no longer held: a mandate that the delegator has from somebody else is no role
    /// of theirs.
    #[must_use]
    pub fn mandate(&self, delegator: &Candidate, now: Timestamp) -> Option<Mandate> {
        let own = delegator.roles.iter().filter(|(role, _)| *role == self.role);
        let held: Vec<Option<TeamId>> = own.map(|(_, team)| *team).collect();
        let counts = delegator.person == self.from && self.in_force(now) && !held.is_empty();
        let Self { id: delegation, from, role, team, .. } = self;
        counts.then(|| Mandate { delegation: *delegation, from: *from, role: role.clone(), team: *team, held })
    }
}

/// A delegation that is in force, with what the delegator holds of its role at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// By which delegation.
    pub delegation: DelegationId,
    /// On whose behalf.
    pub from: PersonId,
    /// In which role.
    pub role: String,
    /// Only for SOPs of this team, where given.
    pub team: Option<TeamId>,
    /// The teams that the delegator's own grants of the role are for; none where one is org-wide.
    pub held: Vec<Option<TeamId>>,
}

impl Mandate {
    /// Whether it counts in a stage about an SOP of this team.
    #[must_use]
    pub fn holds(&self, stage: &Stage, team: TeamId) -> bool {
        let covers = |scope: &Option<TeamId>| stage.scope == StageScope::Anyone || scope.is_none_or(|t| t == team);
        self.role == stage.role && self.team.is_none_or(|t| t == team) && self.held.iter().any(covers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Meaning;
    use uuid::Uuid;

    fn team(n: u128) -> TeamId {
        TeamId(Uuid::from_u128(n))
    }

    #[test]
    fn a_mandate_reaches_no_further_than_its_team_and_the_delegators_grants() {
        let stage = |scope| Stage {
            name: "Approval".to_owned(),
            role: "approver".to_owned(),
            min_approvals: 1,
            scope,
            meaning: Meaning::Approved,
            max_auth_age: None,
        };
        let mandate = |only: Option<u128>, held: &[Option<u128>]| Mandate {
            delegation: DelegationId(Uuid::nil()),
            from: PersonId(Uuid::nil()),
            role: "approver".to_owned(),
            team: only.map(team),
            held: held.iter().map(|t| t.map(team)).collect(),
        };
        let (own, any) = (stage(StageScope::Team), stage(StageScope::Anyone));
        let cases = [
            (mandate(None, &[None]), true, true),
            (mandate(None, &[Some(1)]), true, true),
            (mandate(None, &[Some(2)]), false, true),
            (mandate(Some(1), &[Some(2)]), false, true),
            (mandate(Some(2), &[None]), false, false),
            (mandate(None, &[]), false, false),
        ];
        for (mandate, in_team, anywhere) in cases {
            assert_eq!(
                (mandate.holds(&own, team(1)), mandate.holds(&any, team(1))),
                (in_team, anywhere),
                "{mandate:?}"
            );
            assert!(!mandate.holds(&Stage { role: "reviewer".to_owned(), ..any.clone() }, team(1)));
        }
    }

    #[test]
    fn a_mandate_follows_while_the_delegation_is_in_force_and_the_role_is_held() {
        let person = |n| PersonId(Uuid::from_u128(n));
        let now = Timestamp::from_micros(1_000 * DAY);
        let given = Delegation {
            id: DelegationId(Uuid::from_u128(5)),
            from: person(1),
            to: person(2),
            role: "approver".to_owned(),
            team: Some(team(1)),
            reason: "leave".to_owned(),
            starts_at: now,
            ends_at: now.plus(DAY),
        };
        let holding = |n, roles: &[(&str, Option<u128>)]| Candidate {
            person: person(n),
            roles: roles.iter().map(|(role, held)| ((*role).to_owned(), held.map(team))).collect(),
            auth_time: None,
        };
        let delegator = holding(1, &[("reviewer", None), ("approver", Some(1)), ("approver", Some(2))]);
        let expected = Mandate {
            delegation: given.id,
            from: person(1),
            role: "approver".to_owned(),
            team: Some(team(1)),
            held: vec![Some(team(1)), Some(team(2))],
        };
        for (micros, follows) in [(-1, false), (0, true), (DAY - 1, true), (DAY, false)] {
            let mandate = given.mandate(&delegator, now.plus(micros));
            assert_eq!(mandate, follows.then(|| expected.clone()), "after {micros} microseconds");
        }
        assert_eq!(given.mandate(&holding(1, &[("reviewer", None)]), now), None);
        assert_eq!(given.mandate(&holding(3, &[("approver", None)]), now), None);
    }

    #[test]
    fn only_what_one_holds_can_be_delegated_and_only_for_a_time() {
        let now = Timestamp::from_micros(1_000 * DAY);
        let day = |n: i64| now.plus(n * DAY);
        let made = |only: Option<u128>, starts_at, ends_at, reason: &str| Delegation {
            id: DelegationId(Uuid::nil()),
            from: PersonId(Uuid::nil()),
            to: PersonId(Uuid::from_u128(1)),
            role: "approver".to_owned(),
            team: only.map(team),
            reason: reason.to_owned(),
            starts_at,
            ends_at,
        };
        let fine = made(None, now, day(14), "leave");
        assert_eq!(fine.check(false, &[Some(team(1))], now), Ok(()));
        assert_eq!(made(Some(1), now, day(14), "leave").check(false, &[None], now), Ok(()));
        let foreign = made(Some(2), now, day(14), "leave").check(false, &[Some(team(1))], now);
        assert!(matches!(foreign, Err(Refusal::Forbidden(_))), "{foreign:?}");
        assert!(matches!(fine.check(false, &[], now), Err(Refusal::Forbidden(_))));
        assert!(matches!(fine.check(true, &[None], now), Err(Refusal::Invalid(_))));
        for (from, to) in [(0, 0), (2, 1), (-9, 0), (-9, -1), (0, 367)] {
            let refused = made(None, day(from), day(to), "leave").check(false, &[None], now);
            assert!(matches!(refused, Err(Refusal::Invalid(_))), "{from} to {to}: {refused:?}");
        }
        assert!(matches!(made(None, now, day(1), " ").check(false, &[None], now), Err(Refusal::Invalid(_))));
    }
}
