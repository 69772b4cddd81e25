//! Relay connections.

use std::sync::Arc;

use async_graphql::connection::{Connection, CursorType, Edge, EmptyFields};
use async_graphql::{Context, Enum, Object, OutputType};
use sopwith_domain::access::Permission;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::SopId;

use super::error::Result;
use super::loaders::{VersionCountKey, load};
use crate::app::Call;
use crate::app::figures::reach;
use crate::error::Error;
use crate::store::approvals::{self, RequestFilter};
use crate::store::audit::{self, AuditFilter};
use crate::store::comments::{self, CommentFilter};
use crate::store::delegations::{self, DelegationFilter};
use crate::store::diagnosis;
use crate::store::drafts;
use crate::store::events;
use crate::store::executions::{self, ExecutionFilter};
use crate::store::page::{Key, Page, Place, Window};
use crate::store::processes;
use crate::store::sops::{self, SopFilter};
use crate::store::tokens::{self, TokenFilter};

/// The place of a row, opaque to clients.
#[derive(Debug, Clone)]
pub struct Cursor(pub Place);

impl CursorType for Cursor {
    type Error = String;

    fn decode_cursor(text: &str) -> std::result::Result<Self, String> {
        let bytes = hex::decode(text).map_err(|_| "not a cursor".to_owned())?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| "not a cursor".to_owned())
    }

    fn encode_cursor(&self) -> String {
        hex::encode(serde_json::to_vec(&self.0).unwrap_or_default())
    }
}

/// A connection to this kind of node.
pub type List<T> = Connection<Cursor, T, Counted, EmptyFields>;

/// Which list is counted.
#[derive(Debug)]
pub enum Counted {
    /// SOPs.
    Sops(SopFilter),
    /// Processes.
    Processes,
    /// Approval requests.
    Requests(RequestFilter),
    /// Executions.
    Executions(ExecutionFilter),
    /// Audit entries.
    Audit(AuditFilter),
    /// Delegations.
    Delegations(DelegationFilter),
    /// Review comments.
    Comments(CommentFilter),
    /// The actor's own drafts.
    Drafts,
    /// API tokens.
    Tokens(TokenFilter),
    /// What concerns the actor.
    Notifications,
    /// Responses to what was found of an SOP.
    DiagnosisResponses(SopId),
    /// Versions of an SOP, with or without those that never came into force.
    Versions(SopId, bool),
}

/// Which list is counted.
#[Object]
impl Counted {
    /// How many there are in all; counted only when asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let (db, visible) = (call.store.read(), call.actor.visibility());
        let count = match self {
            Self::Sops(filter) => sops::count(db, &visible, filter).await?,
            Self::Processes => processes::count(db).await?,
            Self::Requests(filter) => approvals::count(db, &visible, filter).await?,
            Self::Executions(filter) => executions::count(db, &reach(&call.actor), filter).await?,
            Self::Audit(filter) => {
                let reach = call.actor.reach(Permission::AuditRead);
                audit::count(db, &reach, filter).await?
            }
            Self::Delegations(filter) => delegations::count(db, filter).await?,
            Self::Comments(filter) => comments::count(db, filter).await?,
            Self::Drafts => drafts::count(db, &visible).await?,
            Self::Tokens(filter) => {
                let reach = call.actor.reach(Permission::AccessManage);
                tokens::count(db, &reach, filter, call.now).await?
            }
            Self::Notifications => events::count(db, &visible).await?,
            Self::DiagnosisResponses(sop) => diagnosis::count(db, *sop).await?,
            Self::Versions(sop, drafts) => {
                let found = load(ctx, VersionCountKey(sop.0)).await?;
                let count = found.map_or(0, |count| if *drafts { count.all } else { count.published });
                u64::try_from(count).map_err(Error::internal)?
            }
        };
        Ok(i32::try_from(count).map_err(Error::internal)?)
    }
}

/// The paging arguments of a list.
#[derive(Debug, Default)]
pub struct Paging {
    /// The first so many.
    pub first: Option<i32>,
    /// After this cursor.
    pub after: Option<String>,
    /// The last so many.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl Paging {
    /// The window that is asked for: 20 rows unless told, 1 to 100.
    pub fn window(self) -> Result<Window> {
        if self.first.is_some() && self.last.is_some() {
            return Err(Refusal::invalid("last", "give first or last, not both").into());
        }
        let backwards = self.last.is_some();
        let name = if backwards { "last" } else { "first" };
        let asked = self.last.or(self.first).unwrap_or(20);
        let limit = u64::try_from(asked).ok().filter(|n| (1..=100).contains(n));
        let limit = limit.ok_or_else(|| Refusal::invalid(name, "a page has 1 to 100 entries"))?;
        let place = |name: &str, text: Option<String>| -> std::result::Result<Option<Place>, Refusal> {
            let decoded = text.map(|text| Cursor::decode_cursor(&text).map(|cursor| cursor.0)).transpose();
            decoded.map_err(|_| Refusal::invalid(name, "this is not a cursor of ours"))
        };
        Ok(Window { limit, after: place("after", self.after)?, before: place("before", self.before)?, backwards })
    }
}

/// A page as a connection.
pub fn list<R, T: OutputType>(
    page: Page<R>,
    counted: Counted,
    place: impl Fn(&R) -> (Key, uuid::Uuid),
    node: impl Fn(R) -> T,
) -> List<T> {
    let mut list = Connection::with_additional_fields(page.has_previous, page.has_next, counted);
    list.edges.extend(page.rows.into_iter().map(|row| {
        let (key, id) = place(&row);
        Edge::new(Cursor(Place { key, id }), node(row))
    }));
    list
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Smallest, earliest or first in the alphabet first.
    Asc,
    /// The other way round.
    Desc,
}
