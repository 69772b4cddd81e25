//! A key set by URL: one request, within limits of time and size.

use std::error::Error;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, StatusCode, Url};

use super::{KeySet, KeySetError, parse};

/// Redirects within the provider's origin that are followed, at most.
const MAX_REDIRECTS: usize = 3;
const TYPES: HeaderValue = HeaderValue::from_static("application/jwk-set+json, application/json");

/// Where a key set is fetched from, and within which limits.
#[derive(Debug, Clone)]
pub struct Source {
    client: Client,
    url: Url,
    max_bytes: usize,
    allowed: Vec<Algorithm>,
}

/// Why keys cannot be fetched from a URL, ever.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read, or names no host.
    #[error("jwks_url: is not a URL with a host")]
    NotAUrl,
    /// Anyone on the way could exchange the keys.
    #[error("jwks_url: must begin with https:// (http:// is taken for localhost, 127.0.0.1 and [::1] only)")]
    Insecure,
    /// It would be logged with what is secret in it.
    #[error("jwks_url: must not hold a user name or a password")]
    Credentials,
    /// TLS cannot be set up, such as for want of trusted certificates.
    #[error("jwks_url: cannot set up a client: {0}")]
    Client(String),
}

/// Why a fetch failed. For operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No connection, no trust, no answer in time, or none that is HTTP.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// It lies elsewhere now: who could redirect could exchange the keys.
    #[error("answered {0}: redirects are followed within the same origin only, and {MAX_REDIRECTS} at most")]
    Redirected(StatusCode),
    /// An answer without keys.
    #[error("answered {0}")]
    Status(StatusCode),
    /// More than is read.
    #[error("answered with more than {0} bytes")]
    TooLarge(usize),
    /// Something else than a key set that can be used.
    #[error("what was answered {0}")]
    Unusable(#[from] KeySetError),
}

impl Source {
    /// Checks the URL. `timeout` is for the whole of a fetch.
    ///
    /// # Errors
    /// [`SourceError`] when the URL must not be trusted, or TLS cannot be set up.
    pub fn new(url: &str, timeout: Duration, max_bytes: usize, allowed: Vec<Algorithm>) -> Result<Self, SourceError> {
        let url = checked(url)?;
        let mut client = Client::builder()
            .timeout(timeout)
            .user_agent(concat!("sopwith/", env!("CARGO_PKG_VERSION")))
            // Minutes pass between two fetches: a connection would only grow stale.
            .pool_max_idle_per_host(0)
            .referer(false)
            .redirect(Policy::custom(redirect));
        if is_loopback(&url) {
            // No proxy can reach this machine's own services.
            client = client.no_proxy();
        }
        if url.scheme() == "http" {
            // A machine without trusted certificates is as good.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| SourceError::Client(causes(&error)))?;
        Ok(Self { client, url, max_bytes, allowed })
    }

    /// Where the keys are.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What they may be used for.
    pub fn allowed(&self) -> &[Algorithm] {
        &self.allowed
    }

    /// Fetches the set. Caches on the way are asked to look anew: a key that was revoked must be gone.
    ///
    /// # Errors
    /// [`FetchError`]; nothing is to be concluded about keys that are known.
    pub async fn fetch(&self) -> Result<KeySet, FetchError> {
        let request = self.client.get(self.url.clone()).header(ACCEPT, TYPES);
        let response = request.header("cache-control", "no-cache").send().await.map_err(no_answer)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirected(status));
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status(status));
        }
        let body = self.read(response).await?;
        Ok(parse(&body, &self.allowed)?)
    }

    /// The body, as far as it is read: what is said of its length need not be so.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(FetchError::TooLarge(self.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The URL, if what it answers may be believed.
fn checked(url: &str) -> Result<Url, SourceError> {
    let url = Url::parse(url).ok().filter(Url::has_host).ok_or(SourceError::NotAUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SourceError::Credentials);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(SourceError::Insecure),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn redirect(attempt: Attempt<'_>) -> Action {
    let within = attempt.previous().iter().all(|url| url.origin() == attempt.url().origin());
    if within && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

fn no_answer(error: reqwest::Error) -> FetchError {
    FetchError::NoAnswer(causes(&error.without_url()))
}

/// An error with what caused it: the outermost says only that a request failed.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // A `String` takes everything.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_can_be_trusted_are_taken() {
        for url in [
            "https://login.example/jwks",
            "https://login.example:8443/a/b?c=d",
            "https://127.0.0.1/",
            "http://localhost:3000/jwks",
            "http://LOCALHOST/jwks",
            "http://127.0.0.1:3000/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:3000/jwks",
        ] {
            assert!(checked(url).is_ok(), "{url}");
        }
        for url in [
            "http://login.example/jwks",
            "http://localhost.example/jwks",
            "http://evil-localhost/jwks",
            "http://128.0.0.1/jwks",
            "http://0.0.0.0/jwks",
            "http://10.0.0.1/jwks",
            "http://[::2]/jwks",
            "http://[::ffff:10.0.0.1]/jwks",
            "ftp://localhost/jwks",
        ] {
            assert!(matches!(checked(url), Err(SourceError::Insecure)), "{url}");
        }
        for url in ["", "jwks.json", "/etc/jwks.json", "login.example/jwks", "https://", "file:///etc/jwks", "data:,x"]
        {
            assert!(matches!(checked(url), Err(SourceError::NotAUrl)), "{url}");
        }
        for url in ["https://user:password@login.example/", "https://user@login.example/", "http://:x@localhost/"] {
            assert!(matches!(checked(url), Err(SourceError::Credentials)), "{url}");
        }
    }
}
