//! Made-up executions of the published samples, so that the dashboards of `demo` show something. Everyone in them is
//! invented, and every report says that it is simulated.

mod chance;
mod profile;
mod steps;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sopwith_domain::execution::{ActorRef, Adherence, Outcome, Report, Satisfaction, SatisfactionBy, Violation};
use sopwith_domain::time::{DAY, HOUR, SECOND, Timestamp};

use profile::{ACTORS, Actor, Odds, Profile};
use steps::Frame;

/// What has been published for one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFacts {
    /// Key of the process.
    pub process_key: String,
    /// Key of the team that performs it.
    pub team_key: String,
    /// Code of its SOP.
    pub sop_code: String,
    /// Every version that is or was in force, in any order.
    pub versions: Vec<VersionFacts>,
}

/// What has been published as one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Its label, such as `2.0`.
    pub label: String,
    /// From when on it was in force.
    pub in_force_from: Timestamp,
    /// Keys of its steps, in order: the steps that runs on it report.
    pub step_keys: Vec<String>,
}

/// How far back the runs begin, in days.
pub const DAYS: i64 = 90;

/// About 600 runs of the samples, in the order of their events, none later than `now`. Runs that began before any
/// version was in force name neither SOP nor version. The same arguments give the same reports.
#[must_use]
pub fn reports(now: Timestamp, facts: &[PublishedFacts], seed: u64) -> Vec<Report> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut all: Vec<Report> = facts
        .iter()
        .flat_map(|facts| Scene { now, facts, profile: Profile::of(&facts.process_key) }.play(&mut rng))
        .collect();
    all.sort_by(|a, b| (a.occurred_at, &a.event_id).cmp(&(b.occurred_at, &b.event_id)));
    all
}

/// One process, over the whole time.
struct Scene<'a> {
    now: Timestamp,
    facts: &'a PublishedFacts,
    profile: &'static Profile,
}

/// What is settled of a run before it is played.
struct Plan<'a> {
    started: Timestamp,
    seconds: i64,
    running: bool,
    adherence: Option<Adherence>,
    /// The version that the run reports, if it does.
    version: Option<&'a VersionFacts>,
    actor: &'static Actor,
    odds: Odds,
}

impl<'a> Scene<'a> {
    fn play(&self, rng: &mut StdRng) -> Vec<Report> {
        let mut runs: Vec<Report> = (1..=self.profile.runs)
            .map(|n| {
                let started = self.draw_start(rng);
                self.run(n, started, false, rng)
            })
            .collect();
        // One that is sure to be under way.
        let elapsed = whole_seconds(self.profile.median * rng.random_range(0.1..0.6));
        runs.push(self.run(self.profile.runs + 1, self.now.plus(-elapsed * SECOND), true, rng));
        runs
    }

    fn draw_start(&self, rng: &mut StdRng) -> Timestamp {
        let mut draw = || self.now.plus(-rng.random_range(HOUR / SECOND..DAYS * DAY / SECOND) * SECOND);
        let mut started = draw();
        // Three draws in ten hit office hours: fifty that all miss are as good as never, and harmless.
        for _ in 0..50 {
            if !self.profile.office_hours || in_office_hours(started) {
                break;
            }
            started = draw();
        }
        started
    }

    fn run(&self, n: u32, started: Timestamp, under_way: bool, rng: &mut StdRng) -> Report {
        let route = &self.profile.routes[chance::weighted(self.profile.routes.iter().map(|r| r.weight), rng)];
        let plan = self.plan(started, route.length, under_way, rng);
        let mut report = self.skeleton(n, &plan);
        let outcome = draw_outcome(&plan.odds, rng);
        let errors = chance::count(plan.odds.errors, rng).max(i32::from(outcome == Outcome::Failed));
        if let Some(version) = plan.version {
            let frame = Frame {
                keys: &version.step_keys,
                profile: self.profile,
                route,
                started,
                seconds: plan.seconds,
                adherence: plan.adherence,
                outcome,
                stumbles: errors > 0,
            };
            report.steps = steps::records(&frame, rng);
        }
        if plan.running {
            report.steps =
                report.steps.into_iter().take_while(|s| s.finished_at.is_none_or(|t| t <= self.now)).collect();
            let last = report.steps.iter().filter_map(|s| s.finished_at).max();
            report.occurred_at = last.or(Some(started));
        } else {
            self.finish(&mut report, &plan, outcome, errors, rng);
        }
        report
    }

