//! The rules, at their thresholds and at random.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::stats::simulate::{Chance, probabilities};

fn team(n: u128, followed: i64, not: i64, errors: i64) -> TeamRuns {
    let runs = followed + not;
    TeamRuns {
        team: Some(TeamId(Uuid::from_u128(n))),
        runs,
        // Everybody has a run: no two are alike.
        people: runs,
        crowd: Crowd { runs, squares: runs },
        adoption: Ratio { numerator: followed, denominator: runs },
        errors: Ratio { numerator: errors, denominator: runs },
        errors_when_followed: Ratio { numerator: errors.min(followed), denominator: followed },
    }
}

fn step(key: &str, runs: i64, failed: i64, skipped: i64) -> StepRuns {
    StepRuns { key: key.to_owned(), mandatory: true, runs, failed, skipped }
}

fn of(teams: Vec<TeamRuns>) -> Evidence {
    let people = teams.iter().map(|team| team.people).sum();
    let sum = |of: fn(&Crowd) -> i64| teams.iter().map(|team| of(&team.crowd)).sum();
    let crowd = Crowd { runs: sum(|crowd| crowd.runs), squares: sum(|crowd| crowd.squares) };
    Evidence { teams, people, crowd, ..Evidence::default() }
}

fn kinds(evidence: &Evidence) -> Vec<Finding> {
    diagnose(evidence).findings.iter().map(Found::kind).collect()
}

#[test]
fn few_runs_tell_nothing() {
    let few = diagnose(&of(vec![team(1, 0, 99, 99)]));
    assert_eq!((few.state, few.findings.len()), (State::Insufficient, 0));
    assert_eq!(diagnose(&Evidence::default()).state, State::Insufficient);
    let enough = of(vec![team(1, 0, 100, 0)]);
    assert_eq!(kinds(&enough), [Finding::LowAdoption]);
    assert_eq!(diagnose(&of(vec![team(1, 90, 10, 0)])).state, State::NothingFound);
}

#[test]
fn what_is_not_followed_is_not_revised() {
    assert_eq!(kinds(&of(vec![team(1, 100, 400, 400)])), [Finding::LowAdoption]);
    assert_eq!(kinds(&of(vec![team(1, 450, 50, 120)])), [Finding::BadOutcomes]);
    // Seven in ten, as far as one can tell: neither.
    assert_eq!(kinds(&of(vec![team(1, 350, 150, 200)])), []);
    assert_eq!(Finding::LowAdoption.proposes(), [Response::Communicate, Response::Train]);
    assert_eq!(Finding::BadOutcomes.proposes(), [Response::Revise]);
}

#[test]
fn a_declared_target_says_what_is_tolerated() {
    let evidence = |target| Evidence { error_target: target, ..of(vec![team(1, 500, 0, 40)]) };
    assert_eq!(kinds(&evidence(None)), []);
    assert_eq!(kinds(&evidence(Some(0.05))), [Finding::BadOutcomes]);
    assert_eq!(kinds(&Evidence { error_target: Some(0.5), ..of(vec![team(1, 500, 0, 120)]) }), []);
}

#[test]
fn the_runs_of_few_people_weigh_less() {
    let adoption = |squares| Evidence { crowd: Crowd { runs: 500, squares }, ..of(vec![team(1, 300, 200, 0)]) };
    assert_eq!(kinds(&adoption(500)), [Finding::LowAdoption]);
    assert_eq!(kinds(&adoption(5 * 100 * 100)), [], "a hundred runs of each: they may be of the few who do not");
    assert_eq!(kinds(&adoption(500 * 500)), [], "nobody is named");
    // One has 1,000 runs, of which 600 followed, and 19 have five each, of which 80 of 95 did.
    let crowd = Crowd { runs: 1_095, squares: 1_000 * 1_000 + 19 * 25 };
    let uneven = Evidence { crowd, ..of(vec![team(1, 680, 415, 0)]) };
    assert_eq!(kinds(&uneven), [], "it is one person who does not");
}

#[test]
fn trouble_on_one_step_is_told_with_its_figures() {
    let steps = vec![step("a", 200, 2, 0), step("b", 200, 20, 30), step("c", 200, 1, 2), step("d", 29, 29, 0)];
    let evidence = Evidence { steps, ..of(vec![team(1, 190, 10, 0)]) };
    let found = diagnose(&evidence);
    let [Found::TroubledStep { step: found, trouble, others }] = &found.findings[..] else { panic!("{found:?}") };
    assert_eq!((found.key.as_str(), found.failed, found.skipped), ("b", 20, 30));
    assert_eq!(
        (trouble.ratio, others.ratio),
        (Ratio { numerator: 50, denominator: 200 }, Ratio { numerator: 5, denominator: 400 })
    );
    assert!(trouble.low > others.high);
}

