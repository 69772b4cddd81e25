//! Bearer tokens: which JWTs are believed.
//!
//! A token's header says only which of the configured keys to try. The algorithm comes from the key, so no header can
//! turn a public key into an HMAC secret or switch the signature off.

use std::fmt;
use std::path::PathBuf;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, get_current_timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sopwith_domain::time::{SECOND, Timestamp};

use super::claims::{self, BadClaim, ClaimPaths, Identity, MalformedRole, UnusablePath};
use super::jwks::{self, JwksError, PublicKey};

mod mint;
#[cfg(test)]
mod tests;

pub use mint::{MintRequest, mint_hs256};

/// Longer bearer texts are refused unread, in bytes.
pub const MAX_BEARER_BYTES: usize = 16 * 1024;
/// HS256 asks for a secret as long as its hash, in bytes.
pub const MIN_SECRET_BYTES: usize = 32;
/// More leeway than this would keep expired tokens alive rather than bridge clocks, in seconds.
const MAX_LEEWAY_SECONDS: u64 = 600;

/// How bearer tokens are verified. At least one of `hs256_secret` and `jwks_file` is needed.
///
/// Its `Debug` form leaves the secret out; its serialized form does not.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// What claim `iss` must be.
    pub issuer: String,
    /// What claim `aud` must be or contain.
    pub audience: String,
    /// How far `exp` and `nbf` may be off, in seconds, at most 600; 30 unless set.
    pub leeway_seconds: u64,
    /// Enables HS256: the shared secret, of at least 32 bytes.
    pub hs256_secret: Option<String>,
    /// Enables public keys: a JSON Web Key Set, read at start-up.
    pub jwks_file: Option<PathBuf>,
    /// Which of `RS256`, `ES256` and `EdDSA` the keys of `jwks_file` may be used for; all three unless set.
    pub algorithms: Vec<String>,
    /// Where the optional claims lie.
    pub claims: ClaimPaths,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            leeway_seconds: 30,
            hs256_secret: None,
            jwks_file: None,
            algorithms: jwks::SUPPORTED.map(|(name, _)| name.to_owned()).to_vec(),
            claims: ClaimPaths::default(),
        }
    }
}

impl fmt::Debug for AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthConfig")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("leeway_seconds", &self.leeway_seconds)
            .field("hs256_secret", &self.hs256_secret.as_ref().map(|_| "hidden"))
            .field("jwks_file", &self.jwks_file)
            .field("algorithms", &self.algorithms)
            .field("claims", &self.claims)
            .finish()
    }
}

impl AuthConfig {
    /// The secret, when HS256 is enabled and the settings that every token depends on are sound.
    fn checked_secret(&self) -> Result<Option<&[u8]>, AuthSetupError> {
        if self.issuer.is_empty() {
            return Err(AuthSetupError::NoIssuer);
        }
        if self.audience.is_empty() {
            return Err(AuthSetupError::NoAudience);
        }
        match self.hs256_secret.as_deref().map(str::as_bytes) {
            Some(secret) if secret.len() < MIN_SECRET_BYTES => Err(AuthSetupError::ShortSecret(secret.len())),
            secret => Ok(secret),
        }
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.validate_nbf = true;
        validation.leeway = self.leeway_seconds;
        validation
    }
}

/// Why tokens cannot be verified or minted as configured. For operators: it may name files.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// No issuer is configured.
    #[error("issuer: must not be empty")]
    NoIssuer,
    /// No audience is configured.
    #[error("audience: must not be empty")]
    NoAudience,
    /// The leeway would undo expiry.
    #[error("leeway_seconds: {0} is more than {MAX_LEEWAY_SECONDS}")]
    LongLeeway(u64),
    /// The secret can be guessed; the number is its length in bytes.
    #[error("hs256_secret: has {0} bytes, at least {MIN_SECRET_BYTES} are needed")]
    ShortSecret(usize),
    /// There is nothing to verify tokens with.
    #[error("neither hs256_secret nor jwks_file is set: no token could be verified")]
    NoKeys,
    /// The public keys cannot be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// Minting needs the shared secret.
    #[error("hs256_secret: is not set, so no token can be minted")]
    NoSecret,
    /// A token must name somebody.
    #[error("subject: must not be empty or contain control characters")]
    BadSubject,
    /// A token must be valid for some time.
    #[error("valid_for: must be at least one second")]
    NoValidity,
    /// A role that verification would drop.
    #[error("roles: {0}")]
    Role(#[from] MalformedRole),
    /// A claim cannot be put at its configured path.
    #[error("claims: {0}")]
    ClaimPath(#[from] UnusablePath),
    /// The library could not sign.
    #[error("the token could not be signed")]
    Signing,
}

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
}

