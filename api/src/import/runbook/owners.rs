//! `OWNERS` files: who reviews and who approves in a folder.

use serde_norway::Value;

use super::Owners;

/// Reads one file for a team.
///
/// # Errors
/// The reason why nobody can be read from it.
pub fn read(team_key: &str, text: &str) -> Result<(Owners, Option<String>), String> {
    let value: Value = serde_norway::from_str(text).map_err(|e| format!("not YAML: {e}"))?;
    let Value::Mapping(entries) = &value else { return Err("not a list of keys with values".into()) };
    let mut owners = Owners { team_key: team_key.to_owned(), reviewers: Vec::new(), approvers: Vec::new() };
    let mut unread = Vec::new();
    for (key, value) in entries {
        let key = key.as_str().unwrap_or("?");
        match (key, value) {
            ("reviewers", Value::Sequence(names)) => add(&mut owners.reviewers, names),
            ("approvers", Value::Sequence(names)) => add(&mut owners.approvers, names),
            (_, Value::Null) => {}
            _ => unread.push(key),
        }
    }
    if owners.reviewers.is_empty() && owners.approvers.is_empty() {
        return Err("names no reviewers and no approvers".into());
    }
    let rest = (!unread.is_empty()).then(|| format!("read in part: not used are {}", unread.join(", ")));
    Ok((owners, rest))
}

/// Adds the people of another file for the same team.
pub fn merge(into: &mut Owners, from: &Owners) {
    for (names, more) in [(&mut into.reviewers, &from.reviewers), (&mut into.approvers, &from.approvers)] {
        for name in more {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
}

fn add(names: &mut Vec<String>, values: &[Value]) {
    for value in values {
        let name = match value {
            Value::String(name) => name.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
}
