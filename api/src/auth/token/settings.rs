//! The settings of `[auth]`, and what is wrong with them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::claims::{ClaimPaths, MalformedRole, UnusablePath};
use super::super::jwks::schedule::Pace;
use super::super::jwks::source::{Source, SourceError};
use super::super::jwks::{self, JwksError, PublicKey};
use super::keyring::{Keyring, Rules};
use super::{MAX_LEEWAY_SECONDS, MIN_SECRET_BYTES};

/// How bearer tokens are verified. At least one of `hs256_secret`, `jwks_file` and `jwks_url` is needed.
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
    /// Enables public keys: a JSON Web Key Set, read at start-up. Not together with `jwks_url`.
    pub jwks_file: Option<PathBuf>,
    /// Enables public keys: a JSON Web Key Set, fetched while the service runs. `https://`, or `http://` on loopback.
    pub jwks_url: Option<String>,
    /// How often the keys of `jwks_url` are fetched again; in seconds, 1 to 86400. A key that the provider has taken
    /// back is believed for no longer than that, while it answers.
    pub jwks_refresh_interval_seconds: u64,
    /// A token that names an unknown key has the keys fetched at once, but only once in this time; in seconds, 1 to
    /// 86400.
    pub jwks_cooldown_seconds: u64,
    /// How long a fetch may take as a whole; in seconds, 1 to 60.
    pub jwks_timeout_seconds: u64,
    /// Largest key set that is read, in bytes, 1024 to 16777216.
    pub jwks_max_bytes: usize,
    /// Which of `RS256`, `ES256` and `EdDSA` public keys may be used for; all three unless set.
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
            jwks_url: None,
            jwks_refresh_interval_seconds: 600,
            jwks_cooldown_seconds: 30,
            jwks_timeout_seconds: 5,
            jwks_max_bytes: 256 * 1024,
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
            .field("jwks_url", &self.jwks_url)
            .field("jwks_refresh_interval_seconds", &self.jwks_refresh_interval_seconds)
            .field("jwks_cooldown_seconds", &self.jwks_cooldown_seconds)
            .field("jwks_timeout_seconds", &self.jwks_timeout_seconds)
            .field("jwks_max_bytes", &self.jwks_max_bytes)
            .field("algorithms", &self.algorithms)
            .field("claims", &self.claims)
            .finish()
    }
}

impl AuthConfig {
    /// The secret, when HS256 is enabled and the settings that every token depends on are sound.
    pub(super) fn checked_secret(&self) -> Result<Option<&[u8]>, AuthSetupError> {
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

    fn pace(&self) -> Pace {
        Pace {
            interval: Duration::from_secs(self.jwks_refresh_interval_seconds),
            cooldown: Duration::from_secs(self.jwks_cooldown_seconds),
        }
    }
}

/// Checked settings: all that a [`Verifier`](super::Verifier) is made of.
#[derive(Debug)]
pub struct Setup {
    pub(super) rules: Arc<Rules>,
    pub(super) public: PublicKeys,
}

/// Where public keys come from.
#[derive(Debug)]
pub(super) enum PublicKeys {
    /// They are these, which may be none.
    Fixed(Vec<PublicKey>),
    /// They are fetched, and change.
    Fetched(Source, Pace),
}

impl Setup {
    /// Checks the settings and reads `jwks_file`. Nothing is fetched yet.
    ///
    /// # Errors
    /// [`AuthSetupError`] names the setting that is missing or wrong.
    pub fn new(config: &AuthConfig) -> Result<Self, AuthSetupError> {
        let secret = config.checked_secret()?;
        if config.leeway_seconds > MAX_LEEWAY_SECONDS {
            return Err(AuthSetupError::LongLeeway(config.leeway_seconds));
        }
        let allowed = jwks::algorithms(&config.algorithms)?;
        let public = match (&config.jwks_file, &config.jwks_url) {
            (Some(_), Some(_)) => return Err(AuthSetupError::TwoKeySets),
            (Some(path), None) => PublicKeys::Fixed(jwks::read(path, &allowed)?),
            (None, Some(url)) => {
                let timeout = Duration::from_secs(config.jwks_timeout_seconds);
                PublicKeys::Fetched(Source::new(url, timeout, config.jwks_max_bytes, allowed)?, config.pace())
            }
            (None, None) if secret.is_none() => return Err(AuthSetupError::NoKeys),
            (None, None) => PublicKeys::Fixed(Vec::new()),
        };
        Ok(Self { rules: Arc::new(Rules::new(config, secret)), public })
    }

    /// The keys that are known without fetching any.
    #[must_use]
    pub fn keyring(self) -> Keyring {
        let keys = if let PublicKeys::Fixed(keys) = self.public { keys } else { Vec::new() };
        Keyring::new(self.rules, keys)
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
    #[error("none of hs256_secret, jwks_file and jwks_url is set: no token could be verified")]
    NoKeys,
    /// A key that the provider takes back would live on in the file.
    #[error("jwks_file and jwks_url: only one of them may be set")]
    TwoKeySets,
    /// The public keys cannot be used.
    #[error(transparent)]
    Jwks(#[from] JwksError),
    /// The public keys cannot be fetched.
    #[error(transparent)]
    Source(#[from] SourceError),
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
