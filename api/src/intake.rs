//! What all ways of taking executions share: how many batches are in work at a time, which of them are stored together, and
//! what is counted.
//!
//! Nothing queues without bound. A batch waits for its place for a short time only, and only so many wait; whoever gets
//! none is told when to try again, and nothing of their batch was taken.

use std::collections::HashMap;
use std::mem::take;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sopwith_domain::execution::Mode;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::app::Call;
use crate::app::executions::{self, Admitted, Answer, BatchInput, Kin};
use crate::config::IngestConfig;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::together::{Groups, Turn};

/// How many batches, or groups of small ones, may wait for each place; half as many of one source.
const WAITING_PER_PLACE: usize = 16;
/// How many small batches may be in work for each place; half as many of one source.
const SMALL_PER_PLACE: usize = 256;
/// The most items of a small batch: those share a transaction with others.
const SMALL: usize = 50;
/// After how many seconds somebody who got no place is to try again.
const RETRY_AFTER: u64 = 1;

/// Takes batches of executions.
#[derive(Debug)]
pub struct Intake {
    places: Semaphore,
    waiting: Semaphore,
    small: Semaphore,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    max_batches: usize,
    max_wait: Duration,
    groups: Groups<Kin, Member>,
    group_wait: Duration,
    /// Whether the database takes one transaction at a time: then nothing is won by beginning another.
    one_writer: bool,
    metrics: Arc<Metrics>,
}

impl Intake {
    /// With places as configured.
    #[must_use]
    pub fn new(config: &IngestConfig, one_writer: bool, metrics: Arc<Metrics>) -> Self {
        Self {
            places: Semaphore::new(config.max_batches),
            waiting: Semaphore::new(config.max_batches * WAITING_PER_PLACE),
            small: Semaphore::new(config.max_batches * SMALL_PER_PLACE),
            lanes: Mutex::default(),
            max_batches: config.max_batches,
            max_wait: Duration::from_millis(config.max_wait_milliseconds),
            groups: Groups::default(),
            group_wait: Duration::from_millis(config.group_milliseconds),
            one_writer,
            metrics,
        }
    }

    /// Takes a batch; answers for each item in its place. Small batches that come at the same time are stored together: the
    /// cost of a transaction is shared, and each is answered once all of them are stored. Of one that is alone nothing
    /// waits.
    ///
    /// # Errors
    /// Those of [`Admitted::new`] and [`executions::record`]; `Busy` when too many batches are in work.
    pub async fn take(self: &Arc<Self>, call: &Call, batch: BatchInput) -> Result<Vec<Answer>> {
        let (answer, told) = oneshot::channel();
        let (metrics, items) = (Arc::clone(&self.metrics), batch.reports.len());
        let expected = Expected { metrics, mode: batch.mode, items };
        let mut sender = Sender { expected, began: Instant::now(), answer: Some(answer) };
        let batch = Admitted::new(call.clone(), batch).inspect_err(|_| sender.refused())?;
        if self.group_wait.is_zero() || items > SMALL {
            self.store(vec![Member { batch, sender }]).await;
            return told.await.unwrap_or_else(given_up);
        }
        let lane = self.lane(&batch.batch().source);
        let _of_source = lane.small.try_acquire().map_err(|_| sender.no_place())?;
        let _small = self.small.try_acquire().map_err(|_| sender.no_place())?;
        self.join(batch.kin(), items, Member { batch, sender });
        told.await.unwrap_or_else(given_up)
    }

