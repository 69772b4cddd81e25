//! `audit`: the chain verified, exported, and keys for its heads.

mod export;
mod keygen;
mod verify;

use clap::Subcommand;

use super::CliError;
use crate::config::Config;

/// What can be done with the audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no entry of the audit chain was changed or removed, and that it is the one whose heads were signed.
    Verify(verify::VerifyArgs),
    /// Write the audit chain out, so that others can verify it.
    Export(export::ExportArgs),
    /// Make a key for signing heads of the audit chain.
    Keygen(keygen::KeygenArgs),
}

/// Runs it.
///
/// # Errors
/// Those of each.
pub async fn run(command: AuditCommand, config: &Config) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify(args) => verify::run(args, config).await,
        AuditCommand::Export(args) => export::run(args, config).await,
        AuditCommand::Keygen(args) => keygen::run(&args),
    }
}
