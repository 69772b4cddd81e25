//! What a database would hold: rows that effects change under guards, with the unique indexes checked after every
//! single effect, as they are after every statement.

use std::collections::BTreeSet;

use crate::approval::{Decision, Request, RequestState};
use crate::ids::{DecisionId, PersonId, RequestId, SopId, VersionId};
use crate::lifecycle::{Effect, Procedure, SopState, Version, VersionState};
use crate::policy::Risk;

use super::cast::team;

#[derive(Debug, Clone, PartialEq)]
pub struct SopRow {
    pub id: SopId,
    pub process: u8,
    pub team: u128,
    pub owner: PersonId,
    pub state: SopState,
    pub revision: i64,
    pub successor: Option<SopId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RequestRow {
    pub sop: SopId,
    pub request: Request,
    pub state: RequestState,
}

/// Why a transaction was rolled back.
#[derive(Debug, PartialEq)]
pub enum Broken {
    /// The statement affected no row.
    Guard(String),
    /// A unique index was violated.
    Index(&'static str),
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tables {
    pub sops: Vec<SopRow>,
    pub versions: Vec<(SopId, Version)>,
    pub requests: Vec<RequestRow>,
    /// Who has a part in a decision that stands, by the first account known of the person.
    pub voices: Vec<(RequestId, PersonId, DecisionId)>,
}

impl Tables {
    pub fn open_requests(&mut self) -> impl Iterator<Item = &mut Request> {
        self.requests.iter_mut().filter(|r| r.state == RequestState::Open).map(|r| &mut r.request)
    }

    pub fn sop(&self, id: SopId) -> Option<&SopRow> {
        self.sops.iter().find(|s| s.id == id)
    }

    pub fn versions_of(&self, sop: SopId) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(move |(of, _)| *of == sop).map(|(_, v)| v)
    }

    pub fn in_state(&self, sop: SopId, states: &[VersionState]) -> Option<&Version> {
        self.versions_of(sop).find(|v| states.contains(&v.state))
    }

    /// Carries out all effects or none.
    pub fn transaction(&mut self, new: Option<SopRow>, sop: SopId, effects: &[Effect]) -> Result<(), Broken> {
        let mut copy = self.clone();
        copy.sops.extend(new);
        copy.check_indexes()?;
        for effect in effects {
            copy.carry_out(sop, effect).ok_or_else(|| Broken::Guard(format!("{effect:?}")))?;
            copy.check_indexes()?;
        }
        *self = copy;
        Ok(())
    }

    fn carry_out(&mut self, sop: SopId, effect: &Effect) -> Option<()> {
        match effect {
            Effect::DraftCreated(draft, contributors) => self.versions.push((
                sop,
                Version {
                    id: draft.id,
                    state: VersionState::Draft,
                    kind: draft.kind,
                    label: None,
                    content: draft.content,
                    effective_at: draft.effective_at,
                    revision: 1,
                    contributors: contributors.clone(),
                },
            )),
            Effect::DraftEdited { version, revision, content, kind, effective_at, editor } => {
                let row = self.version_at(sop, *version, VersionState::Draft, *revision)?;
                (row.content, row.kind, row.effective_at) = (*content, *kind, *effective_at);
                row.contributors.insert(*editor);
            }
            Effect::VersionMoved { version, revision, from, to, label, contributor, .. } => {
                let row = self.version_at(sop, *version, *from, *revision)?;
                (row.state, row.label) = (*to, *label);
                row.contributors.extend(contributor);
            }
            Effect::RequestOpened(request) => {
                let (request, state) = (request.clone(), RequestState::Open);
                self.requests.push(RequestRow { sop, request, state });
            }
            Effect::DecisionTaken(request, decision) => self.decided(sop, *request, decision)?,
            Effect::DecisionWithdrawn(request, id, at) => {
                let row = self.open_request(sop, *request)?;
                let stage = row.request.stage;
                let standing = |d: &&mut Decision| d.id == *id && d.stage == stage && d.withdrawn_at.is_none();
                row.request.decisions.iter_mut().find(standing)?.withdrawn_at = Some(*at);
                self.voices.retain(|(_, _, decision)| decision != id);
            }
            Effect::StageOpened(request, stage) => {
                let row = self.open_request(sop, *request)?;
                if row.request.stage + 1 != *stage {
                    return None;
                }
                row.request.stage = *stage;
            }
            Effect::RequestClosed(request, state) => self.open_request(sop, *request)?.state = *state,
            Effect::SopMoved { revision, from, to, successor } => {
                let row = self.sops.iter_mut().find(|s| (s.id, s.state, s.revision) == (sop, *from, *revision))?;
                (row.state, row.revision, row.successor) = (*to, row.revision + 1, *successor);
            }
            Effect::OwnerChanged { revision, from, to } => {
                let row = self.sops.iter_mut().find(|s| (s.id, s.owner, s.revision) == (sop, *from, *revision))?;
                (row.owner, row.revision) = (*to, row.revision + 1);
            }
        }
        Some(())
    }

    fn decided(&mut self, sop: SopId, request: RequestId, decision: &Decision) -> Option<()> {
        let row = self.open_request(sop, request)?;
        if row.request.stage != decision.stage {
            return None;
        }
        row.request.decisions.push(decision.clone());
        let parties = [Some(decision.person), decision.on_behalf_of.map(|(person, _)| person)];
        let voices = parties.into_iter().flatten().map(|account| row.request.accounts.holder(account));
        let voices: Vec<PersonId> = voices.collect();
        self.voices.extend(voices.into_iter().map(|person| (request, person, decision.id)));
        Some(())
    }

    fn version_at(&mut self, sop: SopId, id: VersionId, state: VersionState, revision: i64) -> Option<&mut Version> {
        let rows = self.versions.iter_mut().filter(|(of, _)| *of == sop).map(|(_, v)| v);
        let row = rows.into_iter().find(|v| (v.id, v.state, v.revision) == (id, state, revision))?;
        row.revision += 1;
        Some(row)
    }

    fn open_request(&mut self, sop: SopId, id: RequestId) -> Option<&mut RequestRow> {
        self.requests.iter_mut().find(|r| (r.sop, r.request.id, r.state) == (sop, id, RequestState::Open))
    }

    fn check_indexes(&self) -> Result<(), Broken> {
        let versions = |held: fn(&Version) -> bool| self.versions.iter().filter(move |(_, v)| held(v));
        let open = [VersionState::Draft, VersionState::InReview, VersionState::Approved];
        let live = self.sops.iter().filter(|s| s.state != SopState::Retired);
        let decided = self.requests.iter().flat_map(|r| r.request.standing().map(|d| (r.request.id, d.person)));
        let heard = self.voices.iter().map(|(request, person, _)| (*request, *person));
        let labelled = versions(|v| v.state != VersionState::Discarded && v.label.is_some());
        let pending = self.requests.iter().filter(|r| r.state == RequestState::Open);
        let indexes = [
            (
                self.versions.iter().filter(|(_, v)| open.contains(&v.state)).map(|(s, _)| *s).duplicate(),
                "open version",
            ),
            (versions(|v| v.state == VersionState::Published).map(|(s, _)| *s).duplicate(), "published version"),
            (labelled.map(|(s, v)| (*s, v.label)).duplicate(), "label"),
            (versions(|_| true).map(|(_, v)| v.id).duplicate(), "version id"),
            (live.map(|s| s.process).duplicate(), PROCESS),
            (pending.map(|r| r.sop).duplicate(), "open request"),
            (decided.duplicate(), "one decision that stands per account"),
            (heard.duplicate(), "one voice per person"),
        ];
        indexes.into_iter().find(|(twice, _)| *twice).map_or(Ok(()), |(_, name)| Err(Broken::Index(name)))
    }

    /// The rows of one SOP, read back.
    pub fn procedure(&self, id: SopId) -> Option<Procedure> {
        let row = self.sop(id)?;
        let request = self.requests.iter().find(|r| r.sop == id && r.state == RequestState::Open);
        Some(Procedure {
            id,
            team: team(row.team),
            owner: row.owner,
            risk: Risk::Low,
            state: row.state,
            revision: row.revision,
            versions: self.versions_of(id).cloned().collect(),
            request: request.map(|r| r.request.clone()),
        })
    }
}

/// The index that keeps a process to one SOP that is not retired.
pub const PROCESS: &str = "process";

trait Duplicate: Iterator {
    fn duplicate(self) -> bool;
}

impl<I: Iterator<Item = T>, T: Ord> Duplicate for I {
    fn duplicate(self) -> bool {
        let mut seen = BTreeSet::new();
        !self.into_iter().all(|item| seen.insert(item))
    }
}
