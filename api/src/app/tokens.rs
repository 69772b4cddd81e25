//! API tokens: made and taken away by who manages access, and what they are when they are used.

mod lookups;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sopwith_domain::access::token::{ISSUER, Terms, TokenState};
use sopwith_domain::access::{Action, Actor, Permission, Resource, decide};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, TeamId, TokenId};
use sopwith_domain::time::{MINUTE, Timestamp};

pub use self::lookups::Lookups;
use super::access::place;
use super::{Call, IdempotencyKey, record};
use crate::auth::api_token;
use crate::clock::{new_id, random};
use crate::error::{Error, Result};
use crate::store::people::{self, Profile};
use crate::store::tokens::{self as stored, NewToken, TokenRow};
use crate::store::{Store, Uuid, audit, retry, teams};

/// A token that was made. Its secret is told this once, and not again when the same request is repeated.
#[derive(Debug)]
pub struct Made {
    /// The token.
    pub id: TokenId,
    /// Its secret.
    pub secret: Option<String>,
}

/// Makes a token. Its maker need not hold its scopes: whoever manages access rules that.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound` for an unknown team; `Invalid` for what breaks a rule.
pub async fn create(call: &Call, terms: &Terms, key: Option<IdempotencyKey>) -> Result<Made> {
    retry(|| create_once(call, terms, key.as_ref())).await
}

async fn create_once(call: &Call, terms: &Terms, key: Option<&IdempotencyKey>) -> Result<Made> {
    let permit = call.permit(Action::ManageAccess, place(terms.team))?;
    let tx = call.store.begin().await?;
    let (id, person) = (TokenId(new_id()), PersonId(new_id()));
    if let Some(made) = call.made_before(&tx, "apiTokenCreate", key, id.0).await? {
        return Ok(Made { id: TokenId(made), secret: None });
    }
    let problems = terms.check(call.now);
    if !problems.is_empty() {
        return Err(Refusal::Invalid(problems).into());
    }
    if let Some(team) = terms.team
        && teams::by_ids(&tx, &[team.0]).await?.is_empty()
    {
        return Err(Refusal::NotFound("team").into());
    }
    people::upsert(&tx, person, &profile(id, terms), call.now).await?;
    let secret = api_token::secret(random()?);
    let digest = api_token::digest(&secret).ok_or_else(|| Error::internal("a secret that cannot be one"))?;
    let new = NewToken { id, person, terms, digest, created_by: call.actor.person };
    stored::insert(&tx, &permit, new, call.now).await?;
    let entry = record::plain(call, "api_token.created", id, terms.team, told(person, terms));
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(Made { id, secret: Some(secret) })
}

/// The person that a token acts as, by which the audit chain names it.
fn profile(id: TokenId, terms: &Terms) -> Profile {
    Profile {
        issuer: ISSUER.to_owned(),
        subject: id.to_string(),
        name: Some(terms.name.clone()),
        email: None,
        email_verified: false,
        digest: String::new(),
    }
}

/// What the audit chain says of a token: its name, like people's, stays outside, and nothing of its secret goes in.
fn told(person: PersonId, terms: &Terms) -> Value {
    json!({
        "person": person.to_string(),
        "source": terms.source,
        "scopes": terms.scopes,
        "team": terms.team.map(|team| team.to_string()),
        "expiresAt": terms.expires_at,
        "state": TokenState::Active,
    })
}

/// Whether somebody sees a token: who manages access, within their reach.
#[must_use]
pub fn sees(actor: &Actor, token: &TokenRow) -> bool {
    decide(actor, Action::ManageAccess, place(token.team_id.map(TeamId))).is_ok()
}

/// Takes a token away: from the next request on it is good for nothing.
///
/// # Errors
/// `Forbidden` without the permission; `NotFound`, also beyond the actor's reach; `Conflict` when it was taken away.
pub async fn revoke(call: &Call, id: TokenId) -> Result<TokenId> {
    retry(|| revoke_once(call, id)).await
}

