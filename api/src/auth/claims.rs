//! What the claims of a verified token say: claim paths in, an [`Identity`] out.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, map::Entry};
use sopwith_domain::time::Timestamp;

/// Where the optional claims lie: dotted paths into nested objects, such as `realm_access.roles`.
///
/// A claim name that itself contains dots, such as `https://example.org/roles`, is written as it is. An empty path
/// turns the claim off.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimPaths {
    /// The display name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// Whether the issuer has verified that address.
    pub email_verified: String,
    /// The roles: an array of strings, or one string separated by spaces; each `role` or `role@team`.
    pub roles: String,
    /// The one source of executions that the token may report for.
    pub source: String,
}

impl Default for ClaimPaths {
    fn default() -> Self {
        Self {
            name: "name".into(),
            email: "email".into(),
            email_verified: "email_verified".into(),
            roles: "roles".into(),
            source: "source".into(),
        }
    }
}

/// A role as a token claims it: for one team, or for the whole organisation when `team` is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleClaim {
    /// The role's name.
    pub role: String,
    /// The team it is limited to.
    pub team: Option<String>,
}

/// A role claim that is neither `role` nor `role@team`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the role `{0}` is not of the form `role` or `role@team`")]
pub struct MalformedRole(pub String);

impl FromStr for RoleClaim {
    type Err = MalformedRole;

    /// Refuses an empty part: `reviewer@` must never become an org-wide `reviewer`.
    fn from_str(entry: &str) -> Result<Self, MalformedRole> {
        let (role, team) = match entry.split_once('@') {
            Some((role, team)) => (role, Some(team)),
            None => (entry, None),
        };
        let is_word = |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || blank(c));
        if is_word(role) && team.is_none_or(is_word) {
            Ok(Self { role: role.to_owned(), team: team.map(str::to_owned) })
        } else {
            Err(MalformedRole(entry.to_owned()))
        }
    }
}

/// Who a verified token says its bearer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Claim `iss`.
    pub issuer: String,
    /// Claim `sub`; never empty. Together with the issuer it names a person.
    pub subject: String,
    /// The display name.
    pub name: Option<String>,
    /// The e-mail address, verified or not.
    pub email: Option<String>,
    /// Whether the issuer vouches for `email`; false without one.
    pub email_verified: bool,
    /// Well-formed roles, sorted, each once.
    pub roles: Vec<RoleClaim>,
    /// The source of executions that the token is bound to.
    pub source: Option<String>,
    /// Claim `auth_time`: when the bearer last signed in.
    pub auth_time: Option<Timestamp>,
    /// Claim `exp`, without the leeway that verification allows after it.
    pub expires_at: Timestamp,
}

/// A registered claim that is needed and is absent, empty or of the wrong type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim `{0}` is missing or malformed")]
pub struct BadClaim(pub &'static str);

/// A configured claim path that cannot be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the claim path `{0}` is empty, or another claim is in its place")]
pub struct UnusablePath(pub String);

/// Reads the identity out of the claims of a token whose signature and validity were checked.
///
/// Optional claims of an unexpected type count as absent.
///
/// # Errors
/// [`BadClaim`] when `iss`, `sub` or `exp` is missing or malformed.
pub fn identity(claims: &Map<String, Value>, paths: &ClaimPaths) -> Result<Identity, BadClaim> {
    let required = |name| claims.get(name).and_then(Value::as_str).ok_or(BadClaim(name));
    let subject = required("sub")?;
    if text(subject).is_none() {
        return Err(BadClaim("sub"));
    }
    let optional = |path| find(claims, path).and_then(Value::as_str).and_then(text);
    let email = optional(&paths.email);
    Ok(Identity {
        issuer: required("iss")?.to_owned(),
        subject: subject.to_owned(),
        name: optional(&paths.name),
        email_verified: email.is_some() && find(claims, &paths.email_verified).is_some_and(is_true),
        email,
        roles: find(claims, &paths.roles).map(roles).unwrap_or_default(),
        source: optional(&paths.source),
        auth_time: claims.get("auth_time").and_then(instant),
        expires_at: claims.get("exp").and_then(instant).ok_or(BadClaim("exp"))?,
    })
}

/// Writes a claim where [`identity`] will find it: at a nested path, or under the path as one name when it is a URI.
///
/// # Errors
/// [`UnusablePath`] when a part of the path is empty, or another claim is in its place.
pub fn write(claims: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), UnusablePath> {
    let unusable = || UnusablePath(path.to_owned());
    let mut keys: Vec<&str> = if path.contains('/') { vec![path] } else { path.split('.').collect() };
    if keys.contains(&"") {
        return Err(unusable());
    }
    let last = keys.pop().ok_or_else(unusable)?;
    let mut object = claims;
    for key in keys {
        let child = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
        object = child.as_object_mut().ok_or_else(unusable)?;
    }
    match object.entry(last) {
        Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        Entry::Occupied(_) => Err(unusable()),
    }
}

/// The whole path as one name comes first; then every dot is tried as the border between a name and what lies in it,
/// so that `https://example.org/claims.roles` finds `roles` within the object of that name.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        path.match_indices('.').find_map(|(dot, _)| find(claims.get(&path[..dot])?.as_object()?, &path[dot + 1..]))
    })
}

