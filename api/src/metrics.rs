//! What Prometheus scrapes: this process, with counters and histograms that sum over replicas, and the domain, read
//! from the database at each scrape.

pub mod domain;
mod executions;
mod family;
mod operations;
mod series;

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};
use sopwith_domain::approval::Verdict;
use sopwith_domain::execution::{Mode, News};
use sopwith_domain::time::{SECOND, Timestamp};

use self::executions::Executions;
use self::series::{LONG, Maker, SHORT};
use crate::app::executions::Answer;
use crate::app::mail::Settled;

pub use operations::{Operations, Reason};

/// The media type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long it took to get a connection to the database: filled by the logging, which begins before all else.
///
/// # Errors
/// Never, unless its name were malformed.
pub fn pool_waits() -> prometheus::Result<Histogram> {
    let help = "How long it took to get a connection to the database.";
    Histogram::with_opts(HistogramOpts::new("sop_db_pool_acquire_duration_seconds", help).buckets(SHORT.to_vec()))
}

/// The figures of this process, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    executions: Executions,
    operations: Operations,
    approvals: HistogramVec,
    connections: IntGaugeVec,
    jobs: IntCounterVec,
    jwks_fetches: IntCounterVec,
    jwks_success: IntGauge,
    mails: IntCounterVec,
}

impl Metrics {
    /// All series that can be known in advance, at zero, and how long the database's pools let somebody wait.
    ///
    /// # Errors
    /// When two series have one name.
    pub fn new(waits: Histogram) -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(waits))?;
        let make = Maker(&registry);
        make.gauges("sop_build_info", "The version that runs; always 1.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let help = "How long after the request was opened each decision came.";
        let approvals = make.histograms("sop_approval_duration_seconds", help, &["decision"], LONG)?;
        for verdict in Verdict::ALL {
            approvals.with_label_values(&[verdict.as_str()]);
        }
        let connections =
            make.gauges("sop_db_pool_connections", "Connections to the database by state.", &["state"])?;
        let jobs = make.counters("sop_jobs_total", "Runs of background jobs by result.", &["job", "result"])?;
        let help = "Fetches of the identity provider's keys by result.";
        let jwks_fetches = make.counters("sop_jwks_fetches_total", help, &["result"])?;
        let help =
            "When the identity provider's keys were last fetched; 0 before the first time, or without `jwks_url`.";
        let jwks_success = make.gauge("sop_jwks_last_success_timestamp_seconds", help)?;
        for succeeded in [true, false] {
            for job in ["publish_due", "audit_head"] {
                jobs.with_label_values(&[job, result(succeeded)]);
            }
            jwks_fetches.with_label_values(&[result(succeeded)]);
        }
        let help = "Attempts to deliver mail by result: sent, not needed any more, to be tried again, given up.";
        let mails = make.counters("sop_mail_deliveries_total", help, &["result"])?;
        for settled in Settled::ALL {
            mails.with_label_values(&[settled.as_str()]);
        }
        let (executions, operations) = (Executions::new(&make)?, Operations::new(&make)?);
        add_process(&registry)?;
        Ok(Self { registry, executions, operations, approvals, connections, jobs, jwks_fetches, jwks_success, mails })
    }

    /// A batch of executions was answered.
    pub fn ingested(&self, mode: Mode, answers: &[Answer], took: Duration) {
        self.executions.batch(mode, answers, took);
    }

    /// Something became known of runs, and is stored.
    pub fn learned(&self, news: &[News]) {
        self.executions.learned(news);
    }

    /// Records of executions came that could not be read.
    pub fn ingested_unreadable(&self, mode: Mode, count: usize) {
        self.executions.unreadable(mode, count);
    }

    /// Records of executions came while too many batches were in work.
    pub fn ingested_over_limit(&self, mode: Mode, count: usize) {
        self.executions.over_limit(mode, count);
    }

    /// Records of executions were given up before anybody could be told what became of them.
    pub fn ingested_failed(&self, mode: Mode, count: usize) {
        self.executions.failed(mode, count);
    }

    /// Somebody decided in an approval request that had been open for so long.
    pub fn decided(&self, verdict: Verdict, waited: Duration) {
        self.approvals.with_label_values(&[verdict.as_str()]).observe(waited.as_secs_f64());
    }

    /// A background job is going to run: its series begin at zero.
    pub fn expect_job(&self, job: &str) {
        for result in ["SUCCEEDED", "FAILED"] {
            self.jobs.with_label_values(&[job, result]);
        }
    }

    /// An attempt to deliver mail ended.
    pub fn mailed(&self, settled: Settled) {
        self.mails.with_label_values(&[settled.as_str()]).inc();
    }

    /// A background job ran.
    pub fn job(&self, job: &str, succeeded: bool) {
        self.jobs.with_label_values(&[job, result(succeeded)]).inc();
    }

    /// The identity provider was asked for its keys.
    pub fn jwks_fetched(&self, succeeded: bool, now: Timestamp) {
        self.jwks_fetches.with_label_values(&[result(succeeded)]).inc();
        if succeeded {
            self.jwks_success.set(now.micros() / SECOND);
        }
    }

    /// GraphQL operations.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// Everything in the text format. The pool has `size` connections, of which so many are `idle`.
    ///
    /// # Errors
    /// When a family cannot be written.
    pub fn encode(&self, (size, idle): (u32, usize)) -> prometheus::Result<String> {
        let idle = i64::try_from(idle).unwrap_or(i64::MAX).min(size.into());
        self.connections.with_label_values(&["idle"]).set(idle);
        self.connections.with_label_values(&["used"]).set(i64::from(size) - idle);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn result(succeeded: bool) -> &'static str {
    if succeeded { "SUCCEEDED" } else { "FAILED" }
}

#[cfg(target_os = "linux")]
fn add_process(registry: &Registry) -> prometheus::Result<()> {
    registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
}

#[cfg(not(target_os = "linux"))]
fn add_process(_registry: &Registry) -> prometheus::Result<()> {
    Ok(())
}
