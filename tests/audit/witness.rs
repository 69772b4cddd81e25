//! A server that signs heads, what it wrote, and what is done to the chain behind its back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::export::exported;
use super::tamper::unguard;
use super::{retire, second_version};
use crate::story::{CREATE_PROCESS, Place, number, place, published, text};
use crate::support::{Output, World, respond};

pub const LIMIT: Duration = Duration::from_secs(20);

/// A folder with a key, and a file for heads that is yet to be made.
pub struct Witness {
    folder: tempfile::TempDir,
    interval: &'static str,
}

impl Witness {
    pub async fn new(world: &World, interval: &'static str) -> Self {
        let witness = Self { folder: tempfile::tempdir().unwrap(), interval };
        witness.keygen(world, "ours").await;
        witness
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn heads(&self) -> PathBuf {
        self.path("heads.jsonl")
    }

    /// Makes a key by the command; answers its id.
    pub async fn keygen(&self, world: &World, name: &str) -> String {
        let (private, public) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.pub")));
        let arguments = ["audit", "keygen", "--private", shown(&private), "--public", shown(&public)];
        let output = world.command(&arguments).await;
        assert!(output.status.success(), "{output:?}");
        output.stdout.trim().strip_prefix("key ").unwrap().to_owned()
    }

    /// Starts the world's server anew, as one that signs.
    pub async fn begin(&self, world: &mut World) {
        let (key, heads) = (self.path("ours.pem"), self.heads());
        world.restart_with(&self.settings(&key, &heads)).await;
    }

    pub fn settings<'a>(&self, key: &'a Path, heads: &'a Path) -> [(&'a str, &'a str); 3] {
        [
            ("SOPWITH_AUDIT__SIGNING_KEY_FILE", shown(key)),
            ("SOPWITH_AUDIT__HEADS_FILE", shown(heads)),
            ("SOPWITH_AUDIT__HEADS_INTERVAL_SECONDS", self.interval),
        ]
    }

    pub fn lines(&self) -> Vec<Value> {
        lines(&self.heads())
    }

