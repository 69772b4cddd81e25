//! Figures against a second computation, which shares nothing with the service's.

mod runs;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use serde_json::{Value, json};

use self::runs::{Run, Work, runs};
use super::{Reporter, compacted, everyone};
use crate::story::{CREATE_TEAM, Draft, Place, content, draft, place, process, publish, published, published_next};
use crate::support::{Client, Dice, World, both};

const FIELDS: &str = "process { key } sop { code } version { id } team { key } bucketStart runs
    adoption { followed deviated notFollowed unknown known { numerator denominator value interval { low high } }
        worstCase { numerator denominator } }
    completionTime { n open mean meanInterval { low high } p50 { value low high } p90 { value } p95 { value }
        completedOnly { p50 { value low high } p90 { value } p95 { value } } }
    errorRate { numerator denominator } violations { events runs perThousand }
    violationsBySeverity { minor { events } major { events } critical { events } }
    firstTimeRight { numerator denominator } rework { numerator denominator } abandonment { numerator denominator }
    reportedVersion { numerator denominator } withoutStart
    customer: satisfaction(of: CUSTOMER) { satisfied { numerator denominator } mean meanInterval { low high } responses { numerator } }
    performer: satisfaction(of: PERFORMER) { satisfied { numerator denominator } responses { numerator } }";

/// The group of a run or of a row, in words.
fn group(dimensions: &[&str], bucket: Option<&str>, of: impl Fn(&str) -> Option<String>) -> String {
    let names = dimensions.iter().copied().chain(bucket);
    names.map(|name| [name, "=", &of(name).unwrap_or_default(), " "].concat()).collect()
}

/// The smallest value with at least so many percent of all at or below it, in microseconds.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (1..=sorted.len()).find(|rank| rank * 100 >= percent * sorted.len())?;
    sorted.get(rank - 1).copied()
}

fn expected(runs: &[Run]) -> Value {
    let count = |holds: &dyn Fn(&Run) -> bool| runs.iter().filter(|run| holds(run)).count();
    let says = |what: &str| count(&|run: &Run| run.adherence.unwrap_or("UNKNOWN") == what);
    let (followed, deviated, not, unknown) =
        (says("FOLLOWED"), says("DEVIATED"), says("NOT_FOLLOWED"), says("UNKNOWN"));
    let finished = count(&|run: &Run| run.finished.is_some());
    let failed = count(&|run| run.finished.is_some() && (run.errors.unwrap_or(0) > 0 || run.outcome == Some("FAILED")));
    let completed = runs.iter().filter(|run| run.outcome != Some("ABANDONED"));
    let mut took: Vec<i64> = completed.filter_map(|run| (run.finished? - run.started?).num_microseconds()).collect();
    took.sort_unstable();
    let right = count(&|run| {
        run.outcome == Some("SUCCEEDED") && run.errors.unwrap_or(0) == 0 && run.rework == 0 && run.violations == 0
    });
    let month = Duration::days(30);
    let late = count(&|run| match (run.started, run.finished) {
        (Some(started), Some(finished)) => finished - started > month && run.outcome != Some("ABANDONED"),
        // All that are open have been so for years.
        (_, finished) => finished.is_none(),
    });
    let abandoned = count(&|run| run.outcome == Some("ABANDONED"));
    let breaches =
        |severity: &str| -> i64 { runs.iter().filter(|run| run.severity == severity).map(|run| run.violations).sum() };
    let score = |of: &str, least: i64| count(&|run| run.satisfaction.is_some_and(|(s, by)| by == of && s >= least));
    json!({
        "runs": runs.len(),
        "adherence": [followed, deviated, not, unknown],
        "known": [followed, followed + deviated + not],
        "worst": [followed, runs.len()],
        "n": took.len(),
        "open": runs.len() - finished,
        "errors": [failed, finished],
        "right": [right, finished],
        "rework": [count(&|run| run.rework > 0), runs.len()],
        "abandonment": [abandoned + late, runs.len()],
        "reported": [count(&|run| run.version.is_some()), runs.len()],
        "without start": count(&|run| run.started.is_none()),
        "severities": [breaches("MINOR"), breaches("MAJOR"), breaches("CRITICAL")],
        "satisfied": [score("CUSTOMER", 4), score("CUSTOMER", 1), score("CUSTOMER", 1), score("PERFORMER", 4), score("PERFORMER", 1)],
        "violations": [runs.iter().map(|run| run.violations).sum::<i64>(), i64::try_from(runs.len()).unwrap()],
    })
}

