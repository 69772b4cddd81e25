//! What accounts that turn out to be one person's only after they decided mean for a request under way.

use uuid::Uuid;

use super::*;
use crate::policy::{Meaning, StageScope};

fn person(n: u128) -> PersonId {
    PersonId(Uuid::from_u128(n))
}

fn team() -> TeamId {
    TeamId(Uuid::nil())
}

fn now() -> Timestamp {
    Timestamp::from_micros(0)
}

/// A request of person 0 with stages of this many approvals.
fn request(needs: &[u32]) -> Request {
    let stage = |min_approvals: &u32| Stage {
        name: "Approval".to_owned(),
        role: "approver".to_owned(),
        min_approvals: *min_approvals,
        scope: StageScope::Team,
        meaning: Meaning::Approved,
        max_auth_age: None,
    };
    Request {
        id: RequestId(Uuid::nil()),
        subject: Subject::Version(VersionId(Uuid::nil())),
        content: ContentHash([7; 32]),
        policy: PolicyId(Uuid::nil()),
        stages: needs.iter().map(stage).collect(),
        stage: 0,
        requested_by: person(0),
        excluded: BTreeSet::from([person(0)]),
        accounts: Accounts::none(),
        requires_resolved_comments: false,
        open_threads: 0,
        opened_at: now(),
        decisions: Vec::new(),
    }
}

/// Takes an approval; whether it closed the stage.
fn approve(request: &mut Request, n: u128, behalf: Option<u128>) -> Result<bool, Refusal> {
    let roles = vec![("approver".to_owned(), None)];
    let who = Candidate { person: person(n), roles, auth_time: None };
    let mandate = |from| Mandate {
        delegation: DelegationId(Uuid::nil()),
        from,
        role: "approver".to_owned(),
        team: None,
        held: vec![None],
    };
    let mandates: Vec<Mandate> = behalf.map(person).map(mandate).into_iter().collect();
    let answer = Answer {
        id: DecisionId(Uuid::from_u128(n)),
        verdict: Verdict::Approve,
        content: request.content,
        comment: String::new(),
        on_behalf_of: behalf.map(person),
        via: Via::Api,
    };
    let decision = request.decide(&who, &mandates, team(), answer, now())?;
    let closes = request.closes_stage(&decision);
    request.decisions.push(decision);
    request.stage += usize::from(closes);
    Ok(closes)
}

fn link(request: &mut Request, one: u128, other: u128) {
    request.accounts.join(&Accounts::new([(person(one), person(other))]));
}

#[test]
fn accounts_that_turn_out_to_be_one_persons_count_once_from_then_on() {
    let mut under_way = request(&[3]);
    assert_eq!(approve(&mut under_way, 1, None), Ok(false));
    assert_eq!(approve(&mut under_way, 2, None), Ok(false));
    link(&mut under_way, 1, 2);
    assert_eq!(approve(&mut under_way, 3, None), Ok(false), "two people approved, not three");
    assert_eq!(approve(&mut under_way, 4, None), Ok(true));
}

#[test]
fn approvals_of_who_turns_out_to_have_contributed_do_not_count() {
    let mut under_way = request(&[2]);
    assert_eq!(approve(&mut under_way, 1, None), Ok(false));
    link(&mut under_way, 0, 1);
    assert_eq!(approve(&mut under_way, 2, None), Ok(false));
    assert_eq!(approve(&mut under_way, 3, None), Ok(true));
}

#[test]
fn who_turns_out_to_have_decided_in_an_earlier_stage_or_by_a_delegate_does_not_count_again() {
    let mut under_way = request(&[1, 2]);
    assert_eq!(approve(&mut under_way, 1, Some(2)), Ok(true));
    assert_eq!(approve(&mut under_way, 3, Some(4)), Ok(false));
    link(&mut under_way, 2, 4);
    assert_eq!(approve(&mut under_way, 5, None), Ok(false));
    assert_eq!(approve(&mut under_way, 6, None), Ok(true));
}

#[test]
fn of_two_decisions_of_one_person_that_in_the_open_stage_can_be_taken_back() {
    let mut under_way = request(&[1, 2]);
    assert_eq!(under_way.take_back(person(1)), Err(Refusal::NotFound("decision")));
    assert_eq!(approve(&mut under_way, 1, None), Ok(true));
    assert_eq!(approve(&mut under_way, 2, Some(3)), Ok(false));
    assert!(matches!(under_way.take_back(person(1)), Err(Refusal::Conflict { .. })));
    assert_eq!(under_way.take_back(person(3)), Err(Refusal::NotFound("decision")), "it is the delegate's own");
    link(&mut under_way, 1, 2);
    for account in [1, 2] {
        assert_eq!(under_way.take_back(person(account)), Ok(DecisionId(Uuid::from_u128(2))));
    }
}

#[test]
fn of_several_mandates_of_one_person_that_which_counts_in_the_stage_is_used() {
    let under_way = request(&[1]);
    let mandate = |n, role: &str, held| Mandate {
        delegation: DelegationId(Uuid::from_u128(n)),
        from: person(2),
        role: role.to_owned(),
        team: None,
        held: vec![held],
    };
    let elsewhere = Some(TeamId(Uuid::from_u128(9)));
    let mut mandates = [mandate(1, "reviewer", None), mandate(2, "approver", elsewhere), mandate(3, "approver", None)];
    let decide = |mandates: &[Mandate]| {
        let who = Candidate { person: person(1), roles: Vec::new(), auth_time: None };
        let answer = Answer {
            id: DecisionId(Uuid::from_u128(1)),
            verdict: Verdict::Approve,
            content: under_way.content,
            comment: String::new(),
            on_behalf_of: Some(person(2)),
            via: Via::Api,
        };
        under_way.decide(&who, mandates, team(), answer, now())
    };
    assert!(matches!(decide(&mandates[..2]), Err(Refusal::Forbidden(_))));
    for _ in 0..mandates.len() {
        mandates.rotate_left(1);
        let by = decide(&mandates).map(|decision| decision.on_behalf_of);
        assert_eq!(by, Ok(Some((person(2), DelegationId(Uuid::from_u128(3))))), "{mandates:?}");
    }
}
