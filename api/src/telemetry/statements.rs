//! Counts the SQL statements of one request, and makes their number depend on the request alone.
//!
//! What resolvers load by key is loaded in batches. A batch that is started while siblings have yet to add their keys
//! is cut in two, so here a request drives its own batches: none starts before the request has nothing left to do but
//! to wait, and what one round of batches brings is shared out before the next round starts.

use std::future::poll_fn;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

tokio::task_local! {
    static SCOPE: Scope;
}

/// How many statements a request has run so far. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Statements so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs a future and all batches that it spawns, counting their statements here. Batches that still run when the
    /// future is ready, or dropped, are dropped.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        let waiting = Batches::default();
        let mut rounds = Rounds::new(Arc::clone(&waiting));
        let driven = async move {
            let mut future = pin!(future);
            poll_fn(|cx| rounds.poll(future.as_mut(), cx)).await
        };
        SCOPE.scope(Scope { counter: self, waiting }, driven).await
    }
}

/// A future whose statements are counted where this is called, whatever task drives it.
pub fn counted<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let counter = SCOPE.try_with(|scope| scope.counter.clone()).unwrap_or_default();
    counter.scope(future)
}

/// Notes one statement. Outside of a scope it goes uncounted.
pub fn observed() {
    // An error only says that nobody counts here.
    let _ = SCOPE.try_with(|scope| scope.counter.0.fetch_add(1, Ordering::Relaxed));
}

/// Leaves a batch to the scope that it is spawned in; outside of a scope it becomes a task of its own. A batch must not
/// wait for another one: that may be for the next round.
pub fn spawn(batch: impl Future<Output = ()> + Send + 'static) {
    let mut batch = Some(batch);
    // An error only says that there is no scope.
    let _ = SCOPE.try_with(|scope| scope.add(batch.take()));
    if let Some(batch) = batch {
        tokio::spawn(batch);
    }
}

type Batch = Pin<Box<dyn Future<Output = ()> + Send>>;
type Batches = Arc<Mutex<Vec<Batch>>>;

/// What a request's futures find wherever they are polled.
struct Scope {
    counter: Counter,
    waiting: Batches,
}

impl Scope {
    fn add(&self, batch: Option<impl Future<Output = ()> + Send + 'static>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(batch.map(|batch| Box::pin(batch) as Batch));
    }
}

/// Drives a request and, round by round, its batches.
struct Rounds {
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    /// The batches of this round.
    running: Vec<Batch>,
    /// The batches of the next round.
    waiting: Batches,
}

impl Rounds {
    fn new(waiting: Batches) -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { waker: Waker::from(Arc::clone(&bell)), bell, running: Vec::new(), waiting }
    }

    fn poll<F: Future>(&mut self, mut request: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.bell.task.register(cx.waker());
        loop {
            // The request goes on while batches run: it may wait for statements of its own.
            if self.bell.answer()
                && let Poll::Ready(output) = request.as_mut().poll(&mut Context::from_waker(&self.waker))
            {
                return Poll::Ready(output);
            }
            if self.running.is_empty() {
                if self.bell.rings() {
                    // It yielded, with more to do: the task has been woken for that.
                    return Poll::Pending;
                }
                self.running = take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
                if self.running.is_empty() {
                    return Poll::Pending;
                }
            }
            self.running.retain_mut(|batch| batch.as_mut().poll(cx).is_pending());
            if !self.running.is_empty() {
                return Poll::Pending;
            }
        }
    }
}

