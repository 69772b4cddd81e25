//! Markdown of procedures as HTML that can be trusted: HTML in it is shown as text, links lead only where they look
//! like leading, images become links.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// Renders Markdown. Its headings begin at the level `top`, below those of the page.
pub fn render(text: &str, top: usize) -> Markup {
    let mut links = Links { top, open: Vec::new() };
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut page = String::with_capacity(text.len() + text.len() / 4);
    html::push_html(&mut page, events.flat_map(|event| links.step(event)));
    PreEscaped(page)
}

/// Whether an address is of a kind that a record links to: absolute, and no script.
pub fn is_safe(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["https://", "http://", "mailto:"].into_iter().any(begins)
}

/// What is done to the events on their way.
struct Links<'a> {
    top: usize,
    /// Links and images that are open; the address of those that are no link on the page.
    open: Vec<Option<CowStr<'a>>>,
}

impl<'a> Links<'a> {
    fn step(&mut self, event: Event<'a>) -> Vec<Event<'a>> {
        match event {
            Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
            Event::Start(Tag::HtmlBlock) => vec![Event::Start(Tag::Paragraph)],
            Event::End(TagEnd::HtmlBlock) => vec![Event::End(TagEnd::Paragraph)],
            Event::Start(Tag::Heading { level, .. }) => vec![Event::Start(self.heading(level))],
            Event::End(TagEnd::Heading(level)) => vec![Event::End(self.heading(level).to_end())],
            // A style attribute would be refused by the page's own policy.
            Event::Start(Tag::Table(columns)) => vec![Event::Start(Tag::Table(vec![Alignment::None; columns.len()]))],
            Event::Start(Tag::Link { link_type, dest_url, title, .. }) => self.link(link_type, dest_url, title),
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                let mut events = self.link(LinkType::Inline, dest_url, title);
                events.push(Event::Text("Image: ".into()));
                events
            }
            Event::End(TagEnd::Link | TagEnd::Image) => match self.open.pop() {
                Some(None) => vec![Event::End(TagEnd::Link)],
                Some(Some(address)) => vec![Event::Text(format!(" ({address})").into())],
                None => Vec::new(),
            },
            other => vec![other],
        }
    }

    fn heading(&self, level: HeadingLevel) -> Tag<'a> {
        let level = HeadingLevel::try_from(self.top - 1 + level as usize).unwrap_or(HeadingLevel::H6);
        Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }
    }

    fn link(&mut self, link_type: LinkType, dest_url: CowStr<'a>, title: CowStr<'a>) -> Vec<Event<'a>> {
        let within_another = self.open.iter().any(Option::is_none);
        if within_another || !(link_type == LinkType::Email || is_safe(&dest_url)) {
            self.open.push(Some(dest_url));
            return Vec::new();
        }
        self.open.push(None);
        vec![Event::Start(Tag::Link { link_type, dest_url, title, id: CowStr::Borrowed("") })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> String {
        render(text, 4).into_string()
    }

    #[test]
    fn html_is_shown_not_obeyed() {
        for text in
            ["<script>alert(1)</script>", "a <img src=x onerror=alert(1)> b", "<!-- c -->", "<style>*{}</style>"]
        {
            let page = page(text);
            assert!(page.contains("&lt;"), "{page}");
            assert!(["<script", "<img", "<!--", "<style"].iter().all(|tag| !page.contains(tag)), "{page}");
        }
        assert_eq!(page("`<b>` & \"c\""), "<p><code>&lt;b&gt;</code> &amp; \"c\"</p>\n");
        assert!(!page("```\"><script>\nx\n```").contains("<script"));
    }

    #[test]
    fn only_addresses_that_look_like_one_are_links() {
        let link = "<p><a href=\"https://e.example/?a=1&amp;b=2\">text</a></p>\n";
        assert_eq!(page("[text](https://e.example/?a=1&b=2)"), link);
        assert!(page("<a@b.example>").contains("href=\"mailto:a@b.example\""));
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java&#10;script:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//e.example",
            "/graphql",
            "file:///etc/passwd",
            "&#1;javascript:alert(1)",
            "#here",
        ] {
            let page = page(&format!("[text]({address})"));
            assert!(!page.contains("<a") && page.contains("text ("), "{page}");
        }
        let page = page("<javascript:alert(1)>");
        assert!(!page.contains("<a"), "{page}");
    }

    #[test]
    fn images_are_links_and_links_do_not_nest() {
        assert_eq!(
            page("![map](https://e.example/m.png)"),
            "<p><a href=\"https://e.example/m.png\">Image: map</a></p>\n"
        );
        assert_eq!(
            page("[![map](https://e.example/m.png)](https://e.example/)"),
            "<p><a href=\"https://e.example/\">Image: map (https://e.example/m.png)</a></p>\n"
        );
        assert_eq!(page("![map](data:x)"), "<p>Image: map (data:x)</p>\n");
        assert_eq!(page("![a [b](https://b.example)](https://a.example)").matches("<a ").count(), 1);
    }

    #[test]
    fn headings_stay_below_those_of_the_page_and_tables_without_styles() {
        assert_eq!(page("# one\n\n###### six {#id .class}"), "<h4>one</h4>\n<h6>six {#id .class}</h6>\n");
        let table = page("| a | b |\n|:-:|--:|\n| 1 | 2 |");
        assert!(table.contains("<th>a</th>") && !table.contains("style"), "{table}");
    }
}
