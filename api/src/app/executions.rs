//! Ingestion: batches of reports in, an answer per item out. A duplicate is success, a wrong item does not hold up the
//! right ones, and what was answered is stored.

mod lookup;

use std::collections::{BTreeSet, HashMap};

use sopwith_domain::access::{Action, Permission, Permit, Resource};
use sopwith_domain::error::Refusal;
use sopwith_domain::execution::{
    MAX_CLOCK_LEAD, Merged, Mode, News, Rejection, RejectionCode, Report, Run, Severity, VersionSource,
    VersionStanding, Violation, check_span, clock_lead,
};
use sopwith_domain::ids::{ExecutionId, PersonId, VersionId};
use sopwith_domain::time::Timestamp;

use self::lookup::{Lookup, Names};
use super::Call;
use crate::clock::new_id;
use crate::error::Result;
use crate::store::executions::{self as stored, Batch, Event, InForce, RunToStore, Stored, StoredRun};
use crate::store::{audit, retry};

/// The most items of one batch.
pub const MAX_BATCH: usize = 1000;

/// A batch as it was sent.
#[derive(Debug, Clone)]
pub struct BatchInput {
    /// Where it comes from; the one that the token is bound to.
    pub source: String,
    /// What it is for.
    pub mode: Mode,
    /// When it was sent, by the sender's clock.
    pub sent_at: Option<Timestamp>,
    /// Its items.
    pub reports: Vec<Report>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A run began to exist.
    Created(ExecutionId),
    /// A run changed.
    Updated(ExecutionId),
    /// This event was taken before.
    Duplicate,
    /// Newer events had said all of it.
    Stale(ExecutionId),
    /// This event was taken before with other content.
    Conflict,
    /// It breaks a rule.
    Rejected(Rejection),
}

impl Answer {
    /// What became of it, as clients and metrics are told.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Created(_) => "CREATED",
            Self::Updated(_) => "UPDATED",
            Self::Duplicate => "DUPLICATE",
            Self::Stale(_) => "STALE",
            Self::Conflict => "CONFLICT",
            Self::Rejected(_) => "REJECTED",
        }
    }
}

/// A batch that may be taken, with the request that brought it.
#[derive(Debug)]
pub struct Admitted {
    call: Call,
    batch: BatchInput,
    /// How far the sender's clock is ahead, in microseconds.
    lead: i64,
}

impl Admitted {
    /// Lets a batch in.
    ///
    /// # Errors
    /// `Forbidden` without the permission or for another source; `Invalid` for more than [`MAX_BATCH`] items, or for a
    /// clock that cannot be put right.
    pub fn new(call: Call, batch: BatchInput) -> Result<Self> {
        permit(&call)?;
        if call.actor.source.as_deref() != Some(&batch.source) {
            return Err(Refusal::forbidden("your token is not bound to this source").into());
        }
        if batch.reports.len() > MAX_BATCH {
            return Err(Refusal::invalid("executions", format!("at most {MAX_BATCH} executions")).into());
        }
        let lead = clock_lead(batch.sent_at, call.now);
        if lead > MAX_CLOCK_LEAD {
            return Err(Refusal::invalid("sentAt", "this lies more than a day in the future").into());
        }
        Ok(Self { call, batch, lead })
    }

    /// The batch.
    #[must_use]
    pub fn batch(&self) -> &BatchInput {
        &self.batch
    }

    /// What those have in common that can be stored in one transaction: who sends them, and what for.
    #[must_use]
    pub fn kin(&self) -> Kin {
        let may_create = self.call.actor.may(Permission::ProcessWrite, None);
        Kin { person: self.call.actor.person, may_create, source: self.batch.source.clone(), mode: self.batch.mode }
    }
}

/// See [`Admitted::kin`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kin {
    person: PersonId,
    may_create: bool,
    source: String,
    mode: Mode,
}

