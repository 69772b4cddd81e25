use proptest::prelude::*;

use super::*;
use crate::content::Branch;

/// Steps by key: `!` before it makes it optional, `>x,y` after it names where its branches lead, `.` being the end.
fn model(steps: &[&str]) -> Model {
    Model::of(&of(steps))
}

fn of(steps: &[&str]) -> Vec<Step> {
    let step = |text: &&str| {
        let (name, branches) = text.split_once('>').unwrap_or((text, ""));
        let go_to = |key: &str| Branch { go_to: key.trim_matches('.').to_owned(), ..Branch::default() };
        Step {
            key: name.trim_start_matches('!').to_owned(),
            mandatory: !name.starts_with('!'),
            branches: branches.split(',').filter(|b| !b.is_empty()).map(go_to).collect(),
            ..Step::default()
        }
    };
    steps.iter().map(step).collect()
}

fn record(key: &str, attempt: i32, status: StepStatus, at: Option<i64>) -> StepRecord {
    let started_at = at.map(Timestamp::from_micros);
    StepRecord { key: key.to_owned(), attempt, started_at, finished_at: None, status }
}

/// What was done, in this order.
fn done(keys: &str) -> Vec<StepRecord> {
    (0..).zip(keys.split_whitespace()).map(|(at, key)| record(key, 1, StepStatus::Done, Some(at))).collect()
}

/// (checks, deviations)
fn judged(steps: &[&str], records: &[StepRecord], outcome: Option<Outcome>) -> Option<(i32, i32)> {
    model(steps).judge(records, outcome).map(|c| (c.checks, c.deviations))
}

const FOUR: [&str; 4] = ["a", "b", "c", "d"];

#[test]
fn steps_done_in_order_conform() {
    assert_eq!(judged(&FOUR, &done("a b c d"), None), Some((8, 0)));
    assert_eq!(judged(&FOUR, &done("a b d"), None), Some((7, 1)), "c was skipped");
    assert_eq!(judged(&FOUR, &done("a b x c d"), None), Some((9, 1)), "x is extra");
    assert_eq!(judged(&FOUR, &done("b c d a"), None), Some((8, 1)), "one of four is out of order");
    assert_eq!(judged(&FOUR, &done("d c b a"), None), Some((8, 3)));
    assert_eq!(judged(&FOUR, &done("x y"), None), Some((6, 6)), "nothing is right: 1 - 6/6");
    assert_eq!(judged(&["a", "!b", "c"], &done("a c"), None), Some((4, 0)), "b may be left out");
    assert_eq!(judged(&["a", "!b", "c"], &done("a b c"), None), Some((5, 0)));
    assert_eq!(judged(&["!b"], &[record("b", 1, StepStatus::Skipped, None)], None), None, "nothing counts");
    assert_eq!(judged(&["b"], &[record("b", 1, StepStatus::Skipped, None)], None), Some((1, 1)));
}

#[test]
fn what_a_branch_leads_past_is_not_owed() {
    let owes = |steps: &[&str]| owed(&of(steps)).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(owes(&["a", "!b", "c"]), "a c");
    assert_eq!(owes(&["a>c", "b", "c", "d"]), "a c d");
    assert_eq!(owes(&["a", "b>.", "c", "d"]), "a b", "it may end there");
    assert_eq!(owes(&["a", "b>a", "c>c,b"]), "a b c", "back is not past");
}

#[test]
fn attempts_count_once_and_by_the_first() {
    let mut records = done("a b c d");
    records.push(record("a", 2, StepStatus::Failed, Some(9)));
    assert_eq!(judged(&FOUR, &records, None), Some((8, 0)), "done again after the others, in order at first");
    // Skipped at first and done later is done; failed is done too, in the sense that it was tried.
    let records = [record("a", 1, StepStatus::Skipped, Some(9)), record("a", 2, StepStatus::Failed, Some(1))];
    assert_eq!(judged(&["a"], &records, None), Some((2, 0)));
    // Without a time it is not known whether something is out of order.
    let records = [record("b", 1, StepStatus::Done, Some(1)), record("a", 1, StepStatus::Done, None)];
    assert_eq!(judged(&["a", "b"], &records, None), Some((4, 0)));
    let same = [record("b", 1, StepStatus::Done, Some(1)), record("a", 1, StepStatus::Done, Some(1))];
    assert_eq!(judged(&["a", "b"], &same, None), Some((4, 0)), "of one time");
}

