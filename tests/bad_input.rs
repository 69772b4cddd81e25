//! Bad input: every mutation answers it with an error of the right kind, and nothing is changed.

pub mod dump;
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
pub async fn send(
    who: &Client,
    mutation: &str,
    input: &Value,
    expected: &Expected,
    wrong: &mut Vec<String>,
    what: &str,
) {
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
    let results = match mutation {
        "executionsRecord" => "results { status rejection { code path } }",
        "approvalsDecide" | "sopsHandOver" | "versionsSubmit" => {
            "results { userErrors { code message path currentRevision } }"
        }
        _ => "",
    };
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
    let several = payload["results"].as_array().into_iter().flatten().enumerate().flat_map(|(i, result)| {
        let errors = result["userErrors"].as_array().cloned().unwrap_or_default();
        errors.into_iter().map(move |e| {
            let place = ["items".to_owned(), i.to_string()].into_iter().chain(path(&e["path"]));
            (e["code"].as_str().unwrap_or_default().to_owned(), place.collect::<Vec<_>>().join("."))
        })
    });
    own.chain(items).chain(several).collect()
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
    let parent = parents.iter().fold(String::new(), |path, name| path + "/" + name);
    input.pointer_mut(&parent).and_then(Value::as_object_mut).expect("an object").remove(name);
    input
}

/// A refusal of what stands at this place. Attributes are a list of pairs for clients only.
fn invalid_at(spot: &Spot) -> Expected {
    let dotted = spot.dotted();
    let path = dotted.split_once(".attributes.").map_or(dotted.clone(), |(before, _)| format!("{before}.attributes"));
    Expected::Refusal("INVALID", Some(path))
}

/// What is bad at a place whatever the mutation is: in a word, a value in its place, and what is to be answered.
type Bad = (&'static str, Value, Expected);

fn bad_values(sample: &Sample, spot: &Spot) -> Vec<Bad> {
    let own = sample.input.pointer(&spot.pointer()).expect("a value");
    let wrong_type = if spot.scalar() == Some("Boolean") { json!("yes") } else { json!(true) };
    let mut bad = vec![
        ("a wrong type", wrong_type, Expected::BadRequest),
        ("an object", json!({"surprise": 1}), Expected::BadRequest),
    ];
    if spot.field.ty.needed {
        bad.push(("null", Value::Null, Expected::BadRequest));
    }
    match (&spot.field.ty.kind, spot.scalar()) {
        (Kind::Enum, _) => bad.push(("an unknown value", json!("SIDEWAYS"), Expected::BadRequest)),
        (Kind::List(_), _) if spot.dotted().starts_with("content.") => {
            bad.push(("501 entries", json!(vec![own[0].clone(); 501]), invalid_at(spot)));
        }
        (_, Some("ID")) => bad.extend(bad_ids(own)),
        (_, Some("String")) => bad.extend(bad_texts(sample, spot, own)),
        (_, Some("BigInt" | "Int")) => bad.extend(bad_numbers(spot, own)),
        (_, Some("DateTime")) => {
            let wrong =
                ["yesterday", "2026-07-01", "2026-13-01T00:00:00Z", "2026-07-01T00:00:00", "2026-02-30T00:00:00Z", ""];
            bad.extend(wrong.map(|text| ("a malformed time", json!(text), Expected::BadRequest)));
        }
        (_, Some("Duration")) => {
            let wrong = ["2 minutes", "-PT1M", "PT", "P1M", "PT1M1H", ""];
            bad.extend(wrong.map(|text| ("a malformed duration", json!(text), Expected::BadRequest)));
        }
        _ => {}
    }
    bad
}

fn bad_ids(own: &Value) -> impl Iterator<Item = Bad> {
    let (prefix, rest) = own.as_str().and_then(|id| id.split_once('_')).expect("an id");
    let other = if prefix == "team" { "sop" } else { "team" };
    let wrong = [
        ("a malformed id", "nonsense".to_owned()),
        ("an empty id", String::new()),
        ("an id with U+0000", format!("{prefix}_{rest}\0")),
        ("an id of another kind", format!("{other}_{rest}")),
        ("an id of nothing", format!("{prefix}_{:032x}", 0x7000_8000)),
    ];
    wrong.into_iter().map(|(what, id)| (what, json!(id), Expected::Refusal("NOT_FOUND", None)))
}

fn bad_texts(sample: &Sample, spot: &Spot, own: &Value) -> Vec<Bad> {
    if sample.mutation == "executionsRecord" && spot.dotted() == "source" {
        let others = ["another", "", "tracker\0", "Tracker"];
        return others.map(|other| ("another source", json!(other), Expected::Refusal("FORBIDDEN", None))).to_vec();
    }
    let with_nul = format!("{}\0", own.as_str().expect("a text"));
    let mut bad = vec![
        ("U+0000", json!(with_nul), invalid_at(spot)),
        ("too long a text", json!("x".repeat(50_001)), invalid_at(spot)),
    ];
    if sample.needed.contains(&spot.pointer().as_str()) {
        bad.push(("no text", json!(""), invalid_at(spot)));
        if !spot.dotted().ends_with("idempotencyKey") {
            bad.push(("blanks", json!("  \n"), invalid_at(spot)));
        }
    }
    bad
}

fn bad_numbers(spot: &Spot, own: &Value) -> Vec<Bad> {
    let mut bad: Vec<Bad> =
        [json!(1.5), json!("many"), json!(1e30)].map(|n| ("not a whole number", n, Expected::BadRequest)).to_vec();
    if spot.dotted().ends_with("expectedRevision") {
        let seen = own.as_i64().expect("a revision");
        let stale = [seen - 1, seen + 1, i64::MAX, -1];
        bad.extend(stale.map(|n| ("a stale revision", json!(n), Expected::Refusal("CONFLICT", None))));
    } else {
        bad.push(("a negative number", json!(-1), invalid_at(spot)));
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
                for (what, value, expected) in bad_values(sample, &spot) {
                    let input = with(&sample.input, &spot.pointer(), value);
                    let what = format!("{what} at {}", spot.dotted());
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
                before = before.assert_refused(&world, sample.mutation, sample.strangers).await;
            }
            let Some(insider) = &sample.insider else { continue };
            let expected = refused("FORBIDDEN");
            send(insider, sample.mutation, &sample.input, &expected, &mut wrong, "by an insider").await;
            before = before.assert_refused(&world, sample.mutation, "FORBIDDEN").await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
