//! A Markdown text as blocks that know where they stand, so that every text handed on is a slice of the source.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};

use super::reader;

/// A block, with its place in the source.
#[derive(Debug)]
pub struct Block {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// What a block is; quotations, tables, HTML and rules are `Other`.
#[derive(Debug)]
pub enum Kind {
    Heading { level: usize, text: String },
    Paragraph { plain: String },
    Code,
    Bullets,
    Numbered { first: u64, items: Vec<Item> },
    Other,
}

/// An entry of a numbered list, with the block it begins with.
#[derive(Debug)]
pub struct Item {
    pub start: usize,
    pub end: usize,
    pub first: Option<Block>,
}

/// A code block at any depth.
#[derive(Debug)]
pub struct Code {
    pub range: Range<usize>,
    pub language: String,
    pub text: String,
}

/// Where a link leads, and what it is called.
#[derive(Debug)]
pub struct Link {
    pub text: String,
    pub url: String,
}

/// A parsed text: its top-level blocks, and all code blocks and links in it, in order.
#[derive(Debug)]
pub struct Markdown<'a> {
    pub source: &'a str,
    pub blocks: Vec<Block>,
    pub codes: Vec<Code>,
    pub links: Vec<Link>,
    /// Replacements that make a slice stand alone: reference links get their address.
    pub(super) edits: Vec<(Range<usize>, String)>,
}

/// Splits a text into the YAML between the `---` lines at its very start, and the rest.
pub fn front_matter(source: &str) -> (Option<&str>, &str) {
    let mut events = Parser::new_ext(source, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS).into_offset_iter();
    match events.next() {
        Some((Event::Start(Tag::MetadataBlock(_)), block)) if block.start == 0 => {
            let yaml = match events.next() {
                Some((Event::Text(_), text)) => &source[text.start..text.end],
                _ => "",
            };
            (Some(yaml), &source[block.end..])
        }
        _ => (None, source),
    }
}

impl<'a> Markdown<'a> {
    /// Reads a text without front matter.
    pub fn parse(source: &'a str) -> Self {
        let mut out = reader::read(source);
        out.edits.sort_by_key(|(range, _)| range.start);
        out.edits.dedup();
        out
    }

    /// The source of a range, trimmed, with reference links resolved.
    pub fn text(&self, range: &Range<usize>) -> String {
        self.render(range, &[])
    }

    /// The source of a range as [`Self::text`], each code block replaced by `[code 1]`, `[code 2]` and so on.
    pub fn text_without_code(&self, range: &Range<usize>) -> String {
        self.render(range, &self.markers(range))
    }

    /// The same for a range that starts within the list entry of which `indented` is the rest: the indentation that
    /// made lines part of the entry is taken away.
    pub fn entry_without_code(&self, range: &Range<usize>, indented: &Range<usize>, column: usize) -> String {
        let mut edits = self.markers(range);
        let rest = &self.source[indented.clone()];
        let first = (self.line_start(indented.start) == indented.start).then_some(indented.start);
        for start in first.into_iter().chain(rest.match_indices('\n').map(|(i, _)| indented.start + i + 1)) {
            let line = &self.source[start..indented.end];
            let spaces = line.len() - line.trim_start_matches(' ').len();
            edits.push((start..start + spaces.min(column), String::new()));
        }
        self.render(range, &edits)
    }

    fn markers(&self, range: &Range<usize>) -> Vec<(Range<usize>, String)> {
        let marker = |(i, code): (usize, &Code)| {
            let end = if self.source[code.range.clone()].ends_with('\n') { "\n" } else { "" };
            (code.range.clone(), format!("[code {}]{end}", i + 1))
        };
        self.codes_in(range).enumerate().map(marker).collect()
    }

    /// The code blocks that begin in a range.
    pub fn codes_in<'s>(&'s self, range: &Range<usize>) -> impl Iterator<Item = &'s Code> + use<'s, 'a> {
        let range = range.clone();
        self.codes.iter().filter(move |c| range.contains(&c.range.start))
    }

    /// Where the line of an offset starts: a slice from there keeps the indentation of its first line.
    pub fn line_start(&self, offset: usize) -> usize {
        self.source[..offset].rfind('\n').map_or(0, |i| i + 1)
    }

    fn render(&self, range: &Range<usize>, more: &[(Range<usize>, String)]) -> String {
        let inside = |edit: &&(Range<usize>, String)| edit.0.start >= range.start && edit.0.end <= range.end;
        let mut edits: Vec<_> = self.edits.iter().chain(more).filter(inside).collect();
        edits.sort_by_key(|(place, _)| place.start);
        let mut out = String::new();
        let mut at = range.start;
        for (place, text) in edits {
            if place.start >= at {
                out.push_str(self.source.get(at..place.start).unwrap_or_default());
                out.push_str(text);
                at = place.end;
            }
        }
        out.push_str(self.source.get(at..range.end).unwrap_or_default());
        trim_lines(&out).to_owned()
    }
}

/// The text without blank lines around it; the indentation of its first line stays.
fn trim_lines(text: &str) -> &str {
    let text = text.trim_end();
    let blank = text.len() - text.trim_start().len();
    text.get(text[..blank].rfind('\n').map_or(0, |i| i + 1)..).unwrap_or_default()
}
