//! Small batches that come at the same time share a transaction, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Lock, Reporter, count, everyone, results};
use crate::story::{RECORD, place};
use crate::support::{Backend, Raw, World, both, respond};

const SENDERS: usize = 40;
/// So long that a group waits for the one before it.
pub const PATIENT: (&str, &str) = ("SOPWITH_INGEST__GROUP_MILLISECONDS", "1000");

/// Sends these at once, each as a request of its own, while somebody keeps the database from storing anything; answers in
/// their order what each was told. The first goes ahead and is stuck, so that the others form a group.
pub async fn stuck(world: &World, reporter: &Reporter, items: &[Value]) -> Vec<Value> {
    let lock = Lock::take(world).await;
    let mut sending = JoinSet::new();
    for (n, item) in items.iter().enumerate() {
        let (reporter, item) = (reporter.clone(), item.clone());
        let wait = Duration::from_millis(if n == 0 { 0 } else { 300 });
        sending.spawn(async move {
            tokio::time::sleep(wait).await;
            (n, reporter.one(item).await)
        });
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    lock.release().await;
    let mut told = sending.join_all().await;
    told.sort_by_key(|(n, _)| *n);
    told.into_iter().map(|(_, answer)| answer).collect()
}

both! {
    async fn those_who_come_meanwhile_share_a_transaction_and_are_answered_each_for_its_own(mut world: World) {
        world.restart_with(&[PATIENT]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tracker");
        // The person and its source are known before.
        reporter.create("LIVE", &[json!({"eventId": "e", "runId": "r", "process": "password-reset"})]).await;
        let item = |n: usize| match n {
            7 => json!({"eventId": "e7", "runId": "r7", "process": "unheard-of"}),
            // The same event twice, and another event under the name of one.
            9 => json!({"eventId": "e8", "runId": "r8", "process": "password-reset"}),
            11 => json!({"eventId": "e10", "runId": "r10", "process": "password-reset", "errors": 3}),
            _ => json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset"}),
        };
        let items: Vec<_> = (0..SENDERS).map(item).collect();
        let answers = stuck(&world, &reporter, &items).await;
        assert_eq!(answers[7]["rejection"]["code"], "UNKNOWN_PROCESS", "{}", answers[7]);
        let pair = |a: usize, b: usize| BTreeSet::from([a, b].map(|n| answers[n]["status"].as_str().unwrap().to_owned()));
        assert_eq!(pair(8, 9), BTreeSet::from(["CREATED", "DUPLICATE"].map(str::to_owned)));
        assert_eq!(pair(10, 11), BTreeSet::from(["CREATED", "CONFLICT"].map(str::to_owned)));
        assert_eq!(count(&answers, "CREATED"), i64::try_from(SENDERS).unwrap() - 3);
        let stored = world.query_i64("SELECT COUNT(*) FROM execution").await;
        assert_eq!(stored, i64::try_from(SENDERS).unwrap() - 2, "with the one of before");
        for n in [0, 1, SENDERS - 1] {
            let (overseer, run) = (everyone(&world), format!("r{n}"));
            assert_eq!(reporter.run(&overseer, &run).await["source"], "tracker");
        }
        if world.backend == Backend::Postgres {
            let sql = "SELECT COUNT(DISTINCT xmin::text) FROM execution WHERE run_id NOT IN ('r', 'r0')";
            assert_eq!(world.query_i64(sql).await, 1, "one transaction for all who waited");
        }
        assert_eq!(world.command(&["rollup", "verify"]).await.status.code(), Some(0));
    }

    async fn what_each_brings_into_being_is_told_of_its_own_request(mut world: World) {
        world.restart_with(&[PATIENT]).await;
        place(&world).await;
        let maker = Reporter::with_roles(&world, "tracker", &["integration", "author"]);
        maker.create("LIVE", &[json!({"eventId": "e", "runId": "r", "process": "password-reset"})]).await;
        let mut sending = JoinSet::new();
        for n in 0..SENDERS {
            let (maker, raw) = (maker.clone(), world.raw());
            sending.spawn(async move {
                let item = json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": format!("process-{n}"),
                    "team": format!("team-{n}"), "actor": {"subject": format!("s{n}")}});
                send_as(&raw, &maker.client.token, &format!("ticket-{n}"), &maker.batch("LIVE", &[item])).await
            });
        }
        let answers = sending.join_all().await;
        assert!(answers.iter().all(|answer| count(answer, "CREATED") == 1), "{answers:?}");
        for action in ["process.created", "team.created", "person.created"] {
            let sql = format!("SELECT COUNT(DISTINCT request_id) FROM audit_entry WHERE action = '{action}' AND request_id LIKE 'ticket-%'");
            assert_eq!(world.query_i64(&sql).await, i64::try_from(SENDERS).unwrap(), "{action}");
        }
        assert_eq!(world.command(&["audit", "verify"]).await.status.code(), Some(0));
    }

    async fn what_is_refused_as_a_whole_is_nobody_elses_matter(mut world: World) {
        world.restart_with(&[PATIENT]).await;
        place(&world).await;
        let reporter = Reporter::new(&world, "tracker");
        let mut sending = JoinSet::new();
        for n in 0..SENDERS {
            let reporter = reporter.clone();
            sending.spawn(async move {
                let item = json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": "password-reset"});
                let mut batch = reporter.batch("LIVE", &[item]);
                match n % 4 {
                    0 => batch["input"]["source"] = json!("another"),
                    1 => batch["input"]["sentAt"] = json!(super::from_now(3 * 86_400)),
                    _ => {}
                }
                (n, reporter.client.ok(RECORD, batch).await["executionsRecord"].clone())
            });
        }
        for (n, payload) in sending.join_all().await {
            match n % 4 {
                0 => assert_eq!(payload["userErrors"][0]["code"], "FORBIDDEN", "{payload}"),
                1 => assert_eq!(payload["userErrors"][0]["path"], json!(["sentAt"]), "{payload}"),
                _ => assert_eq!(count(&results(&payload), "CREATED"), 1, "{payload}"),
            }
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM execution").await, i64::try_from(SENDERS).unwrap() / 2);
    }
}

/// Sends a batch under a name for the request; answers what became of its items.
async fn send_as(raw: &Raw, token: &str, request_id: &str, variables: &Value) -> Vec<Value> {
    let request = raw.http.post(raw.url("/graphql")).bearer_auth(token);
    let body = json!({"query": RECORD, "variables": variables});
    let answer = respond(request.header("x-request-id", request_id).json(&body)).await;
    results(&answer.body["data"]["executionsRecord"])
}
