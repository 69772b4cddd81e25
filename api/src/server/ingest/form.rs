//! What a body of executions can be.

use actix_web::http::header::HeaderMap;

use crate::server::body::{check_encoding, media_type};
use crate::server::rejection::Rejection;

/// The type of a body of lines, and of every answer.
pub const LINES: &str = "application/x-ndjson";

/// The form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An execution per line.
    Lines,
    /// A JSON array of `CloudEvents`.
    Events,
    /// One `CloudEvents` event.
    Event,
}

impl Form {
    /// The form that the headers tell.
    ///
    /// # Errors
    /// When it is another, or compressed.
    pub fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let all = [
            (Self::Lines, LINES),
            (Self::Events, "application/cloudevents-batch+json"),
            (Self::Event, "application/cloudevents+json"),
        ];
        let kind = media_type(headers).unwrap_or_default();
        let Some((form, _)) = all.into_iter().find(|(_, name)| kind.eq_ignore_ascii_case(name)) else {
            let names = all.map(|(_, name)| name).join(", ");
            return Err(Rejection::media_type(format!("the content type must be one of {names}")));
        };
        check_encoding(headers)?;
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

    use super::*;

    fn of(kind: &'static str, encoding: Option<&'static str>) -> Option<Form> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        Form::of(&headers).ok()
    }

    #[test]
    fn is_told_by_the_content_type_alone() {
        assert_eq!(of("application/x-ndjson", None), Some(Form::Lines));
        assert_eq!(of("Application/X-NDJSON; charset=UTF-8", Some("identity")), Some(Form::Lines));
        assert_eq!(of("application/cloudevents-batch+json; charset=utf-8", None), Some(Form::Events));
        assert_eq!(of("application/cloudevents+json", None), Some(Form::Event));
        for other in ["", "application/json", "text/plain", "application/cloudevents", "application/x-ndjson;charset=x"]
        {
            assert_eq!(of(other, None), None, "{other}");
        }
        assert_eq!(of("application/x-ndjson", Some("gzip")), None);
        assert!(Form::of(&HeaderMap::new()).is_err());
    }
}
