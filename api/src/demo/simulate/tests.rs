use std::collections::BTreeSet;

use super::super::samples::{SampleStage, samples};
use super::*;

fn now() -> Timestamp {
    "2026-07-01T09:30:00Z".parse().unwrap()
}

/// The published samples, their first version from 75 days ago and their second from 40.
fn facts() -> Vec<PublishedFacts> {
    let mut all = samples().unwrap();
    all.retain(|s| s.stage == SampleStage::Published);
    let version = |(content, days): (&sopwith_domain::content::Content, i64), label: &str| VersionFacts {
        label: label.to_owned(),
        in_force_from: now().plus(-days * DAY),
        step_keys: content.steps.iter().map(|s| s.key.clone()).collect(),
    };
    let second = |process: &str| if process == "onboard-employee" { "1.1" } else { "2.0" };
    all.iter()
        .map(|s| PublishedFacts {
            process_key: s.process_key.into(),
            team_key: s.team_key.into(),
            sop_code: format!("{}-0001", s.code_prefix),
            versions: (s.versions.iter().map(|v| &v.1).zip([75, 40]))
                .zip(["1.0", second(s.process_key)])
                .map(|(at, label)| version(at, label))
                .collect(),
        })
        .collect()
}

fn all() -> Vec<Report> {
    reports(now(), &facts(), 7)
}

fn share<'a>(of: impl Iterator<Item = &'a Report> + Clone, what: impl Fn(&Report) -> bool) -> f64 {
    let part = of.clone().filter(|r| what(r)).count();
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of.count()).unwrap())
}

#[test]
fn a_seed_gives_the_same_runs_and_another_gives_others() {
    assert_eq!(all(), all());
    assert_ne!(all(), reports(now(), &facts(), 8));
}

#[test]
fn every_report_is_taken_and_says_that_it_is_simulated() {
    for report in all() {
        assert_eq!(report.check(now()), Ok(()), "{}", report.event_id);
        assert_eq!(report.attributes.unwrap()["simulated"], "true");
    }
}

#[test]
fn nothing_lies_in_the_future_or_before_the_ninety_days() {
    for r in all() {
        let own = [r.occurred_at, r.started_at, r.finished_at];
        let steps = r.steps.iter().flat_map(|s| [s.started_at, s.finished_at]);
        let range = now().plus(-DAYS * DAY)..=now();
        for at in own.into_iter().chain(steps).flatten() {
            assert!(range.contains(&at), "{}: {at}", r.event_id);
        }
        let end = r.finished_at.unwrap_or(now());
        assert!(r.steps.iter().filter_map(|s| s.finished_at).all(|at| at <= end), "{}", r.event_id);
        assert_eq!(r.occurred_at.is_some(), r.started_at.is_some());
    }
}

#[test]
fn events_and_runs_have_names_of_their_own() {
    let all = all();
    let events: BTreeSet<_> = all.iter().map(|r| &r.event_id).collect();
    let runs: BTreeSet<_> = all.iter().map(|r| &r.run_id).collect();
    assert_eq!((events.len(), runs.len()), (all.len(), all.len()));
    assert!(all.is_sorted_by_key(|r| r.occurred_at));
}

#[test]
fn counts_are_what_an_organisation_would_see() {
    let all = all();
    assert!((590..=615).contains(&all.len()), "{}", all.len());
    let running = all.iter().filter(|r| r.finished_at.is_none()).count();
    assert!((6..=20).contains(&running), "{running} running");
    let finished = || all.iter().filter(|r| r.finished_at.is_some());
    for (outcome, range) in
        [(Outcome::Failed, 0.01..0.1), (Outcome::Abandoned, 0.005..0.08), (Outcome::Succeeded, 0.85..0.98)]
    {
        let part = share(finished(), |r| r.outcome == Some(outcome));
        assert!(range.contains(&part), "{outcome}: {part}");
    }
    let rated = share(finished(), |r| r.satisfaction.is_some());
    assert!((0.27..0.41).contains(&rated), "{rated} rated");
    let actors: BTreeSet<_> = all.iter().filter_map(|r| r.actor.as_ref()).map(|a| &a.subject).collect();
    assert_eq!(actors.len(), 12);
}

#[test]
fn most_runs_follow_and_those_that_do_not_go_worse() {
    let all = all();
    let told = || all.iter().filter(|r| r.adherence.is_some());
    let followed = share(told(), |r| r.adherence == Some(Adherence::Followed));
    assert!((0.65..0.9).contains(&followed), "{followed} followed");
    for other in [Adherence::Deviated, Adherence::NotFollowed, Adherence::Unknown] {
        assert!(told().any(|r| r.adherence == Some(other)), "{other}");
    }
    let good = || told().filter(|r| r.adherence == Some(Adherence::Followed));
    let bad = || told().filter(|r| matches!(r.adherence, Some(Adherence::Deviated | Adherence::NotFollowed)));
    let errors = |r: &Report| r.errors > Some(0);
    let rework = |r: &Report| r.rework > Some(0);
    let violation = |r: &Report| r.violations.as_ref().is_some_and(|v| !v.is_empty());
    assert!(share(bad(), errors) > 1.5 * share(good(), errors));
    assert!(share(bad(), rework) > 1.5 * share(good(), rework));
    assert!(share(bad(), violation) > 2.0 * share(good(), violation));
}

#[test]
fn a_version_is_named_only_with_its_sop_once_in_force_and_with_its_own_steps() {
    let facts = facts();
    for r in all() {
        let facts = facts.iter().find(|f| Some(&f.process_key) == r.process.as_ref()).unwrap();
        let begun = |v: &&VersionFacts| Some(v.in_force_from) <= r.started_at;
        if !facts.versions.iter().any(|v| begun(&v)) {
            assert_eq!((&r.sop, &r.version, r.adherence), (&None, &None, None), "{}", r.run_id);
        }
        let Some(label) = &r.version else {
            assert!(r.steps.is_empty());
            continue;
        };
        assert_eq!(r.sop.as_ref(), Some(&facts.sop_code));
        let version = facts.versions.iter().filter(begun).find(|v| v.label == *label).unwrap();
        assert!(r.steps.iter().all(|s| version.step_keys.contains(&s.key)), "{}", r.run_id);
    }
    let all = all();
    assert!(all.iter().any(|r| r.version.is_none() && r.sop.is_none()));
    assert!(share(all.iter(), |r| r.version.is_some()) > 0.55);
}

#[test]
fn the_second_password_reset_is_quicker() {
    let all = all();
    let median = |label: &str| {
        let taken = all.iter().filter(|r| r.process.as_deref() == Some("password-reset"));
        let taken = taken.filter(|r| r.version.as_deref() == Some(label));
        let mut times: Vec<i64> = taken.filter_map(|r| Some(r.finished_at?.since(r.started_at?))).collect();
        times.sort_unstable();
        assert!(times.len() > 50, "{label}: {}", times.len());
        times[times.len() / 2]
    };
    let (first, second) = (median("1.0"), median("2.0"));
    assert!(second < first && second * 2 > first, "{first} and {second}");
}

#[test]
fn a_process_without_a_profile_or_a_published_version_still_runs() {
    let facts = PublishedFacts {
        process_key: "something-else".into(),
        team_key: "nobody".into(),
        sop_code: "X-0001".into(),
        versions: Vec::new(),
    };
    let runs = reports(now(), &[facts], 1);
    assert!(runs.len() > 20);
    assert!(runs.iter().all(|r| r.sop.is_none() && r.check(now()).is_ok()));
}
