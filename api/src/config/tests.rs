use std::ffi::OsString;
use std::path::Path;

use figment::providers::{Format, Toml};

use super::{Config, ConfigError, LogFormat};

const EXAMPLE: &str = include_str!("../../../sopwith.example.toml");

/// Reads a file of this text and these variables.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sopwith.toml");
    std::fs::write(&file, text).unwrap();
    Config::read(Some(&file), Path::new("absent.toml"), environment(variables))
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    read(text, variables).expect_err("this configuration must be refused").to_string()
}

#[test]
fn without_file_and_variables_the_defaults_hold() {
    let config = Config::read(None, Path::new("absent.toml"), environment(&[("PATH", "/bin")])).unwrap();
    assert_eq!(config.database_url, "sqlite://sopwith.db?mode=rwc");
    assert_eq!(config.max_body_bytes, 4_194_304);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn the_example_shows_every_setting_with_its_default() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    // What has no default stands in the example as a comment; filled in, the example must still be accepted.
    let filled: Vec<_> = EXAMPLE.lines().map(|line| line.strip_prefix("#= ").unwrap_or(line)).collect();
    assert_eq!(serde_json::to_value(read(EXAMPLE, &[]).unwrap()).unwrap(), defaults);
    let filled = read(&filled.join("\n"), &[]).unwrap();
    let shown: serde_json::Value = Toml::from_str(EXAMPLE).unwrap();
    every_key(&defaults, &shown, &serde_json::to_value(filled).unwrap(), "");
}

/// Each setting is in the example: with a value, or, when its default is none, in the comments.
fn every_key(defaults: &serde_json::Value, shown: &serde_json::Value, filled: &serde_json::Value, path: &str) {
    for (key, default) in defaults.as_object().unwrap() {
        let path = format!("{path}/{key}");
        match default {
            serde_json::Value::Null => assert!(!filled[key].is_null(), "{path} is not shown as a comment"),
            serde_json::Value::Object(_) => every_key(default, &shown[key], &filled[key], &path),
            _ => assert_eq!(&shown[key], default, "{path}"),
        }
    }
}

