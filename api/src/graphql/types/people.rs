//! People, teams, and who is asking.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use sopwith_domain::access::HeldRole;
use sopwith_domain::ids::{PersonId, TeamId};

use super::access::Grant;
use super::comment::ReviewComment;
use super::inbox::PendingDecision;
use super::notification::Notification;
use super::sop::page_size;
use super::version::Version;
use super::{Permission, RoleSource};
use crate::app::access::sees;
use crate::app::{Call, waiting};
use crate::graphql::connection::{Counted, List, Paging, list};
use crate::graphql::error::Result;
use crate::graphql::loaders::{GrantsKey, PersonKey, TeamKey, load};
use crate::graphql::scalars::DateTime;
use crate::store::comments::{self, CommentFilter};
use crate::store::page::Key;
use crate::store::teams::Team as TeamRow;
use crate::store::{approvals, drafts, events, people as stored};

/// Someone known to the service.
pub struct Person(pub stored::Person);

/// Someone known to the service.
#[Object]
impl Person {
    /// Names the person for good.
    pub async fn id(&self) -> ID {
        PersonId(self.0.id).to_string().into()
    }

    /// What people call them, where that is known.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Where they can be written to, where that is known.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Their grants, oldest first, as far as you see them: your own, and those within the reach of who manages access
    /// or reads the audit chain, org-wide or for a team. Grants from claims are those of the token that was seen last.
    #[graphql(complexity = "20 * child_complexity + 1")]
    async fn grants(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "Also those that have expired.")] include_expired: bool,
    ) -> Result<Vec<Grant>> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let grants = load(ctx, GrantsKey(self.0.id)).await?.unwrap_or_default();
        let shown = grants.into_iter().filter(|grant| include_expired || stored::counts_at(grant, call.now));
        Ok(shown.filter(|grant| sees(&call.actor, grant)).map(Grant).collect())
    }
}

/// A person by id, where there is one.
pub async fn person(ctx: &Context<'_>, id: Option<uuid::Uuid>) -> Result<Option<Person>> {
    match id {
        Some(id) => Ok(load(ctx, PersonKey(id)).await?.map(Person)),
        None => Ok(None),
    }
}

/// A team of the organisation.
pub struct Team(pub TeamRow);

/// A team of the organisation.
#[Object]
impl Team {
    /// Names the team for good.
    pub async fn id(&self) -> ID {
        TeamId(self.0.id).to_string().into()
    }

    /// Names it in claims and executions.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the codes of its SOPs begin with.
    async fn code_prefix(&self) -> &str {
        &self.0.code_prefix
    }
}

/// A team by id, where there is one.
pub async fn team(ctx: &Context<'_>, id: Option<uuid::Uuid>) -> Result<Option<Team>> {
    match id {
        Some(id) => Ok(load(ctx, TeamKey(id)).await?.map(Team)),
        None => Ok(None),
    }
}

/// A role that you hold, and what it allows.
pub struct MyRole(HeldRole);

/// A role that you hold, and what it allows.
#[Object]
impl MyRole {
    /// Its name.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// For which team; org-wide when null.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team.map(|t| t.0)).await
    }

    /// What it allows.
    async fn permissions(&self) -> Vec<Permission> {
        self.0.permissions.iter().map(|p| (*p).into()).collect()
    }

    /// What gives it. Who holds a role by claims and by a grant holds it twice.
    async fn source(&self) -> RoleSource {
        self.0.origin.source.into()
    }

    /// From when it counts no more, where that is known.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.origin.expires_at.map(DateTime)
    }
}

/// You, as your token and your grants tell.
pub struct Me(pub Arc<Call>);

/// You, as your token and your grants tell.
#[Object]
impl Me {
    /// You as others see you.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.actor.person.0)).await
    }

    /// The roles that you hold.
    async fn roles(&self) -> Vec<MyRole> {
        self.0.actor.roles.iter().cloned().map(MyRole).collect()
    }

    /// Your grants: where each role comes from.
    #[graphql(complexity = "100 * child_complexity + 1")]
    async fn grants(
        &self,
        #[graphql(default, desc = "Also those that have expired.")] include_expired: bool,
    ) -> Result<Vec<Grant>> {
        let grants = stored::grants_of(self.0.store.read(), self.0.actor.person).await?;
        let shown = grants.into_iter().filter(|grant| include_expired || stored::counts_at(grant, self.0.now));
        Ok(shown.map(Grant).collect())
    }

    /// The decisions that wait for you, by a role of your own or in somebody's place, oldest first.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn pending_decisions(
        &self,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<PendingDecision>> {
        let (db, actor) = (self.0.store.read(), &self.0.actor);
        let filter = waiting::for_actor(db, actor).await?;
        let window = Paging { first, after, last, before }.window()?;
        let page = approvals::list(db, &actor.visibility(), &filter, &window).await?;
        Ok(list(page, Counted::Requests(filter), |r| (Key::Number(r.opened_at), r.id), PendingDecision))
    }

    /// The drafts that you contributed to, or of SOPs that you own, latest change first.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn drafts(
        &self,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Version>> {
        let window = Paging { first, after, last, before }.window()?;
        let page = drafts::list(self.0.store.read(), &self.0.actor.visibility(), &window).await?;
        Ok(list(page, Counted::Drafts, |v| (Key::Number(v.updated_at), v.id), Version))
    }

    /// The review comments that ask for your attention, newest first.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn mentions(
        &self,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<ReviewComment>> {
        let filter = CommentFilter::Mentions(Box::new(self.0.actor.visibility()));
        let window = Paging { first, after, last, before }.window()?;
        let page = comments::list(self.0.store.read(), &filter, &window).await?;
        Ok(list(page, Counted::Comments(filter), |c| (Key::Number(c.created_at), c.id), ReviewComment))
    }

    /// What happened that concerns you, newest first: decisions that wait for you, reminders of them, comments that
    /// mention you. What you may not see any more is left out.
    #[graphql(complexity = "page_size(first, last) * child_complexity + 1")]
    async fn notifications(
        &self,
        #[graphql(desc = "The first so many, 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<List<Notification>> {
        let window = Paging { first, after, last, before }.window()?;
        let page = events::list(self.0.store.read(), &self.0.actor.visibility(), &window).await?;
        Ok(list(page, Counted::Notifications, |e| (Key::Number(e.at), e.id), Notification))
    }

    /// The source that your token is bound to, if it is an integration's.
    async fn source(&self) -> Option<&str> {
        self.0.actor.source.as_deref()
    }
}