impl From<BadClaim> for AuthError {
    fn from(claim: BadClaim) -> Self {
        Self::MissingClaim(claim.0.to_owned())
    }
}

impl AuthError {
    fn from_library(error: jsonwebtoken::errors::Error) -> Self {
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

/// Verifies bearer tokens against the configured keys. Made once, shared by all requests.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<Key>,
    leeway_seconds: u64,
    claims: ClaimPaths,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
    validation: Validation,
}

impl Verifier {
    /// Reads the keys and checks the settings.
    ///
    /// # Errors
    /// [`AuthSetupError`] names the setting that is missing or wrong.
    pub fn new(config: &AuthConfig) -> Result<Self, AuthSetupError> {
        let secret = config.checked_secret()?;
        if config.leeway_seconds > MAX_LEEWAY_SECONDS {
            return Err(AuthSetupError::LongLeeway(config.leeway_seconds));
        }
        let allowed = jwks::algorithms(&config.algorithms)?;
        let mut keys = match &config.jwks_file {
            Some(path) => jwks::read(path, &allowed)?,
            None => Vec::new(),
        };
        let shared =
            |secret| PublicKey { kid: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) };
        keys.extend(secret.map(shared));
        if keys.is_empty() {
            return Err(AuthSetupError::NoKeys);
        }
        let with_validation = |PublicKey { kid, algorithm, key }| Key {
            kid,
            algorithm,
            decoding: key,
            validation: config.validation(algorithm),
        };
        Ok(Self {
            keys: keys.into_iter().map(with_validation).collect(),
            leeway_seconds: config.leeway_seconds,
            claims: config.claims.clone(),
        })
    }

    /// Checks a token's signature and claims and says who its bearer is.
    ///
    /// # Errors
    /// [`AuthError`], safe to show to the bearer.
    pub fn verify(&self, bearer: &str) -> Result<Identity, AuthError> {
        if bearer.len() > MAX_BEARER_BYTES {
            return Err(AuthError::Malformed);
        }
        let header = decode_header(bearer).map_err(|_| AuthError::Malformed)?;
        // RFC 7515, 4.1.11: extensions named as critical and not understood make a token invalid.
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        let key = self.key_for(&header)?;
        let token =
            decode::<Map<String, Value>>(bearer, &key.decoding, &key.validation).map_err(AuthError::from_library)?;
        let mut identity = claims::identity(&token.claims, &self.claims)?;
        // A sign-in that is yet to happen must not pass for a recent one.
        let latest = seconds(get_current_timestamp().saturating_add(self.leeway_seconds));
        identity.auth_time = identity.auth_time.filter(|at| *at <= latest);
        Ok(identity)
    }

    /// The one key that this header may mean. Both its algorithm and its name must be the key's.
    fn key_for(&self, header: &Header) -> Result<&Key, AuthError> {
        let fitting: Vec<&Key> = self.keys.iter().filter(|key| key.algorithm == header.alg).collect();
        match (&header.kid, fitting.as_slice()) {
            (_, []) => Err(AuthError::AlgorithmNotAllowed),
            (None, [key]) => Ok(key),
            (None, _) => Err(AuthError::UnknownKey),
            (Some(_), _) => self.named_key(header, &fitting),
        }
    }

    fn named_key<'a>(&self, header: &Header, fitting: &[&'a Key]) -> Result<&'a Key, AuthError> {
        let named = |key: &&Key| key.kid.is_some() && key.kid == header.kid;
        let known = self.keys.iter().any(|key| named(&key));
        let refusal = if known { AuthError::AlgorithmNotAllowed } else { AuthError::UnknownKey };
        fitting.iter().copied().find(|key| named(key)).ok_or(refusal)
    }
}

fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(since_epoch).unwrap_or(i64::MAX).saturating_mul(SECOND))
}
