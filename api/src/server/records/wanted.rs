//! Which form of a record is asked for: by `?format=`, or else by `Accept`.

use actix_web::http::header::{ACCEPT, HeaderMap};

use crate::server::rejection::Rejection;

/// A form that a record can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page to read and print.
    Html,
    /// Everything for programs.
    Json,
}

impl Form {
    /// The type of its answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// What the name of a copy ends in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
        }
    }

    fn media_type(self) -> (&'static str, &'static str) {
        match self {
            Self::Html => ("text", "html"),
            Self::Json => ("application", "json"),
        }
    }
}

/// The form that is asked for; the page where both would do.
///
/// # Errors
/// For a `format` that there is not, and where neither form is acceptable.
pub fn form(query: &str, headers: &HeaderMap) -> Result<Form, Rejection> {
    let mut given = query.split('&').filter_map(|pair| pair.strip_prefix("format="));
    match (given.next(), given.next()) {
        (None, _) => by_accept(headers),
        (Some("html"), None) => Ok(Form::Html),
        (Some("json"), None) => Ok(Form::Json),
        _ => Err(Rejection::malformed("`format` is html or json, once")),
    }
}

fn by_accept(headers: &HeaderMap) -> Result<Form, Rejection> {
    let ranges: Vec<&str> =
        headers.get_all(ACCEPT).filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    if ranges.iter().all(|range| range.trim().is_empty()) {
        return Ok(Form::Html);
    }
    let (html, json) = (quality(&ranges, Form::Html), quality(&ranges, Form::Json));
    match (html.max(json), json > html) {
        (0, _) => Err(Rejection::not_acceptable("a record is text/html or application/json")),
        (_, true) => Ok(Form::Json),
        (_, false) => Ok(Form::Html),
    }
}

/// How welcome a form is, in thousandths: what the most special range that it is in says (RFC 9110, section 12.5.1).
fn quality(ranges: &[&str], form: Form) -> u16 {
    let (of, sort) = form.media_type();
    let special = |range: &&str| {
        let mut parts = range.split(';').map(str::trim);
        let rank = match parts.next()?.split_once('/')? {
            (a, b) if a.eq_ignore_ascii_case(of) && b.eq_ignore_ascii_case(sort) => 2,
            (a, "*") if a.eq_ignore_ascii_case(of) => 1,
            ("*", "*") => 0,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((rank, weight.map_or(1000, thousandths)))
    };
    ranges.iter().filter_map(special).max().map_or(0, |(_, quality)| quality)
}

fn thousandths(weight: &str) -> u16 {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let digits: String = part.chars().chain("000".chars()).take(3).collect();
    let read = |text: &str| text.parse::<u16>().unwrap_or(0);
    (read(whole).min(1) * 1000 + read(&digits)).min(1000)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn asked(query: &str, accept: &[&'static str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        form(query, &headers).ok()
    }

    #[test]
    fn the_most_special_range_rules() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (accept, form) in [
            ("*/*", Some(Form::Html)),
            ("", Some(Form::Html)),
            (browser, Some(Form::Html)),
            ("application/json", Some(Form::Json)),
            ("Application/JSON; charset=utf-8", Some(Form::Json)),
            ("text/html;q=0.5, application/json;q=0.75", Some(Form::Json)),
            ("application/json;q=0.5, text/*;q=0.501", Some(Form::Html)),
            ("text/html;q=0, */*", Some(Form::Json)),
            ("application/*", Some(Form::Json)),
            ("application/pdf", None),
            ("text/html;q=0", None),
            ("text/html;q=none", None),
        ] {
            assert_eq!(asked("", &[accept]), form, "{accept}");
        }
        assert_eq!(asked("", &[]), Some(Form::Html));
        assert_eq!(asked("", &["application/pdf", "application/json"]), Some(Form::Json));
    }

    #[test]
    fn a_format_in_the_link_comes_before_what_is_accepted() {
        assert_eq!(asked("format=json", &["text/html"]), Some(Form::Json));
        assert_eq!(asked("a=b&format=html", &["application/json"]), Some(Form::Html));
        for wrong in ["format=pdf", "format=", "format=HTML", "format=html&format=json"] {
            assert_eq!(asked(wrong, &["text/html"]), None, "{wrong}");
        }
    }
}
