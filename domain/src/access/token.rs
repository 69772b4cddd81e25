//! API tokens: what integrations carry in the place of a person's token.

use std::collections::BTreeSet;

use super::{Actor, HeldRole, Origin, Permission, RoleSource};
use crate::error::Problem;
use crate::ids::{PersonId, TeamId};
use crate::text::text_enum;
use crate::time::{DAY, Timestamp};

/// What a token may be given: what integrations send, and reading. Nothing that writes procedures, decides on them or
/// rules access.
pub const SCOPES: [Permission; 5] = [
    Permission::DraftRead,
    Permission::ProcessWrite,
    Permission::ExecutionsRecord,
    Permission::FiguresRead,
    Permission::AuditRead,
];

/// The longest that a token may be good for.
pub const MAX_LIFE: i64 = 366 * DAY;

/// The issuer of the people that tokens act as; no identity provider's.
pub const ISSUER: &str = "urn:sopwith:api-token";

/// The longest name, and the longest source, in characters.
const MAX_NAME: usize = 100;

text_enum! {
    /// Whether a token is good.
    TokenState {
        /// It is.
        Active = "ACTIVE",
        /// It was, until it ended by itself.
        Expired = "EXPIRED",
        /// It was, until somebody took it away.
        Revoked = "REVOKED",
    }
}

/// What a token is made with; it stays so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub name: String,
    /// The one source of executions that it reports for.
    pub source: String,
    /// What it allows.
    pub scopes: BTreeSet<Permission>,
    /// The only team that it is for; org-wide when absent.
    pub team: Option<TeamId>,
    /// From when it is good no more.
    pub expires_at: Timestamp,
}

impl Terms {
    /// Everything wrong with the terms of a token that is to be made.
    #[must_use]
    pub fn check(&self, now: Timestamp) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (field, text) in [("name", &self.name), ("source", &self.source)] {
            let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.contains(char::is_control);
            if !fits || text.trim() != text {
                let rule = format!("1 to {MAX_NAME} characters, no control characters, no blanks at the ends");
                problems.push(Problem::at(field, rule));
            }
        }
        if self.scopes.is_empty() {
            problems.push(Problem::at("scopes", "a token needs at least one scope"));
        }
        if let Some(scope) = self.scopes.iter().find(|scope| !SCOPES.contains(scope)) {
            problems.push(Problem::at("scopes", format!("{scope} is no scope of a token")));
        }
        if self.team.is_some() && self.scopes.contains(&Permission::ExecutionsRecord) {
            let why = format!("{} is not given for one team: a source reports for all", Permission::ExecutionsRecord);
            problems.push(Problem::at("scopes", why));
        }
        if self.expires_at <= now || self.expires_at > now.plus(MAX_LIFE) {
            let days = MAX_LIFE / DAY;
            problems.push(Problem::at("expiresAt", format!("a token ends in the future, within {days} days")));
        }
        problems
    }

    /// Whether a token with these terms is good.
    #[must_use]
    pub fn state(&self, revoked: bool, now: Timestamp) -> TokenState {
        if revoked {
            TokenState::Revoked
        } else if self.expires_at <= now {
            TokenState::Expired
        } else {
            TokenState::Active
        }
    }

    /// The actor that a token is: a person of its own, with its scopes and no role that a stage could name.
    #[must_use]
    pub fn actor(&self, person: PersonId) -> Actor {
        let origin = Origin { source: RoleSource::Token, grant: None, expires_at: Some(self.expires_at) };
        let scopes =
            HeldRole { role: "api-token".to_owned(), team: self.team, permissions: self.scopes.clone(), origin };
        Actor { person, roles: vec![scopes], mandates: Vec::new(), source: Some(self.source.clone()), auth_time: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Action, Resource, decide};
    use uuid::Uuid;

    fn terms() -> Terms {
        Terms {
            name: "Tickets".to_owned(),
            source: "tickets".to_owned(),
            scopes: BTreeSet::from([Permission::ExecutionsRecord]),
            team: None,
            expires_at: Timestamp::from_micros(10 * DAY),
        }
    }

    #[test]
    fn names_every_field_that_breaks_a_rule() {
        let now = Timestamp::from_micros(DAY);
        let paths = |terms: &Terms| terms.check(now).into_iter().map(|p| p.path.join(".")).collect::<Vec<_>>();
        assert!(paths(&terms()).is_empty());
        for (wrong, path) in [
            (Terms { name: String::new(), ..terms() }, "name"),
            (Terms { name: "x".repeat(101), ..terms() }, "name"),
            (Terms { source: " tickets".to_owned(), ..terms() }, "source"),
            (Terms { source: "a\0".to_owned(), ..terms() }, "source"),
            (Terms { scopes: BTreeSet::new(), ..terms() }, "scopes"),
            (Terms { team: Some(TeamId(Uuid::nil())), ..terms() }, "scopes"),
            (Terms { expires_at: now, ..terms() }, "expiresAt"),
            (Terms { expires_at: now.plus(MAX_LIFE + 1), ..terms() }, "expiresAt"),
        ] {
            assert_eq!(paths(&wrong), [path], "{wrong:?}");
        }
        for permission in Permission::ALL {
            let wrong = Terms { scopes: BTreeSet::from([*permission]), ..terms() };
            assert_eq!(paths(&wrong).is_empty(), SCOPES.contains(permission), "{permission}");
        }
    }

    #[test]
    fn a_token_is_good_until_it_ends_or_is_taken_away() {
        let at = |micros| Timestamp::from_micros(micros);
        assert_eq!(terms().state(false, at(10 * DAY - 1)), TokenState::Active);
        assert_eq!(terms().state(false, at(10 * DAY)), TokenState::Expired);
        assert_eq!(terms().state(true, at(0)), TokenState::Revoked);
        assert_eq!(terms().state(true, at(11 * DAY)), TokenState::Revoked);
    }

    #[test]
    fn a_token_may_what_its_scopes_say_and_nothing_else() {
        let actor = terms().actor(PersonId(Uuid::nil()));
        for action in Action::ALL {
            let may = decide(&actor, *action, Resource::Organisation).is_ok();
            // Whoever is signed in may delegate; a token has no role that could be.
            let expected = matches!(action, Action::RecordExecutions | Action::Delegate);
            assert_eq!(may, expected, "{action}");
        }
        assert_eq!(actor.source.as_deref(), Some("tickets"));
        assert!(actor.candidate().roles.is_empty());
    }
}
