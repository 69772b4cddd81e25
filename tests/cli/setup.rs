//! Commands that run to their end, and configuration that cannot be used.

use serde_json::{Value, json};

use super::{run, stderr, stdout};
use crate::support::{World, both, respond, token};

const SECRET: (&str, &str) = ("SOPWITH_AUTH__HS256_SECRET", token::SECRET);
const ISSUER: (&str, &str) = ("SOPWITH_AUTH__ISSUER", token::ISSUER);
const AUDIENCE: (&str, &str) = ("SOPWITH_AUTH__AUDIENCE", token::AUDIENCE);

both! {
    async fn migrations_are_applied_once(world: World) {
        for _ in 0..2 {
            let output = world.command(&["migrate"]).await;
            assert!(output.status.success(), "{output:?}");
            assert_eq!(output.stdout, "the database is up to date\n");
        }
        let applied = world.query_i64("SELECT COUNT(*) FROM seaql_migrations").await;
        assert!(applied >= 7, "{applied}");
    }

    async fn a_token_that_the_command_prints_is_taken(world: World) {
        let arguments = ["token", "--subject", "tina", "--name", "Tina Token", "--email", "tina@example.org", "--role", "viewer",
            "--role", "integration", "--source", "tickets", "--valid-for", "5m"];
        let output = world.command(&arguments).await;
        assert!(output.status.success(), "{output:?}");
        let raw = world.raw();
        let query = "{ me { person { name } source roles { role team { key } } } }";
        let request = raw.http.post(raw.url("/graphql")).header("accept", "application/json").bearer_auth(output.stdout.trim());
        let answer = respond(request.json(&json!({"query": query}))).await;
        let me = &answer.body["data"]["me"];
        assert_eq!((&me["person"]["name"], &me["source"]), (&json!("Tina Token"), &json!("tickets")), "{answer:?}");
        let roles: Vec<&Value> = me["roles"].as_array().unwrap().iter().map(|role| &role["role"]).collect();
        assert_eq!(roles.len(), 2, "{roles:?}");
    }
}

#[test]
fn a_new_database_is_migrated_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), &["migrate"], &[]);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).ends_with("migrations applied\n"), "{}", stdout(&first));
    assert!(folder.path().join("sopwith.db").is_file(), "the default is a file here");
    assert_eq!(stdout(&run(folder.path(), &["migrate"], &[])), "the database is up to date\n");
    let verified = run(folder.path(), &["audit", "verify", "--json"], &[]);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&verified)).unwrap(), json!({"ok": true, "entries": 0}));
}

#[test]
fn the_schema_is_printed_without_any_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["schema"], &[("SOPWITH_DATABASE_URL", "nonsense")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let schema = stdout(&output);
    for part in ["type Query {", "type Mutation {", "executionsRecord(", "scalar DateTime", "enum RejectionCode"] {
        assert!(schema.contains(part), "{part}");
    }
    let contract = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema.graphql");
    let contract = std::fs::read_to_string(contract).expect("schema.graphql is in the repository");
    assert!(schema == contract, "schema.graphql is not what the code says: cargo run -- schema > schema.graphql");
}

/// Starting must fail with exit code 2, naming what is wrong on one line, and print nothing else.
fn refused(folder: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)], named: &[&str]) {
    let output = run(folder, arguments, variables);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{variables:?}: {said}");
    assert!(named.iter().all(|name| said.contains(name)), "{variables:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn settings_that_nobody_knows_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for name in ["SOPWITH_DATABSE_URL", "SOPWITH_AUTH__ISUER", "SOPWITH_AUTH__CLAIMS__ROLE", "SOPWITH_"] {
        refused(path, &["migrate"], &[(name, "x")], &[name]);
    }
    for (text, named) in [
        ("databse_url = 'x'", "databse_url"),
        ("[auth]\nisuer = 'x'", "isuer"),
        ("listen = 7", "listen"),
        ("= 1", "line 1"),
    ] {
        std::fs::write(path.join("own.toml"), text).unwrap();
        refused(path, &["migrate", "--config", "own.toml"], &[], &["own.toml", named]);
        refused(path, &["migrate"], &[("SOPWITH_CONFIG", "own.toml")], &["own.toml", named]);
    }
    std::fs::write(path.join("sopwith.toml"), "scheduler_interval_seconds = 0").unwrap();
    refused(path, &["migrate"], &[], &["scheduler_interval_seconds"]);
    refused(path, &["migrate", "--config", "nowhere.toml"], &[], &["nowhere.toml"]);
    assert!(!path.join("sopwith.db").exists(), "nothing was begun");
    // The variable wins over the file.
    assert!(run(path, &["migrate"], &[("SOPWITH_SCHEDULER_INTERVAL_SECONDS", "1")]).status.success());
}

