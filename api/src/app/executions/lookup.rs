//! What the reports of a batch name: processes, SOPs, versions, teams and people, looked up at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;
use sopwith_domain::access::{Permission, Permit};
use sopwith_domain::content::is_key;
use sopwith_domain::execution::{ActorRef, Rejection, RejectionCode, Report, Run};
use sopwith_domain::ids::{PersonId, ProcessId, SopId, TeamId};

use super::{Changed, version_of};
use crate::app::processes::{self as process_app, ProcessInput};
use crate::app::{Call, record};
use crate::clock::new_id;
use crate::error::{Error, Result};
use crate::store::audit::NewEntry;
use crate::store::executions::{InForce, RunToStore, in_force};
use crate::store::people::Profile;
use crate::store::teams::NewTeam;
use crate::store::{Connection, Uuid, people, processes, teams};

/// What is known of what a batch names.
#[derive(Default)]
pub(super) struct Lookup<'a> {
    /// Of the people that the source names: they are its own until they are linked.
    issuer: String,
    processes: HashMap<String, ProcessId>,
    /// When runs of them count as abandoned, where they say so.
    horizons: HashMap<ProcessId, i64>,
    /// SOPs that were ever in force by code, each with its process.
    sops: HashMap<String, (SopId, ProcessId)>,
    teams: HashMap<String, TeamId>,
    times: BTreeMap<Uuid, Vec<InForce>>,
    people: HashMap<String, PersonId>,
    may_create: bool,
    /// What is named for the first time, with the request that did.
    missing_processes: BTreeMap<String, &'a Call>,
    missing_teams: BTreeMap<String, &'a Call>,
    actors: BTreeMap<String, (&'a Call, ActorRef)>,
}

/// The names that a batch uses.
#[derive(Debug, Default)]
pub(super) struct Names {
    processes: BTreeSet<String>,
    sops: BTreeSet<String>,
    teams: BTreeSet<String>,
    actors: BTreeSet<String>,
}

impl Names {
    /// Those that reports use, and that runs used before.
    pub(super) fn of<'r>(reports: &[&Report], runs: impl IntoIterator<Item = &'r Run>) -> Self {
        let mut names = Self::default();
        for report in reports {
            names.add([&report.process, &report.sop, &report.team].map(Option::as_ref), report.actor.as_ref());
        }
        for run in runs {
            names.add([&run.process, &run.sop, &run.team].map(Option::as_ref), run.actor.as_ref());
        }
        names
    }

    fn add(&mut self, [process, sop, team]: [Option<&String>; 3], actor: Option<&ActorRef>) {
        let note = |names: &mut BTreeSet<String>, name: Option<&String>| {
            if let Some(name) = name.filter(|name| !names.contains(*name)) {
                names.insert(name.clone());
            }
        };
        note(&mut self.processes, process);
        note(&mut self.sops, sop);
        note(&mut self.teams, team);
        note(&mut self.actors, actor.map(|actor| &actor.subject));
    }

    fn is_empty(&self) -> bool {
        [&self.processes, &self.sops, &self.teams, &self.actors].iter().all(|names| names.is_empty())
    }
}

impl<'a> Lookup<'a> {
    /// Knows nothing yet.
    pub(super) fn new(call: &Call, source: &str) -> Self {
        Self {
            issuer: format!("source:{source}"),
            may_create: call.actor.may(Permission::ProcessWrite, None),
            ..Self::default()
        }
    }

    /// Looks up what these names are, but those that are known already.
    pub(super) async fn learn(&mut self, db: &impl Connection, mut names: Names) -> Result<()> {
        names.processes.retain(|key| !self.processes.contains_key(key));
        names.sops.retain(|code| !self.sops.contains_key(code));
        names.teams.retain(|key| !self.teams.contains_key(key));
        names.actors.retain(|subject| !self.people.contains_key(subject));
        if names.is_empty() {
            return Ok(());
        }
        let [keys, codes, teams, subjects] =
            [names.processes, names.sops, names.teams, names.actors].map(|names| names.into_iter().collect::<Vec<_>>());
        if !keys.is_empty() || !codes.is_empty() {
            self.learn_procedures(db, &keys, &codes).await?;
        }
        self.teams.extend(teams::by_keys(db, &teams).await?.into_iter().map(|t| (t.key, TeamId(t.id))));
        let known = people::by_subjects(db, &self.issuer, &subjects).await?;
        self.people.extend(known.into_iter().map(|p| (p.subject, PersonId(p.id))));
        Ok(())
    }

