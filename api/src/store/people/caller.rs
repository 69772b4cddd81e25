//! Who asks, as far as the database knows them: with each request, so in one statement.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryResult, Statement};
use sopwith_domain::access::{HeldRole, Origin, RoleSource};
use sopwith_domain::ids::{GrantId, PersonId, TeamId};
use sopwith_domain::time::Timestamp;

use crate::error::Result;
use crate::store::{Connection, delegations, parse, roles};

/// A known person who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person.
    pub person: PersonId,
    /// What their token told when it last told something new, as [`super::Profile::digest`].
    pub digest: String,
    /// The roles that it claimed then, and those granted here that have not expired, with what each allows.
    pub roles: Vec<HeldRole>,
    /// Whether others have delegated roles to them.
    pub is_delegate: bool,
}

/// Whoever an issuer names so.
///
/// # Errors
/// When the database does not answer.
pub async fn caller(db: &impl Connection, issuer: &str, subject: &str, now: Timestamp) -> Result<Option<Caller>> {
    let sql = format!(
        "SELECT p.id, p.claims_digest, \
            EXISTS (SELECT 1 FROM delegation WHERE to_id = p.id AND {}), \
            g.role, g.source, g.id, g.team_id, g.expires_at, r.permissions \
         FROM person p LEFT JOIN role_grant g ON g.person_id = p.id AND (g.expires_at IS NULL OR g.expires_at > $3) \
            LEFT JOIN role r ON r.name = g.role \
         WHERE p.issuer = $1 AND p.subject = $2 ORDER BY CASE g.source WHEN 'CLAIM' THEN 0 ELSE 1 END, g.created_at, g.id",
        delegations::IN_FORCE_AT_3
    );
    let values = [issuer.into(), subject.into(), now.micros().into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values)).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (person, digest) = (PersonId(first.try_get_by_index(0)?), first.try_get_by_index(1)?);
    let is_delegate = first.try_get_by_index(2)?;
    let held = rows.iter().filter_map(|row| held(row).transpose()).collect::<Result<_>>()?;
    Ok(Some(Caller { person, digest, roles: held, is_delegate }))
}

/// The role of a row; none where somebody holds none.
fn held(row: &QueryResult) -> Result<Option<HeldRole>> {
    let Some(role) = row.try_get_by_index::<Option<String>>(3)? else { return Ok(None) };
    let source = parse(&row.try_get_by_index::<String>(4)?)?;
    let origin = match source {
        RoleSource::Claim => Origin::CLAIM,
        source => Origin {
            source,
            grant: Some(GrantId(row.try_get_by_index(5)?)),
            expires_at: row.try_get_by_index::<Option<i64>>(7)?.map(Timestamp::from_micros),
        },
    };
    // A role that does not exist allows nothing, but may be named in a stage.
    let allowed: Option<String> = row.try_get_by_index(8)?;
    let permissions = allowed.map(|text| roles::permissions(&text)).transpose()?.unwrap_or_default();
    let team = row.try_get_by_index::<Option<Uuid>>(6)?.map(TeamId);
    Ok(Some(HeldRole { role, team, permissions, origin }))
}
