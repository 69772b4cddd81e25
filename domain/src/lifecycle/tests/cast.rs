//! Who acts, on what, under which policies; and documents of which it is known by construction what is wrong with them.

use uuid::Uuid;

use crate::access::{Actor, BUILT_IN_ROLES, HeldRole, Origin};
use crate::approval::Candidate;
use crate::content::{Branch, ChangeKind, Content, Document, Step};
use crate::ids::{PersonId, SopId, TeamId};
use crate::policy::{Meaning, Stage, StageScope};
use crate::time::Timestamp;

/// Roles held, each for a team or org-wide.
pub const PEOPLE: [&[(&str, Option<u128>)]; 7] = [
    &[("author", Some(0))],
    &[("author", Some(0)), ("reviewer", Some(0))],
    &[("reviewer", None), ("approver", Some(0))],
    &[("approver", Some(0)), ("approver", Some(1))],
    &[("author", Some(1)), ("reviewer", Some(1)), ("approver", None)],
    &[("manager", Some(0)), ("admin", None), ("qa", Some(1))],
    &[("reviewer", Some(0)), ("qa", Some(0)), ("viewer", None)],
];

/// Process, team and first owner of each SOP. The first and the last compete for one process.
pub const SOPS: [(u8, u128, usize); 3] = [(0, 0, 0), (1, 1, 4), (0, 0, 1)];

pub fn person(n: usize) -> PersonId {
    PersonId(Uuid::from_u128(100 + n as u128))
}

pub fn team(n: u128) -> TeamId {
    TeamId(Uuid::from_u128(200 + n))
}

pub fn sop_id(n: usize) -> SopId {
    SopId(Uuid::from_u128(300 + n as u128))
}

/// Whether a person holds a role for a team; for any team when none is given.
pub fn holds(who: usize, role: &str, team: Option<u128>) -> bool {
    PEOPLE[who].iter().any(|(held, scope)| *held == role && (team.is_none() || scope.is_none() || *scope == team))
}

/// Whether a person's roles count in a stage about an SOP of this team.
pub fn fits(who: usize, stage: &Stage, team: u128) -> bool {
    holds(who, &stage.role, (stage.scope == StageScope::Team).then_some(team))
}

pub fn actor(who: usize, auth_time: Option<Timestamp>) -> Actor {
    let role = |(name, scope): &(&str, Option<u128>)| HeldRole {
        role: (*name).to_owned(),
        team: scope.map(team),
        permissions: BUILT_IN_ROLES.iter().filter(|(n, _)| n == name).flat_map(|(_, p)| p.iter().copied()).collect(),
        origin: Origin::CLAIM,
    };
    Actor {
        person: person(who),
        roles: PEOPLE[who].iter().map(role).collect(),
        mandates: Vec::new(),
        source: None,
        auth_time,
    }
}

pub fn candidates() -> Vec<Candidate> {
    (0..PEOPLE.len()).map(|who| actor(who, None).candidate()).collect()
}

/// How recently approvers must have signed in where a stage asks for it, in seconds.
pub const AUTH_AGE: i64 = 600;
/// How many policies there are that can be satisfied.
pub const FIT_POLICIES: usize = 6;
/// With three that cannot: without a stage, without approvals, without enough people.
pub const POLICIES: usize = FIT_POLICIES + 3;

/// The stages of a policy.
pub fn stages(policy: usize) -> Vec<Stage> {
    let stage = |role: &str, min_approvals: u32| Stage {
        name: format!("{role} {min_approvals}"),
        role: role.to_owned(),
        min_approvals,
        scope: StageScope::Team,
        meaning: Meaning::Approved,
        max_auth_age: None,
    };
    let anyone = |role: &str| Stage { scope: StageScope::Anyone, ..stage(role, 1) };
    match policy {
        0 => vec![stage("reviewer", 1), stage("approver", 1)],
        1 => vec![stage("approver", 1)],
        2 => vec![stage("reviewer", 2), stage("approver", 1), anyone("qa")],
        3 => vec![Stage { max_auth_age: Some(AUTH_AGE), ..stage("approver", 2) }],
        4 => vec![anyone("reviewer"), stage("reviewer", 1), stage("approver", 1)],
        5 => vec![stage("approver", 2), stage("reviewer", 2)],
        6 => Vec::new(),
        7 => vec![stage("reviewer", 1), stage("approver", 0)],
        _ => vec![stage("reviewer", 3), stage("approver", 3)],
    }
}

/// How many ways there are to differ in more than wording, each from all others.
pub const SHAPES: u8 = 9;
/// How many ways there are to be incomplete; 0 is complete.
pub const GAPS: u8 = 7;

/// A document in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub shape: u8,
    pub wording: u8,
    pub gap: u8,
    pub kind: ChangeKind,
    pub effective_at: Option<Timestamp>,
}

impl Spec {
    pub fn document(&self) -> Document {
        let mut content = Content {
            title: "Reset a password".to_owned(),
            objective: "People can sign in again".to_owned(),
            scope: format!("wording {}", self.wording),
            steps: vec![step("ask", self.wording), step("reset", self.wording)],
            ..Content::default()
        };
        (content.change_log.what, content.change_log.why) = ("all".to_owned(), "it was time".to_owned());
        self.give_shape(&mut content);
        self.leave_gap(&mut content);
        Document { kind: self.kind, effective_at: self.effective_at, content }
    }

    fn give_shape(&self, content: &mut Content) {
        let steps = &mut content.steps;
        match self.shape {
            1 => "auditor".clone_into(&mut steps[1].role),
            2 => steps.push(step("tell", self.wording)),
            3 => steps.swap(0, 1),
            4 => "is it the right person?".clone_into(&mut steps[0].checkpoint),
            5 => steps[1].mandatory = false,
            6 => steps[0].branches = vec![Branch { condition: "unknown".to_owned(), go_to: "reset".to_owned() }],
            7 => steps[0].expected_duration = Some(60),
            8 => "the line manager".clone_into(&mut steps[1].approval),
            _ => {}
        }
    }

    fn leave_gap(&self, content: &mut Content) {
        match self.gap {
            1 => content.objective.clear(),
            2 => content.steps[0].instruction.clear(),
            3 => content.steps[0].role = " ".to_owned(),
            4 => content.change_log.what.clear(),
            5 => content.change_log.why.clear(),
            6 => content.steps.clear(),
            _ => {}
        }
    }
}

fn step(key: &str, wording: u8) -> Step {
    let instruction = format!("{key} in other words {wording}");
    Step { key: key.to_owned(), role: "service desk".to_owned(), instruction, ..Step::default() }
}
