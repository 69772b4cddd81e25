//! Roles, and who may do what.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use sopwith_domain::access::{Action, Permission, Resource, decide};

use super::{text, typed};
use crate::app::{Call, explain};
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::types::access::{AccessExplanation, AccessObject, Role};
use crate::graphql::types::sop::page_size;
use crate::graphql::types::token::ApiToken;
use crate::graphql::types::{AccessAction, ApiTokenState};
use crate::store::page::Key;
use crate::store::roles;
use crate::store::tokens::{self, TokenFilter};

/// Which API tokens are asked for; all conditions hold together.
#[derive(InputObject, Default)]
pub struct ApiTokensFilter {
    /// Bound to this source.
    source: Option<String>,
    /// In this state.
    state: Option<ApiTokenState>,
}

#[derive(Default)]
pub struct AccessQuery;

#[Object]
impl AccessQuery {
    /// All roles, by name.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn roles(&self, ctx: &Context<'_>) -> Result<Vec<Role>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        Ok(roles::all(call.store.read()).await?.into_iter().map(Role::from).collect())
    }

    /// The API tokens that you see, oldest first, for who manages access: all, or those of their teams.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn api_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ApiTokensFilter>,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<ApiToken>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let reach = call.actor.reach(Permission::AccessManage);
        if reach.is_empty() {
            decide(&call.actor, Action::ManageAccess, Resource::Organisation)?;
        }
        let filter = filter.unwrap_or_default();
        text("source", filter.source.as_deref().unwrap_or_default())?;
        let filter = TokenFilter { source: filter.source, state: filter.state.map(Into::into) };
        let window = Paging { first, after, last, before }.window()?;
        let page = tokens::list(call.store.read(), &reach, &filter, &window, call.now).await?;
        Ok(list(page, Counted::Tokens(filter), |t| (Key::Number(t.created_at), t.id), ApiToken))
    }

    /// What somebody may do to something that you see, and why: you yourself by the token in hand, others by their
    /// grants and by what their token claimed when they were seen last. About others it is for those who manage access
    /// there or read the audit chain. It tells of access alone: the state of a thing, or the source that a token is
    /// bound to, may refuse what is allowed here.
    async fn explain_access(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] person_id: ID,
        #[graphql(desc = "What they would do.")] action: AccessAction,
        #[graphql(desc = "To what.")] on: AccessObject,
    ) -> Result<AccessExplanation> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let person = typed(&person_id, "person")?;
        Ok(AccessExplanation(explain::explain(call, person, action.into(), on.read()?).await?))
    }
}
