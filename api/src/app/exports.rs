//! Exports of the audit chain over the API.

use serde_json::json;
use sopwith_domain::access::{Action, Permission, Reach, Resource};
use sopwith_domain::error::Refusal;

use super::{Call, record};
use crate::error::{Error, Result};
use crate::export::{Format, Pages};
use crate::store::{audit, retry};

/// The greatest number that canonical JSON, whose numbers are doubles, holds exactly; no chain is as long.
const GREATEST: i64 = (1 << 53) - 1;

/// What somebody wants to export.
#[derive(Debug, Clone, Copy)]
pub struct ExportInput {
    /// What it is to look like.
    pub format: Format,
    /// The first entry, if not that of the chain.
    pub from: Option<i64>,
    /// The last entry, if not the one that records the export.
    pub to: Option<i64>,
}

/// Records an export in the chain, and begins it: of the entries within the actor's reach.
///
/// # Errors
/// `Forbidden` for who reads nothing of the chain; `Invalid` for numbers that no entries have.
pub async fn export(call: &Call, input: &ExportInput) -> Result<Pages> {
    let bounded = |number: Option<i64>| number.map(|number| number.min(GREATEST));
    let input = &ExportInput { from: bounded(input.from), to: bounded(input.to), ..*input };
    let ExportInput { format, from, to } = *input;
    for (name, number) in [("from", from), ("to", to)] {
        if number.is_some_and(|number| number < 1) {
            return Err(Refusal::invalid(name, "the first entry has number 1").into());
        }
    }
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Refusal::invalid("to", "the last entry comes before the first").into());
    }
    let reach = call.actor.reach(Permission::AuditRead);
    if matches!(&reach, Reach::Teams(teams) if teams.is_empty()) {
        call.permit(Action::ReadAudit, Resource::Organisation)?;
    }
    let own = retry(|| recorded(call, input, &reach)).await?;
    Ok(Pages::of(format, reach, from.unwrap_or(1), to.unwrap_or(own).min(own)))
}

/// Tells the chain who exports what; answers the number of the entry.
async fn recorded(call: &Call, input: &ExportInput, reach: &Reach) -> Result<i64> {
    let teams = match reach {
        Reach::Organisation => None,
        Reach::Teams(teams) => Some(teams),
    };
    // Whose reach is one team, that team's manager reads of it.
    let team = teams.filter(|teams| teams.len() == 1).and_then(|teams| teams.first().copied());
    let new = json!({"format": input.format.as_str(), "from": input.from, "to": input.to, "teams": teams});
    let tx = call.store.begin().await?;
    audit::append(&tx, vec![record::plain(call, "audit.exported", "audit", team, new)]).await?;
    let (seq, _) = audit::head(&tx).await?.ok_or_else(|| Error::internal("the audit chain has no head"))?;
    tx.commit().await?;
    Ok(seq)
}
