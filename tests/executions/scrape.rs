//! What Prometheus reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Reporter, from_now};
use crate::dashboard::Visitor;
use crate::story::{draft, place, process, published, submit};
use crate::support::{Backend, Response, World, both, installed, respond};

const TOKEN: &str = "a token for the metrics of the domain";

/// A page, perhaps with a token.
pub async fn page(world: &World, path: &str, token: Option<&str>) -> Response {
    let raw = world.raw();
    let request = raw.http.get(raw.url(path));
    respond(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

/// Series with their values, labels in the order of their names.
pub fn series(page: &Response) -> BTreeMap<String, f64> {
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = page.body.as_str().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

fn expect(series: &BTreeMap<String, f64>, wanted: &[(&str, f64)]) {
    for (name, value) in wanted {
        let found = series.get(*name).unwrap_or_else(|| panic!("no series {name} in {series:#?}"));
        // Percentiles come from a histogram.
        let margin = if name.contains("quantile") { value * 0.006 } else { 1e-6 };
        assert!((found - value).abs() < margin, "{name} is {found}, not {value}");
    }
}

/// What Prometheus' own tool says of a page; said when the tool is not there.
fn lint(name: &str, page: &Response) {
    if !installed("promtool") {
        return;
    }
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(page.body.as_str().unwrap().as_bytes()).unwrap();
    let done = tool.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{name}: promtool: {said}");
}

/// Runs of now: three followed, one not, of which one failed; a minute, two, three and four long.
fn now(sop: &str) -> Vec<Value> {
    let run = |n: i64| {
        json!({
            "eventId": format!("e{n}"), "runId": format!("r{n}"), "sop": sop, "startedAt": from_now(-3600),
            "finishedAt": from_now(-3600 + 60 * n), "outcome": if n == 4 { "FAILED" } else { "SUCCEEDED" },
            "adherence": if n == 3 { "NOT_FOLLOWED" } else { "FOLLOWED" },
            "violations": if n == 3 { json!([{"kind": "SLA", "severity": "MAJOR"}]) } else { json!([]) },
        })
    };
    (1..=4).map(run).collect()
}

both! {
    async fn metrics_of_the_process_count_what_was_ingested(world: World) {
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        // Made once: made again a second later they would be others.
        let runs = now(&sop);
        reporter.create("LIVE", &runs).await;
        reporter.send("LIVE", &runs[..2]).await;
        reporter.send("BACKFILL", &[json!({"eventId": "x", "runId": "x", "process": "nothing"})]).await;
        reporter.send("PRACTICE", &[json!({"eventId": "p", "runId": "p", "sop": sop, "outcome": "FAILED"})]).await;
        let page = page(&world, "/metrics", None).await;
        let series = series(&page);
        expect(&series, &[
            (r#"sop_ingest_records_total{mode="LIVE",result="CREATED"}"#, 4.0),
            (r#"sop_ingest_records_total{mode="LIVE",result="DUPLICATE"}"#, 2.0),
            (r#"sop_ingest_records_total{mode="BACKFILL",result="REJECTED"}"#, 1.0),
            (r#"sop_ingest_records_total{mode="PRACTICE",result="CREATED"}"#, 1.0),
            (r#"sop_ingest_records_total{mode="LIVE",result="CONFLICT"}"#, 0.0),
            (r#"sop_executions_total{adherence="FOLLOWED",outcome="SUCCEEDED"}"#, 2.0),
            (r#"sop_executions_total{adherence="NOT_FOLLOWED",outcome="SUCCEEDED"}"#, 1.0),
            (r#"sop_executions_total{adherence="FOLLOWED",outcome="FAILED"}"#, 1.0),
            (r#"sop_executions_total{adherence="UNKNOWN",outcome="FAILED"}"#, 0.0),
            (r#"sop_compliance_violations_total{severity="MAJOR"}"#, 1.0),
            (r#"sop_execution_duration_seconds_sum{outcome="SUCCEEDED"}"#, 360.0),
            (r#"sop_execution_duration_seconds_count{outcome="FAILED"}"#, 1.0),
            (r#"sop_graphql_operations_total{operation="executionsRecord",type="mutation"}"#, 4.0),
            (r#"sop_approval_duration_seconds_count{decision="APPROVE"}"#, 2.0),
        ]);
        assert!(series["sop_db_pool_acquire_duration_seconds_count"] > 10.0, "every statement takes a connection");
        lint("/metrics", &page);
    }

    async fn sops_beyond_the_most_used_share_a_series(world: World) {
        let mut world = world;
        world.restart_with(&[("SOPWITH_METRICS_TOKEN", TOKEN)]).await;
        let place = place(&world).await;
        let sop = published(&place, "Reset a password").await.code;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("LIVE", &now(&sop)).await;
        while world.query_i64("SELECT COUNT(*) FROM rollup_delta").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // As many runs of each of 2,499 others, past the API.
        let id = |n: &str| match world.backend {
            Backend::Sqlite => format!("unhex(printf('%032x', {n}))"),
            Backend::Postgres => format!("CAST(lpad(to_hex({n}), 32, '0') AS uuid)"),
        };
        let (each, of) = ("WITH RECURSIVE each (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM each WHERE n < 2499)", id("n"));
        let columns = "title, process_id, team_id, owner_id, risk, review_cadence_months, was_published, revision, created_at, updated_at";
        world.execute(&format!("INSERT INTO sop (id, code, state, {columns}) {each} SELECT {of}, 'OLD-' || n, 'RETIRED', {columns} FROM each CROSS JOIN sop")).await;
        for (scope, series) in [("VERSION", id("n")), ("KEY", id("n + 10000"))] {
            world.execute(&format!("INSERT INTO rollup_series (id, scope, process_id, sop_id) {each} SELECT {series}, '{scope}', (SELECT id FROM process LIMIT 1), {of} FROM each")).await;
            world.execute(&format!("INSERT INTO rollup (series_id, grain, start_at, tally, completed, abandoned) {each} SELECT {series}, grain, start_at, tally, completed, abandoned \
                FROM each CROSS JOIN rollup WHERE series_id IN (SELECT s.id FROM rollup_series s JOIN sop ON sop.id = s.sop_id WHERE scope = '{scope}' AND code = '{sop}')")).await;
        }
        // One more makes it the most used.
        reporter.create("LIVE", &[json!({"eventId": "more", "runId": "more", "sop": sop, "adherence": "FOLLOWED", "startedAt": from_now(-60)})]).await;

        let page = page(&world, "/metrics/domain", Some(TOKEN)).await;
        let series = series(&page);
        let followed = |of: &str| format!(r#"sop_procedure_executions{{sop="{of}",window="30d",adherence="FOLLOWED"}}"#);
        expect(&series, &[(&followed(&sop), 4.0), (&followed("OLD-1"), 3.0), (&followed("other"), 3.0 * 2_300.0),
            (r#"sop_procedure_error_runs{sop="other",window="30d"}"#, 2_300.0)]);
        for (name, many) in [("sop_procedure_executions", 4 * 201), ("sop_procedure_error_runs", 201), ("sop_procedure_info", 200)] {
            assert_eq!(series.keys().filter(|key| key.starts_with(&format!("{name}{{"))).count(), many, "{name}");
        }
        lint("/metrics/domain", &page);
        // Nor are they too many for whoever looks at the overview.
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        let overview = visitor.get("/dashboard").await;
        assert_eq!(overview.status, 200);
        assert!(overview.body.as_str().unwrap().contains("The first 100 of 2500"));
    }

    async fn metrics_of_the_domain_need_their_token_and_are_right(world: World) {
        let mut world = world;
        assert_eq!(page(&world, "/metrics/domain", Some(TOKEN)).await.status, 401, "closed without a configured token");
        world.restart_with(&[("SOPWITH_METRICS_TOKEN", TOKEN)]).await;
        let place = place(&world).await;
        let made = published(&place, "Reset a password").await;
        let waiting = process(&place.author, &json!(place.team), "restore").await;
        submit(&place.author, &draft(&place, &place.author, &waiting, "Restore a backup").await).await;
        let unwritten = process(&place.author, &json!(place.team), "unwritten").await;
        draft(&place, &place.author, &unwritten, "Not ready").await;
        let reporter = Reporter::new(&world, "tickets");
        reporter.create("LIVE", &now(&made.code)).await;
        // Neither of these is in the window, or counts.
        let old = json!({"eventId": "old", "runId": "old", "sop": made.code, "startedAt": from_now(-31 * 86_400), "errors": 1, "adherence": "DEVIATED"});
        reporter.create("BACKFILL", &[old]).await;
        let training = json!({"eventId": "p", "runId": "p", "sop": made.code, "startedAt": from_now(-60), "adherence": "DEVIATED"});
        reporter.create("PRACTICE", &[training]).await;

        for wrong in [None, Some("another token"), Some(place.admin.token.as_str())] {
            assert_eq!(page(&world, "/metrics/domain", wrong).await.status, 401);
        }
        let page = page(&world, "/metrics/domain", Some(TOKEN)).await;
        let series = series(&page);
        expect(&series, &[
            (r#"sop_procedures{state="PUBLISHED"}"#, 1.0),
            (r#"sop_procedures{state="IN_REVIEW"}"#, 1.0),
            (r#"sop_procedures{state="DRAFT"}"#, 1.0),
            (r#"sop_procedures{state="RETIRED"}"#, 0.0),
            ("sop_approvals_pending", 1.0),
            (r#"sop_adoption_executions{window="30d",adherence="FOLLOWED"}"#, 3.0),
            (r#"sop_adoption_executions{window="30d",adherence="NOT_FOLLOWED"}"#, 1.0),
            (r#"sop_adoption_executions{window="30d",adherence="DEVIATED"}"#, 0.0),
            (r#"sop_error_runs{window="30d"}"#, 1.0),
            (r#"sop_completion_time_seconds{quantile="0.5"}"#, 120.0),
            (r#"sop_completion_time_seconds{quantile="0.9"}"#, 240.0),
            ("sop_completion_time_seconds_sum", 600.0),
            ("sop_completion_time_seconds_count", 4.0),
            (r#"sop_procedure_executions{sop="OPS-0001",window="30d",adherence="FOLLOWED"}"#, 3.0),
        ]);
        lint("/metrics/domain", &page);
    }
}