async fn revoke_once(call: &Call, id: TokenId) -> Result<TokenId> {
    if call.actor.reach(Permission::AccessManage).is_empty() {
        call.permit(Action::ManageAccess, Resource::Organisation)?;
    }
    let tx = call.store.begin().await?;
    let row = stored::by_ids(&tx, &[id.0]).await?.pop().filter(|row| sees(&call.actor, row));
    let row = row.ok_or(Refusal::NotFound("API token"))?;
    let team = row.team_id.map(TeamId);
    let permit = call.permit(Action::ManageAccess, place(team))?;
    if row.revoked_at.is_some() {
        return Err(Refusal::conflict("this token was revoked already").into());
    }
    stored::revoke(&tx, &permit, id, call.actor.person, call.now).await?;
    let mut entry = record::plain(call, "api_token.revoked", id, team, json!({"state": TokenState::Revoked}));
    entry.old = json!({"state": stored::state(&row, call.now)?});
    audit::append(&tx, vec![entry]).await?;
    tx.commit().await?;
    Ok(id)
}

/// A token that is good, by the digest of its secret. That it is used is noted beside the request, never within it.
///
/// # Errors
/// When the database does not answer.
pub async fn authenticate(
    store: &Store,
    lookups: &Lookups,
    uses: &Uses,
    digest: String,
    now: Timestamp,
) -> Result<Option<TokenRow>> {
    let Some(row) = lookups.find(store, digest).await? else { return Ok(None) };
    if stored::state(&row, now)? != TokenState::Active {
        return Ok(None);
    }
    uses.note(store, &row, now);
    Ok(Some(row))
}

/// A token that is good, by its id: what was begun with it ends with it. It counts as used.
///
/// # Errors
/// When the database does not answer.
pub async fn still_good(store: &Store, uses: &Uses, id: TokenId, now: Timestamp) -> Result<Option<TokenRow>> {
    let Some(row) = stored::by_ids(store.read(), &[id.0]).await?.pop() else { return Ok(None) };
    if stored::state(&row, now)? != TokenState::Active {
        return Ok(None);
    }
    uses.note(store, &row, now);
    Ok(Some(row))
}

/// What a token is to the rules.
///
/// # Errors
/// When the row says what no row says.
pub fn actor(row: &TokenRow) -> Result<Actor> {
    Ok(stored::terms(row)?.actor(PersonId(row.person_id)))
}

/// What a token is to the rules now: nothing that is allowed anything once it is good no more.
///
/// # Errors
/// As [`actor`].
pub fn actor_now(row: &TokenRow, now: Timestamp) -> Result<Actor> {
    let actor = actor(row)?;
    let good = stored::state(row, now)? == TokenState::Active;
    Ok(if good { actor } else { Actor { roles: Vec::new(), ..actor } })
}

/// How long the last use of a token may lie behind.
const GRAIN: i64 = MINUTE;

/// When this process noted the last use of each token, so that it writes at most once a minute for each, however many
/// requests there are: `SQLite` has one writer, and it is for them.
#[derive(Debug, Clone, Default)]
pub struct Uses(Arc<Mutex<HashMap<Uuid, Timestamp>>>);

impl Uses {
    /// Notes a use in a task of its own. What is lost with the process is a minute.
    fn note(&self, store: &Store, row: &TokenRow, now: Timestamp) {
        let id = TokenId(row.id);
        if self.is_due(id, row.last_used_at.map(Timestamp::from_micros), now) {
            let store = store.clone();
            tokio::spawn(async move {
                if let Err(error) = stored::used(store.writer(), id, now.plus(-GRAIN), now).await {
                    tracing::warn!(token = %id, reason = ?error, "the last use of an API token was not noted");
                }
            });
        }
    }

    /// Whether this use is to be written.
    fn is_due(&self, id: TokenId, stored: Option<Timestamp>, now: Timestamp) -> bool {
        let recent = |at: Timestamp| now.since(at) < GRAIN;
        if stored.is_some_and(recent) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = !noted.get(&id.0).copied().is_some_and(recent);
        if due {
            noted.insert(id.0, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_once_a_minute() {
        let (uses, id, other) = (Uses::default(), TokenId(Uuid::from_u128(1)), TokenId(Uuid::from_u128(2)));
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let due = |id, stored: Option<i64>, now: i64| uses.is_due(id, stored.map(at), at(now));
        assert!(due(id, None, 100));
        // The write may not have landed yet.
        assert!(!due(id, None, 100) && !due(id, None, 159));
        assert!(due(other, None, 101), "each by itself");
        assert!(!due(id, Some(130), 165), "another process has written it");
        assert!(due(id, Some(100), 170));
        assert!(!due(id, Some(100), 171));
    }
}
