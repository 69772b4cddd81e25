//! Packages for the tests, installed by npm into the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::process::{self, tail};

const INSTALL_LIMIT: Duration = Duration::from_mins(3);

/// Installs the packages of the lock file in a folder, once per lock file, for all test processes. Why that cannot be is
/// said in words.
pub async fn install(source: &Path) -> Result<PathBuf, String> {
    let name = source.file_name().and_then(|name| name.to_str()).expect("a folder with a name");
    let lock = fs::read(source.join("package-lock.json")).map_err(|error| error.to_string())?;
    let digest = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &lock));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = target.join(format!("{name}-{}", &digest[..16]));
    if place.join("node_modules").is_dir() {
        return Ok(place);
    }
    if version("npm").is_none() {
        return Err("npm is not found".to_owned());
    }
    // Others may do the same now, and whoever is interrupted leaves nothing half done.
    let draft = tempfile::Builder::new().prefix(name).tempdir_in(target).map_err(|error| error.to_string())?;
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(source.join(file), draft.path().join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(draft.path());
    let output = process::output(&mut npm, INSTALL_LIMIT).await;
    if !output.status.success() {
        // Where it fetches from says nothing about us.
        let said: Vec<_> = output.stderr.lines().filter(|line| !line.contains("://")).collect();
        return Err(format!("npm ci failed: {}", tail(&said.join("\n"))));
    }
    let whole = draft.keep();
    if fs::rename(&whole, &place).is_err() {
        // Another was quicker.
        fs::remove_dir_all(&whole).map_err(|error| error.to_string())?;
    }
    let there = place.join("node_modules").is_dir();
    there.then_some(place).ok_or_else(|| "the packages are not where they were installed".to_owned())
}

/// The version that a program says it has.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}
