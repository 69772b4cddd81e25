//! What a version says: structured, canonical, hashed.

mod check;
mod diff;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::text_enum;
use crate::time::Timestamp;

pub use check::{MAX_DOCUMENT, MAX_ENTRIES, MAX_LINE, MAX_TEXT, is_key, prose_problem, slug};
pub use diff::{Diff, FieldChange, PartChange, PartChangeKind, beyond_editorial, diff};

text_enum! {
    /// How far a change reaches, and so which policy it passes and which part of the label it raises.
    ChangeKind {
        /// What people do changes: raises `major`.
        Material = "MATERIAL",
        /// Only the wording changes: raises `minor`.
        Editorial = "EDITORIAL",
    }
}

/// All that a signature covers: the content with the kind and the effective date of the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// How far the change reaches.
    pub kind: ChangeKind,
    /// When it comes into force; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Timestamp>,
    /// The procedure itself.
    pub content: Content,
}

/// The text of a procedure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Content {
    /// What people call it.
    pub title: String,
    /// The problem that it solves.
    pub objective: String,
    /// What it covers.
    pub scope: String,
    /// What it deliberately does not cover.
    pub out_of_scope: String,
    /// Who has to know it.
    pub audience: Vec<String>,
    /// What must hold before the first step.
    pub prerequisites: Vec<String>,
    /// Standards and clauses that it answers to.
    pub references: Vec<Reference>,
    /// Prose around the steps, in order.
    pub sections: Vec<Section>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What this version changes and why.
    pub change_log: ChangeLog,
}

/// A standard, a regulation or a document that the procedure refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reference {
    /// The standard or the document, such as `ISO 9001:2015`.
    pub standard: String,
    /// The clause in it.
    pub clause: String,
    /// Where it can be read.
    pub url: String,
}

/// A titled piece of prose (Markdown). Steps may belong to one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Section {
    /// Names the section within the version.
    pub key: String,
    /// Its title.
    pub heading: String,
    /// Its text, Markdown.
    pub body: String,
}

/// A single action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    /// Names the step; stays the same from version to version.
    pub key: String,
    /// The section it stands in, by key; empty for none.
    pub section: String,
    /// The action, in the imperative.
    pub instruction: String,
    /// More on how, Markdown.
    pub detail: String,
    /// Commands and snippets, to copy.
    pub code_blocks: Vec<CodeBlock>,
    /// Who does it.
    pub role: String,
    /// How long it should take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_duration: Option<u32>,
    /// Tools and access needed.
    pub tools: Vec<String>,
    /// Information needed beforehand.
    pub inputs: Vec<String>,
    /// What success looks like.
    pub expected_outcome: String,
    /// Predictable failures with their remedies.
    pub failures: Vec<Failure>,
    /// What is checked here before going on; empty for nothing.
    pub checkpoint: String,
    /// Whose go-ahead is needed during the work; empty for nobody's.
    pub approval: String,
    /// Images and diagrams.
    pub visual_aids: Vec<VisualAid>,
    /// Teams it applies to, by key; empty for all.
    pub teams: Vec<String>,
    /// Decisions taken here, each with the step it leads to.
    pub branches: Vec<Branch>,
    /// Whether it may be left out.
    pub mandatory: bool,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            key: String::new(),
            section: String::new(),
            instruction: String::new(),
            detail: String::new(),
            code_blocks: Vec::new(),
            role: String::new(),
            expected_duration: None,
            tools: Vec::new(),
            inputs: Vec::new(),
            expected_outcome: String::new(),
            failures: Vec::new(),
            checkpoint: String::new(),
            approval: String::new(),
            visual_aids: Vec::new(),
            teams: Vec::new(),
            branches: Vec::new(),
            mandatory: true,
        }
    }
}

/// A command or snippet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CodeBlock {
    /// The language, such as `bash`; empty when unknown.
    pub language: String,
    /// The text, to the letter.
    pub text: String,
}

/// Something that predictably goes wrong, and what to do then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Failure {
    /// How one notices.
    pub symptom: String,
    /// What to do.
    pub remedy: String,
}

/// An image or a diagram.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VisualAid {
    /// What it shows, also for those who cannot see it.
    pub title: String,
    /// Where it is.
    pub url: String,
    /// SHA-256 of the file in hex, so that a signature covers it; empty when the file is not kept here.
    pub sha256: String,
}

/// One way out of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Branch {
    /// When this way is taken.
    pub condition: String,
    /// Key of the step it leads to; empty for the end of the procedure.
    pub go_to: String,
}

/// What a version changes, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeLog {
    /// What is different.
    pub what: String,
    /// The reason.
    pub why: String,
}

/// SHA-256 of a canonical document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in hex")]
pub struct InvalidHash;

impl FromStr for ContentHash {
    type Err = InvalidHash;
    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidHash)?;
        Ok(Self(bytes))
    }
}

impl Document {
    /// The one spelling of this document (RFC 8785) and its SHA-256.
    #[must_use]
    pub fn canonical(&self) -> (String, ContentHash) {
        let text = canonical_json(self);
        let hash = ContentHash(Sha256::digest(text.as_bytes()).into());
        (text, hash)
    }
}

/// RFC 8785 text of a value whose maps have string keys and whose numbers are finite, as all of ours are.
pub(crate) fn canonical_json<T: Serialize>(value: &T) -> String {
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}
