//! Signed heads: written by a running server, and what they find out that the chain by itself does not.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::export::checked_outside;
use super::tamper::unguard;
use super::witness::{
    LIMIT, Witness, entries, failures, first_look, lines, one_more, plain, rewrite, series, shown, truncate, verify,
    witnessed, write,
};
use crate::story::{number, place, published, text};
use crate::support::{Server, World, both};

both! {
    async fn a_running_server_signs_whenever_the_chain_has_grown(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        witness.begin(&mut world).await;
        let place = place(&world).await;
        let n = entries(&world).await;
        witness.signed(n).await;
        let before = witness.lines().len();
        let runs = "sop_jobs_total{job=\"audit_head\",result=\"SUCCEEDED\"}";
        let (run, start) = (series(&world, runs).await, Instant::now());
        while series(&world, runs).await < run + 2 {
            assert!(start.elapsed() < LIMIT, "it runs no more");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(witness.lines().len(), before, "nothing new, nothing to sign");
        one_more(&place, "restore").await;
        witness.signed(n + 1).await;
        assert_eq!(failures(&world).await, 0);
        witness.verify(&world).await.is_sound(n + 1, before + 1, n + 1);
        let mode = std::fs::metadata(witness.heads()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        // Each is in the log as well, and what is cut out of the log will do.
        world.server.log_entry(|line| line["message"] == "audit head" && line["seq"] == n + 1).await;
        let logged: Vec<Value> = world.server.logs().into_iter().filter(|line| line["message"] == "audit head").collect();
        for (line, head) in logged.iter().zip(witness.lines()) {
            for member in ["seq", "hash", "at", "keyId", "signature"] {
                assert_eq!(line[member], head[member], "{member}");
            }
        }
        let carried = witness.path("carried.log");
        write(&carried, &logged);
        verify(&world, &[carried], &[witness.path("ours.pub")]).await.is_sound(n + 1, before + 1, n + 1);
        let all = world.server.logs().iter().map(Value::to_string).collect::<String>();
        let key = std::fs::read_to_string(witness.path("ours.pem")).unwrap();
        assert!(!all.contains(key.lines().nth(1).unwrap()), "the key is nobody's to read");

        let output = world.command(&["audit", "verify", "--heads", shown(&witness.heads()), "--public-key", shown(&witness.path("ours.pub"))]).await;
        let expected = format!("the audit chain is sound: {} entries, signed up to entry {} by {} heads\n", n + 1, n + 1, before + 1);
        assert_eq!(output.stdout, expected);
    }

    async fn the_end_is_signed_and_the_next_server_goes_on(world: World) {
        let mut world = world;
        // So long that only the beginning and the end are left.
        let witness = Witness::new(&world, "86400").await;
        witness.begin(&mut world).await;
        first_look(&world).await;
        let place = place(&world).await;
        published(&place, "Reset a password").await;
        let n = entries(&world).await;
        let seqs = || witness.lines().iter().map(|head| number(&head["seq"])).collect::<Vec<_>>();
        assert_eq!(seqs(), Vec::<i64>::new(), "there was nothing at the beginning");
        world.server.stop_gracefully().await;
        assert_eq!(seqs(), [n]);
        witness.verify(&world).await.is_sound(n, 1, n);
        // One that dies while it writes leaves half a line.
        let whole = std::fs::read_to_string(witness.heads()).unwrap();
        std::fs::write(witness.heads(), format!("{whole}{}", &whole[..200])).unwrap();
        witness.verify(&world).await.is_sound(n, 1, n);
        witness.begin(&mut world).await;
        first_look(&world).await;
        one_more(&place, "restore").await;
        world.server.kill();
        assert_eq!(seqs(), [n], "sudden death signs nothing");
        witness.begin(&mut world).await;
        witness.signed(n + 1).await;
        world.server.stop_gracefully().await;
        assert_eq!(seqs(), [n, n + 1], "nothing twice");
        witness.verify(&world).await.is_sound(n + 1, 2, n + 1);
    }

    async fn a_chain_that_was_rewritten_as_a_whole_is_found_out(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        let signed = witnessed(&mut world, &witness).await;
        let n = entries(&world).await;
        // Somewhere between the first head and the second, and everything behind it.
        rewrite(&world, signed[0] + 1).await;
        assert_eq!(plain(&world).await.json, json!({"ok": true, "entries": n}), "in itself it is sound");
        let found = witness.verify(&world).await;
        assert_eq!(found.problems(), [("REWRITTEN".to_owned(), json!(signed[1]))]);
        let place = format!("between entry {} and entry {}", signed[0] + 1, signed[1]);
        assert!(found.stderr.contains(&place), "{}", found.stderr);
        // From its very first entry.
        rewrite(&world, 1).await;
        assert_eq!(plain(&world).await.json, json!({"ok": true, "entries": n}));
        let found = witness.verify(&world).await;
        assert_eq!(found.problems(), [("REWRITTEN".to_owned(), json!(signed[0]))]);
        assert!(found.stderr.contains("between entry 1 and"), "{}", found.stderr);

        // The server does not put its name to it.
        let before = witness.lines();
        witness.begin(&mut world).await;
        let line = world.server.log_entry(|line| line["job"] == "audit_head" && line["level"] == "ERROR").await;
        assert!(text(&line["reason"]).contains(&format!("entry {n} ")), "{line}");
        assert!(failures(&world).await >= 1);
        world.server.stop_gracefully().await;
        assert_eq!(witness.lines(), before);
    }

    async fn a_chain_that_was_emptied_is_not_taken_for_a_new_one(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        witnessed(&mut world, &witness).await;
        unguard(&world).await;
        world.execute("DELETE FROM audit_entry").await;
        world.execute(&format!("UPDATE audit_head SET seq = 0, hash = '{}'", "0".repeat(64))).await;
        let before = witness.lines();
        witness.begin(&mut world).await;
        world.server.log_entry(|line| line["job"] == "audit_head" && line["level"] == "ERROR").await;
        assert!(failures(&world).await >= 1);
        world.server.stop_gracefully().await;
        assert_eq!(witness.lines(), before);
    }

    async fn a_chain_that_was_cut_off_is_found_out(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        let signed = witnessed(&mut world, &witness).await;
        let n = entries(&world).await;
        for (end, kept) in [(n - 1, "one entry"), (signed[0], "all but the first head"), (1, "nearly all")] {
            truncate(&world, end).await;
            assert_eq!(plain(&world).await.json, json!({"ok": true, "entries": end}), "{kept}");
            let found = witness.verify(&world).await;
            assert_eq!(found.problems(), [("TRUNCATED".to_owned(), json!(end + 1))]);
            assert!(found.stderr.contains(&format!("ends at entry {end}, but entry {n} was signed")), "{}", found.stderr);
        }
        // With the head of the chain as it was, the chain itself says so too.
        world.execute(&format!("UPDATE audit_head SET seq = {n}")).await;
        let kinds: Vec<String> = witness.verify(&world).await.problems().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["BROKEN", "TRUNCATED"]);
        // And the server does not go on as if nothing had been.
        let before = witness.lines();
        witness.begin(&mut world).await;
        world.server.log_entry(|line| line["job"] == "audit_head" && line["level"] == "ERROR").await;
        world.server.stop_gracefully().await;
        assert_eq!(witness.lines(), before);
    }

    async fn heads_that_are_not_ours_are_not_believed(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        let signed = witnessed(&mut world, &witness).await;
        let (n, heads) = (entries(&world).await, witness.lines());
        let (theirs, ours) = (witness.keygen(&world, "theirs").await, text(&heads[0]["keyId"]));
        let put = |heads: &[Value]| write(&witness.heads(), heads);
        let changed = |at: usize, member: &str, value: Value| {
            let mut all = heads.clone();
            all[at][member] = value;
            all
        };
        // Each member is under the signature.
        for (member, value) in [("seq", json!(signed[1] - 1)), ("hash", heads[0]["hash"].clone()), ("at", json!("2026-01-01T00:00:00Z")),
            ("signature", heads[0]["signature"].clone())] {
            put(&changed(1, member, value));
            let found = witness.verify(&world).await;
            let seq = if member == "seq" { signed[1] - 1 } else { signed[1] };
            assert_eq!(found.problems(), [("FORGED_HEAD".to_owned(), json!(seq))], "{member}");
            assert!(found.stderr.contains("heads.jsonl, line 2"), "{}", found.stderr);
        }
        put(&changed(1, "keyId", json!(theirs)));
        assert_eq!(witness.verify(&world).await.problems(), [("UNKNOWN_KEY".to_owned(), json!(signed[1]))]);
        put(&changed(0, "hash", json!("no hash")));
        assert_eq!(witness.verify(&world).await.problems(), [("MALFORMED_HEAD".to_owned(), Value::Null)]);
        let mut swapped = heads.clone();
        swapped.swap(0, 1);
        put(&swapped);
        assert_eq!(witness.verify(&world).await.problems(), [("HEADS_BACKWARDS".to_owned(), json!(signed[0]))]);
        put(&[]);
        assert_eq!(witness.verify(&world).await.problems(), [("NO_HEADS".to_owned(), Value::Null)]);

        // Who rewrites the chain and signs it with a key of their own, under the name of ours or under its own.
        rewrite(&world, 2).await;
        std::fs::remove_file(witness.heads()).unwrap();
        let (key, file) = (witness.path("theirs.pem"), witness.path("heads.jsonl"));
        world.restart_with(&witness.settings(&key, &file)).await;
        witness.signed(n).await;
        world.server.stop_gracefully().await;
        verify(&world, &[witness.heads()], &[witness.path("theirs.pub")]).await.is_sound(n, 1, n);
        assert_eq!(witness.verify(&world).await.problems(), [("UNKNOWN_KEY".to_owned(), json!(n))]);
        let mut posing = witness.lines();
        posing[0]["keyId"] = json!(ours);
        put(&posing);
        assert_eq!(witness.verify(&world).await.problems(), [("FORGED_HEAD".to_owned(), json!(n))]);
        // The true heads, from wherever they were carried, tell.
        put(&heads);
        let both_keys = [witness.path("theirs.pub"), witness.path("ours.pub")];
        assert_eq!(verify(&world, &[witness.heads()], &both_keys).await.problems()[0].0, "REWRITTEN");
    }

    async fn what_cannot_be_written_is_told_counted_and_tried_again(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        witness.begin(&mut world).await;
        let place = place(&world).await;
        witness.signed(entries(&world).await).await;
        let kept = witness.path("kept.jsonl");
        // Moved away as by a program that keeps old files, and something else in its place.
        std::fs::rename(witness.heads(), &kept).unwrap();
        std::fs::create_dir(witness.heads()).unwrap();
        one_more(&place, "restore").await;
        let n = entries(&world).await;
        let line = world.server.log_entry(|line| line["job"] == "audit_head" && line["level"] == "ERROR").await;
        assert!(text(&line["reason"]).contains("heads.jsonl"), "{line}");
        assert!(failures(&world).await >= 1);
        assert_eq!(place.viewer.ok("{ me { source } }", json!({})).await["me"]["source"], Value::Null, "the rest goes on");
        std::fs::remove_dir(witness.heads()).unwrap();
        witness.signed(n).await;
        verify(&world, &[kept, witness.heads()], &[witness.path("ours.pub")]).await.is_sound(n, 1 + lines(&witness.path("kept.jsonl")).len(), n);
    }

    async fn replicas_sign_into_files_of_their_own(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        witness.begin(&mut world).await;
        let (key, other) = (witness.path("ours.pem"), witness.path("other.jsonl"));
        let mut replica = Server::start(&world.db, &witness.settings(&key, &other)).await;
        let place = place(&world).await;
        for name in ["a", "b", "c"] {
            one_more(&place, name).await;
            witness.signed(entries(&world).await).await;
        }
        assert!(replica.stop_gracefully().await.success());
        world.server.stop_gracefully().await;
        let (n, count) = (entries(&world).await, witness.lines().len() + lines(&other).len());
        assert_eq!(lines(&other).last().unwrap()["seq"], json!(n));
        verify(&world, &[other, witness.heads()], &[witness.path("ours.pub")]).await.is_sound(n, count, n);
    }

    async fn others_check_the_heads_without_us(world: World) {
        let mut world = world;
        let witness = Witness::new(&world, "1").await;
        let signed = witnessed(&mut world, &witness).await;
        let file = witness.path("chain.jsonl");
        let outside = async |heads: &[Value]| {
            write(&witness.path("copy.jsonl"), heads);
            let (copy, key) = (witness.path("copy.jsonl"), witness.path("ours.pub"));
            checked_outside(&[shown(&file), "--heads", shown(&copy), "--public-key", shown(&key)])
        };
        let n = entries(&world).await;
        assert!(world.command(&["audit", "export", "--output", shown(&file)]).await.status.success());
        let expected = json!({"entries": n, "first": 1, "last": n, "whole": true, "heads": signed.len()});
        assert_eq!(outside(&witness.lines()).await, Ok(expected));
        let mut forged = witness.lines();
        forged[0]["at"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(outside(&forged).await, Err(format!("the head of entry {} is forged", signed[0])));
        std::fs::remove_file(&file).unwrap();
        rewrite(&world, signed[0] + 1).await;
        assert!(world.command(&["audit", "export", "--output", shown(&file)]).await.status.success());
        assert_eq!(outside(&[]).await.unwrap()["whole"], true, "in itself it is sound");
        assert_eq!(outside(&witness.lines()).await, Err(format!("entry {} is not the one that was signed", signed[1])));
    }
}
