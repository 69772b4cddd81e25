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
use crate::store::executions::{InForce, RunToStore, StoredRun, in_force};
use crate::store::people::Profile;
use crate::store::teams::NewTeam;
use crate::store::{Connection, Uuid, people, processes, teams};

/// What is known of what a batch names.
pub(super) struct Lookup<'a> {
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

impl<'a> Lookup<'a> {
    /// Looks up what these reports name, and what the runs that they belong to have named before.
    pub(super) async fn load(
        db: &impl Connection,
        call: &Call,
        source: &str,
        reports: &[&Report],
        runs: &HashMap<String, StoredRun>,
    ) -> Result<Self> {
        let names = |of_report: fn(&Report) -> Option<&String>, of_run: fn(&Run) -> Option<&String>| {
            let before = runs.values().filter_map(|stored| of_run(&stored.run));
            let all: BTreeSet<&String> = reports.iter().filter_map(|r| of_report(r)).chain(before).collect();
            all.into_iter().cloned().collect::<Vec<_>>()
        };
        let keys = names(|r| r.process.as_ref(), |r| r.process.as_ref());
        let codes = names(|r| r.sop.as_ref(), |r| r.sop.as_ref());
        let found = processes::by_keys(db, &keys).await?;
        let mut horizons: HashMap<ProcessId, i64> =
            found.iter().filter_map(|p| Some((ProcessId(p.id), p.horizon?))).collect();
        let (mut times, mut sops) = (BTreeMap::<Uuid, Vec<InForce>>::new(), HashMap::new());
        for time in in_force(db, &keys, &codes).await? {
            horizons.extend(time.horizon.map(|horizon| (time.process, horizon)));
            sops.insert(time.code.clone(), (time.sop, time.process));
            times.entry(time.process.0).or_default().push(time);
        }
        let team_keys = names(|r| r.team.as_ref(), |r| r.team.as_ref());
        let subjects = names(|r| r.actor.as_ref().map(|a| &a.subject), |r| r.actor.as_ref().map(|a| &a.subject));
        let known = people::by_subjects(db, &issuer(source), &subjects).await?;
        Ok(Self {
            processes: found.into_iter().map(|p| (p.key, ProcessId(p.id))).collect(),
            horizons,
            sops,
            teams: teams::by_keys(db, &team_keys).await?.into_iter().map(|t| (t.key, TeamId(t.id))).collect(),
            times,
            people: known.into_iter().map(|p| (p.subject, PersonId(p.id))).collect(),
            may_create: call.actor.may(Permission::ProcessWrite, None),
            missing_processes: BTreeMap::new(),
            missing_teams: BTreeMap::new(),
            actors: BTreeMap::new(),
        })
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
                issuer: issuer(source),
                subject: subject.clone(),
                name: actor.name,
                email: None,
                email_verified: false,
                digest: String::new(),
            };
            let person = people::upsert(db, PersonId(new_id()), &profile, call.now).await?;
            let person = PersonId(person.id);
            entries.push(record::plain(call, "person.created", person, None, json!({"source": source})));
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

/// People as a source knows them are its own until they are linked.
fn issuer(source: &str) -> String {
    format!("source:{source}")
}

/// Another batch made the same at the same time: worth another try, which will find it.
fn collided(error: Error) -> Error {
    match error {
        Error::Refused(_) => Error::Collided,
        other => other,
    }
}
