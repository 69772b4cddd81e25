//! What is on the pages, and in what can be taken along.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Shown, Visitor};
use crate::executions::Reporter;
use crate::story::{CREATE_PROCESS, EDIT, draft, from_now, place, process, publish, text};
use crate::support::{World, both, respond};

const FIGURES: &str = "{ figures { runs adoption { known { numerator denominator value interval { low high } }
    worstCase { value } } completionTime { n open p50 { value low high } p95 { value } }
    errorRate { numerator denominator value } violations { events runs perThousand interval { low high } }
    violationsBySeverity { critical { perThousand } }
    coverage { ...Share } firstTimeRight { ...Share } rework { ...Share } abandonment { ...Share } } }
    fragment Share on Ratio { numerator denominator value interval { low high } }";

/// The rows of a table of comma-separated values, each by the names of its columns.
fn rows(csv: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        names.iter().zip(record.iter()).map(|(name, cell)| (name.to_owned(), json!(cell))).collect()
    };
    reader.records().map(|record| Value::Object(row(record.unwrap()))).collect()
}

both! {
    async fn the_numbers_are_those_of_the_api_in_every_form(world: World) {
        let shown = Shown::make(&world).await;
        let visitor = Visitor::signed_in(&world, &shown.place.manager.token).await;
        let known = shown.place.manager.ok(FIGURES, json!({})).await["figures"][0].clone();
        let code = &shown.sop.code;
        for path in ["/dashboard".to_owned(), format!("/dashboard/sops/{code}")] {
            let told = visitor.numbers(&format!("{path}.json")).await;
            let total = &told["total"];
            assert_eq!((&total["runs"], &total["open"]), (&json!(10), &json!(1)));
            assert_eq!(total["adherence"], json!({"followed": 4, "deviated": 1, "notFollowed": 2, "unknown": 3}));
            assert_eq!(total["adoption"], known["adoption"]["known"]);
            assert_eq!(total["adoption"]["numerator"], 4);
            assert_eq!(total["adoptionWorstCase"]["value"], known["adoption"]["worstCase"]["value"]);
            assert_eq!(total["errorRate"]["numerator"], 3);
            for share in ["coverage", "firstTimeRight", "rework", "abandonment"] {
                assert_eq!(total[share], known[share], "{share}");
            }
            assert_eq!((&total["coverage"]["numerator"], &total["firstTimeRight"]["numerator"]), (&json!(0), &json!(6)));
            assert_eq!((&total["currentVersion"], &total["fullConformance"]), (&Value::Null, &Value::Null), "nothing to take it from");
            assert_eq!(total["criticalViolationsPerThousand"]["value"], known["violationsBySeverity"]["critical"]["perThousand"]);
            assert_eq!(total["errorRate"]["value"], known["errorRate"]["value"]);
            assert_eq!(total["violationsPerThousand"]["value"], known["violations"]["perThousand"]);
            assert_eq!(total["violationsPerThousand"]["interval"], known["violations"]["interval"]);
            // Nine of them took 1 to 9 minutes, and one goes on; percentiles are within 1 %.
            let median = &total["completionTimeP50"];
            assert_eq!(median["n"], known["completionTime"]["n"]);
            let [seconds, low, high] = [&median["seconds"], &median["interval"]["low"], &median["interval"]["high"]].map(|of| of.as_f64().unwrap());
            assert!((seconds - 300.0).abs() <= 3.0 && low < seconds && seconds < high, "{median}");
            let p95 = &total["completionTimeP95"];
            assert_eq!((&p95["seconds"], &known["completionTime"]["p95"]), (&Value::Null, &Value::Null), "not yet reached");
            assert_eq!((&p95["n"], &p95["interval"]["high"]), (&json!(9), &Value::Null));
            assert!(p95["interval"]["low"].as_f64().unwrap() > 300.0, "{p95}");
            assert_eq!((&total["customersSatisfied"]["numerator"], &total["customersSatisfied"]["denominator"]), (&json!(5), &json!(5)));
            assert_eq!((&total["performersSatisfied"]["numerator"], &total["performersSatisfied"]["denominator"]), (&json!(0), &json!(4)));

            let page = visitor.page(&path).await.replace('\u{a0}', " ");
            for number in ["57.1 %", "4 of 7", "40.0 %", "4 of 10", "n = 9", "not reached", "33.3 %", "3 of 9", "100.0", "1 of 10"] {
                assert!(page.contains(&format!(">{number}<")), "{number} is not on {path}");
            }
            let csv = visitor.get(&format!("{path}.csv")).await;
            assert!(csv.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\""));
            let rows = rows(csv.body.as_str().unwrap());
            let row = &rows[0];
            assert_eq!((&row["row"], &row["runs"], &row["adoption_numerator"], &row["adoption_denominator"]), (&json!("total"), &json!("10"), &json!("4"), &json!("7")));
            assert_eq!((&row["completionTimeP50Seconds"], &row["completionTimeP50Seconds_n"]), (&json!(total["completionTimeP50"]["seconds"].as_f64().unwrap().to_string()), &json!("9")));
            let low: f64 = row["adoption_low"].as_str().unwrap().parse().unwrap();
            assert!((low - total["adoption"]["interval"]["low"].as_f64().unwrap()).abs() < 1e-12);
            let times = rows.iter().filter(|row| row["row"] == "time").count();
            assert_eq!(times, told["overTime"].as_array().unwrap().len());
            assert!((13..=14).contains(&times), "90 days in weeks, those without runs too: {times}");
        }
        let of_sop = visitor.numbers(&format!("/dashboard/sops/{code}.json")).await;
        assert_eq!((&of_sop["sideBySide"][0]["version"], &of_sop["sideBySide"][0]["runs"]), (&json!("1.0"), &json!(10)));
        assert_eq!(of_sop["sop"]["versions"][0]["label"], "1.0");
        let all = visitor.numbers("/dashboard.json").await;
        assert_eq!(all["sideBySide"][0]["sop"], json!({"code": code, "title": "Reset a password"}));
    }

    async fn filters_narrow_down_and_links_keep_them(world: World) {
        let shown = Shown::make(&world).await;
        let place = &shown.place;
        place.author.mutate(CREATE_PROCESS, json!({"input": {"key": "lost-badge", "name": "Lost badge", "teamId": place.team}})).await;
        let tracker = Reporter::new(&world, "tracker");
        let item = |n: &str, days: i64, team: Value| json!({"eventId": n, "runId": n, "process": "lost-badge", "team": team,
            "startedAt": from_now(-86_400 * days), "finishedAt": from_now(-86_400 * days + 60), "outcome": "FAILED"});
        tracker.create("BACKFILL", &[item("a", 5, json!("ops")), item("b", 40, json!(null)), item("c", 300, json!(null))]).await;
        let visitor = Visitor::signed_in(&world, &place.manager.token).await;
        let runs = async |query: &str| visitor.numbers(&format!("/dashboard.json{query}")).await["total"]["runs"].as_i64().unwrap();
        for (query, expected) in [
            ("", 12), ("?days=7", 11), ("?days=365", 13), ("?process=lost-badge", 2), ("?process=lost-badge&days=7", 1),
            ("?team=ops", 1), ("?process=password-reset&team=ops", 0), ("?days=2&bucket=hour", 10),
        ] {
            assert_eq!(runs(query).await, expected, "{query}");
        }
        let day = &from_now(-86_400 * 40)[..10];
        assert_eq!(runs(&format!("?from={day}&to={day}")).await, 1, "both days are in it");

        let page = visitor.page("/dashboard?process=lost-badge&days=30&order=errors").await;
        for link in ["/dashboard?process=lost-badge&amp;days=7&amp;order=errors", "/dashboard.csv?process=lost-badge&amp;days=30&amp;order=errors"] {
            assert!(page.contains(&format!("href=\"{link}\"")), "{link}: {page}");
        }
        assert!(page.contains(r#"<option value="lost-badge" selected>"#) && page.contains("No SOP that you see"));
        let to = visitor.get(&format!("/dashboard?sop={}&team=ops&process=", shown.sop.code)).await;
        assert_eq!(to.headers["location"], format!("/dashboard/sops/{}?team=ops", shown.sop.code).as_str());
        let all = visitor.numbers("/dashboard.json?order=errors").await;
        assert_eq!(all["sideBySide"][0]["sop"]["code"], Value::Null, "two of two failed: {all}");
    }

    async fn errors_are_pages_that_say_what_to_do(world: World) {
        let shown = Shown::make(&world).await;
        let visitor = Visitor::signed_in(&world, &shown.place.manager.token).await;
        for (query, told) in [
            ("?days=0", "from 1 to 3660"), ("?teem=ops", "known are process, team"), ("?days=90&bucket=hour", "more than 400 points"),
            ("?from=2026-07-02&to=2026-07-01", "ends before it begins"), ("?team=%3Cscript%3E", "named by its key"),
        ] {
            let answer = visitor.get(&format!("/dashboard{query}")).await;
            let page = answer.body.as_str().unwrap();
            assert_eq!(answer.status, 400);
            assert!(page.contains(told) && page.contains("href=\"/dashboard\"") && !page.contains("<script"), "{page}");
        }
        let head = respond(world.raw().http.head(world.raw().url("/dashboard/sign-in"))).await;
        assert_eq!((head.status.as_u16(), &head.body), (200, &json!("")));
        world.execute("ALTER TABLE execution RENAME TO execution_away").await;
        let fault = visitor.get("/dashboard").await;
        world.execute("ALTER TABLE execution_away RENAME TO execution").await;
        assert_eq!(fault.status, 500);
        let (page, id) = (fault.body.as_str().unwrap(), fault.headers["x-request-id"].to_str().unwrap());
        assert!(page.contains(id) && !page.contains("execution"), "{page}");
        let line = world.server.log_entry(|e| e["path"] == "/dashboard" && e["status"] == 500).await;
        assert_eq!(line["codes"], "INTERNAL");
        assert!(line["person"].is_string());
    }

    async fn figures_that_are_kept_in_another_form_are_not_shown(world: World) {
        let shown = Shown::make(&world).await;
        let visitor = Visitor::signed_in(&world, &shown.place.manager.token).await;
        let of_sop = format!("/dashboard/sops/{}", shown.sop.code);
        let rebuilt = world.command_with(&["rollup", "rebuild"], &[("SOPWITH_TIME_ZONE", "Asia/Kolkata")]).await;
        assert!(rebuilt.status.success(), "{rebuilt:?}");
        for path in ["/dashboard", "/dashboard.json", "/dashboard.csv", &of_sop] {
            let answer = visitor.get(path).await;
            let page = answer.body.as_str().unwrap();
            assert_eq!(answer.status, 503, "{path}: {page}");
            assert!(page.contains("Figures are kept in another form") && page.contains("has to start it anew"), "{page}");
            assert!(!answer.headers.contains_key("retry-after"), "to come again is of no use: {answer:?}");
            let line = world.server.log_entry(|e| e["path"] == path && e["status"] == 503).await;
            assert_eq!(line["codes"], "UNAVAILABLE");
        }
    }

    async fn nothing_that_anyone_wrote_is_obeyed(world: World) {
        const ATTACK: &str = "=HYPERLINK(\"http://evil\")\"'><script>alert(1)</script></title></style><!--";
        let place = place(&world).await;
        let author = place.author.clone().with_claim("name", json!(ATTACK));
        let made = draft(&place, &author, &place.process, "Reset a password").await;
        let mut content = crate::story::content(ATTACK);
        content["title"] = json!(ATTACK);
        let edited = author.mutate(EDIT, json!({"input": {"id": made.version, "expectedRevision": 1, "content": content}})).await;
        let (revision, hash) = (edited["version"]["revision"].as_i64().unwrap(), text(&edited["version"]["contentHash"]));
        let made = crate::story::Draft { revision, hash, ..made };
        publish(&place, &author, &made).await;
        process(&place.author, &json!(place.team), "also").await;
        world.execute(&format!("UPDATE process SET name = '{}'", ATTACK.replace('\'', "''"))).await;
        Reporter::new(&world, "tracker").create("LIVE", &[json!({"eventId": "e", "runId": "r", "sop": made.code, "startedAt": from_now(-60)})]).await;
        let visitor = Visitor::signed_in(&world, &place.manager.clone().with_claim("name", json!(ATTACK)).token).await;
        let sop = format!("/dashboard/sops/{}", made.code);
        for path in ["/dashboard", &sop, "/dashboard?process=also", "/dashboard/sign-in?to=/dashboard%22%3E%3Cscript%3E"] {
            let answer = visitor.get(path).await;
            let page = answer.body.as_str().unwrap();
            assert_eq!(answer.status, 200, "{path}");
            assert!(!page.contains("<script") && !page.contains("<!--"), "{path}: {page}");
            assert_eq!(page.matches("</style>").count(), 1, "{path}");
            // Nothing but the one style sheet has leave, and it is what the policy was made of.
            let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            let digest = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes()));
            let policy = answer.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with(&format!("default-src 'none'; style-src 'sha256-{digest}';")), "{policy}");
            assert!(!page.contains(" style=") && !page.contains(" onclick="));
        }
        let csv = visitor.get("/dashboard.csv").await;
        let row = rows(csv.body.as_str().unwrap()).into_iter().find(|row| row["row"] == "sop").unwrap();
        assert_eq!(row["name"], format!("'{ATTACK}"), "no spreadsheet takes it for a formula");
        assert_eq!(visitor.numbers("/dashboard.json").await["sideBySide"][0]["sop"]["title"], ATTACK);
    }

    async fn a_chart_is_told_in_words_and_marks_versions(world: World) {
        let shown = Shown::make(&world).await;
        let visitor = Visitor::signed_in(&world, &shown.place.manager.token).await;
        let page = visitor.page(&format!("/dashboard/sops/{}?days=7", shown.sop.code)).await;
        for chart in ["adoption", "version-use", "completion-time", "first-time-right", "rework", "error-rate", "abandonment", "satisfaction", "violations"] {
            assert_eq!(page.matches(&format!("<figure class=\"card\" id=\"{chart}\">")).count(), 1);
            for size in ["wide", "narrow"] {
                let svg = page.split(&format!("aria-labelledby=\"{chart}-{size}-title {chart}-{size}-desc\"")).nth(1).unwrap();
                let svg = svg.split("</svg>").next().unwrap();
                assert!(svg.contains(&format!("<title id=\"{chart}-{size}-title\">")), "{svg}");
                let told = svg.split(&format!("<desc id=\"{chart}-{size}-desc\">")).nth(1).unwrap().split("</desc>").next().unwrap();
                assert!(told.contains("first ") && told.contains("Version 1.0 came into force on "), "{told}");
                assert!(svg.contains(">v 1.0</text>"), "{svg}");
            }
        }
        let svg = page.split("class=\"chart wide\"").nth(1).unwrap().split("</svg>").next().unwrap();
        // The one day with runs is a point in each line; it says what it is.
        assert_eq!((svg.matches("<circle class=\"spot-0\"").count(), svg.matches("<rect class=\"spot-1\"").count()), (1, 1));
        assert!(svg.replace('\u{a0}', " ").contains("Adoption 57.1 % (25 to 84 %), 4 of 7</title>"), "{svg}");
        // Its value is where the axis says: 4 of 7 between 50 and 75 %.
        let number = |text: &str, name: &str| text.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap();
        let label = |said: &str| svg.split("<text ").find(|part| part.contains(said)).map(|part| number(part, "y")).unwrap();
        let (low, high) = (label(">50 %<"), label(">75 %<"));
        let spot = number(svg.split("<circle ").nth(1).unwrap(), "cy");
        assert!((spot - (low + (high - low) * (4.0 / 7.0 - 0.5) / 0.25)).abs() < 2.0, "{low} {spot} {high}");
    }
}
