//! `import runbooks`: a folder of Markdown runbooks becomes SOPs, each with a draft; with `--publish` the drafts are
//! taken through their approvals. A second import of the same folder writes nothing.

mod align;
mod homes;
mod publish;
mod report;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use sopwith_domain::content::{ChangeKind, ChangeLog, Content, Document};
use sopwith_domain::ids::{PersonId, ProcessId, SopId};
use sopwith_domain::lifecycle::{Procedure, SopState, VersionState};
use sopwith_domain::policy::Risk;

use self::homes::{Home, Homes};
use self::publish::Publication;
pub use self::report::{Remark, RunbookReport};
use super::runbook::{self, Found};
use super::{Importer, open, progress, reason, show};
use crate::app::processes::{self as process_app, ProcessInput};
use crate::app::sops::{self as sop_app, SopInput};
use crate::app::versions;
use crate::cli::CliError;
use crate::error::{Error, Result};
use crate::store::{Store, contents, imports, procedures, processes, sops};

/// How often an imported SOP is to be reviewed, in months.
const CADENCE: i32 = 12;

/// Imports a folder of Markdown runbooks.
#[derive(Debug, clap::Args)]
pub struct RunbookArgs {
    /// The folder. Its subfolders become teams; OWNERS files name their reviewers and approvers.
    dir: PathBuf,
    /// Take the drafts through their approvals, each decided by people who may and marked as imported.
    #[arg(long)]
    publish: bool,
    /// Print the report as one JSON document.
    #[arg(long)]
    json: bool,
}

/// What an import does beside making drafts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Take the drafts through their approvals.
    pub publish: bool,
}

/// Runs the command on the configured database.
///
/// # Errors
/// When the folder cannot be read, the database does not answer, or a document failed for a reason of ours.
pub async fn run(args: RunbookArgs, config: crate::config::Config) -> std::result::Result<(), CliError> {
    let store = open(&config).await?;
    let report = import(&store, &args.dir, Options { publish: args.publish }, &progress("runbooks")).await;
    store.close().await?;
    let report = report?;
    show(&report, args.json)?;
    match report.failed.len() {
        0 => Ok(()),
        n => Err(CliError::Message(format!("{n} runbooks could not be imported"))),
    }
}

