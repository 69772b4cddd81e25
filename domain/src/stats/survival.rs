//! How long runs take when some are still open. Leaving those out makes a growing backlog look like progress: what
//! has finished by now is what was quick.

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::float;
use super::histogram::{Bucket, Histogram};
use crate::metrics::Z;

/// How a run stands, so long after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It was completed then.
    Completed,
    /// It was given up then, and will never be completed.
    Abandoned,
    /// It is still open: all that is known is that it takes longer.
    Open,
}

/// How many runs stand how at the same time after their start.
#[derive(Debug, Clone, Copy, Default)]
struct Tied {
    completed: u64,
    abandoned: u64,
    open: u64,
}

/// A time after the start at which runs were completed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Microseconds after the start.
    pub time: f64,
    /// Runs that were open until then, those that ended just then among them.
    pub at_risk: u64,
    /// The share of all runs that is completed by then.
    pub incidence: f64,
    /// The variance of that share.
    pub variance: f64,
}

/// When a share of the runs is completed. The ends of its interval are sought when they are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached<'a> {
    /// Microseconds after the start.
    pub value: f64,
    /// Runs that were still open until then: how many the answer rests on.
    pub at_risk: u64,
    share: f64,
    before: &'a [Point],
    /// From the one at which it is reached.
    after: &'a [Point],
}

impl Reached<'_> {
    /// The lower end of the 95 % interval, in microseconds.
    ///
    /// The interval holds the times at which the share is not refused at 95 % (Brookmeyer and Crowley 1982), by the
    /// complementary log-log transform of the incidence (Kalbfleisch and Prentice 2002, 1.4), which keeps it in 0 to 1.
    #[must_use]
    pub fn low(&self) -> f64 {
        // The upper bound gets there no later than the incidence, and the lower one no earlier.
        self.before.iter().find(|p| p.bound_reaches(self.share, Z)).map_or(self.value, |p| p.time)
    }

    /// The upper end, in microseconds; none when it lies past what has been seen.
    #[must_use]
    pub fn high(&self) -> Option<f64> {
        self.after.iter().find(|p| p.bound_reaches(self.share, -Z)).map(|p| p.time)
    }
}

/// The cumulative incidence of completion in a cohort of runs that started in the same time, with abandonment as a
/// competing event and open runs censored at their age.
///
/// The estimator of Aalen and Johansen 1978: at each time, of the share of runs still open just before it, S(t-), that
/// part is completed which is so among those at risk: `sum S(t-) d / n`, S by Kaplan and Meier 1958 over both events.
/// Where nothing is abandoned it is one minus Kaplan and Meier's curve. Runs censored at a time are at risk in it.
///
/// It takes for granted that a run's age says nothing of how much longer it takes than others of that age; so a cohort
/// should be short against the time in which the process changes, such as a week or a month.
#[derive(Debug, Clone, PartialEq)]
pub struct Incidence {
    /// In the order of their time.
    points: Vec<Point>,
    /// How many runs.
    runs: u64,
    /// Those of them that are open.
    open: u64,
}

impl Incidence {
    /// Of runs, each with microseconds since its start and how it stood then.
    #[must_use]
    pub fn of_runs(runs: impl IntoIterator<Item = (u64, Standing)>) -> Self {
        let mut times: BTreeMap<u64, Tied> = BTreeMap::new();
        for (micros, standing) in runs {
            let tied = times.entry(micros).or_default();
            match standing {
                Standing::Completed => tied.completed += 1,
                Standing::Abandoned => tied.abandoned += 1,
                Standing::Open => tied.open += 1,
            }
        }
        Self::of(times.into_iter().map(|(micros, tied)| (float(micros), tied)).collect())
    }

    /// Of the completed runs by how long they took, the abandoned ones by when they were given up, and the open ones
    /// by their age. Times are as exact as the histograms. With the first two exchanged it is the incidence of
    /// abandonment.
    #[must_use]
    pub fn of_histograms(completed: &Histogram, abandoned: &Histogram, open: &Histogram) -> Self {
        let tied = |completed, abandoned, open| Tied { completed, abandoned, open };
        let mut all: Vec<(Bucket, Tied)> = completed.buckets().map(|(at, runs)| (at, tied(runs, 0, 0))).collect();
        all.extend(abandoned.buckets().map(|(at, runs)| (at, tied(0, runs, 0))));
        all.extend(open.buckets().map(|(at, runs)| (at, tied(0, 0, runs))));
        // Three that are in order each: little is left to do.
        all.sort_by_key(|(at, _)| *at);
        all.dedup_by(|(at, more), (before, tied)| {
            let same = at == before;
            if same {
                tied.completed += more.completed;
                tied.abandoned += more.abandoned;
                tied.open += more.open;
            }
            same
        });
        Self::of(all.into_iter().map(|(bucket, tied)| (bucket.value(), tied)).collect())
    }

