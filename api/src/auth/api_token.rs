//! The secret of an API token, as it is handed out: `sopwith_`, 256 random bits in hex, and a checksum of what stands
//! before it, in hex as well. By the prefix scanners find one that leaked; by the checksum a typo is told without a
//! question to the database.

use sha2::{Digest, Sha256};

/// What every secret begins with.
const PREFIX: &str = "sopwith_";
/// Digits of the random part, and of the checksum.
const DIGITS: (usize, usize) = (64, 8);

/// The secret made of these random bits.
#[must_use]
pub fn secret(random: [u8; 32]) -> String {
    let unchecked = format!("{PREFIX}{}", hex::encode(random));
    let checksum = checksum(&unchecked);
    unchecked + &checksum
}

/// Whether a bearer token is meant to be an API token.
#[must_use]
pub fn is_meant(bearer: &str) -> bool {
    bearer.starts_with(PREFIX)
}

/// What is stored of a secret: SHA-256 of the whole, in hex. Nothing for what cannot be one.
#[must_use]
pub fn digest(secret: &str) -> Option<String> {
    let digits = secret.strip_prefix(PREFIX)?;
    let spelled = digits.len() == DIGITS.0 + DIGITS.1 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !spelled {
        return None;
    }
    let (unchecked, told) = secret.split_at(PREFIX.len() + DIGITS.0);
    (checksum(unchecked) == told).then(|| hex::encode(Sha256::digest(secret.as_bytes())))
}

/// The first digits of the SHA-256 of what stands before.
fn checksum(unchecked: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(unchecked.as_bytes()));
    digits.truncate(DIGITS.1);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_no_other_spelling_does() {
        let good = secret([7; 32]);
        assert_eq!(good.len(), 80);
        assert!(is_meant(&good) && good.starts_with("sopwith_0707"));
        let stored = digest(&good).expect("a digest");
        assert_eq!(stored, hex::encode(Sha256::digest(good.as_bytes())));
        assert!(!good.contains(&stored[..8]), "what is stored is not told by the secret");
        assert_ne!(digest(&secret([8; 32])), Some(stored));
        for n in PREFIX.len()..good.len() {
            let mut typo = good.clone().into_bytes();
            typo[n] = if typo[n] == b'0' { b'1' } else { b'0' };
            assert_eq!(digest(&String::from_utf8(typo).expect("text")), None, "digit {n}");
        }
        let wrong = ["", "sopwith_", &good[..79], &good[1..], &format!("{good}0"), &good.to_uppercase(), "sopwith_é"];
        for wrong in wrong.into_iter().chain([good.replace('0', "O").as_str(), format!(" {good}").as_str()]) {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
