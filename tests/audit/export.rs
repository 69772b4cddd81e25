//! The chain written out: by the command and over HTTP, whole and within somebody's reach, and verified by others.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::tamper::unguard;
use super::{entries, retire, second_version};
use crate::story::{
    CREATE_TEAM, CREATE_TOKEN, Place, SET_PLAN, decide, draft, number, place, process, published, submit, text,
    token_terms,
};
use crate::support::{Backend, Client, Response, World, both, respond};

/// What `sopwith audit export` prints, entry by entry.
pub async fn exported(world: &World, more: &[&str]) -> Vec<Value> {
    let output = world.command(&[&["audit", "export"], more].concat()).await;
    assert!(output.status.success(), "{output:?}");
    rows(&output.stdout)
}

fn rows(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn seqs(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| number(&row["seq"])).collect()
}

/// What `tests/verify_export.py` says; or its last words when something does not fit.
pub fn checked_outside(arguments: &[&str]) -> Result<Value, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/verify_export.py");
    let output = Command::new("python3").arg(script).args(arguments).output().expect("python3 is needed");
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// The same of a text.
fn text_checked_outside(text: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.jsonl");
    std::fs::write(&file, text).unwrap();
    checked_outside(&[file.to_str().unwrap()])
}

fn whole(n: i64) -> Value {
    json!({"entries": n, "first": 1, "last": n, "whole": true, "heads": 0})
}

/// `GET /audit/export` by somebody.
async fn get(who: &Client, world: &World, query: &str) -> Response {
    let raw = world.raw();
    respond(raw.http.get(raw.url(&format!("/audit/export{query}"))).bearer_auth(&who.token)).await
}

/// The text of an export that must go well. A single line of JSON has been read as such.
fn body(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.as_str().map_or_else(|| format!("{}\n", answer.body), str::to_owned)
}

/// A place with a whole life in it, and decisions with comments that spreadsheets could take for formulas.
async fn lived_in(world: &World) -> Place {
    let place = place(world).await;
    let made = published(&place, "Reset a password").await;
    second_version(&place, &made.sop).await;
    retire(&place, &made.sop).await;
    // Numbers that are not whole, each of another spelling.
    let key = process(&place.author, &json!(place.team), "lock").await;
    let measured = draft(&place, &place.author, &key, "Lock an account").await;
    let targets = json!({"errorRateAtMost": 0.000_000_12, "firstTimeRightAtLeast": 0.5, "adoptionAtLeast": 0.35});
    let plan = json!({"versionId": measured.version, "expectedRevision": 0, "primaryMetric": "ERROR_RATE", "targets": targets});
    place.author.mutate(SET_PLAN, json!({"input": plan})).await;
    let key = process(&place.author, &json!(place.team), "restore").await;
    let draft = draft(&place, &place.author, &key, "Restore a backup").await;
    let request = submit(&place.author, &draft).await;
    decide(&place.reviewer, &request, &draft.hash, "REJECT", "=HYPERLINK(\"http://x\",\"é 😀\")\n;=2, \u{7f}\u{2028}")
        .await;
    place
}

/// Entries past the service, many and large, as they are after years. Their hashes are of no account here.
async fn fill(world: &World, count: i64) {
    unguard(world).await;
    let numbers = match world.backend {
        Backend::Sqlite => {
            format!("WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})")
        }
        Backend::Postgres => format!("WITH number AS (SELECT generate_series(1, {count}) AS n)"),
    };
    let last = world.query_i64("SELECT seq FROM audit_head").await;
    let reason = "x".repeat(2000);
    let columns = "seq, at, via, action, object, old_value, new_value, reason, request_id, hash";
    let insert = format!("INSERT INTO audit_entry ({columns})");
    let select = format!("SELECT {last} + n, 0, 'API', 'a', 'o', 'null', 'null', '{reason}', 'r', '00' FROM number");
    let statement = match world.backend {
        Backend::Sqlite => format!("{insert} {numbers} {select}"),
        Backend::Postgres => format!("{numbers} {insert} {select}"),
    };
    world.execute(&statement).await;
    world.execute(&format!("UPDATE audit_head SET seq = seq + {count}")).await;
}