    fn of(times: Vec<(f64, Tied)>) -> Self {
        let runs = times.iter().map(|(_, t)| t.completed + t.abandoned + t.open).sum();
        let open = times.iter().map(|(_, t)| t.open).sum();
        let mut at_risk: u64 = runs;
        let mut mass = Mass::new(runs);
        let mut variance = Variance::default();
        let mut points = Vec::new();
        for (time, tied) in times {
            let ended = tied.completed + tied.abandoned;
            mass.complete(tied.completed);
            variance.add(mass.incidence(), mass.each, at_risk, tied);
            if tied.completed > 0 {
                let incidence = mass.incidence();
                points.push(Point { time, at_risk, incidence, variance: variance.at(incidence) });
            }
            mass.censor(at_risk - ended, tied.open);
            at_risk -= ended + tied.open;
        }
        Self { points, runs, open }
    }

    /// How many runs there are in the cohort.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many of them are still open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open
    }

    /// The times at which runs were completed, in order.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// When `percent` (1 to 99) of all runs that were started are completed: the first time at which the incidence
    /// reaches it; nearest rank, where nothing is open. None while it is not reached, because too many are open or
    /// were abandoned.
    #[must_use]
    pub fn percentile(&self, percent: i64) -> Option<Reached<'_>> {
        let share = share(percent);
        let reached = self.points.iter().position(|p| p.incidence >= share)?;
        let (before, after) = self.points.split_at(reached);
        let at = after.first()?;
        Some(Reached { value: at.time, at_risk: at.at_risk, share, before, after })
    }

    /// The lower end of the 95 % interval of a percentile, in microseconds, also where it is not reached: where not even the
    /// end is, the last time at which a run was completed. None where no run was.
    #[must_use]
    pub fn low(&self, percent: i64) -> Option<f64> {
        if let Some(reached) = self.percentile(percent) {
            return Some(reached.low());
        }
        let share = share(percent);
        let found = self.points.iter().find(|p| p.bound_reaches(share, Z));
        found.or(self.points.last()).map(|p| p.time)
    }
}

/// Sums of equal parts may miss a whole rank by some units in the last place.
#[expect(clippy::cast_precision_loss, reason = "up to 99")]
fn share(percent: i64) -> f64 {
    percent as f64 / 100.0 * (1.0 - 1e-12)
}

impl Point {
    /// Whether the incidence moved by so many standard errors of `ln(-ln(1 - F))` is at least a share between 0 and 1.
    fn bound_reaches(&self, share: f64, errors: f64) -> bool {
        let left = 1.0 - self.incidence;
        if left <= 0.0 {
            // All are completed and no variance is left to be estimated: nothing below is excluded.
            return errors >= 0.0;
        }
        let log = -left.ln();
        let scale = self.variance.max(0.0).sqrt() / (left * log);
        // Asked on the transformed scale, where it takes one logarithm instead of two powers.
        errors * scale >= (-(-share).ln_1p() / log).ln()
    }
}

/// The incidence so far, as the mass that each run at risk stands for, `S(t-) / n`, times those completed. That is
/// Efron's redistribution to the right (1967), with the same values as sums of `S(t-) d / n`: an end leaves the mass
/// of the others as it is, a censored run hands its own on. So without open runs it is a count over a count.
struct Mass {
    each: f64,
    before: f64,
    completed: u64,
}

impl Mass {
    fn new(runs: u64) -> Self {
        Self { each: 1.0 / float(runs.max(1)), before: 0.0, completed: 0 }
    }

    fn incidence(&self) -> f64 {
        float(self.completed).mul_add(self.each, self.before)
    }

    fn complete(&mut self, runs: u64) {
        self.completed += runs;
    }

    /// Hands on what `open` of the `left` runs stood for to the others.
    fn censor(&mut self, left: u64, open: u64) {
        if open > 0 && left > open {
            self.before = self.incidence();
            self.completed = 0;
            self.each *= float(left) / float(left - open);
        }
    }
}

/// The variance of the incidence F at t by the delta method (Marubini and Valsecchi 1995, 10.3; Collett 2015, 12.2.4):
/// with d ended and c of them completed among n at risk,
/// `sum (F(t) - F)^2 d/(n(n-d)) + sum S(t-)^2 c(n-c)/n^3 - 2 sum (F(t) - F) S(t-) c/n^2`,
/// kept as the sums that F(t) is multiplied with. It is Greenwood's where nothing is abandoned.
#[derive(Default)]
struct Variance {
    hazard: f64,
    hazard_f: f64,
    hazard_ff: f64,
    own: f64,
    cross: f64,
    cross_f: f64,
}

impl Variance {
    /// Takes in a time with `n` at risk of mass `each`, after which the incidence is `f`.
    fn add(&mut self, f: f64, each: f64, n: u64, tied: Tied) {
        let (c, d) = (tied.completed, tied.completed + tied.abandoned);
        // After the last end F does not change any more, so its term would be nothing times infinity.
        if d > 0 && n > d {
            let hazard = float(d) / (float(n) * float(n - d));
            self.hazard += hazard;
            self.hazard_f += hazard * f;
            self.hazard_ff += hazard * f * f;
        }
        // S(t-) is each times n.
        let cross = each * float(c) / float(n);
        self.own += each * each * float(c) * float(n - c) / float(n);
        self.cross += cross;
        self.cross_f += cross * f;
    }

    fn at(&self, f: f64) -> f64 {
        let squares = f * f * self.hazard - 2.0 * f * self.hazard_f + self.hazard_ff;
        (squares + self.own - 2.0 * (f * self.cross - self.cross_f)).max(0.0)
    }
}
