//! The small pieces that a record's page is made of.

use maud::{Markup, html};
use sopwith_domain::time::Timestamp;

use crate::app::signed_record::{AuditLink, Person};

/// One line of [`facts`].
pub type Fact = (&'static str, Markup);

/// Names with their values.
pub fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl {
            @for (name, value) in facts {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// An instant in UTC to the second, which is unambiguous everywhere; in full for programs.
pub fn time(at: Timestamp) -> Markup {
    let full = at.to_string();
    let (date, clock) = full.split_once('T').unwrap_or((&full, ""));
    let seconds = clock.split_once('.').map_or(clock.trim_end_matches('Z'), |(seconds, _)| seconds);
    html! { time datetime=(full) { (date) " " (seconds) " UTC" } }
}

/// The same where there may be none.
pub fn time_or(at: Option<Timestamp>, none: &str) -> Markup {
    at.map_or_else(|| html! { (none) }, time)
}

/// A printed name. Whatever direction it is written in does not reach beyond it.
pub fn person(person: &Person) -> Markup {
    html! {
        @match &person.name {
            Some(name) => bdi { (name) },
            None => { "name not known" },
        }
    }
}

/// A printed name with the id that it cannot be mistaken by.
pub fn identified(who: &Person) -> Markup {
    html! { (person(who)) " " (code(&person_id(who))) }
}

/// The id of a person.
pub fn person_id(person: &Person) -> String {
    person.id.to_string()
}

/// Text that is copied to the letter.
pub fn code(text: &str) -> Markup {
    html! { code { (text) } }
}

/// Text as somebody wrote it, with its lines.
pub fn said(text: &str) -> Markup {
    html! { p.said dir="auto" { (text) } }
}

/// Where the audit chain tells of something.
pub fn entry(link: Option<&AuditLink>) -> Markup {
    html! {
        @match link {
            Some(link) => { "entry " (link.seq) ", hash " (code(&link.hash)) },
            None => "none found",
        }
    }
}

/// A constant's text in plain letters: `IN_REVIEW` is `in review`.
pub fn plain(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}

/// A number of seconds in the units that people use.
pub fn duration(seconds: i64) -> String {
    let units =
        [(seconds / 86_400, "d"), (seconds % 86_400 / 3600, "h"), (seconds % 3600 / 60, "min"), (seconds % 60, "s")];
    let parts: Vec<String> = units.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_to_the_second_and_in_utc() {
        for (text, full) in [
            ("2026-07-01T09:30:00.25+02:00", "2026-07-01T07:30:00.250Z"),
            ("2026-07-01T09:30:59Z", "2026-07-01T09:30:59Z"),
        ] {
            let shown = time(text.parse().unwrap()).into_string();
            let short = format!("{} {} UTC", &full[..10], &full[11..19]);
            assert_eq!(shown, format!("<time datetime=\"{full}\">{short}</time>"));
        }
    }

    #[test]
    fn durations_leave_out_what_is_zero() {
        assert_eq!([0, 59, 3600, 90_061].map(duration), ["0 s", "59 s", "1 h", "1 d 1 h 1 min 1 s"]);
    }
}
