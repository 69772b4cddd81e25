//! What ails a procedure, by its runs, and what may be done about it.
//!
//! This is a screen: what it finds is for a person to look at, who chooses a response. The thresholds are this service's
//! own, for the reasons given with each; no research says where they lie. A finding needs an interval that lies wholly
//! beyond the threshold, so that a few runs send nobody to training. Runs of one person are alike, so intervals are those
//! of fewer runs than there are: by the design effect of Kish 1965, `1 + (m - 1) r`, where the person of a run has m runs on
//! average over the runs, `sum n^2 / sum n` of people with n each, and r is an intra-class correlation of [`ALIKE`], which
//! is also what the comparison of versions is tried with.

#[cfg(test)]
mod tests;
mod told;

use statrs::distribution::{ContinuousCDF, Normal};

use crate::ids::TeamId;
use crate::measurement::Metric;
use crate::metrics::{Ratio, Z};
use crate::stats::float;
use crate::text::text_enum;

pub use told::{Figure, Of};

/// Over so many days before now it looks, and not further back than the version in force was learnt.
pub const DAYS: i64 = 90;
/// With fewer runs nothing is said of the whole: as few as a comparison of versions needs on a side.
pub const LEAST_RUNS: i64 = 100;
/// With fewer runs nothing is said of a team or a step: below, a share is hardly known to a fifth.
pub const LEAST_OF_PART: i64 = 30;
/// What surely fewer runs than seven in ten follow is not how the work is done yet: to rewrite it would change what few
/// people use. What surely more follow can be held to its outcomes.
pub const ADOPTED: f64 = 0.7;
/// What more than one in ten runs that followed the procedure may get wrong is the procedure's fault; a target for the
/// error rate that was declared for the version takes its place.
pub const TOLERATED: f64 = 0.1;
/// A step that fails or is skipped in fewer runs than one in twenty is not worth rewriting, however well the others go.
pub const TROUBLED: f64 = 0.05;
/// Teams of which one reaches a fifth more than another, of all runs, do not work alike, if their intervals lie apart too.
pub const SPREAD: f64 = 0.2;
/// How alike the runs of one person are taken to be, as an intra-class correlation.
pub const ALIKE: f64 = 0.1;

text_enum! {
    /// What ails a procedure.
    Finding {
        /// It is not followed.
        LowAdoption = "LOW_ADOPTION",
        /// It is followed, and what comes of it is bad.
        BadOutcomes = "BAD_OUTCOMES",
        /// One step fails or is skipped more than the others.
        TroubledStep = "TROUBLED_STEP",
        /// Teams do not work alike by it.
        Inconsistent = "INCONSISTENT",
    }
}

text_enum! {
    /// What may be done about it.
    Response {
        /// Tell people of it.
        Communicate = "COMMUNICATE",
        /// Teach it.
        Train = "TRAIN",
        /// Write its next version.
        Revise = "REVISE",
        /// Rewrite a step of it.
        RewriteStep = "REWRITE_STEP",
        /// Let teams learn from each other.
        AlignTeams = "ALIGN_TEAMS",
        /// Nothing for now.
        Watch = "WATCH",
    }
}

impl Finding {
    /// What is proposed for it.
    #[must_use]
    pub fn proposes(self) -> &'static [Response] {
        match self {
            Self::LowAdoption => &[Response::Communicate, Response::Train],
            Self::BadOutcomes => &[Response::Revise],
            Self::TroubledStep => &[Response::RewriteStep],
            Self::Inconsistent => &[Response::AlignTeams],
        }
    }
}

text_enum! {
    /// How far a diagnosis came.
    State {
        /// Of too few runs it is known whether they followed the procedure.
        Insufficient = "INSUFFICIENT",
        /// Nothing of what is looked for.
        NothingFound = "NOTHING_FOUND",
        /// Something.
        Found = "FOUND",
    }
}

/// How runs are shared among people. Those that nobody is named for may be one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crowd {
    /// The sum of how many runs each person has.
    pub runs: i64,
    /// The sum of the squares of that.
    pub squares: i64,
}

