//! `audit verify`.

use serde_json::json;
use sopwith_domain::audit::Broken;

use super::{CliError, migrate, print};
use crate::config::Config;
use crate::store::audit;

/// Walks the whole audit chain and prints how long it is.
///
/// # Errors
/// When it is broken, naming the entry, or when it cannot be read.
pub async fn verify(config: &Config, as_json: bool) -> Result<(), CliError> {
    let store = migrate::open(config).await?;
    let found = audit::verify(store.read()).await;
    store.close().await?;
    let found = found?;
    if as_json {
        let shown = match &found {
            Ok(entries) => json!({ "ok": true, "entries": entries }),
            Err(broken) => json!({ "ok": false, "entry": entry(broken), "problem": broken.to_string() }),
        };
        print(&shown.to_string())?;
    }
    match found {
        Ok(_) if as_json => Ok(()),
        Ok(1) => print("the audit chain is sound: 1 entry"),
        Ok(entries) => print(&format!("the audit chain is sound: {entries} entries")),
        Err(broken) => Err(CliError::Message(format!("the audit chain is broken: {broken}"))),
    }
}

/// The number of the entry where the chain breaks.
fn entry(broken: &Broken) -> i64 {
    match broken {
        Broken::Gap { expected, .. } => *expected,
        Broken::Changed(seq) => *seq,
        // The first one that is missing, or is not in the head.
        Broken::Head { found, .. } => found + 1,
    }
}
