//! `serve`.

use clap::Args;
use serde_json::json;

use super::{CliError, migrate, print};
use crate::auth::token::Setup;
use crate::config::Config;
use crate::heads::Heads;
use crate::{metrics, server, telemetry};

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Leave the migrations to `sopwith migrate`. Until they are applied, /readyz says no.
    #[arg(long)]
    no_migrate: bool,
}

/// Serves until stopped. Once it listens, prints one line: `{"listening":"http://ADDRESS:PORT"}`.
///
/// # Errors
/// When it cannot begin, or does not end well.
pub async fn run(args: ServeArgs, config: Config) -> Result<(), CliError> {
    let waits = metrics::pool_waits().map_err(server::Failure::Metrics)?;
    telemetry::init(&config.log, waits.clone())?;
    // The database is left alone by a server that could not tell who asks, or not sign what it is to sign.
    Setup::new(&config.auth).map_err(server::Failure::Auth)?;
    Heads::open(&config.audit).map_err(server::Failure::Heads)?;
    let store = migrate::open(&config).await?;
    if !args.no_migrate {
        migrate::apply(&store).await?;
    }
    let started = |address| {
        // Whoever started it may not read on; that is no reason not to serve.
        let _ = print(&json!({ "listening": format!("http://{address}") }).to_string());
    };
    Ok(server::run(config, store, waits, started).await?)
}
