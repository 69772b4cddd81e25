//! What somebody may do, and why: the judgement by which requests are decided, put into words.

mod about;
mod words;

use sopwith_domain::access::{Action, Actor, Ground, HeldRole, Verdict, decide, judge};
use sopwith_domain::error::Refusal;
use sopwith_domain::ids::{PersonId, RequestId, SopId, TeamId, VersionId};
use sopwith_domain::time::Timestamp;

use self::about::About;
use super::{Call, people};
use crate::error::Result;
use crate::store::people as stored;

/// What an explanation is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Object {
    /// The whole organisation.
    Organisation,
    /// One team.
    Team(TeamId),
    /// One SOP.
    Sop(SopId),
    /// One version of an SOP.
    Version(VersionId),
    /// One approval request.
    Request(RequestId),
}

/// What a reason does to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is enough.
    Allows,
    /// It would be enough, and does not hold.
    WouldAllow,
    /// It stands in the way of whatever allows it.
    Forbids,
}

/// What a reason rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// A role or a fact.
    Ground(Ground),
    /// The rules of the approval request, such as that nobody decides on their own work.
    Request,
}

/// A reason.
#[derive(Debug, Clone)]
pub struct Told {
    /// What it does to the answer.
    pub effect: Effect,
    /// What it rests on.
    pub basis: Basis,
    /// The role that it holds by.
    pub role: Option<HeldRole>,
    /// The same for a person.
    pub message: String,
}

/// What somebody may do, and why.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The answer.
    pub allowed: bool,
    /// Whether it is answered as if the object, or what is asked of it, did not exist.
    pub hidden: bool,
    /// Why. None when nobody may do such a thing there.
    pub reasons: Vec<Told>,
}

/// Explains what a person may do to an object: oneself by the token in hand, others by their grants and by what they
/// claimed when they were seen last.
///
/// # Errors
/// `NotFound` for an unknown person, and for an object that the asker does not see; `Forbidden` for what others may do
/// beyond the asker's reach.
pub async fn explain(call: &Call, person: PersonId, action: Action, object: Object) -> Result<Explanation> {
    let db = call.store.read();
    if stored::by_ids(db, &[person.0]).await?.is_empty() {
        return Err(Refusal::NotFound("person").into());
    }
    let mut about = About::find(db, object).await?;
    if about.hidden_from(&call.actor).is_some() {
        return Err(Refusal::NotFound(about.what()).into());
    }
    // What the stages of a request are, and what it says to somebody, is told to those who see it.
    let tells = about.shows_drafts_to(&call.actor);
    if person == call.actor.person {
        about.know(db, &call.actor).await?;
        return Ok(put(&about, &call.actor, action, tells, call.now));
    }
    about.with(action, |resource| decide(&call.actor, Action::ReadAccess, resource))?;
    if !tells {
        return Err(Refusal::forbidden("to see why others may do this you must see the drafts of this SOP").into());
    }
    let actor = people::as_stored(db, person, call.now).await?;
    about.know(db, &actor).await?;
    Ok(put(&about, &actor, action, tells, call.now))
}

/// The judgement of what an actor may do to what was found, with what the approval request says to it.
fn put(about: &About, actor: &Actor, action: Action, tells: bool, now: Timestamp) -> Explanation {
    let judged =
        about.hidden_from(actor).unwrap_or_else(|| about.with(action, |resource| judge(actor, action, resource)));
    let (allowed, hidden) = match judged.verdict {
        Verdict::Allowed => (true, false),
        Verdict::Refused => (false, false),
        Verdict::Hidden(_) => (false, true),
    };
    let team = about.team();
    let mut reasons = Vec::new();
    for reason in judged.reasons.iter().filter(|reason| reason.holds == allowed) {
        let basis = Basis::Ground(reason.ground);
        if reason.roles.is_empty() {
            let (effect, message) = if allowed {
                (Effect::Allows, words::holds(reason.ground))
            } else {
                (Effect::WouldAllow, words::would(reason.ground, team, about.stages().filter(|_| tells)))
            };
            reasons.push(Told { effect, basis, role: None, message });
        }
        reasons.extend(reason.roles.iter().filter_map(|n| actor.roles.get(*n)).map(|role| {
            let message = words::by_role(reason.ground, role);
            Told { effect: Effect::Allows, basis, role: Some(role.clone()), message }
        }));
    }
    let obstacle = about.obstacle(actor, action, now).filter(|_| tells && !hidden);
    let allowed = allowed && obstacle.is_none();
    reasons.extend(obstacle.map(|message| Told {
        effect: Effect::Forbids,
        basis: Basis::Request,
        role: None,
        message,
    }));
    Explanation { allowed, hidden, reasons }
}
