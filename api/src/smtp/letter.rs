//! The words of a mail. Nothing of a procedure's content stands in one but its title.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use sopwith_domain::event::{EventKind, in_words};

use crate::app::mail::{About, Letter};

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 150;

/// Says that no person wrote it, so that no absence is answered to it (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A letter as a message. The same letter has the same id each time, so that a reader's mailbox can tell.
///
/// # Errors
/// The reason, when the recipient's address is none.
pub(super) fn compose(letter: &Letter, from: &Mailbox, base_url: &str) -> Result<Message, String> {
    let to: Address = letter.address.parse().map_err(|error| format!("the recipient's address: {error}"))?;
    let id = format!("<{}.{}@{}>", letter.event.0.simple(), letter.person.0.simple(), from.email.domain());
    let message = Message::builder()
        .date(SystemTime::UNIX_EPOCH + Duration::from_micros(letter.now.micros().unsigned_abs()))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(subject(letter))
        .message_id(Some(id))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    message.body(body(letter, base_url)).map_err(|error| error.to_string())
}

fn subject(letter: &Letter) -> String {
    let what = match letter.kind {
        EventKind::ApprovalRequested => "Your decision is asked for",
        EventKind::ApprovalReminder => "Your decision is still waited for",
        EventKind::ApprovalEscalated => "A decision has not been taken",
        EventKind::CommentMentioned => "You are mentioned in a comment",
    };
    let text = format!("[{}] {what}: {}", letter.facts.code, letter.facts.title);
    // The library encodes what a header cannot hold; a line of its own is of no use in a subject all the same.
    let text = one_line(&text);
    if text.chars().count() <= MAX_SUBJECT {
        return text;
    }
    text.chars().take(MAX_SUBJECT - 1).chain(['…']).collect()
}

fn body(letter: &Letter, base_url: &str) -> String {
    let facts = &letter.facts;
    let mut lines = vec![facts.sentence(letter.kind), String::new()];
    lines.push(format!("Procedure: {} {}", facts.code, facts.title));
    if let Some(label) = &facts.label {
        lines.push(format!("Version: {label}"));
    }
    if let Some(stage) = &facts.stage {
        lines.push(format!("Stage: {} ({})", stage.name, stage.role));
        lines.push(format!("Open for: {}", in_words(letter.now.since(stage.since))));
    }
    let link = match letter.about {
        About::Request(id) => format!("{base_url}/approvals/{id}"),
        About::Comment(id) => format!("{base_url}/comments/{id}"),
    };
    lines.extend([String::new(), link, String::new(), why(letter.kind).to_owned(), String::new()]);
    let lines: Vec<String> = lines.iter().map(|line| one_line(line)).collect();
    lines.join("\r\n")
}

/// A title or a name may hold what begins a new line; none of it becomes one.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn why(kind: EventKind) -> &'static str {
    match kind {
        EventKind::ApprovalRequested | EventKind::ApprovalReminder => {
            "You get this mail because you can decide in this stage."
        }
        EventKind::ApprovalEscalated => {
            "You get this mail because you own the procedure, or are a manager of its team."
        }
        EventKind::CommentMentioned => "You get this mail because the comment mentions you.",
    }
}

#[cfg(test)]
mod tests {
    use sopwith_domain::approval::Via;
    use sopwith_domain::event::{Facts, OpenStage};
    use sopwith_domain::ids::{EventId, PersonId, RequestId};
    use sopwith_domain::time::{DAY, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn letter(title: &str, address: &str) -> Letter {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let stage = OpenStage {
            name: "Review".to_owned(),
            role: "reviewer".to_owned(),
            since: now.plus(-3 * DAY - 1),
            retirement: false,
        };
        Letter {
            event: EventId(Uuid::from_u128(1)),
            person: PersonId(Uuid::from_u128(2)),
            address: address.to_owned(),
            kind: EventKind::ApprovalReminder,
            facts: Facts {
                code: "OPS-0001".to_owned(),
                title: title.to_owned(),
                label: Some("1.0".to_owned()),
                stage: Some(stage),
                via: Via::Api,
            },
            about: About::Request(RequestId(Uuid::from_u128(3))),
            now,
        }
    }

    fn composed(letter: &Letter) -> String {
        let from = "Sopwith <sopwith@example.org>".parse().unwrap();
        String::from_utf8(compose(letter, &from, "https://sops.example.org").unwrap().formatted()).unwrap()
    }

    #[test]
    fn tells_what_where_and_how_long() {
        let text = composed(&letter("Reset a password", "rob@example.org"));
        // Long lines are broken on the way.
        let text = text.replace("=\r\n", "");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: Sopwith <sopwith@example.org>",
            "To: rob@example.org",
            "Subject: [OPS-0001] Your decision is still waited for: Reset a password",
            "Auto-Submitted: auto-generated",
            "Message-ID: <00000000000000000000000000000001.00000000000000000000000000000002@example.org>",
            "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        ] {
            let unfolded = head.replace("\r\n ", " ");
            assert!(unfolded.lines().any(|l| l == line), "{line} in {head}");
        }
        for line in [
            "Version 1.0 of OPS-0001 \"Reset a password\" still waits for a decision in the stage \"Review\".",
            "Stage: Review (reviewer)",
            "Open for: 3 days",
            "https://sops.example.org/approvals/req_00000000000000000000000000000003",
        ] {
            assert!(body.lines().any(|l| l == line), "{line} in {body}");
        }
    }

    #[test]
    fn no_title_makes_a_header_or_a_second_message() {
        for title in
            ["x\r\nBcc: evil@example.org", "x\nBcc: evil@example.org", "x\rBcc: evil@example.org", "ü\r\n\r\nBcc:"]
        {
            let text = composed(&letter(title, "rob@example.org"));
            let head = text.split_once("\r\n\r\n").unwrap().0;
            assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
            assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "no bare line end: {head:?}");
        }
        let long = composed(&letter(&"ä".repeat(10_000), "rob@example.org"));
        let head = long.split_once("\r\n\r\n").unwrap().0;
        assert!(head.len() < 2000 && head.lines().all(|line| line.len() < 998), "{head}");
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        let from: Mailbox = "sopwith@example.org".parse().unwrap();
        for address in [
            "rob",
            "rob@example.org\r\nRCPT TO:<evil@example.org>",
            "rob@example.org, evil@example.org",
            "",
            "Rob <rob@example.org>",
            "a b@example.org",
            "rob@example.org>",
        ] {
            assert!(compose(&letter("x", address), &from, "https://x").is_err(), "{address}");
        }
    }
}
