//! People as their tokens tell of them.

use std::collections::HashMap;
use std::fmt::Display;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sopwith_domain::access::token::ISSUER;
use sopwith_domain::access::{Actor, RoleSource};
use sopwith_domain::approval::Via;
use sopwith_domain::content::is_key;
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{GrantId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use super::tokens;
use crate::auth::claims::{Identity, RoleClaim};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::audit::{self, NewEntry};
use crate::store::people::{self, Caller, NewGrant, Profile};
use crate::store::teams::{self, NewTeam};
use crate::store::tokens::{self as stored_tokens, TokenRow};
use crate::store::{Connection, Store, accounts, delegations, retry};

/// The actor behind a token: the person, made or refreshed when the token says something new, with the roles held.
///
/// # Errors
/// When the database does not answer.
pub async fn identify(store: &Store, identity: &Identity, now: Timestamp, request_id: &str) -> Result<Actor> {
    let digest = digest(identity);
    let known = people::caller(store.read(), &identity.issuer, &identity.subject, now).await?;
    // The roles are those of the token in hand: another token of the same person may claim others.
    let caller = match known.filter(|known| known.digest == digest) {
        Some(known) => known,
        None => retry(|| refresh(store, identity, &digest, now, request_id)).await?,
    };
    let Caller { person, roles, is_delegate, .. } = caller;
    let mandates = if is_delegate { delegations::mandates(store.read(), person, now).await? } else { Vec::new() };
    Ok(Actor { person, roles, mandates, source: identity.source.clone(), auth_time: identity.auth_time })
}

/// A known person with the roles that these claims and, by now, grants and delegations give.
///
/// # Errors
/// When the database does not answer.
pub async fn claiming(store: &Store, person: PersonId, claims: &[RoleClaim], now: Timestamp) -> Result<Actor> {
    let keys: Vec<String> = claims.iter().filter_map(|claim| claim.team.clone()).collect();
    let teams: HashMap<String, TeamId> =
        teams::by_keys(store.read(), &keys).await?.into_iter().map(|t| (t.key, TeamId(t.id))).collect();
    let claimed = claims.iter().filter_map(|claim| match &claim.team {
        None => Some((claim.role.clone(), None)),
        Some(key) => teams.get(key).map(|team| (claim.role.clone(), Some(*team))),
    });
    let roles = people::held_roles(store.read(), person, claimed.collect(), now).await?;
    let mandates = delegations::mandates(store.read(), person, now).await?;
    Ok(Actor { person, roles, mandates, source: None, auth_time: None })
}

/// Whoever a request's token speaks for.
#[derive(Debug, Clone)]
pub enum Bearer {
    /// Somebody whom the identity provider names.
    Person(Identity),
    /// An API token that is good.
    Token(TokenRow),
}

/// The actor behind whatever token.
///
/// # Errors
/// When the database does not answer.
pub async fn actor(store: &Store, bearer: &Bearer, now: Timestamp, request_id: &str) -> Result<Actor> {
    match bearer {
        Bearer::Person(identity) => identify(store, identity, now, request_id).await,
        Bearer::Token(row) => tokens::actor(row),
    }
}

/// The same actor with what grants and delegations give by now. What the token in hand says stays said; an API token,
/// whose scopes never change, is looked up once per request.
///
/// # Errors
/// When the database does not answer.
pub async fn anew(db: &impl Connection, actor: &Actor, now: Timestamp) -> Result<Actor> {
    if actor.is_token() {
        return Ok(actor.clone());
    }
    let claimed = actor.roles.iter().filter(|held| held.origin.source == RoleSource::Claim);
    let claimed = claimed.map(|held| (held.role.clone(), held.team)).collect();
    let roles = people::held_roles(db, actor.person, claimed, now).await?;
    let mandates = delegations::mandates(db, actor.person, now).await?;
    Ok(Actor { roles, mandates, ..actor.clone() })
}

/// Refuses whom nothing can be given to: who does not exist, and API tokens, which have their scopes and no more.
///
/// # Errors
/// `NotFound`; `Invalid` at this field for an API token.
pub async fn check_holder(db: &impl Connection, person: PersonId, field: &str) -> Result<()> {
    let found = people::by_ids(db, &[person.0]).await?.pop().ok_or(Refusal::NotFound("person"))?;
    if found.issuer == ISSUER {
        return Err(Refusal::invalid(field, "an API token has its scopes: it holds no role and owns nothing").into());
    }
    Ok(())
}

/// A person as the service knows them now: by their grants, and by what they claimed when they were seen last; an API
/// token by its scopes.
///
/// # Errors
/// When the database does not answer.
pub async fn as_stored(db: &impl Connection, person: PersonId, now: Timestamp) -> Result<Actor> {
    if let Some(token) = stored_tokens::by_person(db, person).await? {
        return tokens::actor_now(&token, now);
    }
    let claimed = people::claimed_roles(db, person).await?;
    let roles = people::held_roles(db, person, claimed, now).await?;
    let mandates = delegations::mandates(db, person, now).await?;
    Ok(Actor { person, roles, mandates, source: None, auth_time: None })
}

/// Changes when the token tells anything else of the person.
fn digest(identity: &Identity) -> String {
    let told = (&identity.name, &identity.email, identity.email_verified, &identity.roles);
    hex::encode(Sha256::digest(format!("{told:?}").as_bytes()))
}

async fn refresh(store: &Store, identity: &Identity, digest: &str, now: Timestamp, request_id: &str) -> Result<Caller> {
    let tx = store.begin().await?;
    let profile = Profile {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        name: identity.name.clone(),
        email: identity.email.clone(),
        email_verified: identity.email_verified,
        digest: digest.to_owned(),
    };
    let known = people::by_subject(&tx, &identity.issuer, &identity.subject).await?;
    let person = PersonId(people::upsert(&tx, PersonId(new_id()), &profile, now).await?.id);
    if let Some(email) = identity.email.as_deref().filter(|_| identity.email_verified) {
        accounts::verified(&tx, person, email, now).await?;
    }
    let before = claimed(&tx, person).await?;
    let (mut grants, mut entries) = (Vec::new(), Vec::new());
    for claim in &identity.roles {
        let team = match &claim.team {
            None => None,
            Some(key) if is_key(key) => Some(team(&tx, person, key, now, &mut entries).await?),
            // A team that cannot have a name here cannot be granted anything in.
            Some(_) => continue,
        };
        let (id, role, source) = (GrantId(new_id()), claim.role.clone(), RoleSource::Claim);
        grants.push(NewGrant { id, person, role, team, source, expires_at: None });
    }
    people::replace_claimed(&tx, person, grants, now).await?;
    let after = claimed(&tx, person).await?;
    // Names and addresses stay outside of the chain, so that they can be erased without breaking it.
    let action = match (known.is_some(), before != after) {
        (false, _) => "person.created",
        (true, true) => "person.roles_claimed",
        (true, false) => "person.refreshed",
    };
    let (mut old, mut new) = (json!({"roles": before}), json!({"roles": after}));
    new["emailVerified"] = json!(profile.email_verified);
    if let Some(was) = &known {
        old["emailVerified"] = json!(was.email_verified);
        let told = [("name", was.name != profile.name), ("email", was.email != profile.email)];
        let changed = told.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name);
        new["changed"] = changed.collect();
    }
    entries.push(entry(person, action, person, None, (old, new), now));
    for entry in &mut entries {
        request_id.clone_into(&mut entry.request_id);
    }
    let caller = people::caller(&tx, &identity.issuer, &identity.subject, now).await?;
    audit::append(&tx, entries).await?;
    tx.commit().await?;
    caller.ok_or_else(|| Error::internal("a person vanished"))
}

