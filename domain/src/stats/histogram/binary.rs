//! Histograms as bytes: compact, and canonical, so that equal histograms are equal bytes and nothing else is read.
//!
//! A histogram is the byte 1 (this version: 64 buckets per octave, microseconds), the number of its buckets, and for
//! each in order: how many places are left out since the one before (since the first place, for the first), and its
//! count less one. A change that takes nothing away is written as what it adds; another is the byte 2 and both parts.
//! Numbers are LEB128, seven bits a byte from the lowest, in as few bytes as they need.

use super::{Bucket, Change, Histogram, within_bounds};

const HISTOGRAM: u8 = 1;
const CHANGE: u8 = 2;

/// Bytes that are no histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early.
    #[error("a histogram ends too early")]
    Truncated,
    /// They begin with another number than this service writes.
    #[error("a histogram of the unknown version {0}")]
    Version(u8),
    /// Something follows after the end.
    #[error("something follows after a histogram")]
    Trailing,
    /// A number takes more bytes than it needs, or is too large.
    #[error("a number in a histogram is not in its shortest form, or too large")]
    Number,
    /// There is no such bucket, or no whole number falls in it.
    #[error("a histogram has a bucket that does not exist")]
    Bucket,
    /// There are more runs than can be counted.
    #[error("a histogram counts more than 2^63 - 1 runs")]
    Overflow,
    /// A change takes nothing away, or takes away from a bucket that it adds to.
    #[error("a change of a histogram is not in its shortest form")]
    NotReduced,
}

impl Histogram {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![HISTOGRAM];
        write_body(&mut out, self);
        out
    }

    /// The histogram that these bytes are.
    ///
    /// # Errors
    /// When they are not what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        match split_version(bytes)? {
            (HISTOGRAM, mut rest) => read_body(&mut rest).and_then(|read| ended(rest, read)),
            (other, _) => Err(Malformed::Version(other)),
        }
    }
}

impl Change {
    /// Its bytes: those of a histogram, when nothing is taken away.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        if self.removed().is_empty() {
            return self.added().encode();
        }
        let mut out = vec![CHANGE];
        write_body(&mut out, self.added());
        write_body(&mut out, self.removed());
        out
    }

    /// The change that these bytes are; those of a histogram add it.
    ///
    /// # Errors
    /// When they are not what [`Self::encode`] writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (version, mut rest) = split_version(bytes)?;
        if version != CHANGE {
            return Ok(Histogram::decode(bytes)?.into());
        }
        let (added, removed) = (read_body(&mut rest)?, read_body(&mut rest)?);
        let reduced = !removed.is_empty();
        let change = Self::from_parts(added, removed).filter(|_| reduced).ok_or(Malformed::NotReduced)?;
        ended(rest, change)
    }
}

fn split_version(bytes: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    bytes.split_first().map(|(version, rest)| (*version, rest)).ok_or(Malformed::Truncated)
}

fn ended<T>(rest: &[u8], read: T) -> Result<T, Malformed> {
    if rest.is_empty() { Ok(read) } else { Err(Malformed::Trailing) }
}

fn write_body(out: &mut Vec<u8>, histogram: &Histogram) {
    write_number(out, histogram.buckets.len() as u64);
    let mut next = 0;
    for (bucket, runs) in histogram.buckets() {
        write_number(out, u64::from(bucket.place() - next));
        write_number(out, runs - 1);
        next = bucket.place() + 1;
    }
}

fn read_body(bytes: &mut &[u8]) -> Result<Histogram, Malformed> {
    let mut histogram = Histogram::default();
    let mut next = 0_u16;
    for _ in 0..read_number(bytes)? {
        let gap = u16::try_from(read_number(bytes)?).map_err(|_| Malformed::Bucket)?;
        let place = next.checked_add(gap).ok_or(Malformed::Bucket)?;
        let bucket = Bucket::at(place).ok_or(Malformed::Bucket)?;
        let runs = read_number(bytes)?.checked_add(1).ok_or(Malformed::Overflow)?;
        histogram.count = within_bounds(histogram.count, runs).map_err(|_| Malformed::Overflow)?;
        histogram.buckets.push((bucket, runs));
        next = place + 1;
    }
    Ok(histogram)
}

pub(crate) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn read_number(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits || (*byte == 0 && shift > 0) {
            return Err(Malformed::Number);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed::Number)
}
