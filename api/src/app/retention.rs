//! Executions that lie further back than they are kept.

use serde_json::json;
use sopwith_domain::access::Permit;
use sopwith_domain::time::Timestamp;

use super::{Call, record};
use crate::error::Result;
use crate::store::{audit, executions, rollups};

/// Deletes the executions that have ended and belong to a time before so many months before this one, until none is left or
/// `stop` says so; answers how many. Any replica does it, and several at a time.
///
/// # Errors
/// When the database does not answer, or figures are kept in another form than that of this process. What was deleted
/// before stays so.
pub async fn expire(call: &Call, months: u32, stop: impl Fn() -> bool) -> Result<u64> {
    let permit = Permit::clock();
    let before = call.store.zone().months_before(call.now, months);
    // In a transaction of its own, and first: whoever does not find it looks for no deleted execution.
    announce(call, &permit, months, before).await?;
    // Where more months are kept than once were, it lies further on than what is to be deleted now.
    executions::expire(&call.store, &permit, before, stop).await
}

/// Tells everyone, and the audit chain, that executions of before a time may be gone; unless that was told.
async fn announce(call: &Call, permit: &Permit, months: u32, before: Timestamp) -> Result<()> {
    if rollups::kept_from(call.store.read()).await?.is_some_and(|kept| kept >= before) {
        return Ok(());
    }
    let tx = call.store.begin().await?;
    // Another replica may have been first.
    if let Some(was) = rollups::move_kept_from(&tx, permit, call.store.zone(), before).await? {
        let (old, new) = (json!({ "keptFrom": was }), json!({ "keptFrom": before, "months": months }));
        audit::append(&tx, vec![record::by_clock(call, "executions.expired", "executions", old, new)]).await?;
    }
    tx.commit().await?;
    Ok(())
}
