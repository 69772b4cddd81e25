//! Carries actions out: by the code under test, in the tables and in the history, and compares the three.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::access::{Action, Permit, Resource, SopFacts, decide};
use crate::approval::{Accounts, Answer, Candidate, Subject, Verdict, Via};
use crate::content::ContentHash;
use crate::error::Refusal;
use crate::ids::{DecisionId, PolicyId, RequestId, SopId, VersionId};
use crate::lifecycle::{Effect, NewDraft, Procedure, Reviewed, SopState, Submission};
use crate::policy::{Policy, PolicyKind, Risk, Stage};
use crate::time::{SECOND, Timestamp};

use super::cast::{PEOPLE, SOPS, Spec, actor, candidates, person, sop_id, stages, team};
use super::history::{History, Passage, Vote};
use super::oracle::{foresee, process_is_free};
use super::table::{Broken, PROCESS, SopRow, Tables};
use super::{ensure, laws};

/// What is asked for, in full.
#[derive(Debug, Clone)]
pub enum Ask {
    CreateSop(Spec),
    CreateDraft { based_on: Option<VersionId>, spec: Spec },
    Edit { version: VersionId, revision: i64, spec: Spec },
    Submit { version: VersionId, revision: i64 },
    Decide { request: RequestId, approves: bool, content: ContentHash, comment: &'static str },
    Withdraw { request: RequestId },
    Discard { version: VersionId, revision: i64, reason: &'static str },
    PublishDue { version: VersionId },
    Retire { revision: i64, reason: &'static str, successor: Option<SopId> },
    Revive { revision: i64, based_on: Option<VersionId>, spec: Spec },
    HandOver { revision: i64, to: usize },
}

/// Who asks for what, where; the clock when nobody does.
#[derive(Debug, Clone)]
pub struct Deed {
    pub sop: usize,
    pub who: Option<usize>,
    /// How long ago the person signed in, in seconds.
    pub login: Option<i64>,
    pub ask: Ask,
}

#[derive(Debug, Clone)]
pub struct World {
    pub now: Timestamp,
    pub procedures: BTreeMap<usize, Procedure>,
    pub tables: Tables,
    pub history: History,
    pub specs: BTreeMap<ContentHash, Spec>,
    /// The policy in use for material changes, editorial ones and retirements.
    pub policies: [usize; 3],
    /// How often each thing happened that a run should reach.
    pub seen: BTreeMap<&'static str, u32>,
    serial: u128,
}

/// What came of an action.
pub type Came = Result<Result<(), Refusal>, String>;

impl World {
    pub fn new() -> Self {
        Self {
            now: Timestamp::from_micros(1_780_000_000 * SECOND),
            procedures: BTreeMap::new(),
            tables: Tables::default(),
            history: History::default(),
            specs: BTreeMap::new(),
            policies: [0, 1, 1],
            seen: BTreeMap::new(),
            serial: 1_000,
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// The stages that apply now.
    pub fn policy(&self, kind: PolicyKind) -> Vec<Stage> {
        let slot = PolicyKind::ALL.iter().position(|k| *k == kind).expect("every kind is listed");
        stages(self.policies[slot])
    }

    /// Asks for something, and checks that what comes of it is what should, in every respect.
    pub fn perform(&mut self, deed: &Deed) -> Came {
        self.serial += 1;
        let foreseen = foresee(self, deed);
        let before = self.procedures.get(&deed.sop).cloned();
        let start = before.clone().unwrap_or_else(|| blank(deed.sop));
        let effects = match self.attempt(&start, deed) {
            Err(refusal) => {
                ensure!(foreseen.is_none(), "refused though it should not be: {refusal:?} {deed:?}");
                ensure!(before == self.procedures.get(&deed.sop).cloned(), "a refused action changed something");
                return Ok(Err(refusal));
            }
            Ok(effects) => effects,
        };
        let Some(foreseen) = foreseen else { return Err(format!("allowed though it should not be: {deed:?}")) };
        let new = before.is_none().then(|| row(&start, deed.sop));
        let mut tables = self.tables.clone();
        match tables.transaction(new, start.id, &effects) {
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
        laws::check(self, deed, &start, &after, &effects, &foreseen)?;
        self.tables = tables;
        self.procedures.insert(deed.sop, after);
        Ok(Ok(()))
    }

    fn attempt(&self, sop: &Procedure, deed: &Deed) -> Result<Vec<Effect>, Refusal> {
        permit(sop, deed)?;
        let who = deed.who.unwrap_or(PEOPLE.len());
        let now = self.now;
        match &deed.ask {
            Ask::CreateSop(spec) => sop.create_draft(self.draft(spec, None, who)),
            Ask::CreateDraft { based_on, spec } => sop.create_draft(self.draft(spec, *based_on, who)),
            Ask::Edit { version, revision, spec } => sop.edit(*version, *revision, person(who), &spec.document()),
            Ask::Submit { version, revision } => self.submit(sop, *version, *revision, who),
            Ask::Decide { request, approves, content, comment } => {
                let verdict = if *approves { Verdict::Approve } else { Verdict::Reject };
                let id = DecisionId(Uuid::from_u128(self.serial));
                let (content, comment) = (*content, (*comment).to_owned());
                let answer = Answer { id, verdict, content, comment, on_behalf_of: None, via: Via::Api };
                sop.decide(*request, &actor(who, self.signed_in(deed)).candidate(), &[], answer, now)
            }
            Ask::Withdraw { request } => sop.withdraw(*request),
            Ask::Discard { version, revision, reason } => sop.discard(*version, *revision, reason),
            Ask::PublishDue { version } => sop.publish_due(*version, now),
            Ask::Retire { revision, reason, successor } => {
                let (policy, people) = (self.policy_row(PolicyKind::Retirement), candidates());
                let review = self.review(&policy, &people);
                sop.request_retirement(*revision, person(who), reason, *successor, &review)
            }
            Ask::Revive { revision, based_on, spec } => sop.revive(*revision, self.draft(spec, *based_on, who)),
            Ask::HandOver { revision, to } => sop.hand_over(*revision, person(*to)),
        }
    }

    fn submit(&self, sop: &Procedure, id: VersionId, revision: i64, who: usize) -> Result<Vec<Effect>, Refusal> {
        let document = |v: &crate::lifecycle::Version| self.specs[&v.content].document();
        let Some(version) = sop.version(id) else { return Err(Refusal::NotFound("version")) };
        let (own, in_force) = (document(version), sop.in_force().map(document));
        let policy = self.policy_row(version.kind.into());
        let people = candidates();
        let review = self.review(&policy, &people);
        let (submitter, in_force) = (person(who), in_force.as_ref());
        sop.submit(&Submission { version: id, revision, submitter, document: &own, in_force }, &review)
    }

    fn draft(&self, spec: &Spec, based_on: Option<VersionId>, who: usize) -> NewDraft {
        NewDraft {
            id: VersionId(Uuid::from_u128(self.serial)),
            kind: spec.kind,
            content: spec.document().canonical().1,
            effective_at: spec.effective_at,
            based_on,
            creator: person(who),
        }
    }

    fn policy_row(&self, kind: PolicyKind) -> Policy {
        let id = PolicyId(Uuid::from_u128(7));
        let stages = self.policy(kind);
        Policy { id, kind, team: None, risk: None, stages, requires_resolved_comments: false }
    }

    fn review<'a>(&self, policy: &'a Policy, people: &'a [Candidate]) -> Reviewed<'a> {
        const NONE: &Accounts = &Accounts::none();
        Reviewed { request: self.request_id(), policy, people, accounts: NONE, open_threads: 0, now: self.now }
    }

    fn request_id(&self) -> RequestId {
        RequestId(Uuid::from_u128(self.serial))
    }

    fn signed_in(&self, deed: &Deed) -> Option<Timestamp> {
        deed.login.map(|ago| self.now.plus(-ago * SECOND))
    }

    /// Writes down who did what, out of what was asked and allowed alone.
    fn remember(&mut self, deed: &Deed) {
        if let Ask::CreateSop(spec)
        | Ask::CreateDraft { spec, .. }
        | Ask::Edit { spec, .. }
        | Ask::Revive { spec, .. } = &deed.ask
        {
            self.specs.insert(spec.document().canonical().1, *spec);
        }
        let contributed = match &deed.ask {
            Ask::CreateSop(_) | Ask::CreateDraft { .. } | Ask::Revive { .. } => {
                Some(VersionId(Uuid::from_u128(self.serial)))
            }
            Ask::Edit { version, .. } | Ask::Submit { version, .. } => Some(*version),
            _ => None,
        };
        if let (Some(version), Some(who)) = (contributed, deed.who) {
            self.history.contributors.entry(version).or_default().insert(who);
        }
        self.remember_passage(deed);
        for passage in self.history.passages.iter_mut().filter(|p| p.open && p.sop == deed.sop) {
            let rejected = passage.votes.iter().any(|v| !v.approves);
            let withdrawn = matches!(deed.ask, Ask::Withdraw { .. });
            passage.open = !rejected && !withdrawn && passage.stage() < passage.stages.len();
        }
    }

    fn remember_passage(&mut self, deed: &Deed) {
        let (Some(who), sop) = (deed.who, deed.sop) else { return };
        let procedure = self.procedures.get(&sop);
        let (subject, kind) = match &deed.ask {
            Ask::Submit { version, .. } => {
                let found = procedure.and_then(|p| p.version(*version));
                (found, found.map_or(PolicyKind::Material, |v| v.kind.into()))
            }
            Ask::Retire { .. } => (procedure.and_then(Procedure::in_force), PolicyKind::Retirement),
            Ask::Decide { content, approves, .. } => {
                let open = self.history.passages.iter_mut().find(|p| p.sop == sop && p.open);
                open.expect("foreseen").votes.push(Vote { who, content: *content, approves: *approves });
                return;
            }
            _ => return,
        };
        let subject = subject.expect("foreseen");
        self.history.passages.push(Passage {
            request: self.request_id(),
            sop,
            version: (kind != PolicyKind::Retirement).then_some(subject.id),
            content: subject.content,
            stages: self.policy(kind),
            asked_by: who,
            votes: Vec::new(),
            open: true,
        });
    }
}

/// Asks for the permission, as a caller has to before anything else.
fn permit(sop: &Procedure, deed: &Deed) -> Result<Permit, Refusal> {
    let Some(who) = deed.who else { return Ok(Permit::clock()) };
    let facts = SopFacts {
        team: sop.team,
        owner: sop.owner,
        was_published: sop.was_published(),
        contributors: sop.open_version().map(|v| v.contributors.clone()).unwrap_or_default(),
        stages: sop.request.as_ref().map(|r| r.stages.clone()).unwrap_or_default(),
    };
    let action = match deed.ask {
        Ask::CreateSop(_) => {
            return decide(&actor(who, None), Action::CreateSop, Resource::Team(team(SOPS[deed.sop].1)));
        }
        Ask::CreateDraft { .. } | Ask::Edit { .. } | Ask::Submit { .. } => Action::EditSop,
        Ask::Decide { .. } => Action::Decide,
        Ask::Withdraw { .. } => Action::Withdraw,
        Ask::Discard { .. } => Action::Discard,
        Ask::PublishDue { .. } => Action::PublishDue,
        Ask::Retire { .. } => Action::RetireSop,
        Ask::Revive { .. } => Action::ReviveSop,
        Ask::HandOver { .. } => Action::HandOverSop,
    };
    decide(&actor(who, None), action, Resource::Sop(&facts))
}

fn blank(sop: usize) -> Procedure {
    let (_, of, owner) = SOPS[sop];
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

fn row(new: &Procedure, sop: usize) -> SopRow {
    let (process, team, _) = SOPS[sop];
    let (id, owner, state, revision) = (new.id, new.owner, new.state, new.revision);
    SopRow { id, process, team, owner, state, revision, successor: None }
}

/// What a request is about, as the history names it.
pub fn subject_version(subject: &Subject) -> Option<VersionId> {
    match subject {
        Subject::Version(id) => Some(*id),
        Subject::Retirement { .. } => None,
    }
}