#[test]
fn what_may_be_left_out_is_no_trouble_and_what_ails_all_steps_stands_out_nowhere() {
    let optional = StepRuns { mandatory: false, ..step("b", 200, 0, 90) };
    let with = |steps: Vec<StepRuns>| Evidence { steps, ..of(vec![team(1, 190, 10, 0)]) };
    assert_eq!(kinds(&with(vec![step("a", 200, 0, 0), optional])), []);
    assert_eq!(kinds(&with(vec![step("a", 200, 50, 0), step("b", 200, 52, 0), step("c", 200, 48, 0)])), []);
    assert_eq!(kinds(&with(vec![step("a", 5_000, 0, 0), step("b", 5_000, 150, 0)])), [], "three in a hundred");
    assert_eq!(kinds(&with(vec![step("only", 500, 400, 0)])), [], "there are no others");
}

#[test]
fn teams_that_do_not_work_alike_are_named() {
    let found = diagnose(&of(vec![team(1, 195, 5, 0), team(2, 120, 80, 0), team(3, 180, 20, 0), team(4, 0, 29, 0)]));
    let [Found::Inconsistent { metric, most, least }] = &found.findings[..] else { panic!("{found:?}") };
    assert_eq!(
        (*metric, most.0, least.0),
        (Metric::Adoption, Some(TeamId(Uuid::from_u128(1))), Some(TeamId(Uuid::from_u128(2))))
    );
    assert_eq!(least.1.ratio, Ratio { numerator: 120, denominator: 200 });
    let errors = of(vec![team(1, 200, 0, 2), team(2, 200, 0, 70)]);
    assert!(kinds(&errors).contains(&Finding::Inconsistent));
    // The outermost is of few runs by three people, and tells nothing; the others do.
    let crowd = |people: i64, runs: i64| Crowd { runs, squares: runs * runs / people };
    let by = |people, team: TeamRuns| TeamRuns { people, crowd: crowd(people, team.runs), ..team };
    let teams = [by(3, team(1, 30, 0, 0)), by(50, team(2, 950, 50, 0)), by(50, team(3, 700, 300, 0))];
    let found = diagnose(&of(teams.to_vec()));
    let [Found::Inconsistent { most, least, .. }] = &found.findings[..] else { panic!("{found:?}") };
    assert_eq!([most.0, least.0], [2, 3].map(|n| Some(TeamId(Uuid::from_u128(n)))));
    let unnamed = TeamRuns { team: None, ..team(2, 120, 80, 0) };
    assert_eq!(kinds(&of(vec![team(1, 195, 5, 0), unnamed])), [], "nobody is a team");
}

/// Teams and steps that are the same, of people who are not: how often something is found all the same.
#[test]
fn chance_alone_finds_little() {
    let quantiles = probabilities(0.8);
    let mut alarms = 0;
    for seed in 0..1_000 {
        let mut chance = Chance::new(seed);
        let mut teams = Vec::new();
        for n in 0..4 {
            let followed: u64 = (0..15).map(|_| chance_of(&mut chance, &quantiles, 10)).sum();
            let followed = i64::try_from(followed).unwrap();
            let crowd = Crowd { runs: 150, squares: 15 * 100 };
            teams.push(TeamRuns { people: 15, crowd, ..team(n, followed, 150 - followed, 5) });
        }
        let mut counted = |key: &str| step(key, 600, i64::try_from(chance.binomial(600, 0.06)).unwrap(), 0);
        let steps = ["a", "b", "c", "d", "e", "f"].map(&mut counted).to_vec();
        alarms += usize::from(!kinds(&Evidence { steps, ..of(teams) }).is_empty());
    }
    assert!(alarms <= 50, "{alarms} of 1,000");
}

/// The same where one person has most of the runs, and people follow it as often as counts as enough.
#[test]
fn chance_alone_finds_little_where_one_has_most_runs() {
    let quantiles = probabilities(ADOPTED);
    let mut alarms = 0;
    for seed in 0..1_000 {
        let mut chance = Chance::new(seed);
        let sizes = [1_000].into_iter().chain([5; 19]);
        let followed: u64 = sizes.map(|runs| chance_of(&mut chance, &quantiles, runs)).sum();
        let followed = i64::try_from(followed).unwrap();
        let crowd = Crowd { runs: 1_095, squares: 1_000 * 1_000 + 19 * 25 };
        alarms +=
            usize::from(!kinds(&Evidence { crowd, ..of(vec![team(1, followed, 1_095 - followed, 0)]) }).is_empty());
    }
    // By how many runs each has on average it would be some 300. What is left over 25 comes of so few people.
    assert!(alarms <= 60, "{alarms} of 1,000");
}

