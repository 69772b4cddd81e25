//! Roles that an admin makes.

use std::sync::Arc;

use async_graphql::{Context, InputObject, Object};

use super::{keyed, payload};
use crate::app::{Call, roles};
use crate::graphql::error::{Result, settle};
use crate::graphql::scalars::BigInt;
use crate::graphql::types::Permission;
use crate::graphql::types::access::Role;
use crate::store::roles as stored;

/// A role to be made.
#[derive(InputObject)]
pub struct RoleCreateInput {
    /// Names it in claims, grants and stages, for good: 1 to 64 of a-z, 0-9, '-' and '_'.
    name: String,
    /// What it allows; nothing for a role that only decides in stages.
    permissions: Vec<Permission>,
    /// The same key with the same input makes one role.
    idempotency_key: Option<String>,
}

payload! {
    /// What `roleCreate` did.
    RoleCreatePayload {
        /// The role.
        role: Role,
    }
}

/// A role to be changed.
#[derive(InputObject)]
pub struct RoleUpdateInput {
    /// Which.
    name: String,
    /// The revision that you saw.
    expected_revision: BigInt,
    /// All that it allows from now on.
    permissions: Vec<Permission>,
}

payload! {
    /// What `roleUpdate` did.
    RoleUpdatePayload {
        /// The role.
        role: Role,
    }
}

/// A role to be taken away.
#[derive(InputObject)]
pub struct RoleDeleteInput {
    /// Which.
    name: String,
}

payload! {
    /// What `roleDelete` did.
    RoleDeletePayload {
        /// The name of the role that is no more.
        deleted_name: String,
    }
}

/// A role as it is after a mutation.
async fn after(call: &Call, made: Option<String>) -> Result<Option<Role>> {
    match made {
        Some(name) => Ok(stored::by_name(call.store.read(), &name).await?.map(Role::from)),
        None => Ok(None),
    }
}

fn set(permissions: &[Permission]) -> std::collections::BTreeSet<sopwith_domain::access::Permission> {
    permissions.iter().map(|permission| (*permission).into()).collect()
}

#[derive(Default)]
pub struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Makes a role.
    async fn role_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleCreateInput,
    ) -> Result<RoleCreatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let key = keyed(input.idempotency_key.as_ref(), &input);
        let answer = roles::create(call, &input.name, &set(&input.permissions), key).await;
        let (made, user_errors) = settle(answer)?;
        Ok(RoleCreatePayload { role: after(call, made).await?, user_errors })
    }

    /// Makes a role allow something else, for everyone who holds it, at once. Built-in roles stay as they are.
    async fn role_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleUpdateInput,
    ) -> Result<RoleUpdatePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let revision = input.expected_revision.0;
        let answer = roles::update(call, &input.name, revision, &set(&input.permissions)).await;
        let (made, user_errors) = settle(answer)?;
        Ok(RoleUpdatePayload { role: after(call, made).await?, user_errors })
    }

    /// Takes away a role that no grant made here, no policy and no open request names. Claims may go on naming it: it
    /// then allows nothing.
    async fn role_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: RoleDeleteInput,
    ) -> Result<RoleDeletePayload> {
        let call = ctx.data_unchecked::<Arc<Call>>();
        let (deleted_name, user_errors) = settle(roles::delete(call, &input.name).await)?;
        Ok(RoleDeletePayload { deleted_name, user_errors })
    }
}