    async fn learn_procedures(&mut self, db: &impl Connection, keys: &[String], codes: &[String]) -> Result<()> {
        for process in processes::by_keys(db, keys).await? {
            let id = ProcessId(process.id);
            self.horizons.extend(process.horizon.map(|horizon| (id, horizon)));
            self.processes.insert(process.key, id);
        }
        // All of a process at once, in their order: what was known of it is replaced.
        let mut times = BTreeMap::<Uuid, Vec<InForce>>::new();
        for time in in_force(db, keys, codes).await? {
            self.horizons.extend(time.horizon.map(|horizon| (time.process, horizon)));
            self.sops.insert(time.code.clone(), (time.sop, time.process));
            times.entry(time.process.0).or_default().push(time);
        }
        self.times.extend(times);
        Ok(())
    }

    /// Checks what a report names.
    pub(super) fn check(&self, report: &Report) -> std::result::Result<(), Rejection> {
        let refuse = |code, path: &str, what: &str| Err(Rejection::new(code, path, format!("there is no {what}")));
        let may_make = |key: &str| self.may_create && is_key(key);
        if report.process.as_ref().is_some_and(|key| !self.processes.contains_key(key) && !may_make(key)) {
            return refuse(RejectionCode::UnknownProcess, "process", "process of this key");
        }
        if report.team.as_ref().is_some_and(|key| !self.teams.contains_key(key) && !may_make(key)) {
            return refuse(RejectionCode::UnknownTeam, "team", "team of this key");
        }
        if let Some(code) = &report.sop {
            let Some((_, process)) = self.sops.get(code) else {
                return refuse(RejectionCode::UnknownSop, "sop", "SOP of this code");
            };
            let named = report.process.as_ref();
            if named.is_some_and(|key| self.processes.get(key) != Some(process)) {
                let why = "the SOP is not of this process";
                return Err(Rejection::new(RejectionCode::Invalid, "process", why));
            }
        }
        let (of_sop, process) = self.procedure(report.sop.as_ref(), report.process.as_ref());
        let times = process.and_then(|process| self.times.get(&process.0)).into_iter().flatten();
        let mut labels = times.filter(|t| of_sop.is_none_or(|sop| t.sop == sop)).map(|t| &t.label);
        if report.version.as_ref().is_some_and(|label| !labels.any(|known| known == label)) {
            return refuse(RejectionCode::UnknownVersion, "version", "version of this label that was in force");
        }
        Ok(())
    }

    /// What a code and a key name, as far as it is known: the SOP, and the process.
    fn procedure(&self, code: Option<&String>, key: Option<&String>) -> (Option<SopId>, Option<ProcessId>) {
        let of_code = code.and_then(|code| self.sops.get(code)).copied();
        let of_key = key.and_then(|key| self.processes.get(key)).copied();
        (of_code.map(|(sop, _)| sop), of_code.map(|(_, process)| process).or(of_key))
    }

    /// Notes what is to be made for a report that was taken.
    pub(super) fn note(&mut self, call: &'a Call, report: &Report) {
        let missing = |key: &&String, known: bool| !known && is_key(key);
        let process = report.process.as_ref().filter(|key| missing(key, self.processes.contains_key(*key)));
        let team = report.team.as_ref().filter(|key| missing(key, self.teams.contains_key(*key)));
        if let Some(key) = process {
            self.missing_processes.entry(key.clone()).or_insert(call);
        }
        if let Some(key) = team {
            self.missing_teams.entry(key.clone()).or_insert(call);
        }
        if let Some(actor) = &report.actor
            && !self.people.contains_key(&actor.subject)
        {
            self.actors.insert(actor.subject.clone(), (call, actor.clone()));
        }
    }

    /// Checks that what several events of a run named fits together.
    pub(super) fn check_run(&self, run: &Run) -> std::result::Result<(), Rejection> {
        let of_sop = run.sop.as_ref().and_then(|code| self.sops.get(code)).map(|(_, process)| *process);
        let named = run.process.as_ref().map(|key| self.processes.get(key).copied());
        match (of_sop, named) {
            (Some(process), Some(named)) if named != Some(process) => {
                let why = "the SOP that the run's events name is not of this process";
                Err(Rejection::new(RejectionCode::Invalid, "process", why))
            }
            _ => Ok(()),
        }
    }

