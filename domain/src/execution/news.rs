//! What became known of a run: the difference between what was known before and what is known now, for counters, which
//! cannot take anything back. What a correction takes away is therefore no news; what it brings is.

use std::collections::HashMap;

use super::{Adherence, Outcome, Run, Severity, StepRecord, StepStatus, Violation};

/// What became known of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// How it ended, as far as that is known now.
    pub outcome: Option<Outcome>,
    /// Where nothing told of its end before and something does now: whether the SOP was followed, as far as that is known
    /// now. An end cannot be taken back, so a run ends once.
    pub ended: Option<Adherence>,
    /// Microseconds from start to finish, where both became known with this. That too happens once.
    pub took: Option<u64>,
    /// How many violations it has that it did not have: minor, major, critical. One is the same where kind and severity
    /// are.
    pub violations: [u64; 3],
    /// How many attempts at steps failed that had not failed before.
    pub failed_steps: u64,
    /// The score of satisfaction, where there was none.
    pub score: Option<i32>,
}

impl News {
    /// Compares a run as it was stored, with all its violations by severity as they were counted then, and as it is now,
    /// with the violations that the service found itself.
    #[must_use]
    pub fn of(before: Option<(&Run, [i32; 3])>, after: &Run, found: &[Violation]) -> Self {
        let nothing = Run::default();
        let (before, counted) = before.unwrap_or((&nothing, [0; 3]));
        let ended = !before.is_finished() && after.is_finished();
        let failed = |step: &StepRecord| step.status == StepStatus::Failed;
        let failed_before = |place| before.steps.get(place).is_some_and(failed);
        let failed_steps = after.steps.iter().filter(|(place, step)| failed(step) && !failed_before(*place)).count();
        let mut violations = reported(before, after);
        for ((sum, now), then) in violations.iter_mut().zip(by_severity(found)).zip(found_before(before, counted)) {
            *sum += now.saturating_sub(then);
        }
        Self {
            outcome: after.outcome,
            ended: ended.then(|| after.adherence.unwrap_or(Adherence::Unknown)),
            took: after.duration().filter(|_| before.duration().is_none()),
            violations,
            failed_steps: failed_steps as u64,
            score: after.satisfaction.filter(|_| before.satisfaction.is_none()).map(|s| s.score),
        }
    }
}

/// Violations that were reported and are more than there were of their kind and severity.
fn reported(before: &Run, after: &Run) -> [u64; 3] {
    let mut known: HashMap<(&str, Severity), u64> = HashMap::new();
    for violation in before.violations.iter().flatten() {
        *known.entry((&violation.kind, violation.severity)).or_default() += 1;
    }
    by_severity(after.violations.iter().flatten().filter(|violation| {
        match known.get_mut(&(violation.kind.as_str(), violation.severity)) {
            Some(rest) if *rest > 0 => {
                *rest -= 1;
                false
            }
            _ => true,
        }
    }))
}

/// Those of the counted violations that nobody reported.
fn found_before(run: &Run, counted: [i32; 3]) -> [u64; 3] {
    let reported = by_severity(run.violations.iter().flatten());
    std::array::from_fn(|n| u64::try_from(counted[n]).unwrap_or(0).saturating_sub(reported[n]))
}

