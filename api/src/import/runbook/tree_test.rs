//! Folders, teams, keys and owners.

use std::fs;
use std::path::Path;

use sopwith_domain::content::is_key;
use tempfile::TempDir;

use super::{Owners, Tree, read};

const RUNBOOK: &str = "# X\n\n## Mitigation\n\nMend it.\n";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::Builder::new().prefix("Ops").tempdir().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.documents.iter().map(|d| d.path.as_str()).collect()
}

fn reason<'t>(tree: &'t Tree, path: &str) -> &'t str {
    &tree.skipped.iter().find(|s| s.path == path).unwrap().reason
}

#[test]
fn every_file_is_found_or_skipped_in_order() {
    let large = vec![b'a'; 600 * 1024];
    let files: [(&str, &[u8]); 9] = [
        ("b/Two.MD", RUNBOOK.as_bytes()),
        ("a/one.md", RUNBOOK.as_bytes()),
        ("a/plain", RUNBOOK.as_bytes()),
        ("a/LICENSE", b"Free."),
        ("a/picture.svg", b"<svg/>"),
        ("a/latin.md", b"# X\n\n\xe9"),
        ("a/large.md", &large),
        ("a/index.md", b"---\ntitle: a\n---\n"),
        (".git/x.md", RUNBOOK.as_bytes()),
    ];
    let dir = folder(&files);
    let tree = read(dir.path()).unwrap();
    assert_eq!(paths(&tree), ["a/one.md", "a/plain", "b/Two.MD"]);
    assert_eq!(tree.documents[2].process_key, "b-two");
    assert!(tree.documents[1].notes.iter().any(|n| n.contains("no extension")));
    let skipped: Vec<_> = tree.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, [".git", "a/LICENSE", "a/index.md", "a/large.md", "a/latin.md", "a/picture.svg"]);
    assert_eq!(reason(&tree, "a/latin.md"), "not UTF-8 at byte 5");
    assert!(reason(&tree, "a/large.md").starts_with("too large"));
    assert!(reason(&tree, "a/LICENSE").starts_with("not Markdown"));
    assert_eq!(reason(&tree, ".git"), "a hidden folder");
}

#[test]
fn the_team_is_the_nearest_folder_with_owners_or_else_the_own() {
    let owners = b"approvers: [ann]\nreviewers: [bob, ann, bob, 7]\n";
    let files: [(&str, &[u8]); 5] = [
        ("top.md", RUNBOOK.as_bytes()),
        ("alerts/Disk Team/OWNERS", owners),
        ("alerts/Disk Team/helpers/deep/x.md", RUNBOOK.as_bytes()),
        ("alerts/Disk Team/y.md", RUNBOOK.as_bytes()),
        ("alerts/other/z.md", RUNBOOK.as_bytes()),
    ];
    let dir = folder(&files);
    let tree = read(dir.path()).unwrap();
    let teams: Vec<_> = tree.documents.iter().map(|d| (d.team_key.as_str(), d.team_name.as_str())).collect();
    assert_eq!(teams[..3], [("disk-team", "Disk Team"), ("disk-team", "Disk Team"), ("other", "other")]);
    assert!(teams[3].0.starts_with("ops"), "{teams:?}");
    assert_eq!(tree.documents[0].content.audience, ["Disk Team"]);
    let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let wanted =
        Owners { team_key: "disk-team".into(), reviewers: named(&["bob", "ann", "7"]), approvers: named(&["ann"]) };
    assert_eq!(tree.owners, [wanted]);
}

#[test]
fn owners_that_cannot_be_read_are_named() {
    let files: [(&str, &[u8]); 6] = [
        ("a/OWNERS", b"a: [b"),
        ("b/OWNERS", b"emeritus_approvers: [x]\n"),
        ("c/OWNERS", b"filters:\n  '.*':\n    approvers: [x]\napprovers: [y]\nreviewers:\n"),
        ("d/OWNERS", b"just text"),
        ("x/c/OWNERS", b"reviewers: [z, y]\napprovers: [y, w]\n"),
        ("OWNERS_ALIASES", b"aliases: {}\n"),
    ];
    let dir = folder(&files);
    let tree = read(dir.path()).unwrap();
    assert!(reason(&tree, "a/OWNERS").starts_with("not YAML"));
    assert_eq!(reason(&tree, "b/OWNERS"), "names no reviewers and no approvers");
    assert_eq!(reason(&tree, "c/OWNERS"), "read in part: not used are filters");
    assert_eq!(reason(&tree, "d/OWNERS"), "not a list of keys with values");
    assert!(reason(&tree, "OWNERS_ALIASES").starts_with("not Markdown"));
    let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let wanted = Owners { team_key: "c".into(), reviewers: named(&["z", "y"]), approvers: named(&["y", "w"]) };
    assert_eq!(tree.owners, [wanted]);
}

#[test]
fn process_keys_are_unique_and_keep_within_their_bounds() {
    let long = format!("{}/{}.md", "folder-of-many-letters/".repeat(5), "x".repeat(60));
    let other = format!("{}/{}.md", "folder-of-many-letters/".repeat(5), "x".repeat(61));
    let files: [(&str, &[u8]); 5] = [
        ("a/b.md", RUNBOOK.as_bytes()),
        ("a-b.md", RUNBOOK.as_bytes()),
        ("日本.md", RUNBOOK.as_bytes()),
        (&long, RUNBOOK.as_bytes()),
        (&other, RUNBOOK.as_bytes()),
    ];
    let dir = folder(&files);
    let first = read(dir.path()).unwrap();
    let keys = |tree: &Tree| -> Vec<String> { tree.documents.iter().map(|d| d.process_key.clone()).collect() };
    let mut unique = keys(&first);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 5);
    assert!(unique.iter().all(|k| is_key(k)), "{unique:?}");
    assert_eq!(keys(&read(dir.path()).unwrap()), keys(&first));
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let dir = folder(&[("a.md", RUNBOOK.as_bytes())]);
    for path in [dir.path().join("a.md"), Path::new("/nowhere/at/all").to_owned()] {
        let message = read(&path).unwrap_err().to_string();
        assert!(message.starts_with("dir: ") && message.contains(&*path.to_string_lossy()), "{message}");
    }
}