#[test]
fn executions_are_kept_for_three_months_at_least() {
    for (months, kept) in [("3", 3), ("1200", 1200)] {
        let config = read("", &[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", months)]).unwrap();
        assert_eq!(config.retention.executions_months, Some(kept));
    }
    for months in ["0", "2", "1201"] {
        let said = refusal(&format!("retention.executions_months = {months}"), &[]);
        assert_eq!(said, "setting `retention.executions_months` must be from 3 to 1200, or absent to keep all");
    }
    let said = refusal("", &[("SOPWITH_RETENTION__EXECUTIONS_MONTHS", "many")]);
    assert!(said.contains("`retention.executions_months` must be a whole number"), "{said}");
}

#[test]
fn an_unknown_key_in_the_file_is_refused_by_name() {
    let top = refusal("databse_url = 'sqlite://x.db'", &[]);
    assert!(top.contains("`databse_url`") && top.contains("sopwith.toml"), "{top}");
    for (text, key) in [("[auth]\nisuer = 'x'", "`auth.isuer`"), ("[auth.claims]\nnames = 'x'", "`auth.claims.names`")]
    {
        let nested = refusal(text, &[]);
        assert!(nested.contains(key), "{nested}");
    }
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    for name in ["SOPWITH_DATABSE_URL", "SOPWITH_AUTH__ISUER", "SOPWITH_LOG__LEVEL", "SOPWITH_", "SOPWITH_AUTH__"] {
        let text = refusal("", &[(name, "x")]);
        assert!(text.contains(&format!("environment variable {name}:")), "{text}");
    }
}

#[test]
fn variables_of_other_uses_are_left_alone() {
    let others = [("SOPWITH_CONFIG", "x"), ("SOPWITH_TEST_POSTGRES_URL", "x"), ("SOPWITHOUT", "x"), ("HOME", "/")];
    assert!(read("", &others).is_ok());
    assert_eq!(read("", &[("SOPWITH_LOG", "debug")]).unwrap().log.filter, "debug");
}

#[test]
fn a_wrong_type_names_the_key_and_its_origin() {
    let file = refusal("max_depth = 'deep'", &[]);
    assert!(file.contains("`max_depth` must be a whole number") && file.contains("sopwith.toml"), "{file}");
    let variable = refusal("max_depth = 5", &[("SOPWITH_MAX_DEPTH", "deep")]);
    assert!(variable.contains("SOPWITH_MAX_DEPTH: `max_depth` must be a whole number"), "{variable}");
    let variant = refusal("", &[("SOPWITH_LOG__FORMAT", "xml")]);
    assert!(variant.contains("`log.format` must be one of json, text"), "{variant}");
    let address = refusal("listen = 'localhost'", &[]);
    assert!(address.contains("`listen`"), "{address}");
}

#[test]
fn the_environment_wins_over_the_file_key_by_key() {
    let text =
        "max_depth = 7\nmax_complexity = 9\n[log]\nformat = 'text'\nfilter = 'warn'\n[auth]\nalgorithms = ['ES256']";
    let variables = [
        ("SOPWITH_MAX_DEPTH", "8"),
        ("SOPWITH_INTROSPECTION", "false"),
        ("SOPWITH_LOG__FILTER", "debug"),
        ("SOPWITH_AUTH__ALGORITHMS", "[RS256, EdDSA]"),
    ];
    let config = read(text, &variables).unwrap();
    assert_eq!((config.max_depth, config.max_complexity, config.introspection), (8, 9, false));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Text, "debug"));
    let auth = serde_json::to_value(&config.auth).unwrap();
    assert_eq!(auth["algorithms"], serde_json::json!(["RS256", "EdDSA"]));
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    let secret = "00123456789012345678901234567890";
    let variables = [
        ("SOPWITH_AUTH__HS256_SECRET", secret),
        ("SOPWITH_AUTH__AUDIENCE", "42"),
        ("SOPWITH_METRICS_TOKEN", "1e9"),
        ("SOPWITH_AUTH__ISSUER", "[true]"),
        ("SOPWITH_AUTH__JWKS_FILE", "7"),
    ];
    let config = read("", &variables).unwrap();
    let shown = serde_json::to_value(&config).unwrap();
    assert_eq!(shown["metrics_token"], "1e9");
    for (key, text) in [("hs256_secret", secret), ("audience", "42"), ("issuer", "[true]"), ("jwks_file", "7")] {
        assert_eq!(shown["auth"][key], text, "{key}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (name, value) in [
        ("DATABASE_MAX_CONNECTIONS", "0"),
        ("DATABASE_MAX_CONNECTIONS", "-1"),
        ("DATABASE_MAX_CONNECTIONS", "4294967296"),
        ("DATABASE_URL", "mysql://h/d"),
        ("MAX_BODY_BYTES", "10"),
        ("REQUEST_TIMEOUT_SECONDS", "0"),
        ("SHUTDOWN_TIMEOUT_SECONDS", "86401"),
        ("SCHEDULER_INTERVAL_SECONDS", "0"),
        ("METRICS_TOKEN", ""),
        ("AUTH__JWKS_REFRESH_INTERVAL_SECONDS", "0"),
        ("AUTH__JWKS_REFRESH_INTERVAL_SECONDS", "86401"),
        ("AUTH__JWKS_COOLDOWN_SECONDS", "0"),
        ("AUTH__JWKS_TIMEOUT_SECONDS", "0"),
        ("AUTH__JWKS_TIMEOUT_SECONDS", "61"),
        ("AUTH__JWKS_MAX_BYTES", "1023"),
        ("AUTH__JWKS_MAX_BYTES", "16777217"),
        ("REMINDERS__REMIND_AFTER_SECONDS", "31622401"),
        ("REMINDERS__REPEAT_AFTER_SECONDS", "-1"),
        ("MAIL__MAX_ATTEMPTS", "0"),
        ("MAIL__RETRY_AFTER_SECONDS", "0"),
        ("MAIL__PORT", "0"),
        ("MAIL__PORT", "65536"),
        ("MAIL__HOST", " "),
        ("AUDIT__HEADS_INTERVAL_SECONDS", "0"),
        ("AUDIT__HEADS_INTERVAL_SECONDS", "86401"),
        ("INGEST__MAX_BATCHES", "0"),
        ("INGEST__MAX_BATCHES", "1001"),
        ("INGEST__MAX_WAIT_MILLISECONDS", "0"),
        ("INGEST__MAX_WAIT_MILLISECONDS", "60001"),
    ] {
        let text = refusal("", &[(&format!("SOPWITH_{name}"), value)]);
        assert!(text.contains(&name.to_lowercase().replace("__", ".")), "{name}={value}: {text}");
    }
}

#[test]
fn a_key_for_heads_and_a_file_for_them_go_together() {
    let (key, file) = (("SOPWITH_AUDIT__SIGNING_KEY_FILE", "7"), ("SOPWITH_AUDIT__HEADS_FILE", "8"));
    let config = read("", &[key, file]).unwrap().audit;
    assert_eq!((config.signing_key_file, config.heads_file), (Some("7".into()), Some("8".into())));
    for (alone, missing) in [(key, "`audit.heads_file`"), (file, "`audit.signing_key_file`")] {
        let said = refusal("", &[alone]);
        assert!(said.contains(&format!("setting {missing} must be set")), "{said}");
    }
}

#[test]
fn a_named_file_must_exist_and_be_toml() {
    let missing = Config::read(Some(Path::new("absent.toml")), Path::new("absent.toml"), []);
    assert!(matches!(missing, Err(ConfigError::Unreadable { .. })), "{missing:?}");
    let broken = refusal("max_depth = 5\nmetrics_token = \"hunter2hunter2\nmax_depth = 6", &[]);
    assert!(broken.contains("line 2") && !broken.contains("hunter2"), "{broken}");
}

#[test]
fn no_message_and_no_debug_output_shows_a_secret() {
    let wrong = refusal("metrics_token = 123456", &[]);
    assert!(wrong.contains("`metrics_token` must be text, not a number") && !wrong.contains("123456"), "{wrong}");
    let secret = "a-secret-of-at-least-thirty-two-bytes";
    let config = read(
        "database_url = 'postgres://app:hunter2@db/sopwith'",
        &[
            ("SOPWITH_METRICS_TOKEN", secret),
            ("SOPWITH_AUTH__HS256_SECRET", secret),
            ("SOPWITH_MAIL__USERNAME", "sopwith"),
            ("SOPWITH_MAIL__PASSWORD", secret),
        ],
    );
    let shown = format!("{:?}", config.unwrap());
    assert!(shown.contains("postgres://app:***@db/sopwith"), "{shown}");
    assert!(!shown.contains(secret) && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn mail_is_off_or_whole() {
    assert!(read("", &[]).unwrap().mail.host.is_none());
    let whole =
        "host = 'mail.example.org'\nfrom = 'Sopwith <sopwith@example.org>'\nbase_url = 'https://sops.example.org'";
    let config = read(&format!("[mail]\n{whole}"), &[]).unwrap();
    assert_eq!((config.mail.port(), config.mail.encryption), (587, crate::smtp::Encryption::Starttls));
    for (name, value, key) in [
        ("ENCRYPTION", "NONE", "mail.encryption"),
        ("ENCRYPTION", "PLAIN", "mail.encryption"),
        ("USERNAME", "sopwith", "mail.password"),
        ("PASSWORD", "hunter2", "mail.password"),
        ("FROM", "sopwith", "mail.from"),
        ("FROM", "a@example.org\nBcc: b@example.org", "mail.from"),
        ("BASE_URL", "javascript:x", "mail.base_url"),
        ("BASE_URL", "https://a b", "mail.base_url"),
    ] {
        let text = refusal(&format!("[mail]\n{whole}"), &[(&format!("SOPWITH_MAIL__{name}"), value)]);
        assert!(text.contains(key) && !text.contains("hunter2"), "{name}={value}: {text}");
    }
    for missing in ["from", "base_url"] {
        let lines: Vec<&str> = whole.lines().filter(|line| !line.starts_with(missing)).collect();
        assert!(
            refusal(&format!("[mail]\n{}", lines.join("\n")), &[]).contains(&format!("mail.{missing}")),
            "{missing}"
        );
    }
    let here = read(&format!("[mail]\n{whole}\nencryption = 'NONE'"), &[("SOPWITH_MAIL__HOST", "127.0.0.1")]).unwrap();
    assert_eq!(here.mail.port(), 25);
}
