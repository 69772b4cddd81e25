//! The audit chain: every entry's hash covers the entry and the hash before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::content::canonical_json;
use crate::time::Timestamp;

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// One change of state, or one refused attempt at a decision. Holds ids of people, never names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the chain, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who; absent for what the clock does.
    pub actor: Option<String>,
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
