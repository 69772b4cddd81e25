//! API tokens.

use sea_orm::ActiveValue::Set;
use sea_orm::ExprTrait as _;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Cond;
use sopwith_domain::access::token::{Terms, TokenState};
use sopwith_domain::access::{Permit, Reach};
use sopwith_domain::ids::{PersonId, TeamId, TokenId};
use sopwith_domain::time::Timestamp;

use super::bulk::among_texts;
use super::entity::api_token;
use super::page::{self, Page, Window};
use super::{Connection, exactly_one, roles};
use crate::error::Result;

pub use api_token::Model as TokenRow;

/// A token to be.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// Its id.
    pub id: TokenId,
    /// Whom it acts as.
    pub person: PersonId,
    /// What it is made with.
    pub terms: &'a Terms,
    /// SHA-256 of its secret, in hex.
    pub digest: String,
    /// Who makes it.
    pub created_by: PersonId,
}

/// The terms of a token.
///
/// # Errors
/// When the row says what no row says.
pub fn terms(row: &TokenRow) -> Result<Terms> {
    Ok(Terms {
        name: row.name.clone(),
        source: row.source.clone(),
        scopes: roles::permissions(&row.scopes)?,
        team: row.team_id.map(TeamId),
        expires_at: Timestamp::from_micros(row.expires_at),
    })
}

/// Whether a token is good.
///
/// # Errors
/// When the row says what no row says.
pub fn state(row: &TokenRow, now: Timestamp) -> Result<TokenState> {
    Ok(terms(row)?.state(row.revoked_at.is_some(), now))
}

/// Makes a token.
///
/// # Errors
/// When the database does not answer.
pub async fn insert(db: &impl Connection, _permit: &Permit, new: NewToken<'_>, now: Timestamp) -> Result<()> {
    let NewToken { id, person, terms, digest, created_by } = new;
    let row = api_token::ActiveModel {
        id: Set(id.0),
        person_id: Set(person.0),
        name: Set(terms.name.clone()),
        source: Set(terms.source.clone()),
        scopes: Set(roles::spelled(&terms.scopes)),
        team_id: Set(terms.team.map(|team| team.0)),
        digest: Set(digest),
        created_by_id: Set(created_by.0),
        created_at: Set(now.micros()),
        expires_at: Set(terms.expires_at.micros()),
        revoked_by_id: Set(None),
        revoked_at: Set(None),
        last_used_at: Set(None),
    };
    api_token::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The tokens whose secrets have these SHA-256.
///
/// # Errors
/// When the database does not answer.
pub async fn by_digests(db: &impl Connection, digests: impl IntoIterator<Item = &str>) -> Result<Vec<TokenRow>> {
    Ok(api_token::Entity::find().filter(among_texts(db, api_token::Column::Digest, digests)).all(db).await?)
}

/// The token that acts as this person.
///
/// # Errors
/// When the database does not answer.
pub async fn by_person(db: &impl Connection, person: PersonId) -> Result<Option<TokenRow>> {
    Ok(api_token::Entity::find().filter(api_token::Column::PersonId.eq(person.0)).one(db).await?)
}

/// Tokens by id.
///
/// # Errors
/// When the database does not answer.
pub async fn by_ids(db: &impl Connection, ids: &[Uuid]) -> Result<Vec<TokenRow>> {
    Ok(api_token::Entity::find().filter(api_token::Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Takes a token away.
///
/// # Errors
/// `Conflict` when somebody else was first.
pub async fn revoke(db: &impl Connection, _permit: &Permit, id: TokenId, by: PersonId, now: Timestamp) -> Result<()> {
    let row = api_token::ActiveModel {
        revoked_by_id: Set(Some(by.0)),
        revoked_at: Set(Some(now.micros())),
        ..Default::default()
    };
    let good = api_token::Column::Id.eq(id.0).and(api_token::Column::RevokedAt.is_null());
    exactly_one(api_token::Entity::update_many().set(row).filter(good).exec(db).await?.rows_affected)
}

/// Notes that a token was used, where nobody has noted it since `before`.
///
/// # Errors
/// When the database does not answer.
pub async fn used(db: &impl Connection, id: TokenId, before: Timestamp, now: Timestamp) -> Result<()> {
    let row = api_token::ActiveModel { last_used_at: Set(Some(now.micros())), ..Default::default() };
    let last = api_token::Column::LastUsedAt;
    let stale = last.is_null().or(last.lte(before.micros()));
    api_token::Entity::update_many().set(row).filter(api_token::Column::Id.eq(id.0).and(stale)).exec(db).await?;
    Ok(())
}

/// Which tokens are asked for.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Bound to this source.
    pub source: Option<String>,
    /// In this state.
    pub state: Option<TokenState>,
}

fn condition(reach: &Reach, filter: &TokenFilter, now: Timestamp) -> Cond {
    use api_token::Column::{ExpiresAt, RevokedAt, Source, TeamId};
    let within = match reach {
        Reach::Organisation => None,
        Reach::Teams(teams) => Some(TeamId.is_in(teams.iter().map(|team| team.0))),
    };
    let state = filter.state.map(|state| match state {
        TokenState::Active => RevokedAt.is_null().and(ExpiresAt.gt(now.micros())),
        TokenState::Expired => RevokedAt.is_null().and(ExpiresAt.lte(now.micros())),
        TokenState::Revoked => RevokedAt.is_not_null(),
    });
    let source = filter.source.as_ref().map(|source| Source.eq(source));
    [within, state, source].into_iter().flatten().fold(Cond::all(), Cond::add)
}

/// A page of tokens within reach, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &impl Connection,
    reach: &Reach,
    filter: &TokenFilter,
    window: &Window,
    now: Timestamp,
) -> Result<Page<TokenRow>> {
    let select = api_token::Entity::find().filter(condition(reach, filter, now));
    page::list(db, select, (api_token::Column::CreatedAt, Some(api_token::Column::Id)), false, window).await
}

/// How many tokens there are within reach.
///
/// # Errors
/// When the database does not answer.
pub async fn count(db: &impl Connection, reach: &Reach, filter: &TokenFilter, now: Timestamp) -> Result<u64> {
    Ok(api_token::Entity::find().filter(condition(reach, filter, now)).count(db).await?)
}
