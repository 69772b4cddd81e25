//! The settings of mail.

use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};

/// Mail. Off unless a host is set. There is no `Debug`: it holds a password.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The SMTP server that takes mails. Without one, none are sent.
    pub host: Option<String>,
    /// Its port; by default 587 with STARTTLS, 465 with TLS and 25 without either.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// The name to sign in by. Without one, nobody signs in.
    pub username: Option<String>,
    /// The password to that name.
    pub password: Option<String>,
    /// The sender, such as `Sopwith <sopwith@example.org>`. Needed with a host.
    pub from: Option<String>,
    /// What links in mails begin with, such as `https://sops.example.org`. Needed with a host.
    pub base_url: Option<String>,
    /// How many attempts are made to send a mail, 1 to 20.
    pub max_attempts: u32,
    /// How long after the first attempt the second is made; each further wait is four times as long, up to six hours.
    /// In seconds, 1 to 86400.
    pub retry_after_seconds: u64,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            encryption: Encryption::Starttls,
            username: None,
            password: None,
            from: None,
            base_url: None,
            max_attempts: 8,
            retry_after_seconds: 60,
        }
    }
}

/// How the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Encryption {
    /// By STARTTLS, or not at all.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all: only to a server on this machine.
    None,
}

/// A name of a setting of mail, whether it holds, and what is expected of it.
type Rule = (&'static str, bool, &'static str);

impl MailConfig {
    /// The port, or the usual one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.encryption {
            Encryption::Starttls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        })
    }

    /// What must hold of the settings, so that mail can be sent where it is on.
    #[must_use]
    pub fn rules(&self) -> [Rule; 8] {
        let on = self.host.is_some();
        let host = self.host.as_deref().unwrap_or_default();
        let is_from = |from: &String| from.parse::<Mailbox>().is_ok();
        let is_url = |url: &String| {
            ["http://", "https://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
                && !url.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        let encrypted = self.encryption != Encryption::None || !on || is_loopback(host);
        [
            ("mail.host", self.host.as_deref().is_none_or(|host| !host.trim().is_empty()), "absent or not empty"),
            ("mail.port", self.port != Some(0), "from 1 to 65535"),
            ("mail.encryption", encrypted, "STARTTLS or TLS, but for a server on loopback"),
            (
                "mail.password",
                self.username.is_some() == self.password.is_some(),
                "there with `mail.username`, and only then",
            ),
            ("mail.from", self.from.as_ref().map_or(!on, is_from), "a mail address, where `mail.host` is set"),
            ("mail.base_url", self.base_url.as_ref().map_or(!on, is_url), "an http(s) URL, where `mail.host` is set"),
            ("mail.max_attempts", (1..=20).contains(&self.max_attempts), "from 1 to 20"),
            ("mail.retry_after_seconds", (1..=86_400).contains(&self.retry_after_seconds), "from 1 to 86400"),
        ]
    }
}

/// Whether a host is this machine, by its address or the one name that always is.
fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::IpAddr>()
        .map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_loopback() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "mail", "localhost.example.org", "127.0.0.1.example.org", "10.0.0.1", "0.0.0.0", "::", "[::1]"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
