//! Keys by URL, against a provider of the tests' own: rotation, outages, floods, and whom it is believed from.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::tokens::{assert_unauthenticated, bearer, part, with};
use crate::support::token::{Pair, SECRET, hmac, mint, now};
use crate::support::{Backend, KeyServer, Manner, Response, World, both, respond};

const URL: &str = "SOPWITH_AUTH__JWKS_URL";
const REFRESH: &str = "SOPWITH_AUTH__JWKS_REFRESH_INTERVAL_SECONDS";
const COOLDOWN: &str = "SOPWITH_AUTH__JWKS_COOLDOWN_SECONDS";
const TIMEOUT: &str = "SOPWITH_AUTH__JWKS_TIMEOUT_SECONDS";
const SUCCEEDED: &str = "sop_jwks_fetches_total{result=\"SUCCEEDED\"}";
const FAILED: &str = "sop_jwks_fetches_total{result=\"FAILED\"}";
const LAST: &str = "sop_jwks_last_success_timestamp_seconds";
/// How long something may take that happens by itself.
const SOON: Duration = Duration::from_secs(30);

fn author() -> Value {
    with(&json!({"roles": ["author@ops"]}))
}

pub(super) fn assert_taken(answer: &Response, what: &str) {
    assert_eq!((answer.status.as_u16(), &answer.body["errors"]), (200, &Value::Null), "{what}: {answer:?}");
}

/// Nobody can tell: not the bearer's fault, and worth another try.
pub(super) fn assert_unavailable(answer: &Response, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{what}: {answer:?}");
    assert!(answer.headers.contains_key("retry-after"), "{what}: {answer:?}");
    assert!(!answer.headers.contains_key("www-authenticate"), "{what}: {answer:?}");
    assert!(answer.body.get("data").is_none(), "{what}: {answer:?}");
}

pub(super) async fn metric(world: &World, name: &str) -> u64 {
    let page = respond(world.raw().http.get(world.raw().url("/metrics"))).await;
    let line = page.body.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no series {name}")).parse().unwrap()
}

/// Waits until something is so.
pub(super) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < SOON, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ready(world: &World) -> (u16, String) {
    let answer = respond(world.raw().http.get(world.raw().url("/readyz"))).await;
    (answer.status.as_u16(), answer.body.as_str().unwrap_or_default().to_owned())
}