    /// Stores a small batch with others, as a task that ends with the last of those who wait for it.
    fn join(self: &Arc<Self>, kin: Kin, items: usize, member: Member) {
        let (intake, turn) = (Arc::clone(self), self.groups.join(&kin, items, member));
        match turn {
            Turn::Serve(members) => {
                tokio::spawn(async move { intake.serve(&kin, members).await });
            }
            Turn::Wait(number) => {
                // Where the one writer is taken for long, they are told so like everybody.
                let wait = if intake.one_writer { intake.max_wait } else { intake.group_wait };
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    if let Some(members) = intake.groups.overdue(&kin, number) {
                        intake.serve(&kin, members).await;
                    }
                });
            }
            Turn::Along => {}
        }
    }

    async fn serve(&self, kin: &Kin, members: Vec<Member>) {
        self.groups.serve(kin, members, |members| self.store(members)).await;
    }

    async fn store(&self, members: Vec<Member>) {
        // They are kin, and so of one source.
        let lane = members.first().map(|first| self.lane(&first.batch.batch().source));
        let Some(lane) = lane else { return };
        let Some(_place) = self.place(&lane).await else {
            for Member { mut sender, .. } in members {
                let busy = sender.no_place();
                sender.tell(Err(busy));
            }
            return;
        };
        let (batches, mut senders): (Vec<_>, Vec<_>) = members.into_iter().map(|m| (m.batch, m.sender)).unzip();
        let Some(together) = while_waited_for(&mut senders, self.record(&batches)).await else { return };
        // What is wrong with one batch must not be held against the others.
        let apart = batches.len() > 1 && matches!(together, Err(Error::Refused(_) | Error::Internal(_)));
        if apart {
            for (batch, mut sender) in batches.iter().zip(senders) {
                let alone = self.record(slice::from_ref(batch));
                if let Some(told) = while_waited_for(slice::from_mut(&mut sender), alone).await {
                    sender.tell(told.map(|all| all.concat()));
                }
            }
            return;
        }
        match together {
            Ok(answers) => {
                for (sender, answers) in senders.into_iter().zip(answers) {
                    sender.tell(Ok(answers));
                }
            }
            // Either it is the only one, or all may be sent again.
            Err(error) => {
                let mut error = Some(error);
                for sender in senders {
                    sender.tell(Err(error.take().unwrap_or(Error::Unavailable)));
                }
            }
        }
    }

    /// Records batches, and counts what became known of runs: once, and only what is stored.
    async fn record(&self, batches: &[Admitted]) -> Result<Vec<Vec<Answer>>> {
        let taken = executions::record(batches).await?;
        self.metrics.learned(&taken.news);
        Ok(taken.answers)
    }

    /// Expects that items are taken: if nobody does, for want of time or for a fault, they count as failed.
    #[must_use]
    pub fn expect(&self, mode: Mode, items: usize) -> Expected {
        Expected { metrics: Arc::clone(&self.metrics), mode, items }
    }

    /// Counts items that came with a batch and could not be read: they were rejected as well.
    pub fn unreadable(&self, mode: Mode, count: usize) {
        self.metrics.ingested_unreadable(mode, count);
    }

    /// What the batches of a source have in common.
    fn lane(&self, source: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(source) {
            return Arc::clone(lane);
        }
        // Nobody has the others any more.
        lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        let lane = Arc::new(Lane::new(self.max_batches));
        lanes.insert(source.to_owned(), Arc::clone(&lane));
        lane
    }

    /// A place, where one becomes free in time.
    async fn place<'a>(&'a self, lane: &'a Lane) -> Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)> {
        let _of_source = lane.waiting.try_acquire().ok()?;
        let _waiting = self.waiting.try_acquire().ok()?;
        let place = async {
            let turn = lane.turns.acquire().await.ok()?;
            Some((turn, self.places.acquire().await.ok()?))
        };
        timeout(self.max_wait, place).await.ok()?
    }
}

/// Bounds of one source, so that no other has to wait behind all that it sends: it may have all places while nobody else
/// wants one, but no more of its batches stand in the line for them than there are places.
#[derive(Debug)]
struct Lane {
    turns: Semaphore,
    waiting: Semaphore,
    small: Semaphore,
}

impl Lane {
    fn new(max_batches: usize) -> Self {
        Self {
            turns: Semaphore::new(max_batches),
            waiting: Semaphore::new(max_batches * WAITING_PER_PLACE / 2),
            small: Semaphore::new(max_batches * SMALL_PER_PLACE / 2),
        }
    }
}