fn told(row: &Value) -> Value {
    let (adoption, time) = (&row["adoption"], &row["completionTime"]);
    let ratio = |ratio: &Value| json!([ratio["numerator"], ratio["denominator"]]);
    let events = |severity: &str| &row["violationsBySeverity"][severity]["events"];
    let (customer, performer) = (&row["customer"], &row["performer"]);
    json!({
        "runs": row["runs"],
        "adherence": [adoption["followed"], adoption["deviated"], adoption["notFollowed"], adoption["unknown"]],
        "known": ratio(&adoption["known"]),
        "worst": ratio(&adoption["worstCase"]),
        "n": time["n"],
        "open": time["open"],
        "errors": ratio(&row["errorRate"]),
        "right": ratio(&row["firstTimeRight"]),
        "rework": ratio(&row["rework"]),
        "abandonment": ratio(&row["abandonment"]),
        "reported": ratio(&row["reportedVersion"]),
        "without start": row["withoutStart"],
        "severities": [events("minor"), events("major"), events("critical")],
        "satisfied": [
            customer["satisfied"]["numerator"], customer["satisfied"]["denominator"], customer["responses"]["numerator"],
            performer["satisfied"]["numerator"], performer["satisfied"]["denominator"],
        ],
        "violations": [row["violations"]["events"], row["violations"]["runs"]],
    })
}

/// Percentiles of the completed runs by nearest rank, and of all with those still open counted in.
fn times(runs: &[Run]) -> Vec<Option<i64>> {
    let took = |run: &Run| (run.finished? - run.started?).num_microseconds();
    let is_abandoned = |run: &&Run| run.outcome == Some("ABANDONED");
    let mut completed: Vec<i64> = runs.iter().filter(|run| !is_abandoned(run)).filter_map(took).collect();
    completed.sort_unstable();
    let abandoned: Vec<i64> = runs.iter().filter(is_abandoned).filter_map(took).collect();
    // Open for years, they are taken out of the reckoning at 30 days.
    let month = Duration::days(30).num_microseconds().unwrap();
    let open = runs.iter().filter(|run| run.finished.is_none()).count();
    let at = |times: &[i64], time: i64| times.iter().filter(|t| **t == time).count();
    // Aalen and Johansen, from their formula: the share left before each time, and of those the part completed in it.
    let (mut left, mut reached) = (1.0, 0.0);
    let mut curve = Vec::new();
    let mut moments: Vec<i64> = completed.iter().chain(&abandoned).copied().collect();
    moments.sort_unstable();
    moments.dedup();
    for time in moments {
        let gone = completed.iter().chain(&abandoned).filter(|t| **t < time).count();
        let out = if time > month { open } else { 0 };
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let [risk, done, ended] = [
            completed.len() + abandoned.len() + open - gone - out,
            at(&completed, time),
            at(&completed, time) + at(&abandoned, time),
        ]
        .map(|n| n as f64);
        reached += left * done / risk;
        left *= 1.0 - ended / risk;
        if done > 0.0 {
            curve.push((time, reached));
        }
    }
    let counted_in =
        |percent: f64| curve.iter().find(|(_, share)| *share >= percent / 100.0 - 1e-9).map(|(time, _)| *time);
    let ranked = [50, 90, 95].map(|percent| nearest_rank(&completed, percent));
    ranked.into_iter().chain([50.0, 90.0, 95.0].map(counted_in)).collect()
}

/// The same as the service says it.
fn told_times(row: &Value) -> Vec<Option<i64>> {
    let time = &row["completionTime"];
    let three = |of: &Value| ["p50", "p90", "p95"].map(|name| of[name]["value"].as_str().map(micros));
    three(&time["completedOnly"]).into_iter().chain(three(time)).collect()
}

