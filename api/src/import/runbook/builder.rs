//! Puts sections and steps together in reading order, within the limits that content has.

use sopwith_domain::content::{CodeBlock, Content, MAX_LINE, MAX_TEXT, Section, Step};

use super::document::Code;
use super::keys::Keys;
use super::tools;

/// Who does the steps: the corpora say it nowhere.
pub const ROLE: &str = "on-call engineer";
/// The longest heading, in characters: leaves room for `CONTINUED`.
const MAX_HEADING: usize = MAX_LINE - 20;
const CONTINUED: &str = " (continued)";

/// What a step is made from, which its reader should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    List,
    Heading,
    Prose,
}

/// A step as found.
#[derive(Debug)]
pub struct Found<'a> {
    pub origin: Origin,
    pub instruction: String,
    /// What its key is made from.
    pub plain: String,
    pub detail: String,
    pub codes: Vec<&'a Code>,
}

/// Content in the making.
#[derive(Debug, Default)]
pub struct Builder {
    pub content: Content,
    pub origins: Vec<Origin>,
    section_keys: Keys,
    step_keys: Keys,
    /// Heading of the last section, without `CONTINUED`.
    open: Option<String>,
    /// Whether the last section has steps: text that follows them needs a new one, to stay in reading order.
    has_steps: bool,
}

impl Builder {
    /// A new topic begins: even under the same heading it does not go on with the last section.
    pub fn topic(&mut self) {
        self.open = None;
    }

    /// Adds text under a heading; text beyond the limit goes on in further sections.
    pub fn prose(&mut self, heading: &str, text: &str) {
        if self.has_steps || self.open.as_deref() != Some(heading) {
            self.section(heading);
        }
        for (i, piece) in pieces(text).into_iter().enumerate() {
            let fits = |body: &str| body.chars().count() + piece.chars().count() + 2 <= MAX_TEXT;
            if i > 0 || self.content.sections.last().is_some_and(|s| !fits(&s.body)) {
                self.section(heading);
            }
            if let Some(section) = self.content.sections.last_mut() {
                append(&mut section.body, &piece);
            }
        }
    }

    /// Adds a step under a heading.
    pub fn step(&mut self, heading: &str, found: Found<'_>) {
        if self.open.as_deref() != Some(heading) {
            self.section(heading);
        }
        self.has_steps = true;
        self.origins.push(found.origin);
        let tools = tools::tools(found.codes.iter().copied());
        let mut detail = pieces(&found.detail).into_iter();
        self.content.steps.push(Step {
            key: self.step_keys.give(&found.plain, "step"),
            section: self.content.sections.last().map(|s| s.key.clone()).unwrap_or_default(),
            instruction: found.instruction,
            detail: detail.next().unwrap_or_default(),
            code_blocks: found.codes.into_iter().flat_map(code_blocks).collect(),
            role: ROLE.to_owned(),
            tools,
            ..Step::default()
        });
        for rest in detail {
            self.prose(heading, &rest);
        }
    }

    fn section(&mut self, heading: &str) {
        let again = self.content.sections.iter().any(|s| s.heading == short(heading));
        let suffix = if again { CONTINUED } else { "" };
        let long = short(heading) != heading;
        self.content.sections.push(Section {
            key: self.section_keys.give(heading, "section"),
            heading: short(heading) + suffix,
            body: if long && !again { heading.to_owned() } else { String::new() },
        });
        self.open = Some(heading.to_owned());
        self.has_steps = false;
    }
}

/// The text, or its beginning with a sign that it goes on.
pub fn short(line: &str) -> String {
    if line.chars().count() <= MAX_HEADING {
        return line.to_owned();
    }
    line.chars().take(MAX_HEADING - 2).chain(" …".chars()).collect()
}

fn append(body: &mut String, text: &str) {
    if !body.is_empty() && !text.is_empty() {
        body.push_str("\n\n");
    }
    body.push_str(text);
}

fn code_blocks(code: &Code) -> Vec<CodeBlock> {
    let language: String = code.language.chars().take(MAX_LINE).collect();
    pieces(&code.text).into_iter().map(|text| CodeBlock { language: language.clone(), text }).collect()
}

/// The text in pieces that each fit into a field, cut at the end of a line where there is one.
fn pieces(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((limit, _)) = rest.char_indices().nth(MAX_TEXT) {
        let cut = rest[..limit].rfind('\n').map_or(limit, |i| i + 1);
        out.push(rest[..cut].to_owned());
        rest = &rest[cut..];
    }
    out.push(rest.to_owned());
    out
}
