//! What ingested executions tell.
//!
//! What is counted of runs is what became known of them ([`News`]), at the moment at which it did, however many reports
//! that took. A counter cannot take anything back, so what is corrected later stays counted as it was: a run whose
//! adherence is told after its end stays `UNKNOWN`. Exact figures are in `/metrics/domain`.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Result};
use sopwith_domain::execution::{Adherence, Mode, News, Outcome, Severity};

use super::series::{LONG, Maker, SHORT};
use crate::app::executions::Answer;

const REJECTED: &str = "REJECTED";
/// What becomes of records that come while too many batches are in work: they are not looked at.
const OVER_LIMIT: &str = "LIMIT_EXCEEDED";
/// What becomes of records that nobody could be told anything of.
const FAILED: &str = "FAILED";
const RESULTS: [&str; 8] = ["CREATED", "UPDATED", "DUPLICATE", "STALE", "CONFLICT", REJECTED, OVER_LIMIT, FAILED];
/// The outcome of a run that ended and did not say how.
const NO_OUTCOME: &str = "UNKNOWN";

#[derive(Debug)]
pub struct Executions {
    ended: IntCounterVec,
    durations: HistogramVec,
    step_errors: IntCounter,
    violations: IntCounterVec,
    satisfaction: Histogram,
    records: IntCounterVec,
    batches: Histogram,
}

impl Executions {
    pub fn new(make: &Maker) -> Result<Self> {
        let help = "Runs that ended: each once, when its end became known, by outcome and adherence as known by then.";
        let ended = make.counters("sop_executions_total", help, &["outcome", "adherence"])?;
        let help = "From start to end of runs: each once, when both became known, by outcome as known by then.";
        let durations = make.histograms("sop_execution_duration_seconds", help, &["outcome"], LONG)?;
        for outcome in Outcome::ALL.iter().map(|o| o.as_str()).chain([NO_OUTCOME]) {
            durations.with_label_values(&[outcome]);
            for adherence in Adherence::ALL {
                ended.with_label_values(&[outcome, adherence.as_str()]);
            }
        }
        let help = "Violations, reported or found by the service, when each was added to its run, by severity.";
        let violations = make.counters("sop_compliance_violations_total", help, &["severity"])?;
        for severity in Severity::ALL {
            violations.with_label_values(&[severity.as_str()]);
        }
        let help = "Records of executions received, by what became of them.";
        let records = make.counters("sop_ingest_records_total", help, &["result", "mode"])?;
        for (result, mode) in RESULTS.iter().flat_map(|r| Mode::ALL.iter().map(move |m| (r, m))) {
            records.with_label_values(&[*result, mode.as_str()]);
        }
        let steps = "Attempts at steps that failed, when each became known.";
        let scores = "Satisfaction with runs, from 1 to 5: of each run the first score.";
        let batches = "Time to take a batch of executions.";
        Ok(Self {
            ended,
            durations,
            step_errors: make.counter("sop_execution_step_errors_total", steps)?,
            violations,
            satisfaction: make.histogram("sop_execution_satisfaction_score", scores, &[1.0, 2.0, 3.0, 4.0, 5.0])?,
            records,
            batches: make.histogram("sop_ingest_batch_duration_seconds", batches, SHORT)?,
        })
    }

    pub fn batch(&self, mode: Mode, answers: &[Answer], took: Duration) {
        self.batches.observe(took.as_secs_f64());
        for answer in answers {
            self.records.with_label_values(&[answer.status(), mode.as_str()]).inc();
        }
    }

    /// What became known of runs, and is stored.
    pub fn learned(&self, news: &[News]) {
        for news in news {
            let outcome = news.outcome.map_or(NO_OUTCOME, Outcome::as_str);
            if let Some(adherence) = news.ended {
                self.ended.with_label_values(&[outcome, adherence.as_str()]).inc();
            }
            if let Some(micros) = news.took {
                let took = Duration::from_micros(micros);
                self.durations.with_label_values(&[outcome]).observe(took.as_secs_f64());
            }
            self.step_errors.inc_by(news.failed_steps);
            for (severity, count) in Severity::ALL.iter().zip(news.violations).filter(|(_, count)| *count > 0) {
                self.violations.with_label_values(&[severity.as_str()]).inc_by(count);
            }
            if let Some(score) = news.score {
                self.satisfaction.observe(score.into());
            }
        }
    }

    /// Records that could not be read.
    pub fn unreadable(&self, mode: Mode, count: usize) {
        self.records.with_label_values(&[REJECTED, mode.as_str()]).inc_by(count as u64);
    }

    /// Records that came while too many batches were in work.
    pub fn over_limit(&self, mode: Mode, count: usize) {
        self.records.with_label_values(&[OVER_LIMIT, mode.as_str()]).inc_by(count as u64);
    }

    /// Records in work that were given up: by a fault, because it took too long, or because the sender went away.
    pub fn failed(&self, mode: Mode, count: usize) {
        self.records.with_label_values(&[FAILED, mode.as_str()]).inc_by(count as u64);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use sopwith_domain::ids::ExecutionId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn records_count_by_what_became_of_them_and_runs_by_what_became_known() {
        let executions = Executions::new(&Maker(&Registry::new())).unwrap();
        let created = Answer::Created(ExecutionId(Uuid::nil()));
        executions.batch(Mode::Live, &[created.clone(), Answer::Duplicate, created.clone()], Duration::ZERO);
        executions.batch(Mode::Practice, &[created], Duration::ZERO);
        let records = |result, mode| executions.records.with_label_values(&[result, mode]).get();
        let counted = [records("CREATED", "LIVE"), records("DUPLICATE", "LIVE"), records("CREATED", "PRACTICE")];
        assert_eq!(counted, [2, 1, 1]);

        let outcome = Some(Outcome::Failed);
        let ended = News { outcome, ended: Some(Adherence::Deviated), took: Some(90_000_000), ..News::default() };
        let more = News { outcome, violations: [0, 1, 2], failed_steps: 3, score: Some(4), ..News::default() };
        executions.learned(&[ended, more, News::default()]);
        assert_eq!(executions.ended.with_label_values(&["FAILED", "DEVIATED"]).get(), 1);
        let all = Outcome::ALL.iter().map(|o| o.as_str()).chain([NO_OUTCOME]);
        let all = all.flat_map(|o| Adherence::ALL.iter().map(move |a| [o, a.as_str()]));
        assert_eq!(all.map(|labels| executions.ended.with_label_values(&labels).get()).sum::<u64>(), 1);
        let durations = executions.durations.with_label_values(&["FAILED"]);
        assert_eq!((durations.get_sample_count(), durations.get_sample_sum().to_bits()), (1, 90_f64.to_bits()));
        let violations = |severity| executions.violations.with_label_values(&[severity]).get();
        assert_eq!([violations("MINOR"), violations("MAJOR"), violations("CRITICAL")], [0, 1, 2]);
        assert_eq!((executions.step_errors.get(), executions.satisfaction.get_sample_count()), (3, 1));
    }
}
