//! What ingested executions tell.
//!
//! A run counts when a report is taken that tells of its end, whether that report made the run or finished one that
//! had been told of before. A counter cannot take anything back: a correction that states the end again counts again.
//! Exact figures are in `/metrics/domain`.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Result};
use sopwith_domain::execution::{Adherence, Mode, Outcome, Report, Severity, StepStatus};
use sopwith_domain::time::Timestamp;

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
        let help = "Runs whose end was reported, by outcome and adherence.";
        let ended = make.counters("sop_executions_total", help, &["outcome", "adherence"])?;
        let help = "From start to end of runs whose report tells both.";
        let durations = make.histograms("sop_execution_duration_seconds", help, &["outcome"], LONG)?;
        for outcome in Outcome::ALL.iter().map(|o| o.as_str()).chain([NO_OUTCOME]) {
            durations.with_label_values(&[outcome]);
            for adherence in Adherence::ALL {
                ended.with_label_values(&[outcome, adherence.as_str()]);
            }
        }
        let help = "Violations of rules that were reported, by severity.";
        let violations = make.counters("sop_compliance_violations_total", help, &["severity"])?;
        for severity in Severity::ALL {
            violations.with_label_values(&[severity.as_str()]);
        }
        let help = "Records of executions received, by what became of them.";
        let records = make.counters("sop_ingest_records_total", help, &["result", "mode"])?;
        for (result, mode) in RESULTS.iter().flat_map(|r| Mode::ALL.iter().map(move |m| (r, m))) {
            records.with_label_values(&[*result, mode.as_str()]);
        }
        let (steps, scores) = ("Steps that were reported as failed.", "Satisfaction with runs, from 1 to 5.");
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

    pub fn batch(&self, mode: Mode, reports: &[Report], answers: &[Answer], took: Duration) {
        self.batches.observe(took.as_secs_f64());
        for answer in answers {
            self.records.with_label_values(&[answer.status(), mode.as_str()]).inc();
        }
        // Training is kept apart from all figures.
        if mode == Mode::Practice {
            return;
        }
        let taken = |answer: &Answer| matches!(answer, Answer::Created(_) | Answer::Updated(_));
        let taken = reports.iter().zip(answers).filter(|(_, answer)| taken(answer)).map(|(report, _)| report);
        let mut ends: HashMap<&str, &Report> = HashMap::new();
        for report in taken {
            self.details(report);
            let newer = ends.get(report.run_id.as_str()).is_none_or(|known| known.revision <= report.revision);
            if newer && (report.outcome.is_some() || report.finished_at.is_some()) {
                ends.insert(&report.run_id, report);
            }
        }
        for report in ends.values() {
            self.end(report);
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

    fn details(&self, report: &Report) {
        let failed = report.steps.iter().filter(|step| step.status == StepStatus::Failed).count();
        self.step_errors.inc_by(failed as u64);
        for violation in report.violations.iter().flatten() {
            self.violations.with_label_values(&[violation.severity.as_str()]).inc();
        }
        if let Some(satisfaction) = report.satisfaction {
            self.satisfaction.observe(satisfaction.score.into());
        }
    }

    fn end(&self, report: &Report) {
        let outcome = report.outcome.map_or(NO_OUTCOME, Outcome::as_str);
        let adherence = report.adherence.unwrap_or(Adherence::Unknown);
        self.ended.with_label_values(&[outcome, adherence.as_str()]).inc();
        if let Some(took) = report.started_at.zip(report.finished_at).and_then(|(from, to)| duration(from, to)) {
            self.durations.with_label_values(&[outcome]).observe(took.as_secs_f64());
        }
    }
}

fn duration(from: Timestamp, to: Timestamp) -> Option<Duration> {
    Some(Duration::from_micros(u64::try_from(to.since(from)).ok()?))
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use sopwith_domain::ids::ExecutionId;
    use uuid::Uuid;

    use super::*;

    fn report(run: &str, revision: i64, outcome: Option<Outcome>) -> Report {
        Report { run_id: run.to_owned(), revision, outcome, ..Report::default() }
    }

    #[test]
    fn a_run_counts_once_when_its_end_is_told_and_never_in_training() {
        let executions = Executions::new(&Maker(&Registry::new())).unwrap();
        let (made, changed) = (Answer::Created(ExecutionId(Uuid::nil())), Answer::Updated(ExecutionId(Uuid::nil())));
        let failed = Some(Outcome::Failed);
        let reports = [report("a", 1, None), report("a", 2, Some(Outcome::Succeeded)), report("a", 3, failed)];
        let answers = [made.clone(), changed.clone(), changed];
        executions.batch(Mode::Live, &reports, &answers, Duration::ZERO);
        executions.batch(Mode::Practice, &[report("b", 1, failed)], std::slice::from_ref(&made), Duration::ZERO);
        executions.batch(Mode::Live, &[report("c", 1, failed)], &[Answer::Duplicate], Duration::ZERO);
        let ended = |outcome| executions.ended.with_label_values(&[outcome, "UNKNOWN"]).get();
        assert_eq!((ended("FAILED"), ended("SUCCEEDED"), ended("UNKNOWN")), (1, 0, 0));
        let records = |result, mode| executions.records.with_label_values(&[result, mode]).get();
        assert_eq!(records("CREATED", "LIVE") + records("UPDATED", "LIVE") + records("DUPLICATE", "LIVE"), 4);
        assert_eq!(records("CREATED", "PRACTICE"), 1);
    }
}
