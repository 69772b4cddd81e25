//! Background work: what the clock does on its own.

use std::sync::Arc;
use std::time::Duration;

use sopwith_domain::access::Actor;
use sopwith_domain::approval::Via;
use sopwith_domain::ids::PersonId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::app::{Call, sops};
use crate::clock;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::store::{Store, Uuid, retry};

const PUBLISH_DUE: &str = "publish_due";

/// The jobs of this process. They run until they are stopped, whatever goes wrong in one of their runs.
#[derive(Debug)]
pub struct Jobs {
    stop: watch::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl Jobs {
    /// Starts the jobs: the first run is at once, then one in each `interval`.
    #[must_use]
    pub fn start(store: Store, metrics: Arc<Metrics>, interval: Duration) -> Self {
        let (stop, stopped) = watch::channel(());
        Self { stop, supervisor: tokio::spawn(supervise(store, metrics, interval, stopped)) }
    }

    /// Stops between two runs, never within one. Answers once nothing runs any more, or after `patience`.
    pub async fn stop(self, patience: Duration) {
        drop(self.stop);
        if tokio::time::timeout(patience, self.supervisor).await.is_err() {
            tracing::warn!("a background job did not end in time");
        }
    }
}

async fn supervise(store: Store, metrics: Arc<Metrics>, interval: Duration, mut stopped: watch::Receiver<()>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => return,
            _ = ticks.tick() => metrics.job(PUBLISH_DUE, run(&store).await),
        }
    }
}

/// One run, in a task of its own so that not even a panic ends the supervisor. Whether it went well.
async fn run(store: &Store) -> bool {
    let call = Call {
        store: store.clone(),
        // The clock is nobody: the permit that it acts by is its own.
        actor: Actor { person: PersonId(Uuid::nil()), roles: Vec::new(), source: None, auth_time: None },
        now: clock::now(),
        via: Via::Api,
        request_id: clock::new_id().simple().to_string(),
    };
    let request_id = call.request_id.clone();
    let done: std::result::Result<Result<u64>, _> =
        tokio::spawn(async move { retry(|| sops::publish_due(&call)).await }).await;
    match done {
        Ok(Ok(0)) => true,
        Ok(Ok(published)) => {
            tracing::info!(job = PUBLISH_DUE, request_id, published, "versions published");
            true
        }
        Ok(Err(error)) => {
            let reason = if let Error::Internal(text) = &error { text.clone() } else { error.to_string() };
            tracing::error!(job = PUBLISH_DUE, request_id, reason, "job failed");
            false
        }
        Err(error) => {
            tracing::error!(job = PUBLISH_DUE, request_id, reason = %error, "job failed");
            false
        }
    }
}
