//! The real server as a child process.

use std::{
    path::PathBuf,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Database,
    process::{self, Process, create, read, tail},
    token,
};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const LOG_LIMIT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// A server on a port of its own, killed when dropped.
pub struct Server {
    process: Process,
    base_url: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// The `sopwith` program with the settings of the tests and none of this machine's.
pub fn command(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopwith"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SOPWITH_")) {
        command.env_remove(name);
    }
    // Elsewhere than here, so that no settings file in the tree is read.
    command.current_dir(super::janitor::directory());
    command.env("SOPWITH_DATABASE_URL", database_url).env("SOPWITH_LISTEN", "127.0.0.1:0");
    command.env("SOPWITH_AUTH__HS256_SECRET", token::SECRET).env("SOPWITH_AUTH__ISSUER", token::ISSUER);
    command.env("SOPWITH_AUTH__AUDIENCE", token::AUDIENCE);
    command
}

impl Server {
    /// Starts `sopwith serve` with further settings and waits until it listens; panics with its log when it does not.
    pub async fn start(database: &Database, extra_env: &[(&str, &str)]) -> Self {
        let (stdout, stderr) = (process::new_file("stdout"), process::new_file("stderr"));
        let mut command = command(database.url());
        command.arg("serve").envs(extra_env.iter().copied()).stdout(create(&stdout)).stderr(create(&stderr));
        let process = Process::spawn(&mut command, "KILL").expect("the server starts");
        let mut server = Self { process, base_url: String::new(), stdout, stderr };
        server.base_url = server.listening().await;
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its process id, to look at memory or time by.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// SIGTERM, and the exit status once it has ended; panics when it does not end in 30 seconds.
    pub async fn stop_gracefully(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        let status = self.process.wait(STOP_LIMIT).await;
        status.unwrap_or_else(|| panic!("the server does not stop in {STOP_LIMIT:?}:\n{}", self.log_tail()))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// All it printed to stdout: its one line.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// The log so far, also after the server has ended; panics on a line that is not JSON.
    pub fn logs(&self) -> Vec<Value> {
        let text = read(&self.stderr);
        // The last line may be half written.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
        complete.lines().map(parse).collect()
    }

    /// The first log entry that `wanted` takes, waited for: an entry may be written after the answer was sent.
    pub async fn log_entry(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            if let Some(entry) = self.logs().into_iter().find(&wanted) {
                return entry;
            }
            assert!(start.elapsed() < LOG_LIMIT, "no such log entry in {LOG_LIMIT:?}:\n{}", self.log_tail());
            tokio::time::sleep(POLL).await;
        }
    }

    async fn listening(&mut self) -> String {
        let start = Instant::now();
        loop {
            if let Some((line, _)) = self.stdout().split_once('\n') {
                let ready: Option<Value> = serde_json::from_str(line).ok();
                let url = ready.as_ref().and_then(|ready| ready["listening"].as_str());
                return url.unwrap_or_else(|| panic!("unexpected first line of the server: {line}")).to_owned();
            }
            if let Some(status) = self.process.ended() {
                panic!("the server ended at its start with {status}:\n{}", self.log_tail());
            }
            assert!(start.elapsed() < START_LIMIT, "not listening in {START_LIMIT:?}:\n{}", self.log_tail());
            tokio::time::sleep(POLL).await;
        }
    }

    fn log_tail(&self) -> String {
        tail(&read(&self.stderr))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.stderr).unwrap_or_default();
            eprintln!("the server's log ends with:\n{}", tail(&log));
        }
        self.process.kill();
        for path in [&self.stdout, &self.stderr] {
            // Only to save space: the directory goes as a whole later.
            drop(std::fs::remove_file(path));
        }
    }
}
