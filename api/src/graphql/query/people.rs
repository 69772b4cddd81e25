//! Yourself, teams, people, and anything by its id.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, OneofObject};
use futures_util::future::try_join_all;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, TeamId};

use super::approvals::request;
use super::records::execution;
use super::typed;
use crate::app::Call;
use crate::graphql::error::Result;
use crate::graphql::types::Node;
use crate::graphql::types::comment::comment;
use crate::graphql::types::delegation::delegation;
use crate::graphql::types::diagnosis::response;
use crate::graphql::types::people::{Me, Person, Team, person, team};
use crate::graphql::types::policy::policy;
use crate::graphql::types::process::process;
use crate::graphql::types::sop::sop;
use crate::graphql::types::token::token;
use crate::graphql::types::version::version;
use crate::store::teams;

/// How a team is named.
#[derive(OneofObject)]
pub enum TeamBy {
    /// By its id.
    Id(ID),
    /// By its key, such as `platform`.
    Key(String),
}

#[derive(Default)]
pub struct PeopleQuery;

#[Object]
impl PeopleQuery {
    /// You: who your token says you are, and what you may do.
    async fn me(&self, ctx: &Context<'_>) -> Me {
        Me(Arc::clone(ctx.data_unchecked::<Arc<Call>>()))
    }

    /// Anything by its id; null when there is nothing that you see.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Node>> {
        node(ctx, &id).await
    }

    /// Several things by their ids, at most 100; null in the place of what you do not see.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > 100 {
            return Err(Refusal::invalid("ids", "at most 100 at a time").into());
        }
        try_join_all(ids.iter().map(|id| node(ctx, id))).await
    }

    /// One person; null when there is none.
    async fn person(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] id: ID) -> Result<Option<Person>> {
        person(ctx, Some(typed::<PersonId>(&id, "person")?.0)).await
    }

    /// One team, by id or key; null when there is none.
    async fn team(&self, ctx: &Context<'_>, #[graphql(desc = "Which.")] by: TeamBy) -> Result<Option<Team>> {
        match by {
            TeamBy::Id(id) => team(ctx, Some(typed::<TeamId>(&id, "team")?.0)).await,
            TeamBy::Key(key) => {
                let call = ctx.data_unchecked::<Arc<Call>>();
                Ok(teams::by_key(call.store.read(), super::text("key", &key)?).await?.map(Team))
            }
        }
    }

    /// All teams, by key.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn teams(&self, ctx: &Context<'_>) -> Result<Vec<Team>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        Ok(teams::all(call.store.read()).await?.into_iter().map(Team).collect())
    }
}

async fn node(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    macro_rules! find {
        ($domain:ident, |$id:ident| $load:expr) => {
            if let Ok($id) = id.parse::<sopwith_domain::ids::$domain>() {
                return Ok($load.await?.map(Node::from));
            }
        };
    }
    find!(SopId, |id| async { Ok::<_, crate::graphql::error::Fault>(sop(ctx, id.0).await?.map(Box::new)) });
    find!(VersionId, |id| version(ctx, id.0));
    find!(ProcessId, |id| process(ctx, id.0));
    find!(RequestId, |id| request(ctx, id));
    find!(ExecutionId, |id| execution(ctx, id));
    find!(PersonId, |id| person(ctx, Some(id.0)));
    find!(TeamId, |id| team(ctx, Some(id.0)));
    find!(PolicyId, |id| policy(ctx, id));
    find!(DelegationId, |id| delegation(ctx, id));
    find!(CommentId, |id| comment(ctx, id));
    find!(ResponseId, |id| response(ctx, id));
    find!(TokenId, |id| token(ctx, id.0));
    Err(Refusal::NotFound("object").into())
}
