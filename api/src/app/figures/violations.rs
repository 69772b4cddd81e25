//! Which rules are breached most.

use sopwith_domain::error::Refusal;
use sopwith_domain::time::Timestamp;

use super::runs::{bucket, seated, stretch};
use crate::app::Call;
use crate::error::Result;
use crate::store::figures::Question;
use crate::store::figures::violations::{Asked, Found, MOST_RUNS, Worst, count};

/// Violations of the runs that the actor reads, by kind, and until when they started.
///
/// # Errors
/// `Forbidden` for who reads no figures; `Invalid` for more than a year, for buckets of an hour, for more than 92 days of buckets
/// in another time zone, and for a time with too many runs that have violations.
pub async fn by_kind(call: &Call, question: Question, worst: Worst, first: usize) -> Result<(Found, Timestamp)> {
    let who = super::reader(call).await?;
    let stretch = stretch(call.now, question.from, question.to)?;
    bucket(question.bucket)?;
    super::check_hours(call, &question, (Some(stretch.0), stretch.1))?;
    let (store, now) = (call.store.clone(), call.now);
    let asked = Asked { who, question, stretch, worst, first };
    let counted = seated(async move { count(&store, &asked, now).await }).await?;
    let too_many = || {
        let why = format!("more than {MOST_RUNS} runs of this time have violations: ask for a shorter time");
        Refusal::invalid("filter.from", why)
    };
    Ok((counted.ok_or_else(too_many)?, stretch.1))
}
