//! What operators are given: the configuration of Prometheus, its rules, dashboards and runbooks. What can be said of the
//! files is in `files`; in `live` a real Prometheus scrapes a real server with them.

mod board;
mod files;
mod live;
mod work;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The two files of rules.
const RULES: [&str; 2] = ["rules/records.yml", "rules/alerts.yml"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops")
}

fn read(path: &str) -> String {
    let path = folder().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder with this ending, in order; there must be some.
fn list(sub_folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder().join(sub_folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names.filter(|name| name.ends_with(ending)).map(|n| format!("{sub_folder}/{n}")).collect();
    found.sort();
    assert!(!found.is_empty(), "nothing in {sub_folder}");
    found
}

/// All rules of both files.
fn rules() -> Vec<Value> {
    let groups = RULES.iter().flat_map(|path| array(&yaml(path)["groups"]));
    groups.flat_map(|group| array(&group["rules"])).collect()
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).clone()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The selectors of series in an expression: names of our metrics with what stands in braces behind them.
fn selectors(expression: &str) -> Vec<String> {
    const PREFIXES: [&str; 5] = ["sop_", "process_", "job:", "sop:", "source:"];
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '"') {
        rest = &rest[start..];
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted.split_once('"').expect("a closed quotation").1;
            continue;
        }
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(rest.len());
        let (name, behind) = rest.split_at(length);
        rest = behind;
        if name == "up" || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            let braces = behind.starts_with('{').then(|| behind.find('}').expect("a closed brace"));
            let selector = braces.map_or("", |end| &behind[..=end]);
            found.push(format!("{name}{selector}"));
            rest = &behind[selector.len()..];
        }
    }
    found
}

#[test]
fn selectors_are_found() {
    let found = selectors(r#"sum by (sop) (rate(sop_a_total{b=~"c|d",e!="f"}[5m])) / job:x:y > 2 and up{job="sop_"} "#);
    assert_eq!(found, [r#"sop_a_total{b=~"c|d",e!="f"}"#, "job:x:y", r#"up{job="sop_"}"#]);
}
