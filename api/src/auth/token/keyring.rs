//! The keys of one moment, and what a token must say to be believed by one of them. Nothing here waits.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header, get_current_timestamp};
use serde_json::{Map, Value};
use sopwith_domain::time::{SECOND, Timestamp};

use super::super::claims::{self, ClaimPaths, Identity};
use super::super::jwks::PublicKey;
use super::{AuthConfig, AuthError, MAX_BEARER_BYTES};

/// What every token must say, and the secret that may sign tokens whatever public keys there are.
#[derive(Debug)]
pub struct Rules {
    issuer: String,
    audience: String,
    leeway_seconds: u64,
    claims: ClaimPaths,
    shared: Option<DecodingKey>,
}

impl Rules {
    pub(super) fn new(config: &AuthConfig, secret: Option<&[u8]>) -> Self {
        Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            leeway_seconds: config.leeway_seconds,
            claims: config.claims.clone(),
            shared: secret.map(DecodingKey::from_secret),
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

/// A bearer token of which only the header was read, and nothing is believed.
#[derive(Debug, Clone)]
pub struct Unverified<'a> {
    text: &'a str,
    header: Header,
}

impl<'a> Unverified<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`AuthError::Malformed`] for what is no JWT, unsigned, too long, or asks for what is not understood here.
    pub fn read(bearer: &'a str) -> Result<Self, AuthError> {
        if bearer.len() > MAX_BEARER_BYTES {
            return Err(AuthError::Malformed);
        }
        let header = decode_header(bearer).map_err(|_| AuthError::Malformed)?;
        // RFC 7515, 4.1.11: extensions named as critical and not understood make a token invalid.
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        Ok(Self { text: bearer, header })
    }

    /// Which key it says that it is signed by.
    #[must_use]
    pub fn key_name(&self) -> KeyName {
        KeyName { algorithm: self.header.alg, kid: self.header.kid.clone() }
    }
}

/// What a token says of the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The key's name, if the token gives one.
    pub kid: Option<String>,
}

/// The keys that tokens are verified with at one moment.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<Key>,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
    validation: Validation,
}

impl Keyring {
    /// These public keys and, where there is one, the shared secret.
    #[must_use]
    pub fn new(rules: Arc<Rules>, public: Vec<PublicKey>) -> Self {
        let shared = rules.shared.clone().map(|key| PublicKey { kid: None, algorithm: Algorithm::HS256, key });
        let with_validation = |PublicKey { kid, algorithm, key }| Key {
            kid,
            algorithm,
            decoding: key,
            validation: rules.validation(algorithm),
        };
        Self { keys: public.into_iter().chain(shared).map(with_validation).collect(), rules }
    }

    /// Whether no key here could be the one that is named. Two that could are not one too few.
    #[must_use]
    pub fn lacks(&self, name: &KeyName) -> bool {
        let fits = |key: &Key| key.algorithm == name.algorithm && (name.kid.is_none() || key.kid == name.kid);
        !self.keys.iter().any(fits)
    }

    /// Checks a token's signature and claims and says who its bearer is.
    ///
    /// # Errors
    /// [`AuthError`], safe to show to the bearer.
    pub fn verify(&self, token: &Unverified<'_>) -> Result<Identity, AuthError> {
        let key = self.key_for(&token.header)?;
        let token = decode::<Map<String, Value>>(token.text, &key.decoding, &key.validation)
            .map_err(AuthError::from_library)?;
        let mut identity = claims::identity(&token.claims, &self.rules.claims)?;
        // A sign-in that is yet to happen must not pass for a recent one.
        let latest = seconds(get_current_timestamp().saturating_add(self.rules.leeway_seconds));
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

pub(super) fn seconds(since_epoch: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(since_epoch).unwrap_or(i64::MAX).saturating_mul(SECOND))
}
