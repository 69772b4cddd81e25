//! A client that costs next to nothing: what is measured shares the machine with it.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::Raw;

/// A connection that is kept, for one request after the other.
pub struct Wire {
    stream: BufReader<TcpStream>,
    head: String,
}

impl Wire {
    /// Connects, to post JSON to this path as the bearer of a token.
    pub async fn open(raw: &Raw, path: &str, token: &str) -> Self {
        let url = raw.url("");
        let address = url.strip_prefix("http://").expect("no TLS here");
        let stream = TcpStream::connect(address).await.expect("the service listens");
        stream.set_nodelay(true).expect("a socket");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        );
        Self { stream: BufReader::new(stream), head }
    }

    /// Posts a body; answers the body of the answer, which must be a success.
    pub async fn post(&mut self, body: &[u8]) -> String {
        let mut request = format!("{}Content-Length: {}\r\n\r\n", self.head, body.len()).into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await.expect("the service reads");
        let (mut line, mut length) = (String::new(), None);
        self.stream.read_line(&mut line).await.expect("an answer");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line).await.expect("headers");
            let header = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            length = header.map(|(_, value)| value.trim().parse().expect("a number")).or(length);
        }
        let mut answer = vec![0; length.expect("a length")];
        self.stream.read_exact(&mut answer).await.expect("all of the answer");
        String::from_utf8(answer).expect("text")
    }
}
