//! Reads the events of the Markdown parser as blocks.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, LinkType, OffsetIter, Options, Parser, Tag, TagEnd};

use super::document::{Block, Code, Item, Kind, Link, Markdown};

/// Containers nested deeper than this are kept as text and not looked into.
const MAX_DEPTH: usize = 32;

/// Reads a text without front matter.
pub fn read(source: &str) -> Markdown<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let mut reader = Reader {
        events: Parser::new_ext(source, options).into_offset_iter(),
        out: Markdown { source, blocks: Vec::new(), codes: Vec::new(), links: Vec::new(), edits: Vec::new() },
    };
    let blocks = reader.blocks(0);
    Markdown { blocks, ..reader.out }
}

struct Reader<'a> {
    events: OffsetIter<'a>,
    out: Markdown<'a>,
}

impl<'a> Reader<'a> {
    /// The blocks up to the end of the container that was entered last. In a tight list the text stands in the item
    /// without a paragraph around it; it becomes one.
    fn blocks(&mut self, depth: usize) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut loose = false;
        while let Some((event, range)) = self.events.next() {
            match event {
                Event::End(_) => break,
                Event::Start(tag) if !is_inline(&tag) => {
                    loose = false;
                    let kind = self.block(tag, &range, depth);
                    blocks.push(Block { kind, range });
                }
                Event::Rule => {
                    loose = false;
                    blocks.push(Block { kind: Kind::Other, range });
                }
                event => {
                    if !loose {
                        let kind = Kind::Paragraph { plain: String::new() };
                        blocks.push(Block { kind, range: range.start..range.start });
                    }
                    loose = true;
                    let end = range.end;
                    if let Some(Block { kind: Kind::Paragraph { plain }, range: place }) = blocks.last_mut() {
                        place.end = end;
                        self.inline(event, range, plain);
                    }
                }
            }
        }
        blocks
    }

    fn block(&mut self, tag: Tag<'a>, range: &Range<usize>, depth: usize) -> Kind {
        if depth >= MAX_DEPTH {
            self.skip();
            return Kind::Other;
        }
        match tag {
            Tag::Heading { level, .. } => Kind::Heading { level: level as usize, text: self.line() },
            Tag::Paragraph => Kind::Paragraph { plain: self.line() },
            Tag::CodeBlock(kind) => {
                self.code(&kind, range);
                Kind::Code
            }
            Tag::List(Some(first)) => Kind::Numbered { first, items: self.items(depth) },
            Tag::List(None) => {
                self.items(depth);
                Kind::Bullets
            }
            _ => {
                self.blocks(depth + 1);
                Kind::Other
            }
        }
    }

    fn items(&mut self, depth: usize) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some((Event::Start(_), range)) = self.events.next() {
            let first = self.blocks(depth + 1).into_iter().next();
            items.push(Item { start: range.start, end: range.end, first });
        }
        items
    }

    /// The plain text up to the end of a block that holds only text.
    fn line(&mut self) -> String {
        let mut plain = String::new();
        while let Some((event, range)) = self.events.next() {
            if matches!(event, Event::End(TagEnd::Heading(_) | TagEnd::Paragraph)) {
                break;
            }
            self.inline(event, range, &mut plain);
        }
        plain.trim().to_owned()
    }

    /// Takes one piece of running text, to the end of its mark-up; returns where its content ends.
    fn inline(&mut self, event: Event<'a>, range: Range<usize>, plain: &mut String) -> usize {
        match event {
            Event::Start(tag) => {
                let from = plain.len();
                let mut end = range.start;
                while let Some((event, inner)) = self.events.next() {
                    if matches!(event, Event::End(_)) {
                        break;
                    }
                    end = end.max(inner.end);
                    self.inline(event, inner, plain);
                }
                self.link(&tag, &range, end, &plain[from..]);
            }
            Event::SoftBreak | Event::HardBreak => plain.push(' '),
            Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) | Event::Html(text) => {
                plain.push_str(&text);
            }
            _ => {}
        }
        range.end
    }

    fn link(&mut self, tag: &Tag<'a>, range: &Range<usize>, inner_end: usize, text: &str) {
        let (Tag::Link { link_type, dest_url, title, id } | Tag::Image { link_type, dest_url, title, id }) = &tag
        else {
            return;
        };
        if matches!(tag, Tag::Link { .. }) {
            self.out.links.push(Link { text: text.trim().to_owned(), url: dest_url.to_string() });
        }
        if !matches!(link_type, LinkType::Reference | LinkType::Collapsed | LinkType::Shortcut) {
            return;
        }
        let close = self.out.source[inner_end..range.end].find(']').map_or(range.end, |i| inner_end + i);
        // The range of `[text][]` may end before its `[]`.
        let after = if close + 1 == range.end && *link_type == LinkType::Collapsed { 2 } else { 0 };
        self.out.edits.push((close..range.end + after, target(dest_url, title)));
        if let Some(definition) = self.events.reference_definitions().get(id) {
            self.out.edits.push((definition.span.clone(), String::new()));
        }
    }

    fn code(&mut self, kind: &CodeBlockKind<'a>, range: &Range<usize>) {
        let mut text = String::new();
        for (event, _) in self.events.by_ref() {
            match event {
                Event::Text(part) => text.push_str(&part),
                _ => break,
            }
        }
        let (language, start) = match kind {
            CodeBlockKind::Fenced(info) => (info.trim().to_owned(), range.start),
            // Its indentation goes with it: the marker in its place is no code.
            CodeBlockKind::Indented => {
                let lead = &self.out.source[self.out.line_start(range.start)..range.start];
                let spaces = lead.len() - lead.trim_end_matches(' ').len();
                (String::new(), range.start - spaces.min(4))
            }
        };
        let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        self.out.codes.push(Code { range: start..range.end, language, text });
    }

    fn skip(&mut self) {
        let mut open = 1;
        while open > 0
            && let Some((event, _)) = self.events.next()
        {
            match event {
                Event::Start(_) => open += 1,
                Event::End(_) => open -= 1,
                _ => {}
            }
        }
    }
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(
        tag,
        Tag::Emphasis
            | Tag::Strong
            | Tag::Strikethrough
            | Tag::Superscript
            | Tag::Subscript
            | Tag::Link { .. }
            | Tag::Image { .. }
    )
}

/// The end of an inline link with this target.
fn target(url: &str, title: &str) -> String {
    let plain = !url.is_empty() && !url.contains(|c: char| c.is_whitespace() || "()<>".contains(c));
    let url = if plain { url.to_owned() } else { format!("<{url}>") };
    if title.is_empty() { format!("]({url})") } else { format!("]({url} \"{}\")", title.replace('"', "\\\"")) }
}
