//! Key pairs made while the tests run; no private key is kept anywhere.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// A private key and its algorithm.
pub struct TestKey {
    algorithm: Algorithm,
    private: EncodingKey,
}

impl TestKey {
    /// A fresh key; RSA keys take long to find, so all tests share one.
    pub fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let private = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(rsa_private_pem().as_bytes()).unwrap(),
            Algorithm::ES256 => EncodingKey::from_ec_der(
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap().as_ref(),
            ),
            Algorithm::EdDSA => EncodingKey::from_ed_der(Ed25519KeyPair::generate_pkcs8v1(&random).unwrap().as_ref()),
            other => panic!("no test key for {other:?}"),
        };
        Self { algorithm, private }
    }

    /// The public half as a JWK, with further or other fields.
    pub fn jwk(&self, fields: Value) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private, self.algorithm).unwrap()).unwrap();
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        jwk.as_object_mut().unwrap().extend(fields);
        jwk
    }

    /// A token with these claims, signed by this key.
    pub fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).unwrap()
    }
}

/// The names of all algorithms that a JWKS file can be used for.
pub fn all_algorithms() -> Vec<String> {
    super::SUPPORTED.map(|(name, _)| name.to_owned()).to_vec()
}

/// A JWKS file with these keys.
pub fn jwks_file(keys: &[Value]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "keys": keys }).to_string()).unwrap();
    file
}

/// Base64 as tokens use it, by way of the library's own encoding of a symmetric JWK.
pub fn base64url(bytes: &[u8]) -> String {
    match Jwk::from_encoding_key(&EncodingKey::from_secret(bytes), Algorithm::HS256).unwrap().algorithm {
        AlgorithmParameters::OctetKey(key) => key.value,
        other => panic!("{other:?}"),
    }
}

/// The public half of the shared RSA key, as DER and as PEM.
pub fn rsa_public() -> (Vec<u8>, String) {
    let der = AsDer::<PublicKeyX509Der>::as_der(rsa().public_key()).unwrap().as_ref().to_vec();
    let pem = pem("PUBLIC KEY", &der);
    (der, pem)
}

fn rsa_private_pem() -> String {
    pem("PRIVATE KEY", AsDer::<Pkcs8V1Der>::as_der(rsa()).unwrap().as_ref())
}

fn rsa() -> &'static RsaKeyPair {
    static KEY: OnceLock<RsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut base64 = base64url(der).replace('-', "+").replace('_', "/");
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
