//! CPU time and memory of processes, from /proc (Linux).

use std::fs;

/// Ticks of the clock in which /proc counts, per second: 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Whose time is counted.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// The service.
    pub server: u32,
    /// The parent of the database's processes, where it is not in the service.
    pub postgres: Option<u32>,
}

impl Work {
    /// CPU seconds so far, of the service and its database.
    pub fn cpu(&self) -> f64 {
        own(self.server) + self.postgres.map_or(0.0, family)
    }
}

/// CPU seconds of a process and of those children that have ended.
fn own(pid: u32) -> f64 {
    let fields = stat(pid).unwrap_or_default();
    fields.iter().skip(11).take(4).map(|ticks| ticks.parse::<f64>().unwrap_or_default()).sum::<f64>() / TICKS
}

/// The same with all children that live.
pub fn family(parent: u32) -> f64 {
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter(|pid| stat(*pid).is_some_and(|f| f.get(1).is_some_and(|p| *p == parent.to_string())));
    own(parent) + children.map(own).sum::<f64>()
}

/// The fields behind the name: the state is the first.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split_whitespace().map(str::to_owned).collect())
}

/// The most memory that a process ever held, in MB.
pub fn peak_megabytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("a number") / 1024.0
}
