//! JSON Web Key Sets: which of their keys are used, and for which algorithm. A set comes from a file, or by URL.

use std::path::{Path, PathBuf};
use std::{fs, io};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

pub mod schedule;
pub mod source;
#[cfg(test)]
pub(super) mod testing;

/// The algorithms that keys of a set can have, by their configured names.
pub const SUPPORTED: [(&str, Algorithm); 3] =
    [("RS256", Algorithm::RS256), ("ES256", Algorithm::ES256), ("EdDSA", Algorithm::EdDSA)];

/// RSA keys under 2,048 bits are not used.
const MIN_RSA_BYTES: usize = 256;

/// A key that verifies signatures of exactly one algorithm.
#[derive(Debug, Clone)]
pub struct PublicKey {
    /// The name that tokens refer to it by.
    pub kid: Option<String>,
    /// The one algorithm it verifies, which follows from the key's type and not from any token.
    pub algorithm: Algorithm,
    /// The key itself.
    pub key: DecodingKey,
}

/// What a key set offers.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    /// The keys that tokens can be verified with.
    pub keys: Vec<PublicKey>,
    /// Why each of the others is not used.
    pub unused: Vec<String>,
}

impl KeySet {
    /// Why no key can be used, where none can.
    pub fn nothing_usable(&self) -> Option<String> {
        let reasons = || if self.unused.is_empty() { "it is empty".to_owned() } else { self.unused.join("; ") };
        self.keys.is_empty().then(reasons)
    }
}

/// Why a key set cannot be used, whatever it comes from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is not a JSON object with an array `keys`.
    #[error("is not a JSON Web Key Set")]
    NotAKeySet,
    /// A token could not tell two keys apart.
    #[error("has two {algorithm:?} keys with the kid `{kid}`")]
    DuplicateKid {
        /// The name given twice.
        kid: String,
        /// The algorithm of both.
        algorithm: Algorithm,
    },
}

/// Why a JWKS file, or what it may be used for, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// An algorithm's name is not one of [`SUPPORTED`].
    #[error("algorithms: `{0}` is not one of RS256, ES256, EdDSA (HS256 is enabled by hs256_secret alone)")]
    UnknownAlgorithm(String),
    /// The file cannot be read.
    #[error("jwks_file: cannot read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What is in the file cannot be used.
    #[error("jwks_file: {path} {error}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: KeySetError,
    },
    /// None of its keys can verify tokens.
    #[error("jwks_file: {path} has no usable key ({reasons})", path = path.display())]
    NoUsableKey {
        /// The file.
        path: PathBuf,
        /// Why each key is not used.
        reasons: String,
    },
}

/// The algorithms of these configured names.
///
/// # Errors
/// [`JwksError::UnknownAlgorithm`] for a name that is not in [`SUPPORTED`].
pub fn algorithms(names: &[String]) -> Result<Vec<Algorithm>, JwksError> {
    let parse = |name: &String| {
        let known = SUPPORTED.iter().find(|(supported, _)| supported == name);
        known.map(|(_, algorithm)| *algorithm).ok_or_else(|| JwksError::UnknownAlgorithm(name.clone()))
    };
    names.iter().map(parse).collect()
}

/// The usable keys of a JWKS file; those that are not used are logged with the reason.
///
/// # Errors
/// [`JwksError`] when the file cannot be read, is no key set, has no usable key, or has one `kid` twice.
pub fn read(path: &Path, allowed: &[Algorithm]) -> Result<Vec<PublicKey>, JwksError> {
    let path = || path.to_owned();
    let bytes = fs::read(path()).map_err(|error| JwksError::Unreadable { path: path(), error })?;
    let set = parse(&bytes, allowed).map_err(|error| JwksError::Unusable { path: path(), error })?;
    for reason in &set.unused {
        tracing::info!(reason, "a key of the JWKS file is not used");
    }
    match set.nothing_usable() {
        Some(reasons) => Err(JwksError::NoUsableKey { path: path(), reasons }),
        None => Ok(set.keys),
    }
}

