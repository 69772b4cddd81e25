//! GraphQL operations. Their names are root fields of the schema, so a client cannot make series.

use std::collections::BTreeSet;
use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGauge, Result};

use super::series::{Maker, SHORT};

/// Error codes that alerts are about: their series begin at zero.
const ALERTED: [&str; 2] = ["INTERNAL", "UNAVAILABLE"];

/// Why a request was turned away before anything was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No token, or one that is not believed.
    Unauthenticated,
    /// A token that nobody can tell whether to believe, for want of the identity provider's keys.
    Unavailable,
    /// Not JSON by its headers.
    MediaType,
    /// Too large.
    BodySize,
    /// It did not arrive whole, or in time.
    Incomplete,
    /// Not a request by its content.
    Malformed,
    /// Several operations at once.
    Batch,
    /// Another method than POST.
    Method,
    /// Over a limit on documents: size, nesting, depth, complexity.
    Limit,
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::Unauthenticated,
        Self::Unavailable,
        Self::MediaType,
        Self::BodySize,
        Self::Incomplete,
        Self::Malformed,
        Self::Batch,
        Self::Method,
        Self::Limit,
    ];

    /// Its label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Unavailable => "UNAVAILABLE",
            Self::MediaType => "MEDIA_TYPE",
            Self::BodySize => "BODY_SIZE",
            Self::Incomplete => "INCOMPLETE",
            Self::Malformed => "MALFORMED",
            Self::Batch => "BATCH",
            Self::Method => "METHOD",
            Self::Limit => "LIMIT",
        }
    }
}

/// Series of GraphQL operations.
#[derive(Debug)]
pub struct Operations {
    total: IntCounterVec,
    errors: IntCounterVec,
    durations: HistogramVec,
    in_flight: IntGauge,
    rejected: IntCounterVec,
}

/// Counts as an operation in flight until dropped.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Operations {
    pub(super) fn new(make: &Maker) -> Result<Self> {
        let labels = &["type", "operation"];
        let help = "Operations answered, by type and root field.";
        let total = make.counters("sop_graphql_operations_total", help, labels)?;
        let help = "Operations answered with errors, by type, root field and error code.";
        let errors = make.counters("sop_graphql_operation_errors_total", help, &["type", "operation", "code"])?;
        let help = "Time to answer operations.";
        let durations = make.histograms("sop_graphql_operation_duration_seconds", help, labels, SHORT)?;
        let help = "Operations being answered.";
        let in_flight = make.gauge("sop_graphql_operations_in_flight", help)?;
        let help = "Requests turned away unexecuted, by reason.";
        let rejected = make.counters("sop_graphql_rejected_total", help, &["reason"])?;
        for reason in Reason::ALL {
            rejected.with_label_values(&[reason.as_str()]);
        }
        Ok(Self { total, errors, durations, in_flight, rejected })
    }

    /// Begins the series of an operation at zero.
    pub fn expect(&self, kind: &str, operation: &str) {
        self.total.with_label_values(&[kind, operation]);
        for code in ALERTED {
            self.errors.with_label_values(&[kind, operation, code]);
        }
    }

    /// An operation began.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// An operation was answered, with errors of these codes.
    pub fn answered(&self, kind: &str, operation: &str, codes: &BTreeSet<String>, took: Duration) {
        self.total.with_label_values(&[kind, operation]).inc();
        self.durations.with_label_values(&[kind, operation]).observe(took.as_secs_f64());
        for code in codes {
            self.errors.with_label_values(&[kind, operation, code.as_str()]).inc();
        }
    }

    /// A request was turned away.
    pub fn rejected(&self, reason: Reason) {
        self.rejected.with_label_values(&[reason.as_str()]).inc();
    }
}
