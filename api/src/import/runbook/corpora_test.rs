//! Both corpora, where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::PathBuf;

use sopwith_domain::content::{Content, is_key};

use super::{Tree, read};

/// The folder of the corpora: that of all test data, or itself.
fn folder() -> Option<PathBuf> {
    let named = env::var_os("SOPWITH_TEST_DATA").map(PathBuf::from);
    let data = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let within = data.join("runbooks");
    if within.is_dir() { Some(within) } else { data.join("openshift").is_dir().then_some(data) }
}

/// All text of a content, field by field.
fn text(content: &Content) -> String {
    let mut parts = vec![content.title.as_str(), &content.objective];
    parts.extend(content.sections.iter().flat_map(|s| [s.heading.as_str(), &s.body]));
    for step in &content.steps {
        parts.extend([step.instruction.as_str(), &step.detail]);
        parts.extend(step.code_blocks.iter().flat_map(|c| [c.language.as_str(), &c.text]));
    }
    parts.join("\n")
}

fn words(text: &str) -> BTreeMap<&str, usize> {
    let mut count = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        *count.entry(word).or_insert(0) += 1;
    }
    count
}

/// The source without what is only notation: the numbers of list entries, the labels of reference links, and the
/// heading over the text that becomes the objective.
fn without_notation(source: &str) -> String {
    let mut out = String::new();
    let mut labels = BTreeSet::new();
    for line in source.lines() {
        let line = line.trim_start();
        if ["## Meaning", "## Alert Description", "## Purpose"].contains(&line.trim_end()) {
            continue;
        }
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let numbered = digits > 0 && [". ", ") "].iter().any(|end| line[digits..].starts_with(end));
        let definition = line.strip_prefix('[').and_then(|l| l.split_once("]:"));
        out.push_str(match definition {
            Some((label, url)) => {
                labels.insert(label.to_owned());
                url
            }
            None if numbered => &line[digits..],
            None => line,
        });
        out.push('\n');
    }
    labels.iter().fold(out, |out, label| out.replace(&format!("][{label}]"), "]"))
}

fn lost(source: &str, content: &Content) -> Vec<String> {
    let text = text(content);
    let kept = words(&text);
    let source = without_notation(source);
    let missing = words(&source).into_iter().filter(|(word, n)| kept.get(word).is_none_or(|k| k < n));
    missing.map(|(word, n)| format!("{word} ({n}, kept {})", kept.get(word).unwrap_or(&0))).collect()
}

fn report(tree: &Tree) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for skipped in &tree.skipped {
        *reasons.entry(&skipped.reason).or_insert(0) += 1;
    }
    let numbered = tree.documents.iter().filter(|d| !d.notes.iter().any(|n| n.starts_with("no numbered list"))).count();
    let steps: usize = tree.documents.iter().map(|d| d.content.steps.len()).sum();
    let sections: usize = tree.documents.iter().map(|d| d.content.sections.len()).sum();
    eprintln!("found {}, {numbered} of them with numbered lists as steps", tree.documents.len());
    eprintln!("{steps} steps, {sections} sections, {} teams with owners; skipped:", tree.owners.len());
    for (reason, count) in reasons {
        eprintln!("{count:5} {reason}");
    }
}

#[test]
fn both_corpora_are_read_without_loss() {
    let Some(folder) = folder() else {
        assert!(env::var_os("SOPWITH_TEST_REQUIRE_DATA").is_none(), "the runbooks are required and not here");
        eprintln!("SKIPPED: no runbooks; name their folder in SOPWITH_TEST_DATA");
        return;
    };
    let tree = read(&folder).unwrap();
    report(&tree);
    let (mut keys, mut losses) = (BTreeSet::new(), Vec::new());
    for document in &tree.documents {
        let path = &document.path;
        assert_eq!(document.content.check_complete(), [], "{path}");
        assert!(is_key(&document.process_key) && is_key(&document.team_key), "{path}");
        assert!(keys.insert(&document.process_key), "{path}: {} is used twice", document.process_key);
        let source = fs::read_to_string(folder.join(path)).unwrap();
        losses.extend(lost(&source, &document.content).into_iter().map(|word| format!("{path}: {word}")));
    }
    assert!(losses.is_empty(), "text is lost:\n{}", losses.join("\n"));
    let named = tree.documents.iter().map(|d| &d.path).chain(tree.skipped.iter().map(|s| &s.path));
    let named: BTreeSet<&String> = named.collect();
    for entry in walkdir::WalkDir::new(&folder).into_iter().filter_map(Result::ok) {
        let path = entry.path().strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let known = named.contains(&path) || entry.file_name() == "OWNERS" || !entry.file_type().is_file();
        assert!(known, "{path} is neither found nor skipped");
    }
    assert!(tree.documents.len() > 300, "only {} found", tree.documents.len());
}