both! {
    async fn the_keys_of_a_url_are_taken_and_no_others(world: World) {
        let mut world = world;
        let (first, second, stranger) = (Pair::new("first"), Pair::new("second"), Pair::new("first"));
        let provider = KeyServer::start(vec![first.jwk.clone(), second.jwk.clone()]);
        world.restart_with(&[(URL, &provider.url())]).await;

        let right = author();
        for taken in [first.sign(Some("first"), &right), second.sign(Some("second"), &right), mint(&right)] {
            let answer = bearer(&world, &taken).await;
            assert_eq!(answer.body["data"]["me"]["roles"][0]["role"], "author", "{answer:?}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1, "one issuer and subject, one person");
        let (good, now) = (first.sign(Some("first"), &right), now());
        let other = first.sign(Some("first"), &with(&json!({"sub": "mallory"})));
        let signed = |changes: Value| first.sign(Some("first"), &with(&changes));
        let mut wrong = vec![
            ("forged: a key of that name that is another", stranger.sign(Some("first"), &right)),
            ("forged: the other key's name", first.sign(Some("second"), &right)),
            ("forged: other claims under a signature", format!("{}.{}.{}", part(&good, 0), part(&other, 1), part(&good, 2))),
            ("no signature", format!("{}.{}.", part(&good, 0), part(&good, 1))),
            // {"alg":"none","kid":"first"}
            ("no algorithm", format!("eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.{}.", part(&good, 1))),
            ("no algorithm, with a signature", format!("eyJhbGciOiJub25lIiwia2lkIjoiZmlyc3QifQ.{}.{}", part(&good, 1), part(&good, 2))),
            // {"alg":"RS256","kid":"first"}
            ("another algorithm", format!("eyJhbGciOiJSUzI1NiIsImtpZCI6ImZpcnN0In0.{}.{}", part(&good, 1), part(&good, 2))),
            ("an unknown name", first.sign(Some("third"), &right)),
            ("no name where there are two", first.sign(None, &right)),
            ("expired", signed(json!({"exp": now - 600}))),
            ("without expiry", signed(json!({"exp": null}))),
            ("not valid yet", signed(json!({"nbf": now + 600}))),
            ("another audience", signed(json!({"aud": "another"}))),
            ("no audience", signed(json!({"aud": null}))),
            ("another issuer", signed(json!({"iss": "https://evil.example"}))),
            ("no issuer", signed(json!({"iss": null}))),
            ("nobody", signed(json!({"sub": null}))),
            ("HS256 by the secret under a key's name", hmac(SECRET.as_bytes(), Some("first"), &right)),
        ];
        let x = first.jwk["x"].as_str().unwrap();
        for bytes in [first.public.as_slice(), x.as_bytes(), first.jwk.to_string().as_bytes()] {
            wrong.push(("HS256 by the public key", hmac(bytes, None, &right)));
            wrong.push(("HS256 by the public key, named", hmac(bytes, Some("first"), &right)));
        }
        for (what, token) in wrong {
            assert_unauthenticated(&bearer(&world, &token).await, what);
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM person").await, 1, "nobody else was made");
        assert_eq!(provider.asked(), 2, "at the start, and once for a name that is not known");
    }

    async fn keys_rotate(world: World) {
        let mut world = world;
        let (old, new) = (Pair::new("old"), Pair::new("new"));
        let provider = KeyServer::start(vec![old.jwk.clone()]);
        world.restart_with(&[(URL, &provider.url()), (REFRESH, "2"), (COOLDOWN, "60")]).await;
        assert_taken(&bearer(&world, &old.sign(Some("old"), &author())).await, "the first key");
        assert_unauthenticated(&bearer(&world, &new.sign(Some("new"), &author())).await, "not published yet");

        // That was the one fetch on demand; the rest is found by looking again now and then.
        provider.now(Manner::Keys(vec![new.jwk.clone(), old.jwk.clone()]));
        let new_token = new.sign(Some("new"), &author());
        eventually("the new key is taken", async || bearer(&world, &new_token).await.status == 200).await;
        assert_taken(&bearer(&world, &old.sign(Some("old"), &author())).await, "both are published");

        provider.now(Manner::Keys(vec![new.jwk.clone()]));
        let old_token = old.sign(Some("old"), &author());
        eventually("the old key is gone", async || bearer(&world, &old_token).await.status == 401).await;
        assert_unauthenticated(&bearer(&world, &old_token).await, "revoked");
        assert_taken(&bearer(&world, &new_token).await, "the new key");

        provider.now(Manner::Keys(vec![]));
        eventually("all keys are gone", async || bearer(&world, &new_token).await.status == 401).await;
        let said = world.server.log_entry(|line| line["level"] == "WARN" && line["message"].as_str().unwrap().contains("no usable key"));
        said.await;
        assert!(metric(&world, SUCCEEDED).await >= 4);
        assert_eq!(metric(&world, FAILED).await, 0);
    }
}

/// A world on the embedded database: what follows has nothing to do with databases.
async fn world(settings: &[(&str, &str)]) -> World {
    World::start_with(Backend::Sqlite, settings).await.expect("SQLite is always there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_is_fetched_at_once_and_not_again_for_a_while() {
    let (old, new) = (Pair::new("old"), Pair::new("new"));
    let provider = KeyServer::start(vec![old.jwk.clone()]);
    let world = world(&[(URL, &provider.url()), (COOLDOWN, "3")]).await;
    assert_taken(&bearer(&world, &old.sign(Some("old"), &author())).await, "the first key");
    provider.now(Manner::Keys(vec![old.jwk.clone(), new.jwk.clone()]));
    assert_taken(&bearer(&world, &new.sign(Some("new"), &author())).await, "ten minutes before its time");
    assert_eq!(provider.asked(), 2);
    let began = Instant::now();
    let last = Pair::new("last");
    provider.now(Manner::Keys(vec![last.jwk.clone()]));
    let token = last.sign(Some("last"), &author());
    while bearer(&world, &token).await.status == 401 {
        assert!(began.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(provider.asked(), 3, "once per cool-down, however often it is asked");
    assert_unauthenticated(&bearer(&world, &old.sign(Some("old"), &author())).await, "it went with that set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_unknown_keys_costs_one_fetch_and_holds_nobody_up() {
    let (key, evil) = (Pair::new("key"), Pair::new("evil"));
    let provider = KeyServer::start(vec![key.jwk.clone()]);
    let world = world(&[(URL, &provider.url()), (TIMEOUT, "20"), (COOLDOWN, "600")]).await;
    let good = key.sign(Some("key"), &author());
    assert_taken(&bearer(&world, &good).await, "the known key");

    let pause = Duration::from_secs(4);
    provider.now(Manner::Late(pause, vec![key.jwk.clone()]));
    let began = Instant::now();
    let mut flood = tokio::task::JoinSet::new();
    for n in 0..200 {
        let (raw, token) = (world.raw(), evil.sign(Some(&format!("made-up-{n}")), &author()));
        flood.spawn(async move {
            let request = raw.http.post(raw.url("/graphql")).bearer_auth(token);
            respond(request.json(&json!({"query": "{ me { source } }"}))).await
        });
    }
    eventually("the provider is asked", async || provider.asked() == 2).await;
    let mut answered = 0;
    while began.elapsed() < pause / 2 {
        assert_taken(&bearer(&world, &good).await, "a known key during the fetch");
        answered += 1;
    }
    assert!(answered > 0, "nobody got through while a fetch was under way");
    let mut refused = 0;
    while let Some(answer) = flood.join_next().await {
        assert_unauthenticated(&answer.unwrap(), "made up");
        refused += 1;
    }
    assert!(began.elapsed() >= pause, "they waited for the one fetch");
    for n in 0..50 {
        assert_unauthenticated(
            &bearer(&world, &evil.sign(Some(&format!("late-{n}")), &author())).await,
            "made up later",
        );
    }
    assert_eq!((refused, provider.asked()), (200, 2));
    assert_eq!((metric(&world, SUCCEEDED).await, metric(&world, FAILED).await), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_without_the_provider_and_says_what_is_missing() {
    let key = Pair::new("key");
    let provider = KeyServer::start(vec![key.jwk.clone()]);
    provider.now(Manner::Gone);
    let world = world(&[(URL, &provider.url()), (COOLDOWN, "2")]).await;
    let token = key.sign(Some("key"), &author());
    assert_unavailable(&bearer(&world, &token).await, "no keys yet");
    assert_unavailable(&bearer(&world, &key.sign(None, &author())).await, "no keys yet");
    assert_taken(&bearer(&world, &mint(&author())).await, "the secret needs no provider");
    assert_unauthenticated(
        &bearer(&world, &hmac(&key.public, Some("key"), &author())).await,
        "HS256 by the public key",
    );
    assert_unauthenticated(&bearer(&world, "garbage").await, "garbage");
    let (status, said) = ready(&world).await;
    assert_eq!(status, 503);
    assert!(said.contains("identity provider's keys"), "{said}");
    let health = respond(world.raw().http.get(world.raw().url("/healthz"))).await;
    assert_eq!(health.status, 200, "it lives");
    eventually("failures are counted", async || metric(&world, FAILED).await >= 2).await;
    assert_eq!((metric(&world, SUCCEEDED).await, metric(&world, LAST).await), (0, 0));
    assert!(metric(&world, "sop_graphql_rejected_total{reason=\"UNAVAILABLE\"}").await >= 2);
    let warned = world.server.log_entry(|line| line["level"] == "WARN" && line["retry_in_seconds"] == 2).await;
    assert!(warned["message"].as_str().unwrap().contains("cannot be fetched"), "{warned}");
    assert!(warned["reason"].as_str().unwrap().contains("refused"), "{warned}");

    provider.now(Manner::Keys(vec![key.jwk.clone()]));
    eventually("it is ready by itself", async || ready(&world).await.0 == 200).await;
    assert_taken(&bearer(&world, &token).await, "the keys are there");
    assert!(metric(&world, LAST).await.abs_diff(now()) < 60);
    let logs = world.server.logs().iter().map(Value::to_string).collect::<String>();
    assert!(!logs.contains(&token), "no token in a log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn known_keys_outlive_whatever_becomes_of_the_provider() {
    let (key, new) = (Pair::new("key"), Pair::new("new"));
    let elsewhere = KeyServer::start(vec![new.jwk.clone()]);
    let provider = KeyServer::start(vec![key.jwk.clone()]);
    let settings = [(URL, provider.url()), (REFRESH, "1".into()), (COOLDOWN, "1".into()), (TIMEOUT, "1".into())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let world = world(&[settings.as_slice(), &[("SOPWITH_AUTH__JWKS_MAX_BYTES", "2048")]].concat()).await;
    let (good, unknown) = (key.sign(Some("key"), &author()), new.sign(Some("new"), &author()));
    assert_taken(&bearer(&world, &good).await, "before");

    let set = |keys: &[&Value]| json!({ "keys": keys }).to_string();
    let padded = json!({"keys": [new.jwk], "padding": "x".repeat(3000)}).to_string();
    let same_name = Pair::new("new").jwk;
    for (manner, reason) in [
        (Manner::Gone, "refused"),
        (Manner::Broken, "no answer"),
        (Manner::Silent, "timed out"),
        (Manner::Trickle, "timed out"),
        (Manner::Endless, "more than 2048 bytes"),
        (Manner::Claims(1 << 60), "timed out"),
        (Manner::Text(200, padded), "more than 2048 bytes"),
        (Manner::Text(500, set(&[&new.jwk])), "500"),
        (Manner::Text(404, set(&[&new.jwk])), "404"),
        (Manner::Text(203, set(&[&new.jwk])), "203"),
        (Manner::Text(200, "<html>Sign in</html>".into()), "is not a JSON Web Key Set"),
        (Manner::Text(200, String::new()), "is not a JSON Web Key Set"),
        (Manner::Text(200, json!({"keys": {"new": new.jwk}}).to_string()), "is not a JSON Web Key Set"),
        (Manner::Text(200, set(&[&new.jwk, &same_name])), "two ES256 keys with the kid `new`"),
        (Manner::Redirect(elsewhere.url(), vec![]), "redirects"),
        (Manner::Redirect("http://localhost.example/jwks".into(), vec![]), "redirects"),
        (Manner::Redirect(provider.url(), vec![]), "redirects"),
    ] {
        let what = format!("{manner:?}");
        let before = metric(&world, FAILED).await;
        provider.now(manner);
        eventually(&what, async || metric(&world, FAILED).await > before).await;
        assert_taken(&bearer(&world, &good).await, &what);
        assert_unavailable(&bearer(&world, &unknown).await, &what);
        assert_eq!(ready(&world).await.0, 200, "{what}: it serves those whom it can tell");
        let told =
            world.server.log_entry(|line| line["reason"].as_str().is_some_and(|text| text.contains(reason))).await;
        assert_eq!(told["level"], "WARN", "{told}");

        provider.now(Manner::Keys(vec![key.jwk.clone()]));
        eventually(&what, async || bearer(&world, &unknown).await.status == 401).await;
    }
    assert_eq!(elsewhere.asked(), 0, "nobody is sent to another origin");
    provider.now(Manner::Redirect("/moved".into(), vec![key.jwk.clone(), new.jwk.clone()]));
    eventually("within its origin it may move", async || bearer(&world, &unknown).await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_only_a_certificate_that_is_trusted_counts() {
    let key = Pair::new("key");
    let (provider, certificate) = KeyServer::start_tls(vec![key.jwk.clone()]);
    let (_, stranger) = KeyServer::start_tls(vec![]);
    let folder = tempfile::tempdir().unwrap();
    let token = key.sign(Some("key"), &author());
    for (trusted, taken) in [(&certificate, true), (&stranger, false)] {
        let file = folder.path().join("trusted.pem");
        std::fs::write(&file, trusted).unwrap();
        let world = world(&[(URL, &provider.url()), ("SSL_CERT_FILE", file.to_str().unwrap())]).await;
        if taken {
            assert_taken(&bearer(&world, &token).await, "trusted");
            continue;
        }
        assert_unavailable(&bearer(&world, &token).await, "not trusted");
        assert_eq!(ready(&world).await.0, 503);
        world.server.log_entry(|line| line["reason"].as_str().is_some_and(|text| text.contains("certificate"))).await;
        assert_eq!(provider.asked(), 1, "it is not even asked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_no_longer_than_its_time() {
    let key = Pair::new("key");
    let provider = KeyServer::start(vec![key.jwk.clone()]);
    let settings = [(URL, provider.url()), (TIMEOUT, "60".into()), ("SOPWITH_REQUEST_TIMEOUT_SECONDS", "2".into())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut world = world(&settings).await;
    assert_taken(&bearer(&world, &key.sign(Some("key"), &author())).await, "the known key");
    provider.now(Manner::Silent);
    let began = Instant::now();
    assert_unavailable(&bearer(&world, &key.sign(Some("new"), &author())).await, "no answer in time");
    assert!((2..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // And a fetch under way is no reason not to stop.
    let began = Instant::now();
    assert_eq!(world.server.stop_gracefully().await.code(), Some(0));
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
