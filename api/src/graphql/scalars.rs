//! Scalars that GraphQL lacks.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use sopwith_domain::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

/// An instant, RFC 3339: any zone is taken, UTC is given, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub Timestamp);

/// An instant, RFC 3339: any zone is taken, UTC is given, to the microsecond.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        text.parse().map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl Duration {
    /// From whole seconds.
    pub fn seconds(seconds: i64) -> Self {
        Self { micros: seconds.saturating_mul(SECOND) }
    }
}

impl DateTime {
    /// From microseconds as stored.
    pub fn stored(micros: i64) -> Self {
        Self(Timestamp::from_micros(micros))
    }
}

/// A length of time, ISO 8601 of days, hours, minutes and seconds, such as `PT1H30M` or `PT0.25S`; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Microseconds.
    pub micros: i64,
}

/// A length of time, ISO 8601 of days, hours, minutes and seconds, such as `PT1H30M` or `PT0.25S`; never negative.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/duration.html")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let micros = parse_duration(text).ok_or_else(|| InputValueError::custom("not an ISO 8601 duration"))?;
        Ok(Self { micros })
    }

    fn to_value(&self) -> Value {
        Value::String(format_duration(self.micros))
    }
}

fn parse_duration(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P')?;
    let (days, clock) = rest.split_once('T').map_or((rest, None), |(days, clock)| (days, Some(clock)));
    if days.is_empty() && clock.is_none_or(str::is_empty) {
        return None;
    }
    let total = parts(days, &[('D', DAY)])?.checked_add(match clock {
        Some("") => return None,
        Some(clock) => parts(clock, &[('H', HOUR), ('M', MINUTE), ('S', SECOND)])?,
        None => 0,
    })?;
    // A century is longer than any work.
    (total <= 36_525 * DAY).then_some(total)
}

/// The sum of numbers, each followed by its unit, in the order of the units; only the last may have a fraction.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total: i64 = 0;
    for (unit, micros) in units {
        if let Some((number, rest)) = text.split_once(*unit) {
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            if !digits(whole) || !digits(fraction) || fraction.len() > 6 || (number.contains('.') && !rest.is_empty()) {
                return None;
            }
            let millionths: i64 = format!("{fraction:0<6}").parse().ok()?;
            let whole: i64 = whole.parse().ok()?;
            let part = whole.checked_mul(*micros)?.checked_add(millionths.checked_mul(micros / SECOND)?)?;
            total = total.checked_add(part)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

fn format_duration(micros: i64) -> String {
    let (hours, rest) = (micros / HOUR, micros % HOUR);
    let (minutes, rest) = (rest / MINUTE, rest % MINUTE);
    let mut out = String::from("PT");
    let mut part = |number: i64, unit: char| {
        if number > 0 {
            out.extend([number.to_string(), unit.to_string()]);
        }
    };
    part(hours, 'H');
    part(minutes, 'M');
    if rest > 0 || micros == 0 {
        let fraction = format!("{:06}", rest % SECOND);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        out.extend([(rest / SECOND).to_string(), dot.to_owned(), fraction.to_owned(), "S".to_owned()]);
    }
    out
}

/// A whole number of 64 bits, as a JSON number; a decimal string is taken as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number of 64 bits, as a JSON number; a decimal string is taken as well.
#[Scalar(specified_by_url = "https://scalars.graphql.org/apollographql/bigint.html")]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| InputValueError::expected_type(value))
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, micros) in
            [("PT1H30M", 90 * MINUTE), ("PT0.25S", 250_000), ("P2DT1S", 2 * DAY + SECOND), ("PT0S", 0)]
        {
            assert_eq!(parse_duration(text), Some(micros), "{text}");
            assert_eq!(parse_duration(&format_duration(micros)), Some(micros), "{text}");
        }
        for text in ["", "P", "PT", "1H", "PT1", "PT1M1H", "P1M", "PT-1S", "PT1.5H1M", "P99999999D", "PTS"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(format_duration(25 * HOUR + 1_500_000), "PT25H1.5S");
    }
}
