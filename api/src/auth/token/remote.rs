//! Keys by URL: a task fetches them, requests read what it has published. Only the task ever waits for the provider,
//! so there is one fetch at a time, and no request that bears a known key waits for one.

use std::collections::BTreeSet;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::super::jwks::schedule::{Pace, Schedule};
use super::super::jwks::source::{FetchError, Source};
use super::super::jwks::{KeySet, PublicKey};
use super::AuthError;
use super::keyring::{KeyName, Keyring, Rules};

#[cfg(test)]
mod tests;

/// How many requests may wait for an unknown key at a time; those beyond are told to try again.
const MAX_WAITING: usize = 1024;

/// Is told of each fetch whether it went well.
pub type Observer = Box<dyn Fn(bool) + Send + Sync>;

/// Where keys come from.
pub(super) trait Fetch: Send + Sync + 'static {
    /// What they may be used for.
    fn allowed(&self) -> &[Algorithm];

    /// Fetches them once.
    fn fetch(&self) -> impl Future<Output = Result<KeySet, FetchError>> + Send;
}

impl Fetch for Source {
    fn allowed(&self) -> &[Algorithm] {
        self.allowed()
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        self.fetch().await
    }
}

/// The keys of a provider as they are now. The task that keeps them fresh ends when this is dropped.
#[derive(Debug)]
pub struct RemoteKeys {
    allowed: Vec<Algorithm>,
    state: watch::Receiver<State>,
    demands: mpsc::Sender<Demand>,
    task: JoinHandle<()>,
}

/// What is known of the keys.
#[derive(Debug, Clone)]
struct State {
    ring: Arc<Keyring>,
    /// Whether a fetch ever went well.
    fetched: bool,
    /// Whether the last one failed.
    failing: bool,
}

/// A request that bears a key which is not known, and waits to hear that there is nothing more to be found out.
#[derive(Debug)]
struct Demand {
    name: KeyName,
    done: oneshot::Sender<()>,
}

impl RemoteKeys {
    /// Begins to fetch. To be called on the runtime that the fetches shall run on.
    pub(super) fn start(source: impl Fetch, pace: Pace, rules: Arc<Rules>, observe: Observer) -> Self {
        let allowed = source.allowed().to_vec();
        let ring = Arc::new(Keyring::new(Arc::clone(&rules), Vec::new()));
        let (publish, state) = watch::channel(State { ring, fetched: false, failing: false });
        let (demands, demanded) = mpsc::channel(MAX_WAITING);
        let schedule = Schedule::new(pace, Instant::now());
        let told = Told::default();
        let refresher = Refresher { source: Arc::new(source), rules, schedule, publish, demanded, observe, told };
        Self { allowed, state, demands, task: tokio::spawn(refresher.run()) }
    }

    /// Whether no fetch has gone well yet.
    pub fn are_missing(&self) -> bool {
        !self.state.borrow().fetched
    }

    /// The keys to verify a token with that is signed by a key of this name. They are those that are known; only when
    /// the key is not among them, and may be one of the provider's, they are fetched first where the cool-down allows.
    ///
    /// # Errors
    /// [`AuthError::KeysUnavailable`] when the key is not known and the provider cannot be asked for it, or so many wait
    /// for its answer that no more can.
    pub async fn ring_for(&self, name: KeyName) -> Result<Arc<Keyring>, AuthError> {
        let known = self.state.borrow().clone();
        // The algorithms of the settings count here: a token that asks for another has no key to be found.
        if !self.allowed.contains(&name.algorithm) || !known.ring.lacks(&name) {
            return Ok(known.ring);
        }
        let (done, over) = oneshot::channel();
        if self.demands.try_send(Demand { name: name.clone(), done }).is_err() {
            return Err(AuthError::KeysUnavailable);
        }
        // An error says that the task has ended, and what is known is all there is.
        let _ = over.await;
        let known = self.state.borrow().clone();
        if known.ring.lacks(&name) && (known.failing || !known.fetched) {
            return Err(AuthError::KeysUnavailable);
        }
        Ok(known.ring)
    }
}