/// That means are those of the runs, and that their intervals are as wide as these differ: of scores, of which the service
/// does not know how much they do, at least so wide.
#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn check_means(row: &Value, runs: &[Run]) {
    let completed = runs.iter().filter(|run| run.outcome != Some("ABANDONED"));
    let took = completed.filter_map(|run| (run.finished? - run.started?).num_microseconds());
    let took: Vec<f64> = took.map(|micros| micros as f64).collect();
    let score = |run: &Run| run.satisfaction.filter(|(_, by)| *by == "CUSTOMER").map(|(score, _)| score as f64);
    let scores: Vec<f64> = runs.iter().filter_map(score).collect();
    let time = |of: &Value| of.as_str().map(|text| micros(text) as f64);
    for (of, values, read, off) in [
        (&row["completionTime"], took, &time as &dyn Fn(&Value) -> Option<f64>, 0.02),
        (&row["customer"], scores, &Value::as_f64, 0.0),
    ] {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let (found, interval) = (read(&of["mean"]), &of["meanInterval"]);
        // Durations are added up in whole milliseconds.
        let rounded = if off > 0.0 { 1001.0 } else { 1e-9 };
        assert!(found.is_none_or(|found| (found - mean).abs() < rounded), "{found:?}, not {mean}");
        assert_eq!((found.is_none(), interval.is_null()), (values.is_empty(), values.len() < 2), "{of}");
        if values.len() < 30 {
            continue;
        }
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        // Student's t for many values (Abramowitz and Stegun 1972, 26.7.5).
        let arm = (1.96 + (1.96_f64.powi(3) + 1.96) / (4.0 * (n - 1.0))) * deviation / n.sqrt();
        let (low, high) = (read(&interval["low"]).unwrap(), read(&interval["high"]).unwrap());
        if off > 0.0 {
            let near = |found: f64, exact: f64| (found - exact).abs() < exact * 0.001 + arm * off;
            assert!(near(low, (mean - arm).max(0.0)) && near(high, mean + arm), "{interval}: {mean} {arm}");
        } else {
            let wide = arm * (1.0 - 0.001);
            assert!(
                low < (mean - wide).max(1.0 + 1e-9) && high > (mean + wide).min(5.0 - 1e-9),
                "{interval}: {mean} {arm}"
            );
            assert!(high - low < 4.0 * arm, "{interval}: {mean} {arm}");
        }
    }
}

/// Within what a histogram may be off, and what is rounded away.
fn is_near(found: Option<i64>, exact: Option<i64>) -> bool {
    match (found, exact) {
        #[expect(clippy::cast_precision_loss, reason = "a margin")]
        (Some(found), Some(exact)) => (found - exact).abs() as f64 <= exact as f64 * (0.00542 + 0.0005) + 1.0,
        (found, exact) => found == exact,
    }
}

