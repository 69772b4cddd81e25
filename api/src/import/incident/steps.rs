//! The course of an incident through its states, as step records.

use sopwith_domain::content::slug;
use sopwith_domain::execution::{StepRecord, StepStatus};

use super::row::Event;
use super::traps::Traps;

/// A state that the log itself does not know.
const UNDEFINED: &str = "-100";

/// One record for each time a state was entered, from the rows of an incident in their order.
///
/// Rows without a state of use are passed over, so that a state goes on across them. A state ends when the next begins;
/// where that is said to be earlier than its own beginning, or not said, its end is left open. So is that of the last.
pub fn steps(events: &[Event], traps: &mut Traps) -> Vec<StepRecord> {
    let mut steps: Vec<StepRecord> = Vec::new();
    for event in events {
        let Some(key) = key(event, traps) else { continue };
        if let Some(current) = steps.last_mut() {
            if current.key == key {
                continue;
            }
            current.finished_at = event.updated_at.filter(|end| current.started_at.is_none_or(|start| start <= *end));
            traps.endless_steps += usize::from(current.finished_at.is_none());
        }
        let before = steps.iter().filter(|step| step.key == key).count();
        steps.push(StepRecord {
            key,
            attempt: i32::try_from(before + 1).unwrap_or(i32::MAX),
            started_at: event.updated_at,
            finished_at: None,
            status: StepStatus::Done,
        });
    }
    steps
}

fn key(event: &Event, traps: &mut Traps) -> Option<String> {
    let state = event.state.as_deref().unwrap_or_default();
    if state == UNDEFINED {
        traps.undefined_states += 1;
        return None;
    }
    let key = Some(slug(state)).filter(|key| !key.is_empty());
    traps.missing_states += usize::from(key.is_none());
    key
}
