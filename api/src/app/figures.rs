//! Figures, within the reach of who asks.

mod order;
mod runs;
pub mod steps;
pub mod violations;

use sopwith_domain::access::{Action, Actor, Permission, Reach, Resource};
use sopwith_domain::calendar::Grain;
use sopwith_domain::error::Refusal;
use sopwith_domain::time::{DAY, Timestamp};

use super::Call;
use crate::error::Result;
use crate::store::executions::FiguresReach;
use crate::store::figures::{Figures, MAX_GROUPS, MAX_RANKED, Question, compute};
use crate::store::sops;

pub use order::{Measure, Order};
pub use runs::stretch;

/// The longest time whose sums by the hour are read.
const BY_HOUR: i64 = 92 * DAY;

/// Whose executions and figures an actor reads.
#[must_use]
pub fn reach(actor: &Actor) -> FiguresReach {
    FiguresReach { reach: actor.reach(Permission::FiguresRead), person: actor.person }
}

/// The figures that are asked for.
///
/// # Errors
/// `Forbidden` for someone who reads no figures at all; `Invalid` for too many groups, and for too long a time where
/// buckets are put together from hours.
pub async fn answer(call: &Call, question: &Question) -> Result<Vec<Figures>> {
    bounded(gather(call, question).await?, MAX_GROUPS)
}

/// The figures that are asked for, up to [`MAX_RANKED`] of them, for what shows no more than a part at a time.
///
/// # Errors
/// As [`answer`].
pub async fn many(call: &Call, question: Question) -> Result<Vec<Figures>> {
    bounded(gather(call, &Question { ranked: true, ..question }).await?, MAX_RANKED)
}

/// The figures that are asked for in an order of their own, at most the first so many.
///
/// # Errors
/// As [`answer`].
pub async fn ranked(call: &Call, question: Question, order: Order, first: Option<usize>) -> Result<Vec<Figures>> {
    let mut figures = order.apply(many(call, question).await?);
    figures.truncate(first.unwrap_or(usize::MAX));
    bounded(figures, MAX_GROUPS)
}

async fn gather(call: &Call, question: &Question) -> Result<Vec<Figures>> {
    let who = reader(call).await?;
    let Question { from, to, .. } = *question;
    check_hours(call, question, (from, to.unwrap_or(call.now)))?;
    compute(&call.store, &who, question, call.now).await
}

/// Whose figures the actor reads.
///
/// # Errors
/// `Forbidden` for someone who reads none at all.
pub async fn reader(call: &Call) -> Result<FiguresReach> {
    let who = reach(&call.actor);
    let none = matches!(&who.reach, Reach::Teams(teams) if teams.is_empty());
    if none && !owns_any(call).await? {
        call.permit(Action::ReadFigures, Resource::Organisation)?;
    }
    Ok(who)
}

fn bounded(figures: Vec<Figures>, most: usize) -> Result<Vec<Figures>> {
    if figures.len() > most {
        let why = format!("more than {most} groups: ask for less at a time");
        return Err(Refusal::invalid("groupBy", why).into());
    }
    Ok(figures)
}

/// Hours, and buckets of another time zone, which are put together from hours, are given of a bounded time only.
fn check_hours(call: &Call, question: &Question, (from, to): (Option<Timestamp>, Timestamp)) -> Result<()> {
    let other = question.zone.is_some_and(|zone| zone != call.store.zone());
    let what = match question.bucket {
        Some(Grain::Hour) => "hours",
        Some(_) if other => "buckets in another time zone than the organisation's",
        _ => return Ok(()),
    };
    let Some(from) = from else {
        return Err(Refusal::invalid("filter.from", format!("{what} need a beginning")).into());
    };
    if to.since(from) > BY_HOUR {
        let why = format!("{what} are given of at most 92 days at a time");
        return Err(Refusal::invalid("filter.from", why).into());
    }
    Ok(())
}

async fn owns_any(call: &Call) -> Result<bool> {
    let own = sops::SopFilter { owner: Some(call.actor.person), ..Default::default() };
    Ok(sops::count(call.store.read(), &call.actor.visibility(), &own).await? > 0)
}
