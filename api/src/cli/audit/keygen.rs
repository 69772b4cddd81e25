//! `audit keygen`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::{CliError, print};
use crate::heads::SigningKey;

/// Arguments of `audit keygen`.
#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The new file for the private key, to be named by the setting `audit.signing_key_file`.
    #[arg(long, value_name = "FILE")]
    private: PathBuf,
    /// The new file for the public key, to be given to those who verify.
    #[arg(long, value_name = "FILE")]
    public: PathBuf,
}

/// Makes a key, writes its halves and prints its id. Files that are there are never written over.
///
/// # Errors
/// When a file cannot be written; then none is left.
pub fn run(args: &KeygenArgs) -> Result<(), CliError> {
    let key = SigningKey::generate().map_err(told)?;
    let (private, public) = key.to_pem().map_err(told)?;
    write(&args.private, &private, 0o600)?;
    if let Err(error) = write(&args.public, &public, 0o644) {
        std::fs::remove_file(&args.private)?;
        return Err(error);
    }
    print(&format!("key {}", key.id()))
}

fn told(error: impl std::fmt::Display) -> CliError {
    CliError::Message(error.to_string())
}

/// Writes a file that was not there, to the disk.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Message(format!("{}: {error}", file.display()));
    let mut new: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failed)?;
    let written = new.write_all(text.as_bytes()).and_then(|()| new.sync_all());
    if written.is_err() {
        std::fs::remove_file(file)?;
    }
    written.map_err(failed)
}
