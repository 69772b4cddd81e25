use super::*;
use crate::time::{DAY, HOUR};

fn at(hours: i64) -> Timestamp {
    Timestamp::from_micros(hours * HOUR)
}

/// A stay in a stage that bears the name of its role, in hours.
fn stay(place: usize, role: &str, opened: i64, closed: Option<i64>) -> Stay {
    let (name, role) = (role.to_uppercase(), role.to_owned());
    Stay { place, name, role, opened_at: at(opened), closed_at: closed.map(at), escalated: opened == 7 }
}

fn passage(state: RequestState, stays: &[Stay]) -> Passage {
    let (first, last) = (stays.first().unwrap(), stays.last().unwrap());
    Passage { state, opened_at: first.opened_at, closed_at: last.closed_at, stays: stays.to_vec() }
}

fn counts(ends: &Ends) -> [i64; 4] {
    [ends.approved, ends.rejected, ends.withdrawn, ends.pending]
}

#[test]
fn stages_are_told_of_by_what_became_of_them() {
    use RequestState::{Approved, Open, Rejected, Withdrawn};
    let mut figures = Figures::default();
    for passage in [
        passage(Approved, &[stay(0, "reviewer", 0, Some(2)), stay(1, "approver", 2, Some(3))]),
        passage(Rejected, &[stay(0, "reviewer", 0, Some(4)), stay(1, "approver", 4, Some(8))]),
        passage(Rejected, &[stay(0, "reviewer", 0, Some(6))]),
        passage(Withdrawn, &[stay(0, "reviewer", 7, Some(8))]),
        passage(Open, &[stay(0, "reviewer", 7, Some(8)), stay(1, "approver", 8, None)]),
        passage(Open, &[stay(0, "approver", 9, None)]),
        passage(Open, &[stay(0, "reviewer", 10, None)]),
    ] {
        figures.add(passage, at(30));
    }
    assert_eq!((counts(&figures.ends), figures.ends.all()), ([1, 2, 1, 3], 7));
    assert_eq!(figures.ends.rejection(), Ratio { numerator: 2, denominator: 3 });
    assert_eq!(figures.ends.oldest_pending, Some(at(7)));
    let stages = figures.stages();
    // A request that begins with the approval does not put it before the review.
    let told: Vec<_> = stages.iter().map(|s| (s.name.as_str(), s.place, counts(&s.ends), s.escalated)).collect();
    assert_eq!(told, [("REVIEWER", 0, [3, 1, 1, 1], 2), ("APPROVER", 1, [1, 1, 0, 2], 0)]);
    let waited = |role: &str, pending, since| WaitedFor { role: role.to_owned(), pending, oldest_pending: at(since) };
    assert_eq!(figures.waited_for(), [waited("approver", 2, 8), waited("reviewer", 1, 10)]);
}

#[test]
fn a_growing_queue_does_not_look_like_progress() {
    let mut figures = Figures::default();
    for hours in 1..=10 {
        figures.add(passage(RequestState::Approved, &[stay(0, "approver", 0, Some(hours))]), at(30 * 24));
    }
    let median = |figures: &Figures| figures.ends.incidence().percentile(50).map(|reached| reached.value);
    #[expect(clippy::cast_precision_loss, reason = "some hours")]
    let hours = |hours: i64| Some((hours * HOUR) as f64);
    assert_eq!(median(&figures), hours(5));
    for _ in 0..4 {
        figures.add(passage(RequestState::Open, &[stay(0, "approver", 0, None)]), Timestamp::from_micros(30 * DAY));
    }
    assert_eq!(median(&figures), hours(7), "the seventh of fourteen");
    for _ in 0..7 {
        figures.add(passage(RequestState::Withdrawn, &[stay(0, "approver", 0, Some(1))]), at(30 * 24));
    }
    assert_eq!(median(&figures), None, "ten of twenty-one");
}

#[test]
fn a_clock_that_went_back_makes_no_time_negative() {
    let mut figures = Figures::default();
    figures.add(passage(RequestState::Open, &[stay(0, "approver", 9, None)]), at(8));
    figures.add(passage(RequestState::Approved, &[stay(0, "approver", 9, Some(8))]), at(8));
    assert_eq!(figures.ends.incidence().percentile(50).map(|reached| reached.value), Some(0.0));
}
