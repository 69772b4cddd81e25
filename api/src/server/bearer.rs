//! Who asks, by the header `Authorization`.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest, Sha256};

use super::rejection::Rejection;
use crate::auth::claims::Identity;
use crate::auth::token::Verifier;

/// The bearer of a token that is believed.
///
/// # Errors
/// When there is no token, or it is not believed, with the reason.
pub fn identity(verifier: &Verifier, headers: &HeaderMap) -> Result<Identity, Rejection> {
    let missing = "a bearer token is needed in the header `Authorization`";
    let token = token(headers).ok_or_else(|| Rejection::unauthenticated(missing))?;
    verifier.verify(token).map_err(|error| Rejection::unauthenticated(error.to_string()))
}

/// Whether the request bears exactly this secret, compared in a time that does not tell how much of it is right.
pub fn bears(headers: &HeaderMap, secret: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let same = |token: &str| digest(token).iter().zip(digest(secret)).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0;
    token(headers).is_some_and(same)
}

/// The one bearer token. Of two headers nobody could say which is meant.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION);
    let (only, None) = (given.next()?, given.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn finds_the_one_token_and_compares_all_of_it() {
        assert_eq!(token(&with(&["bearer  abc "])), Some("abc"));
        for none in [&[][..], &["Basic abc"], &["Bearer "], &["Bearer"], &["Bearer a", "Bearer b"]] {
            assert_eq!(token(&with(none)), None, "{none:?}");
        }
        assert!(bears(&with(&["Bearer secret"]), "secret"));
        assert!(!bears(&with(&["Bearer secreT"]), "secret") && !bears(&with(&["Bearer secret2"]), "secret"));
    }
}