    /// Makes the processes, teams and people that the reports taken name for the first time; answers what the audit
    /// chain is to say of it.
    pub(super) async fn create_missing(
        &mut self,
        db: &impl Connection,
        permit: &Permit,
        source: &str,
    ) -> Result<Vec<NewEntry>> {
        // Another batch may have made them since they were looked up.
        let missing = Names {
            processes: self.missing_processes.keys().cloned().collect(),
            teams: self.missing_teams.keys().cloned().collect(),
            actors: self.actors.keys().cloned().collect(),
            ..Names::default()
        };
        self.learn(db, missing).await?;
        self.missing_processes.retain(|key, _| !self.processes.contains_key(key));
        self.missing_teams.retain(|key, _| !self.teams.contains_key(key));
        self.actors.retain(|subject, _| !self.people.contains_key(subject));
        let mut entries = Vec::new();
        for (key, call) in std::mem::take(&mut self.missing_teams) {
            let code_prefix = teams::free_prefix(db, &key).await?;
            let told = json!({"key": key, "name": key, "codePrefix": code_prefix, "source": source});
            let new = NewTeam { id: TeamId(new_id()), key: key.clone(), name: key.clone(), code_prefix };
            let team = TeamId(teams::insert(db, permit, new, call.now).await.map_err(collided)?.id);
            entries.push(record::plain(call, "team.created", team, Some(team), told));
            self.teams.insert(key, team);
        }
        for (key, call) in std::mem::take(&mut self.missing_processes) {
            let description = format!("First seen in executions from {source}.");
            let input = ProcessInput { name: key.clone(), key: key.clone(), description, ..Default::default() };
            let process = ProcessId(new_id());
            process_app::insert(db, call, permit, process, &input).await.map_err(collided)?;
            let mut told = process_app::told(&input, 1);
            told["source"] = json!(source);
            entries.push(record::plain(call, "process.created", process, None, told));
            self.processes.insert(key, process);
        }
        for (subject, (call, actor)) in std::mem::take(&mut self.actors) {
            let profile = Profile {
                issuer: self.issuer.clone(),
                subject: subject.clone(),
                name: actor.name,
                email: None,
                email_verified: false,
                digest: String::new(),
            };
            let new = PersonId(new_id());
            let person = PersonId(people::upsert(db, new, &profile, call.now).await?.id);
            // Else another batch made them meanwhile, and said so.
            if person == new {
                entries.push(record::plain(call, "person.created", person, None, json!({"source": source})));
            }
            self.people.insert(subject, person);
        }
        Ok(entries)
    }

    /// A run with everything that it names in the place of names.
    pub(super) fn resolve(&self, changed: Changed) -> Result<RunToStore> {
        let Changed { id, stored, run_id, run, clock_lead, received_at } = changed;
        let (sop, process) = self.procedure(run.sop.as_ref(), run.process.as_ref());
        let process = process.ok_or_else(|| Error::internal(format!("run {run_id} has no process")))?;
        // Kept as long as the run is of one process: that of a process is set on those of its runs that have not ended.
        let kept = stored.filter(|stored| stored.process == process);
        let horizon = kept.map_or_else(|| self.horizons.get(&process).copied(), |stored| stored.horizon);
        let times = self.times.get(&process.0).map(Vec::as_slice).unwrap_or_default();
        let version = version_of(&run, times);
        Ok(RunToStore {
            id,
            stored,
            run_id,
            process,
            sop: sop.or(version.sop),
            version: version.version,
            standing: version.standing,
            conformance: None,
            team: run.team.as_ref().and_then(|key| self.teams.get(key)).copied(),
            actor: run.actor.as_ref().and_then(|actor| self.people.get(&actor.subject)).copied(),
            found: version.found,
            clock_lead,
            received_at,
            horizon,
            run,
        })
    }
}

/// Another batch made the same at the same time: worth another try, which will find it.
fn collided(error: Error) -> Error {
    match error {
        Error::Refused(_) => Error::Collided,
        other => other,
    }
}
