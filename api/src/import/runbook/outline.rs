//! The headings of a document: its title, what stands before the first topic, and the topics with their parts.

use std::ops::Range;

use super::document::{Block, Kind, Markdown};
use super::tools;

/// A document by its headings.
#[derive(Debug)]
pub struct Outline {
    /// The text of the first heading of level 1, if it has one.
    pub title: Option<String>,
    /// What stands before the first topic, without the title.
    pub preamble: Vec<Part>,
    pub topics: Vec<Topic>,
}

/// A heading of the outermost kind with all that stands under it.
#[derive(Debug)]
pub struct Topic {
    pub heading: String,
    level: usize,
    /// Its own text, then that of each heading beneath; never empty.
    pub parts: Vec<Part>,
}

/// A heading and the text up to the next heading, of whatever level.
#[derive(Debug)]
pub struct Part {
    /// The headings that lead here, outermost first; empty before the first topic.
    pub path: Vec<String>,
    level: usize,
    /// The heading itself, in the source.
    pub heading: Range<usize>,
    /// The text under it.
    pub range: Range<usize>,
    /// Its blocks, by index into those of the document.
    pub blocks: Range<usize>,
}

impl Topic {
    /// All that stands under the heading, from its own text or from a later part on.
    pub fn range_from(&self, part: usize) -> Range<usize> {
        let end = self.parts.last().map_or(0, |p| p.range.end);
        let start = match self.parts.get(part) {
            Some(p) if part == 0 => p.range.start,
            Some(p) => p.heading.start,
            None => end,
        };
        start..end
    }
}

impl Part {
    /// The blocks of this part.
    pub fn blocks<'m>(&self, markdown: &'m Markdown<'_>) -> &'m [Block] {
        &markdown.blocks[self.blocks.clone()]
    }

    /// Whether it holds a numbered list or a command: something to do, whatever the heading says.
    pub fn has_work(&self, markdown: &Markdown<'_>) -> bool {
        self.has_list(markdown) || markdown.codes_in(&self.range).any(tools::is_command)
    }

    /// Whether it holds a numbered list.
    pub fn has_list(&self, markdown: &Markdown<'_>) -> bool {
        self.blocks(markdown).iter().any(|b| matches!(b.kind, Kind::Numbered { .. }))
    }
}

/// Reads the headings of a document.
pub fn outline(markdown: &Markdown<'_>) -> Outline {
    let mut out = Outline { title: None, preamble: vec![part(Vec::new(), 0, 0..0, 0)], topics: Vec::new() };
    for (i, block) in markdown.blocks.iter().enumerate() {
        let Kind::Heading { level, text } = &block.kind else {
            continue;
        };
        let start = markdown.line_start(block.range.start);
        close(&mut out, start, i);
        let heading = start..block.range.end;
        if *level == 1 && out.title.is_none() {
            out.title = Some(text.clone());
            if out.topics.is_empty() {
                out.preamble.push(part(Vec::new(), 0, heading, i + 1));
                continue;
            }
        }
        add(&mut out, text, (*level).max(2), heading, i + 1);
    }
    close(&mut out, markdown.source.len(), markdown.blocks.len());
    out
}

fn part(path: Vec<String>, level: usize, heading: Range<usize>, block: usize) -> Part {
    let end = heading.end;
    Part { path, level, heading, range: end..end, blocks: block..block }
}

/// Ends the part that is open.
fn close(out: &mut Outline, end: usize, block: usize) {
    let topic = out.topics.last_mut().map_or(&mut out.preamble, |t| &mut t.parts);
    if let Some(open) = topic.last_mut() {
        open.range.end = end;
        open.blocks.end = block;
    }
}

fn add(out: &mut Outline, text: &str, level: usize, heading: Range<usize>, block: usize) {
    if let Some(topic) = out.topics.last_mut().filter(|t| level > t.level) {
        let above = topic.parts.iter().rev().find(|p| p.level < level);
        let mut path = above.map(|p| p.path.clone()).unwrap_or_default();
        path.push(text.to_owned());
        topic.parts.push(part(path, level, heading, block));
    } else {
        let own = part(vec![text.to_owned()], level, heading, block);
        out.topics.push(Topic { heading: text.to_owned(), level, parts: vec![own] });
    }
}
