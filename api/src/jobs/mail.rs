//! Mail is queued and sent.

use super::Means;
use crate::app::mail::{self, Claimed, Outcome, Settled};
use crate::clock::now;
use crate::error::Result;
use crate::smtp::Mailer;

/// How many mails one run sends at most, so that each run comes to an end.
const MOST: u64 = 500;

/// Queues mail about what is new, and sends what is due. Answers how many mails were sent. Ends early when the process
/// is to end, or when the server cannot be talked to: the next mail would fare no better.
///
/// Each mail is sent at least once; and once, unless the process dies, or loses the connection, between the server's
/// taking the mail and our writing that down.
pub(super) async fn send_due(means: &Means, mailer: &Mailer) -> Result<u64> {
    mail::queue_new(&means.store, now()).await?;
    let mut sent = 0;
    for _ in 0..MOST {
        if means.is_stopping() {
            break;
        }
        let Some(claimed) = mail::claim(&means.store, now()).await? else { break };
        let (settled, go_on) = deliver(means, mailer, &claimed).await?;
        sent += u64::from(settled == Settled::Sent);
        if !go_on {
            break;
        }
    }
    Ok(sent)
}

/// One attempt. What became of it, and whether to go on with others.
async fn deliver(means: &Means, mailer: &Mailer, claimed: &Claimed) -> Result<(Settled, bool)> {
    let (outcome, go_on) = match mail::compose(&means.store, claimed, now()).await? {
        Err(why) => (Outcome::Needless(why), true),
        Ok(letter) => {
            let attempt = mailer.send(&letter).await;
            let (event, person) = (letter.event.to_string(), letter.person.to_string());
            if let Outcome::Refused(kind) | Outcome::Hindered(kind) = attempt.outcome {
                tracing::warn!(event, person, kind, reason = attempt.reason, "a mail could not be sent");
            }
            (attempt.outcome, !attempt.server_at_fault)
        }
    };
    let settled = mail::settle(&means.store, claimed, outcome, &mailer.retries, now()).await?;
    means.metrics.mailed(settled);
    if settled == Settled::Failed {
        tracing::error!(delivery = %claimed, "a mail is given up");
    }
    Ok((settled, go_on))
}
