//! Style sheets within pages, which let them in by their hash and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

/// A style sheet that stands in a page as it is.
#[derive(Debug, Clone, Copy)]
pub struct Style(&'static str);

impl Style {
    /// A style sheet with nothing in it that HTML would read otherwise, so that its hash is that of what a page has; and
    /// that loads nothing.
    ///
    /// # Panics
    /// On any other: where it is a constant, the program is not built.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        assert!(!has(text, "<") && !has(text, "\r") && !has(text, "\0"), "HTML would read it otherwise");
        assert!(!has(text, "url(") && !has(text, "@import"), "it loads nothing");
        Self(text)
    }

    /// It, in the head of a page.
    pub fn element(self) -> Markup {
        html! { style { (PreEscaped(self.0)) } }
    }

    /// What lets it in, as a source of a content security policy.
    pub fn source(self) -> String {
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(self.0.as_bytes())))
    }
}

const fn has(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut at = 0;
    while at + part.len() <= text.len() {
        let mut same = 0;
        while same < part.len() && text[at + same] == part[same] {
            same += 1;
        }
        if same == part.len() {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_part_is_found_wherever_it_is() {
        for text in ["url(", "a url(b)", "uurl(", "}url("] {
            assert!(has(text, "url("), "{text}");
        }
        for text in ["", "url", "u rl(", "urrl("] {
            assert!(!has(text, "url("), "{text}");
        }
    }
}