fn chance_of(chance: &mut Chance, quantiles: &[f64], runs: u64) -> u64 {
    let p = quantiles[chance.below(quantiles.len())];
    chance.binomial(runs, p)
}

fn teams() -> impl Strategy<Value = Vec<TeamRuns>> {
    let one = (0_i64..300, 0_i64..300, 0_i64..100, 1_i64..40).prop_map(|(followed, not, errors, people)| TeamRuns {
        people,
        crowd: Crowd { runs: followed + not, squares: (followed + not) * (followed + not) / people },
        ..team(0, followed, not, errors.min(followed + not))
    });
    prop::collection::vec(one, 0..5).prop_map(|teams| {
        let named = |(n, team): (usize, TeamRuns)| TeamRuns { team: Some(TeamId(Uuid::from_u128(n as u128))), ..team };
        teams.into_iter().enumerate().map(named).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<StepRuns>> {
    let one = (0_i64..400, 0_i64..100, 0_i64..100, any::<bool>()).prop_map(|(runs, failed, skipped, mandatory)| {
        let failed = failed.min(runs);
        let skipped = skipped.min(runs - failed);
        StepRuns { mandatory, ..step("", runs, failed, skipped) }
    });
    prop::collection::vec(one, 0..8).prop_map(|steps| {
        let named = |(n, step): (usize, StepRuns)| StepRuns { key: format!("s{n}"), ..step };
        steps.into_iter().enumerate().map(named).collect()
    })
}

proptest! {
    #[test]
    fn what_is_found_holds_by_its_own_figures(teams in teams(), steps in steps(), target in prop::option::of(0.0_f64..1.0)) {
        let evidence = Evidence { steps, error_target: target, ..of(teams) };
        let found = diagnose(&evidence);
        prop_assert_eq!(found.state == State::Found, !found.findings.is_empty());
        let kinds: Vec<Finding> = found.findings.iter().map(Found::kind).collect();
        prop_assert!(kinds.is_sorted());
        prop_assert!(!(kinds.contains(&Finding::LowAdoption) && kinds.contains(&Finding::BadOutcomes)));
        // At 0 and 1 the ends meet the share but for rounding.
        let fits = |m: &Measured| m.ratio.value().is_some_and(|v| m.low <= v + 1e-12 && v <= m.high + 1e-12);
        for one in &found.findings {
            match one {
                Found::LowAdoption { adoption } => prop_assert!(fits(adoption) && adoption.high < ADOPTED && adoption.ratio.denominator >= LEAST_RUNS),
                Found::BadOutcomes { adoption, errors, tolerated } => {
                    prop_assert!(fits(errors) && errors.low > *tolerated && adoption.low >= ADOPTED);
                    prop_assert_eq!(tolerated.to_bits(), target.unwrap_or(TOLERATED).to_bits());
                }
                Found::TroubledStep { step, trouble, others } => {
                    prop_assert!(fits(trouble) && fits(others) && trouble.low > others.high && trouble.low >= TROUBLED);
                    prop_assert!(step.runs >= LEAST_OF_PART && evidence.steps.contains(step));
                }
                Found::Inconsistent { most, least, .. } => {
                    prop_assert!(most.0 != least.0 && most.1.low > least.1.high);
                    prop_assert!(most.1.ratio.value().unwrap() - least.1.ratio.value().unwrap() >= SPREAD);
                }
            }
        }
    }

    /// What is found does not depend on the order in which a database tells it.
    #[test]
    fn order_does_not_matter(teams in teams(), steps in steps()) {
        let evidence = Evidence { steps, ..of(teams) };
        let mut other = evidence.clone();
        other.teams.reverse();
        other.steps.reverse();
        let sorted = |evidence: &Evidence| {
            let mut told: Vec<String> = diagnose(evidence).findings.iter().map(|found| format!("{found:?}")).collect();
            told.sort();
            told
        };
        prop_assert_eq!(sorted(&evidence), sorted(&other));
    }

    /// More runs that follow it make no procedure one that is not followed; more errors make no outcome good.
    #[test]
    fn findings_follow_the_figures(followed in 0_i64..600, not in 0_i64..600, errors in 0_i64..100, more in 0_i64..200) {
        let low = |followed| kinds(&of(vec![team(1, followed, not, 0)])).contains(&Finding::LowAdoption);
        if followed + not >= LEAST_RUNS && !low(followed) {
            prop_assert!(!low(followed + more));
        }
        let bad = |errors: i64| kinds(&of(vec![team(1, followed, 0, errors)])).contains(&Finding::BadOutcomes);
        if bad(errors.min(followed)) {
            prop_assert!(bad((errors + more).min(followed)));
        }
    }
}
