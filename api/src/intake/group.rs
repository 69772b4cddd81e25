//! Which small batches are stored together.
//!
//! A batch is stored at once while nothing of its kin is being stored. Those that come meanwhile form a group, which is
//! stored when that is done, when the group has waited long enough, or when it has enough items. So groups are as large as
//! the load makes them, and whoever is alone waits for nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// With how many items a group waits no longer.
const ENOUGH: usize = 500;

/// What is being stored, and what waits, by kin.
#[derive(Debug)]
pub struct Groups<K, M>(Mutex<HashMap<K, Group<M>>>);

#[derive(Debug)]
struct Group<M> {
    waiting: Vec<M>,
    items: usize,
    /// How many groups of this kin are being stored.
    stored: usize,
}

/// What whoever joined is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<M> {
    /// Store these, and then what [`Groups::next`] gives.
    Store(Vec<M>),
    /// See that the group which it is the first of does not wait too long, by [`Groups::overdue`].
    Wait,
    /// Nothing: others see to it.
    Along,
}

impl<K: Clone + Eq + Hash, M> Groups<K, M> {
    /// Adds a batch of so many items.
    pub fn join(&self, kin: &K, items: usize, member: M) -> Turn<M> {
        let mut groups = self.lock();
        let group = groups.entry(kin.clone()).or_insert_with(|| Group { waiting: Vec::new(), items: 0, stored: 0 });
        group.waiting.push(member);
        group.items += items;
        if group.stored == 0 || group.items >= ENOUGH {
            return Turn::Store(group.go());
        }
        if group.waiting.len() == 1 { Turn::Wait } else { Turn::Along }
    }

    /// Those who wait, for one more to store them, and then what [`Groups::next`] gives. Where the group that the caller
    /// looked after has gone, it may be a younger one: that does no harm.
    pub fn overdue(&self, kin: &K) -> Option<Vec<M>> {
        self.lock().get_mut(kin).filter(|group| !group.waiting.is_empty()).map(Group::go)
    }

    /// Those who wait, for the one who has stored a group. `None` ends its work.
    pub fn next(&self, kin: &K) -> Option<Vec<M>> {
        let mut groups = self.lock();
        let Entry::Occupied(mut found) = groups.entry(kin.clone()) else { return None };
        let group = found.get_mut();
        group.stored -= 1;
        if !group.waiting.is_empty() {
            return Some(group.go());
        }
        if group.stored == 0 {
            found.remove();
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Group<M>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Group<M> {
    fn go(&mut self) -> Vec<M> {
        self.stored += 1;
        self.items = 0;
        take(&mut self.waiting)
    }
}

impl<K, M> Default for Groups<K, M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_goes_at_once_and_those_who_come_meanwhile_go_together() {
        let groups = Groups::default();
        assert_eq!(groups.join(&"a", 1, 1), Turn::Store(vec![1]));
        assert_eq!(groups.join(&"a", 1, 2), Turn::Wait);
        assert_eq!(groups.join(&"a", 1, 3), Turn::Along);
        assert_eq!(groups.join(&"b", 1, 4), Turn::Store(vec![4]), "others than kin are another matter");
        assert_eq!(groups.next(&"a"), Some(vec![2, 3]));
        assert_eq!(groups.next(&"a"), None);
        assert_eq!(groups.next(&"b"), None);
        assert!(groups.lock().is_empty(), "nothing is kept of those who are done");
    }

    #[test]
    fn a_group_that_has_enough_or_waited_enough_does_not_wait_for_the_one_before() {
        let groups = Groups::default();
        assert_eq!(groups.join(&"a", 1, 1), Turn::Store(vec![1]));
        assert_eq!(groups.join(&"a", 499, 2), Turn::Wait);
        assert_eq!(groups.join(&"a", 1, 3), Turn::Store(vec![2, 3]));
        assert_eq!(groups.overdue(&"a"), None, "the group has gone");
        assert_eq!(groups.join(&"a", 499, 4), Turn::Wait, "items of groups that went do not count");
        assert_eq!(groups.overdue(&"a"), Some(vec![4]));
        assert_eq!((groups.next(&"a"), groups.next(&"a")), (None, None));
        assert_eq!(groups.join(&"a", 1, 5), Turn::Wait, "one is still being stored");
        assert_eq!(groups.next(&"a"), Some(vec![5]));
        assert_eq!(groups.next(&"a"), None);
        assert!(groups.lock().is_empty());
    }
}
