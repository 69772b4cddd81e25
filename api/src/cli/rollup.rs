//! `rollup`: the sums that figures are read from, computed anew and compared.

use clap::{Args, Subcommand};
use serde_json::json;

use super::migrate::with_store;
use super::{CliError, print};
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::store::{Store, rollups};

/// What can be done with the roll-ups.
#[derive(Debug, Subcommand)]
pub enum RollupCommand {
    /// Compute all of them anew from the executions, in the configured time zone.
    Rebuild(RollupArgs),
    /// Compare them with the executions. Ends with 1 when they differ.
    Verify(RollupArgs),
}

/// How the result is told.
#[derive(Debug, Args)]
pub struct RollupArgs {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// When there is no database, when it does not answer, or when what is compared differs.
pub async fn run(command: RollupCommand, config: &Config) -> Result<(), CliError> {
    match command {
        RollupCommand::Rebuild(args) => {
            let (executions, deleted) =
                with_store(config, async |store| Ok((rollups::rebuild(store).await?, deleted(store).await?))).await?;
            if args.json {
                return print(&json!({ "executions": executions, "timeZone": config.time_zone }).to_string());
            }
            print(&format!("computed from {executions} executions{deleted}, in the time zone {}", config.time_zone))
        }
        RollupCommand::Verify(args) => {
            let (found, deleted) = with_store(config, async |store| {
                Ok((rollups::verify(store, clock::now()).await?, deleted(store).await?))
            })
            .await?;
            let Some(rollups::Verified { executions, drift, rows }) = found else {
                let why = "the roll-ups were computed anew meanwhile: run it again";
                return Err(CliError::Message(why.to_owned()));
            };
            if args.json {
                print(&json!({ "executions": executions, "drift": drift, "rows": rows }).to_string())?;
            }
            if drift > 0 {
                let why =
                    format!("the roll-ups differ by {drift} executions, in {rows} rows: run 'sopwith rollup rebuild'");
                return Err(CliError::Message(why));
            }
            if args.json { Ok(()) } else { print(&format!("the roll-ups agree with {executions} executions{deleted}")) }
        }
    }
}

/// What else was looked at, in words.
async fn deleted(store: &Store) -> Result<&'static str, Error> {
    let may_be = rollups::kept_from(store.read()).await?.is_some();
    Ok(if may_be { " and what is kept of deleted ones" } else { "" })
}
