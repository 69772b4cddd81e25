//! Tokens of the service's own making, for the command line and for trying it out.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Map, Value, json};

use super::super::claims::{self, ClaimPaths, RoleClaim};
use super::{AuthConfig, AuthSetupError};

/// What a minted token shall say.
#[derive(Debug, Clone)]
pub struct MintRequest {
    /// Claim `sub`.
    pub subject: String,
    /// The display name.
    pub name: Option<String>,
    /// The e-mail address; the token says that it is verified.
    pub email: Option<String>,
    /// Each `role` or `role@team`.
    pub roles: Vec<String>,
    /// The one source of executions to bind the token to.
    pub source: Option<String>,
    /// How long from now the token is valid; parts of a second are dropped.
    pub valid_for: Duration,
}

/// Signs a token with the configured secret that a [`Verifier`](super::Verifier) of the same configuration accepts.
///
/// # Errors
/// [`AuthSetupError`] when the configuration has no sound issuer, audience or secret, when the subject, a role or the
/// validity is not one that verification would accept, or when a claim path leads through another claim.
pub fn mint_hs256(config: &AuthConfig, request: &MintRequest) -> Result<String, AuthSetupError> {
    let secret = config.checked_secret()?.ok_or(AuthSetupError::NoSecret)?;
    if request.subject.trim().is_empty() || request.subject.contains(char::is_control) {
        return Err(AuthSetupError::BadSubject);
    }
    if request.valid_for.as_secs() == 0 {
        return Err(AuthSetupError::NoValidity);
    }
    for role in &request.roles {
        role.parse::<RoleClaim>()?;
    }
    let mut claims = registered_claims(config, request);
    for (path, value) in optional_claims(&config.claims, request) {
        claims::write(&mut claims, path, value)?;
    }
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .map_err(|_| AuthSetupError::Signing)
}

fn registered_claims(config: &AuthConfig, request: &MintRequest) -> Map<String, Value> {
    let now = get_current_timestamp();
    let claims = [
        ("iss", json!(config.issuer)),
        ("aud", json!(config.audience)),
        ("sub", json!(request.subject)),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now.saturating_add(request.valid_for.as_secs()))),
        ("auth_time", json!(now)),
    ];
    claims.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The claims that are given, each with its configured path.
fn optional_claims<'a>(paths: &'a ClaimPaths, request: &MintRequest) -> Vec<(&'a str, Value)> {
    let mut claims = Vec::new();
    if let Some(name) = &request.name {
        claims.push((paths.name.as_str(), json!(name)));
    }
    if let Some(email) = &request.email {
        claims.push((paths.email.as_str(), json!(email)));
        claims.push((paths.email_verified.as_str(), json!(true)));
    }
    if !request.roles.is_empty() {
        claims.push((paths.roles.as_str(), json!(request.roles)));
    }
    if let Some(source) = &request.source {
        claims.push((paths.source.as_str(), json!(source)));
    }
    claims
}
