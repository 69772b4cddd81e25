//! Policies are data: which stages a change passes, and which policy applies.

use serde::{Deserialize, Serialize};

use crate::content::{ChangeKind, MAX_LINE};
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
/// The most stages that a policy may have.
pub const MAX_STAGES: usize = 20;
/// The longest that a sign-in may be good for, in seconds: thirty days.
pub const MAX_AUTH_AGE: i64 = 30 * 24 * 3600;

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

impl Stage {
    /// Whether a role held for a team, or org-wide, counts in this stage about an SOP of a team.
    #[must_use]
    pub fn counts(&self, role: &str, held_for: Option<TeamId>, team: TeamId) -> bool {
        role == self.role && (self.scope == StageScope::Anyone || held_for.is_none_or(|t| t == team))
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=MAX_APPROVALS).contains(&self.min_approvals) {
            problems.push(Problem::at("minApprovals", format!("a stage needs 1 to {MAX_APPROVALS} approvals")));
        }
        for (field, text) in [("name", &self.name), ("role", &self.role)] {
            if text.trim().is_empty() {
                problems.push(Problem::at(field, "this is needed"));
            } else if text.chars().count() > MAX_LINE || text.contains('\0') {
                problems.push(Problem::at(field, format!("at most {MAX_LINE} characters, without U+0000")));
            }
        }
        if self.max_auth_age.is_some_and(|age| !(1..=MAX_AUTH_AGE).contains(&age)) {
            problems.push(Problem::at("maxAuthAge", "this is between one second and thirty days"));
        }
        problems
    }
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
    /// Whether all review comments have to be resolved before somebody approves.
    pub requires_resolved_comments: bool,
}

impl Policy {
    /// What makes this no policy: no stage, or a stage that nobody need approve.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(1..=MAX_STAGES).contains(&self.stages.len()) {
            problems.push(Problem::at("stages", format!("a policy has 1 to {MAX_STAGES} stages")));
        }
        for (i, stage) in self.stages.iter().enumerate() {
            problems.extend(stage.check().into_iter().map(|p| p.under(&format!("stages.{i}"))));
        }
        problems
    }

    /// How special this policy is among those that apply: team and risk, before risk, before team, before the default.
    fn rank(&self) -> u8 {
        u8::from(self.risk.is_some()) * 2 + u8::from(self.team.is_some())
    }
}

text_enum! {
    /// What becomes of a policy when one is looked for.
    Fit {
        /// It is the one that applies.
        Applies = "APPLIES",
        /// It would, but a more special one does.
        LessSpecial = "LESS_SPECIAL",
        /// It is for another team.
        OtherTeam = "OTHER_TEAM",
        /// It is for another risk.
        OtherRisk = "OTHER_RISK",
    }
}

/// What becomes of each policy of a kind for an SOP. At most one applies: team and risk, before risk, before team,
/// before the default.
#[must_use]
pub fn consider(policies: &[Policy], kind: PolicyKind, team: TeamId, risk: Risk) -> Vec<(&Policy, Fit)> {
    let of_kind: Vec<&Policy> = policies.iter().filter(|p| p.kind == kind).collect();
    let fits = |p: &&&Policy| p.team.is_none_or(|t| t == team) && p.risk.is_none_or(|r| r == risk);
    let chosen = of_kind.iter().filter(fits).max_by_key(|p| p.rank()).map(|p| p.id);
    let fit = |p: &Policy| {
        if Some(p.id) == chosen {
            Fit::Applies
        } else if p.team.is_some_and(|t| t != team) {
            Fit::OtherTeam
        } else if p.risk.is_some_and(|r| r != risk) {
            Fit::OtherRisk
        } else {
            Fit::LessSpecial
        }
    };
    of_kind.into_iter().map(|p| (p, fit(p))).collect()
}

