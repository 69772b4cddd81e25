//! People, their roles and grants.

mod caller;

use std::collections::BTreeMap;

use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Cond, LockType};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use sopwith_domain::access::{HeldRole, Origin, Permission, Permit, RoleSource};
use sopwith_domain::approval::Candidate;
use sopwith_domain::ids::{GrantId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use super::bulk::among_texts;
use super::entity::{person, role_grant};
use super::{Connection, micros, parse, roles};
use crate::error::{Error, Result};

pub use caller::{Caller, caller};
pub use person::Model as Person;
pub use role_grant::Model as Grant;

/// What a token or an import tells of a person.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Who says so.
    pub issuer: String,
    /// Their name for the person.
    pub subject: String,
    /// What people call them.
    pub name: Option<String>,
    /// Where they can be written to.
    pub email: Option<String>,
    /// Whether the issuer checked that.
    pub email_verified: bool,
    /// Changes when anything told of the person does, the roles claimed included.
    pub digest: String,
}

/// The person of an issuer's subject.
///
/// # Errors
/// When the database does not answer.
pub async fn by_subject(db: &impl Connection, issuer: &str, subject: &str) -> Result<Option<Person>> {
    let of = person::Column::Issuer.eq(issuer).and(person::Column::Subject.eq(subject));
    Ok(person::Entity::find().filter(of).one(db).await?)
}

/// The people of an issuer's subjects.
///
/// # Errors
/// When the database does not answer.
pub async fn by_subjects(db: &impl Connection, issuer: &str, subjects: &[String]) -> Result<Vec<Person>> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let these = among_texts(db, person::Column::Subject, subjects.iter().map(String::as_str));
    Ok(person::Entity::find().filter(person::Column::Issuer.eq(issuer).and(these)).all(db).await?)
}

