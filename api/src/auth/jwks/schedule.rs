//! When a key set is fetched: at an interval, after failures with a growing pause, and at once for a key that is not
//! known, but for such keys only so often. Time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often a key set is fetched.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From one fetch to the next while all goes well.
    pub interval: Duration,
    /// For how long after a fetch on demand, or after one that failed, no other is made on demand.
    pub cooldown: Duration,
}

/// When the next fetch is due, and from when on one may be demanded.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    due: Instant,
    demand_from: Instant,
    failures: u32,
}

impl Schedule {
    /// The first fetch is due at once.
    #[must_use]
    pub fn new(pace: Pace, now: Instant) -> Self {
        Self { pace, due: now, demand_from: now, failures: 0 }
    }

    /// When the next fetch is to be made by itself.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Whether a fetch may be made now for a key that is not known. If so, the cool-down begins: whoever makes keys up
    /// causes no more fetches than that.
    pub fn demand(&mut self, now: Instant) -> bool {
        let allowed = now >= self.demand_from;
        if allowed {
            self.demand_from = now + self.pace.cooldown;
        }
        allowed
    }

    /// A fetch went well.
    pub fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        self.due = now + self.pace.interval;
    }

    /// A fetch failed. Answers with the pause until the next.
    pub fn failed(&mut self, now: Instant) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures));
        let pause = doubled.min(LONGEST_PAUSE).min(self.pace.interval);
        self.failures = self.failures.saturating_add(1);
        self.due = now + pause;
        self.demand_from = self.demand_from.max(now + self.pace.cooldown);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval: Duration::from_mins(10), cooldown: Duration::from_secs(30) };

    fn schedule(pace: Pace) -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule::new(pace, now), now)
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn fetches_at_once_and_then_at_the_interval() {
        let (mut schedule, start) = schedule(PACE);
        assert_eq!(schedule.due(), start);
        schedule.succeeded(at(start, 2));
        assert_eq!(schedule.due(), at(start, 602));
    }

    #[test]
    fn failures_are_tried_again_with_growing_pauses() {
        let (mut schedule, start) = schedule(PACE);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pauses.push(schedule.failed(now).as_secs());
            assert!(schedule.due() > now);
            now = schedule.due();
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        schedule.succeeded(now);
        assert_eq!(schedule.due(), now + PACE.interval);
        assert_eq!(schedule.failed(now).as_secs(), 1, "it begins anew");
        let (mut brisk, start) = self::schedule(Pace { interval: Duration::from_secs(3), ..PACE });
        let pauses: Vec<_> = (0..40).map(|_| brisk.failed(start).as_secs()).collect();
        assert_eq!((pauses[1], pauses[2], pauses[39]), (2, 3, 3), "never longer than the interval");
    }

    #[test]
    fn demand_is_met_once_per_cooldown() {
        let (mut schedule, start) = schedule(PACE);
        let met: Vec<u64> = (0..100).filter(|second| schedule.demand(at(start, *second))).collect();
        assert_eq!(met, [0, 30, 60, 90]);
    }

    #[test]
    fn a_fetch_by_itself_does_not_keep_demand_off_unless_it_fails() {
        let (mut schedule, start) = schedule(PACE);
        schedule.succeeded(at(start, 100));
        assert!(schedule.demand(at(start, 101)), "keys may rotate right after");
        schedule.failed(at(start, 140));
        assert!(!schedule.demand(at(start, 169)), "the provider is down: it is not asked by everyone");
        assert!(schedule.demand(at(start, 170)));
        schedule.failed(at(start, 171));
        schedule.failed(at(start, 150));
        assert!(!schedule.demand(at(start, 200)) && schedule.demand(at(start, 201)), "it is never made shorter");
    }
}
