//! Who acts, on what, and what is told of them as the rules see it.

use uuid::Uuid;

use crate::ids::{PersonId, SopId, TeamId};

/// A role and the team that it is held for; org-wide when absent.
pub type Grant = (&'static str, Option<u128>);

/// Everyone and everything that a world is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Cast {
    /// The roles that each account is given.
    pub people: &'static [&'static [Grant]],
    /// Process, team and first owner of each SOP.
    pub sops: &'static [(u8, u128, usize)],
    /// Accounts that are one person's. It is known of the first pair, and may turn out of the others.
    pub links: &'static [(usize, usize)],
}

/// Enough people to fill four stages, now and then. The first SOP and the last compete for one process.
pub static MANY: Cast = Cast {
    people: &[
        &[("author", Some(0))],
        &[("author", Some(0)), ("reviewer", Some(0))],
        &[("reviewer", None), ("approver", Some(0))],
        &[("approver", Some(0)), ("approver", Some(1))],
        &[("author", Some(1)), ("reviewer", Some(1)), ("approver", None)],
        &[("manager", Some(0)), ("admin", None), ("qa", Some(1))],
        &[("reviewer", Some(0)), ("qa", Some(0)), ("viewer", None)],
        &[("approver", Some(0)), ("reviewer", Some(0))],
        &[("approver", None), ("keeper", None)],
        &[("reviewer", Some(0)), ("qa", None)],
        &[("approver", Some(0)), ("reviewer", None), ("keeper", Some(0))],
        &[("qa", Some(0)), ("keeper", Some(1)), ("approver", Some(1))],
        &[("admin", Some(0)), ("approver", Some(0))],
        &[("reviewer", None), ("approver", None)],
        &[("approver", None), ("reviewer", None), ("keeper", None)],
    ],
    sops: &[(0, 0, 0), (1, 1, 4), (0, 0, 1)],
    links: &[(0, 7), (3, 8), (8, 9), (2, 10), (1, 6), (12, 13), (4, 14)],
};

pub fn person(n: usize) -> PersonId {
    PersonId(Uuid::from_u128(100 + n as u128))
}

/// Who a person id stands for.
pub fn index(id: PersonId) -> usize {
    usize::try_from(id.0.as_u128()).expect("ids of the cast are small") - 100
}

pub fn team(n: u128) -> TeamId {
    TeamId(Uuid::from_u128(200 + n))
}

pub fn sop_id(n: usize) -> SopId {
    SopId(Uuid::from_u128(300 + n as u128))
}

/// Some of the cast, by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct People(u16);

impl People {
    pub fn only(who: usize) -> Self {
        Self(1 << who)
    }

    pub fn has(self, who: usize) -> bool {
        self.meets(Self::only(who))
    }

    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..16).filter(move |who| self.has(*who))
    }
}

impl FromIterator<usize> for People {
    fn from_iter<I: IntoIterator<Item = usize>>(people: I) -> Self {
        people.into_iter().fold(Self::default(), |all, who| all.and(Self::only(who)))
    }
}
