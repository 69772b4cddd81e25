//! `import incidents`: an incident log becomes executions, by the same way as those that integrations send. A second
//! import of the same log finds every one of them taken already.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde::Serialize;
use sopwith_domain::execution::{Mode, Report};

use super::incident::{self, Incidents};
use super::{Importer, open, progress, show};
use crate::app::Call;
use crate::app::access::{self, TeamInput};
use crate::app::executions::{self, Admitted, Answer, BatchInput, MAX_BATCH};
use crate::app::processes::{self as process_app, ProcessInput};
use crate::cli::CliError;
use crate::error::Result;
use crate::store::{Store, processes, teams};

/// Imports an incident log.
#[derive(Debug, clap::Args)]
pub struct IncidentArgs {
    /// The log: .csv, or .csv.zst as it is unpacked on the way.
    file: PathBuf,
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
    /// The source that the executions are recorded under.
    #[arg(long, default_value = "incident-log")]
    source: String,
}

/// What an import of incidents did.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentReport {
    /// How many rows the file has.
    pub rows: usize,
    /// How many incidents they are of, those with a fault left out.
    pub incidents: usize,
    /// How many processes were made.
    pub processes_created: usize,
    /// How many teams were made.
    pub teams_created: usize,
    /// What was answered.
    #[serde(flatten)]
    pub answers: Answers,
    /// Rows that were not taken, with the reason.
    pub rejected_rows: Vec<RejectedRow>,
    /// What is peculiar to the log, and what was made of it.
    pub notes: Vec<String>,
}

/// How many executions were answered how.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answers {
    /// Began to exist.
    pub created: usize,
    /// Changed.
    pub updated: usize,
    /// Were taken before.
    pub duplicate: usize,
    /// Say less than what was known already.
    pub stale: usize,
    /// Were taken before with other content.
    pub conflict: usize,
    /// Break a rule.
    pub rejected: usize,
    /// Those in conflict and those rejected, each with the reason.
    pub refused: Vec<Refused>,
}

/// An execution that was not taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Its event.
    pub event_id: String,
    /// Which rule.
    pub code: String,
    /// The field, from the root of the item.
    pub path: String,
    /// What is wrong.
    pub reason: String,
}

