//! Policies in a few words.

use proptest::prelude::*;

use crate::policy::{Meaning, Stage, StageScope};

/// How recently approvers must have signed in where a stage asks for it, in seconds.
pub const AUTH_AGE: i64 = 600;

/// The roles that random stages name. Holders of the last never decide, those of the last but one as long as the role
/// does not give out roles.
pub const ROLES: [&str; 5] = ["reviewer", "approver", "qa", KEEPER, "admin"];
/// The role that comes to give out roles, now and then.
pub const KEEPER: &str = "keeper";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StageSpec {
    pub role: &'static str,
    /// How many approvals close it.
    pub need: u32,
    /// Whether the role counts for whatever team it is held.
    pub anyone: bool,
    /// Whether approvers must have signed in lately.
    pub lately: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicySpec {
    pub stages: Vec<StageSpec>,
    /// Whether review comments have to be resolved before somebody approves.
    pub resolved: bool,
}

impl StageSpec {
    pub const fn of(need: u32, role: &'static str) -> Self {
        Self { role, need, anyone: false, lately: false }
    }

    pub fn stage(&self) -> Stage {
        Stage {
            name: self.role.to_owned(),
            role: self.role.to_owned(),
            min_approvals: self.need,
            scope: if self.anyone { StageScope::Anyone } else { StageScope::Team },
            meaning: Meaning::Approved,
            max_auth_age: self.lately.then_some(AUTH_AGE),
        }
    }
}

impl PolicySpec {
    pub fn of(stages: &[StageSpec]) -> Self {
        Self { stages: stages.to_vec(), resolved: false }
    }

    pub fn built_in() -> [Self; 3] {
        let approval = Self::of(&[StageSpec::of(1, "approver")]);
        [Self::of(&[StageSpec::of(1, "reviewer"), StageSpec::of(1, "approver")]), approval.clone(), approval]
    }

    /// The same with one approval in each stage.
    pub fn lighter(&self) -> Self {
        let stages = self.stages.iter().map(|stage| StageSpec { need: stage.need.min(1), ..*stage });
        Self { stages: stages.collect(), resolved: self.resolved }
    }
}

/// Policies of one to four stages, and a few that are none: without a stage, or with one that nobody need approve.
pub fn any_policy() -> impl Strategy<Value = PolicySpec> {
    let role = prop_oneof![
        10 => prop::sample::select(vec![ROLES[0], ROLES[1]]),
        3 => Just(ROLES[2]),
        4 => Just(ROLES[3]),
        1 => Just(ROLES[4]),
    ];
    let need = prop_oneof![6 => Just(1_u32), 5 => Just(2), 3 => Just(3)];
    let stage = (role, need, prop::bool::weighted(0.3), prop::bool::weighted(0.2))
        .prop_map(|(role, need, anyone, lately)| StageSpec { role, need, anyone, lately });
    let stages = (prop::collection::vec(stage, 4), 0..15_usize).prop_map(|(mut stages, length)| {
        stages.truncate([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4][length]);
        stages
    });
    (stages, prop::bool::weighted(0.4), 0..12_u8).prop_map(|(mut stages, resolved, flaw)| {
        match flaw {
            0 => stages.clear(),
            1 => stages[0].need = 0,
            _ => {}
        }
        PolicySpec { stages, resolved }
    })
}
