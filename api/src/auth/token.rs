//! Bearer tokens: which JWTs are believed.
//!
//! A token's header says only which of the configured keys to try. The algorithm comes from the key, so no header can
//! turn a public key into an HMAC secret or switch the signature off.

use jsonwebtoken::errors::ErrorKind;

use super::claims::{BadClaim, Identity};
use remote::RemoteKeys;
use settings::PublicKeys;

mod keyring;
mod mint;
mod remote;
mod settings;
#[cfg(test)]
mod tests;

pub use keyring::{Keyring, Unverified};
pub use mint::{MintRequest, mint_hs256};
pub use remote::Observer;
pub use settings::{AuthConfig, AuthSetupError, Setup};

/// Longer bearer texts are refused unread, in bytes.
pub const MAX_BEARER_BYTES: usize = 16 * 1024;
/// HS256 asks for a secret as long as its hash, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;
/// More leeway than this would keep expired tokens alive rather than bridge clocks, in seconds.
const MAX_LEEWAY_SECONDS: u64 = 600;

/// Why a bearer token is not believed. The texts are safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a JWT, unsigned, of an unknown algorithm, or with extensions that must be understood.
    #[error("the token is not a signed JWT of at most 16 KiB that can be read here")]
    Malformed,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is not the configured one.
    #[error("the token is from another issuer")]
    WrongIssuer,
    /// `aud` does not contain the configured one.
    #[error("the token is for another audience")]
    WrongAudience,
    /// A needed claim is absent, empty or of the wrong type.
    #[error("the token's claim `{0}` is missing or malformed")]
    MissingClaim(String),
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    BadSignature,
    /// No configured key, or not the one named, is for the token's algorithm.
    #[error("the token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// No configured key has the token's `kid`, or it has none and several keys fit.
    #[error("the token does not name a known key")]
    UnknownKey,
    /// The token may be a right one: the keys to tell by cannot be fetched from the identity provider.
    #[error("the identity provider's keys cannot be fetched now: try again later")]
    KeysUnavailable,
}

impl From<BadClaim> for AuthError {
    fn from(claim: BadClaim) -> Self {
        Self::MissingClaim(claim.0.to_owned())
    }
}

impl AuthError {
    pub(super) fn from_library(error: jsonwebtoken::errors::Error) -> Self {
        match error.into_kind() {
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYetValid,
            ErrorKind::InvalidIssuer => Self::WrongIssuer,
            ErrorKind::InvalidAudience => Self::WrongAudience,
            ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => Self::MissingClaim(claim),
            ErrorKind::InvalidSignature => Self::BadSignature,
            ErrorKind::InvalidAlgorithm => Self::AlgorithmNotAllowed,
            _ => Self::Malformed,
        }
    }
}

/// Verifies bearer tokens. Made once, shared by all requests.
#[derive(Debug)]
pub struct Verifier {
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Fixed(Keyring),
    Remote(RemoteKeys),
}

impl Verifier {
    /// Begins to fetch the keys where they are to be fetched, on the runtime of the caller; `observe` is told how each
    /// fetch ended.
    #[must_use]
    pub fn start(Setup { rules, public }: Setup, observe: Observer) -> Self {
        let keys = match public {
            PublicKeys::Fixed(keys) => Keys::Fixed(Keyring::new(rules, keys)),
            PublicKeys::Fetched(source, pace) => {
                tracing::info!(url = %source.url(), "keys are fetched from the identity provider");
                Keys::Remote(RemoteKeys::start(source, pace, rules, observe))
            }
        };
        Self { keys }
    }

    /// Checks a token's signature and claims and says who its bearer is. Waits only where the token names a key that
    /// is not known and may be fetched.
    ///
    /// # Errors
    /// [`AuthError`], safe to show to the bearer.
    pub async fn verify(&self, bearer: &str) -> Result<Identity, AuthError> {
        let token = Unverified::read(bearer)?;
        match &self.keys {
            Keys::Fixed(ring) => ring.verify(&token),
            Keys::Remote(keys) => keys.ring_for(token.key_name()).await?.verify(&token),
        }
    }

    /// What is missing before the tokens of the identity provider can be verified.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        let missing = matches!(&self.keys, Keys::Remote(keys) if keys.are_missing());
        missing.then_some("the identity provider's keys have not been fetched yet")
    }
}
