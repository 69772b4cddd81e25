//! Who is served together: what costs the same for one as for many is done once for all who ask at the same time.
//!
//! Whoever comes while nobody of their kin is being served is served at once. Those who come meanwhile form a group, which
//! goes when that is done, when it has waited long enough (where somebody sees to that), or when it has enough items. So
//! groups are as large as the load makes them, and whoever is alone waits for nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// With how many items a group waits no longer.
const ENOUGH: usize = 500;

/// Who is being served, and who waits, by kin.
#[derive(Debug)]
pub struct Groups<K, M> {
    by_kin: Mutex<HashMap<K, Group<M>>>,
    /// How many groups formed so far: each has its number.
    formed: AtomicU64,
}

#[derive(Debug)]
struct Group<M> {
    waiting: Vec<M>,
    /// The number of those who wait.
    number: u64,
    items: usize,
    /// How many groups of this kin are being served.
    served: usize,
}

/// What whoever joined is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn<M> {
    /// Serve these, by [`Groups::serve`].
    Serve(Vec<M>),
    /// See that the group of this number, which it is the first of, does not wait too long, by [`Groups::overdue`]; or
    /// nothing: who serves the one before takes it up in the end.
    Wait(u64),
    /// Nothing: others see to it.
    Along,
}

impl<K: Clone + Eq + Hash, M> Groups<K, M> {
    /// Adds somebody with so many items.
    pub fn join(&self, kin: &K, items: usize, member: M) -> Turn<M> {
        let mut groups = self.lock();
        let group =
            groups.entry(kin.clone()).or_insert_with(|| Group { waiting: Vec::new(), number: 0, items: 0, served: 0 });
        group.waiting.push(member);
        group.items += items;
        if group.served == 0 || group.items >= ENOUGH {
            return Turn::Serve(group.go());
        }
        if group.waiting.len() > 1 {
            return Turn::Along;
        }
        group.number = self.formed.fetch_add(1, Ordering::Relaxed);
        Turn::Wait(group.number)
    }

    /// Those who wait in the group of this number, for one more to serve them, by [`Groups::serve`]; nobody where it has
    /// gone.
    pub fn overdue(&self, kin: &K, number: u64) -> Option<Vec<M>> {
        let waits = |group: &&mut Group<M>| group.number == number && !group.waiting.is_empty();
        self.lock().get_mut(kin).filter(waits).map(Group::go)
    }

    /// Serves a group, and those that formed meanwhile. Should that be given up, or panic, those who wait are left to another
    /// who serves their kin. Where there is none they are given up as well: they are dropped, and the next to come is served.
    pub async fn serve<F: Future<Output = ()>>(&self, kin: &K, first: Vec<M>, each: impl Fn(Vec<M>) -> F) {
        let mut serving = Serving { groups: self, kin, is_done: false };
        let mut group = Some(first);
        while let Some(members) = group {
            each(members).await;
            group = self.next(kin);
        }
        serving.is_done = true;
    }

    /// Those who wait, for the one who has served a group. `None` ends its work.
    fn next(&self, kin: &K) -> Option<Vec<M>> {
        let mut groups = self.lock();
        let Entry::Occupied(mut found) = groups.entry(kin.clone()) else { return None };
        let group = found.get_mut();
        group.served -= 1;
        if !group.waiting.is_empty() {
            return Some(group.go());
        }
        if group.served == 0 {
            found.remove();
        }
        None
    }
}

impl<K, M> Groups<K, M> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Group<M>>> {
        self.by_kin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sees that nobody waits for what has ended.
struct Serving<'a, K: Eq + Hash, M> {
    groups: &'a Groups<K, M>,
    kin: &'a K,
    is_done: bool,
}

impl<K: Eq + Hash, M> Drop for Serving<'_, K, M> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut groups = self.groups.lock();
        let is_last = groups.get_mut(self.kin).is_some_and(|group| {
            group.served -= 1;
            group.served == 0
        });
        let given_up = if is_last { groups.remove(self.kin) } else { None };
        // Not while the lock is held: what dropping them does is theirs.
        drop(groups);
        drop(given_up);
    }
}

