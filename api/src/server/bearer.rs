//! Who asks, by the header `Authorization`.

use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use sha2::{Digest, Sha256};

use super::edge::Edge;
use super::rejection::Rejection;
use crate::app::people::Bearer;
use crate::app::tokens;
use crate::auth::api_token;
use crate::auth::claims::Identity;
use crate::auth::token::{AuthError, Verifier};
use crate::clock;
use crate::error::Error;

/// Whom a token of the identity provider names, if it is believed. A key that is not known may have to be fetched: not
/// for longer than `patience`.
async fn identity(verifier: &Verifier, token: &str, patience: Duration) -> Result<Identity, Rejection> {
    let answer = tokio::time::timeout(patience, verifier.verify(token)).await;
    answer.unwrap_or(Err(AuthError::KeysUnavailable)).map_err(|error| match error {
        AuthError::KeysUnavailable => Rejection::unavailable(error.to_string()),
        error => Rejection::unauthenticated(error.to_string()),
    })
}

/// Who asks: whoever bears a token of the identity provider that is believed, or an API token that is good.
///
/// # Errors
/// When there is no token, and as [`believe`].
pub async fn of(edge: &Edge, headers: &HeaderMap) -> Result<Bearer, Rejection> {
    let missing = "a bearer token is needed in the header `Authorization`";
    believe(edge, token(headers).ok_or_else(|| Rejection::unauthenticated(missing))?).await
}

/// The bearer of a token, by whatever way it came.
///
/// # Errors
/// When it is not believed, or nobody can tell now, with the reason. Of an API token that is unknown, revoked or expired
/// no more is told than that.
pub async fn believe(edge: &Edge, meant: &str) -> Result<Bearer, Rejection> {
    if !api_token::is_meant(meant) {
        return identity(&edge.verifier, meant, edge.deadline).await.map(Bearer::Person);
    }
    let malformed = "the API token is malformed: it was not copied whole, or has a typo";
    let digest = api_token::digest(meant).ok_or_else(|| Rejection::unauthenticated(malformed))?;
    let (store, lookups, uses) = (edge.store.clone(), edge.lookups.clone(), edge.uses.clone());
    // Connections to the database live on the main runtime.
    let authenticate = async move { tokens::authenticate(&store, &lookups, &uses, digest, clock::now()).await };
    let asked = edge.runtime.spawn(authenticate);
    match asked.await.map_err(Error::internal).flatten() {
        Ok(Some(token)) => Ok(Bearer::Token(token)),
        Ok(None) => Err(Rejection::unauthenticated("the API token is unknown, revoked or expired")),
        Err(error) => {
            tracing::error!(reason = ?error, "an API token could not be looked up");
            Err(Rejection::unavailable("the service is busy: try again"))
        }
    }
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
