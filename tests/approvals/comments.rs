//! Review comments: threads and replies, mentions, and what an open thread holds up.

use serde_json::{Value, json};

use crate::acts::{answer, comment, require, stage};
use crate::story::{
    CREATE_COMMENT, DECIDE, EDIT, REOPEN, REPLY, RESOLVE, decide, draft, number, person, place, submit, text,
};
use crate::support::{Backend, Client, World, both};

const THREADS: &str =
    "query($id: ID!, $resolved: Boolean) { reviewComments(filter: {versionId: $id, resolved: $resolved}) { totalCount nodes {
    id body stepKey contentHash author { name } resolvedAt resolvedBy { name } mentions { name }
    replies { id body author { name } thread { id } mentions { name } } } } }";
const OPEN: &str = "query($id: ID!) { version(id: $id) { openCommentThreads } }";

async fn threads(who: &Client, version: &str, resolved: Value) -> Vec<Value> {
    let found = who.ok(THREADS, json!({"id": version, "resolved": resolved})).await["reviewComments"].clone();
    let nodes = found["nodes"].as_array().unwrap().clone();
    assert_eq!(found["totalCount"], json!(nodes.len()));
    nodes
}

both! {
    async fn are_threads_on_a_version_or_a_step_with_replies(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let input = json!({"versionId": made.version, "body": "Which facts?", "stepKey": "identify"});
        let begun = place.reviewer.mutate(CREATE_COMMENT, json!({"input": input})).await;
        let thread = begun["comment"]["id"].clone();
        let general = comment(&place.approver, &made.version, "Reads well.").await;
        let reply = place.author.mutate(REPLY, json!({"input": {"id": thread, "body": "Name and badge."}})).await;
        assert_eq!(reply["comment"]["thread"]["id"], thread);
        // A reply to a reply is one in the same thread.
        let deeper = json!({"input": {"id": reply["comment"]["id"], "body": "Say so."}});
        let deeper = place.reviewer.mutate(REPLY, deeper).await;
        assert_eq!(deeper["comment"]["thread"]["id"], thread);
        let seen = threads(&place.author, &made.version, Value::Null).await;
        assert_eq!(seen.len(), 2);
        assert_eq!((&seen[0]["id"], &seen[0]["stepKey"], &seen[0]["author"]["name"], &seen[0]["contentHash"]),
            (&thread, &json!("identify"), &json!("rob"), &json!(made.hash)));
        let replies: Vec<_> = seen[0]["replies"].as_array().unwrap().iter().map(|r| (&r["body"], &r["author"]["name"])).collect();
        assert_eq!(replies, [(&json!("Name and badge."), &json!("ann")), (&json!("Say so."), &json!("rob"))]);
        assert_eq!((&seen[1]["id"], &seen[1]["stepKey"], &seen[1]["replies"]), (&json!(general), &Value::Null, &json!([])));
        assert_eq!(place.author.ok(OPEN, json!({"id": made.version})).await["version"]["openCommentThreads"], 2, "replies are none");

        for (input, code, path) in [
            (json!({"versionId": made.version, "body": " "}), "INVALID", "body"),
            (json!({"versionId": made.version, "body": "x", "stepKey": "no such"}), "INVALID", "stepKey"),
            (json!({"versionId": made.version, "body": "x", "mentionIds": [format!("{}_{:0>32}", "person", 1)]}), "NOT_FOUND", ""),
        ] {
            let refusal = place.reviewer.refused(CREATE_COMMENT, json!({"input": input})).await;
            assert_eq!(refusal.code, code, "{refusal:?}");
            assert!(code != "INVALID" || refusal.path.join(".") == path, "{refusal:?}");
        }
        // What may not be seen is not there: neither the draft nor what was said of it.
        let blind = place.viewer.refused(CREATE_COMMENT, json!({"input": {"versionId": made.version, "body": "x"}})).await;
        assert_eq!(blind.code, "NOT_FOUND");
        assert_eq!(place.viewer.refused(REPLY, json!({"input": {"id": thread, "body": "x"}})).await.code, "NOT_FOUND");
        assert_eq!(threads(&place.viewer, &made.version, Value::Null).await, Vec::<Value>::new());
        let one = place.viewer.ok("query($id: ID!) { reviewComment(id: $id) { body } }", json!({"id": thread})).await;
        assert_eq!(one["reviewComment"], Value::Null);
        // By the same key it is the same comment.
        let keyed = json!({"input": {"versionId": made.version, "body": "Once.", "idempotencyKey": "k"}});
        let first = place.reviewer.mutate(CREATE_COMMENT, keyed.clone()).await;
        assert_eq!(place.reviewer.mutate(CREATE_COMMENT, keyed).await["comment"]["id"], first["comment"]["id"]);
    }

    async fn are_resolved_and_opened_again_as_threads(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let thread = comment(&place.reviewer, &made.version, "Which facts?").await;
        let reply = place.author.mutate(REPLY, json!({"input": {"id": thread, "body": "Two."}})).await["comment"]["id"].clone();
        let on = |id: &Value| json!({"input": {"id": id}});
        let thread = json!(thread);
        assert_eq!(place.reviewer.refused(REOPEN, on(&thread)).await.code, "CONFLICT");
        assert_eq!(place.reviewer.refused(RESOLVE, on(&reply)).await.code, "INVALID", "a reply is no thread");
        // Another reviewer may settle it; whoever wrote the version may not, unless they began it.
        assert_eq!(place.author.refused(RESOLVE, on(&thread)).await.code, "FORBIDDEN");
        let done = place.approver.mutate(RESOLVE, on(&thread)).await;
        assert_eq!(done["comment"]["resolvedBy"]["name"], "amy");
        assert_eq!(place.reviewer.refused(RESOLVE, on(&thread)).await.code, "CONFLICT");
        assert_eq!((threads(&place.author, &made.version, json!(true)).await.len(), threads(&place.author, &made.version, json!(false)).await.len()), (1, 0));
        let open = place.reviewer.mutate(REOPEN, on(&thread)).await;
        assert_eq!(open["comment"]["resolvedAt"], Value::Null);
        let own = comment(&place.author, &made.version, "To do.").await;
        place.author.mutate(RESOLVE, on(&json!(own))).await;
        let told = "{ audit(last: 5) { nodes { action actor { name } object oldValue newValue } } }";
        let told = place.admin.ok(told, json!({})).await["audit"]["nodes"].clone();
        let actions: Vec<String> = told.as_array().unwrap().iter().map(|e| format!("{} {}", text(&e["action"]), text(&e["actor"]["name"]))).collect();
        assert_eq!(actions, ["comment.created ann", "comment.resolved amy", "comment.reopened rob", "comment.created ann", "comment.resolved ann"]);
        assert_eq!((&told[1]["oldValue"], &told[1]["newValue"]), (&json!({"resolved": false}), &json!({"resolved": true})));
        // On what is in force nothing is to be reviewed any more.
        let request = submit(&place.author, &made).await;
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        let late = json!({"input": {"versionId": made.version, "body": "Late."}});
        assert_eq!(place.reviewer.refused(CREATE_COMMENT, late).await.code, "CONFLICT");
        assert_eq!(place.reviewer.refused(RESOLVE, on(&thread)).await.code, "CONFLICT");
        // And what was said while it was a draft is not for everybody who reads it in force.
        assert_eq!(threads(&place.viewer, &made.version, Value::Null).await, Vec::<Value>::new());
        assert_eq!(threads(&place.reviewer, &made.version, Value::Null).await.len(), 2);
    }

    async fn that_are_open_hold_up_approvals_where_the_policy_says_so(world: World) {
        let place = place(&world).await;
        require(&world, "MATERIAL", &[stage("Review", "reviewer", 1)], true).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let thread = comment(&place.approver, &made.version, "Which facts?").await;
        let request = submit(&place.author, &made).await;
        let seen = place.author.ok("query($id: ID!) { approvalRequest(id: $id) { requiresResolvedComments } }", json!({"id": request})).await;
        assert_eq!(seen["approvalRequest"]["requiresResolvedComments"], true);
        let refusal = place.reviewer.refused(DECIDE, answer(&request, &made.hash, "APPROVE", None)).await;
        assert!(refusal.code == "CONFLICT" && refusal.message.contains("1 are open"), "{refusal:?}");
        // A rejection waits for nothing, and the thread outlives it, over the next content too.
        let rejected = decide(&place.reviewer, &request, &made.hash, "REJECT", "see the comment").await;
        let mut content = crate::story::content("Reset a password");
        content["steps"][0]["instruction"] = json!("Ask for name and badge.");
        let input = json!({"id": made.version, "expectedRevision": rejected["version"]["revision"], "content": content});
        let edited = place.author.mutate(EDIT, json!({"input": input})).await;
        let hash = text(&edited["version"]["contentHash"]);
        let made = crate::story::Draft { revision: number(&edited["version"]["revision"]), hash, ..made };
        let request = submit(&place.author, &made).await;
        assert_eq!(place.reviewer.refused(DECIDE, answer(&request, &made.hash, "APPROVE", None)).await.code, "CONFLICT");
        place.reviewer.mutate(RESOLVE, json!({"input": {"id": thread}})).await;
        let done = decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        assert_eq!(done["version"]["state"], "PUBLISHED");
    }

    async fn mention_people_who_find_it_as_far_as_they_see_it(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let (amy, vic, ann) = (person(&place.approver).await, person(&place.viewer).await, person(&place.author).await);
        let query = "query($after: String) { me { mentions(first: 1, after: $after) { totalCount pageInfo { hasNextPage endCursor }
            nodes { id body } } } }";
        let mentioning = |body: &str, ids: &[&String]| json!({"input": {"versionId": made.version, "body": body, "mentionIds": ids}});
        let first = place.reviewer.mutate(CREATE_COMMENT, mentioning("Look, both.", &[&amy, &vic])).await["comment"]["id"].clone();
        let input = json!({"input": {"id": first, "body": "Amy again.", "mentionIds": [amy, ann]}});
        place.reviewer.mutate(REPLY, input).await;
        let page = place.approver.ok(query, json!({})).await["me"]["mentions"].clone();
        assert_eq!((&page["totalCount"], &page["nodes"][0]["body"]), (&json!(2), &json!("Amy again.")), "newest first");
        let next = place.approver.ok(query, json!({"after": page["pageInfo"]["endCursor"]})).await["me"]["mentions"].clone();
        assert_eq!((&next["nodes"][0]["body"], &next["pageInfo"]["hasNextPage"]), (&json!("Look, both."), &json!(false)));
        assert_eq!(place.author.ok(query, json!({})).await["me"]["mentions"]["totalCount"], 1);
        // To be mentioned shows nobody what they may not see.
        assert_eq!(place.viewer.ok(query, json!({})).await["me"]["mentions"]["totalCount"], 0);
        let twice = place.reviewer.refused(CREATE_COMMENT, mentioning("Twice.", &[&amy, &amy])).await;
        assert_eq!((twice.code.as_str(), twice.path.join(".")), ("INVALID", "mentionIds".to_owned()));
    }

    async fn are_not_without_number(world: World) {
        let place = place(&world).await;
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let thread = comment(&place.reviewer, &made.version, "The first.").await;
        let id = match world.backend {
            Backend::Sqlite => "randomblob(16)",
            Backend::Postgres => "gen_random_uuid()",
        };
        let columns = "version_id, thread_id, step_key, content_hash, author_id, body, created_at, resolved_at, resolved_by_id";
        world.execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 998)
             INSERT INTO review_comment (id, {columns}) SELECT {id}, {columns} FROM review_comment, n"
        )).await;
        let reply = json!({"input": {"id": thread, "body": "One more."}});
        place.author.mutate(REPLY, reply.clone()).await;
        assert_eq!(place.author.refused(REPLY, reply).await.code, "CONFLICT");
        let another = json!({"input": {"versionId": made.version, "body": "And one."}});
        assert_eq!(place.reviewer.refused(CREATE_COMMENT, another).await.code, "CONFLICT");
    }
}
