//! A body that is one JSON array, cut into its elements as they come. Only where they end is found out here: what is
//! wrong within one is that one's own, as long as its strings and brackets are closed.

use std::mem::take;

use actix_web::web::{Buf as _, BufMut as _, BytesMut};

use super::lines::{BYTE_ORDER_MARK, Piece};
use crate::server::rejection::Rejection;

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Before the array.
    Before,
    /// In it.
    Within,
    /// Behind it.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// What is no string.
    Plain,
    /// A string.
    Text,
    /// A string, behind a backslash that says something of the next character.
    Escaped,
}

/// The elements of an array.
#[derive(Debug)]
pub struct Elements {
    /// The most bytes of an element.
    limit: usize,
    input: BytesMut,
    place: Place,
    /// How many brackets of the element are open.
    depth: usize,
    reading: Reading,
    element: BytesMut,
    too_long: bool,
    /// Whether a comma says that another element comes.
    awaited: bool,
    ended: bool,
}

impl Elements {
    /// Elements of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            input: BytesMut::new(),
            place: Place::Before,
            depth: 0,
            reading: Reading::Plain,
            element: BytesMut::new(),
            too_long: false,
            awaited: false,
            ended: false,
        }
    }

    /// Takes what comes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Nothing more comes.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next element, if it is there.
    ///
    /// # Errors
    /// When the body is no array, or does not end with it.
    pub fn piece(&mut self) -> Result<Option<Piece>, Rejection> {
        for at in 0..self.input.len() {
            if let Some(piece) = self.step(self.input[at])? {
                self.input.advance(at + 1);
                return Ok(Some(piece));
            }
        }
        self.input.clear();
        match self.place {
            Place::Within | Place::Before if self.ended => Err(Rejection::malformed("the JSON array does not end")),
            _ => Ok(None),
        }
    }

    /// Whether there is nothing left, and nothing comes.
    pub fn is_over(&self) -> bool {
        self.ended && self.input.is_empty() && self.place == Place::After
    }

    fn step(&mut self, byte: u8) -> Result<Option<Piece>, Rejection> {
        match self.place {
            Place::Within => return Ok(self.within(byte)),
            Place::Before if byte == b'[' => self.place = Place::Within,
            Place::Before if byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(&byte) => {}
            Place::After if byte.is_ascii_whitespace() => {}
            Place::Before => return Err(Rejection::malformed("the body must be a JSON array")),
            Place::After => return Err(Rejection::malformed("something follows the JSON array")),
        }
        Ok(None)
    }

    fn within(&mut self, byte: u8) -> Option<Piece> {
        if self.reading != Reading::Plain {
            self.reading = match (self.reading, byte) {
                (Reading::Text, b'"') => Reading::Plain,
                (Reading::Text, b'\\') => Reading::Escaped,
                _ => Reading::Text,
            };
            self.keep(byte);
            return None;
        }
        match byte {
            b',' if self.depth == 0 => {
                self.awaited = true;
                return Some(self.finish());
            }
            b']' if self.depth == 0 => {
                self.place = Place::After;
                let some = self.awaited || self.too_long || !self.element.trim_ascii().is_empty();
                return some.then(|| self.finish());
            }
            b'"' => self.reading = Reading::Text,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.keep(byte);
        None
    }

    fn keep(&mut self, byte: u8) {
        if self.element.len() < self.limit {
            self.element.put_u8(byte);
        } else {
            self.too_long = true;
        }
    }

    fn finish(&mut self) -> Piece {
        let text = self.element.split();
        if take(&mut self.too_long) { Piece::TooLong } else { Piece::Text(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All elements of a body that comes in parts of this size, `-` for one that is too long; or what is wrong.
    fn cut(body: &str, size: usize, limit: usize) -> Result<Vec<String>, (Vec<String>, String)> {
        let mut elements = Elements::new(limit);
        let mut found = Vec::new();
        let mut gather = |elements: &mut Elements| {
            loop {
                match elements.piece() {
                    Ok(Some(Piece::Text(text))) => {
                        found.push(String::from_utf8(text.to_vec()).unwrap().trim().to_owned());
                    }
                    Ok(Some(Piece::TooLong)) => found.push("-".to_owned()),
                    Ok(None) => return Ok(()),
                    Err(wrong) => return Err((found.clone(), wrong.message().to_owned())),
                }
            }
        };
        for part in body.as_bytes().chunks(size) {
            elements.push(part);
            gather(&mut elements)?;
            assert!(elements.input.is_empty() && elements.element.len() <= limit);
        }
        elements.end();
        gather(&mut elements)?;
        assert!(elements.is_over());
        Ok(found)
    }

    #[test]
    fn end_where_their_brackets_and_strings_are_closed() {
        let cases: [(&str, &[&str]); 11] = [
            ("[]", &[]),
            (" \r\n[ \n ] ", &[]),
            ("\u{feff}[{}]", &["{}"]),
            (r#"[{"a":1},{"b":[1,2,{}]}]"#, &[r#"{"a":1}"#, r#"{"b":[1,2,{}]}"#]),
            (r#"[{"a":"],[}{\""}, "x\\",{"c":"\\\","}]"#, &[r#"{"a":"],[}{\""}"#, r#""x\\""#, r#"{"c":"\\\","}"#]),
            ("[1, null ,2]", &["1", "null", "2"]),
            ("[{},]", &["{}", ""]),
            ("[,]", &["", ""]),
            ("[{} {}]", &["{} {}"]),
            ("[{}},{}]", &["{}}", "{}"]),
            ("[{\"a\":\"0123456789012345\"},{}]", &["-", "{}"]),
        ];
        for (body, elements) in cases {
            for size in [1, 2, 3, 1000] {
                let limit = if body.contains("0123") { 12 } else { 100 };
                let found = cut(body, size, limit).unwrap_or_else(|wrong| panic!("{body}: {wrong:?}"));
                assert_eq!(found, elements, "{body} in parts of {size}");
            }
        }
    }

    #[test]
    fn of_what_is_no_array_are_those_before_it_shows() {
        let cases: [(&str, &[&str], &str); 8] = [
            ("", &[], "does not end"),
            ("  ", &[], "does not end"),
            ("{}", &[], "must be"),
            ("null", &[], "must be"),
            ("[{},{", &["{}"], "does not end"),
            ("[{}", &[], "does not end"),
            ("[{},\"a]", &["{}"], "does not end"),
            ("[{}]]", &["{}"], "follows"),
        ];
        for (body, before, said) in cases {
            for size in [1, 1000] {
                let (found, wrong) = cut(body, size, 100).expect_err(body);
                assert_eq!(found, before, "{body}");
                assert!(wrong.contains(said), "{body}: {wrong}");
            }
        }
    }
}
