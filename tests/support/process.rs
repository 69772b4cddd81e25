//! Child processes that end with their owner, or with the test process.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::janitor;

const POLL: Duration = Duration::from_millis(10);

/// A running child: killed when dropped, and by the janitor when the test process dies first.
pub struct Process {
    child: Child,
    kill_signal: &'static str,
}

/// What a program that has ended left.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Process {
    /// Starts `command`, without input. `kill_signal` is what ends it at once and leaves nothing of it (`KILL`).
    pub fn spawn(command: &mut Command, kill_signal: &'static str) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn()?;
        janitor::watch(child.id(), kill_signal);
        Ok(Self { child, kill_signal })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("waiting for a child")?;
        janitor::forget(self.child.id());
        Some(status)
    }

    /// Waits until it has ended, `None` when it has not within `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.ended() {
                None if start.elapsed() < limit => tokio::time::sleep(POLL).await,
                status => return status,
            }
        }
    }

    /// Sends a signal by name, without `SIG`; nothing when it has ended.
    pub fn signal(&mut self, signal: &str) {
        if self.ended().is_none() {
            // The child is not reaped yet, so the id is still its own.
            let kill = ["-c", r#"kill -s "$0" "$1""#, signal, &self.id().to_string()];
            let sent = Command::new("sh").args(kill).status();
            assert!(sent.is_ok_and(|status| status.success()), "kill -s {signal} {} failed", self.id());
        }
    }

    /// Ends it at once and waits for that.
    pub fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if self.kill_signal == "KILL" {
            self.child.kill().expect("killing a child");
        } else {
            self.signal(self.kill_signal);
        }
        self.child.wait().expect("waiting for a child");
        janitor::forget(self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `command` to its end; panics when it does not start or is not through within `limit`.
pub async fn output(command: &mut Command, limit: Duration) -> Output {
    let (stdout, stderr) = (new_file("stdout"), new_file("stderr"));
    command.stdout(create(&stdout)).stderr(create(&stderr));
    let mut process = Process::spawn(command, "KILL").unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status = process.wait(limit).await;
    let (out, err) = (read(&stdout), read(&stderr));
    for path in [stdout, stderr] {
        std::fs::remove_file(path).expect("removing a captured output");
    }
    let Some(status) = status else { panic!("{command:?} was not through in {limit:?}:\n{}", tail(&err)) };
    Output { status, stdout: out, stderr: err }
}

/// A path in the directory of the test process that nothing else has.
pub fn new_file(kind: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    janitor::directory().join(format!("{}.{kind}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub fn create(path: &Path) -> File {
    File::create(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The last 30 lines, for messages.
pub fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