fn by_severity<'a>(violations: impl IntoIterator<Item = &'a Violation>) -> [u64; 3] {
    let mut counts = [0; 3];
    for violation in violations {
        counts[violation.severity as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::super::{Report, Satisfaction, SatisfactionBy};
    use super::*;
    use crate::time::{SECOND, Timestamp};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_780_000_000 * SECOND).plus(seconds * SECOND)
    }

    fn violation(kind: &str, severity: Severity, detail: &str) -> Violation {
        Violation { kind: kind.to_owned(), severity, detail: detail.to_owned() }
    }

    fn sla(detail: &str) -> Violation {
        violation("SLA", Severity::Major, detail)
    }

    fn step(attempt: i32, status: StepStatus) -> StepRecord {
        StepRecord { key: "ask".to_owned(), attempt, started_at: None, finished_at: None, status }
    }

    /// The news of each report, stored one by one in the order given; nothing was found by the service.
    fn told(reports: &[Report]) -> Vec<News> {
        let mut stored: Option<Run> = None;
        let each = (1..).zip(reports).map(|(n, report)| {
            let mut run = stored.clone().unwrap_or_default();
            // Whatever revision a test gives, so that it can tell of older things later.
            let revision = if report.revision == 0 { n } else { report.revision };
            run.merge(&Report { event_id: format!("e{n}"), revision, ..report.clone() });
            let counted = |run: &Run| by_severity(run.violations.iter().flatten()).map(|n| i32::try_from(n).unwrap());
            let news = News::of(stored.as_ref().map(|run| (run, counted(run))), &run, &[]);
            stored = Some(run);
            news
        });
        each.collect()
    }

    #[test]
    fn a_run_ends_once_with_what_is_known_of_it_by_then() {
        let start = Report { started_at: Some(at(0)), adherence: Some(Adherence::Followed), ..Report::default() };
        let finish = Report { finished_at: Some(at(90)), outcome: Some(Outcome::Succeeded), ..Report::default() };
        let corrected = Report { finished_at: Some(at(60)), outcome: Some(Outcome::Failed), ..Report::default() };
        let news = told(&[start, finish.clone(), finish, corrected]);
        assert_eq!(news[0], News::default());
        let ended = News {
            outcome: Some(Outcome::Succeeded),
            ended: Some(Adherence::Followed),
            took: Some(90_000_000),
            ..News::default()
        };
        assert_eq!(news[1], ended);
        assert_eq!(news[2], News { outcome: Some(Outcome::Succeeded), ..News::default() });
        assert_eq!(news[3], News { outcome: Some(Outcome::Failed), ..News::default() });
    }

    #[test]
    fn the_time_it_took_is_news_when_both_of_its_ends_are_known() {
        let finish = Report { revision: 9, finished_at: Some(at(90)), ..Report::default() };
        let start = Report { started_at: Some(at(0)), adherence: Some(Adherence::Followed), ..Report::default() };
        let outcome = Report { outcome: Some(Outcome::Abandoned), ..Report::default() };
        let news = told(&[finish.clone(), start.clone(), outcome.clone()]);
        assert_eq!((news[0].outcome, news[0].ended, news[0].took), (None, Some(Adherence::Unknown), None));
        assert_eq!((news[1].outcome, news[1].ended, news[1].took), (None, None, Some(90_000_000)));
        assert_eq!((news[2].ended, news[2].took), (None, None));
        let news = told(&[start, outcome, finish]);
        assert_eq!((news[1].ended, news[1].took), (Some(Adherence::Followed), None));
        let late = (Some(Outcome::Abandoned), None, Some(90_000_000));
        assert_eq!((news[2].outcome, news[2].ended, news[2].took), late);
    }

    #[test]
    fn only_what_is_added_is_news() {
        let with = |violations: &[Violation]| Report { violations: Some(violations.to_vec()), ..Report::default() };
        let minor = violation("SLA", Severity::Minor, "");
        let reports = [
            with(&[sla("a")]),
            with(&[sla("a, in other words")]),
            with(&[sla("a"), sla("b"), minor.clone()]),
            with(&[minor]),
            with(&[violation("ACCESS", Severity::Critical, ""), sla("a")]),
        ];
        let news: Vec<_> = told(&reports).into_iter().map(|news| news.violations).collect();
        assert_eq!(news, [[0, 1, 0], [0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]]);

        let with = |steps: &[StepRecord]| Report { steps: steps.to_vec(), ..Report::default() };
        let (failed, done) = (StepStatus::Failed, StepStatus::Done);
        let reports = [
            with(&[step(1, failed), step(2, done)]),
            with(&[step(1, failed), step(2, failed), step(3, failed)]),
            with(&[step(1, done)]),
        ];
        let news: Vec<_> = told(&reports).into_iter().map(|news| news.failed_steps).collect();
        assert_eq!(news, [1, 2, 0]);

        let with = |score, by| Report { satisfaction: Some(Satisfaction { score, by }), ..Report::default() };
        let reports = [
            Report::default(),
            with(4, SatisfactionBy::Customer),
            with(4, SatisfactionBy::Customer),
            with(2, SatisfactionBy::Performer),
        ];
        let news: Vec<_> = told(&reports).into_iter().map(|news| news.score).collect();
        assert_eq!(news, [None, Some(4), None, None]);
    }

    #[test]
    fn what_the_service_found_is_told_from_what_was_reported() {
        let outdated = [violation("OUTDATED_VERSION", Severity::Minor, "")];
        let run = |violations: &[Violation]| Run { violations: Some(violations.to_vec()), ..Run::default() };
        let minor = violation("SLA", Severity::Minor, "");
        let of = |before: &Run, counted, after: &Run, found| News::of(Some((before, counted)), after, found).violations;
        assert_eq!(News::of(None, &run(&[]), &outdated).violations, [1, 0, 0]);
        let (none, one) = (run(&[]), run(std::slice::from_ref(&minor)));
        assert_eq!(of(&none, [1, 0, 0], &none, &outdated), [0, 0, 0], "it was found before");
        assert_eq!(of(&none, [0, 0, 0], &none, &outdated), [1, 0, 0]);
        assert_eq!(of(&none, [1, 0, 0], &none, &[]), [0, 0, 0], "it is gone");
        assert_eq!(of(&one, [1, 0, 0], &one, &outdated), [1, 0, 0], "the one before was reported");
        assert_eq!(of(&one, [2, 0, 0], &one, &outdated), [0, 0, 0]);
        assert_eq!(of(&one, [1, 0, 0], &none, &outdated), [1, 0, 0], "another one is gone");
        assert_eq!(of(&none, [1, 0, 0], &one, &[]), [1, 0, 0], "what was found is gone, and another one came");
    }
}