impl Drop for RemoteKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task.
struct Refresher<F> {
    source: Arc<F>,
    rules: Arc<Rules>,
    schedule: Schedule,
    publish: watch::Sender<State>,
    demanded: mpsc::Receiver<Demand>,
    observe: Observer,
    told: Told,
}

impl<F: Fetch> Refresher<F> {
    async fn run(mut self) {
        loop {
            // What is due comes first: it may well bring what is demanded.
            if Instant::now() >= self.schedule.due() {
                self.refresh().await;
            }
            tokio::select! {
                () = sleep_until(self.schedule.due()) => {}
                demand = self.demanded.recv() => match demand {
                    Some(demand) => self.meet(demand).await,
                    None => return,
                },
            }
        }
    }

    /// The fetch that one request waits for may bring what the next asks for, so each looks again first.
    async fn meet(&mut self, Demand { name, done }: Demand) {
        let lacks = self.publish.borrow().ring.lacks(&name);
        if lacks && self.schedule.demand(Instant::now()) {
            self.refresh().await;
        }
        // Whoever asked may be gone.
        let _ = done.send(());
    }

    async fn refresh(&mut self) {
        let source = Arc::clone(&self.source);
        // In a task of its own, so that not even a panic ends this one.
        let fetched = tokio::spawn(async move { source.fetch().await }).await;
        let fetched = fetched.map_err(|error| error.to_string()).and_then(|set| set.map_err(|error| error.to_string()));
        (self.observe)(fetched.is_ok());
        match fetched {
            Ok(set) => self.take(set),
            Err(reason) => self.keep(&reason),
        }
    }

    /// The new set takes the place of the old: a key that is no longer in it was taken back.
    fn take(&mut self, set: KeySet) {
        self.schedule.succeeded(Instant::now());
        self.told.fetched(&set);
        let ring = Arc::new(Keyring::new(Arc::clone(&self.rules), set.keys));
        self.publish.send_replace(State { ring, fetched: true, failing: false });
    }

    /// Nothing is known of the keys that would be reason to forget them.
    fn keep(&mut self, reason: &str) {
        let pause = self.schedule.failed(Instant::now());
        let kept = self.publish.borrow().fetched;
        tracing::warn!(
            reason,
            retry_in_seconds = pause.as_secs(),
            "{}",
            if kept {
                "the keys of the identity provider cannot be fetched; those that are known stay in use"
            } else {
                "the keys of the identity provider cannot be fetched: no token of its can be verified yet"
            },
        );
        self.told.failed();
        self.publish.send_modify(|state| state.failing = true);
    }
}

/// What the log was told last, so that it is told what changed.
#[derive(Debug, Default)]
struct Told {
    names: Option<BTreeSet<String>>,
    unused: Vec<String>,
    failing: bool,
}

impl Told {
    fn fetched(&mut self, set: &KeySet) {
        let names: BTreeSet<String> = set.keys.iter().map(name).collect();
        let same = self.names.as_ref() == Some(&names) && self.unused == set.unused;
        if self.failing || !same {
            let before = self.names.take().unwrap_or_default();
            let added: Vec<_> = names.difference(&before).collect();
            let removed: Vec<_> = before.difference(&names).collect();
            tracing::info!(keys = names.len(), ?added, ?removed, unused = ?set.unused, "identity provider's keys fetched");
        }
        if let Some(reasons) = set.nothing_usable().filter(|_| !same) {
            tracing::warn!(reasons, "the identity provider offers no usable key: no token of its is believed");
        }
        *self = Self { names: Some(names), unused: set.unused.clone(), failing: false };
    }

    fn failed(&mut self) {
        self.failing = true;
    }
}

fn name(key: &PublicKey) -> String {
    format!("{} ({:?})", key.kid.as_deref().unwrap_or("without a kid"), key.algorithm)
}
