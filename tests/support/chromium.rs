//! A real browser without a window: Debian's package `chromium`, driven by the `DevTools` protocol over a pair of pipes,
//! so that it listens nowhere.

use std::{
    collections::VecDeque,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe::{OpenOptions, Receiver, Sender},
    time::timeout,
};

use super::{
    janitor,
    process::{self, Process, create, read, tail},
};

/// How long the browser may take for one thing.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the shell does before it becomes the browser: the pipes are those that the browser looks for.
const START: &str = r#"exec chromium "$@" 3<"$PIPE_IN" 4>"$PIPE_OUT""#;

const OPTIONS: [&str; 13] = [
    "--headless=new",
    // It shows pages of the tests only, and the tests may run as root.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--proxy-server=direct://",
    "--remote-debugging-pipe",
];

/// A browser with one page open, killed when dropped.
pub struct Chromium {
    process: Process,
    to: Sender,
    from: Receiver,
    /// What was read and is no whole message yet.
    read: Vec<u8>,
    session: Option<String>,
    calls: u64,
    /// What the browser told by itself and nobody asked for yet.
    events: VecDeque<Value>,
    log: std::path::PathBuf,
    _home: TempDir,
}

/// Whether it is there. That it is not is said; with `SOPWITH_TEST_REQUIRE_CHROMIUM=1` it panics instead.
fn installed() -> bool {
    let version = Command::new("chromium").arg("--version").stdin(Stdio::null()).output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    let required = std::env::var("SOPWITH_TEST_REQUIRE_CHROMIUM").is_ok_and(|value| value == "1");
    assert!(!required, "SOPWITH_TEST_REQUIRE_CHROMIUM=1, but chromium is not found");
    let line = "SKIPPED with a real browser: chromium is not found\n";
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
    false
}

impl Chromium {
    /// Starts one with an empty page. `None` means that it is not there and that this was said.
    pub async fn start() -> Option<Self> {
        if !installed() {
            return None;
        }
        let home = TempDir::new_in(janitor::directory()).expect("a directory for the browser");
        let (input, output) = (home.path().join("in"), home.path().join("out"));
        let made = Command::new("mkfifo").args([&input, &output]).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo is needed");
        // Each end is opened for both ways, so that none waits for the other.
        let to = OpenOptions::new().read_write(true).open_sender(&input).expect("a pipe");
        let from = OpenOptions::new().read_write(true).open_receiver(&output).expect("a pipe");
        let log = process::new_file("stderr");
        let mut command = Command::new("sh");
        command.args(["-c", START, "sh"]).args(OPTIONS).env("PIPE_IN", &input).env("PIPE_OUT", &output);
        command.arg(format!("--user-data-dir={}", home.path().join("profile").display())).env("HOME", home.path());
        command.current_dir(home.path()).stdout(Stdio::null()).stderr(create(&log));
        let process = Process::spawn(&mut command, "KILL").expect("the browser starts");
        let (read, events) = (Vec::new(), VecDeque::new());
        let mut browser = Self { process, to, from, read, session: None, calls: 0, events, log, _home: home };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        // Or a window that is not in front would not say where the focus is.
        browser.call("Emulation.setFocusEmulationEnabled", json!({"enabled": true})).await;
        Some(browser)
    }

    /// What a command of the protocol answers; panics when it fails.
    pub async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        timeout(PATIENCE, self.to.write_all(&bytes)).await.expect("the browser reads").expect("a pipe");
        loop {
            let mut message = self.next(method).await;
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }

    async fn next(&mut self, waiting: &str) -> Value {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == 0) {
                let message = self.read.drain(..=end).collect::<Vec<_>>();
                return serde_json::from_slice(&message[..end]).expect("the browser speaks JSON");
            }
            let mut part = vec![0; 1 << 16];
            let Ok(count) = timeout(PATIENCE, self.from.read(&mut part)).await else {
                let ended = self.process.ended();
                panic!("nothing of {waiting} in {PATIENCE:?}, {ended:?}:\n{}", tail(&read(&self.log)));
            };
            self.read.extend_from_slice(&part[..count.expect("a pipe")]);
        }
    }

    /// Waits for something that the browser tells by itself.
    pub async fn event(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|event| event["method"] == method) {
                return self.events.remove(at).expect("it was there")["params"].take();
            }
            let message = self.next(method).await;
            self.events.push_back(message);
        }
    }

    /// Everything that the browser told by itself since this was asked last.
    pub fn told(&mut self) -> Vec<Value> {
        self.events.drain(..).collect()
    }

    /// Opens an address and waits until its page is whole.
    pub async fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        let answer = self.call("Page.navigate", json!({"url": url})).await;
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        self.event("Page.loadEventFired").await;
    }

    /// Does something in the page that leads to another, and waits until that is whole.
    pub async fn follow(&mut self, script: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.evaluate(script).await;
        self.event("Page.loadEventFired").await;
    }

    /// The value of an expression in the page; panics when it throws.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let parameters = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", parameters).await;
        assert!(answer.get("exceptionDetails").is_none(), "{script}: {answer}");
        answer["result"]["value"].take()
    }

    /// Presses a key and lets it go.
    pub async fn press(&mut self, key: &str) {
        let code = if key == "Enter" { 13 } else { 9 };
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let parameters =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", parameters).await;
        }
    }

    /// Becomes a screen of this size, in the light or in the dark.
    pub async fn screen(&mut self, (width, height): (u32, u32), dark: bool) {
        let mobile = width < 600;
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", screen).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// Keeps a picture of the whole page as a file.
    pub async fn picture(&mut self, file: &Path) {
        let size = self.evaluate("[innerWidth, document.documentElement.scrollHeight]").await;
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let parameters = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", parameters).await;
        let bytes = STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}
