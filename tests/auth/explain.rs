//! Why somebody may do something: the reasons are those by which it is decided.

use serde_json::{Value, json};

use crate::story::{
    CREATE_GRANT, CREATE_ROLE, CREATE_TEAM, DECIDE, EDIT, HAND_OVER, SUBMIT, WITHDRAW, content, decide, decide_refused,
    draft, from_now, look, person, place, submit, text,
};
use crate::support::{Client, World, both};

const EXPLAIN: &str = "query($person: ID!, $action: AccessAction!, $on: AccessObject!) {
    explainAccess(personId: $person, action: $action, on: $on) { allowed hidden
        reasons { effect basis permission role team { key } source grantId expiresAt message } } }";

async fn explain(who: &Client, person: &str, action: &str, on: Value) -> Value {
    who.ok(EXPLAIN, json!({"person": person, "action": action, "on": on})).await["explainAccess"].take()
}

async fn refused(who: &Client, person: &str, action: &str, on: Value) -> String {
    who.error_code(EXPLAIN, json!({"person": person, "action": action, "on": on})).await
}

/// The answer in a word, and effect and basis of each reason.
fn short(explained: &Value) -> (&'static str, Vec<String>) {
    let answer = match (&explained["allowed"], &explained["hidden"]) {
        (Value::Bool(true), _) => "yes",
        (_, Value::Bool(true)) => "hidden",
        _ => "no",
    };
    let reasons = explained["reasons"].as_array().expect("reasons");
    (answer, reasons.iter().map(|r| format!("{} {}", text(&r["effect"]), text(&r["basis"]))).collect())
}

