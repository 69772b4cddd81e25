//! What an explanation is about, as access is judged by it.

use sopwith_domain::access::{Action, Actor, Judgement, Resource, SopFacts, Verdict, decide, judge};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{RequestId, SopId, TeamId, VersionId};
use sopwith_domain::lifecycle::Procedure;
use sopwith_domain::policy::Stage;
use sopwith_domain::time::Timestamp;

use super::Object;
use crate::app::{facts, facts_for_withdrawal};
use crate::error::Result;
use crate::store::approvals::{self, RequestRow};
use crate::store::{Connection, accounts, procedures, sops, teams};

/// What was found.
pub(super) enum About {
    /// The organisation, or one team.
    Place(Option<TeamId>),
    /// An SOP, or something of it.
    Sop(Box<OfSop>),
}

/// An SOP, or something of it.
pub(super) struct OfSop {
    procedure: Procedure,
    facts: SopFacts,
    /// What it is, and which action is to see it.
    seen: (&'static str, Action),
    /// The request that a decision or a withdrawal would be about.
    request: Option<RequestRow>,
}

impl About {
    /// # Errors
    /// `NotFound` when there is no such thing.
    pub(super) async fn find(db: &impl Connection, object: Object) -> Result<Self> {
        match object {
            Object::Organisation => Ok(Self::Place(None)),
            Object::Team(team) => {
                let found = teams::by_ids(db, &[team.0]).await?.pop().ok_or(Refusal::NotFound("team"))?;
                Ok(Self::Place(Some(TeamId(found.id))))
            }
            Object::Sop(sop) => {
                let open = approvals::open_of_sops(db, &[sop.0]).await?.pop();
                Self::of_sop(db, sop, ("SOP", Action::ReadSop), open).await
            }
            Object::Version(id) => Self::version(db, id).await,
            Object::Request(id) => Self::request(db, id).await,
        }
    }

    async fn version(db: &impl Connection, id: VersionId) -> Result<Self> {
        let row = sops::versions_by_ids(db, &[id.0]).await?.pop().ok_or(Refusal::NotFound("version"))?;
        let open = approvals::open_of_sops(db, &[row.sop_id]).await?.pop();
        let seen = if row.published_at.is_some() { Action::ReadSop } else { Action::ReadDraft };
        let own = open.filter(|request| request.version_id == Some(id.0));
        Self::of_sop(db, SopId(row.sop_id), ("version", seen), own).await
    }

    async fn request(db: &impl Connection, id: RequestId) -> Result<Self> {
        let row = approvals::by_ids(db, &[id.0]).await?.pop().ok_or(Refusal::NotFound("approval request"))?;
        let sop = SopId(row.sop_id);
        Self::of_sop(db, sop, ("approval request", Action::ReadDraft), Some(row)).await
    }

    async fn of_sop(
        db: &impl Connection,
        id: SopId,
        seen: (&'static str, Action),
        request: Option<RequestRow>,
    ) -> Result<Self> {
        let procedure = procedures::load(db, id, false).await?.ok_or(Refusal::NotFound(seen.0))?;
        let facts = facts(&procedure);
        Ok(Self::Sop(Box::new(OfSop { procedure, facts, seen, request })))
    }

    /// Knows from now on which accounts an actor has, and those have in whose place the actor could decide.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn know(&mut self, db: &impl Connection, actor: &Actor) -> Result<()> {
        if let Self::Sop(of) = self
            && let Some(request) = &mut of.procedure.request
        {
            let parties = actor.mandates.iter().map(|mandate| mandate.from).chain([actor.person]).collect();
            request.accounts.join(&accounts::of(db, parties).await?);
        }
        Ok(())
    }

    /// What it is called.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Place(_) => "team",
            Self::Sop(of) => of.seen.0,
        }
    }

    /// The team that it belongs to.
    pub(super) fn team(&self) -> Option<TeamId> {
        match self {
            Self::Place(team) => *team,
            Self::Sop(of) => Some(of.facts.team),
        }
    }

    /// The stages of the open request.
    pub(super) fn stages(&self) -> Option<&[Stage]> {
        match self {
            Self::Place(_) => None,
            Self::Sop(of) => Some(&of.facts.stages),
        }
    }

    /// It, as an action is judged by it.
    pub(super) fn with<T>(&self, action: Action, judged: impl FnOnce(Resource<'_>) -> T) -> T {
        match self {
            Self::Place(team) => judged(crate::app::access::place(*team)),
            Self::Sop(of) => match &of.request {
                Some(request) if action == Action::Withdraw => {
                    judged(Resource::Sop(&facts_for_withdrawal(&of.procedure, request)))
                }
                _ => judged(Resource::Sop(&of.facts)),
            },
        }
    }

    /// Why an actor does not see it; nothing when they do.
    pub(super) fn hidden_from(&self, actor: &Actor) -> Option<Judgement> {
        let Self::Sop(of) = self else { return None };
        let (what, action) = of.seen;
        let judged = judge(actor, action, Resource::Sop(&of.facts));
        (judged.verdict != Verdict::Allowed).then_some(Judgement { verdict: Verdict::Hidden(what), ..judged })
    }

    /// Whether an actor sees drafts and requests of it, where there can be such.
    pub(super) fn shows_drafts_to(&self, actor: &Actor) -> bool {
        match self {
            Self::Place(_) => true,
            Self::Sop(of) => decide(actor, Action::ReadDraft, Resource::Sop(&of.facts)).is_ok(),
        }
    }

    /// What the approval request has against it, beyond what access is judged by.
    pub(super) fn obstacle(&self, actor: &Actor, action: Action, now: Timestamp) -> Option<String> {
        let Self::Sop(of) = self else { return None };
        if !matches!(action, Action::Decide | Action::Withdraw) {
            return None;
        }
        match (&of.request, &of.procedure.request) {
            (Some(row), _) if row.closed_at.is_some() => Some(format!("the request is {}", row.state)),
            (Some(_), Some(open)) if action == Action::Decide => {
                let (who, team) = (actor.candidate(), of.facts.team);
                let in_place = |mandate| open.may_decide(&who, Some(mandate), team, now).is_ok();
                let own = open.may_decide(&who, None, team, now).err();
                own.filter(|_| !actor.mandates.iter().any(in_place)).map(|refusal| refusal.to_string())
            }
            (None, Some(_)) => Some("the open request is about something else".to_owned()),
            (None, None) => Some("no request is open".to_owned()),
            _ => None,
        }
    }
}
