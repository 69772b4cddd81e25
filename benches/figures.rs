//! What dashboards ask, beside the same answers computed from the executions by the database itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use serde_json::{Value, json};

use crate::executions::{Execution, anywhere};
use crate::ingest::{BATCH, send};
use crate::report::{Must, digits, line};
use crate::site::{Site, Way, batch};
use crate::support::Backend;
use crate::{Arguments, cost, raw};

/// How many bodies are made before they are sent.
const BODIES: usize = 100;
/// The series of the executions that fill the database.
const SERIES: &str = "fill";

const FIGURES: &str = "runs adoption { known { numerator denominator } } errorRate { numerator denominator }
    completionTime { n p50 { value } p95 { value } }";

/// A question, here and to the database.
struct Question {
    name: &'static str,
    days: i64,
    /// Of the busy SOP, or of all.
    busy: bool,
    arguments: &'static str,
    /// By what the database groups.
    by: By,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Nothing,
    Day,
    Sop,
}

const QUESTIONS: [Question; 4] = [
    Question { name: "a year of one SOP", days: 365, busy: true, arguments: "", by: By::Nothing },
    Question { name: "a year, by SOP", days: 365, busy: false, arguments: "groupBy: [SOP], ", by: By::Sop },
    Question { name: "90 days of one SOP, by day", days: 90, busy: true, arguments: "bucket: DAY, ", by: By::Day },
    Question { name: "90 days of all SOPs, by day", days: 90, busy: false, arguments: "bucket: DAY, ", by: By::Day },
];

/// What asking cost: time and CPU time of one request, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    median: f64,
    cpu: f64,
}

pub async fn measure(site: &mut Site, arguments: &Arguments) {
    let asking = Duration::from_secs(arguments.seconds);
    let (mut filled, mut before): (u64, Option<Vec<Cost>>) = (0, None);
    for count in &arguments.executions {
        fill(site, filled, *count).await;
        filled = *count;
        let mut costs = Vec::new();
        for question in &QUESTIONS {
            let (here, answer) = ask(site, question, asking).await;
            let (beside, told) = ask_database(site, question, asking).await;
            assert_eq!(groups(&answer), told, "{}: as many groups", question.name);
            let what = format!("{}, {count} executions: time", question.name);
            line(&what, &ms(here.median), &ms(beside.median), here.median / beside.median, Must::Nothing);
            let must = match question.by {
                By::Day if question.busy => Must::AtMost(1.0 / 20.0),
                By::Day => Must::AtMost(1.0 / 40.0),
                _ => Must::Nothing,
            };
            let what = format!("{}, {count} executions: CPU", question.name);
            line(&what, &ms(here.cpu), &ms(beside.cpu), here.cpu / beside.cpu, must);
            costs.push(here);
        }
        let bounds = [(0, 10.0), (1, 250.0)];
        for (question, most) in bounds {
            let (name, took) = (QUESTIONS[question].name, costs[question].median);
            line(&format!("{name}, {count} executions"), &ms(took), &ms(most), took / most, Must::AtMost(1.0));
        }
        if let Some(before) = before {
            let (now, then) = (costs[0].median, before[0].median);
            line("a year of one SOP, beside the fewer", &ms(now), &ms(then), now / then, Must::AtMost(1.2));
        }
        before = Some(costs);
        scrape(site, *count, asking).await;
    }
}

fn ms(value: f64) -> String {
    format!("{} ms", digits(value))
}

/// Sends the executions from one number to another: the first in no order, so that those of an SOP do not lie side by side
/// on disk, where SQL would find them for less; further ones in the order in which they began, as they come day by day.
async fn fill(site: &Site, from: u64, to: u64) {
    let (mut sent, mut seconds, began) = (from, 0.0, Instant::now());
    while sent < to {
        let mut bodies = Vec::new();
        while bodies.len() < BODIES && sent < to {
            let next = to.min(sent + BATCH as u64);
            let at = |n| if from == 0 { anywhere(n) } else { ((n - from) as f64 + anywhere(n)) / (to - from) as f64 };
            let chunk: Vec<_> = (sent..next).map(|n| Execution::new(n, at(n), site.sops, site.now)).collect();
            bodies.push((batch(Way::Lines, SERIES, &chunk), chunk.len()));
            sent = next;
        }
        seconds += send(site, Way::Lines, bodies).await;
    }
    site.compacted().await;
    let rate = (to - from) as f64 / seconds;
    let server = site.work().server;
    println!(
        "| {from} to {to} executions, in batches of {BATCH} | {} per second; {:.0} s until compacted | | | | |",
        digits(rate),
        began.elapsed().as_secs_f64()
    );
    let peak = cost::peak_megabytes(server);
    line("the service's peak memory", &format!("{peak:.0} MB"), "300 MB", peak / 300.0, Must::AtMost(1.0));
    if site.world.backend == Backend::Postgres {
        site.world.execute("VACUUM ANALYZE").await;
    } else {
        site.world.execute("ANALYZE").await;
    }
}

