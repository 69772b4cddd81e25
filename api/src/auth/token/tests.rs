use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};
use sopwith_domain::time::SECOND;
use tempfile::NamedTempFile;

use super::super::claims::ClaimPaths;
use super::super::jwks;
use super::super::jwks::testing::{TestKey, base64url, jwks_file, rsa_public};
use super::keyring::seconds;
use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn config() -> AuthConfig {
    AuthConfig { issuer: "https://id.example".into(), audience: "sopwith".into(), ..AuthConfig::default() }
}

fn with_secret() -> AuthConfig {
    AuthConfig { hs256_secret: Some(SECRET.into()), ..config() }
}

fn with_jwks(file: &NamedTempFile) -> AuthConfig {
    AuthConfig { jwks_file: Some(file.path().to_owned()), ..config() }
}

/// Claims that verify, with some replaced; `null` removes one.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"iss": "https://id.example", "aud": "sopwith", "sub": "ada", "exp": in_seconds(60)});
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    let object = claims.as_object_mut().unwrap();
    object.extend(changes);
    object.retain(|_, value| !value.is_null());
    claims
}

fn in_seconds(offset: i64) -> u64 {
    get_current_timestamp().checked_add_signed(offset).unwrap()
}

fn hs256(secret: &[u8], kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn verify(config: &AuthConfig, token: &str) -> Result<Identity, AuthError> {
    Setup::new(config).unwrap().keyring().verify(&Unverified::read(token)?)
}

/// What becomes of an HS256 token with these changes to its claims.
fn outcome(changes: Value) -> Result<Identity, AuthError> {
    verify(&with_secret(), &hs256(SECRET.as_bytes(), None, &claims(changes)))
}

fn refusal(changes: Value) -> AuthError {
    outcome(changes).unwrap_err()
}

#[test]
fn a_sound_token_is_accepted() {
    let seen = outcome(json!({"roles": ["author@ops"], "aud": ["other", "sopwith"], "nbf": in_seconds(-5)})).unwrap();
    assert_eq!((seen.issuer.as_str(), seen.subject.as_str()), ("https://id.example", "ada"));
    assert_eq!(seen.roles.len(), 1);
}

#[test]
fn a_forged_signature_is_refused() {
    let other = hs256(&[1; 32], None, &claims(json!({})));
    assert_eq!(verify(&with_secret(), &other), Err(AuthError::BadSignature));
    let (honest, forged) = (hs256(SECRET.as_bytes(), None, &claims(json!({}))), claims(json!({"sub": "eve"})));
    let parts: Vec<&str> = honest.split('.').collect();
    let swapped = [parts[0], &base64url(forged.to_string().as_bytes()), parts[2]].join(".");
    assert_eq!(verify(&with_secret(), &swapped), Err(AuthError::BadSignature));
    let stripped = format!("{}.{}.", parts[0], parts[1]);
    assert_eq!(verify(&with_secret(), &stripped), Err(AuthError::BadSignature));
}

#[test]
fn an_unsigned_token_is_refused() {
    for alg in ["none", "None", "NONE", ""] {
        let header = base64url(json!({"alg": alg, "typ": "JWT"}).to_string().as_bytes());
        let body = base64url(claims(json!({})).to_string().as_bytes());
        for token in [format!("{header}.{body}."), format!("{header}.{body}")] {
            assert_eq!(verify(&with_secret(), &token), Err(AuthError::Malformed), "{alg}");
        }
    }
}

#[test]
fn time_limits_hold_beyond_the_leeway() {
    assert_eq!(refusal(json!({"exp": in_seconds(-35)})), AuthError::Expired);
    assert!(outcome(json!({"exp": in_seconds(-20)})).is_ok());
    assert_eq!(refusal(json!({"nbf": in_seconds(45)})), AuthError::NotYetValid);
    assert!(outcome(json!({"nbf": in_seconds(20)})).is_ok());
    let strict = AuthConfig { leeway_seconds: 0, ..with_secret() };
    let late = hs256(SECRET.as_bytes(), None, &claims(json!({"exp": in_seconds(-2)})));
    assert_eq!(verify(&strict, &late), Err(AuthError::Expired));
}

#[test]
fn issuer_and_audience_must_be_the_configured_ones() {
    assert_eq!(refusal(json!({"iss": "https://evil.example"})), AuthError::WrongIssuer);
    assert_eq!(refusal(json!({"aud": "payroll"})), AuthError::WrongAudience);
    assert_eq!(refusal(json!({"aud": ["payroll", "mail"]})), AuthError::WrongAudience);
    assert_eq!(refusal(json!({"aud": []})), AuthError::WrongAudience);
    let several = refusal(json!({"iss": ["https://evil.example", "https://id.example"]}));
    assert_eq!(several, AuthError::MissingClaim("iss".into()));
}

#[test]
fn every_required_claim_is_required() {
    for name in ["iss", "aud", "exp", "sub"] {
        assert_eq!(refusal(json!({name: null})), AuthError::MissingClaim(name.into()));
        assert_eq!(refusal(json!({name: true})), AuthError::MissingClaim(name.into()));
        assert!(outcome(json!({name: {}})).is_err(), "{name}");
    }
    assert_eq!(refusal(json!({"sub": ""})), AuthError::MissingClaim("sub".into()));
    assert_eq!(refusal(json!({"nbf": "later"})), AuthError::MissingClaim("nbf".into()));
}

#[test]
fn a_sign_in_of_the_future_is_not_recent() {
    assert_eq!(outcome(json!({"auth_time": in_seconds(3600)})).unwrap().auth_time, None);
    assert!(outcome(json!({"auth_time": in_seconds(-3600)})).unwrap().auth_time.is_some());
}

#[test]
fn every_algorithm_of_a_jwks_file_is_accepted() {
    let keys = jwks::SUPPORTED.map(|(name, algorithm)| (name, TestKey::new(algorithm)));
    let file = jwks_file(&keys.each_ref().map(|(name, key)| key.jwk(json!({"kid": name, "use": "sig"}))));
    for (name, key) in &keys {
        assert_eq!(verify(&with_jwks(&file), &key.sign(Some(name), &claims(json!({})))).unwrap().subject, "ada");
        assert!(verify(&with_jwks(&file), &key.sign(None, &claims(json!({})))).is_ok(), "the only {name} key");
        let expired = key.sign(Some(name), &claims(json!({"exp": in_seconds(-90)})));
        assert_eq!(verify(&with_jwks(&file), &expired), Err(AuthError::Expired), "{name}");
    }
}

#[test]
fn forged_signatures_are_refused_by_public_keys() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let file = jwks_file(&[TestKey::new(algorithm).jwk(json!({}))]);
        let forged = TestKey::new(algorithm).sign(None, &claims(json!({})));
        assert_eq!(verify(&with_jwks(&file), &forged), Err(AuthError::BadSignature));
    }
    let key = TestKey::new(Algorithm::RS256);
    let token = key.sign(None, &claims(json!({})));
    let (message, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{message}.{}", base64url(&[1; 256]));
    assert_eq!(verify(&with_jwks(&jwks_file(&[key.jwk(json!({}))])), &forged), Err(AuthError::BadSignature));
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let jwk = TestKey::new(Algorithm::RS256).jwk(json!({"kid": "rsa"}));
    let file = jwks_file(std::slice::from_ref(&jwk));
    let (der, pem) = rsa_public();
    assert!(DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok(), "the attack uses a real PEM");
    let modulus = jwk["n"].as_str().unwrap();
    let secrets = [der, pem.clone().into_bytes(), pem.trim().into(), modulus.into(), jwk.to_string().into_bytes()];
    let both = AuthConfig { hs256_secret: Some(SECRET.into()), ..with_jwks(&file) };
    for secret in &secrets {
        let (plain, named) = (hs256(secret, None, &claims(json!({}))), hs256(secret, Some("rsa"), &claims(json!({}))));
        assert_eq!(verify(&with_jwks(&file), &plain), Err(AuthError::AlgorithmNotAllowed));
        assert_eq!(verify(&with_jwks(&file), &named), Err(AuthError::AlgorithmNotAllowed));
        assert_eq!(verify(&both, &plain), Err(AuthError::BadSignature));
        assert_eq!(verify(&both, &named), Err(AuthError::AlgorithmNotAllowed));
    }
}

