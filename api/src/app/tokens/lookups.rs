//! API tokens looked up for several requests at once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::tokens::{TokenRow, by_digests};
use crate::together::{Groups, Turn};

/// How long those who came meanwhile wait for the ones before them: one connection that hangs is not to hold up everybody.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long a look-up may take.
const LONGEST: Duration = Duration::from_secs(5);

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
        let (groups, turn) = (Arc::clone(&self.0), self.0.join(&(), 1, Asked { digest, answer }));
        let store = store.clone();
        // Tasks of their own: others wait for them, whatever becomes of this request.
        match turn {
            Turn::Serve(group) => drop(tokio::spawn(async move { serve(&groups, &store, group).await })),
            Turn::Wait(number) => drop(tokio::spawn(async move {
                sleep(PATIENCE).await;
                if let Some(group) = groups.overdue(&(), number) {
                    serve(&groups, &store, group).await;
                }
            })),
            Turn::Along => {}
        }
        told.await.unwrap_or_else(|_| Err(Error::internal("the look-up of an API token was given up")))
    }
}

async fn serve(groups: &Groups<(), Asked>, store: &Store, group: Vec<Asked>) {
    groups.serve(&(), group, |group| look_up(store, group)).await;
}

async fn look_up(store: &Store, group: Vec<Asked>) {
    let digests: BTreeSet<&str> = group.iter().map(|asked| asked.digest.as_str()).collect();
    let found = timeout(LONGEST, by_digests(store.read(), digests)).await;
    let found = found.unwrap_or(Err(Error::Unavailable)).map_err(|error| format!("{error:?}"));
    let found = found.map(|rows| rows.into_iter().map(|row| (row.digest.clone(), row)).collect::<HashMap<_, _>>());
    for Asked { digest, answer } in group {
        let told = found.as_ref().map(|rows| rows.get(&digest).cloned()).map_err(Error::internal);
        // Whoever has gone needs no answer.
        let _ = answer.send(told);
    }
}