/// Microseconds of an ISO 8601 duration in hours, minutes and seconds.
pub fn micros(duration: &str) -> i64 {
    let mut total = 0;
    let mut number = String::new();
    for letter in duration.strip_prefix("PT").unwrap().chars() {
        let unit = match letter {
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            digit => {
                number.push(digit);
                continue;
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
        total += unit * whole.parse::<i64>().unwrap() * 1_000_000 + format!("{fraction:0<6}").parse::<i64>().unwrap();
        number.clear();
    }
    total
}

/// Asks for figures and compares every group.
async fn compare(who: &Client, runs: &[Run], dimensions: &[&str], bucket: Option<&str>, filter: Value) {
    let query = format!(
        "query($by: [FiguresDimension!], $bucket: TimeBucket, $filter: FiguresFilter) {{
        figures(groupBy: $by, bucket: $bucket, filter: $filter) {{ {FIELDS} }} }}"
    );
    let seen = who.ok(&query, json!({"by": dimensions, "bucket": bucket, "filter": filter})).await;
    let rows = seen["figures"].as_array().unwrap();
    let of_row = |row: &Value, name: &str| match name {
        "PROCESS" => row["process"]["key"].as_str().map(str::to_owned),
        "SOP" => row["sop"]["code"].as_str().map(str::to_owned),
        "VERSION" => row["version"]["id"].as_str().map(str::to_owned),
        "TEAM" => row["team"]["key"].as_str().map(str::to_owned),
        _ => row["bucketStart"].as_str().map(str::to_owned),
    };
    let of_run = |run: &Run, name: &str| match name {
        "PROCESS" => Some(run.process.to_owned()),
        "SOP" => run.sop.clone(),
        "VERSION" => run.version.as_ref().map(|(_, id)| id.clone()),
        "TEAM" => run.team.map(str::to_owned),
        bucket => Some(run.bucket(bucket)),
    };
    let mut groups: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    for run in runs {
        groups.entry(group(dimensions, bucket, |name| of_run(run, name))).or_default().push(run.clone());
    }
    for row in rows {
        let name = group(dimensions, bucket, |name| of_row(row, name));
        let (found, exact) = (told_times(row), times(groups.get(&name).map_or(&[], Vec::as_slice)));
        let near = found.iter().zip(&exact).all(|(found, exact)| is_near(*found, *exact));
        assert!(near, "{dimensions:?} {bucket:?}: {name}: {found:?}, not {exact:?}");
        check_means(row, groups.get(&name).map_or(&[], Vec::as_slice));
    }
    let expected: BTreeMap<String, Value> = groups.into_iter().map(|(name, runs)| (name, expected(&runs))).collect();
    let found: BTreeMap<String, Value> =
        rows.iter().map(|row| (group(dimensions, bucket, |name| of_row(row, name)), told(row))).collect();
    assert_eq!(found.len(), rows.len(), "a group comes once: {dimensions:?} {bucket:?}");
    for (name, figures) in &expected {
        assert_eq!(found.get(name), Some(figures), "{dimensions:?} {bucket:?}: {name}");
    }
    assert_eq!(found.len(), expected.len(), "no more groups than there are: {dimensions:?} {bucket:?}");
}

/// The same by the hour, of the whole time, as much of it at once as is given.
async fn compare_hours(who: &Client, runs: &[Run], dimensions: &[&str]) {
    let at = |run: &Run| run.started.or(run.finished).unwrap();
    let (mut from, last) = (runs.iter().map(at).min().unwrap(), runs.iter().map(at).max().unwrap());
    let mut compared = 0;
    while from <= last {
        let to = from + Duration::days(92);
        let within: Vec<Run> = runs.iter().filter(|run| (from..to).contains(&at(run))).cloned().collect();
        let micros = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        compare(who, &within, dimensions, Some("HOUR"), json!({"from": micros(from), "to": micros(to)})).await;
        compared += within.len();
        from = to;
    }
    assert_eq!(compared, runs.len());
}

/// The same of any time: months are read in the place of most of their days, and what is too much is taken out again. By
/// month where those of the service are months of UTC.
async fn compare_any_time(who: &Client, runs: &[Run], in_utc: bool) {
    let mut dice = Dice::new(7);
    let mut hours = |most: u64| Duration::hours(i64::try_from(dice.roll(most)).unwrap());
    for _ in 0..12 {
        let from = Utc.with_ymd_and_hms(2023, 2, 10, 0, 0, 0).unwrap() + hours(300 * 24);
        let to = from + Duration::days(40) + hours(200 * 24);
        let at = |run: &Run| run.started.or(run.finished).unwrap();
        let within: Vec<Run> = runs.iter().filter(|run| (from..to).contains(&at(run))).cloned().collect();
        for (dimensions, bucket) in
            [(&[][..], None), (&["SOP"], in_utc.then_some("MONTH")), (&["VERSION", "TEAM"], None)]
        {
            let filter = json!({"from": from.to_rfc3339(), "to": to.to_rfc3339()});
            compare(who, &within, dimensions, bucket, filter).await;
        }
    }
}

