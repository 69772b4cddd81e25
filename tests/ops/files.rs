//! The files by themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::board::Board;
use super::{RULES, array, folder, list, read, rules, text, yaml};
use crate::support::{installed, promtool};

/// What Grafana can show without a plugin.
const PANELS: [&str; 5] = ["row", "stat", "timeseries", "bargauge", "table"];

#[tokio::test]
async fn promtool_takes_configuration_and_rules_and_the_rules_pass_their_tests() {
    if !installed("promtool") {
        return;
    }
    let folder = folder();
    // The file with the token is the operator's, so what is checked here is not whether it is there.
    promtool(&folder, &["check", "config", "--syntax-only", "prometheus.yml"]).await;
    promtool(&folder, &[&["check", "rules", "--lint=all", "--lint-fatal"], &RULES[..]].concat()).await;
    let tests = list("rules/tests", ".yml");
    let tests: Vec<_> = tests.iter().map(String::as_str).collect();
    promtool(&folder, &[&["test", "rules"], &tests[..]].concat()).await;
}

fn alerts() -> Vec<Value> {
    rules().into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

#[test]
fn every_alert_says_how_bad_it_is_and_where_it_is_told_what_to_do() {
    let runbooks = read("runbooks.md");
    let sections: Vec<_> = runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut linked = BTreeSet::new();
    for alert in alerts() {
        let name = text(&alert["alert"]);
        assert!(["critical", "warning"].contains(&text(&alert["labels"]["severity"])), "{name}");
        for annotation in ["summary", "description"] {
            assert!(text(&alert["annotations"][annotation]).ends_with('.'), "{name}: {annotation}");
        }
        let link = text(&alert["annotations"]["runbook_url"]);
        assert_eq!(link, format!("ops/runbooks.md#{}", name.to_lowercase()), "{name}");
        assert!(sections.contains(&name), "runbooks.md has no section for {name}");
        linked.insert(name.to_owned());
    }
    let stray: Vec<_> = sections.iter().filter(|s| s.starts_with("Sopwith") && !linked.contains(**s)).collect();
    assert!(stray.is_empty(), "sections for no alert: {stray:?}");
}

/// Whatever a test of the rules expects of alerts: (alert, `severity` and `window`) that fire, and alerts that do not.
fn expected() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut fire, mut silent) = (BTreeSet::new(), BTreeSet::new());
    let tests = list("rules/tests", ".yml").into_iter().flat_map(|path| array(&yaml(&path)["tests"]));
    for case in tests.flat_map(|test| test["alert_rule_test"].as_array().cloned().unwrap_or_default()) {
        let name = text(&case["alertname"]);
        let alerts = array(&case["exp_alerts"]);
        if alerts.is_empty() {
            silent.insert(name.to_owned());
        }
        fire.extend(alerts.iter().map(|alert| variant(name, &alert["exp_labels"])));
    }
    (fire, silent)
}

fn variant(name: &str, labels: &Value) -> String {
    format!("{name} {} {}", labels["severity"], labels["window"])
}

#[test]
fn every_alert_fires_in_a_test_of_its_own() {
    let (fire, silent) = expected();
    let wanted = alerts();
    let untested: Vec<_> =
        wanted.iter().map(|a| variant(text(&a["alert"]), &a["labels"])).filter(|a| !fire.contains(a)).collect();
    assert!(untested.is_empty(), "no test lets these fire: {untested:?}");
    // A test of one that fires may show beside it what does not, so this is not asked of all of them.
    assert!(silent.len() * 2 > wanted.len(), "too few tests of what must not fire: {silent:?}");
}

#[test]
fn what_is_recorded_is_used() {
    let boards: String = Board::all().iter().flat_map(Board::queries).map(|query| query.expression).collect();
    let alerts: String = alerts().iter().map(|alert| text(&alert["expr"]).to_owned()).collect();
    for rule in rules() {
        let Some(name) = rule["record"].as_str() else { continue };
        let others: String = rules().iter().map(|rule| text(&rule["expr"]).to_owned()).collect();
        assert!([&boards, &alerts, &others].iter().any(|text| text.contains(name)), "{name} is used nowhere");
    }
}

#[test]
fn dashboards_take_their_data_source_as_a_variable_and_need_no_plugin() {
    let mut ids = BTreeMap::new();
    for board in Board::all() {
        let (path, json) = (&board.path, &board.json);
        assert!(ids.insert(text(&json["uid"]).to_owned(), path.clone()).is_none(), "{path}: its uid is another's");
        let first = &json["templating"]["list"][0];
        assert_eq!((text(&first["name"]), text(&first["type"])), ("datasource", "datasource"), "{path}");
        assert_eq!(first["query"], "prometheus", "{path}");
        assert!(json.get("__requires").is_none() && json.get("__inputs").is_none(), "{path}");
        let sources = sources(json);
        assert!(!sources.is_empty(), "{path}");
        for source in sources {
            assert_eq!((text(&source["type"]), text(&source["uid"])), ("prometheus", "${datasource}"), "{path}");
        }
        for panel in board.panels() {
            let title = text(&panel["title"]);
            assert!(PANELS.contains(&text(&panel["type"])), "{path}: {title} is a {}", panel["type"]);
            if panel["type"] != "row" {
                assert!(text(&panel["description"]).ends_with('.'), "{path}: {title} does not say what it shows");
                assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{path}: {title} has no unit");
            }
        }
        assert_laid_out(&board);
    }
    let wanted = ["sopwith-adoption", "sopwith-approvals", "sopwith-ingestion", "sopwith-outcomes", "sopwith-service"];
    assert!(ids.keys().map(String::as_str).eq(wanted), "{ids:?}");
}

/// Everything called `datasource` in a dashboard, at any depth.
fn sources(json: &Value) -> Vec<Value> {
    match json {
        Value::Object(object) => {
            let own = object.get("datasource").cloned();
            own.into_iter().chain(object.values().flat_map(sources)).collect()
        }
        Value::Array(values) => values.iter().flat_map(sources).collect(),
        _ => Vec::new(),
    }
}

/// Panels have ids of their own, stay within 24 columns and do not cover one another.
fn assert_laid_out(board: &Board) {
    let mut ids = BTreeSet::new();
    let mut covered = BTreeSet::new();
    for panel in board.panels() {
        let title = text(&panel["title"]);
        assert!(ids.insert(panel["id"].as_i64()), "{}: {title} has the id of another", board.path);
        let at = |name: &str| panel["gridPos"][name].as_i64().unwrap_or_else(|| panic!("{title}: no {name}"));
        assert!(at("x") + at("w") <= 24, "{}: {title} is too wide", board.path);
        for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
            assert!(covered.insert((x, y)), "{}: {title} covers another", board.path);
        }
    }
}
