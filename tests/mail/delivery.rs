//! What mail arrives, with whom, and how often.

use serde_json::json;

use super::smtp::Mode;
use super::{FAST, a_while, deliveries, events, fresh, settings, until, with_mail};
use crate::story::{decide, place, submit};
use crate::support::{Backend, Server, World, both, respond};

/// A counter of this process.
async fn counted(world: &World, result: &str) -> String {
    let raw = world.raw();
    let page = respond(raw.http.get(raw.url("/metrics"))).await;
    let name = format!("sop_mail_deliveries_total{{result=\"{result}\"}} ");
    let found = page.body.as_str().unwrap().lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
    found.unwrap_or_else(|| panic!("no {name}"))
}

both! {
    async fn a_mail_says_what_waits_where_and_for_how_long(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        let place = place(&world).await;
        assert_eq!(counted(&world, "SENT").await, "0");
        let made = fresh(&place, "one", "Rücksetzen: ein Kennwort\r\nBcc: evil@example.org").await;
        let request = submit(&place.author, &made).await;
        let mails = server.wait(1).await;
        let mail = &mails[0];
        assert_eq!((mail.from.as_str(), &mail.to[..]), ("sopwith@example.org", &["rob@example.org".to_owned()][..]));
        assert_eq!(mail.header("To"), "rob@example.org");
        assert_eq!(mail.header("From"), "Sopwith <sopwith@example.org>");
        assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
        assert!(mail.header("Subject").contains("[OPS-0001] Your decision is asked for"), "{mail:?}");
        assert!(mail.header("Message-ID").ends_with("@example.org>"), "{mail:?}");
        assert!(!mail.head.iter().any(|line| line.starts_with("Bcc")), "{mail:?}");
        for line in ["Procedure: OPS-0001 Rücksetzen: ein Kennwort  Bcc: evil@example.org", "Version: 1.0",
            "Stage: Review (reviewer)", "Open for: less than a minute",
            &format!("https://sops.example.org/approvals/{request}")] {
            assert!(mail.body.lines().any(|l| l == line), "{line} in {}", mail.body);
        }
        assert!(!mail.body.contains("passwd") && !mail.body.contains("Confirm"), "nothing of the content");
        // The next stage is another's.
        decide(&place.reviewer, &request, &made.hash, "APPROVE", "").await;
        let mails = server.wait(2).await;
        assert_eq!(mails[0].to, ["amy@example.org"]);
        until(&world, &deliveries("SENT"), 2).await;
        assert_eq!(counted(&world, "SENT").await, "2");
        // Nothing is sent again by another process.
        world.restart_with(&settings(&server.port.to_string(), &[])).await;
        a_while().await;
        server.wait(2).await;
    }

    async fn only_verified_addresses_are_written_to_and_each_once(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        let place = place(&world).await;
        let reviewer = |subject: &str| world.client(&["reviewer@ops"], subject);
        let everyone = [
            reviewer("unverified").with_claim("email_verified", json!(false)),
            reviewer("nowhere").with_claim("email", json!(null)),
            reviewer("second-account").with_claim("email", json!("Rob@Example.org")),
            reviewer("no-address").with_claim("email", json!("no-address\r\nRCPT TO:<evil@example.org>")),
            reviewer("bob"),
        ];
        for who in &everyone {
            who.ok("{ me { source } }", json!({})).await;
        }
        submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
        let mails = server.wait(2).await;
        until(&world, &deliveries("PENDING"), 0).await;
        let to: Vec<String> = mails.iter().map(|mail| mail.to.join(" ").to_lowercase()).collect();
        assert_eq!(to, ["bob@example.org", "rob@example.org"]);
        assert!(!server.lines().iter().any(|(line, _)| line.contains("evil")), "{:?}", server.lines());
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM event_recipient").await, 6, "all are told in their inboxes");
    }

    async fn nothing_is_queued_while_mail_is_off_nor_what_is_old_once_it_is_on(world: World) {
        let mut world = world;
        world.restart_with(&[FAST]).await;
        let place = place(&world).await;
        submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
        a_while().await;
        assert_eq!(world.query_i64(&events("approval.requested")).await, 1);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM mail_event").await, 0);
        // An event of two days ago, past the triggers that keep it.
        let aged = "UPDATE event SET at = at - 172800000000";
        let (before, after) = match world.backend {
            Backend::Sqlite => ("DROP TRIGGER event_no_update", "SELECT 1"),
            Backend::Postgres => ("ALTER TABLE event DISABLE TRIGGER USER", "ALTER TABLE event ENABLE TRIGGER USER"),
        };
        world.execute(&format!("{before}; {aged}; {after}")).await;
        let server = with_mail(&mut world, &[]).await;
        submit(&place.author, &fresh(&place, "two", "Unlock").await).await;
        let mails = server.wait(1).await;
        assert!(mails[0].header("Subject").contains("OPS-0002"), "{mails:?}");
        a_while().await;
        server.wait(1).await;
    }

    async fn a_mail_that_is_needless_is_not_sent(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[("SOPWITH_MAIL__MAX_ATTEMPTS", "20")]).await;
        server.set(Mode::Defer);
        let place = place(&world).await;
        let made = fresh(&place, "one", "Reset a password").await;
        let request = submit(&place.author, &made).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts >= 1 AND last_error_kind = 'DEFERRED'", 1).await;
        decide(&place.reviewer, &request, &made.hash, "REJECT", "no").await;
        server.set(Mode::Take);
        until(&world, &deliveries("SKIPPED"), 1).await;
        assert_eq!(server.mails().len(), 0);
        let kind = world.query_text("SELECT last_error_kind FROM mail_delivery").await;
        assert_eq!(kind, "SETTLED");
    }

    async fn each_is_sent_once_however_many_replicas_run(world: World) {
        if world.backend == Backend::Sqlite {
            return;
        }
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        let port = server.port.to_string();
        let _others = [Server::start(&world.db, &settings(&port, &[])).await, Server::start(&world.db, &settings(&port, &[])).await];
        let place = place(&world).await;
        for n in 0..15 {
            world.client(&["reviewer@ops"], &format!("rev-{n:02}")).ok("{ me { source } }", json!({})).await;
        }
        for n in 0..4 {
            submit(&place.author, &fresh(&place, &format!("p-{n}"), "Reset").await).await;
        }
        let mails = server.wait(64).await;
        a_while().await;
        server.wait(64).await;
        let mut ids: Vec<&str> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 64);
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM mail_delivery WHERE state = 'SENT' AND attempts = 1").await, 64);
    }
}
