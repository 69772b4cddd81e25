//! What is said of all executions of a body: in the query, since the body is nothing but executions.

use actix_web::web::Query;
use sopwith_domain::execution::Mode;
use sopwith_domain::time::Timestamp;

/// What is said of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Where they come from.
    pub source: String,
    /// What they are for.
    pub mode: Mode,
    /// When the sender began to send, by its own clock.
    pub sent_at: Option<Timestamp>,
}

impl Terms {
    /// Reads the query of a sender whose token is `bound` to a source, which therefore need not be named. Anything
    /// unknown is refused by name: a misspelt mode must not make training of what was real.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn read(query: &str, bound: Option<&str>) -> Result<Self, String> {
        let pairs = Query::<Vec<(String, String)>>::from_query(query);
        let pairs = pairs.map_err(|_| "the query cannot be read".to_owned())?;
        let (mut source, mut mode, mut sent_at) = (None, None, None);
        for (name, text) in pairs.into_inner() {
            let before = match name.as_str() {
                "source" => source.replace(text).is_some(),
                "mode" => mode.replace(text).is_some(),
                "sentAt" => sent_at.replace(text).is_some(),
                _ => return Err("unknown parameter: known are source, mode, sentAt".to_owned()),
            };
            if before {
                return Err(format!("`{name}` is given twice"));
            }
        }
        let mode = mode.as_deref().and_then(|text| text.parse().ok());
        let time = |text: String| text.parse();
        let instant = "`sentAt` must be a time such as 2026-07-01T09:30:00Z, with a `+` in it written as %2B";
        Ok(Self {
            // A token that is bound to no source is refused like one of another source.
            source: source.or_else(|| bound.map(str::to_owned)).unwrap_or_default(),
            mode: mode.ok_or("`mode` must be one of LIVE, BACKFILL, PRACTICE")?,
            sent_at: sent_at.map(time).transpose().map_err(|_| instant.to_owned())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_read_whole_or_not_at_all() {
        let read = |query: &str| Terms::read(query, Some("tracker"));
        let terms = read("mode=LIVE").unwrap();
        assert_eq!((terms.source.as_str(), terms.mode, terms.sent_at), ("tracker", Mode::Live, None));
        let terms = read("sentAt=2026-07-01T09:30:00%2B02:00&source=pa%20ger&mode=PRACTICE").unwrap();
        assert_eq!((terms.source.as_str(), terms.mode), ("pa ger", Mode::Practice));
        assert_eq!(terms.sent_at.unwrap().to_string(), "2026-07-01T07:30:00Z");
        assert_eq!(Terms::read("mode=BACKFILL", None).unwrap().source, "");
        for (query, named) in [
            ("", "mode"),
            ("mode=", "mode"),
            ("mode=live", "mode"),
            ("source=tracker", "mode"),
            ("mode=LIVE&mode=LIVE", "mode"),
            ("mode=LIVE&source=a&source=b", "source"),
            ("mode=LIVE&sentAt=yesterday", "sentAt"),
            ("mode=LIVE&sentAt=", "sentAt"),
            ("mode=LIVE&sentAt=2026-07-01T09:30:00+02:00", "%2B"),
            ("mode=LIVE&sent_at=2026-07-01T09:30:00Z", "known are"),
            ("mode=LIVE&Mode=LIVE", "known are"),
            ("mode=LIVE&", "known are"),
        ] {
            match read(query) {
                Err(said) => assert!(said.contains(named), "{query}: {said}"),
                Ok(terms) => assert_eq!((query, terms.mode), ("mode=LIVE&", Mode::Live)),
            }
        }
    }
}
