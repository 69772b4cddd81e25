//! The command line and the life of the server's process.

mod demo;
mod serve;
mod setup;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// `sopwith` in a folder, with these variables and no settings of this machine.
fn sopwith(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sopwith"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SOPWITH_")) {
        command.env_remove(name);
    }
    // What it keeps among temporary files goes with the folder.
    command.current_dir(folder).env("TMPDIR", folder).envs(variables.iter().copied());
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(folder: &Path, arguments: &[impl AsRef<OsStr>], variables: &[(&str, &str)]) -> Output {
    sopwith(folder, &[], variables).args(arguments).output().expect("sopwith starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that was started with its own arguments; killed when dropped.
pub struct Running {
    child: Child,
    /// Its first line on standard output.
    pub first: Value,
}

impl Running {
    /// Starts it and waits for its first line; its standard error goes to `err.log` in the folder.
    pub fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(folder.join("err.log")).unwrap();
        let mut command = sopwith(folder, arguments, variables);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let read = lines.read_line(&mut line);
        let mut running = Self { child, first: Value::Null };
        running.first = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = std::fs::read_to_string(folder.join("err.log")).unwrap_or_default();
            panic!("{arguments:?}: {read:?}, {error}: {line}\n{log}")
        });
        running
    }

    /// SIGTERM; answers the exit code, `None` for one who was killed after half a minute.
    fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        for _ in 0..300 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
