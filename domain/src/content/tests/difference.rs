//! A difference says all that differs and nothing else; what is more than editorial is found.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::samples::{document, full, full_step};
use super::value;
use crate::content::{Diff, Document, FieldChange, PartChange, PartChangeKind, Step, beyond_editorial, diff};
use crate::time::Timestamp;

fn set(fields: &mut Map<String, Value>, changes: &[FieldChange]) {
    for FieldChange { field, from, to } in changes {
        assert_eq!(fields.get(field).unwrap_or(&Value::Null), from, "{field} was not that before");
        match to {
            Value::Null => drop(fields.remove(field)),
            other => drop(fields.insert(field.clone(), other.clone())),
        }
    }
}

fn fields(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("it is an object")
}

/// The parts after their changes: those listed where they are said to be, all others around them in their order.
fn patched(parts: &[Value], changes: &[PartChange]) -> Vec<Value> {
    let listed = |part: &Value| changes.iter().any(|c| part["key"] == c.key.as_str());
    let mut rest = parts.iter().filter(|p| !listed(p)).cloned();
    let gone = changes.iter().filter(|c| c.kind == PartChangeKind::Removed).count();
    let new = changes.iter().filter(|c| c.kind == PartChangeKind::Added).count();
    let part = |change: &PartChange| {
        let mut part = change.from_index.map_or_else(|| Value::Object(Map::new()), |i| parts[i].clone());
        set(fields(&mut part), &change.fields);
        part
    };
    (0..parts.len() + new - gone)
        .map(|n| changes.iter().find(|c| c.to_index == Some(n)).map(part).or_else(|| rest.next()))
        .map(|part| part.expect("there are as many parts as places"))
        .collect()
}

/// What the difference makes of a document.
fn patch(from: &Document, diff: &Diff) -> Document {
    let mut document = value(from);
    let (own, content): (Vec<FieldChange>, Vec<FieldChange>) =
        diff.fields.iter().cloned().partition(|c| ["kind", "effectiveAt"].contains(&c.field.as_str()));
    set(fields(&mut document), &own);
    set(fields(&mut document["content"]), &content);
    for (list, changes) in [("sections", &diff.sections), ("steps", &diff.steps)] {
        let parts = document["content"][list].as_array().expect("it is a list").clone();
        document["content"][list] = patched(&parts, changes).into();
    }
    serde_json::from_value(document).expect("it is a document")
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(document in document()) {
        prop_assert_eq!(diff(&document, &document), Diff::default());
        prop_assert!(beyond_editorial(&document, &document).is_empty());
    }

    #[test]
    fn the_difference_leads_from_one_to_the_other(a in document(), b in document()) {
        let there = diff(&a, &b);
        prop_assert_eq!(&patch(&a, &there), &b);
        prop_assert_eq!(there == Diff::default(), a == b);
    }

    #[test]
    fn what_is_added_one_way_is_removed_the_other(a in document(), b in document()) {
        let (there, back) = (diff(&a, &b), diff(&b, &a));
        let only = |changes: &[PartChange], kind| {
            let mut keys: Vec<_> = changes.iter().filter(|c| c.kind == kind).map(|c| c.key.clone()).collect();
            keys.sort();
            keys
        };
        prop_assert_eq!(only(&there.steps, PartChangeKind::Added), only(&back.steps, PartChangeKind::Removed));
        prop_assert_eq!(there.fields.len(), back.fields.len());
        prop_assert_eq!(only(&there.sections, PartChangeKind::Added), only(&back.sections, PartChangeKind::Removed));
    }

    /// Whoever changes the steps beyond wording is found out, however much else is changed with it.
    #[test]
    fn editorial_means_the_same_steps_with_the_same_duties(a in document(), b in document()) {
        let duties = |d: &Document| -> Vec<_> {
            let duty = |s: &Step| {
                (s.key.clone(), s.role.clone(), s.checkpoint.clone(), s.mandatory, s.branches.clone(), s.expected_duration)
            };
            d.content.steps.iter().map(duty).collect()
        };
        prop_assert_eq!(beyond_editorial(&a, &b).is_empty(), duties(&a) == duties(&b));
        let mut reworded = b.clone();
        reworded.content.steps.clone_from(&a.content.steps);
        reworded.content.steps.iter_mut().for_each(|s| s.instruction.push_str(" please"));
        prop_assert!(beyond_editorial(&a, &reworded).is_empty());
    }
}

