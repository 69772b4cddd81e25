//! Counts and deltas as bytes: compact and canonical, so that what is equal is stored as equal bytes.
//!
//! Numbers are LEB128; those that may be negative take their sign into the lowest bit ("zigzag"). A tally is how many
//! counts are not zero, then for each how many were left out before it, and its value. A delta is how many keys it has;
//! each is 16 bytes of the process, one byte that says which of SOP, version and team follow in 16 bytes each, and how
//! many hours it has; each of these is its beginning in microseconds less the one before, the tally, and both changes,
//! each preceded by its length.

use uuid::Uuid;

use super::{Aggregate, Delta, Key, Tally};
use crate::stats::histogram::{self, Change, read_number, write_number};
use crate::time::Timestamp;

/// Bytes that are no tally or delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end too early, or something follows.
    #[error("a tally or delta has the wrong length")]
    Length,
    /// A count that does not exist, a count of zero or something out of order.
    #[error("a tally or delta is not in its shortest form")]
    Form,
    /// A number or histogram within is no such.
    #[error(transparent)]
    Histogram(#[from] histogram::Malformed),
}

impl Tally {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        self.write(&mut out);
        out
    }

    /// The tally that these bytes are.
    ///
    /// # Errors
    /// When they are not what [`Self::encode`] writes.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let tally = Self::read(&mut bytes)?;
        if bytes.is_empty() { Ok(tally) } else { Err(Malformed::Length) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let numbers = self.numbers();
        write_number(out, numbers.iter().filter(|n| **n != 0).count() as u64);
        let mut next = 0;
        for (place, number) in numbers.into_iter().enumerate().filter(|(_, number)| *number != 0) {
            write_number(out, (place - next) as u64);
            write_signed(out, number);
            next = place + 1;
        }
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, Malformed> {
        let mut numbers = Self::default().numbers();
        let mut next = 0_usize;
        for _ in 0..read_number(bytes)? {
            let gap = usize::try_from(read_number(bytes)?).map_err(|_| Malformed::Form)?;
            let place = next.checked_add(gap).ok_or(Malformed::Form)?;
            let number = read_signed(bytes)?;
            let count = numbers.get_mut(place).filter(|_| number != 0).ok_or(Malformed::Form)?;
            *count = number;
            next = place + 1;
        }
        Ok(Self::from_numbers(numbers))
    }
}

impl Delta {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut keys: Vec<(Key, Vec<(Timestamp, &Aggregate)>)> = Vec::new();
        for (key, hour, aggregate) in self.cells() {
            match keys.last_mut() {
                Some((last, hours)) if *last == key => hours.push((hour, aggregate)),
                _ => keys.push((key, vec![(hour, aggregate)])),
            }
        }
        let mut out = Vec::new();
        write_number(&mut out, keys.len() as u64);
        for (key, hours) in keys {
            write_key(&mut out, &key);
            write_number(&mut out, hours.len() as u64);
            let mut before = 0;
            for (hour, aggregate) in hours {
                write_signed(&mut out, hour.micros() - before);
                before = hour.micros();
                aggregate.tally.write(&mut out);
                write_change(&mut out, &aggregate.completed);
                write_change(&mut out, &aggregate.abandoned);
            }
        }
        out
    }

    /// The delta that these bytes are.
    ///
    /// # Errors
    /// When they are not what [`Self::encode`] writes.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = &mut bytes;
        let mut delta = Self::default();
        for _ in 0..read_number(bytes)? {
            let key = read_key(bytes)?;
            let mut hour: i64 = 0;
            for _ in 0..read_number(bytes)? {
                hour = hour.checked_add(read_signed(bytes)?).ok_or(Malformed::Form)?;
                let tally = Tally::read(bytes)?;
                let (completed, abandoned) = (read_change(bytes)?, read_change(bytes)?);
                let aggregate = Aggregate { tally, completed, abandoned };
                let place = (key, Timestamp::from_micros(hour));
                let in_order = delta.0.last_key_value().is_none_or(|(last, _)| *last < place);
                if !in_order || aggregate.is_empty() {
                    return Err(Malformed::Form);
                }
                delta.0.insert(place, aggregate);
            }
        }
        if bytes.is_empty() { Ok(delta) } else { Err(Malformed::Length) }
    }
}

fn write_signed(out: &mut Vec<u8>, number: i64) {
    write_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn read_signed(bytes: &mut &[u8]) -> Result<i64, Malformed> {
    let number = read_number(bytes)?;
    Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn write_key(out: &mut Vec<u8>, key: &Key) {
    let parts = [key.sop, key.version, key.team];
    out.extend(key.process.as_bytes());
    out.push((0..).zip(&parts).map(|(bit, part)| u8::from(part.is_some()) << bit).sum());
    out.extend(parts.iter().flatten().flat_map(|part| *part.as_bytes()));
}

fn read_key(bytes: &mut &[u8]) -> Result<Key, Malformed> {
    let process = read_uuid(bytes)?;
    let [parts] = take(bytes)?;
    if parts > 0b111 {
        return Err(Malformed::Form);
    }
    let mut part = |bit: u8| if parts >> bit & 1 == 1 { read_uuid(bytes).map(Some) } else { Ok(None) };
    Ok(Key { process, sop: part(0)?, version: part(1)?, team: part(2)? })
}

fn read_uuid(bytes: &mut &[u8]) -> Result<Uuid, Malformed> {
    Ok(Uuid::from_bytes(take(bytes)?))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed::Length)?;
    *bytes = rest;
    Ok(*first)
}

fn write_change(out: &mut Vec<u8>, change: &Change) {
    if change.is_empty() {
        write_number(out, 0);
        return;
    }
    let bytes = change.encode();
    write_number(out, bytes.len() as u64);
    out.extend(bytes);
}

fn read_change(bytes: &mut &[u8]) -> Result<Change, Malformed> {
    let length = usize::try_from(read_number(bytes)?).map_err(|_| Malformed::Length)?;
    if length == 0 {
        return Ok(Change::default());
    }
    let (change, rest) = bytes.split_at_checked(length).ok_or(Malformed::Length)?;
    *bytes = rest;
    let change = Change::decode(change)?;
    if change.is_empty() { Err(Malformed::Form) } else { Ok(change) }
}
