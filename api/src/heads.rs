//! Signed heads of the audit chain, written out so that even a chain that was rewritten as a whole is found out.

mod check;
mod file;
mod keys;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use sopwith_domain::audit::SignedHead;
use sopwith_domain::time::Timestamp;

use self::file::HeadsFile;
use crate::config::AuditConfig;

pub use check::{Fault, Faulty, Witnessed};
pub use keys::{KeyError, PublicKeys, SigningKey};

/// Why heads cannot be signed as configured. For operators: it names files.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// The key cannot be had.
    #[error("setting `audit.signing_key_file`: {0}")]
    Key(#[from] KeyError),
    /// The file cannot be written.
    #[error("setting `audit.heads_file`: {}: {error}", .file.display())]
    File { file: PathBuf, error: std::io::Error },
}

/// The key that signs heads, with the file that keeps them.
#[derive(Debug)]
pub struct Heads {
    key: SigningKey,
    file: HeadsFile,
}

impl Heads {
    /// As configured; `None` when heads are not to be signed. Makes the file where there is none.
    ///
    /// # Errors
    /// When the key cannot be read, or the file not written.
    pub fn open(config: &AuditConfig) -> Result<Option<Self>, HeadsError> {
        let (Some(key), Some(file)) = (&config.signing_key_file, &config.heads_file) else { return Ok(None) };
        let heads = Self { key: SigningKey::read(key)?, file: HeadsFile::at(file.clone()) };
        heads.last()?;
        Ok(Some(heads))
    }

    /// The last one that was written.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn last(&self) -> Result<Option<SignedHead>, HeadsError> {
        self.file.last().map_err(|error| self.failed(error))
    }

    /// A head, signed.
    #[must_use]
    pub fn sign(&self, seq: i64, hash: String, at: Timestamp) -> SignedHead {
        self.key.sign(seq, hash, at)
    }

    /// Writes a head; once this has gone well, it is on the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, head: &SignedHead) -> Result<(), HeadsError> {
        self.file.append(head).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> HeadsError {
        HeadsError::File { file: self.file.path().to_owned(), error }
    }
}