#[test]
fn one_step_moved_is_one_step_moved() {
    let mut a = full();
    a.content.steps = ["a", "b", "c", "d", "e"].map(full_step).into();
    let mut b = a.clone();
    let first = b.content.steps.remove(0);
    b.content.steps.push(first);
    let changes: Vec<_> = diff(&a, &b).steps.into_iter().map(|c| (c.key, c.kind, c.from_index, c.to_index)).collect();
    assert_eq!(changes, [("a".to_owned(), PartChangeKind::Moved, Some(0), Some(4))]);
}

/// Changes one thing.
type Change = fn(&mut Document);

fn problems(change: Change) -> Vec<String> {
    let mut changed = full();
    change(&mut changed);
    assert_ne!(changed, full(), "nothing was changed");
    beyond_editorial(&full(), &changed).into_iter().map(|p| p.path.join(".")).collect()
}

#[test]
fn what_is_more_than_wording_is_named() {
    let cases: [(Change, &[&str]); 14] = [
        (|d| d.content.steps[1].role.push('s'), &["steps.1.role"]),
        (|d| d.content.steps[1].checkpoint.clear(), &["steps.1.checkpoint"]),
        (|d| d.content.steps[1].mandatory = true, &["steps.1.mandatory"]),
        (|d| d.content.steps[1].branches.clear(), &["steps.1.branches"]),
        (|d| d.content.steps[1].branches[0].go_to.clear(), &["steps.1.branches"]),
        (|d| d.content.steps[1].expected_duration = None, &["steps.1.expectedDuration"]),
        (|d| d.content.steps[1].approval.clear(), &["steps.1.approval"]),
        (|d| d.content.steps[1].code_blocks[0].text.push('f'), &["steps.1.codeBlocks"]),
        (|d| d.content.steps[1].tools.clear(), &["steps.1.tools"]),
        (|d| d.content.steps[1].teams.clear(), &["steps.1.teams"]),
        (|d| d.content.steps.push(full_step("tell")), &["steps.2"]),
        (|d| drop(d.content.steps.remove(0)), &["steps"]),
        (|d| "tell".clone_into(&mut d.content.steps[0].key), &["steps", "steps.0"]),
        (
            |d| {
                d.content.steps.swap(0, 1);
                d.content.steps.iter_mut().for_each(|s| s.role.clear());
            },
            &["steps.0", "steps.0.role", "steps.1.role"],
        ),
    ];
    for (n, (change, paths)) in cases.into_iter().enumerate() {
        let mut found = problems(change);
        found.sort();
        assert_eq!(found, paths, "case {n}");
    }
}

#[test]
fn wording_is_editorial() {
    let cases: [Change; 19] = [
        |d| d.effective_at = None,
        |d| d.effective_at = Some(Timestamp::from_micros(0)),
        |d| d.content.title.push('s'),
        |d| d.content.objective.push('s'),
        |d| d.content.scope.push('s'),
        |d| d.content.out_of_scope.push('s'),
        |d| d.content.audience.clear(),
        |d| d.content.prerequisites.clear(),
        |d| d.content.references.clear(),
        |d| d.content.sections.clear(),
        |d| d.content.change_log.why.push('s'),
        |d| d.content.steps[1].section.clear(),
        |d| d.content.steps[1].instruction.push('s'),
        |d| d.content.steps[1].detail.push('s'),
        |d| d.content.steps[1].inputs.clear(),
        |d| d.content.steps[1].expected_outcome.push('s'),
        |d| d.content.steps[1].failures.clear(),
        |d| d.content.steps[1].visual_aids.clear(),
        |d| d.content.sections[0].body.push('s'),
    ];
    for (n, change) in cases.into_iter().enumerate() {
        assert_eq!(problems(change), Vec::<String>::new(), "case {n}");
    }
}
