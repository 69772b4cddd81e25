//! `token`.

use std::time::Duration;

use clap::Args;

use super::{CliError, print};
use crate::auth::token::{MintRequest, mint_hs256};
use crate::config::Config;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Who it is for: the claim `sub`.
    #[arg(long)]
    subject: String,
    /// The display name.
    #[arg(long)]
    name: Option<String>,
    /// The e-mail address, taken as verified.
    #[arg(long)]
    email: Option<String>,
    /// A role, organisation-wide or for one team. May be given several times.
    #[arg(long = "role", value_name = "ROLE[@TEAM]")]
    roles: Vec<String>,
    /// The source of executions that an integration reports for.
    #[arg(long)]
    source: Option<String>,
    /// How long it is valid: a number of seconds (s), minutes (m), hours (h) or days (d).
    #[arg(long, default_value = "1h", value_parser = duration)]
    valid_for: Duration,
}

/// Prints a token.
///
/// # Errors
/// When the configuration has no secret, or a claim cannot be what is asked for.
pub fn run(args: TokenArgs, config: &Config) -> Result<(), CliError> {
    let TokenArgs { subject, name, email, roles, source, valid_for } = args;
    print(&mint_hs256(&config.auth, &MintRequest { subject, name, email, roles, source, valid_for })?)
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with a unit is needed, such as 30m, 1h or 7d".to_owned();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).filter(|seconds| *seconds <= 3650 * 86_400);
    seconds.map(Duration::from_secs).ok_or_else(|| "at most ten years".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        for wrong in ["", "1", "h", "-1h", "1.5h", "1 h", "1y", "4000d", "99999999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
