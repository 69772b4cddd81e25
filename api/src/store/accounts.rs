//! Which accounts are one person's: those that ever had a verified e-mail address in common.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, sea_query::OnConflict};
use sopwith_domain::approval::Accounts;
use sopwith_domain::ids::PersonId;
use sopwith_domain::time::Timestamp;

use super::Connection;
use super::entity::person_email;
use crate::error::Result;

/// Keeps an address that the issuer of an account's token vouched for. Addresses that an account had earlier stay:
/// otherwise one could change the address to become somebody else.
///
/// # Errors
/// When the database does not answer.
pub async fn verified(db: &impl Connection, account: PersonId, email: &str, now: Timestamp) -> Result<()> {
    let row = person_email::ActiveModel {
        person_id: Set(account.0),
        email: Set(email.trim().to_lowercase()),
        created_at: Set(now.micros()),
    };
    let once = OnConflict::new().do_nothing().to_owned();
    person_email::Entity::insert(row).on_conflict(once).exec_without_returning(db).await?;
    Ok(())
}

/// The accounts that are one person's with one of these, however far the chain of addresses goes.
///
/// # Errors
/// When the database does not answer.
pub async fn of(db: &impl Connection, accounts: Vec<PersonId>) -> Result<Accounts> {
    let mut known: BTreeSet<Uuid> = BTreeSet::new();
    let mut new: BTreeSet<Uuid> = accounts.into_iter().map(|account| account.0).collect();
    let mut by_email: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    while !new.is_empty() {
        let of_new = person_email::Column::PersonId.is_in(new.iter().copied());
        let emails = person_email::Entity::find().filter(of_new).all(db).await?.into_iter().map(|row| row.email);
        let fresh: Vec<String> = emails.filter(|email| !by_email.contains_key(email)).collect();
        known.append(&mut new);
        if fresh.is_empty() {
            break;
        }
        for row in person_email::Entity::find().filter(person_email::Column::Email.is_in(fresh)).all(db).await? {
            if !known.contains(&row.person_id) {
                new.insert(row.person_id);
            }
            by_email.entry(row.email).or_default().push(row.person_id);
        }
    }
    let pairs = by_email.values().flat_map(|people| people.windows(2).map(|w| (PersonId(w[0]), PersonId(w[1]))));
    Ok(Accounts::new(pairs))
}
