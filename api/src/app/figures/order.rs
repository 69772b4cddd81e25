//! Groups of runs in the order of one of their figures.

use std::cmp::Ordering;

use sopwith_domain::metrics::Ratio;

use crate::store::figures::Figures;

/// A figure that groups are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How many runs.
    Runs,
    /// Runs that followed the SOP, among those of which it is known.
    Adoption,
    /// The same, among all.
    AdoptionWorstCase,
    /// Runs whose version was reported, among all.
    ReportedVersion,
    /// Runs with an error or the outcome FAILED, among the finished.
    ErrorRate,
    /// Runs right the first time, among the finished.
    FirstTimeRight,
    /// Runs with rework, among all.
    Rework,
    /// Runs given up or past their horizon, among all.
    Abandonment,
    /// Violations per run.
    Violations,
    /// The median of completion times.
    CompletionTimeP50,
    /// Their 90th percentile.
    CompletionTimeP90,
    /// Their 95th percentile.
    CompletionTimeP95,
    /// Customers that gave a 4 or 5, among those who said it.
    CustomersSatisfied,
    /// Performers that gave a 4 or 5, among those who said it.
    PerformersSatisfied,
    /// Runs that reported the version in force, among those that reported one while one was.
    CurrentVersion,
    /// Runs with an SOP in force, among all.
    Coverage,
    /// Checks that were passed, among all.
    Conformance,
    /// Runs that kept to their version in everything, among those of which that is known.
    FullConformance,
}

/// An order of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By this figure.
    pub by: Measure,
    /// The largest first.
    pub descending: bool,
    /// Groups whose figure is made of fewer runs are left out.
    pub minimum_runs: i64,
}

/// What a group is ordered by.
struct Standing {
    /// The figure, if the group has it; infinite for a percentile that lies past what has been seen.
    value: Option<f64>,
    /// Of how many runs it is made.
    of: i64,
}

impl Order {
    /// Puts groups into this order and leaves out what is made of too few runs. What comes in the order of groups is in
    /// one order every time.
    #[must_use]
    pub fn apply(&self, groups: Vec<Figures>) -> Vec<Figures> {
        let standing = |figures: Figures| (self.by.of(&figures), figures);
        let mut groups: Vec<(Standing, Figures)> =
            groups.into_iter().map(standing).filter(|(standing, _)| standing.of >= self.minimum_runs).collect();
        groups.sort_by(|(a, of_a), (b, of_b)| {
            let runs = || of_b.tally.runs.cmp(&of_a.tally.runs);
            self.compare(a.value, b.value).then_with(runs).then_with(|| of_a.group.cmp(&of_b.group))
        });
        groups.into_iter().map(|(_, figures)| figures).collect()
    }

    fn compare(&self, a: Option<f64>, b: Option<f64>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) if self.descending => b.total_cmp(&a),
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }
}

impl Measure {
    fn of(self, figures: &Figures) -> Standing {
        let tally = &figures.tally;
        let ratio = |numerator, denominator| Standing::of_ratio(Ratio { numerator, denominator });
        match self {
            Self::Runs => Standing { value: Some(float(tally.runs)), of: tally.runs },
            Self::Adoption => Standing::of_ratio(tally.adoption()),
            Self::AdoptionWorstCase => ratio(tally.followed, tally.runs),
            Self::ReportedVersion => ratio(tally.reported, tally.runs),
            Self::ErrorRate => ratio(tally.errored, tally.finished),
            Self::FirstTimeRight => ratio(tally.first_time_right, tally.finished),
            Self::Rework => ratio(tally.reworked, tally.runs),
            Self::Abandonment => Standing::of_ratio(figures.abandonment()),
            Self::Violations => ratio(tally.violations(), tally.runs),
            Self::CompletionTimeP50 => Standing::of_times(figures, 50),
            Self::CompletionTimeP90 => Standing::of_times(figures, 90),
            Self::CompletionTimeP95 => Standing::of_times(figures, 95),
            Self::CustomersSatisfied => ratio(tally.customer_satisfied, tally.customer_responses),
            Self::PerformersSatisfied => ratio(tally.performer_satisfied, tally.performer_responses),
            Self::CurrentVersion => Standing::of_ratio(tally.current_version()),
            Self::Coverage => ratio(tally.covered, tally.runs),
            Self::Conformance => Standing { value: tally.conformance().value(), of: tally.judged },
            Self::FullConformance => ratio(tally.conforming, tally.judged),
        }
    }
}

impl Standing {
    fn of_ratio(ratio: Ratio) -> Self {
        Self { value: ratio.value(), of: ratio.denominator }
    }

    /// A percentile that is not reached is longer than any time: to put it last would hide where work piles up.
    fn of_times(figures: &Figures, percent: i64) -> Self {
        let incidence = figures.incidence();
        let of = i64::try_from(incidence.runs()).unwrap_or(i64::MAX);
        let value = incidence.percentile(percent).map_or(f64::INFINITY, |at| at.value);
        Self { value: (of > 0).then_some(value), of }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn float(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use sopwith_domain::rollup::Tally;

    use super::*;

    fn group(id: i64, errored: i64, finished: i64, runs: i64) -> Figures {
        let mut figures =
            Figures { tally: Tally { errored, finished, runs, ..Tally::default() }, ..Figures::default() };
        figures.group.bucket = Some(id);
        figures
    }

    fn order(descending: bool, minimum_runs: i64, groups: &[Figures]) -> Vec<i64> {
        let order = Order { by: Measure::ErrorRate, descending, minimum_runs };
        order.apply(groups.to_vec()).iter().map(|f| f.group.bucket.unwrap_or_default()).collect()
    }

    #[test]
    fn groups_without_the_figure_come_last_and_equals_by_their_runs() {
        let groups = [
            group(1, 0, 0, 900), // none has finished
            group(2, 1, 2, 2),
            group(3, 0, 5, 5),
            group(4, 2, 4, 9),
            group(5, 3, 3, 3),
            group(6, 0, 5, 5),
        ];
        assert_eq!(order(true, 0, &groups), [5, 4, 2, 3, 6, 1]);
        assert_eq!(order(false, 0, &groups), [3, 6, 4, 2, 5, 1]);
        assert_eq!(order(true, 4, &groups), [4, 3, 6], "of the runs that the figure is made of");
        let mut backwards = groups.to_vec();
        backwards.reverse();
        assert_eq!(order(true, 0, &backwards), [5, 4, 2, 3, 6, 1]);
    }

    #[test]
    fn a_percentile_that_is_not_reached_is_the_longest() {
        let times = |id: i64, completed: u64, open: u64| {
            let mut figures = group(id, 0, 0, 1);
            figures.completed.add(60_000_000, completed).unwrap();
            figures.open.add(3_600_000_000, open).unwrap();
            figures
        };
        let groups = [times(1, 0, 0), times(2, 9, 1), times(3, 1, 9)];
        for (descending, expected) in [(true, [3, 2, 1]), (false, [2, 3, 1])] {
            let order = Order { by: Measure::CompletionTimeP50, descending, minimum_runs: 0 };
            let found: Vec<i64> = order.apply(groups.to_vec()).iter().filter_map(|f| f.group.bucket).collect();
            assert_eq!(found, expected);
        }
    }
}
