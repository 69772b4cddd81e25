//! Files of signed heads, read by those who verify.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use sopwith_domain::audit::SignedHead;

use super::keys::{Disbelief, PublicKeys};

/// What is wrong with a line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is something else.
    #[error("this is no signed head")]
    Malformed,
    /// None of the given keys is the one that it names.
    #[error("the head of entry {0} is signed by an unknown key")]
    UnknownKey(i64),
    /// The signature is not one of the key that it names.
    #[error("the head of entry {0} is forged: its signature does not fit")]
    Forged(i64),
    /// The chain was shorter than before.
    #[error("the head of entry {now} comes after the head of entry {before}")]
    Backwards {
        /// The entry of the head before it in the file.
        before: i64,
        /// Its own entry.
        now: i64,
    },
}

/// A line with something wrong about it, and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {fault}", .file.display())]
pub struct Faulty {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What files of heads hold.
#[derive(Debug, Default)]
pub struct Witnessed {
    /// The entries of heads whose signatures are believed, with their hashes.
    pub heads: Vec<(i64, String)>,
    /// The lines with something wrong about them.
    pub faulty: Vec<Faulty>,
}

impl Witnessed {
    /// Reads files, each of one signer: the heads in it follow one another.
    ///
    /// # Errors
    /// When a file cannot be read, with its name.
    pub fn read(files: &[PathBuf], keys: &PublicKeys) -> Result<Self, (PathBuf, io::Error)> {
        let mut all = Self::default();
        for file in files {
            all.add(file, keys).map_err(|error| (file.clone(), error))?;
        }
        Ok(all)
    }

    fn add(&mut self, file: &Path, keys: &PublicKeys) -> io::Result<()> {
        let mut reader = BufReader::new(File::open(file)?);
        let (mut before, mut bytes) = (0, Vec::new());
        for line in 1.. {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let complete = bytes.ends_with(b"\n");
            let signed = std::str::from_utf8(&bytes).ok().and_then(|text| SignedHead::parse(text.trim_end()).ok());
            // What a signer was writing when it died is no head, and nothing else either.
            if signed.is_none() && !complete {
                break;
            }
            let fault = match believed(signed, keys) {
                Ok((now, hash)) => {
                    let fault = (now < before).then_some(Fault::Backwards { before, now });
                    before = now;
                    self.heads.push((now, hash));
                    fault
                }
                Err(fault) => Some(fault),
            };
            self.faulty.extend(fault.map(|fault| Faulty { file: file.to_owned(), line, fault }));
        }
        Ok(())
    }
}

/// The entry and its hash, of a head whose signature fits.
fn believed(signed: Option<SignedHead>, keys: &PublicKeys) -> Result<(i64, String), Fault> {
    let signed = signed.ok_or(Fault::Malformed)?;
    let seq = signed.head.seq;
    match keys.verify(&signed) {
        Ok(()) => Ok((seq, signed.head.hash)),
        Err(Disbelief::UnknownKey) => Err(Fault::UnknownKey(seq)),
        Err(Disbelief::Forged) => Err(Fault::Forged(seq)),
    }
}
