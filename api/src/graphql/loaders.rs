//! Loaders, one per key, made per request: whatever a list holds, its nested objects come with one statement a kind.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use sopwith_domain::content::Document;
use uuid::Uuid;

use super::error::{Fault, Result};
use super::types::sop::Sop;
use crate::app::measurement::{self as measured, Progress};
use crate::app::waiting::{self, Waiting};
use crate::app::{Call, figures, reading};
use crate::error::Error;
use crate::store::approvals::{self, DecisionRow, RequestRow, StageRow};
use crate::store::comments::{self, CommentRow};
use crate::store::comparison::Counts;
use crate::store::contents;
use crate::store::delegations::{self, DelegationRow};
use crate::store::diagnosis::{self, ResponseRow};
use crate::store::executions::{self, ExecutionRow, StepRow, ViolationRow};
use crate::store::measurement::{self, StoredPlan};
use crate::store::page::Page;
use crate::store::people::{self, Grant, Person};
use crate::store::policies::{self, StoredPolicy};
use crate::store::processes::{self, Process};
use crate::store::sops::{self, Outermost, VersionCount, VersionRow};
use crate::store::teams::{self, Team};
use crate::store::tokens::{self, TokenRow};
use crate::telemetry::statements;

/// How many keys a batch may have: SQLite takes 32,766 parameters in a statement.
const MOST: usize = 10_000;

/// Everything that is loaded by key in one request.
pub struct Loaders(DataLoader<Source>);

impl Loaders {
    /// Loaders for one request.
    pub fn new(call: Arc<Call>) -> Self {
        // No delay: the request's scope starts batches when nobody is left to add a key.
        let loader = DataLoader::new(Source(call), statements::spawn);
        Self(loader.delay(Duration::ZERO).max_batch_size(MOST))
    }
}

/// What a key stands for, with whatever else has the same key in the same batch.
pub async fn load<K>(ctx: &Context<'_>, key: K) -> Result<Option<<Source as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Source: Loader<K, Error = Arc<Error>>,
{
    ctx.data_unchecked::<Loaders>().0.load_one(key).await.map_err(shared)
}

/// What several keys stand for.
pub async fn load_many<K>(ctx: &Context<'_>, keys: Vec<K>) -> Result<HashMap<K, <Source as Loader<K>>::Value>>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Source: Loader<K, Error = Arc<Error>>,
{
    ctx.data_unchecked::<Loaders>().0.load_many(keys).await.map_err(shared)
}

/// A batch's failure is everyone's who waited for it.
fn shared(error: Arc<Error>) -> Fault {
    match &*error {
        Error::Unavailable | Error::Collided => Error::Unavailable.into(),
        _ => match Arc::try_unwrap(error) {
            Ok(own) => own.into(),
            Err(shared) => Error::internal(format!("{shared:?}")).into(),
        },
    }
}

/// The database as one request sees it.
pub struct Source(Arc<Call>);

macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident($type:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $key(pub $type);
    )*};
}

keys! {
    /// An SOP that the actor sees, by id.
    SopKey(Uuid);
    /// A person by id.
    PersonKey(Uuid);
    /// Grants by person, whoever asks, those that have expired too.
    GrantsKey(Uuid);
    /// An API token by id, whoever asks.
    TokenKey(Uuid);
    /// A team by id.
    TeamKey(Uuid);
    /// A process by id.
    ProcessKey(Uuid);
    /// A version by id, whoever asks.
    VersionKey(Uuid);
    /// The version in force and the open one, by SOP.
    CurrentVersionsKey(Uuid);
    /// The first page of the versions of an SOP, or the last.
    OutermostVersionsKey(Outermost);
    /// How many versions there are, by SOP.
    VersionCountKey(Uuid);
    /// A document by hash.
    ContentKey(String);
    /// Contributors by version.
    ContributorsKey(Uuid);
    /// An approval request by id, whoever asks.
    RequestKey(Uuid);
    /// The open approval request, by SOP.
    OpenRequestKey(Uuid);
    /// Approval requests by version, newest first.
    VersionRequestsKey(Uuid);
    /// Stages by request.
    StagesKey(Uuid);
    /// Decisions by request.
    DecisionsKey(Uuid);
    /// Who could decide in the open stage, and in whose place, by request.
    WaitingForKey(Uuid);
    /// A policy by id, in use or not.
    PolicyKey(Uuid);
    /// A delegation by id, whoever asks.
    DelegationKey(Uuid);
    /// A review comment by id, whoever asks.
    CommentKey(Uuid);
    /// How many threads of review comments are open, by version.
    OpenThreadsKey(Uuid);
    /// Replies by the comment that began the thread, oldest first.
    RepliesKey(Uuid);
    /// Who is mentioned, by comment.
    MentionsKey(Uuid);
    /// The SOPs of a process that the actor sees, the one that is not retired first.
    ProcessSopsKey(Uuid);
    /// An execution that the actor reads, by id.
    ExecutionKey(Uuid);
    /// A response to a diagnosis by id, whoever asks.
    ResponseKey(Uuid);
    /// What was declared for a version to be measured by.
    PlanKey(Uuid);
    /// How far a version is by its plan, as the actor reads it.
    ProgressKey(Uuid);
    /// What a version comes to, once it is mature, where the actor reads figures of it.
    ResultsKey(Uuid);
    /// Steps by execution.
    StepsKey(Uuid);
    /// Violations by execution.
    ViolationsKey(Uuid);
}

