//! People as their tokens tell of them.

use sha2::{Digest, Sha256};
use sopwith_domain::access::Actor;
use sopwith_domain::content::is_key;
use sopwith_domain::ids::{GrantId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use crate::auth::claims::Identity;
use crate::clock::new_id;
use crate::error::Result;
use crate::store::people::{self, GrantSource, NewGrant, Profile};
use crate::store::teams::{self, NewTeam};
use crate::store::{Connection, Store, retry};

/// The actor behind a token: the person, made or refreshed when the token says something new, with the roles held.
///
/// # Errors
/// When the database does not answer.
pub async fn identify(store: &Store, identity: &Identity, now: Timestamp) -> Result<Actor> {
    let digest = digest(identity);
    let known = people::by_subject(store.read(), &identity.issuer, &identity.subject).await?;
    let person = match known.filter(|p| p.claims_digest == digest) {
        Some(person) => PersonId(person.id),
        None => retry(|| refresh(store, identity, &digest, now)).await?,
    };
    let roles = people::held_roles(store.read(), person).await?;
    Ok(Actor { person, roles, source: identity.source.clone(), auth_time: identity.auth_time })
}

/// Changes when the token tells anything else of the person.
fn digest(identity: &Identity) -> String {
    let told = (&identity.name, &identity.email, identity.email_verified, &identity.roles);
    hex::encode(Sha256::digest(format!("{told:?}").as_bytes()))
}

async fn refresh(store: &Store, identity: &Identity, digest: &str, now: Timestamp) -> Result<PersonId> {
    let tx = store.begin().await?;
    let profile = Profile {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        name: identity.name.clone(),
        email: identity.email.clone(),
        email_verified: identity.email_verified,
        digest: digest.to_owned(),
    };
    let person = PersonId(people::upsert(&tx, PersonId(new_id()), &profile, now).await?.id);
    let mut grants = Vec::new();
    for claim in &identity.roles {
        let team = match &claim.team {
            None => None,
            Some(key) if is_key(key) => Some(team(&tx, key, now).await?),
            // A team that cannot have a name here cannot be granted anything in.
            Some(_) => continue,
        };
        let (role, source) = (claim.role.clone(), GrantSource::Claim);
        grants.push(NewGrant { id: GrantId(new_id()), person, role, team, source });
    }
    people::replace_claimed(&tx, person, grants, now).await?;
    tx.commit().await?;
    Ok(person)
}

async fn team(db: &impl Connection, key: &str, now: Timestamp) -> Result<TeamId> {
    if let Some(team) = teams::by_key(db, key).await? {
        return Ok(TeamId(team.id));
    }
    let code_prefix = teams::free_prefix(db, key).await?;
    let new = NewTeam { id: TeamId(new_id()), key: key.to_owned(), name: key.to_owned(), code_prefix };
    Ok(TeamId(teams::claimed(db, new, now).await?.id))
}
