//! What holds for the whole API.

mod idempotency;
mod lists;
mod nodes;
mod schema;
mod statements;
mod transport;

use serde_json::json;

use crate::story::{Draft, Place, draft, process, publish};

/// A process of its own with a draft.
async fn fresh(place: &Place, key: &str, title: &str) -> Draft {
    let process = process(&place.author, &json!(place.team), key).await;
    draft(place, &place.author, &process, title).await
}

/// The same, published.
async fn fresh_published(place: &Place, key: &str, title: &str) -> Draft {
    let made = fresh(place, key, title).await;
    publish(place, &place.author, &made).await;
    made
}