    fn plan(&self, started: Timestamp, length: f64, under_way: bool, rng: &mut StdRng) -> Plan<'a> {
        let adherence = self.draw_adherence(started, rng);
        let version = self.draw_version(started, adherence, rng);
        let (odds, actor) = (Odds::of(adherence), self.draw_actor(rng));
        let usual = chance::log_normal(self.profile.median, self.profile.sigma, rng);
        let gain = version.map_or(1.0, |v| gain_of(&v.label));
        let seconds = whole_seconds(usual * length * odds.length * actor.pace * gain);
        let running = under_way || started.plus(seconds * SECOND) > self.now;
        Plan { started, seconds, running, adherence, version, actor, odds }
    }

    fn skeleton(&self, n: u32, plan: &Plan) -> Report {
        let run_id = format!("sim-{}-{n:04}", self.facts.process_key);
        let last_word = if plan.running { "progress" } else { "finish" };
        Report {
            event_id: format!("{run_id}-{last_word}"),
            run_id,
            revision: 1,
            process: Some(self.facts.process_key.clone()),
            sop: self.in_force(plan.started).map(|_| self.facts.sop_code.clone()),
            version: plan.version.map(|v| v.label.clone()),
            team: Some(self.facts.team_key.clone()),
            actor: Some(ActorRef { subject: plan.actor.subject.into(), name: Some(plan.actor.name.into()) }),
            started_at: Some(plan.started),
            attributes: Some(BTreeMap::from([("simulated".into(), "true".into())])),
            ..Report::default()
        }
    }

    fn finish(&self, report: &mut Report, plan: &Plan, outcome: Outcome, errors: i32, rng: &mut StdRng) {
        let finished = plan.started.plus(plan.seconds * SECOND);
        (report.finished_at, report.occurred_at) = (Some(finished), Some(finished));
        (report.outcome, report.adherence) = (Some(outcome), plan.adherence);
        (report.errors, report.rework) = (Some(errors), Some(chance::count(plan.odds.rework, rng)));
        let (kind, severity, detail) = self.profile.violation;
        let violation = Violation { kind: kind.into(), severity, detail: detail.into() };
        report.violations = Some(rng.random_bool(plan.odds.violation).then_some(violation).into_iter().collect());
        let pleasant = errors == 0 && plan.adherence == Some(Adherence::Followed);
        report.satisfaction = rng.random_bool(0.34).then(|| draw_satisfaction(pleasant, rng));
    }

    fn in_force(&self, at: Timestamp) -> Option<&'a VersionFacts> {
        self.facts.versions.iter().filter(|v| v.in_force_from <= at).max_by_key(|v| v.in_force_from)
    }

    /// Whether the procedure is followed: more and more often during its first month. None while there is none.
    fn draw_adherence(&self, started: Timestamp, rng: &mut StdRng) -> Option<Adherence> {
        let since = self.facts.versions.iter().map(|v| v.in_force_from).min().filter(|from| *from <= started)?;
        let days = i32::try_from(started.since(since) / DAY).unwrap_or(i32::MAX);
        let known = (f64::from(days) / 30.0).min(1.0);
        if rng.random_bool(self.profile.followed * (0.8 + 0.2 * known)) {
            return Some(Adherence::Followed);
        }
        let others = [Adherence::Deviated, Adherence::NotFollowed, Adherence::Unknown];
        Some(others[chance::weighted([5, 3, 2].into_iter(), rng)])
    }

    /// The version that a run names. Who did not follow one names none, nor do a few others; in the first days of a
    /// new version some still work by the one before.
    fn draw_version(&self, at: Timestamp, adherence: Option<Adherence>, rng: &mut StdRng) -> Option<&'a VersionFacts> {
        let named = matches!(adherence, Some(Adherence::Followed | Adherence::Deviated)) && rng.random_bool(0.94);
        let current = self.in_force(at).filter(|_| named)?;
        let fresh = at.since(current.in_force_from) < 10 * DAY;
        let before = self.in_force(current.in_force_from.plus(-1));
        before.filter(|_| fresh && rng.random_bool(0.25)).or(Some(current))
    }

    fn draw_actor(&self, rng: &mut StdRng) -> &'static Actor {
        let team: Vec<&Actor> = ACTORS.iter().filter(|a| a.team == self.facts.team_key).collect();
        team.choose(rng).copied().unwrap_or_else(|| &ACTORS[rng.random_range(0..ACTORS.len())])
    }
}

fn draw_outcome(odds: &Odds, rng: &mut StdRng) -> Outcome {
    match rng.random::<f64>() {
        x if x < odds.failed => Outcome::Failed,
        x if x < odds.failed + odds.abandoned => Outcome::Abandoned,
        _ => Outcome::Succeeded,
    }
}

fn draw_satisfaction(pleasant: bool, rng: &mut StdRng) -> Satisfaction {
    let weights = if pleasant { [1, 2, 10, 40, 47] } else { [8, 17, 30, 30, 15] };
    let score = (1..=5).nth(chance::weighted(weights.into_iter(), rng)).unwrap_or(5);
    let by = if rng.random_bool(0.7) { SatisfactionBy::Customer } else { SatisfactionBy::Performer };
    Satisfaction { score, by }
}

/// What a version makes of the time: each major one after the first saves 15%.
fn gain_of(label: &str) -> f64 {
    let major = label.split('.').next().and_then(|n| n.parse::<i32>().ok()).unwrap_or(1);
    0.85_f64.powi((major - 1).clamp(0, 5))
}

/// Weekdays from 8 to 18, UTC.
fn in_office_hours(at: Timestamp) -> bool {
    // The epoch was a Thursday: three days after a Monday.
    let weekday = (at.micros().div_euclid(DAY) + 3).rem_euclid(7);
    weekday < 5 && (8..18).contains(&(at.micros().rem_euclid(DAY) / HOUR))
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a range that fits")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.clamp(20.0, 60.0 * 86_400.0) as i64
}

#[cfg(test)]
mod tests;
