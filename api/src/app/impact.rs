//! What the retirement of an SOP would touch.

use std::collections::BTreeMap;

use sopwith_domain::access::{Action, Resource};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::SopId;

use super::Call;
use crate::error::Result;
use crate::store::{Uuid, dependents, procedures, sops};

/// What the retirement of an SOP would touch.
#[derive(Debug)]
pub struct Impact {
    /// Runs of it that have neither an end nor an outcome.
    pub running: u64,
    /// SOPs whose version in force, or open one, names its code; with each whether it is the one in force that does.
    pub referring: BTreeMap<Uuid, bool>,
    /// Retired SOPs that name it as their successor.
    pub succeeded: Vec<Uuid>,
}

/// What the retirement of an SOP would touch.
///
/// # Errors
/// `NotFound` for an SOP whose drafts the actor may not see.
pub async fn of_retirement(call: &Call, sop: SopId) -> Result<Impact> {
    let db = call.store.read();
    let procedure = procedures::load(db, sop, false).await?.ok_or(Refusal::NotFound("SOP"))?;
    call.permit(Action::ReadDraft, Resource::Sop(&super::facts(&procedure)))?;
    let row = sops::by_ids(db, &[sop.0]).await?.pop().ok_or(Refusal::NotFound("SOP"))?;
    let naming = dependents::documents_with(db, &row.code).await?;
    let mut referring = BTreeMap::new();
    for (other, published, text) in naming {
        if other != sop.0 && names(&text, &row.code) {
            *referring.entry(other).or_default() |= published;
        }
    }
    Ok(Impact {
        running: dependents::running(db, sop).await?,
        referring,
        succeeded: dependents::succeeded(db, sop).await?,
    })
}

/// Whether a text names this code and not one that begins or ends with it.
fn names(text: &str, code: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(code).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + code.len()..].chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_code_is_found_as_a_whole() {
        for text in ["OPS-0001", "see OPS-0001.", "(OPS-0001)", "OPS-00011 OPS-0001"] {
            assert!(names(text, "OPS-0001"), "{text}");
        }
        for text in ["", "OPS-00011", "DEVOPS-0001", "OPS-0001-a", "ops-0001"] {
            assert!(!names(text, "OPS-0001"), "{text}");
        }
    }
}
