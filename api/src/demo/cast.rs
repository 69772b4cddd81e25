//! The people of the demo: invented, one for each role, and an author for each team of the samples.

use std::collections::BTreeMap;
use std::time::Duration;

use sopwith_domain::access::Actor;
use sopwith_domain::time::Timestamp;

use crate::app::people;
use crate::auth::claims::Identity;
use crate::auth::token::{AuthConfig, Keyring, MintRequest, Setup, Unverified, mint_hs256};
use crate::cli::CliError;
use crate::error::Result;
use crate::store::{Store, people as stored};

/// Who signs the tokens of a demo.
pub const ISSUER: &str = "sopwith:demo";
/// The source that the demo's integration reports for.
pub const SOURCE: &str = "demo";
const VALID_FOR: Duration = Duration::from_hours(12);

/// Role and name of each. The subject is the role.
const MEMBERS: [(&str, &str); 7] = [
    ("viewer", "Vera Viewer (simulated)"),
    ("author", "Ada Author (simulated)"),
    ("reviewer", "Ravi Reviewer (simulated)"),
    ("approver", "Aino Approver (simulated)"),
    ("manager", "Mona Manager (simulated)"),
    ("integration", "Work tracker (simulated)"),
    ("admin", "Adam Admin (simulated)"),
];

/// Everyone in the demo who has a token, by role.
#[derive(Debug)]
pub struct Cast {
    members: BTreeMap<&'static str, Member>,
    auth: AuthConfig,
    keyring: Keyring,
}

#[derive(Debug)]
struct Member {
    token: String,
    identity: Identity,
}

impl Cast {
    /// Mints a token for each role, org-wide.
    ///
    /// # Errors
    /// When tokens cannot be minted or verified as configured.
    pub fn of(auth: &AuthConfig) -> std::result::Result<Self, CliError> {
        let keyring = Setup::new(auth)?.keyring();
        let mut cast = Self { members: BTreeMap::new(), auth: auth.clone(), keyring };
        for (role, name) in MEMBERS {
            let member = cast.member(role, name, role)?;
            cast.members.insert(role, member);
        }
        Ok(cast)
    }

    /// Who a person is follows from a token, as it does for everyone.
    fn member(&self, subject: &str, name: &str, role: &str) -> std::result::Result<Member, CliError> {
        let request = MintRequest {
            subject: subject.to_owned(),
            name: Some(name.to_owned()),
            email: None,
            roles: vec![role.to_owned()],
            source: (role == "integration").then(|| SOURCE.to_owned()),
            valid_for: VALID_FOR,
        };
        let token = mint_hs256(&self.auth, &request)?;
        let verified = Unverified::read(&token).and_then(|token| self.keyring.verify(&token));
        let identity = verified.map_err(|e| CliError::Message(e.to_string()))?;
        Ok(Member { token, identity })
    }

    /// The token of a role; empty for one that nobody has.
    #[must_use]
    pub fn token(&self, role: &str) -> &str {
        self.members.get(role).map_or("", |member| &member.token)
    }

    /// Every role with its token, by role.
    pub fn tokens(&self) -> impl Iterator<Item = (&'static str, &str)> {
        MEMBERS.iter().map(|(role, _)| (*role, self.token(role)))
    }

    /// Makes everyone known to the service at some time; answers them by role.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enter(&self, store: &Store, at: Timestamp) -> Result<BTreeMap<&'static str, Actor>> {
        let mut actors = BTreeMap::new();
        for (role, member) in &self.members {
            actors.insert(*role, people::identify(store, &member.identity, at, "demo").await?);
        }
        Ok(actors)
    }

    /// The author of one team.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn author_of(
        &self,
        store: &Store,
        (team, name): (&str, &str),
        at: Timestamp,
    ) -> std::result::Result<Actor, CliError> {
        let name = format!("{name} author (simulated)");
        let author = self.member(&format!("author-{team}"), &name, &format!("author@{team}"))?;
        Ok(people::identify(store, &author.identity, at, "demo").await?)
    }

    /// Whether a database is that of a demo.
    pub async fn is_known_in(&self, store: &Store) -> bool {
        matches!(stored::by_subject(store.read(), ISSUER, "admin").await, Ok(Some(_)))
    }
}
