//! The step records of a simulated run.

use rand::Rng;
use rand::rngs::StdRng;
use sopwith_domain::execution::{Adherence, Outcome, StepRecord, StepStatus};
use sopwith_domain::time::{SECOND, Timestamp};

use super::profile::{Profile, Route};

/// What is known of a run when its steps are laid out.
pub struct Frame<'a> {
    /// Keys of the version's steps, in order.
    pub keys: &'a [String],
    /// How the process goes.
    pub profile: &'a Profile,
    /// The way that is taken.
    pub route: &'a Route,
    /// When the run began.
    pub started: Timestamp,
    /// How long all of it takes, in seconds.
    pub seconds: i64,
    /// Whether the procedure is followed.
    pub adherence: Option<Adherence>,
    /// How the run ends.
    pub outcome: Outcome,
    /// Whether a step fails at first.
    pub stumbles: bool,
}

type Beat<'a> = (&'a str, i32, StepStatus);

/// The records of a run, one after the other from its start to its end.
pub fn records(frame: &Frame, rng: &mut StdRng) -> Vec<StepRecord> {
    let mut beats = walk(frame, rng);
    if frame.adherence == Some(Adherence::Deviated) {
        deviate(&mut beats, rng);
    }
    match frame.outcome {
        Outcome::Succeeded if frame.stumbles => stumble(&mut beats, rng),
        Outcome::Succeeded => {}
        Outcome::Failed => stop(&mut beats, Some(StepStatus::Failed), rng),
        Outcome::Abandoned => stop(&mut beats, None, rng),
    }
    lay_out(&beats, frame, rng)
}

fn walk<'a>(frame: &Frame<'a>, rng: &mut StdRng) -> Vec<Beat<'a>> {
    let left_out: Vec<&str> = frame.profile.optional.iter().copied().filter(|_| rng.random_bool(0.4)).collect();
    let keys = frame.keys.iter().map(String::as_str);
    let taken = keys.filter(|key| !frame.route.without.contains(key) && !left_out.contains(key));
    taken.map(|key| (key, 1, StepStatus::Done)).collect()
}

/// Leaves a step out, or does two of them the other way round.
fn deviate(beats: &mut [Beat], rng: &mut StdRng) {
    if beats.len() < 2 {
        return;
    }
    let at = rng.random_range(0..beats.len() - 1);
    if rng.random_bool(0.6) {
        beats[at].2 = StepStatus::Skipped;
    } else {
        beats.swap(at, at + 1);
    }
}

/// One step fails, and works at the second attempt.
fn stumble(beats: &mut Vec<Beat>, rng: &mut StdRng) {
    let done: Vec<usize> = (0..beats.len()).filter(|at| beats[*at].2 == StepStatus::Done).collect();
    if !done.is_empty() {
        let at = done[rng.random_range(0..done.len())];
        let (key, attempt, _) = beats[at];
        beats[at].2 = StepStatus::Failed;
        beats.insert(at + 1, (key, attempt + 1, StepStatus::Done));
    }
}

/// The run ends on the way; its last step gets this status.
fn stop(beats: &mut Vec<Beat>, last: Option<StepStatus>, rng: &mut StdRng) {
    beats.truncate(rng.random_range(1..=beats.len().max(1)));
    if let (Some(status), Some(beat)) = (last, beats.last_mut()) {
        beat.2 = status;
    }
}

fn lay_out(beats: &[Beat], frame: &Frame, rng: &mut StdRng) -> Vec<StepRecord> {
    let weight = |status| if status == StepStatus::Skipped { 0 } else { rng.random_range(20..=100) };
    let weights: Vec<i64> = beats.iter().map(|beat| beat.2).map(weight).collect();
    let total = weights.iter().sum::<i64>().max(1);
    let mut done = 0;
    let mut record = |(&(key, attempt, status), weight): (&Beat, &i64)| {
        let mut at = |share: i64| {
            done += share;
            (status != StepStatus::Skipped).then(|| frame.started.plus(frame.seconds * done / total * SECOND))
        };
        StepRecord { key: key.to_owned(), attempt, started_at: at(0), finished_at: at(*weight), status }
    };
    beats.iter().zip(&weights).map(&mut record).collect()
}