both! {
    async fn names_the_grant_by_which_something_is_allowed(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let vic = person(&place.viewer).await;
        let on = json!({"sopId": made.sop});
        let before = explain(&place.admin, &vic, "EDIT_SOP", on.clone()).await;
        let grounds = ["PUBLISHED", "OWNER", "PERMISSION", "STAGE", "DELEGATION"];
        assert_eq!(short(&before), ("hidden", grounds.map(|b| format!("WOULD_ALLOW {b}")).to_vec()));
        let at = from_now(86_400);
        let grant = json!({"input": {"personId": vic, "role": "author", "teamId": place.team, "expiresAt": at}});
        let grant = place.admin.mutate(CREATE_GRANT, grant).await["grant"].clone();
        let after = explain(&place.admin, &vic, "EDIT_SOP", on.clone()).await;
        assert_eq!(short(&after), ("yes", vec!["ALLOWS PERMISSION".to_owned()]));
        let reason = &after["reasons"][0];
        assert_eq!(reason["grantId"], grant["id"]);
        assert_eq!(reason["expiresAt"], grant["expiresAt"]);
        assert_eq!((&reason["permission"], &reason["role"], &reason["source"], &reason["team"]["key"]),
            (&json!("SOP_WRITE"), &json!("author"), &json!("API"), &json!("ops")));
        assert!(text(&reason["message"]).contains("until"), "{reason}");
        // By two ways there are two reasons, for the owner's fact another.
        let ann = person(&place.author).await;
        let grant = json!({"input": {"personId": ann, "role": "author"}});
        place.admin.mutate(CREATE_GRANT, grant).await;
        let both = explain(&place.admin, &ann, "EDIT_SOP", on).await;
        assert_eq!(short(&both), ("yes", vec!["ALLOWS OWNER".to_owned(), "ALLOWS PERMISSION".to_owned(), "ALLOWS PERMISSION".to_owned()]));
        let sources: Vec<&Value> = both["reasons"].as_array().unwrap().iter().map(|r| &r["source"]).collect();
        assert_eq!(sources, [&Value::Null, &json!("CLAIM"), &json!("API")]);
    }

    async fn is_what_the_service_does(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let other = world.client(&["author@dev"], "otto");
        let rita = world.client(&["reviewer@ops"], "rita");
        let everyone = [&place.author, &place.reviewer, &place.approver, &place.manager, &place.admin, &place.viewer, &other, &rita];
        let mut people = Vec::new();
        for who in everyone {
            people.push(person(who).await);
        }
        let ada = json!({"input": {"id": made.version, "expectedRevision": 1, "content": content("Other")}});
        for (who, id) in everyone.iter().zip(&people) {
            let told = explain(&place.admin, id, "EDIT_SOP", json!({"versionId": made.version})).await;
            let mut wrong_revision = ada.clone();
            wrong_revision["input"]["expectedRevision"] = json!(99);
            // Whoever may edit is told of the revision, and nobody else is.
            let code = who.refused(EDIT, wrong_revision).await.code;
            let expected = match code.as_str() { "CONFLICT" => "yes", "FORBIDDEN" => "no", _ => "hidden" };
            assert_eq!(short(&told).0, expected, "{code}: {told}");
        }
        let request = submit(&place.author, &made).await;
        let stale = format!("{:0>64}", 1);
        for stage in ["Review", "Approval"] {
            for (who, id) in everyone.iter().zip(&people) {
                let told = explain(&place.admin, id, "DECIDE", json!({"approvalRequestId": request})).await;
                let code = decide_refused(who, &request, &stale, "APPROVE").await.code;
                let expected = match code.as_str() { "CONFLICT" => "yes", "FORBIDDEN" => "no", _ => "hidden" };
                assert_eq!(short(&told).0, expected, "{stage}: {code}: {told}");
                let same = explain(&place.admin, id, "DECIDE", json!({"sopId": made.sop})).await;
                assert_eq!(same["allowed"], told["allowed"], "{stage}: {same}");
            }
            if stage == "Review" {
                decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
            }
        }
    }

    async fn tells_what_separates_duties(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let (ann, rob) = (person(&place.author).await, person(&place.reviewer).await);
        let none = explain(&place.admin, &rob, "DECIDE", json!({"sopId": made.sop})).await;
        let reasons = ["WOULD_ALLOW STAGE", "WOULD_ALLOW DELEGATION", "FORBIDS REQUEST"].map(str::to_owned).to_vec();
        assert_eq!(short(&none), ("no", reasons));
        place.admin.mutate(CREATE_GRANT, json!({"input": {"personId": ann, "role": "reviewer"}})).await;
        let request = submit(&place.author, &made).await;
        let on = json!({"approvalRequestId": request});
        let own = explain(&place.admin, &ann, "DECIDE", on.clone()).await;
        assert_eq!(short(&own), ("no", vec!["ALLOWS STAGE".to_owned(), "FORBIDS REQUEST".to_owned()]));
        assert!(text(&own["reasons"][1]["message"]).contains("contributed"), "{own}");
        assert_eq!(short(&explain(&place.author, &ann, "DECIDE", on.clone()).await).0, "no", "for oneself too");
        let free = explain(&place.admin, &rob, "DECIDE", on.clone()).await;
        assert_eq!(short(&free), ("yes", vec!["ALLOWS STAGE".to_owned()]));
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        let twice = explain(&place.admin, &rob, "DECIDE", on.clone()).await;
        assert!(text(&twice["reasons"][1]["message"]).contains("once"), "{twice}");
        let root = person(&place.admin).await;
        let admin = explain(&place.admin, &root, "DECIDE", on.clone()).await;
        assert_eq!(short(&admin).0, "no");
        assert!(text(&admin["reasons"][0]["message"]).contains("'approver' in 'Approval'"), "{admin}");
        place.approver.mutate(DECIDE, json!({"input": {"requestId": request, "contentHash": made.hash, "verdict": "APPROVE"}})).await;
        let closed = explain(&place.admin, &rob, "DECIDE", on).await;
        assert!(text(&closed["reasons"].as_array().unwrap().last().unwrap()["message"]).contains("APPROVED"), "{closed}");
    }

    async fn knows_the_accounts_of_a_delegate(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let on = json!({"approvalRequestId": request});
        let dora = world.client(&["viewer"], "dora");
        let id = person(&dora).await;
        crate::acts::delegate(&place.reviewer, &id, "reviewer").await;
        assert_eq!(short(&explain(&place.admin, &id, "DECIDE", on.clone()).await).0, "yes");
        // She turns out to be the delegator with another account.
        let rob = place.reviewer.ok("{ me { person { email } } }", json!({})).await["me"]["person"]["email"].clone();
        let dora = dora.with_claim("email", rob);
        person(&dora).await;
        for asker in [&place.admin, &dora] {
            let told = explain(asker, &id, "DECIDE", on.clone()).await;
            assert_eq!(short(&told), ("no", vec!["ALLOWS DELEGATION".to_owned(), "FORBIDS REQUEST".to_owned()]));
        }
    }

    async fn tells_nobody_of_what_they_do_not_see(world: World) {
        let place = place(&world).await;
        let public = crate::story::published(&place, "Reset a password").await;
        let (amy, vic) = (person(&place.approver).await, person(&place.viewer).await);
        let next = json!({"input": {"sopId": public.sop, "content": content("Next")}});
        let next = text(&place.author.mutate(crate::story::CREATE_VERSION, next).await["version"]["id"]);
        let request = place.author.mutate(SUBMIT, json!({"input": {"id": next, "expectedRevision": 1}})).await;
        let request = text(&request["approvalRequest"]["id"]);
        for on in [json!({"versionId": next}), json!({"approvalRequestId": request}), json!({"teamId": public.sop}),
            json!({"versionId": format!("ver_{}", "0".repeat(32))})] {
            for action in ["READ_SOP", "READ_DRAFT", "DECIDE", "WITHDRAW"] {
                assert_eq!(refused(&place.viewer, &vic, action, on.clone()).await, "NOT_FOUND", "{action} {on}");
            }
        }
        // Of what is public one is told, but not whether somebody is deciding on it, nor by which stages.
        let actions = ["DECIDE", "WITHDRAW", "DISCARD", "READ_DRAFT", "EDIT_SOP"];
        let on = json!({"sopId": public.sop});
        let mut open = Vec::new();
        for action in actions {
            open.push(explain(&place.viewer, &vic, action, on.clone()).await);
        }
        place.author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await;
        for (action, open) in actions.iter().zip(open) {
            assert_eq!(open["allowed"], false, "{action}");
            assert_eq!(explain(&place.viewer, &vic, action, on.clone()).await, open, "{action}");
        }
        // Others are for those who manage access or read the audit chain, within their reach.
        for who in [&place.viewer, &place.author, &place.reviewer] {
            assert_eq!(refused(who, &amy, "READ_SOP", on.clone()).await, "FORBIDDEN");
        }
        assert_eq!(explain(&place.manager, &amy, "READ_SOP", on.clone()).await["allowed"], true);
        assert_eq!(refused(&place.manager, &amy, "MANAGE_ACCESS", json!({"organisation": true})).await, "FORBIDDEN");
        assert_eq!(refused(&world.client(&["manager@dev"], "dev"), &amy, "READ_SOP", on.clone()).await, "FORBIDDEN");
        place.admin.mutate(CREATE_ROLE, json!({"input": {"name": "inspector", "permissions": ["AUDIT_READ"]}})).await;
        let inspector = world.client(&["inspector"], "ina");
        assert_eq!(refused(&inspector, &amy, "DECIDE", on.clone()).await, "FORBIDDEN", "it would tell of drafts");
        assert_eq!(explain(&inspector, &amy, "CREATE_SOP", json!({"teamId": place.team})).await["allowed"], false);
        let nobody = format!("per_{}", "0".repeat(32));
        assert_eq!(refused(&place.admin, &nobody, "READ_SOP", on.clone()).await, "NOT_FOUND");
        assert_eq!(refused(&place.admin, &public.sop, "READ_SOP", on).await, "NOT_FOUND");
        for on in [json!({}), json!({"organisation": false}), json!({"organisation": true, "teamId": place.team})] {
            assert_eq!(refused(&place.admin, &amy, "READ_SOP", on.clone()).await, "BAD_USER_INPUT", "{on}");
        }
    }

    async fn of_places_names_what_is_held_for_them(world: World) {
        let place = place(&world).await;
        let dev = json!({"input": {"key": "dev", "name": "Development"}});
        let dev = text(&place.admin.mutate(CREATE_TEAM, dev).await["team"]["id"]);
        let mia = person(&place.manager).await;
        for (action, on, expected) in [
            ("READ_FIGURES", json!({"teamId": place.team}), ("yes", vec!["ALLOWS PERMISSION"])),
            ("READ_FIGURES", json!({"teamId": dev}), ("no", vec!["WOULD_ALLOW PERMISSION"])),
            ("READ_FIGURES", json!({"organisation": true}), ("no", vec!["WOULD_ALLOW PERMISSION"])),
            ("READ_ACCESS", json!({"teamId": place.team}), ("yes", vec!["ALLOWS PERMISSION"])),
            ("READ_ACCESS", json!({"teamId": dev}), ("no", vec!["WOULD_ALLOW PERMISSION", "WOULD_ALLOW PERMISSION"])),
            ("PUBLISH_DUE", json!({"organisation": true}), ("no", vec![])),
            ("EDIT_SOP", json!({"teamId": place.team}), ("no", vec![])),
        ] {
            for who in [&place.admin, &place.manager] {
                let told = explain(who, &mia, action, on.clone()).await;
                let (answer, reasons) = short(&told);
                assert_eq!((answer, reasons.iter().map(String::as_str).collect()), expected, "{action} {on}");
            }
        }
        // Of others, by what they claimed when they were seen last; of oneself, by the token in hand.
        let strong = world.client(&["author@ops"], "two-faced");
        let weak = world.client(&["viewer"], "two-faced");
        let id = person(&strong).await;
        let on = json!({"teamId": place.team});
        assert_eq!(explain(&place.admin, &id, "CREATE_SOP", on.clone()).await["allowed"], true);
        person(&weak).await;
        assert_eq!(explain(&place.admin, &id, "CREATE_SOP", on.clone()).await["allowed"], false);
        assert_eq!(explain(&strong, &id, "CREATE_SOP", on.clone()).await["allowed"], true);
        assert_eq!(explain(&weak, &id, "CREATE_SOP", on).await["allowed"], false);
    }

    async fn knows_who_asked_for_a_retirement(world: World) {
        let place = place(&world).await;
        let made = crate::story::published(&place, "Reset a password").await;
        let ann = person(&place.author).await;
        let revision = look(&place.author, &made.sop).await["revision"].clone();
        let input = json!({"input": {"id": made.sop, "expectedRevision": revision, "reason": "Gone."}});
        let request = text(&place.author.mutate(crate::story::RETIRE, input).await["approvalRequest"]["id"]);
        let on = json!({"approvalRequestId": request});
        let told = explain(&place.admin, &ann, "WITHDRAW", on.clone()).await;
        assert_eq!(short(&told), ("yes", vec!["ALLOWS OWNER".to_owned(), "ALLOWS CONTRIBUTOR".to_owned()]));
        let revision = look(&place.author, &made.sop).await["revision"].clone();
        let rob = person(&place.reviewer).await;
        let handed = json!({"input": {"id": made.sop, "expectedRevision": revision, "ownerId": rob}});
        place.author.mutate(HAND_OVER, handed).await;
        assert_eq!(short(&explain(&place.admin, &ann, "WITHDRAW", on.clone()).await), ("yes", vec!["ALLOWS CONTRIBUTOR".to_owned()]));
        assert_eq!(short(&explain(&place.admin, &ann, "DISCARD", on).await).0, "no", "they contributed to no draft");
    }
}