/// Tells whether the request itself has been woken, so that it is not polled, nor taken to be waiting, in vain.
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Bell {
    fn rings(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Whether it rang; it does so no more.
    fn answer(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;
    use std::time::Duration;

    use async_graphql::dataloader::{DataLoader, Loader};
    use futures_util::future::join_all;
    use tokio::time::sleep;

    use super::*;

    /// Takes so many milliseconds for every batch of keys: each of them is a statement.
    struct Slow(u64);

    macro_rules! keys {
        ($($key:ident),*) => {$(
            #[derive(Debug, Clone, PartialEq, Eq, Hash)]
            struct $key(usize);

            impl Loader<$key> for Slow {
                type Value = usize;
                type Error = Infallible;

                async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, usize>, Infallible> {
                    assert!(keys.iter().all(|key| key.0 != 13), "unlucky");
                    sleep(Duration::from_millis(self.0)).await;
                    observed();
                    Ok(keys.iter().map(|key| (key.clone(), key.0 + 1)).collect())
                }
            }
        )*};
    }

    keys!(One, Other);

    fn loader(milliseconds: u64) -> DataLoader<Slow> {
        DataLoader::new(Slow(milliseconds), spawn).delay(Duration::ZERO).max_batch_size(usize::MAX)
    }

    #[tokio::test]
    async fn counts_in_batches_and_nowhere_else() {
        let (one, other) = (Counter::default(), Counter::default());
        observed();
        let run = async {
            observed();
            let (tell, told) = tokio::sync::oneshot::channel();
            spawn(async move {
                observed();
                tell.send(()).unwrap();
            });
            told.await.unwrap();
            tokio::spawn(async { observed() }).await.unwrap();
        };
        tokio::join!(one.clone().scope(run), other.clone().scope(async { observed() }));
        assert_eq!((one.count(), other.count()), (2, 1));
    }

    #[tokio::test]
    async fn a_batch_outside_of_a_scope_runs_by_itself() {
        assert_eq!(loader(0).load_one(One(1)).await, Ok(Some(2)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn siblings_share_a_batch_however_many_and_however_deep() {
        for (outer, inner) in [(1, 1), (3, 100), (100, 3), (100, 100)] {
            let counter = Counter::default();
            let loader = loader(0);
            let one = |n: usize| {
                let loader = &loader;
                async move {
                    let next = loader.load_one(One(n * 1_000 + 1_000)).await.unwrap().unwrap();
                    loader.load_one(One(next * 1_000)).await.unwrap().unwrap()
                }
            };
            let list = |n: usize| join_all((0..inner).map(move |m| one(n * inner + m)));
            let found = counter.clone().scope(join_all((0..outer).map(list))).await;
            assert_eq!(found.iter().flatten().count(), outer * inner);
            assert_eq!(counter.count(), 2, "{outer} lists of {inner}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_next_round_waits_for_the_slowest_batch() {
        let counter = Counter::default();
        let (fast, slow) = (loader(0), loader(20));
        let third = loader(0);
        let one = async {
            let n = fast.load_one(One(20)).await.unwrap().unwrap();
            third.load_one(Other(n)).await.unwrap()
        };
        let other = async {
            let n = slow.load_one(One(30)).await.unwrap().unwrap();
            third.load_one(Other(n)).await.unwrap()
        };
        let found = counter.clone().scope(async { tokio::join!(one, other) }).await;
        assert_eq!(found, (Some(22), Some(32)));
        assert_eq!(counter.count(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_goes_on_while_its_batches_run() {
        let (slow, (tell, told)) = (loader(0), tokio::sync::oneshot::channel());
        let own = async {
            sleep(Duration::from_millis(5)).await;
            tell.send(()).unwrap();
        };
        // This batch waits for what the request does by itself.
        let run = async {
            spawn(async move { told.await.unwrap() });
            tokio::join!(own, slow.load_one(One(1))).1
        };
        assert_eq!(Counter::default().scope(run).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_batch_nobody_waits_for_holds_up_none() {
        let loader = loader(0);
        let run = async {
            spawn(async { sleep(Duration::from_millis(5)).await });
            tokio::task::yield_now().await;
            loader.load_one(One(1)).await
        };
        assert_eq!(Counter::default().scope(run).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_panic_in_a_batch_is_the_requests() {
        let run = async { loader(0).load_one(One(13)).await };
        let ended = tokio::spawn(Counter::default().scope(run)).await;
        assert!(ended.unwrap_err().is_panic());
    }
}
