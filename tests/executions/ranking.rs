//! Rankings against a second computation: which groups come first by a figure, of how many runs that is made, and what
//! becomes of those that do not have it.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Reporter, everyone};
use crate::story::{Place, draft, place, process, publish, text};
use crate::support::{Client, World, both};

const RANKED: &str = "query($by: [FiguresDimension!], $order: FiguresOrder, $first: Int, $bucket: TimeBucket) {
    figures(groupBy: $by, orderBy: $order, first: $first, bucket: $bucket) {
        process { key } sop { code } runs errorRate { numerator denominator value } } }";

/// A process with runs: so many finished with an error, finished without, and open.
struct Known {
    key: String,
    wrong: i64,
    well: i64,
    open: i64,
}

impl Known {
    fn finished(&self) -> i64 {
        self.wrong + self.well
    }

    fn runs(&self) -> i64 {
        self.finished() + self.open
    }

    fn items(&self) -> Vec<Value> {
        let item = |n: i64| {
            let name = format!("{}-{n}", self.key);
            let mut item =
                json!({"eventId": name, "runId": name, "process": self.key, "startedAt": "2024-05-01T10:00:00Z"});
            if n < self.finished() {
                item["finishedAt"] = json!("2024-05-01T10:05:00Z");
                item["errors"] = json!(i64::from(n < self.wrong));
            }
            item
        };
        (0..self.runs()).map(item).collect()
    }
}

/// Which comes first by the error rate: fractions are compared whole, without dividing.
fn by_error_rate(a: &Known, b: &Known, descending: bool) -> Ordering {
    match (a.finished(), b.finished()) {
        (0, 0) => Ordering::Equal,
        (0, _) => Ordering::Greater,
        (_, 0) => Ordering::Less,
        (of_a, of_b) => {
            let ascending = (a.wrong * of_b).cmp(&(b.wrong * of_a));
            if descending { ascending.reverse() } else { ascending }
        }
    }
}

/// Processes in the order in which they were made, which is that of their ids.
async fn known(place: &Place) -> Vec<Known> {
    let counts = [
        (3, 7, 0),
        (1, 0, 0),  // the worst of all, by one run
        (6, 14, 0), // as the first, of more runs
        (0, 9, 30),
        (0, 0, 12), // none has finished
        (5, 0, 1),
        (2, 98, 0),
        (3, 7, 0), // as the first in everything
        (9, 1, 2),
        (4, 6, 0),
        (0, 0, 40),
        (1, 4, 0),
        (8, 12, 3),
        (7, 8, 0),
        (10, 20, 0),
    ];
    let mut all = Vec::new();
    for (n, (wrong, well, open)) in counts.into_iter().enumerate() {
        let key = format!("work-{n}");
        process(&place.author, &json!(place.team), &key).await;
        all.push(Known { key, wrong, well, open });
    }
    all
}

async fn ranked(who: &Client, order: Value, first: Option<i64>) -> Vec<(String, i64, i64)> {
    let seen = who.ok(RANKED, json!({"by": ["PROCESS"], "order": order, "first": first})).await;
    let row = |row: &Value| {
        let rate = &row["errorRate"];
        (text(&row["process"]["key"]), rate["numerator"].as_i64().unwrap(), rate["denominator"].as_i64().unwrap())
    };
    seen["figures"].as_array().unwrap().iter().map(row).collect()
}

fn expected(known: &[Known], descending: bool, minimum: i64, first: usize) -> Vec<(String, i64, i64)> {
    let mut left: Vec<&Known> = known.iter().filter(|k| k.finished() >= minimum).collect();
    // A stable sort: what is equal in everything stays in the order of ids.
    left.sort_by(|a, b| by_error_rate(a, b, descending).then(b.runs().cmp(&a.runs())));
    left.into_iter().take(first).map(|k| (k.key.clone(), k.wrong, k.finished())).collect()
}