/// The runs of one team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TeamRuns {
    /// Which; none for runs of which no team is known.
    pub team: Option<TeamId>,
    /// How many.
    pub runs: i64,
    /// By how many people, where they are known.
    pub people: i64,
    /// How they are shared among people.
    pub crowd: Crowd,
    /// Those that followed the procedure, of those of which that is known.
    pub adoption: Ratio,
    /// Those with errors, of those that ended of the runs that were watched in full.
    pub errors: Ratio,
    /// The same of those that followed the procedure.
    pub errors_when_followed: Ratio,
}

/// The runs with a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepRuns {
    /// Its key.
    pub key: String,
    /// Whether it may not be left out, by any way through the steps.
    pub mandatory: bool,
    /// In how many runs there was a record of it.
    pub runs: i64,
    /// In how many it failed at least once.
    pub failed: i64,
    /// In how many others it was skipped: neither done nor tried.
    pub skipped: i64,
}

impl StepRuns {
    /// The runs in which it gave trouble: a step that may be left out gives none by that.
    #[must_use]
    pub fn trouble(&self) -> Ratio {
        Ratio { numerator: self.failed + if self.mandatory { self.skipped } else { 0 }, denominator: self.runs }
    }
}

/// What a diagnosis goes by.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Runs by team.
    pub teams: Vec<TeamRuns>,
    /// Steps.
    pub steps: Vec<StepRuns>,
    /// How many people performed the runs of all teams.
    pub people: i64,
    /// How the runs of all teams are shared among people.
    pub crowd: Crowd,
    /// The error rate that was declared as a target.
    pub error_target: Option<f64>,
}

/// Something that was found, with the figures that led there.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is not followed.
    LowAdoption {
        /// How many runs follow it.
        adoption: Measured,
    },
    /// It is followed, and what comes of it is bad.
    BadOutcomes {
        /// How many runs follow it.
        adoption: Measured,
        /// How many of those have errors.
        errors: Measured,
        /// How many may.
        tolerated: f64,
    },
    /// One step fails or is skipped more than the others.
    TroubledStep {
        /// Which, with the counts of its trouble.
        step: StepRuns,
        /// Its trouble.
        trouble: Measured,
        /// That of all other steps together.
        others: Measured,
    },
    /// Teams do not work alike by it.
    Inconsistent {
        /// In what.
        metric: Metric,
        /// The team of the largest share.
        most: (Option<TeamId>, Measured),
        /// The team of the smallest.
        least: (Option<TeamId>, Measured),
    },
}

impl Found {
    /// Of which kind.
    #[must_use]
    pub fn kind(&self) -> Finding {
        match self {
            Self::LowAdoption { .. } => Finding::LowAdoption,
            Self::BadOutcomes { .. } => Finding::BadOutcomes,
            Self::TroubledStep { .. } => Finding::TroubledStep,
            Self::Inconsistent { .. } => Finding::Inconsistent,
        }
    }
}

/// A share with the interval that a finding goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The share.
    pub ratio: Ratio,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A diagnosis.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// How far it came.
    pub state: State,
    /// How many runs follow the procedure, of all teams.
    pub adoption: Ratio,
    /// How many of those have errors.
    pub errors_when_followed: Ratio,
    /// What was found, in the order of [`Finding`].
    pub findings: Vec<Found>,
}

/// Looks at what there is.
#[must_use]
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let sum = |of: fn(&TeamRuns) -> Ratio| evidence.teams.iter().map(of).fold(Ratio::default(), plus);
    let (adoption, errors) = (sum(|t| t.adoption), sum(|t| t.errors_when_followed));
    let crowd = evidence.crowd;
    let mut findings = Vec::new();
    let enough = |ratio: Ratio| ratio.denominator >= LEAST_RUNS;
    let known = measured(adoption, Z, crowd).filter(|_| enough(adoption));
    if let Some(adoption) = known.filter(|known| known.high < ADOPTED) {
        findings.push(Found::LowAdoption { adoption });
    }
    let tolerated = evidence.error_target.unwrap_or(TOLERATED);
    let wrong = measured(errors, Z, crowd).filter(|wrong| enough(errors) && wrong.low > tolerated);
    if let (Some(adoption), Some(errors)) = (known.filter(|known| known.low >= ADOPTED), wrong) {
        findings.push(Found::BadOutcomes { adoption, errors, tolerated });
    }
    findings.extend(troubled_steps(&evidence.steps, crowd));
    findings.extend(spread(&evidence.teams, Metric::Adoption, |team| team.adoption));
    findings.extend(spread(&evidence.teams, Metric::ErrorRate, |team| team.errors));
    let state = match (findings.is_empty(), enough(adoption)) {
        (false, _) => State::Found,
        (true, true) => State::NothingFound,
        (true, false) => State::Insufficient,
    };
    Diagnosis { state, adoption, errors_when_followed: errors, findings }
}

