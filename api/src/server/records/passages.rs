//! The passages through approval on a record's page: a table for each stage, a row for each signature.

use maud::{Markup, html};
use sopwith_domain::approval::{RequestState, Verdict};
use sopwith_domain::policy::{Meaning, StageScope};

use super::parts::{Fact, code, duration, entry, facts, identified, person, person_id, plain, said, time, time_or};
use crate::app::signed_record::{Decision, Mandate, Passage, Purpose, Shown, SignedRecord, Stage};

/// All passages of a record.
pub fn section(record: &SignedRecord) -> Markup {
    let own_hash = &record.content.hash;
    html! {
        section {
            h2 { "Signatures" }
            p { (extent(record.passages_shown)) }
            @if record.passages.is_empty() {
                p { "This version was not submitted for approval." }
            }
            @for passage in &record.passages { (passage_of(passage, own_hash)) }
        }
    }
}

fn extent(shown: Shown) -> &'static str {
    match shown {
        Shown::All => {
            "Every passage of this version through approval is listed, rejected and withdrawn ones included, with every \
            decision. A decision that was taken back is marked and does not count."
        }
        Shown::Approval => {
            "The passage that approved this version is listed, with the decisions that stand. Other passages, if there \
            were any, and decisions that were taken back are shown only to those who see the drafts of this SOP."
        }
    }
}

fn passage_of(passage: &Passage, own_hash: &str) -> Markup {
    let purpose = match passage.purpose {
        Purpose::Publication => "Approval",
        Purpose::Retirement => "Retirement",
    };
    let mut about: Vec<Fact> = vec![
        ("Outcome", html! { strong { (outcome(passage.state)) } }),
        ("Requested by", identified(&passage.requested_by)),
        ("Requested", time(passage.opened_at)),
        ("Closed", time_or(passage.closed_at, "not yet")),
        ("Content decided on", hash(&passage.content_hash, own_hash)),
        ("Request", code(&passage.id.to_string())),
        ("Policy", code(&passage.policy_id.to_string())),
        ("Audit entry of the request", entry(passage.opened_entry.as_ref())),
    ];
    if let Some(reason) = &passage.reason {
        about.push(("Reason", said(reason)));
    }
    if passage.requires_resolved_comments {
        about.push(("Condition", html! { "all review comments resolved" }));
    }
    html! {
        article {
            h3 { (purpose) @if let Some(label) = &passage.label { " of version " (label) } ": " (outcome(passage.state)) }
            (facts(&about))
            @for (n, stage) in passage.stages.iter().enumerate() { (stage_of(n + 1, stage, own_hash)) }
        }
    }
}

fn outcome(state: RequestState) -> String {
    plain(state.as_str())
}

fn hash(hash: &str, own: &str) -> Markup {
    html! {
        (code(hash)) @if hash == own { " (that of this record)" } @else { " (another than that of this record)" }
    }
}

fn stage_of(n: usize, stage: &Stage, own_hash: &str) -> Markup {
    html! {
        table {
            caption {
                "Stage " (n) ": " bdi { (stage.name) } ". " (needs(stage))
                @if let Some(opened) = stage.opened_at {
                    " Open from " (time(opened)) " until " (time_or(stage.closed_at, "now")) "."
                } @else { " Never opened." }
            }
            thead {
                tr {
                    th scope="col" { "Signer" }
                    th scope="col" { "Signed" }
                    th scope="col" { "Meaning of the signature" }
                    th scope="col" { "Evidence" }
                }
            }
            tbody {
                @for decision in &stage.decisions { (row(decision, own_hash)) }
                @if stage.decisions.is_empty() { tr { td colspan="4" { "No decision." } } }
            }
        }
    }
}

fn needs(stage: &Stage) -> Markup {
    let whose = match stage.scope {
        StageScope::Team => "held for the SOP's team or the whole organisation",
        StageScope::Anyone => "held for any team",
    };
    html! {
        "Asks for " (stage.min_approvals) @if stage.min_approvals == 1 { " approval" } @else { " approvals" }
        " in the role " bdi { (stage.role) } ", " (whose)
        @if let Some(age) = stage.max_auth_age { ", signed in within " (duration(age)) }
        "."
    }
}

fn row(decision: &Decision, own_hash: &str) -> Markup {
    html! {
        tr.withdrawn[decision.withdrawn_at.is_some()] {
            th scope="row" {
                span.name { (person(&decision.signer)) }
                (code(&person_id(&decision.signer)))
                span { "in the role " bdi { (decision.role) } }
                @if let Some(mandate) = &decision.on_behalf_of { (behalf(mandate)) }
            }
            td {
                (time(decision.decided_at))
                @if let Some(at) = decision.withdrawn_at { p { strong { "Taken back " } (time(at)) } }
            }
            td {
                p { strong { (meaning(decision)) } }
                @if !decision.comment.is_empty() { (said(&decision.comment)) }
            }
            td { (facts(&evidence(decision, own_hash))) }
        }
    }
}

fn behalf(mandate: &Mandate) -> Markup {
    html! {
        span { "on behalf of " strong { (person(&mandate.person)) } }
        (code(&person_id(&mandate.person)))
        span { "by delegation " (code(&mandate.delegation_id.to_string())) }
        span { "from " (time(mandate.starts_at)) " to " (time(mandate.ends_at)) }
    }
}

fn meaning(decision: &Decision) -> &'static str {
    match (decision.verdict, decision.meaning) {
        (Verdict::Approve, Meaning::Reviewed) => "Reviewed: goes ahead",
        (Verdict::Approve, Meaning::Approved) => "Approved",
        (Verdict::Approve, Meaning::VerifiedCompliance) => "Compliance verified",
        (Verdict::Reject, Meaning::Reviewed) => "Rejected on review",
        (Verdict::Reject, Meaning::Approved) => "Rejected, not approved",
        (Verdict::Reject, Meaning::VerifiedCompliance) => "Rejected, compliance not verified",
    }
}

fn evidence(decision: &Decision, own_hash: &str) -> Vec<Fact> {
    let mut facts = vec![
        ("Decision", code(&decision.id.to_string())),
        ("Content signed", hash(&decision.content_hash, own_hash)),
        ("Signed in", time_or(decision.auth_time, "not told by the token")),
        ("Came in by", html! { (decision.via.as_str()) }),
        ("Audit entry", entry(decision.entry.as_ref())),
    ];
    if decision.withdrawn_at.is_some() {
        facts.push(("Audit entry of the withdrawal", entry(decision.withdrawn_entry.as_ref())));
    }
    facts
}
