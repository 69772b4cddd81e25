//! By a token that nobody gave: each is worth nothing, and what it asks for does not happen.

use jsonwebtoken::Algorithm;

use super::*;
use crate::support::token::{ISSUER, Pair, SECRET, claims, hmac, mint, now, sign};

/// The claims of the one who could decide, with others set.
fn rob(changes: &Value) -> Value {
    let mut all = claims(&["reviewer@ops"], "rob");
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    all
}

both! {
    async fn none_decides(world: World) {
        let siege = Siege::lay(world).await;
        let key = Pair::new("key");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json!({"keys": [key.jwk]}).to_string()).unwrap();
        let Siege { mut world, place, made, request } = siege;
        world.restart_with(&[("SOPWITH_AUTH__JWKS_FILE", file.path().to_str().unwrap())]).await;
        let right = rob(&json!({}));
        let signed = key.sign(Some("key"), &right);
        let parts: Vec<&str> = signed.split('.').collect();
        let admin = mint(&claims(&["admin", "approver"], "rob"));
        let (expired, early) = (rob(&json!({"exp": now() - 600})), rob(&json!({"nbf": now() + 600})));
        let x = key.jwk["x"].as_str().unwrap();
        let wrong = [
            ("forged", sign(Algorithm::HS256, "another secret of at least thirty-two bytes", &right)),
            ("forged by another key of the name", Pair::new("key").sign(Some("key"), &right)),
            ("other claims under a signature", format!("{}.{}.{}", parts[0], admin.split('.').nth(1).unwrap(), parts[2])),
            ("expired", mint(&expired)),
            ("expired, by a key", key.sign(Some("key"), &expired)),
            ("not valid yet", mint(&early)),
            // {"alg":"none","typ":"JWT"}
            ("of no algorithm", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", parts[1])),
            ("of no algorithm, with a signature", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.{}", parts[1], parts[2])),
            ("of another audience", mint(&rob(&json!({"aud": "another"})))),
            ("of another issuer", mint(&rob(&json!({"iss": format!("{ISSUER}.evil.example")})))),
            ("of another algorithm", sign(Algorithm::HS512, SECRET, &right)),
            ("HS256 by the public key", hmac(&key.public, None, &right)),
            ("HS256 by the public key, named", hmac(&key.public, Some("key"), &right)),
            ("HS256 by the public key as text", hmac(x.as_bytes(), Some("key"), &right)),
            ("HS256 by the public key as it is published", hmac(key.jwk.to_string().as_bytes(), Some("key"), &right)),
        ];
        let (before, attempt) = (state(&world).await, answer(&request, &made.hash, "APPROVE", None));
        for (what, token) in wrong {
            let tried = world.client(&[], "nobody").bearing(&token).send(DECIDE, attempt.clone()).await;
            let code = &tried.body["errors"][0]["extensions"]["code"];
            assert_eq!((tried.status.as_u16(), code), (401, &json!("UNAUTHENTICATED")), "{what}: {tried:?}");
            assert!(tried.body.get("data").is_none(), "{what}: {tried:?}");
            assert_eq!(state(&world).await, before, "{what}");
        }
        // Nobody acted, so nobody is accused; and the same by a token that is one is heard.
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry WHERE action = 'approval.refused'").await, 0);
        let heard = world.client(&[], "rob").bearing(&signed).mutate(DECIDE, attempt).await;
        assert_eq!(heard["approvalRequest"]["currentStage"]["name"], "Approval");
        let last = crate::story::decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(last["version"]["state"], "PUBLISHED");
        sound(&world).await;
    }
}
