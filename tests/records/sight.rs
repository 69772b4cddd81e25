//! Who sees which record, in which form, and how it is sent.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Signed, get, page, record};
use crate::story::{draft, place, submit, text};
use crate::support::{Response, World, both, respond};

fn code(answer: &Response) -> (u16, &Value) {
    (answer.status.as_u16(), &answer.body["errors"][0]["extensions"]["code"])
}

both! {
    async fn readers_see_only_what_approved_it(world: World) {
        let signed = Signed::make(&world).await;
        for reader in [&signed.place.viewer, &signed.delegate, &world.client(&[], "nobody"), &world.client(&["author@dev"], "other")] {
            let seen = record(&world, reader, &signed.first.version).await;
            assert_eq!((&seen["passagesShown"], seen["passages"].as_array().unwrap().len()), (&json!("APPROVAL"), 1));
            let all = seen.to_string();
            assert!(!all.contains("too fast") && !all.contains("step 2 is unclear") && !all.contains(&signed.rejected), "{all}");
            let page = page(&world, reader, &signed.first.version).await;
            assert!(page.contains("reads well") && !page.contains("step 2 is unclear") && !page.contains(&signed.rejected), "{page}");
        }
        // One that was taken back in the passage that approved is no signature either.
        let taken_back = "UPDATE approval_decision SET withdrawn_at = decided_at + 1 WHERE comment = 'reads well'";
        world.execute(taken_back).await;
        assert!(!record(&world, &signed.place.viewer, &signed.first.version).await.to_string().contains("reads well"));
        assert!(record(&world, &signed.place.author, &signed.first.version).await.to_string().contains("reads well"));
    }

    async fn what_is_hidden_is_as_if_it_did_not_exist(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let none = format!("ver_{:0>32}", 7);
        for form in ["html", "json"] {
            for state in ["DRAFT", "IN_REVIEW"] {
                if state == "IN_REVIEW" && form == "html" {
                    submit(&place.author, &made).await;
                }
                let hidden = get(&world, &place.viewer, &made.version, form).await;
                assert_eq!(code(&hidden), (404, &json!("NOT_FOUND")));
                for absent in [none.as_str(), "ver_1", "nothing", &made.sop, "%00"] {
                    let absent = get(&world, &place.viewer, absent, form).await;
                    assert_eq!(code(&absent), (404, &json!("NOT_FOUND")));
                    assert_eq!(absent.body["errors"][0]["message"], hidden.body["errors"][0]["message"]);
                }
                let seen = get(&world, &place.reviewer, &made.version, form).await;
                assert_eq!(seen.status, 200, "{seen:?}");
            }
        }
        let seen = record(&world, &place.reviewer, &made.version).await;
        assert_eq!((&seen["version"]["state"], &seen["passages"][0]["state"]), (&json!("IN_REVIEW"), &json!("OPEN")));
        assert_eq!(seen["version"]["publishedAt"], Value::Null);
    }

    async fn a_version_says_where_its_record_is(world: World) {
        let signed = Signed::make(&world).await;
        let query = "query($id: ID!) { version(id: $id) { recordPath } }";
        let path = text(&signed.place.viewer.ok(query, json!({"id": signed.first.version})).await["version"]["recordPath"]);
        let raw = world.raw();
        let request = raw.http.get(raw.url(&path)).header("accept", "application/json");
        let answer = respond(request.bearer_auth(&signed.place.viewer.token)).await;
        assert_eq!(answer.body["version"]["id"], json!(signed.first.version));
    }

    async fn the_form_is_negotiated_and_the_headers_are_strict(world: World) {
        let signed = Signed::make(&world).await;
        let (raw, viewer) = (world.raw(), &signed.place.viewer);
        let url = raw.url(&format!("/records/{}", signed.first.version));
        let ask = async |accept: &str| respond(raw.http.get(&url).header("accept", accept).bearer_auth(&viewer.token)).await;
        let entries = "SELECT COUNT(*) FROM audit_entry";
        let before = world.query_i64(entries).await;
        for (accept, kind) in [("text/html", "text/html"), ("*/*", "text/html"), ("application/json", "application/json")] {
            let answer = ask(accept).await;
            let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
            assert_eq!((answer.status.as_u16(), header("content-type")), (200, format!("{kind}; charset=utf-8")));
            assert_eq!(header("cache-control"), "no-store");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("referrer-policy"), "no-referrer");
            let end = kind.rsplit('/').next().unwrap();
            assert_eq!(header("content-disposition"), format!("inline; filename=\"OPS-0001-1.0.{end}\""));
        }
        let answer = ask("text/html").await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        let json = record(&world, viewer, &signed.first.version).await;
        let style = text(&super::checked(&json, answer.body.as_str().unwrap())["style"]);
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&format!("style-src '{style}';")), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(world.query_i64(entries).await, before, "to look at a record is no change");

        assert_eq!(code(&ask("application/pdf").await), (406, &json!("BAD_USER_INPUT")));
        assert_eq!(code(&get(&world, viewer, &signed.first.version, "pdf").await), (400, &json!("BAD_USER_INPUT")));
        assert_eq!(code(&respond(raw.http.get(&url)).await), (401, &json!("UNAUTHENTICATED")));
        assert_eq!(code(&respond(raw.http.get(&url).bearer_auth("x.y.z")).await), (401, &json!("UNAUTHENTICATED")));
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = respond(raw.http.request(method, &url).bearer_auth(&viewer.token)).await;
            assert_eq!(code(&answer), (405, &json!("BAD_USER_INPUT")));
        }
        let head = respond(raw.http.head(&url).bearer_auth(&viewer.token)).await;
        assert_eq!((head.status.as_u16(), &head.body), (200, &json!("")));
        let line = world.server.log_entry(|e| e["status"] == 406 && e["path"].as_str().is_some_and(|p| p.starts_with("/records/"))).await;
        assert_eq!(line["codes"], "BAD_USER_INPUT");
    }
}
