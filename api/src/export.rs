//! The audit chain as a file, page by page, so that its length does not matter.

mod csv;

pub(crate) use self::csv::guarded;

use clap::ValueEnum;
use sopwith_domain::access::Reach;

use crate::error::Result;
use crate::store::{Connection, audit};

/// Entries read at once.
const AT_ONCE: u64 = 200;

/// What an export looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON Lines: one entry per line, with all that it takes to verify it.
    Jsonl,
    /// Comma-separated values with a header, for spreadsheets.
    Csv,
}

impl Format {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Jsonl, Self::Csv];

    /// Its name, which files of it end in.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// An export under way.
#[derive(Debug)]
pub struct Pages {
    format: Format,
    reach: Reach,
    /// The entries still to come: from this number to that one, both included.
    left: (i64, i64),
    begun: bool,
}

impl Pages {
    /// The entries within reach, from one number to another.
    #[must_use]
    pub fn of(format: Format, reach: Reach, from: i64, to: i64) -> Self {
        Self { format, reach, left: (from, to), begun: false }
    }

    /// The next part of the file; `None` once it is whole.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next(&mut self, db: &impl Connection) -> Result<Option<Vec<u8>>> {
        let (from, to) = self.left;
        let links = if from > to { Vec::new() } else { audit::links(db, &self.reach, self.left, AT_ONCE).await? };
        self.left.0 = links.last().map_or(i64::MAX, |link| link.entry.seq.saturating_add(1));
        let first = !std::mem::replace(&mut self.begun, true);
        let part = match self.format {
            Format::Jsonl => links.iter().map(|link| link.line() + "\n").collect::<String>().into_bytes(),
            Format::Csv => csv::part(first, &links)?,
        };
        Ok((!part.is_empty()).then_some(part))
    }
}