fn permit(call: &Call) -> Result<Permit> {
    call.permit(Action::RecordExecutions, Resource::Organisation)
}

/// What taking batches did, once it is stored.
#[derive(Debug, Default)]
pub struct Taken {
    /// For each batch, what became of each of its items.
    pub answers: Vec<Vec<Answer>>,
    /// What all of them together made known of each run that they made or changed. Nothing of training, which is kept apart
    /// from all figures.
    pub news: Vec<News>,
}

/// Takes batches that are kin in one transaction, as if they came one after the other; answers for each item of each in
/// its place, and with what became known of runs.
///
/// # Errors
/// When the database does not answer; nothing of any was taken then.
pub async fn record(batches: &[Admitted]) -> Result<Taken> {
    let Some(first) = batches.first() else { return Ok(Taken::default()) };
    let items: Vec<Item> = batches.iter().flat_map(Item::of).collect();
    let (mut expired, mut met_another) = (BTreeSet::new(), false);
    loop {
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            // Whoever met another on the way goes alone from then on, so that there is no third. Who found runs that were
            // deleted met nobody.
            met_another |= tries > 1;
            record_once(first, batches, &items, &expired, met_another)
        };
        match retry(attempt).await? {
            Recorded::All(taken) => return Ok(taken),
            Recorded::Expired(found) => expired.extend(found),
        }
    }
}

/// What became of batches.
enum Recorded {
    /// Each item has its answer.
    All(Taken),
    /// Nothing was taken: these runs would have been made a second time, after they were deleted.
    Expired(Vec<String>),
}

/// A report as it was sent, and with its times corrected.
struct Item<'a> {
    by: &'a Admitted,
    sent: &'a Report,
    report: Report,
    /// Of what was sent, in hex: the same event sent again later is the same.
    fingerprint: String,
}

impl<'a> Item<'a> {
    fn of(by: &'a Admitted) -> impl Iterator<Item = Self> {
        by.batch.reports.iter().map(move |sent| {
            let mut report = sent.clone();
            report.correct_clock(by.lead);
            Self { by, sent, report, fingerprint: hex::encode(sent.fingerprint()) }
        })
    }
}