/// Two processes with SOPs, one of them with two versions, and one without.
async fn work(place: &Place) -> Vec<Work> {
    let first = published(place, "Reset a password").await;
    let mut next = content("Reset a password");
    next["steps"][0]["instruction"] = json!("Ask for the badge number.");
    let second = published_next(place, &first, next).await;
    let key = process(&place.author, &json!(place.team), "restore").await;
    let other = draft(place, &place.author, &key, "Restore a backup").await;
    publish(place, &place.author, &other).await;
    process(&place.author, &json!(place.team), "unwritten").await;
    let version = |label: &str, draft: &Draft| (label.to_owned(), draft.version.clone());
    vec![
        ("password-reset", Some(first.code.clone()), vec![version("1.0", &first), version("2.0", &second)]),
        ("restore", Some(other.code.clone()), vec![version("1.0", &other)]),
        ("unwritten", None, Vec::new()),
    ]
}

both! {
    async fn figures_agree_with_a_second_computation(mut world: World) {
        let place = place(&world).await;
        place.admin.mutate(CREATE_TEAM, json!({"input": {"key": "hr", "name": "People"}})).await;
        let runs = runs(&work(&place).await);
        let items: Vec<Value> = runs.iter().enumerate().map(|(n, run)| run.item(n)).collect();
        Reporter::new(&world, "tickets").create("BACKFILL", &items).await;
        let who = everyone(&world);
        for dimensions in [&[][..], &["PROCESS"], &["SOP"], &["VERSION"], &["TEAM"], &["PROCESS", "TEAM"], &["PROCESS", "SOP", "VERSION", "TEAM"]] {
            compare(&who, &runs, dimensions, None, json!({})).await;
        }
        for dimensions in [&[][..], &["SOP"], &["TEAM", "PROCESS"]] {
            for bucket in ["DAY", "WEEK", "MONTH"] {
                compare(&who, &runs, dimensions, Some(bucket), json!({})).await;
            }
            compare_hours(&who, &runs, dimensions).await;
        }
        // Compacted or not, they are the same.
        compare_any_time(&who, &runs, true).await;
        compacted(&world).await;
        compare(&who, &runs, &["SOP", "TEAM"], Some("DAY"), json!({})).await;
        // From is included, to is not.
        let (from, to) = (Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).unwrap(), Utc.with_ymd_and_hms(2024, 4, 8, 0, 0, 0).unwrap());
        let within: Vec<Run> = runs.iter().filter(|run| (from..to).contains(&run.started.or(run.finished).unwrap())).cloned().collect();
        assert!(within.len() > 50 && within.len() < runs.len());
        compare(&who, &within, &["SOP"], Some("WEEK"), json!({"from": from.to_rfc3339(), "to": to.to_rfc3339()})).await;
        // Not at a full hour: what sticks out is read from the runs themselves.
        let (from, to) = (from + Duration::microseconds(1), Utc.with_ymd_and_hms(2024, 4, 9, 13, 20, 0).unwrap());
        let within: Vec<Run> = runs.iter().filter(|run| (from..to).contains(&run.started.or(run.finished).unwrap())).cloned().collect();
        for (dimensions, bucket) in [(&[][..], None), (&["VERSION", "TEAM"], Some("MONTH"))] {
            compare(&who, &within, dimensions, bucket, json!({"from": from.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "to": to.to_rfc3339()})).await;
        }
        // Within reach by team, which here is all of it.
        compare_any_time(&place.manager, &runs, true).await;
        let of_team: Vec<Run> = runs.iter().filter(|run| run.team == Some("ops")).cloned().collect();
        compare(&who, &of_team, &["PROCESS"], None, json!({"teamId": place.team})).await;
        let of_process: Vec<Run> = runs.iter().filter(|run| run.process == "password-reset").cloned().collect();
        compare(&who, &of_process, &["VERSION"], None, json!({"processId": place.process})).await;
        // Where days and months begin at other hours, and some are an hour longer or shorter, a time comes to the same.
        let zone = [("SOPWITH_TIME_ZONE", "Europe/Berlin")];
        let rebuilt = world.command_with(&["rollup", "rebuild"], &zone).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        world.restart_with(&zone).await;
        compare_any_time(&who, &runs, false).await;
    }
}
