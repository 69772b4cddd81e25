//! The file: unpacked and split into records as it is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::row::{Columns, Row};
use super::{IncidentError, RejectedRow};

/// How much of the unpacked file is held at once, in bytes.
const BUFFER: usize = 64 * 1024;

/// An incident log that is open, behind its header.
pub struct Source {
    path: PathBuf,
    reader: Reader<Box<dyn Read>>,
    columns: Columns,
    record: ByteRecord,
    /// How far the line number of the reader is behind: it counts line feeds, and stops before that of a CR LF.
    lag: u64,
}

/// Opens a log and reads its header.
pub fn open(path: &Path) -> Result<Source, IncidentError> {
    let input = unpacked(path)?;
    // Rows of a wrong length are rejected one by one, with their number where it can be read.
    let mut reader = ReaderBuilder::new().flexible(true).buffer_capacity(BUFFER).from_reader(input);
    let header = reader.byte_headers().cloned().map_err(|source| unreadable(path, 1, source))?;
    let columns =
        Columns::find(&header).map_err(|missing| IncidentError::Columns { path: path.to_owned(), missing })?;
    let lag = 2_u64.saturating_sub(reader.position().line());
    Ok(Source { path: path.to_owned(), reader, columns, record: ByteRecord::new(), lag })
}

fn unpacked(path: &Path) -> Result<Box<dyn Read>, IncidentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let packed = name.ends_with(".csv.zst");
    if !packed && Path::new(&name).extension().is_none_or(|end| end != "csv") {
        return Err(IncidentError::Format { path: path.to_owned() });
    }
    let failed = |source| IncidentError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if packed { Ok(Box::new(zstd::Decoder::new(file).map_err(failed)?)) } else { Ok(Box::new(file)) }
}

impl Source {
    /// The next row, or why it is none; nothing at the end.
    pub fn row(&mut self) -> Result<Option<Result<Row, RejectedRow>>, IncidentError> {
        let before = self.reader.position().line();
        let more = self.reader.read_byte_record(&mut self.record);
        let more = more.map_err(|source| unreadable(&self.path, self.reader.position().line(), source))?;
        Ok(more.then(|| self.columns.row(self.line(before), &self.record)))
    }

    /// On which line the record begins: counted back from its end, since blank lines may come before it, but not to
    /// before where the last one ended, since the end of the file may lack a line end.
    fn line(&self, before: u64) -> u64 {
        let inside: u64 = self.record.as_slice().iter().map(|byte| u64::from(*byte == b'\n')).sum();
        let counted = self.reader.position().line().saturating_sub(1 + inside);
        self.lag + before.max(counted)
    }
}

fn unreadable(path: &Path, line: u64, source: csv::Error) -> IncidentError {
    IncidentError::Read { path: path.to_owned(), line, source: io::Error::from(source) }
}
