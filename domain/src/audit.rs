//! The audit chain: every entry's hash covers the entry and the hash before it.

mod head;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::canonical_json;
use crate::time::Timestamp;

pub use head::{Comparison, Differs, Head, NotAHead, SignedHead};

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// One change of state, or one attempt at one that was refused. Holds ids of people, never names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the chain, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who; absent for what the clock does.
    pub actor: Option<String>,
    /// Whom the actor stood in for, under a delegation. Left out of the text when absent, as in all entries from before
    /// there were delegations, so that their hashes stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// How it came in: `API`, `IMPORT`, `CLOCK` or `CLI`.
    pub via: String,
    /// What was done, such as `version.submitted`.
    pub action: String,
    /// The id of what it was done to.
    pub object: String,
    /// The SOP that it belongs to, if any.
    pub sop: Option<String>,
    /// The team that it belongs to, if any.
    pub team: Option<String>,
    /// What was before.
    pub old: serde_json::Value,
    /// What is now.
    pub new: serde_json::Value,
    /// Why, where a reason is asked for.
    pub reason: Option<String>,
    /// The request that brought it.
    pub request_id: String,
}

impl Entry {
    /// SHA-256 over the previous hash and the canonical text (RFC 8785) of this entry.
    #[must_use]
    pub fn hash(&self, previous: &[u8; 32]) -> [u8; 32] {
        Sha256::new().chain_update(previous).chain_update(canonical_json(self)).finalize().into()
    }
}

/// An entry between the hashes that make it a link of the chain: what an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the entry before it, as stored, in lower-case hex; absent when that entry is missing.
    pub previous_hash: Option<String>,
    /// Its own hash, as stored.
    pub hash: String,
}

impl Link {
    /// Its canonical text (RFC 8785). Without the two hashes it is the text that [`Entry::hash`] covers.
    #[must_use]
    pub fn line(&self) -> String {
        canonical_json(self)
    }
}

/// Where and how a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry was removed, or its number changed.
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Gap {
        /// The number that should be here.
        expected: i64,
        /// The number that is.
        found: i64,
    },
    /// An entry, or its hash, was changed.
    #[error("entry {0} was changed: its hash does not fit")]
    Changed(i64),
    /// Entries at the end were removed, or the head was changed.
    #[error("the chain ends at entry {found}, but its head says {expected}")]
    Head {
        /// What the head says.
        expected: i64,
        /// The last entry there is.
        found: i64,
    },
}

/// Walks a chain, entry by entry.
#[derive(Debug)]
pub struct Walk {
    seq: i64,
    hash: [u8; 32],
}

impl Default for Walk {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS }
    }
}

impl Walk {
    /// The number of the last entry taken; 0 before the first.
    #[must_use]
    pub fn at(&self) -> i64 {
        self.seq
    }

    /// The hash of the last entry taken.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// Takes the next entry with the hash, in lower-case hex, that is stored beside it.
    ///
    /// # Errors
    /// When it does not continue the chain.
    pub fn step(&mut self, entry: &Entry, stored: &str) -> Result<(), Broken> {
        if entry.seq != self.seq + 1 {
            return Err(Broken::Gap { expected: self.seq + 1, found: entry.seq });
        }
        let hash = entry.hash(&self.hash);
        if hex::encode(hash) != stored {
            return Err(Broken::Changed(entry.seq));
        }
        (self.seq, self.hash) = (entry.seq, hash);
        Ok(())
    }

    /// Compares the end of the chain with its head.
    ///
    /// # Errors
    /// When the head names another end.
    pub fn finish(&self, head: i64, hash: &str) -> Result<i64, Broken> {
        if self.seq == head && hex::encode(self.hash) == hash {
            Ok(self.seq)
        } else {
            Err(Broken::Head { expected: head, found: self.seq })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As entries were before they could name a delegator.
    fn old_entry() -> Entry {
        Entry {
            seq: 7,
            at: "2026-07-01T09:30:00.25Z".parse().unwrap(),
            actor: Some("per_01a205c9b2c0732cb3f681094af27734".to_owned()),
            on_behalf_of: None,
            via: "API".to_owned(),
            action: "version.edited".to_owned(),
            object: "ver_01a205c9d21072f3b20ae8f6e499b681".to_owned(),
            sop: None,
            team: None,
            old: json!({"content": "ab", "n": 1}),
            new: json!({"n": 2, "content": "é"}),
            reason: None,
            request_id: "r-1".to_owned(),
        }
    }

    /// The texts were written by hand and hashed by another program: whatever is added to entries, old ones keep theirs.
    #[test]
    fn an_entry_from_before_delegations_keeps_its_hash() {
        let text = r#"{"action":"version.edited","actor":"per_01a205c9b2c0732cb3f681094af27734","at":"2026-07-01T09:30:00.250Z","new":{"content":"é","n":2},"object":"ver_01a205c9d21072f3b20ae8f6e499b681","old":{"content":"ab","n":1},"reason":null,"requestId":"r-1","seq":7,"sop":null,"team":null,"via":"API"}"#;
        assert_eq!(canonical_json(&old_entry()), text);
        let hash = "3fdb8ff4283c876ad02860743929538b03708fbb68fcc69034444b7bff4d9e8e";
        assert_eq!(hex::encode(old_entry().hash(&GENESIS)), hash);
    }

    #[test]
    fn an_exported_entry_without_its_hashes_is_what_was_hashed() {
        let hash = hex::encode(old_entry().hash(&GENESIS));
        let link = Link { entry: old_entry(), previous_hash: Some(hex::encode(GENESIS)), hash: hash.clone() };
        let mut shown: serde_json::Map<_, _> = serde_json::from_str(&link.line()).unwrap();
        assert_eq!(shown.remove("hash"), Some(json!(hash)));
        assert_eq!(shown.remove("previousHash"), Some(json!("00".repeat(32))));
        assert_eq!(canonical_json(&shown), canonical_json(&old_entry()));
        assert_eq!(serde_json::from_str::<Link>(&link.line()).unwrap(), link);
    }

    #[test]
    fn whom_the_actor_stood_in_for_is_under_the_hash() {
        let delegator = Some("per_01a205c9b2c0732cb3f681094af27735".to_owned());
        let entry = Entry { on_behalf_of: delegator, ..old_entry() };
        let hash = "77069eabcd1baa473ed36de43d828d916d9a928e77eaf5ab2daa09fe94760eb1";
        assert_eq!(hex::encode(entry.hash(&GENESIS)), hash);
        assert_eq!(serde_json::from_str::<Entry>(&canonical_json(&entry)).unwrap(), entry);
        assert_eq!(serde_json::from_str::<Entry>(&canonical_json(&old_entry())).unwrap(), old_entry());
    }
}
