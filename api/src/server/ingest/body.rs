//! A body, read as it comes and cut into batches.

use std::mem::replace;
use std::time::Duration;

use actix_web::web::{BytesMut, Payload};
use futures_util::StreamExt as _;
use sopwith_domain::execution::{Rejection as Wrong, RejectionCode, Report};
use tokio::time::{Instant, timeout_at};

use super::elements::Elements;
use super::fields::Fields;
use super::form::Form;
use super::lines::{Lines, Piece};
use super::{event, report};
use crate::app::executions::MAX_BATCH;
use crate::server::rejection::Rejection;

/// How long a batch that is not full waits for more: somebody may be waiting for its answers before they go on.
const GATHER: Duration = Duration::from_millis(250);

/// An execution, or why what is in its place could not be read as one.
pub type Item = Result<Report, Wrong>;

/// The body of a request.
pub struct Body {
    payload: Payload,
    cutter: Cutter,
    source: String,
    /// The most bytes of a batch, and of an item.
    limit: usize,
    /// How long an item may take to come.
    patience: Duration,
    /// The item that begins the next batch, with its size.
    held: Option<(Item, usize)>,
    /// What the reading ended with.
    fault: Option<Rejection>,
}

impl Body {
    /// Of executions that come from this source.
    pub fn new(payload: Payload, form: Form, source: &str, limit: usize, patience: Duration) -> Self {
        let cutter = Cutter::new(form, limit);
        Self { payload, cutter, source: source.to_owned(), limit, patience, held: None, fault: None }
    }

    /// Whether all of it was given.
    pub fn is_over(&self) -> bool {
        self.held.is_none() && self.fault.is_none() && self.cutter.is_over()
    }

    /// The next batch: at most [`MAX_BATCH`] items and `limit` bytes. An empty one is the last.
    ///
    /// # Errors
    /// When what comes is not what it should be, breaks off, or does not come; after all that came before.
    pub async fn next(&mut self) -> Result<Vec<Item>, Rejection> {
        let (mut batch, mut size) = (Vec::new(), 0);
        let mut until = Instant::now() + self.patience;
        let mut gathering = false;
        loop {
            match self.fill(&mut batch, &mut size) {
                Ok(true) => return Ok(batch),
                Ok(false) => {}
                Err(fault) => self.fault = Some(fault),
            }
            if self.fault.is_some() || self.is_over() {
                break;
            }
            if !batch.is_empty() && !replace(&mut gathering, true) {
                until = Instant::now() + GATHER;
            }
            match timeout_at(until, self.payload.next()).await {
                Ok(Some(Ok(bytes))) => self.cutter.push(&bytes),
                Ok(None) => self.cutter.end(),
                Ok(Some(Err(_))) => self.fault = Some(Rejection::incomplete()),
                Err(_) if batch.is_empty() => self.fault = Some(Rejection::too_slow()),
                Err(_) => return Ok(batch),
            }
        }
        if batch.is_empty() { self.fault.take().map_or(Ok(batch), Err) } else { Ok(batch) }
    }

    /// Adds what has come; answers whether the batch is full.
    fn fill(&mut self, batch: &mut Vec<Item>, size: &mut usize) -> Result<bool, Rejection> {
        loop {
            let next = match self.held.take() {
                Some(held) => Some(held),
                None => self.cutter.piece()?.map(|piece| self.read(piece)),
            };
            let Some((item, bytes)) = next else { return Ok(false) };
            if !batch.is_empty() && *size + bytes > self.limit {
                self.held = Some((item, bytes));
                return Ok(true);
            }
            batch.push(item);
            *size += bytes;
            if batch.len() == MAX_BATCH {
                return Ok(true);
            }
        }
    }

    fn read(&self, piece: Piece) -> (Item, usize) {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::TooLong => {
                let why = format!("an execution has at most {} bytes", self.limit);
                return (Err(Wrong::new(RejectionCode::Invalid, "", why)), 0);
            }
        };
        let item = match self.cutter {
            Cutter::Lines(_) => Fields::whole(&text).and_then(|fields| report::read(fields, None)),
            Cutter::Elements(_) | Cutter::Whole { .. } => event::read(&text, &self.source),
        };
        (item, text.len())
    }
}

/// What cuts a body into items.
enum Cutter {
    Lines(Lines),
    Elements(Elements),
    /// The body is one item.
    Whole {
        limit: usize,
        text: BytesMut,
        ended: bool,
        given: bool,
    },
}

impl Cutter {
    fn new(form: Form, limit: usize) -> Self {
        match form {
            Form::Lines => Self::Lines(Lines::new(limit)),
            Form::Events => Self::Elements(Elements::new(limit)),
            Form::Event => Self::Whole { limit, text: BytesMut::new(), ended: false, given: false },
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Lines(lines) => lines.push(bytes),
            Self::Elements(elements) => elements.push(bytes),
            Self::Whole { text, .. } => text.extend_from_slice(bytes),
        }
    }

    fn end(&mut self) {
        match self {
            Self::Lines(lines) => lines.end(),
            Self::Elements(elements) => elements.end(),
            Self::Whole { ended, .. } => *ended = true,
        }
    }

    fn piece(&mut self) -> Result<Option<Piece>, Rejection> {
        match self {
            Self::Lines(lines) => Ok(lines.piece()),
            Self::Elements(elements) => elements.piece(),
            Self::Whole { limit, text, .. } if text.len() > *limit => Err(Rejection::too_large(*limit)),
            Self::Whole { text, ended, given, .. } => {
                let first = *ended && !replace(given, *ended);
                Ok(first.then(|| Piece::Text(text.split())))
            }
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_over(),
            Self::Elements(elements) => elements.is_over(),
            Self::Whole { given, .. } => *given,
        }
    }
}
