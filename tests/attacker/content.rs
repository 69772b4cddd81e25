//! By other content than was approved: edited afterwards, decided on elsewhere, or called editorial.

use super::*;
use crate::acts::draft_of;
use crate::story::{
    CREATE_VERSION, DISCARD, EDIT, RETIRE, SUBMIT, WITHDRAW, content, decide, from_now, look, number, person, publish,
    published,
};

/// A change to content, and what it is called.
type Change = (&'static str, Box<dyn Fn(&mut Value) + Send>);

const SUBMISSION_REFUSALS: &str = "query($object: ID!) {
    audit(filter: {action: \"version.submission_refused\", object: $object}, last: 1) {
    totalCount nodes { actor { name } newValue reason } } }";

both! {
    async fn editing_after_an_approval_asks_for_it_anew(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        siege.approve(&place.reviewer).await;
        let mut worse = content("Reset a password");
        worse["steps"][1]["codeBlocks"] = json!([{"language": "bash", "text": "rm -rf /"}]);
        // In review nothing is edited, by whatever revision.
        for revision in 0..4 {
            let input = json!({"id": siege.made.version, "expectedRevision": revision, "content": worse});
            assert_eq!(place.author.refused(EDIT, json!({"input": input})).await.code, "CONFLICT");
        }
        let withdrawn = place.author.mutate(WITHDRAW, json!({"input": {"requestId": siege.request}})).await;
        let revision = number(&withdrawn["version"]["revision"]);
        let input = json!({"id": siege.made.version, "expectedRevision": revision, "content": worse});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let hash = text(&edited["version"]["contentHash"]);
        assert_ne!(hash, siege.made.hash);
        // The old request takes nothing more, of the old content or of the new.
        for hash in [&siege.made.hash, &hash] {
            siege.repelled(&place.approver, answer(&siege.request, hash, "APPROVE", None), "CONFLICT", "WITHDRAWN").await;
        }
        let revision = number(&edited["version"]["revision"]);
        let again = Draft { revision, hash: hash.clone(), ..siege.made.clone() };
        let request = submit(&place.author, &again).await;
        // In the new one the old decision counts for nothing, and the old content is not what is under review.
        siege.repelled(&place.approver, answer(&request, &hash, "APPROVE", None), "FORBIDDEN", "needs the role").await;
        for verdict in ["APPROVE", "REJECT"] {
            let old = answer(&request, &siege.made.hash, verdict, None);
            siege.repelled(&place.reviewer, old, "CONFLICT", "not the one").await;
        }
        let query = "query($id: ID!) { approvalRequest(id: $id) { decisions { id } } }";
        let seen = place.author.ok(query, json!({"id": request})).await;
        assert_eq!(seen["approvalRequest"]["decisions"], json!([]));
        decide(&place.reviewer, &request, &hash, "APPROVE", "").await;
        let done = decide(&place.approver, &request, &hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
        sound(world).await;
    }

    async fn what_is_approved_for_later_stays_as_it_was_approved(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let mut input = json!({"id": made.version, "expectedRevision": 1, "content": content("Reset a password")});
        input["effectiveAt"] = json!(from_now(3600));
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let made = Draft { revision: 2, hash: text(&edited["version"]["contentHash"]), ..made };
        let done = publish(&place, &place.author, &made).await;
        assert_eq!(done["version"]["state"], "APPROVED");
        let before = state(&world).await;
        let revision = number(&done["version"]["revision"]);
        // Neither the content nor the day.
        let mut other = content("Reset a password");
        other["objective"] = json!("Another.");
        for content in [content("Reset a password"), other] {
            let input = json!({"id": made.version, "expectedRevision": revision, "content": content});
            assert_eq!(place.author.refused(EDIT, json!({"input": input})).await.code, "CONFLICT");
            let input = json!({"sopId": made.sop, "content": content});
            assert_eq!(place.author.refused(CREATE_VERSION, json!({"input": input})).await.code, "CONFLICT");
        }
        let again = json!({"input": {"id": made.version, "expectedRevision": revision}});
        assert_eq!(place.author.refused(SUBMIT, again).await.code, "CONFLICT");
        assert_eq!(state(&world).await, before);
    }

    async fn replaying_a_decision_on_something_else(world: World) {
        let siege = Siege::lay(world).await;
        let (world, place) = (&siege.world, &siege.place);
        let other = draft_of(place, "vpn", "Reset the VPN", "LOW").await;
        let twin = draft_of(place, "twin", "Reset a password", "LOW").await;
        assert_eq!(twin.hash, siege.made.hash, "the same content has the same hash");
        let (request, twins) = (submit(&place.author, &other).await, submit(&place.author, &twin).await);
        // A decision on one is none on another, even of the same content.
        let mut first = answer(&siege.request, &siege.made.hash, "APPROVE", None);
        first["input"]["idempotencyKey"] = json!("k");
        place.reviewer.mutate(DECIDE, first.clone()).await;
        siege.repelled(&place.approver, answer(&twins, &twin.hash, "APPROVE", None), "FORBIDDEN", "needs the role").await;
        let wrong = answer(&request, &siege.made.hash, "APPROVE", None);
        siege.repelled(&place.reviewer, wrong, "CONFLICT", "not the one").await;
        // The key of one request brings about nothing in another, nor another verdict or content in the same.
        for (request, hash, verdict) in [
            (&request, &other.hash, "APPROVE"), (&twins, &twin.hash, "APPROVE"), (&siege.request, &siege.made.hash, "REJECT"),
            (&siege.request, &other.hash, "APPROVE"),
        ] {
            let mut attempt = answer(request, hash, verdict, None);
            attempt["input"]["idempotencyKey"] = json!("k");
            siege.repelled(&place.reviewer, attempt, "CONFLICT", "idempotency key").await;
        }
        // The same again is the same, once; and another person's key is their own.
        let before = state(world).await;
        place.reviewer.mutate(DECIDE, first.clone()).await;
        assert_eq!(state(world).await, before);
        siege.repelled(&world.client(&["author@ops", "reviewer@ops"], "ann"), first.clone(), "FORBIDDEN", CONTRIBUTED).await;
        // What names no request, or no content, is no decision.
        for (request, hash, code) in [
            (siege.made.version.as_str(), siege.made.hash.as_str(), "NOT_FOUND"), (siege.request.as_str(), "", "INVALID"),
            (siege.request.as_str(), "zz", "INVALID"),
        ] {
            let refusal = place.approver.refused(DECIDE, answer(request, hash, "APPROVE", None)).await;
            assert_eq!(refusal.code, code, "{refusal:?}");
        }
        assert_eq!(state(world).await, before);
        siege.approve(&place.approver).await;
        // A closed request takes nothing more.
        let attempt = answer(&siege.request, &siege.made.hash, "REJECT", None);
        siege.repelled(&world.client(&["approver@ops"], "alf"), attempt, "CONFLICT", "APPROVED").await;
        sound(world).await;
    }

    async fn an_approval_of_a_version_is_none_of_its_retirement(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let revision = look(&place.author, &made.sop).await["revision"].clone();
        let input = json!({"id": made.sop, "expectedRevision": revision, "reason": "gone"});
        let asked = place.author.mutate(RETIRE, json!({"input": input})).await;
        let request = text(&asked["approvalRequest"]["id"]);
        let siege = Siege { world, place, made, request };
        let place = &siege.place;
        siege.holds(&place.reviewer, None, "FORBIDDEN", NO_ROLE).await;
        // The owner does not decide, nor by a second account, nor after handing over.
        let owner = siege.world.client(&["author@ops", "approver@ops"], "ann");
        siege.holds(&owner, None, "FORBIDDEN", CONTRIBUTED).await;
        let to = person(&place.viewer).await;
        let revision = look(&place.author, &siege.made.sop).await["revision"].clone();
        let input = json!({"id": siege.made.sop, "expectedRevision": revision, "ownerId": to});
        owner.mutate(crate::story::HAND_OVER, json!({"input": input})).await;
        siege.holds(&owner, None, "FORBIDDEN", CONTRIBUTED).await;
        let second = siege.world.client(&["approver@ops"], "ann-2").with_claim("email", json!("ann@example.org"));
        siege.holds(&second, None, "FORBIDDEN", CONTRIBUTED).await;
        let done = siege.approve(&place.approver).await;
        assert_eq!(done["sop"]["state"], "RETIRED");
    }

    async fn calling_a_change_editorial_that_is_none(world: World) {
        let place = place(&world).await;
        let first = draft(&place, &place.author, &place.process, "Reset a password").await;
        let input = json!({"id": first.version, "expectedRevision": 1, "kind": "EDITORIAL", "content": content("Reset a password")});
        place.author.mutate(EDIT, json!({"input": input})).await;
        let refusal = place.author.refused(SUBMIT, json!({"input": {"id": first.version, "expectedRevision": 2}})).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "kind".to_owned()), "nothing is in force");
        let input = json!({"id": first.version, "expectedRevision": 2, "content": content("Reset a password")});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let first = Draft { revision: 3, hash: text(&edited["version"]["contentHash"]), ..first };
        publish(&place, &place.author, &first).await;

        let made = place.author.mutate(CREATE_VERSION, json!({"input": {"sopId": first.sop, "kind": "EDITORIAL"}})).await;
        let (version, mut revision) = (text(&made["version"]["id"]), 1);
        let step = json!({"key": "more", "instruction": "More.", "role": "agent"});
        let set = |field: &'static str, to: Value| -> Change {
            (field, Box::new(move |content: &mut Value| content["steps"][0][field] = to.clone()))
        };
        let steps = |what: &'static str, change: fn(&mut Vec<Value>, Value)| -> Change {
            let step = step.clone();
            (what, Box::new(move |content: &mut Value| change(content["steps"].as_array_mut().unwrap(), step.clone())))
        };
        let heavy: Vec<Change> = vec![
            set("role", json!("manager")), set("checkpoint", json!("One fact matches.")), set("checkpoint", json!("")),
            set("mandatory", json!(false)), set("branches", json!([{"condition": "always", "goTo": "reset"}])),
            set("expectedDuration", json!("PT1M")), set("expectedDuration", Value::Null), set("approval", json!("nobody")),
            set("tools", json!(["another tool"])), set("teams", json!(["another team"])),
            set("codeBlocks", json!([{"language": "bash", "text": "rm -rf /"}])),
            ("a changed command", Box::new(|c: &mut Value| c["steps"][1]["codeBlocks"][0]["text"] = json!("passwd -d user"))),
            ("no command", Box::new(|c: &mut Value| c["steps"][1]["codeBlocks"] = json!([]))),
            steps("added", Vec::push), steps("put first", |all, step| all.insert(0, step)),
            steps("removed", |all, _| drop(all.pop())), steps("reordered", |all, _| all.reverse()),
            steps("renamed", |all, _| all[0]["key"] = json!("verify")),
        ];
        let mut tried = 0;
        for (what, change) in heavy {
            let mut changed = content("Reset a password");
            changed["steps"][0]["instruction"] = json!("Confirm who is on the phone.");
            change(&mut changed);
            let input = json!({"id": version, "expectedRevision": revision, "kind": "EDITORIAL", "content": changed});
            let edited = place.author.mutate(EDIT, json!({"input": input})).await;
            revision = number(&edited["version"]["revision"]);
            let before = state(&world).await;
            let refusal = place.author.refused(SUBMIT, json!({"input": {"id": version, "expectedRevision": revision}})).await;
            let path = refusal.path.join(".");
            assert!(refusal.code == "INVALID" && path.starts_with("content.steps"), "{what}: {refusal:?}");
            assert!(refusal.message.contains("editorial"), "{what}: {refusal:?}");
            assert_eq!(state(&world).await, before, "{what}");
            // Who tried it, and with what, is on record.
            let told = place.admin.ok(SUBMISSION_REFUSALS, json!({"object": version})).await["audit"].clone();
            tried += 1;
            let own = json!({"kind": "EDITORIAL", "content": edited["version"]["contentHash"], "code": "INVALID"});
            assert_eq!((&told["totalCount"], &told["nodes"][0]["actor"]["name"], &told["nodes"][0]["newValue"]),
                (&json!(tried), &json!("ann"), &own), "{what}: {told}");
            assert!(text(&told["nodes"][0]["reason"]).contains("editorial"), "{what}: {told}");
        }
        // Who may not submit at all is on record too, whatever the change is; who only forgot something is not.
        let revision_now = json!({"input": {"id": version, "expectedRevision": revision}});
        assert_eq!(place.reviewer.refused(SUBMIT, revision_now).await.code, "FORBIDDEN");
        let told = place.admin.ok(SUBMISSION_REFUSALS, json!({"object": version})).await["audit"].clone();
        assert_eq!((&told["totalCount"], &told["nodes"][0]["newValue"]["code"]), (&json!(tried + 1), &json!("FORBIDDEN")));
        let empty = draft_of(&place, "unlock", "Unlock an account", "LOW").await;
        let input = json!({"id": empty.version, "expectedRevision": 1, "content": {"title": "Unlock an account"}});
        place.author.mutate(EDIT, json!({"input": input})).await;
        assert_eq!(place.author.refused(SUBMIT, json!({"input": {"id": empty.version, "expectedRevision": 2}})).await.code, "INVALID");
        let told = place.admin.ok(SUBMISSION_REFUSALS, json!({"object": empty.version})).await["audit"].clone();
        assert_eq!(told["totalCount"], 0);
        // What is heavy goes the heavier way: the approver alone does not do.
        let mut changed = content("Reset a password");
        changed["steps"][0]["role"] = json!("manager");
        let input = json!({"id": version, "expectedRevision": revision, "kind": "MATERIAL", "content": changed});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let made = Draft { sop: first.sop, code: first.code, version, revision: revision + 1, hash: text(&edited["version"]["contentHash"]) };
        let request = submit(&place.author, &made).await;
        let siege = Siege { world, place, made, request };
        siege.holds(&siege.place.approver, None, "FORBIDDEN", "needs the role 'reviewer'").await;
        siege.relieved().await;
    }
    async fn having_another_take_up_what_one_wrote(world: World) {
        let place = place(&world).await;
        let first = draft(&place, &place.author, &place.process, "Reset a password").await;
        publish(&place, &place.author, &first).await;
        let bob = world.client(&["author@ops"], "bob");
        let mut changed = content("Reset a password");
        changed["steps"][0]["instruction"] = json!("Let everybody in.");
        let rob = world.client(&["author@ops", "reviewer@ops"], "rob");
        let input = json!({"input": {"sopId": first.sop, "content": changed}});
        let given_up = rob.mutate(CREATE_VERSION, input).await["version"].clone();
        let input = json!({"id": given_up["id"], "expectedRevision": 1, "reason": "Somebody else should do it."});
        rob.mutate(DISCARD, json!({"input": input})).await;
        let input = json!({"input": {"sopId": first.sop, "basedOnId": given_up["id"], "content": changed}});
        let again = bob.mutate(CREATE_VERSION, input).await["version"].clone();
        let made = Draft { version: text(&again["id"]), revision: 1, hash: text(&again["contentHash"]), ..first };
        // It is not reviewed by who wrote it, and another reviewer has to be there at all.
        let refusal = bob.refused(SUBMIT, json!({"input": {"id": made.version, "expectedRevision": 1}})).await;
        assert_eq!((refusal.code.as_str(), refusal.path.join(".")), ("INVALID", "policy.stages.0".to_owned()));
        person(&world.client(&["reviewer@ops"], "ria")).await;
        let request = submit(&bob, &made).await;
        let siege = Siege { world, place, made, request };
        siege.holds(&rob, None, "FORBIDDEN", CONTRIBUTED).await;
        siege.approve(&siege.world.client(&["reviewer@ops"], "ria")).await;
        assert_eq!(siege.approve(&siege.place.approver).await["version"]["state"], "PUBLISHED");
        // What was in force once is everybody's.
        let next = json!({"input": {"sopId": siege.made.sop, "content": content("Reset a password")}});
        let next = bob.mutate(CREATE_VERSION, next).await["version"]["id"].clone();
        let query = "query($id: ID!) { version(id: $id) { contributors { name } } }";
        assert_eq!(bob.ok(query, json!({"id": next})).await["version"]["contributors"], json!([{"name": "bob"}]));
    }
}
