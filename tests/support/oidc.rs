//! A real OpenID provider as a child process: `oidc-provider`, installed by npm into the target folder.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    client::respond,
    janitor, npm,
    process::{self, Process, create, read, tail},
};

/// What the provider's packages need.
const MIN_NODE: u32 = 20;
const START_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// A provider with clients of its own, killed when dropped.
pub struct Provider {
    process: Process,
    http: reqwest::Client,
    issuer: String,
}

impl Provider {
    /// Starts one on a free port. `None` means that Node.js is not there and that this was said; with
    /// `SOPWITH_TEST_REQUIRE_OIDC=1` that panics instead.
    pub async fn start() -> Option<Self> {
        match folder().await {
            Ok(folder) => Some(Self::start_in(folder, 0).await),
            Err(why) => {
                skip(why);
                None
            }
        }
    }

    async fn start_in(folder: &Path, port: u16) -> Self {
        let (stdout, stderr) = (process::new_file("stdout"), process::new_file("stderr"));
        let mut command = Command::new("node");
        command.args(["provider.mjs", &port.to_string()]).current_dir(folder);
        command.env_remove("NODE_OPTIONS").stdout(create(&stdout)).stderr(create(&stderr));
        let mut process = Process::spawn(&mut command, "KILL").expect("node starts");
        let start = Instant::now();
        while !read(&stdout).contains('\n') {
            let ended = process.ended();
            assert!(ended.is_none(), "the provider ended at its start: {ended:?}\n{}", tail(&read(&stderr)));
            assert!(start.elapsed() < START_LIMIT, "no provider in {START_LIMIT:?}:\n{}", tail(&read(&stderr)));
            tokio::time::sleep(POLL).await;
        }
        let first: Value = serde_json::from_str(&read(&stdout)).expect("the provider prints JSON");
        let http = reqwest::Client::builder().timeout(START_LIMIT).no_proxy().build().expect("an HTTP client");
        Self { process, http, issuer: first["issuer"].as_str().expect("it says its issuer").to_owned() }
    }

    /// Its issuer, which is also where it is.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What its discovery document says of its keys.
    pub async fn jwks_uri(&self) -> String {
        let document = self.get("/.well-known/openid-configuration").await;
        assert_eq!(document["issuer"], self.issuer.as_str());
        document["jwks_uri"].as_str().expect("a URL").to_owned()
    }

    /// It publishes these keys and signs with the first of each algorithm: `r1=RS256&e1=ES256`.
    pub async fn publish(&self, keys: &str) {
        self.get(&format!("/test/keys?{keys}")).await;
    }

    /// The public key of that name, in forms that could be taken for a secret.
    pub async fn public_forms(&self, kid: &str) -> Vec<String> {
        let forms = self.get(&format!("/test/public?kid={kid}")).await;
        let forms = forms.as_object().expect("an object").values();
        forms.map(|form| form.as_str().expect("text").to_owned()).collect()
    }

    /// What the token endpoint answers to a person who signed in.
    pub async fn sign_in(&self, subject: &str) -> Value {
        self.get(&format!("/test/sign-in?subject={subject}")).await
    }

    /// An access token of an integration, for so many seconds.
    pub async fn access_token(&self, algorithm: &str, audience: &str, seconds: u32) -> String {
        self.token_at("/token", algorithm, audience, seconds).await
    }

    /// The same of another issuer that has the same keys.
    pub async fn token_of_another_issuer(&self, algorithm: &str, audience: &str) -> String {
        self.token_at("/another/token", algorithm, audience, 600).await
    }

    async fn token_at(&self, path: &str, algorithm: &str, audience: &str, seconds: u32) -> String {
        let resource = format!("https://api.example/{algorithm}/{audience}/{seconds}");
        let request = self.http.post(format!("{}{path}", self.issuer));
        let request = request.basic_auth("tracker", Some("a-secret-of-the-tests"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = respond(request.body(format!("grant_type=client_credentials&resource={resource}"))).await;
        let token = answer.body["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {answer:?}")).to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = respond(self.http.get(format!("{}{path}", self.issuer))).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// It stands still: connections are taken and nothing is answered.
    pub fn freeze(&mut self) {
        self.process.signal("STOP");
    }

    /// It is gone, with its keys.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// One in the place of this, with keys of its own.
    pub async fn replace(&mut self) {
        self.kill();
        let port = self.issuer.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let folder = folder().await.expect("it was installed before");
        *self = Self::start_in(folder, port).await;
    }
}

/// A folder of this test process with the program and its packages, or why there is none.
async fn folder() -> Result<&'static PathBuf, &'static str> {
    static FOLDER: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();
    FOLDER.get_or_init(prepare).await.as_ref().map_err(String::as_str)
}

async fn prepare() -> Result<PathBuf, String> {
    let version = npm::version("node").ok_or("Node.js (node) is not found")?;
    let major: Option<u32> = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < MIN_NODE) {
        return Err(format!("Node.js is {version}, at least {MIN_NODE} is needed"));
    }
    let installed = npm::install(&source()).await?;
    let folder = janitor::directory().join("oidc");
    let set_up = || {
        fs::create_dir(&folder)?;
        fs::copy(source().join("provider.mjs"), folder.join("provider.mjs"))?;
        symlink(installed.join("node_modules"), folder.join("node_modules"))
    };
    set_up().map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oidc")
}

/// Says, past libtest's capturing, that there is no provider.
fn skip(why: &str) {
    let required = env::var("SOPWITH_TEST_REQUIRE_OIDC").is_ok_and(|value| value == "1");
    assert!(!required, "SOPWITH_TEST_REQUIRE_OIDC=1, but: {why}");
    let line = format!("SKIPPED with a real OpenID provider: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}
