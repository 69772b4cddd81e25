//! Policies are data: which stages a change passes, and which policy applies.

use serde::{Deserialize, Serialize};

use crate::content::ChangeKind;
use crate::error::Problem;
use crate::ids::{PolicyId, TeamId};
use crate::text::text_enum;

text_enum! {
    /// What a policy is for.
    PolicyKind {
        /// Material changes.
        Material = "MATERIAL",
        /// Editorial changes.
        Editorial = "EDITORIAL",
        /// Retirements.
        Retirement = "RETIREMENT",
    }
}

impl From<ChangeKind> for PolicyKind {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Material => Self::Material,
            ChangeKind::Editorial => Self::Editorial,
        }
    }
}

text_enum! {
    /// What goes wrong when the procedure is not followed.
    Risk {
        /// Little.
        Low = "LOW",
        /// Something that can be mended.
        Medium = "MEDIUM",
        /// Harm, loss or a breach.
        High = "HIGH",
    }
}

text_enum! {
    /// What a signature in a stage says.
    Meaning {
        /// The content was reviewed.
        Reviewed = "REVIEWED",
        /// The content is approved.
        Approved = "APPROVED",
        /// Compliance was verified.
        VerifiedCompliance = "VERIFIED_COMPLIANCE",
    }
}

text_enum! {
    /// Whose role counts in a stage.
    StageScope {
        /// Those who hold the role for the SOP's team, or org-wide.
        Team = "TEAM",
        /// Those who hold the role for any team.
        Anyone = "ANYONE",
    }
}

/// The most approvals that a stage may ask for.
pub const MAX_APPROVALS: u32 = 100;

/// One stage of a policy: M of N holders of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// What people call the stage.
    pub name: String,
    /// The role that decides in it.
    pub role: String,
    /// How many approvals close it.
    pub min_approvals: u32,
    /// Whose role counts.
    pub scope: StageScope,
    /// What a signature in it says.
    pub meaning: Meaning,
    /// The approver must have signed in within this many seconds, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_auth_age: Option<i64>,
}

/// Which stages a change passes, for which SOPs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: PolicyId,
    /// What it is for.
    pub kind: PolicyKind,
    /// The only team that it is for, where given.
    pub team: Option<TeamId>,
    /// The only risk that it is for, where given.
    pub risk: Option<Risk>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
}

impl Policy {
    /// What makes this no policy: no stage, or a stage that nobody need approve.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.stages.is_empty() {
            problems.push(Problem::at("stages", "a policy needs at least one stage"));
        }
        for (i, stage) in self.stages.iter().enumerate() {
            if !(1..=MAX_APPROVALS).contains(&stage.min_approvals) {
                let message = format!("a stage needs 1 to {MAX_APPROVALS} approvals");
                problems.push(Problem::at(format!("stages.{i}.minApprovals"), message));
            }
            for (field, text) in [("name", &stage.name), ("role", &stage.role)] {
                if text.trim().is_empty() {
                    problems.push(Problem::at(format!("stages.{i}.{field}"), "this is needed"));
                }
            }
        }
        problems
    }

    /// How special this policy is among those that apply: team and risk, before risk, before team, before the default.
    fn rank(&self) -> u8 {
        u8::from(self.risk.is_some()) * 2 + u8::from(self.team.is_some())
    }
}

/// The policy that applies to an SOP, the most special first.
#[must_use]
pub fn select(policies: &[Policy], kind: PolicyKind, team: TeamId, risk: Risk) -> Option<&Policy> {
    policies
        .iter()
        .filter(|p| p.kind == kind && p.team.is_none_or(|t| t == team) && p.risk.is_none_or(|r| r == risk))
        .max_by_key(|p| p.rank())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_most_special_policy_applies() {
        let team = TeamId(Uuid::from_u128(1));
        let policy = |n, team, risk| Policy {
            id: PolicyId(Uuid::from_u128(n)),
            kind: PolicyKind::Material,
            team,
            risk,
            stages: Vec::new(),
        };
        let all = [
            policy(1, None, None),
            policy(2, Some(team), None),
            policy(3, None, Some(Risk::High)),
            policy(4, Some(team), Some(Risk::High)),
        ];
        let chosen =
            |take: usize, risk| select(&all[..take], PolicyKind::Material, team, risk).map(|p| p.id.0.as_u128());
        assert_eq!(
            [chosen(1, Risk::High), chosen(2, Risk::High), chosen(3, Risk::High), chosen(4, Risk::High)],
            [Some(1), Some(2), Some(3), Some(4)]
        );
        assert_eq!(chosen(4, Risk::Low), Some(2));
        assert_eq!(select(&all, PolicyKind::Retirement, team, Risk::Low), None);
    }
}