async fn record_once(
    first: &Admitted,
    batches: &[Admitted],
    all: &[Item<'_>],
    expired: &BTreeSet<String>,
    alone: bool,
) -> Result<Recorded> {
    let permit = permit(&first.call)?;
    let (store, BatchInput { source, mode, .. }) = (&first.call.store, &first.batch);
    // Nothing is looked up for those that are not fit to be taken.
    let fit: Vec<&Report> = all.iter().filter(|s| s.report.check(s.by.call.now).is_ok()).map(|s| &s.report).collect();
    let run_ids: Vec<&str> = fit.iter().map(|report| report.run_id.as_str()).collect();
    // An event that was fit before is the same event still, so these are looked up for all that could be stored.
    let event_ids: Vec<&str> = all.iter().map(|s| s.sent.event_id.as_str()).filter(|id| !id.contains('\0')).collect();
    let mut lookup = Lookup::new(&first.call, source);
    // Where others wait for the transaction, what is named is looked up before it. Whatever changes what a name stands for is
    // told in the audit chain: while that has not grown, it is the same in the transaction.
    let early = store.has_one_writer();
    let head = if early { audit::head(store.read()).await? } else { None };
    if early {
        lookup.learn(store.read(), Names::of(&fit, None)).await?;
    }
    let tx = store.begin().await?;
    stored::queue(&tx, source, alone).await?;
    let runs = stored::runs(&tx, source, &run_ids).await?;
    if early && audit::head(&tx).await? != head {
        lookup = Lookup::new(&first.call, source);
    }
    lookup.learn(&tx, Names::of(&fit, runs.values().map(|stored| &stored.run))).await?;
    let mut taking = Taking {
        lookup,
        taken: stored::fingerprints(&tx, source, &event_ids).await?,
        runs,
        changed: HashMap::new(),
        events: Vec::new(),
        mode: *mode,
        expired,
    };
    let mut answers = all.iter().map(|sent| taking.take(sent)).collect::<Vec<_>>().into_iter();
    let answers = batches.iter().map(|by| answers.by_ref().take(by.batch.reports.len()).collect()).collect();
    let Taking { mut lookup, runs: before, changed, mut events, .. } = taking;
    // In one order in every batch, so that two with the same events wait for each other rather than deadlock.
    events.sort_by(|a, b| a.id.cmp(&b.id));
    let entries = lookup.create_missing(&tx, &permit, source).await?;
    let mut runs: Vec<RunToStore> = changed.into_values().map(|run| lookup.resolve(run)).collect::<Result<_>>()?;
    runs.sort_by_key(|run| run.id);
    stored::conform(store, &tx, &mut runs).await?;
    let news = news(*mode, &before, &runs);
    let found = stored::write(&tx, &permit, store.zone(), &Batch { source, mode: *mode, runs, events }).await?;
    if !found.is_empty() {
        return Ok(Recorded::Expired(found));
    }
    audit::append(&tx, entries).await?;
    tx.commit().await?;
    Ok(Recorded::All(Taken { answers, news }))
}

/// What these batches made known of the runs that they made or changed.
fn news(mode: Mode, before: &HashMap<String, StoredRun>, runs: &[RunToStore]) -> Vec<News> {
    if mode == Mode::Practice {
        return Vec::new();
    }
    // What the service found before is known by what was counted then: versions may have ended since.
    let counted = |known: &StoredRun| known.stored.counted.map(|(_, facts)| facts.violations).unwrap_or_default();
    let known = |run: &RunToStore| before.get(&run.run_id).map(|known| (&known.run, counted(known)));
    runs.iter().map(|run| News::of(known(run), &run.run, &run.found)).collect()
}

/// A run that these batches made or changed.
struct Changed {
    id: ExecutionId,
    stored: Option<Stored>,
    run_id: String,
    run: Run,
    clock_lead: i64,
    received_at: Timestamp,
}

/// Batches being taken.
struct Taking<'a> {
    lookup: Lookup<'a>,
    taken: HashMap<String, String>,
    runs: HashMap<String, StoredRun>,
    changed: HashMap<String, Changed>,
    events: Vec<Event>,
    mode: Mode,
    /// Runs that are known to be deleted.
    expired: &'a BTreeSet<String>,
}

impl<'a> Taking<'a> {
    fn take(&mut self, item: &'a Item) -> Answer {
        let Item { by, sent, report, fingerprint } = item;
        let call = &by.call;
        match self.taken.get(&sent.event_id) {
            Some(before) if before == fingerprint => return Answer::Duplicate,
            Some(_) => return Answer::Conflict,
            None => {}
        }
        match report.check(call.now).and_then(|()| self.lookup.check(report)).and_then(|()| self.merge(by, report)) {
            Ok(answer) => {
                self.lookup.note(call, report);
                self.taken.insert(report.event_id.clone(), fingerprint.clone());
                let (id, run_id, fingerprint) = (report.event_id.clone(), report.run_id.clone(), fingerprint.clone());
                let (occurred_at, received_at) = (report.occurred_at, call.now);
                self.events.push(Event { id, fingerprint, run_id, occurred_at, received_at });
                answer
            }
            Err(rejection) => Answer::Rejected(rejection),
        }
    }

