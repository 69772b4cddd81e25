//! A connection over which a body is sent piece by piece, while its answers are read or not.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::World;

/// A request under way, with a body in chunks.
pub struct Wire {
    stream: TcpStream,
    /// What came and was not looked at yet.
    raw: Vec<u8>,
    /// What came of the body and is no whole line yet.
    text: Vec<u8>,
    ended: bool,
}

impl Wire {
    /// Sends the head of a request for `POST /v1/executions` with this query.
    pub async fn open(world: &World, token: &str, query: &str) -> Self {
        let address = world.server.base_url().strip_prefix("http://").unwrap().to_owned();
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /v1/executions?{query} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\nx-request-id: {query}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream, raw: Vec::new(), text: Vec::new(), ended: false }
    }

    /// Sends a piece of the body.
    pub async fn send(&mut self, text: &str) {
        self.try_send(text).await.unwrap();
    }

    /// The same where the server may have gone.
    pub async fn try_send(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await
    }

    /// Ends the body.
    pub async fn finish(&mut self) {
        self.stream.write_all(b"0\r\n\r\n").await.unwrap();
    }

    /// The status of the answer, whose body must come in chunks.
    pub async fn status(&mut self) -> u16 {
        let head = self.until(b"\r\n\r\n").await.to_ascii_lowercase();
        let status = head.split_ascii_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(status != 200 || head.contains("transfer-encoding: chunked"), "{head}");
        status
    }

    /// The next line of the answer; none at its end, which must be a good one.
    pub async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            if self.ended {
                assert!(self.text.is_empty(), "the last line is whole");
                return None;
            }
            let size = usize::from_str_radix(self.until(b"\r\n").await.trim(), 16).unwrap();
            self.fill(size + 2).await;
            let chunk: Vec<u8> = self.raw.drain(..size + 2).collect();
            self.text.extend_from_slice(&chunk[..size]);
            self.ended = size == 0;
        }
    }

    /// So many lines.
    pub async fn lines(&mut self, count: usize) -> Vec<Value> {
        let mut lines = Vec::with_capacity(count);
        for _ in 0..count {
            lines.push(self.line().await.expect("another line"));
        }
        lines
    }

    async fn until(&mut self, end: &[u8]) -> String {
        loop {
            if let Some(at) = self.raw.windows(end.len()).position(|part| part == end) {
                let part: Vec<u8> = self.raw.drain(..at + end.len()).collect();
                return String::from_utf8(part).unwrap();
            }
            self.more().await;
        }
    }

    async fn fill(&mut self, size: usize) {
        while self.raw.len() < size {
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = self.stream.read_buf(&mut self.raw).await.unwrap();
        assert!(read > 0, "the connection was closed in the midst of an answer");
    }
}
