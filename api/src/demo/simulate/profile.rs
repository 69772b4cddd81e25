//! How each process goes in the simulation, who performs it, and what following its procedure is worth.

use sopwith_domain::execution::{Adherence, Severity};

/// How the runs of a process go.
pub struct Profile {
    process: &'static str,
    /// How many runs end up in the 90 days.
    pub runs: u32,
    /// The usual time to complete, in seconds, when the procedure is followed.
    pub median: f64,
    /// Spread of the time: standard deviation of its logarithm.
    pub sigma: f64,
    /// The share that follows the procedure once it is known, from 0 to 1.
    pub followed: f64,
    /// Whether runs begin on weekdays between 8 and 18 only.
    pub office_hours: bool,
    /// The rule that is broken when one is: kind, severity, detail.
    pub violation: (&'static str, Severity, &'static str),
    /// The ways through the procedure.
    pub routes: &'static [Route],
    /// Steps that may be left out.
    pub optional: &'static [&'static str],
}

/// One way through a procedure.
pub struct Route {
    /// How often it is taken, beside the others.
    pub weight: u32,
    /// How much of the usual time it takes.
    pub length: f64,
    /// Steps of branches that it does not take.
    pub without: &'static [&'static str],
}

/// The probabilities of what can go wrong in a run.
pub struct Odds {
    /// At least one error.
    pub errors: f64,
    /// Work done again.
    pub rework: f64,
    /// A breach of a rule.
    pub violation: f64,
    /// Failing in the end.
    pub failed: f64,
    /// Being given up.
    pub abandoned: f64,
    /// By how much the run takes longer.
    pub length: f64,
}

/// Someone who performs runs.
pub struct Actor {
    /// Their id at the source.
    pub subject: &'static str,
    /// Their name.
    pub name: &'static str,
    /// Key of their team.
    pub team: &'static str,
    /// Their time, as a multiple of the usual one.
    pub pace: f64,
}

impl Profile {
    /// The profile of a process; a plain one for those that have none of their own.
    pub fn of(process: &str) -> &'static Self {
        PROFILES.iter().find(|p| p.process == process).unwrap_or(&PLAIN)
    }
}

impl Odds {
    /// What can go wrong in a run of this adherence; none is a run before there was a procedure.
    pub fn of(adherence: Option<Adherence>) -> Self {
        let [errors, rework, violation, failed, abandoned, length] = match adherence {
            Some(Adherence::Followed) => [0.06, 0.05, 0.015, 0.02, 0.015, 1.0],
            Some(Adherence::Deviated) => [0.22, 0.18, 0.12, 0.06, 0.04, 1.15],
            Some(Adherence::NotFollowed) => [0.38, 0.30, 0.35, 0.12, 0.06, 1.35],
            Some(Adherence::Unknown) => [0.15, 0.12, 0.08, 0.05, 0.03, 1.2],
            None => [0.24, 0.20, 0.12, 0.07, 0.04, 1.3],
        };
        Self { errors, rework, violation, failed, abandoned, length }
    }
}

const STRAIGHT: Route = Route { weight: 1, length: 1.0, without: &[] };

const PLAIN: Profile = Profile {
    process: "",
    runs: 60,
    median: 1_800.0,
    sigma: 0.4,
    followed: 0.8,
    office_hours: true,
    violation: ("EVIDENCE_MISSING", Severity::Minor, "The record of the run is incomplete."),
    routes: &[STRAIGHT],
    optional: &[],
};

const PROFILES: [Profile; 6] = [
    Profile {
        process: "password-reset",
        runs: 255,
        median: 660.0,
        sigma: 0.45,
        followed: 0.9,
        office_hours: true,
        violation: ("IDENTITY_NOT_VERIFIED", Severity::Major, "The ticket names no facts that were checked."),
        routes: &[STRAIGHT],
        optional: &["send-guidance"],
    },
    Profile {
        process: "deploy-to-production",
        runs: 150,
        median: 3_000.0,
        sigma: 0.3,
        followed: 0.86,
        office_hours: true,
        violation: ("GO_AHEAD_MISSING", Severity::Major, "The canary was started without the release manager."),
        routes: &[
            Route { weight: 91, length: 1.0, without: &["roll-back"] },
            Route { weight: 6, length: 0.8, without: &["roll-out", "verify-release"] },
            Route { weight: 3, length: 1.2, without: &[] },
        ],
        optional: &["note-observations"],
    },
    Profile {
        process: "database-failover",
        runs: 8,
        median: 6_600.0,
        sigma: 0.3,
        followed: 0.85,
        office_hours: false,
        violation: (
            "FENCING_NOT_CONFIRMED",
            Severity::Critical,
            "Nobody else checked that the old primary is shut off.",
        ),
        routes: &[
            Route { weight: 3, length: 1.0, without: &["accept-data-loss"] },
            Route { weight: 1, length: 1.1, without: &[] },
        ],
        optional: &["note-recovery-figures"],
    },
    Profile {
        process: "onboard-employee",
        runs: 40,
        // Nearly all of it is waiting: from the signed contract to the end of the first week.
        median: 9.0 * 86_400.0,
        sigma: 0.2,
        followed: 0.82,
        office_hours: true,
        violation: (
            "ACCESS_NOT_APPROVED",
            Severity::Major,
            "A right beyond the profile has no agreement of its owner.",
        ),
        routes: &[
            Route { weight: 2, length: 1.0, without: &["ship-laptop"] },
            Route { weight: 1, length: 1.05, without: &[] },
        ],
        optional: &["introduce-buddy"],
    },
    Profile {
        process: "rotate-tls-certificate",
        runs: 60,
        median: 2_300.0,
        sigma: 0.4,
        // The one with an adoption problem, so that the dashboards have something to show.
        followed: 0.5,
        office_hours: true,
        violation: ("KEY_REUSED", Severity::Minor, "The signing request was made with the previous key."),
        // The old key is deleted a week later, outside of what is measured.
        routes: &[
            Route { weight: 19, length: 1.0, without: &["restore-previous", "delete-old-key"] },
            Route { weight: 1, length: 1.3, without: &["delete-old-key"] },
        ],
        optional: &[],
    },
    Profile {
        process: "security-incident-triage",
        runs: 84,
        median: 3_600.0,
        sigma: 0.5,
        followed: 0.84,
        office_hours: false,
        violation: (
            "EVIDENCE_NOT_PRESERVED",
            Severity::Critical,
            "The host was restarted before its memory was saved.",
        ),
        routes: &[
            Route {
                weight: 55,
                length: 0.35,
                without: &[
                    "rate-severity",
                    "page-commander",
                    "preserve-evidence",
                    "contain",
                    "assess-personal-data",
                    "notify-data-protection",
                    "hand-over",
                ],
            },
            Route { weight: 25, length: 0.9, without: &["page-commander", "notify-data-protection"] },
            Route { weight: 15, length: 1.0, without: &["notify-data-protection"] },
            Route { weight: 5, length: 1.2, without: &[] },
        ],
        optional: &["tune-detection"],
    },
];

