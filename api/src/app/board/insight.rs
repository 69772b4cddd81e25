//! What a page of an SOP says beside its figures: what ails it and what is done about that, and whether its version in
//! force did better than what was before. Both are worked out from the runs themselves, which takes long where there are
//! very many, so a page waits for them only so long.

use std::collections::BTreeMap;
use std::time::Duration;

use sopwith_domain::diagnosis::{Finding, Found, Response};
use sopwith_domain::ids::{SopId, VersionId};
use sopwith_domain::time::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Board, Subject};
use crate::app::Call;
use crate::app::comparison::{self, Compared};
use crate::app::diagnosis::{self, Diagnosed};
use crate::app::measurement::reads_figures;
use crate::error::{Error, Result};
use crate::store::diagnosis::{self as stored, ResponseRow};
use crate::store::page::Window;
use crate::store::{Uuid, people, teams};

/// How many of these are worked out at a time in this process, two for each page. Each has a connection to the database.
static SEATS: Semaphore = Semaphore::const_new(4);

/// So many responses are looked back on.
const RESPONSES: u64 = 20;

/// Something that is worked out while somebody waits.
#[derive(Debug)]
pub enum Waited<T> {
    /// It is there.
    Known(T),
    /// It takes longer than a page waits, there is no place for it now, or it failed.
    Unknown,
}

/// What is said of an SOP whose figures somebody reads.
#[derive(Debug)]
pub struct Insight {
    /// What ails it.
    pub diagnosis: Waited<Ailing>,
    /// The version in force against what was before it.
    pub comparison: Waited<Compared>,
}

/// What ails an SOP, and what is done about it.
#[derive(Debug)]
pub struct Ailing {
    /// By its runs.
    pub found: Diagnosed,
    /// What was chosen to be done, the newest first.
    pub chosen: Vec<Chosen>,
    /// Names of the teams that figures are of.
    pub teams: BTreeMap<Uuid, String>,
}

/// What somebody chose to be done.
#[derive(Debug)]
pub struct Chosen {
    /// About what was found.
    pub finding: Finding,
    /// On which step.
    pub step: Option<String>,
    /// What is done.
    pub response: Response,
    /// Why, or how.
    pub note: String,
    /// The name of who chose it, where it is known.
    pub by: Option<String>,
    /// The label of the version that was in force.
    pub version: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Chosen {
    /// Whether it is about this.
    pub fn is_about(&self, found: &Found) -> bool {
        self.finding == found.kind() && self.step.as_deref() == found.step()
    }
}

/// What is said of the SOP of a page, each part waited for so long at most; nothing where no version is in force, and for
/// who does not read its figures.
pub async fn insight(call: &Call, board: &Board, patience: Duration) -> Option<Insight> {
    let subject = board.subject.as_ref()?;
    let in_force = subject.in_force()?;
    if !reads_figures(&call.actor, &subject.sop) {
        return None;
    }
    let version = VersionId(in_force.id);
    let (asked, of) = (call.clone(), subject.clone());
    let diagnosis = waited(patience, async move { ailing(&asked, &of).await });
    let asked = call.clone();
    let comparison = waited(patience, async move { comparison::of_version(&asked, version).await });
    // A version may have been taken out of force meanwhile; then there is nothing to say of it.
    let (diagnosis, comparison) = tokio::join!(diagnosis, comparison);
    Some(Insight { diagnosis: diagnosis?, comparison: comparison? })
}

/// What comes of work that a page waits for. It goes on when nobody waits any more, since the database would too, and holds
/// its seat as long: so looking again and again does not take all connections.
async fn waited<T: Send + 'static>(
    patience: Duration,
    work: impl Future<Output = Result<Option<T>>> + Send + 'static,
) -> Option<Waited<T>> {
    let Ok(seat) = SEATS.try_acquire() else { return Some(Waited::Unknown) };
    let working = tokio::spawn(async move {
        let done = work.await;
        drop(seat);
        done
    });
    match timeout(patience, working).await {
        Ok(Ok(Ok(known))) => known.map(Waited::Known),
        Ok(failed) => {
            // The figures of the page are worth showing without it.
            tracing::error!(reason = ?failed.map(|done| done.map(drop)), "a page of figures is shown without what ails the SOP");
            Some(Waited::Unknown)
        }
        Err(_) => Some(Waited::Unknown),
    }
}

async fn ailing(call: &Call, subject: &Subject) -> Result<Option<Ailing>> {
    let db = call.store.read();
    let sop = SopId(subject.sop.id);
    let Some(found) = diagnosis::of_sop(call, sop).await? else { return Ok(None) };
    let window = Window { limit: RESPONSES, ..Window::default() };
    let rows = stored::list(db, sop, &window).await?.rows;
    let by: Vec<Uuid> = rows.iter().map(|row| row.created_by_id).collect();
    let by = people::by_ids(db, &by).await?;
    let names: BTreeMap<Uuid, String> = by.into_iter().filter_map(|person| Some((person.id, person.name?))).collect();
    let chosen = rows.into_iter().map(|row| chosen(row, subject, &names)).collect::<Result<_>>()?;
    let figures = found.diagnosis.findings.iter().flat_map(Found::figures);
    let ids: Vec<Uuid> = figures.filter_map(|figure| figure.team.map(|team| team.0)).collect();
    let teams = teams::by_ids(db, &ids).await?.into_iter().map(|team| (team.id, team.name)).collect();
    Ok(Some(Ailing { found, chosen, teams }))
}

fn chosen(row: ResponseRow, subject: &Subject, names: &BTreeMap<Uuid, String>) -> Result<Chosen> {
    Ok(Chosen {
        finding: row.finding.parse().map_err(Error::internal)?,
        step: row.step_key,
        response: row.response.parse().map_err(Error::internal)?,
        note: row.note,
        by: names.get(&row.created_by_id).cloned(),
        version: subject.label(row.version_id).map(str::to_owned),
        at: Timestamp::from_micros(row.created_at),
    })
}
