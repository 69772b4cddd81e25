//! Teams, and the people whom their OWNERS files name.

use std::collections::BTreeMap;

use sopwith_domain::access::RoleSource;
use sopwith_domain::ids::{PersonId, TeamId};

use super::super::runbook::{Owners, Tree};
use super::super::{Importer, person, reason};
use super::report::RunbookReport;
use crate::app::access::{self, GrantInput, TeamInput};
use crate::error::{Error, Result};
use crate::store::people;
use crate::store::{Store, teams};

/// The team that keeps an SOP.
#[derive(Debug)]
pub struct Home {
    /// The team.
    pub team: TeamId,
    /// Its first approver, who answers for its SOPs.
    pub owner: Option<PersonId>,
}

/// All teams of a folder, by key; or why there is none.
#[derive(Debug)]
pub struct Homes(BTreeMap<String, std::result::Result<Home, String>>);

impl Homes {
    /// Makes the teams that are missing, the people of OWNERS files and their grants.
    ///
    /// # Errors
    /// When the database does not answer; a team that cannot be made fails its documents only.
    pub async fn prepare(store: &Store, by: &Importer, tree: &Tree, to: &mut RunbookReport) -> Result<Self> {
        // A team that has people but no documents has only its key for a name.
        let mut names: BTreeMap<&str, &str> = tree.owners.iter().map(|o| (&*o.team_key, &*o.team_key)).collect();
        names.extend(tree.documents.iter().map(|d| (&*d.team_key, &*d.team_name)));
        let known = teams::all(store.read()).await?;
        let known: BTreeMap<String, TeamId> = known.into_iter().map(|t| (t.key, TeamId(t.id))).collect();
        let mut homes = BTreeMap::new();
        for (key, name) in names {
            let owners = tree.owners.iter().find(|o| o.team_key == key);
            let home = match prepare(store, by, (key, name), known.get(key).copied(), owners, to).await {
                Err(Error::Unavailable) => return Err(Error::Unavailable),
                Err(error) => Err(format!("the team '{key}': {}", reason(&error))),
                Ok(home) => Ok(home),
            };
            homes.insert(key.to_owned(), home);
        }
        Ok(Self(homes))
    }

    /// The team of this key.
    ///
    /// # Errors
    /// Why it could not be made.
    pub fn get(&self, key: &str) -> std::result::Result<&Home, String> {
        match self.0.get(key) {
            Some(Ok(home)) => Ok(home),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("there is no team '{key}'")),
        }
    }
}

async fn prepare(
    store: &Store,
    by: &Importer,
    (key, name): (&str, &str),
    known: Option<TeamId>,
    owners: Option<&Owners>,
    to: &mut RunbookReport,
) -> Result<Home> {
    let team = if let Some(team) = known {
        team
    } else {
        let input = TeamInput { key: key.to_owned(), name: name.to_owned(), code_prefix: None };
        to.teams_created += 1;
        access::create_team(&by.call(), input, None).await?
    };
    let mut home = Home { team, owner: None };
    let Some(owners) = owners else { return Ok(home) };
    for login in &owners.reviewers {
        grant(store, by, login, "reviewer", team, to).await?;
    }
    for login in &owners.approvers {
        let approver = grant(store, by, login, "approver", team, to).await?;
        home.owner.get_or_insert(approver);
    }
    Ok(home)
}

/// Makes somebody known and lets them decide for a team. Who may already, by an earlier import, still may.
async fn grant(
    store: &Store,
    by: &Importer,
    login: &str,
    role: &str,
    team: TeamId,
    to: &mut RunbookReport,
) -> Result<PersonId> {
    let person = person(store, &format!("github:{}", login.to_lowercase()), login).await?;
    let grants = people::grants_of(store.read(), person).await?;
    let same =
        |g: &people::Grant| g.role == role && g.team_id == Some(team.0) && g.source == RoleSource::Import.as_str();
    if !grants.iter().any(same) {
        let input = GrantInput { person, role: role.to_owned(), team: Some(team), expires_at: None };
        access::grant(&by.call(), input, None).await?;
        to.grants_created += 1;
    }
    Ok(person)
}
