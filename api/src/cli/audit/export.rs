//! `audit export`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use sopwith_domain::access::Reach;

use super::super::CliError;
use super::super::migrate::with_store;
use crate::config::Config;
use crate::export::{Format, Pages};
use crate::store::{Store, audit};

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// `jsonl` for verifying it elsewhere, `csv` for spreadsheets.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// The first entry.
    #[arg(long, value_name = "SEQ", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    from: i64,
    /// The last entry, if not the last that there is.
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(i64).range(1..))]
    to: Option<i64>,
    /// A new file to write to, rather than standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes entries out as they are stored, whether the chain is sound or not: that is for `audit verify` to say.
///
/// # Errors
/// When the chain cannot be read, or the file not written; then it is not left half-written.
pub async fn run(args: ExportArgs, config: &Config) -> Result<(), CliError> {
    let ExportArgs { format, from, to, output } = args;
    if to.is_some_and(|to| to < from) {
        return Err(CliError::Message("--to names an entry before that of --from".to_owned()));
    }
    with_store(config, async |store| {
        // What is added meanwhile is not waited for.
        let end = audit::end(store.read()).await?;
        let pages = Pages::of(format, Reach::Organisation, from, to.unwrap_or(end).min(end));
        match output {
            Some(file) => to_file(store, pages, &file).await,
            None => to_stdout(store, pages).await,
        }
    })
    .await
}

async fn to_stdout(store: &Store, pages: Pages) -> Result<(), CliError> {
    match write(store, pages, io::stdout()).await {
        // Who has seen enough closes it.
        Err(CliError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

async fn to_file(store: &Store, pages: Pages, path: &Path) -> Result<(), CliError> {
    let failed = |error: io::Error| CliError::Message(format!("{}: {error}", path.display()));
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let written = match write(store, pages, &new).await {
        Ok(()) => new.sync_all().map_err(failed),
        Err(CliError::Io(error)) => Err(failed(error)),
        other => other,
    };
    if written.is_err() {
        std::fs::remove_file(path)?;
    }
    written
}

async fn write(store: &Store, mut pages: Pages, mut out: impl Write) -> Result<(), CliError> {
    while let Some(part) = pages.next(store.read()).await? {
        out.write_all(&part)?;
    }
    Ok(out.flush()?)
}
