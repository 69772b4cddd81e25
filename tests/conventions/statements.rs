//! However long a list is, what is nested in it comes with the same number of SQL statements.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::fresh_published;
use crate::acts::delegate;
use crate::story::{
    CREATE_TOKEN, CREATE_VERSION, Draft, Place, content, number, person, place, submit, text, token_terms,
};
use crate::support::{Client, World, both, respond};

const SOPS: &str = "{ sops(first: 100) { totalCount pageInfo { hasNextPage } nodes { code owner { name } team { name } process { name owner { name } }
    publishedVersion { label content { title steps { key instruction } } createdBy { name } contributors { name } }
    openVersion { label state contributors { name }
        approvalRequests { state requestedBy { name } stages { name decisions { person { name } } } decisions { person { name } } } } } } }";
const PLANS: &str =
    "{ sops(first: 100) { nodes { code publishedVersion { measurementPlan { declared maturesAt declaredBy { name }
    baselines { metric } targets { metric state result { share { value } } baseline { takenAt } } } } } } }";
const REQUESTS: &str = "{ approvalRequests(first: 100) { nodes { state sop { code team { key } } version { label content { title } }
    requestedBy { name } stages { name decisions { person { name } } } currentStage { name } decisions { person { name } } } } }";
const WAITING: &str = "{ approvalRequests(first: 100) { nodes { waitingFor { name }
    delegates { person { name } onBehalfOf { name } delegation { id } } } } }";
const APPROVALS: &str = "{ approvalFigures(groupBy: [SOP, TEAM]) { sop { code owner { name } } team { key } requests
    stages { name pending time { p50 { value } } } waitedFor { role } } }";
const PROCESSES: &str =
    "{ processes(first: 100) { nodes { key team { key } owner { name } documented sop { code owner { name } } } } }";
const OPEN: &str = "{ sops(first: 100) { nodes { openRequest { state stages { name } } } } }";
const SUCCESSORS: &str =
    "{ sops(first: 100) { nodes { successor { code } versions(first: 3) { totalCount nodes { label } }
    oldest: versions(last: 1) { pageInfo { hasPreviousPage } nodes { label } } } } }";
const TOKENS: &str = "{ apiTokens(first: 100) { nodes { name person { name grants { role } }
    createdBy { name grants { role source } } } } }";
const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Sop { owner { name } } } }";
const SEARCH: &str =
    "{ search(text: \"password\", first: 100) { nodes { sop { code owner { name } publishedVersion { label } } } } }";

const NOTIFICATIONS: &str =
    "{ me { notifications(first: 100) { totalCount nodes { kind text sop { code owner { name } }
    request { state stages { name } } comment { body } } } } }";

/// The number of statements that a query takes, as the log tells, and how long its answer is.
async fn statements(world: &World, who: &Client, query: &str, ids: &[String]) -> (i64, usize) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("count-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let raw = world.raw();
    let body = json!({"query": query, "variables": {"ids": ids}});
    let request = raw.http.post(raw.url("/graphql")).bearer_auth(&who.token).header("x-request-id", &id);
    let answer = respond(request.json(&body)).await;
    assert!(answer.body.get("errors").is_none(), "{query}: {answer:?}");
    let entry = world.server.log_entry(|entry| entry["request_id"] == id.as_str() && !entry["sql"].is_null()).await;
    (number(&entry["sql"]), answer.body.to_string().len())
}

async fn add(place: &Place, from: usize, to: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in from..to {
        let made = fresh_published(place, &format!("p-{n}"), &format!("Reset password {n}")).await;
        let mut next = content(&format!("Reset password {n}"));
        next["changeLog"] = json!({"what": "More", "why": "Needed"});
        let input = json!({"input": {"sopId": made.sop, "content": next}});
        let version = place.author.mutate(CREATE_VERSION, input).await["version"].clone();
        let open = Draft { version: text(&version["id"]), revision: 1, ..made };
        submit(&place.author, &open).await;
        ids.push(open.sop);
    }
    ids
}

/// Compares what queries take for 5 SOPs and for 25.
async fn compare(world: &World, queries: &[&str]) {
    compare_for(world, |place| &place.admin, queries).await;
}

/// The same as asked by one of the people.
async fn compare_for(world: &World, who: impl Fn(&Place) -> &Client, queries: &[&str]) {
    let place = place(world).await;
    let mut ids = add(&place, 0, 5).await;
    let mut few = Vec::new();
    for query in queries {
        few.push(statements(world, who(&place), query, &ids).await);
    }
    ids.extend(add(&place, 5, 25).await);
    let mut wrong = Vec::new();
    for (query, (before, short)) in queries.iter().zip(few) {
        let (after, long) = statements(world, who(&place), query, &ids).await;
        assert!(long > 2 * short, "the second answer is longer: {short}, {long}: {query}");
        assert!(before > 0, "nothing was counted: {query}");
        if before != after {
            wrong.push(format!("{before} statements for 5 SOPs, {after} for 25: {query}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

both! {
    async fn of_sops_do_not_grow_with_the_page(world: World) {
        compare(&world, &[SOPS, PROCESSES, SEARCH]).await;
    }

    async fn of_approval_requests_do_not_grow_with_the_page(world: World) {
        compare(&world, &[REQUESTS]).await;
    }

    async fn of_who_is_waited_for_do_not_grow_with_the_page(world: World) {
        let colleague = world.client(&["viewer"], "dora");
        let to = person(&colleague).await;
        delegate(&world.client(&["reviewer"], "rita"), &to, "reviewer").await;
        compare_for(&world, |place| &place.manager, &[WAITING, APPROVALS]).await;
    }

    async fn of_open_requests_do_not_grow_with_the_page(world: World) {
        compare(&world, &[OPEN]).await;
    }

    async fn of_measurement_plans_do_not_grow_with_the_page(world: World) {
        compare(&world, &[PLANS]).await;
    }

    async fn of_nested_versions_do_not_grow_with_the_page(world: World) {
        compare(&world, &[SUCCESSORS]).await;
    }

    async fn of_api_tokens_and_grants_do_not_grow_with_the_page(world: World) {
        let admin = world.client(&["admin"], "root");
        // Known already, so that only the question is counted.
        admin.ok("{ me { source } }", json!({})).await;
        let mut counted = Vec::new();
        for (from, to) in [(0, 5), (5, 25)] {
            for n in from..to {
                let maker = world.client(&["admin", "viewer"], &format!("maker-{n}"));
                let input = json!({"input": token_terms(&format!("source-{n}"), &["AUDIT_READ"])});
                maker.mutate(CREATE_TOKEN, input).await;
            }
            counted.push(statements(&world, &admin, TOKENS, &[]).await);
        }
        let [(few, short), (many, long)] = counted[..] else { panic!("two counts") };
        assert!(long > 3 * short && few > 0, "{few} {short} {long}");
        assert_eq!(few, many, "statements for 5 tokens and for 25");
    }

    async fn of_notifications_do_not_grow_with_the_page(world: World) {
        compare_for(&world, |place| &place.reviewer, &[NOTIFICATIONS]).await;
    }

    async fn of_nodes_do_not_grow_with_their_number(world: World) {
        compare(&world, &[NODES]).await;
    }
}
