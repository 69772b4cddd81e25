//! Series per SOP: of the 200 with the most runs; the others are taken together.

use std::collections::{BTreeMap, BTreeSet};

use sopwith_domain::access::{Reach, Visibility};
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::Timestamp;

use super::super::family::{Family, float};
use super::{WINDOW_LABEL, compute, set_adherence};
use crate::error::Result;
use crate::store::figures::{Dimension, Figures, MAX_RANKED, Question};
use crate::store::page::Window;
use crate::store::sops::{self, SopFilter, SopOrder, SopRow};
use crate::store::{Store, Uuid, teams};

const MOST: usize = 200;
const OTHERS: &str = "other";

pub async fn gather(store: &Store, now: Timestamp) -> Result<Vec<Family>> {
    let question = Question { by: BTreeSet::from([Dimension::Sop]), ranked: true, ..Question::default() };
    let mut figures = compute(store, now, question).await?;
    if figures.len() > MAX_RANKED {
        tracing::warn!("more than {MAX_RANKED} SOPs have runs: their own series are left out");
        return Ok(Vec::new());
    }
    // Runs of processes without an SOP belong to none.
    figures.retain(|of| of.group.sop.is_some());
    figures.sort_by_key(|of| (std::cmp::Reverse(of.tally.runs), of.group.sop));
    let others = if figures.len() > MOST { Some(together(figures.split_off(MOST))?) } else { None };
    let mut figures: BTreeMap<Uuid, Figures> = figures.into_iter().filter_map(|of| Some((of.group.sop?, of))).collect();
    let shown = shown(store, &figures).await?;
    let mut families = Families::new();
    for row in &shown {
        families.add(&row.code, &figures.remove(&row.id).unwrap_or_default());
    }
    if let Some(others) = &others {
        families.add(OTHERS, others);
    }
    Ok(families.with_info(info(store, &shown).await?))
}

/// The SOPs with series of their own: those with runs, and as many of the rest as there is room for.
async fn shown(store: &Store, with_runs: &BTreeMap<Uuid, Figures>) -> Result<Vec<SopRow>> {
    let mut shown = sops::by_ids(store.read(), &with_runs.keys().copied().collect::<Vec<_>>()).await?;
    let everything = Visibility { person: PersonId(Uuid::nil()), drafts: Reach::Organisation, roles: Vec::new() };
    let window = Window { limit: MOST as u64, ..Window::default() };
    let order = (SopOrder::Code, false);
    let rest = sops::list(store.read(), &everything, &SopFilter::default(), order, &window).await?.rows;
    shown.extend(rest.into_iter().filter(|row| !with_runs.contains_key(&row.id)));
    shown.truncate(MOST);
    shown.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(shown)
}

/// Several groups as one.
fn together(figures: Vec<Figures>) -> Result<Figures> {
    let mut all = Figures::default();
    for of in figures {
        all.merge(&of)?;
    }
    Ok(all)
}

async fn info(store: &Store, rows: &[SopRow]) -> Result<Family> {
    let help = "The team, risk and state of an SOP; always 1.";
    let mut family = Family::gauge("sop_procedure_info", help);
    let teams = teams::all(store.read()).await?;
    let key = |id: Uuid| teams.iter().find(|team| team.id == id).map_or("", |team| team.key.as_str());
    for row in rows {
        let labels =
            [("sop", row.code.as_str()), ("team", key(row.team_id)), ("risk", &row.risk), ("state", &row.state)];
        family.set(&labels, 1.0);
    }
    Ok(family)
}

struct Families {
    executions: Family,
    completion: Family,
    errors: Family,
}

impl Families {
    fn new() -> Self {
        let runs = "Runs of an SOP started in the window, by adherence.";
        let times = "Completion times of runs of an SOP started in the last 30 days.";
        let errors = "Finished runs of an SOP with errors or the outcome FAILED.";
        Self {
            executions: Family::gauge("sop_procedure_executions", runs),
            completion: Family::summary("sop_procedure_completion_time_seconds", times),
            errors: Family::gauge("sop_procedure_error_runs", errors),
        }
    }

    fn add(&mut self, code: &str, figures: &Figures) {
        set_adherence(&mut self.executions, &[("sop", code)], figures);
        self.completion.completion(&[("sop", code)], figures);
        self.errors.set(&[("sop", code), ("window", WINDOW_LABEL)], float(figures.tally.errored));
    }

    fn with_info(self, info: Family) -> Vec<Family> {
        vec![self.executions, self.completion, self.errors, info]
    }
}
