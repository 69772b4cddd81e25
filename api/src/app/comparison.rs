//! A version against the one before it, or against the time before there was any.

use sopwith_domain::access::Action;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{ProcessId, VersionId};
use sopwith_domain::measurement::sample::{Comparison, Observed, Sample};
use sopwith_domain::measurement::words::{self, Subject};
use sopwith_domain::measurement::{Plan, Stretch, Windows, windows};
use sopwith_domain::stats::impact::{Basis, Extent, Side, Span};
use sopwith_domain::time::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Call;
use crate::error::{Error, Result};
use crate::store::comparison::{self, Asked, Counts};
use crate::store::{measurement, rollups, sops};

/// How many comparisons are in work in this process at a time; others wait for as long as their requests may. Each
/// keeps a core busy for up to some seconds and has up to 30,000 runs in memory.
static SEATS: Semaphore = Semaphore::const_new(1);

/// A version against what was before it.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The version.
    pub version: VersionId,
    /// What it is measured by.
    pub plan: Plan,
    /// Which time is compared with which.
    pub windows: Windows,
    /// All runs before.
    pub before: Counts,
    /// All runs after.
    pub after: Counts,
    /// Runs left out because the version was being learnt.
    pub learning: i64,
    /// Runs left out because they started too late to be watched for as long as the others.
    pub unwatched: i64,
    /// What differs; none before the maturity date.
    pub comparison: Option<Comparison>,
    /// Runs that started before this time may be missing on a side, since they were deleted; none where that touches
    /// neither.
    pub incomplete_before: Option<Timestamp>,
    /// What that says, in a sentence.
    pub summary: String,
}

impl Compared {
    /// How much the primary metric rests on; before the maturity date, how much there is to be judged so far.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match &self.comparison {
            Some(comparison) => comparison.basis(self.plan.primary).clone(),
            None => Basis { before: extent(&self.before), after: extent(&self.after) },
        }
    }

    /// How many runs of both sides nobody is named for.
    #[must_use]
    pub fn without_actor(&self) -> i64 {
        self.before.runs - self.before.of_people + self.after.runs - self.after.of_people
    }

    /// How many people were more than are compared.
    #[must_use]
    pub fn people_left_out(&self) -> usize {
        self.comparison.as_ref().map_or(0, |comparison| comparison.people_left_out)
    }
}

fn extent(counts: &Counts) -> Extent {
    let number = |n: i64| u64::try_from(n).unwrap_or_default();
    Extent { runs: number(counts.of_people), actors: number(counts.people), days: days(counts) }
}

/// Days from the first to the last of the runs that somebody is named for.
#[must_use]
pub fn days(counts: &Counts) -> u64 {
    counts.span.map_or(0, |(first, last)| Span { first, last }.days())
}

/// Compares a version with what was before it; nothing for one that never was in force.
///
/// # Errors
/// `NotFound` for a version that the actor may not see; `Forbidden` for who does not read figures of its SOP.
pub async fn of_version(call: &Call, version: VersionId) -> Result<Option<Compared>> {
    let db = call.store.read();
    let (procedure, _) = call.look_by_version(db, version, Action::ReadFigures).await?;
    let row = sops::by_ids(db, &[procedure.id.0]).await?.pop().ok_or(Refusal::NotFound("version"))?;
    let eras = measurement::eras_of(db, &[procedure.id]).await?.remove(&procedure.id).unwrap_or_default();
    let plan = measurement::by_versions(db, &[version.0]).await?.remove(&version.0);
    let plan = plan.map(|stored| stored.plan).unwrap_or_default();
    let Some(windows) = windows(&eras, version, &plan) else { return Ok(None) };
    let label = |id: VersionId| procedure.version(id).and_then(|v| v.label).map(|label| label.to_string());
    let (own, predecessor) = (label(version).unwrap_or_default(), windows.predecessor.and_then(label));

    let seat = SEATS.acquire().await.map_err(Error::internal)?;
    let asked = |stretch: Stretch| Asked { process: ProcessId(row.process_id), stretch, watch: plan.watch() };
    // One moment for what is counted and for what is read one by one.
    let db = call.store.snapshot().await?;
    let stretches = [windows.before, windows.after, windows.learning, windows.unwatched].map(asked);
    let counts = comparison::count(&db, &stretches).await?;
    let [before, after, learning, unwatched] = counts[..] else { return Err(Error::internal("four are counted")) };
    let kept_from = rollups::kept_from(&db).await?;
    let sides = if windows.mature(call.now) {
        let runs_before = comparison::read(&db, &stretches[0], before.of_people).await?;
        Some([runs_before, comparison::read(&db, &stretches[1], after.of_people).await?])
    } else {
        None
    };
    db.commit().await?;
    let comparison = match sides {
        // Chance goes by what is asked about, so that every replica gives the same answer.
        Some(sides) => Some(compare(seat, plan.watch(), version.0.as_u64_pair().1, sides).await?),
        None => None,
    };
    let subject = Subject { version: &own, predecessor: predecessor.as_deref(), metric: plan.primary };
    let incomplete_before = kept_from.filter(|kept| windows.before.from.min(windows.after.from) < *kept);
    let mut summary =
        comparison.as_ref().map_or_else(|| words::immature(windows.matures_at), |c| words::told(subject, c));
    summary.extend(incomplete_before.map(words::incomplete));
    let (learning, unwatched) = (learning.runs, unwatched.runs);
    Ok(Some(Compared {
        version,
        plan,
        windows,
        before,
        after,
        learning,
        unwatched,
        comparison,
        incomplete_before,
        summary,
    }))
}

/// The part that computes, off the threads that serve requests. It keeps its seat to its end, also where nobody waits
/// for it any more.
async fn compare(
    seat: SemaphorePermit<'static>,
    watch: i64,
    seed: u64,
    [before, after]: [Vec<Observed>; 2],
) -> Result<Comparison> {
    let work = move || {
        let _seat = seat;
        let mut sample = Sample::new(watch);
        for (side, runs) in [(Side::Before, &before), (Side::After, &after)] {
            for run in runs {
                sample.add(side, run).map_err(Error::internal)?;
            }
        }
        Ok(sample.compare(seed))
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}
