//! The reader against small logs of our own, one per peculiarity, and against the real one where it is at hand.

mod real;

use std::fs;
use std::path::PathBuf;

use sopwith_domain::execution::{Adherence, Outcome, Report, Severity};
use tempfile::TempDir;

use super::{IncidentError, Incidents, read};

/// The columns of our logs and what they hold unless a test says otherwise; the last is one that nobody reads.
const USUAL: [(&str, &str); 23] = [
    ("number", "INC1"),
    ("incident_state", "New"),
    ("sys_mod_count", "0"),
    ("sys_updated_at", "1/3/2016 10:00"),
    ("opened_at", "1/3/2016 09:30"),
    ("resolved_at", "2/3/2016 09:30"),
    ("closed_at", "5/3/2016 12:00"),
    ("reassignment_count", "0"),
    ("reopen_count", "0"),
    ("made_sla", "true"),
    ("knowledge", "false"),
    ("category", "Network"),
    ("subcategory", "VPN access"),
    ("assignment_group", "Desk 1"),
    ("assigned_to", "Ann"),
    ("resolved_by", "Rob"),
    ("priority", "3 - Moderate"),
    ("impact", "2 - Medium"),
    ("urgency", "2 - Medium"),
    ("contact_type", "Phone"),
    ("closed_code", "code 6"),
    ("location", "?"),
    ("notify", "Do Not Notify"),
];

type Changes<'a> = &'a [(&'a str, &'a str)];

fn header() -> String {
    USUAL.map(|(name, _)| name).join(",")
}

fn line(changes: Changes) -> String {
    let value = |name: &str, usual| changes.iter().find(|(n, _)| *n == name).map_or(usual, |(_, v)| *v);
    assert!(changes.iter().all(|(n, _)| USUAL.iter().any(|(name, _)| name == n)), "no such column in {changes:?}");
    USUAL.map(|(name, usual)| value(name, usual)).join(",")
}

fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn read_lines(lines: &[String]) -> Incidents {
    let (_folder, path) = file("log.csv", format!("{}\n{}\n", header(), lines.join("\n")));
    read(&path).unwrap()
}

fn log(rows: &[Changes]) -> Incidents {
    read_lines(&rows.iter().map(|changes| line(changes)).collect::<Vec<_>>())
}

fn only(mut log: Incidents) -> Report {
    assert_eq!((log.reports.len(), log.rejected.as_slice()), (1, [].as_slice()));
    log.reports.remove(0)
}

fn steps(report: &Report) -> Vec<String> {
    let at =
        |t: Option<_>| t.map_or("-".to_owned(), |t: sopwith_domain::time::Timestamp| t.to_string()[5..16].to_owned());
    let show = |s: &sopwith_domain::execution::StepRecord| {
        format!("{}#{} {} {} {}", s.key, s.attempt, at(s.started_at), at(s.finished_at), s.status)
    };
    report.steps.iter().map(show).collect()
}

#[test]
fn makes_one_report_of_all_rows_of_an_incident() {
    let log = log(&[
        &[],
        &[("sys_mod_count", "1"), ("incident_state", "Active"), ("sys_updated_at", "1/3/2016 11:00")],
        &[
            ("sys_mod_count", "4"),
            ("incident_state", "Closed"),
            ("sys_updated_at", "05/03/2016 12:00"),
            ("made_sla", "false"),
            ("knowledge", "true"),
            ("reopen_count", "1"),
            ("reassignment_count", "2"),
        ],
    ]);
    assert_eq!((log.rows, log.notes.as_slice()), (3, [].as_slice()));
    assert_eq!(log.processes, [("network-vpn-access".to_owned(), "Network / VPN access".to_owned())]);
    assert_eq!(log.teams, [("desk-1".to_owned(), "Desk 1".to_owned())]);
    let report = only(log);
    assert_eq!((report.event_id.as_str(), report.run_id.as_str(), report.revision), ("INC1/4", "INC1", 4));
    assert_eq!(report.process.as_deref(), Some("network-vpn-access"));
    assert_eq!(report.team.as_deref(), Some("desk-1"));
    assert_eq!(report.actor.as_ref().map(|a| (a.subject.as_str(), a.name.as_deref())), Some(("Rob", Some("Rob"))));
    assert_eq!(report.started_at.unwrap().to_string(), "2016-03-01T09:30:00Z");
    assert_eq!(report.finished_at.unwrap().to_string(), "2016-03-02T09:30:00Z");
    assert_eq!(report.occurred_at.unwrap().to_string(), "2016-03-05T12:00:00Z");
    assert_eq!((report.outcome, report.adherence), (Some(Outcome::Succeeded), Some(Adherence::Followed)));
    assert_eq!((report.rework, report.errors), (Some(3), None));
    let violations = report.violations.unwrap();
    assert_eq!((violations.len(), violations[0].kind.as_str(), violations[0].severity), (1, "SLA", Severity::Major));
    assert!(violations[0].detail.contains("3 - Moderate"));
}

