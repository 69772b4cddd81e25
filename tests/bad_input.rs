//! Bad input: every mutation answers it with an error of the right kind, and nothing is changed.

mod dump;
mod particular;
mod samples;
mod schema;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::dump::Dump;
use self::samples::{Sample, samples};
use self::schema::{Kind, Schema, Spot};
use crate::support::{Client, World, both};

/// How bad input is to be answered.
#[derive(Clone, Debug)]
pub enum Expected {
    /// By a user error of this code, at this path where one is given.
    Refusal(&'static str, Option<String>),
    /// By an error of the request as a whole, before anything is done.
    BadRequest,
}

/// Sends an input and compares the answer; what is wrong with it is added to the list.
pub async fn send(who: &Client, mutation: &str, input: &Value, expected: &Expected, wrong: &mut Vec<String>, what: &str) {
    let answer = ask(who, mutation, input).await;
    let fits = match expected {
        Expected::BadRequest => answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT",
        Expected::Refusal(code, path) => refusals(&answer, mutation).iter().any(|(c, p)| {
            c == code && path.as_ref().is_none_or(|path| path == p) && !answer["data"][mutation].is_null()
        }),
    };
    if !fits {
        let mut shown = answer.to_string();
        shown.truncate(shown.floor_char_boundary(600));
        wrong.push(format!("{mutation}, {what}: expected {expected:?}, but: {shown}"));
    }
}

/// Sends an input as it is.
pub async fn ask(who: &Client, mutation: &str, input: &Value) -> Value {
    let ty = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let results = if mutation == "executionsRecord" { "results { status rejection { code path } }" } else { "" };
    let query = format!(
        "mutation($input: {ty}!) {{ {mutation}(input: $input) {{ {results} userErrors {{ code message path currentRevision }} }} }}"
    );
    who.send(&query, json!({"input": input})).await.body
}

/// Codes and paths of the refusals in an answer: of the whole input, or of an item of a batch.
fn refusals(answer: &Value, mutation: &str) -> Vec<(String, String)> {
    let payload = &answer["data"][mutation];
    let path = |path: &Value| -> Vec<String> {
        path.as_array().into_iter().flatten().filter_map(|p| p.as_str().map(str::to_owned)).collect()
    };
    let own = payload["userErrors"].as_array().into_iter().flatten();
    let own = own.map(|e| (e["code"].as_str().unwrap_or_default().to_owned(), path(&e["path"]).join(".")));
    let items = payload["results"].as_array().into_iter().flatten().enumerate();
    let items = items.filter(|(_, r)| r["status"] == "REJECTED").map(|(i, r)| {
        let place = ["executions".to_owned(), i.to_string()].into_iter().chain(path(&r["rejection"]["path"]));
        (r["rejection"]["code"].as_str().unwrap_or_default().to_owned(), place.collect::<Vec<_>>().join("."))
    });
    own.chain(items).collect()
}

/// The sample with another value in one place.
pub fn with(sample: &Value, pointer: &str, value: Value) -> Value {
    let mut input = sample.clone();
    *input.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer} in {sample}")) = value;
    input
}

fn without(sample: &Value, spot: &Spot) -> Value {
    let mut input = sample.clone();
    let (name, parents) = spot.path.split_last().expect("a path");
    let parent = parents.iter().map(|p| format!("/{p}")).collect::<String>();
    input.pointer_mut(&parent).and_then(Value::as_object_mut).expect("an object").remove(name);
    input
}

/// Where a refusal of this place is told: attributes are a list of pairs for clients only.
fn told_at(spot: &Spot) -> Option<String> {
    let dotted = spot.dotted();
    Some(dotted.split_once(".attributes.").map_or(dotted.clone(), |(before, _)| format!("{before}.attributes")))
}