#[test]
fn steps_of_a_branch_not_taken_are_not_skipped() {
    let forked = ["ask>yes,no", "yes", "yes-2>end", "no", "no-2", "end"];
    assert_eq!(judged(&forked, &done("ask yes yes-2 end"), None), Some((8, 0)));
    assert_eq!(judged(&forked, &done("ask no no-2 end"), None), Some((8, 0)));
    assert_eq!(judged(&forked, &done("ask no end"), None), Some((7, 1)), "no-2, which is on the way");
    // Having done a step of a branch, one owes the others of it, although a shorter way leads around.
    let around = ["ask>end", "b", "c", "end"];
    assert_eq!(judged(&around, &done("ask end"), None), Some((4, 0)));
    assert_eq!(judged(&around, &done("ask b end"), None), Some((7, 1)));
    assert_eq!(judged(&["ask>.", "b"], &done("ask"), None), Some((2, 0)), "to the end");
    assert_eq!(judged(&["a", "b>a", "c"], &done("a b"), None), Some((5, 1)), "back is no way around c");
}

#[test]
fn a_run_that_stopped_is_held_to_what_came_before() {
    for outcome in [Outcome::Failed, Outcome::Abandoned] {
        assert_eq!(judged(&FOUR, &done("a b"), Some(outcome)), Some((4, 0)));
        assert_eq!(judged(&FOUR, &done("a c"), Some(outcome)), Some((5, 1)), "b was skipped on the way");
        assert_eq!(judged(&FOUR, &[record("a", 1, StepStatus::Skipped, None)], Some(outcome)), None);
    }
    assert_eq!(judged(&FOUR, &done("a b"), Some(Outcome::Succeeded)), Some((6, 2)));
}

/// The longest increasing series by trying all of them.
fn longest(places: &[usize]) -> usize {
    (0_u32..1 << places.len())
        .filter_map(|chosen| {
            let taken: Vec<usize> = (0..places.len()).filter(|i| chosen >> i & 1 == 1).map(|i| places[i]).collect();
            taken.is_sorted().then_some(taken.len())
        })
        .max()
        .unwrap_or(0)
}

proptest! {
    #[test]
    fn out_of_order_is_what_the_longest_series_leaves(order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(), n in 0..8_usize) {
        let places = &order[..n];
        let keys: Vec<String> = (0..8).map(|n| format!("!s{n}")).collect();
        let steps: Vec<&str> = keys.iter().map(String::as_str).collect();
        let records: Vec<StepRecord> =
            (0..).zip(places).map(|(at, place)| record(&format!("s{place}"), 1, StepStatus::Done, Some(at))).collect();
        let found = judged(&steps, &records, None).map_or(0, |(_, deviations)| deviations);
        prop_assert_eq!(usize::try_from(found).unwrap(), n - longest(places));
    }

    #[test]
    fn deviations_are_never_more_than_checks(keys in prop::collection::vec((0..7_usize, 0..5_i64), 0..12), fails in any::<bool>()) {
        let name = |n: usize| ["a", "b", "c", "d", "e", "x", "y"][n];
        let records: Vec<StepRecord> =
            (0..).zip(&keys).map(|(n, (key, at))| record(name(*key), n, StepStatus::Done, Some(*at))).collect();
        let outcome = fails.then_some(Outcome::Failed);
        if let Some((checks, deviations)) = judged(&["a>c,d", "b", "!c>.", "d", "e"], &records, outcome) {
            prop_assert!(0 <= deviations && deviations <= checks, "{deviations} of {checks}");
        }
    }
}