/// The keys of a set, for these algorithms.
///
/// # Errors
/// [`KeySetError`] when it is no key set, or has one `kid` twice.
pub fn parse(bytes: &[u8], allowed: &[Algorithm]) -> Result<KeySet, KeySetError> {
    #[derive(Deserialize)]
    struct Entries {
        keys: Vec<Value>,
    }
    let entries: Entries = serde_json::from_slice(bytes).map_err(|_| KeySetError::NotAKeySet)?;
    let mut set = KeySet::default();
    for (index, value) in entries.keys.into_iter().enumerate() {
        match usable(value, allowed) {
            Ok(key) if set.keys.iter().any(|other| same_name(other, &key)) => {
                let kid = key.kid.unwrap_or_default();
                return Err(KeySetError::DuplicateKid { kid, algorithm: key.algorithm });
            }
            Ok(key) => set.keys.push(key),
            Err(reason) => set.unused.push(format!("key {}: {reason}", index + 1)),
        }
    }
    Ok(set)
}

fn same_name(one: &PublicKey, other: &PublicKey) -> bool {
    one.kid.is_some() && one.kid == other.kid && one.algorithm == other.algorithm
}

/// The key of one entry, or why it is not used. Entries are read one by one: RFC 7517 has unknown ones ignored.
fn usable(value: Value, allowed: &[Algorithm]) -> Result<PublicKey, &'static str> {
    let jwk: Jwk = serde_json::from_value(value).map_err(|_| "it is malformed")?;
    let algorithm = algorithm_of(&jwk.algorithm)?;
    let common = &jwk.common;
    if common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return Err("its `use` is not `sig`");
    }
    if common.key_operations.as_ref().is_some_and(|operations| !operations.contains(&KeyOperations::Verify)) {
        return Err("its `key_ops` do not contain `verify`");
    }
    if common.key_algorithm.is_some_and(|named| named != KeyAlgorithm::from(algorithm)) {
        return Err("its `alg` is not supported for its key type");
    }
    if !allowed.contains(&algorithm) {
        return Err("its algorithm is not among the configured ones");
    }
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| "it is malformed")?;
    check_size(algorithm, &key)?;
    Ok(PublicKey { kid: jwk.common.key_id, algorithm, key })
}

