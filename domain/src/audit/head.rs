//! Signed heads: what was witnessed of the chain at one time. Who rewrites a whole chain, hashes included, leaves it
//! sound in itself; it is the heads signed before that it no longer fits.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The first line of what is signed, so that such a signature can pass for nothing else, nor anything else for one.
const DOMAIN: &str = "sopwith audit head v1";

/// The end of the chain at one time, to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The last entry, from 1.
    pub seq: i64,
    /// The hash of that entry, in lower-case hex.
    pub hash: String,
    /// When it was signed, by the signer's clock.
    pub at: Timestamp,
    /// The key: SHA-256 in lower-case hex over its public half (`SubjectPublicKeyInfo`, DER).
    pub key_id: String,
}

impl Head {
    /// The bytes that are signed: five lines of ASCII, each with a line feed at its end.
    #[must_use]
    pub fn statement(&self) -> String {
        let Self { seq, hash, at, key_id } = self;
        format!("{DOMAIN}\n{key_id}\n{seq}\n{hash}\n{at}\n")
    }
}

/// A head with its signature, as it is kept: one line of JSON. Other members of the line, such as those of a log, are
/// passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// What was signed.
    #[serde(flatten)]
    pub head: Head,
    /// The signature (Ed25519) over [`Head::statement`], in lower-case hex.
    pub signature: String,
}

/// A line is not one of a signed head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a signed head")]
pub struct NotAHead;

impl SignedHead {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is not JSON with all the members in their one spelling. Whether the signature fits is another question.
    pub fn parse(line: &str) -> Result<Self, NotAHead> {
        let read: Self = serde_json::from_str(line).map_err(|_| NotAHead)?;
        let hex = |text: &str, digits| {
            text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let Head { seq, hash, key_id, .. } = &read.head;
        if *seq >= 1 && hex(hash, 64) && hex(key_id, 64) && hex(&read.signature, 128) {
            Ok(read)
        } else {
            Err(NotAHead)
        }
    }

    /// The line, without a line feed.
    #[must_use]
    pub fn line(&self) -> String {
        crate::content::canonical_json(self)
    }
}

/// How a chain differs from what was signed of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Differs {
    /// An entry has another hash than the head of it says.
    #[error(
        "it was rewritten between entry {} and entry {entry}, which has another hash than the one that was signed",
        .agreed + 1
    )]
    Rewritten {
        /// The last entry before it whose signed hash is the chain's; 0 when there is none.
        agreed: i64,
        /// The first one whose is not.
        entry: i64,
    },
    /// There were more entries.
    #[error("it was truncated: it ends at entry {found}, but entry {signed} was signed")]
    Truncated {
        /// The last entry that there is.
        found: i64,
        /// The last one that was signed.
        signed: i64,
    },
}

/// Compares a chain with heads of it, entry by entry, in one walk.
#[derive(Debug)]
pub struct Comparison {
    /// Entries that were signed, each with its hash in hex; the last one first.
    ahead: Vec<(i64, String)>,
    agreed: i64,
    rewritten: Option<Differs>,
}

impl Comparison {
    /// With entries and their hashes in hex, of heads whose signatures are believed, in any order.
    #[must_use]
    pub fn with(mut ahead: Vec<(i64, String)>) -> Self {
        ahead.sort_unstable();
        ahead.dedup();
        ahead.reverse();
        Self { ahead, agreed: 0, rewritten: None }
    }

    /// Takes the next entry of the chain.
    pub fn step(&mut self, seq: i64, hash: &[u8; 32]) {
        let agreed = self.agreed;
        // Of several heads of one entry all must fit.
        while let Some((entry, expected)) = self.ahead.pop_if(|(signed, _)| *signed <= seq) {
            if entry == seq && hex::encode(hash) == expected {
                self.agreed = seq;
            } else {
                self.rewritten.get_or_insert(Differs::Rewritten { agreed, entry });
            }
        }
    }

    /// What differs, once the chain has ended at `end`.
    #[must_use]
    pub fn finish(self, end: i64) -> Vec<Differs> {
        let last = self.ahead.first().map(|(signed, _)| *signed).filter(|signed| *signed > end);
        let truncated = last.map(|signed| Differs::Truncated { found: end, signed });
        self.rewritten.into_iter().chain(truncated).collect()
    }

