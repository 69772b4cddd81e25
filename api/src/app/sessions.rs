//! Sessions of browsers. A session is the token that it was begun with, by another name: it may what the token may, lasts
//! no longer, and is told nothing by a token that comes later.

use serde_json::json;
use sopwith_domain::access::Actor;
use sopwith_domain::ids::{PersonId, SessionId, TokenId};
use sopwith_domain::time::Timestamp;

use super::people::{self, Bearer};
use super::tokens::{self, Uses};
use super::{Call, record};
use crate::auth::claims::RoleClaim;
use crate::auth::session;
use crate::clock::{new_id, random};
use crate::error::{Error, Result};
use crate::store::sessions::{self as stored, NewSession};
use crate::store::{Connection, Store, audit, people as stored_people, retry};

/// A session that has begun. Its secret is told this once.
#[derive(Debug)]
pub struct Begun {
    /// What the browser keeps.
    pub secret: String,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

/// A session that lasts.
#[derive(Debug)]
pub struct Session {
    /// Who it speaks for, with what they may now.
    pub actor: Actor,
    /// The name of that person, where it is known.
    pub name: Option<String>,
}

/// Begins a session for whoever bears a token, of `longest` microseconds at most, in the place of the one that the
/// browser had. What ended by itself is removed. Nothing where the token is about to end.
///
/// # Errors
/// When the database does not answer.
pub async fn begin(call: &Call, bearer: &Bearer, longest: i64, before: Option<&str>) -> Result<Option<Begun>> {
    retry(|| begin_once(call, bearer, longest, before)).await
}

async fn begin_once(call: &Call, bearer: &Bearer, longest: i64, before: Option<&str>) -> Result<Option<Begun>> {
    let (token, roles, until) = match bearer {
        Bearer::Person(identity) => (None, spelled(&identity.roles), identity.expires_at),
        Bearer::Token(row) => (Some(TokenId(row.id)), String::new(), Timestamp::from_micros(row.expires_at)),
    };
    let expires_at = until.min(call.now.plus(longest));
    // A token that has expired is believed a little longer, where clocks differ; nothing is to be begun with it.
    if expires_at <= call.now {
        return Ok(None);
    }
    let tx = call.store.begin().await?;
    stored::delete_expired(&tx, call.now).await?;
    if let Some(digest) = before {
        end_in(&tx, call, digest).await?;
    }
    let secret = session::secret(random()?);
    let digest = session::digest(&secret).ok_or_else(|| Error::internal("a secret that cannot be one"))?;
    let id = SessionId(new_id());
    let new = NewSession { id, digest, person: call.actor.person, token, roles, expires_at };
    stored::insert(&tx, new, call.now).await?;
    let told = json!({"expiresAt": expires_at, "apiToken": token.map(|token| token.to_string())});
    audit::append(&tx, vec![record::plain(call, "session.began", id, None, told)]).await?;
    tx.commit().await?;
    Ok(Some(Begun { secret, expires_at }))
}

/// The session of a secret with this SHA-256, while it lasts. What its person may is found out anew, as for a token; with
/// an API token that was taken away, it has ended.
///
/// # Errors
/// When the database does not answer.
pub async fn resume(store: &Store, uses: &Uses, digest: &str, now: Timestamp) -> Result<Option<Session>> {
    let Some(row) = stored::by_digest(store.read(), digest, now).await? else { return Ok(None) };
    let actor = match row.api_token_id {
        Some(token) => match tokens::still_good(store, uses, TokenId(token), now).await? {
            Some(token) => tokens::actor(&token)?,
            None => return Ok(None),
        },
        None => people::claiming(store, PersonId(row.person_id), &read(&row.roles)?, now).await?,
    };
    let person = stored_people::by_ids(store.read(), &[row.person_id]).await?.pop();
    Ok(Some(Session { actor, name: person.and_then(|person| person.name) }))
}

/// Ends a session, if it lasts: from the next request on its cookie is good for nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn end(call: &Call, digest: &str) -> Result<()> {
    retry(|| end_once(call, digest)).await
}

async fn end_once(call: &Call, digest: &str) -> Result<()> {
    let tx = call.store.begin().await?;
    end_in(&tx, call, digest).await?;
    Ok(tx.commit().await?)
}

async fn end_in(db: &impl Connection, call: &Call, digest: &str) -> Result<()> {
    let Some(row) = stored::by_digest(db, digest, call.now).await? else { return Ok(()) };
    let id = SessionId(row.id);
    if stored::delete(db, id).await? {
        let mut entry = record::plain(call, "session.ended", id, None, serde_json::Value::Null);
        entry.old = json!({"person": PersonId(row.person_id).to_string()});
        audit::append(db, vec![entry]).await?;
    }
    Ok(())
}

fn spelled(roles: &[RoleClaim]) -> String {
    let spell = |claim: &RoleClaim| match &claim.team {
        None => claim.role.clone(),
        Some(team) => format!("{}@{team}", claim.role),
    };
    roles.iter().map(spell).collect::<Vec<_>>().join(" ")
}

fn read(roles: &str) -> Result<Vec<RoleClaim>> {
    roles.split_whitespace().map(|role| role.parse().map_err(Error::internal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_read_back_as_the_token_claimed_them() {
        let claim = |role: &str, team: Option<&str>| RoleClaim { role: role.into(), team: team.map(Into::into) };
        let roles = vec![claim("manager", None), claim("author", Some("ops")), claim("x:y.z-1", Some("a-b"))];
        assert_eq!(read(&spelled(&roles)).unwrap(), roles);
        assert_eq!(read("").unwrap(), []);
    }
}
