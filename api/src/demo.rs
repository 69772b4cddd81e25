//! `demo`: a service that one can try at once, on an embedded database of its own, with tokens for every role.
//!
//! Everyone in it is invented and named so. What was loaded is real only where it was asked for with `--runbooks` and
//! `--incidents`.

mod cast;
mod greeting;
mod life;
mod load;
mod place;
mod samples;
mod simulate;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use self::cast::Cast;
use self::greeting::Greeting;
use self::place::Place;
use crate::auth::token::AuthConfig;
use crate::cli::{CliError, migrate};
use crate::config::{AuditConfig, Config};
use crate::smtp::MailConfig;
use crate::{metrics, server, telemetry};

/// Starts a service to try out.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Port to serve on, at 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Print the URL and the tokens by role as one line of JSON, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Import this folder of Markdown runbooks, and publish them, in place of the samples.
    #[arg(long, value_name = "DIR")]
    runbooks: Option<PathBuf>,
    /// Import this incident log as executions in place of the simulated ones.
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// Keep the data in this file; one that a demo left is served as it is. Without it, they are gone at the end.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

/// Runs the demo until it is told to stop.
///
/// # Errors
/// When the data cannot be loaded, the database is no demo's, or the port is taken.
pub async fn run(args: DemoArgs, config: Config) -> Result<(), CliError> {
    let place = Place::choose(args.database.as_deref())?;
    let config = configure(&args, config, &place)?;
    let cast = Cast::of(&config.auth)?;
    if place.is_new() {
        tokio::select! {
            loaded = load::load(&place, config.time_zone, &args, &cast) => loaded?,
            // Whoever stops it while it loads finds nothing left behind, as later.
            stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
        }
    } else if args.runbooks.is_some() || args.incidents.is_some() {
        eprintln!("{} is there already: nothing is loaded into it", place.file().display());
    }
    let store = migrate::open(&config).await?;
    if !cast.is_known_in(&store).await {
        let file = place.file().display();
        return Err(CliError::Message(format!("{file} is not the database of a demo: it is left as it is")));
    }
    migrate::apply(&store).await?;
    let greeting = Greeting::compose(&store, &cast, &place).await?;
    let waits = metrics::pool_waits().map_err(server::Failure::Metrics)?;
    telemetry::init(&config.log, waits.clone())?;
    server::run(config, store, waits, move |address| greeting.print(address, args.json)).await?;
    Ok(())
}

/// The configuration of the demo: what is set holds, but for where it serves, its database and who signs its tokens.
fn configure(args: &DemoArgs, config: Config, place: &Place) -> Result<Config, CliError> {
    Ok(Config {
        database_url: place::url(place.file())?,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        // Its people are invented, and so are their addresses.
        mail: MailConfig::default(),
        // It listens to this machine only, and there is nothing in it to hide.
        metrics_domain_open: true,
        auth: AuthConfig {
            issuer: cast::ISSUER.to_owned(),
            audience: "sopwith".to_owned(),
            hs256_secret: Some(secret()),
            ..AuthConfig::default()
        },
        // Heads of one chain among those of another would look like a chain that was rewritten.
        audit: AuditConfig::default(),
        ..config
    })
}

/// A new secret for each start: tokens of an earlier one are worth nothing.
#[expect(clippy::disallowed_methods, reason = "a secret is to be guessed by nobody, not to be had twice")]
fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
