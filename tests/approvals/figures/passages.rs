//! Approval requests of every kind, as the test knows them, and how they come into the database: a year of them cannot be
//! waited for.

use std::fmt::Write as _;

use chrono::{DateTime, Duration, TimeZone as _, Utc};

use crate::story::{Draft, Place, draft, process};
use crate::support::{Dice, World, literal};

/// An SOP that requests are about.
pub struct Subject {
    pub draft: Draft,
    pub team: &'static str,
    /// Who asks.
    pub person: String,
}

/// SOPs with drafts: one for each name.
pub async fn subjects(place: &Place, team: &'static str, names: &[&str]) -> Vec<Subject> {
    let person = crate::story::person(&place.author).await;
    let mut all = Vec::new();
    for name in names {
        let process = process(&place.author, &place.team.clone().into(), name).await;
        let draft = draft(place, &place.author, &process, name).await;
        all.push(Subject { draft, team, person: person.clone() });
    }
    all
}

/// The time of a request in a stage. What became of it is `APPROVED`, `REJECTED`, `WITHDRAWN` or `OPEN`.
#[derive(Clone, Debug)]
pub struct Stay {
    pub name: &'static str,
    pub role: &'static str,
    pub opened: DateTime<Utc>,
    pub closed: Option<DateTime<Utc>>,
    pub became: &'static str,
    pub escalated: bool,
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Passage {
    pub sop: usize,
    pub team: &'static str,
    pub code: String,
    pub kind: &'static str,
    pub stays: Vec<Stay>,
}

impl Passage {
    pub fn opened(&self) -> DateTime<Utc> {
        self.stays[0].opened
    }

    pub fn last(&self) -> &Stay {
        self.stays.last().expect("a stage")
    }
}

/// The stages of each kind: of two kinds the approval is the same stage, in other places.
pub fn stages(kind: &str) -> &'static [(&'static str, &'static str)] {
    match kind {
        "MATERIAL" => &[("Review", "reviewer"), ("Security", "security"), ("Approval", "approver")],
        "EDITORIAL" => &[("Approval", "approver")],
        _ => &[("Retirement", "approver")],
    }
}

/// Times in stages are so many hours and less than ten minutes, and what waits has done so for half an hour more: so it
/// does not matter how long the test takes until it asks.
fn takes(dice: &mut Dice) -> Duration {
    let hours = if dice.roll(6) == 0 { 0 } else { dice.roll(96) };
    Duration::microseconds(i64::try_from(hours * 3_600_000_000 + dice.roll(600_000_000)).expect("some days"))
}

/// Requests that have ended, and one that is open for each SOP but the last of its team; the same each time.
pub fn passages(subjects: &[Subject], now: DateTime<Utc>) -> Vec<Passage> {
    let mut dice = Dice::new(11);
    let first = Utc.with_ymd_and_hms(2025, 1, 30, 0, 0, 0).unwrap();
    let mut all = Vec::new();
    for _ in 0..260 {
        let within = dice.roll(100 * 86_400) * 1_000_000 + dice.roll(1_000_000);
        let opened = first + Duration::microseconds(i64::try_from(within).expect("some months"));
        let (sop, kind) = (dice.place(subjects.len()), dice.pick(&["MATERIAL", "MATERIAL", "EDITORIAL", "RETIREMENT"]));
        let mut stays = walk(&mut dice, kind, opened, stages(kind).len());
        let cut = stays.iter().position(|stay| stay.became != "APPROVED").map_or(stays.len(), |n| n + 1);
        stays.truncate(cut);
        all.push(passage(subjects, sop, kind, stays));
    }
    for sop in (0..subjects.len()).filter(|n| subjects.get(n + 1).is_some_and(|next| next.team == subjects[*n].team)) {
        let (reached, long) = ([0, 2, 1, 0][sop % 4], i64::try_from(dice.roll(60)).expect("some hours"));
        let waits = Duration::hours(long + 200 * reached) + Duration::minutes(30);
        let mut stays = walk(&mut dice, "MATERIAL", now - waits, usize::try_from(reached).expect("a place") + 1);
        for stay in &mut stays {
            stay.became = "APPROVED";
        }
        let last = stays.last_mut().expect("a stage");
        (last.became, last.closed) = ("OPEN", None);
        all.push(passage(subjects, sop, "MATERIAL", stays));
    }
    all
}

