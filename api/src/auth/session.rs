//! The secret of a browser's session: 256 random bits in hex, of which the database knows the SHA-256 only. It is of
//! another form than any bearer token, and no token is of its form.

use sha2::{Digest, Sha256};

/// Digits of a secret.
const DIGITS: usize = 64;

/// The secret made of these random bits.
#[must_use]
pub fn secret(random: [u8; 32]) -> String {
    hex::encode(random)
}

/// What is stored of a secret: its SHA-256 in hex. Nothing for what cannot be one.
#[must_use]
pub fn digest(secret: &str) -> Option<String> {
    let spelled = secret.len() == DIGITS && secret.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    spelled.then(|| hex::encode(Sha256::digest(secret.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_spelling_and_is_not_what_is_stored() {
        let good = secret([0xab; 32]);
        let stored = digest(&good).expect("a digest");
        assert_ne!(stored, good);
        assert_ne!(digest(&secret([0xac; 32])), Some(stored));
        for wrong in ["", &good[1..], &format!("{good}0"), &good.to_uppercase(), &good.replace('a', "g")] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
