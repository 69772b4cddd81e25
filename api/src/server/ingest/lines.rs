//! A body cut into lines, with no more of it in memory than one line may have.

use std::mem::{replace, take};

use actix_web::web::BytesMut;

/// What a body is cut into.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The text of an item.
    Text(BytesMut),
    /// An item with more bytes than one may have. They are gone.
    TooLong,
}

/// What begins some UTF-8 texts, and says nothing.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The most bytes that stand around a line and are none of it: a byte order mark and a carriage return.
const AROUND: usize = BYTE_ORDER_MARK.len() + 1;

/// The lines of a body. Those that are blank are left out; `\r\n` ends a line as well as `\n`, and so does the end.
#[derive(Debug)]
pub struct Lines {
    /// The most bytes of a line.
    limit: usize,
    buffer: BytesMut,
    /// Up to where no line ends in the buffer.
    searched: usize,
    /// Whether what comes is the rest of a line that was too long.
    skipping: bool,
    begun: bool,
    ended: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, buffer: BytesMut::new(), searched: 0, skipping: false, begun: false, ended: false }
    }

    /// Takes what comes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next line, if it is there.
    pub fn piece(&mut self) -> Option<Piece> {
        loop {
            let end = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n');
            let mut line = match end.map(|at| self.searched + at) {
                Some(end) => self.buffer.split_to(end + 1),
                None if self.ended && self.buffer.is_empty() => return None,
                None if self.ended => self.buffer.split(),
                None if self.skipping || self.buffer.len() > self.limit + AROUND => {
                    self.buffer.clear();
                    self.searched = 0;
                    return (!replace(&mut self.skipping, true)).then_some(Piece::TooLong);
                }
                None => {
                    self.searched = self.buffer.len();
                    return None;
                }
            };
            self.searched = 0;
            if take(&mut self.skipping) {
                continue;
            }
            if !replace(&mut self.begun, true) && line.starts_with(BYTE_ORDER_MARK) {
                drop(line.split_to(BYTE_ORDER_MARK.len()));
            }
            line.truncate(line.trim_ascii_end().len());
            if line.len() > self.limit {
                return Some(Piece::TooLong);
            }
            if !line.is_empty() {
                return Some(Piece::Text(line));
            }
        }
    }

    /// Whether there is nothing left, and nothing comes.
    pub fn is_over(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of a body that comes in these parts, `-` for one that is too long.
    fn cut<'a>(limit: usize, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut lines = Lines::new(limit);
        let mut found = Vec::new();
        let mut gather = |lines: &mut Lines| {
            while let Some(piece) = lines.piece() {
                found.push(match piece {
                    Piece::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    Piece::TooLong => "-".to_owned(),
                });
            }
        };
        for part in parts {
            lines.push(part);
            gather(&mut lines);
            assert!(lines.buffer.len() <= limit + AROUND, "no more is kept than a line may have");
        }
        assert!(!lines.is_over());
        lines.end();
        gather(&mut lines);
        assert!(lines.is_over());
        found
    }

    #[test]
    fn end_with_either_end_of_line_and_with_the_body() {
        let cases: [(&[u8], &[&str]); 10] = [
            (b"a\nb\nc", &["a", "b", "c"]),
            (b"a\r\nb\r\n", &["a", "b"]),
            (b"\n\r\n  \n\ta \n\n", &["\ta"]),
            (b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb", &["a", "\u{feff}b"]),
            (b"\xEF\xBB\xBF\r\na", &["a"]),
            (b"", &[]),
            (b"\n", &[]),
            (b"12345678\n123456789\n1\n", &["12345678", "-", "1"]),
            (b"12345678\r\n1234567890123456789012345678901234567890\n\n1", &["12345678", "-", "1"]),
            (b"1234567890", &["-"]),
        ];
        for (body, lines) in cases {
            assert_eq!(cut(8, [body]), lines, "{body:?}");
            assert_eq!(cut(8, body.chunks(1)), lines, "{body:?} byte by byte");
        }
    }

    proptest! {
        #[test]
        fn are_the_same_in_whatever_parts_they_come(body in "[a-c\n]{0,60}", size in 1_usize..20, limit in 1_usize..10) {
            let shown = |line: &str| if line.len() > limit { "-".to_owned() } else { line.to_owned() };
            let whole: Vec<String> = body.split('\n').filter(|line| !line.is_empty()).map(shown).collect();
            prop_assert_eq!(cut(limit, body.as_bytes().chunks(size)), whole);
        }
    }
}
