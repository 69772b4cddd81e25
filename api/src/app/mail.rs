//! Mail about events: who gets one, what it tells, and what becomes of each. The sending itself is another room's.

use std::collections::BTreeSet;
use std::fmt;

use sopwith_domain::approval::Via;
use sopwith_domain::event::{EventKind, Facts};
use sopwith_domain::ids::{CommentId, EventId, PersonId, RequestId};
use sopwith_domain::time::{DAY, HOUR, MINUTE, SECOND, Timestamp};

use super::events;
use crate::error::{Error, Result};
use crate::store::events::{self as outbox, EventRow};
use crate::store::mail::{self as stored, DeliveryRow, End};
use crate::store::{Connection, Store, people, retry};

/// Events that are older are not mailed about any more: whoever turns mail on is not flooded with what is long known.
const KEPT: i64 = DAY;
/// How long a replica has to make an attempt, until others take the delivery up again. Longer than sending may take.
pub const CLAIM: i64 = 10 * MINUTE;
/// The longest time between two attempts.
const LONGEST_WAIT: i64 = 6 * HOUR;
/// How many events, or deliveries, are looked at by one statement.
const BATCH: u64 = 50;

/// When failed attempts are made again.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// How many attempts are made at most.
    pub most: u32,
    /// How long after the first the second is made, in seconds; each further wait is four times as long, up to six
    /// hours.
    pub first_after_seconds: u64,
}

impl Retries {
    /// When to try again after so many attempts; never where there were enough.
    fn again(&self, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        let first = i64::try_from(self.first_after_seconds).unwrap_or(i64::MAX).saturating_mul(SECOND);
        let wait = 4_i64.saturating_pow(attempts.saturating_sub(1)).saturating_mul(first).min(LONGEST_WAIT);
        (attempts < self.most).then(|| now.plus(wait))
    }
}

/// Queues mail about the events that are new; answers how many events those were. What an import brings is not mailed
/// about. Nobody gets two of an event by having two accounts with one address.
///
/// # Errors
/// When the database does not answer.
pub async fn queue_new(store: &Store, now: Timestamp) -> Result<u64> {
    let mut queued = 0;
    loop {
        let new = stored::new_events(store.read(), now.plus(-KEPT), BATCH).await?;
        for event in &new {
            queued += u64::from(retry(|| queue_one(store, event, now)).await?);
        }
        if (new.len() as u64) < BATCH {
            return Ok(queued);
        }
    }
}

async fn queue_one(store: &Store, event: &EventRow, now: Timestamp) -> Result<bool> {
    let (_, facts) = events::read(event)?;
    let tx = store.begin().await?;
    let mut to = Vec::new();
    if facts.via != Via::Import {
        let mut addresses = BTreeSet::new();
        let mut recipients = people::by_ids(&tx, &outbox::recipients_of(&tx, event.id).await?).await?;
        recipients.sort_by_key(|person| person.id);
        let reachable = recipients.iter().filter_map(|person| Some((person.id, verified(person)?.to_lowercase())));
        to.extend(reachable.filter(|(_, address)| addresses.insert(address.clone())).map(|(id, _)| id));
    }
    let new = stored::queue(&tx, event.id, &to, now).await?;
    tx.commit().await?;
    Ok(new)
}

/// The address that the issuer of a person's token vouched for.
fn verified(person: &people::Person) -> Option<&str> {
    person.email.as_deref().filter(|_| person.email_verified).map(str::trim).filter(|email| !email.is_empty())
}

/// A mail to be sent now, by whoever was handed it.
#[derive(Debug, Clone)]
pub struct Claimed(DeliveryRow);

/// Event and person, for logs.
impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", EventId(self.0.event_id), PersonId(self.0.person_id))
    }
}

/// What a mail tells.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The event that it is about.
    pub event: EventId,
    /// To whom.
    pub person: PersonId,
    /// Where they can be written to.
    pub address: String,
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub facts: Facts,
    /// What the reader is to look at.
    pub about: About,
    /// When it is written.
    pub now: Timestamp,
}

/// What the reader of a mail is to look at.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// An approval request.
    Request(RequestId),
    /// A review comment.
    Comment(CommentId),
}

/// Takes up a delivery that is due; none where nothing is. Only one replica gets each.
///
/// # Errors
/// When the database does not answer.
pub async fn claim(store: &Store, now: Timestamp) -> Result<Option<Claimed>> {
    for row in stored::due(store.read(), now, BATCH).await? {
        if retry(|| stored::claim(store.writer(), &row, now.plus(CLAIM))).await? {
            return Ok(Some(Claimed(row)));
        }
    }
    Ok(None)
}