/// The most memory that the server ever had, in kibibytes.
fn peak(world: &World) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

both! {
    async fn the_whole_chain_is_verified_by_another_program(world: World) {
        assert_eq!(exported(&world, &[]).await, Vec::<Value>::new());
        assert_eq!(text_checked_outside(""), Ok(json!({"entries": 0, "first": 0, "last": 0, "whole": true, "heads": 0})));
        let place = lived_in(&world).await;
        let n = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        let output = world.command(&["audit", "export"]).await;
        assert_eq!(text_checked_outside(&output.stdout), Ok(whole(n)), "{output:?}");

        // It says what the API says.
        let all = rows(&output.stdout);
        for (row, shown) in all.iter().zip(entries(&place.admin, json!({})).await) {
            let sop = &row["sop"];
            for (exported, shown) in [("seq", "seq"), ("at", "at"), ("via", "via"), ("action", "action"), ("object", "object"), ("team", "teamId"),
                ("old", "oldValue"), ("new", "newValue"), ("reason", "reason"), ("requestId", "requestId"), ("hash", "hash")]
                .map(|(row_name, name)| (&row[row_name], &shown[name])) {
                assert_eq!(exported, shown, "{row}");
            }
            assert_eq!(sop.is_null(), shown["sop"].is_null());
            assert!(row.get("onBehalfOf").is_none(), "left out when absent");
        }

        // A part of it, in pages that meet.
        assert_eq!(seqs(&exported(&world, &["--from", "3", "--to", "5"]).await), [3, 4, 5]);
        assert_eq!(seqs(&exported(&world, &["--from", &n.to_string()]).await), [n]);
        assert_eq!(seqs(&exported(&world, &["--to", &(n + 10).to_string()]).await), (1..=n).collect::<Vec<_>>());
        assert_eq!(exported(&world, &["--from", &(n + 1).to_string()]).await, Vec::<Value>::new());
        let part = world.command(&["audit", "export", "--from", "3"]).await.stdout;
        let expected = json!({"entries": n - 2, "first": 3, "last": n, "whole": false, "heads": 0});
        assert_eq!(text_checked_outside(&part), Ok(expected));

        // The command only looks.
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, n);
    }

    async fn what_was_changed_is_exported_and_found_by_others(world: World) {
        lived_in(&world).await;
        unguard(&world).await;
        let seq = world.query_i64("SELECT MIN(seq) FROM audit_entry WHERE reason IS NOT NULL AND old_value = 'null'").await;
        let found = async |sql: &str, undo: &str| {
            world.execute(sql).await;
            let output = world.command(&["audit", "export"]).await;
            assert!(output.status.success(), "evidence is exported all the same: {output:?}");
            let found = text_checked_outside(&output.stdout);
            world.execute(undo).await;
            found.expect_err(sql)
        };
        let was = |column: &str, text: &str| format!("UPDATE audit_entry SET {column} = '{}' WHERE seq = {seq}", text.replace('\'', "''"));
        let changed = format!("entry {seq} was changed");
        for column in ["via", "action", "object", "new_value", "reason", "request_id"] {
            let old = world.query_text(&format!("SELECT {column} FROM audit_entry WHERE seq = {seq}")).await;
            let new = if column == "new_value" { "{}" } else { "CLI" };
            assert!(found(&was(column, new), &was(column, &old)).await.contains(&changed), "{column}");
        }
        assert!(found(&was("old_value", "not JSON"), &was("old_value", "null")).await.contains(&changed));
        assert!(found(&was("old_value", ""), &was("old_value", "null")).await.contains(&changed));
        let hash = world.query_text(&format!("SELECT hash FROM audit_entry WHERE seq = {seq}")).await;
        assert!(found(&was("hash", &"0".repeat(64)), &was("hash", &hash)).await.contains(&changed));
        let move_away = format!("UPDATE audit_entry SET seq = 1000000 WHERE seq = {seq}");
        let gone = found(&move_away, &format!("UPDATE audit_entry SET seq = {seq} WHERE seq = 1000000")).await;
        assert!(gone.contains(&format!("entry {} does not follow", seq + 1)), "{gone}");
        assert!(text_checked_outside(&world.command(&["audit", "export"]).await.stdout).is_ok(), "all was put back");
    }

    async fn who_reads_the_audit_exports_it_and_that_is_recorded(world: World) {
        let place = lived_in(&world).await;
        let before = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        let raw = world.raw();
        let request = raw.http.get(raw.url("/audit/export")).bearer_auth(&place.admin.token).header("x-request-id", "export-1");
        let answer = respond(request).await;
        let headers = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert_eq!(headers("content-type"), "application/jsonl; charset=utf-8");
        assert_eq!(headers("content-disposition"), "attachment; filename=\"audit.jsonl\"");
        assert_eq!((headers("cache-control"), headers("x-request-id")), ("no-store".to_owned(), "export-1".to_owned()));
        let file = body(&answer);
        assert_eq!(text_checked_outside(&file), Ok(whole(before + 1)));
        // Its own entry is the last: so who has it knows that the file is complete.
        let own = rows(&file).pop().unwrap();
        let me = |who: &Client| { let who = who.clone(); async move { who.ok("{ me { person { id } } }", json!({})).await["me"]["person"]["id"].clone() } };
        assert_eq!((&own["action"], &own["requestId"], &own["actor"]), (&json!("audit.exported"), &json!("export-1"), &me(&place.admin).await));
        assert_eq!((&own["object"], &own["team"]), (&json!("audit"), &Value::Null));
        assert_eq!(own["new"], json!({"format": "jsonl", "from": null, "to": null, "teams": null}));
        assert_eq!(exported(&world, &[]).await, rows(&file), "as the command does");
        let line = world.server.log_entry(|line| line["request_id"] == "export-1" && line["path"] == "/audit/export").await;
        assert_eq!((&line["status"], &line["person"]), (&json!(200), &me(&place.admin).await));

        // A part, and no more of it than there was.
        let part = rows(&body(&get(&place.admin, &world, "?from=3&to=5&format=jsonl").await));
        assert_eq!(seqs(&part), [3, 4, 5]);
        let far = rows(&body(&get(&place.admin, &world, &format!("?from={before}&to=9223372036854775807")).await));
        assert_eq!(seqs(&far), [before, before + 1, before + 2, before + 3]);
        assert_eq!(far[3]["new"], json!({"format": "jsonl", "from": before, "to": 9_007_199_254_740_991_i64, "teams": null}));
    }

    async fn a_manager_exports_what_is_of_the_team(world: World) {
        let place = lived_in(&world).await;
        let team = place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let hr = text(&team["team"]["id"]);
        process(&world.client(&["author@hr"], "hanna"), &json!(hr), "hire").await;
        let all = exported(&world, &[]).await;
        let of = |team: &str| seqs(&all.iter().filter(|row| row["team"] == json!(team)).cloned().collect::<Vec<_>>());
        let file = body(&get(&place.manager, &world, "").await);
        let mut found = rows(&file);
        let own = found.pop().unwrap();
        assert_eq!((&own["action"], &own["team"]), (&json!("audit.exported"), &json!(place.team)));
        assert_eq!(own["new"]["teams"], json!([place.team]));
        assert_eq!(seqs(&found), of(&place.team));
        assert!(found.len() > 10 && found.iter().all(|row| row["team"] == json!(place.team)));
        // With gaps, and verified all the same: each entry by itself.
        let checked = text_checked_outside(&file).unwrap();
        assert_eq!((&checked["whole"], &checked["entries"]), (&json!(false), &json!(found.len() + 1)));
        let hugo = world.client(&["manager@hr"], "hugo");
        let other = rows(&body(&get(&hugo, &world, "").await));
        assert!(other.iter().all(|row| row["team"] == json!(hr)), "{other:?}");
        let both = world.client(&["manager@hr", "manager@ops"], "both");
        let of_both = rows(&body(&get(&both, &world, "").await));
        assert_eq!(of_both.len(), of(&place.team).len() + of(&hr).len() + 2, "with the exports of the managers of one");
        let boss = world.client(&["manager"], "boss");
        assert!(text_checked_outside(&body(&get(&boss, &world, "").await)).unwrap()["whole"] == true);
        let part = rows(&body(&get(&place.manager, &world, "?to=8").await));
        assert_eq!(seqs(&part), of(&place.team).into_iter().filter(|seq| *seq <= 8).collect::<Vec<_>>());
    }

    async fn an_integration_exports_by_an_api_token_that_reads_the_audit(world: World) {
        let place = lived_in(&world).await;
        let made = place.admin.mutate(CREATE_TOKEN, json!({"input": token_terms("siem", &["AUDIT_READ"])})).await;
        let siem = place.admin.clone().bearing(&text(&made["secret"]));
        let file = body(&get(&siem, &world, "").await);
        let own = rows(&file).pop().unwrap();
        assert_eq!((&own["action"], &own["actor"]), (&json!("audit.exported"), &made["apiToken"]["person"]["id"]));
        assert_eq!(text_checked_outside(&file).unwrap()["whole"], true);
        let made = place.admin.mutate(CREATE_TOKEN, json!({"input": token_terms("tracker", &["EXECUTIONS_RECORD"])})).await;
        let tracker = place.admin.clone().bearing(&text(&made["secret"]));
        assert_eq!(get(&tracker, &world, "").await.status, 403);
    }

    async fn nobody_else_exports_anything(world: World) {
        let place = place(&world).await;
        for role in ["viewer", "author@ops", "author", "reviewer", "approver@ops", "integration"] {
            let who = world.client(&[role], "someone");
            who.ok("{ me { source } }", json!({})).await;
            let before = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
            let answer = get(&who, &world, "").await;
            let error = &answer.body["errors"][0];
            assert_eq!((answer.status.as_u16(), &error["extensions"]["code"]), (403, &json!("FORBIDDEN")), "{role}: {answer:?}");
            assert_eq!(error["extensions"]["requestId"], answer.headers["x-request-id"].to_str().unwrap());
            assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, before, "{role}");
        }
        let raw = world.raw();
        for request in [raw.http.get(raw.url("/audit/export")), raw.http.get(raw.url("/audit/export")).bearer_auth("not.a.token")] {
            let answer = respond(request).await;
            assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
        let answer = respond(raw.http.post(raw.url("/audit/export")).bearer_auth(&place.admin.token)).await;
        assert_eq!((answer.status.as_u16(), answer.headers["allow"].to_str().unwrap()), (405, "GET"));
        let before = world.query_i64("SELECT COUNT(*) FROM audit_entry").await;
        for query in ["?format=xml", "?format=", "?from=0", "?from=-1", "?to=x", "?from=9&to=8", "?form=csv", "?from=1&from=2", "?to=9223372036854775808",
            "?from=", "?%FF=1", "?team=ops"] {
            let answer = get(&place.admin, &world, query).await;
            let error = &answer.body["errors"][0];
            assert_eq!((answer.status.as_u16(), &error["extensions"]["code"]), (400, &json!("BAD_USER_INPUT")), "{query}: {answer:?}");
        }
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM audit_entry").await, before, "what is refused leaves nothing");
    }

    async fn a_spreadsheet_shows_text_and_no_formula(world: World) {
        let place = lived_in(&world).await;
        let raw = world.raw();
        let request = raw.http.get(raw.url("/audit/export?format=csv")).bearer_auth(&place.admin.token).header("x-request-id", "=1+1");
        let answer = respond(request).await;
        assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"audit.csv\"");
        let file = body(&answer);
        let records: Vec<csv::StringRecord> = csv::Reader::from_reader(file.as_bytes()).into_records().map(Result::unwrap).collect();
        let header = "seq,at,actor,onBehalfOf,via,action,object,sop,team,old,new,reason,requestId,previousHash,hash\r\n";
        assert!(file.starts_with(header) && file.ends_with("\r\n"), "{file}");
        let all = exported(&world, &[]).await;
        assert_eq!(records.len(), all.len());
        for (record, row) in records.iter().zip(&all) {
            for (place, name) in header.trim_end().split(',').enumerate() {
                let cell = &record[place];
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell}");
                let shown = match &row[name] {
                    Value::Null if name != "old" && name != "new" => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                if name != "reason" && name != "requestId" {
                    assert_eq!(cell, shown, "{name}");
                }
            }
        }
        let last = records.last().unwrap();
        assert_eq!((&last[5], &last[12]), ("audit.exported", "'=1+1"));
        let comment = records.iter().find(|record| record[11].contains("HYPERLINK")).unwrap();
        assert_eq!(&comment[11], "'=HYPERLINK(\"http://x\",\"é 😀\")\n;'=2, \u{7f}\u{2028}");
        let output = world.command(&["audit", "export", "--format", "csv"]).await;
        assert_eq!(output.stdout, file, "as the command does");
        let none = world.command(&["audit", "export", "--format", "csv", "--from", "100000"]).await;
        assert_eq!(none.stdout, header);
    }

    async fn files_are_new_and_for_nobody_else(world: World) {
        use std::os::unix::fs::PermissionsExt as _;
        lived_in(&world).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chain.jsonl");
        let output = world.command(&["audit", "export", "--output", file.to_str().unwrap()]).await;
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        let printed = world.command(&["audit", "export"]).await.stdout;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), printed);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "precious").unwrap();
        for (arguments, named) in [
            (vec!["--output", file.to_str().unwrap()], "chain.jsonl"),
            (vec!["--output", "/nowhere/chain.jsonl"], "/nowhere/chain.jsonl"),
            (vec!["--from", "5", "--to", "4"], "--to"),
            (vec!["--from", "0"], "--from"),
            (vec!["--format", "xml"], "xml"),
        ] {
            let output = world.command(&[&["audit", "export"], &arguments[..]].concat()).await;
            assert!(!output.status.success() && output.stderr.contains(named) && output.stdout.is_empty(), "{output:?}");
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    }

    async fn a_long_chain_takes_no_more_memory_and_a_reader_who_stops_holds_nothing(world: World) {
        let mut world = world;
        // Few connections: each keeps pages of the database in memory, whatever is done with it.
        world.restart_with(&[("SOPWITH_REQUEST_TIMEOUT_SECONDS", "2"), ("SOPWITH_DATABASE_MAX_CONNECTIONS", "2")]).await;
        let admin = world.client(&["admin"], "root");
        admin.ok("{ audit { totalCount } }", json!({})).await;
        get(&admin, &world, "").await;
        let count = 60_000;
        fill(&world, count).await;
        let raw = world.raw();
        let request = || raw.http.get(raw.url("/audit/export")).bearer_auth(&admin.token);
        let before = peak(&world);
        let mut answer = request().send().await.unwrap();
        let (mut bytes, mut lines) = (0, 0);
        while let Some(chunk) = answer.chunk().await.unwrap() {
            bytes += chunk.len();
            lines += chunk.split(|byte| *byte == b'\n').count() - 1;
        }
        assert!(bytes > 120_000_000 && lines > 60_000, "{bytes} bytes in {lines} lines");
        let grown = peak(&world) - before;
        assert!(grown < 60_000, "{grown} KiB for an export of {bytes} bytes");

        // Who stops reading does not get what looks like a whole file later on.
        let mut answer = request().header("x-request-id", "slow").send().await.unwrap();
        answer.chunk().await.unwrap().unwrap();
        world.server.log_entry(|line| line["request_id"] == "slow" && line["reason"] == "the reader took too long").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let end = loop {
            match answer.chunk().await {
                Ok(Some(_)) => {}
                end => break end,
            }
        };
        assert!(end.is_err(), "cut short, and it shows");
    }
}
