//! What a version says, on a record's page: every field of it that is not empty.

use maud::{Markup, html};
use sopwith_domain::content::{Branch, CodeBlock, Content, Failure, Reference, Section, Step, VisualAid};

use super::markdown;
use super::parts::{Fact, code, duration, facts, said};

/// The procedure.
pub fn section(content: &Content) -> Markup {
    html! {
        section.procedure {
            h2 { "Procedure" }
            (prose("Objective", &content.objective))
            (prose("Scope", &content.scope))
            (prose("Out of scope", &content.out_of_scope))
            (entries("Audience", &content.audience))
            (entries("Prerequisites", &content.prerequisites))
            (references(&content.references))
            @for section in &content.sections { (prose_section(section)) }
            h3 { "Steps" }
            @if content.steps.is_empty() { p { "None." } }
            @for (n, step) in content.steps.iter().enumerate() { (step_of(n + 1, step, content)) }
        }
    }
}

fn prose(heading: &str, text: &str) -> Markup {
    html! { @if !text.is_empty() { h3 { (heading) } (said(text)) } }
}

fn entries(heading: &str, entries: &[String]) -> Markup {
    html! { @if !entries.is_empty() { h3 { (heading) } (list(entries)) } }
}

fn list(entries: &[String]) -> Markup {
    html! { ul { @for entry in entries { li dir="auto" { (entry) } } } }
}

fn references(references: &[Reference]) -> Markup {
    html! {
        @if !references.is_empty() {
            h3 { "References" }
            table {
                thead { tr { th scope="col" { "Standard or document" } th scope="col" { "Clause" } th scope="col" { "Where" } } }
                tbody {
                    @for reference in references {
                        tr {
                            th scope="row" { (reference.standard) }
                            td { (reference.clause) }
                            td { (address(&reference.url)) }
                        }
                    }
                }
            }
        }
    }
}

/// An address, as a link where it is safe to follow.
fn address(url: &str) -> Markup {
    html! { @if markdown::is_safe(url) { a.bare href=(url) { (url) } } @else { (url) } }
}

fn prose_section(section: &Section) -> Markup {
    html! {
        h3 dir="auto" { @if section.heading.is_empty() { (section.key) } @else { (section.heading) } }
        div.prose dir="auto" { (markdown::render(&section.body, 4)) }
    }
}

fn step_of(n: usize, step: &Step, content: &Content) -> Markup {
    html! {
        article.step {
            h4 dir="auto" {
                "Step " (n) ": " (step.instruction)
                @if !step.mandatory { " (optional)" }
            }
            (facts(&step_facts(step, content)))
            @if !step.detail.is_empty() { div.prose dir="auto" { (markdown::render(&step.detail, 5)) } }
            @for block in &step.code_blocks { (code_block(block)) }
            (failures(&step.failures))
        }
    }
}

fn step_facts(step: &Step, content: &Content) -> Vec<Fact> {
    let text = |text: &str| (!text.is_empty()).then(|| said(text));
    let several = |entries: &[String]| (!entries.is_empty()).then(|| list(entries));
    let heading = content.sections.iter().find(|s| s.key == step.section).map(|s| s.heading.as_str());
    let all = [
        ("Key", Some(code(&step.key))),
        ("Section", text(heading.filter(|h| !h.is_empty()).unwrap_or(&step.section))),
        ("Role", text(&step.role)),
        ("Expected duration", step.expected_duration.map(|s| html! { (duration(i64::from(s))) })),
        ("Tools", several(&step.tools)),
        ("Inputs", several(&step.inputs)),
        ("Expected outcome", text(&step.expected_outcome)),
        ("Checkpoint", text(&step.checkpoint)),
        ("Go-ahead needed from", text(&step.approval)),
        ("Only for the teams", several(&step.teams)),
        ("Branches", (!step.branches.is_empty()).then(|| branches(&step.branches, content))),
        ("Visual aids", (!step.visual_aids.is_empty()).then(|| visual_aids(&step.visual_aids))),
    ];
    all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}

fn branches(branches: &[Branch], content: &Content) -> Markup {
    let to = |key: &str| {
        let n = content.steps.iter().position(|step| step.key == key);
        html! {
            @match n {
                Some(n) => { "step " (n + 1) " (" (code(key)) ")" },
                None if key.is_empty() => "the end of the procedure",
                None => (code(key)),
            }
        }
    };
    html! { ul { @for branch in branches { li { bdi { (branch.condition) } ": go to " (to(&branch.go_to)) } } } }
}

fn visual_aids(aids: &[VisualAid]) -> Markup {
    html! {
        ul {
            @for aid in aids {
                li {
                    bdi { (aid.title) } " " (address(&aid.url))
                    @if !aid.sha256.is_empty() { " SHA-256 " (code(&aid.sha256)) }
                }
            }
        }
    }
}

fn code_block(block: &CodeBlock) -> Markup {
    html! {
        figure {
            figcaption { @if block.language.is_empty() { "Code" } @else { "Code (" (block.language) ")" } }
            pre { code { (block.text) } }
        }
    }
}

fn failures(failures: &[Failure]) -> Markup {
    html! {
        @if !failures.is_empty() {
            table {
                caption { "What may go wrong" }
                thead { tr { th scope="col" { "One notices" } th scope="col" { "Then" } } }
                tbody {
                    @for failure in failures {
                        tr { th.said scope="row" { (failure.symptom) } td.said { (failure.remedy) } }
                    }
                }
            }
        }
    }
}
