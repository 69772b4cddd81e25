//! What figures that are counted from the runs themselves have in common: a bounded time, and a place among the few that are
//! counted at the same time.

use sopwith_domain::calendar::Grain;
use sopwith_domain::error::Refusal;
use sopwith_domain::time::{DAY, Timestamp};
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::telemetry::statements;

/// Without a beginning one looks so far back, in microseconds.
const USUAL: i64 = 90 * DAY;
/// The longest time that is looked at.
const LONGEST: i64 = 366 * DAY;
/// How many of these are counted in this process at a time; others wait for as long as their requests may. Each has a
/// connection to the database, and takes up to some seconds where there are very many runs.
static SEATS: Semaphore = Semaphore::const_new(2);
/// How many may be asked for at a time, those that are counted among them.
static ASKED: Semaphore = Semaphore::const_new(10);
/// When those that found no place may come again, in seconds.
const RETRY_AFTER: u64 = 1;

/// The time that is looked at: until now, and 90 days, where it is not said.
///
/// # Errors
/// `Invalid` for more than a year.
pub fn stretch(now: Timestamp, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(Timestamp, Timestamp)> {
    let to = to.unwrap_or(now);
    let from = from.unwrap_or(to.plus(-USUAL));
    if to.since(from) > LONGEST {
        return Err(Refusal::invalid("filter.from", "at most 366 days at a time").into());
    }
    Ok((from, to))
}

/// Refuses time buckets of which there would be too many.
///
/// # Errors
/// `Invalid` for hours.
pub fn bucket(bucket: Option<Grain>) -> Result<()> {
    if bucket == Some(Grain::Hour) { Err(Refusal::invalid("bucket", "by day, week or month").into()) } else { Ok(()) }
}

/// Counts when there is a seat. It goes on when nobody waits any more, since the database would too, and holds its seat as
/// long: so asking again and again does not take all connections.
///
/// # Errors
/// `Busy` when too many wait; those of the counting.
pub(super) async fn seated<T: Send + 'static>(count: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let place = ASKED.try_acquire().map_err(|_| Error::Busy { retry_after: RETRY_AFTER })?;
    let seat = SEATS.acquire().await.map_err(Error::internal)?;
    let counting = async move {
        let counted = count.await;
        drop((seat, place));
        counted
    };
    tokio::spawn(statements::counted(counting)).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn so_many_wait_and_the_next_is_told_to_come_again() {
        let gate = Arc::new(Semaphore::new(0));
        let count = || {
            let gate = Arc::clone(&gate);
            async move { gate.acquire().await.map(drop).map_err(Error::internal) }
        };
        let asked: Vec<_> = (0..10).map(|_| tokio::spawn(seated(count()))).collect();
        while ASKED.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(seated(count()).await, Err(Error::Busy { retry_after: RETRY_AFTER })));
        gate.add_permits(10);
        for one in asked {
            one.await.unwrap().unwrap();
        }
        seated(count()).await.unwrap();
    }
}