/// All who perform runs.
pub const ACTORS: [Actor; 12] = [
    Actor { subject: "sim-amina-haddad", name: "Amina Haddad", team: "service-desk", pace: 0.85 },
    Actor { subject: "sim-jonas-weber", name: "Jonas Weber", team: "service-desk", pace: 1.0 },
    Actor { subject: "sim-priya-nair", name: "Priya Nair", team: "service-desk", pace: 0.95 },
    Actor { subject: "sim-tom-okafor", name: "Tom Okafor", team: "service-desk", pace: 1.25 },
    Actor { subject: "sim-lena-fischer", name: "Lena Fischer", team: "platform", pace: 0.9 },
    Actor { subject: "sim-diego-romero", name: "Diego Romero", team: "platform", pace: 1.05 },
    Actor { subject: "sim-mei-tanaka", name: "Mei Tanaka", team: "platform", pace: 0.95 },
    Actor { subject: "sim-sam-taylor", name: "Sam Taylor", team: "platform", pace: 1.15 },
    Actor { subject: "sim-clara-jensen", name: "Clara Jensen", team: "people-ops", pace: 0.95 },
    Actor { subject: "sim-yusuf-demir", name: "Yusuf Demir", team: "people-ops", pace: 1.05 },
    Actor { subject: "sim-nadia-petrova", name: "Nadia Petrova", team: "security", pace: 0.9 },
    Actor { subject: "sim-ben-carter", name: "Ben Carter", team: "security", pace: 1.1 },
];

#[cfg(test)]
mod tests {
    use super::super::super::samples::{SampleStage, samples};
    use super::*;

    #[test]
    fn every_published_sample_has_a_profile_whose_steps_it_knows() {
        for sample in samples().unwrap().iter().filter(|s| s.stage == SampleStage::Published) {
            let profile = Profile::of(sample.process_key);
            assert_eq!(profile.process, sample.process_key);
            let named = profile.routes.iter().flat_map(|r| r.without).chain(profile.optional);
            for (key, (_, content)) in named.flat_map(|k| sample.versions.iter().map(move |v| (k, v))) {
                assert!(content.steps.iter().any(|s| s.key == *key), "{}: {key}", sample.process_key);
            }
            for (_, content) in &sample.versions {
                let left_out = |key: &str| content.steps.iter().any(|s| s.key == key && !s.mandatory);
                assert!(profile.optional.iter().all(|key| left_out(key)), "{}", sample.process_key);
            }
        }
    }

    /// A run may only leave out what a branch leads past, or what is not mandatory.
    #[test]
    fn every_route_is_one_that_the_branches_allow() {
        for sample in samples().unwrap().iter().filter(|s| s.stage == SampleStage::Published) {
            for (route, (_, content)) in
                Profile::of(sample.process_key).routes.iter().flat_map(|r| sample.versions.iter().map(move |v| (r, v)))
            {
                let walked: Vec<_> =
                    content.steps.iter().filter(|s| !route.without.contains(&s.key.as_str())).collect();
                for pair in walked.windows(2) {
                    let at = content.steps.iter().position(|s| s.key == pair[0].key).unwrap();
                    let next = content.steps[at + 1..].iter().find(|s| s.mandatory || s.key == pair[1].key);
                    let branches = &pair[0].branches;
                    let allowed = branches.iter().any(|b| b.go_to == pair[1].key)
                        || branches.is_empty() && next.is_some_and(|s| s.key == pair[1].key);
                    assert!(allowed, "{}: {} to {}", sample.process_key, pair[0].key, pair[1].key);
                }
            }
        }
    }
}
