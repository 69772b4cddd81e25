//! Keys for what the log only has names for: no two names share one.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::content::slug;

use super::row::Category;

/// The longest key, in bytes.
const LONGEST: usize = 100;
/// What a missing name is in a key.
const UNKNOWN: &str = "unknown";

/// The keys of some names.
#[derive(Debug)]
pub struct Keys<T>(BTreeMap<T, String>);

impl<T: Ord> Keys<T> {
    /// Gives each name the key that it asks for. Where several ask for the same one, the first by order of names gets
    /// it and the others a number behind it: which key a name gets does not depend on the order of rows.
    fn give(names: BTreeSet<T>, wanted: impl Fn(&T) -> String) -> Self {
        let (mut taken, mut keys) = (BTreeSet::new(), BTreeMap::new());
        for name in names {
            let base = wanted(&name);
            let mut key = base.clone();
            let mut turn = 1;
            while !taken.insert(key.clone()) {
                turn += 1;
                key = numbered(&base, turn);
            }
            keys.insert(name, key);
        }
        Self(keys)
    }

    /// The key of a name that was among those given.
    pub fn get(&self, name: &T) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Every key with its name in words, by key.
    pub fn list(self, words: impl Fn(T) -> String) -> Vec<(String, String)> {
        let mut list: Vec<_> = self.0.into_iter().map(|(name, key)| (key, words(name))).collect();
        list.sort_unstable();
        list
    }
}

/// Keys of processes.
pub fn of_categories(categories: BTreeSet<Category>) -> Keys<Category> {
    let part = |name: &Option<String>| part(name.as_deref().unwrap_or_default());
    Keys::give(categories, |(category, sub)| slug(&format!("{}-{}", part(category), part(sub))))
}

/// Keys of teams.
pub fn of_groups(groups: BTreeSet<String>) -> Keys<String> {
    Keys::give(groups, |group| part(group))
}

fn part(name: &str) -> String {
    Some(slug(name)).filter(|key| !key.is_empty()).unwrap_or_else(|| UNKNOWN.to_owned())
}

fn numbered(base: &str, turn: usize) -> String {
    let end = format!("-{turn}");
    let room = LONGEST - end.len();
    let kept: String = base.chars().take(room).collect();
    kept + &end
}

/// A category in words.
pub fn words((category, sub): Category) -> String {
    let or = |name: Option<String>, otherwise: &str| name.unwrap_or_else(|| otherwise.to_owned());
    format!("{} / {}", or(category, "(no category)"), or(sub, "(no subcategory)"))
}
