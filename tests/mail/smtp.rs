//! A mail server of the tests' own: it keeps what it is sent, or refuses in a chosen way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the server does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It takes it.
    Take,
    /// It cannot take it now (450).
    Defer,
    /// It knows no such recipient (550).
    Refuse,
    /// It knows no such user (535), where one signs in.
    Unknown,
    /// It closes the connection once it has the mail, without a word.
    HangUp,
    /// It has the mail and says nothing for good.
    Stall,
    /// It takes the mail and says nothing more.
    Mute,
}

/// A mail as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Header lines, unfolded.
    pub head: Vec<String>,
    /// The body, decoded.
    pub body: String,
}

impl Mail {
    /// The value of a header that there is once.
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        let mut found = self.head.iter().filter_map(|line| line.strip_prefix(&prefix));
        let value = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.head));
        assert!(found.next().is_none(), "{name} twice in {:?}", self.head);
        value
    }
}

/// A line that a client sent, and whether it came encrypted.
type Line = (String, bool);

struct Shared {
    mode: Mutex<Mode>,
    mails: Mutex<Vec<Mail>>,
    lines: Mutex<Vec<Line>>,
    tls: Option<TlsAcceptor>,
}

/// The server, gone when dropped.
pub struct Smtp {
    pub port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Smtp {
    /// A server on loopback; one that offers STARTTLS where it has a certificate.
    pub async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { mode: Mutex::new(Mode::Take), mails: Mutex::default(), lines: Mutex::default(), tls });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // A client may leave at any time.
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { port, shared, task }
    }

    pub fn set(&self, mode: Mode) {
        *self.shared.mode.lock().unwrap() = mode;
    }

    /// What it has taken.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.lock().unwrap().clone()
    }

    /// What clients said, in order.
    pub fn lines(&self) -> Vec<Line> {
        self.shared.lines.lock().unwrap().clone()
    }

    /// How often a client said something that begins so.
    pub fn heard(&self, prefix: &str) -> usize {
        self.lines().iter().filter(|(line, _)| line.starts_with(prefix)).count()
    }

    /// Waits until it has taken so many mails; they, by recipient.
    pub async fn wait(&self, count: usize) -> Vec<Mail> {
        for _ in 0..300 {
            let mut mails = self.mails();
            if mails.len() >= count {
                assert_eq!(mails.len(), count, "{mails:#?}");
                mails.sort_by(|a, b| a.to.cmp(&b.to));
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("only these came, not {count}: {:#?}", self.mails());
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    let (stream, upgrade) = talk(stream, &shared, false).await?;
    if let (true, Some(tls)) = (upgrade, &shared.tls) {
        let stream = tls.accept(stream).await?;
        talk(stream, &shared, true).await?;
    }
    Ok(())
}

/// One conversation; answers whether the client wants to go on encrypted.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Shared,
    secret: bool,
) -> std::io::Result<(S, bool)> {
    let mut stream = BufReader::new(stream);
    if !secret {
        say(&mut stream, "220 test.example").await?;
    }
    let (mut from, mut to) = (String::new(), Vec::new());
    loop {
        let Some(line) = line(&mut stream).await? else { return Ok((stream.into_inner(), false)) };
        shared.lines.lock().unwrap().push((line.clone(), secret));
        let mode = *shared.mode.lock().unwrap();
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if secret => "250-test.example\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "EHLO" if shared.tls.is_some() => "250-test.example\r\n250-8BITMIME\r\n250 STARTTLS",
            "EHLO" => "250-test.example\r\n250 8BITMIME",
            "STARTTLS" if shared.tls.is_some() && !secret => {
                say(&mut stream, "220 go ahead").await?;
                return Ok((stream.into_inner(), true));
            }
            "AUTH" if mode == Mode::Unknown => "535 5.7.8 who are you",
            "AUTH" => "235 2.7.0 welcome",
            "MAIL" => {
                from = address(&line);
                "250 ok"
            }
            "RCPT" if mode == Mode::Defer => "450 4.2.1 not now",
            "RCPT" if mode == Mode::Refuse => "550 5.1.1 no such user",
            "RCPT" => {
                to.push(address(&line));
                "250 ok"
            }
            "DATA" => {
                say(&mut stream, "354 go ahead").await?;
                let text = data(&mut stream).await?;
                match mode {
                    Mode::HangUp => return Ok((stream.into_inner(), false)),
                    Mode::Stall => std::future::pending().await,
                    _ => {}
                }
                shared.mails.lock().unwrap().push(read(std::mem::take(&mut from), std::mem::take(&mut to), &text));
                "250 taken"
            }
            "QUIT" if mode == Mode::Mute => std::future::pending().await,
            "QUIT" => {
                say(&mut stream, "221 bye").await?;
                return Ok((stream.into_inner(), false));
            }
            _ => "502 what",
        };
        say(&mut stream, answer).await?;
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

/// A line without its end; none at the end of the stream.
async fn line<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// The lines up to the lone dot, dots doubled by the client single again.
async fn data<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while let Some(line) = line(stream).await? {
        if line == "." {
            return Ok(lines);
        }
        lines.push(line.strip_prefix('.').map_or(line.clone(), str::to_owned));
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').expect("an address in brackets");
    rest.split_once('>').expect("an address in brackets").0.to_owned()
}

fn read(from: String, to: Vec<String>, lines: &[String]) -> Mail {
    let end = lines.iter().position(String::is_empty).expect("a head and a body");
    let mut head: Vec<String> = Vec::new();
    for line in &lines[..end] {
        match head.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
            _ => head.push(line.clone()),
        }
    }
    let body = lines[end + 1..].join("\n");
    let encoded = head.iter().any(|line| line == "Content-Transfer-Encoding: quoted-printable");
    Mail { from, to, head, body: if encoded { decoded(&body) } else { body } }
}

/// Quoted-printable in clear.
fn decoded(text: &str) -> String {
    let text = text.replace("=\n", "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'=' {
            let hex = std::str::from_utf8(&tail[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
