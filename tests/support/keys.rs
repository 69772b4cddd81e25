//! A provider of keys that does as it is told: publishes, rotates, is gone, is slow, or talks nonsense.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};

const POLL: Duration = Duration::from_millis(5);
/// No connection lasts longer, whatever was asked of it.
const CONNECTION_LIMIT: Duration = Duration::from_mins(1);

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Manner {
    /// Publishes these keys.
    Keys(Vec<Value>),
    /// The same after a while.
    Late(Duration, Vec<Value>),
    /// Answers with this status and text.
    Text(u16, String),
    /// Sends everyone there, but for those who ask for `/moved`: they get the keys.
    Redirect(String, Vec<Value>),
    /// Says nothing.
    Silent,
    /// Begins an answer, and goes on with a byte now and then.
    Trickle,
    /// Answers without an end.
    Endless,
    /// Claims to answer with so many bytes, and sends none.
    Claims(u64),
    /// Ends the connection without an answer.
    Broken,
    /// Is not there: connections are refused.
    Gone,
}

/// The provider; gone when dropped.
pub struct KeyServer {
    shared: Arc<Shared>,
    port: u16,
    scheme: &'static str,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    manner: Mutex<Manner>,
    asked: AtomicUsize,
    listening: AtomicBool,
    over: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl KeyServer {
    /// Publishes these keys over HTTP.
    pub fn start(keys: Vec<Value>) -> Self {
        Self::with(Manner::Keys(keys), None)
    }

    /// The same over HTTPS, with the certificate, in PEM, that one must trust.
    pub fn start_tls(keys: Vec<Value>) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        (Self::with(Manner::Keys(keys), Some(Arc::new(config))), made.cert.pem())
    }

    fn with(manner: Manner, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, listening, over) = (AtomicUsize::new(0), AtomicBool::new(true), AtomicBool::new(false));
        let shared = Arc::new(Shared { manner: Mutex::new(manner), asked, listening, over, tls });
        let own = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&own, listener, port));
        Self { shared, port, scheme, accepting: Some(accepting) }
    }

    /// Where its keys are.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/jwks", self.scheme, self.port)
    }

    /// From now on it does so.
    pub fn now(&self, manner: Manner) {
        let listens = !matches!(manner, Manner::Gone);
        *self.shared.manner.lock().unwrap() = manner;
        let start = Instant::now();
        while self.shared.listening.load(Ordering::SeqCst) != listens {
            assert!(start.elapsed() < Duration::from_secs(30), "port {} cannot be had back", self.port);
            std::thread::sleep(POLL);
        }
    }

    /// How many requests came in so far.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            // It panics only where the test has failed already.
            drop(accepting.join());
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: TcpListener, port: u16) {
    listener.set_nonblocking(true).unwrap();
    let mut listener = Some(listener);
    while !shared.over.load(Ordering::SeqCst) {
        let gone = matches!(*shared.manner.lock().unwrap(), Manner::Gone);
        if gone {
            listener = None;
        } else if listener.is_none() {
            // Somebody else may have the port for a moment.
            listener = TcpListener::bind(("127.0.0.1", port)).ok();
            if let Some(listener) = &listener {
                listener.set_nonblocking(true).unwrap();
            }
        }
        shared.listening.store(listener.is_some(), Ordering::SeqCst);
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((stream, _))) => {
                let shared = Arc::clone(shared);
                std::thread::spawn(move || connected(&shared, stream));
            }
            _ => std::thread::sleep(POLL),
        }
    }
}

fn connected(shared: &Shared, stream: TcpStream) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut wire: Box<dyn Wire> = match &shared.tls {
        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(tls)).unwrap(), stream)),
        None => Box::new(stream),
    };
    let until = Instant::now() + CONNECTION_LIMIT;
    let Some(path) = request(shared, &mut *wire, until) else { return };
    shared.asked.fetch_add(1, Ordering::SeqCst);
    let manner = shared.manner.lock().unwrap().clone();
    // Whoever asked may be gone before the end.
    drop(answer(shared, manner, &path, &mut *wire, until));
}

/// The path of the request, once its head is there. `None` for one who went away, or whom nobody waits for.
fn request(shared: &Shared, wire: &mut dyn Wire, until: Instant) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match wire.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(error) if is_late(&error) && goes_on(shared, until) => {}
            _ => return None,
        }
    }
    let head = String::from_utf8(head).ok()?;
    Some(head.split(' ').nth(1)?.to_owned())
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn goes_on(shared: &Shared, until: Instant) -> bool {
    !shared.over.load(Ordering::SeqCst) && Instant::now() < until
}

fn answer(shared: &Shared, manner: Manner, path: &str, wire: &mut dyn Wire, until: Instant) -> std::io::Result<()> {
    let set = |keys: Vec<Value>| json!({ "keys": keys }).to_string();
    match manner {
        Manner::Keys(keys) => whole(wire, 200, "", &set(keys)),
        Manner::Late(pause, keys) => {
            let end = (Instant::now() + pause).min(until);
            while goes_on(shared, end) {
                std::thread::sleep(POLL);
            }
            whole(wire, 200, "", &set(keys))
        }
        Manner::Text(status, text) => whole(wire, status, "", &text),
        Manner::Redirect(_, keys) if path == "/moved" => whole(wire, 200, "", &set(keys)),
        Manner::Redirect(to, _) => whole(wire, 302, &format!("location: {to}\r\n"), ""),
        Manner::Silent => wait_for_the_other(shared, wire, until),
        Manner::Trickle => {
            wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{\"keys\": [")?;
            while goes_on(shared, until) {
                wire.write_all(b" ")?;
                wire.flush()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Manner::Endless => {
            wire.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
            while goes_on(shared, until) {
                wire.write_all(chunk.as_bytes())?;
            }
            Ok(())
        }
        Manner::Claims(bytes) => {
            wire.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").as_bytes())?;
            wait_for_the_other(shared, wire, until)
        }
        Manner::Broken | Manner::Gone => Ok(()),
    }
}

fn whole(wire: &mut dyn Wire, status: u16, more: &str, text: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} So\r\n{more}content-type: application/json\r\nconnection: close\r\n");
    wire.write_all(format!("{head}content-length: {}\r\n\r\n{text}", text.len()).as_bytes())?;
    wire.flush()
}

fn wait_for_the_other(shared: &Shared, wire: &mut dyn Wire, until: Instant) -> std::io::Result<()> {
    wire.flush()?;
    while goes_on(shared, until) {
        match wire.read(&mut [0]) {
            Ok(0) => return Ok(()),
            Err(error) if !is_late(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
