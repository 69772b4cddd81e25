//! Documents to test with: one with everything in it, and any number of random ones.

use proptest::prelude::*;

use crate::content::{
    Branch, ChangeKind, ChangeLog, CodeBlock, Content, Document, Failure, Reference, Section, Step, VisualAid,
};
use crate::time::{SECOND, Timestamp};

fn text(text: &str) -> String {
    text.to_owned()
}

/// A step in which no field is empty. No field is left to a default: a new one has to be named here.
pub fn full_step(key: &str) -> Step {
    Step {
        key: text(key),
        section: text("intro"),
        instruction: text("Ask who it is"),
        detail: text("By telephone"),
        code_blocks: vec![CodeBlock { language: text("bash"), text: text("id \"$USER\"") }],
        role: text("service desk"),
        expected_duration: Some(60),
        tools: vec![text("telephone")],
        inputs: vec![text("user name")],
        expected_outcome: text("It is known who it is"),
        failures: vec![Failure { symptom: text("no answer"), remedy: text("call back") }],
        checkpoint: text("the date of birth fits"),
        approval: text("line manager"),
        visual_aids: vec![VisualAid { title: text("form"), url: text("https://example.org/f"), sha256: text("ab") }],
        teams: vec![text("desk")],
        branches: vec![Branch { condition: text("unknown"), go_to: text("reset") }],
        mandatory: false,
    }
}

/// A document in which no field is empty.
pub fn full() -> Document {
    let content = Content {
        title: text("Reset a password"),
        objective: text("People can sign in again"),
        scope: text("Staff"),
        out_of_scope: text("Guests"),
        audience: vec![text("service desk")],
        prerequisites: vec![text("a ticket")],
        references: vec![Reference { standard: text("ISO"), clause: text("7.5"), url: text("https://example.org") }],
        sections: vec![Section { key: text("intro"), heading: text("Why"), body: text("Because\nit is.") }],
        steps: vec![full_step("ask"), full_step("reset")],
        change_log: ChangeLog { what: text("all of it"), why: text("it was time") },
    };
    let effective_at = Some(Timestamp::from_micros(1_780_000_000 * SECOND));
    Document { kind: ChangeKind::Material, effective_at, content }
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-b]{1,2}", "[\"\\\\\u{e9}\u{1f600}\u{7f} \n/]{1,3}"]
}

fn step(key: String) -> impl Strategy<Value = Step> {
    let texts = (words(), words(), words());
    let lists = (prop::collection::vec(words(), 0..3), prop::collection::vec((words(), words()), 0..3));
    (texts, lists, prop::option::of(0..u32::MAX), any::<bool>()).prop_map(move |(texts, lists, duration, mandatory)| {
        Step {
            key: key.clone(),
            instruction: texts.0,
            role: texts.1,
            checkpoint: texts.2,
            tools: lists.0,
            branches: lists.1.into_iter().map(|(condition, go_to)| Branch { condition, go_to }).collect(),
            expected_duration: duration,
            mandatory,
            ..Step::default()
        }
    })
}

/// Steps out of a few keys, each at most once, in any order.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys: Vec<String> = (0..7).map(|n| format!("step-{n}")).collect();
    let chosen = prop::sample::subsequence(keys, 0..=7).prop_shuffle();
    chosen.prop_flat_map(|keys| keys.into_iter().map(step).collect::<Vec<_>>())
}

fn sections() -> impl Strategy<Value = Vec<Section>> {
    let keys: Vec<String> = (0..4).map(|n| format!("section-{n}")).collect();
    let chosen = prop::sample::subsequence(keys, 0..=4).prop_shuffle();
    let section =
        |key: String| words().prop_map(move |body| Section { key: key.clone(), body, heading: String::new() });
    chosen.prop_flat_map(move |keys| keys.into_iter().map(section).collect::<Vec<_>>())
}

/// Any document.
pub fn document() -> impl Strategy<Value = Document> {
    let lists = (prop::collection::vec(words(), 0..3), prop::collection::vec((words(), words()), 0..3));
    let effective = prop::option::of((0..3_i64).prop_map(|s| Timestamp::from_micros(s * SECOND + s)));
    (words(), words(), lists, sections(), steps(), effective, prop::sample::select(ChangeKind::ALL)).prop_map(
        |(title, why, lists, sections, steps, effective_at, kind)| {
            let reference = |(standard, url)| Reference { standard, url, clause: String::new() };
            let references = lists.1.into_iter().map(reference).collect();
            let change_log = ChangeLog { what: String::new(), why };
            let audience = lists.0;
            let content = Content { title, audience, references, sections, steps, change_log, ..Content::default() };
            Document { kind, effective_at, content }
        },
    )
}