/// What is bad at a place whatever the mutation is.
fn bad_values(sample: &Sample, spot: &Spot) -> Vec<(String, Value, Expected)> {
    let (pointer, own) = (spot.pointer(), sample.input.pointer(&spot.pointer()).expect("a value").clone());
    let mut bad = Vec::new();
    let mut add = |what: &str, value: Value, expected: Expected| {
        bad.push((format!("{what} at {}", spot.dotted()), with(&sample.input, &pointer, value), expected));
    };
    let wrong_type = if spot.scalar() == Some("Boolean") { json!("yes") } else { json!(true) };
    add("a wrong type", wrong_type, Expected::BadRequest);
    if spot.scalar() != Some("JSON") {
        add("an object", json!({"surprise": 1}), Expected::BadRequest);
    }
    if spot.field.ty.needed {
        add("null", Value::Null, Expected::BadRequest);
    }
    let (refused, invalid) = (|code| Expected::Refusal(code, None), Expected::Refusal("INVALID", told_at(spot)));
    match (&spot.field.ty.kind, spot.scalar()) {
        (Kind::Enum, _) => add("an unknown value", json!("SIDEWAYS"), Expected::BadRequest),
        (Kind::List(_), _) if pointer.contains("content") => {
            add("501 entries", json!(vec![own[0].clone(); 501]), invalid);
        }
        (_, Some("ID")) => {
            let (prefix, rest) = own.as_str().and_then(|id| id.split_once('_')).expect("an id");
            let other = if prefix == "team" { "sop" } else { "team" };
            add("a malformed id", json!("nonsense"), refused("NOT_FOUND"));
            add("an empty id", json!(""), refused("NOT_FOUND"));
            add("an id with U+0000", json!(format!("{prefix}_{rest}\0")), refused("NOT_FOUND"));
            add("an id of another kind", json!(format!("{other}_{rest}")), refused("NOT_FOUND"));
            add("an id of nothing", json!(format!("{prefix}_{:032x}", 0x7000_8000)), refused("NOT_FOUND"));
        }
        (_, Some("String")) if spot.dotted() == "source" => {
            for other in ["another", "", "tracker\0", "Tracker"] {
                add("another source", json!(other), refused("FORBIDDEN"));
            }
        }
        (_, Some("String")) => {
            add("U+0000", json!(format!("{}\0", own.as_str().expect("a text"))), invalid.clone());
            add("too long a text", json!("x".repeat(50_001)), invalid.clone());
            if sample.needed.contains(&pointer.as_str()) {
                add("no text", json!(""), invalid.clone());
                if spot.dotted() != "idempotencyKey" {
                    add("blanks", json!("  \n"), invalid);
                }
            }
        }
        (_, Some("BigInt")) if spot.dotted() == "expectedRevision" => {
            let seen = own.as_i64().expect("a revision");
            for stale in [seen - 1, seen + 1, i64::MAX, -1] {
                add("a stale revision", json!(stale), refused("CONFLICT"));
            }
        }
        (_, Some("BigInt" | "Int")) => add("a negative number", json!(-1), invalid),
        (_, Some("DateTime")) => {
            for text in ["yesterday", "2026-07-01", "2026-13-01T00:00:00Z", "2026-07-01T00:00:00", "2026-02-30T00:00:00Z", ""] {
                add("a malformed time", json!(text), Expected::BadRequest);
            }
        }
        (_, Some("Duration")) => {
            for text in ["2 minutes", "-PT1M", "PT", "P1M", "PT1M1H", ""] {
                add("a malformed duration", json!(text), Expected::BadRequest);
            }
        }
        _ => {}
    }
    if matches!(spot.scalar(), Some("BigInt" | "Int")) {
        for number in [json!(1.5), json!("many"), json!(1e30)] {
            add("not a whole number", number, Expected::BadRequest);
        }
    }
    bad
}