impl Crowd {
    /// How many times wider an interval is than of as many independent runs. The runs of a person who has more of them weigh
    /// as much more: what counts is how many runs the person of a run has, on average over the runs.
    fn stretch(self, runs: i64) -> f64 {
        let count = |n: i64| float(u64::try_from(n).unwrap_or_default());
        let each = count(self.squares) / count(self.runs.max(1));
        (1.0 + (each.min(count(runs)) - 1.0).max(0.0) * ALIKE).sqrt()
    }
}

fn measured(ratio: Ratio, z: f64, crowd: Crowd) -> Option<Measured> {
    let (low, high) = ratio.interval_at(z * crowd.stretch(ratio.denominator))?;
    Some(Measured { ratio, low, high })
}

fn plus(a: Ratio, b: Ratio) -> Ratio {
    Ratio { numerator: a.numerator + b.numerator, denominator: a.denominator + b.denominator }
}

fn minus(a: Ratio, b: Ratio) -> Ratio {
    Ratio { numerator: a.numerator - b.numerator, denominator: a.denominator - b.denominator }
}

/// The point for intervals at 95 % of which so many hold together (Bonferroni).
fn point(questions: usize) -> f64 {
    -Normal::standard().inverse_cdf(0.025 / float(questions.max(1) as u64))
}

fn troubled_steps(steps: &[StepRuns], crowd: Crowd) -> Vec<Found> {
    let judged: Vec<&StepRuns> = steps.iter().filter(|step| step.runs >= LEAST_OF_PART).collect();
    let all = judged.iter().map(|step| step.trouble()).fold(Ratio::default(), plus);
    let z = point(judged.len());
    let found = |step: &&StepRuns| {
        let trouble = measured(step.trouble(), z, crowd)?;
        let others = measured(minus(all, step.trouble()), z, crowd)?;
        let stands_out = trouble.low > others.high && trouble.low >= TROUBLED;
        stands_out.then(|| Found::TroubledStep { step: (*step).clone(), trouble, others })
    };
    judged.iter().filter_map(found).collect()
}

/// A share of a team.
type Share = (Option<TeamId>, Measured);

fn spread(teams: &[TeamRuns], metric: Metric, of: fn(&TeamRuns) -> Ratio) -> Option<Found> {
    let judged: Vec<&TeamRuns> =
        teams.iter().filter(|team| team.team.is_some() && of(team).denominator >= LEAST_OF_PART).collect();
    let z = point(judged.len() * judged.len().saturating_sub(1) / 2);
    let share = |team: &&TeamRuns| Some((team.team, measured(of(team), z, team.crowd)?));
    let shares: Vec<Share> = judged.iter().filter_map(share).collect();
    // Of all pairs that are apart for sure, the one furthest apart: the outermost may be of few runs.
    let pairs = shares.iter().flat_map(|most| shares.iter().map(move |least| (*most, *least)));
    let value = |(_, share): &Share| share.ratio.value().unwrap_or_default();
    let distance = |(most, least): &(Share, Share)| value(most) - value(least);
    let apart = pairs.filter(|pair| pair.1.1.high < pair.0.1.low && distance(pair) >= SPREAD);
    let teams = |(most, least): &(Share, Share)| (most.0, least.0);
    let furthest = |a: &_, b: &_| distance(a).total_cmp(&distance(b)).then_with(|| teams(b).cmp(&teams(a)));
    let (most, least) = apart.max_by(furthest)?;
    Some(Found::Inconsistent { metric, most, least })
}
