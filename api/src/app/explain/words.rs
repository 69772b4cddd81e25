//! Reasons as sentences.

use sopwith_domain::access::{Ground, HeldRole, RoleSource};
use sopwith_domain::ids::TeamId;
use sopwith_domain::policy::Stage;

/// A fact that holds.
pub(super) fn holds(ground: Ground) -> String {
    let words = match ground {
        Ground::Owner => "the person owns the SOP",
        Ground::Contributor => "the person contributed to the open version, or asked for the retirement",
        Ground::Mandate => "somebody delegated to the person a role that a stage of the open request names",
        Ground::Published => "what is or was in force is for everyone to see",
        Ground::Anyone => "whoever is signed in may",
        Ground::Permission(_) | Ground::Stage => "the person holds a role that is enough",
    };
    words.to_owned()
}

/// A ground that does not hold: what would be enough. The stages are those of the open request, where they may be told.
pub(super) fn would(ground: Ground, team: Option<TeamId>, stages: Option<&[Stage]>) -> String {
    match ground {
        Ground::Permission(permission) => {
            let scope = if team.is_some() { "for the team or org-wide" } else { "org-wide" };
            format!("a role with the permission {permission}, held {scope}, would be enough")
        }
        Ground::Owner => "owning the SOP would be enough".to_owned(),
        Ground::Contributor => {
            "having contributed to the open version, or asked for the retirement, would be enough".to_owned()
        }
        Ground::Mandate => "a delegation from somebody who could decide in the open request would be enough".to_owned(),
        Ground::Published => "everyone would see it once a version of it was in force".to_owned(),
        Ground::Anyone => "being signed in would be enough".to_owned(),
        Ground::Stage => match stages {
            Some(stages) if !stages.is_empty() => {
                let named: Vec<String> = stages.iter().map(|s| format!("'{}' in '{}'", s.role, s.name)).collect();
                format!("a role that a stage of the open request names would be enough: {}", named.join(", "))
            }
            _ => "a role that a stage of an open request names would be enough".to_owned(),
        },
    }
}

/// A ground that holds by a role.
pub(super) fn by_role(ground: Ground, held: &HeldRole) -> String {
    let from = match held.origin.source {
        RoleSource::Claim => "from the person's token",
        RoleSource::Api => "granted here",
        RoleSource::Import => "granted by an import",
        RoleSource::Token => return format!("a scope of the API token{}", allowed_by(ground)),
    };
    let until = held.origin.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
    format!("the role '{}', {from}{until}{}", held.role, allowed_by(ground))
}

fn allowed_by(ground: Ground) -> String {
    match ground {
        Ground::Permission(permission) => format!(", has the permission {permission}"),
        Ground::Stage => ", is named by a stage of the open request".to_owned(),
        Ground::Owner | Ground::Contributor | Ground::Mandate | Ground::Published | Ground::Anyone => String::new(),
    }
}
