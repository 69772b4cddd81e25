//! That a decision and its explanation are one, and that what is given as a reason is one.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::access::{Origin, RoleSource, SopFacts, decide};
use crate::error::Refusal;
use crate::ids::{DelegationId, PersonId, TeamId};
use crate::policy::{Meaning, Stage, StageScope};

const ME: PersonId = PersonId(Uuid::from_u128(1));
const OTHER: PersonId = PersonId(Uuid::from_u128(2));

fn team(n: u8) -> TeamId {
    TeamId(Uuid::from_u128(u128::from(n)))
}

/// What an actor is asked to be judged about.
#[derive(Debug, Clone)]
enum Object {
    Organisation,
    Team(TeamId),
    Sop(SopFacts),
}

impl Object {
    fn resource(&self) -> Resource<'_> {
        match self {
            Self::Organisation => Resource::Organisation,
            Self::Team(team) => Resource::Team(*team),
            Self::Sop(facts) => Resource::Sop(facts),
        }
    }

    fn team(&self) -> Option<TeamId> {
        match self {
            Self::Organisation => None,
            Self::Team(team) => Some(*team),
            Self::Sop(facts) => Some(facts.team),
        }
    }
}

fn held() -> impl Strategy<Value = HeldRole> {
    let name = prop::sample::select(vec!["reviewer", "approver", "qa"]);
    let source = prop::sample::select(RoleSource::ALL.to_vec());
    let permissions = prop::sample::subsequence(Permission::ALL.to_vec(), 0..=3);
    let scope = prop::option::of((0_u8..2).prop_map(team));
    (name, scope, permissions, source).prop_map(|(role, team, permissions, source)| HeldRole {
        role: role.to_owned(),
        team,
        permissions: permissions.into_iter().collect(),
        origin: Origin { source, ..Origin::CLAIM },
    })
}

fn actor() -> impl Strategy<Value = Actor> {
    let mandates = prop::collection::vec(mandate(), 0..2);
    (prop::collection::vec(held(), 0..4), mandates).prop_map(|(roles, mandates)| Actor {
        person: ME,
        roles,
        mandates,
        source: None,
        auth_time: None,
    })
}

fn mandate() -> impl Strategy<Value = Mandate> {
    let role = prop::sample::select(vec!["reviewer", "approver", "qa"]);
    let scope = || prop::option::of((0_u8..2).prop_map(team));
    (role, scope(), prop::collection::vec(scope(), 1..3)).prop_map(|(role, team, held)| Mandate {
        delegation: DelegationId(Uuid::nil()),
        from: OTHER,
        role: role.to_owned(),
        team,
        held,
    })
}

fn stage() -> impl Strategy<Value = Stage> {
    let role = prop::sample::select(vec!["reviewer", "approver", "qa"]);
    let scope = prop::sample::select(StageScope::ALL.to_vec());
    (role, scope).prop_map(|(role, scope)| Stage {
        name: "a stage".to_owned(),
        role: role.to_owned(),
        min_approvals: 1,
        scope,
        meaning: Meaning::Approved,
        max_auth_age: None,
    })
}

fn object() -> impl Strategy<Value = Object> {
    let facts = (0_u8..2, any::<bool>(), any::<bool>(), any::<bool>(), prop::collection::vec(stage(), 0..3));
    let sop = facts.prop_map(|(n, owned, was_published, contributed, stages)| SopFacts {
        team: team(n),
        owner: if owned { ME } else { OTHER },
        was_published,
        contributors: contributed.then_some(ME).into_iter().chain([OTHER]).collect(),
        stages,
    });
    prop_oneof![Just(Object::Organisation), (0_u8..2).prop_map(|n| Object::Team(team(n))), sop.prop_map(Object::Sop)]
}

/// The actor and the object as they would be if this ground held too; nothing when no role could make it hold.
fn granted(actor: &Actor, object: &Object, ground: Ground) -> Option<(Actor, Object)> {
    let (mut actor, mut object) = (actor.clone(), object.clone());
    let mut hold = |role: &str, team, permissions: BTreeSet<Permission>| {
        actor.roles.push(HeldRole { role: role.to_owned(), team, permissions, origin: Origin::CLAIM });
    };
    match (ground, &mut object) {
        (Ground::Permission(permission), object) => hold("made", object.team(), BTreeSet::from([permission])),
        (Ground::Stage, Object::Sop(facts)) => hold(&facts.stages.first()?.role, Some(facts.team), BTreeSet::new()),
        (Ground::Mandate, Object::Sop(facts)) => actor.mandates.push(Mandate {
            delegation: DelegationId(Uuid::nil()),
            from: OTHER,
            role: facts.stages.first()?.role.clone(),
            team: None,
            held: vec![None],
        }),
        (Ground::Owner, Object::Sop(facts)) => facts.owner = ME,
        (Ground::Contributor, Object::Sop(facts)) => drop(facts.contributors.insert(ME)),
        (Ground::Published, Object::Sop(facts)) => facts.was_published = true,
        _ => return None,
    }
    Some((actor, object))
}

