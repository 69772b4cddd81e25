//! Walks a folder: which files are runbooks, whose they are, and how they are named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sopwith_domain::content::slug;
use walkdir::{DirEntry, WalkDir};

use super::builder::short;
use super::parse::{parse, stem};
use super::{Found, RunbookError, Skipped, Tree, owners};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 512 * 1024;
/// The longest process key that is made from a path, in bytes; a hash of the path is added to longer ones.
const MAX_KEY: usize = 90;
const OWNERS: &str = "OWNERS";

/// Reads all runbooks under a folder, in the order of their paths.
///
/// # Errors
/// When the folder itself cannot be read; a file that cannot is in [`Tree::skipped`].
pub fn read(dir: &Path) -> Result<Tree, RunbookError> {
    let failed = |source| RunbookError::Folder { dir: dir.to_owned(), source };
    let root = dir.canonicalize().map_err(failed)?;
    fs::read_dir(&root).map_err(failed)?;
    let mut walk = Walk { root, tree: Tree::default(), keys: BTreeSet::new(), owned: BTreeSet::new() };
    let files = walk.files();
    for path in files.iter().filter(|p| name(p) == OWNERS) {
        walk.owners(path);
    }
    // Files with an extension first: where two have the same key, theirs is the plain one.
    let (plain, named): (Vec<_>, Vec<_>) =
        files.iter().filter(|p| name(p) != OWNERS).partition(|p| !name(p).contains('.'));
    for path in named.into_iter().chain(plain) {
        if let Err(reason) = walk.document(path) {
            walk.skip(path, reason);
        }
    }
    walk.tree.documents.sort_by(|a, b| a.path.cmp(&b.path));
    walk.tree.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk.tree)
}

struct Walk {
    root: PathBuf,
    tree: Tree,
    keys: BTreeSet<String>,
    /// Folders with an `OWNERS` file.
    owned: BTreeSet<String>,
}

impl Walk {
    /// The relative paths of all files, sorted; what is no file is noted as skipped.
    fn files(&mut self) -> Vec<String> {
        let mut files = BTreeMap::new();
        let mut walker = WalkDir::new(&self.root).min_depth(1).into_iter();
        while let Some(entry) = walker.next() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.file_name().to_string_lossy().starts_with('.') {
                        walker.skip_current_dir();
                        self.skip(&self.relative(entry.path()), "a hidden folder".into());
                    }
                }
                Ok(entry) => {
                    files.insert(self.relative(entry.path()), entry);
                }
                Err(error) => {
                    let path = error.path().map(|p| self.relative(p)).unwrap_or_default();
                    self.skip(&path, format!("cannot be read: {error}"));
                }
            }
        }
        files.retain(|path, entry| self.is_readable(path, entry));
        files.into_keys().collect()
    }

    fn is_readable(&mut self, path: &str, entry: &DirEntry) -> bool {
        let reason = if entry.file_type().is_symlink() {
            "a symbolic link"
        } else if !entry.file_type().is_file() {
            "not a regular file"
        } else if entry.metadata().is_ok_and(|m| m.len() > MAX_FILE) {
            "too large: more than 512 KiB"
        } else {
            return true;
        };
        self.skip(path, reason.into());
        false
    }

    fn relative(&self, path: &Path) -> String {
        let parts = path.strip_prefix(&self.root).unwrap_or(path).components();
        parts.map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    fn skip(&mut self, path: &str, reason: String) {
        self.tree.skipped.push(Skipped { path: path.to_owned(), reason });
    }

    fn owners(&mut self, path: &str) {
        let folder = parent(path).to_owned();
        let team_key = self.team(&folder).0;
        self.owned.insert(folder);
        match self.text(path).and_then(|text| owners::read(&team_key, &text)) {
            Ok((found, rest)) => {
                match self.tree.owners.iter_mut().find(|o| o.team_key == team_key) {
                    Some(known) => owners::merge(known, &found),
                    None => self.tree.owners.push(found),
                }
                if let Some(rest) = rest {
                    self.skip(path, rest);
                }
            }
            Err(reason) => self.skip(path, reason),
        }
    }

    fn document(&mut self, path: &str) -> Result<(), String> {
        let extension = name(path).rsplit_once('.').map(|(_, e)| e.to_lowercase());
        let is_markdown = matches!(extension.as_deref(), Some("md" | "markdown"));
        if extension.is_some() && !is_markdown {
            return Err("not Markdown".into());
        }
        let text = self.text(path)?;
        if !is_markdown && !text.trim_start().starts_with("# ") {
            return Err("not Markdown: no extension and no heading at its start".into());
        }
        let (mut content, mut notes) = parse(path, &text)?;
        if !is_markdown {
            notes.push("has no extension: read as Markdown since it begins with a heading".into());
        }
        let (team_key, team_name) = self.team(self.home(path));
        content.audience = vec![team_name.clone()];
        let process_key = self.process_key(path, &mut notes);
        self.tree.documents.push(Found { path: path.to_owned(), process_key, team_key, team_name, content, notes });
        Ok(())
    }

    fn text(&self, path: &str) -> Result<String, String> {
        let bytes = fs::read(self.root.join(path)).map_err(|e| format!("cannot be read: {e}"))?;
        String::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
    }

    /// The folder whose team has this file: the nearest with an `OWNERS` file, else its own.
    fn home<'p>(&self, path: &'p str) -> &'p str {
        let own = parent(path);
        let mut folder = own;
        loop {
            if self.owned.contains(folder) {
                return folder;
            }
            if folder.is_empty() {
                return own;
            }
            folder = parent(folder);
        }
    }

    /// Key and name of the team of a folder; the folder that was given is the empty path.
    fn team(&self, folder: &str) -> (String, String) {
        let root = || self.root.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let team = if folder.is_empty() { root() } else { name(folder).to_owned() };
        let key = slug(&team);
        if key.is_empty() { (hashed("team", &team), short(&team)) } else { (key, short(&team)) }
    }

    fn process_key(&mut self, path: &str, notes: &mut Vec<String>) -> String {
        let folder = parent(path);
        let plain = if folder.is_empty() { stem(path).to_owned() } else { format!("{folder}/{}", stem(path)) };
        let mut key = slug(&plain);
        if key.is_empty() || plain.len() > MAX_KEY {
            key = hashed(&key, path);
        }
        if self.keys.contains(&key) {
            notes.push(format!("the key \"{key}\" is that of another file too: a hash of the path is added"));
            key = hashed(&key, path);
        }
        self.keys.insert(key.clone());
        key
    }
}

/// A key with eight digits that stand for all of the text.
fn hashed(key: &str, text: &str) -> String {
    let digest = hex::encode(&Sha256::digest(text.as_bytes())[..4]);
    let start = key.get(..MAX_KEY.min(key.len())).unwrap_or_default().trim_matches('-');
    if start.is_empty() { format!("runbook-{digest}") } else { format!("{start}-{digest}") }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
