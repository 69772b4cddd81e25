//! Makes steps from the parts of a topic that calls for action.

use std::ops::Range;

use super::builder::{Builder, Found, Origin};
use super::document::{Block, Item, Kind, Markdown};
use super::outline::Part;
use super::wording;

/// A first paragraph up to this many characters is an instruction; a longer one is explanation.
const MAX_INSTRUCTION: usize = 600;
/// The heading of steps that stand under none but the title.
const NO_HEADING: &str = "Procedure";

/// Adds the parts of one topic, in reading order.
pub fn add_parts(markdown: &Markdown<'_>, parts: &[Part], title: &str, builder: &mut Builder) {
    let writer = Writer { markdown, title };
    for (i, part) in parts.iter().enumerate() {
        let introduces = i == 0 && parts[1..].iter().any(|p| !markdown.text(&p.range).is_empty());
        if part.has_list(markdown) {
            writer.runs(part, builder);
        } else {
            writer.whole(part, introduces, parts, builder);
        }
    }
}

struct Writer<'m, 'a> {
    markdown: &'m Markdown<'a>,
    title: &'m str,
}

/// A stretch of a part: numbered lists that count on, with all between them, or what stands outside of lists.
struct Run<'m> {
    range: Range<usize>,
    blocks: &'m [Block],
}

/// What becomes a step: where it stands, and the block it begins with.
struct Stretch<'m> {
    first: Option<&'m Block>,
    range: Range<usize>,
    /// For an entry of a list: where it ends, and the column its lines start in. More than it may follow.
    entry: Option<(usize, usize)>,
}

impl Writer<'_, '_> {
    /// A part without numbered list: its heading is the instruction, unless it only introduces the parts beneath.
    fn whole(&self, part: &Part, introduces: bool, parts: &[Part], builder: &mut Builder) {
        let detail = self.markdown.text_without_code(&part.range);
        let has_code = self.markdown.codes_in(&part.range).next().is_some();
        if detail.is_empty() {
            if !part.path.is_empty()
                && !parts.iter().any(|p| p.path.len() > part.path.len() && p.path.starts_with(&part.path))
            {
                builder.prose(&heading(&part.path), "");
            }
        } else if introduces && !has_code {
            builder.prose(&heading(&part.path), &detail);
        } else {
            let top = &part.path[..part.path.len().min(1)];
            let stretch = Stretch { first: None, range: part.range.clone(), entry: None };
            builder.step(&heading(top), self.found(Origin::Heading, self.by_heading(part), None, &stretch));
        }
    }

    /// A part with numbered lists: an entry is a step, and so is text with code outside of them.
    fn runs(&self, part: &Part, builder: &mut Builder) {
        let heading = heading(&part.path);
        for run in runs(self.markdown, part) {
            let items: Vec<&Item> = run.blocks.iter().flat_map(items).collect();
            if !items.is_empty() {
                self.items(part, &run, &items, builder);
            } else if self.markdown.codes_in(&run.range).next().is_some() {
                let stretch = Stretch { first: run.blocks.first(), range: run.range.clone(), entry: None };
                builder.step(&heading, self.opened(Origin::Prose, part, &stretch));
            } else {
                builder.prose(&heading, &self.markdown.text(&run.range));
            }
        }
    }

    /// Each entry of the lists of a run reaches to the next one: what stands between belongs to the earlier.
    fn items(&self, part: &Part, run: &Run<'_>, items: &[&Item], builder: &mut Builder) {
        let heading = heading(&part.path);
        let before = self.markdown.text(&(run.range.start..items[0].start));
        if !before.is_empty() {
            builder.prose(&heading, &before);
        }
        let ends = items.iter().skip(1).map(|i| i.start).chain([run.range.end]);
        for (item, end) in items.iter().zip(ends) {
            let (start, column) = self.content_of(item);
            let first = item.first.as_ref();
            let stretch = Stretch { first, range: start..end, entry: Some((item.end.min(end), column)) };
            builder.step(&heading, self.opened(Origin::List, part, &stretch));
        }
    }

