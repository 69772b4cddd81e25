//! A finding as it is shown and kept: its figures by name, and a sentence.

use serde::{Deserialize, Serialize};

use super::{ADOPTED, Found, Measured, SPREAD, TROUBLED};
use crate::ids::TeamId;
use crate::measurement::Metric;
use crate::text::text_enum;

text_enum! {
    /// What a figure of a finding is of.
    Of {
        /// Runs that followed the procedure.
        Adoption = "ADOPTION",
        /// Runs with errors, of those that followed it.
        ErrorsWhenFollowed = "ERRORS_WHEN_FOLLOWED",
        /// Runs in which the step gave trouble, of those with a record of it.
        Step = "STEP",
        /// The same of all other steps together.
        OtherSteps = "OTHER_STEPS",
        /// Runs that followed the procedure, in a team.
        TeamAdoption = "TEAM_ADOPTION",
        /// Runs with errors, in a team.
        TeamErrors = "TEAM_ERRORS",
    }
}

/// A figure of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// What it is of.
    pub of: Of,
    /// In which team, where it is of one.
    pub team: Option<TeamId>,
    /// Those that have the property.
    pub numerator: i64,
    /// Those that could have it.
    pub denominator: i64,
    /// The lower end of the interval that the finding goes by.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

fn figure(of: Of, team: Option<TeamId>, measured: &Measured) -> Figure {
    let Measured { ratio, low, high } = *measured;
    Figure { of, team, numerator: ratio.numerator, denominator: ratio.denominator, low, high }
}

impl Found {
    /// The figures that led there.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        match self {
            Self::LowAdoption { adoption } => vec![figure(Of::Adoption, None, adoption)],
            Self::BadOutcomes { adoption, errors, .. } => {
                vec![figure(Of::ErrorsWhenFollowed, None, errors), figure(Of::Adoption, None, adoption)]
            }
            Self::TroubledStep { trouble, others, .. } => {
                vec![figure(Of::Step, None, trouble), figure(Of::OtherSteps, None, others)]
            }
            Self::Inconsistent { metric, most, least } => {
                let of = if *metric == Metric::Adoption { Of::TeamAdoption } else { Of::TeamErrors };
                vec![figure(of, most.0, &most.1), figure(of, least.0, &least.1)]
            }
        }
    }

    /// What the figures lie beyond.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        match self {
            Self::LowAdoption { .. } => ADOPTED,
            Self::BadOutcomes { tolerated, .. } => *tolerated,
            Self::TroubledStep { .. } => TROUBLED,
            Self::Inconsistent { .. } => SPREAD,
        }
    }

    /// The step that it is about.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::TroubledStep { step, .. } => Some(&step.key),
            _ => None,
        }
    }

    /// The same in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let share = |measured: &Measured| {
            let value = measured.ratio.value().unwrap_or_default() * 100.0;
            format!("{} of {} ({value:.0} %)", measured.ratio.numerator, measured.ratio.denominator)
        };
        match self {
            Self::LowAdoption { adoption } => format!("Only {} runs follow the procedure.", share(adoption)),
            Self::BadOutcomes { errors, .. } => {
                format!("The procedure is followed, and {} of those runs have errors.", share(errors))
            }
            Self::TroubledStep { step, trouble, others } => format!(
                "Step {} fails or is skipped in {} runs, all others in {}.",
                step.key,
                share(trouble),
                share(others)
            ),
            Self::Inconsistent { metric, most, least } => {
                let what = if *metric == Metric::Adoption { "follow the procedure" } else { "have errors" };
                format!("In one team {} runs {what}, in another {}.", share(&most.1), share(&least.1))
            }
        }
    }
}