#[test]
fn a_secret_and_a_jwks_file_serve_side_by_side() {
    let key = TestKey::new(Algorithm::ES256);
    let file = jwks_file(&[key.jwk(json!({"kid": "a"}))]);
    let both = AuthConfig { hs256_secret: Some(SECRET.into()), ..with_jwks(&file) };
    assert!(verify(&both, &key.sign(Some("a"), &claims(json!({})))).is_ok());
    assert!(verify(&both, &hs256(SECRET.as_bytes(), None, &claims(json!({})))).is_ok());
}

#[test]
fn the_kid_chooses_the_key() {
    let (a, b) = (TestKey::new(Algorithm::ES256), TestKey::new(Algorithm::ES256));
    let file = jwks_file(&[a.jwk(json!({"kid": "a"})), b.jwk(json!({"kid": "b"}))]);
    let outcome = |key: &TestKey, kid| verify(&with_jwks(&file), &key.sign(kid, &claims(json!({})))).map(|_| ());
    assert_eq!(outcome(&a, Some("a")), Ok(()));
    assert_eq!(outcome(&b, Some("b")), Ok(()));
    assert_eq!(outcome(&a, Some("b")), Err(AuthError::BadSignature), "only the named key is tried");
    assert_eq!(outcome(&a, Some("c")), Err(AuthError::UnknownKey));
    assert_eq!(outcome(&a, Some("")), Err(AuthError::UnknownKey));
    assert_eq!(outcome(&a, None), Err(AuthError::UnknownKey), "two keys fit");
}

