//! Policies, delegations, comments, decisions, inboxes and several at once, as those who work with them see them.

mod bulk;
mod comments;
mod decisions;
mod delegations;
mod figures;
mod impact;
mod inbox;
mod policies;
