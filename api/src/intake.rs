//! What both ways of taking executions share: how many batches are in work at a time, and what is counted.
//!
//! Nothing queues without bound. A batch waits for its place for a short time only, and only so many wait; whoever gets
//! none is told when to try again, and nothing of their batch was taken.

use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sopwith_domain::execution::Mode;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::app::Call;
use crate::app::executions::{Answer, BatchInput, record};
use crate::config::IngestConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;

/// How many batches may wait for each place.
const WAITING_PER_PLACE: usize = 16;
/// After how many seconds somebody who got no place is to try again.
const RETRY_AFTER: u64 = 1;

/// Takes batches of executions.
#[derive(Debug)]
pub struct Intake {
    places: Semaphore,
    waiting: Semaphore,
    max_wait: Duration,
    metrics: Arc<Metrics>,
}

impl Intake {
    /// With places as configured.
    #[must_use]
    pub fn new(config: &IngestConfig, metrics: Arc<Metrics>) -> Self {
        Self {
            places: Semaphore::new(config.max_batches),
            waiting: Semaphore::new(config.max_batches * WAITING_PER_PLACE),
            max_wait: Duration::from_millis(config.max_wait_milliseconds),
            metrics,
        }
    }

    /// Takes a batch; answers for each item in its place.
    ///
    /// # Errors
    /// Those of [`record`]; `Busy` when too many batches are in work.
    pub async fn take(&self, call: &Call, batch: &BatchInput) -> Result<Vec<Answer>> {
        let mut work = InWork { metrics: &self.metrics, mode: batch.mode, count: batch.reports.len() };
        let Some(_place) = self.place().await else {
            self.metrics.ingested_over_limit(work.mode, work.settle());
            return Err(Error::Busy { retry_after: RETRY_AFTER });
        };
        let began = Instant::now();
        let answers = record(call, batch).await.inspect_err(|error| {
            if matches!(error, Error::Refused(_)) {
                work.settle();
            }
        })?;
        work.settle();
        self.metrics.ingested(batch.mode, &batch.reports, &answers, began.elapsed());
        Ok(answers)
    }

    /// Counts items that came with a batch and could not be read: they were rejected as well.
    pub fn unreadable(&self, mode: Mode, count: usize) {
        self.metrics.ingested_unreadable(mode, count);
    }

    /// A place, where one becomes free in time.
    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        timeout(self.max_wait, self.places.acquire()).await.ok()?.ok()
    }
}

/// Records in work. Those of which nothing is known when it ends count as failed: also where it is given up from outside,
/// when it takes too long.
struct InWork<'a> {
    metrics: &'a Metrics,
    mode: Mode,
    count: usize,
}

impl InWork<'_> {
    /// Their sender is told what became of them. Answers how many they are.
    fn settle(&mut self) -> usize {
        take(&mut self.count)
    }
}

impl Drop for InWork<'_> {
    fn drop(&mut self) {
        self.metrics.ingested_failed(self.mode, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake(max_batches: usize) -> Intake {
        let metrics = Metrics::new(crate::metrics::pool_waits().unwrap()).unwrap();
        Intake::new(&IngestConfig { max_batches, max_wait_milliseconds: 1000 }, Arc::new(metrics))
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_waited_for_but_not_for_long() {
        let intake = intake(2);
        let (first, second) = (intake.place().await, intake.place().await);
        assert!(first.is_some() && second.is_some());
        let began = tokio::time::Instant::now();
        assert!(intake.place().await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        let freed = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            drop(first);
        };
        let (third, ()) = tokio::join!(intake.place(), freed);
        assert!(third.is_some(), "whoever waits gets what becomes free");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait_and_the_others_are_told_at_once() {
        let intake = Arc::new(intake(1));
        let held = intake.place().await;
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let intake = Arc::clone(&intake);
            all.spawn(async move {
                let began = tokio::time::Instant::now();
                (intake.place().await.is_some(), began.elapsed())
            });
        }
        let ended = all.join_all().await;
        assert!(ended.iter().all(|(placed, _)| !placed));
        let waited = ended.iter().filter(|(_, took)| *took >= Duration::from_secs(1)).count();
        assert_eq!(waited, WAITING_PER_PLACE);
        drop(held);
        assert!(intake.place().await.is_some(), "nothing of it is left behind");
    }
}
