//! Review comments: threads on a version or on one of its steps, resolved or open.

use std::collections::BTreeSet;

use crate::approval::Accounts;
use crate::error::Refusal;
use crate::ids::PersonId;
use crate::lifecycle::VersionState;

/// What the rules need to know of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Who began it.
    pub author: PersonId,
    /// Whether it is settled.
    pub resolved: bool,
}

impl Thread {
    /// Settles a thread. Whoever contributed to the version, with whatever account, cannot settle what somebody else
    /// found.
    ///
    /// # Errors
    /// `Conflict` when it is settled already; `Forbidden` for a contributor who did not begin it.
    pub fn resolve(
        &self,
        who: PersonId,
        contributors: &BTreeSet<PersonId>,
        accounts: &Accounts,
    ) -> Result<(), Refusal> {
        if self.resolved {
            return Err(Refusal::conflict("the thread is resolved already"));
        }
        let is_who = |account: PersonId| accounts.holder(account) == accounts.holder(who);
        if !is_who(self.author) && contributors.iter().copied().any(is_who) {
            return Err(Refusal::forbidden(
                "whoever contributed to a version does not resolve what others found in it",
            ));
        }
        Ok(())
    }

    /// Opens a settled thread again.
    ///
    /// # Errors
    /// `Conflict` when it is open.
    pub fn reopen(&self) -> Result<(), Refusal> {
        if self.resolved { Ok(()) } else { Err(Refusal::conflict("the thread is open")) }
    }
}

/// Comments are for what may still come into force.
///
/// # Errors
/// `Conflict` for any other version.
pub fn check_version(state: VersionState) -> Result<(), Refusal> {
    if state.is_open() {
        Ok(())
    } else {
        Err(Refusal::conflict(format!(
            "the version is {state}: review comments are for what may still come into force"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn contributors_settle_only_what_they_began() {
        let person = |n| PersonId(Uuid::from_u128(n));
        let thread = |resolved| Thread { author: person(1), resolved };
        let contributors = BTreeSet::from([person(1), person(2)]);
        let accounts = Accounts::new([(person(1), person(4)), (person(2), person(5))]);
        let resolve = |n| thread(false).resolve(person(n), &contributors, &accounts);
        // Those who contributed are 1 and 2, who sign in as 4 and 5 too; 1 began the thread.
        for (n, may) in [(1, true), (4, true), (3, true), (2, false), (5, false)] {
            assert_eq!(resolve(n).is_ok(), may, "{n}");
            assert!(may || matches!(resolve(n), Err(Refusal::Forbidden(_))), "{n}");
        }
        let settled = thread(true).resolve(person(3), &contributors, &accounts);
        assert!(matches!(settled, Err(Refusal::Conflict { .. })));
        assert_eq!(thread(true).reopen(), Ok(()));
        assert!(matches!(thread(false).reopen(), Err(Refusal::Conflict { .. })));
        for state in VersionState::ALL {
            assert_eq!(check_version(*state).is_ok(), state.is_open(), "{state}");
        }
    }
}
