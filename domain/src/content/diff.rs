//! What differs between two versions, and whether that is still editorial.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Document;
use crate::error::Problem;

/// What differs between two contents of one procedure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Changed fields outside steps and sections.
    pub fields: Vec<FieldChange>,
    /// Sections added, removed, moved or changed.
    pub sections: Vec<PartChange>,
    /// Steps added, removed, moved or changed.
    pub steps: Vec<PartChange>,
}

/// A field that differs. Values are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// What it was; null where it was not.
    pub from: serde_json::Value,
    /// What it is; null where it is not.
    pub to: serde_json::Value,
}

/// How a step or a section differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It stands elsewhere among those that stayed, and its fields may differ too.
    Moved,
    /// Its fields differ.
    Changed,
}

/// A step or a section that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartChange {
    /// Its key, the same on both sides.
    pub key: String,
    /// How it differs.
    pub kind: PartChangeKind,
    /// Its index before.
    pub from_index: Option<usize>,
    /// Its index now.
    pub to_index: Option<usize>,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
}

/// What changed from one content to another, by step and field.
#[must_use]
pub fn diff(from: &Document, to: &Document) -> Diff {
    let (mut a, mut b) = (fields_of(&from.content), fields_of(&to.content));
    let (take, key) = ((|m: &mut Fields, name: &str| m.remove(name)), |v: &serde_json::Value| {
        v.get("key").and_then(|k| k.as_str()).unwrap_or_default().to_owned()
    });
    let mut parts = |name: &str| {
        let list = |v: Option<serde_json::Value>| match v {
            Some(serde_json::Value::Array(items)) => items.into_iter().map(|v| (key(&v), v)).collect(),
            _ => Vec::new(),
        };
        part_changes(&list(take(&mut a, name)), &list(take(&mut b, name)))
    };
    let (sections, steps) = (parts("sections"), parts("steps"));
    for (fields, document) in [(&mut a, from), (&mut b, to)] {
        fields.insert("kind".into(), serde_json::json!(document.kind));
        fields.insert("effectiveAt".into(), serde_json::json!(document.effective_at));
    }
    Diff { fields: field_changes(&a, &b), sections, steps }
}

type Fields = BTreeMap<String, serde_json::Value>;

fn fields_of<T: Serialize>(value: &T) -> Fields {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().collect(),
        _ => Fields::new(),
    }
}

fn field_changes(a: &Fields, b: &Fields) -> Vec<FieldChange> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |m: &Fields, name: &String| m.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| FieldChange { field: name.clone(), from: value(a, name), to: value(b, name) })
        .filter(|change| change.from != change.to)
        .collect()
}

fn part_changes(a: &[(String, serde_json::Value)], b: &[(String, serde_json::Value)]) -> Vec<PartChange> {
    let place = |list: &[(String, serde_json::Value)], key: &str| list.iter().position(|(k, _)| k == key);
    // Those on both sides, by their old index in their new order: what is outside the longest increasing
    // subsequence moved.
    let kept: Vec<(usize, usize)> =
        b.iter().enumerate().filter_map(|(j, (key, _))| Some((place(a, key)?, j))).collect();
    let unmoved: BTreeSet<usize> = longest_increasing(&kept.iter().map(|k| k.0).collect::<Vec<_>>());
    let mut changes = Vec::new();
    for (n, &(i, j)) in kept.iter().enumerate() {
        let fields = field_changes(&fields_of(&a[i].1), &fields_of(&b[j].1));
        let kind = match (unmoved.contains(&n), fields.is_empty()) {
            (true, true) => continue,
            (true, false) => PartChangeKind::Changed,
            (false, _) => PartChangeKind::Moved,
        };
        changes.push(PartChange { key: b[j].0.clone(), kind, from_index: Some(i), to_index: Some(j), fields });
    }
    let nothing = Fields::new();
    for (i, (key, value)) in a.iter().enumerate().filter(|(_, (key, _))| place(b, key).is_none()) {
        let fields = field_changes(&fields_of(value), &nothing);
        let kind = PartChangeKind::Removed;
        changes.push(PartChange { key: key.clone(), kind, from_index: Some(i), to_index: None, fields });
    }
    for (j, (key, value)) in b.iter().enumerate().filter(|(_, (key, _))| place(a, key).is_none()) {
        let fields = field_changes(&nothing, &fields_of(value));
        let kind = PartChangeKind::Added;
        changes.push(PartChange { key: key.clone(), kind, from_index: None, to_index: Some(j), fields });
    }
    changes.sort_by_key(|c| (c.to_index.or(c.from_index), c.to_index.is_some()));
    changes
}

/// Positions, in `values`, of one longest strictly increasing subsequence (patience sorting, Fredman 1975).
fn longest_increasing(values: &[usize]) -> BTreeSet<usize> {
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (n, value) in values.iter().enumerate() {
        let at = tails.partition_point(|&t| values[t] < *value);
        before[n] = at.checked_sub(1).map(|p| tails[p]);
        if at == tails.len() { tails.push(n) } else { tails[at] = n }
    }
    let mut out = BTreeSet::new();
    let mut next = tails.last().copied();
    while let Some(n) = next {
        out.insert(n);
        next = before[n];
    }
    out
}

/// Why a change from `from` to `to` is more than editorial: steps added, removed or moved, or a role, checkpoint,
/// mandatory flag, branch, duration or needed go-ahead changed. Empty when it is editorial indeed.
#[must_use]
pub fn beyond_editorial(from: &Document, to: &Document) -> Vec<Problem> {
    const HEAVY: [&str; 9] =
        ["role", "checkpoint", "mandatory", "branches", "expectedDuration", "approval", "codeBlocks", "tools", "teams"];
    let mut problems = Vec::new();
    for step in diff(from, to).steps {
        let at = |field: &str| match step.to_index {
            Some(i) => format!("steps.{i}{field}"),
            None => "steps".to_owned(),
        };
        let mut refuse = |field: &str, what: &str| {
            let message = format!("an editorial change may not {what} (step '{}')", step.key);
            problems.push(Problem::at(at(field), message));
        };
        match step.kind {
            PartChangeKind::Added => refuse("", "add a step"),
            PartChangeKind::Removed => refuse("", "remove a step"),
            PartChangeKind::Moved => refuse("", "reorder steps"),
            PartChangeKind::Changed => {}
        }
        if !matches!(step.kind, PartChangeKind::Added | PartChangeKind::Removed) {
            for change in step.fields.iter().filter(|f| HEAVY.contains(&f.field.as_str())) {
                refuse(&format!(".{}", change.field), &format!("change the {} of a step", change.field));
            }
        }
    }
    problems
}