impl<M> Group<M> {
    fn go(&mut self) -> Vec<M> {
        self.served += 1;
        self.items = 0;
        take(&mut self.waiting)
    }
}

impl<K, M> Default for Groups<K, M> {
    fn default() -> Self {
        Self { by_kin: Mutex::default(), formed: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_alone_goes_at_once_and_those_who_come_meanwhile_go_together() {
        let groups = Groups::default();
        assert_eq!(groups.join(&"a", 1, 1), Turn::Serve(vec![1]));
        assert_eq!(groups.join(&"a", 1, 2), Turn::Wait(0));
        assert_eq!(groups.join(&"a", 1, 3), Turn::Along);
        assert_eq!(groups.join(&"b", 1, 4), Turn::Serve(vec![4]), "others than kin are another matter");
        assert_eq!(groups.next(&"a"), Some(vec![2, 3]));
        assert_eq!(groups.next(&"a"), None);
        assert_eq!(groups.next(&"b"), None);
        assert!(groups.lock().is_empty(), "nothing is kept of those who are done");
    }

    #[test]
    fn a_group_that_has_enough_or_waited_enough_does_not_wait_for_the_one_before() {
        let groups = Groups::default();
        assert_eq!(groups.join(&"a", 1, 1), Turn::Serve(vec![1]));
        assert_eq!(groups.join(&"a", 499, 2), Turn::Wait(0));
        assert_eq!(groups.join(&"a", 1, 3), Turn::Serve(vec![2, 3]));
        assert_eq!(groups.overdue(&"a", 0), None, "the group has gone");
        assert_eq!(groups.join(&"a", 499, 4), Turn::Wait(1), "items of groups that went do not count");
        assert_eq!(groups.overdue(&"a", 0), None, "a younger one is not split by whoever looked after an older one");
        assert_eq!(groups.overdue(&"a", 1), Some(vec![4]));
        assert_eq!((groups.next(&"a"), groups.next(&"a")), (None, None));
        assert_eq!(groups.join(&"a", 1, 5), Turn::Wait(2), "one is still being served");
        assert_eq!(groups.next(&"a"), Some(vec![5]));
        assert_eq!(groups.next(&"a"), None);
        assert!(groups.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_for_what_panics_is_let_go() {
        let groups = std::sync::Arc::new(Groups::default());
        let Turn::Serve(first) = groups.join(&"a", 1, 1) else { panic!("the first is served") };
        assert_eq!(groups.join(&"a", 1, 2), Turn::Wait(0));
        let serving = std::sync::Arc::clone(&groups);
        let served = tokio::spawn(async move { serving.serve(&"a", first, async |_| panic!("it went wrong")).await });
        assert!(served.await.is_err());
        assert!(groups.lock().is_empty());
        assert_eq!(groups.join(&"a", 1, 3), Turn::Serve(vec![3]), "the next to come waits for nobody");
    }

    #[tokio::test]
    async fn whoever_waits_is_left_to_another_who_serves_when_one_panics() {
        let groups = std::sync::Arc::new(Groups::default());
        let Turn::Serve(first) = groups.join(&"a", 1, 1) else { panic!("the first is served") };
        assert_eq!(groups.join(&"a", ENOUGH, 2), Turn::Serve(vec![2]));
        assert_eq!(groups.join(&"a", ENOUGH - 1, 3), Turn::Wait(0));
        let serving = std::sync::Arc::clone(&groups);
        let served = tokio::spawn(async move { serving.serve(&"a", first, async |_| panic!("it went wrong")).await });
        assert!(served.await.is_err());
        assert_eq!(groups.next(&"a"), Some(vec![3]), "by the one who is left");
        assert_eq!(groups.join(&"a", ENOUGH - 1, 4), Turn::Wait(1), "and those who went do not count");
        assert_eq!((groups.next(&"a"), groups.next(&"a")), (Some(vec![4]), None));
        assert!(groups.lock().is_empty());
    }
}
