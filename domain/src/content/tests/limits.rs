//! What even a draft must hold to, and what is missing before review.

use super::samples::full;
use crate::content::{Content, MAX_ENTRIES, MAX_LINE, MAX_TEXT, Section, is_key};

/// Changes one thing.
type Change = fn(&mut Content);

fn paths(problems: Vec<crate::error::Problem>) -> Vec<String> {
    problems.into_iter().map(|p| p.path.join(".")).collect()
}

fn changed(change: Change) -> Content {
    let mut content = full().content;
    change(&mut content);
    content
}

fn long(n: usize) -> String {
    // Two bytes each: it is characters that count.
    "\u{e9}".repeat(n)
}

fn section(key: &str) -> Section {
    Section { key: key.to_owned(), ..Section::default() }
}

#[test]
fn what_a_draft_may_not_hold_is_named() {
    let cases: [(Change, &[&str]); 20] = [
        (|c| c.title = " ".to_owned(), &["title"]),
        (|c| c.title = long(MAX_LINE + 1), &["title"]),
        (|c| c.title = "a\0b".to_owned(), &["title"]),
        (|c| c.objective = long(MAX_TEXT + 1), &["objective"]),
        (|c| c.audience = vec![long(MAX_LINE + 1)], &["audience.0"]),
        (|c| c.audience = vec![String::new(); MAX_ENTRIES + 1], &["audience"]),
        (|c| c.references[0].url = long(MAX_LINE + 1), &["references.0.url"]),
        (|c| c.sections[0].body = long(MAX_TEXT + 1), &["sections.0.body"]),
        (|c| c.sections.push(section("intro")), &["sections.1.key"]),
        (|c| c.sections.push(section("Not a key")), &["sections.1.key"]),
        (|c| c.sections.push(section("")), &["sections.1.key"]),
        (|c| c.sections[0].key = "a".repeat(101), &["sections.0.key", "steps.0.section", "steps.1.section"]),
        (
            |c| "ask".clone_into(&mut c.steps[1].key),
            &["steps.1.key", "steps.0.branches.0.goTo", "steps.1.branches.0.goTo"],
        ),
        (|c| c.steps[1].role = long(MAX_LINE + 1), &["steps.1.role"]),
        (|c| c.steps[1].detail = long(MAX_TEXT + 1), &["steps.1.detail"]),
        (|c| c.steps[1].code_blocks[0].text = long(MAX_TEXT + 1), &["steps.1.codeBlocks.0.text"]),
        (|c| c.steps[1].failures[0].symptom = "\0".to_owned(), &["steps.1.failures.0.symptom"]),
        (|c| c.steps[1].tools = vec![String::new(); MAX_ENTRIES + 1], &["steps.1.tools"]),
        (|c| "none".clone_into(&mut c.steps[1].section), &["steps.1.section"]),
        (|c| "none".clone_into(&mut c.steps[0].branches[0].go_to), &["steps.0.branches.0.goTo"]),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        assert_eq!(paths(changed(change).check()), expected, "case {n}");
    }
}

#[test]
fn what_is_just_allowed_is_taken() {
    let cases: [Change; 8] = [
        |_| (),
        |c| *c = Content { title: "T".to_owned(), ..Content::default() },
        |c| c.title = long(MAX_LINE),
        |c| c.objective = long(MAX_TEXT),
        |c| c.audience = vec![long(MAX_LINE); MAX_ENTRIES],
        |c| c.steps[0].section.clear(),
        |c| c.steps[0].branches[0].go_to.clear(),
        |c| c.sections.push(section("steps")),
    ];
    for (n, change) in cases.into_iter().enumerate() {
        assert_eq!(paths(changed(change).check()), Vec::<String>::new(), "case {n}");
    }
}

#[test]
fn what_is_missing_before_review_is_named() {
    let cases: [(Change, &[&str]); 9] = [
        (|_| (), &[]),
        (|c| c.objective.clear(), &["objective"]),
        (|c| c.objective = "\n ".to_owned(), &["objective"]),
        (|c| c.change_log.what.clear(), &["changeLog.what"]),
        (|c| c.change_log.why.clear(), &["changeLog.why"]),
        (|c| c.steps.clear(), &["steps"]),
        (|c| c.steps[1].instruction.clear(), &["steps.1.instruction"]),
        (|c| c.steps[1].role.clear(), &["steps.1.role"]),
        (|c| (c.title, c.steps) = (String::new(), Vec::new()), &["title", "steps"]),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        let content = changed(change);
        assert_eq!(paths(content.check_complete()), expected, "case {n}");
        assert!(n == 8 || content.check().is_empty(), "a draft may lack it: case {n}");
    }
}

#[test]
fn keys() {
    let (longest, longer) = ("a".repeat(100), "a".repeat(101));
    for good in ["a", "step-1", "a_b.c", "0", &longest] {
        assert!(is_key(good), "{good}");
    }
    for bad in ["", " ", "A", "\u{e9}", "a b", "a/b", "a\0", &longer] {
        assert!(!is_key(bad), "{bad}");
    }
}
