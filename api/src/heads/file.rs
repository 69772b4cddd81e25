//! The file of signed heads: JSON Lines, appended to, each line on the disk before it counts as written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sopwith_domain::audit::SignedHead;

/// Longer than any line, in bytes.
const LONGEST: u64 = 4096;
/// How every line begins.
const BEGINNING: &[u8] = br#"{"at":""#;

/// A file of signed heads that one process writes. It is opened for each line, so that it may be moved away meanwhile.
#[derive(Debug)]
pub struct HeadsFile(PathBuf);

impl HeadsFile {
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The last head in it. Makes the file where there is none, and cuts off a line that was only half written when a
    /// process or its machine died.
    ///
    /// # Errors
    /// When the file cannot be written, or does not end with a head.
    pub fn last(&self) -> io::Result<Option<SignedHead>> {
        let mut file = self.open()?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(LONGEST);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.take(LONGEST).read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < tail.len() {
            // Only what is the beginning of a head: another file that was named by mistake stays as it is.
            let half = &tail[whole..];
            if half.len() as u64 == LONGEST || !half.iter().zip(BEGINNING).all(|(a, b)| a == b) {
                return Err(unfit());
            }
            self.open()?.set_len(start + whole as u64)?;
        }
        let Some((_, lines)) = tail[..whole].split_last() else { return Ok(None) };
        let line = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let read = std::str::from_utf8(line).ok().and_then(|line| SignedHead::parse(line).ok());
        read.map(Some).ok_or_else(unfit)
    }

    /// Adds a head. Once this has gone well, it is on the disk.
    ///
    /// # Errors
    /// When it cannot be written. What was written of it then is cut off by the next [`Self::last`].
    pub fn append(&self, head: &SignedHead) -> io::Result<()> {
        let mut file = self.open()?;
        file.write_all(format!("{}\n", head.line()).as_bytes())?;
        file.sync_data()
    }

    /// Only a regular file: opening another kind may wait for good, and keeps nothing.
    fn open(&self) -> io::Result<File> {
        let there = match std::fs::metadata(&self.0) {
            Ok(found) if !found.is_file() => return Err(io::Error::other("not a regular file")),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.0)?;
        if !there {
            // The new name has to be on the disk too.
            let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(file)
    }
}

fn unfit() -> io::Error {
    io::Error::other("its last line is no signed head: is it another file?")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use sopwith_domain::audit::Head;

    use super::*;

    fn head(seq: i64) -> SignedHead {
        let (hash, at) = ("ab".repeat(32), "2026-07-01T09:30:00Z".parse().unwrap());
        let head = Head { seq, hash, at, key_id: "cd".repeat(32) };
        SignedHead { head, signature: "ef".repeat(64) }
    }

    fn file() -> (tempfile::TempDir, HeadsFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.jsonl");
        (folder, HeadsFile::at(path))
    }

    fn text(file: &HeadsFile) -> String {
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn heads_are_kept_one_per_line_for_nobody_else_to_read() {
        let (_folder, file) = file();
        assert_eq!(file.last().unwrap(), None);
        let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Enough that the beginning is out of sight of who looks for the end.
        for n in 1..=30 {
            file.append(&head(n)).unwrap();
            assert_eq!(file.last().unwrap(), Some(head(n)));
        }
        let all: Vec<_> = text(&file).lines().map(|line| SignedHead::parse(line).unwrap()).collect();
        assert_eq!(all, (1..=30).map(head).collect::<Vec<_>>());
        assert!(text(&file).len() as u64 > LONGEST && head(1).line().len() as u64 * 2 < LONGEST);
    }

    #[test]
    fn a_line_that_was_half_written_is_cut_off_and_nothing_else() {
        let (_folder, file) = file();
        for whole in 0..3 {
            let before = (1..=whole).map(|n| head(n).line() + "\n").collect::<String>();
            for written in [1, 5, 100, head(9).line().len()] {
                std::fs::write(file.path(), format!("{before}{}", &head(9).line()[..written])).unwrap();
                assert_eq!(file.last().unwrap(), (whole > 0).then(|| head(whole)));
                assert_eq!(text(&file), before);
            }
            file.append(&head(10)).unwrap();
            assert_eq!(text(&file), before + &head(10).line() + "\n");
        }
    }

    #[test]
    fn another_file_is_left_as_it_is() {
        let (folder, file) = file();
        for other in [
            "a letter\n",
            "a letter",
            "\n",
            "{\"seq\":1}\n",
            &format!("{}\nlog\n", head(1).line()),
            &format!("{}\nlog", head(1).line()),
            &"x".repeat(9999),
            &format!("{{\"at\":\"{}", "x".repeat(9999)),
        ] {
            std::fs::write(file.path(), other).unwrap();
            assert!(file.last().is_err(), "{other}");
            assert_eq!(text(&file), other);
        }
        assert!(HeadsFile::at(folder.path().to_owned()).last().is_err(), "a folder");
        assert!(HeadsFile::at(folder.path().join("nowhere/heads")).last().is_err());
        assert!(HeadsFile::at(PathBuf::from("/dev/null")).last().is_err(), "what keeps nothing");
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let (folder, file) = file();
        file.append(&head(1)).unwrap();
        std::fs::rename(file.path(), folder.path().join("heads.1")).unwrap();
        assert_eq!(file.last().unwrap(), None);
        file.append(&head(2)).unwrap();
        assert_eq!(text(&file), head(2).line() + "\n");
    }
}
