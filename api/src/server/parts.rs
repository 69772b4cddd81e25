//! Answers that are sent while they are made.

use std::io;

use actix_web::web::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::sync::mpsc;

/// The parts of an answer as they are made, which end with `None`. Only what was said to be whole ends well: an answer
/// that stops half-way, for want of a `None`, must not look like one that is complete. `broken` is for the log.
pub fn stream(
    receive: mpsc::Receiver<Option<Bytes>>,
    broken: &'static str,
) -> impl Stream<Item = io::Result<Bytes>> + 'static {
    unfold(Some(receive), move |left| async move {
        let mut receive = left?;
        match receive.recv().await {
            Some(Some(part)) => Some((Ok(part), Some(receive))),
            Some(None) => None,
            None => Some((Err(io::Error::other(broken)), None)),
        }
    })
}
