//! Which commands a snippet runs: helps people to find a runbook by the tool in their hand.

use super::document::Code;

/// The most commands named for one step.
const MAX_TOOLS: usize = 50;

/// Commands that are recognised wherever a command can stand.
const KNOWN: &str = "\
    ansible awk aws az base64 bash cat ceph ceph-objectstore-tool chronyc chroot cmctl crictl curl df dig \
    dmesg docker dot dstat du etcdctl ethtool find fio free gcloud git grep gsutil head helm hugo iostat ip \
    iptables journalctl jq kill kubectl ls lsblk lsof lvs mc mdadm mount mysql nc nmcli nslookup oc ocm odf \
    openssl ovn-appctl ovn-nbctl ovn-sbctl ovs-appctl ovs-ofctl ovs-vsctl ping pkill podman promtool ps psql \
    python python3 rados radosgw-admin rbd redis-cli rosa rpm-ostree s3cmd sed sensors skopeo smartctl sort \
    ss ssh sysctl systemctl tail tar tcpdump terraform top traceroute umount uniq vi virsh virtctl vmstat wc \
    wget yq";

/// Words that begin a line of shell without being a tool.
const SHELL: &str = "\
    alias case cd do done echo elif else esac exit export fi for function if in local printf read return set \
    sleep source sudo test then time unset while";

/// The commands in some snippets, each once, in order of appearance.
pub fn tools<'a>(codes: impl Iterator<Item = &'a Code>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for code in codes {
        for tool in commands(code) {
            if found.len() < MAX_TOOLS && !found.contains(&tool) {
                found.push(tool);
            }
        }
    }
    found
}

/// Whether the snippet is shell, or may be (it has no language) and runs a known command.
pub fn is_command(code: &Code) -> bool {
    is_shell(code) || (code.language.is_empty() && !commands(code).is_empty())
}

fn is_shell(code: &Code) -> bool {
    matches!(code.language.as_str(), "bash" | "sh" | "shell" | "console" | "zsh" | "shell-session" | "terminal")
}

fn commands(code: &Code) -> Vec<String> {
    if !is_shell(code) && !code.language.is_empty() {
        return Vec::new();
    }
    // Where some lines have a prompt, the others are output.
    let prompted = code.text.lines().any(|l| prompt(l).is_some());
    let mut found = Vec::new();
    let mut continued = false;
    for line in code.text.lines() {
        let starts = if prompted { prompt(line) } else { Some(line.trim_start()) };
        if let Some(text) = starts.filter(|t| !continued && !t.is_empty() && !t.starts_with('#')) {
            // Without prompt a line may be output.
            line_commands(text, prompted && is_shell(code), &mut found);
        } else if continued {
            line_commands(line.trim_start(), false, &mut found);
        }
        continued = line.trim_end().ends_with('\\');
    }
    found
}

/// What follows a prompt such as `$ ` or `sh-4.4$ `.
fn prompt(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().split_once("$ ")?;
    (!before.contains(char::is_whitespace) && !before.contains(['\'', '"', '=', '('])).then(|| after.trim_start())
}

fn line_commands(line: &str, trusted: bool, found: &mut Vec<String>) {
    let parts = line.split(['|', ';', '`']).flat_map(|p| p.split("$(")).flat_map(|p| p.split("&&"));
    for (i, part) in parts.enumerate() {
        let assigns = part.split_whitespace().next().is_some_and(is_assignment);
        let mut words = part.split_whitespace().skip_while(|w| is_assignment(w) || is_in(SHELL, w));
        let Some(word) = words.next() else { continue };
        let word = word.rsplit('/').next().unwrap_or(word);
        if is_in(KNOWN, word) || (trusted && i == 0 && !assigns && looks_like_command(word)) {
            found.push(word.to_owned());
        }
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

fn looks_like_command(word: &str) -> bool {
    word.len() <= 40
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
}

fn is_in(list: &str, word: &str) -> bool {
    list.split(' ').any(|w| w == word)
}