/// People by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<Person>> {
    Ok(person::Entity::find().filter(person::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Makes a person, or refreshes what is known of one.
///
/// # Errors
/// When the database does not answer.
pub async fn upsert(db: &impl Connection, id: PersonId, profile: &Profile, now: Timestamp) -> Result<Person> {
    use person::Column::{ClaimsDigest, Email, EmailVerified, Issuer, Name, Subject, UpdatedAt};
    let row = person::ActiveModel {
        id: Set(id.0),
        issuer: Set(profile.issuer.clone()),
        subject: Set(profile.subject.clone()),
        name: Set(profile.name.clone()),
        email: Set(profile.email.clone()),
        email_verified: Set(profile.email_verified),
        claims_digest: Set(profile.digest.clone()),
        created_at: Set(now.micros()),
        updated_at: Set(now.micros()),
    };
    let refresh = sea_orm::sea_query::OnConflict::columns([Issuer, Subject])
        .update_columns([Name, Email, EmailVerified, ClaimsDigest, UpdatedAt])
        .to_owned();
    person::Entity::insert(row).on_conflict(refresh).exec_without_returning(db).await?;
    let made = by_subject(db, &profile.issuer, &profile.subject).await?;
    made.ok_or_else(|| Error::internal("a person vanished"))
}

/// A grant to be.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// Who gets it.
    pub person: PersonId,
    /// Which role.
    pub role: String,
    /// For which team; org-wide when absent.
    pub team: Option<TeamId>,
    /// Where it comes from.
    pub source: RoleSource,
    /// From when it counts no more.
    pub expires_at: Option<Timestamp>,
}

/// Makes a grant by permission, in the place of one like it that has expired; answers that one.
///
/// # Errors
/// `Conflict` when it exists.
pub async fn grant(db: &impl Connection, _permit: &Permit, grant: NewGrant, now: Timestamp) -> Result<Option<Grant>> {
    let team = match grant.team {
        Some(team) => role_grant::Column::TeamId.eq(team.0),
        None => role_grant::Column::TeamId.is_null(),
    };
    let expired = role_grant::Column::PersonId
        .eq(grant.person.0)
        .and(role_grant::Column::Role.eq(&grant.role))
        .and(role_grant::Column::Source.eq(grant.source.as_str()))
        .and(team)
        .and(role_grant::Column::ExpiresAt.lte(now.micros()));
    let before = role_grant::Entity::find().filter(expired).one(db).await?;
    if let Some(before) = &before {
        role_grant::Entity::delete_by_id(before.id).exec(db).await?;
    }
    insert_grant(db, grant, now).await?;
    Ok(before)
}

async fn insert_grant(db: &impl Connection, grant: NewGrant, now: Timestamp) -> Result<Grant> {
    let row = role_grant::ActiveModel {
        id: Set(grant.id.0),
        person_id: Set(grant.person.0),
        role: Set(grant.role),
        team_id: Set(grant.team.map(|t| t.0)),
        source: Set(grant.source.as_str().to_owned()),
        created_at: Set(now.micros()),
        expires_at: Set(micros(grant.expires_at)),
    };
    Ok(row.insert(db).await?)
}

/// A grant by id.
///
/// # Errors
/// When the database does not answer.
pub async fn grant_by_id(db: &impl Connection, id: GrantId) -> Result<Option<Grant>> {
    Ok(role_grant::Entity::find_by_id(id.0).one(db).await?)
}

/// Takes a grant away.
///
/// # Errors
/// When the database does not answer.
pub async fn revoke(db: &impl Connection, _permit: &Permit, id: GrantId) -> Result<()> {
    let gone = role_grant::Entity::delete_by_id(id.0).exec(db).await?;
    super::exactly_one(gone.rows_affected)
}

/// Has people keep what they may until the transaction ends: whoever takes some of it away calls [`claim`] first, and
/// waits. So what is decided by a role or a delegation stands in the audit chain before the end of it. On SQLite there is
/// one writer anyway.
///
/// # Errors
/// When the database does not answer.
pub async fn hold(db: &impl Connection, people: &[PersonId]) -> Result<()> {
    lock(db, people, LockType::Share).await
}

/// Waits until nobody decides by what this person may, before some of that is taken away.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(db: &impl Connection, who: PersonId) -> Result<()> {
    lock(db, &[who], LockType::NoKeyUpdate).await
}

async fn lock(db: &impl Connection, people: &[PersonId], lock: LockType) -> Result<()> {
    let of = person::Column::Id.is_in(people.iter().map(|who| who.0));
    let rows = person::Entity::find().filter(of).order_by_asc(person::Column::Id).lock(lock);
    rows.select_only().column(person::Column::Id).into_tuple::<Uuid>().all(db).await?;
    Ok(())
}

/// Makes the grants from claims be exactly these.
///
/// # Errors
/// When the database does not answer.
pub async fn replace_claimed(db: &impl Connection, who: PersonId, grants: Vec<NewGrant>, now: Timestamp) -> Result<()> {
    let claimed = role_grant::Column::PersonId.eq(who.0).and(role_grant::Column::Source.eq("CLAIM"));
    role_grant::Entity::delete_many().filter(claimed).exec(db).await?;
    for grant in grants {
        insert_grant(db, grant, now).await?;
    }
    Ok(())
}

/// A person's grants, oldest first, those that have expired too.
///
/// # Errors
/// When the database does not answer.
pub async fn grants_of(db: &impl Connection, who: PersonId) -> Result<Vec<Grant>> {
    grants_of_all(db, &[who.0]).await
}

/// The grants of several people, oldest first, those that have expired too.
///
/// # Errors
/// When the database does not answer.
pub async fn grants_of_all(db: &impl Connection, who: &[Uuid]) -> Result<Vec<Grant>> {
    let own = role_grant::Entity::find().filter(role_grant::Column::PersonId.is_in(who.iter().copied()));
    Ok(own.order_by_asc(role_grant::Column::CreatedAt).order_by_asc(role_grant::Column::Id).all(db).await?)
}

