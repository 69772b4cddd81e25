//! Leaves nothing behind: a shell outside the test process that, when this process is gone in whatever way, ends the
//! processes it started and removes its directory.
//!
//! libtest has no global teardown, statics are not dropped, and a killed process cleans up nothing. So the janitor
//! reads orders from a pipe held by this process: the end of the pipe is the end of the process.

use std::{
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

/// `watch PID SIGNAL` ends that process at the end with that signal (then SIGKILL), `forget PID` takes it back,
/// `sweep URL PREFIX` drops databases by that prefix at the end, if `psql` is there.
const SCRIPT: &str = r#"
alive() { kill -0 "$1" && ! grep -qs '^State:.*Z' "/proc/$1/status"; }
live= url= prefix=
while read -r order first second; do
  kept=
  for entry in $live; do [ "${entry%:*}" = "$first" ] || kept="$kept $entry"; done
  live=$kept
  case $order in
    watch) live="$live $first:$second" ;;
    sweep) url=$first prefix=$second ;;
  esac
done
for entry in $live; do kill -s "${entry#*:}" "${entry%:*}"; done
tries=100
for entry in $live; do
  while [ "$tries" -gt 0 ] && alive "${entry%:*}"; do sleep 0.1; tries=$((tries - 1)); done
  kill -s KILL "${entry%:*}"
done
if [ -n "$url" ] && command -v psql; then
  echo "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database
        WHERE starts_with(datname::text, '$prefix') \\gexec" | psql -w -q "$url"
fi
for _ in 1 2 3 4 5; do rm -rf -- "$1" && break; sleep 0.2; done
"#;

struct Janitor {
    directory: PathBuf,
    /// Reads orders from its stdin.
    shell: Mutex<Child>,
}

static JANITOR: OnceLock<Janitor> = OnceLock::new();

/// The directory of this test process, removed after its end. Others may pass through it (the database server may
/// run as another user) but not list it.
pub fn directory() -> &'static Path {
    &janitor().directory
}

/// Has the process ended by `signal` (`KILL`, `QUIT`) when this one is gone.
pub fn watch(pid: u32, signal: &str) {
    order(&format!("watch {pid} {signal}"));
}

/// Takes [`watch`] back. To be called before the process is reaped where that can be, since its id is free after.
pub fn forget(pid: u32) {
    order(&format!("forget {pid}"));
}

/// Has the databases whose names begin with `prefix` dropped when this process is gone.
pub fn sweep(url: &str, prefix: &str) {
    order(&format!("sweep {url} {prefix}"));
}

/// A name that nobody else has or can guess, of 32 letters and digits.
#[expect(clippy::disallowed_methods, reason = "what is shared with other test processes must differ from theirs")]
pub fn unique() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

fn order(line: &str) {
    let mut shell = janitor().shell.lock().unwrap_or_else(PoisonError::into_inner);
    let orders = shell.stdin.as_mut().expect("its stdin is piped");
    orders.write_all(format!("{line}\n").as_bytes()).expect("the janitor of the tests is gone");
}

fn janitor() -> &'static Janitor {
    JANITOR.get_or_init(|| {
        let directory =
            tempfile::Builder::new().prefix("sopwith-test-").tempdir().expect("a temporary directory").keep();
        std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o711)).expect("chmod of the directory");
        // A group of its own: neither Ctrl-C nor a time limit on the tests may end it before its work is done.
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "janitor"])
            .arg(&directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Janitor { directory, shell: Mutex::new(shell) }
    })
}