/// The policy that applies to an SOP, the most special first.
#[must_use]
pub fn select(policies: &[Policy], kind: PolicyKind, team: TeamId, risk: Risk) -> Option<&Policy> {
    consider(policies, kind, team, risk).into_iter().find(|(_, fit)| *fit == Fit::Applies).map(|(policy, _)| policy)
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
            requires_resolved_comments: false,
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
        let fits =
            |risk| consider(&all, PolicyKind::Material, team, risk).into_iter().map(|(_, fit)| fit).collect::<Vec<_>>();
        assert_eq!(fits(Risk::High), [Fit::LessSpecial, Fit::LessSpecial, Fit::LessSpecial, Fit::Applies]);
        assert_eq!(fits(Risk::Low), [Fit::LessSpecial, Fit::Applies, Fit::OtherRisk, Fit::OtherRisk]);
        let elsewhere = consider(&all, PolicyKind::Material, TeamId(Uuid::from_u128(9)), Risk::High);
        let fits: Vec<Fit> = elsewhere.into_iter().map(|(_, fit)| fit).collect();
        assert_eq!(fits, [Fit::LessSpecial, Fit::OtherTeam, Fit::Applies, Fit::OtherTeam]);
        assert_eq!(select(&all, PolicyKind::Retirement, team, Risk::Low), None);
    }

    #[test]
    fn a_policy_has_stages_that_somebody_has_to_approve() {
        let stage = Stage {
            name: "Approval".to_owned(),
            role: "approver".to_owned(),
            min_approvals: 1,
            scope: StageScope::Team,
            meaning: Meaning::Approved,
            max_auth_age: None,
        };
        let told = |stages: Vec<Stage>| {
            let (id, kind) = (PolicyId(Uuid::nil()), PolicyKind::Material);
            let policy = Policy { id, kind, team: None, risk: None, stages, requires_resolved_comments: false };
            policy.check().into_iter().map(|problem| problem.path.join(".")).collect::<Vec<_>>()
        };
        let named = |text: &str| Stage { name: text.to_owned(), ..stage.clone() };
        let in_role = |text: &str| Stage { role: text.to_owned(), ..stage.clone() };
        let needing = |min_approvals| Stage { min_approvals, ..stage.clone() };
        let within = |age| Stage { max_auth_age: Some(age), ..stage.clone() };
        let (longest, too_long) = ("x".repeat(MAX_LINE), "x".repeat(MAX_LINE + 1));
        for fine in [stage.clone(), needing(MAX_APPROVALS), within(1), within(MAX_AUTH_AGE), named(&longest)] {
            assert!(told(vec![fine.clone()]).is_empty(), "{fine:?}");
        }
        assert!(told(vec![stage.clone(); MAX_STAGES]).is_empty());
        assert_eq!(told(Vec::new()), ["stages"]);
        assert_eq!(told(vec![stage.clone(); MAX_STAGES + 1]), ["stages"]);
        let flaws = [
            (needing(0), "minApprovals"),
            (needing(MAX_APPROVALS + 1), "minApprovals"),
            (named(" "), "name"),
            (named(&too_long), "name"),
            (named("a\0b"), "name"),
            (in_role(""), "role"),
            (in_role(&too_long), "role"),
            (within(0), "maxAuthAge"),
            (within(MAX_AUTH_AGE + 1), "maxAuthAge"),
        ];
        for (flawed, field) in flaws {
            assert_eq!(told(vec![stage.clone(), flawed]), [format!("stages.1.{field}")]);
        }
    }

    #[test]
    fn each_kind_of_change_has_its_own_policies() {
        let team = TeamId(Uuid::nil());
        let policy = |n: u128, kind| Policy {
            id: PolicyId(Uuid::from_u128(n)),
            kind,
            team: None,
            risk: None,
            stages: Vec::new(),
            requires_resolved_comments: false,
        };
        let all =
            [policy(1, PolicyKind::Retirement), policy(2, PolicyKind::Editorial), policy(3, PolicyKind::Material)];
        let chosen = |kind| select(&all, kind, team, Risk::Low).map(|p| p.id.0.as_u128());
        assert_eq!(chosen(ChangeKind::Material.into()), Some(3));
        assert_eq!(chosen(ChangeKind::Editorial.into()), Some(2));
        assert_eq!(chosen(PolicyKind::Retirement), Some(1));
    }
}
