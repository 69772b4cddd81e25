//! What an import of runbooks did, for a person or for a script.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::super::runbook::Tree;

/// What an import of runbooks did.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunbookReport {
    /// How many files are procedures.
    pub found: usize,
    /// How many of them became a new SOP.
    pub created: usize,
    /// How many had changed, so that there is a draft of what they say now.
    pub updated: usize,
    /// How many had not changed since they were imported last.
    pub unchanged: usize,
    /// How many drafts were approved and are in force now.
    pub published: usize,
    /// How many teams were made.
    pub teams_created: usize,
    /// How many roles were granted.
    pub grants_created: usize,
    /// What was to be published and was not.
    pub left_as_draft: Vec<Remark>,
    /// What had changed, but must not be touched by an import.
    pub left_alone: Vec<Remark>,
    /// What was not stored, or only in part.
    pub failed: Vec<Remark>,
    /// Files that are no procedures, or are used only in part.
    pub skipped: Vec<Remark>,
    /// What to know about how a file was read.
    pub notes: Vec<Remark>,
}

/// Something to say about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The file, relative to the folder that was imported.
    pub path: String,
    /// What there is to say.
    pub reason: String,
}

impl Remark {
    /// A remark.
    pub fn new(path: &str, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}

impl RunbookReport {
    /// What the reader says.
    #[must_use]
    pub fn of(tree: &Tree) -> Self {
        let notes = tree.documents.iter().flat_map(|d| d.notes.iter().map(|note| Remark::new(&d.path, note)));
        Self {
            found: tree.documents.len(),
            skipped: tree.skipped.iter().map(|s| Remark::new(&s.path, &s.reason)).collect(),
            notes: notes.collect(),
            ..Self::default()
        }
    }
}

impl fmt::Display for RunbookReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, created, updated, unchanged, published, .. } = self;
        writeln!(f, "{found} runbooks: {created} created, {updated} updated, {unchanged} unchanged")?;
        writeln!(f, "{published} published; {} teams and {} grants made", self.teams_created, self.grants_created)?;
        list(f, "left as draft", &self.left_as_draft, ALL)?;
        list(f, "left alone", &self.left_alone, ALL)?;
        list(f, "failed", &self.failed, ALL)?;
        list(f, "files not taken, or only in part", &self.skipped, ALL)?;
        list(f, "notes on how files were read", &self.notes, FEW)
    }
}

/// How many reasons are shown, and how many files for each.
type Limits = (usize, usize);
/// What was not done is said of every file.
const ALL: Limits = (usize::MAX, usize::MAX);
/// Of what was done, some is enough.
const FEW: Limits = (6, 3);

/// Remarks by reason, the most frequent first, each with the files that it is about.
fn list(f: &mut fmt::Formatter<'_>, title: &str, remarks: &[Remark], (reasons, files): Limits) -> fmt::Result {
    if remarks.is_empty() {
        return Ok(());
    }
    writeln!(f, "{} {title}:", remarks.len())?;
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for remark in remarks {
        by_reason.entry(&remark.reason).or_default().push(&remark.path);
    }
    let mut by_reason: Vec<_> = by_reason.into_iter().collect();
    by_reason.sort_by_key(|(_, paths)| std::cmp::Reverse(paths.len()));
    for (reason, paths) in by_reason.iter().take(reasons) {
        let some = paths.iter().take(files).copied().collect::<Vec<_>>().join(", ");
        match paths.len().saturating_sub(files) {
            0 => writeln!(f, "  {reason}: {some}")?,
            more => writeln!(f, "  {reason}: {some} and {more} more")?,
        }
    }
    match by_reason.len().saturating_sub(reasons) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} other kinds of note (--json has all)"),
    }
}
