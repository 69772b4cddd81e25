//! Enumerations of what is measured, compared and diagnosed.

use super::remote_enum;

remote_enum! {
    /// How far a diagnosis came.
    DiagnosisState = sopwith_domain::diagnosis::State {
        /// Of fewer than 100 runs it is known whether they followed the procedure, and nothing stands out.
        Insufficient,
        /// Nothing of what is looked for.
        NothingFound,
        /// Something: `findings` has what.
        Found,
    }
    /// What ails a procedure.
    DiagnosisFindingKind = sopwith_domain::diagnosis::Finding {
        /// It is not followed: surely fewer than 70 % of at least 100 runs do. Tell people of it, or teach it.
        LowAdoption,
        /// It is followed, by surely 70 % of the runs or more, and more of those have errors than the version's target
        /// tolerates, or than 10 % where there is none. Revise it.
        BadOutcomes,
        /// One step fails, or is skipped though mandatory, surely more often than all others together, and in 5 % of the
        /// runs or more. Rewrite the step.
        TroubledStep,
        /// Two teams are 20 % of all runs or more apart, in how many follow it or in how many have errors. Let them learn
        /// from each other.
        Inconsistent,
    }
    /// What is done about what was found.
    DiagnosisResponseKind = sopwith_domain::diagnosis::Response {
        /// Tell people of the procedure.
        Communicate,
        /// Teach it.
        Train,
        /// Write its next version.
        Revise,
        /// Rewrite a step of it.
        RewriteStep,
        /// Let teams learn from each other.
        AlignTeams,
        /// Nothing for now.
        Watch,
    }
    /// What a figure of a finding is of.
    DiagnosisFigureOf = sopwith_domain::diagnosis::Of {
        /// Runs that followed the procedure, of those of which that is known.
        Adoption,
        /// Runs with errors, of those that followed it.
        ErrorsWhenFollowed,
        /// Runs in which the step failed or, where mandatory, was skipped, of those with a record of it.
        Step,
        /// The same of all other steps together.
        OtherSteps,
        /// Runs that followed the procedure, in a team.
        TeamAdoption,
        /// Runs with errors, in a team.
        TeamErrors,
    }
    /// What versions can be compared by.
    MeasurementMetric = sopwith_domain::measurement::Metric {
        /// The share of runs that followed the procedure, of those of which that is known. Higher is better.
        Adoption,
        /// The share of runs with an error or the outcome FAILED, of those that ended. Lower is better.
        ErrorRate,
        /// The share of runs that succeeded without error, rework or violation, of those that ended. Higher is better.
        FirstTimeRight,
        /// The median of the time from start to finish. Lower is better.
        CompletionTime,
    }
    /// Whether a target was reached.
    TargetState = sopwith_domain::measurement::TargetState {
        /// The maturity date is still to come: show the date, and no figure.
        NotYetJudged,
        /// It was.
        Met,
        /// It was not.
        NotMet,
        /// The date has come, and there is no run to judge by.
        NoRuns,
    }
    /// What may be said of a difference between two versions.
    ImpactVerdict = sopwith_domain::stats::impact::Verdict {
        /// Too few runs, people or days on a side: `shortfalls` has what is missing. Show no direction.
        Insufficient,
        /// It may be either way. That is not the same as "no difference".
        NoClearDifference,
        /// Better after, as far as chance goes. Say "associated with", never "caused by".
        LikelyBetter,
        /// Worse after, as far as chance goes. Say "associated with", never "caused by".
        LikelyWorse,
    }
    /// The sides of a comparison.
    ImpactSideName = sopwith_domain::stats::impact::Side {
        /// Before the version took effect.
        Before,
        /// After it.
        After,
    }
    /// What there must be enough of on either side for a verdict.
    ImpactFloor = sopwith_domain::stats::impact::Floor {
        /// Runs: 100.
        Runs,
        /// People who performed them: 20.
        Actors,
        /// Days from the first run to the last: 14.
        Days,
    }
}
