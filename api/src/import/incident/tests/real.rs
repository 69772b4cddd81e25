//! The real log, where it is at hand: in the folder `SOPWITH_TEST_DATA`, or beside the repository.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use sopwith_domain::execution::{Adherence, Report};

use super::super::read;

/// The log; nothing when there is no such folder. A folder that lacks it fails the test.
fn real_log() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let named = env::var_os("SOPWITH_TEST_DATA").map(PathBuf::from);
    let folder = named.or_else(|| Some(beside()).filter(|folder| folder.is_dir()))?;
    Some(folder.join("executions/incident_event_log.csv.zst"))
}

fn count(reports: &[Report], of: impl Fn(&Report) -> bool) -> usize {
    reports.iter().filter(|report| of(report)).count()
}

#[test]
fn the_real_log_gives_the_figures_that_are_known_of_it() {
    let Some(path) = real_log() else {
        eprintln!("SKIPPED: the real incident log is not here; SOPWITH_TEST_DATA may name its folder");
        return;
    };
    let log = read(&path).unwrap();
    assert_eq!((log.rows, log.rejected.len()), (141_712, 0));
    assert_eq!((log.reports.len(), log.processes.len()), (24_918, 338));
    let received_at = "2026-01-01T00:00:00Z".parse().unwrap();
    for report in &log.reports {
        assert_eq!(report.check(received_at), Ok(()), "{}", report.run_id);
    }
    let followed = |r: &Report| r.adherence == Some(Adherence::Followed);
    let late = |r: &Report| r.violations.as_ref().is_some_and(|v| v.len() == 1 && v[0].kind == "SLA");
    assert_eq!(count(&log.reports, late), 9_115);
    assert_eq!(count(&log.reports, followed), 3_551);
    assert_eq!(count(&log.reports, |r| r.adherence == Some(Adherence::NotFollowed)), 21_367);
    assert_eq!(count(&log.reports, |r| followed(r) && late(r)), 2_601);
    assert_eq!(count(&log.reports, |r| !followed(r) && late(r)), 6_514);
    assert_eq!(count(&log.reports, |r| r.outcome.is_some() && r.finished_at.is_some()), 24_918);
    assert_eq!(count(&log.reports, |r| r.steps.last().is_some_and(|step| step.key == "closed")), 24_918);
    let named = |list: Vec<(String, String)>| list.into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>();
    let used = |of: fn(&Report) -> Option<&String>| log.reports.iter().filter_map(of).cloned().collect::<BTreeSet<_>>();
    assert_eq!(named(log.processes.clone()), used(|r| r.process.as_ref()));
    assert_eq!(named(log.teams.clone()), used(|r| r.team.as_ref()));
    let counts: Vec<_> =
        log.notes.iter().filter_map(|note| note.split_once(' ')).map(|(n, what)| (n, &what[..19])).collect();
    let expected = [
        ("5", "rows of state -100:"),
        ("5", "pairs of number and"),
        ("5", "incidents whose row"),
        ("2", "steps that end, by "),
        ("1184", "incidents that chan"),
        ("1556", "incidents without r"),
        ("373", "incidents that neve"),
    ];
    assert_eq!(counts[..7], expected, "{:#?}", log.notes);
}