#[test]
fn what_the_last_row_denies_is_not_reported() {
    let report = only(log(&[&[("made_sla", "false"), ("knowledge", "true")], &[("sys_mod_count", "1")]]));
    assert_eq!((report.violations, report.adherence), (Some(Vec::new()), Some(Adherence::NotFollowed)));
}

#[test]
fn attributes_are_kept_as_they_are_and_labelled() {
    let attributes = only(log(&[&[]])).attributes.unwrap();
    let names: Vec<_> = attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["closed_code", "contact_type", "impact", "knowledge", "label", "priority", "urgency"]);
    assert_eq!(attributes["closed_code"], "code 6");
    assert!(attributes["label"].contains("knowledge"));
}

#[test]
fn a_state_is_one_step_from_its_first_row_to_the_next_state() {
    let row = |count, state, at| [("sys_mod_count", count), ("incident_state", state), ("sys_updated_at", at)];
    let report = only(log(&[
        &row("0", "Active", "1/3/2016 10:00"),
        &row("1", "Active", "1/3/2016 10:05"),
        &row("2", "Awaiting User Info", "1/3/2016 11:00"),
        &row("3", "Active", "1/3/2016 12:00"),
        &row("4", "Closed", "2/3/2016 09:00"),
        &row("5", "Closed", "2/3/2016 10:00"),
    ]));
    let expected = [
        "active#1 03-01T10:00 03-01T11:00 DONE",
        "awaiting-user-info#1 03-01T11:00 03-01T12:00 DONE",
        "active#2 03-01T12:00 03-02T09:00 DONE",
        "closed#1 03-02T09:00 - DONE",
    ];
    assert_eq!(steps(&report), expected);
}

#[test]
fn rows_of_an_undefined_state_are_no_steps() {
    let row = |count, state, at| [("sys_mod_count", count), ("incident_state", state), ("sys_updated_at", at)];
    let log = log(&[
        &row("0", "Active", "1/3/2016 10:00"),
        &row("1", "-100", "1/3/2016 11:00"),
        &row("2", "?", "1/3/2016 11:30"),
        &row("3", "Active", "1/3/2016 12:00"),
        &row("4", "Closed", "1/3/2016 13:00"),
    ]);
    assert!(log.notes[0].starts_with("1 rows of state -100"), "{:?}", log.notes);
    assert!(log.notes[1].starts_with("1 rows without a state"), "{:?}", log.notes);
    assert_eq!(steps(&only(log)), ["active#1 03-01T10:00 03-01T13:00 DONE", "closed#1 03-01T13:00 - DONE"]);
}

#[test]
fn of_rows_with_one_count_the_later_change_is_the_last_wherever_it_stands() {
    let closed = [("sys_mod_count", "7"), ("incident_state", "Closed"), ("sys_updated_at", "5/3/2016 17:00")];
    let early = [
        ("sys_mod_count", "7"),
        ("sys_updated_at", "29/2/2016 09:27"),
        ("made_sla", "false"),
        ("assignment_group", "Desk 9"),
    ];
    for rows in [[&closed[..], &early[..]], [&early[..], &closed[..]]] {
        let log = log(&rows);
        assert!(log.notes.iter().any(|n| n.starts_with("1 pairs of number and sys_mod_count")), "{:?}", log.notes);
        let report = only(log);
        assert_eq!((report.revision, report.violations.as_deref()), (7, Some([].as_slice())));
        assert_eq!((report.team.as_deref(), report.steps.len()), (Some("desk-1"), 2));
        assert_eq!(report.steps[1].key, "closed");
    }
}

#[test]
fn of_rows_alike_in_count_and_time_the_one_further_down_is_the_last() {
    let report = only(log(&[&[("knowledge", "false")], &[("knowledge", "true")]]));
    assert_eq!(report.adherence, Some(Adherence::Followed));
}

#[test]
fn rows_may_come_in_any_order_and_mixed_with_others() {
    let log = log(&[
        &[("sys_mod_count", "10"), ("incident_state", "Closed"), ("sys_updated_at", "3/3/2016 10:00")],
        &[("number", "INC0"), ("sys_mod_count", "3")],
        &[("sys_mod_count", "9"), ("incident_state", "Resolved"), ("sys_updated_at", "2/3/2016 10:00")],
    ]);
    let ids: Vec<_> = log.reports.iter().map(|r| r.event_id.as_str()).collect();
    assert_eq!(ids, ["INC0/3", "INC1/10"]);
    let expected = ["resolved#1 03-02T10:00 03-03T10:00 DONE", "closed#1 03-03T10:00 - DONE"];
    assert_eq!(steps(&log.reports[1]), expected);
    assert!(log.notes[0].starts_with("1 incidents whose rows are out of order"), "{:?}", log.notes);
}

