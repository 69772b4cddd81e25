//! The cookie of a session, and where a form may come from.
//!
//! A page changes nothing but who is signed in. What does is a POST, which is taken only from a page of this service: the
//! cookie is not sent with one of another site (`SameSite`), and each is asked for the origin that the browser puts on
//! it. No other part of the service looks at cookies.

use actix_web::http::header::{COOKIE, HOST, HeaderMap, ORIGIN};

use crate::auth::session;
use crate::config::DashboardConfig;

/// The name of the cookie over https. Browsers take one of this prefix only from the host itself, over https.
const SECURE: &str = "__Host-sopwith-session";
/// The same where there is no https.
const PLAIN: &str = "sopwith-session";

/// What is stored of the session that a request brings, as SHA-256 in hex. Of two cookies of one name nobody could say
/// which is meant.
pub fn presented(headers: &HeaderMap, config: &DashboardConfig) -> Option<String> {
    let secret = named(headers, SECURE).or_else(|| {
        let secure_only = config.public_origin.as_deref().is_some_and(is_https);
        if secure_only { None } else { named(headers, PLAIN) }
    });
    session::digest(secret?)
}

fn named<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut values = all.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value),
        _ => None,
    }
}

/// What a browser is told to keep, for so many seconds.
pub fn kept(secret: &str, seconds: i64, origin: &Origin) -> String {
    let name = if origin.is_https() { SECURE } else { PLAIN };
    let secure = if origin.is_https() { "; Secure" } else { "" };
    format!("{name}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// What a browser is told in order to forget.
pub fn forgotten(origin: &Origin) -> String {
    kept("", 0, origin)
}

/// The origin of a form of ours.
#[derive(Debug)]
pub struct Origin(String);

impl Origin {
    fn is_https(&self) -> bool {
        is_https(&self.0)
    }
}

fn is_https(origin: &str) -> bool {
    origin.starts_with("https://")
}

/// Where a form comes from, which must be a page of this service: of the origin that is configured, or else of the host
/// that the request is for.
/// Nothing when it is from elsewhere, or does not say.
pub fn own_origin(headers: &HeaderMap, config: &DashboardConfig) -> Option<Origin> {
    let only = |name| {
        let mut all = headers.get_all(name);
        let (first, None) = (all.next()?, all.next()) else { return None };
        first.to_str().ok()
    };
    let origin = only(ORIGIN)?;
    let own = if let Some(own) = &config.public_origin {
        origin.eq_ignore_ascii_case(own)
    } else {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        host.is_some_and(|host| only(HOST).is_some_and(|own| host.eq_ignore_ascii_case(own)))
    };
    let same_site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    (own && same_site).then(|| Origin(origin.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn with(pairs: &[(&'static str, String)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn at(origin: Option<&str>) -> DashboardConfig {
        DashboardConfig { public_origin: origin.map(str::to_owned), ..DashboardConfig::default() }
    }

    #[test]
    fn the_cookie_of_the_host_comes_first_and_over_https_alone() {
        let found = |cookies: &str, origin| presented(&with(&[("cookie", cookies.to_owned())]), &at(origin));
        let (a, b) = (session::digest(A), session::digest(B));
        assert_eq!(found(&format!("x=1; sopwith-session={A}"), None), a);
        assert_eq!(found(&format!("sopwith-session={A}; __Host-sopwith-session={B}"), None), b);
        assert_eq!(found(&format!("sopwith-session={A}"), Some("https://a.example")), None);
        assert_eq!(found(&format!("sopwith-session={A}"), Some("http://a.example")), a);
        assert_eq!(found(&format!("sopwith-session={A}; sopwith-session={B}"), None), None, "which is meant?");
        for none in ["", "sopwith-session", "sopwith-session=", "Sopwith-Session=x", "sopwith-session=x"] {
            assert_eq!(found(none, None), None, "{none}");
        }
    }

    #[test]
    fn what_the_browser_keeps_is_for_the_browser_and_this_host_alone() {
        let https = kept(A, 60, &Origin("https://a.example".to_owned()));
        assert_eq!(https, format!("__Host-sopwith-session={A}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
        let http = kept(A, 60, &Origin("http://a.example".to_owned()));
        assert_eq!(http, format!("sopwith-session={A}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"));
    }

    #[test]
    fn forms_of_others_are_refused() {
        let told = |pairs: &[(&'static str, &str)], origin| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            own_origin(&with(&pairs), &at(origin)).map(|origin| origin.0)
        };
        let own = [("origin", "http://a.example:8080"), ("host", "a.example:8080")];
        assert_eq!(told(&own, None).as_deref(), Some("http://a.example:8080"));
        assert_eq!(told(&own, Some("https://a.example")), None);
        assert_eq!(told(&own, Some("http://a.example:8080")).as_deref(), Some("http://a.example:8080"));
        assert!(told(&[own[0], own[1], ("sec-fetch-site", "same-origin")], None).is_some());
        for wrong in [
            &[own[0]][..],
            &[own[1]],
            &[("origin", "null"), own[1]],
            &[("origin", "http://b.example:8080"), own[1]],
            &[("origin", "http://a.example:8080.b.example"), own[1]],
            &[("origin", "ftp://a.example:8080"), own[1]],
            &[own[0], own[0], own[1]],
            &[own[0], own[1], ("sec-fetch-site", "same-site")],
            &[own[0], own[1], ("sec-fetch-site", "cross-site")],
        ] {
            assert_eq!(told(wrong, None), None, "{wrong:?}");
        }
    }
}