fn blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Text without surrounding blanks. Control characters make it unusable: not every database stores them.
fn text(value: &str) -> Option<String> {
    let value = value.trim();
    (!value.is_empty() && !value.contains(char::is_control)).then(|| value.to_owned())
}

/// Some issuers write the flag as a string.
fn is_true(value: &Value) -> bool {
    value.as_bool().unwrap_or(value == "true")
}

fn roles(claim: &Value) -> Vec<RoleClaim> {
    let entries: Vec<&str> = match claim {
        Value::String(list) => list.split_whitespace().collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let distinct: BTreeSet<RoleClaim> = entries.into_iter().filter_map(|entry| entry.parse().ok()).collect();
    distinct.into_iter().collect()
}

/// Seconds since the epoch, whole or not; instants past the range of [`Timestamp`] become its last.
fn instant(seconds: &Value) -> Option<Timestamp> {
    let seconds = seconds.as_f64().filter(|seconds| *seconds >= 0.0)?;
    let micros = Duration::try_from_secs_f64(seconds).map_or(u128::MAX, |since| since.as_micros());
    Some(Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(extra: Value, paths: &ClaimPaths) -> Identity {
        identity(&claims(extra), paths).unwrap()
    }

    fn claims(extra: Value) -> Map<String, Value> {
        let Value::Object(mut claims) = json!({"iss": "https://id", "sub": "ada", "exp": 1_800_000_000}) else {
            unreachable!()
        };
        let Value::Object(extra) = extra else { panic!("claims are an object") };
        claims.extend(extra);
        claims
    }

    fn roles_of(claim: &Value) -> Vec<String> {
        let with_team = |r: RoleClaim| r.team.map_or(r.role.clone(), |team| format!("{}@{team}", r.role));
        read(json!({"roles": claim}), &ClaimPaths::default()).roles.into_iter().map(with_team).collect()
    }

    #[test]
    fn reads_every_claim_at_its_default_path() {
        let extra = json!({"name": " Ada ", "email": "ada@example.org", "email_verified": true, "roles": ["admin"],
            "source": "pager", "auth_time": 1_700_000_000.5});
        let seen = read(extra, &ClaimPaths::default());
        let expected = Identity {
            issuer: "https://id".into(),
            subject: "ada".into(),
            name: Some("Ada".into()),
            email: Some("ada@example.org".into()),
            email_verified: true,
            roles: vec![RoleClaim { role: "admin".into(), team: None }],
            source: Some("pager".into()),
            auth_time: Some("2023-11-14T22:13:20.5Z".parse().unwrap()),
            expires_at: "2027-01-15T08:00:00Z".parse().unwrap(),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn malformed_roles_are_dropped_and_never_widened() {
        let list = json!([
            "reviewer@",
            "@ops",
            "@",
            "",
            "a@b@c",
            "author@ops ",
            "author @ops",
            "in side",
            7,
            null,
            ["admin"],
            "viewer\u{0}",
            "qa@ops",
            "viewer"
        ]);
        assert_eq!(roles_of(&list), ["qa@ops", "viewer"]);
        assert_eq!(roles_of(&json!({"admin": true})), [""; 0]);
    }

    #[test]
    fn roles_are_sorted_and_distinct_in_both_forms() {
        let expected = ["author", "author@ops", "viewer"];
        assert_eq!(roles_of(&json!(["viewer", "author@ops", "author", "viewer"])), expected);
        assert_eq!(roles_of(&json!("viewer  author@ops author viewer")), expected);
    }

    #[test]
    fn paths_reach_nested_and_literal_names() {
        let at = |path: &str, extra: Value| {
            read(extra, &ClaimPaths { roles: path.into(), ..ClaimPaths::default() }).roles.len()
        };
        assert_eq!(at("realm.access.roles", json!({"realm": {"access": {"roles": ["a", "b"]}}})), 2);
        assert_eq!(at("https://example.org/roles", json!({"https://example.org/roles": ["a"]})), 1);
        assert_eq!(at("https://example.org/claims.roles", json!({"https://example.org/claims": {"roles": "a"}})), 1);
        assert_eq!(at("a.roles", json!({"a.roles": ["x"], "a": {"roles": ["x", "y"]}})), 1, "the literal name wins");
        assert_eq!(at("realm.roles", json!({"realm": "roles", "roles": ["a"]})), 0);
        assert_eq!(at("", json!({"roles": ["a"]})), 0);
    }

    #[test]
    fn an_email_is_verified_only_when_the_issuer_says_so() {
        let verified = |extra| read(extra, &ClaimPaths::default()).email_verified;
        assert!(verified(json!({"email": "a@b", "email_verified": "true"})));
        for flag in [json!(false), json!("false"), json!(1), json!("yes"), json!(null), json!({})] {
            assert!(!verified(json!({"email": "a@b", "email_verified": flag})), "{flag}");
        }
        assert!(!verified(json!({"email": "a@b"})));
        assert!(!verified(json!({"email": " ", "email_verified": true})), "there is no address to verify");
    }

    #[test]
    fn required_claims_are_named_when_unusable() {
        for (name, bad) in [
            ("sub", json!(" ")),
            ("sub", json!("a\u{0}")),
            ("sub", json!(1)),
            ("iss", json!(["x"])),
            ("exp", json!("soon")),
            ("exp", json!(-1)),
        ] {
            assert_eq!(identity(&claims(json!({name: bad})), &ClaimPaths::default()), Err(BadClaim(name)));
        }
    }

    #[test]
    fn optional_claims_of_the_wrong_type_are_absent() {
        let extra = json!({"name": 1, "email": ["a@b"], "source": "a\nb", "auth_time": "today"});
        let seen = read(extra, &ClaimPaths::default());
        assert_eq!((seen.name, seen.email, seen.source, seen.auth_time), (None, None, None, None));
    }

    #[test]
    fn the_last_instant_stands_for_all_later_ones() {
        let last = read(json!({"exp": u64::MAX}), &ClaimPaths::default()).expires_at;
        assert_eq!(last, Timestamp::from_micros(i64::MAX));
    }

    #[test]
    fn what_is_written_is_found_again() {
        for path in ["name", "user.full.name", "https://example.org/name", "https://example.org/claims.name"] {
            let mut written = Map::new();
            write(&mut written, path, json!("Ada")).unwrap();
            assert_eq!(find(&written, path), Some(&json!("Ada")), "{path}");
            assert_eq!(write(&mut written, path, json!("Bo")), Err(UnusablePath(path.into())), "taken");
        }
    }

    #[test]
    fn a_path_through_another_claim_is_unusable() {
        let mut written = claims(json!({}));
        for path in ["", ".", "a..b", "sub.name", "sub"] {
            assert_eq!(write(&mut written, path, json!("x")), Err(UnusablePath(path.into())), "{path}");
        }
    }
}