    /// What differs as far as the chain could be walked.
    #[must_use]
    pub fn so_far(self) -> Vec<Differs> {
        self.rewritten.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: i64, byte: u8) -> Head {
        let (hash, at) = (hex::encode([byte; 32]), "2026-07-01T09:30:00Z".parse().unwrap());
        Head { seq, hash, at, key_id: "ab".repeat(32) }
    }

    /// Walks a chain of `end` entries, each hash of which is its number's byte, against heads.
    fn compare(heads: &[(i64, u8)], end: u8) -> Vec<Differs> {
        let heads = heads.iter().map(|(seq, byte)| (*seq, hex::encode([*byte; 32]))).collect();
        let mut comparison = Comparison::with(heads);
        for n in 1..=end {
            comparison.step(n.into(), &[n; 32]);
        }
        comparison.finish(end.into())
    }

    #[test]
    fn what_is_signed_is_spelled_out() {
        let text =
            format!("sopwith audit head v1\n{}\n7\n{}\n2026-07-01T09:30:00Z\n", "ab".repeat(32), "0c".repeat(32));
        assert_eq!(head(7, 12).statement(), text);
    }

    #[test]
    fn a_line_reads_back_and_other_members_are_passed_over() {
        let signed = SignedHead { head: head(7, 12), signature: "cd".repeat(64) };
        assert_eq!(SignedHead::parse(&signed.line()), Ok(signed.clone()));
        let logged = signed.line().replacen('{', r#"{"timestamp":"2026","level":"INFO","message":"audit head","#, 1);
        assert_eq!(SignedHead::parse(&logged), Ok(signed.clone()));
        let wrong = [
            (r#""seq":7"#, r#""seq":0"#),
            (r#""seq":7"#, r#""seq":"7""#),
            ("0c0c", "0C0c"),
            ("0c0c", "0c0"),
            ("abab", "ab\\n"),
            ("cdcd", "cd"),
            ("09:30", "9:30"),
            ("}", ""),
        ];
        for (good, bad) in wrong {
            let line = signed.line().replacen(good, bad, 1);
            assert_ne!(line, signed.line(), "{good}");
            assert_eq!(SignedHead::parse(&line), Err(NotAHead), "{line}");
        }
    }

    #[test]
    fn heads_that_fit_are_no_difference_in_any_order_and_number() {
        assert_eq!(compare(&[], 3), []);
        assert_eq!(compare(&[(3, 3), (1, 1), (3, 3), (2, 2)], 3), []);
        assert_eq!(compare(&[(1, 1)], 9), []);
    }

    #[test]
    fn what_was_rewritten_lies_between_the_last_that_fits_and_the_first_that_does_not() {
        let rewritten = |agreed, entry| vec![Differs::Rewritten { agreed, entry }];
        assert_eq!(compare(&[(2, 2), (5, 9), (7, 9)], 8), rewritten(2, 5));
        assert_eq!(compare(&[(5, 9)], 8), rewritten(0, 5));
        // Of two heads of one entry one is right.
        assert_eq!(compare(&[(5, 5), (5, 9)], 8), rewritten(0, 5));
        assert_eq!(compare(&[(5, 5), (5, 1)], 8), rewritten(0, 5));
        // No entry 0 is ever stepped on: it is a difference rather than passed over.
        assert_eq!(compare(&[(0, 0)], 8), rewritten(0, 0));
    }

    #[test]
    fn a_chain_that_is_shorter_than_what_was_signed_was_truncated() {
        let truncated = Differs::Truncated { found: 3, signed: 9 };
        assert_eq!(compare(&[(2, 2), (5, 5), (9, 9)], 3), vec![truncated.clone()]);
        let both = vec![Differs::Rewritten { agreed: 0, entry: 2 }, truncated];
        assert_eq!(compare(&[(2, 7), (9, 9)], 3), both);
        assert_eq!(compare(&[(1, 1)], 0), vec![Differs::Truncated { found: 0, signed: 1 }]);
        let told = Differs::Rewritten { agreed: 4, entry: 9 }.to_string();
        assert!(told.contains("between entry 5 and entry 9"), "{told}");
    }
}