fn walk(dice: &mut Dice, kind: &str, opened: DateTime<Utc>, stages_reached: usize) -> Vec<Stay> {
    let mut at = opened;
    let mut next = |(name, role): &(&'static str, &'static str)| {
        let opened = at;
        at += takes(dice);
        let became = dice.pick(&["APPROVED", "APPROVED", "APPROVED", "APPROVED", "REJECTED", "WITHDRAWN"]);
        Stay { name, role, opened, closed: Some(at), became, escalated: dice.roll(5) == 0 }
    };
    stages(kind).iter().take(stages_reached).map(&mut next).collect()
}

fn passage(subjects: &[Subject], sop: usize, kind: &'static str, stays: Vec<Stay>) -> Passage {
    Passage { sop, team: subjects[sop].team, code: subjects[sop].draft.code.clone(), kind, stays }
}

/// Writes them down as the service would have.
pub async fn store(world: &World, subjects: &[Subject], passages: &[Passage]) {
    let (mut requests, mut stays, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for (n, passage) in passages.iter().enumerate() {
        let Subject { draft, person, .. } = &subjects[passage.sop];
        let id = literal(world, &format!("req_{:032x}", 0x1000 + n));
        let policy = match passage.kind {
            "MATERIAL" => 1,
            "EDITORIAL" => 2,
            _ => 3,
        };
        let policy = literal(world, &format!("pol_0190000000007000800000000000000{policy}"));
        let [sop, version, person] = [&draft.sop, &draft.version, person].map(|id| literal(world, id));
        let version = if passage.kind == "RETIREMENT" { "NULL".to_owned() } else { version };
        let (opened, last, at) = (micros(Some(passage.opened())), passage.last(), passage.stays.len() - 1);
        let (state, closed) = (last.became, micros(last.closed));
        requests.push(format!(
            "({id}, {sop}, {version}, {policy}, '{}', '{state}', {at}, {person}, {opened}, {closed}, FALSE)",
            draft.hash
        ));
        for (place, (name, role)) in stages(passage.kind).iter().enumerate() {
            let stay = passage.stays.get(place);
            let (opened, closed) = (micros(stay.map(|s| s.opened)), micros(stay.and_then(|s| s.closed)));
            stays.push(format!("({id}, {place}, '{name}', '{role}', 1, 'TEAM', 'REVIEWED', {opened}, {closed})"));
            if stay.is_some_and(|stay| stay.escalated) {
                for (kind, nth) in [("reminder", 1), ("reminder", 2), ("escalated", 1)] {
                    let event = literal(world, &format!("evt_{:032x}", 0x9000 + events.len()));
                    events.push(format!("({event}, 'approval.{kind}', {opened}, {sop}, {id}, {place}, {nth}, '{{}}')"));
                }
            }
        }
    }
    let mut sql = String::new();
    for (table, columns, rows) in [
        (
            "approval_request",
            "id, sop_id, version_id, policy_id, content_hash, state, stage, requested_by_id, opened_at, closed_at, \
                requires_resolved_comments",
            requests,
        ),
        (
            "approval_stage",
            "request_id, position, name, role, min_approvals, scope, meaning, opened_at, closed_at",
            stays,
        ),
        ("event", "id, kind, at, sop_id, request_id, stage, nth, data", events),
    ] {
        for rows in rows.chunks(200) {
            write!(sql, "INSERT INTO {table} ({columns}) VALUES {};", rows.join(", ")).expect("a text");
        }
    }
    world.execute(&sql).await;
}

fn micros(at: Option<DateTime<Utc>>) -> String {
    at.map_or("NULL".to_owned(), |at| at.timestamp_micros().to_string())
}
