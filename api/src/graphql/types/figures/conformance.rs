//! How far runs kept to the steps of their version.

use async_graphql::Object;
use sopwith_domain::rollup::Tally;

use super::shares::Ratio;
use crate::graphql::scalars::BigInt;

/// How far runs kept to the steps of their version, of those that ended, whose version is known and that tell of steps.
///
/// A run is checked for each mandatory step that it owed and for each step that it did, once however many attempts there
/// were. A deviation is a mandatory step that was skipped, a step that the version does not have, or one out of order:
/// outside the longest series of first attempts that is in the order of the version. Steps of a branch that was not taken
/// are not skipped, nor are those after the last one of a run that failed or was given up.
pub struct ConformanceFigures<'a>(pub(super) &'a Tally);

/// How far runs kept to the steps of their version, of those that ended, whose version is known and that tell of steps.
///
/// A run is checked for each mandatory step that it owed and for each step that it did, once however many attempts there
/// were. A deviation is a mandatory step that was skipped, a step that the version does not have, or one out of order:
/// outside the longest series of first attempts that is in the order of the version. Steps of a branch that was not taken
/// are not skipped, nor are those after the last one of a run that failed or was given up.
#[Object(serial)]
impl ConformanceFigures<'_> {
    /// Runs of which it is known how far they kept to it, among the finished.
    async fn known(&self) -> Ratio {
        Ratio::of(self.0.judged, self.0.finished)
    }

    /// Runs that kept to it in everything, among those of which that is known.
    async fn full(&self) -> Ratio {
        Ratio::of(self.0.conforming, self.0.judged)
    }

    /// All deviations.
    async fn deviations(&self) -> BigInt {
        BigInt(self.0.step_deviations)
    }

    /// All checks.
    async fn checks(&self) -> BigInt {
        BigInt(self.0.step_checks)
    }

    /// One less the share of deviations in checks, over all runs together: long runs count more. Null of nothing. It has no
    /// interval, since the checks of a run are not independent: see `full`.
    async fn value(&self) -> Option<f64> {
        self.0.conformance().value()
    }
}
