//! The whole matrix of built-in roles, actions and resources, as text that a person can read: `matrix.txt`. To accept
//! a change of it, write it anew and read the difference:
//! `cargo test -p sopwith-domain access::tests::write_the_matrix -- --ignored`.

use std::fmt::Write;

use uuid::Uuid;

use super::*;
use crate::ids::DelegationId;
use crate::policy::{Meaning, StageScope};

const MATRIX: &str = include_str!("matrix.txt");
const REGENERATE: &str = "cargo test -p sopwith-domain access::tests::write_the_matrix -- --ignored";

/// Somebody who is signed in and holds nothing, and a role made by an admin, with no permissions.
const OTHERS: [&str; 2] = ["(nothing)", "qa"];

fn team(n: u128) -> TeamId {
    TeamId(Uuid::from_u128(n))
}

const OWN: u128 = 1;
const OTHER: u128 = 2;

fn me() -> PersonId {
    PersonId(Uuid::from_u128(9))
}

fn actor(role: &str, scope: Option<TeamId>) -> Actor {
    let permissions = BUILT_IN_ROLES.iter().filter(|(name, _)| *name == role).flat_map(|(_, p)| p.iter().copied());
    let permissions = permissions.collect();
    let held = HeldRole { role: role.to_owned(), team: scope, permissions, origin: Origin::CLAIM };
    let roles = if role == OTHERS[0] { Vec::new() } else { vec![held] };
    Actor { person: me(), roles, mandates: Vec::new(), source: None, auth_time: None }
}

/// One kind of SOP, seen from the actor.
struct Case {
    title: &'static str,
    team: u128,
    published: bool,
    owned: bool,
    contributed: bool,
    /// The open request has a stage that names the actor's role, in this scope.
    stage: Option<StageScope>,
}

impl Case {
    fn facts(&self, role: &str) -> SopFacts {
        let stage = |scope| Stage {
            name: "the stage".to_owned(),
            role: role.to_owned(),
            min_approvals: 1,
            scope,
            meaning: Meaning::Approved,
            max_auth_age: None,
        };
        SopFacts {
            team: team(self.team),
            owner: if self.owned { me() } else { PersonId(Uuid::from_u128(8)) },
            was_published: self.published,
            contributors: self.contributed.then(me).into_iter().collect(),
            stages: self.stage.map(stage).into_iter().collect(),
        }
    }
}

fn cases() -> Vec<Case> {
    let plain = |title, team, published| {
        let (owned, contributed, stage) = (false, false, None);
        Case { title, team, published, owned, contributed, stage }
    };
    let stage = |title, team, published, scope| Case { stage: Some(scope), ..plain(title, team, published) };
    vec![
        plain("an SOP of the own team, never published", OWN, false),
        plain("an SOP of the own team, published", OWN, true),
        plain("an SOP of another team, never published", OTHER, false),
        plain("an SOP of another team, published", OTHER, true),
        Case { owned: true, ..plain("an SOP owned by the actor, of another team, never published", OTHER, false) },
        Case { owned: true, ..plain("an SOP owned by the actor, of another team, published", OTHER, true) },
        Case { contributed: true, ..plain("contributed to, of the own team, never published", OWN, false) },
        Case { contributed: true, ..plain("contributed to, of another team, never published", OTHER, false) },
        Case { contributed: true, ..plain("contributed to, of another team, published", OTHER, true) },
        stage("a stage names the role in the team: own team, never published", OWN, false, StageScope::Team),
        stage("a stage names the role in the team: another team, never published", OTHER, false, StageScope::Team),
        stage("a stage names the role in the team: another team, published", OTHER, true, StageScope::Team),
        stage("a stage names the role of anyone: another team, never published", OTHER, false, StageScope::Anyone),
        stage("a stage names the role of anyone: another team, published", OTHER, true, StageScope::Anyone),
    ]
}

fn roles() -> Vec<&'static str> {
    BUILT_IN_ROLES.iter().map(|(name, _)| *name).chain(OTHERS).collect()
}

