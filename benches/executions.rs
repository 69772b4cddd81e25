//! Executions by their number: every value comes from hashes of it, so that each run has the same ones.

use std::f64::consts::PI;
use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::site::{TEAMS, code, team_key};

/// People who perform them.
const PEOPLE: u64 = 200;
/// One in so many is of the first SOP: the busy one.
const BUSY: u64 = 50;
/// The time before now over which they lie, in milliseconds.
const YEAR: f64 = 365.0 * 86_400_000.0;

/// An execution.
#[derive(Debug)]
pub struct Execution {
    n: u64,
    sop: u64,
    started: DateTime<Utc>,
    finished: DateTime<Utc>,
    outcome: &'static str,
    errors: u64,
    followed: bool,
}

impl Execution {
    /// The n-th, of an organisation with so many SOPs, `at` a part of the year before a time: from 0 for its beginning to 1.
    /// The durations are log-normal: median five minutes, sigma 0.6 (Box and Muller 1958).
    pub fn new(n: u64, at: f64, sops: u64, now: DateTime<Utc>) -> Self {
        let ago = YEAR * (1.0 - at);
        let started = now - TimeDelta::milliseconds(ago as i64);
        let normal = (-2.0 * (1.0 - uniform(n, 2)).ln()).sqrt() * (2.0 * PI * uniform(n, 3)).cos();
        let took = (300_000.0 * (0.6 * normal).exp()).max(1.0) as i64;
        let ended = uniform(n, 4);
        let succeeded = ended < 0.92;
        Self {
            n,
            sop: if n.is_multiple_of(BUSY) { 0 } else { (uniform(n, 7) * sops as f64) as u64 },
            started,
            // No run ends after now.
            finished: (started + TimeDelta::milliseconds(took)).min(now),
            outcome: if succeeded {
                "SUCCEEDED"
            } else if ended < 0.98 {
                "FAILED"
            } else {
                "ABANDONED"
            },
            errors: if succeeded { 0 } else { 1 + n % 3 },
            followed: uniform(n, 5) < 0.8,
        }
    }

    /// As JSON: `series` tells it from the same one sent in another measurement.
    pub fn write(&self, series: &str, text: &mut String) {
        let (n, at) = (self.n, |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true));
        let adherence = if self.followed { "FOLLOWED" } else { "NOT_FOLLOWED" };
        write!(
            text,
            r#"{{"eventId":"{series}-{n}","runId":"{series}-{n}","sop":"{}","team":"{}","startedAt":"{}","finishedAt":"{}","outcome":"{}","adherence":"{adherence}","errors":{},"actor":{{"subject":"person-{}"}}"#,
            code(self.sop), team_key(n * 7 % TEAMS), at(&self.started), at(&self.finished), self.outcome, self.errors, n * 13 % PEOPLE,
        )
        .expect("writing to a text");
        if uniform(n, 6) < 0.3 {
            write!(text, r#","satisfaction":{{"score":{},"by":"CUSTOMER"}}"#, 1 + n % 5).expect("writing to a text");
        }
        text.push('}');
    }
}

/// Where in the year the n-th lies, when they come in no order.
pub fn anywhere(n: u64) -> f64 {
    uniform(n, 1)
}

/// A number in [0, 1) (the finaliser of `SplitMix64`, Steele et al. 2014).
fn uniform(n: u64, salt: u64) -> f64 {
    let mut z = (n.wrapping_mul(16).wrapping_add(salt)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
