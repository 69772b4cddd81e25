//! A PostgreSQL server for the tests: the one named by `SOPWITH_TEST_POSTGRES_URL`, or a throw-away cluster of this
//! test process, started from installed server binaries.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OnceCell;

use super::{
    database, janitor,
    process::{self, Process, create, read, tail},
};

const SETTINGS: [&str; 3] = ["max_connections=300", "listen_addresses=127.0.0.1", "unix_socket_directories="];
/// Settings of a cluster whose data nobody will miss.
const FORGETFUL: [&str; 3] = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];
/// Settings of one that works as in earnest, on the memory that such a server would have.
const DURABLE: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=4GB"];
const START_LIMIT: Duration = Duration::from_mins(1);

/// Why the tests have no PostgreSQL.
#[derive(Clone, Debug)]
pub enum Missing {
    /// There is none here: the tests run without.
    NotInstalled(String),
    /// There is one, but it does not work: the tests fail.
    Broken(String),
}

static IN_EARNEST: AtomicBool = AtomicBool::new(false);
static SERVER: Mutex<Option<Process>> = Mutex::new(None);

/// Has the cluster that is started keep what it commits, as in earnest.
pub fn durable() {
    IN_EARNEST.store(true, Ordering::Relaxed);
}

/// The process id of the cluster that was started.
pub fn id() -> Option<u32> {
    SERVER.lock().expect("nothing panics while it holds this").as_ref().map(Process::id)
}

/// The URL of the maintenance database, as a superuser; found or started once per test process.
pub async fn maintenance_url() -> Result<&'static str, Missing> {
    static URL: OnceCell<Result<String, Missing>> = OnceCell::const_new();
    URL.get_or_init(find_or_start).await.as_deref().map_err(Clone::clone)
}

async fn find_or_start() -> Result<String, Missing> {
    if let Ok(url) = env::var("SOPWITH_TEST_POSTGRES_URL") {
        let failed = |error| Missing::Broken(format!("SOPWITH_TEST_POSTGRES_URL does not answer: {error}"));
        return database::execute(&url, "SELECT 1").await.map(|()| url).map_err(failed);
    }
    let Some(binaries) = binaries() else {
        let why = "no server binaries (initdb, postgres) found and SOPWITH_TEST_POSTGRES_URL is not set";
        return Err(Missing::NotInstalled(why.to_owned()));
    };
    let user = unprivileged_user()?;
    let cluster = Cluster { binaries, home: janitor::directory().join("postgres"), user };
    cluster.start().await.map_err(Missing::Broken)
}

/// The directory with the server's programs: by `PATH`, by `pg_config`, or where Debian puts them, newest first.
fn binaries() -> Option<PathBuf> {
    let mut candidates: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    candidates.extend(first_line(Command::new("pg_config").arg("--bindir")).map(PathBuf::from));
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path()).collect();
    installed.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    candidates.extend(installed.iter().rev().map(|path| path.join("bin")));
    candidates.into_iter().find(|path| path.join("initdb").is_file() && path.join("postgres").is_file())
}

/// Whom to run the server as when this process is root, which the server refuses; `None` when it is not root.
fn unprivileged_user() -> Result<Option<(u32, u32)>, Missing> {
    let own = fs::metadata(janitor::directory()).expect("the test directory is there");
    if own.uid() != 0 {
        return Ok(None);
    }
    let id = |flag, name| first_line(Command::new("id").args([flag, name]))?.parse().ok();
    let ids = |name| Some((id("-u", name)?, id("-g", name)?));
    let found = ["postgres", "nobody"].into_iter().find_map(ids);
    let why = "running as root, and there is neither a user postgres nor nobody to run the server as";
    found.map(Some).ok_or_else(|| Missing::NotInstalled(why.to_owned()))
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}

struct Cluster {
    binaries: PathBuf,
    home: PathBuf,
    user: Option<(u32, u32)>,
}

impl Cluster {
    async fn start(&self) -> Result<String, String> {
        // Others on this machine reach the port too, and a superuser may run programs: hence a password.
        let password = janitor::unique();
        self.initialise(&password).await?;
        // The port found free may be taken before the server has it.
        let mut result = Err(String::new());
        for _ in 0..3 {
            let port = free_port();
            let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
            result = self.serve(port, &url).await.map(|()| url);
            if !result.as_ref().is_err_and(|error| error.contains("Address already in use")) {
                break;
            }
        }
        result
    }

    async fn initialise(&self, password: &str) -> Result<(), String> {
        let password_file = self.home.join("password");
        fs::create_dir(&self.home).map_err(|error| format!("{}: {error}", self.home.display()))?;
        fs::write(&password_file, password).map_err(|error| format!("{}: {error}", password_file.display()))?;
        for path in [&self.home, &password_file] {
            self.give_away(path).map_err(|error| format!("chown {}: {error}", path.display()))?;
        }
        let mut failure = String::new();
        // Both order text by code point, as SQLite does; plain C knows only ASCII letters but is there everywhere.
        for locale in ["C.UTF-8", "C"] {
            let mut initdb = self.command("initdb");
            initdb.args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--no-sync", "--pgdata=data"]);
            initdb.args(["--pwfile=password", &format!("--locale={locale}")]);
            let output = process::output(&mut initdb, START_LIMIT).await;
            if output.status.success() {
                return Ok(());
            }
            failure = format!("initdb failed: {}\n{}", tail(&output.stdout), tail(&output.stderr));
        }
        Err(failure)
    }

    /// Starts the server and waits until it answers. It lives as long as the test process.
    async fn serve(&self, port: u16, url: &str) -> Result<(), String> {
        let log = process::new_file("postgres");
        let mut command = self.command("postgres");
        let manner: &[&str] = if IN_EARNEST.load(Ordering::Relaxed) { &DURABLE } else { &FORGETFUL };
        let settings = SETTINGS.iter().chain(manner).flat_map(|setting| ["-c", setting]);
        command.args(["-D", "data", "-p", &port.to_string()]).args(settings);
        command.stdout(Stdio::null()).stderr(create(&log));
        let fail = |why: &str| Err(format!("{why}:\n{}", tail(&read(&log))));
        // SIGQUIT is its immediate shutdown; SIGKILL would leave shared memory behind.
        let mut server = match Process::spawn(&mut command, "QUIT") {
            Ok(server) => server,
            Err(error) => return fail(&format!("postgres does not start: {error}")),
        };
        let start = Instant::now();
        while let Err(error) = database::execute(url, "SELECT 1").await {
            if server.ended().is_some() {
                return fail("postgres ended at its start");
            }
            if start.elapsed() > START_LIMIT {
                return fail(&format!("postgres does not answer in {START_LIMIT:?} ({error})"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        *SERVER.lock().expect("nothing panics while it holds this") = Some(server);
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        command.current_dir(&self.home).env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGPORT");
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    fn give_away(&self, path: &Path) -> std::io::Result<()> {
        self.user.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.expect("a free port on loopback").port()
}