fn answer(actor: &Actor, action: Action, resource: Resource) -> &'static str {
    match decide(actor, action, resource) {
        Ok(permit) => {
            assert_eq!((permit.actor(), permit.action()), (Some(me()), action), "the permit is for something else");
            "yes"
        }
        Err(Refusal::NotFound(_)) => "hidden",
        Err(Refusal::Forbidden(_)) => ".",
        Err(other) => panic!("not an answer about access: {other:?}"),
    }
}

/// One table: actions down, roles across; in a cell, what holding the role for the own team allows, then, where that
/// differs, what holding it org-wide does.
fn section(out: &mut String, title: &str, ask: impl Fn(&str, &Actor, Action) -> &'static str) {
    let mut line = |first: &str, cells: Vec<String>| {
        let mut text = format!("{first:<20}");
        for cell in cells {
            write!(text, "{cell:<12}").expect("text takes all");
        }
        writeln!(out, "{}", text.trim_end()).expect("text takes all");
    };
    line(&format!("== {title} =="), Vec::new());
    line("", roles().into_iter().map(str::to_owned).collect());
    for action in Action::ALL {
        let cell = |role: &str| {
            let [team, org] = [Some(team(OWN)), None].map(|scope| ask(role, &actor(role, scope), *action));
            if team == org { team.to_owned() } else { format!("{team} {org}") }
        };
        line(action.as_str(), roles().into_iter().map(cell).collect());
    }
    out.push('\n');
}

fn matrix() -> String {
    let mut out =
        "Who may do what. A cell says what somebody may who holds the role for the own team, and, where that\n\
        differs, then what somebody may who holds it org-wide.\n\
        yes: may    . : may not, and is told so    hidden: is answered as if it did not exist\n\n"
            .to_owned();
    section(&mut out, "the organisation", |_, actor, action| answer(actor, action, Resource::Organisation));
    section(&mut out, "the own team", |_, actor, action| answer(actor, action, Resource::Team(team(OWN))));
    section(&mut out, "another team", |_, actor, action| answer(actor, action, Resource::Team(team(OTHER))));
    for case in cases() {
        section(&mut out, case.title, |role, actor, action| answer(actor, action, Resource::Sop(&case.facts(role))));
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

/// The lines that differ, with the table and the roles that they belong to.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let (mut out, mut title) = (String::new(), "");
    for n in 0..old.len().max(new.len()) {
        let [was, is] = [&old, &new].map(|lines| lines.get(n).copied().unwrap_or_default());
        title = if is.starts_with("==") { is } else { title };
        if was != is {
            write!(out, "line {} {title}\n- {was}\n+ {is}\n", n + 1).expect("text takes all");
        }
    }
    out
}

#[test]
fn the_matrix_is_the_one_that_was_agreed_on() {
    let now = matrix();
    assert!(
        now == MATRIX,
        "who may do what has changed. If that is meant, write it anew and read the difference:\n{REGENERATE}\n\n{}",
        difference(MATRIX, &now)
    );
}

#[test]
#[ignore = "writes matrix.txt"]
fn write_the_matrix() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/access/matrix.txt");
    std::fs::write(path, matrix()).expect("the matrix can be written");
}

#[test]
fn what_is_listed_is_what_can_be_read() {
    for (role, case) in roles().iter().flat_map(|role| cases().into_iter().map(move |case| (role, case))) {
        for scope in [Some(team(OWN)), None] {
            let (actor, facts) = (actor(role, scope), case.facts(role));
            let seen = actor.visibility();
            let reaches = match &seen.drafts {
                Reach::Organisation => true,
                Reach::Teams(teams) => teams.contains(&facts.team),
            };
            let named = facts.stages.iter().any(|stage| actor.candidate().holds(stage, facts.team));
            let listed = facts.owner == seen.person || reaches || named;
            let drafts = decide(&actor, Action::ReadDraft, Resource::Sop(&facts)).is_ok();
            assert_eq!(listed, drafts, "{role} {scope:?}: {}", case.title);
            let sop = decide(&actor, Action::ReadSop, Resource::Sop(&facts)).is_ok();
            assert_eq!(listed || facts.was_published, sop, "{role} {scope:?}: {}", case.title);
        }
    }
}