#[test]
fn a_step_that_would_end_before_it_begins_has_no_end() {
    let log = log(&[
        &[("sys_updated_at", "1/3/2016 10:00")],
        &[("sys_mod_count", "1"), ("incident_state", "Active"), ("sys_updated_at", "29/2/2016 10:00")],
    ]);
    assert!(log.notes[0].starts_with("1 steps that end"), "{:?}", log.notes);
    assert_eq!(steps(&only(log)), ["new#1 03-01T10:00 - DONE", "active#1 02-29T10:00 - DONE"]);
}

#[test]
fn the_process_is_that_of_the_last_category() {
    let log =
        log(&[&[], &[("sys_mod_count", "1"), ("category", "?")], &[("sys_mod_count", "2"), ("category", "Mail")]]);
    assert_eq!(log.notes, ["1 incidents that changed category: the process is that of the last row"]);
    assert_eq!(log.processes.len(), 1);
    assert_eq!(only(log).process.as_deref(), Some("mail-vpn-access"));
}

#[test]
fn a_category_that_becomes_known_has_not_changed() {
    let log = log(&[&[("category", "?")], &[("sys_mod_count", "1")]]);
    assert_eq!(log.notes, [""; 0]);
}

#[test]
fn different_names_have_different_keys() {
    let of = |number, category, sub| [("number", number), ("category", category), ("subcategory", sub)];
    let endless = "x".repeat(300);
    let log = log(&[
        &of("1", "a", "b c"),
        &of("2", "a b", "c"),
        &of("3", "?", "c"),
        &of("4", "Unknown", "c"),
        &of("5", "A", "b-c"),
        &of("6", &endless, "1"),
        &of("7", &endless, "2"),
        &of("8", "a-b", "c 2"),
    ]);
    let keys: Vec<_> = log.reports.iter().filter_map(|r| r.process.as_deref()).collect();
    let mut distinct = keys.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!((keys.len(), distinct.len(), log.processes.len()), (8, 8, 8), "{keys:?}");
    assert!(keys.iter().all(|key| sopwith_domain::content::is_key(key)), "{keys:?}");
    assert_eq!((keys[2], keys[3]), ("unknown-c", "unknown-c-2"));
    assert!(log.processes.contains(&("unknown-c".to_owned(), "(no category) / c".to_owned())));
}

#[test]
fn team_and_actor_are_the_last_known() {
    let unknown = [("assignment_group", "?"), ("assigned_to", "?"), ("resolved_by", "?")];
    let first = [("assignment_group", "Desk 1"), ("assigned_to", "Ann"), ("resolved_by", "?")];
    let second = [("assignment_group", "Desk 2"), ("assigned_to", "Bob"), ("resolved_by", "?"), ("sys_mod_count", "1")];
    let third = [&unknown[..], &[("sys_mod_count", "2")]].concat();
    let report = only(log(&[&first, &second, &third]));
    assert_eq!((report.team.as_deref(), report.actor.unwrap().subject.as_str()), (Some("desk-2"), "Bob"));
    let log = log(&[&unknown]);
    assert_eq!((log.notes.len(), log.teams.len()), (2, 0), "{:?}", log.notes);
    let report = only(log);
    assert_eq!((report.team, report.actor), (None, None));
}

#[test]
fn without_resolved_at_the_end_is_closed_at_and_without_both_there_is_none() {
    let log = log(&[&[("resolved_at", "?")], &[("number", "INC2"), ("resolved_at", "?"), ("closed_at", "?")]]);
    assert!(log.notes[0].starts_with("2 incidents without resolved_at"), "{:?}", log.notes);
    assert!(log.notes[1].starts_with("1 incidents without any end"), "{:?}", log.notes);
    assert_eq!(log.reports[0].finished_at.unwrap().to_string(), "2016-03-05T12:00:00Z");
    assert_eq!((log.reports[1].finished_at, log.reports[1].outcome), (None, None));
}

#[test]
fn unknown_adherence_and_service_level_stay_unknown() {
    let report = only(log(&[&[("knowledge", "?"), ("made_sla", "?")]]));
    assert_eq!((report.adherence, report.violations), (Some(Adherence::Unknown), None));
}

