//! The task that fetches, with a provider of the tests' own and a clock that runs when nothing else does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::get_current_timestamp;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::super::super::jwks::parse;
use super::super::super::jwks::source::FetchError;
use super::super::super::jwks::testing::TestKey;
use super::super::{AuthConfig, Setup, Unverified};
use super::*;

const PACE: Pace = Pace { interval: Duration::from_mins(10), cooldown: Duration::from_secs(30) };
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What a fetch comes to.
#[derive(Clone)]
enum Answer {
    Keys(Vec<Value>),
    Down,
    Panic,
    /// The keys, but only so much later.
    Late(Duration, Vec<Value>),
}

/// A provider whose answer can be changed, and which counts how often it is asked.
#[derive(Clone)]
struct Provider {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    allowed: Vec<Algorithm>,
}

impl Provider {
    fn new(answer: Answer) -> Self {
        let allowed = vec![Algorithm::RS256, Algorithm::ES256];
        Self { answer: Arc::new(Mutex::new(answer)), asked: Arc::default(), allowed }
    }

    fn now_answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn start(&self) -> (RemoteKeys, Arc<Mutex<Vec<bool>>>) {
        let config = AuthConfig {
            issuer: "https://id.example".into(),
            audience: "sopwith".into(),
            hs256_secret: Some(SECRET.into()),
            ..AuthConfig::default()
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let observed = Arc::clone(&told);
        let observe = Box::new(move |succeeded| observed.lock().unwrap().push(succeeded));
        (RemoteKeys::start(self.clone(), PACE, Setup::new(&config).unwrap().rules, observe), told)
    }
}

impl Fetch for Provider {
    fn allowed(&self) -> &[Algorithm] {
        &self.allowed
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        let keys = match answer {
            Answer::Keys(keys) => keys,
            Answer::Down => return Err(FetchError::NoAnswer("it is down".into())),
            Answer::Panic => panic!("it was to be"),
            Answer::Late(pause, keys) => {
                sleep(pause).await;
                keys
            }
        };
        Ok(parse(json!({ "keys": keys }).to_string().as_bytes(), &self.allowed)?)
    }
}

fn key(kid: &str) -> (TestKey, Value) {
    let key = TestKey::new(Algorithm::ES256);
    let jwk = key.jwk(json!({ "kid": kid }));
    (key, jwk)
}

fn claims() -> Value {
    let exp = get_current_timestamp() + 60;
    json!({"iss": "https://id.example", "aud": "sopwith", "sub": "ada", "exp": exp})
}

fn token(key: &TestKey, kid: &str) -> String {
    key.sign(Some(kid), &claims())
}

async fn verify(keys: &RemoteKeys, token: &str) -> Result<(), AuthError> {
    let token = Unverified::read(token)?;
    keys.ring_for(token.key_name()).await?.verify(&token).map(|_| ())
}

#[tokio::test(start_paused = true)]
async fn the_first_request_waits_for_the_first_keys() {
    let (a, jwk) = key("a");
    let provider = Provider::new(Answer::Late(Duration::from_secs(3), vec![jwk]));
    let (keys, told) = provider.start();
    assert!(keys.are_missing());
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    assert!(!keys.are_missing());
    assert_eq!((provider.asked(), told.lock().unwrap().as_slice()), (1, &[true][..]));
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_at_the_interval() {
    let ((a, first), (b, second)) = (key("a"), key("b"));
    let provider = Provider::new(Answer::Keys(vec![first]));
    let (keys, _) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Keys(vec![second]));
    sleep(Duration::from_secs(599)).await;
    assert_eq!((provider.asked(), verify(&keys, &token(&a, "a")).await), (1, Ok(())));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(verify(&keys, &token(&b, "b")).await, Ok(()));
    assert_eq!(provider.asked(), 2, "by itself, not because it was asked for");
    assert_eq!(verify(&keys, &token(&a, "a")).await, Err(AuthError::UnknownKey), "what is gone is gone at once");
    sleep(PACE.interval * 5 + Duration::from_secs(1)).await;
    assert_eq!(provider.asked(), 3 + 5, "one on demand for the key that is gone, and then each interval");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_fetched_at_once() {
    let ((a, first), (b, second)) = (key("a"), key("b"));
    let provider = Provider::new(Answer::Keys(vec![first.clone()]));
    let (keys, _) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Keys(vec![first, second]));
    assert_eq!(verify(&keys, &token(&b, "b")).await, Ok(()));
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_makes_one_fetch_per_cooldown() {
    let ((a, jwk), (evil, _)) = (key("a"), key("evil"));
    let provider = Provider::new(Answer::Keys(vec![jwk.clone()]));
    let (keys, _) = provider.start();
    let keys = Arc::new(keys);
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Late(Duration::from_secs(4), vec![jwk]));
    for round in 0..3 {
        let flood: Vec<_> = (0..500)
            .map(|n| {
                let (keys, token) = (Arc::clone(&keys), token(&evil, &format!("{round}-{n}")));
                tokio::spawn(async move { verify(&keys, &token).await })
            })
            .collect();
        // Those whose key is known do not even wait for a moment.
        let before = Instant::now();
        assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
        assert_eq!(Instant::now(), before);
        for refused in flood {
            assert_eq!(refused.await.unwrap(), Err(AuthError::UnknownKey));
        }
        assert_eq!(provider.asked(), 2 + round, "all of them together");
        for n in 0..50 {
            assert_eq!(verify(&keys, &token(&evil, &format!("late-{round}-{n}"))).await, Err(AuthError::UnknownKey));
        }
        assert_eq!(provider.asked(), 2 + round, "none during the cool-down");
        sleep(PACE.cooldown).await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_can_wait_are_told_to_try_again() {
    let ((a, first), (b, second)) = (key("a"), key("b"));
    let provider = Provider::new(Answer::Keys(vec![first.clone()]));
    let (keys, _) = provider.start();
    let keys = Arc::new(keys);
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Late(Duration::from_secs(4), vec![first, second]));
    let new = token(&b, "b");
    let flood: Vec<_> = (0..MAX_WAITING + 100)
        .map(|_| {
            let (keys, new) = (Arc::clone(&keys), new.clone());
            tokio::spawn(async move {
                let before = Instant::now();
                (verify(&keys, &new).await, before.elapsed())
            })
        })
        .collect();
    let mut sent_away = 0;
    for waited in flood {
        match waited.await.unwrap() {
            (Ok(()), waited) => assert_eq!(waited.as_secs(), 4),
            (Err(AuthError::KeysUnavailable), Duration::ZERO) => sent_away += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!((50..=100).contains(&sent_away), "{sent_away} of 100 too many");
}

#[tokio::test(start_paused = true)]
async fn known_keys_outlive_an_outage() {
    let ((a, first), (b, second)) = (key("a"), key("b"));
    let provider = Provider::new(Answer::Keys(vec![first.clone()]));
    let (keys, told) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    for outage in [Answer::Down, Answer::Panic] {
        provider.now_answers(outage);
        sleep(PACE.interval * 3).await;
        assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()), "the old keys stay");
        assert_eq!(verify(&keys, &token(&b, "b")).await, Err(AuthError::KeysUnavailable), "nobody can tell");
        let asked = provider.asked();
        assert_eq!(verify(&keys, &token(&b, "c")).await, Err(AuthError::KeysUnavailable));
        assert_eq!(provider.asked(), asked, "an outage has a cool-down too");
        assert_eq!(told.lock().unwrap().last(), Some(&false));
    }
    let retried = provider.asked();
    assert!((30..=80).contains(&retried), "it is tried again, but not without pause: {retried}");
    provider.now_answers(Answer::Keys(vec![first, second]));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(provider.asked(), retried + 1, "within a minute of its return, by itself");
    assert_eq!(verify(&keys, &token(&b, "b")).await, Ok(()));
    assert_eq!(verify(&keys, &token(&b, "c")).await, Err(AuthError::UnknownKey), "now one can tell");
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_yet_nobody_is_called_unauthenticated() {
    let (a, jwk) = key("a");
    let provider = Provider::new(Answer::Down);
    let (keys, _) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Err(AuthError::KeysUnavailable));
    assert!(keys.are_missing());
    let rs = TestKey::new(Algorithm::RS256).sign(None, &claims());
    assert_eq!(verify(&keys, &rs).await, Err(AuthError::KeysUnavailable), "a token may come without a kid");
    // Whatever the provider's keys are, these are no tokens of its.
    let ed = TestKey::new(Algorithm::EdDSA).sign(Some("a"), &claims());
    assert_eq!(verify(&keys, &ed).await, Err(AuthError::AlgorithmNotAllowed));
    let by = |kid: Option<&str>, secret: &[u8]| {
        let header =
            jsonwebtoken::Header { kid: kid.map(str::to_owned), ..jsonwebtoken::Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims(), &jsonwebtoken::EncodingKey::from_secret(secret)).unwrap()
    };
    assert_eq!(verify(&keys, &by(None, SECRET.as_bytes())).await, Ok(()), "the secret needs no provider");
    assert_eq!(verify(&keys, &by(None, &[1; 32])).await, Err(AuthError::BadSignature));
    assert_eq!(verify(&keys, &by(Some("a"), SECRET.as_bytes())).await, Err(AuthError::UnknownKey));
    provider.now_answers(Answer::Keys(vec![jwk]));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()), "soon after it is there");
    assert!(!keys.are_missing());
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_the_providers_is_asked_for() {
    let (_, jwk) = key("a");
    let provider = Provider::new(Answer::Keys(vec![jwk, key("b").1]));
    let (keys, _) = provider.start();
    sleep(Duration::from_secs(1)).await;
    let ed = TestKey::new(Algorithm::EdDSA).sign(Some("new"), &claims());
    assert_eq!(verify(&keys, &ed).await, Err(AuthError::AlgorithmNotAllowed));
    let nameless = TestKey::new(Algorithm::ES256).sign(None, &claims());
    assert_eq!(verify(&keys, &nameless).await, Err(AuthError::UnknownKey), "two keys fit");
    let forged = token(&TestKey::new(Algorithm::ES256), "a");
    assert_eq!(verify(&keys, &forged).await, Err(AuthError::BadSignature));
    assert_eq!(provider.asked(), 1, "none of these is worth a fetch");
    let rs = TestKey::new(Algorithm::RS256).sign(Some("a"), &claims());
    assert_eq!(verify(&keys, &rs).await, Err(AuthError::AlgorithmNotAllowed), "the key of that name is another's");
    assert_eq!(provider.asked(), 2, "a key of that name and algorithm may be new");
}

#[tokio::test(start_paused = true)]
async fn an_empty_set_takes_all_keys_back_and_a_broken_one_none() {
    let (a, jwk) = key("a");
    let provider = Provider::new(Answer::Keys(vec![jwk.clone()]));
    let (keys, told) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    let (_, again) = key("a");
    provider.now_answers(Answer::Keys(vec![jwk.clone(), again]));
    sleep(PACE.interval + Duration::from_millis(500)).await;
    assert_eq!(told.lock().unwrap().as_slice(), [true, false], "one name for two keys");
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Keys(vec![]));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(told.lock().unwrap().as_slice(), [true, false, true]);
    assert_eq!(verify(&keys, &token(&a, "a")).await, Err(AuthError::AlgorithmNotAllowed), "there is no key at all");
    provider.now_answers(Answer::Keys(vec![jwk]));
    sleep(PACE.cooldown).await;
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()), "and back without waiting for the interval");
}

#[tokio::test(start_paused = true)]
async fn those_who_go_away_neither_end_nor_repeat_a_fetch() {
    let ((a, first), (b, second)) = (key("a"), key("b"));
    let provider = Provider::new(Answer::Keys(vec![first.clone()]));
    let (keys, _) = provider.start();
    assert_eq!(verify(&keys, &token(&a, "a")).await, Ok(()));
    provider.now_answers(Answer::Late(Duration::from_secs(4), vec![first, second]));
    let token = token(&b, "b");
    assert!(timeout(Duration::from_secs(1), verify(&keys, &token)).await.is_err(), "it is slow");
    assert_eq!(verify(&keys, &token).await, Ok(()), "the next one waits for the same fetch");
    assert_eq!(provider.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_its_owner() {
    let provider = Provider::new(Answer::Down);
    let (keys, _) = provider.start();
    sleep(Duration::from_secs(10)).await;
    let asked = provider.asked();
    assert!(asked > 2, "{asked}");
    drop(keys);
    sleep(PACE.interval).await;
    assert_eq!(provider.asked(), asked);
}
