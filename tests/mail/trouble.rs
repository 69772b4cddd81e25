//! Mail servers that refuse, vanish or lie, and replicas that die.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, version};

use super::smtp::{Mode, Smtp};
use super::{a_while, deliveries, fresh, settings, until, with_mail};
use crate::story::{place, submit};
use crate::support::{Server, World, both};

/// Somebody submits something, about which one mail is due.
async fn one_mail(world: &World) {
    let place = place(world).await;
    submit(&place.author, &fresh(&place, "one", "Reset a password").await).await;
}

/// A server with a certificate for `localhost`, and that certificate.
async fn with_certificate() -> (Smtp, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap())
        .unwrap();
    (Smtp::start(Some(TlsAcceptor::from(Arc::new(config)))).await, cert.pem())
}

const BY_NAME: [(&str, &str); 4] = [
    ("SOPWITH_MAIL__HOST", "localhost"),
    ("SOPWITH_MAIL__ENCRYPTION", "STARTTLS"),
    ("SOPWITH_MAIL__USERNAME", "sopwith"),
    ("SOPWITH_MAIL__PASSWORD", "hunter2"),
];

both! {
    async fn what_is_put_off_is_tried_again_with_growing_waits_and_given_up(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        server.set(Mode::Defer);
        one_mail(&world).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts = 2 AND state = 'PENDING'", 1).await;
        let second = tokio::time::Instant::now();
        until(&world, &deliveries("FAILED"), 1).await;
        assert!(second.elapsed().as_millis() > 2500, "the second wait is four times the first");
        assert_eq!(server.heard("RCPT"), 3, "three attempts, as was set");
        assert_eq!(world.query_text("SELECT last_error_kind FROM mail_delivery").await, "DEFERRED");
        let entry = world.server.log_entry(|entry| entry["message"] == "a mail is given up").await;
        assert_eq!(entry["level"], "ERROR");
        a_while().await;
        assert_eq!(server.heard("RCPT"), 3);
        server.set(Mode::Take);
        let reopened = "UPDATE mail_delivery SET state = 'PENDING', next_attempt_at = 0, settled_at = NULL";
        assert!(world.try_execute(reopened).await.is_err(), "what is settled stays so");
    }

    async fn a_recipient_that_is_refused_is_not_tried_again(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        server.set(Mode::Refuse);
        one_mail(&world).await;
        until(&world, &deliveries("FAILED"), 1).await;
        a_while().await;
        assert_eq!(server.heard("RCPT"), 1);
        assert_eq!(world.query_text("SELECT last_error_kind FROM mail_delivery").await, "REFUSED");
    }

    async fn a_server_that_hangs_up_is_tried_again(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[("SOPWITH_MAIL__MAX_ATTEMPTS", "20")]).await;
        server.set(Mode::HangUp);
        one_mail(&world).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts >= 1 AND last_error_kind = 'CONNECTION'", 1).await;
        server.set(Mode::Take);
        let mails = server.wait(1).await;
        assert_eq!(mails[0].to, ["rob@example.org"]);
        until(&world, &deliveries("SENT"), 1).await;
    }

    async fn a_server_that_does_not_say_good_bye_has_the_mail_all_the_same(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        server.set(Mode::Mute);
        one_mail(&world).await;
        until(&world, &deliveries("SENT"), 1).await;
        a_while().await;
        server.wait(1).await;
    }

    async fn what_a_killed_replica_had_taken_up_is_taken_up_again(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &[]).await;
        server.set(Mode::Stall);
        one_mail(&world).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts = 1", 1).await;
        for _ in 0..100 {
            if server.heard("DATA") == 1 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(server.heard("DATA"), 1);
        world.server.kill();
        server.set(Mode::Take);
        let port = server.port.to_string();
        let _next = Server::start(&world.db, &settings(&port, &[])).await;
        a_while().await;
        assert_eq!(server.mails().len(), 0, "the claim holds for a while");
        world.execute("UPDATE mail_delivery SET next_attempt_at = next_attempt_at - 600000000").await;
        server.wait(1).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE state = 'SENT' AND attempts = 2", 1).await;
    }

    async fn what_was_not_yet_queued_by_a_killed_replica_is_queued_by_another(world: World) {
        let mut world = world;
        // Its job runs once a day: it dies before it does.
        world.restart_with(&settings("1", &[("SOPWITH_SCHEDULER_INTERVAL_SECONDS", "86400")])).await;
        one_mail(&world).await;
        world.server.kill();
        let server = Smtp::start(None).await;
        let _next = Server::start(&world.db, &settings(&server.port.to_string(), &[])).await;
        server.wait(1).await;
    }

    async fn nothing_is_said_in_the_clear_where_encryption_is_asked_for(world: World) {
        let mut world = world;
        let server = with_mail(&mut world, &BY_NAME).await;
        one_mail(&world).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts >= 1 AND last_error_kind IS NOT NULL", 1).await;
        let said: Vec<String> = server.lines().into_iter().map(|(line, _)| line).collect();
        assert!(!said.is_empty() && said.iter().all(|line| ["EHLO", "QUIT"].iter().any(|w| line.starts_with(w))), "{said:?}");
    }

    async fn a_server_is_believed_by_its_certificate_and_then_told_the_password(world: World) {
        let mut world = world;
        let (server, certificate) = with_certificate().await;
        let port = server.port.to_string();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        // A server whose certificate nobody vouches for is told nothing.
        let (_, another) = with_certificate().await;
        std::fs::write(&file, another).unwrap();
        let trusted = file.display().to_string();
        let mut all = BY_NAME.to_vec();
        all.extend([("SSL_CERT_FILE", trusted.as_str()), ("SOPWITH_MAIL__MAX_ATTEMPTS", "20")]);
        world.restart_with(&settings(&port, &all)).await;
        one_mail(&world).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE attempts >= 1 AND last_error_kind IS NOT NULL", 1).await;
        assert!(server.lines().iter().all(|(line, _)| line.starts_with("EHLO") || line == "STARTTLS"), "{:?}", server.lines());
        // One that is trusted gets the password, encrypted; where it is wrong, that is not the mail's fault.
        std::fs::write(&file, certificate).unwrap();
        server.set(Mode::Unknown);
        world.restart_with(&settings(&port, &all)).await;
        until(&world, "SELECT COUNT(*) FROM mail_delivery WHERE state = 'PENDING' AND last_error_kind = 'SETUP'", 1).await;
        server.set(Mode::Take);
        world.execute("UPDATE mail_delivery SET next_attempt_at = 0").await;
        server.wait(1).await;
        let plain: Vec<String> = server.lines().into_iter().filter(|(_, secret)| !secret).map(|(line, _)| line).collect();
        assert!(plain.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{plain:?}");
        assert!(server.heard("AUTH PLAIN") >= 2 && server.heard("MAIL FROM:<sopwith@example.org>") == 1);
        let log = format!("{:?}", world.server.logs());
        assert!(!log.contains("hunter2"), "{log}");
    }
}
