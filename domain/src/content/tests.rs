//! One spelling and one hash for each document; keys that are never used again.

mod difference;
mod limits;
mod samples;

use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use samples::{document, full};

/// JSON of a value with the fields of objects in an order of its own, and spaces.
fn shuffled(value: &Value, seed: u64) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields
                .sort_by_key(|(name, _)| name.bytes().fold(seed, |n, b| (n ^ u64::from(b)).wrapping_mul(0x0100_01b3)));
            let fields = fields.iter().map(|(k, v)| format!(" {} : {}", Value::from(k.as_str()), shuffled(v, seed)));
            write!(out, "{{{}\n}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            write!(out, "[ {}]", items.iter().map(|v| shuffled(v, seed)).collect::<Vec<_>>().join(" ,"))
        }
        other => write!(out, "{other}"),
    }
    .expect("text takes all");
    out
}

/// JSON pointers to everything in a value: leaves, lists and objects.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, v)| places(v, &format!("{at}/{name}"), out)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), out)),
        _ => {}
    }
}

/// Changes what stands at a place; nothing for an object, whose fields have places of their own.
fn change(value: &mut Value) -> Option<()> {
    match value {
        Value::String(text) if *text == "MATERIAL" => "EDITORIAL".clone_into(text),
        Value::String(text) if *text == "EDITORIAL" => "MATERIAL".clone_into(text),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => "2031-01-01T00:00:00Z".clone_into(text),
        Value::String(text) => text.push('x'),
        Value::Bool(yes) => *yes = !*yes,
        Value::Number(n) => *value = Value::from(n.as_u64()? / 2 + 1_000_000_007),
        Value::Array(items) => drop(items.pop()?),
        Value::Object(_) | Value::Null => return None,
    }
    Some(())
}

fn value(document: &Document) -> Value {
    serde_json::to_value(document).expect("a document is JSON")
}

proptest! {
    #[test]
    fn the_order_of_fields_does_not_matter(document in document(), seed in any::<u64>()) {
        let text = shuffled(&value(&document), seed);
        let read: Document = serde_json::from_str(&text).expect("it is the same JSON");
        prop_assert_eq!(read.canonical(), document.canonical());
        let (text, hash) = document.canonical();
        let again: Document = serde_json::from_str(&text).expect("the canonical text is JSON");
        prop_assert_eq!((&again, again.canonical().1), (&document, hash));
        prop_assert_eq!(hash.to_string().parse(), Ok(hash));
    }

    #[test]
    fn any_change_changes_the_hash(document in document(), place in any::<prop::sample::Index>()) {
        let (mut changed, mut all) = (value(&document), Vec::new());
        places(&changed, "", &mut all);
        if changed.pointer_mut(place.get::<String>(&all)).and_then(change).is_some() {
            let changed: Document = serde_json::from_value(changed).expect("it is still a document");
            prop_assert_ne!(&changed, &document);
            prop_assert_ne!(changed.canonical().1, document.canonical().1);
        }
    }

    #[test]
    fn only_equal_documents_have_equal_hashes(a in document(), b in document()) {
        prop_assert_eq!(a.canonical().1 == b.canonical().1, a == b);
    }
}

#[test]
fn every_field_is_covered_by_the_hash() {
    let (hash, mut all) = (full().canonical().1, Vec::new());
    places(&value(&full()), "", &mut all);
    let read: Document = serde_json::from_value(value(&full())).expect("it is a document");
    assert_eq!(read, full(), "a field is not written, so not covered");
    for place in &all {
        let mut changed = value(&full());
        if changed.pointer_mut(place).and_then(change).is_some() {
            let changed: Document = serde_json::from_value(changed).expect("it is still a document");
            assert_ne!(changed.canonical().1, hash, "{place} is not covered");
        }
    }
}

