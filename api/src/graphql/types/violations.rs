//! Violations by their kind.

use async_graphql::{Enum, Object};
use sopwith_domain::metrics as domain;
use sopwith_domain::time::Timestamp;

use super::figures::{Rate, Ratio, ViolationsBySeverity};
use crate::graphql::scalars::{BigInt, DateTime, Duration};
use crate::store::figures::violations as stored;

/// Which kinds of violations are the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stored::Worst")]
pub enum ViolationKindsBy {
    /// Those with most violations; of equals, those with most critical ones, and then with most major ones.
    Number,
    /// Those with most critical violations; of equals, those with most major ones, and then with most of all.
    Severity,
}

/// Violations by their kind, the worst kinds first. They are counted from the runs themselves, all of them.
pub struct ViolationKinds {
    /// What was counted.
    pub found: stored::Found,
    /// Of runs that started before this time.
    pub to: Timestamp,
}

/// Violations by their kind, the worst kinds first. They are counted from the runs themselves, all of them.
#[Object]
impl ViolationKinds {
    /// Of runs that started at this time or later; one without a start goes by its finish. Later than was asked where
    /// executions from before may have been deleted (`executionsKeptFrom`).
    async fn from(&self) -> DateTime {
        DateTime(self.found.from)
    }

    /// And before this time.
    async fn to(&self) -> DateTime {
        DateTime(self.to)
    }

    /// All violations, of whichever kind, among all runs of this time, with violations or without: as `figures` say.
    async fn violations(&self) -> Rate {
        Rate(domain::Rate { events: self.found.violations, runs: self.found.runs })
    }

    /// How many kinds there are.
    async fn total_count(&self) -> BigInt {
        BigInt(self.found.total)
    }

    /// The worst of them. Of those that are equal, the one whose name comes first.
    async fn kinds(&self) -> Vec<ViolationKind<'_>> {
        self.found.kinds.iter().map(|kind| ViolationKind { kind, among: self.found.runs, part: None }).collect()
    }
}

/// The violations of one kind.
pub struct ViolationKind<'a> {
    kind: &'a stored::Kind,
    /// How many runs there are, with violations or without.
    among: i64,
    /// Their time bucket.
    part: Option<&'a stored::Part>,
}

/// The violations of one kind.
#[Object]
impl ViolationKind<'_> {
    /// The kind, to the letter as it was reported. `OUTDATED_VERSION` and `RETIRED_SOP` are found by the service.
    async fn kind(&self) -> &str {
        &self.kind.name
    }

    /// How many there are, among all runs.
    async fn violations(&self) -> Rate {
        self.rate(self.kind.violations)
    }

    /// The same by how grave they are.
    async fn by_severity(&self) -> ViolationsBySeverity {
        let stored::Kind { violations, major, critical, .. } = *self.kind;
        let [minor, major, critical] = [violations - major - critical, major, critical].map(|of| self.rate(of));
        ViolationsBySeverity { minor, major, critical }
    }

    /// Runs with at least one, among all.
    async fn runs(&self) -> Ratio {
        Ratio::of(self.kind.runs, self.among)
    }

    /// How many of them the service found by itself.
    async fn detected_by_service(&self) -> BigInt {
        BigInt(self.kind.found)
    }

    /// The beginning of their time bucket, in a `series`.
    async fn bucket_start(&self) -> Option<DateTime> {
        self.part.map(|part| DateTime(part.start))
    }

    /// How far from the ends of their time bucket runs may lie that are counted on the other side, as `figures` counts them:
    /// where the clocks of the time zone that is asked for strike at another minute than the organisation's. Null where all are
    /// where they belong.
    async fn bucket_off_by(&self) -> Option<Duration> {
        self.part.filter(|part| part.off_by > 0).map(|part| Duration { micros: part.off_by })
    }

    /// The same of each time bucket in which there are runs, with violations of this kind or without; nothing where no
    /// `bucket` was asked for. Where `from` or `to` cuts a bucket, of the runs in that part.
    #[graphql(complexity = "30 * child_complexity")]
    async fn series(&self) -> Vec<ViolationKind<'_>> {
        let parts = self.kind.series.iter();
        parts.map(|part| ViolationKind { kind: &part.kind, among: part.runs, part: Some(part) }).collect()
    }
}

impl ViolationKind<'_> {
    fn rate(&self, events: i64) -> Rate {
        Rate(domain::Rate { events, runs: self.among })
    }
}
