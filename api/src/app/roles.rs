//! Roles that an admin makes: named sets of permissions for stages, grants and claims to name.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sopwith_domain::access::{Action, Permission, Resource, is_role_name};
use sopwith_domain::error::Refusal;

use super::{Call, IdempotencyKey, record};
use crate::clock::new_id;
use crate::error::Result;
use crate::store::audit::{self, NewEntry};
use crate::store::policies::{self, StoredPolicy};
use crate::store::roles::{self as stored, Role};
use crate::store::{Connection, retry};

/// Makes a role. Its maker need not hold what it allows: whoever manages access rules that.
///
/// # Errors
/// `Forbidden` without the permission; `Invalid` for a malformed name; `Conflict` when there is one of this name.
pub async fn create(
    call: &Call,
    name: &str,
    permissions: &BTreeSet<Permission>,
    key: Option<IdempotencyKey>,
) -> Result<String> {
    retry(|| async {
        let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
        let tx = call.store.begin().await?;
        // A role has no id; the same request names the same role.
        if call.made_before(&tx, "roleCreate", key.as_ref(), new_id()).await?.is_some() {
            return Ok(name.to_owned());
        }
        check_name(name)?;
        if stored::by_name(&tx, name).await?.is_some() {
            return Err(Refusal::conflict("there is a role of this name").into());
        }
        stored::insert(&tx, &permit, name, permissions, call.now).await?;
        let new = json!({"permissions": permissions, "revision": 1});
        audit::append(&tx, vec![entry(call, "role.created", name, Value::Null, new)]).await?;
        tx.commit().await?;
        Ok(name.to_owned())
    })
    .await
}

/// Makes a role allow exactly this, for everyone who holds it, at once.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`; `Conflict` for a built-in role or another revision.
pub async fn update(call: &Call, name: &str, revision: i64, permissions: &BTreeSet<Permission>) -> Result<String> {
    retry(|| async {
        let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
        let tx = call.store.begin().await?;
        let role = own(&tx, name).await?;
        if role.revision != revision {
            return Err(Refusal::stale(role.revision).into());
        }
        stored::update(&tx, &permit, name, revision, permissions, call.now).await?;
        let new = json!({"permissions": permissions, "revision": revision + 1});
        audit::append(&tx, vec![entry(call, "role.updated", name, told(&role), new)]).await?;
        tx.commit().await?;
        Ok(name.to_owned())
    })
    .await
}

/// Takes a role away that nothing here names any more. Claims may go on naming it: it then allows nothing.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`; `Conflict` for a built-in role, and for one in use, saying where.
pub async fn delete(call: &Call, name: &str) -> Result<String> {
    retry(|| async {
        let permit = call.permit(Action::ManageAccess, Resource::Organisation)?;
        let tx = call.store.begin().await?;
        let role = own(&tx, name).await?;
        let uses = uses(&tx, call, name).await?;
        if !uses.is_empty() {
            return Err(Refusal::conflict(format!("the role '{name}' is in use: {}", uses.join("; "))).into());
        }
        stored::delete(&tx, &permit, name).await?;
        audit::append(&tx, vec![entry(call, "role.deleted", name, told(&role), Value::Null)]).await?;
        tx.commit().await?;
        Ok(name.to_owned())
    })
    .await
}

fn check_name(name: &str) -> Result<()> {
    if is_role_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid("name", "a role is named by 1 to 64 of a-z, 0-9, '-' and '_'").into())
}

/// A role that is an admin's to change, locked.
async fn own(db: &impl Connection, name: &str) -> Result<Role> {
    check_name(name)?;
    let role = stored::locked(db, name).await?.ok_or(Refusal::NotFound("role"))?;
    if role.built_in {
        return Err(Refusal::conflict("a built-in role stays as it is").into());
    }
    Ok(role)
}

/// Where a role is named, each as a part of a sentence.
async fn uses(db: &impl Connection, call: &Call, name: &str) -> Result<Vec<String>> {
    let granted = stored::grants(db, name, call.now).await?;
    let grants = (granted > 0).then(|| format!("{granted} grants give it"));
    let named = |StoredPolicy { policy, .. }: &StoredPolicy| {
        let stages = policy.stages.iter().filter(|stage| stage.role == name).map(|stage| format!("'{}'", stage.name));
        let stages: Vec<String> = stages.collect();
        let policy = format!("the {} policy {}", policy.kind, policy.id);
        (!stages.is_empty()).then(|| format!("{policy} names it in {}", stages.join(", ")))
    };
    let policies = policies::all(db).await?;
    let open = stored::open_requests(db, name).await?;
    let requests = (open > 0).then(|| format!("{open} open approval requests wait for it"));
    Ok(grants.into_iter().chain(policies.iter().filter_map(named)).chain(requests).collect())
}

fn told(role: &Role) -> Value {
    json!({"permissions": role.permissions, "revision": role.revision})
}

fn entry(call: &Call, action: &'static str, name: &str, old: Value, new: Value) -> NewEntry {
    NewEntry { old, ..record::plain(call, action, format!("role:{name}"), None, new) }
}
