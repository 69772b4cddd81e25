//! Counts of runs.

use crate::metrics::Ratio;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts of runs, or how such counts change. Sums wrap around, so that what was added is always taken away
        /// exactly.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[$doc])* pub $name: i64,)*
        }

        impl Tally {
            /// The names of the counts, in the order of [`Self::numbers`].
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Adds another.
            pub fn add(&mut self, other: &Self) {
                $(self.$name = self.$name.wrapping_add(other.$name);)*
            }

            /// What undoes this.
            #[must_use]
            pub fn negated(self) -> Self {
                Self { $($name: self.$name.wrapping_neg(),)* }
            }

            /// All counts, in the order in which they are declared.
            #[must_use]
            pub fn numbers(&self) -> [i64; Self::NAMES.len()] {
                [$(self.$name),*]
            }

            /// From all counts.
            pub(super) fn from_numbers(numbers: [i64; Self::NAMES.len()]) -> Self {
                let [$($name),*] = numbers;
                Self { $($name),* }
            }
        }
    };
}

// What is stored names a count by its place: new ones come last, and `super::LAYOUT` changes with them.
tally! {
    /// All runs.
    runs,
    /// Those whose start is not known: they belong to the time of their finish.
    without_start,
    /// Those that followed the SOP in force.
    followed,
    /// Those that followed it in part.
    deviated,
    /// Those that did not follow it.
    not_followed,
    /// Those whose finish or outcome is known.
    finished,
    /// Of the finished, those with an error or the outcome FAILED.
    errored,
    /// Those with the outcome SUCCEEDED.
    succeeded,
    /// Those with the outcome FAILED.
    failed,
    /// Those with the outcome ABANDONED.
    abandoned,
    /// Those that ended otherwise, but after more than their horizon.
    late,
    /// Those that began and have not finished.
    open,
    /// Those that succeeded without errors, rework or violations.
    first_time_right,
    /// Those in which work was done again.
    reworked,
    /// Those whose version was reported, not inferred.
    reported,
    /// The sum of completion times in milliseconds, each rounded down.
    completion_millis,
    /// Minor violations.
    minor_violations,
    /// Major violations.
    major_violations,
    /// Critical violations.
    critical_violations,
    /// Customers that said how content they were.
    customer_responses,
    /// Those of them that gave a 4 or 5.
    customer_satisfied,
    /// The sum of what they gave.
    customer_score,
    /// Performers that said how content they were.
    performer_responses,
    /// Those of them that gave a 4 or 5.
    performer_satisfied,
    /// The sum of what they gave.
    performer_score,
    /// Those that started while a version of their SOP, or where none is known of any of their process, was in force.
    covered,
    /// Those that reported a version while one of the SOP was in force.
    reported_in_force,
    /// Those of them that reported the one in force.
    current,
    /// Those of which it is known how far they kept to the steps of their version.
    judged,
    /// Those of them that kept to it in everything.
    conforming,
    /// The sum of what they were checked for, as [`crate::conformance::Conformance`] says.
    step_checks,
    /// The sum of their deviations.
    step_deviations,
}

impl Tally {
    /// Runs that followed the SOP in force, among those of which it is known.
    #[must_use]
    pub fn adoption(&self) -> Ratio {
        Ratio { numerator: self.followed, denominator: self.followed + self.deviated + self.not_followed }
    }

    /// Runs of which it is not known.
    #[must_use]
    pub fn unknown(&self) -> i64 {
        self.runs - self.followed - self.deviated - self.not_followed
    }

    /// Runs that reported the version in force, among those that reported one while one was.
    #[must_use]
    pub fn current_version(&self) -> Ratio {
        Ratio { numerator: self.current, denominator: self.reported_in_force }
    }

    /// Checks that were passed, among all.
    #[must_use]
    pub fn conformance(&self) -> Ratio {
        Ratio { numerator: self.step_checks - self.step_deviations, denominator: self.step_checks }
    }

    /// All violations.
    #[must_use]
    pub fn violations(&self) -> i64 {
        self.minor_violations + self.major_violations + self.critical_violations
    }
}
