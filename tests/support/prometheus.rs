//! A real Prometheus as a child process: Debian's package `prometheus`, which has `promtool` too.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Url;
use serde_json::Value;

use super::{
    client::respond,
    process::{self, Output, Process, create, read, tail},
};

const START_LIMIT: Duration = Duration::from_mins(1);
const TOOL_LIMIT: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);

/// Whether one of the package's programs is there. That it is not is said; with `SOPWITH_TEST_REQUIRE_PROMETHEUS=1` it
/// panics instead.
pub fn installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let required = std::env::var("SOPWITH_TEST_REQUIRE_PROMETHEUS").is_ok_and(|value| value == "1");
    assert!(!required, "SOPWITH_TEST_REQUIRE_PROMETHEUS=1, but {program} is not found");
    let line = format!("SKIPPED with a real Prometheus: {program} is not found\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
    false
}

/// Runs `promtool` in a folder, to its end; panics with what it said when it objects.
pub async fn promtool(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(folder);
    let Output { status, stdout, stderr } = process::output(&mut command, TOOL_LIMIT).await;
    assert!(status.success(), "promtool {arguments:?}: {status}\n{stdout}\n{stderr}");
}

/// A Prometheus with data of its own, killed when dropped.
pub struct Prometheus {
    process: Process,
    http: reqwest::Client,
    base_url: String,
    stderr: PathBuf,
}

impl Prometheus {
    /// Starts one on a free port of loopback with the `prometheus.yml` of a folder, where it also keeps its data, and
    /// waits until it is ready; panics with its log when it is not.
    pub async fn start(folder: &Path) -> Self {
        let stderr = process::new_file("stderr");
        let mut command = Command::new("prometheus");
        command.args(["--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:0"]);
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display())).current_dir(folder);
        command.stdout(Stdio::null()).stderr(create(&stderr));
        let process = Process::spawn(&mut command, "KILL").expect("Prometheus starts");
        let http = reqwest::Client::builder().timeout(START_LIMIT).no_proxy().build().expect("an HTTP client");
        let mut prometheus = Self { process, http, base_url: String::new(), stderr };
        prometheus.base_url = prometheus.ready().await;
        prometheus
    }

    /// The `data` that its API answers; panics when it objects.
    pub async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = Url::parse_with_params(&format!("{}/api/v1/{path}", self.base_url), parameters).expect("a URL");
        let mut answer = respond(self.http.get(url)).await;
        assert_eq!(answer.body["status"], "success", "{path} {parameters:?}: {answer:?}");
        answer.body["data"].take()
    }

    /// The series that an expression has now, each with its value.
    pub async fn query(&self, expression: &str) -> Vec<(Value, f64)> {
        let answer = self.get("query", &[("query", expression)]).await;
        assert_eq!(answer["resultType"], "vector", "{expression}");
        let series = answer["result"].as_array().expect("a list").iter();
        series.map(|series| (series["metric"].clone(), number(&series["value"][1]))).collect()
    }

    /// The values that an expression had in the last minute, of all its series.
    pub async fn query_range(&self, expression: &str) -> Vec<f64> {
        let now = super::token::now();
        let (start, end) = ((now - 60).to_string(), now.to_string());
        let parameters = [("query", expression), ("start", start.as_str()), ("end", end.as_str()), ("step", "1")];
        let answer = self.get("query_range", &parameters).await;
        let series = answer["result"].as_array().expect("a list").iter();
        series.flat_map(|series| series["values"].as_array().expect("a list")).map(|value| number(&value[1])).collect()
    }

    /// Its address, once it answers there. It takes a free port, which only its log tells.
    async fn ready(&mut self) -> String {
        let start = Instant::now();
        loop {
            let log = read(&self.stderr);
            if let Some(address) = log.lines().find_map(listening) {
                let url = format!("http://{address}");
                let ready = self.http.get(format!("{url}/-/ready")).send().await;
                if ready.is_ok_and(|answer| answer.status() == 200) {
                    return url;
                }
            }
            let ended = self.process.ended();
            assert!(ended.is_none(), "Prometheus ended at its start: {ended:?}\n{}", tail(&log));
            assert!(start.elapsed() < START_LIMIT, "Prometheus is not ready in {START_LIMIT:?}:\n{}", tail(&log));
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The address in the line of the log that tells it.
fn listening(line: &str) -> Option<&str> {
    let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
    address.split_whitespace().next()
}

/// A value as the API writes it: a text, with words for what is not finite.
fn number(value: &Value) -> f64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no value: {value}"));
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}
