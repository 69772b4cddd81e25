//! The one place where time and randomness come from; everything else is handed them.

use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sopwith_domain::time::Timestamp;
use uuid::Uuid;

use crate::error::{Error, Result};

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

/// 256 bits that nobody can guess, from the operating system.
///
/// # Errors
/// When the system has none to give.
pub fn random() -> Result<[u8; 32]> {
    let mut bits = [0; 32];
    OsRng.try_fill_bytes(&mut bits).map_err(Error::internal)?;
    Ok(bits)
}
