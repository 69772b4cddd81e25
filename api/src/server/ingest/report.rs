//! An execution as JSON: the same fields as the input `ExecutionInput` of the GraphQL schema.

use serde::Deserialize;
use sopwith_domain::execution::{
    ActorRef, Adherence, Outcome, Rejection, Report, Satisfaction, SatisfactionBy, Severity, StepRecord, StepStatus,
    Violation, by_name,
};

use super::fields::{Fields, INSTANT, OneOf, TEXT, WHOLE, invalid};

/// Reads an execution, whose event may have been named already by `event`.
///
/// # Errors
/// The first thing that is wrong with its form. What it says is judged later.
pub fn read(mut fields: Fields, event: Option<String>) -> Result<Report, Rejection> {
    let event_id = event_id(&mut fields, event)?;
    let attributes = fields.objects("attributes", attribute)?;
    let (attributes, repeated_attribute) = attributes.map(by_name).unzip();
    let report = Report {
        event_id,
        run_id: fields.needed_text("runId")?,
        revision: fields.value_or("revision", WHOLE, BigInt(1))?.0,
        process: fields.text("process")?,
        sop: fields.text("sop")?,
        version: fields.text("version")?,
        team: fields.text("team")?,
        actor: fields.object("actor")?.map(actor).transpose()?,
        occurred_at: fields.parsed("occurredAt", INSTANT)?,
        started_at: fields.parsed("startedAt", INSTANT)?,
        finished_at: fields.parsed("finishedAt", INSTANT)?,
        outcome: fields.parsed("outcome", OneOf(Outcome::ALL))?,
        adherence: fields.parsed("adherence", OneOf(Adherence::ALL))?,
        errors: fields.value("errors", WHOLE)?,
        rework: fields.value("rework", WHOLE)?,
        violations: fields.objects("violations", violation)?,
        satisfaction: fields.object("satisfaction")?.map(satisfaction).transpose()?,
        steps: steps(&mut fields)?,
        attributes,
        repeated_attribute: repeated_attribute.flatten(),
    };
    fields.end()?;
    Ok(report)
}

fn event_id(fields: &mut Fields, event: Option<String>) -> Result<String, Rejection> {
    let given = fields.text("eventId")?;
    match event {
        None => fields.needed("eventId", given),
        Some(id) if given.as_ref().is_none_or(|given| *given == id) => Ok(id),
        Some(_) => Err(invalid("eventId", "this is not the `id` of the event")),
    }
}

fn actor(mut fields: Fields) -> Result<ActorRef, Rejection> {
    let actor = ActorRef { subject: fields.needed_text("subject")?, name: fields.text("name")? };
    fields.end()?;
    Ok(actor)
}

fn violation(mut fields: Fields) -> Result<Violation, Rejection> {
    let severity = fields.parsed("severity", OneOf(Severity::ALL))?;
    let violation = Violation {
        kind: fields.needed_text("kind")?,
        severity: fields.needed("severity", severity)?,
        detail: fields.value_or("detail", TEXT, String::new())?,
    };
    fields.end()?;
    Ok(violation)
}

fn satisfaction(mut fields: Fields) -> Result<Satisfaction, Rejection> {
    let (score, by) = (fields.value("score", WHOLE)?, fields.parsed("by", OneOf(SatisfactionBy::ALL))?);
    let satisfaction = Satisfaction { score: fields.needed("score", score)?, by: fields.needed("by", by)? };
    fields.end()?;
    Ok(satisfaction)
}

fn steps(fields: &mut Fields) -> Result<Vec<StepRecord>, Rejection> {
    if fields.is_null("steps") {
        return Err(invalid("steps", "this must be a list of objects"));
    }
    Ok(fields.objects("steps", step)?.unwrap_or_default())
}

fn step(mut fields: Fields) -> Result<StepRecord, Rejection> {
    let status = fields.parsed("status", OneOf(StepStatus::ALL))?;
    let step = StepRecord {
        key: fields.needed_text("key")?,
        attempt: fields.value_or("attempt", WHOLE, 1)?,
        started_at: fields.parsed("startedAt", INSTANT)?,
        finished_at: fields.parsed("finishedAt", INSTANT)?,
        status: fields.needed("status", status)?,
    };
    fields.end()?;
    Ok(step)
}

fn attribute(mut fields: Fields) -> Result<(String, String), Rejection> {
    let attribute = (fields.needed_text("name")?, fields.needed_text("value")?);
    fields.end()?;
    Ok(attribute)
}

/// A whole number of 64 bits; a decimal string is taken as well.
struct BigInt(i64);

impl<'de> Deserialize<'de> for BigInt {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use sopwith_domain::time::Timestamp;

    use super::*;

    fn of(text: &str) -> Result<Report, Rejection> {
        Fields::whole(text.as_bytes()).and_then(|fields| read(fields, None))
    }