/// The actor and the object without anything by which a reason holds.
fn without(actor: &Actor, object: &Object, reasons: &[Reason]) -> (Actor, Object) {
    let (mut actor, mut object) = (actor.clone(), object.clone());
    let named: BTreeSet<usize> = reasons.iter().flat_map(|reason| reason.roles.iter().copied()).collect();
    let mut place = 0..;
    actor.roles.retain(|_| !place.next().is_some_and(|n| named.contains(&n)));
    for reason in reasons.iter().filter(|reason| reason.holds) {
        match (reason.ground, &mut object) {
            (Ground::Mandate, _) => actor.mandates.clear(),
            (Ground::Owner, Object::Sop(facts)) => facts.owner = OTHER,
            (Ground::Contributor, Object::Sop(facts)) => drop(facts.contributors.remove(&ME)),
            (Ground::Published, Object::Sop(facts)) => facts.was_published = false,
            _ => {}
        }
    }
    (actor, object)
}

proptest! {
    #[test]
    fn a_decision_and_its_explanation_agree(actor in actor(), object in object()) {
        for action in Action::ALL {
            let judged = judge(&actor, *action, object.resource());
            let decided = decide(&actor, *action, object.resource());
            match (judged.verdict, decided) {
                (Verdict::Allowed, Ok(permit)) => {
                    prop_assert_eq!((permit.actor(), permit.action()), (Some(ME), *action));
                }
                (Verdict::Refused, Err(Refusal::Forbidden(_))) => {}
                (Verdict::Hidden(what), Err(Refusal::NotFound(told))) => prop_assert_eq!(what, told),
                (judged, decided) => prop_assert!(false, "{}: {:?} but {:?}", action, judged, decided),
            }
            let holds = judged.reasons.iter().any(|reason| reason.holds);
            prop_assert_eq!(holds, judged.verdict == Verdict::Allowed, "{}: {:?}", action, judged);
        }
    }

    #[test]
    fn whatever_is_allowed_is_so_for_the_reasons_that_are_given(actor in actor(), object in object()) {
        for action in Action::ALL {
            let judged = judge(&actor, *action, object.resource());
            // Nothing can be taken from who is signed in.
            let anyone = judged.reasons.iter().any(|reason| reason.ground == Ground::Anyone);
            if judged.verdict == Verdict::Allowed && !anyone {
                let (less, object) = without(&actor, &object, &judged.reasons);
                let after = judge(&less, *action, object.resource());
                prop_assert_ne!(after.verdict, Verdict::Allowed, "{}: {:?}", action, judged);
            }
        }
    }

    #[test]
    fn whatever_would_allow_it_does(actor in actor(), object in object()) {
        for action in Action::ALL {
            let judged = judge(&actor, *action, object.resource());
            for reason in judged.reasons.iter().filter(|_| judged.verdict != Verdict::Allowed) {
                let Some((more, object)) = granted(&actor, &object, reason.ground) else { continue };
                let after = judge(&more, *action, object.resource());
                // What was hidden is seen then, as far as this ground goes; what was refused is allowed.
                if let Verdict::Hidden(what) = judged.verdict {
                    prop_assert_ne!(after.verdict, Verdict::Hidden(what));
                } else {
                    prop_assert_eq!(after.verdict, Verdict::Allowed, "{}: {:?}", action, reason);
                }
            }
        }
    }

    #[test]
    fn the_scopes_of_a_token_decide_nothing(roles in prop::collection::vec(held(), 0..4), object in object()) {
        let token = |held: HeldRole| HeldRole {
            origin: Origin { source: RoleSource::Token, ..Origin::CLAIM }, ..held
        };
        let roles = roles.into_iter().map(token).collect();
        let actor = Actor { person: ME, roles, mandates: Vec::new(), source: None, auth_time: None };
        prop_assert!(decide(&actor, Action::Decide, object.resource()).is_err());
        prop_assert!(actor.candidate().roles.is_empty() && actor.visibility().roles.is_empty());
    }
}
