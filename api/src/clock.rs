//! The one place where time and randomness come from; everything else is handed them.

use sopwith_domain::time::Timestamp;
use uuid::Uuid;

/// Now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
pub fn now() -> Timestamp {
    chrono::Utc::now().into()
}

/// A new id, later ones sorting behind earlier ones.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where ids come from")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