/// Imports a folder. What is wrong with one document is in the report and does not stop the others.
///
/// # Errors
/// When the folder cannot be read or the database does not answer.
pub async fn import(
    store: &Store,
    dir: &Path,
    options: Options,
    progress: &ProgressBar,
) -> std::result::Result<RunbookReport, CliError> {
    let tree = runbook::read(dir).map_err(|e| CliError::Message(e.to_string()))?;
    let importer = Importer::enter(store, "runbooks", "Runbook import", None).await?;
    let mut report = RunbookReport::of(&tree);
    let homes = Homes::prepare(store, &importer, &tree, &mut report).await?;
    progress.set_length(tree.documents.len() as u64);
    for found in &tree.documents {
        let import = Import { store, importer: &importer, found };
        match import.take(homes.get(&found.team_key), options, &mut report).await {
            Err(Error::Unavailable) => return Err(Error::Unavailable.into()),
            Err(error) => report.failed.push(Remark::new(&found.path, reason(&error))),
            Ok(()) => {}
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// One document on its way.
struct Import<'a> {
    store: &'a Store,
    importer: &'a Importer,
    found: &'a Found,
}

/// What became of a document, with its SOP.
enum Outcome {
    Created(SopId),
    Updated(SopId),
    Unchanged(SopId),
    LeftAlone(String),
}

impl Import<'_> {
    async fn take(
        &self,
        home: std::result::Result<&Home, String>,
        with: Options,
        to: &mut RunbookReport,
    ) -> Result<()> {
        let home = match home {
            Ok(home) => home,
            Err(why) => {
                to.failed.push(Remark::new(&self.found.path, why));
                return Ok(());
            }
        };
        let sop = match self.keep(home).await? {
            Outcome::Created(sop) => (sop, &mut to.created),
            Outcome::Updated(sop) => (sop, &mut to.updated),
            Outcome::Unchanged(sop) => (sop, &mut to.unchanged),
            Outcome::LeftAlone(why) => {
                to.left_alone.push(Remark::new(&self.found.path, why));
                return Ok(());
            }
        };
        *sop.1 += 1;
        if with.publish {
            match publish::publish(self.store, self.importer, sop.0).await? {
                Publication::Published => to.published += 1,
                Publication::NothingToDo => {}
                Publication::Left(why) => to.left_as_draft.push(Remark::new(&self.found.path, why)),
            }
        }
        Ok(())
    }

    /// Makes the SOP, or brings it up to date.
    async fn keep(&self, home: &Home) -> Result<Outcome> {
        let content = self.found.content.clone();
        let document = Document { kind: ChangeKind::Material, effective_at: None, content };
        let digest = document.canonical().1.to_string();
        let process = self.process(home).await?;
        let imported = imports::find(self.store.read(), process).await?;
        let known = imported.as_ref().map(|i| SopId(i.sop_id));
        if let (Some(sop), Some(before)) = (known, &imported)
            && before.digest == digest
        {
            return Ok(Outcome::Unchanged(sop));
        }
        let current = sops::of_processes(self.store.read(), &[process.0]).await?.into_iter().next();
        let current = current.filter(|row| known.is_some() || row.state != SopState::Retired.as_str());
        let outcome = match known.or(current.map(|row| SopId(row.id))) {
            Some(sop) => self.update(sop, known.is_some(), document).await?,
            None => Outcome::Created(self.create(home, process, document).await?),
        };
        if let Outcome::Created(sop) | Outcome::Updated(sop) = outcome {
            let now = self.importer.call().now;
            imports::remember(self.store.writer(), (process, sop), (&self.found.path, &digest), now).await?;
        }
        Ok(outcome)
    }

    async fn process(&self, home: &Home) -> Result<ProcessId> {
        let key = &self.found.process_key;
        if let Some(process) = processes::by_key(self.store.read(), key).await? {
            return Ok(ProcessId(process.id));
        }
        let input = ProcessInput {
            key: key.clone(),
            name: self.found.content.title.clone(),
            description: format!("Described by the runbook {}.", self.found.path),
            owner: None,
            team: Some(home.team),
            horizon: None,
        };
        process_app::create(&self.importer.call(), input, None).await
    }

    async fn create(&self, home: &Home, process: ProcessId, document: Document) -> Result<SopId> {
        let input = SopInput {
            process,
            team: home.team,
            owner: home.owner,
            risk: Risk::Medium,
            review_cadence_months: CADENCE,
            document,
        };
        sop_app::create(&self.importer.call(), input, None).await
    }

    /// Puts what the file says now into the draft that an import made, or into a new one.
    async fn update(&self, sop: SopId, known: bool, mut document: Document) -> Result<Outcome> {
        let Some(procedure) = procedures::load(self.store.read(), sop, false).await? else {
            return Err(Error::internal(format!("the imported SOP {sop} is gone")));
        };
        if procedure.state == SopState::Retired {
            return Ok(Outcome::LeftAlone("its SOP is retired".to_owned()));
        }
        if procedure.was_published() {
            document.content.change_log = ChangeLog {
                what: format!("Imported again from {}", self.found.path),
                why: "The file has changed since it was imported last".to_owned(),
            };
        }
        self.keep_keys(&mut document.content, &procedure).await?;
        let call = self.importer.call();
        match procedure.open_version() {
            Some(open) if open.state != VersionState::Draft => {
                Ok(Outcome::LeftAlone(format!("a version of its SOP is {}", open.state)))
            }
            Some(draft) if draft.contributors != self.own() => {
                Ok(Outcome::LeftAlone("somebody is writing a draft of its SOP".to_owned()))
            }
            Some(draft) => {
                versions::edit(&call, draft.id, draft.revision, document).await?;
                Ok(Outcome::Updated(sop))
            }
            None if !known => Ok(Outcome::LeftAlone("its process has an SOP that no import made".to_owned())),
            None => {
                versions::create(&call, sop, None, document.into(), None).await?;
                Ok(Outcome::Updated(sop))
            }
        }
    }

    /// Gives the steps the keys that they have in what is replaced: the open draft, or else the version in force.
    async fn keep_keys(&self, content: &mut Content, procedure: &Procedure) -> Result<()> {
        let Some(replaced) = procedure.open_version().or(procedure.in_force()) else { return Ok(()) };
        let replaced = contents::get(self.store.read(), &replaced.content.to_string()).await?.content;
        let hashes: Vec<String> = procedure.versions.iter().map(|v| v.content.to_string()).collect();
        let earlier = contents::by_hashes(self.store.read(), &hashes).await?;
        let earlier: Vec<Content> = earlier.into_iter().map(|(_, document)| document.content).collect();
        align::keep_keys(content, &replaced, &earlier);
        Ok(())
    }

    /// The contributors of a version that only the import wrote.
    fn own(&self) -> BTreeSet<PersonId> {
        BTreeSet::from([self.importer.person()])
    }
}
