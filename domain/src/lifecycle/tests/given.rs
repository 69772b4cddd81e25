//! The facts as the code under test is given them: what a store would load.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::access::{Actor, BUILT_IN_ROLES, HeldRole, Origin, Permission};
use crate::approval::{Accounts, Candidate, Delegation, Mandate};
use crate::ids::{DelegationId, PolicyId, VersionId};
use crate::policy::{Policy, PolicyKind};
use crate::time::Timestamp;

use super::cast::{person, team};
use super::facts::{Deputy, Facts};
use super::policies::KEEPER;

impl Deputy {
    pub fn delegation(&self, n: usize, reason: &str) -> Delegation {
        Delegation {
            id: DelegationId(Uuid::from_u128(500 + n as u128)),
            from: person(self.from),
            to: person(self.to),
            role: self.role.to_owned(),
            team: self.team.map(team),
            reason: reason.to_owned(),
            starts_at: self.starts,
            ends_at: self.ends,
        }
    }
}

impl Facts {
    fn permissions(&self, role: &str) -> BTreeSet<Permission> {
        let built_in = BUILT_IN_ROLES.iter().filter(|(name, _)| *name == role);
        let appoints = (role == KEEPER && self.keepers_appoint).then_some(Permission::AccessManage);
        built_in.flat_map(|(_, permissions)| permissions.iter().copied()).chain(appoints).collect()
    }

    fn roles(&self, who: usize) -> Vec<HeldRole> {
        let held = |(role, scope): (&str, Option<u128>)| HeldRole {
            role: role.to_owned(),
            team: scope.map(team),
            permissions: self.permissions(role),
            origin: Origin::CLAIM,
        };
        self.grants(who).map(held).collect()
    }

    pub fn actor(&self, who: usize, auth_time: Option<Timestamp>) -> Actor {
        Actor { person: person(who), roles: self.roles(who), mandates: self.mandates(who), source: None, auth_time }
    }

    /// What follows from all delegations to a person, those included that are not in force.
    pub fn mandates(&self, to: usize) -> Vec<Mandate> {
        let given = self.deputies.iter().enumerate().filter(|(_, d)| d.to == to);
        given.filter_map(|(n, d)| d.delegation(n, "leave").mandate(&self.candidate(d.from), self.now)).collect()
    }

    fn candidate(&self, who: usize) -> Candidate {
        let roles = self.roles(who);
        Actor { person: person(who), roles, mandates: Vec::new(), source: None, auth_time: None }.candidate()
    }

    pub fn candidates(&self) -> Vec<Candidate> {
        self.everyone().map(|who| self.candidate(who)).collect()
    }

    pub fn accounts(&self) -> Accounts {
        let pairs = self.everyone().flat_map(|who| self.selves(who).iter().map(move |other| (who, other)));
        Accounts::new(pairs.filter(|(who, other)| who < other).map(|(who, other)| (person(who), person(other))))
    }

    pub fn policy_row(&self, kind: PolicyKind) -> Policy {
        let id = PolicyId(Uuid::from_u128(7));
        let spec = self.policy(kind);
        let stages = spec.stages.iter().map(super::policies::StageSpec::stage).collect();
        Policy { id, kind, team: None, risk: None, stages, requires_resolved_comments: spec.resolved }
    }

    pub fn open_threads(&self, version: Option<VersionId>) -> u64 {
        version.map_or(0, |version| self.open_remarks(version) as u64)
    }
}
