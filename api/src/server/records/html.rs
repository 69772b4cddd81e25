//! A signed record as a page: self-contained, without scripts, made to be printed.

use std::sync::LazyLock;

use maud::{DOCTYPE, Markup, html};
use sopwith_domain::lifecycle::VersionState;
use sopwith_domain::time::Timestamp;

use super::parts::{Fact, code, entry, facts, identified, person, plain, said, time, time_or};
use super::{content, passages};
use crate::app::signed_record::{AuditLink, SignedContent, SignedRecord, Version};
use crate::server::style::Style;

/// The page's one style sheet.
const STYLE: Style = Style::new(include_str!("style.css"));

/// What the page may load or run: nothing but its own style sheet.
pub static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STYLE.source();
    format!("default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
});

/// The whole page.
pub fn page(record: &SignedRecord) -> Markup {
    let (sop, version) = (&record.sop, &record.version);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (sop.code) " " (label(version)) " " (version.title) ": signed record" }
                (STYLE.element())
            }
            body {
                header {
                    p { "Signed record of a standard operating procedure" }
                    h1 dir="auto" { (version.title) }
                    p { strong { (sop.code) } ", " (label(version)) ", " strong { (plain(version.state.as_str())) } }
                }
                main {
                    (identity(record))
                    (passages::section(record))
                    (history(record))
                    (integrity(&record.content))
                    (content::section(&record.content.document.content))
                }
                footer { (about(record)) }
            }
        }
    }
}

fn label(version: &Version) -> String {
    version.label.as_ref().map_or_else(|| "version without a label".to_owned(), |label| format!("version {label}"))
}

fn identity(record: &SignedRecord) -> Markup {
    let (sop, version) = (&record.sop, &record.version);
    let ended = match version.state {
        VersionState::Superseded => "Superseded",
        VersionState::Retired => "Retired",
        VersionState::Discarded => "Discarded",
        _ => "Ended",
    };
    let mut all: Vec<Fact> = vec![
        ("Team", html! { bdi { (sop.team.name) } " (" (sop.team.key) ")" }),
        ("Process", html! { bdi { (sop.process.name) } " (" (sop.process.key) ")" }),
        ("Owner", identified(&sop.owner)),
        ("Risk", html! { (plain(sop.risk.as_str())) }),
        ("State of the SOP", html! { (plain(sop.state.as_str())) }),
        ("Kind of change", html! { (plain(version.kind.as_str())) }),
        ("Begun", html! { (time(version.created_at)) " by " (person(&version.created_by)) }),
        ("Contributors", html! { ul { @for who in &version.contributors { li { (identified(who)) } } } }),
        ("Submitted", submitted(version)),
        ("To come into force", time_or(version.effective_at, "as soon as approved")),
        ("Came into force", moved(version.published_at, version.published_entry.as_ref(), "not in force so far")),
    ];
    if version.ended_at.is_some() {
        all.push((ended, moved(version.ended_at, version.ended_entry.as_ref(), "")));
    }
    all.push(("SOP", code(&sop.id.to_string())));
    all.push(("Version", code(&version.id.to_string())));
    html! { section { h2 { "Identity" } (facts(&all)) } }
}

fn submitted(version: &Version) -> Markup {
    html! {
        (time_or(version.submitted_at, "never"))
        @if let Some(by) = &version.submitted_by { " by " (identified(by)) }
    }
}

fn moved(at: Option<Timestamp>, link: Option<&AuditLink>, none: &str) -> Markup {
    html! { (time_or(at, none)) @if at.is_some() { " (audit " (entry(link)) ")" } }
}

fn history(record: &SignedRecord) -> Markup {
    html! {
        section {
            h2 { "Change log" }
            table {
                caption { "The versions that came into force, up to this one" }
                thead {
                    tr {
                        th scope="col" { "Version" }
                        th scope="col" { "In force from" }
                        th scope="col" { "What changed" }
                        th scope="col" { "Why" }
                    }
                }
                tbody {
                    @for change in &record.history {
                        tr {
                            th scope="row" { (change.label.as_deref().unwrap_or("this version")) " " (plain(change.kind.as_str())) }
                            td { (time_or(change.published_at, "not in force so far")) }
                            td.said { (change.what) }
                            td.said { (change.why) }
                        }
                    }
                }
            }
        }
    }
}

fn integrity(content: &SignedContent) -> Markup {
    html! {
        section {
            h2 { "Content hash" }
            p.hash { (code(&content.hash)) }
            @if content.hash_verified {
                p { "It was computed anew for this record and is that of the procedure printed here." }
            } @else {
                p role="alert" {
                    strong {
                        "It is NOT the hash of the procedure printed here: the stored content was changed after it was signed."
                    }
                }
            }
            p {
                "It is the SHA-256 of the UTF-8 bytes of the canonical JSON (RFC 8785) of the document: the procedure as "
                "printed below, the kind of the change and its effective date. Every signature names the hash that its "
                "signer saw. The JSON form of this record has the canonical text."
            }
        }
    }
}

fn about(record: &SignedRecord) -> Markup {
    let all = [
        ("Produced", time(record.produced_at)),
        ("For", identified(&record.produced_by)),
        ("By", html! { (record.produced_with.name) " " (record.produced_with.version) }),
        ("Form", code(record.format)),
    ];
    html! {
        h2 { "About this record" }
        (facts(&all))
        (said("All times are in UTC. Names are those known when the record was produced; ids never change."))
        (said(
            "The signatures are decisions of people signed in at the service, kept in its database and in its audit chain. \
            They are no qualified electronic signatures, and this copy bears none of its own: to check it, compare its \
            hashes with those that the service tells.",
        ))
    }
}
