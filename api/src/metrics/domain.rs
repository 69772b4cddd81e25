//! The domain, gathered from the database at a scrape. Every replica gives the same.

mod procedures;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use sopwith_domain::access::Reach;
use sopwith_domain::execution::Adherence;
use sopwith_domain::ids::PersonId;
use sopwith_domain::lifecycle::SopState;
use sopwith_domain::time::{DAY, Timestamp};
use tokio::sync::OnceCell;

use super::family::{Family, encode, float, seconds};
use crate::error::{Error, Result};
use crate::store::executions::FiguresReach;
use crate::store::figures::{self, Figures, Question};
use crate::store::{Store, Uuid, rollups};

/// The window that figures of runs are over, by start.
const WINDOW: i64 = 30 * DAY;
const WINDOW_LABEL: &str = "30d";

type Flight = OnceCell<std::result::Result<String, Arc<Error>>>;

/// Gathers, once for all who ask at the same time.
#[derive(Debug, Default)]
pub struct Gatherer {
    flight: Mutex<Weak<Flight>>,
}

impl Gatherer {
    /// The text of all domain metrics.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn scrape(&self, store: &Store, now: Timestamp) -> std::result::Result<String, Arc<Error>> {
        let flight = self.flight();
        // Should the one who gathers go away, the next takes over.
        flight.get_or_init(|| async { gather(store, now).await.map_err(Arc::new) }).await.clone()
    }

    /// The gathering under way, or a new one.
    fn flight(&self) -> Arc<Flight> {
        let mut known = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        known.upgrade().unwrap_or_else(|| {
            let flight = Arc::new(Flight::new());
            *known = Arc::downgrade(&flight);
            flight
        })
    }
}

async fn gather(store: &Store, now: Timestamp) -> Result<String> {
    let began = Instant::now();
    let mut families = vec![states(store).await?];
    families.extend(rollup_health(store).await?);
    families.extend(approvals(store).await?);
    families.extend(runs(store, now).await?);
    families.extend(procedures::gather(store, now).await?);
    families.push(sources(store).await?);
    let mut took = Family::gauge("sop_domain_collector_duration_seconds", "Time to gather these metrics.");
    took.set(&[], began.elapsed().as_secs_f64());
    families.push(took);
    encode(families).map_err(Error::internal)
}

async fn states(store: &Store) -> Result<Family> {
    let mut family = Family::gauge("sop_procedures", "SOPs by state.");
    let counts = figures::sops_by_state(store.read()).await?;
    for state in SopState::ALL {
        let count = counts.iter().find(|(of, _)| of == state).map_or(0, |(_, count)| *count);
        family.set(&[("state", state.as_str())], float(count));
    }
    Ok(family)
}

async fn approvals(store: &Store) -> Result<[Family; 2]> {
    let (count, oldest) = figures::pending_approvals(store.read()).await?;
    let mut pending = Family::gauge("sop_approvals_pending", "Approval requests that are open.");
    pending.set(&[], float(count));
    // Without an open request there is no such time: a zero would look like a very old one.
    let help = "When the oldest open approval request was opened.";
    let mut since = Family::gauge("sop_approval_oldest_pending_timestamp_seconds", help);
    if let Some(oldest) = oldest {
        since.set(&[], seconds(oldest.micros()));
    }
    Ok([pending, since])
}

async fn runs(store: &Store, now: Timestamp) -> Result<[Family; 3]> {
    let all = compute(store, now, Question::default()).await?.pop().unwrap_or_default();
    let mut adoption = Family::gauge("sop_adoption_executions", "Runs started in the window, by adherence.");
    set_adherence(&mut adoption, &[], &all);
    let mut errors = Family::gauge("sop_error_runs", "Finished runs with errors or the outcome FAILED.");
    errors.set(&[("window", WINDOW_LABEL)], float(all.tally.errored));
    let help = "Completion times of runs started in the last 30 days.";
    let mut completion = Family::summary("sop_completion_time_seconds", help);
    completion.completion(&[], &all);
    Ok([adoption, errors, completion])
}

async fn sources(store: &Store) -> Result<Family> {
    let help = "When the last record of a source came that told something new.";
    let mut family = Family::gauge("sop_ingest_source_last_record_timestamp_seconds", help);
    for (source, last) in figures::last_records(store.read()).await? {
        family.set(&[("source", &source)], seconds(last.micros()));
    }
    Ok(family)
}

async fn rollup_health(store: &Store) -> Result<[Family; 3]> {
    let help = "Deltas of the roll-ups that wait for compaction.";
    let mut pending = Family::gauge("sop_rollup_pending_deltas", help);
    pending.set(&[], float(rollups::pending(store.read()).await?));
    let (checked_at, found) = rollups::last_check(store.read()).await?;
    let help = "Executions by which the roll-ups differed from what is stored, when they were compared last.";
    let mut drift = Family::gauge("sop_rollup_drift_executions", help);
    drift.set(&[], float(found));
    let help = "When the roll-ups were compared last with what is stored.";
    let mut last = Family::gauge("sop_rollup_last_check_timestamp_seconds", help);
    if let Some(at) = checked_at {
        last.set(&[], seconds(at.micros()));
    }
    Ok([pending, drift, last])
}

/// Figures of the window over the whole organisation.
async fn compute(store: &Store, now: Timestamp, question: Question) -> Result<Vec<Figures>> {
    let everything = FiguresReach { reach: Reach::Organisation, person: PersonId(Uuid::nil()) };
    let question = Question { from: Some(now.plus(-WINDOW)), ..question };
    figures::compute(store, &everything, &question, now).await
}

fn set_adherence(family: &mut Family, labels: &[(&str, &str)], figures: &Figures) {
    let tally = &figures.tally;
    for (adherence, count) in [
        (Adherence::Followed, tally.followed),
        (Adherence::Deviated, tally.deviated),
        (Adherence::NotFollowed, tally.not_followed),
        (Adherence::Unknown, tally.unknown()),
    ] {
        let own = [("window", WINDOW_LABEL), ("adherence", adherence.as_str())];
        family.set(&[labels, &own].concat(), float(count));
    }
}
