//! Reads folders of Markdown runbooks as procedures.
//!
//! A file is read in this order: its blocks with their places (`reader`, `document`), its headings (`outline`), which
//! of them call for action (`wording`), the steps under those (`steps`), and all of it as content (`parse`, `builder`).
//! Nothing is dropped: what becomes no field stays in a section, to the letter; a file that is no procedure is named
//! with the reason. Two things are rewritten: a reference link gets its address in place of its label, so that each
//! text can be read alone, and a numbered entry loses its number, which its place among the steps says.

mod builder;
mod document;
mod keys;
mod outline;
mod owners;
mod parse;
mod reader;
mod steps;
mod tools;
mod tree;
mod wording;

#[cfg(test)]
mod corpora_test;
#[cfg(test)]
mod parse_test;
#[cfg(test)]
mod tree_test;

use std::io;
use std::path::PathBuf;

use sopwith_domain::content::Content;

pub use tree::read;

/// All that a folder holds.
#[derive(Debug, Default)]
pub struct Tree {
    /// The procedures, in the order of their paths.
    pub documents: Vec<Found>,
    /// What was not taken, or only in part, in the order of the paths.
    pub skipped: Vec<Skipped>,
    /// The people of each folder with an `OWNERS` file, one entry per team.
    pub owners: Vec<Owners>,
}

/// A file that is a procedure.
#[derive(Debug)]
pub struct Found {
    /// The file, relative to the folder that was read, with `/`.
    pub path: String,
    /// Names the procedure; made from the path, and unique in the folder that was read.
    pub process_key: String,
    /// Names the team it belongs to: the nearest folder with an `OWNERS` file, else its own.
    pub team_key: String,
    /// The name of that folder.
    pub team_name: String,
    /// What it says; complete, so that it can be submitted.
    pub content: Content,
    /// What its reader should know about how it was read.
    pub notes: Vec<String>,
}

/// A file or a folder that was not taken, or only in part.
#[derive(Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file, relative to the folder that was read.
    pub path: String,
    /// Why, for a person.
    pub reason: String,
}

/// The people of a team.
#[derive(Debug, PartialEq, Eq)]
pub struct Owners {
    /// The team, as in [`Found::team_key`].
    pub team_key: String,
    /// Those who review, each once.
    pub reviewers: Vec<String>,
    /// Those who approve, each once.
    pub approvers: Vec<String>,
}

/// The folder cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum RunbookError {
    /// It does not exist, is no folder, or may not be read.
    #[error("dir: {}: {source}", dir.display())]
    Folder {
        /// The folder as it was given.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
