//! What happens that somebody may want to hear of, and what they are told.

use serde::{Deserialize, Serialize};

use crate::approval::Via;
use crate::text::text_enum;
use crate::time::{DAY, HOUR, MINUTE, Timestamp};

text_enum! {
    /// A kind of event.
    EventKind {
        /// A stage of an approval request was opened: it waits for somebody to decide.
        ApprovalRequested = "approval.requested",
        /// It has waited for so long that those who can decide are reminded.
        ApprovalReminder = "approval.reminder",
        /// It has waited for so long that those who answer for the procedure are told.
        ApprovalEscalated = "approval.escalated",
        /// A review comment asks for somebody's attention.
        CommentMentioned = "comment.mentioned",
    }
}

/// What an event tells beside what it points to, as things were when it happened. No person is named, so that whoever
/// is to be forgotten can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The code of the SOP.
    pub code: String,
    /// What the version was called; the SOP, where it is about no version.
    pub title: String,
    /// The version's label, where it had one.
    pub label: Option<String>,
    /// The stage that is open, of an approval request.
    pub stage: Option<OpenStage>,
    /// By which way it came in.
    pub via: Via,
}

/// A stage that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenStage {
    /// Its name.
    pub name: String,
    /// The role that decides in it.
    pub role: String,
    /// Since when it has been open.
    pub since: Timestamp,
    /// Whether the SOP is to be retired, and not a version to be published.
    pub retirement: bool,
}

impl Facts {
    /// What it is about, in words: `version 1.0 of OPS-0001 "Reset a password"`.
    #[must_use]
    pub fn subject(&self) -> String {
        let retirement = self.stage.as_ref().is_some_and(|stage| stage.retirement);
        let of = match &self.label {
            _ if retirement => "the retirement of ".to_owned(),
            Some(label) => format!("version {label} of "),
            None => String::new(),
        };
        format!("{of}{} \"{}\"", self.code, self.title)
    }

    /// What happened, as one sentence.
    #[must_use]
    pub fn sentence(&self, kind: EventKind) -> String {
        let subject = self.subject();
        let mut told = match (&self.stage, kind) {
            (Some(stage), EventKind::ApprovalRequested) => {
                format!("{subject} waits for a decision in the stage \"{}\".", stage.name)
            }
            (Some(stage), EventKind::ApprovalReminder) => {
                format!("{subject} still waits for a decision in the stage \"{}\".", stage.name)
            }
            (Some(stage), EventKind::ApprovalEscalated) => {
                let since: String = stage.since.to_string().chars().take_while(|c| *c != 'T').collect();
                format!("{subject} has waited since {since} for a decision in the stage \"{}\".", stage.name)
            }
            _ => format!("A comment on {subject} asks for your attention."),
        };
        if let Some(first) = told.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        told
    }
}

/// A length of time in words, rounded down: `3 days`. Takes microseconds.
#[must_use]
pub fn in_words(micros: i64) -> String {
    let count = |n: i64, unit: &str| if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") };
    match micros {
        DAY.. => count(micros / DAY, "day"),
        HOUR.. => count(micros / HOUR, "hour"),
        MINUTE.. => count(micros / MINUTE, "minute"),
        _ => "less than a minute".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(retirement: bool) -> Facts {
        let stage = OpenStage {
            name: "Review".to_owned(),
            role: "reviewer".to_owned(),
            since: Timestamp::from_micros(0),
            retirement,
        };
        let label = (!retirement).then(|| "1.0".to_owned());
        Facts { code: "OPS-0001".to_owned(), title: "Reset".to_owned(), label, stage: Some(stage), via: Via::Api }
    }

    #[test]
    fn says_what_happened_to_what() {
        let cases = [
            (
                EventKind::ApprovalRequested,
                false,
                r#"Version 1.0 of OPS-0001 "Reset" waits for a decision in the stage "Review"."#,
            ),
            (
                EventKind::ApprovalReminder,
                true,
                r#"The retirement of OPS-0001 "Reset" still waits for a decision in the stage "Review"."#,
            ),
            (
                EventKind::ApprovalEscalated,
                false,
                r#"Version 1.0 of OPS-0001 "Reset" has waited since 1970-01-01 for a decision in the stage "Review"."#,
            ),
            (
                EventKind::CommentMentioned,
                false,
                r#"A comment on version 1.0 of OPS-0001 "Reset" asks for your attention."#,
            ),
        ];
        for (kind, retirement, text) in cases {
            assert_eq!(facts(retirement).sentence(kind), text);
        }
    }

    #[test]
    fn reads_back() {
        let told = facts(false);
        let text = serde_json::to_string(&told).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), told);
    }

    #[test]
    fn rounds_lengths_of_time_down() {
        let cases = [
            (-1, "less than a minute"),
            (MINUTE - 1, "less than a minute"),
            (MINUTE, "1 minute"),
            (2 * HOUR - 1, "1 hour"),
            (DAY - 1, "23 hours"),
            (3 * DAY + HOUR, "3 days"),
        ];
        for (micros, words) in cases {
            assert_eq!(in_words(micros), words);
        }
    }
}
