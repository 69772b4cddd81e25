//! Mail over SMTP: the words of each mail, and the server that takes it.

mod config;
mod letter;

use std::fmt;
use std::time::Duration;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::{self, extension::ClientId};

use crate::app::mail::{Letter, Outcome, Retries};

pub use config::{Encryption, MailConfig};

/// How long connecting to one address of the server may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long one mail may take, from connecting to the server's word that it took it: well below
/// [`crate::app::mail::CLAIM`].
const LIMIT: Duration = Duration::from_mins(3);
/// How long the server gets to say good-bye, once it has taken the mail.
const QUIT_LIMIT: Duration = Duration::from_secs(5);

/// Why no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailSetupError {
    /// The certificates of the system cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(smtp::Error),
    /// The sender is no mail address.
    #[error("`from` is no mail address")]
    From,
}

/// Sends mails, one connection each.
pub struct Mailer {
    host: String,
    port: u16,
    encryption: Encryption,
    /// What the server has to prove; none where nothing is encrypted.
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    /// What we call ourselves to the server.
    hello: ClientId,
    from: Mailbox,
    base_url: String,
    /// When failed attempts are made again.
    pub retries: Retries,
}

/// Shows where mail goes, and no password.
impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// How an attempt to send ended.
#[derive(Debug)]
pub struct Attempt {
    /// For the delivery.
    pub outcome: Outcome,
    /// What the library said, for the log. It may name the recipient.
    pub reason: Option<String>,
    /// Whether the next mail would fare no better, since it is the server that could not be talked to.
    pub server_at_fault: bool,
}

impl Mailer {
    /// As configured; none where mail is off.
    ///
    /// # Errors
    /// [`MailSetupError`].
    pub fn new(config: &MailConfig) -> Result<Option<Self>, MailSetupError> {
        let Some(host) = config.host.as_deref() else { return Ok(None) };
        let tls = (config.encryption != Encryption::None).then(|| TlsParameters::new(host.to_owned()));
        let credentials = config.username.clone().zip(config.password.clone());
        Ok(Some(Self {
            host: host.to_owned(),
            port: config.port(),
            encryption: config.encryption,
            tls: tls.transpose().map_err(MailSetupError::Tls)?,
            credentials: credentials.map(|(name, password)| Credentials::new(name, password)),
            hello: ClientId::default(),
            from: config.from.as_deref().and_then(|from| from.parse().ok()).ok_or(MailSetupError::From)?,
            base_url: config.base_url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned(),
            retries: Retries { most: config.max_attempts, first_after_seconds: config.retry_after_seconds },
        }))
    }

    /// Tries to send a mail.
    pub async fn send(&self, letter: &Letter) -> Attempt {
        let message = match letter::compose(letter, &self.from, &self.base_url) {
            Ok(message) => message,
            Err(reason) => return Attempt::ended(Outcome::Refused("ADDRESS"), Some(reason), false),
        };
        match tokio::time::timeout(LIMIT, self.hand_over(&message)).await {
            Ok(Ok(mut connection)) => {
                // The mail is with the server, whatever it says now.
                let _ = tokio::time::timeout(QUIT_LIMIT, connection.quit()).await;
                Attempt::ended(Outcome::Sent, None, false)
            }
            Ok(Err(Trouble::Connecting(error))) => unreachable_server(&error),
            Ok(Err(Trouble::Sending(error))) => refused_mail(&error),
            Err(_) => Attempt::ended(Outcome::Hindered("TIMEOUT"), None, true),
        }
    }

    /// Answers once the server has taken the mail.
    async fn hand_over(&self, message: &Message) -> Result<AsyncSmtpConnection, Trouble> {
        let mut connection = self.connect().await.map_err(Trouble::Connecting)?;
        connection.send(message.envelope(), &message.formatted()).await.map_err(Trouble::Sending)?;
        Ok(connection)
    }

    /// A connection, encrypted and signed in as configured. Nothing is said in the clear that is not to be: STARTTLS
    /// fails where the server does not offer it.
    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let address = (self.host.as_str(), self.port);
        let wrapped = self.tls.clone().filter(|_| self.encryption == Encryption::Tls);
        let limit = Some(CONNECT_LIMIT);
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, limit, &self.hello, wrapped, None).await?;
        if let Some(tls) = self.tls.clone().filter(|_| self.encryption == Encryption::Starttls) {
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// What went wrong, and when.
enum Trouble {
    /// Before there was talk of a mail.
    Connecting(smtp::Error),
    /// After that.
    Sending(smtp::Error),
}

impl Attempt {
    fn ended(outcome: Outcome, reason: Option<String>, server_at_fault: bool) -> Self {
        Self { outcome, reason, server_at_fault }
    }
}

/// A server that cannot be reached, speaks no TLS or does not know us: nothing that the mail could help.
fn unreachable_server(error: &smtp::Error) -> Attempt {
    let kind = if error.is_tls() {
        "TLS"
    } else if error.is_client() || error.status().is_some() {
        "SETUP"
    } else if error.is_timeout() {
        "TIMEOUT"
    } else {
        "CONNECTION"
    };
    Attempt::ended(Outcome::Hindered(kind), Some(error.to_string()), true)
}

/// What the server says of a mail.
fn refused_mail(error: &smtp::Error) -> Attempt {
    let (outcome, server_at_fault) = match error.status().map(u16::from) {
        // We have to sign in.
        Some(530) => (Outcome::Hindered("SETUP"), true),
        // The whole service is not available.
        Some(421) => (Outcome::Hindered("DEFERRED"), true),
        Some(500..) => (Outcome::Refused("REFUSED"), false),
        Some(_) => (Outcome::Hindered("DEFERRED"), false),
        // An address that this server cannot write to.
        None if error.is_client() => (Outcome::Refused("ADDRESS"), false),
        None => (Outcome::Hindered("CONNECTION"), true),
    };
    Attempt::ended(outcome, Some(error.to_string()), server_at_fault)
}