/// What is to be written; where nothing is any more, the reason. A decision that was taken, or a person who may not see
/// the procedure any more, makes a mail needless.
///
/// # Errors
/// When the database does not answer.
pub async fn compose(
    store: &Store,
    claimed: &Claimed,
    now: Timestamp,
) -> Result<std::result::Result<Letter, &'static str>> {
    let (db, delivery) = (store.read(), &claimed.0);
    let row = outbox::by_ids(db, &[delivery.event_id]).await?.pop().ok_or_else(|| Error::internal("no event"))?;
    let (kind, facts) = events::read(&row)?;
    let person = people::by_ids(db, &[delivery.person_id]).await?.pop();
    let Some(address) = person.as_ref().and_then(verified) else { return Ok(Err("NO_ADDRESS")) };
    let who = PersonId(delivery.person_id);
    let actor = super::people::as_stored(db, who, now).await?;
    if !outbox::is_seen(db, &actor.visibility(), row.id).await? {
        return Ok(Err("NOT_SEEN"));
    }
    let about = match (row.request_id, row.comment_id) {
        (Some(id), _) => About::Request(RequestId(id)),
        (None, Some(id)) => About::Comment(CommentId(id)),
        (None, None) => return Err(Error::internal("an event about nothing")),
    };
    if let About::Request(request) = about
        && !waits(db, request, row.stage, kind, who, now).await?
    {
        return Ok(Err("SETTLED"));
    }
    let address = address.to_owned();
    Ok(Ok(Letter { event: EventId(row.id), person: who, address, kind, facts, about, now }))
}

/// Whether the stage of an event is still open, and waits for the person where the event says so.
async fn waits(
    db: &impl Connection,
    request: RequestId,
    stage: Option<i32>,
    kind: EventKind,
    who: PersonId,
    now: Timestamp,
) -> Result<bool> {
    let open = events::open_stage(db, request).await?;
    if open.is_none_or(|open| Some(open.stage.position) != stage) {
        return Ok(false);
    }
    Ok(kind == EventKind::ApprovalEscalated || events::waited_for(db, request, now).await?.contains(&who))
}

/// How an attempt to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it.
    Sent,
    /// It is not to be sent any more, for this reason.
    Needless(&'static str),
    /// It cannot be sent, however often it is tried.
    Refused(&'static str),
    /// It could not be sent now.
    Hindered(&'static str),
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was sent.
    Sent,
    /// It was not to be sent any more.
    Skipped,
    /// It is tried again later.
    Deferred,
    /// It was given up.
    Failed,
}

impl Settled {
    /// Every value, in order.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Skipped, Self::Deferred, Self::Failed];

    /// As metrics name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Skipped => "SKIPPED",
            Self::Deferred => "DEFERRED",
            Self::Failed => "FAILED",
        }
    }
}

/// Writes down how an attempt ended.
///
/// # Errors
/// When the database does not answer: then the delivery is taken up again once the claim is over, also when it was
/// sent.
pub async fn settle(
    store: &Store,
    claimed: &Claimed,
    outcome: Outcome,
    retries: &Retries,
    now: Timestamp,
) -> Result<Settled> {
    let attempts = u32::try_from(claimed.0.attempts).unwrap_or_default() + 1;
    let (end, settled) = match outcome {
        Outcome::Sent => (End::Sent, Settled::Sent),
        Outcome::Needless(why) => (End::Skipped(why), Settled::Skipped),
        Outcome::Refused(why) => (End::Failed(why), Settled::Failed),
        Outcome::Hindered(why) => match retries.again(attempts, now) {
            Some(at) => (End::Again(why, at), Settled::Deferred),
            None => (End::Failed(why), Settled::Failed),
        },
    };
    retry(|| stored::settle(store.writer(), &claimed.0, end, now)).await?;
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_six_hours_and_end() {
        let retries = Retries { most: 8, first_after_seconds: 60 };
        let now = Timestamp::from_micros(0);
        let waits: Vec<Option<i64>> = (1..=8).map(|n| retries.again(n, now).map(|at| at.micros() / MINUTE)).collect();
        let minutes = [1, 4, 16, 64, 256, 360, 360].map(Some);
        assert_eq!(waits, [&minutes[..], &[None]].concat());
        assert_eq!(Retries { most: 1, first_after_seconds: u64::MAX }.again(1, now), None);
        let forever = Retries { most: u32::MAX, first_after_seconds: u64::MAX }.again(u32::MAX - 1, now);
        assert_eq!(forever, Some(now.plus(LONGEST_WAIT)), "no overflow");
    }
}
