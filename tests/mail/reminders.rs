//! Reminders and escalation.

use serde_json::json;

use super::{FAST, a_while, events, fresh, kinds, notifications, until};
use crate::story::{decide, place, submit};
use crate::support::{Backend, Server, World, both};

/// Makes it so that every stage that was opened was opened so many hours earlier.
async fn age(world: &World, hours: i64) {
    let micros = hours * 3_600_000_000;
    let sql = format!("UPDATE approval_stage SET opened_at = opened_at - {micros} WHERE opened_at IS NOT NULL");
    world.execute(&sql).await;
}

/// Other replicas; none on SQLite, which is one process's.
async fn replicas(world: &World, settings: &[(&str, &str)]) -> Vec<Server> {
    match world.backend {
        Backend::Sqlite => Vec::new(),
        Backend::Postgres => vec![Server::start(&world.db, settings).await, Server::start(&world.db, settings).await],
    }
}

both! {
    async fn come_after_their_time_and_once_however_many_replicas_run(world: World) {
        let mut world = world;
        world.restart_with(&[FAST]).await;
        let _others = replicas(&world, &[FAST]).await;
        let place = place(&world).await;
        for n in 0..5 {
            submit(&place.author, &fresh(&place, &format!("p-{n}"), "Reset").await).await;
        }
        age(&world, 71).await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.reminder")).await, 0, "three days by default, not less");
        age(&world, 2).await;
        until(&world, &events("approval.reminder"), 5).await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.reminder")).await, 5, "and not again within three days");
        assert_eq!(world.query_i64(&events("approval.escalated")).await, 0);
        let told = notifications(&place.reviewer).await;
        assert_eq!((told.len(), &told[0]["kind"]), (10, &json!("APPROVAL_REMINDER")), "{told:?}");
        assert!(told[0]["text"].as_str().unwrap().contains("still waits"), "{told:?}");
        for other in [&place.approver, &place.manager, &place.author] {
            assert_eq!(kinds(other).await, Vec::<String>::new(), "the stage does not wait for them");
        }
        age(&world, 96).await;
        until(&world, &events("approval.escalated"), 5).await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.escalated")).await, 5, "nothing is escalated twice");
        for responsible in [&place.manager, &place.author] {
            assert_eq!(kinds(responsible).await, vec!["APPROVAL_ESCALATED"; 5], "a manager of the team, and the owner");
        }
        for other in [&place.approver, &place.admin, &world.client(&["manager@it"], "max")] {
            assert_eq!(kinds(other).await, Vec::<String>::new());
        }
    }

    async fn are_repeated_at_their_pace_until_the_stage_is_closed(world: World) {
        let mut world = world;
        let settings = [FAST, ("SOPWITH_REMINDERS__REMIND_AFTER_SECONDS", "1"),
            ("SOPWITH_REMINDERS__REPEAT_AFTER_SECONDS", "2"), ("SOPWITH_REMINDERS__ESCALATE_AFTER_SECONDS", "0")];
        world.restart_with(&settings).await;
        let _others = replicas(&world, &settings).await;
        let place = place(&world).await;
        let made = fresh(&place, "one", "Reset a password").await;
        let request = submit(&place.author, &made).await;
        until(&world, &events("approval.reminder"), 3).await;
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        let of_review = "SELECT COUNT(*) FROM event WHERE kind = 'approval.reminder' AND stage = 0";
        let (sent, last) = (world.query_i64(of_review).await, world.query_i64("SELECT MAX(nth) FROM event WHERE stage = 0").await);
        assert_eq!(sent, last, "numbered without a gap");
        let hasty = "SELECT COUNT(*) FROM event a JOIN event b ON a.request_id = b.request_id AND a.stage = b.stage
            AND a.kind = b.kind AND b.nth = a.nth + 1 WHERE b.at - a.at < 2000000";
        assert_eq!(world.query_i64(hasty).await, 0);
        // The next stage has a time of its own.
        until(&world, "SELECT COUNT(*) FROM event WHERE kind = 'approval.reminder' AND stage = 1", 1).await;
        assert_eq!(world.query_i64(of_review).await, sent, "the closed stage is left in peace");
        decide(&place.approver, &request, &made.hash, "APPROVE", "").await;
        let all = world.query_i64(&events("approval.reminder")).await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.reminder")).await, all);
        assert_eq!(world.query_i64(&events("approval.escalated")).await, 0, "that was turned off");
    }

    async fn are_off_where_the_time_is_none(world: World) {
        let mut world = world;
        let off = [FAST, ("SOPWITH_REMINDERS__REMIND_AFTER_SECONDS", "0"), ("SOPWITH_REMINDERS__ESCALATE_AFTER_SECONDS", "0")];
        world.restart_with(&off).await;
        let place = place(&world).await;
        submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
        age(&world, 10_000).await;
        a_while().await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM event WHERE kind <> 'approval.requested'").await, 0);
        // And once is once, where nothing is repeated.
        world.restart_with(&[FAST, ("SOPWITH_REMINDERS__REMIND_AFTER_SECONDS", "1"),
            ("SOPWITH_REMINDERS__REPEAT_AFTER_SECONDS", "0")]).await;
        until(&world, &events("approval.reminder"), 1).await;
        a_while().await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.reminder")).await, 1);
    }
}