#[test]
fn the_hash_of_a_known_document_is_known() {
    let mut document = Document { kind: ChangeKind::Editorial, effective_at: None, content: Content::default() };
    "\u{20ac}\u{1}".clone_into(&mut document.content.title);
    let (text, hash) = document.canonical();
    assert_eq!(
        text,
        concat!(
            r#"{"content":{"audience":[],"changeLog":{"what":"","why":""},"objective":"","outOfScope":"","#,
            r#""prerequisites":[],"references":[],"scope":"","sections":[],"steps":[],"title":"€\u0001"},"#,
            r#""kind":"EDITORIAL"}"#
        )
    );
    assert_eq!(hash.to_string(), KNOWN);
}

/// Taken with `sha256sum` of the text above.
const KNOWN: &str = "065bd3b4495dab908c01c5463bce31d24149a0efbc77551435964a2f766b267a";

#[test]
fn a_hash_reads_back_and_nothing_else_does() {
    let hash = full().canonical().1;
    assert_eq!(hash.to_string().parse(), Ok(hash));
    let text = hash.to_string();
    for wrong in ["", "ab", &text[1..], &format!("{text}00"), &text.replacen(|_: char| true, "g", 1)] {
        assert_eq!(wrong.parse::<ContentHash>(), Err(InvalidHash));
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        3 => (0..9_u32).prop_map(|n| format!("step-{n}")),
        1 => (0..9_u32).prop_map(|n| format!("section-{n}")),
        1 => prop::sample::select(vec!["step-", "step-x", "step-007", "step-1.5", "ask", "step-18446744073709551616"])
            .prop_map(str::to_owned),
    ]
}

fn keyed(keys: &[String]) -> Content {
    let step = |key: &String| Step { key: key.clone(), ..Step::default() };
    let section = |key: &String| Section { key: key.clone(), ..Section::default() };
    Content {
        steps: keys.iter().map(step).collect(),
        sections: keys.iter().map(section).collect(),
        ..Content::default()
    }
}

/// Checks the keys of one list: what was given stays, what was not is new to both contents and good for a key.
fn check_new_keys(before: &[String], earlier: &[String], after: &[String]) -> Result<(), TestCaseError> {
    let mut taken: BTreeSet<&String> = before.iter().chain(earlier).collect();
    prop_assert_eq!(before.len(), after.len());
    for (old, new) in before.iter().zip(after) {
        if old.is_empty() {
            prop_assert!(is_key(new), "{:?} is no key", new);
            prop_assert!(taken.insert(new), "{} is taken, in {:?} after {:?}", new, before, earlier);
        } else {
            prop_assert_eq!(old, new);
        }
    }
    Ok(())
}

fn check_assignment(keys: &[String], earlier: &[String]) -> Result<(), TestCaseError> {
    let mut content = keyed(keys);
    content.assign_keys((!earlier.is_empty()).then(|| keyed(earlier)).as_ref());
    let steps: Vec<String> = content.steps.iter().map(|s| s.key.clone()).collect();
    let sections: Vec<String> = content.sections.iter().map(|s| s.key.clone()).collect();
    check_new_keys(keys, earlier, &steps)?;
    check_new_keys(keys, earlier, &sections)
}

proptest! {
    #[test]
    fn a_new_key_was_never_used(
        keys in prop::collection::vec(key(), 0..8),
        earlier in prop::collection::vec(key(), 0..8),
    ) {
        check_assignment(&keys, &earlier)?;
    }

    #[test]
    fn a_slug_is_a_key_or_nothing(text in "\\PC{0,120}") {
        let slug = slug(&text);
        prop_assert!(slug.is_empty() || is_key(&slug), "{slug}");
        prop_assert_eq!(super::slug(&slug), slug);
    }
}

#[test]
fn a_new_key_was_never_used_even_at_the_highest_number() {
    let highest = format!("step-{}", u32::MAX);
    check_assignment(&[highest.clone(), String::new()], &[]).unwrap();
    check_assignment(&[String::new()], &[highest]).unwrap();
}

#[test]
fn slugs() {
    assert_eq!(slug("  Reset: a Password! "), "reset-a-password");
    assert_eq!(slug("--"), "");
    assert_eq!(slug(&"abc-".repeat(60)).len(), 99, "the dash at the cut goes");
}
