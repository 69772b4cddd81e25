//! Keys made from what they name, so that an edit elsewhere in a file does not shift them.

use std::collections::BTreeSet;

use sopwith_domain::content::slug;

/// Words of a text that go into its key.
const WORDS: usize = 8;
/// Bytes of a key that come from the text; the rest is room for a number.
const LENGTH: usize = 80;

/// Gives keys that were not given before.
#[derive(Debug, Default)]
pub struct Keys {
    taken: BTreeSet<String>,
}

impl Keys {
    /// The first words of the text as a key; `-2`, `-3` and so on when it is taken; `fallback` when none is left.
    pub fn give(&mut self, text: &str, fallback: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
        let mut stem = slug(&words.join(" "));
        stem.truncate(LENGTH);
        let stem = match stem.trim_end_matches('-') {
            "" => fallback,
            stem => stem,
        };
        let mut key = stem.to_owned();
        let mut number = 1;
        while !self.taken.insert(key.clone()) {
            number += 1;
            key = format!("{stem}-{number}");
        }
        key
    }
}
