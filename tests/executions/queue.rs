//! The queue of a source on PostgreSQL: its batches are in it beside each other, and alone only where two have met.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bulk::{LINES, assert_error, body, executions, item, post};
use super::forms::begin;
use super::{Reporter, count};
use crate::story::{RECORD, place};
use crate::support::{Backend, run};

/// Who is in the queue alone.
const ALONE: &str = "BEGIN; SELECT pg_advisory_xact_lock(5, hashtext('tickets'))";
/// Who is in the queue beside others.
const BESIDE: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(5, hashtext('tickets'))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_too_long_is_told_to_come_again() {
    run(Backend::Postgres, |world| async move {
        place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let held = begin(&world, "", ALONE).await;
        let began = Instant::now();
        let as_graphql = reporter.client.send(RECORD, reporter.batch("LIVE", &[item(0)]));
        let items: Vec<Value> = (1..80).map(item).collect();
        let posted = post(&world, &reporter.client, "mode=LIVE", LINES, body(&items));
        let others = async { Reporter::new(&world, "phones").one(item(0)).await["status"].take() };
        let (as_graphql, posted, others) = tokio::join!(as_graphql, posted, others);
        assert_eq!(others, "CREATED", "it is the queue of one source");
        let error = &as_graphql.body["errors"][0];
        assert_eq!((as_graphql.status.as_u16(), &error["extensions"]["code"]), (200, &json!("UNAVAILABLE")));
        assert_eq!(
            (&error["message"], &error["path"]),
            (&json!("the service is busy: try again"), &json!(["executionsRecord"]))
        );
        assert_error(&posted, 503, "UNAVAILABLE", "the queue is held");
        assert_eq!(posted.headers["retry-after"], "1");
        let waited = began.elapsed();
        assert!(waited > Duration::from_millis(4_500) && waited < Duration::from_secs(15), "five seconds: {waited:?}");
        assert_eq!(executions(&world).await, 1, "nothing of it was taken");
        held.close().await.unwrap();
        reporter.create("LIVE", &(0..80).map(item).collect::<Vec<_>>()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_runs_that_were_deleted_stays_beside_the_others() {
    run(Backend::Postgres, |world| async move {
        place(&world).await;
        world.execute("UPDATE rollup_state SET kept_from = 0").await;
        world.execute("INSERT INTO execution_expired (source, run_id) VALUES ('tickets', 'r1')").await;
        let reporter = Reporter::new(&world, "tickets");
        let held = begin(&world, "", BESIDE).await;
        let answers = reporter.send("LIVE", &[item(0), item(1), item(2)]).await;
        assert_eq!(
            (count(&answers, "CREATED"), &answers[1]["rejection"]["code"]),
            (2, &json!("EXPIRED")),
            "{answers:?}"
        );
        held.close().await.unwrap();
    })
    .await;
}
