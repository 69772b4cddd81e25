//! Keys by URL, from a real OpenID provider: its tokens, attacks on them, its rotation and its outage.

use serde_json::{Value, json};

use super::jwks::{assert_taken, assert_unavailable, eventually};
use super::tokens::{assert_unauthenticated, bearer, part};
use crate::support::token::AUDIENCE;
use crate::support::{Provider, World, both};

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// Has the server believe this provider.
async fn follow(world: &mut World, provider: &Provider, more: &[(&str, &str)]) {
    let url = provider.jwks_uri().await;
    let settings = [("SOPWITH_AUTH__JWKS_URL", url.as_str()), ("SOPWITH_AUTH__ISSUER", provider.issuer())];
    world.restart_with(&[&settings, more].concat()).await;
}

both! {
    async fn tokens_of_a_real_provider_are_taken(world: World) {
        let Some(provider) = Provider::start().await else { return };
        let mut world = world;
        provider.publish("r1=RS256&e1=ES256&d1=EdDSA").await;
        follow(&mut world, &provider, &[]).await;
        for algorithm in ALGORITHMS {
            let token = provider.access_token(algorithm, AUDIENCE, 600).await;
            let answer = bearer(&world, &token).await;
            assert_eq!(answer.body["data"]["me"]["roles"][0]["role"], "integration", "{algorithm}: {answer:?}");
        }
        let answer = provider.sign_in("ada").await;
        let signed_in = bearer(&world, answer["id_token"].as_str().unwrap()).await;
        assert_eq!(signed_in.body["data"]["me"]["person"]["name"], "ada Example", "{signed_in:?}");
        assert_eq!(signed_in.body["data"]["me"]["roles"], json!([{"role": "author", "team": {"key": "ops"}}]));
        let people = "SELECT COUNT(*) FROM person WHERE subject IN ('tracker', 'ada')";
        assert_eq!(world.query_i64(people).await, 2);
        let issuer = world.query_text("SELECT issuer FROM person WHERE subject = 'ada'").await;
        assert_eq!(issuer, provider.issuer());
        // What it gives out beside, for itself alone.
        assert_unauthenticated(&bearer(&world, answer["access_token"].as_str().unwrap()).await, "an opaque token");
    }

    async fn attacks_with_tokens_of_a_real_provider_fail(world: World) {
        let Some(provider) = Provider::start().await else { return };
        let mut world = world;
        provider.publish("r1=RS256&e1=ES256&d1=EdDSA").await;
        follow(&mut world, &provider, &[("SOPWITH_AUTH__LEEWAY_SECONDS", "0")]).await;
        for algorithm in ALGORITHMS {
            let good = provider.access_token(algorithm, AUDIENCE, 600).await;
            assert_taken(&bearer(&world, &good).await, algorithm);
            let brief = provider.access_token(algorithm, AUDIENCE, 1).await;
            let elsewhere = provider.access_token(algorithm, "payroll", 600).await;
            let signature = part(&elsewhere, 2);
            for (what, wrong) in [
                ("another audience", elsewhere.clone()),
                ("another issuer with the same keys", provider.token_of_another_issuer(algorithm, AUDIENCE).await),
                ("a signature of another token", format!("{}.{}.{signature}", part(&good, 0), part(&good, 1))),
                ("no signature", format!("{}.{}.", part(&good, 0), part(&good, 1))),
                // {"alg":"none"}
                ("no algorithm", format!("eyJhbGciOiJub25lIn0.{}.", part(&good, 1))),
                ("no algorithm, with a signature", format!("eyJhbGciOiJub25lIn0.{}.{}", part(&good, 1), part(&good, 2))),
            ] {
                assert_unauthenticated(&bearer(&world, &wrong).await, &format!("{algorithm}: {what}"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
            assert_unauthenticated(&bearer(&world, &brief).await, &format!("{algorithm}: expired"));
        }
        // The provider itself was talked into HS256 by its public key, and so is whoever has read it.
        let fooled = provider.access_token("HS256", AUDIENCE, 600).await;
        assert_unauthenticated(&bearer(&world, &fooled).await, "HS256 by the public key, from the provider");
        let claims = claims_of(&fooled);
        for (kid, algorithm) in [("r1", "RS256"), ("e1", "ES256"), ("d1", "EdDSA")] {
            for form in provider.public_forms(kid).await {
                for name in [None, Some(kid)] {
                    let token = crate::support::token::hmac(form.as_bytes(), name, &claims);
                    assert_unauthenticated(&bearer(&world, &token).await, &format!("HS256 by the {algorithm} key: {form}"));
                }
            }
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1, "nobody but the tracker");
    }

    async fn a_real_provider_rotates_and_fails(world: World) {
        let Some(mut provider) = Provider::start().await else { return };
        let mut world = world;
        provider.publish("old=ES256").await;
        let brisk = [
            ("SOPWITH_AUTH__JWKS_REFRESH_INTERVAL_SECONDS", "1"),
            ("SOPWITH_AUTH__JWKS_COOLDOWN_SECONDS", "1"),
            ("SOPWITH_AUTH__JWKS_TIMEOUT_SECONDS", "1"),
        ];
        follow(&mut world, &provider, &brisk).await;
        let old = provider.access_token("ES256", AUDIENCE, 600).await;
        assert_taken(&bearer(&world, &old).await, "the first key");

        provider.publish("new=ES256&old=ES256").await;
        let new = provider.access_token("ES256", AUDIENCE, 600).await;
        eventually("the new key is taken", async || bearer(&world, &new).await.status == 200).await;
        assert_taken(&bearer(&world, &old).await, "the old one still is");
        provider.publish("new=ES256").await;
        eventually("the old key is gone", async || bearer(&world, &old).await.status == 401).await;
        assert_unauthenticated(&bearer(&world, &old).await, "revoked");
        assert_taken(&bearer(&world, &new).await, "the new key");

        provider.freeze();
        let failed = |reason: &'static str| move |line: &Value| line["reason"].as_str().is_some_and(|text| text.contains(reason));
        world.server.log_entry(failed("timed out")).await;
        assert_taken(&bearer(&world, &new).await, "while the provider stands still");
        assert_unavailable(&bearer(&world, &old).await, "nobody can tell whether it is back");
        provider.kill();
        world.server.log_entry(failed("refused")).await;
        assert_taken(&bearer(&world, &new).await, "while the provider is gone");

        provider.replace().await;
        provider.publish("newest=RS256").await;
        let newest = provider.access_token("RS256", AUDIENCE, 600).await;
        eventually("it is found again", async || bearer(&world, &newest).await.status == 200).await;
        eventually("with other keys", async || bearer(&world, &new).await.status == 401).await;
    }
}

/// The claims of a token, unverified.
fn claims_of(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).expect("a token").claims
}
