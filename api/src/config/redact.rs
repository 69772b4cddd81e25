//! Hides secrets in a configuration that is about to be shown.

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// JSON pointers to the settings that are secret as a whole.
const SECRETS: [&str; 3] = ["/metrics_token", "/auth/hs256_secret", "/mail/password"];

/// Replaces each secret that is set in a serialised configuration.
pub fn secrets(config: &mut Value) {
    for pointer in SECRETS {
        if let Some(secret) = config.pointer_mut(pointer).filter(|value| !value.is_null()) {
            *secret = HIDDEN.into();
        }
    }
    if let Some(Value::String(url)) = config.get_mut("database_url") {
        *url = without_password(url);
    }
}

/// A database URL with its password hidden, be it in the authority or in the query.
///
/// A password with unescaped `/` or `@` makes the URL wrong, but is no reason to show it: everything from the first
/// colon of the authority to the last `@` counts as password.
fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let authority = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{HIDDEN}@{host}"),
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let Some((base, query)) = authority.split_once('?') else { return format!("{scheme}{authority}") };
    let query: Vec<_> = query.split('&').map(hide_parameter).collect();
    format!("{scheme}{base}?{}", query.join("&"))
}

/// A query parameter, its value hidden if its name tells of a password.
fn hide_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn hides_the_password_of_a_database_url() {
        let cases = [
            ("postgres://u:p4ss@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:p/a@s:s@h/d", "postgres://u:***@h/d"),
            (
                "postgres://h/d?user=u&password=p4ss&sslmode=require",
                "postgres://h/d?user=u&password=***&sslmode=require",
            ),
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("sqlite://sopwith.db?mode=rwc", "sqlite://sopwith.db?mode=rwc"),
        ];
        for (url, shown) in cases {
            assert_eq!(without_password(url), shown);
        }
    }
}