/// Where a grant comes from, and until when.
///
/// # Errors
/// When the row says what no row says.
pub fn origin(grant: &Grant) -> Result<Origin> {
    let expires_at = grant.expires_at.map(Timestamp::from_micros);
    Ok(Origin { source: parse(&grant.source)?, grant: Some(GrantId(grant.id)), expires_at })
}

/// Whether a grant has not expired.
#[must_use]
pub fn counts_at(grant: &Grant, now: Timestamp) -> bool {
    grant.expires_at.is_none_or(|at| at > now.micros())
}

/// A role with the team that it is held for; no team is org-wide.
pub type RoleOf = (String, Option<TeamId>);

/// The roles that a person holds now, with what each allows: those that the token in hand claims, and those granted
/// here. Held by both, a role is there twice. One that does not exist allows nothing, but may be named in a stage.
///
/// # Errors
/// When the database does not answer.
pub async fn held_roles(
    db: &impl Connection,
    who: PersonId,
    claimed: Vec<RoleOf>,
    now: Timestamp,
) -> Result<Vec<HeldRole>> {
    let allowing = roles::allowing(db).await?;
    let held = |(role, team): RoleOf, origin| HeldRole {
        permissions: allowing.get(&role).cloned().unwrap_or_default(),
        team,
        role,
        origin,
    };
    let mut all: Vec<HeldRole> = claimed.into_iter().map(|role| held(role, Origin::CLAIM)).collect();
    for grant in grants_of(db, who).await?.into_iter().filter(|grant| counts_at(grant, now)) {
        let origin = origin(&grant)?;
        if origin.source != RoleSource::Claim {
            all.push(held((grant.role, grant.team_id.map(TeamId)), origin));
        }
    }
    Ok(all)
}

/// The roles that claims gave a person when they were seen last.
///
/// # Errors
/// When the database does not answer.
pub async fn claimed_roles(db: &impl Connection, who: PersonId) -> Result<Vec<RoleOf>> {
    let claimed = grants_of(db, who).await?.into_iter().filter(|g| g.source == RoleSource::Claim.as_str());
    Ok(claimed.map(|g| (g.role, g.team_id.map(TeamId))).collect())
}

/// Everyone who holds one of these roles now, each with those of their roles that are among them. A role that gives out
/// roles is none to decide in, as in [`sopwith_domain::access::Actor::candidate`].
///
/// # Errors
/// When the database does not answer.
pub async fn candidates(db: &impl Connection, named: &[String], now: Timestamp) -> Result<Vec<Candidate>> {
    holding(db, Cond::all(), named, now).await
}

/// The same of these people alone.
///
/// # Errors
/// When the database does not answer.
pub async fn candidates_among(
    db: &impl Connection,
    people: impl IntoIterator<Item = Uuid> + Send,
    named: &[String],
    now: Timestamp,
) -> Result<Vec<Candidate>> {
    holding(db, Cond::all().add(role_grant::Column::PersonId.is_in(people)), named, now).await
}

async fn holding(db: &impl Connection, who: Cond, named: &[String], now: Timestamp) -> Result<Vec<Candidate>> {
    let known = roles::allowing(db).await?;
    let decides = |role: &&String| !known.get(*role).is_some_and(|p| p.contains(&Permission::AccessManage));
    let named: Vec<&String> = named.iter().filter(decides).collect();
    let held = role_grant::Column::Role.is_in(named).and(roles::counts_at(now));
    let rows = role_grant::Entity::find().filter(who.add(held)).all(db).await?;
    let mut people: BTreeMap<Uuid, Vec<RoleOf>> = BTreeMap::new();
    for row in rows {
        people.entry(row.person_id).or_default().push((row.role, row.team_id.map(TeamId)));
    }
    let candidate = |(person, roles)| Candidate { person: PersonId(person), roles, auth_time: None };
    Ok(people.into_iter().map(candidate).collect())
}
