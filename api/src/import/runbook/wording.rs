//! Which headings call for action, and what a heading says as an instruction.

/// Stems of headings that call for action, each with its verb.
const STEMS: [(&str, &str); 12] = [
    ("diagnos", "Diagnose"),
    ("mitigat", "Mitigate"),
    ("troubleshoot", "Troubleshoot"),
    ("resol", "Resolve"),
    ("remed", "Remedy"),
    ("recover", "Recover from"),
    ("escalat", "Escalate"),
    ("workaround", "Work around"),
    ("debug", "Debug"),
    ("procedure", "Work through"),
    ("runbook", "Work through"),
    ("action", "Take the actions for"),
];

/// First words of headings that are instructions already.
const VERBS: [&str; 24] = [
    "check",
    "collect",
    "confirm",
    "delete",
    "determine",
    "disable",
    "drain",
    "enable",
    "ensure",
    "expand",
    "fix",
    "gather",
    "identify",
    "if",
    "inspect",
    "migrate",
    "reboot",
    "remove",
    "replace",
    "restart",
    "restore",
    "validate",
    "verify",
    "wait",
];

/// Headings under which a document says what problem it is about.
const OBJECTIVES: [&str; 6] = ["meaning", "alert description", "description", "purpose", "objective", "overview"];

/// Whether people act on what stands under this heading.
pub fn is_action(heading: &str) -> bool {
    let words = words(heading);
    words.iter().any(|w| verb(w).is_some()) || starts_with_verb(&words)
}

/// Whether this heading stands over the problem that the document solves.
pub fn is_objective(heading: &str) -> bool {
    OBJECTIVES.contains(&heading.trim().to_lowercase().as_str())
}

/// An instruction from the headings that lead to a text, outermost first; from the title when there is none.
pub fn instruction(path: &[&str], title: &str) -> String {
    let Some((top, rest)) = path.split_first() else { return format!("Work through: {title}") };
    let (lead, complete) = lead(top);
    match (rest.is_empty(), complete) {
        (true, true) => lead,
        (true, false) => format!("{lead} {title}"),
        (false, _) => format!("{lead}: {}", rest.join(": ")),
    }
}

/// How an instruction under this heading begins, and whether that says all that the heading says.
fn lead(heading: &str) -> (String, bool) {
    let words = words(heading);
    let known = words.iter().all(|w| verb(w).is_some() || matches!(w.as_str(), "and" | "or" | "recommended"));
    let mut verbs: Vec<&str> = words.iter().filter_map(|w| verb(w)).collect();
    verbs.dedup();
    if known && !verbs.is_empty() {
        let mut text = verbs.join(" and ");
        if verbs.len() > 1 {
            text = text[..1].to_owned() + &text[1..].to_lowercase();
        }
        (text, false)
    } else if starts_with_verb(&words) {
        (heading.to_owned(), true)
    } else {
        (format!("Work through: {heading}"), true)
    }
}

fn verb(word: &str) -> Option<&'static str> {
    // The plural is a list of runbooks, not one.
    STEMS.iter().find(|(stem, _)| word.starts_with(stem) && word != "runbooks").map(|(_, verb)| *verb)
}

fn starts_with_verb(words: &[String]) -> bool {
    let mut words = words.iter().skip_while(|w| *w == "step" || w.bytes().all(|b| b.is_ascii_digit()));
    words.next().is_some_and(|w| VERBS.contains(&w.as_str()))
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect()
}