    /// Where the text of an entry starts, after its number, and in which column the lines that belong to it do.
    fn content_of(&self, item: &Item) -> (usize, usize) {
        let text = &self.markdown.source[item.start..item.end];
        let number = text.len() - text.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).len();
        let start = item.start + number + 1;
        let first = item.first.as_ref().map(|b| b.range.start).filter(|at| (start..=start + 4).contains(at));
        let content = first.unwrap_or(start + 1);
        (start, content - self.markdown.line_start(item.start))
    }

    /// A step whose instruction is its first paragraph; the heading's where it begins with none, or a long one.
    fn opened(&self, origin: Origin, part: &Part, stretch: &Stretch<'_>) -> Found<'_> {
        let paragraph = stretch.first.and_then(|b| match &b.kind {
            Kind::Paragraph { plain } if plain.chars().count() <= MAX_INSTRUCTION => Some((plain, &b.range)),
            _ => None,
        });
        let opening = paragraph.map(|(plain, place)| (plain, place, self.markdown.text(place)));
        let Some((plain, place, text)) = opening.filter(|(_, _, text)| !text.is_empty()) else {
            return self.found(origin, self.by_heading(part), None, stretch);
        };
        let rest = Stretch { first: None, range: place.end..stretch.range.end.max(place.end), entry: stretch.entry };
        let instruction = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut found = self.found(origin, instruction, Some(plain), &rest);
        let before = self.markdown.text(&(stretch.range.start..place.start));
        if !before.is_empty() {
            found.detail = format!("{before}\n\n{}", found.detail);
        }
        found
    }

    fn found(&self, origin: Origin, instruction: String, plain: Option<&str>, stretch: &Stretch<'_>) -> Found<'_> {
        let range = &stretch.range;
        let codes: Vec<_> = self.markdown.codes_in(range).collect();
        let mut detail = match stretch.entry {
            Some((end, column)) => {
                self.markdown.entry_without_code(range, &(range.start..end.max(range.start)), column)
            }
            None => self.markdown.text_without_code(range),
        };
        // A marker alone says nothing: the code follows the instruction.
        if codes.len() == 1 && detail.trim() == "[code 1]" {
            detail.clear();
        }
        Found { origin, plain: plain.unwrap_or(&instruction).to_owned(), instruction, detail, codes }
    }

    fn by_heading(&self, part: &Part) -> String {
        let path: Vec<&str> = part.path.iter().map(String::as_str).collect();
        wording::instruction(&path, self.title)
    }
}

fn heading(path: &[String]) -> String {
    if path.is_empty() { NO_HEADING.to_owned() } else { path.join(": ") }
}

fn items(block: &Block) -> &[Item] {
    match &block.kind {
        Kind::Numbered { items, .. } => items,
        _ => &[],
    }
}

/// Cuts a part into runs that cover all of it.
fn runs<'m>(markdown: &'m Markdown<'_>, part: &Part) -> Vec<Run<'m>> {
    let blocks = part.blocks(markdown);
    let mut starts = vec![0];
    let mut i = 0;
    while i < blocks.len() {
        if let Kind::Numbered { .. } = blocks[i].kind {
            starts.push(i);
            i = end_of_list(blocks, i);
            starts.push(i);
        } else {
            i += 1;
        }
    }
    starts.push(blocks.len());
    let place = |i: usize| blocks.get(i).map_or(part.range.end, |b| markdown.line_start(b.range.start));
    let run = |w: &[usize]| {
        let start = if w[0] == 0 { part.range.start } else { place(w[0]) };
        Run { range: start..place(w[1]), blocks: &blocks[w[0]..w[1]] }
    };
    let runs = starts.windows(2).filter(|w| w[0] < w[1]).map(run);
    runs.filter(|r| !markdown.text(&r.range).is_empty()).collect()
}

/// The index after the list at `start`, with what belongs to it: code and bullets that follow at once, and all up to
/// a list that counts on.
fn end_of_list(blocks: &[Block], start: usize) -> usize {
    let mut end = start;
    let mut next = 0;
    loop {
        if let Kind::Numbered { first, items } = &blocks[end].kind {
            next = first.saturating_add(items.len() as u64);
        }
        end += 1;
        let later = blocks[end..].iter().position(|b| matches!(b.kind, Kind::Numbered { .. }));
        match later.map(|i| (end + i, &blocks[end + i].kind)) {
            Some((at, Kind::Numbered { first, .. })) if *first == next && next > 1 => end = at,
            _ => break,
        }
    }
    while blocks.get(end).is_some_and(|b| matches!(b.kind, Kind::Code | Kind::Bullets)) {
        end += 1;
    }
    end
}
