//! Whether those who exist can fill the stages of a policy.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accounts, Candidate};
use crate::error::Problem;
use crate::ids::{PersonId, TeamId};
use crate::policy::Stage;

/// The stages that those who exist cannot fill, each person counted once across all stages, with whatever accounts.
///
/// Every approval that is needed is a seat; people are matched to seats by augmenting paths (Kuhn 1955). Delegations
/// add nobody: whoever decides on behalf of another uses up both.
#[must_use]
pub fn unfilled(
    stages: &[Stage],
    people: &[Candidate],
    excluded: &BTreeSet<PersonId>,
    accounts: &Accounts,
    team: TeamId,
) -> Vec<Problem> {
    let excluded: BTreeSet<PersonId> = excluded.iter().map(|person| accounts.holder(*person)).collect();
    let mut free: BTreeMap<PersonId, Vec<&Candidate>> = BTreeMap::new();
    for candidate in people {
        let holder = accounts.holder(candidate.person);
        if !excluded.contains(&holder) {
            free.entry(holder).or_default().push(candidate);
        }
    }
    let free: Vec<Vec<&Candidate>> = free.into_values().collect();
    let seats: Vec<usize> =
        stages.iter().enumerate().flat_map(|(i, s)| std::iter::repeat_n(i, s.min_approvals as usize)).collect();
    let fits = |seat: usize, person: usize| free[person].iter().any(|c| c.holds(&stages[seats[seat]], team));
    let mut seated: Vec<Option<usize>> = vec![None; free.len()];
    let mut empty = vec![0_usize; stages.len()];
    for seat in 0..seats.len() {
        // Seats of a stage are alike: where there is nobody for one, there is nobody for the next.
        if empty[seats[seat]] > 0 {
            empty[seats[seat]] += 1;
            continue;
        }
        let mut tried = vec![false; free.len()];
        if !seat_someone(seat, &fits, &mut seated, &mut tried) {
            empty[seats[seat]] += 1;
        }
    }
    let missing = stages.iter().zip(&empty).enumerate().filter(|(_, (_, n))| **n > 0);
    missing
        .map(|(i, (stage, n))| {
            let message = format!("stage '{}' lacks {n} eligible holder(s) of the role '{}'", stage.name, stage.role);
            Problem::at(format!("policy.stages.{i}"), message)
        })
        .collect()
}

fn seat_someone(
    seat: usize,
    fits: &impl Fn(usize, usize) -> bool,
    seated: &mut Vec<Option<usize>>,
    tried: &mut Vec<bool>,
) -> bool {
    // Whoever is free costs no search for another seat.
    if let Some(person) = (0..seated.len()).find(|person| seated[*person].is_none() && fits(seat, *person)) {
        seated[person] = Some(seat);
        return true;
    }
    for person in 0..seated.len() {
        if tried[person] || !fits(seat, person) {
            continue;
        }
        tried[person] = true;
        let moved = seated[person].is_some_and(|other| seat_someone(other, fits, seated, tried));
        if moved {
            seated[person] = Some(seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Meaning, StageScope};
    use uuid::Uuid;

    fn stage(role: &str, min_approvals: u32) -> Stage {
        let (name, scope, meaning) = (role.to_owned(), StageScope::Team, Meaning::Approved);
        Stage { name, role: role.to_owned(), min_approvals, scope, meaning, max_auth_age: None }
    }

    fn person(n: u128, roles: &[&str]) -> Candidate {
        let roles = roles.iter().map(|r| ((*r).to_owned(), None)).collect();
        Candidate { person: PersonId(Uuid::from_u128(n)), roles, auth_time: None }
    }

    #[test]
    fn each_person_is_counted_once_across_stages_and_accounts() {
        let team = TeamId(Uuid::nil());
        let stages = [stage("reviewer", 1), stage("approver", 1)];
        let none = Accounts::default();
        let both = person(1, &["reviewer", "approver"]);
        assert_eq!(unfilled(&stages, std::slice::from_ref(&both), &BTreeSet::new(), &none, team).len(), 1);
        // The first person can do either, so must be moved to make room for the second.
        let people = [both, person(2, &["reviewer"])];
        assert!(unfilled(&stages, &people, &BTreeSet::new(), &none, team).is_empty());
        assert_eq!(unfilled(&stages, &people, &BTreeSet::from([people[1].person]), &none, team).len(), 1);
        let linked = Accounts::new([(people[0].person, people[1].person)]);
        assert_eq!(unfilled(&stages, &people, &BTreeSet::new(), &linked, team).len(), 1);
        assert_eq!(unfilled(&stages, &people, &BTreeSet::from([people[1].person]), &linked, team).len(), 2);
    }
}
