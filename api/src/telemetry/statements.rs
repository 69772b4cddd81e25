//! Counts the SQL statements of one request, wherever its tasks run them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::JoinHandle;

tokio::task_local! {
    static COUNTER: Counter;
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

    /// Runs a future, counting its statements here.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        COUNTER.scope(self, future).await
    }
}

/// Notes one statement. Outside of a scope it goes uncounted.
pub fn observed() {
    // An error only says that nobody counts here.
    let _ = COUNTER.try_with(|counter| counter.0.fetch_add(1, Ordering::Relaxed));
}

/// Spawns a task whose statements count as those of the one that spawns it.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match COUNTER.try_with(Clone::clone) {
        Ok(counter) => tokio::spawn(counter.scope(future)),
        Err(_) => tokio::spawn(future),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn counts_in_spawned_tasks_and_nowhere_else() {
        let (one, other) = (Counter::default(), Counter::default());
        observed();
        let run = async {
            observed();
            spawn(async { observed() }).await.unwrap();
            tokio::spawn(async { observed() }).await.unwrap();
        };
        tokio::join!(one.clone().scope(run), other.clone().scope(async { observed() }));
        assert_eq!((one.count(), other.count()), (2, 1));
    }
}
