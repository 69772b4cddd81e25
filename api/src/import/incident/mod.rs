//! An incident log as executions: every incident is one run of the process that its category names.
//!
//! The log is ServiceNow's audit trail: one row per change of an incident, with all its fields as they were then. It
//! is read whole before anything is made of it, since rows may come in any order. A row that cannot be read is named
//! and left out; only a file that cannot be read at all is an error.

mod keys;
mod log;
mod report;
mod row;
mod source;
mod steps;
mod traps;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use sopwith_domain::execution::Report;

use self::log::Log;

/// What a log says, ready to be recorded.
#[derive(Debug)]
pub struct Incidents {
    /// One per incident, by number.
    pub reports: Vec<Report>,
    /// Key and name of each process that a report names, by key.
    pub processes: Vec<(String, String)>,
    /// Key and name of each team that a report names, by key.
    pub teams: Vec<(String, String)>,
    /// What was not taken, in the order it was found.
    pub rejected: Vec<RejectedRow>,
    /// How many rows the file has without its header, the rejected ones included.
    pub rows: usize,
    /// How often each peculiarity of the log was met, and what was made of it; one sentence each, for a person.
    pub notes: Vec<String>,
}

/// A row that was not taken; or the last row of an incident that was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Where it begins in the file, from 1; the header is line 1.
    pub line: u64,
    /// Which incident it is of, if that can be read.
    pub number: Option<String>,
    /// What is wrong; names the column where it is one column's fault.
    pub reason: String,
}

/// Why nothing could be taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    /// The name does not tell how to read it.
    #[error("{}: the name of an incident log ends in .csv or .csv.zst", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened.
    #[error("{}: cannot be opened: {source}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It breaks off, or is not compressed as its name says.
    #[error("{}, line {line}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Line of the unpacked file at which reading stopped, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// It is not an incident log, or not a whole one.
    #[error("{}, line 1: these columns are missing: {}", .path.display(), .missing.join(", "))]
    Columns {
        /// The file.
        path: PathBuf,
        /// The columns that are needed and not there.
        missing: Vec<&'static str>,
    },
}

/// Reads an incident log, `.csv` or `.csv.zst`; the latter is unpacked as it is read.
///
/// # Errors
/// The file cannot be read to its end, or lacks a column. Rows that make no sense are no error: they are listed.
pub fn read(path: &Path) -> Result<Incidents, IncidentError> {
    let mut source = source::open(path)?;
    let mut log = Log::default();
    while let Some(row) = source.row()? {
        log.add(row);
    }
    Ok(log.finish())
}