#[test]
fn a_key_without_a_kid_serves_only_tokens_without_one() {
    let key = TestKey::new(Algorithm::EdDSA);
    let file = jwks_file(&[key.jwk(json!({}))]);
    assert!(verify(&with_jwks(&file), &key.sign(None, &claims(json!({})))).is_ok());
    let named = key.sign(Some("x"), &claims(json!({})));
    assert_eq!(verify(&with_jwks(&file), &named), Err(AuthError::UnknownKey));
    let shared = hs256(SECRET.as_bytes(), Some("x"), &claims(json!({})));
    assert_eq!(verify(&with_secret(), &shared), Err(AuthError::UnknownKey));
}

#[test]
fn only_configured_algorithms_are_believed() {
    let (ec, ed) = (TestKey::new(Algorithm::ES256), TestKey::new(Algorithm::EdDSA));
    let file = jwks_file(&[ec.jwk(json!({"kid": "ec"})), ed.jwk(json!({"kid": "ed"}))]);
    let only_ed = AuthConfig { algorithms: vec!["EdDSA".into()], ..with_jwks(&file) };
    assert!(verify(&only_ed, &ed.sign(Some("ed"), &claims(json!({})))).is_ok());
    let token = ec.sign(Some("ec"), &claims(json!({})));
    assert_eq!(verify(&only_ed, &token), Err(AuthError::AlgorithmNotAllowed));
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = encode(&Header::new(algorithm), &claims(json!({})), &key).unwrap();
        assert_eq!(verify(&with_secret(), &token), Err(AuthError::AlgorithmNotAllowed));
    }
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "a.b.c", "....", "not a token", "\u{0}", "é.é.é"] {
        assert_eq!(verify(&with_secret(), text), Err(AuthError::Malformed), "{text:?}");
    }
    let critical = Header { crit: Some(vec!["b64".into()]), ..Header::new(Algorithm::HS256) };
    let token = encode(&critical, &claims(json!({})), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    assert_eq!(verify(&with_secret(), &token), Err(AuthError::Malformed));
    let fitting = hs256(SECRET.as_bytes(), None, &claims(json!({"pad": "x".repeat(11_000)})));
    assert!(fitting.len() < MAX_BEARER_BYTES && verify(&with_secret(), &fitting).is_ok());
    let long = hs256(SECRET.as_bytes(), None, &claims(json!({"pad": "x".repeat(13_000)})));
    assert_eq!(verify(&with_secret(), &long), Err(AuthError::Malformed));
}

