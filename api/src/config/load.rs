//! Reads a [`Config`] layer by layer. Each layer is checked on its own first, so that a fault names its origin.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use figment::error::{Actual, Kind};
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::{Config, RemindersConfig};

/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "sopwith.toml";
/// Names the file to read.
const FILE_VARIABLE: &str = "SOPWITH_CONFIG";
const PREFIX: &str = "SOPWITH_";
/// Short for `SOPWITH_LOG__FILTER`.
const LOG_VARIABLE: &str = "SOPWITH_LOG";
/// Variables with this prefix belong to the test suite.
const TEST_PREFIX: &str = "SOPWITH_TEST_";

/// Longest time that can be set, in seconds: beyond a day it is a slip of the hand, and sums of instants may overflow.
const A_DAY: u64 = 86_400;
/// Longest time until somebody is reminded, in seconds.
const A_YEAR: u64 = 366 * A_DAY;

/// Why a configuration cannot be used. The text names the setting and where it was set, never its value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be read.
    #[error("configuration file {}: {error}", .file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    /// The configuration file is not TOML.
    #[error("configuration file {}, line {line}: {problem}", .file.display())]
    Syntax { file: PathBuf, line: usize, problem: String },
    /// A key in the file is unknown or has a value of the wrong type.
    #[error("configuration file {}: {problem}", .file.display())]
    File { file: PathBuf, problem: String },
    /// A variable is unknown or has a value of the wrong type.
    #[error("environment variable {name}: {problem}")]
    Variable { name: String, problem: String },
    /// The layers are sound one by one but not together.
    #[error("configuration, file and environment together: {0}")]
    Combined(String),
    /// A value is of the right type but out of range.
    #[error("setting `{key}` must be {expected}")]
    Range { key: &'static str, expected: &'static str },
}

impl Config {
    /// Reads the file, then the environment, which wins.
    ///
    /// Without a `file` the variable `SOPWITH_CONFIG` names it; without that, `sopwith.toml` in the working folder is
    /// read if it exists.
    ///
    /// # Errors
    /// When a named file is missing, a file is not TOML, or a setting is unknown, of the wrong type or out of range.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let named = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self::read(file.or(named.as_deref()), Path::new(DEFAULT_FILE), std::env::vars_os())
    }

    /// As [`Config::load`], with the default file and the environment as arguments.
    pub(super) fn read(
        named: Option<&Path>,
        default: &Path,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Figment::new();
        if let Some(file) = named.or_else(|| default.exists().then_some(default)) {
            layers = layers.merge(from_file(file)?);
        }
        // In order of name, so that the same environment always gives the same first error.
        let mut variables: Vec<_> = variables.into_iter().filter_map(setting).collect();
        variables.sort();
        for (name, value) in variables {
            layers = layers.merge(from_variable(name, value)?);
        }
        let config = extract(layers).map_err(|error| ConfigError::Combined(problem(&error)))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that would only fail, or do harm, once the service runs.
    fn check(&self) -> Result<(), ConfigError> {
        let auth = &self.auth;
        let RemindersConfig { remind_after_seconds, repeat_after_seconds, escalate_after_seconds } = self.reminders;
        let year = "from 0 to 31622400";
        let audit = &self.audit;
        let (signs, keeps) = (audit.signing_key_file.is_some(), audit.heads_file.is_some());
        let rules = [
            ("database_url", is_database(&self.database_url), "a URL that begins with sqlite: or postgres:"),
            ("database_max_connections", self.database_max_connections >= 1, "at least 1"),
            ("max_body_bytes", self.max_body_bytes >= 1024, "at least 1024"),
            ("request_timeout_seconds", (1..=A_DAY).contains(&self.request_timeout_seconds), "from 1 to 86400"),
            ("shutdown_timeout_seconds", self.shutdown_timeout_seconds <= A_DAY, "from 0 to 86400"),
            ("max_depth", self.max_depth >= 1, "at least 1"),
            ("max_complexity", self.max_complexity >= 1, "at least 1"),
            ("scheduler_interval_seconds", (1..=A_DAY).contains(&self.scheduler_interval_seconds), "from 1 to 86400"),
            (
                "auth.jwks_refresh_interval_seconds",
                (1..=A_DAY).contains(&auth.jwks_refresh_interval_seconds),
                "from 1 to 86400",
            ),
            ("auth.jwks_cooldown_seconds", (1..=A_DAY).contains(&auth.jwks_cooldown_seconds), "from 1 to 86400"),
            ("auth.jwks_timeout_seconds", (1..=60).contains(&auth.jwks_timeout_seconds), "from 1 to 60"),
            ("auth.jwks_max_bytes", (1024..=16 << 20).contains(&auth.jwks_max_bytes), "from 1024 to 16777216"),
            ("reminders.remind_after_seconds", remind_after_seconds <= A_YEAR, year),
            ("reminders.repeat_after_seconds", repeat_after_seconds <= A_YEAR, year),
            ("reminders.escalate_after_seconds", escalate_after_seconds <= A_YEAR, year),
            ("audit.heads_interval_seconds", (1..=A_DAY).contains(&audit.heads_interval_seconds), "from 1 to 86400"),
            ("ingest.max_batches", (1..=1000).contains(&self.ingest.max_batches), "from 1 to 1000"),
            (
                "ingest.max_wait_milliseconds",
                (1..=60_000).contains(&self.ingest.max_wait_milliseconds),
                "from 1 to 60000",
            ),
            ("ingest.group_milliseconds", self.ingest.group_milliseconds <= 1000, "from 0 to 1000"),
            (
                "retention.executions_months",
                // What compares versions looks three months back.
                self.retention.executions_months.is_none_or(|months| (3..=1200).contains(&months)),
                "from 3 to 1200, or absent to keep all",
            ),
            (
                "dashboard.session_max_seconds",
                (60..=7 * A_DAY).contains(&self.dashboard.session_max_seconds),
                "from 60 to 604800",
            ),
            (
                "dashboard.public_origin",
                self.dashboard.public_origin.as_deref().is_none_or(is_origin),
                "an origin and no more, such as https://sops.example.org",
            ),
            // One alone is a witness that somebody wanted and does not have.
            ("audit.signing_key_file", signs || !keeps, "set as well as `audit.heads_file`"),
            ("audit.heads_file", keeps || !signs, "set as well as `audit.signing_key_file`"),
            // An empty token would be matched by an empty header.
            ("metrics_token", self.metrics_token.as_deref() != Some(""), "absent or not empty"),
        ];
        match rules.into_iter().chain(self.mail.rules()).find(|(_, holds, _)| !holds) {
            Some((key, _, expected)) => Err(ConfigError::Range { key, expected }),
            None => Ok(()),
        }
    }
}

