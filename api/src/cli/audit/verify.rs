//! `audit verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sopwith_domain::audit::{Broken, Comparison, Differs};

use super::super::{CliError, migrate::with_store, print};
use crate::config::Config;
use crate::heads::{Fault, Faulty, PublicKeys, Witnessed};
use crate::store::audit;

/// The most problems that are told in words; JSON tells all.
const MOST: usize = 10;

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// A file of signed heads, of one replica; may be given several times.
    #[arg(long, value_name = "FILE", requires = "public_key")]
    heads: Vec<PathBuf>,
    /// A public key (PEM) that heads may be signed with; may be given several times.
    #[arg(long, value_name = "FILE", requires = "heads")]
    public_key: Vec<PathBuf>,
}

/// Something wrong with the chain, or with a head.
#[derive(Debug)]
enum Problem {
    Broken(Broken),
    Differs(Differs),
    Faulty(Faulty),
    /// Files of heads have none.
    NoHeads,
}

/// Walks the whole audit chain, compares it with signed heads if there are any, and prints how long it is.
///
/// # Errors
/// When anything does not fit, naming the entry; when something cannot be read; or when there is no database or no
/// chain in it.
pub async fn run(args: VerifyArgs, config: &Config) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Message(error.to_string());
    // Before the chain: it only grows, so it is never shorter than heads that were there before.
    let keys = PublicKeys::read(&args.public_key).map_err(|error| failed(&error))?;
    let Witnessed { heads, faulty } = Witnessed::read(&args.heads, &keys)
        .map_err(|(file, error)| CliError::Message(format!("{}: {error}", file.display())))?;
    let signed = args.heads.first().map(|_| (heads.len(), heads.iter().map(|(seq, _)| *seq).max().unwrap_or(0)));
    let mut comparison = Comparison::with(heads);
    let found =
        with_store(
            config,
            async |store| Ok(audit::verify(store.read(), |seq, hash| comparison.step(seq, hash)).await?),
        )
        .await?;
    let mut problems = Vec::new();
    let differs = match &found {
        Ok(end) | Err(Broken::Head { found: end, .. }) => comparison.finish(*end),
        Err(_) => comparison.so_far(),
    };
    problems.extend(found.as_ref().err().cloned().map(Problem::Broken));
    problems.extend(differs.into_iter().map(Problem::Differs));
    problems.extend(faulty.into_iter().map(Problem::Faulty));
    if signed.is_some_and(|(heads, _)| heads == 0) && problems.is_empty() {
        problems.push(Problem::NoHeads);
    }
    tell(args.json, found.unwrap_or_default(), signed, &problems)
}

/// Prints what was found. `signed` is how many heads count, and the last entry of one.
fn tell(as_json: bool, entries: i64, signed: Option<(usize, i64)>, problems: &[Problem]) -> Result<(), CliError> {
    let Some(first) = problems.first() else {
        return print(&if as_json { json(entries, signed).to_string() } else { words(entries, signed) });
    };
    if as_json {
        let all: Vec<Value> = problems.iter().map(Problem::json).collect();
        let shown = json!({ "ok": false, "entry": first.entry(), "problem": first.to_string(), "problems": all });
        print(&shown.to_string())?;
    }
    let about = match first {
        Problem::Broken(_) | Problem::Differs(_) => "the audit chain is broken",
        Problem::Faulty(_) | Problem::NoHeads => "the heads of the audit chain cannot be believed",
    };
    let mut told: Vec<String> = problems.iter().take(MOST).map(ToString::to_string).collect();
    if problems.len() > MOST {
        told.push(format!("and {} more", problems.len() - MOST));
    }
    Err(CliError::Message(format!("{about}: {}", told.join("; "))))
}

fn json(entries: i64, signed: Option<(usize, i64)>) -> Value {
    match signed {
        None => json!({ "ok": true, "entries": entries }),
        Some((heads, last)) => json!({ "ok": true, "entries": entries, "heads": heads, "signedUpTo": last }),
    }
}

fn words(entries: i64, signed: Option<(usize, i64)>) -> String {
    let number = |n: i64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let sound = format!("the audit chain is sound: {}", number(entries, "entry", "entries"));
    match signed {
        None => sound,
        Some((heads, last)) => {
            let heads = number(i64::try_from(heads).unwrap_or(i64::MAX), "head", "heads");
            format!("{sound}, signed up to entry {last} by {heads}")
        }
    }
}

impl Problem {
    /// The entry that it is about; where the chain breaks, the first one that is not as it should be.
    fn entry(&self) -> Option<i64> {
        match self {
            Self::Broken(Broken::Gap { expected, .. }) => Some(*expected),
            Self::Broken(Broken::Changed(seq)) => Some(*seq),
            // The first one that is missing, or is not in the head.
            Self::Broken(Broken::Head { found, .. }) | Self::Differs(Differs::Truncated { found, .. }) => {
                Some(found + 1)
            }
            Self::Differs(Differs::Rewritten { entry, .. }) => Some(*entry),
            Self::Faulty(Faulty { fault, .. }) => match fault {
                Fault::Malformed => None,
                Fault::UnknownKey(seq) | Fault::Forged(seq) | Fault::Backwards { now: seq, .. } => Some(*seq),
            },
            Self::NoHeads => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Broken(_) => "BROKEN",
            Self::Differs(Differs::Rewritten { .. }) => "REWRITTEN",
            Self::Differs(Differs::Truncated { .. }) => "TRUNCATED",
            Self::Faulty(Faulty { fault, .. }) => match fault {
                Fault::Malformed => "MALFORMED_HEAD",
                Fault::UnknownKey(_) => "UNKNOWN_KEY",
                Fault::Forged(_) => "FORGED_HEAD",
                Fault::Backwards { .. } => "HEADS_BACKWARDS",
            },
            Self::NoHeads => "NO_HEADS",
        }
    }

    fn json(&self) -> Value {
        json!({ "kind": self.kind(), "entry": self.entry(), "problem": self.to_string() })
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(broken) => broken.fmt(f),
            Self::Differs(differs) => differs.fmt(f),
            Self::Faulty(faulty) => faulty.fmt(f),
            Self::NoHeads => f.write_str("there is no signed head in the files that were given"),
        }
    }
}