#[test]
fn an_incident_that_ends_before_it_begins_is_rejected_with_its_last_line() {
    let other = [("number", "INC2"), ("category", "Mail")];
    let log = log(&[
        &[("resolved_at", "1/3/2016 09:29")],
        &[("sys_mod_count", "1"), ("resolved_at", "1/2/2016 09:29")],
        &other,
    ]);
    assert_eq!((log.reports.len(), log.processes.len(), log.rejected.len()), (1, 1, 1));
    let rejected = &log.rejected[0];
    assert_eq!((rejected.line, rejected.number.as_deref()), (3, Some("INC1")));
    assert!(rejected.reason.starts_with("column resolved_at: 2016-02-01T09:29:00Z is before"), "{}", rejected.reason);
}

#[test]
fn a_bad_row_is_named_and_stops_nothing() {
    let bad: [(&str, &str); 7] = [
        ("sys_mod_count", "-1"),
        ("reopen_count", "?"),
        ("opened_at", "31/2/2016 10:00"),
        ("sys_updated_at", "2016-03-01 10:00"),
        ("made_sla", "yes"),
        ("knowledge", "1"),
        ("reassignment_count", "99999999999"),
    ];
    let mut lines: Vec<_> = bad.iter().map(|change| line(&[*change, ("number", "INC7")])).collect();
    lines.push(line(&[("number", "?")]));
    lines.push("INC8,New".to_owned());
    lines.push(line(&[]));
    let log = read_lines(&lines);
    assert_eq!((log.rows, log.rejected.len(), log.reports.len()), (10, 9, 1));
    for (i, (column, value)) in bad.iter().enumerate() {
        let rejected = &log.rejected[i];
        assert_eq!((rejected.line, rejected.number.as_deref()), (i as u64 + 2, Some("INC7")));
        let begin = format!("column {column}: '{value}' is not ");
        assert!(rejected.reason.starts_with(&begin), "{}", rejected.reason);
    }
    assert_eq!(log.rejected[7].number, None);
    assert!(log.rejected[7].reason.starts_with("column number"), "{}", log.rejected[7].reason);
    assert_eq!(log.rejected[8].number.as_deref(), Some("INC8"));
    assert_eq!(log.rejected[8].reason, "it has 2 fields, the header 23");
}

#[test]
fn lines_are_told_right_after_blank_and_quoted_ones_and_with_either_line_end() {
    for end in ["\n", "\r\n"] {
        let good = line(&[("location", "\"two\nlines\"")]);
        let lines = [header(), good, String::new(), line(&[("sys_mod_count", "x")]), line(&[("made_sla", "x")])];
        let (_folder, path) = file("log.csv", lines.join(end));
        let log = read(&path).unwrap();
        let found: Vec<_> = log.rejected.iter().map(|r| r.line).collect();
        assert_eq!((found, log.reports.len()), (vec![5, 6], 1), "with {end:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_a_bad_row() {
    let mut content = format!("{}\n", header()).into_bytes();
    content.extend(line(&[("category", "Caf#")]).bytes().map(|b| if b == b'#' { 0xe9 } else { b }));
    let (_folder, path) = file("log.csv", content);
    let log = read(&path).unwrap();
    assert_eq!((log.reports.len(), log.rejected[0].number.as_deref()), (0, Some("INC1")));
    assert!(log.rejected[0].reason.contains("column category"), "{}", log.rejected[0].reason);
}

#[test]
fn a_file_that_is_no_incident_log_is_an_error_that_names_it() {
    let (_folder, path) = file("log.csv", header().replace("opened_at", "begun").replace(",knowledge", ""));
    let error = read(&path).unwrap_err();
    assert!(matches!(&error, IncidentError::Columns { missing, .. } if missing == &["opened_at", "knowledge"]));
    assert!(error.to_string().contains("log.csv, line 1: these columns are missing: opened_at, knowledge"), "{error}");
    let (_folder, path) = file("log.xlsx", header());
    assert!(matches!(read(&path), Err(IncidentError::Format { .. })));
    assert!(matches!(read(&path.with_extension("csv")), Err(IncidentError::Open { .. })));
    let (_folder, path) = file("log.csv.zst", header());
    assert!(matches!(read(&path), Err(IncidentError::Read { line: 1, .. })));
}

#[test]
fn a_packed_log_reads_the_same_and_a_cut_one_is_an_error() {
    let rows: String = (0..5_000).map(|i| line(&[("number", &format!("INC{i}"))]) + "\n").collect();
    let packed = zstd::encode_all(format!("{}\n{rows}", header()).as_bytes(), 0).unwrap();
    let (_folder, path) = file("log.csv.zst", &packed);
    assert_eq!(read(&path).unwrap().reports.len(), 5_000);
    let (_folder, path) = file("log.csv.zst", &packed[..packed.len() / 2]);
    let error = read(&path).unwrap_err();
    assert!(matches!(error, IncidentError::Read { .. }), "{error}");
}
