//! A first look at the text of a document. The parser calls itself for each level of brackets, and some rules of
//! validation compare every argument with every other: both must be bounded before they begin.

/// Brackets within brackets, of any kind.
const MAX_NESTING: usize = 100;
/// Names, values and punctuators.
const MAX_TOKENS: usize = 20_000;

/// Checks that a document is neither nested too deep nor too long; values belong into variables, which do not count.
///
/// # Errors
/// The limit that it is over.
pub fn check(document: &str) -> Result<(), String> {
    let (mut nesting, mut tokens) = (0_usize, 0);
    let mut rest = document.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b' ' | b'\t' | b'\n' | b'\r' | b',' => {
                rest = after;
                continue;
            }
            b'#' => {
                rest = skip_line(after);
                continue;
            }
            b'"' => skip_string(rest),
            b if is_word(b) => skip_while(rest, is_word),
            _ => after,
        };
        match first {
            b'{' | b'[' | b'(' => nesting += 1,
            b'}' | b']' | b')' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        tokens += 1;
        if nesting > MAX_NESTING {
            return Err(format!("the document is nested more than {MAX_NESTING} brackets deep"));
        }
        if tokens > MAX_TOKENS {
            return Err(format!("the document has more than {MAX_TOKENS} tokens: send values as variables"));
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte)
}

fn skip_while(text: &[u8], holds: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| !holds(*byte)).unwrap_or(text.len());
    &text[end..]
}

fn skip_line(text: &[u8]) -> &[u8] {
    skip_while(text, |byte| byte != b'\n' && byte != b'\r')
}

/// What lies behind the string that this begins with.
fn skip_string(text: &[u8]) -> &[u8] {
    if let Some(block) = text.strip_prefix(b"\"\"\"") {
        return skip_block(block);
    }
    let mut rest = &text[1..];
    while let Some((&byte, after)) = rest.split_first() {
        rest = if byte == b'\\' { after.get(1..).unwrap_or_default() } else { after };
        // A string ends with its line; the parser will object.
        if matches!(byte, b'"' | b'\n' | b'\r') {
            break;
        }
    }
    rest
}

fn skip_block(mut rest: &[u8]) -> &[u8] {
    while let Some((_, after)) = rest.split_first() {
        if let Some(end) = rest.strip_prefix(b"\"\"\"") {
            return end;
        }
        rest = rest.strip_prefix(b"\\\"\"\"").unwrap_or(after);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_nesting_and_length_but_not_strings() {
        let nested = |n: usize| format!("{}a{}", "{a".repeat(n), "}".repeat(n));
        assert!(check(&nested(MAX_NESTING)).is_ok());
        assert!(check(&nested(MAX_NESTING + 1)).is_err());
        assert!(check(&"{".repeat(4_000_000)).is_err());
        assert!(check(&"a ".repeat(MAX_TOKENS)).is_ok());
        assert!(check(&"a ".repeat(MAX_TOKENS + 1)).is_err());
        let quoted = "{".repeat(1000);
        for text in [
            format!("{{a(b: \"{quoted}\\\"{quoted}\")}}"),
            format!("{{a(b: \"\"\"{quoted}\\\"\"\"{quoted}\"{quoted}\"\"\")}}"),
            format!("#{quoted}\n{{a}}"),
        ] {
            assert!(check(&text).is_ok());
        }
    }

    #[test]
    fn quotes_hide_no_brackets_from_it() {
        let brackets = "[".repeat(1000);
        for text in ["\"\" ", "\"\\\\\" ", "\"\"\"a\"\"\" ", "# \"\n", "\"a\n", "# \"\r"] {
            assert!(check(&format!("{text}{brackets}")).is_err(), "{text:?}");
        }
    }
}