/// The time asked for: whole days.
fn range(site: &Site, days: i64) -> (DateTime<Utc>, DateTime<Utc>) {
    let end = site.now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    (end - TimeDelta::days(days), end)
}

async fn ask(site: &Site, question: &Question, asking: Duration) -> (Cost, Value) {
    let (from, to) = range(site, question.days);
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut filter = json!({"from": time(from), "to": time(to)});
    if question.busy {
        filter["sopId"] = json!(site.busy);
    }
    let query =
        format!("query($filter: FiguresFilter) {{ figures({}filter: $filter) {{ {FIGURES} }} }}", question.arguments);
    let mut answer = Value::Null;
    let cost = repeat(
        asking,
        || site.work().cpu(),
        async || {
            answer = site.manager.ok(&query, json!({"filter": filter})).await;
        },
    )
    .await;
    (cost, answer)
}

fn groups(answer: &Value) -> usize {
    answer["figures"].as_array().map_or(0, Vec::len)
}

/// Does something again and again for so long. It is done once before, so that what is kept in memory is.
async fn repeat(asking: Duration, cpu: impl Fn() -> f64, mut once: impl AsyncFnMut()) -> Cost {
    once().await;
    let (began, before, mut took) = (Instant::now(), cpu(), Vec::new());
    while took.len() < 3 || began.elapsed() < asking {
        let started = Instant::now();
        once().await;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let cpu = (cpu() - before) * 1e3 / took.len() as f64;
    took.sort_by(f64::total_cmp);
    Cost { median: took[took.len() / 2], cpu }
}

/// The same from the executions.
async fn ask_database(site: &Site, question: &Question, asking: Duration) -> (Cost, usize) {
    let (from, to) = range(site, question.days);
    let (from, to) = (from.timestamp_micros(), to.timestamp_micros());
    let condition = match (question.busy, site.world.backend) {
        (false, _) => String::new(),
        (true, Backend::Sqlite) => format!("AND sop_id = X'{}'", hex(&site.busy)),
        (true, Backend::Postgres) => format!("AND sop_id = '{}'", hex(&site.busy)),
    };
    let by = match question.by {
        By::Nothing => "0",
        By::Day => "started_at / 86400000000",
        By::Sop => "sop_id",
    };
    let of = format!("execution WHERE started_at >= {from} AND started_at < {to} {condition}");
    let sql: String = match site.world.backend {
        Backend::Postgres => format!(
            "SELECT {by}, count(*), avg((errors > 0)::int)::float8, avg((adherence = 'FOLLOWED')::int)::float8,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY finished_at - started_at),
             percentile_cont(0.95) WITHIN GROUP (ORDER BY finished_at - started_at) FROM {of} GROUP BY 1 ORDER BY 1"
        ),
        // It has no percentiles: the nearest ranks, of rows numbered in their order.
        Backend::Sqlite => format!(
            "WITH numbered AS (SELECT {by} AS part, errors, adherence, finished_at - started_at AS took,
               row_number() OVER (PARTITION BY {by} ORDER BY finished_at - started_at) AS rank,
               count(*) OVER (PARTITION BY {by}) AS n FROM {of})
             SELECT part, count(*), avg(errors > 0), avg(adherence = 'FOLLOWED'),
               max(took) FILTER (WHERE rank = (n * 50 + 99) / 100), max(took) FILTER (WHERE rank = (n * 95 + 99) / 100)
             FROM numbered GROUP BY part ORDER BY part"
        ),
    };
    let mut rows = 0;
    let cpu = || site.database_cpu();
    let cost = match site.world.backend {
        Backend::Postgres => {
            let mut connection = PgConnection::connect(site.world.db.url()).await.unwrap();
            let sql: Arc<str> = sql.into();
            repeat(asking, cpu, async || {
                rows = connection.fetch_all(AssertSqlSafe(Arc::clone(&sql))).await.unwrap().len();
            })
            .await
        }
        Backend::Sqlite => {
            let connection = rusqlite::Connection::open(raw::file(site.world.db.url())).unwrap();
            let mut select = connection.prepare(&sql).unwrap();
            repeat(asking, cpu, async || rows = select.query_map([], |_| Ok(())).unwrap().count()).await
        }
    };
    (cost, rows)
}

/// An id of the API as the database has it.
fn hex(id: &str) -> &str {
    id.split_once('_').unwrap().1
}

async fn scrape(site: &Site, count: u64, asking: Duration) {
    let raw = site.world.raw();
    let cost = repeat(
        asking,
        || site.work().cpu(),
        async || {
            let answer =
                raw.http.get(raw.url("/metrics/domain")).bearer_auth(&site.manager.token).send().await.unwrap();
            assert!(answer.status().is_success(), "{}", answer.status());
            answer.text().await.unwrap();
        },
    )
    .await;
    let what = format!("a scrape of /metrics/domain, {} SOPs, {count} executions: time; CPU", site.sops);
    line(&what, &ms(cost.median), &ms(cost.cpu), cost.median / cost.cpu, Must::Nothing);
}
