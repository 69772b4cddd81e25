//! Tokens, right ones and wrong ones, as an identity provider would make them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use jsonwebtoken::jwk::Jwk;
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

/// A key pair made for the test.
pub struct Pair {
    private: EncodingKey,
    pub public: Vec<u8>,
    pub jwk: Value,
}

impl Pair {
    pub fn new(kid: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let public = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
        let private = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        Self { private, public: public.public_key().as_ref().to_vec(), jwk }
    }

    pub fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// Signed by HMAC with whatever bytes, with or without the name of a key.
pub fn hmac(bytes: &[u8], kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(bytes)).unwrap()
}