both! {
    async fn the_ten_worst_by_error_rate_with_at_least_so_many_runs(world: World) {
        let place = place(&world).await;
        let known = known(&place).await;
        let reporter = Reporter::new(&world, "tickets");
        for process in &known {
            reporter.create("BACKFILL", &process.items()).await;
        }
        let who = everyone(&world);
        for (minimum, first) in [(10, 10), (5, 10), (0, 100), (1, 3), (1000, 10)] {
            for (direction, descending) in [("DESC", true), ("ASC", false)] {
                let order = json!({"field": "ERROR_RATE", "direction": direction, "minimumRuns": minimum});
                let found = ranked(&who, order, Some(i64::try_from(first).unwrap())).await;
                assert_eq!(found, expected(&known, descending, minimum, first), "{direction}, {minimum}, {first}");
            }
        }
        // The worst first, all of them, unless told otherwise.
        assert_eq!(ranked(&who, json!({"field": "ERROR_RATE"}), None).await, expected(&known, true, 0, 100));
        let by_runs = ranked(&who, json!({"field": "RUNS"}), Some(2)).await;
        assert_eq!(by_runs.iter().map(|(key, ..)| key.as_str()).collect::<Vec<_>>(), ["work-6", "work-10"]);
        // Without an order the first so many by their ids.
        let plain = who.ok(RANKED, json!({"by": ["PROCESS"], "first": 2})).await;
        assert_eq!(json!([plain["figures"][0]["process"]["key"], plain["figures"][1]["process"]["key"], plain["figures"][2]]),
            json!(["work-0", "work-1", null]));
    }

    async fn sops_are_ranked_too_and_bad_orders_refused(world: World) {
        let place = place(&world).await;
        let reporter = Reporter::new(&world, "tickets");
        let mut codes = Vec::new();
        for (n, wrong) in [2, 5, 1].into_iter().enumerate() {
            let process = process(&place.author, &json!(place.team), &format!("way-{n}")).await;
            let made = draft(&place, &place.author, &process, &format!("Way {n}")).await;
            publish(&place, &place.author, &made).await;
            let item = |i: i64| {
                let name = format!("{n}-{i}");
                json!({"eventId": name, "runId": name, "sop": made.code, "finishedAt": "2024-05-01T10:05:00Z",
                    "outcome": if i < wrong { "FAILED" } else { "SUCCEEDED" }})
            };
            reporter.create("BACKFILL", &(0..6).map(item).collect::<Vec<_>>()).await;
            codes.push(made.code);
        }
        let order = json!({"field": "ERROR_RATE", "minimumRuns": 6});
        let seen = place.manager.ok(RANKED, json!({"by": ["SOP"], "order": order, "first": 2})).await;
        let found: Vec<&Value> = seen["figures"].as_array().unwrap().iter().map(|row| &row["sop"]["code"]).collect();
        assert_eq!(found, [&json!(codes[1]), &json!(codes[0])]);
        for (variables, path) in [
            (json!({"first": 0}), "first"),
            (json!({"first": 101}), "first"),
            (json!({"first": -1}), "first"),
            (json!({"order": {"field": "RUNS", "minimumRuns": -1}}), "orderBy.minimumRuns"),
        ] {
            let answer = place.manager.send(RANKED, variables).await.body;
            let error = &answer["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
            assert!(error.to_string().contains(path), "{answer}");
        }
    }

    async fn more_groups_than_are_answered_can_be_ranked(world: World) {
        let place = place(&world).await;
        let start = chrono::DateTime::parse_from_rfc3339("2024-01-01T00:30:00Z").unwrap();
        let item = |n: i64| {
            let name = format!("r{n}");
            let at = start + chrono::Duration::hours(n);
            // One hour of many is the worst, and it is among the last.
            json!({"eventId": name, "runId": name, "process": "password-reset", "startedAt": at.to_rfc3339(),
                "finishedAt": at.to_rfc3339(), "errors": i64::from(n == 2050)})
        };
        Reporter::new(&world, "tickets").create("BACKFILL", &(0..2100).map(item).collect::<Vec<_>>()).await;
        let query = "query($order: FiguresOrder, $first: Int) { figures(bucket: HOUR, orderBy: $order, first: $first,
                filter: {from: \"2024-01-01T00:00:00Z\", to: \"2024-04-02T00:00:00Z\"}) {
            bucketStart errorRate { numerator } } }";
        let order = json!({"field": "ERROR_RATE"});
        let seen = place.manager.ok(query, json!({"order": order, "first": 1})).await;
        let worst = (start + chrono::Duration::hours(2050) - chrono::Duration::minutes(30)).to_utc();
        let expected = json!([{"bucketStart": worst.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "errorRate": {"numerator": 1}}]);
        assert_eq!(seen["figures"], expected);
        assert_eq!(place.manager.error_code(query, json!({"order": order})).await, "BAD_USER_INPUT", "not all of them");
    }
}