    fn merge(&mut self, by: &Admitted, report: &Report) -> std::result::Result<Answer, Rejection> {
        let (id, stored, lead, mut run) = match (self.changed.get(&report.run_id), self.runs.get(&report.run_id)) {
            (Some(changed), _) => (changed.id, changed.stored, changed.clock_lead, changed.run.clone()),
            (None, Some(found)) => (found.id, Some(found.stored), found.stored.clock_lead, found.run.clone()),
            (None, None) if self.expired.contains(&report.run_id) => {
                let why = "this run was deleted, since it lies further back than executions are kept";
                return Err(Rejection::new(RejectionCode::Expired, "runId", why));
            }
            (None, None) => (ExecutionId(new_id()), None, 0, Run::default()),
        };
        if let Some(other) = stored.map(|stored| stored.mode).filter(|mode| *mode != self.mode) {
            let why = format!("this run was begun as {other}");
            return Err(Rejection::new(RejectionCode::Invalid, "runId", why));
        }
        let steps_before = run.steps.len();
        let merged = run.merge(report);
        check_span(run.started_at, run.finished_at)?;
        run.check_steps(steps_before)?;
        self.lookup.check_run(&run)?;
        if merged != Merged::Stale {
            let (run_id, clock_lead) = (report.run_id.clone(), Ord::max(lead, by.lead));
            let changed = Changed { id, stored, run_id: run_id.clone(), run, clock_lead, received_at: by.call.now };
            self.changed.insert(run_id, changed);
        }
        Ok(match merged {
            Merged::Created => Answer::Created(id),
            Merged::Updated => Answer::Updated(id),
            Merged::Stale => Answer::Stale(id),
        })
    }
}

/// The version of a run, how it is known, and what is wrong with having used it.
fn version_of(run: &Run, times: &[InForce]) -> Used {
    let at = run.started_at.or(run.finished_at).or(run.occurred_at);
    let sop = run.sop.as_deref();
    let of_sop = |t: &&InForce| sop.is_none_or(|code| t.code == code);
    let covers = |t: &&InForce| at.is_some_and(|at| t.from <= at && t.until.is_none_or(|until| at < until));
    let in_force = times.iter().filter(of_sop).rev().find(covers);
    if let Some(label) = &run.version {
        // A process can have had several SOPs: the label is that of the one in force then, else of the last one before, else
        // of the first.
        let labelled = || times.iter().filter(of_sop).filter(|t| t.label == *label);
        let in_use = in_force.and_then(|now| labelled().find(|t| t.sop == now.sop));
        let last = || labelled().rfind(|t| at.is_none_or(|at| t.from <= at));
        let named = in_use.or_else(last).or_else(|| labelled().next());
        let outdated = named.filter(|t| matches!((t.until, at), (Some(until), Some(at)) if at >= until));
        let found = outdated.map(|t| Violation {
            kind: "OUTDATED_VERSION".to_owned(),
            severity: Severity::Minor,
            detail: format!("version {} was no longer in force when the run started", t.label),
        });
        let standing = |(named, in_force): (&InForce, &InForce)| {
            if named.version == in_force.version { VersionStanding::Current } else { VersionStanding::Other }
        };
        let in_force = in_force.filter(|now| named.is_some_and(|t| t.sop == now.sop));
        return Used {
            standing: named.zip(in_force).map(standing),
            sop: named.map(|t| t.sop),
            version: named.map(|t| (t.version, VersionSource::Reported)),
            found: found.into_iter().collect(),
        };
    }
    let last = times.iter().rfind(of_sop).filter(|_| sop.is_some() && in_force.is_none());
    let retired = last.filter(|t| matches!((t.until, at), (Some(until), Some(at)) if at >= until));
    let found = retired.map(|_| Violation {
        kind: "RETIRED_SOP".to_owned(),
        severity: Severity::Minor,
        detail: "no version was in force any more when the run started".to_owned(),
    });
    Used {
        standing: None,
        sop: in_force.map(|t| t.sop),
        version: in_force.map(|t| (t.version, VersionSource::Inferred)),
        found: found.into_iter().collect(),
    }
}

/// The procedure that a run used, as far as it is known.
struct Used {
    sop: Option<sopwith_domain::ids::SopId>,
    version: Option<(VersionId, VersionSource)>,
    /// How the version stood that was reported.
    standing: Option<VersionStanding>,
    found: Vec<Violation>,
}
