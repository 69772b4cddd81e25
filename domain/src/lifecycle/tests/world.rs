//! Carries actions out: by the code under test, in the tables and in the history, and compares the three.

mod attempt;
mod remember;

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::approval::{Request, Subject};
use crate::content::ContentHash;
use crate::error::Refusal;
use crate::ids::{RequestId, SopId, VersionId};
use crate::lifecycle::{Effect, Procedure, SopState, VersionState};
use crate::policy::Risk;

use super::cast::{Cast, person, sop_id, team};
use super::documents::Spec;
use super::facts::{Deputy, Facts};
use super::history::History;
use super::oracle::{foresee, process_is_free};
use super::table::{Broken, PROCESS, SopRow, Tables};
use super::{ensure, laws};

/// What is asked for, in full.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    CreateSop(Spec),
    CreateDraft {
        based_on: Option<VersionId>,
        spec: Spec,
    },
    Edit {
        version: VersionId,
        revision: i64,
        spec: Spec,
    },
    Submit {
        version: VersionId,
        revision: i64,
    },
    Decide(Answered),
    TakeBack {
        request: RequestId,
    },
    Withdraw {
        request: RequestId,
    },
    Discard {
        version: VersionId,
        revision: i64,
        reason: &'static str,
    },
    PublishDue {
        version: VersionId,
    },
    Retire {
        revision: i64,
        reason: &'static str,
        successor: Option<SopId>,
    },
    Revive {
        revision: i64,
        based_on: Option<VersionId>,
        spec: Spec,
    },
    HandOver {
        revision: i64,
        to: usize,
    },
    Comment {
        version: VersionId,
    },
    /// Which thread, by number.
    Resolve {
        thread: usize,
    },
    Reopen {
        thread: usize,
    },
    Delegate(Deputy, &'static str),
}

/// An answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    pub request: RequestId,
    pub approves: bool,
    pub content: ContentHash,
    pub comment: &'static str,
    pub behalf: Option<usize>,
}

/// Who asks for what, where; the clock when nobody does.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub sop: usize,
    pub who: Option<usize>,
    /// How long ago the person signed in, in seconds.
    pub login: Option<i64>,
    pub ask: Ask,
}

#[derive(Debug, Clone)]
pub struct World {
    pub facts: Facts,
    pub procedures: BTreeMap<usize, Procedure>,
    pub tables: Tables,
    pub history: History,
    pub specs: BTreeMap<ContentHash, Spec>,
    /// How often each thing happened that a run should reach.
    pub seen: BTreeMap<&'static str, u32>,
    /// Of which the next id is made.
    serial: u128,
}

/// What came of an action.
pub type Came = Result<Result<(), Refusal>, String>;

/// The SOP as it was, what is to be done to it, and which versions should move where.
pub type Answer = (Procedure, Vec<Effect>, Vec<(VersionId, VersionState)>);

impl World {
    pub fn new(cast: &'static Cast) -> Self {
        Self {
            facts: Facts::new(cast),
            procedures: BTreeMap::new(),
            tables: Tables::default(),
            history: History::default(),
            specs: BTreeMap::new(),
            seen: BTreeMap::new(),
            serial: 1_000,
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Asks for something, and checks that what comes of it is what should, in every respect.
    pub fn perform(&mut self, deed: &Deed) -> Came {
        match self.answer(deed)? {
            Ok(answer) => self.carry_out(deed, answer),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Does what was allowed.
    pub fn carry_out(&mut self, deed: &Deed, (start, effects, foreseen): Answer) -> Came {
        if matches!(deed.ask, Ask::Delegate(..)) {
            self.remember(deed);
            self.serial += 1;
            self.count("delegated");
            return Ok(Ok(()));
        }
        let new = matches!(deed.ask, Ask::CreateSop(_));
        let mut tables = self.tables.clone();
        match tables.transaction(new.then(|| self.row(&start, deed.sop)), start.id, &effects) {
            Err(Broken::Index(PROCESS)) => {
                let begins = matches!(deed.ask, Ask::CreateSop(_) | Ask::Revive { .. });
                ensure!(begins && !process_is_free(self, deed.sop), "the process is free, or not asked for: {deed:?}");
                ensure!(tables == self.tables, "a transaction rolled back left something");
                self.count("a taken process refuses another SOP");
                return Ok(Err(Refusal::conflict("the process has an SOP")));
            }
            done => ensure!(done.is_ok(), "the tables do not take it: {done:?} {deed:?} {effects:#?}"),
        }
        let mut after = start.clone();
        for effect in &effects {
            after.apply(effect);
        }
        ensure!(tables.procedure(after.id).as_ref() == Some(&after), "the tables differ: {tables:#?} {after:#?}");
        self.remember(deed);
        let step = laws::Step { deed, before: &start, after: &after, effects: &effects };
        laws::check(self, &step, &foreseen)?;
        self.serial += 1;
        self.tables = tables;
        self.procedures.insert(deed.sop, after);
        self.tell();
        Ok(Ok(()))
    }

    /// What the code under test says to something, provided that it was foreseen: the SOP as it is, what is to be done
    /// to it, and where its versions move.
    pub fn answer(&self, deed: &Deed) -> Result<Result<Answer, Refusal>, String> {
        let foreseen = foresee(self, deed);
        let existing = self.procedures.get(&deed.sop).filter(|_| !matches!(deed.ask, Ask::CreateSop(_)));
        let blank = existing.is_none().then(|| self.blank(deed.sop));
        let start = existing.or(blank.as_ref()).expect("it exists or not");
        match (self.attempt(start, deed), foreseen) {
            (Err(refusal), None) => Ok(Err(refusal)),
            (Ok(effects), Some(foreseen)) => Ok(Ok((start.clone(), effects, foreseen))),
            (Err(refusal), Some(_)) => Err(format!("refused though it should not be: {refusal:?} {deed:?}")),
            (Ok(_), None) => Err(format!("allowed though it should not be: {deed:?}")),
        }
    }

    /// Tells requests under way what is looked up whenever one is loaded: which accounts are one person's, and how many
    /// threads of comments are open.
    pub fn tell(&mut self) {
        let accounts = self.facts.accounts();
        let loaded = self.procedures.values_mut().filter_map(|p| p.request.as_mut());
        for request in loaded.chain(self.tables.open_requests()) {
            request.accounts = accounts.clone();
            request.open_threads = self.facts.open_threads(subject_version(request));
        }
    }

    fn blank(&self, sop: usize) -> Procedure {
        let (_, of, owner) = self.facts.cast.sops[sop];
        Procedure {
            id: sop_id(sop),
            team: team(of),
            owner: person(owner),
            risk: Risk::Low,
            state: SopState::Draft,
            revision: 1,
            versions: Vec::new(),
            request: None,
        }
    }

    fn row(&self, new: &Procedure, sop: usize) -> SopRow {
        let (process, team, _) = self.facts.cast.sops[sop];
        let (id, owner, state, revision) = (new.id, new.owner, new.state, new.revision);
        SopRow { id, process, team, owner, state, revision, successor: None }
    }

    fn request_id(&self) -> RequestId {
        RequestId(Uuid::from_u128(self.serial))
    }
}

/// What a request is about, as the history names it.
pub fn subject_version(request: &Request) -> Option<VersionId> {
    match request.subject {
        Subject::Version(id) => Some(id),
        Subject::Retirement { .. } => None,
    }
}