/// The roles that a person's claims gave, as text, in order.
async fn claimed(db: &impl Connection, person: PersonId) -> Result<Vec<String>> {
    let grants = people::grants_of(db, person).await?;
    let of_claims = grants.into_iter().filter(|grant| grant.source == RoleSource::Claim.as_str());
    let mut roles: Vec<String> = of_claims
        .map(|grant| match grant.team_id {
            Some(team) => format!("{}@{}", grant.role, TeamId(team)),
            None => grant.role,
        })
        .collect();
    roles.sort();
    Ok(roles)
}

async fn team(
    db: &impl Connection,
    person: PersonId,
    key: &str,
    now: Timestamp,
    entries: &mut Vec<NewEntry>,
) -> Result<TeamId> {
    if let Some(team) = teams::by_key(db, key).await? {
        return Ok(TeamId(team.id));
    }
    let code_prefix = teams::free_prefix(db, key).await?;
    let told = json!({"key": key, "name": key, "codePrefix": code_prefix});
    let new = NewTeam { id: TeamId(new_id()), key: key.to_owned(), name: key.to_owned(), code_prefix };
    let team = match teams::claimed(db, new, now).await {
        Ok(team) => TeamId(team.id),
        // Another request brought the same team at the same time.
        Err(Error::Refused(_)) => return Err(Error::Collided),
        Err(error) => return Err(error),
    };
    entries.push(entry(person, "team.created", team, Some(team), (Value::Null, told), now));
    Ok(team)
}

/// What the audit chain says of something that a token brought about.
fn entry(
    person: PersonId,
    action: &'static str,
    object: impl Display,
    team: Option<TeamId>,
    (old, new): (Value, Value),
    now: Timestamp,
) -> NewEntry {
    NewEntry {
        at: now,
        actor: Some(person),
        on_behalf_of: None,
        via: Via::Api.as_str(),
        action,
        object: object.to_string(),
        sop: None,
        team,
        old,
        new,
        reason: None,
        request_id: String::new(),
    }
}
