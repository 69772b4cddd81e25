//! Bad input that is particular to a mutation.

use serde_json::{Value, json};

use super::dump::Dump;
use super::samples::{Samples, full_content, samples};
use super::{Expected, send, with};
use crate::story::{DAY, decide, decide_refused, from_now, look, process, submit};
use crate::support::{World, both};

/// Sends each case by whoever may send the sample; nothing may change.
async fn refuse(world: &World, samples: &Samples, cases: Vec<(&str, &str, Value, Expected)>) {
    let before = Dump::take(world).await;
    let mut wrong = Vec::new();
    for (mutation, what, input, expected) in &cases {
        let who = &samples.of(mutation).who;
        send(who, mutation, input, expected, &mut wrong, what).await;
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    before.assert_same(&Dump::take(world).await, "bad input");
}

fn invalid(path: &str) -> Expected {
    Expected::Refusal("INVALID", Some(path.to_owned()))
}

fn refused(code: &'static str) -> Expected {
    Expected::Refusal(code, None)
}

const KEYS: [&str; 7] = ["", "Upper", "a b", "a/b", "ümlaut", "a\n", "a\0"];

both! {
    async fn keys_and_names(world: World) {
        let samples = samples(&world).await;
        let mut cases = Vec::new();
        let too_long = "k".repeat(101);
        for mutation in ["teamCreate", "processCreate"] {
            let sample = &samples.of(mutation).input;
            for key in KEYS.into_iter().chain([too_long.as_str()]) {
                cases.push((mutation, "a bad key", with(sample, "/key", json!(key)), invalid("key")));
            }
            for name in ["", " ", &"n".repeat(501)] {
                cases.push((mutation, "a bad name", with(sample, "/name", json!(name)), invalid("name")));
            }
            for key in ["", &"k".repeat(201)] {
                let input = with(sample, "/idempotencyKey", json!(key));
                cases.push((mutation, "a bad idempotency key", input, invalid("idempotencyKey")));
            }
        }
        for mutation in ["processCreate", "processUpdate"] {
            for horizon in ["PT0S", "PT59M59.999999S", "P366DT0.000001S", "P367D", "P36500D"] {
                let input = with(&samples.of(mutation).input, "/horizon", json!(horizon));
                cases.push((mutation, "a bad horizon", input, invalid("horizon")));
            }
        }
        for name in ["", " ", &"n".repeat(501)] {
            let input = with(&samples.of("processUpdate").input, "/name", json!(name));
            cases.push(("processUpdate", "a bad name", input, invalid("name")));
        }
        let team = &samples.of("teamCreate").input;
        for prefix in ["", "ops", "OPS-", "ABCDEFGHI", "Ä"] {
            cases.push(("teamCreate", "a bad prefix", with(team, "/codePrefix", json!(prefix)), invalid("codePrefix")));
        }
        cases.push(("teamCreate", "a key that is taken", with(team, "/key", json!("ops")), refused("CONFLICT")));
        cases.push(("teamCreate", "a prefix that is taken", with(team, "/codePrefix", json!("OPS")), refused("CONFLICT")));
        let process = with(&samples.of("processCreate").input, "/key", json!("public"));
        cases.push(("processCreate", "a key that is taken", process, refused("CONFLICT")));
        let role = with(&samples.of("grantCreate").input, "/role", json!("emperor"));
        cases.push(("grantCreate", "an unknown role", role, invalid("role")));
        for role in ["Viewer", "viewer@ops", "view er", &"v".repeat(65)] {
            for mutation in ["roleCreate", "roleUpdate", "roleDelete"] {
                cases.push((mutation, "a bad name", with(&samples.of(mutation).input, "/name", json!(role)), invalid("name")));
            }
        }
        for (mutation, code) in [("roleUpdate", "NOT_FOUND"), ("roleDelete", "NOT_FOUND")] {
            let input = with(&samples.of(mutation).input, "/name", json!("unheard-of"));
            cases.push((mutation, "an unknown role", input, refused(code)));
        }
        for mutation in ["roleCreate", "roleUpdate", "roleDelete"] {
            let built_in = with(&samples.of(mutation).input, "/name", json!("admin"));
            cases.push((mutation, "a built-in role", built_in, refused("CONFLICT")));
        }
        let token = &samples.of("apiTokenCreate").input;
        for at in [from_now(-1), from_now(367 * DAY), "9999-12-31T23:59:59Z".to_owned()] {
            cases.push(("apiTokenCreate", "a bad end", with(token, "/expiresAt", json!(at)), invalid("expiresAt")));
        }
        for scopes in [json!([]), json!(["SOP_WRITE"]), json!(["FIGURES_READ", "ACCESS_MANAGE"]), json!(["EXECUTIONS_RECORD"])] {
            cases.push(("apiTokenCreate", "bad scopes", with(token, "/scopes", scopes), invalid("scopes")));
        }
        for source in [" tickets", "tickets ", "tick\tets", &"s".repeat(101)] {
            cases.push(("apiTokenCreate", "a bad source", with(token, "/source", json!(source)), invalid("source")));
        }
        for at in [from_now(-1), from_now(-DAY), from_now(3_654 * DAY), "9999-12-31T23:59:59Z".to_owned()] {
            let input = with(&samples.of("grantCreate").input, "/expiresAt", json!(at));
            cases.push(("grantCreate", "a bad end", input, invalid("expiresAt")));
        }
        refuse(&world, &samples, cases).await;
    }

    async fn content(world: World) {
        let samples = samples(&world).await;
        let mut cases = Vec::new();
        let content = full_content("Large");
        let step = |n: usize| json!({"key": format!("s{n}"), "instruction": "Do.", "role": "agent"});
        let many: Vec<Value> = (0..501).map(step).collect();
        let mut large: Vec<Value> = (0..30).map(step).collect();
        for step in &mut large {
            step["detail"] = json!("d".repeat(40_000));
        }
        let twice = json!([content["sections"][0], content["sections"][0]]);
        let bad = [
            ("a long title", "/title", json!("t".repeat(501)), "content.title"),
            ("501 steps", "/steps", json!(many), "content.steps"),
            ("more than a mebibyte", "/steps", json!(large), "content"),
            ("two steps of one key", "/steps", json!([step(1), step(1)]), "content.steps.1.key"),
            ("two sections of one key", "/sections", twice, "content.sections.1.key"),
            ("a way to nowhere", "/steps/0/branches/0/goTo", json!("nowhere"), "content.steps.0.branches.0.goTo"),
            ("no such section", "/steps/0/section", json!("nowhere"), "content.steps.0.section"),
            ("a bad step key", "/steps/1/key", json!("Step Two"), "content.steps.1.key"),
            ("a long step key", "/steps/1/key", json!("k".repeat(101)), "content.steps.1.key"),
            ("a long instruction", "/steps/1/instruction", json!("i".repeat(50_001)), "content.steps.1.instruction"),
        ];
        for mutation in ["sopCreate", "versionCreate", "versionEdit"] {
            let sample = &samples.of(mutation).input;
            for (what, pointer, value, path) in &bad {
                let input = with(sample, "/content", with(&content, pointer, value.clone()));
                cases.push((mutation, *what, input, invalid(path)));
            }
        }
        for months in [0, 1, 5, 24] {
            let input = with(&samples.of("sopCreate").input, "/reviewCadenceMonths", json!(months));
            cases.push(("sopCreate", "a bad cadence", input, invalid("reviewCadenceMonths")));
        }
        refuse(&world, &samples, cases).await;
    }

    async fn measurement_plans(world: World) {
        let samples = samples(&world).await;
        let sample = &samples.of("measurementPlanSet").input;
        let mut cases = Vec::new();
        let days = [("learningDays", [-1, 91]), ("watchDays", [0, 91]), ("maturesAfterDays", [37, 367])];
        for (field, wrong) in days {
            for days in wrong {
                let input = with(sample, &format!("/{field}"), json!(days));
                cases.push(("measurementPlanSet", "bad days", input, invalid(field)));
            }
        }
        for field in ["adoptionAtLeast", "errorRateAtMost", "firstTimeRightAtLeast"] {
            for share in [json!(-0.01), json!(1.01), json!(80), json!(1e300)] {
                let input = with(sample, &format!("/targets/{field}"), share);
                cases.push(("measurementPlanSet", "a bad share", input, invalid(&format!("targets.{field}"))));
            }
        }
        for time in ["PT0S", "PT240H0.000001S"] {
            let input = with(sample, "/targets/medianCompletionTimeAtMost", json!(time));
            let expected = invalid("targets.medianCompletionTimeAtMost");
            cases.push(("measurementPlanSet", "a time nobody can see", input, expected));
        }
        let first = with(sample, "/primaryMetric", json!("ADOPTION"));
        cases.push(("measurementPlanSet", "adoption of what never was", first, invalid("primaryMetric")));
        let submitted = json!({"versionId": samples.decided.version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE"});
        cases.push(("measurementPlanSet", "a version in review", submitted.clone(), refused("CONFLICT")));
        let published = with(&submitted, "/versionId", json!(samples.public.version));
        cases.push(("measurementPlanSet", "a published version", published, refused("CONFLICT")));
        refuse(&world, &samples, cases).await;
    }

    async fn what_stands_elsewhere(world: World) {
        let samples = samples(&world).await;
        let (public, decided) = (&samples.public, &samples.decided);
        let revision = look(&samples.place.author, &public.sop).await["revision"].clone();
        let of = |mutation: &str| &samples.of(mutation).input;
        let create = with(of("versionCreate"), "/basedOnId", json!(public.version));
        let published = json!({"id": public.version, "expectedRevision": 1});
        let own = look(&samples.place.author, &samples.public.sop).await;
        let cases = vec![
            ("versionCreate", "a base of another SOP", create, refused("NOT_FOUND")),
            ("versionCreate", "an open version", with(of("versionCreate"), "/sopId", json!(decided.sop)), refused("NOT_FOUND")),
            ("versionSubmit", "a published version", published, refused("CONFLICT")),
            ("versionSubmit", "a version in review", json!({"id": decided.version, "expectedRevision": 2}), refused("CONFLICT")),
            ("versionEdit", "a version in review", with(of("versionEdit"), "/id", json!(decided.version)), refused("CONFLICT")),
            ("versionDiscard", "a version in review", with(of("versionDiscard"), "/id", json!(decided.version)), refused("CONFLICT")),
            ("sopRetire", "a successor that is itself", with(of("sopRetire"), "/successorId", of("sopRetire")["id"].clone()), invalid("successorId")),
            ("sopRetire", "a draft for a successor", with(of("sopRetire"), "/successorId", json!(decided.sop)), refused("NOT_FOUND")),
            ("sopRetire", "an SOP that is not published", json!({"id": decided.sop, "expectedRevision": look(&samples.place.author, &decided.sop).await["revision"], "reason": "Gone."}), refused("CONFLICT")),
            ("sopRevive", "an SOP that is not retired", json!({"id": public.sop, "expectedRevision": revision}), refused("CONFLICT")),
            ("sopHandOver", "to the owner", json!({"id": public.sop, "expectedRevision": revision, "ownerId": own["owner"]["id"]}), invalid("ownerId")),
        ];
        refuse(&world, &samples, cases).await;
    }

    async fn decisions(world: World) {
        let samples = samples(&world).await;
        let (place, sample) = (&samples.place, samples.of("approvalDecide"));
        let wrong_hash = "0".repeat(64);
        let request = sample.input["requestId"].as_str().unwrap().to_owned();
        let withdrawn = samples.of("approvalWithdraw").input["requestId"].as_str().unwrap().to_owned();
        place.author.mutate(crate::story::WITHDRAW, json!({"input": {"requestId": withdrawn}})).await;
        let cases = vec![
            ("approvalDecide", "half a hash", with(&sample.input, "/contentHash", json!(&samples.decided.hash[..32])), invalid("contentHash")),
            ("approvalWithdraw", "a closed request", json!({"requestId": withdrawn}), refused("CONFLICT")),
        ];
        refuse(&world, &samples, cases).await;

        // Whoever tries to decide in vain leaves a trace, once for each attempt, whatever stood in the way.
        let hash = samples.decided.hash.as_str();
        for (asked, hash, what) in [(&request, wrong_hash.as_str(), "another content"), (&withdrawn, hash, "a closed request")] {
            let before = Dump::take(&world).await;
            assert_eq!(decide_refused(&place.reviewer, asked, hash, "APPROVE").await.code, "CONFLICT", "{what}");
            before.assert_one_refusal(&Dump::take(&world).await, what);
        }
        for who in [&place.author, &place.approver, &place.admin, &place.manager] {
            let before = Dump::take(&world).await;
            assert_eq!(decide_refused(who, &request, hash, "APPROVE").await.code, "FORBIDDEN");
            before.assert_one_refusal(&Dump::take(&world).await, "a decision of who may not");
        }
        decide(&place.reviewer, &request, hash, "APPROVE", "").await;
        let before = Dump::take(&world).await;
        assert_eq!(decide_refused(&place.reviewer, &request, hash, "APPROVE").await.code, "FORBIDDEN");
        before.assert_one_refusal(&Dump::take(&world).await, "a second decision");
        let before = Dump::take(&world).await;
        assert_eq!(decide_refused(&place.viewer, &request, hash, "APPROVE").await.code, "NOT_FOUND");
        before.assert_one_refusal(&Dump::take(&world).await, "a decision of who does not see it");
    }

    async fn drafts_of_published_sops_stay_hidden(world: World) {
        let samples = samples(&world).await;
        let (place, public) = (&samples.place, &samples.public);
        let create = json!({"input": {"sopId": public.sop, "content": full_content("Next")}});
        let next = place.author.mutate(crate::story::CREATE_VERSION, create).await["version"]["id"].clone();
        let mut before = Dump::take(&world).await;
        let mut wrong = Vec::new();
        let mut inputs = vec![];
        for (id, code) in [(next, "NOT_FOUND"), (json!(public.version), "FORBIDDEN")] {
            inputs.push(("versionEdit", with(&samples.of("versionEdit").input, "/id", id.clone()), code));
            inputs.push(("versionSubmit", json!({"id": id, "expectedRevision": 1}), code));
            inputs.push(("versionDiscard", json!({"id": id, "expectedRevision": 1, "reason": "mine"}), code));
        }
        let revision = look(&place.author, &public.sop).await["revision"].clone();
        inputs.push(("sopHandOver", json!({"id": public.sop, "expectedRevision": revision,
            "ownerId": samples.of("sopHandOver").input["ownerId"]}), "FORBIDDEN"));
        inputs.push(("sopRevive", json!({"id": public.sop, "expectedRevision": revision}), "FORBIDDEN"));
        for (mutation, input, code) in &inputs {
            for stranger in &samples.strangers {
                send(stranger, mutation, input, &refused(code), &mut wrong, "by a stranger").await;
                before = before.assert_refused(&world, mutation, code).await;
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn a_second_sop_for_a_process(world: World) {
        let samples = samples(&world).await;
        let other = process(&samples.place.author, &json!(samples.place.team), "other").await;
        let draft = crate::story::draft(&samples.place, &samples.place.author, &other, "Other").await;
        let sample = with(&samples.of("sopCreate").input, "/processId", json!(other));
        refuse(&world, &samples, vec![("sopCreate", "a process with an SOP", sample, refused("CONFLICT"))]).await;
        submit(&samples.place.author, &draft).await;
    }

    async fn batches(world: World) {
        let samples = samples(&world).await;
        let sample = &samples.of("executionsRecord").input;
        let item = &sample["executions"][0];
        let many: Vec<Value> = (0..1001).map(|n| json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "public"})).collect();
        let steps: Vec<Value> = (1..=501).map(|n| json!({"key": "a", "attempt": n, "status": "DONE"})).collect();
        let attributes: Vec<Value> = (0..501).map(|n| json!({"name": format!("a{n}"), "value": ""})).collect();
        let at = |pointer: &str, value: Value| with(sample, &format!("/executions/0{pointer}"), value);
        let rejected = |code, path: &str| Expected::Refusal(code, Some(format!("executions.0.{path}")));
        let long_ago = "2026-01-05T09:00:00Z";
        let twice = json!([item["steps"][0], item["steps"][0]]);
        let bare = json!({"eventId": "e", "runId": "r", "process": "unknown"});
        let cases = [
            ("1001 items", with(sample, "/executions", json!(many)), invalid("executions")),
            ("501 steps", at("/steps", json!(steps)), rejected("INVALID", "steps")),
            ("501 violations", at("/violations", json!(vec![item["violations"][0].clone(); 501])), rejected("INVALID", "violations")),
            ("501 attributes", at("/attributes", json!(attributes)), rejected("INVALID", "attributes")),
            ("an attempt twice", at("/steps", twice), rejected("INVALID", "steps.1")),
            ("attempt 0", at("/steps/0/attempt", json!(0)), rejected("INVALID", "steps.0.attempt")),
            ("a score of 0", at("/satisfaction/score", json!(0)), rejected("INVALID", "satisfaction.score")),
            ("a score of 6", at("/satisfaction/score", json!(6)), rejected("INVALID", "satisfaction.score")),
            ("an end before the start", at("/finishedAt", json!(long_ago)), rejected("INVALID", "finishedAt")),
            ("a step's end before its start", at("/steps/0/finishedAt", json!(long_ago)), rejected("INVALID", "steps.0.finishedAt")),
            ("a time to come", at("/occurredAt", json!("2090-01-01T00:00:00Z")), rejected("IN_FUTURE", "occurredAt")),
            ("an unknown process", with(sample, "/executions/0", bare), rejected("UNKNOWN_PROCESS", "process")),
            ("an unknown SOP", at("/sop", json!("OPS-9999")), rejected("UNKNOWN_SOP", "sop")),
            ("an unknown version", at("/version", json!("9.9")), rejected("UNKNOWN_VERSION", "version")),
            ("an unknown team", at("/team", json!("unknown")), rejected("UNKNOWN_TEAM", "team")),
            ("another process's SOP", at("/process", json!("decided")), rejected("INVALID", "process")),
        ];
        let cases = cases.into_iter().map(|(what, input, expected)| ("executionsRecord", what, input, expected)).collect();
        refuse(&world, &samples, cases).await;
    }
}