#[test]
fn nobody_acts_for_the_clock() {
    assert_eq!((Permit::clock().actor(), Permit::clock().action()), (None, Action::PublishDue));
    assert_eq!(Permit::clock(), Permit { actor: None, action: Action::PublishDue });
}

/// Who may decide on behalf of somebody sees what there is to decide, in lists too, and no more.
#[test]
fn a_mandate_opens_what_it_reaches() {
    let from = PersonId(Uuid::from_u128(7));
    let case = |scope| Case {
        title: "a request",
        team: OWN,
        published: false,
        owned: false,
        contributed: false,
        stage: Some(scope),
    };
    let mandate = |role: &str, only: Option<u128>, held: &[Option<u128>]| Mandate {
        delegation: DelegationId(Uuid::nil()),
        from,
        role: role.to_owned(),
        team: only.map(team),
        held: held.iter().map(|t| t.map(team)).collect(),
    };
    // In a stage of the team, and in one of anyone.
    let cases = [
        (mandate("qa", None, &[None]), true, true),
        (mandate("qa", Some(OWN), &[None]), true, true),
        (mandate("qa", Some(OTHER), &[None]), false, false),
        (mandate("qa", None, &[Some(OTHER)]), false, true),
        (mandate("qa", Some(OWN), &[Some(OTHER), Some(OWN)]), true, true),
        (mandate("reviewer", None, &[None]), false, false),
    ];
    for (mandate, of_team, of_anyone) in cases {
        let actor = Actor { mandates: vec![mandate.clone()], ..actor(OTHERS[0], None) };
        let roles = actor.visibility().roles;
        assert_eq!(roles, actor.deciding_roles());
        let told = roles.iter().map(|r| (r.role.as_str(), r.held, r.only, r.on_behalf_of)).collect::<Vec<_>>();
        let known = mandate.held.iter().map(|held| (mandate.role.as_str(), *held, mandate.team, Some(from)));
        assert_eq!(told, known.collect::<Vec<_>>());
        for (scope, reaches) in [(StageScope::Team, of_team), (StageScope::Anyone, of_anyone)] {
            let facts = case(scope).facts("qa");
            let answer = |action| decide(&actor, action, Resource::Sop(&facts));
            let hidden = Err(Refusal::NotFound("SOP"));
            for action in [Action::Decide, Action::ReadDraft, Action::WithdrawDecision, Action::Comment] {
                let expected = if reaches { Ok(Permit { actor: Some(me()), action }) } else { hidden.clone() };
                assert_eq!(answer(action), expected, "{action} {scope}: {mandate:?}");
            }
        }
    }
}

/// Whoever could give out roles decides by none that lets them, but by others.
#[test]
fn a_role_that_gives_out_roles_is_none_to_decide_in() {
    let held = |role: &str, permission| HeldRole {
        role: role.to_owned(),
        team: Some(team(OWN)),
        permissions: BTreeSet::from([Permission::DraftRead, permission]),
        origin: Origin::CLAIM,
    };
    let roles = vec![held("keeper", Permission::AccessManage), held("qa", Permission::AuditRead)];
    let auth_time = Some(Timestamp::from_micros(5));
    let actor = Actor { roles, auth_time, ..actor(OTHERS[0], None) };
    let own = ("qa".to_owned(), Some(team(OWN)));
    assert_eq!(actor.candidate(), Candidate { person: me(), roles: vec![own], auth_time });
    let own = DecidingRole { role: "qa".to_owned(), held: Some(team(OWN)), only: None, on_behalf_of: None };
    assert_eq!(actor.deciding_roles(), [own]);
    let case = |role| {
        Case {
            title: "a request",
            team: OWN,
            published: true,
            owned: false,
            contributed: false,
            stage: Some(StageScope::Team),
        }
        .facts(role)
    };
    assert!(decide(&actor, Action::Decide, Resource::Sop(&case("qa"))).is_ok());
    let refused = decide(&actor, Action::Decide, Resource::Sop(&case("keeper")));
    assert!(matches!(refused, Err(Refusal::Forbidden(_))), "{refused:?}");
}