    #[test]
    fn all_fields_are_read() {
        let report = of(r#"{"eventId":"e","runId":"r","revision":"9223372036854775807","process":"p","sop":"S-1",
            "version":"1.0","team":"t","actor":{"subject":"u","name":"U"},"occurredAt":"2026-07-01T09:00:00Z",
            "startedAt":"2026-07-01T10:00:00+02:00","finishedAt":"2026-07-01T09:00:00.25Z","outcome":"FAILED",
            "adherence":"NOT_FOLLOWED","errors":2,"rework":0,"violations":[{"kind":"SLA","severity":"MAJOR"}],
            "satisfaction":{"score":4,"by":"CUSTOMER"},"steps":[{"key":"a","status":"DONE"},
            {"key":"a","attempt":2,"status":"SKIPPED","startedAt":"2026-07-01T08:30:00Z"}],
            "attributes":[{"name":"n","value":"v"},{"name":"m","value":""}]}"#)
        .unwrap();
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!((report.event_id.as_str(), report.run_id.as_str(), report.revision), ("e", "r", i64::MAX));
        assert_eq!(
            (report.started_at, report.finished_at),
            (at("2026-07-01T08:00:00Z"), at("2026-07-01T09:00:00.25Z"))
        );
        assert_eq!((report.outcome, report.adherence), (Some(Outcome::Failed), Some(Adherence::NotFollowed)));
        assert_eq!((report.errors, report.rework), (Some(2), Some(0)));
        assert_eq!(report.violations.unwrap()[0].detail, "");
        assert_eq!((report.steps[0].attempt, report.steps[1].attempt), (1, 2));
        assert_eq!(
            (report.steps[1].status, report.steps[1].started_at),
            (StepStatus::Skipped, at("2026-07-01T08:30:00Z"))
        );
        assert_eq!(report.attributes.unwrap().len(), 2);
        assert_eq!(report.actor.unwrap().name.as_deref(), Some("U"));
        assert_eq!((report.satisfaction.unwrap().score, report.repeated_attribute), (4, None));
    }

    #[test]
    fn what_is_absent_or_null_says_nothing() {
        let bare = of(r#"{"eventId":"e","runId":"r"}"#).unwrap();
        assert_eq!((bare.revision, &bare.steps, &bare.attributes), (1, &vec![], &None));
        let nulls = r#"{"eventId":"e","runId":"r","process":null,"actor":null,"startedAt":null,"outcome":null,
            "errors":null,"violations":null,"satisfaction":null,"attributes":null}"#;
        assert_eq!(of(nulls).unwrap(), bare);
        let twice =
            of(r#"{"eventId":"e","runId":"r","attributes":[{"name":"a","value":"1"},{"name":"a","value":"2"}]}"#);
        assert_eq!(twice.unwrap().repeated_attribute.as_deref(), Some("a"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |more: &str| of(&format!(r#"{{"eventId":"e","runId":"r",{more}}}"#)).expect_err(more).path;
        for (more, path) in [
            (r#""revision":null"#, "revision"),
            (r#""revision":"x""#, "revision"),
            (r#""revision":1.5"#, "revision"),
            (r#""steps":null"#, "steps"),
            (r#""steps":[{"status":"DONE"}]"#, "steps.0.key"),
            (r#""steps":[{"key":"a"}]"#, "steps.0.status"),
            (r#""steps":[{"key":"a","status":"done"}]"#, "steps.0.status"),
            (r#""steps":[{"key":"a","status":"DONE","attempt":null}]"#, "steps.0.attempt"),
            (r#""steps":[{"key":"a","status":"DONE","more":1}]"#, "steps.0.more"),
            (r#""violations":[{"kind":"a","severity":"HUGE"}]"#, "violations.0.severity"),
            (r#""violations":[{"severity":"MINOR"}]"#, "violations.0.kind"),
            (r#""satisfaction":{"score":5}"#, "satisfaction.by"),
            (r#""satisfaction":{"by":"CUSTOMER","score":"5"}"#, "satisfaction.score"),
            (r#""actor":{"name":"U"}"#, "actor.subject"),
            (r#""attributes":{"a":"b"}"#, "attributes"),
            (r#""attributes":[{"name":"a"}]"#, "attributes.0.value"),
            (r#""startedAt":"yesterday""#, "startedAt"),
            (r#""startedAt":1751360400"#, "startedAt"),
            (r#""surprise":1"#, "surprise"),
            (r#""runId":"again""#, "runId"),
        ] {
            assert_eq!(with(more), path, "{more}");
        }
        assert_eq!(of(r#"{"runId":"r"}"#).unwrap_err().path, "eventId");
        assert_eq!(of(r#"{"eventId":"e"}"#).unwrap_err().path, "runId");
    }
}
