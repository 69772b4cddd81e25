//! One runbook as content.

use serde_norway::Value;
use sopwith_domain::content::{ChangeKind, ChangeLog, Content, Document, MAX_DOCUMENT, MAX_TEXT, Reference, Section};

use super::builder::{Builder, Origin, ROLE, short};
use super::document::{Link, Markdown, front_matter};
use super::outline::{Outline, Topic, outline};
use super::{steps, wording};

/// The most references taken from the links of a document.
const MAX_REFERENCES: usize = 100;
/// The longest address of a reference, in characters.
const MAX_URL: usize = 500;

/// Reads one runbook. Its path names it when it has no title, and names its audience.
///
/// # Errors
/// The reason why the text is no procedure, or does not fit into one.
pub fn parse(path: &str, markdown: &str) -> Result<(Content, Vec<String>), String> {
    if markdown.contains('\0') {
        return Err("contains the character U+0000: not a text".into());
    }
    let source = markdown.strip_prefix('\u{feff}').unwrap_or(markdown).replace("\r\n", "\n");
    let (yaml, body) = front_matter(&source);
    let markdown = Markdown::parse(body);
    if markdown.blocks.is_empty() {
        let what = if yaml.is_some() { "front matter only: no text" } else { "empty: no text" };
        return Err(what.into());
    }
    let outline = outline(&markdown);
    let mut assembly =
        Assembly { markdown: &markdown, outline: &outline, builder: Builder::default(), notes: Vec::new() };
    let title = assembly.title(yaml, path);
    assembly.body(&title)?;
    assembly.references();
    assembly.front_matter(yaml);
    assembly.remarks();
    assembly.finish(path)
}

struct Assembly<'m, 'a> {
    markdown: &'m Markdown<'a>,
    outline: &'m Outline,
    builder: Builder,
    notes: Vec<String>,
}

impl Assembly<'_, '_> {
    fn title(&mut self, yaml: Option<&str>, path: &str) -> String {
        let stated = self.outline.title.clone().filter(|t| !t.is_empty());
        let (title, note) = match (stated, yaml.and_then(yaml_title)) {
            (Some(title), _) => (title, None),
            (None, Some(title)) => (title, Some("no heading of level 1: the title is that of the front matter")),
            (None, None) => (stem(path).to_owned(), Some("no title: the file name is used")),
        };
        self.notes.extend(note.map(str::to_owned));
        self.builder.content.title = short(&title);
        if short(&title) != title {
            self.builder.prose("Full title", &title);
        }
        title
    }

    /// Sections, steps, and the objective.
    fn body(&mut self, title: &str) -> Result<(), String> {
        let (outline, markdown) = (self.outline, self.markdown);
        // Headings say what calls for action; only where none does, numbered lists and commands do.
        let by_heading = outline.topics.iter().any(|t| wording::is_action(&t.heading));
        let acts = |topic: &Topic| {
            if by_heading {
                wording::is_action(&topic.heading)
            } else {
                !wording::is_objective(&topic.heading) && topic.parts.iter().any(|p| p.has_work(markdown))
            }
        };
        let preamble_acts = !by_heading && outline.preamble.iter().any(|p| p.has_work(markdown));
        let purpose = outline.topics.iter().position(|t| wording::is_objective(&t.heading) && !acts(t));
        let purpose = purpose.filter(|i| self.take_objective(&outline.topics[*i]));
        self.preamble(preamble_acts, title);
        for (i, topic) in outline.topics.iter().enumerate() {
            self.builder.topic();
            if acts(topic) {
                steps::add_parts(markdown, &topic.parts, title, &mut self.builder);
            } else if purpose != Some(i) {
                self.builder.prose(&topic.heading, &markdown.text(&topic.range_from(0)));
            } else if topic.parts.len() > 1 {
                self.builder.prose(&topic.heading, &markdown.text(&topic.range_from(1)));
            }
        }
        if self.builder.content.steps.is_empty() {
            return Err("no action: no action heading with text, no numbered list and no command".into());
        }
        self.derive_objective(title);
        Ok(())
    }

    /// Whether the text right under this heading can be, and now is, the objective.
    fn take_objective(&mut self, topic: &Topic) -> bool {
        let text = self.markdown.text(&topic.parts[0].range);
        let fits = !text.is_empty() && text.chars().count() <= MAX_TEXT;
        if fits {
            self.builder.content.objective = text;
            if !topic.heading.eq_ignore_ascii_case("meaning") {
                self.notes.push(format!("the objective is the text under \"{}\"", topic.heading));
            }
        }
        fits
    }