#[test]
fn a_claim_given_twice_is_refused() {
    let twice = r#"{"iss":"https://id.example","aud":"sopwith","sub":"ada","sub":"eve","exp":9999999999}"#;
    let header = base64url(br#"{"alg":"HS256"}"#);
    let message = format!("{header}.{}", base64url(twice.as_bytes()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    assert_eq!(verify(&with_secret(), &format!("{message}.{signature}")), Err(AuthError::Malformed));
}

#[test]
fn set_up_names_what_is_wrong() {
    let error = |config: AuthConfig| Setup::new(&config).unwrap_err().to_string();
    assert!(error(config()).contains("none of hs256_secret, jwks_file and jwks_url"));
    let short = error(AuthConfig { hs256_secret: Some("short-secret".into()), ..config() });
    assert!(short.contains("12 bytes") && !short.contains("short-secret"), "{short}");
    assert!(error(AuthConfig { hs256_secret: Some("x".repeat(31)), ..config() }).contains("31 bytes"));
    assert!(error(AuthConfig { issuer: String::new(), ..with_secret() }).starts_with("issuer"));
    assert!(error(AuthConfig { audience: String::new(), ..with_secret() }).starts_with("audience"));
    assert!(error(AuthConfig { leeway_seconds: 601, ..with_secret() }).starts_with("leeway_seconds"));
    assert!(error(AuthConfig { algorithms: vec!["none".into()], ..with_secret() }).contains("`none`"));
    let secret_only = jwks_file(&[json!({"kty": "oct", "k": base64url(&[7; 32])})]);
    assert!(error(with_jwks(&secret_only)).contains("no usable key (key 1: it is symmetric)"));
    let bad_file = AuthConfig { hs256_secret: Some(SECRET.into()), ..with_jwks(&secret_only) };
    assert!(error(bad_file).contains("no usable key"), "a secret does not hide a useless file");
    let url = |url: &str| AuthConfig { jwks_url: Some(url.into()), ..config() };
    assert!(Setup::new(&url("https://login.example/jwks")).is_ok(), "nothing is fetched yet");
    for wrong in ["http://login.example/jwks", "login.example", "", "https://user:hunter2@login.example/jwks"] {
        let error = error(url(wrong));
        assert!(error.starts_with("jwks_url: ") && !error.contains("hunter2"), "{error}");
    }
    let sound = jwks_file(&[TestKey::new(Algorithm::ES256).jwk(json!({}))]);
    let two = AuthConfig { jwks_file: Some(sound.path().to_owned()), ..url("https://login.example/jwks") };
    assert!(error(two).contains("only one of them"));
}

#[test]
fn the_secret_is_never_printed() {
    let config = with_secret();
    for text in [format!("{config:?}"), format!("{:?}", Setup::new(&config).unwrap().keyring())] {
        assert!(!text.contains(SECRET) && !text.contains("48, 49, 50"), "{text}");
    }
}

#[test]
fn settings_have_defaults_and_unknown_ones_are_refused() {
    let read = |value| serde_json::from_value::<AuthConfig>(value);
    let config = read(json!({"issuer": "i", "claims": {"roles": "realm.roles"}})).unwrap();
    assert_eq!((config.leeway_seconds, config.algorithms.len()), (30, 3));
    assert_eq!((config.claims.roles.as_str(), config.claims.email.as_str()), ("realm.roles", "email"));
    assert!(read(json!({"isuer": "i"})).unwrap_err().to_string().contains("isuer"));
    assert!(read(json!({"claims": {"role": "x"}})).is_err());
}

fn request() -> MintRequest {
    MintRequest {
        subject: "ada".into(),
        name: Some("Ada".into()),
        email: Some("ada@example.org".into()),
        roles: vec!["viewer".into(), "author@ops".into()],
        source: Some("pager".into()),
        valid_for: Duration::from_mins(10),
    }
}

#[test]
fn a_minted_token_says_what_was_asked() {
    let claims = ClaimPaths {
        name: "profile.name".into(),
        email: "profile.email".into(),
        roles: "https://example.org/roles".into(),
        ..ClaimPaths::default()
    };
    for config in [with_secret(), AuthConfig { claims, ..with_secret() }] {
        let before = seconds(get_current_timestamp());
        let seen = verify(&config, &mint_hs256(&config, &request()).unwrap()).unwrap();
        assert_eq!((seen.subject.as_str(), seen.name.as_deref()), ("ada", Some("Ada")));
        assert_eq!((seen.email.as_deref(), seen.email_verified), (Some("ada@example.org"), true));
        assert_eq!(seen.source.as_deref(), Some("pager"));
        let roles: Vec<_> = seen.roles.iter().map(|r| (r.role.as_str(), r.team.as_deref())).collect();
        assert_eq!(roles, [("author", Some("ops")), ("viewer", None)]);
        let signed_in = seen.auth_time.unwrap();
        assert!(signed_in >= before && seen.expires_at == signed_in.plus(600 * SECOND));
    }
}

#[test]
fn a_minted_token_leaves_out_what_is_not_given() {
    let bare = MintRequest { name: None, email: None, roles: vec![], source: None, ..request() };
    let seen = verify(&with_secret(), &mint_hs256(&with_secret(), &bare).unwrap()).unwrap();
    assert_eq!((seen.name, seen.email, seen.email_verified, seen.source), (None, None, false, None));
    assert!(seen.roles.is_empty());
}

#[test]
fn minting_refuses_what_verification_would() {
    let error = |config: AuthConfig, request: MintRequest| mint_hs256(&config, &request).unwrap_err().to_string();
    assert!(error(config(), request()).starts_with("hs256_secret"));
    assert!(error(AuthConfig { hs256_secret: Some("short".into()), ..config() }, request()).contains("5 bytes"));
    assert!(error(with_secret(), MintRequest { subject: " ".into(), ..request() }).starts_with("subject"));
    assert!(error(with_secret(), MintRequest { roles: vec!["author@".into()], ..request() }).contains("`author@`"));
    assert!(error(with_secret(), MintRequest { valid_for: Duration::ZERO, ..request() }).starts_with("valid_for"));
    let claims = ClaimPaths { name: "sub".into(), ..ClaimPaths::default() };
    assert!(error(AuthConfig { claims, ..with_secret() }, request()).contains("`sub`"));
}
