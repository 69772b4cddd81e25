//! A dashboard as Grafana reads it: its panels, their queries, and its variables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{array, list, read, text};

/// A dashboard and its file.
pub struct Board {
    pub path: String,
    pub json: Value,
}

/// A query of a panel.
pub struct Query {
    /// Dashboard, panel and letter, for messages.
    pub place: String,
    /// With `$variables` in it.
    pub expression: String,
    /// Over time, where others are of now.
    pub range: bool,
}

impl Board {
    /// All that are shipped.
    pub fn all() -> Vec<Self> {
        let parse = |path: &String| serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        list("dashboards", ".json").into_iter().map(|path| Self { json: parse(&path), path }).collect()
    }

    pub fn panels(&self) -> Vec<Value> {
        array(&self.json["panels"])
    }

    /// The queries of all panels; each panel must have one, but for those that are headlines.
    pub fn queries(&self) -> Vec<Query> {
        let panels = self.panels().into_iter().filter(|panel| panel["type"] != "row");
        panels.flat_map(|panel| self.queries_of(&panel)).collect()
    }

    fn queries_of(&self, panel: &Value) -> Vec<Query> {
        let title = text(&panel["title"]);
        let targets = array(&panel["targets"]);
        assert!(!targets.is_empty(), "{}: {title} asks for nothing", self.path);
        let query = |target: &Value| Query {
            place: format!("{}: {title} {}", self.path, text(&target["refId"])),
            expression: text(&target["expr"]).to_owned(),
            range: target["range"] == true,
        };
        targets.iter().map(query).collect()
    }

    /// The variables that are filled by a query, `label_values(SELECTOR, LABEL)`: name, selector and label.
    pub fn variables(&self) -> Vec<(String, String, String)> {
        let variables = array(&self.json["templating"]["list"]).into_iter().filter(|v| v["type"] == "query");
        let read = |variable: Value| {
            let query = text(&variable["query"]["query"]).to_owned();
            let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inner.and_then(|inner| inner.rsplit_once(", ")).expect("label_values of two");
            assert!(variable["includeAll"] == true && variable["allValue"] == ".*", "{query}: all can be chosen");
            (text(&variable["name"]).to_owned(), selector.to_owned(), label.to_owned())
        };
        variables.map(read).collect()
    }

    /// An expression with what Grafana puts in for variables when all is chosen.
    pub fn filled(&self, expression: &str) -> String {
        let mut values = BTreeMap::from([("$__rate_interval".to_owned(), "1m"), ("$__range".to_owned(), "1h")]);
        values.extend(self.variables().into_iter().map(|(name, ..)| (format!("${name}"), ".*")));
        let mut filled = expression.to_owned();
        // The longest first: one name may begin with another.
        let mut names: Vec<_> = values.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        for name in names {
            filled = filled.replace(name, values[name]);
        }
        assert!(!filled.contains('$'), "{}: no such variable in {expression}", self.path);
        filled
    }
}
