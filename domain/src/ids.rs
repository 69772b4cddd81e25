//! Typed identifiers. On the wire an id is `prefix_` followed by a `UUIDv7` in hex: opaque to clients, and an id of one
//! kind can never pass for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id of a {0}")]
pub struct InvalidId(pub &'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $noun:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What stands before the underscore on the wire.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", Self::PREFIX, self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(Self::PREFIX)
                    .and_then(|rest| rest.strip_prefix('_'))
                    // Only the one spelling that we hand out: 32 lower-case digits.
                    .filter(|hex| hex.len() == 32 && !hex.bytes().any(|b| b.is_ascii_uppercase()))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(InvalidId($noun))
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self { id.0 }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// Someone known to the service.
    PersonId = "per", "person";
    /// A team of the organisation.
    TeamId = "team", "team";
    /// What the organisation does, documented or not.
    ProcessId = "proc", "process";
    /// The procedure for one process.
    SopId = "sop", "SOP";
    /// One content of an SOP.
    VersionId = "ver", "version";
    /// A policy: which stages a change has to pass.
    PolicyId = "pol", "policy";
    /// One passage through the stages of a policy.
    RequestId = "req", "approval request";
    /// One person's answer in a request.
    DecisionId = "dec", "decision";
    /// Somebody's word that another may decide in their place.
    DelegationId = "dlg", "delegation";
    /// A review comment.
    CommentId = "cmt", "comment";
    /// What was chosen to be done about what a diagnosis found.
    ResponseId = "rsp", "diagnosis response";
    /// Something that happened.
    EventId = "evt", "event";
    /// A role granted to a person.
    GrantId = "grant", "grant";
    /// A token that an integration carries.
    TokenId = "tok", "API token";
    /// Somebody's browser, signed in.
    SessionId = "ses", "session";
    /// One real performance of a process.
    ExecutionId = "exe", "execution";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_refuses_another_kind() {
        let id = SopId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<VersionId>().is_err());
        assert!("sop_".parse::<SopId>().is_err());
        assert!("sop_0000000000000000000000000000000G".parse::<SopId>().is_err());
        assert!("sop_00000000-0000-0000-0000-000000000007".parse::<SopId>().is_err());
    }
}
