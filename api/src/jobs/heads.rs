//! Signs the head of the audit chain at an interval, and once more at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::error::{Error, Result};
use crate::heads::{Heads, HeadsError};
use crate::metrics::Metrics;
use crate::store::{Store, audit};

/// The job's name in logs and metrics.
const AUDIT_HEAD: &str = "audit_head";
/// The longest wait after a run that failed.
const AGAIN: Duration = Duration::from_secs(10);

/// The job that signs. It runs until it is stopped, whatever goes wrong in one of its runs.
#[derive(Debug)]
pub struct HeadSigner {
    stop: watch::Sender<()>,
    supervisor: JoinHandle<()>,
}

impl HeadSigner {
    /// Starts it: the first run is at once, then one in each `interval`, sooner after one that failed.
    #[must_use]
    pub fn start(store: Store, heads: Heads, metrics: Arc<Metrics>, interval: Duration) -> Self {
        let (stop, stopped) = watch::channel(());
        let signer = Signer { store, heads: Arc::new(heads), metrics };
        Self { stop, supervisor: tokio::spawn(supervise(signer, interval, stopped)) }
    }

    /// Signs what the chain has come to, and stops. To be called when nothing adds to it any more. Answers once that is
    /// done, or after `patience`.
    pub async fn stop(self, patience: Duration) {
        drop(self.stop);
        if tokio::time::timeout(patience, self.supervisor).await.is_err() {
            tracing::warn!(job = AUDIT_HEAD, "the last head of the audit chain was not signed in time");
        }
    }
}

#[derive(Clone)]
struct Signer {
    store: Store,
    heads: Arc<Heads>,
    metrics: Arc<Metrics>,
}

async fn supervise(signer: Signer, interval: Duration, mut stopped: watch::Receiver<()>) {
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            () = tokio::time::sleep(wait) => {}
        }
        wait = if signer.run().await { interval } else { interval.min(AGAIN) };
    }
    signer.run().await;
}

impl Signer {
    /// One run, in a task of its own so that not even a panic ends the supervisor. Whether it went well.
    async fn run(&self) -> bool {
        let signer = self.clone();
        let reason = match tokio::spawn(async move { signer.sign().await }).await {
            Ok(Ok(())) => None,
            Ok(Err(Error::Internal(text))) => Some(text),
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = &reason {
            tracing::error!(job = AUDIT_HEAD, reason, "job failed");
        }
        self.metrics.job(AUDIT_HEAD, reason.is_none());
        reason.is_none()
    }

    /// Signs the head of the chain, if it has moved since the last one that was written. A chain that does not have
    /// that one any more is not signed: it was rewritten, or is another.
    async fn sign(&self) -> Result<()> {
        let last = self.blocking(Heads::last).await?;
        if let Some(last) = &last {
            audit::expect(self.store.read(), last.head.seq, &last.head.hash).await?;
        }
        let signed_up_to = last.map_or(0, |last| last.head.seq);
        let Some((seq, hash)) = audit::head(self.store.read()).await?.filter(|(seq, _)| *seq > signed_up_to) else {
            return Ok(());
        };
        audit::expect(self.store.read(), seq, &hash).await?;
        let signed = self.heads.sign(seq, hash, clock::now());
        // The line first: what carries the log away does so also when the file cannot be written.
        tracing::info!(
            job = AUDIT_HEAD,
            seq,
            hash = signed.head.hash,
            at = %signed.head.at,
            keyId = signed.head.key_id,
            signature = signed.signature,
            "audit head"
        );
        self.blocking(move |heads| heads.write(&signed)).await
    }

    /// Does something with the file, on a thread that may wait for it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Heads) -> std::result::Result<T, HeadsError> + Send + 'static,
    ) -> Result<T> {
        let heads = Arc::clone(&self.heads);
        let done = tokio::task::spawn_blocking(move || work(&heads)).await;
        done.map_err(Error::internal)?.map_err(Error::internal)
    }
}