    /// The text before the first topic: steps, the objective, or a section.
    fn preamble(&mut self, acts: bool, title: &str) {
        if acts {
            steps::add_parts(self.markdown, &self.outline.preamble, title, &mut self.builder);
            return;
        }
        let texts = self.outline.preamble.iter().map(|p| self.markdown.text(&p.range));
        let text = texts.filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n\n");
        if text.is_empty() {
        } else if self.builder.content.objective.is_empty() && text.chars().count() <= MAX_TEXT {
            self.builder.content.objective = text;
            self.notes.push("the objective is the text before the first heading".into());
        } else {
            self.builder.prose("Introduction", &text);
        }
    }

    fn derive_objective(&mut self, title: &str) {
        let content = &mut self.builder.content;
        if content.objective.is_empty() {
            content.objective =
                format!("Handle: {}. (Derived from the title: the document does not state the problem.)", short(title));
            self.notes.push("no statement of the problem: the objective is derived from the title".into());
        }
    }

    fn references(&mut self) {
        let mut left_out = 0;
        let references = &mut self.builder.content.references;
        for Link { text, url } in &self.markdown.links {
            if !(url.starts_with("https://") || url.starts_with("http://")) || references.iter().any(|r| r.url == *url)
            {
                continue;
            }
            if references.len() == MAX_REFERENCES || url.chars().count() > MAX_URL {
                left_out += 1;
                continue;
            }
            let name = if text.is_empty() { short(url) } else { short(text) };
            references.push(Reference { standard: name, clause: String::new(), url: url.clone() });
        }
        if left_out > 0 {
            self.notes.push(format!("links in the text but not among the references: {left_out}"));
        }
        let relative = self.markdown.links.iter().filter(|l| !l.url.contains(':') && !l.url.starts_with('#')).count();
        if relative > 0 {
            self.notes.push(format!("links to other files of the folder: {relative}"));
        }
    }

    /// All of the front matter, to the letter, as the last section.
    fn front_matter(&mut self, yaml: Option<&str>) {
        let Some(yaml) = yaml.filter(|y| !y.trim().is_empty()) else { return };
        if serde_norway::from_str::<Value>(yaml).is_err() {
            self.notes.push("the front matter is no YAML; it is kept as text".into());
        }
        self.builder.topic();
        let fence = "`".repeat(3.max(longest_run(yaml, '`') + 1));
        self.builder.prose("Front matter", &format!("{fence}yaml\n{}\n{fence}", yaml.trim_end()));
    }

    fn remarks(&mut self) {
        let count = |origin| self.builder.origins.iter().filter(|o| **o == origin).count();
        let (list, heading, prose) = (count(Origin::List), count(Origin::Heading), count(Origin::Prose));
        if list == 0 {
            self.notes.push("no numbered list: steps from headings".into());
        } else if heading + prose > 0 {
            self.notes.push(format!(
                "steps: {list} from numbered lists, {heading} from headings, {prose} from text with code"
            ));
        }
        let has_steps = |s: &Section| self.builder.content.steps.iter().any(|step| step.section == s.key);
        for section in self.builder.content.sections.iter().filter(|s| s.body.is_empty() && !has_steps(s)) {
            self.notes.push(format!("nothing stands under \"{}\"", section.heading));
        }
        self.notes.push(format!("the role \"{ROLE}\" is assumed"));
    }

    fn finish(self, path: &str) -> Result<(Content, Vec<String>), String> {
        let mut content = self.builder.content;
        content.audience.extend(path.rsplit('/').nth(1).map(short));
        let what = format!("Imported from {path}");
        content.change_log = ChangeLog { what, why: "Taken over from the runbook corpus".into() };
        if let Some(problem) = content.check_complete().first() {
            return Err(format!("does not fit: {}: {}", problem.path.join("."), problem.message));
        }
        let document = Document { kind: ChangeKind::Material, effective_at: None, content };
        if document.canonical().0.len() > MAX_DOCUMENT {
            return Err(format!("too large: more than {MAX_DOCUMENT} bytes as content"));
        }
        Ok((document.content, self.notes))
    }
}

fn yaml_title(yaml: &str) -> Option<String> {
    let value: Value = serde_norway::from_str(yaml).ok()?;
    let title = value.get("title")?.as_str()?.trim().to_owned();
    (!title.is_empty()).then_some(title)
}

/// The file name without its extension.
pub fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}