/// Type and curve settle the algorithm, so that no key ever serves two.
fn algorithm_of(parameters: &AlgorithmParameters) -> Result<Algorithm, &'static str> {
    match parameters {
        AlgorithmParameters::RSA(_) => Ok(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Ok(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Ok(Algorithm::EdDSA),
        AlgorithmParameters::OctetKey(_) => Err("it is symmetric"),
        _ => Err("its type or curve is not supported"),
    }
}

/// A key of the wrong size would be found out only by every token failing.
fn check_size(algorithm: Algorithm, key: &DecodingKey) -> Result<(), &'static str> {
    let fits = match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            n.iter().skip_while(|byte| **byte == 0).count() >= MIN_RSA_BYTES
        }
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => point.len() == 65,
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => point.len() == 32,
        _ => false,
    };
    if fits { Ok(()) } else { Err("it is too short or malformed") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::testing::{TestKey, all_algorithms, base64url, jwks_file};
    use super::*;

    fn reason(jwk: &Value) -> String {
        let file = jwks_file(std::slice::from_ref(jwk));
        match read(file.path(), &algorithms(&all_algorithms()).unwrap()) {
            Err(JwksError::NoUsableKey { reasons, .. }) => reasons,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_supported_type_is_read_with_its_algorithm() {
        let jwks = SUPPORTED.map(|(name, algorithm)| TestKey::new(algorithm).jwk(json!({"kid": name})));
        let keys = read(jwks_file(&jwks).path(), &algorithms(&all_algorithms()).unwrap()).unwrap();
        let read: Vec<_> = keys.iter().map(|key| (key.kid.as_deref().unwrap(), key.algorithm)).collect();
        assert_eq!(read, SUPPORTED);
    }

    #[test]
    fn keys_for_other_purposes_are_not_used() {
        let key = TestKey::new(Algorithm::RS256);
        assert_eq!(reason(&key.jwk(json!({"use": "enc"}))), "key 1: its `use` is not `sig`");
        assert!(reason(&key.jwk(json!({"key_ops": ["encrypt"]}))).contains("key_ops"));
        for alg in ["PS256", "RS512", "HS256", "ES256", "RSA-OAEP", "none"] {
            assert!(reason(&key.jwk(json!({"alg": alg}))).contains("`alg`"), "{alg}");
        }
        let secret = json!({"kty": "oct", "alg": "HS256", "k": base64url(&[7; 32])});
        assert_eq!(reason(&secret), "key 1: it is symmetric");
    }

    #[test]
    fn unsuitable_key_material_is_not_used() {
        let short_rsa = json!({"kty": "RSA", "e": "AQAB", "n": base64url(&[255; 128])});
        let padded_rsa = json!({"kty": "RSA", "e": "AQAB", "n": base64url(&[&[0; 128][..], &[255; 128]].concat())});
        let short_ec = json!({"kty": "EC", "crv": "P-256", "x": base64url(&[1; 31]), "y": base64url(&[1; 32])});
        let long_ed = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&[1; 57])});
        for jwk in [short_rsa, padded_rsa, short_ec, long_ed] {
            assert_eq!(reason(&jwk), "key 1: it is too short or malformed", "{jwk}");
        }
        let other_curve = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
        let other_type = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"});
        for jwk in [other_curve, other_type, json!({"kty": "OKP", "crv": "P-256", "x": base64url(&[1; 32])})] {
            assert_eq!(reason(&jwk), "key 1: its type or curve is not supported", "{jwk}");
        }
        assert_eq!(reason(&json!("text")), "key 1: it is malformed");
    }

    #[test]
    fn a_bad_entry_does_not_spoil_a_good_one() {
        let jwks = [json!({"kid": 5}), TestKey::new(Algorithm::EdDSA).jwk(json!({}))];
        assert_eq!(read(jwks_file(&jwks).path(), &[Algorithm::EdDSA]).unwrap().len(), 1);
    }

    #[test]
    fn only_configured_algorithms_are_read() {
        let jwks = [Algorithm::ES256, Algorithm::EdDSA].map(|algorithm| TestKey::new(algorithm).jwk(json!({})));
        let file = jwks_file(&jwks);
        let keys = read(file.path(), &[Algorithm::EdDSA]).unwrap();
        assert_eq!(keys.iter().map(|key| key.algorithm).collect::<Vec<_>>(), [Algorithm::EdDSA]);
        assert!(matches!(read(file.path(), &[Algorithm::RS256]), Err(JwksError::NoUsableKey { .. })));
        let unknown = algorithms(&["RS256".into(), "HS256".into()]).unwrap_err().to_string();
        assert!(unknown.contains("`HS256`") && unknown.contains("hs256_secret"), "{unknown}");
    }

    #[test]
    fn a_file_that_is_no_key_set_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["", "[]", "{}", r#"{"keys": {}}"#] {
            fs::write(file.path(), text).unwrap();
            let error = read(file.path(), &[]).unwrap_err();
            assert!(matches!(&error, JwksError::Unusable { error: KeySetError::NotAKeySet, .. }), "{text}");
            assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
        }
        let absent = file.path().with_extension("absent");
        let error = read(&absent, &[]).unwrap_err().to_string();
        assert!(error.contains(absent.to_str().unwrap()), "{error}");
        assert!(matches!(read(jwks_file(&[]).path(), &[]), Err(JwksError::NoUsableKey { .. })));
    }

    #[test]
    fn a_kid_may_not_name_two_keys_of_one_algorithm() {
        let named = |algorithm| TestKey::new(algorithm).jwk(json!({"kid": "main"}));
        let allowed = algorithms(&all_algorithms()).unwrap();
        let twice = jwks_file(&[named(Algorithm::ES256), named(Algorithm::ES256)]);
        let error = read(twice.path(), &allowed).unwrap_err().to_string();
        assert!(error.ends_with("has two ES256 keys with the kid `main`"), "{error}");
        let apart = jwks_file(&[named(Algorithm::ES256), named(Algorithm::EdDSA)]);
        assert_eq!(read(apart.path(), &allowed).unwrap().len(), 2);
    }
}