/// Does work unless nobody waits for it any more: such work is not to hold a connection to the database.
async fn while_waited_for<T>(senders: &mut [Sender], work: impl Future<Output = T>) -> Option<T> {
    let all_gone = async {
        for sender in senders {
            if let Some(answer) = &mut sender.answer {
                answer.closed().await;
            }
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = all_gone => None,
    }
}

fn given_up<T, E>(_: E) -> Result<T> {
    Err(Error::internal("executions in work were given up"))
}

/// Items that came. Those of which nothing is known when this ends count as failed: also where the work is given up from outside,
/// when it takes too long.
#[derive(Debug)]
pub struct Expected {
    metrics: Arc<Metrics>,
    mode: Mode,
    items: usize,
}

impl Expected {
    /// They are in other hands now, or somebody is told what became of them. Answers how many they are.
    pub fn settle(&mut self) -> usize {
        take(&mut self.items)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.metrics.ingested_failed(self.mode, self.items);
    }
}

/// A batch in work.
#[derive(Debug)]
struct Member {
    batch: Admitted,
    sender: Sender,
}

/// Whom to tell what became of a batch, the metrics included.
#[derive(Debug)]
struct Sender {
    expected: Expected,
    began: Instant,
    answer: Option<oneshot::Sender<Result<Vec<Answer>>>>,
}

impl Sender {
    fn tell(mut self, told: Result<Vec<Answer>>) {
        if let Ok(answers) = &told {
            self.expected.settle();
            self.expected.metrics.ingested(self.expected.mode, answers, self.began.elapsed());
        }
        if matches!(told, Err(Error::Refused(_))) {
            self.refused();
        }
        if let Some(answer) = self.answer.take() {
            // Whoever has gone will send it again, and be told that it was taken before.
            let _ = answer.send(told);
        }
    }

    /// Counts the items as rejected, all of them for one reason.
    fn refused(&mut self) {
        let items = self.expected.settle();
        self.expected.metrics.ingested_unreadable(self.expected.mode, items);
    }

    /// Counts the items as turned away.
    fn no_place(&mut self) -> Error {
        let items = self.expected.settle();
        self.expected.metrics.ingested_over_limit(self.expected.mode, items);
        Error::Busy { retry_after: RETRY_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake(max_batches: usize) -> Intake {
        let metrics = Metrics::new(crate::metrics::pool_waits().unwrap()).unwrap();
        Intake::new(
            &IngestConfig { max_batches, max_wait_milliseconds: 1000, group_milliseconds: 5 },
            false,
            Arc::new(metrics),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_waited_for_but_not_for_long() {
        let intake = intake(2);
        let lane = intake.lane("one");
        let (first, second) = (intake.place(&lane).await, intake.place(&lane).await);
        assert!(first.is_some() && second.is_some());
        let began = tokio::time::Instant::now();
        assert!(intake.place(&lane).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_secs(1));
        let freed = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            drop(first);
        };
        let (third, ()) = tokio::join!(intake.place(&lane), freed);
        assert!(third.is_some(), "whoever waits gets what becomes free");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait_and_the_others_are_told_at_once() {
        let intake = Arc::new(intake(1));
        let (one, another) = (intake.lane("one"), intake.lane("another"));
        let held = intake.place(&one).await;
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (intake, lane) = (Arc::clone(&intake), Arc::clone(&one));
            all.spawn(async move {
                let began = tokio::time::Instant::now();
                (intake.place(&lane).await.is_some(), began.elapsed())
            });
        }
        let ended = all.join_all().await;
        assert!(ended.iter().all(|(placed, _)| !placed));
        let waited = ended.iter().filter(|(_, took)| *took >= Duration::from_secs(1)).count();
        assert_eq!(waited, WAITING_PER_PLACE / 2, "the other half is for others");
        drop(held);
        assert!(intake.place(&another).await.is_some(), "nothing of it is left behind");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_behind_all_that_another_source_sends() {
        let intake = Arc::new(intake(2));
        let (rude, polite) = (intake.lane("rude"), intake.lane("polite"));
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (intake, lane) = (Arc::clone(&intake), Arc::clone(&rude));
            all.spawn(async move {
                let place = intake.place(&lane).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
                place.is_some()
            });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = tokio::time::Instant::now();
        let place = intake.place(&polite).await;
        assert!(place.is_some() && began.elapsed() <= Duration::from_millis(100), "{:?}", began.elapsed());
        let again = Arc::clone(&intake).lane("rude");
        assert!(Arc::ptr_eq(&again, &rude), "it is the same while somebody has it");
        all.abort_all();
        while all.join_next().await.is_some() {}
        drop(place);
        drop((rude, again, polite));
        intake.lane("third");
        assert_eq!(intake.lanes.lock().unwrap().len(), 1, "who is gone is forgotten");
    }
}