#[test]
fn a_server_that_could_be_fooled_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let port = ("SOPWITH_LISTEN", "127.0.0.1:0");
    let short = "31 bytes are not enough: secret";
    assert_eq!(short.len(), 31);
    let serve = |variables: &[(&str, &str)], named: &[&str]| {
        let all: Vec<_> = variables.iter().copied().chain([port]).collect();
        let before = std::time::Instant::now();
        refused(folder.path(), &["serve"], &all, named);
        assert!(before.elapsed().as_secs() < 30);
    };
    serve(&[("SOPWITH_AUTH__HS256_SECRET", short), ISSUER, AUDIENCE], &["hs256_secret", "32"]);
    serve(&[ISSUER, AUDIENCE], &["hs256_secret"]);
    serve(&[SECRET, AUDIENCE], &["issuer"]);
    serve(&[SECRET, ISSUER], &["audience"]);
    serve(&[("SOPWITH_AUTH__JWKS_FILE", "nowhere.json"), ISSUER, AUDIENCE], &["nowhere.json"]);
    let jwks = |url| ("SOPWITH_AUTH__JWKS_URL", url);
    for url in
        ["http://login.example/jwks", "http://0.0.0.0/jwks", "ftp://login.example/jwks", "login.example/jwks", ""]
    {
        serve(&[jwks(url), ISSUER, AUDIENCE], &["jwks_url"]);
    }
    serve(&[jwks("https://user:hunter2@login.example/jwks"), ISSUER, AUDIENCE], &["jwks_url", "password"]);
    let two = ("SOPWITH_AUTH__JWKS_FILE", "nowhere.json");
    serve(&[jwks("https://login.example/jwks"), two, ISSUER, AUDIENCE], &["jwks_file and jwks_url"]);
    serve(&[jwks("https://login.example/jwks"), AUDIENCE], &["issuer"]);
    serve(&[("SOPWITH_AUTH__JWKS_COOLDOWN_SECONDS", "0"), SECRET, ISSUER, AUDIENCE], &["jwks_cooldown_seconds"]);
    refused(
        folder.path(),
        &["token", "--subject", "x"],
        &[("SOPWITH_AUTH__HS256_SECRET", short), ISSUER, AUDIENCE],
        &["hs256_secret"],
    );
    let said = stderr(&run(folder.path(), &["serve"], &[("SOPWITH_AUTH__HS256_SECRET", short), ISSUER, AUDIENCE]));
    assert!(!said.contains(short), "a secret is not repeated: {said}");
    assert!(!folder.path().join("sopwith.db").exists(), "what is refused leaves the database alone");
}

#[test]
fn a_server_that_could_not_sign_does_not_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let keygen = |private, public| run(path, &["audit", "keygen", "--private", private, "--public", public], &[]);
    let made = keygen("private.pem", "public.pem");
    assert!(made.status.success() && stdout(&made).starts_with("key "), "{}", stderr(&made));
    let permissions = |name: &str| std::fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((permissions("private.pem"), permissions("public.pem") & 0o600), (0o600, 0o600));
    let before = std::fs::read(path.join("private.pem")).unwrap();
    for (private, public, named) in [
        ("private.pem", "new.pem", "private.pem"),
        ("new.pem", "public.pem", "public.pem"),
        ("new.pem", "no/p.pem", "no/"),
    ] {
        let refused = keygen(private, public);
        assert!(!refused.status.success() && stderr(&refused).contains(named), "{}", stderr(&refused));
        assert!(!path.join("new.pem").exists(), "half a pair is of no use");
    }
    assert_eq!(std::fs::read(path.join("private.pem")).unwrap(), before, "a key is never written over");

    let (key, heads) = ("SOPWITH_AUDIT__SIGNING_KEY_FILE", "SOPWITH_AUDIT__HEADS_FILE");
    let serve = |variables: &[(&str, &str)], named: &[&str]| {
        let all: Vec<_> =
            variables.iter().copied().chain([SECRET, ISSUER, AUDIENCE, ("SOPWITH_LISTEN", "127.0.0.1:0")]).collect();
        refused(path, &["serve"], &all, named);
    };
    serve(&[(key, "private.pem")], &["audit.heads_file"]);
    serve(&[(heads, "heads.jsonl")], &["audit.signing_key_file"]);
    serve(&[(key, "nowhere.pem"), (heads, "heads.jsonl")], &["audit.signing_key_file", "nowhere.pem"]);
    serve(&[(key, "public.pem"), (heads, "heads.jsonl")], &["audit.signing_key_file", "public.pem", "private key"]);
    assert!(!path.join("heads.jsonl").exists());
    serve(&[(key, "private.pem"), (heads, "nowhere/heads.jsonl")], &["audit.heads_file", "nowhere/heads.jsonl"]);
    serve(&[(key, "private.pem"), (heads, "public.pem")], &["audit.heads_file", "public.pem"]);
    serve(&[(key, "private.pem"), (heads, "private.pem")], &["audit.heads_file", "private.pem"]);
    assert_eq!(std::fs::read(path.join("private.pem")).unwrap(), before);
    assert!(!path.join("sopwith.db").exists(), "what is refused leaves the database alone");
}