    /// Waits until an entry is signed.
    pub async fn signed(&self, seq: i64) {
        let start = Instant::now();
        while !self.lines().iter().any(|head| head["seq"] == seq) {
            assert!(start.elapsed() < LIMIT, "no head of entry {seq}: {:?}", self.lines());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What `audit verify` says of chain and heads.
    pub async fn verify(&self, world: &World) -> Found {
        verify(world, &[self.heads()], &[self.path("ours.pub")]).await
    }
}

pub fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn write(file: &Path, heads: &[Value]) {
    let lines: Vec<String> = heads.iter().map(|head| head.to_string() + "\n").collect();
    std::fs::write(file, lines.concat()).unwrap();
}

/// Exit code, JSON, and standard error.
pub struct Found {
    pub code: Option<i32>,
    pub json: Value,
    pub stderr: String,
}

impl Found {
    pub fn of(output: &Output) -> Self {
        let json = serde_json::from_str(output.stdout.trim()).unwrap_or_else(|_| panic!("not JSON: {output:?}"));
        Self { code: output.status.code(), json, stderr: output.stderr.clone() }
    }

    /// Kind and entry of each problem.
    pub fn problems(&self) -> Vec<(String, Value)> {
        assert_eq!((self.code, &self.json["ok"]), (Some(1), &json!(false)), "{}", self.json);
        let problems = self.json["problems"].as_array().unwrap();
        assert_eq!(self.json["problem"], problems[0]["problem"]);
        assert!(self.stderr.contains(problems[0]["problem"].as_str().unwrap()), "{}", self.stderr);
        problems.iter().map(|problem| (text(&problem["kind"]), problem["entry"].clone())).collect()
    }

    pub fn is_sound(&self, entries: i64, heads: usize, signed_up_to: i64) {
        let expected = json!({"ok": true, "entries": entries, "heads": heads, "signedUpTo": signed_up_to});
        assert_eq!((self.code, &self.json), (Some(0), &expected), "{}", self.stderr);
    }
}

pub async fn verify(world: &World, heads: &[PathBuf], keys: &[PathBuf]) -> Found {
    let mut arguments = vec!["audit", "verify", "--json"];
    arguments.extend(heads.iter().flat_map(|file| ["--heads", shown(file)]));
    arguments.extend(keys.iter().flat_map(|file| ["--public-key", shown(file)]));
    Found::of(&world.command(&arguments).await)
}

/// As somebody would who does not know of heads.
pub async fn plain(world: &World) -> Found {
    verify(world, &[], &[]).await
}

pub async fn entries(world: &World) -> i64 {
    world.query_i64("SELECT COUNT(*) FROM audit_entry").await
}

pub async fn one_more(place: &Place, key: &str) {
    let input = json!({"key": key, "name": key, "description": "", "teamId": place.team});
    place.author.mutate(CREATE_PROCESS, json!({"input": input})).await;
}

/// The value of a series of the server's.
pub async fn series(world: &World, name: &str) -> i64 {
    let page = respond(world.raw().http.get(world.raw().url("/metrics"))).await;
    let line = page.body.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    line.unwrap_or_else(|| panic!("no series {name}")).parse().unwrap()
}

/// Waits until a server that was started has looked whether there is anything to sign.
pub async fn first_look(world: &World) {
    while series(world, "sop_jobs_total{job=\"audit_head\",result=\"SUCCEEDED\"}").await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn failures(world: &World) -> i64 {
    series(world, "sop_jobs_total{job=\"audit_head\",result=\"FAILED\"}").await
}

/// A chain that was signed several times while it grew, of a server that was stopped. Answers the entries signed.
pub async fn witnessed(world: &mut World, witness: &Witness) -> Vec<i64> {
    witness.begin(world).await;
    let place = place(world).await;
    let made = published(&place, "Reset a password").await;
    witness.signed(entries(world).await).await;
    second_version(&place, &made.sop).await;
    witness.signed(entries(world).await).await;
    retire(&place, &made.sop).await;
    world.server.stop_gracefully().await;
    let signed: Vec<i64> = witness.lines().iter().map(|head| number(&head["seq"])).collect();
    assert!(signed.len() >= 3 && signed.is_sorted_by(|a, b| a < b), "{signed:?}");
    assert_eq!(signed.last(), Some(&entries(world).await), "the last one at the end");
    witness.verify(world).await.is_sound(entries(world).await, signed.len(), entries(world).await);
    signed
}

/// Changes the reason of an entry, and everything behind it so that the chain is sound again.
pub async fn rewrite(world: &World, from: i64) {
    unguard(world).await;
    let mut previous = None;
    for mut entry in exported(world, &[]).await {
        let seq = number(&entry["seq"]);
        let members = entry.as_object_mut().unwrap();
        let (hash, before) = (text(&members.remove("hash").unwrap()), text(&members.remove("previousHash").unwrap()));
        if seq < from {
            continue;
        }
        if seq == from {
            members.insert("reason".to_owned(), json!("nobody said this"));
            world.execute(&format!("UPDATE audit_entry SET reason = 'nobody said this' WHERE seq = {seq}")).await;
        }
        let now = super::hash(&previous.unwrap_or(before), &entry);
        assert_ne!(now, hash);
        world.execute(&format!("UPDATE audit_entry SET hash = '{now}' WHERE seq = {seq}")).await;
        world.execute(&format!("UPDATE audit_head SET hash = '{now}'")).await;
        previous = Some(now);
    }
}

/// Removes the entries behind one, as if they had never been.
pub async fn truncate(world: &World, end: i64) {
    unguard(world).await;
    let hash = format!("(SELECT hash FROM audit_entry WHERE seq = {end})");
    world.execute(&format!("DELETE FROM audit_entry WHERE seq > {end}")).await;
    world.execute(&format!("UPDATE audit_head SET seq = {end}, hash = {hash}")).await;
}
