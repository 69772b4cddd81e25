//! Figures of approval requests, within the reach of who asks. They are few: what figures of them say is counted from the
//! requests themselves.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::approval::passage::Figures;
use sopwith_domain::calendar::{Grain, Zone};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{SopId, TeamId};
use sopwith_domain::policy::PolicyKind;

use super::{Call, figures};
use crate::error::Result;
use crate::store::approvals::passages::{self, PassageFilter, Told};
use crate::store::figures::MAX_GROUPS;

/// Of more requests than this no figures are given.
pub const MAX_REQUESTS: usize = 20_000;

/// What they are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// By SOP.
    Sop,
    /// By the team that keeps the SOP.
    Team,
    /// By the kind of change.
    Kind,
}

/// Which figures are asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Of which requests.
    pub filter: PassageFilter,
    /// Grouped by these.
    pub by: BTreeSet<Dimension>,
    /// And by the time at which they were opened.
    pub bucket: Option<Grain>,
    /// In this time zone; that of the organisation when absent.
    pub zone: Option<Zone>,
}

/// What a group of requests has in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The SOP.
    pub sop: Option<SopId>,
    /// The team that keeps it.
    pub team: Option<TeamId>,
    /// The kind of change.
    pub kind: Option<PolicyKind>,
    /// The first microsecond of the time bucket.
    pub bucket: Option<i64>,
}

/// The figures that are asked for, in the order of their groups.
///
/// # Errors
/// `Forbidden` for someone who reads no figures at all; `Invalid` for more than [`MAX_REQUESTS`] requests or
/// [`MAX_GROUPS`] groups.
pub async fn answer(call: &Call, question: &Question) -> Result<Vec<(Group, Figures)>> {
    let who = figures::reader(call).await?;
    let (db, visible) = (call.store.read(), call.actor.visibility());
    let found = passages::read(db, &who, &visible, &question.filter, MAX_REQUESTS + 1).await?;
    if found.len() > MAX_REQUESTS {
        let why = format!("more than {MAX_REQUESTS} requests: ask for a shorter time");
        return Err(Refusal::invalid("filter.from", why).into());
    }
    let zone = question.zone.unwrap_or(call.store.zone());
    let mut groups: BTreeMap<Group, Figures> = BTreeMap::new();
    for told in found {
        groups.entry(group(question, zone, &told)).or_default().add(told.passage, call.now);
        if groups.len() > MAX_GROUPS {
            let why = format!("more than {MAX_GROUPS} groups: ask for less at a time");
            return Err(Refusal::invalid("groupBy", why).into());
        }
    }
    Ok(groups.into_iter().collect())
}

fn group(question: &Question, zone: Zone, told: &Told) -> Group {
    let by = |dimension| question.by.contains(&dimension);
    Group {
        sop: by(Dimension::Sop).then_some(told.sop),
        team: by(Dimension::Team).then_some(told.team),
        kind: by(Dimension::Kind).then_some(told.kind),
        bucket: question.bucket.map(|grain| zone.start(grain, told.passage.opened_at).micros()),
    }
}
