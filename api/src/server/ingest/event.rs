//! An execution as the data of a `CloudEvents` event (specification 1.0, JSON format).

use sopwith_domain::execution::{Rejection, Report};
use sopwith_domain::time::Timestamp;

use super::fields::{Fields, INSTANT, invalid};
use super::report;

/// Reads an event from this source. Its `id` names the event; its `time` says when it happened, where the data does
/// not. Attributes that extensions add are left alone.
///
/// # Errors
/// The first thing that is wrong with its form, or that it comes from another source.
pub fn read(text: &[u8], source: &str) -> Result<Report, Rejection> {
    let mut event = Fields::whole(text)?;
    if event.needed_text("specversion")? != "1.0" {
        return Err(invalid("specversion", "only events of version 1.0 are taken"));
    }
    let (id, from) = (event.needed_text("id")?, event.needed_text("source")?);
    event.needed_text("type")?;
    if from != source {
        return Err(invalid("source", "your token is not bound to this source"));
    }
    let time = event.parsed::<Timestamp>("time", INSTANT)?;
    if event.text("data_base64")?.is_some() {
        return Err(invalid("data_base64", "the data must be JSON"));
    }
    let data = event.root("data")?;
    let mut report = report::read(event.needed("data", data)?, Some(id))?;
    report.occurred_at = report.occurred_at.or(time);
    Ok(report)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({"specversion": "1.0", "id": "e1", "source": "tracker", "type": "com.example.ticket.closed",
            "time": "2026-07-01T09:00:00Z", "subject": "T-1", "datacontenttype": "application/json", "traceparent": "00-1",
            "data": {"runId": "T-1", "process": "password-reset"}})
    }

    fn of(event: &Value) -> Result<Report, Rejection> {
        read(event.to_string().as_bytes(), "tracker")
    }

    #[test]
    fn is_an_execution_with_the_names_of_the_event() {
        let report = of(&event()).unwrap();
        assert_eq!((report.event_id.as_str(), report.run_id.as_str()), ("e1", "T-1"));
        assert_eq!(report.occurred_at.unwrap().to_string(), "2026-07-01T09:00:00Z");
        let mut own = event();
        own["data"]["occurredAt"] = json!("2026-06-01T09:00:00Z");
        own["data"]["eventId"] = json!("e1");
        assert_eq!(of(&own).unwrap().occurred_at.unwrap().to_string(), "2026-06-01T09:00:00Z");
        own["time"] = Value::Null;
        own["data"]["occurredAt"] = Value::Null;
        assert_eq!(of(&own).unwrap().occurred_at, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (field, value, path) in [
            ("specversion", json!("0.3"), "specversion"),
            ("specversion", json!(1.0), "specversion"),
            ("specversion", Value::Null, "specversion"),
            ("id", Value::Null, "id"),
            ("id", json!(1), "id"),
            ("type", Value::Null, "type"),
            ("source", json!("Tracker"), "source"),
            ("source", Value::Null, "source"),
            ("time", json!("today"), "time"),
            ("data", Value::Null, "data"),
            ("data", json!("text"), "data"),
            ("data_base64", json!("e30="), "data_base64"),
            ("data", json!({"runId": "r", "surprise": 1}), "surprise"),
            ("data", json!({"runId": "r", "eventId": "e2"}), "eventId"),
            ("data", json!({"process": "p"}), "runId"),
        ] {
            let mut wrong = event();
            wrong[field] = value;
            assert_eq!(of(&wrong).expect_err(field).path, path, "{wrong}");
        }
        assert_eq!(read(b"[]", "tracker").unwrap_err().path, "");
    }
}
