//! API tokens looked up for several requests at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::tokens::{TokenRow, by_digests};
use crate::together::{Groups, Turn};

/// Looks up tokens. Each is read after it was asked for, so that one taken away is good for nothing at once; those that are
/// asked for while others are being read are read together.
#[derive(Debug, Clone, Default)]
pub struct Lookups(Arc<Groups<(), Asked>>);

/// Who waits for the token of a digest.
#[derive(Debug)]
struct Asked {
    digest: String,
    answer: oneshot::Sender<Result<Option<TokenRow>>>,
}

impl Lookups {
    /// The token whose secret has this digest.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find(&self, store: &Store, digest: String) -> Result<Option<TokenRow>> {
        let (answer, told) = oneshot::channel();
        if let Turn::Serve(group) = self.0.join(&(), 1, Asked { digest, answer }) {
            let (groups, store) = (Arc::clone(&self.0), store.clone());
            // A task of its own: others wait for it, whatever becomes of this request.
            tokio::spawn(async move { groups.serve(&(), group, |group| look_up(&store, group)).await });
        }
        told.await.unwrap_or_else(|_| Err(Error::internal("the look-up of an API token was given up")))
    }
}

async fn look_up(store: &Store, group: Vec<Asked>) {
    let digests: BTreeSet<&str> = group.iter().map(|asked| asked.digest.as_str()).collect();
    let found = by_digests(store.read(), digests).await.map_err(|error| format!("{error:?}"));
    let found = found.map(|rows| rows.into_iter().map(|row| (row.digest.clone(), row)).collect::<HashMap<_, _>>());
    for Asked { digest, answer } in group {
        let told = found.as_ref().map(|rows| rows.get(&digest).cloned()).map_err(Error::internal);
        // Whoever has gone needs no answer.
        let _ = answer.send(told);
    }
}
