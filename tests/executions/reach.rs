//! Whose executions and figures somebody reads.

use serde_json::{Value, json};

use super::{Reporter, everyone};
use crate::story::{CREATE_TEAM, HAND_OVER, look, place, process, published, text};
use crate::support::{Client, World, both};

/// The runs that somebody reads, by name, and how many the figures say there are.
async fn reads(who: &Client) -> (Vec<String>, i64) {
    let query = "{ executions(first: 100) { totalCount nodes { runId } } figures { runs } }";
    let seen = who.ok(query, json!({})).await;
    let mut runs: Vec<String> =
        seen["executions"]["nodes"].as_array().unwrap().iter().map(|n| text(&n["runId"])).collect();
    runs.sort();
    assert_eq!(seen["executions"]["totalCount"], json!(runs.len()));
    (runs, seen["figures"][0]["runs"].as_i64().unwrap_or(0))
}

both! {
    async fn figures_reach_as_far_as_roles_and_ownership(world: World) {
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let team = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let writer = world.client(&["author@hr"], "hanna");
        process(&writer, &team["team"]["id"], "hire").await;
        let reporter = Reporter::new(&world, "tickets");
        let item = |run: &str, more: Value| {
            let mut item = json!({"eventId": run, "runId": run, "startedAt": "2024-05-01T10:00:00Z"});
            more.as_object().unwrap().iter().for_each(|(key, value)| item[key] = value.clone());
            item
        };
        reporter.create("LIVE", &[
            item("ops-own", json!({"sop": made.code, "team": "ops"})),
            item("hr-by-sop-of-ops", json!({"sop": made.code, "team": "hr"})),
            item("hr-own", json!({"process": "hire", "team": "hr"})),
            item("ops-of-hr-process", json!({"process": "hire", "team": "ops"})),
            item("hr-process-no-team", json!({"process": "hire"})),
        ]).await;
        let ops = ["hr-by-sop-of-ops", "ops-of-hr-process", "ops-own"].map(str::to_owned);
        let hr = ["hr-by-sop-of-ops", "hr-own", "hr-process-no-team", "ops-of-hr-process"].map(str::to_owned);
        assert_eq!(reads(&place.manager).await, (ops.to_vec(), 3));
        assert_eq!(reads(&world.client(&["manager@hr"], "hugo")).await, (hr.to_vec(), 4));
        assert_eq!(reads(&everyone(&world)).await.1, 5);
        assert_eq!(reads(&world.client(&["manager@nowhere", "manager@ops"], "nora")).await.1, 3);

        // One that is hidden cannot be had by its name either.
        assert_eq!(reporter.run(&place.manager, "hr-own").await, Value::Null);
        assert_ne!(reporter.run(&place.manager, "ops-own").await, Value::Null);

        // The owner reads those of the SOP, whatever their role; other viewers read none.
        assert_eq!(place.viewer.error_code("{ figures { runs } }", json!({})).await, "FORBIDDEN");
        let seen = look(&place.author, &made.sop).await;
        let me = place.viewer.ok("{ me { person { id } } }", json!({})).await;
        let input = json!({"id": made.sop, "expectedRevision": seen["revision"], "ownerId": me["me"]["person"]["id"]});
        place.manager.mutate(HAND_OVER, json!({"input": input})).await;
        assert_eq!(reads(&place.viewer).await, (["hr-by-sop-of-ops", "ops-own"].map(str::to_owned).to_vec(), 2));
        for role in ["viewer", "author@ops", "reviewer@ops", "approver", "admin", "integration"] {
            let who = world.client(&[role], "someone-else");
            assert_eq!(who.error_code("{ figures { runs } }", json!({})).await, "FORBIDDEN", "{role}");
            let none = who.ok("{ executions { totalCount nodes { runId } } }", json!({})).await;
            assert_eq!(none["executions"], json!({"totalCount": 0, "nodes": []}), "{role}");
        }
    }

    async fn filters_do_not_widen_the_reach(world: World) {
        let place = place(&world).await;
        let team = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let writer = world.client(&["author@hr"], "hanna");
        let hire = process(&writer, &team["team"]["id"], "hire").await;
        let reporter = Reporter::new(&world, "tickets");
        let item = json!({"eventId": "a", "runId": "a", "process": "hire", "team": "hr", "startedAt": "2024-05-01T10:00:00Z"});
        reporter.create("LIVE", &[item]).await;
        for filter in [json!({"processId": hire}), json!({"teamId": team["team"]["id"]})] {
            let query = "query($filter: FiguresFilter) { figures(filter: $filter, groupBy: [PROCESS, TEAM]) { runs } }";
            assert_eq!(place.manager.ok(query, json!({"filter": filter})).await["figures"], json!([]), "{filter}");
            assert_eq!(everyone(&world).ok(query, json!({"filter": filter})).await["figures"], json!([{"runs": 1}]));
        }
    }
}
