//! The order of a list of figures.

use async_graphql::{Enum, InputObject};
use sopwith_domain::error::Refusal;

use crate::app::figures::{Measure, Order};
use crate::graphql::connection::OrderDirection;

/// By which figure groups are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Measure")]
pub enum FiguresOrderField {
    /// How many runs.
    Runs,
    /// FOLLOWED among the runs of which it is known.
    Adoption,
    /// The same, as if every run of which it is not known had not followed it.
    AdoptionWorstCase,
    /// Runs whose version was reported, among all.
    ReportedVersion,
    /// Runs with an error or the outcome FAILED, among the finished.
    ErrorRate,
    /// Runs that succeeded without errors, rework or violations, among the finished.
    FirstTimeRight,
    /// Runs in which work was done again, among all.
    Rework,
    /// Runs that were given up or are overdue, among all.
    Abandonment,
    /// Breaches of rules per run.
    Violations,
    /// The median of completion times. What is not reached yet, because too many runs are open or were given up, is longer
    /// than any time.
    CompletionTimeP50,
    /// The 90th percentile of completion times.
    CompletionTimeP90,
    /// The 95th percentile of completion times.
    CompletionTimeP95,
    /// Customers that gave a 4 or 5, among those who said it.
    CustomersSatisfied,
    /// Performers that gave a 4 or 5, among those who said it.
    PerformersSatisfied,
    /// Runs that reported the version in force, among those that reported one while one was.
    CurrentVersion,
    /// Runs with an SOP in force when they started, among all.
    Coverage,
    /// How far runs kept to the steps of their version: checks that were passed, among all.
    Conformance,
    /// Runs that kept to their version in everything, among those of which that is known.
    FullConformance,
}

/// The order of a list of figures. Groups without the figure come last, whichever way. Where it is equal, the one with more
/// runs comes first, and else the one whose process, SOP, version, team and time come first.
#[derive(InputObject)]
pub struct FiguresOrder {
    /// By which figure.
    field: FiguresOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
    /// Leaves groups out whose figure is made of fewer runs than so many: the denominator of a share, the runs of a
    /// percentile. One that is made of a few is large or small by chance.
    minimum_runs: Option<i32>,
}

impl FiguresOrder {
    /// The order that is asked for.
    ///
    /// # Errors
    /// `Invalid` for a minimum below 0.
    pub fn read(self) -> Result<Order, Refusal> {
        let minimum_runs = i64::from(self.minimum_runs.unwrap_or(0));
        if minimum_runs < 0 {
            return Err(Refusal::invalid("orderBy.minimumRuns", "0 or more"));
        }
        Ok(Order { by: self.field.into(), descending: self.direction == OrderDirection::Desc, minimum_runs })
    }
}
