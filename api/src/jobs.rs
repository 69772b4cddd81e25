//! Background work: what the clock does on its own.

mod heads;
mod mail;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sopwith_domain::access::Actor;
use sopwith_domain::approval::Via;
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::{DAY, SECOND, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::app::reminders::{self, Times};
use crate::app::{Call, retention, sops};
use crate::clock;
use crate::config::{Config, RemindersConfig};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::smtp::Mailer;
use crate::store::rollups::{self, Verified};
use crate::store::{Store, Uuid, retry};

pub use heads::HeadSigner;

/// How often deltas are compacted. Readers add up what waits, so little is to wait.
const COMPACT_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked whether executions are older than they are kept.
const EXPIRE_INTERVAL: Duration = Duration::from_hours(1);
/// How often it is looked whether the roll-ups are to be compared.
const VERIFY_INTERVAL: Duration = Duration::from_hours(1);

/// The jobs of this process. They run until they are stopped, whatever goes wrong in one of their runs.
#[derive(Debug)]
pub struct Jobs {
    stop: watch::Sender<()>,
    supervisors: Vec<JoinHandle<()>>,
}

/// What is done again and again.
#[derive(Debug, Clone)]
enum Work {
    /// Versions are published whose effective date has come.
    PublishDue,
    /// Reminders and escalations are written.
    Remind(Times),
    /// Deltas become part of the roll-ups.
    Compact,
    /// Roll-ups are compared with the executions, once a day.
    Verify,
    /// Executions are deleted that lie further back than so many months before this one.
    Expire(u32),
    /// Mail is sent.
    Mail(Arc<Mailer>),
}

/// A kind of work, and how often it is looked for.
#[derive(Debug, Clone)]
struct Job {
    work: Work,
    interval: Duration,
}

/// What jobs work with.
#[derive(Debug, Clone)]
struct Means {
    store: Store,
    metrics: Arc<Metrics>,
    /// Changes once the process is to end.
    stopped: watch::Receiver<()>,
}

impl Means {
    /// Whether the process is to end, so that a run of many parts ends after the one at hand.
    fn is_stopping(&self) -> bool {
        self.stopped.has_changed().is_err()
    }
}

impl Jobs {
    /// Starts the jobs, each by itself: the first run is at once, then one in each interval. Mail is sent where there
    /// is a `mailer`, and executions are deleted where it is set for how long they are kept.
    #[must_use]
    pub fn start(store: &Store, metrics: &Arc<Metrics>, config: &Config, mailer: Option<Mailer>) -> Self {
        let (stop, stopped) = watch::channel(());
        let means = Means { store: store.clone(), metrics: Arc::clone(metrics), stopped };
        let interval = Duration::from_secs(config.scheduler_interval_seconds);
        let mail = mailer.map(|mailer| Work::Mail(Arc::new(mailer)));
        let scheduled = [Work::PublishDue, Work::Remind(times(&config.reminders))].into_iter().chain(mail);
        let scheduled = scheduled.map(|work| Job { work, interval });
        let rollups = [(Work::Compact, COMPACT_INTERVAL), (Work::Verify, VERIFY_INTERVAL)];
        let expire = config.retention.executions_months.map(|months| (Work::Expire(months), EXPIRE_INTERVAL));
        let jobs = scheduled.chain(rollups.into_iter().chain(expire).map(|(work, interval)| Job { work, interval }));
        let supervisors = jobs.map(|job| tokio::spawn(supervise(means.clone(), job))).collect();
        Self { stop, supervisors }
    }

    /// Stops between two runs, never within one. Answers once nothing runs any more, or after `patience`.
    pub async fn stop(self, patience: Duration) {
        drop(self.stop);
        if tokio::time::timeout(patience, join_all(self.supervisors)).await.is_err() {
            tracing::warn!("a background job did not end in time");
        }
    }
}

fn times(config: &RemindersConfig) -> Times {
    let length = |seconds: u64| i64::try_from(seconds).ok().filter(|n| *n > 0).map(|n| n.saturating_mul(SECOND));
    Times {
        remind: length(config.remind_after_seconds),
        repeat: length(config.repeat_after_seconds),
        escalate: length(config.escalate_after_seconds),
    }
}

async fn supervise(mut means: Means, job: Job) {
    means.metrics.expect_job(job.work.name());
    let mut ticks = tokio::time::interval(job.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = means.stopped.changed() => return,
            _ = ticks.tick() => {
                let succeeded = run(&means, &job.work).await;
                means.metrics.job(job.work.name(), succeeded);
            }
        }
    }
}

impl Work {
    /// As metrics and logs name it.
    fn name(&self) -> &'static str {
        match self {
            Self::PublishDue => "publish_due",
            Self::Remind(_) => "remind",
            Self::Compact => "compact_rollups",
            Self::Verify => "verify_rollups",
            Self::Expire(_) => "expire_executions",
            Self::Mail(_) => "mail",
        }
    }

    /// Does what there is to do; answers how much that was.
    async fn carry_out(&self, means: &Means, call: &Call) -> Result<u64> {
        match self {
            Self::PublishDue => retry(|| sops::publish_due(call)).await,
            Self::Remind(times) => reminders::write_due(call, times).await,
            Self::Compact => rollups::compact(&means.store, || means.is_stopping()).await,
            Self::Verify => verify(means, call.now).await,
            Self::Expire(months) => retention::expire(call, *months, || means.is_stopping()).await,
            Self::Mail(mailer) => mail::send_due(means, mailer).await,
        }
    }
}

/// Compares roll-ups and executions where that was not done for a day, and no other replica is at it; answers whether
/// it did.
async fn verify(means: &Means, now: Timestamp) -> Result<u64> {
    if !rollups::claim(&means.store, DAY, now).await? {
        return Ok(0);
    }
    let found = rollups::verify(&means.store, now).await;
    rollups::release(&means.store, now).await?;
    // Where they were computed anew meanwhile, they are compared the next time.
    let Some(Verified { drift, rows, .. }) = found? else { return Ok(0) };
    if drift > 0 {
        tracing::error!(drift, rows, "the roll-ups differ from the executions: run 'sopwith rollup rebuild'");
    }
    Ok(1)
}

/// One run, in a task of its own so that not even a panic ends the supervisor. Whether it went well.
async fn run(means: &Means, work: &Work) -> bool {
    let call = Call {
        store: means.store.clone(),
        // The clock is nobody: the permit that it acts by is its own.
        actor: Actor {
            person: PersonId(Uuid::nil()),
            roles: Vec::new(),
            mandates: Vec::new(),
            source: None,
            auth_time: None,
        },
        now: clock::now(),
        via: Via::Api,
        request_id: clock::new_id().simple().to_string(),
    };
    let (job, request_id) = (work.name(), call.request_id.clone());
    let (means, work) = (means.clone(), work.clone());
    let done: std::result::Result<Result<u64>, _> =
        tokio::spawn(async move { work.carry_out(&means, &call).await }).await;
    match done {
        Ok(Ok(0)) => true,
        Ok(Ok(done)) => {
            tracing::info!(job, request_id, done, "job done");
            true
        }
        Ok(Err(error)) => {
            let reason = if let Error::Internal(text) = &error { text.clone() } else { error.to_string() };
            tracing::error!(job, request_id, reason, "job failed");
            false
        }
        Err(error) => {
            tracing::error!(job, request_id, reason = %error, "job failed");
            false
        }
    }
}
