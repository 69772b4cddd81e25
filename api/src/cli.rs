//! The command line.

mod audit;
mod error;
pub mod migrate;
mod rollup;
mod serve;
mod token;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::{demo, graphql, import};

pub use error::CliError;

/// The stack of each thread, in bytes. Deep documents and debug builds need more than the usual two megabytes.
const STACK: usize = 8 * 1024 * 1024;

/// Standard operating procedures and the evidence of whether they work, over GraphQL.
#[derive(Debug, Parser)]
#[command(name = "sopwith", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration file; else the one named by `SOPWITH_CONFIG`, else `sopwith.toml` if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API until stopped, applying the migrations first.
    Serve(serve::ServeArgs),
    /// Apply the migrations that the database lacks.
    Migrate,
    /// Print a bearer token, signed with the configured secret.
    Token(token::TokenArgs),
    /// Print the schema in its definition language.
    Schema,
    /// Look after the audit chain.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look after the sums that figures are read from.
    #[command(subcommand)]
    Rollup(rollup::RollupCommand),
    /// Load procedures or executions that exist elsewhere.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Serve with sample procedures and executions, on a database of its own.
    Demo(demo::DemoArgs),
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Load runbooks from Markdown files.
    Runbooks(import::RunbookArgs),
    /// Load executions from an incident log.
    Incidents(import::IncidentArgs),
}

/// Runs what the arguments ask for. The exit code is 0 when all is well, 1 when something failed, 2 when the arguments
/// or the configuration cannot be used.
#[must_use]
pub fn run() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "sopwith: {}", error.line());
            error.exit_code()
        }
    }
}

fn start(cli: Cli) -> Result<(), CliError> {
    if matches!(cli.command, Command::Schema) {
        return print(graphql::sdl().trim_end());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()?;
    runtime.block_on(runtime.spawn(dispatch(cli))).map_err(io::Error::other)?
}

async fn dispatch(Cli { config, command }: Cli) -> Result<(), CliError> {
    let config = load(config.as_deref())?;
    match command {
        Command::Serve(args) => serve::run(args, config).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Token(args) => token::run(args, &config),
        Command::Schema => Ok(()),
        Command::Audit(command) => audit::run(command, &config).await,
        Command::Rollup(command) => rollup::run(command, &config).await,
        Command::Import(ImportCommand::Runbooks(args)) => import::runbooks::run(args, config).await,
        Command::Import(ImportCommand::Incidents(args)) => import::incidents::run(args, config).await,
        Command::Demo(args) => demo::run(args, config).await,
    }
}

fn load(file: Option<&Path>) -> Result<Config, CliError> {
    Ok(Config::load(file)?)
}

/// Prints a line on standard output. A reader who has seen enough and closed it is no error.
///
/// # Errors
/// When it cannot be written, such as to a full disk.
pub fn print(line: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