type Loaded<K, V> = std::result::Result<HashMap<K, V>, Arc<Error>>;

/// Rows under the keys that they belong to; a key without rows has an empty list.
fn grouped<K: Clone + Eq + Hash, R>(keys: &[K], rows: Vec<R>, key: impl Fn(&R) -> K) -> HashMap<K, Vec<R>> {
    let mut out: HashMap<K, Vec<R>> = keys.iter().map(|k| (k.clone(), Vec::new())).collect();
    for row in rows {
        out.entry(key(&row)).or_default().push(row);
    }
    out
}

macro_rules! loaders {
    ($($key:ident => $value:ty, |$db:ident, $ids:ident, $keys:ident, $call:ident| $body:expr;)*) => {$(
        impl Loader<$key> for Source {
            type Value = $value;
            type Error = Arc<Error>;

            async fn load(&self, $keys: &[$key]) -> Loaded<$key, $value> {
                let $call = &self.0;
                let $db = $call.store.read();
                let $ids: Vec<_> = $keys.iter().map(|k| k.0.clone()).collect();
                let body: crate::error::Result<HashMap<$key, $value>> = async { $body }.await;
                body.map_err(Arc::new)
            }
        }
    )*};
}

loaders! {
    PersonKey => Person, |db, ids, _keys, _call| {
        Ok(people::by_ids(db, &ids).await?.into_iter().map(|p| (PersonKey(p.id), p)).collect())
    };
    GrantsKey => Vec<Grant>, |db, ids, keys, _call| {
        Ok(grouped(keys, people::grants_of_all(db, &ids).await?, |g| GrantsKey(g.person_id)))
    };
    TokenKey => TokenRow, |db, ids, _keys, _call| {
        Ok(tokens::by_ids(db, &ids).await?.into_iter().map(|t| (TokenKey(t.id), t)).collect())
    };
    TeamKey => Team, |db, ids, _keys, _call| {
        Ok(teams::by_ids(db, &ids).await?.into_iter().map(|t| (TeamKey(t.id), t)).collect())
    };
    ProcessKey => Process, |db, ids, _keys, _call| {
        Ok(processes::by_ids(db, &ids).await?.into_iter().map(|p| (ProcessKey(p.id), p)).collect())
    };
    VersionKey => VersionRow, |db, ids, _keys, _call| {
        Ok(sops::versions_by_ids(db, &ids).await?.into_iter().map(|v| (VersionKey(v.id), v)).collect())
    };
    CurrentVersionsKey => Vec<VersionRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, sops::current_versions_of(db, &ids).await?, |v| CurrentVersionsKey(v.sop_id)))
    };
    OutermostVersionsKey => Page<VersionRow>, |db, ids, _keys, _call| {
        let pages = sops::outermost_versions_of(db, &ids).await?;
        Ok(pages.into_iter().map(|(outermost, page)| (OutermostVersionsKey(outermost), page)).collect())
    };
    VersionCountKey => VersionCount, |db, ids, _keys, _call| {
        let counts = sops::version_counts_of(db, &ids).await?;
        Ok(counts.into_iter().map(|count| (VersionCountKey(count.sop_id), count)).collect())
    };
    ContentKey => Arc<Document>, |db, ids, _keys, _call| {
        let documents = contents::by_hashes(db, &ids).await?;
        Ok(documents.into_iter().map(|(hash, document)| (ContentKey(hash), Arc::new(document))).collect())
    };
    ContributorsKey => Vec<Uuid>, |db, ids, _keys, _call| {
        let found = crate::store::procedures::contributors(db, ids).await?;
        Ok(found.into_iter().map(|(v, people)| (ContributorsKey(v), people.into_iter().map(|p| p.0).collect())).collect())
    };
    RequestKey => RequestRow, |db, ids, _keys, _call| {
        Ok(approvals::by_ids(db, &ids).await?.into_iter().map(|r| (RequestKey(r.id), r)).collect())
    };
    OpenRequestKey => RequestRow, |db, ids, _keys, _call| {
        Ok(approvals::open_of_sops(db, &ids).await?.into_iter().map(|r| (OpenRequestKey(r.sop_id), r)).collect())
    };
    VersionRequestsKey => Vec<RequestRow>, |db, ids, keys, _call| {
        let rows = approvals::of_versions(db, &ids).await?;
        Ok(grouped(keys, rows, |r| VersionRequestsKey(r.version_id.unwrap_or_default())))
    };
    StagesKey => Vec<StageRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, approvals::stages_of(db, &ids).await?, |s| StagesKey(s.request_id)))
    };
    DecisionsKey => Vec<DecisionRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, approvals::decisions_of(db, &ids).await?, |d| DecisionsKey(d.request_id)))
    };
    WaitingForKey => Waiting, |db, ids, _keys, call| {
        let found = waiting::for_requests(db, &ids, call.now).await?;
        Ok(found.into_iter().map(|(request, waiting)| (WaitingForKey(request), waiting)).collect())
    };
    PolicyKey => StoredPolicy, |db, ids, _keys, _call| {
        Ok(policies::by_ids(db, &ids).await?.into_iter().map(|p| (PolicyKey(p.policy.id.0), p)).collect())
    };
    DelegationKey => DelegationRow, |db, ids, _keys, _call| {
        Ok(delegations::by_ids(db, &ids).await?.into_iter().map(|d| (DelegationKey(d.id), d)).collect())
    };
    CommentKey => CommentRow, |db, ids, _keys, _call| {
        Ok(comments::by_ids(db, &ids).await?.into_iter().map(|c| (CommentKey(c.id), c)).collect())
    };
    OpenThreadsKey => u64, |db, ids, _keys, _call| {
        let found = comments::open_threads_of(db, &ids).await?;
        Ok(found.into_iter().map(|(version, open)| (OpenThreadsKey(version), open)).collect())
    };
    RepliesKey => Vec<CommentRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, comments::replies_of(db, &ids).await?, |c| RepliesKey(c.thread_id.unwrap_or_default())))
    };
    MentionsKey => Vec<Uuid>, |db, ids, keys, _call| {
        let found = grouped(keys, comments::mentions_of(db, &ids).await?, |(comment, _)| MentionsKey(*comment));
        Ok(found.into_iter().map(|(key, rows)| (key, rows.into_iter().map(|(_, person)| person).collect())).collect())
    };
    ExecutionKey => ExecutionRow, |db, ids, _keys, call| {
        let rows = executions::by_ids(db, &figures::reach(&call.actor), &ids).await?;
        Ok(rows.into_iter().map(|e| (ExecutionKey(e.id), e)).collect())
    };
    ResponseKey => ResponseRow, |db, ids, _keys, _call| {
        Ok(diagnosis::by_ids(db, &ids).await?.into_iter().map(|r| (ResponseKey(r.id), r)).collect())
    };
    PlanKey => StoredPlan, |db, ids, _keys, _call| {
        let found = measurement::by_versions(db, &ids).await?;
        Ok(found.into_iter().map(|(version, plan)| (PlanKey(version), plan)).collect())
    };
    ProgressKey => Progress, |db, ids, _keys, call| {
        let found = measured::progress(db, call, &ids).await?;
        Ok(found.into_iter().map(|(version, progress)| (ProgressKey(version), progress)).collect())
    };
    ResultsKey => Counts, |db, ids, _keys, call| {
        let found = measured::results(db, call, &ids).await?;
        Ok(found.into_iter().map(|(version, counts)| (ResultsKey(version), counts)).collect())
    };
    StepsKey => Vec<StepRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, executions::steps_of(db, &ids).await?, |s| StepsKey(s.execution_id)))
    };
    ViolationsKey => Vec<ViolationRow>, |db, ids, keys, _call| {
        Ok(grouped(keys, executions::violations_of(db, &ids).await?, |v| ViolationsKey(v.execution_id)))
    };
    SopKey => Sop, |db, ids, _keys, call| {
        let rows = sops::by_ids(db, &ids).await?;
        let sights = reading::sights(db, &call.actor, &rows).await?;
        Ok(seen(rows, &sights).map(|sop| (SopKey(sop.row.id), sop)).collect())
    };
    ProcessSopsKey => Vec<Sop>, |db, ids, keys, call| {
        let rows = sops::of_processes(db, &ids).await?;
        let sights = reading::sights(db, &call.actor, &rows).await?;
        Ok(grouped(keys, seen(rows, &sights).collect(), |sop| ProcessSopsKey(sop.row.process_id)))
    };
}

fn seen(rows: Vec<sops::SopRow>, sights: &BTreeMap<Uuid, reading::Sight>) -> impl Iterator<Item = Sop> {
    let sights = sights.clone();
    rows.into_iter().filter_map(move |row| {
        let sight = *sights.get(&row.id)?;
        sight.sop.then_some(Sop { row, sight })
    })
}
