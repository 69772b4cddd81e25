//! Tokens: right ones are taken, wrong ones are told so and nothing else.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::support::token::{AUDIENCE, Pair, SECRET, claims, hmac, mint, now, sign};
use crate::support::{Client, Response, World, both, respond};

const ME: &str = "{ me { person { name } roles { role team { key } } } }";

pub(super) async fn ask(world: &World, authorization: Option<&str>) -> Response {
    let raw = world.raw();
    let request = raw.http.post(raw.url("/graphql")).json(&json!({"query": ME}));
    respond(authorization.into_iter().fold(request, |request, value| request.header("authorization", value))).await
}

pub(super) async fn bearer(world: &World, token: &str) -> Response {
    ask(world, Some(&format!("Bearer {token}"))).await
}

pub(super) fn assert_unauthenticated(response: &Response, what: &str) {
    assert_eq!(response.status, 401, "{what}: {response:?}");
    let challenge = response.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    assert!(challenge.is_some_and(|value| value.starts_with("Bearer")), "{what}: {response:?}");
    let extensions = &response.body["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "UNAUTHENTICATED", "{what}: {response:?}");
    assert!(extensions["requestId"].is_string(), "{what}: {response:?}");
    assert!(response.body.get("data").is_none_or(Value::is_null), "{what}: {response:?}");
    assert!(!response.body.to_string().contains(SECRET), "{what}: {response:?}");
}

/// The right claims with others set, or taken away by null.
pub(super) fn with(changes: &Value) -> Value {
    let mut claims = claims(&["admin"], "eve");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(super) fn part(token: &str, n: usize) -> &str {
    token.split('.').nth(n).expect("three parts")
}

both! {
    async fn wrong_tokens_are_unauthenticated(world: World) {
        let good = mint(&with(&json!({})));
        assert_eq!(bearer(&world, &good).await.status, 200, "the right one is taken");
        for header in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic YTpi"), Some(good.as_str())] {
            assert_unauthenticated(&ask(&world, header).await, &format!("{header:?}"));
        }
        let other = mint(&with(&json!({"sub": "mallory"})));
        // {"alg":"none","typ":"JWT"}
        let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", part(&good, 1));
        let exchanged = format!("{}.{}.{}", part(&good, 0), part(&other, 1), part(&good, 2));
        let unsigned = format!("{}.{}.", part(&good, 0), part(&good, 1));
        let forged = sign(Algorithm::HS256, "another secret of at least thirty-two bytes", &with(&json!({})));
        let named = hmac(SECRET.as_bytes(), Some("no such key"), &with(&json!({})));
        let long = mint(&with(&json!({"padding": "x".repeat(20_000)})));
        for (what, wrong) in [
            ("garbage", "garbage".to_owned()),
            ("dots", "..".to_owned()),
            ("no algorithm", none),
            ("other claims under a signature", exchanged),
            ("no signature", unsigned),
            ("a forged signature", forged),
            ("an unknown key", named),
            ("HS384", sign(Algorithm::HS384, SECRET, &with(&json!({})))),
            ("HS512", sign(Algorithm::HS512, SECRET, &with(&json!({})))),
            ("ES256 where no such key is", Pair::new("k").sign(None, &with(&json!({})))),
            ("a token of 20 kB", long),
        ] {
            assert_unauthenticated(&bearer(&world, &wrong).await, what);
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1, "nobody else was made");
    }

    async fn wrong_claims_are_unauthenticated(world: World) {
        let now = now();
        for changes in [
            json!({"exp": now - 600}),
            json!({"exp": null}),
            json!({"exp": "tomorrow"}),
            json!({"nbf": now + 600}),
            json!({"aud": "another"}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"iss": "https://evil.example"}),
            json!({"iss": null}),
            json!({"sub": null}),
            json!({"sub": ""}),
            json!({"sub": 7}),
        ] {
            assert_unauthenticated(&bearer(&world, &mint(&with(&changes))).await, &changes.to_string());
        }
        for changes in [json!({"aud": ["another", AUDIENCE]}), json!({"nbf": now - 5}), json!({"exp": now - 5})] {
            let answer = bearer(&world, &mint(&with(&changes))).await;
            assert_eq!((answer.status.as_u16(), &answer.body["errors"]), (200, &Value::Null), "{changes}: {answer:?}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1);
    }

    async fn the_keys_of_a_jwks_file_are_taken_and_no_others(world: World) {
        let mut world = world;
        let (first, second, stranger) = (Pair::new("first"), Pair::new("second"), Pair::new("first"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json!({"keys": [first.jwk, second.jwk]}).to_string()).unwrap();
        world.restart_with(&[("SOPWITH_AUTH__JWKS_FILE", file.path().to_str().unwrap())]).await;

        let right = with(&json!({"roles": ["author@ops"]}));
        for taken in [first.sign(Some("first"), &right), second.sign(Some("second"), &right), mint(&right)] {
            let answer = bearer(&world, &taken).await;
            assert_eq!(answer.body["data"]["me"]["roles"][0]["role"], "author", "{answer:?}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1, "one issuer and subject, one person");
        let x = first.jwk["x"].as_str().unwrap();
        let mut wrong = vec![
            ("a key of that name that is another", stranger.sign(Some("first"), &right)),
            ("the other key's name", first.sign(Some("second"), &right)),
            ("an unknown name", first.sign(Some("third"), &right)),
            ("no name where there are two", first.sign(None, &right)),
            ("expired", first.sign(Some("first"), &with(&json!({"exp": now() - 600})))),
            ("another audience", first.sign(Some("first"), &with(&json!({"aud": "another"})))),
        ];
        for bytes in [first.public.as_slice(), x.as_bytes(), first.jwk.to_string().as_bytes()] {
            wrong.push(("HS256 by the public key", hmac(bytes, None, &right)));
            wrong.push(("HS256 by the public key, named", hmac(bytes, Some("first"), &right)));
        }
        for (what, token) in wrong {
            assert_unauthenticated(&bearer(&world, &token).await, what);
        }
    }

    async fn nothing_else_needs_a_token_and_nothing_else_tells(world: World) {
        let raw = world.raw();
        for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/metrics/domain", 401), ("/", 404)] {
            let answer = respond(raw.http.get(raw.url(path))).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
        let admin: Client = world.client(&["admin"], "root");
        let answer = respond(raw.http.get(raw.url("/metrics/domain")).bearer_auth(&admin.token)).await;
        assert_eq!(answer.status, 401, "a person's token opens no metrics");
    }
}
