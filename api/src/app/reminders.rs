//! Reminders of decisions that are waited for, and the escalation of those that are waited for too long.

use sopwith_domain::event::EventKind;
use sopwith_domain::time::Timestamp;

use super::{Call, events};
use crate::error::{Error, Result};
use crate::store::events::{self as stored, About, Due, DueStage};
use crate::store::{procedures, retry};

/// How long a stage may be open until something is done about it, in microseconds; never where absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Those whom it waits for are reminded.
    pub remind: Option<i64>,
    /// They are reminded again, counted from the last time.
    pub repeat: Option<i64>,
    /// Those who answer for the SOP are told.
    pub escalate: Option<i64>,
}

impl Times {
    /// What is due at a time.
    fn due(&self, now: Timestamp) -> impl Iterator<Item = Due> {
        let before = |length: i64| now.plus(-length);
        let reminder = self.remind.map(|after| Due {
            kind: EventKind::ApprovalReminder,
            opened_by: before(after),
            last_by: self.repeat.map(before),
        });
        let escalation = self.escalate.map(|after| Due {
            kind: EventKind::ApprovalEscalated,
            opened_by: before(after),
            last_by: None,
        });
        [reminder, escalation].into_iter().flatten()
    }
}

/// Writes the reminders and escalations that are due; answers how many. Each is written once, however many replicas
/// run: an index holds the kind and its number in the stage. A stage that fails does not hold up the others.
///
/// # Errors
/// When the database does not answer; the last error when stages failed, after all were tried.
pub async fn write_due(call: &Call, times: &Times) -> Result<u64> {
    let (mut written, mut failed) = (0, None);
    for due in times.due(call.now) {
        for stage in stored::due_stages(call.store.read(), &due).await? {
            match retry(|| write_one(call, due.kind, stage)).await {
                Ok(new) => written += u64::from(new),
                Err(Error::Unavailable) => return Err(Error::Unavailable),
                Err(error) => {
                    let (kind, request) = (due.kind.as_str(), stage.request.to_string());
                    tracing::error!(kind, request, reason = ?error, "an event that is due could not be written");
                    failed = Some(error);
                }
            }
        }
    }
    failed.map_or(Ok(written), Err)
}

/// Nothing when the stage was closed in the meantime, or another replica was first.
async fn write_one(call: &Call, kind: EventKind, due: DueStage) -> Result<bool> {
    let tx = call.store.begin().await?;
    // Locked, so that nobody is told of a stage that is being closed.
    if procedures::load(&tx, due.sop, true).await?.is_none() {
        return Ok(false);
    }
    let stage = usize::try_from(due.stage).map_err(Error::internal)?;
    let new = events::stage_event(&tx, call, kind, About::Stage(due.request, stage, due.nth)).await?;
    tx.commit().await?;
    Ok(new)
}