both! {
    async fn every_field_of_every_mutation_refuses_what_is_bad(world: World) {
        let samples = samples(&world).await;
        let schema = Schema::read(&samples.place.admin).await;
        let names: BTreeSet<&str> = samples.all.iter().map(|s| s.mutation).collect();
        assert_eq!(names, schema.mutations.keys().map(String::as_str).collect(), "every mutation has its sample");

        let (mut wrong, mut sent) = (Vec::new(), 0);
        let mut before = Dump::take(&world).await;
        for sample in &samples.all {
            for spot in schema.spots(&schema.mutations[sample.mutation], &sample.input) {
                for (what, input, expected) in bad_values(sample, &spot) {
                    send(&sample.who, sample.mutation, &input, &expected, &mut wrong, &what).await;
                    sent += 1;
                }
                let is_field = spot.path.last().is_some_and(|last| last != "0");
                if is_field && spot.field.ty.needed && !spot.field.has_default {
                    let (what, input) = (format!("without {}", spot.dotted()), without(&sample.input, &spot));
                    send(&sample.who, sample.mutation, &input, &Expected::BadRequest, &mut wrong, &what).await;
                }
            }
            let mut unknown = sample.input.clone();
            unknown["surprise"] = json!(1);
            send(&sample.who, sample.mutation, &unknown, &Expected::BadRequest, &mut wrong, "an unknown field").await;
            for nothing in [Value::Null, json!([]), json!("text"), json!({})] {
                send(&sample.who, sample.mutation, &nothing, &Expected::BadRequest, &mut wrong, "no input").await;
            }
            let after = Dump::take(&world).await;
            if before != after {
                wrong.push(format!("{} changed: - {:#?} + {:#?}", sample.mutation, after.added(&before), before.added(&after)));
            }
            before = after;
        }
        assert!(wrong.is_empty(), "{} of {sent}:\n{}", wrong.len(), wrong.join("\n"));

        // What was bad was the change alone: as they are, the samples are taken.
        for sample in &samples.all {
            let answer = ask(&sample.who, sample.mutation, &sample.input).await;
            assert_eq!(refusals(&answer, sample.mutation), [], "{}: {answer}", sample.mutation);
            assert!(answer["errors"].is_null(), "{}: {answer}", sample.mutation);
        }
    }

    async fn a_stale_revision_is_told_the_current_one(world: World) {
        let samples = samples(&world).await;
        let before = Dump::take(&world).await;
        let mut seen = 0;
        for sample in samples.all.iter().filter(|s| !s.input["expectedRevision"].is_null()) {
            let input = with(&sample.input, "/expectedRevision", json!(77));
            let answer = ask(&sample.who, sample.mutation, &input).await;
            let error = &answer["data"][sample.mutation]["userErrors"][0];
            assert_eq!(error["code"], "CONFLICT", "{}: {answer}", sample.mutation);
            assert_eq!(error["currentRevision"], sample.input["expectedRevision"], "{}: {answer}", sample.mutation);
            seen += 1;
        }
        assert!(seen >= 6, "only {seen} mutations take a revision");
        before.assert_same(&Dump::take(&world).await, "a stale revision");
    }

    async fn those_who_may_not_are_refused_and_change_nothing(world: World) {
        let samples = samples(&world).await;
        let mut before = Dump::take(&world).await;
        let mut wrong = Vec::new();
        for sample in &samples.all {
            let refused = |code| Expected::Refusal(code, None);
            for stranger in &samples.strangers {
                let expected = refused(sample.strangers);
                send(stranger, sample.mutation, &sample.input, &expected, &mut wrong, "by a stranger").await;
            }
            before.assert_same(&Dump::take(&world).await, sample.mutation);
            let expected = refused("FORBIDDEN");
            send(&sample.insider, sample.mutation, &sample.input, &expected, &mut wrong, "by an insider").await;
            let after = Dump::take(&world).await;
            if sample.mutation == "approvalDecide" {
                before.assert_one_refusal(&after, sample.mutation);
            } else {
                before.assert_same(&after, sample.mutation);
            }
            before = after;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
