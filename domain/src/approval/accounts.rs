//! Which accounts are one person's.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::PersonId;

/// The accounts that are known to be another one of somebody: those that ever had a verified e-mail address in common,
/// directly or through a third. What concerns one of them concerns all: together they count as one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts(BTreeMap<PersonId, PersonId>);

impl Accounts {
    /// Where no account is known to be another one of somebody.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Out of pairs of accounts that are one person's.
    pub fn new(pairs: impl IntoIterator<Item = (PersonId, PersonId)>) -> Self {
        let mut accounts = Self::default();
        for (one, other) in pairs {
            accounts.link(one, other);
        }
        accounts
    }

    /// The account that stands for the person behind this one: the first of theirs; itself where no other is known.
    #[must_use]
    pub fn holder(&self, account: PersonId) -> PersonId {
        self.0.get(&account).copied().unwrap_or(account)
    }

    /// All accounts of the person behind this one, itself included.
    #[must_use]
    pub fn of(&self, account: PersonId) -> BTreeSet<PersonId> {
        let holder = self.holder(account);
        let theirs = self.0.iter().filter(|(_, h)| **h == holder).map(|(account, _)| *account);
        theirs.chain([account]).collect()
    }

    /// All that is known here and there.
    pub fn join(&mut self, other: &Self) {
        for (account, holder) in &other.0 {
            self.link(*account, *holder);
        }
    }

    fn link(&mut self, one: PersonId, other: PersonId) {
        let (one, other) = (self.holder(one), self.holder(other));
        if one == other {
            return;
        }
        let (first, later) = (one.min(other), one.max(other));
        for holder in self.0.values_mut().filter(|holder| **holder == later) {
            *holder = first;
        }
        self.0.insert(first, first);
        self.0.insert(later, first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn links_reach_through_third_accounts_whatever_their_order() {
        let id = |n| PersonId(Uuid::from_u128(n));
        let links = [(4, 3), (1, 2), (2, 3), (7, 8)];
        for turn in 0..links.len() {
            let mut pairs = links;
            pairs.rotate_left(turn);
            let (first, rest) = pairs.split_at(2);
            let mut accounts = Accounts::new(first.iter().map(|(a, b)| (id(*a), id(*b))));
            accounts.join(&Accounts::new(rest.iter().map(|(a, b)| (id(*a), id(*b)))));
            let holders: Vec<u128> = [1, 2, 3, 4, 5, 7, 8].map(|n| accounts.holder(id(n)).0.as_u128()).to_vec();
            assert_eq!(holders, [1, 1, 1, 1, 5, 7, 7], "{pairs:?}");
            let theirs: Vec<u128> = accounts.of(id(3)).into_iter().map(|p| p.0.as_u128()).collect();
            assert_eq!((theirs, accounts.of(id(5))), (vec![1, 2, 3, 4], BTreeSet::from([id(5)])));
        }
    }
}
