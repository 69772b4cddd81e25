//! Roles, grants, and why somebody may do something.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, OneofObject, SimpleObject};
use sopwith_domain::access::{Ground, HeldRole};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::GrantId;

use super::people::{Person, Team, person, team};
use super::{Permission, RoleSource};
use crate::app::Call;
use crate::app::explain::{self, Object as About};
use crate::graphql::error::Result;
use crate::graphql::query::typed;
use crate::graphql::scalars::{BigInt, DateTime};
use crate::store::{people as stored, roles};

/// A role: a named set of permissions.
#[derive(SimpleObject)]
pub struct Role {
    /// Its name, as stages, grants and claims name it.
    name: String,
    /// Whether the service brought it: then it stays as it is.
    built_in: bool,
    /// What it allows.
    permissions: Vec<Permission>,
    /// Raised by every edit; what `expectedRevision` is compared with.
    revision: BigInt,
}

impl From<roles::Role> for Role {
    fn from(role: roles::Role) -> Self {
        let permissions = role.permissions.into_iter().map(Into::into).collect();
        Self { name: role.name, built_in: role.built_in, permissions, revision: BigInt(role.revision) }
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

/// A role granted to a person. Who holds a role by claims and by a mutation has two grants of it.
pub struct Grant(pub stored::Grant);

/// A role granted to a person. Who holds a role by claims and by a mutation has two grants of it.
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

    /// When it was made; for one from claims, when the person's claims changed last.
    async fn created_at(&self) -> DateTime {
        DateTime::stored(self.0.created_at)
    }

    /// From when it counts no more; null when it does not end by itself.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime::stored)
    }

    /// Whether it counts no more.
    async fn expired(&self, ctx: &Context<'_>) -> bool {
        !stored::counts_at(&self.0, ctx.data_unchecked::<Arc<Call>>().now)
    }
}

/// What is asked about.
#[derive(OneofObject)]
pub enum AccessObject {
    /// The whole organisation: always true.
    Organisation(bool),
    /// A team.
    TeamId(ID),
    /// An SOP.
    SopId(ID),
    /// A version of an SOP.
    VersionId(ID),
    /// An approval request.
    ApprovalRequestId(ID),
}

impl AccessObject {
    /// It, by a typed id.
    pub fn read(&self) -> std::result::Result<About, Refusal> {
        Ok(match self {
            Self::Organisation(true) => About::Organisation,
            Self::Organisation(false) => return Err(Refusal::invalid("on.organisation", "this is true or left out")),
            Self::TeamId(id) => About::Team(typed(id, "team")?),
            Self::SopId(id) => About::Sop(typed(id, "SOP")?),
            Self::VersionId(id) => About::Version(typed(id, "version")?),
            Self::ApprovalRequestId(id) => About::Request(typed(id, "approval request")?),
        })
    }
}

/// What a reason does to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AccessEffect {
    /// It is enough to be allowed.
    Allows,
    /// It would be enough, and does not hold.
    WouldAllow,
    /// It stands in the way, whatever allows it.
    Forbids,
}

/// What a reason rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AccessBasis {
    /// A permission that a role has.
    Permission,
    /// Owning the SOP.
    Owner,
    /// Having contributed to the open version, or asked for the retirement.
    Contributor,
    /// A role that a stage of the open request names.
    Stage,
    /// A delegation from somebody whose role a stage of the open request names.
    Delegation,
    /// That a version is or was in force.
    Published,
    /// Being signed in.
    SignedIn,
    /// The rules of the approval request: who contributed does not decide, one person decides once, the current stage
    /// and its role, how recent the sign-in is.
    Request,
}

/// What somebody may do, and why.
pub struct AccessExplanation(pub explain::Explanation);

/// What somebody may do, and why.
#[Object]
impl AccessExplanation {
    /// Whether they may.
    async fn allowed(&self) -> bool {
        self.0.allowed
    }

    /// Whether they are answered as if there were no such thing.
    async fn hidden(&self) -> bool {
        self.0.hidden
    }

    /// Each of those that allow it, or else each of those that would, and what stands in the way. None when nobody may
    /// do such a thing there.
    async fn reasons(&self) -> Vec<AccessReason> {
        self.0.reasons.iter().cloned().map(AccessReason).collect()
    }
}

/// A reason why somebody may do something, or may not.
pub struct AccessReason(explain::Told);

impl AccessReason {
    fn held(&self) -> Option<&HeldRole> {
        self.0.role.as_ref()
    }
}

/// A reason why somebody may do something, or may not.
#[Object]
impl AccessReason {
    /// What it does to the answer.
    async fn effect(&self) -> AccessEffect {
        match self.0.effect {
            explain::Effect::Allows => AccessEffect::Allows,
            explain::Effect::WouldAllow => AccessEffect::WouldAllow,
            explain::Effect::Forbids => AccessEffect::Forbids,
        }
    }

    /// What it rests on.
    async fn basis(&self) -> AccessBasis {
        match self.0.basis {
            explain::Basis::Ground(Ground::Permission(_)) => AccessBasis::Permission,
            explain::Basis::Ground(Ground::Owner) => AccessBasis::Owner,
            explain::Basis::Ground(Ground::Contributor) => AccessBasis::Contributor,
            explain::Basis::Ground(Ground::Stage) => AccessBasis::Stage,
            explain::Basis::Ground(Ground::Mandate) => AccessBasis::Delegation,
            explain::Basis::Ground(Ground::Published) => AccessBasis::Published,
            explain::Basis::Ground(Ground::Anyone) => AccessBasis::SignedIn,
            explain::Basis::Request => AccessBasis::Request,
        }
    }

    /// The permission, where it rests on one.
    async fn permission(&self) -> Option<Permission> {
        match self.0.basis {
            explain::Basis::Ground(Ground::Permission(permission)) => Some(permission.into()),
            _ => None,
        }
    }

    /// The role that it holds by.
    async fn role(&self) -> Option<&str> {
        self.held().map(|held| held.role.as_str())
    }

    /// The team that the role is held for; null when it is held org-wide, or no role is meant.
    async fn team(&self, ctx: &Context<'_>) -> Result<Option<Team>> {
        team(ctx, self.held().and_then(|held| held.team).map(|t| t.0)).await
    }

    /// What gives the role.
    async fn source(&self) -> Option<RoleSource> {
        self.held().map(|held| held.origin.source.into())
    }

    /// The id of the grant that gives the role, where it was made here.
    async fn grant_id(&self) -> Option<ID> {
        self.held().and_then(|held| held.origin.grant).map(|id| id.to_string().into())
    }

    /// From when the role counts no more, where that is known.
    async fn expires_at(&self) -> Option<DateTime> {
        self.held().and_then(|held| held.origin.expires_at).map(DateTime)
    }

    /// The same in words.
    async fn message(&self) -> &str {
        &self.0.message
    }
}