fn is_database(url: &str) -> bool {
    ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme))
}

/// Whether a text is an origin as browsers write it: scheme, host, and a port that is not the usual one.
fn is_origin(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    matches!(url.scheme(), "https" | "http") && url.origin().ascii_serialization() == text
}

/// A variable that is a setting, if it is one.
fn setting((name, value): (OsString, OsString)) -> Option<(String, OsString)> {
    let name = name.into_string().ok()?;
    let ours = name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX) && name != FILE_VARIABLE;
    ours.then_some((name, value))
}

/// The layer of a file, checked.
fn from_file(file: &Path) -> Result<impl Provider, ConfigError> {
    let text =
        std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
    // Parsed here rather than by figment, whose message quotes the line, which may hold a secret.
    let layer: Dict = Toml::from_str(&text).map_err(|error| ConfigError::Syntax {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1),
        problem: error.message().to_owned(),
    })?;
    let layer = Serialized::defaults(layer);
    extract(&layer).map_err(|error| ConfigError::File { file: file.to_owned(), problem: problem(&error) })?;
    Ok(layer)
}

/// The layer of one variable, checked.
///
/// The environment has no types. A value is taken as text where the setting is one (a secret of digits stays text),
/// and read as a number, truth value or `[list]` only where text does not fit.
fn from_variable(name: String, value: OsString) -> Result<impl Provider, ConfigError> {
    let Ok(text) = value.into_string() else {
        return Err(ConfigError::Variable { name, problem: "not UTF-8".to_owned() });
    };
    let key = match name.as_str() {
        LOG_VARIABLE => "log.filter".to_owned(),
        _ => name[PREFIX.len()..].to_ascii_lowercase().replace("__", "."),
    };
    if key.split('.').any(str::is_empty) {
        return Err(ConfigError::Variable { name, problem: "unknown setting".to_owned() });
    }
    let Ok(value) = text.trim().parse::<Value>();
    let as_text = Serialized::default(&key, Value::from(text));
    if extract(&as_text).is_ok() {
        return Ok(as_text);
    }
    let as_value = Serialized::default(&key, value);
    extract(&as_value).map_err(|error| ConfigError::Variable { name, problem: problem(&error) })?;
    Ok(as_value)
}

/// What one layer alone, over the defaults, would give. Boxed, for figment's error is large.
fn extract(layer: impl Provider) -> Result<Config, Box<figment::Error>> {
    Figment::from(layer).extract().map_err(Box::new)
}

/// A fault in words, without the value, which may be a secret.
fn problem(error: &figment::Error) -> String {
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(_, known) => format!("unknown setting `{key}` (known: {})", known.join(", ")),
        Kind::UnknownVariant(_, known) => format!("`{key}` must be one of {}", known.join(", ")),
        Kind::InvalidType(found, expected) => {
            format!("`{key}` must be {}, not {}", in_words(expected), type_name(found))
        }
        Kind::InvalidValue(_, expected) => format!("`{key}` must be {}; the value is out of range", in_words(expected)),
        Kind::Message(text) => format!("`{key}`: {text}"),
        _ => format!("`{key}` cannot be used"),
    }
}

/// What a setting takes, in an operator's words rather than Rust's.
fn in_words(expected: &str) -> &str {
    match expected {
        "u16" | "u32" | "u64" | "usize" => "a whole number from 0 upwards",
        "a boolean" => "true or false",
        "a string" | "path string" => "text",
        "a sequence" => "a list",
        other => other,
    }
}

/// The type of a value, in the same words.
fn type_name(found: &Actual) -> &'static str {
    match found {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) => "a number",
        Actual::Float(_) => "a fraction",
        Actual::Str(_) | Actual::Char(_) => "text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "what was given",
    }
}
