//! A real Prometheus with the configuration that is shipped scrapes a real server. Every expression must work there, and
//! every panel must have something to show.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::board::Board;
use super::{RULES, array, folder, read, rules, selectors, text, work, yaml};
use crate::story::place;
use crate::support::{Backend, KeyServer, Prometheus, World, installed, run};

const TOKEN: &str = "a token for the metrics of the domain";
/// How long Prometheus may take to scrape and to evaluate.
const SOON: Duration = Duration::from_mins(2);
/// Panels that may well show zero, since nothing of it happens here, or not for long enough: all others must show more
/// than that somewhere.
const QUIET: [&str; 7] = [
    "In flight A",
    "Mail A",
    "Mail about decisions and comments A",
    "Errors of executionsRecord A",
    "Processor A",
    "Deltas that wait A",
    "Executions by which figures differ A",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_and_dashboards_work_on_a_real_prometheus() {
    if installed("prometheus") {
        run(Backend::Sqlite, scraped).await;
    }
}

async fn scraped(world: World) {
    let mut world = world;
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "use": "sig", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let keys = KeyServer::start(vec![key]);
    world
        .restart_with(&[
            ("SOPWITH_METRICS_TOKEN", TOKEN),
            ("SOPWITH_AUTH__JWKS_URL", &keys.url()),
            ("SOPWITH_AUTH__JWKS_REFRESH_INTERVAL_SECONDS", "1"),
        ])
        .await;
    let here = tempfile::tempdir().unwrap();
    settle(here.path(), world.server.base_url());
    let prometheus = Prometheus::start(here.path()).await;

    // Before anything is counted, and after each round: a counter's first value is no increase.
    scrape(&prometheus).await;
    let place = place(&world).await;
    let sop = work::begin(&world, &place).await;
    for round in 0..2 {
        work::round(&world, &place, &sop, round).await;
        scrape(&prometheus).await;
    }

    let start = Instant::now();
    loop {
        let mut missing = unrecorded(&prometheus).await;
        missing.extend(empty_panels(&prometheus).await);
        if missing.is_empty() {
            break;
        }
        assert!(start.elapsed() < SOON, "without data after {SOON:?}: {missing:#?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_rules(&prometheus).await;
    assert_variables(&prometheus).await;
    assert_figures(&prometheus).await;
}

/// The configuration that is shipped, with the address and the token of the server under test, and in a hurry.
fn settle(here: &Path, base_url: &str) {
    let mut settings = yaml("prometheus.yml");
    let hurry = json!("2s");
    settings["global"] = json!({"scrape_interval": hurry, "evaluation_interval": "1s"});
    for scrape in settings["scrape_configs"].as_array_mut().unwrap() {
        let address = base_url.strip_prefix("http://").unwrap();
        scrape["static_configs"][0]["targets"] = json!([address]);
        for setting in ["scrape_interval", "scrape_timeout"] {
            if let Some(value) = scrape.get_mut(setting) {
                *value = hurry.clone();
            }
        }
    }
    fs::create_dir(here.join("rules")).unwrap();
    for path in RULES {
        fs::write(here.join(path), read(path)).unwrap();
    }
    fs::write(here.join("metrics-token"), TOKEN).unwrap();
    // JSON is YAML.
    fs::write(here.join("prometheus.yml"), settings.to_string()).unwrap();
    assert!(folder().join("rules/tests").is_dir() && !here.join("rules/tests").exists());
}

/// Waits until both pages were scraped after now.
async fn scrape(prometheus: &Prometheus) {
    let start = Instant::now();
    let from = prometheus.query("vector(time())").await[0].1;
    loop {
        // A scrape is stamped when it begins. Of anything but a bare selector this would be the time of the question.
        let up = prometheus.query("timestamp(up) and up == 1").await;
        if up.len() == 2 && up.iter().all(|(_, at)| *at > from) {
            return;
        }
        assert!(start.elapsed() < SOON, "not scraped after {SOON:?}: {up:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Recorded series that have no value yet.
async fn unrecorded(prometheus: &Prometheus) -> Vec<String> {
    let mut missing = Vec::new();
    for rule in rules() {
        let Some(name) = rule["record"].as_str() else { continue };
        if !prometheus.query(name).await.iter().any(|(_, value)| value.is_finite()) {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// Queries of panels that have nothing to show yet.
async fn empty_panels(prometheus: &Prometheus) -> Vec<String> {
    let mut missing = Vec::new();
    for board in Board::all() {
        for query in board.queries() {
            let expression = board.filled(&query.expression);
            let values = if query.range {
                prometheus.query_range(&expression).await
            } else {
                prometheus.query(&expression).await.into_iter().map(|(_, value)| value).collect()
            };
            let quiet = QUIET.iter().any(|panel| query.place.ends_with(&format!(": {panel}")));
            if !values.iter().any(|value| value.is_finite() && (quiet || *value > 0.0)) {
                missing.push(format!("{}: {expression}", query.place));
            }
        }
    }
    missing
}

/// Prometheus itself is content with every rule, each expression answers, and everything that one reads is there: an
/// alert on what does not exist would never fire, and nobody would notice.
async fn assert_rules(prometheus: &Prometheus) {
    let groups = array(&prometheus.get("rules", &[]).await["groups"]);
    let loaded: Vec<_> = groups.iter().flat_map(|group| array(&group["rules"])).collect();
    assert_eq!(loaded.len(), rules().len());
    let unwell: Vec<_> = loaded.iter().filter(|rule| rule["health"] != "ok").collect();
    assert!(unwell.is_empty(), "{unwell:#?}");
    for rule in rules() {
        let expression = text(&rule["expr"]);
        prometheus.query(expression).await;
        let read = selectors(expression);
        assert!(!read.is_empty(), "{expression} reads nothing");
        for selector in read {
            let found = prometheus.get("series", &[("match[]", &selector)]).await;
            assert!(!array(&found).is_empty(), "{} {}: no series {selector}", rule["record"], rule["alert"]);
        }
    }
}

/// The variables of the dashboards have something to choose from.
async fn assert_variables(prometheus: &Prometheus) {
    for board in Board::all() {
        for (name, selector, label) in board.variables() {
            let selector = board.filled(&selector);
            let found = prometheus.get("series", &[("match[]", &selector)]).await;
            let values = array(&found).iter().filter(|series| series[&label].is_string()).count();
            assert!(values > 0, "{}: nothing to choose for {name}", board.path);
        }
    }
}

/// What the rules make of it is what was done.
async fn assert_figures(prometheus: &Prometheus) {
    for (expression, wanted) in [
        ("job:sop_adoption:ratio_30d", 0.75),
        ("job:sop_adoption_worst_case:ratio_30d", 0.625),
        (r#"sop:sop_adoption:ratio_30d{sop="OPS-0001"}"#, 0.75),
        ("job:sop_error_runs_per_run:ratio_30d", 0.25),
        (r#"sop_approvals_pending{job="sopwith-domain"}"#, 1.0),
        ("sum(sop_approval_duration_seconds_count)", 3.0),
        (r#"sop_graphql_operation_errors_total{code="INTERNAL",operation="policies"}"#, 2.0),
        (r#"sum(sop_ingest_records_total{result="CONFLICT"})"#, 2.0),
    ] {
        let found = prometheus.query(expression).await;
        assert!(matches!(&found[..], [(_, value)] if (value - wanted).abs() < 1e-9), "{expression}: {found:?}");
    }
    let firing: Vec<Value> = prometheus.query("ALERTS{alertstate=\"firing\"}").await.into_iter().map(|a| a.0).collect();
    assert!(firing.iter().all(|alert| alert["alertname"] != "SopwithDown"), "{firing:?}");
}
