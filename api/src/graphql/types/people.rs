//! People, teams, grants, and who is asking.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use sopwith_domain::access::HeldRole;
use sopwith_domain::ids::{GrantId, PersonId, TeamId};

use super::Permission;
use crate::app::Call;
use crate::graphql::error::Result;
use crate::graphql::loaders::{PersonKey, TeamKey, load};
use crate::store::people as stored;
use crate::store::teams::Team as TeamRow;

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

/// Where a grant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum GrantSource {
    /// The person's token: the identity provider rules.
    Claim,
    /// A mutation.
    Api,
    /// An import.
    Import,
}

/// A role granted to a person.
pub struct Grant(pub stored::Grant);

/// A role granted to a person.
#[Object]
impl Grant {
    /// Names the grant for good.
    pub async fn id(&self) -> ID {
        GrantId(self.0.id).to_string().into()
    }

    /// Who holds it.
    async fn person(&self, ctx: &Context<'_>) -> Result<Option<Person>> {
        person(ctx, Some(self.0.person_id)).await
    }

    /// Which role.
    async fn role(&self) -> &str {
        &self.0.role
    }

    /// For which team; org-wide when null.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.0.team_id).await
    }

    /// Where it comes from.
    async fn source(&self) -> GrantSource {
        match self.0.source.as_str() {
            "CLAIM" => GrantSource::Claim,
            "IMPORT" => GrantSource::Import,
            _ => GrantSource::Api,
        }
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
    async fn grants(&self) -> Result<Vec<Grant>> {
        let grants = stored::grants_of(self.0.store.read(), self.0.actor.person).await?;
        Ok(grants.into_iter().map(Grant).collect())
    }

    /// The source that your token is bound to, if it is an integration's.
    async fn source(&self) -> Option<&str> {
        self.0.actor.source.as_deref()
    }
}

/// A role: a named set of permissions.
#[derive(SimpleObject)]
pub struct Role {
    /// Its name, as stages and claims name it.
    pub name: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
}
