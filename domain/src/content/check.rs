//! What content has to hold: as a draft, and before it can be submitted.

use std::collections::BTreeSet;

use super::Content;
use crate::error::Problem;

/// The longest text of one field, in characters.
pub const MAX_TEXT: usize = 50_000;
/// The longest title, key, role or name, in characters.
pub const MAX_LINE: usize = 500;
/// The most entries of one list.
pub const MAX_ENTRIES: usize = 500;
/// The largest document, in bytes of its canonical text.
pub const MAX_DOCUMENT: usize = 1 << 20;

impl Content {
    /// What is wrong with this content even as a draft: sizes, keys, references between its parts.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_sizes("", &serde_json::to_value(self).unwrap_or_default(), &mut problems);
        if self.title.trim().is_empty() {
            problems.push(Problem::at("title", "a title is needed"));
        }
        let sections = check_keys("sections", self.sections.iter().map(|s| s.key.as_str()), &mut problems);
        let steps = check_keys("steps", self.steps.iter().map(|s| s.key.as_str()), &mut problems);
        for (i, step) in self.steps.iter().enumerate() {
            if !step.section.is_empty() && !sections.contains(step.section.as_str()) {
                problems.push(Problem::at(format!("steps.{i}.section"), "there is no section of this key"));
            }
            for (j, branch) in step.branches.iter().enumerate() {
                if !branch.go_to.is_empty() && !steps.contains(branch.go_to.as_str()) {
                    problems.push(Problem::at(format!("steps.{i}.branches.{j}.goTo"), "there is no step of this key"));
                }
            }
        }
        problems
    }

    /// What is missing before this content can be submitted for review.
    #[must_use]
    pub fn check_complete(&self) -> Vec<Problem> {
        let mut problems = self.check();
        let mut need = |path: String, text: &str, what: &str| {
            if text.trim().is_empty() {
                problems.push(Problem::at(path, format!("{what} is needed before review")));
            }
        };
        need("objective".into(), &self.objective, "an objective");
        need("changeLog.what".into(), &self.change_log.what, "what changes");
        need("changeLog.why".into(), &self.change_log.why, "why it changes");
        for (i, step) in self.steps.iter().enumerate() {
            need(format!("steps.{i}.instruction"), &step.instruction, "an instruction");
            need(format!("steps.{i}.role"), &step.role, "a responsible role");
        }
        if self.steps.is_empty() {
            problems.push(Problem::at("steps", "at least one step is needed before review"));
        }
        problems
    }

    /// Gives every step and section without a key one that neither this content nor the `earlier` ones of the same
    /// procedure use, so that a key never comes to mean another step from one version to the next.
    pub fn assign_keys<'a>(&mut self, earlier: impl IntoIterator<Item = &'a Content>) {
        let (mut sections, mut steps) = (BTreeSet::new(), BTreeSet::new());
        for content in earlier {
            sections.extend(content.sections.iter().map(|s| s.key.clone()));
            steps.extend(content.steps.iter().map(|s| s.key.clone()));
        }
        fill_keys("section", sections, self.sections.iter_mut().map(|s| &mut s.key).collect());
        fill_keys("step", steps, self.steps.iter_mut().map(|s| &mut s.key).collect());
    }
}

fn fill_keys(stem: &str, mut taken: BTreeSet<String>, keys: Vec<&mut String>) {
    taken.extend(keys.iter().map(|key| (**key).clone()));
    let number = |key: &String| key.strip_prefix(stem)?.strip_prefix('-')?.parse::<u32>().ok();
    // Numbers only go up, as far as they can: a number that was dropped is not given again while higher ones exist.
    let highest = taken.iter().filter_map(number).filter(|n| *n < u32::MAX - 10_000).max().unwrap_or(0);
    let mut next = (u64::from(highest) + 1..).map(|n| format!("{stem}-{n}")).filter(|key| !taken.contains(key));
    for key in keys.into_iter().filter(|key| key.is_empty()) {
        *key = next.next().unwrap_or_default();
    }
}

fn check_keys<'a>(list: &str, keys: impl Iterator<Item = &'a str>, problems: &mut Vec<Problem>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (i, key) in keys.enumerate() {
        if !is_key(key) {
            let rule = "a key is 1 to 100 of a-z, 0-9, '-', '_' and '.'";
            problems.push(Problem::at(format!("{list}.{i}.key"), rule));
        } else if !seen.insert(key) {
            problems.push(Problem::at(format!("{list}.{i}.key"), "this key is used twice"));
        }
    }
    seen
}

/// What is wrong with a text that somebody has to give: that it is missing, too long or cannot be stored.
#[must_use]
pub fn prose_problem(path: &str, text: &str) -> Option<Problem> {
    if text.trim().is_empty() {
        return Some(Problem::at(path, "this is needed"));
    }
    let unfit = text.chars().count() > MAX_TEXT || text.contains('\0');
    unfit.then(|| Problem::at(path, format!("at most {MAX_TEXT} characters, without U+0000")))
}

/// Whether the text can name a step, a section, a team or a process.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

/// The text with everything that cannot stand in a key made a single dash.
#[must_use]
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(100);
    out.trim_end_matches('-').to_owned()
}

/// Long prose may stand in these; every other text is a line.
const PROSE: [&str; 11] = [
    "objective",
    "scope",
    "outOfScope",
    "body",
    "detail",
    "instruction",
    "text",
    "remedy",
    "expectedOutcome",
    "what",
    "why",
];

fn check_sizes(path: &str, value: &serde_json::Value, problems: &mut Vec<Problem>) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                check_sizes(&join(name), field, problems);
            }
        }
        serde_json::Value::Array(entries) if entries.len() > MAX_ENTRIES => {
            problems.push(Problem::at(path, format!("at most {MAX_ENTRIES} entries")));
        }
        serde_json::Value::Array(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                check_sizes(&join(&i.to_string()), entry, problems);
            }
        }
        serde_json::Value::String(text) => {
            let name = path.rsplit('.').next().unwrap_or_default();
            let most = if PROSE.contains(&name) { MAX_TEXT } else { MAX_LINE };
            if text.chars().count() > most {
                problems.push(Problem::at(path, format!("at most {most} characters")));
            }
            // PostgreSQL cannot store it, and no text needs it.
            if text.contains('\0') {
                problems.push(Problem::at(path, "the character U+0000 is not allowed"));
            }
        }
        _ => {}
    }
}
