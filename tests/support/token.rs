//! Tokens, right ones and wrong ones, as an identity provider would make them.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// What every server of the tests is configured with.
pub const SECRET: &str = "a secret of the tests, long enough for HS256";
pub const ISSUER: &str = "https://test.example";
pub const AUDIENCE: &str = "sopwith";

/// Claims that the server takes: an hour long, a name, a verified e-mail.
pub fn claims(roles: &[&str], subject: &str) -> Value {
    let now = now();
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + 3600,
        "name": subject,
        "email": format!("{subject}@example.org"),
        "email_verified": true,
        "roles": roles,
    })
}

/// Signs any claims with the servers' own secret.
pub fn mint(claims: &Value) -> String {
    sign(Algorithm::HS256, SECRET, claims)
}

/// Signs any claims with any secret by any HMAC algorithm.
pub fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("signing a token")
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the server under test judges tokens by the real time")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}
