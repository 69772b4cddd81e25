//! The outbox as an inbox.

use serde_json::{Value, json};

use super::{events, fresh, kinds, notifications};
use crate::story::{WITHDRAW, decide, decide_refused, place, submit};
use crate::support::{Client, World, both};

const COMMENT: &str = "mutation($input: CommentCreateInput!) { commentCreate(input: $input) {
    comment { id } userErrors { code message path } } }";

async fn id_of(who: &Client) -> Value {
    who.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"].clone()
}

both! {
    async fn each_stage_tells_those_it_waits_for_when_it_opens(world: World) {
        let place = place(&world).await;
        let made = fresh(&place, "one", "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let told = notifications(&place.reviewer).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["kind"], &told[0]["sop"]["code"]), (&json!("APPROVAL_REQUESTED"), &json!("OPS-0001")));
        assert_eq!((&told[0]["request"]["id"], &told[0]["comment"]), (&json!(request), &Value::Null));
        let sentence = "Version 1.0 of OPS-0001 \"Reset a password\" waits for a decision in the stage \"Review\".";
        assert_eq!(told[0]["text"], sentence);
        for other in [&place.approver, &place.author, &place.manager, &place.viewer, &place.admin] {
            assert_eq!(kinds(other).await, Vec::<String>::new());
        }
        // What is refused is no event.
        assert_eq!(decide_refused(&place.approver, &request, &made.hash, "APPROVE").await.code, "FORBIDDEN");
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM event").await, 1);
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        let told = notifications(&place.approver).await;
        assert!(told[0]["text"].as_str().unwrap().ends_with("in the stage \"Approval\"."), "{told:?}");
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(world.query_i64(&events("approval.requested")).await, 2, "one for each stage, none for the end");
        assert_eq!(notifications(&place.reviewer).await[0]["request"]["state"], "APPROVED", "as it is now");
    }

    async fn what_is_asked_again_is_told_again(world: World) {
        let place = place(&world).await;
        let made = fresh(&place, "one", "Reset a password").await;
        let request = submit(&place.author, &made).await;
        let back = place.author.mutate(WITHDRAW, json!({"input": {"requestId": request}})).await;
        let made = crate::story::Draft { revision: back["version"]["revision"].as_i64().unwrap(), ..made };
        submit(&place.author, &made).await;
        assert_eq!(kinds(&place.reviewer).await, ["APPROVAL_REQUESTED", "APPROVAL_REQUESTED"]);
    }

    async fn whoever_sees_a_procedure_no_more_is_not_told_of_it(world: World) {
        let place = place(&world).await;
        submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
        assert_eq!(kinds(&place.reviewer).await.len(), 1);
        let elsewhere = world.client(&["reviewer@it"], "rob");
        assert_eq!(kinds(&elsewhere).await, Vec::<String>::new(), "another token of the same person, with less");
        assert_eq!(kinds(&world.client(&["reviewer@ops"], "rob")).await.len(), 1);
    }

    async fn a_comment_tells_those_it_mentions(world: World) {
        let place = place(&world).await;
        let made = fresh(&place, "one", "Reset a password").await;
        submit(&place.author, &made).await;
        let mut mentioned = Vec::new();
        for who in [&place.approver, &place.viewer, &place.author] {
            mentioned.push(id_of(who).await);
        }
        let input = json!({"versionId": made.version, "body": "Is this so?", "mentionIds": mentioned, "idempotencyKey": "k"});
        place.author.mutate(COMMENT, json!({"input": input})).await;
        place.author.mutate(COMMENT, json!({"input": input})).await;
        let told = notifications(&place.approver).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["kind"], &told[0]["comment"]["body"]), (&json!("COMMENT_MENTIONED"), &json!("Is this so?")));
        assert_eq!(kinds(&place.viewer).await, Vec::<String>::new(), "drafts are hidden from viewers");
        assert_eq!(kinds(&place.author).await, Vec::<String>::new(), "nobody is told of what they say themselves");
    }

    async fn are_paged_newest_first(world: World) {
        let place = place(&world).await;
        for n in 0..5 {
            submit(&place.author, &fresh(&place, &format!("p-{n}"), "Reset").await).await;
        }
        let page = "query($after: String) { me { notifications(first: 2, after: $after) { totalCount
            nodes { sop { code } } pageInfo { hasNextPage endCursor } } } }";
        let (mut codes, mut after) = (Vec::new(), Value::Null);
        loop {
            let found = place.reviewer.ok(page, json!({"after": after})).await["me"]["notifications"].take();
            assert_eq!(found["totalCount"], 5);
            codes.extend(found["nodes"].as_array().unwrap().iter().map(|n| n["sop"]["code"].clone()));
            if found["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = found["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(json!(codes), json!(["OPS-0005", "OPS-0004", "OPS-0003", "OPS-0002", "OPS-0001"]));
    }

    async fn events_stay_as_they_are(world: World) {
        let place = place(&world).await;
        submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
        for sql in ["UPDATE event SET at = 0", "DELETE FROM event_recipient", "DELETE FROM event",
            "UPDATE event_recipient SET person_id = person_id",
            // Another of the same, and one of a kind about a stage that names none.
            "INSERT INTO event (id, kind, at, sop_id, request_id, stage, nth, data) \
             SELECT sop_id, kind, at, sop_id, request_id, stage, nth, data FROM event",
            "INSERT INTO event (id, kind, at, sop_id, data) SELECT sop_id, kind, at, sop_id, data FROM event"] {
            assert!(world.try_execute(sql).await.is_err(), "{sql}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM event").await, 1);
    }
}
