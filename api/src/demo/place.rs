//! Where a demo keeps its data.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::CliError;
use crate::clock::new_id;

/// The file of a demo's database. It is there only when it is whole: data are loaded into another one, beside it.
#[derive(Debug)]
pub struct Place {
    file: PathBuf,
    new: bool,
    /// A folder that ends with the demo.
    folder: Option<PathBuf>,
}

impl Place {
    /// The file that was asked for, or one in a new folder among the temporary files.
    ///
    /// # Errors
    /// When the folder cannot be made, or what is left of a load that was cut short cannot be removed.
    pub fn choose(file: Option<&Path>) -> io::Result<Self> {
        let place = if let Some(file) = file {
            Self { file: file.to_owned(), new: !file.exists(), folder: None }
        } else {
            let folder = std::env::temp_dir().join(format!("sopwith-demo-{}", new_id().simple()));
            make_private(&folder)?;
            Self { file: folder.join("demo.db"), new: true, folder: Some(folder) }
        };
        for end in ["", "-wal", "-shm"] {
            let mut left = place.loading().into_os_string();
            left.push(end);
            if let Err(error) = std::fs::remove_file(left)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
        }
        Ok(place)
    }

    /// The database.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where it is while it is being loaded.
    #[must_use]
    pub fn loading(&self) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(".loading");
        path.into()
    }

    /// Whether there is no data yet.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// Whether the data are gone at the end.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.folder.is_some()
    }

    /// Puts what was loaded in its place.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn complete(&self) -> io::Result<()> {
        std::fs::rename(self.loading(), &self.file)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder
            && let Err(error) = std::fs::remove_dir_all(folder)
        {
            eprintln!("{} could not be removed: {error}", folder.display());
        }
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The URL of a database file.
///
/// # Errors
/// When its name is not UTF-8.
pub fn url(file: &Path) -> Result<String, CliError> {
    let path = file.to_str().ok_or_else(|| CliError::Message("database: the name is not UTF-8".to_owned()))?;
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    Ok(format!("sqlite://{path}?mode=rwc"))
}