/// A row that was not taken.
#[derive(Debug, Serialize)]
pub struct RejectedRow {
    /// Where it begins in the file, from 1.
    pub line: u64,
    /// Which incident it is of, if that can be read.
    pub number: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// Runs the command on the configured database.
///
/// # Errors
/// When the log cannot be read, or the database does not answer.
pub async fn run(args: IncidentArgs, config: crate::config::Config) -> std::result::Result<(), CliError> {
    let store = open(&config).await?;
    let report = import(&store, &args.file, &args.source, &progress("executions")).await;
    store.close().await?;
    let report = report?;
    show(&report, args.json)
}

/// Imports a log. What was answered before an error stays recorded; another import goes on from there.
///
/// # Errors
/// When the log cannot be read, or the database does not answer.
pub async fn import(
    store: &Store,
    file: &Path,
    source: &str,
    progress: &ProgressBar,
) -> std::result::Result<IncidentReport, CliError> {
    let log = incident::read(file).map_err(|e| CliError::Message(e.to_string()))?;
    let importer = Importer::enter(store, "incidents", "Incident import", Some(source)).await?;
    let mut report = IncidentReport {
        rows: log.rows,
        incidents: log.reports.len(),
        processes_created: make_processes(store, &importer, &log, source).await?,
        teams_created: make_teams(store, &importer, &log).await?,
        ..IncidentReport::default()
    };
    report.answers = send(|| importer.call(), source, log.reports, progress).await?;
    let rejected = log.rejected.into_iter();
    report.rejected_rows = rejected.map(|r| RejectedRow { line: r.line, number: r.number, reason: r.reason }).collect();
    report.notes = log.notes;
    Ok(report)
}

/// Makes the processes that are missing, so that they have the log's names. Answers how many.
async fn make_processes(store: &Store, by: &Importer, log: &Incidents, source: &str) -> Result<usize> {
    let keys: Vec<String> = log.processes.iter().map(|(key, _)| key.clone()).collect();
    let known = processes::by_keys(store.read(), &keys).await?;
    let known: BTreeSet<String> = known.into_iter().map(|p| p.key).collect();
    let mut made = 0;
    for (key, name) in log.processes.iter().filter(|(key, _)| !known.contains(key)) {
        let (key, name) = (key.clone(), name.clone());
        let description = format!("First seen in executions from {source}.");
        process_app::create(&by.call(), ProcessInput { key, name, description, ..Default::default() }, None).await?;
        made += 1;
    }
    Ok(made)
}

/// The same for teams.
async fn make_teams(store: &Store, by: &Importer, log: &Incidents) -> Result<usize> {
    let known: BTreeSet<String> = teams::all(store.read()).await?.into_iter().map(|t| t.key).collect();
    let mut made = 0;
    for (key, name) in log.teams.iter().filter(|(key, _)| !known.contains(key)) {
        let input = TeamInput { key: key.clone(), name: name.clone(), code_prefix: None };
        access::create_team(&by.call(), input, None).await?;
        made += 1;
    }
    Ok(made)
}

/// Records executions of the past in batches.
///
/// # Errors
/// When the database does not answer, or the caller may not record for this source.
pub async fn send(
    call: impl Fn() -> Call,
    source: &str,
    reports: Vec<Report>,
    progress: &ProgressBar,
) -> Result<Answers> {
    progress.set_length(reports.len() as u64);
    let mut answers = Answers::default();
    let mut rest = reports.into_iter();
    loop {
        let reports: Vec<Report> = rest.by_ref().take(MAX_BATCH).collect();
        if reports.is_empty() {
            break;
        }
        let batch = BatchInput { source: source.to_owned(), mode: Mode::Backfill, sent_at: None, reports };
        let batch = [Admitted::new(call(), batch)?];
        let told = executions::record(&batch).await?.answers.concat();
        progress.inc(told.len() as u64);
        for (report, answer) in batch[0].batch().reports.iter().zip(told) {
            answers.count(report, answer);
        }
    }
    progress.finish_and_clear();
    Ok(answers)
}

impl Answers {
    fn count(&mut self, report: &Report, answer: Answer) {
        let refused = |code: &str, path: String, reason: String| Refused {
            event_id: report.event_id.clone(),
            code: code.to_owned(),
            path,
            reason,
        };
        match answer {
            Answer::Created(_) => self.created += 1,
            Answer::Updated(_) => self.updated += 1,
            Answer::Duplicate => self.duplicate += 1,
            Answer::Stale(_) => self.stale += 1,
            Answer::Conflict => {
                self.conflict += 1;
                let why = "this event was taken before with other content".to_owned();
                self.refused.push(refused("CONFLICT", "eventId".to_owned(), why));
            }
            Answer::Rejected(why) => {
                self.rejected += 1;
                self.refused.push(refused(why.code.as_str(), why.path, why.message));
            }
        }
    }
}

impl fmt::Display for IncidentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Answers { created, updated, duplicate, stale, conflict, rejected, refused } = &self.answers;
        writeln!(f, "{} rows of {} incidents", self.rows, self.incidents)?;
        writeln!(f, "{} processes and {} teams made", self.processes_created, self.teams_created)?;
        write!(f, "executions: {created} created, {updated} updated, {duplicate} duplicate, {stale} stale, ")?;
        writeln!(f, "{conflict} in conflict, {rejected} rejected")?;
        for Refused { event_id, code, path, reason } in refused {
            writeln!(f, "  {event_id}: {code} at {path}: {reason}")?;
        }
        writeln!(f, "{} rows not taken", self.rejected_rows.len())?;
        for RejectedRow { line, number, reason } in &self.rejected_rows {
            writeln!(f, "  line {line} ({}): {reason}", number.as_deref().unwrap_or("no number"))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}
