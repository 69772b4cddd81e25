//! API tokens: what they may, what is kept of them, and when they are refused.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::bad_input::dump::Dump;
use crate::executions::somebody_waits;
use crate::story::{
    CREATE_GRANT, CREATE_PROCESS, CREATE_SOP, CREATE_TEAM, CREATE_TOKEN, HAND_OVER, RECORD, REVOKE_TOKEN, content,
    draft, from_now, person, place, text, token_terms,
};
use crate::support::{Backend, Client, Response, World, both, connect};

const ME: &str =
    "{ me { person { id name email } source roles { role source permissions expiresAt team { key } } grants { id } } }";
const TOKENS: &str =
    "query($filter: ApiTokensFilter) { apiTokens(filter: $filter) { totalCount nodes { id name state } } }";

/// A token that was made: what is told of it, and who bears it.
struct Token {
    told: Value,
    secret: String,
    client: Client,
}

async fn make(by: &Client, terms: Value) -> Token {
    let mut made = by.mutate(CREATE_TOKEN, json!({"input": terms})).await;
    let secret = text(&made["secret"]);
    Token { told: made["apiToken"].take(), client: by.clone().bearing(&secret), secret }
}

async fn revoke(by: &Client, token: &Token) -> Value {
    by.mutate(REVOKE_TOKEN, json!({"input": {"id": token.told["id"]}})).await["apiToken"].take()
}

/// A token that is well formed and nobody's: the checksum is no secret.
fn of_nobody() -> String {
    let random = "0".repeat(64);
    let digest = Sha256::digest(format!("sopwith_{random}").as_bytes());
    let checksum = digest.iter().take(4).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("sopwith_{random}{checksum}")
}

fn batch(source: &str, process: &str, n: usize) -> Value {
    let item = json!({"eventId": format!("e{n}"), "runId": format!("r{n}"), "process": process});
    json!({"input": {"source": source, "mode": "LIVE", "executions": [item]}})
}

fn assert_unauthenticated(answer: &Response) -> String {
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer:?}");
    text(&answer.body["errors"][0]["message"])
}

/// When a token was used last, as its admin sees it.
async fn last_used(admin: &Client, token: &Token) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on ApiToken { lastUsedAt } } }";
    admin.ok(query, json!({"id": token.told["id"]})).await["node"]["lastUsedAt"].clone()
}

fn instant(at: &Value) -> chrono::DateTime<chrono::FixedOffset> {
    chrono::DateTime::parse_from_rfc3339(&text(at)).expect("a time")
}

async fn last_used_soon(admin: &Client, token: &Token, other_than: &Value) -> Value {
    let start = Instant::now();
    loop {
        let at = last_used(admin, token).await;
        if &at != other_than {
            return at;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "the last use is not noted: {at}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

both! {
    async fn report_for_their_source_and_are_named_in_the_audit_chain(world: World) {
        let place = place(&world).await;
        let token = make(&place.admin, token_terms("tracker", &["EXECUTIONS_RECORD", "PROCESS_WRITE"])).await;
        assert_eq!((&token.told["state"], &token.told["createdBy"]["name"]), (&json!("ACTIVE"), &json!("root")));
        let digits = token.secret.strip_prefix("sopwith_").expect("a prefix");
        assert!(digits.len() == 72 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{digits}");
        let me = token.client.ok(ME, json!({})).await["me"].clone();
        assert_eq!(me["person"], json!({"id": token.told["person"]["id"], "name": "tracker (api)", "email": null}));
        assert_eq!(me["source"], "tracker");
        assert_eq!(me["roles"], json!([{"role": "api-token", "source": "TOKEN", "team": null,
            "permissions": ["PROCESS_WRITE", "EXECUTIONS_RECORD"], "expiresAt": token.told["expiresAt"]}]));
        assert_eq!(me["grants"], json!([]));
        let answer = token.client.mutate(RECORD, batch("tracker", "password-reset", 1)).await;
        assert_eq!(answer["results"][0]["status"], "CREATED");
        for other in ["pager", "Tracker", "tracker ", ""] {
            assert_eq!(token.client.refused(RECORD, batch(other, "password-reset", 2)).await.code, "FORBIDDEN", "{other:?}");
        }
        // With PROCESS_WRITE it may name what is new, and the chain says that it did.
        token.client.mutate(RECORD, batch("tracker", "brand-new", 3)).await;
        let query = "{ audit(last: 1) { nodes { action actor { id name } newValue } } }";
        let entry = place.admin.ok(query, json!({})).await["audit"]["nodes"][0].clone();
        assert_eq!((&entry["action"], &entry["actor"]), (&json!("process.created"), &token.told["person"]));
        let without = make(&place.admin, token_terms("tracker", &["EXECUTIONS_RECORD"])).await;
        let rejected = without.client.mutate(RECORD, batch("tracker", "newer-still", 4)).await;
        assert_eq!(rejected["results"][0]["rejection"]["code"], "UNKNOWN_PROCESS");
        // Two tokens of one source continue each other's runs.
        assert_eq!(without.client.mutate(RECORD, batch("tracker", "password-reset", 1)).await["results"][0]["status"], "DUPLICATE");
    }

    async fn leave_nothing_of_their_secret_behind(world: World) {
        let place = place(&world).await;
        let token = make(&place.admin, token_terms("tracker", &["EXECUTIONS_RECORD"])).await;
        token.client.ok(ME, json!({})).await;
        last_used_soon(&place.admin, &token, &Value::Null).await;
        draft(&place, &place.author, &place.process, "Reset a password").await;
        let everything = format!("{:?}", Dump::take(&world).await);
        let digest = Sha256::digest(token.secret.as_bytes());
        let digest = digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(everything.matches(&digest).count(), 1, "its SHA-256 is stored, and nothing else");
        let random = &token.secret["sopwith_".len()..];
        assert!(!everything.contains(random) && !everything.contains(&random[..64]));
        assert!(!everything.contains(&random[..16]) && !everything.contains("sopwith_"));
        let logged = format!("{:?}{}", world.server.logs(), world.server.stdout());
        assert!(!logged.contains(&random[..16]) && !logged.contains(&digest));
        let shown = "{ apiTokens { nodes { id name source scopes } } audit(first: 100) { nodes { oldValue newValue object } } }";
        let shown = place.admin.ok(shown, json!({})).await.to_string();
        assert!(!shown.contains(&digest[..16]) && !shown.contains(&random[..16]));
    }

    async fn are_refused_when_they_are_not_good(world: World) {
        let place = place(&world).await;
        let good = make(&place.admin, token_terms("tracker", &["FIGURES_READ"])).await;
        let last = good.secret.chars().last().unwrap();
        let typo = format!("{}{}", &good.secret[..79], if last == '0' { '1' } else { '0' });
        for wrong in [typo.as_str(), &good.secret[..79], "sopwith_", &good.secret.replace('a', "A").replace('1', "l"),
            &format!("{}0", good.secret)] {
            let message = assert_unauthenticated(&good.client.clone().bearing(wrong).send(ME, json!({})).await);
            assert!(message.contains("malformed"), "{wrong}: {message}");
            assert!(!message.contains(&wrong[8..]) || wrong.len() == 8, "{message}");
        }
        let unknown = good.client.clone().bearing(&of_nobody());
        let told = assert_unauthenticated(&unknown.send(ME, json!({})).await);

        let mut short = token_terms("tracker", &["FIGURES_READ"]);
        short["expiresAt"] = json!(from_now(8));
        let short = make(&place.admin, short).await;
        short.client.ok(ME, json!({})).await;
        tokio::time::sleep(Duration::from_millis(8_100)).await;
        assert_eq!(assert_unauthenticated(&short.client.send(ME, json!({})).await), told, "no more is told");
        good.client.ok(ME, json!({})).await;
        let gone = revoke(&place.admin, &good).await;
        assert_eq!((&gone["state"], &gone["revokedBy"]["name"]), (&json!("REVOKED"), &json!("root")));
        assert_eq!(assert_unauthenticated(&good.client.send(ME, json!({})).await), told);
        assert_eq!(place.admin.refused(REVOKE_TOKEN, json!({"input": {"id": good.told["id"]}})).await.code, "CONFLICT");
        let query = "{ audit(last: 1) { nodes { action object oldValue newValue } } }";
        assert_eq!(place.admin.ok(query, json!({})).await["audit"]["nodes"][0], json!({"action": "api_token.revoked",
            "object": good.told["id"], "oldValue": {"state": "ACTIVE"}, "newValue": {"state": "REVOKED"}}));
        for (state, expected) in [("ACTIVE", vec![]), ("EXPIRED", vec![&short]), ("REVOKED", vec![&good])] {
            let found = place.admin.ok(TOKENS, json!({"filter": {"state": state}})).await["apiTokens"].clone();
            assert_eq!(found["totalCount"], expected.len(), "{state}");
            let ids: Vec<&Value> = found["nodes"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
            assert_eq!(ids, expected.iter().map(|t| &t.told["id"]).collect::<Vec<_>>(), "{state}");
        }
        // A token that expired can still be revoked, so that it is never good again whatever the clock says.
        assert_eq!(revoke(&place.admin, &short).await["state"], "REVOKED");
    }

    async fn come_with_their_secret_once(world: World) {
        let place = place(&world).await;
        let mut terms = token_terms("tracker", &["FIGURES_READ"]);
        terms["idempotencyKey"] = json!("once");
        let mut all = JoinSet::new();
        for _ in 0..6 {
            let (admin, input) = (place.admin.clone(), json!({"input": terms}));
            all.spawn(async move { admin.mutate(CREATE_TOKEN, input).await });
        }
        let answers = all.join_all().await;
        let secrets: Vec<String> = answers.iter().filter(|a| !a["secret"].is_null()).map(|a| text(&a["secret"])).collect();
        assert_eq!(secrets.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|a| a["apiToken"]["id"] == answers[0]["apiToken"]["id"]));
        place.admin.clone().bearing(&secrets[0]).ok(ME, json!({})).await;
        assert_eq!(world.query_i64("SELECT COUNT(*) FROM api_token").await, 1);
    }

    async fn hold_no_role_own_nothing_and_decide_nothing(world: World) {
        let place = place(&world).await;
        let all = ["EXECUTIONS_RECORD", "PROCESS_WRITE", "FIGURES_READ", "AUDIT_READ", "DRAFT_READ"];
        let token = make(&place.admin, token_terms("tracker", &all)).await;
        let id = &token.told["person"]["id"];
        for role in ["viewer", "approver", "admin"] {
            let input = json!({"input": {"personId": id, "role": role, "teamId": place.team}});
            let refusal = place.admin.refused(CREATE_GRANT, input).await;
            assert_eq!((refusal.code.as_str(), refusal.path), ("INVALID", vec!["personId".to_owned()]));
        }
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let owned = json!({"input": {"id": made.sop, "expectedRevision": 1, "ownerId": id}});
        assert_eq!(place.author.refused(HAND_OVER, owned).await.path, ["ownerId"]);
        let process = json!({"input": {"key": "p", "name": "P", "teamId": place.team, "ownerId": id}});
        assert_eq!(place.author.refused(CREATE_PROCESS, process).await.path, ["ownerId"]);
        let process = crate::story::process(&place.author, &json!(place.team), "other").await;
        let sop = json!({"input": {"processId": process, "teamId": place.team, "ownerId": id, "risk": "LOW", "content": content("Other")}});
        assert_eq!(place.author.refused(CREATE_SOP, sop).await.path, ["ownerId"]);
        // Not even where a stage names what its scopes are called.
        let stages = r#"[{"name":"Any","role":"api-token","minApprovals":1,"scope":"ANYONE","meaning":"REVIEWED"}]"#;
        world.execute(&format!("UPDATE policy SET stages = '{stages}'")).await;
        world.client(&["api-token"], "impostor").ok(ME, json!({})).await;
        let request = crate::story::submit(&place.author, &made).await;
        let refusal = crate::story::decide_refused(&token.client, &request, &made.hash, "APPROVE").await;
        assert_eq!(refusal.code, "FORBIDDEN");
        // What it may is explained by its scopes, as long as it is good.
        let query = "query($id: ID!) { explainAccess(personId: $id, action: RECORD_EXECUTIONS, on: {organisation: true}) {
            allowed reasons { source role expiresAt } } }";
        let told = place.admin.ok(query, json!({"id": id})).await["explainAccess"].clone();
        assert_eq!(told, json!({"allowed": true, "reasons": [{"source": "TOKEN", "role": "api-token",
            "expiresAt": token.told["expiresAt"]}]}));
        revoke(&place.admin, &token).await;
        assert_eq!(place.admin.ok(query, json!({"id": id})).await["explainAccess"]["allowed"], false);
    }

    async fn for_a_team_reach_no_further_and_are_its_admins(world: World) {
        let place = place(&world).await;
        let dev = json!({"input": {"key": "dev", "name": "Development"}});
        let dev = text(&place.admin.mutate(CREATE_TEAM, dev).await["team"]["id"]);
        let half = world.client(&["admin@ops"], "half");
        person(&half).await;
        let of = |team: Option<&str>| {
            let mut terms = token_terms("reports", &["FIGURES_READ", "DRAFT_READ"]);
            terms["teamId"] = json!(team);
            terms
        };
        let ops = make(&half, of(Some(&place.team))).await;
        for beyond in [of(None), of(Some(&dev))] {
            assert_eq!(half.refused(CREATE_TOKEN, json!({"input": beyond})).await.code, "FORBIDDEN");
        }
        let (wide, other) = (make(&place.admin, of(None)).await, make(&place.admin, of(Some(&dev))).await);
        let made = draft(&place, &place.author, &place.process, "Reset a password").await;
        let query = "query($id: ID!) { sop(by: {id: $id}) { code } }";
        for (token, seen) in [(&ops, true), (&wide, true), (&other, false)] {
            assert_eq!(token.client.ok(query, json!({"id": made.sop})).await["sop"].is_object(), seen);
        }
        let ids = |found: &Value| -> Vec<Value> {
            found["apiTokens"]["nodes"].as_array().unwrap().iter().map(|t| t["id"].clone()).collect()
        };
        assert_eq!(ids(&half.ok(TOKENS, json!({})).await), [ops.told["id"].clone()]);
        assert_eq!(half.ok(TOKENS, json!({})).await["apiTokens"]["totalCount"], 1);
        assert_eq!(ids(&place.admin.ok(TOKENS, json!({})).await), [&ops, &wide, &other].map(|t| t.told["id"].clone()));
        let node = "query($id: ID!) { node(id: $id) { __typename id } }";
        for (token, mine) in [(&ops, true), (&wide, false), (&other, false)] {
            assert_eq!(half.ok(node, json!({"id": token.told["id"]})).await["node"].is_object(), mine);
            assert_eq!(place.admin.ok(node, json!({"id": token.told["id"]})).await["node"]["__typename"], "ApiToken");
            assert_eq!(place.manager.ok(node, json!({"id": token.told["id"]})).await["node"], Value::Null);
            if !mine {
                let refusal = half.refused(REVOKE_TOKEN, json!({"input": {"id": token.told["id"]}})).await;
                assert_eq!(refusal.code, "NOT_FOUND", "beyond reach it does not exist");
            }
        }
        revoke(&half, &ops).await;
        assert_eq!(place.admin.ok(TOKENS, json!({"filter": {"source": "reports", "state": "ACTIVE"}})).await["apiTokens"]["totalCount"], 2);
        assert_eq!(place.admin.ok(TOKENS, json!({"filter": {"source": "Reports"}})).await["apiTokens"]["totalCount"], 0);
    }

    async fn tell_when_they_were_used_last_to_the_minute(world: World) {
        let mut world = world;
        let place = place(&world).await;
        let (token, idle) = (make(&place.admin, token_terms("tracker", &["EXECUTIONS_RECORD"])).await,
            make(&place.admin, token_terms("idle", &["FIGURES_READ"])).await);
        assert_eq!(last_used(&place.admin, &token).await, Value::Null);
        let mut all = JoinSet::new();
        for n in 0..40 {
            let client = token.client.clone();
            all.spawn(async move { client.mutate(RECORD, batch("tracker", "password-reset", n)).await });
        }
        all.join_all().await;
        let first = last_used_soon(&place.admin, &token, &Value::Null).await;
        token.client.ok(ME, json!({})).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(last_used(&place.admin, &token).await, first, "one write a minute");
        // A minute later, and by another process.
        world.execute("UPDATE api_token SET last_used_at = last_used_at - 60000000").await;
        let before = last_used(&place.admin, &token).await;
        world.restart().await;
        token.client.ok(ME, json!({})).await;
        let second = last_used_soon(&place.admin, &token, &before).await;
        assert!(instant(&second) > instant(&first), "{first} {second}");
        assert_eq!(last_used(&place.admin, &idle).await, Value::Null);
        // What is refused is no use.
        revoke(&place.admin, &idle).await;
        assert_unauthenticated(&idle.client.send(ME, json!({})).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(last_used(&place.admin, &idle).await, Value::Null);
    }

    async fn are_kept_right_by_the_database_too(world: World) {
        let place = place(&world).await;
        let token = make(&place.admin, token_terms("tracker", &["FIGURES_READ"])).await;
        revoke(&place.admin, &token).await;
        for statement in [
            "DELETE FROM api_token",
            "UPDATE api_token SET scopes = 'ACCESS_MANAGE'",
            "UPDATE api_token SET source = 'another'",
            "UPDATE api_token SET expires_at = expires_at + 1",
            "UPDATE api_token SET digest = lower(digest)",
            "UPDATE api_token SET revoked_at = NULL, revoked_by_id = NULL",
            "UPDATE api_token SET revoked_at = revoked_at + 1",
        ] {
            assert!(world.try_execute(statement).await.is_err(), "{statement}");
        }
        world.execute("UPDATE api_token SET last_used_at = created_at").await;
    }

    async fn asked_for_at_the_same_time_are_each_judged_for_itself(world: World) {
        let place = place(&world).await;
        let terms = |name: &str| token_terms(name, &["FIGURES_READ"]);
        let (good, other) = (make(&place.admin, terms("good")).await, make(&place.admin, terms("other")).await);
        let gone = make(&place.admin, terms("gone")).await;
        revoke(&place.admin, &gone).await;
        let unknown = good.client.clone().bearing(&of_nobody());
        let mut asking = JoinSet::new();
        for n in 0..80 {
            let (who, name) = match n % 4 {
                0 => (&good.client, Some("good")),
                1 => (&other.client, Some("other")),
                2 => (&gone.client, None),
                _ => (&unknown, None),
            };
            let who = who.clone();
            asking.spawn(async move { (who.send(ME, json!({})).await, name) });
        }
        for (answer, name) in asking.join_all().await {
            match name {
                Some(name) => assert_eq!(answer.body["data"]["me"]["source"], name, "{answer:?}"),
                None => drop(assert_unauthenticated(&answer)),
            }
        }
    }

    async fn are_looked_up_beside_one_whose_look_up_hangs(world: World) {
        // Nothing keeps a reader of SQLite waiting.
        if world.backend == Backend::Sqlite {
            return;
        }
        let place = place(&world).await;
        let of = async |name: &str| make(&place.admin, token_terms(name, &["FIGURES_READ"])).await;
        let (slow, good, gone) = (of("slow").await, of("good").await, of("gone").await);
        revoke(&place.admin, &gone).await;
        // Whoever reads the row of the slow one waits for a lock; the cost has it asked last, of rows that are asked for.
        world.execute("CREATE FUNCTION let_go(text) RETURNS boolean LANGUAGE plpgsql COST 1000000 AS
            $$ BEGIN IF $1 = 'slow' THEN PERFORM pg_advisory_xact_lock_shared(77); END IF; RETURN true; END $$").await;
        let blocker = connect(world.db.url()).await.unwrap();
        let held = blocker.begin().await.unwrap();
        held.execute_unprepared("SELECT pg_advisory_xact_lock(77)").await.unwrap();
        world.execute("ALTER TABLE api_token RENAME TO api_token_kept").await;
        world.execute("CREATE VIEW api_token AS SELECT * FROM api_token_kept WHERE let_go(source)").await;

        let hanging = { let who = slow.client.clone(); tokio::spawn(async move { who.send(ME, json!({})).await }) };
        somebody_waits(&world).await;
        let mut asking = JoinSet::new();
        for n in 0..24 {
            let (who, is_good) = if n % 2 == 0 { (good.client.clone(), true) } else { (gone.client.clone(), false) };
            asking.spawn(async move { (who.send(ME, json!({})).await, is_good) });
        }
        for (answer, is_good) in asking.join_all().await {
            if is_good {
                assert_eq!(answer.body["data"]["me"]["source"], "good", "{answer:?}");
            } else {
                assert_unauthenticated(&answer);
            }
        }
        assert!(!hanging.is_finished(), "the others passed it");
        held.rollback().await.unwrap();
        let answer = hanging.await.unwrap();
        assert_eq!(answer.body["data"]["me"]["source"], "slow", "{answer:?}");
    }

    async fn are_told_to_come_again_while_they_cannot_be_looked_up(world: World) {
        // Nothing keeps a reader of SQLite waiting.
        if world.backend == Backend::Sqlite {
            return;
        }
        let place = place(&world).await;
        let token = make(&place.admin, token_terms("tracker", &["FIGURES_READ"])).await;
        let blocker = connect(world.db.url()).await.unwrap();
        let held = blocker.begin().await.unwrap();
        held.execute_unprepared("LOCK TABLE api_token IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let mut asking = JoinSet::new();
        for _ in 0..12 {
            let who = token.client.clone();
            asking.spawn(async move { who.send(ME, json!({})).await });
        }
        assert_eq!(place.admin.ok(ME, json!({})).await["me"]["person"]["name"], "root", "others are not held up");
        for answer in asking.join_all().await {
            assert_eq!(answer.status, 503, "{answer:?}");
        }
        held.rollback().await.unwrap();
        token.client.ok(ME, json!({})).await;
    }
}
